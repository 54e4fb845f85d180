//! `callwright scenario` and `callwright swarm`: the simulator for people and for continuous integration.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use callwright_rules::{Engine, EngineLimits, Rule};
use callwright_sim::scenario::shelf::Shelf;
use callwright_sim::scenario::{self, Report};
use callwright_sim::swarm::{self, Outcome, Swarm};
use serde_json::json;

use crate::cli::{ScenarioArgs, SwarmArgs};
use crate::error::{Exit, UserError};
use crate::output::{Output, Style};

/// Runs that a virtual world has at once.
const RUNS: u32 = 64;
/// Worlds between two lines of progress.
const LINE: u64 = 500;
/// As many worlds as must meet every rare thing.
const ENOUGH_SEEDS: u64 = 2_000;
/// What Linux allows where it does not say.
const MAP_COUNT_USUAL: u64 = 65_530;

/// Plays scenario files.
///
/// # Errors
/// One cannot be read, or does not go as it says.
pub(crate) fn scenario(args: &ScenarioArgs, out: &Output) -> Result<(), UserError> {
    let engine = engine()?;
    let mut failed = 0;
    let mut results = Vec::new();
    for path in &args.files {
        let report = play(&engine, path)?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let (mark, style) = if report.is_ok() { ("ok  ", Style::Good) } else { ("FAIL", Style::Bad) };
        let calls = report.records.len();
        out.line(format_args!("{}  {name:<64} {}", out.styled(style, mark), effort(&report)));
        if !report.is_ok() {
            failed += 1;
            out.line(report.complaint().trim_end());
        }
        results.push(json!({
            "file": report.file,
            "ok": report.is_ok(),
            "calls": calls,
            "digest": report.digest,
            "complaint": report.complaint(),
        }));
    }
    if out.is_json() {
        out.result(&results, String::new);
    }
    if failed == 0 {
        return Ok(());
    }
    Err(UserError::new("CW-0501", Exit::Failed, format!("{failed} of {} scenarios failed", args.files.len())))
}

/// Calls, fuel, and virtual time from the first call's begin to the last one's end.
fn effort(report: &Report) -> String {
    let records = || report.records.iter().map(|kept| &kept.record);
    let fuel: u64 = records().flat_map(|record| &record.runs).map(|run| run.fuel).sum();
    let first = records().map(|record| record.began).min();
    let last = records().map(|record| record.ended).max();
    let virtual_s = first.zip(last).map_or(0.0, |(first, last)| last.duration_since(first).as_secs_f64());
    let calls = report.records.len();
    let word = if calls == 1 { "call " } else { "calls" };
    format!(
        "{calls:>2} {word} {:>11} fuel   virtual {virtual_s:.1} s",
        callwright_core::explain::grouped(fuel)
    )
}

fn play(engine: &Engine, path: &Path) -> Result<Report, UserError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        UserError::wrong_use(format!("cannot read the scenario `{}`", path.display())).because(error)
    })?;
    let read = |error: scenario::ScenarioError| {
        UserError::new("CW-0502", Exit::WrongUse, "the scenario cannot be played")
            .because(error)
            .help("docs/scenarios.md has the grammar")
    };
    let scenario = scenario::parse(&path.display().to_string(), &text).map_err(read)?;
    let shelf = Shelf::new(engine.clone(), &root(path));
    let beside = path.parent().unwrap_or(Path::new("."));
    scenario::run(&scenario, &shelf, beside).map_err(read)
}

/// The repository around a scenario: where the example rules are.
fn root(path: &Path) -> PathBuf {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let root = whole.ancestors().find(|folder| folder.join("rules-examples").is_dir());
    root.map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn engine() -> Result<Engine, UserError> {
    Engine::new(EngineLimits::capped(RUNS, MAP_COUNT_USUAL))
        .map_err(|error| UserError::outside("the rule engine cannot start").because(error))
}

/// The rules of the repository around a path.
///
/// # Errors
/// The rule engine does not start.
pub(crate) fn shelf(path: &Path) -> Result<Shelf, UserError> {
    Ok(Shelf::new(engine()?, &root(path)))
}

/// The example rules: the worlds of a seed are the same only with the same rules.
fn examples() -> Result<Vec<Rule>, UserError> {
    shelf(Path::new("."))?
        .examples()
        .map_err(|why| UserError::wrong_use("the swarm needs the example rules").because(why))
}

/// Plays random worlds, or one of them for a person to read.
///
/// # Errors
/// An invariant was broken, or something rare never happened.
pub(crate) fn swarm(args: &SwarmArgs, out: &Output) -> Result<(), UserError> {
    let swarm = Swarm { components: examples()?, ..Swarm::default() };
    if let Some(seed) = args.seed {
        let replay = swarm::replay(&swarm, seed);
        out.line(&replay);
        return match replay.violations.len() {
            0 => Ok(()),
            many => {
                Err(UserError::new("CW-0503", Exit::Failed, format!("seed {seed} breaks {many} invariants")))
            }
        };
    }
    let outcome = Parade::of(args, out).play(&swarm);
    let rare: BTreeMap<_, _> =
        outcome.tally.counts().map(|(rare, count)| (rare.to_string(), count)).collect();
    let failed = outcome.failure.as_ref().map(|failure| failure.seed);
    out.result(
        &json!({ "worlds": outcome.worlds, "calls": outcome.calls, "rare": rare, "failed": failed }),
        || outcome.to_string().trim_end().to_owned(),
    );
    if let Some(failure) = &outcome.failure {
        let seed = failure.seed;
        return Err(UserError::new("CW-0503", Exit::Failed, format!("seed {seed} breaks an invariant"))
            .help(format!("`cargo xtask swarm --seed {seed}` plays it again with its ladder")));
    }
    let missing = outcome.tally.missing();
    if args.seeds >= ENOUGH_SEEDS && !missing.is_empty() {
        let mut error = UserError::new("CW-0504", Exit::Failed, "the swarm never met what it exists for");
        error.cause = missing.iter().map(ToString::to_string).collect();
        return Err(error);
    }
    Ok(())
}

/// Worlds on every core, handed out in the order of their seeds.
struct Parade<'a> {
    out: &'a Output,
    seeds: u64,
    course: Mutex<Course>,
}

/// How far a parade is.
struct Course {
    left: Range<u64>,
    met: Outcome,
}

impl<'a> Parade<'a> {
    fn of(args: &SwarmArgs, out: &'a Output) -> Self {
        let left = args.from..args.from.saturating_add(args.seeds);
        Self {
            out,
            seeds: left.end - left.start,
            course: Mutex::new(Course { left, met: Outcome::default() }),
        }
    }

    fn play(self, swarm: &Swarm) -> Outcome {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| self.work(swarm));
            }
        });
        self.course.into_inner().unwrap_or_else(PoisonError::into_inner).met
    }

    fn work(&self, swarm: &Swarm) {
        while let Some(seed) = self.next() {
            let witness = Witness { parade: self, seed };
            let met = swarm::run(swarm, seed..seed + 1);
            drop(witness);
            let mut course = self.course();
            if met.failure.is_some() {
                // Every lower seed is being played already, so the one that is reported is the lowest that fails.
                course.left = 0..0;
            }
            course.met.add(met);
            let (worlds, calls) = (course.met.worlds, course.met.calls);
            if worlds.is_multiple_of(LINE) {
                self.out.line(format_args!("{worlds} of {} worlds, {calls} calls", self.seeds));
            }
        }
    }

    fn next(&self) -> Option<u64> {
        self.course().left.next()
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says which world it was when the switch panics in it.
struct Witness<'a> {
    parade: &'a Parade<'a>,
    seed: u64,
}

impl Drop for Witness<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.parade.course().left = 0..0;
            let seed = self.seed;
            self.parade.out.warning(format_args!(
                "the switch panics in seed {seed}: `cargo xtask swarm --seed {seed}` plays it again"
            ));
        }
    }
}
