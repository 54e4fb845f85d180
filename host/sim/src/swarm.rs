//! Thousands of random worlds: first with every fault there is, then with none, when every call must settle.

mod city;
mod keys;
mod mayhem;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use callwright_rules::Rule;

use crate::checks::Violation;
use crate::fault::Fault;
use crate::phone::manner::{OnNotify, Order, Which};
use crate::tally::Tally;
use crate::trace::{SWITCH, Trace};
use crate::world::{Happening, World};

/// How long wires, store and people misbehave.
const MAYHEM: Duration = Duration::from_secs(90);
/// How long everything then works: a session interval and the last transactions, in which whatever was lost is found out.
const SETTLING: Duration = Duration::from_secs(170);
/// When those who are called once more meanwhile, or answer late, hang up too, and everybody goes home.
const GOING_HOME: Duration = Duration::from_secs(60);
/// Calls that a phone is made to hang up when the mayhem is over.
const CALLS_OF_A_PHONE_MAX: usize = 10;
/// One world in so many has rules that are real components, where there are any.
const COMPONENTS_IN: u64 = 8;

/// A swarm of worlds, one a seed.
#[derive(Clone, Default)]
pub struct Swarm {
    /// What the switch does wrong on purpose.
    pub fault: Option<Fault>,
    /// Components that some worlds use as rules. A seed gives the same world only with the same ones: the example
    /// rules, [`Shelf::examples`](crate::scenario::shelf::Shelf::examples), unless somebody wants others.
    pub components: Vec<Rule>,
}

/// What a swarm met.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Worlds that were played.
    pub worlds: u64,
    /// Calls that were recorded.
    pub calls: u64,
    /// How often rare things happened.
    pub tally: Tally,
    /// The first world in which something happened that must not.
    pub failure: Option<Failure>,
}

impl Outcome {
    /// Adds what other worlds met.
    pub fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.calls += other.calls;
        self.tally.add(&other.tally);
        let failures = self.failure.take().into_iter().chain(other.failure);
        self.failure = failures.min_by_key(|failure| failure.seed);
    }
}

/// A world that failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was broken, first things first.
    pub violations: Vec<Violation>,
}

/// One world, played for a person to read.
#[derive(Clone, Debug)]
pub struct Replay {
    /// What was broken.
    pub violations: Vec<Violation>,
    /// Everything that was sent.
    pub trace: Trace,
    /// Lines that say what was planned.
    pub plan: Vec<String>,
}

/// Plays one world a seed, and stops at the first that fails.
#[must_use]
pub fn run(swarm: &Swarm, seeds: Range<u64>) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in seeds {
        let (world, _) = play(swarm, seed);
        outcome.worlds += 1;
        outcome.calls += world.records().len() as u64;
        outcome.tally.add(world.tally());
        if !world.violations().is_empty() {
            outcome.failure = Some(Failure { seed, violations: world.violations().to_vec() });
            break;
        }
    }
    outcome
}

/// Plays the world of one seed again, with its ladder.
#[must_use]
pub fn replay(swarm: &Swarm, seed: u64) -> Replay {
    let (world, plan) = play(swarm, seed);
    Replay { violations: world.violations().to_vec(), trace: world.trace().clone(), plan }
}

fn play(swarm: &Swarm, seed: u64) -> (World, Vec<String>) {
    let components = if seed.is_multiple_of(COMPONENTS_IN) { swarm.components.as_slice() } else { &[] };
    let mut city = city::build(seed, swarm.fault, components);
    mayhem::plan(seed, &mut city, MAYHEM);
    let city::City { mut world, phones, plan, .. } = city;
    world.run_until(MAYHEM);
    calm_down(&mut world, &phones);
    world.run_until(MAYHEM + SETTLING);
    world.finish();
    (world, plan)
}

/// Everything works again, everybody is there, and everybody hangs up.
fn calm_down(world: &mut World, phones: &[city::Resident]) {
    let now = world.elapsed();
    world.schedule(now, Happening::Repair);
    world.schedule(now, Happening::StoreDelay(Duration::ZERO));
    for phone in phones {
        world.schedule(now, Happening::Unplug(phone.name.clone(), None));
        world.schedule(now, Happening::Order(phone.name.clone(), Order::OnNotify(OnNotify::Takes)));
        for _ in 0..CALLS_OF_A_PHONE_MAX {
            world.schedule(now, Happening::Order(phone.name.clone(), Order::HangUp(Which::Latest)));
        }
    }
    for phone in phones {
        for _ in 0..CALLS_OF_A_PHONE_MAX {
            world.schedule(
                now + GOING_HOME,
                Happening::Order(phone.name.clone(), Order::HangUp(Which::Latest)),
            );
        }
        world.schedule(now + GOING_HOME, Happening::Order(phone.name.clone(), Order::Unsubscribe));
        world.schedule(now + GOING_HOME, Happening::Order(phone.name.clone(), Order::Unregister));
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        writeln!(f, "\n{}", self.trace.ladder(&[SWITCH], Duration::ZERO))?;
        self.violations.iter().try_for_each(|violation| writeln!(f, "{violation}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} worlds, {} calls", self.worlds, self.calls)?;
        write!(f, "{}", self.tally)?;
        if let Some(Failure { seed, violations }) = &self.failure {
            writeln!(f, "seed {seed} fails:")?;
            violations.iter().take(5).try_for_each(|violation| writeln!(f, "  {violation}"))?;
            writeln!(f, "replay it with: cargo xtask swarm --seed {seed}")?;
        }
        Ok(())
    }
}
