//! Who decides where a call goes: nobody (emergency, unknown number, dialled device), a rule, or the fallback.

use std::sync::Arc;
use std::time::Duration;

use tracing::Span;

use super::ring::{LEGS_AT_ONCE, Origin};
use super::story::millis;
use super::{Call, Stage};
use crate::cause::Final;
use crate::codes::CodePlan;
use crate::config::Fallback;
use crate::names::{AskId, RunId, UserId};
use crate::record::{Disposition, FactKind, RunRecord, Source};
use crate::route::{self, Decider};
use crate::rule::{
    ActiveRule, Answer, Ask, BindTarget, CallError, DestinationRef, LegPlan, Reached, RingPlan, RunEvent,
    RunOutcome, RunStart, Spent,
};
use crate::seam::Effect;
use crate::spans;
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Timer};

/// A run that neither asks nor ends for so long is taken for lost. Its CPU time, its queueing and its look-ups
/// together are well below (RULES §3).
const RUN_LOST_AFTER: Duration = Duration::from_secs(5);
/// Between telling a rule that its caller has gone and stopping it (RULES §2).
const STOP_AFTER: Duration = Duration::from_millis(50);
/// How long a rule may go on after it has refused the call itself.
const FINISH_AFTER: Duration = Duration::from_millis(600);

/// The run of a rule, from its start to its one end.
pub(super) struct Run {
    pub(super) id: RunId,
    pub(super) rule: Arc<ActiveRule>,
    phase: RunPhase,
    fuel: u64,
    fuel_exact: bool,
    ran_us: u64,
    limits: Vec<Reached>,
    /// Bytes of its journal that the call holds, with those of the run before it.
    journalled: usize,
    /// The standard rule follows it.
    hands_over: bool,
    /// Running time until the first question or the end.
    decide_us: Option<u64>,
    span: Span,
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

    fn source(&self) -> Source {
        Source::Rule(self.rule.name.clone())
    }
}

impl Call {
    /// Decides what can be decided at once, or starts the rule.
    pub(super) fn decide(&mut self, board: &mut Switchboard) {
        let number = self.facts.number.clone();
        let dialled = FactKind::Dialled { number: number.clone(), to: self.to.clone() };
        self.story.fact(board.now, Source::Config, dialled);
        let decider = route::decider(&board.picture, &self.tenant, &number);
        if decider == Decider::Nobody && CodePlan::is_code(&number) {
            self.dial_code(board);
            return;
        }
        match decider {
            Decider::Emergency => {
                self.story.fact(board.now, Source::Config, FactKind::Emergency);
                self.reject(board, &Final::emergency_without_trunk(), Disposition::Rejected);
            }
            Decider::Nobody => self.reject(board, &Final::unknown_number(), Disposition::Rejected),
            Decider::Device(device) => {
                let plan = RingPlan {
                    legs: vec![plan_of(DestinationRef::Device(device))],
                    time: self.tenant.ring_time,
                    ..RingPlan::default()
                };
                self.start_ring(board, plan, Origin::Device, Source::Switch);
            }
            Decider::Rule(rule, bound_to) => self.start_bound_rule(board, rule, &bound_to),
            Decider::Standard(rule) => self.start_standard_rule(board, rule),
            Decider::Fallback => {
                self.story.fact(board.now, Source::Config, FactKind::NoRule);
                self.fall_back(board, None);
            }
        }
    }

    fn start_bound_rule(&mut self, board: &mut Switchboard, rule: Arc<ActiveRule>, bound_to: &BindTarget) {
        if let BindTarget::User(user) = bound_to {
            self.is_for(user.clone());
        }
        let chosen = FactKind::RuleChosen { version: rule.version.clone(), bound_to: bound_to.to_string() };
        self.story.fact(board.now, Source::Rule(rule.name.clone()), chosen);
        self.start_rule(board, rule);
    }

    fn start_standard_rule(&mut self, board: &mut Switchboard, rule: Arc<ActiveRule>) {
        if let Some(DestinationRef::User(user)) = &self.to {
            self.is_for(user.clone());
        }
        let chosen = FactKind::StandardRule { version: rule.version.clone() };
        self.story.fact(board.now, Source::Rule(rule.name.clone()), chosen);
        self.start_rule(board, rule);
    }

    /// The rule that is about to start is that person's own.
    fn is_for(&mut self, user: UserId) {
        let mut facts = (*self.facts).clone();
        facts.for_user = Some(user);
        self.facts = Arc::new(facts);
    }

    fn start_rule(&mut self, board: &mut Switchboard, rule: Arc<ActiveRule>) {
        let id = board.next_run();
        let phase = RunPhase::Thinking { until: board.now.mono + RUN_LOST_AFTER };
        let span = spans::rule(&self.span, &rule);
        let run = Run {
            id,
            rule: Arc::clone(&rule),
            phase,
            fuel: 0,
            fuel_exact: true,
            ran_us: 0,
            limits: Vec::new(),
            journalled: self.run.as_ref().map_or(0, Run::journalled),
            hands_over: false,
            decide_us: None,
            span,
        };
        self.run = Some(run);
        if let Some(why) = self.kept_from_running(board) {
            self.run_over(board, why);
            return;
        }
        board.runs.insert(id, self.key);
        self.publish(board);
        let start = RunStart {
            run: id,
            rule,
            call: Arc::clone(&self.facts),
            seed: board.run_seed(),
            view: board.view(),
            now: board.now,
            call_began: self.story.began().mono,
        };
        board.emit(Effect::Start(Box::new(start)));
    }

    /// Counts the run that is about to start; why it may not, where it may not.
    fn kept_from_running(&mut self, board: &mut Switchboard) -> Option<RunOutcome> {
        let run = self.run.as_mut()?;
        if board.breaker.is_open(&run.rule, board.now.mono) {
            return Some(RunOutcome::BreakerOpen);
        }
        let reached = board.admission.admit(&self.tenant, board.now.mono).err()?;
        run.limits.push(reached);
        Some(RunOutcome::TenantThrottled)
    }

    /// What the driver tells of the run.
    pub(crate) fn run_event(&mut self, board: &mut Switchboard, event: RunEvent, spent: Spent) {
        let Some(run) = &mut self.run else { return };
        if run.is_over() {
            return;
        }
        let mut spent = spent;
        let _rule = run.span.clone().entered();
        run.fuel = spent.fuel;
        run.fuel_exact = spent.fuel_exact;
        run.ran_us = spent.ran_us;
        run.limits.append(&mut spent.limits);
        run.decide_us = run.decide_us.or(Some(spent.ran_us));
        let source = run.source();
        board.admission.log(&self.facts.tenant, board.now.mono, &mut spent.log);
        let last = usize::from(matches!(event, RunEvent::Ended(_)));
        run.journalled +=
            board.admission.journal(&self.facts.tenant, board.now.mono, &mut spent.journal, last);
        self.story.spent(board.now, &source, spent);
        match event {
            RunEvent::Asked { ask, what } => self.asked(board, ask, what),
            RunEvent::Ended(outcome) => self.run_ended(board, outcome),
        }
    }

    fn asked(&mut self, board: &mut Switchboard, ask: AskId, what: Ask) {
        let Some(run) = &mut self.run else { return };
        if let RunPhase::Thinking { .. } = run.phase {
            run.phase = RunPhase::Asking(ask);
        }
        let source = run.source();
        match (&self.stage, what) {
            // Also when the call is over: a rule may still count what came of it.
            (
                Stage::Deciding
                | Stage::Coding(_)
                | Stage::Ringing(_)
                | Stage::Talking(_)
                | Stage::Over { .. },
                Ask::Keep(what),
            ) => {
                let answer = board.keep(&self.facts.tenant, &self.facts.id, what);
                self.answer_rule(board, ask, Answer::Kept(answer));
            }
            (Stage::Over { .. }, Ask::Ring(_)) => {
                self.answer_rule(board, ask, Answer::Rang(Err(CallError::CallerGone)));
            }
            (Stage::Over { .. }, Ask::Standard | Ask::Refuse(_) | Ask::Conclude) => {
                self.answer_rule(board, ask, Answer::Done(Err(CallError::CallerGone)));
            }
            (Stage::Deciding, Ask::Ring(_)) if self.hands_over() => {
                self.answer_rule(board, ask, Answer::Rang(Err(CallError::AlreadyEnded)));
            }
            (Stage::Deciding, Ask::Standard | Ask::Refuse(_) | Ask::Conclude) if self.hands_over() => {
                self.answer_rule(board, ask, Answer::Done(Err(CallError::AlreadyEnded)));
            }
            (Stage::Deciding, Ask::Ring(plan)) if plan.legs.len() > LEGS_AT_ONCE => {
                self.answer_rule(board, ask, Answer::Rang(Err(CallError::LimitExceeded("legs".to_owned()))));
            }
            (Stage::Deciding, Ask::Ring(plan)) => self.start_ring(board, plan, Origin::Rule(ask), source),
            (Stage::Deciding, Ask::Standard) => {
                self.story.fact(board.now, source, FactKind::Standard);
                self.answer_rule(board, ask, Answer::Done(Ok(())));
                self.hand_over(board);
            }
            (Stage::Deciding, Ask::Refuse(how)) => {
                self.story.fact(board.now, source, FactKind::Refused(how.to_string()));
                self.answer_rule(board, ask, Answer::Done(Ok(())));
                self.reject(board, &Final::of_refusal(&how), Disposition::Rejected);
            }
            (Stage::Deciding, Ask::Conclude) => {
                self.answer_rule(board, ask, Answer::Done(Ok(())));
                self.reject(board, &Final::of_outcome(self.best.as_ref()), Disposition::Rejected);
            }
            (Stage::Coding(_) | Stage::Ringing(_) | Stage::Talking(_), Ask::Ring(_)) => {
                self.answer_rule(board, ask, Answer::Rang(Err(CallError::AlreadyEnded)));
            }
            (
                Stage::Coding(_) | Stage::Ringing(_) | Stage::Talking(_),
                Ask::Standard | Ask::Refuse(_) | Ask::Conclude,
            ) => {
                self.answer_rule(board, ask, Answer::Done(Err(CallError::AlreadyEnded)));
            }
        }
    }

    /// The standard rule is started when this one has ended, which it does soon or is made to; from the standard rule itself,
    /// and where there is none, the dialled are rung.
    fn hand_over(&mut self, board: &mut Switchboard) {
        let stop_at = board.now.mono + FINISH_AFTER;
        match &mut self.run {
            Some(run) if self.handed_over.is_none() && board.picture.config.standard.is_some() => {
                run.phase = RunPhase::Leaving { stop_at };
                run.hands_over = true;
            }
            Some(_) | None => self.ring_dialled(board),
        }
    }

    fn hands_over(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.hands_over)
    }

    /// Answers the open question, with the picture of this moment.
    pub(super) fn answer_rule(&mut self, board: &mut Switchboard, ask: AskId, answer: Answer) {
        let Some(run) = &mut self.run else { return };
        match run.phase {
            RunPhase::Asking(open) if open == ask => {
                run.phase = RunPhase::Thinking { until: board.now.mono + RUN_LOST_AFTER };
            }
            RunPhase::Leaving { .. } => {}
            RunPhase::Asking(_)
            | RunPhase::Thinking { .. }
            | RunPhase::Stopped { .. }
            | RunPhase::Over(_) => return,
        }
        let (id, view, now) = (run.id, board.view(), board.now);
        board.emit(Effect::Answer { run: id, ask, answer, view, now });
    }

    fn run_ended(&mut self, board: &mut Switchboard, outcome: RunOutcome) {
        if let Some(run) = &self.run {
            board.admission.release(&self.facts.tenant, run.fuel);
            board.runs.remove(&run.id);
        }
        // Whatever a rule returns to a caller who has gone, it refuses nobody.
        let is_vain = matches!(outcome, RunOutcome::Declined(_)) && self.story.has_lost_its_caller();
        let outcome = if is_vain { RunOutcome::CallerGone } else { outcome };
        self.run_over(board, outcome);
    }

    /// The run is over: where it left the call undecided the fallback takes it (RULES §2).
    fn run_over(&mut self, board: &mut Switchboard, outcome: RunOutcome) {
        let Some(run) = &mut self.run else { return };
        run.span.in_scope(|| tracing::info!(fuel_used = run.fuel, cause = outcome.word(), "run ended"));
        board.count_run(&outcome, run.fuel, run.ran_us);
        if board.breaker.ended(&run.rule, &outcome, board.now.mono) {
            run.span.in_scope(|| tracing::warn!("a version that keeps failing is withdrawn"));
            board.emit(Effect::Withdraw(Arc::clone(&run.rule)));
        }
        run.phase = RunPhase::Over(outcome.clone());
        let (source, own) = (run.source(), run.rule.fallback.clone());
        match &self.stage {
            Stage::Deciding if run.hands_over => {
                self.story.fact(board.now, source, FactKind::RunEnded(outcome));
                self.handed_over = Some(run.record());
                match board.picture.config.standard.clone() {
                    Some(version) => {
                        let rule = ActiveRule::standard(&self.facts.tenant, version);
                        self.start_standard_rule(board, Arc::new(rule));
                    }
                    // It was there when the rule handed over.
                    None => self.fall_back(board, own),
                }
            }
            Stage::Deciding => {
                self.story.fact(board.now, source, FactKind::RunEnded(outcome));
                self.fall_back(board, own);
            }
            Stage::Ringing(ring) if matches!(ring.origin(), Origin::Rule(_)) => {
                self.story.fact(board.now, source, FactKind::RunEnded(outcome));
                let stage = std::mem::replace(&mut self.stage, Stage::Deciding);
                if let Stage::Ringing(ring) = stage {
                    self.abandon_ring(board, &ring, crate::record::Cause::RuleFailed);
                }
                self.fall_back(board, own);
            }
            Stage::Coding(_) | Stage::Ringing(_) | Stage::Talking(_) => {
                self.story.fact(board.now, source, FactKind::RunEnded(outcome));
            }
            Stage::Over { .. } => {
                self.story.fact(board.now, source, FactKind::RunEnded(outcome));
                self.write_record(board);
            }
        }
    }

    /// The caller's way when no rule decides.
    fn fall_back(&mut self, board: &mut Switchboard, own: Option<Fallback>) {
        let fallback = own.unwrap_or_else(|| self.tenant.fallback.clone());
        match fallback {
            Fallback::RingDialled => {
                self.story.fact(
                    board.now,
                    Source::Switch,
                    FactKind::Fallback("rings the dialled user".to_owned()),
                );
                self.ring_dialled(board);
            }
            Fallback::Ring { to, for_ms } => {
                self.story.fact(board.now, Source::Switch, FactKind::Fallback(format!("rings {to}")));
                let time = Duration::from_millis(u64::from(for_ms));
                let plan = RingPlan { legs: vec![plan_of(to)], time, ..RingPlan::default() };
                self.start_ring(board, plan, Origin::Fallback, Source::Switch);
            }
            Fallback::Refuse(how) => {
                let text = format!("refuses the call as {how}");
                self.story.fact(board.now, Source::Switch, FactKind::Fallback(text));
                self.reject(board, &Final::of_refusal(&how), Disposition::Rejected);
            }
        }
    }

    fn ring_dialled(&mut self, board: &mut Switchboard) {
        let legs = self.to.iter().cloned().map(plan_of).collect();
        let plan = RingPlan { legs, time: self.tenant.ring_time, ..RingPlan::default() };
        self.start_ring(board, plan, Origin::Fallback, Source::Switch);
    }

    /// The call is over: its rule hears it, and is stopped a little later.
    pub(super) fn dismiss_run(&mut self, board: &mut Switchboard) {
        let refused = self.story.was_refused();
        let Some(run) = &mut self.run else { return };
        let stop_at = board.now.mono + if refused { FINISH_AFTER } else { STOP_AFTER };
        match run.phase {
            RunPhase::Thinking { .. } | RunPhase::Asking(_) => run.phase = RunPhase::Leaving { stop_at },
            RunPhase::Leaving { .. } | RunPhase::Stopped { .. } | RunPhase::Over(_) => {}
        }
    }

    pub(super) fn run_tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        let Some(run) = &mut self.run else { return };
        let id = run.id;
        match run.phase {
            RunPhase::Leaving { stop_at } if stop_at <= now => {
                run.phase = RunPhase::Stopped { until: now + RUN_LOST_AFTER };
                board.emit(Effect::Stop { run: id });
            }
            RunPhase::Thinking { until } | RunPhase::Stopped { until } if until <= now => {
                run.span.in_scope(|| tracing::warn!(run = %id, "a run was lost by its driver"));
                board.emit(Effect::Stop { run: id });
                let waited = millis(RUN_LOST_AFTER);
                self.run_ended(board, RunOutcome::Internal(format!("no word from the run for {waited} ms")));
            }
            RunPhase::Leaving { .. }
            | RunPhase::Thinking { .. }
            | RunPhase::Stopped { .. }
            | RunPhase::Asking(_)
            | RunPhase::Over(_) => {}
        }
    }
}

fn plan_of(to: DestinationRef) -> LegPlan {
    LegPlan { to, start_after: Duration::ZERO, ring_for: None, label: None }
}
