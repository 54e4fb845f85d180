//! Plays a scenario in a world of its own, and compares what came with what was expected.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::View;
use callwright_core::seam::StoreRefused;
use callwright_rules::Rule;

use super::expect::Witness;
use super::shelf::Shelf;
use super::statement::{Statement, What};
use super::{Scenario, ScenarioError};
use crate::checks::Violation;
use crate::ladder::Ladder;
use crate::ledger::Kept;
use crate::phone::manner::{Order, Which};
use crate::town::{Household, config_of};
use crate::trace::SWITCH;
use crate::world::{Happening, World, WorldSetup};

/// The switch's own address.
const OWN_HOST: &str = "10.0.0.1";
/// What phones have for registering before the scenario's own time begins.
const LEAD: Duration = Duration::from_secs(2);
/// How long the world is left alone after the last statement.
const REST: Duration = Duration::from_secs(120);
/// How long it then has for hanging up and for the last transactions.
const SETTLING: Duration = Duration::from_secs(100);
/// Calls that one phone is made to hang up at the end.
const CALLS_OF_A_PHONE_MAX: usize = 20;

/// How a scenario went.
#[derive(Clone, Debug)]
pub struct Report {
    /// The scenario.
    pub file: String,
    /// Expectations that were not met.
    pub failures: Vec<Failure>,
    /// Invariants that were broken.
    pub violations: Vec<Violation>,
    /// What was sent between phones and switch, without registrations.
    pub ladder: Ladder,
    /// Digest of everything that happened.
    pub digest: String,
    /// The call records, oldest first.
    pub records: Vec<Kept>,
    /// Virtual time until the last statement.
    pub took: Duration,
}

/// An expectation that was not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line it stands in.
    pub line: usize,
    /// The line as written.
    pub expected: String,
    /// What came instead.
    pub got: String,
}

impl Report {
    /// Whether everything was as expected.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.failures.is_empty() && self.violations.is_empty()
    }

    /// What was wrong, one line each, with the ladder below; empty where nothing was.
    #[must_use]
    pub fn complaint(&self) -> String {
        let Self { file, .. } = self;
        let failures = self.failures.iter().map(|Failure { line, expected, got }| {
            format!("{file}:{line}  {expected}\n          got  {got}\n")
        });
        let violations = self.violations.iter().map(|violation| format!("{file}  {violation}\n"));
        let lines: String = failures.chain(violations).collect();
        if lines.is_empty() { lines } else { format!("{lines}\n{}", self.ladder) }
    }
}

/// Plays a scenario. Rules are taken from `shelf`, and files from the folder `beside` it.
///
/// # Errors
/// [`ScenarioError`] where a rule cannot be made ready.
pub fn run(scenario: &Scenario, shelf: &Shelf, beside: &Path) -> Result<Report, ScenarioError> {
    let (mut world, _) = begin(scenario, shelf, beside)?;
    let took = set_going(scenario, &mut world);
    world.run_until(LEAD + took + REST);
    let trace = world.trace().clone();
    let bound = scenario
        .phones
        .iter()
        .map(|plan| plan.setup.name.as_str())
        .filter(|name| world.is_bound(name))
        .collect();
    hang_everything_up(scenario, &mut world);
    world.finish();
    let witness = Witness { scenario, world: &world, trace: &trace, bound };
    let failures = scenario.statements.iter().filter_map(|statement| witness.failure(statement)).collect();
    Ok(Report {
        file: scenario.file.clone(),
        failures,
        violations: world.violations().to_vec(),
        ladder: world.trace().ladder(&lanes(scenario), LEAD),
        digest: world.trace().digest(),
        records: world.records().to_vec(),
        took,
    })
}

/// Plays a scenario, and shows what the switch shows a moment after the last statement, with the rules that it has.
///
/// # Errors
/// [`ScenarioError`] where a rule cannot be made ready.
pub(crate) fn picture(scenario: &Scenario, shelf: &Shelf) -> Result<(Arc<View>, Vec<Rule>), ScenarioError> {
    let (mut world, rules) = begin(scenario, shelf, Path::new("."))?;
    let took = set_going(scenario, &mut world);
    world.run_until(LEAD + took);
    Ok((world.view(), rules))
}

/// The world of a scenario before anything happens.
fn begin(scenario: &Scenario, shelf: &Shelf, beside: &Path) -> Result<(World, Vec<Rule>), ScenarioError> {
    let loaded = shelf.load(&scenario.rules, &scenario.households, beside);
    let loaded =
        loaded.map_err(|(line, mistake)| ScenarioError { file: scenario.file.clone(), line, mistake })?;
    let lead = jiff::SignedDuration::try_from(LEAD).unwrap_or_default();
    let rules = loaded.runs.components();
    let world = World::new(WorldSetup {
        seed: scenario.seed,
        wall: scenario.wall.checked_sub(lead).unwrap_or(scenario.wall),
        config: config_of(&scenario.households, OWN_HOST, loaded.standard.clone()),
        rules: loaded.active,
        runs: Box::new(loaded.runs),
        fault: None,
    });
    Ok((world, rules))
}

/// Puts the phones there and every statement on the time line; says where that ends.
fn set_going(scenario: &Scenario, world: &mut World) -> Duration {
    for plan in &scenario.phones {
        world.add_phone(plan.setup.clone());
    }
    let begins = scenario
        .statements
        .iter()
        .position(|statement| !statement.what.sets_up())
        .unwrap_or(scenario.statements.len());
    let (before, after) = scenario.statements.split_at(begins);
    let mut houses = scenario.households.clone();
    let mut cursor = Duration::ZERO;
    for statement in before {
        plan(scenario, world, statement, &mut houses, &mut cursor);
    }
    for phone in scenario.phones.iter().filter(|plan| !plan.is_offline) {
        world.schedule(Duration::ZERO, Happening::Order(phone.setup.name.clone(), Order::Register));
    }
    cursor = LEAD;
    for statement in after {
        plan(scenario, world, statement, &mut houses, &mut cursor);
    }
    cursor - LEAD
}

fn plan(
    scenario: &Scenario,
    world: &mut World,
    statement: &Statement,
    houses: &mut [Household],
    cursor: &mut Duration,
) {
    let happening = match statement.what.clone() {
        What::Wait(time) => {
            *cursor += time;
            return;
        }
        What::Expect(_) => return,
        What::Order(phone, order) => Happening::Order(phone, order),
        What::HangUp(call) => match caller_of(scenario, &call) {
            Some(phone) => Happening::Order(phone.to_owned(), Order::HangUp(Which::Named(call))),
            None => return,
        },
        What::Call { from, dial } => Happening::Order(from, Order::Call(dial)),
        What::Rewire(phone, link) => Happening::Rewire(phone, link),
        What::Unplug(phone, how) => Happening::Unplug(phone, how),
        What::Close(phone) => Happening::CloseConnection(phone),
        What::StoreDelay(delay) => Happening::StoreDelay(delay),
        What::StoreFails(fails) => {
            Happening::StoreRefuses(fails.then(|| StoreRefused::Unavailable("planned".to_owned())))
        }
        What::RulesTake(time) => Happening::RulesTake(time),
        What::Reload { tenant, without } => {
            houses.iter_mut().filter(|house| house.id == tenant).for_each(|house| house.remove(&without));
            Happening::Configured(config_of(houses, OWN_HOST, world.view().config.standard.clone()))
        }
        What::Wished(tenant, user, wishes, None) => Happening::Wished(tenant, user, Some(wishes)),
        What::Wished(tenant, user, wishes, Some(time)) => Happening::WishedFor(tenant, user, wishes, time),
        What::ClockJumps(by) => Happening::ClockJumps(by),
        What::Restart(after) => {
            world.schedule(*cursor, Happening::Kill);
            world.schedule(*cursor + after, Happening::Start);
            return;
        }
        What::Drain => Happening::Drain,
        What::ShutDown => Happening::ShutDown,
    };
    world.schedule(*cursor, happening);
}

/// The phone that begins a call.
pub(super) fn caller_of<'a>(scenario: &'a Scenario, call: &str) -> Option<&'a str> {
    scenario.statements.iter().find_map(|statement| match &statement.what {
        What::Call { from, dial } if dial.name == call => Some(from.as_str()),
        What::Call { .. }
        | What::Wait(_)
        | What::Order(..)
        | What::HangUp(_)
        | What::Rewire(..)
        | What::Unplug(..)
        | What::Close(_)
        | What::StoreDelay(_)
        | What::StoreFails(_)
        | What::RulesTake(_)
        | What::Reload { .. }
        | What::Wished(..)
        | What::ClockJumps(_)
        | What::Restart(_)
        | What::Drain
        | What::ShutDown
        | What::Expect(_) => None,
    })
}

fn hang_everything_up(scenario: &Scenario, world: &mut World) {
    let now = world.elapsed();
    world.schedule(now, Happening::Repair);
    for plan in &scenario.phones {
        world.schedule(now, Happening::Unplug(plan.setup.name.clone(), None));
        let calls = world.phone(&plan.setup.name).map_or(0, |phone| phone.calls().min(CALLS_OF_A_PHONE_MAX));
        for _ in 0..calls {
            world.schedule(now, Happening::Order(plan.setup.name.clone(), Order::HangUp(Which::Latest)));
        }
    }
    world.run_until(now + SETTLING);
}

/// Callers on the left, then the switch, then everybody else.
fn lanes(scenario: &Scenario) -> Vec<&str> {
    let names = || scenario.phones.iter().map(|plan| plan.setup.name.as_str());
    let calls = |name: &&str| {
        scenario
            .statements
            .iter()
            .any(|statement| matches!(&statement.what, What::Call { from, .. } if from == name))
    };
    names().filter(calls).chain([SWITCH]).chain(names().filter(|name| !calls(name))).collect()
}
