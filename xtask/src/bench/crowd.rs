//! `cargo xtask bench load`: many registered phones and many calls at once, what they need, and whether it is given back.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::load::Running;
use super::peers::{self, Built};
use super::{node, usage};
use crate::shell::{self, Budget};
use crate::{guests, tools};

/// Registrations on their way at once.
const WINDOW: u32 = 500;
/// How long what a call leaves behind stays: timers of 32 s, and a little.
const SETTLE: Duration = Duration::from_secs(40);
/// What the switch may need for it all, in MiB.
const MEMORY_MAX: u64 = 600;
/// Memory has returned when it is at most so many times what it was before.
const RETURNED: f64 = 1.25;
/// Calls stay as cheap when they cost at most so many times what they cost with few users.
const FLAT: f64 = 1.2;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Phones that register, and again every 300 s.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    phones: u32,
    /// Calls that are up at once.
    #[arg(long, default_value_t = 2_000)]
    calls: u32,
    /// Seconds for which all that is held.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..=600))]
    seconds: u64,
    /// Leaves out what a call costs with a hundred and with a million users.
    #[arg(long)]
    quick: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Starts a switch and a crowd, and says what came of it; fails where a bound was not kept.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    let built = Built {
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
    let mut report = crowd(args, &folder, &built)?;
    if !args.quick {
        shell::say("what a call costs the node with a hundred users and with a million");
        let ratio = node::ratio(100, 1_000_000)?;
        report.note("cost_of_a_call_million_to_hundred_users", json!(ratio), ratio <= FLAT);
    }
    report.print(args.json)?;
    if report.broken.is_empty() { Ok(()) } else { bail!("not kept: {}", report.broken.join(", ")) }
}

/// What was measured, in order, and which bounds were not kept.
#[derive(Default)]
struct Report {
    facts: Vec<(&'static str, Value)>,
    broken: Vec<&'static str>,
}

impl Report {
    fn note(&mut self, name: &'static str, value: Value, kept: bool) {
        self.facts.push((name, value));
        if !kept {
            self.broken.push(name);
        }
    }

    fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            let object: Map<String, Value> =
                self.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            return shell::answer(&Value::Object(object).to_string());
        }
        for (name, value) in &self.facts {
            let verdict = if self.broken.contains(name) { "  NOT KEPT" } else { "" };
            shell::answer(&format!("{:<42} {value}{verdict}", name.replace('_', " ")))?;
        }
        Ok(())
    }
}

fn crowd(args: &Args, folder: &Path, built: &Built) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let phones = args.phones;
    let started = peers::switch(folder, built, &configuration(phones)?)?;
    let pid = started.running.0.id();
    let mib = || usage::memory(&[pid]) / 1024 / 1024;
    std::thread::sleep(Duration::from_secs(2));
    let base = mib();
    report.note("phones", json!(phones), true);
    report.note("memory_before_mib", json!(base), true);
    let mut crowd = Crowd::start(started.address, args)?;

    shell::say(&format!("{phones} phones register"));
    let told = crowd.order("register")?;
    let registered = told["registered"].as_u64() >= Some(u64::from(phones));
    report.note("seconds_to_register_all", told["seconds"].clone(), registered);
    report.note("memory_registered_mib", json!(mib()), true);

    shell::say(&format!("{} calls go up and stay for {} s", args.calls, args.seconds));
    let before = usage::processor_time(&[pid]);
    let told = crowd.order(&format!("hold {}", args.seconds))?;
    let spent = usage::processor_time(&[pid]).saturating_sub(before);
    let peak = mib();
    let up = told["calls_up"].as_u64();
    report.note("calls_up_at_once", json!(up), up == Some(u64::from(args.calls)));
    report.note("registrations_refreshed", told["registered"].clone(), true);
    report.note("refused", told["refused"].clone(), told["refused"].as_u64() == Some(0));
    report.note(
        "processor_share",
        json!(spent.as_secs_f64() / Duration::from_secs(args.seconds).as_secs_f64()),
        true,
    );
    report.note("memory_at_the_most_mib", json!(peak), peak < MEMORY_MAX);

    shell::say("all hang up and take their registrations back");
    let ended = crowd.order("hang-up")?["calls_ended"].as_u64();
    report.note("calls_ended", json!(ended), ended == Some(u64::from(args.calls)));
    crowd.order("unregister")?;
    std::thread::sleep(SETTLE);
    let after = mib();
    report.note("memory_after_mib", json!(after), as_float(after) <= as_float(base) * RETURNED);
    Ok(report)
}

fn as_float(mib: u64) -> f64 {
    f64::from(u32::try_from(mib).unwrap_or(u32::MAX))
}

/// Every user has one phone, which proves itself with a password.
fn configuration(phones: u32) -> anyhow::Result<String> {
    let mut text = peers::HEAD.to_owned();
    for phone in 0..phones {
        write!(
            text,
            "[tenants.bench.users.n{phone:07}]\nextension = \"u{phone:07}\"\n\
             devices.d{phone:07} = {{ label = \"desk\", password = \"secret\" }}\n"
        )?;
    }
    Ok(text)
}

/// The program that plays the phones.
struct Crowd {
    _running: Running,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Crowd {
    fn start(switch: SocketAddr, args: &Args) -> anyhow::Result<Self> {
        let mut command = Command::new(shell::target().join("release/bench-phones"));
        command.arg(switch.to_string());
        command.args([args.phones, args.calls, WINDOW].map(|number| number.to_string()));
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
