//! What a call costs as the number of users grows: the node alone, and the whole switch with a rule.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::load::{self, CALLEES, Load};
use super::peers::{self, Built, Started, TENANT};
use super::report::{Report, rounded};
use super::undertaker::Undertaker;
use super::{node, usage};
use crate::shell;

/// A call stays as cheap when it costs at most so many times what it costs with few users.
const FLAT: f64 = 1.2;
/// The fewest users.
const FEW: u32 = 100;
/// How often each is measured; all take turns and the best turn counts, since others work on the machine too.
const TURNS: usize = 3;
/// The same of the node alone: its turns are short, and what others leave of the processor's cache weighs more.
const TURNS_ALONE: usize = 9;
/// Calls for one turn of the whole switch.
const LOAD: Load = Load { rate: 150, time: Duration::from_secs(12), probes: 0 };
/// How many of the users are called; they are spread over all.
const CALLED: u32 = 10_000;

/// Measures with a hundred users and up to `most`, and judges.
pub(super) fn measure(most: u32, folder: &Path, built: &Built, report: &mut Report) -> anyhow::Result<()> {
    node_alone(most, report)?;
    whole_switch(most, folder, built, report)
}

fn node_alone(most: u32, report: &mut Report) -> anyhow::Result<()> {
    let numbers: Vec<u32> =
        [FEW, 10_000, 100_000, 1_000_000].into_iter().filter(|users| *users <= most).collect();
    shell::say("what a call costs the node alone as users grow more");
    let costs = node::costs(&numbers, TURNS_ALONE)?;
    let base = costs.first().copied().unwrap_or(f64::NAN);
    for (users, cost) in numbers.iter().zip(&costs) {
        report.tell(format!("node_us_a_call_{users}_users"), rounded(*cost));
    }
    // Nothing is promised of a part: it has all the misses of the directory and a tenth of the work, so it tells more of how
    // much cache others leave.
    for (users, cost) in numbers.iter().zip(&costs).skip(1) {
        report.tell(format!("node_ratio_{users}_to_{FEW}_users"), rounded(cost / base));
    }
    Ok(())
}

fn whole_switch(most: u32, folder: &Path, built: &Built, report: &mut Report) -> anyhow::Result<()> {
    let mut switches = Vec::new();
    for users in [FEW, most] {
        shell::say(&format!("a switch with {users} users starts"));
        let own = folder.join(users.to_string());
        std::fs::create_dir_all(&own)?;
        std::fs::write(own.join("users.csv"), called(users))?;
        let began = Instant::now();
        let Started { running, address } =
            peers::switch(&own, &built.callwright, Some(&built.rule), &configuration(users)?, &[TENANT])?;
        report.tell(format!("start_with_{users}_users_s"), rounded(began.elapsed().as_secs_f64()));
        let pid = running.0.id();
        report.tell(format!("memory_with_{users}_users_mib"), usage::resident(pid) / 1024 / 1024);
        let undertaker = Undertaker::of(&running, folder)?;
        switches.push((users, own, undertaker, running, address));
    }
    let mut costs = [f64::INFINITY; 2];
    let mut failed = [0; 2];
    for turn in 1..=TURNS {
        for ((users, folder, _, running, address), (cost, failed)) in
            switches.iter().zip(costs.iter_mut().zip(&mut failed))
        {
            shell::say(&format!("turn {turn} of {TURNS}: calls through the switch with {users} users"));
            let measured = load::put(LOAD, *address, running.0.id(), folder)?;
            *failed += measured.failed;
            *cost = cost.min(measured.cpu_ms_per_call);
        }
    }
    let [few, many] = costs;
    for (users, failed) in [FEW, most].into_iter().zip(failed) {
        report.must_be(&format!("calls_failed_{users}_users"), &failed.into(), 0);
    }
    report.tell(format!("switch_ms_a_call_{FEW}_users"), rounded(few));
    report.tell(format!("switch_ms_a_call_{most}_users"), rounded(many));
    let (name, ratio) = (format!("switch_ratio_{most}_to_{FEW}_users"), many / few);
    report.judge(name, rounded(ratio), format!("at most {FLAT}"), ratio <= FLAT);
    Ok(())
}

/// Every user has one device, which is where the callees are; the caller is believed by the address.
fn configuration(users: u32) -> anyhow::Result<String> {
    let mut text = [peers::head(), peers::tenant(TENANT), peers::caller(TENANT)].concat();
    for user in 0..users {
        write!(
            text,
            "[tenants.{TENANT}.users.n{user:07}]\nextension = \"u{user:07}\"\n\
             devices.d{user:07} = {{ label = \"desk\", contact = \"sip:d{user}@{CALLEES}\" }}\n"
        )?;
    }
    Ok(text)
}

/// Who is called, as sipp reads it.
fn called(users: u32) -> String {
    let called = users.min(CALLED);
    let lines = (0..called).map(|index| peers::called(format!("u{:07}", index * (users / called)), TENANT));
    format!("SEQUENTIAL\n{}", lines.collect::<String>())
}
