//! The rule as the switch runs it: a fresh instance from its first instruction to its last, journal and all.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use callwright_core::rule::{Ask, RingPlan, RunEvent, RunOutcome};
use callwright_rules::compile::Compiler;
use callwright_rules::upload::{Upload, admit};
use callwright_rules::{Answered, ArtefactKey, Engine, EngineLimits, Rule, Run, Step};

use crate::town::{TOWN, answered};
use crate::{Decider, SUSPENDED};

/// Its name in the report.
pub(crate) const NAME: &str = "callwright_rule";

/// How often something that takes long is measured; the best counts.
const TRIES: u32 = 5;
/// Reads in one run, to see what one costs.
const READS: u32 = 4_000;
/// Mappings that Linux allows where it does not say.
const MAP_COUNT_USUAL: u64 = 65_530;

/// The rule.
pub(crate) struct Ours(pub(crate) Rule);

impl Decider for Ours {
    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&mut self) -> anyhow::Result<RingPlan> {
        let mut run = Run::start(&self.0, TOWN.start(1));
        let (answer, plan) = asked(&mut run)?;
        match run.resume(Some(answer)) {
            Step::Event { event: RunEvent::Ended(RunOutcome::Ok), .. } => Ok(plan),
            other @ (Step::Event { .. } | Step::Slice) => bail!("the rule ends as {other:?}"),
        }
    }
}

/// What is suspended, and what it takes.
pub(crate) struct Suspended {
    pub(crate) runs: usize,
    pub(crate) kib_a_run: f64,
}

/// An engine with as much room as the system allows.
pub(crate) fn engine() -> anyhow::Result<Engine> {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap_or_default();
    let maps = text.trim().parse().unwrap_or(MAP_COUNT_USUAL);
    Ok(Engine::new(EngineLimits::capped(u32::try_from(SUSPENDED)?, maps))?)
}

pub(crate) fn load(engine: &Engine, component: &[u8]) -> anyhow::Result<Rule> {
    Ok(engine.load(TOWN.rule.version.clone(), component)?)
}

/// Suspends so many runs while their phones ring.
pub(crate) fn suspend(rule: &Rule, runs: usize) -> anyhow::Result<Suspended> {
    let before = resident_kib()?;
    let mut suspended = Vec::with_capacity(runs);
    for number in 0..runs {
        let mut run = Run::start(rule, TOWN.start(u64::try_from(number)?));
        drop(asked(&mut run)?);
        suspended.push(run);
    }
    let grown = resident_kib()?.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "a share for people to read")]
    let kib_a_run = grown as f64 / runs.max(1) as f64;
    Ok(Suspended { runs, kib_a_run })
}

/// Microseconds of one read through a host call: two runs that differ in nothing else.
pub(crate) fn read_us(engine: &Engine) -> anyhow::Result<f64> {
    let rule = load(engine, &reader()?)?;
    let mut best = f64::MAX;
    for _ in 0..TRIES * 10 {
        let mut run = Run::start(&rule, TOWN.start(1));
        let began = Instant::now();
        let Step::Event { event: RunEvent::Ended(RunOutcome::Ok), .. } = run.resume(None) else {
            bail!("the reader does not end well");
        };
        best = best.min(began.elapsed().as_secs_f64() * 1e6 / f64::from(READS));
    }
    Ok(best)
}

/// Milliseconds from an upload to a rule that is ready: check, compile, seal, load, start once. The switch compiles in a
/// process of its own, which takes some ten milliseconds more.
pub(crate) fn upload_to_ready_ms(component: &[u8]) -> anyhow::Result<f64> {
    let engine = Engine::new(EngineLimits::capped(10, MAP_COUNT_USUAL))?;
    let tenant = TOWN.tenant().context("the tenant is gone")?;
    let rule_toml = "name = \"follow-me\"\nbind = [\"user:ana\"]\n[settings]\nmobile-after-s = 10\n";
    let key = ArtefactKey::new([7; 32]);
    let mut best = f64::MAX;
    for _ in 0..TRIES {
        let began = Instant::now();
        let admitted = admit(&Upload { component, rule_toml }, tenant).map_err(|why| anyhow!("{why:?}"))?;
        let compiled = Compiler::new()?.compile(component)?;
        let sealed = engine.seal(&key, &admitted.version, &compiled);
        let rule = engine.load_artefact(&key, admitted.version, &sealed)?;
        engine.prove(&rule)?;
        best = best.min(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(best)
}

/// Runs to the question, and has its answer ready.
fn asked(run: &mut Run) -> anyhow::Result<(Answered, RingPlan)> {
    let Step::Event { event: RunEvent::Asked { ask, what: Ask::Ring(plan) }, .. } = run.resume(None) else {
        bail!("the rule does not ring");
    };
    let answer = answered(&plan);
    Ok((Answered { ask, answer, view: TOWN.view.clone(), now: TOWN.now }, plan))
}

fn resident_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse()?)
}

/// A component that reads one thing over and over.
fn reader() -> anyhow::Result<Vec<u8>> {
    let module = wat::parse_str(format!(
        "(module
          (import \"callwright:rules/call@0.1.0\" \"[method]call.elapsed-ms\" (func $read (param i32) (result i32)))
          (import \"callwright:rules/call@0.1.0\" \"[resource-drop]call\" (func $drop (param i32)))
          (memory (export \"memory\") 1)
          (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) i32.const 64)
          (func (export \"handle-call\") (param $call i32) (result i32) (local $n i32)
            (loop $again
              (drop (call $read (local.get $call)))
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $again (i32.lt_u (local.get $n) (i32.const {READS}))))
            (call $drop (local.get $call))
            (i32.const 32)))"
    ))?;
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../wit"))?;
    let world = resolve.select_world(&[package], Some("call-policy"))?;
    let mut bytes = module;
    wit_component::embed_component_metadata(
        &mut bytes,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )?;
    Ok(bytes)
}
