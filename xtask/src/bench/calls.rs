//! `cargo xtask bench calls`: processor time a call, calls a second, time to the 180 and memory, ours beside Kamailio's.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::load::{self, Load, Measured};
use super::peers::{Before, Built, Peer, Started, users};
use super::probe::Latency;
use crate::shell::{self, Budget};
use crate::{guests, tools};

/// Calls a second of the warm-up, and its time.
const WARM_UP: Load = Load { rate: 50, time: Duration::from_secs(4), probes: 0 };
/// Calls a second of the latency probe.
const PROBES: u32 = 20;
/// Where the search for the highest rate begins and ends.
const RATES: std::ops::RangeInclusive<u32> = 200..=6_000;
/// How long each rate is tried, and how often the interval is halved.
const TRY: Duration = Duration::from_secs(8);
const HALVINGS: u32 = 3;
/// What a call of ours may cost at most, of what it costs Kamailio with Lua.
const RATIO_MAX: f64 = 0.8;

/// What is measured.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls a second while processor time, latency and memory are measured.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=5_000))]
    rate: u32,
    /// How often each is measured; all take turns.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=20))]
    turns: u32,
    /// Leaves the search for the highest rate out.
    #[arg(long)]
    quick: bool,
    /// Only these, by name: callwright, callwright-2, callwright-standard, callwright-before, kamailio-native, kamailio-lua,
    /// kamailio-python.
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    #[command(flatten)]
    before: Before,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// What one peer did.
struct Result {
    peer: Peer,
    turns: Vec<Measured>,
    max_cps: Option<u32>,
}

/// Builds ours, installs theirs, and measures them in turns.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tools::ensure_compiler()?;
    tools::ensure_kamailio()?;
    let rule = guests::build(&["hello-ring"])?.remove(0);
    let built = Built {
        callwright: shell::build_callwright_for_speed(Budget::unbounded())?,
        before: args.before.files(&rule)?,
        rule,
    };
    let chosen: Vec<Peer> = Peer::ALL.into_iter().filter(|peer| args.is_chosen(*peer)).collect();
    if chosen.is_empty() {
        bail!("nobody has one of these names: {}", args.only.join(", "));
    }
    let mut results: Vec<Result> =
        chosen.into_iter().map(|peer| Result { peer, turns: Vec::new(), max_cps: None }).collect();
    let fixed = Load { rate: args.rate, time: Duration::from_secs(10), probes: PROBES };
    for turn in 1..=args.turns {
        for result in &mut results {
            let name = result.peer.name();
            shell::say(&format!("turn {turn} of {}: {name}, {} calls a second", args.turns, args.rate));
            let bed = Bed::make(result.peer, &built)?;
            bed.put(WARM_UP)?;
            let measured = bed.put(fixed)?;
            if measured.failed > 0 {
                shell::say(&format!("  {} of {} calls failed", measured.failed, measured.calls));
            }
            result.turns.push(measured);
        }
    }
    if !args.quick {
        for result in &mut results {
            shell::say(&format!("highest rate of {}", result.peer.name()));
            result.max_cps = Some(highest(&Bed::make(result.peer, &built)?)?);
        }
    }
    report(args, &results)
}

impl Args {
    fn is_chosen(&self, peer: Peer) -> bool {
        if peer == Peer::CallwrightBefore && !self.before.is_named() {
            return false;
        }
        self.only.is_empty() || self.only.iter().any(|name| name == peer.name())
    }
}

/// A peer that was started for one measurement, in a folder of its own.
struct Bed {
    started: Started,
    folder: PathBuf,
}

impl Bed {
    fn make(peer: Peer, built: &Built) -> anyhow::Result<Self> {
        let folder = shell::target().join("bench").join(peer.name());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("users.csv"), users(peer))?;
        Ok(Self { started: peer.start(&folder, built)?, folder })
    }

    fn put(&self, load: Load) -> anyhow::Result<Measured> {
        load::put(load, self.started.address, self.started.running.0.id(), &self.folder)
    }
}

/// The highest rate at which every call succeeds: by half more each time, then by halving. A rate that fails is tried once
/// more, for the machine may be shared.
fn highest(bed: &Bed) -> anyhow::Result<u32> {
    let carries = |rate: u32| -> anyhow::Result<bool> {
        let load = Load { rate, time: TRY, probes: 0 };
        Ok(bed.put(load)?.carried(load) || bed.put(load)?.carried(load))
    };
    let (mut carried, mut failed, mut rate) = (0, None, *RATES.start());
    while rate <= *RATES.end() {
        if !carries(rate)? {
            failed = Some(rate);
            break;
        }
        (carried, rate) = (rate, rate + rate / 2);
    }
    for _ in 0..HALVINGS {
        let Some(too_much) = failed else { break };
        let between = u32::midpoint(carried, too_much);
        if carries(between)? {
            carried = between;
        } else {
            failed = Some(between);
        }
    }
    Ok(carried)
}

impl Result {
    /// The one in the middle, which one disturbed turn does not move.
    fn median(&self, of: impl Fn(&Measured) -> f64) -> f64 {
        let mut values: Vec<f64> = self.turns.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    fn cpu_ms(&self) -> f64 {
        self.median(|turn| turn.cpu_ms_per_call)
    }

    fn memory_mib(&self) -> f64 {
        let most = self.turns.iter().map(|turn| turn.memory).max().unwrap_or(0);
        f64::from(u32::try_from(most / 1024).unwrap_or(u32::MAX)) / 1024.0
    }

    fn failed(&self) -> u32 {
        self.turns.iter().map(|turn| turn.failed).sum()
    }

    fn ringing_us(&self, share: f64) -> Option<u128> {
        let mut all = Latency::default();
        for turn in &self.turns {
            let (to_ringing, answered, failed) =
                (turn.latency.to_ringing.clone(), turn.latency.answered, turn.latency.failed);
            all.join(Latency { to_ringing, answered, failed });
        }
        all.within(share).map(|time| time.as_micros())
    }

    fn json(&self) -> Value {
        json!({
            "cpu_ms_per_call": self.cpu_ms(),
            "cpu_ms_per_call_turns": self.turns.iter().map(|turn| turn.cpu_ms_per_call).collect::<Vec<_>>(),
            "sipp_ms_per_call": self.median(|turn| turn.sipp_ms_per_call),
            "memory_mib": self.memory_mib(),
            "invite_180_us": { "p50": self.ringing_us(0.5), "p99": self.ringing_us(0.99) },
            "failed": self.failed(),
            "max_cps": self.max_cps,
        })
    }
}

/// Prints the table, or the object with the ratio that the project is held to, and judges the ratio.
fn report(args: &Args, results: &[Result]) -> anyhow::Result<()> {
    let of = |peer: Peer| results.iter().find(|result| result.peer == peer).map(Result::cpu_ms);
    let ratio = of(Peer::Callwright).zip(of(Peer::KamailioLua)).map(|(ours, theirs)| ours / theirs);
    if args.json {
        let mut object: Map<String, Value> =
            results.iter().map(|result| (result.peer.name().to_owned(), result.json())).collect();
        object.insert("rate".to_owned(), json!(args.rate));
        object.insert("ratio_cpu_kamailio_lua".to_owned(), json!(ratio));
        shell::answer(&Value::Object(object).to_string())?;
    } else {
        table(of(Peer::Callwright), results)?;
    }
    match ratio {
        Some(ratio) if ratio > RATIO_MAX => {
            bail!("not kept: a call costs {ratio:.2} of one of Kamailio with Lua; at most {RATIO_MAX}")
        }
        Some(_) | None => Ok(()),
    }
}

fn table(ours: Option<f64>, results: &[Result]) -> anyhow::Result<()> {
    shell::answer(
        "name                 CPU ms/call  ratio  INVITE-180 p50     p99   MiB  failed  max calls/s  sipp ms/call",
    )?;
    for result in results {
        let times =
            |share| result.ringing_us(share).map_or_else(|| "-".to_owned(), |time| format!("{time} us"));
        let max = result.max_cps.map_or_else(|| "-".to_owned(), |rate| rate.to_string());
        let ratio = ours.map_or_else(|| "-".to_owned(), |ours| format!("{:.2}", ours / result.cpu_ms()));
        shell::answer(&format!(
            "{:<20} {:>11.3} {ratio:>6} {:>15} {:>8} {:>5.0} {:>7} {max:>12} {:>13.2}",
            result.peer.name(),
            result.cpu_ms(),
            times(0.5),
            times(0.99),
            result.memory_mib(),
            result.failed(),
            result.median(|turn| turn.sipp_ms_per_call),
        ))?;
    }
    shell::answer("ratio: our processor time a call to theirs; sipp ms/call is 0.15 where nothing else runs")
}
