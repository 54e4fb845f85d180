//! Who drives the rules of a world: real components, or scripts of answers where no Wasm is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::kept::KeptAsk;
use callwright_core::names::{AskId, RuleName, RunId, TenantId};
use callwright_core::notice::Warned;
use callwright_core::rule::{
    Answer, Ask, CallError, Note, Outcome, Refusal, RingPlan, RunEvent, RunOutcome, RunStart, Spent,
};
use callwright_core::{Now, View};

mod trapping;

pub(crate) use trapping::Trapping;
pub use trapping::{HostCall, Moment, TrapAt};

/// What a run says, and how long after it was asked.
#[derive(Clone, Debug)]
pub struct Said {
    /// The run.
    pub run: RunId,
    /// How long it takes to say so.
    pub after: Duration,
    /// What it says.
    pub event: RunEvent,
    /// What it has used.
    pub spent: Spent,
}

/// Drives runs. Everything a run says comes back at once; the world delays it as the run wishes.
pub trait Runs {
    /// Begins a run.
    fn start(&mut self, start: RunStart) -> Vec<Said>;
    /// Answers the open question of a run.
    fn answer(&mut self, run: RunId, ask: AskId, answer: Answer, view: Arc<View>, now: Now) -> Vec<Said>;
    /// Drops a run; its end is said all the same.
    fn stop(&mut self, run: RunId) -> Vec<Said>;
}

/// A rule without Wasm: what it does, step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Script {
    /// In order. After the last one the rule returns.
    pub steps: Vec<Step>,
}

/// One step of a [`Script`].
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Says why.
    Because(String),
    /// Warns: someone should look.
    Warn(String),
    /// Takes so long before its next word.
    Take(Duration),
    /// Rings; returns when somebody answers, else goes on.
    Ring(RingPlan),
    /// Rings, and fails while the phones ring.
    RingThenEnd(RingPlan, Duration, RunOutcome),
    /// Hands over to the standard rule.
    Standard,
    /// Refuses the call.
    Refuse(Refusal),
    /// Does something to what outlives the call, and goes on whatever comes of it.
    Keep(KeptAsk),
    /// Ends like that.
    End(RunOutcome),
    /// Never says anything again.
    Hang,
}

/// Fuel that a script says each step costs.
const FUEL_A_STEP: u64 = 1_000;
/// Fuel of a whole run (RULES §3), spent when a script runs out of it.
const FUEL_MAX: u64 = 10_000_000;

/// Scripts by tenant and rule.
#[derive(Debug, Default)]
pub struct Scripts {
    scripts: BTreeMap<(TenantId, RuleName), Arc<Script>>,
    running: BTreeMap<RunId, Running>,
}

#[derive(Debug)]
struct Running {
    script: Arc<Script>,
    next: usize,
    asked: u32,
    fuel: u64,
}

impl Scripts {
    /// Adds a rule.
    pub fn add(&mut self, tenant: TenantId, rule: RuleName, script: Script) {
        self.scripts.insert((tenant, rule), Arc::new(script));
    }

    /// Whether there is a script for that rule.
    #[must_use]
    pub fn has(&self, tenant: &TenantId, rule: &RuleName) -> bool {
        self.scripts.contains_key(&(tenant.clone(), rule.clone()))
    }

    /// Whether that run is a script's.
    #[must_use]
    pub fn is_running(&self, run: RunId) -> bool {
        self.running.contains_key(&run)
    }

    fn go_on(&mut self, run: RunId, mut running: Running) -> Vec<Said> {
        let mut spent = Spent { fuel_exact: true, ..Spent::default() };
        let mut after = Duration::ZERO;
        let mut said = Vec::new();
        while let Some(step) = running.script.steps.get(running.next).cloned() {
            running.next += 1;
            running.fuel += FUEL_A_STEP;
            spent.fuel = running.fuel;
            let ask = |running: &mut Running, spent: Spent, what: Ask| {
                running.asked += 1;
                Said { run, after, event: RunEvent::Asked { ask: AskId(running.asked), what }, spent }
            };
            match step {
                Step::Because(text) => spent.notes.push(Note::Because(text)),
                Step::Warn(text) => spent.warnings.push(Warned { text, hidden: 0 }),
                Step::Take(time) => after += time,
                Step::Ring(plan) => {
                    said.push(ask(&mut running, spent, Ask::Ring(plan)));
                    self.running.insert(run, running);
                    return said;
                }
                Step::RingThenEnd(plan, later, outcome) => {
                    said.push(ask(&mut running, spent, Ask::Ring(plan)));
                    said.push(ended(run, after + later, running.fuel, outcome));
                    return said;
                }
                Step::Standard => {
                    said.push(ask(&mut running, spent, Ask::Standard));
                    self.running.insert(run, running);
                    return said;
                }
                Step::Refuse(refusal) => {
                    said.push(ask(&mut running, spent, Ask::Refuse(refusal)));
                    self.running.insert(run, running);
                    return said;
                }
                Step::Keep(what) => {
                    said.push(ask(&mut running, spent, Ask::Keep(what)));
                    self.running.insert(run, running);
                    return said;
                }
                Step::End(outcome) => {
                    return vec![Said {
                        spent: Spent {
                            notes: spent.notes,
                            warnings: spent.warnings,
                            ..spent_at_end(running.fuel, &outcome)
                        },
                        ..ended(run, after, running.fuel, outcome)
                    }];
                }
                Step::Hang => return said,
            }
        }
        said.push(Said { spent, ..ended(run, after, running.fuel, RunOutcome::Ok) });
        said
    }
}

fn ended(run: RunId, after: Duration, fuel: u64, outcome: RunOutcome) -> Said {
    let spent = spent_at_end(fuel, &outcome);
    Said { run, after, event: RunEvent::Ended(outcome), spent }
}

fn spent_at_end(fuel: u64, outcome: &RunOutcome) -> Spent {
    match outcome {
        RunOutcome::FuelExhausted(_) => Spent { fuel: FUEL_MAX, fuel_exact: true, ..Spent::default() },
        RunOutcome::Trap(_)
        | RunOutcome::MemoryLimit
        | RunOutcome::TableLimit
        | RunOutcome::StackOverflow
        | RunOutcome::DeadlineExceeded => Spent { fuel: FUEL_MAX, fuel_exact: false, ..Spent::default() },
        RunOutcome::Ok
        | RunOutcome::Declined(_)
        | RunOutcome::LimitExceeded(_)
        | RunOutcome::BadOutput
        | RunOutcome::PermissionDenied(_)
        | RunOutcome::InstantiateFailed(_)
        | RunOutcome::HostBusy
        | RunOutcome::TenantThrottled
        | RunOutcome::BreakerOpen
        | RunOutcome::CallerGone
        | RunOutcome::Internal(_) => Spent { fuel, fuel_exact: true, ..Spent::default() },
    }
}

impl Runs for Scripts {
    fn start(&mut self, start: RunStart) -> Vec<Said> {
        let key = (start.rule.tenant.clone(), start.rule.name.clone());
        match self.scripts.get(&key) {
            Some(script) => {
                let running = Running { script: Arc::clone(script), next: 0, asked: 0, fuel: 0 };
                self.go_on(start.run, running)
            }
            None => vec![ended(
                start.run,
                Duration::ZERO,
                0,
                RunOutcome::InstantiateFailed("no such script".to_owned()),
            )],
        }
    }

    fn answer(&mut self, run: RunId, ask: AskId, answer: Answer, _: Arc<View>, _: Now) -> Vec<Said> {
        let Some(running) = self.running.remove(&run) else { return Vec::new() };
        if ask != AskId(running.asked) {
            self.running.insert(run, running);
            return Vec::new();
        }
        match answer {
            Answer::Rang(Ok(report)) if !matches!(report.outcome, Outcome::Answered(_)) => {
                self.go_on(run, running)
            }
            Answer::Kept(_) | Answer::Taken(_) => self.go_on(run, running),
            // Of what a script may still want, only keeping something works.
            Answer::Rang(Err(CallError::CallerGone))
                if matches!(running.script.steps.get(running.next), Some(Step::Keep(_))) =>
            {
                self.go_on(run, running)
            }
            // The script waits for the stop that follows.
            Answer::Rang(Err(CallError::CallerGone)) | Answer::Done(Err(CallError::CallerGone)) => {
                self.running.insert(run, running);
                Vec::new()
            }
            Answer::Rang(Ok(_)) | Answer::Done(Ok(())) => {
                vec![ended(run, Duration::ZERO, running.fuel, RunOutcome::Ok)]
            }
            Answer::Rang(Err(error)) | Answer::Done(Err(error)) => {
                vec![ended(run, Duration::ZERO, running.fuel, RunOutcome::Declined(error.to_string()))]
            }
        }
    }

    fn stop(&mut self, run: RunId) -> Vec<Said> {
        let fuel = self.running.remove(&run).map_or(0, |running| running.fuel);
        vec![ended(run, Duration::ZERO, fuel, RunOutcome::CallerGone)]
    }
}
