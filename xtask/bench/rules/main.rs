//! `bench-rules COMPONENT`: what the decision of `follow-me` costs as a rule, as a closure of the host's own, in Lua and in
//! Rhai, all in one run and in turns, since only their ratio means something on another machine.
//!
//! Each of them reads the same picture through functions that the host offers and returns the same plan, which is checked
//! before anything is measured.

mod native;
mod ours;
#[cfg(feature = "peers")]
mod peers;
mod samples;
mod town;

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use callwright_core::rule::RingPlan;
use serde_json::{Map, Value, json};

use crate::native::Native;
use crate::ours::Ours;
use crate::samples::Samples;

/// What the switch itself allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds, in each of which everybody decides [`TURN`] calls; the first rounds warm up.
const ROUNDS: usize = 220;
const WARM_UP: usize = 20;
const TURN: usize = 50;
/// Runs that are suspended at once to see what one takes.
const SUSPENDED: usize = 10_000;
/// The name of a Lua VM a call in the report.
const FRESH_LUA: &str = "lua_fresh_vm";
/// A decision may cost at most so many times what it costs in a fresh Lua VM.
const RATIO_MAX: f64 = 0.8;
/// Memory that a suspended run may take at most.
const SUSPENDED_KIB_MAX: f64 = 48.0;

/// Somebody who can decide a call.
trait Decider {
    fn name(&self) -> &'static str;

    /// Decides one call from the beginning to the end.
    fn decide(&mut self) -> anyhow::Result<RingPlan>;
}

fn main() -> anyhow::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(path) = words.iter().find(|word| !word.starts_with("--")) else {
        bail!("usage: bench-rules COMPONENT [--json]");
    };
    let component = std::fs::read(path).with_context(|| format!("{path} cannot be read"))?;
    let engine = ours::engine()?;
    let rule = ours::load(&engine, &component)?;
    let mut deciders: Vec<Box<dyn Decider>> = vec![Box::new(Ours(rule.clone())), Box::new(Native)];
    #[cfg(feature = "peers")]
    deciders.extend(peers::all()?);
    let samples = take_turns(&mut deciders)?;
    let mut report = Map::new();
    for (decider, samples) in deciders.iter().zip(&samples) {
        let (p50_us, p99_us) = (samples.percentile_us(50), samples.percentile_us(99));
        report.insert(decider.name().to_owned(), json!({ "p50_us": p50_us, "p99_us": p99_us }));
    }
    let suspended = ours::suspend(&rule, SUSPENDED.min(usize::try_from(engine.limits().runs)?))?;
    report.insert("read_us".to_owned(), ours::read_us(&engine)?.into());
    report.insert("suspended_runs".to_owned(), suspended.runs.into());
    report.insert("suspended_kib".to_owned(), suspended.kib_a_run.into());
    report.insert("upload_to_ready_ms".to_owned(), ours::upload_to_ready_ms(&component)?.into());
    let report = Value::from(report);
    if words.iter().any(|word| word == "--json") {
        writeln!(std::io::stdout(), "{report}")?;
    } else {
        print(&deciders, &report, Path::new(path))?;
    }
    judge(&report)
}

/// Fails where a promise of `docs/performance.md` is not kept.
fn judge(report: &Value) -> anyhow::Result<()> {
    let p50 = |decider: &str| report[decider]["p50_us"].as_f64().unwrap_or(f64::NAN);
    let ratio = p50(ours::NAME) / p50(FRESH_LUA);
    let kib = report["suspended_kib"].as_f64().unwrap_or(f64::NAN);
    if ratio.is_nan() || ratio > RATIO_MAX {
        bail!("not kept: a decision costs {ratio:.2} of one in a fresh Lua VM; at most {RATIO_MAX}");
    }
    if kib.is_nan() || kib > SUSPENDED_KIB_MAX {
        bail!("not kept: a suspended run takes {kib:.1} KiB; at most {SUSPENDED_KIB_MAX}");
    }
    Ok(())
}

/// Lets everybody decide, one after the other and over and over: whatever else the machine does, it does to all.
fn take_turns(deciders: &mut [Box<dyn Decider>]) -> anyhow::Result<Vec<Samples>> {
    let expected = town::plan();
    let mut samples: Vec<Samples> = deciders.iter().map(|_| Samples::default()).collect();
    for decider in deciders.iter_mut() {
        let plan = decider.decide()?;
        if plan != expected {
            bail!("{} decides otherwise: {plan:?}", decider.name());
        }
    }
    for round in 0..ROUNDS {
        for (decider, samples) in deciders.iter_mut().zip(&mut samples) {
            for _ in 0..TURN {
                let took = samples::time(|| decider.decide())?;
                if round >= WARM_UP {
                    samples.add(took);
                }
            }
        }
    }
    Ok(samples)
}

fn print(deciders: &[Box<dyn Decider>], report: &Value, path: &Path) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let name = path.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
    writeln!(out, "{name}, one call, {} of each in turns\n", (ROUNDS - WARM_UP) * TURN)?;
    writeln!(out, "{:<26} {:>9} {:>9} {:>8}", "", "p50 µs", "p99 µs", "ratio")?;
    let of = |decider: &str, key: &str| report[decider][key].as_f64().unwrap_or_default();
    let rule = deciders.first().map_or(0.0, |ours| of(ours.name(), "p50_us"));
    for decider in deciders {
        let (p50, p99) = (of(decider.name(), "p50_us"), of(decider.name(), "p99_us"));
        writeln!(out, "{:<26} {p50:>9.2} {p99:>9.2} {:>8.2}", decider.name(), p50 / rule)?;
    }
    writeln!(out)?;
    for (what, key) in [
        ("a read through a host call, µs", "read_us"),
        ("runs suspended at once", "suspended_runs"),
        ("memory of one, KiB", "suspended_kib"),
        ("from upload to ready, ms", "upload_to_ready_ms"),
    ] {
        writeln!(out, "{what:<32} {:>9.2}", report[key].as_f64().unwrap_or_default())?;
    }
    Ok(())
}
