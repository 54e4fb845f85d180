//! One load: sipp calls, sipp answers, and what is measured stands between them.
//!
//! A call is INVITE, 180, 100 ms, 200, ACK, 100 ms, BYE, 200, all on 127.0.0.1 and without media. The pauses keep a peer
//! with several processes from overtaking itself, which sipp would count as a failure.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::Signal;

use super::{probe, usage};
use crate::shell;

/// Where the callees are; the targets send every call there.
pub(super) const CALLEES: &str = "127.0.0.1:27070";
/// Where the callers are.
pub(super) const CALLERS: &str = "127.0.0.1:27100";
/// How long two people talk.
const TALK: Duration = Duration::from_millis(100);
/// A call from its INVITE to the last 200, as the scenarios pause.
const CALL: Duration = Duration::from_millis(200);
/// What a load may take longer than it should.
const GRACE: Duration = Duration::from_secs(40);
/// What a program gets to end by itself.
const FAREWELL: Duration = Duration::from_secs(5);
/// Of the offered rate so much must be reached for the load to count as carried.
const REACHED: f64 = 0.93;

/// What is done to a target.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) rate: u32,
    pub(super) time: Duration,
    /// Calls a second of the latency probe beside it.
    pub(super) probes: u32,
}

/// What it did.
pub(super) struct Measured {
    pub(super) calls: u32,
    pub(super) failed: u32,
    pub(super) retransmissions: u32,
    pub(super) reached_cps: f64,
    pub(super) cpu_ms_per_call: f64,
    /// The same of the two sipps: 0.15 on a quiet machine, more where others work beside us.
    pub(super) sipp_ms_per_call: f64,
    pub(super) memory: u64,
    pub(super) latency: probe::Latency,
}

impl Measured {
    /// Whether every call succeeded, at the rate that was asked for and hardly anything sent twice.
    pub(super) fn carried(&self, load: Load) -> bool {
        self.failed == 0
            && self.reached_cps >= REACHED * f64::from(load.rate)
            && self.retransmissions * 100 <= self.calls
    }
}

/// Calls a target whose processes are `root` and its children.
pub(super) fn put(load: Load, target: SocketAddr, root: u32, folder: &Path) -> anyhow::Result<Measured> {
    let seconds = u32::try_from(load.time.as_secs())?;
    let calls = (load.rate * seconds).max(100);
    let mut callees = Running::start(callees(folder))?;
    std::thread::sleep(Duration::from_millis(500));
    callees.must_run("the callees have ended: is their port taken?")?;
    let before = usage::processor_time(&usage::family(root));
    let began = Instant::now();
    let mut callers = Running::start(callers(load, calls, target, folder))?;
    let prober =
        (load.probes > 0).then(|| std::thread::spawn(move || probe::run(target, load.probes, load.time)));
    let (mut memory, mut sipps) = (0, Duration::ZERO);
    let until = began + load.time + GRACE;
    while callers.is_running()? {
        if Instant::now() > until {
            bail!("the callers did not end within {} s", (load.time + GRACE).as_secs());
        }
        memory = memory.max(usage::memory(&usage::family(root)));
        sipps = sipps.max(usage::processor_time(&[callers.0.id(), callees.0.id()]));
        std::thread::sleep(Duration::from_millis(200));
    }
    let latency = match prober {
        Some(prober) => prober.join().map_err(|_| anyhow::anyhow!("the probe panicked"))??,
        None => probe::Latency::default(),
    };
    let spent = usage::processor_time(&usage::family(root)).saturating_sub(before);
    let told = Told::read(&folder.join("callers.csv"))?;
    let all = f64::from(told.succeeded + latency.answered);
    let dialling = told.elapsed.saturating_sub(CALL).as_secs_f64().max(0.1);
    Ok(Measured {
        calls,
        failed: calls - told.succeeded.min(calls) + latency.failed,
        retransmissions: told.retransmissions,
        reached_cps: f64::from(told.succeeded) / dialling,
        cpu_ms_per_call: spent.as_secs_f64() * 1_000.0 / all.max(1.0),
        sipp_ms_per_call: sipps.as_secs_f64() * 1_000.0 / f64::from(told.succeeded.max(1)),
        memory,
        latency,
    })
}

fn callees(folder: &Path) -> Command {
    let mut sipp = sipp("callees", CALLEES, "26070", folder);
    sipp.args(["-l", "15000"]);
    sipp
}

fn callers(load: Load, calls: u32, target: SocketAddr, folder: &Path) -> Command {
    let mut sipp = sipp("callers", CALLERS, "27200", folder);
    sipp.arg(target.to_string()).arg("-inf").arg(folder.join("users.csv"));
    sipp.args(["-r", &load.rate.to_string(), "-rp", "1000", "-m", &calls.to_string(), "-l", "15000"]);
    sipp.args(["-d", &TALK.as_millis().to_string(), "-recv_timeout", "20000", "-timeout_error"]);
    sipp.args(["-timeout", &(load.time + GRACE).as_secs().to_string()]);
    sipp
}

fn sipp(name: &str, at: &str, media: &str, folder: &Path) -> Command {
    let (host, port) = at.split_once(':').unwrap_or((at, "5060"));
    let mut sipp = shell::program("sipp");
    sipp.current_dir(folder).arg("-sf").arg(data("sipp").join(format!("{name}.xml")));
    sipp.args(["-i", host, "-p", port, "-t", "u1", "-mi", host, "-mp", media, "-nostdin"]);
    sipp.args(["-buff_size", "4000000", "-trace_stat", "-fd", "1", "-stf"])
        .arg(folder.join(format!("{name}.csv")));
    sipp.args(["-trace_err", "-error_file"]).arg(folder.join(format!("{name}.errors")));
    sipp.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    sipp
}

/// A folder of `xtask/bench`.
pub(super) fn data(folder: &str) -> PathBuf {
    shell::root().join("xtask/bench").join(folder)
}

/// A program that ends with what it belongs to.
pub(super) struct Running(pub(super) Child);

impl Running {
    pub(super) fn start(mut command: Command) -> anyhow::Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().with_context(|| format!("`{name}` could not be started"))?))
    }

    pub(super) fn is_running(&mut self) -> anyhow::Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }

    pub(super) fn must_run(&mut self, otherwise: &str) -> anyhow::Result<()> {
        if !self.is_running()? {
            bail!("{otherwise}");
        }
        Ok(())
    }
}

impl Drop for Running {
    /// Asks the whole family to end, and ends what has not: Kamailio's workers outlive a parent that is killed.
    fn drop(&mut self) {
        let family: Vec<i32> =
            usage::family(self.0.id()).into_iter().filter_map(|pid| pid.try_into().ok()).collect();
        shell::signal(&family, Signal::TERM);
        let until = Instant::now() + FAREWELL;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        shell::signal(&family, Signal::KILL);
        // It may have ended by itself.
        let _status = self.0.wait();
    }
}

/// What sipp tells of itself in the last row of its statistics.
struct Told {
    succeeded: u32,
    retransmissions: u32,
    elapsed: Duration,
}

impl Told {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("no statistics in {}", path.display()))?;
        Self::of(&text).with_context(|| format!("{} is no statistics of sipp", path.display()))
    }

    fn of(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let names: Vec<&str> = lines.next()?.split(';').collect();
        let row: Vec<&str> = lines.next_back()?.split(';').collect();
        let value = |name: &str| row.get(names.iter().position(|known| *known == name)?).copied();
        let mut clock = value("ElapsedTime(C)")?.split(':').map(|part| part.parse::<f64>().ok());
        let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
        Some(Self {
            succeeded: value("SuccessfulCall(C)")?.parse().ok()?,
            retransmissions: value("Retransmissions(C)")?.parse().ok()?,
            elapsed: Duration::from_secs_f64(hours * 3_600.0 + minutes * 60.0 + seconds),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_with_its_children() {
        let mut command = shell::program("sh");
        command.args(["-c", "sleep 60 & trap '' TERM; echo; wait; sleep 60"]).stdout(Stdio::piped());
        let mut running = Running::start(command).unwrap();
        let mut line = [0; 1];
        std::io::Read::read_exact(running.0.stdout.as_mut().unwrap(), &mut line).unwrap();
        let family = usage::family(running.0.id());
        assert_eq!(family.len(), 2);
        drop(running);
        let is_alive = |pid: &u32| Path::new(&format!("/proc/{pid}/exe")).exists();
        assert!(!family.iter().any(is_alive));
    }

    #[test]
    fn the_last_row_of_the_statistics_counts() {
        let text = "A;ElapsedTime(C);SuccessfulCall(C);Retransmissions(C);\nx;00:00:01:000;5;0;\nx;00:01:02:000;7;1;\n";
        let told = Told::of(text).unwrap();
        assert_eq!((told.succeeded, told.retransmissions, told.elapsed), (7, 1, Duration::from_secs(62)));
        assert!(Told::of("A;B\n1;2\n").is_none());
    }
}
