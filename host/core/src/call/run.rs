//! One execution of a rule as its call sees it: what it waits for, what it has used, how it ended.

use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::story::millis;
use crate::names::{AskId, RunId};
use crate::record::{RunRecord, Source};
use crate::rule::{ActiveRule, Reached, RunOutcome, Spent};
use crate::seam::Effect;
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Timer};

/// A run that neither asks nor ends for so long is taken for lost. Its CPU time, its queueing and its look-ups
/// together are well below (RULES §3).
const RUN_LOST_AFTER: Duration = Duration::from_secs(5);
/// Between telling a rule that its caller has gone and stopping it (RULES §2).
pub(super) const STOP_AFTER: Duration = Duration::from_millis(50);
/// The run of a rule, from its start to its one end.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) rule: Arc<ActiveRule>,
    phase: RunPhase,
    pub(super) fuel: u64,
    fuel_exact: bool,
    ran_us: u64,
    pub(super) limits: Vec<Reached>,
    /// Bytes of its journal that the call holds, with those of the run before it.
    pub(super) journalled: usize,
    /// The standard rule follows it.
    pub(super) hands_over: bool,
    /// Running time until the first question or the end.
    decide_us: Option<u64>,
    pub(super) span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum RunPhase {
    /// It runs.
    Thinking { until: Duration },
    /// It waits for our answer.
    Asking(AskId),
    /// Its call is over, or is the standard rule's; it may still say something.
    Leaving { stop_at: Duration },
    /// It was told to stop; its end is owed.
    Stopped { until: Duration },
    /// It has ended.
    Over(RunOutcome),
}

impl Run {
    /// A run that is about to start.
    pub(super) fn new(id: RunId, rule: &Arc<ActiveRule>, span: Span, now: Duration) -> Self {
        Self {
            id,
            rule: Arc::clone(rule),
            phase: RunPhase::Thinking { until: now + RUN_LOST_AFTER },
            fuel: 0,
            fuel_exact: true,
            ran_us: 0,
            limits: Vec::new(),
            journalled: 0,
            hands_over: false,
            decide_us: None,
            span,
        }
    }

    /// What it has used up to now.
    pub(super) fn heard(&mut self, spent: &mut Spent) {
        self.fuel = spent.fuel;
        self.fuel_exact = spent.fuel_exact;
        self.ran_us = spent.ran_us;
        self.limits.append(&mut spent.limits);
        self.decide_us = self.decide_us.or(Some(spent.ran_us));
    }

    /// It waits for an answer.
    pub(super) fn asks(&mut self, ask: AskId) {
        if let RunPhase::Thinking { .. } = self.phase {
            self.phase = RunPhase::Asking(ask);
        }
    }

    /// Whether it waits for that answer, which it gets now.
    pub(super) fn hears(&mut self, ask: AskId, now: Duration) -> bool {
        match self.phase {
            RunPhase::Asking(open) if open == ask => {
                self.phase = RunPhase::Thinking { until: now + RUN_LOST_AFTER };
                true
            }
            RunPhase::Leaving { .. } => true,
            RunPhase::Asking(_)
            | RunPhase::Thinking { .. }
            | RunPhase::Stopped { .. }
            | RunPhase::Over(_) => false,
        }
    }

    /// Nobody waits for it any more; it is stopped then.
    pub(super) fn leave(&mut self, stop_at: Duration) {
        match self.phase {
            RunPhase::Thinking { .. } | RunPhase::Asking(_) => self.phase = RunPhase::Leaving { stop_at },
            RunPhase::Leaving { .. } | RunPhase::Stopped { .. } | RunPhase::Over(_) => {}
        }
    }

    /// It has ended.
    pub(super) fn over(&mut self, board: &mut Switchboard, outcome: &RunOutcome) {
        self.span.in_scope(|| tracing::info!(fuel_used = self.fuel, cause = outcome.word(), "run ended"));
        board.count_run(outcome, self.fuel, self.ran_us);
        if let Some(withdrawal) = board.breaker.ended(&self.rule, outcome, board.now.mono) {
            self.span.in_scope(|| tracing::warn!("a version that keeps failing is withdrawn"));
            board.emit(Effect::Withdraw(withdrawal));
        }
        self.phase = RunPhase::Over(outcome.clone());
    }

    /// What happens to it by time; how it ended, where its driver has lost it.
    pub(super) fn tick(&mut self, board: &mut Switchboard) -> Option<RunOutcome> {
        let now = board.now.mono;
        match self.phase {
            RunPhase::Leaving { stop_at } if stop_at <= now => {
                self.phase = RunPhase::Stopped { until: now + RUN_LOST_AFTER };
                board.emit(Effect::Stop { run: self.id });
                None
            }
            RunPhase::Thinking { until } | RunPhase::Stopped { until } if until <= now => {
                self.span.in_scope(|| tracing::warn!(run = %self.id, "a run was lost by its driver"));
                board.emit(Effect::Stop { run: self.id });
                let waited = millis(RUN_LOST_AFTER);
                Some(RunOutcome::Internal(format!("no word from the run for {waited} ms")))
            }
            RunPhase::Leaving { .. }
            | RunPhase::Thinking { .. }
            | RunPhase::Stopped { .. }
            | RunPhase::Asking(_)
            | RunPhase::Over(_) => None,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, RunPhase::Over(_))
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        let at = match self.phase {
            RunPhase::Thinking { until } | RunPhase::Stopped { until } => until,
            RunPhase::Leaving { stop_at } => stop_at,
            RunPhase::Asking(_) | RunPhase::Over(_) => return None,
        };
        Some(Deadline { at, why: Timer::Run })
    }

    pub(super) fn record(&self) -> RunRecord {
        let outcome = match &self.phase {
            RunPhase::Over(outcome) => outcome.clone(),
            RunPhase::Thinking { .. }
            | RunPhase::Asking(_)
            | RunPhase::Leaving { .. }
            | RunPhase::Stopped { .. } => RunOutcome::CallerGone,
        };
        RunRecord {
            rule: self.rule.name.clone(),
            version: self.rule.version.clone(),
            outcome,
            fuel: self.fuel,
            fuel_exact: self.fuel_exact,
            decide_us: self.decide_us.unwrap_or(self.ran_us),
            ran_us: self.ran_us,
            limits: self.limits.clone(),
        }
    }

    /// Bytes of its journal that the call holds.
    pub(super) fn journalled(&self) -> usize {
        self.journalled
    }

    pub(super) fn source(&self) -> Source {
        Source::Rule(self.rule.name.clone())
    }
}
