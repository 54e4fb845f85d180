//! `cargo xtask bench instructions`: how many instructions the switch spends on a call, as valgrind counts them.
//!
//! They are those of the program itself and not the kernel's for it. Unlike processor time they hardly differ from run to run,
//! and not at all because others work on the machine, so that a build can be compared with the one before.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;
use serde_json::{Map, Value, json};

use super::load::{self, Load};
use super::peers::{Before, Built, Peer, users};
use crate::shell::{self, Budget};
use crate::{guests, tools};

/// Calls a second, few and more. Both loads take the same time, so that what passes with time is in the difference no more.
const RATES: [u32; 2] = [10, 30];
const TIME: Duration = Duration::from_secs(15);
/// What of a call lives longest: its transactions, 64·T1 (RFC 3261 §17.1.1.2), and the step in which they are forgotten.
const AFTERMATH: Duration = Duration::from_secs(34);
/// What the switch gets to end.
const FAREWELL: Duration = Duration::from_secs(120);
/// Mappings that the switch believes to have: of its pool of runs, which reserves address space for each, valgrind can hold
/// hardly more than the eight that come of it.
const MAPPINGS: u32 = 8_245;

/// Whose instructions are counted.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    before: Before,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Builds ours and counts what a call takes, with a rule of the tenant's and with the standard rule.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    tools::ensure_counting()?;
    let rule = guests::build(&["hello-ring"])?.remove(0);
    let folder = shell::target().join("bench/instructions");
    std::fs::create_dir_all(&folder)?;
    let now = shell::build_callwright_for_speed(Budget::unbounded())?;
    let before = match args.before.files(&rule)? {
        Some((before, rule)) => Some((counted(&folder, "before", &before)?, rule)),
        None => None,
    };
    let built = Built { callwright: counted(&folder, "now", &now)?, before, rule };
    let mut peers = vec![Peer::Callwright, Peer::CallwrightStandard];
    peers.extend(built.before.as_ref().map(|_| Peer::CallwrightBefore));
    let mut results = Vec::new();
    for peer in peers {
        shell::say(&format!("{}, some two minutes", peer.name()));
        results.push((peer, of_a_call(peer, &built, &folder)?));
    }
    report(args, &results)
}

/// A program that is the switch, and counts where it serves. It must not start its compiler of rules uncounted, as what that
/// makes would be for the processor itself and not for the one that valgrind shows.
fn counted(folder: &Path, name: &str, switch: &Path) -> anyhow::Result<PathBuf> {
    let mappings = folder.join("mappings");
    std::fs::write(&mappings, MAPPINGS.to_string())?;
    let (switch, mappings) = (switch.display(), mappings.display());
    let script = format!(
        "#!/bin/sh\n[ \"$(id -u)\" = 0 ] || root='--user --map-root-user'\ncase \"$*\" in\n*serve*) exec unshare $root --mount sh -c 'mount --bind \"{mappings}\" /proc/sys/vm/max_map_count && \
         exec valgrind --tool=callgrind --callgrind-out-file=/dev/null --trace-children=yes --fair-sched=yes \"$0\" \"$@\"' \
         \"{switch}\" \"$@\" ;;\n*) exec \"{switch}\" \"$@\" ;;\nesac\n"
    );
    let program = folder.join(name);
    std::fs::write(&program, script)?;
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(program)
}

/// The difference between many calls and few, for each that there were more.
fn of_a_call(peer: Peer, built: &Built, folder: &Path) -> anyhow::Result<u64> {
    let few = in_all(peer, built, folder, RATES[0])?;
    let many = in_all(peer, built, folder, RATES[1])?;
    let calls = u64::from(RATES[1] - RATES[0]) * TIME.as_secs();
    Ok(many.saturating_sub(few) / calls)
}

/// The instructions of a switch from its start to its end, which has so many calls a second in between.
fn in_all(peer: Peer, built: &Built, folder: &Path, rate: u32) -> anyhow::Result<u64> {
    let folder = folder.join(peer.name());
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("users.csv"), users(peer))?;
    let mut started = peer.start(&folder, built)?;
    let pid = started.running.0.id();
    let load = Load { rate, time: TIME, probes: 0 };
    let measured = load::put(load, started.address, pid, &folder)?;
    if measured.failed > 0 {
        bail!("{} of {} calls failed: the machine is too slow for valgrind", measured.failed, measured.calls);
    }
    std::thread::sleep(AFTERMATH);
    shell::signal(&[i32::try_from(pid)?], Signal::TERM);
    let until = Instant::now() + FAREWELL;
    while started.running.is_running()? {
        if Instant::now() > until {
            bail!("the switch did not end within {} s", FAREWELL.as_secs());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = std::fs::read_to_string(folder.join("log"))?;
    collected(&log, pid).with_context(|| format!("no count in {}", folder.join("log").display()))
}

/// What callgrind says at the end of that process.
fn collected(log: &str, pid: u32) -> Option<u64> {
    let line = format!("=={pid}== Collected : ");
    log.lines().find_map(|it| it.strip_prefix(&line))?.trim().parse().ok()
}

fn report(args: &Args, results: &[(Peer, u64)]) -> anyhow::Result<()> {
    if args.json {
        let all: Map<String, Value> =
            results.iter().map(|(peer, count)| (peer.name().to_owned(), json!(count))).collect();
        return shell::answer(&Value::Object(all).to_string());
    }
    let before = results.iter().find(|(peer, _)| *peer == Peer::CallwrightBefore).map(|(_, count)| *count);
    shell::answer("name                 instructions a call  of the build before")?;
    for (peer, count) in results {
        let share = before.and_then(|before| (count * 1_000).checked_div(before));
        let share = share.map_or_else(|| "-".to_owned(), |it| format!("{}.{:03}", it / 1_000, it % 1_000));
        shell::answer(&format!("{:<20} {count:>19}  {share:>19}", peer.name()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn the_count_is_that_of_the_switch_and_not_of_its_compiler() {
        let log = "==7== Collected : 12\nWARN ==8== x\n==8== Collected : 691653777\n==9== Collected : 3\n";
        assert_eq!((collected(log, 8), collected(log, 6)), (Some(691_653_777), None));
    }
}
