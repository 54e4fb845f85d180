//! `cargo xtask bench load`: many registered phones and many calls at once, what they need, and whether it is given back.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::Value;

use super::load::Running;
use super::peers::{self, Built, Started, TENANT};
use super::report::{Report, rounded};
use super::undertaker::Undertaker;
use super::{growth, usage};
use crate::shell::{self, Budget};
use crate::{guests, tools};

/// Registrations on their way at once.
const WINDOW: u32 = 500;
/// How long what a call leaves behind stays: timers of 32 s (RFC 3261 §17.2.1), and some time for the allocator, which gives
/// pages back by and by.
const SETTLE: Duration = Duration::from_secs(60);
/// What the switch may need for it all, in MiB.
const MEMORY_MAX: u64 = 600;
/// Memory has returned to its base when it is at most so many percent of it, at least one of two times: a leak shows both
/// times, and pages that a thread has freed last go back to the system only when that thread has work again.
const AFTER_MAX: u64 = 110;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Phones that register, and again every 300 s.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    phones: u32,
    /// Calls that are up at once; at most half as many as there are phones.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    calls: u32,
    /// Seconds for which all that is held; a call begins, and another changes, each 5 ms.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// A tenth of the phones and calls, and no more than ten thousand users: for a look while one works on it.
    #[arg(long)]
    quick: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// How much of it.
struct Amount {
    phones: u32,
    calls: u32,
    seconds: u64,
}

/// Starts a switch and a crowd, then switches with few and with many users, and says what came of it.
///
/// # Errors
/// A bound was not kept, or something did not work.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let part = if args.quick { 10 } else { 1 };
    let amount = Amount {
        phones: (args.phones / part).max(100),
        calls: (args.calls / part).max(1),
        seconds: args.seconds.min(if args.quick { 10 } else { u64::MAX }),
    };
    if u64::from(amount.calls) > amount.seconds * 100 || amount.calls * 2 > amount.phones {
        bail!(
            "so many calls want more seconds, or more phones: 100 calls a second and one for each two phones"
        );
    }
    tools::ensure_compiler()?;
    tools::ensure_phones()?;
    let built = Built {
        before: None,
        callwright: shell::build_callwright_for_speed(Budget::unbounded())?,
        rule: guests::build(&["hello-ring"])?.remove(0),
    };
    let build = ["build", "--release", "--package", "callwright-bench"];
    Budget::unbounded().run(shell::cargo().args(build))?;
    let folder = shell::target().join("bench/load");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut report = Report::default();
    crowd(&amount, &folder, &built, &mut report)?;
    growth::measure(if args.quick { 10_000 } else { 1_000_000 }, &folder, &built, &mut report)?;
    report.print(args.json)?;
    // Where something was not kept, the logs in it say more.
    Ok(std::fs::remove_dir_all(&folder)?)
}

fn crowd(amount: &Amount, folder: &Path, built: &Built, report: &mut Report) -> anyhow::Result<()> {
    let Amount { phones, calls, seconds } = *amount;
    let began = Instant::now();
    let Started { running, address } =
        peers::switch(folder, &built.callwright, Some(&built.rule), &configuration(phones)?, &[TENANT])?;
    let _undertaker = Undertaker::of(&running, folder)?;
    let pid = running.0.id();
    report.tell("phones", phones);
    report.tell("start_s", rounded(began.elapsed().as_secs_f64()));
    std::thread::sleep(Duration::from_secs(2));
    report.tell("memory_at_start_most_mib", mib(usage::most_memory(pid)));
    let base = mib(usage::resident(pid));
    report.tell("memory_before_mib", base);
    usage::forget_most_memory(pid)?;
    let mut crowd = Crowd::start(address, amount)?;

    shell::say(&format!("{phones} phones register"));
    let before = usage::processor_time(&[pid]);
    let told = crowd.order("register")?;
    let spent = usage::processor_time(&[pid]).saturating_sub(before);
    report.must_be("registered", &told["registered"], phones);
    report.must_be("registrations_refused", &told["refused"], 0);
    report.tell("registrations_sent_again", told["repeated"].clone());
    let took = told["seconds"].as_f64().unwrap_or(f64::NAN);
    report.tell("time_to_register_all_s", rounded(took));
    report.tell("registrations_a_second", rounded(f64::from(phones) / took));
    report.tell("processor_us_a_registration", rounded(spent.as_secs_f64() * 1e6 / f64::from(phones)));
    report.tell("memory_registered_mib", mib(usage::resident(pid)));

    shell::say(&format!("{calls} calls go up and stay for {seconds} s"));
    let before = usage::processor_time(&[pid]);
    let told = crowd.order(&format!("hold {seconds}"))?;
    let spent = usage::processor_time(&[pid]).saturating_sub(before);
    report.must_be("calls_up_at_once", &told["calls_up"], calls);
    report.must_be("calls_changed_while_up", &told["calls_changed"], calls);
    let due = f64::from(phones) / 300.0 * Duration::from_secs(seconds).as_secs_f64();
    let refreshed = told["registered"].as_f64().unwrap_or_default();
    let words = format!("at least 99 % of {due:.0} that were due");
    report.judge("registrations_refreshed", refreshed, words, refreshed >= due * 0.99);
    report.must_be("refused_while_calls_were_up", &told["refused"], 0);
    report.tell("processor_share", rounded(spent.as_secs_f64() / Duration::from_secs(seconds).as_secs_f64()));
    report.tell("memory_calls_up_mib", mib(usage::resident(pid)));
    report.tell("memory_calls_up_shared_out_mib", mib(usage::memory(&[pid])));
    let most = mib(usage::most_memory(pid));
    report.judge("memory_at_the_most_mib", most, format!("less than {MEMORY_MAX}"), most < MEMORY_MAX);

    shell::say("all hang up and take their registrations back");
    let ended = crowd.order("hang-up")?;
    report.must_be("calls_ended", &ended["calls_ended"], calls);
    let after = leave(&mut crowd, pid, "unregistered", phones, report)?;
    report.tell("memory_after_mib", after);
    shell::say("the same phones come and go again");
    report.must_be("registered_again", &crowd.order("register")?["registered"], phones);
    let again = leave(&mut crowd, pid, "unregistered_again", phones, report)?;
    report.tell("memory_after_again_mib", again);
    let (least, bound) = (after.min(again), base * AFTER_MAX / 100);
    report.judge("memory_after_at_the_least_mib", least, format!("at most {bound}"), least <= bound);
    Ok(())
}

/// All registrations are taken back; the memory once nothing of it is left to be waited for.
fn leave(crowd: &mut Crowd, pid: u32, name: &str, phones: u32, report: &mut Report) -> anyhow::Result<u64> {
    report.must_be(name, &crowd.order("unregister")?["registered"], phones);
    std::thread::sleep(SETTLE);
    Ok(mib(usage::resident(pid)))
}

fn mib(bytes: u64) -> u64 {
    bytes / 1024 / 1024
}

/// Every user has one phone, which proves itself with a password.
fn configuration(phones: u32) -> anyhow::Result<String> {
    let mut text = peers::head() + &peers::tenant(TENANT);
    for phone in 0..phones {
        write!(
            text,
            "[tenants.{TENANT}.users.n{phone:07}]\nextension = \"u{phone:07}\"\n\
             devices.d{phone:07} = {{ label = \"desk\", password = \"secret\" }}\n"
        )?;
    }
    Ok(text)
}

/// The program that plays the phones. It ends when its orders do.
struct Crowd {
    _running: Running,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Crowd {
    fn start(switch: SocketAddr, amount: &Amount) -> anyhow::Result<Self> {
        let mut command = Command::new(shell::target().join("release/bench-phones"));
        command.arg(switch.to_string());
        command.args([amount.phones, amount.calls, WINDOW].map(|number| number.to_string()));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        let orders = running.0.stdin.take().context("the phones have no input")?;
        let answers = running.0.stdout.take().context("the phones have no output")?;
        Ok(Self { _running: running, orders, answers: BufReader::new(answers) })
    }

    fn order(&mut self, order: &str) -> anyhow::Result<Value> {
        writeln!(self.orders, "{order}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("the phones did not do `{order}`"))
    }
}
