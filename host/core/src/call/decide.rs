//! Who decides where a call goes: nobody (emergency, unknown number, dialled device), a rule, or the fallback.

use std::sync::Arc;
use std::time::Duration;

use super::ring::{LEGS_AT_ONCE, Origin};
use super::run::{Run, STOP_AFTER};
use super::{Call, Stage};
use crate::cause::Final;
use crate::config::Fallback;
use crate::names::{AskId, RunId, UserId};
use crate::notice::{Warned, Warning};
use crate::record::{Disposition, FactKind, Source};
use crate::route::{self, Decider};
use crate::rule::{
    ActiveRule, Answer, Ask, BindTarget, CallError, DestinationRef, LegPlan, RingPlan, RunEvent, RunOutcome,
    RunStart, Spent,
};
use crate::seam::Effect;
use crate::spans;
use crate::switchboard::Switchboard;

/// How long a rule may go on after it has refused the call itself.
const FINISH_AFTER: Duration = Duration::from_millis(600);

impl Call {
    /// Decides what can be decided at once, or starts the rule.
    pub(super) fn decide(&mut self, board: &mut Switchboard) {
        let number = self.facts.number.clone();
        let dialled = FactKind::Dialled { number: number.clone(), to: self.to.clone() };
        self.story.fact(board.now, Source::Config, dialled);
        let decider = route::decider(&board.picture, &self.tenant, &number);
        match decider {
            Decider::Emergency => {
                self.story.fact(board.now, Source::Config, FactKind::Emergency);
                self.reject(board, &Final::emergency_without_trunk(), Disposition::Rejected);
            }
            Decider::Code => self.dial_code(board),
            Decider::Nobody => self.reject(board, &Final::unknown_number(), Disposition::Rejected),
            Decider::Device(device) => {
                let plan = RingPlan {
                    legs: vec![plan_of(DestinationRef::Device(device))],
                    time: self.tenant.ring_time,
                    ..RingPlan::default()
                };
                self.start_ring(board, &plan, Origin::Device, Source::Switch);
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
        let mut run = Run::new(id, &rule, spans::rule(&self.span, &rule), board.now.mono);
        run.journalled = self.run.as_ref().map_or(0, Run::journalled);
        let kept = self.kept_from_running(board, &mut run);
        self.run = Some(run);
        if let Some(why) = kept {
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
    pub(super) fn kept_from_running(&self, board: &mut Switchboard, run: &mut Run) -> Option<RunOutcome> {
        if board.breaker.is_open(&run.rule, board.now.mono) {
            return Some(RunOutcome::BreakerOpen);
        }
        let reached = board.admission.admit(&self.tenant, board.now.mono).err()?;
        run.limits.push(reached);
        Some(RunOutcome::TenantThrottled)
    }

    /// The rule of the call, or a person's own.
    fn run_mut(&mut self, id: RunId) -> Option<&mut Run> {
        if self.run.as_ref().is_some_and(|run| run.id == id) {
            return self.run.as_mut();
        }
        self.nested.get_mut(&id).map(|nested| &mut nested.run)
    }

    /// What the driver tells of a run.
    pub(crate) fn run_event(&mut self, board: &mut Switchboard, id: RunId, event: RunEvent, spent: Spent) {
        let tenant = self.facts.tenant.clone();
        let Some(run) = self.run_mut(id).filter(|run| !run.is_over()) else { return };
        let mut spent = spent;
        let _rule = run.span.clone().entered();
        run.heard(&mut spent);
        let source = run.source();
        board.admission.log(&tenant, board.now.mono, &mut spent.log);
        let last = usize::from(matches!(event, RunEvent::Ended(_)));
        run.journalled += board.admission.journal(&tenant, board.now.mono, &mut spent.journal, last);
        let warnings = std::mem::take(&mut spent.warnings);
        self.story.spent(board.now, &source, spent);
        self.tell_warnings(board, id, warnings);
        let is_nested = self.nested.contains_key(&id);
        match event {
            RunEvent::Asked { ask, what } => {
                if let Some(run) = self.run_mut(id) {
                    run.asks(ask);
                }
                match is_nested {
                    true => self.nested_asked(board, id, ask, what),
                    false => self.asked(board, ask, what),
                }
            }
            RunEvent::Ended(outcome) => self.run_ended(board, id, outcome),
        }
    }

    /// What a rule warns of is told to its tenant, as being about the person whose rule or wishes it follows.
    fn tell_warnings(&mut self, board: &mut Switchboard, id: RunId, warnings: Vec<Warned>) {
        if warnings.is_empty() {
            return;
        }
        let about = match self.nested_who(id) {
            Some(who) => who.user().cloned(),
            None => self.facts.for_user.clone().or_else(|| self.facts.dialled.user.clone()),
        };
        let (tenant, call) = (self.facts.tenant.clone(), self.facts.id.clone());
        let Some(rule) = self.run_mut(id).map(|run| Arc::clone(&run.rule)) else { return };
        let source = Source::Rule(rule.name.clone());
        for Warned { text, hidden } in warnings {
            self.story.warned(board.now, &source, &text);
            let (rule, version) = (rule.name.clone(), rule.version.clone());
            let warned = Warning { rule, version, call: call.clone(), about: about.clone(), text };
            if let Some(notice) = board.told.of(&tenant, board.now, warned, hidden) {
                board.emit(Effect::Tell { tenant: tenant.clone(), notice });
            }
        }
    }

    fn asked(&mut self, board: &mut Switchboard, ask: AskId, what: Ask) {
        let Some(run) = &self.run else { return };
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
            (
                Stage::Deciding
                | Stage::Coding(_)
                | Stage::Ringing(_)
                | Stage::Talking(_)
                | Stage::Over { .. },
                Ask::Take(what),
            ) => {
                let taken = self.take(board, &what);
                self.answer_rule(board, ask, Answer::Taken(taken));
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
            (Stage::Deciding, Ask::Ring(plan)) => self.start_ring(board, &plan, Origin::Rule(ask), source),
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
        let standard = board.picture.config.standard.as_ref().filter(|_| self.handed_over.is_none());
        match &mut self.run {
            Some(run) if standard.is_some_and(|standard| *standard != run.rule.version) => {
                run.leave(stop_at);
                run.hands_over = true;
            }
            Some(_) | None => self.ring_dialled(board),
        }
    }

    fn hands_over(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.hands_over)
    }

    /// Answers the open question of the call's rule.
    pub(super) fn answer_rule(&mut self, board: &mut Switchboard, ask: AskId, answer: Answer) {
        if let Some(id) = self.run.as_ref().map(|run| run.id) {
            self.answer(board, id, ask, answer);
        }
    }

    /// Answers the open question of a run, with the picture of this moment.
    pub(super) fn answer(&mut self, board: &mut Switchboard, id: RunId, ask: AskId, answer: Answer) {
        let now = board.now;
        if self.run_mut(id).is_some_and(|run| run.hears(ask, now.mono)) {
            let view = board.view();
            board.emit(Effect::Answer { run: id, ask, answer, view, now });
        }
    }

    fn run_ended(&mut self, board: &mut Switchboard, id: RunId, outcome: RunOutcome) {
        let tenant = self.facts.tenant.clone();
        if let Some(run) = self.run_mut(id) {
            board.admission.release(&tenant, run.fuel);
            board.runs.remove(&id);
        }
        // Whatever a rule returns to a caller who has gone, it refuses nobody.
        let is_vain = matches!(outcome, RunOutcome::Declined(_)) && self.story.has_lost_its_caller();
        let outcome = if is_vain { RunOutcome::CallerGone } else { outcome };
        match self.nested.contains_key(&id) {
            true => self.nested_over(board, id, &outcome),
            false => self.run_over(board, outcome),
        }
    }

    pub(super) fn are_runs_over(&self) -> bool {
        self.run.as_ref().is_none_or(Run::is_over) && self.nested.values().all(|one| one.run.is_over())
    }

    /// The run is over: where it left the call undecided the fallback takes it (RULES §2).
    fn run_over(&mut self, board: &mut Switchboard, outcome: RunOutcome) {
        let Some(run) = &mut self.run else { return };
        run.over(board, &outcome);
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
                if self.are_runs_over() {
                    self.write_record(board);
                }
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
                self.start_ring(board, &plan, Origin::Fallback, Source::Switch);
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
        self.start_ring(board, &plan, Origin::Fallback, Source::Switch);
    }

    /// The call is over: its rules hear it, and are stopped a little later.
    pub(super) fn dismiss_run(&mut self, board: &mut Switchboard) {
        let refused = self.story.was_refused();
        let now = board.now.mono;
        if let Some(run) = &mut self.run {
            run.leave(now + if refused { FINISH_AFTER } else { STOP_AFTER });
        }
        self.stop_nested(board);
    }

    pub(super) fn run_tick(&mut self, board: &mut Switchboard) {
        let runs = self.run.iter_mut().chain(self.nested.values_mut().map(|nested| &mut nested.run));
        let lost: Vec<_> = runs.filter_map(|run| run.tick(board).map(|outcome| (run.id, outcome))).collect();
        for (id, outcome) in lost {
            self.run_ended(board, id, outcome);
        }
    }
}

fn plan_of(to: DestinationRef) -> LegPlan {
    LegPlan { to, start_after: Duration::ZERO, ring_for: None, label: None }
}
