//! Rings within a ring: a person who is rung as a person, and a group that is more than people who ring together, is rung
//! by a rule of its own, whose legs are legs of the same ring (TELEPHONY T13).
//!
//! The run of such a rule stands for one part of the ring. What it rings becomes further parts that belong to it; when they
//! are over it hears how, and when it ends the best of them is what came of its part.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::ring::{LEGS_AT_ONCE, Ring};
use super::run::{Run, STOP_AFTER};
use super::{Call, Stage};
use crate::cause;
use crate::dial;
use crate::group;
use crate::names::{AskId, LegId, RunId};
use crate::record::{Cause, FactKind, LegRecordEnd, NotRung, Source};
use crate::roster::TakeError;
use crate::route;
use crate::rule::{
    ActiveRule, Answer, Ask, CallError, DestinationRef, Entry, Outcome, Party, RingPlan, RunOutcome, RunStart,
};
use crate::seam::Effect;
use crate::spans;
use crate::switchboard::Switchboard;

/// The run of a person's own rule.
pub(super) struct Nested {
    pub(super) run: Run,
    /// The part of the ring that it stands for.
    pub(super) part: usize,
    line: Line,
    /// What it rings now.
    ring: Option<NestedRing>,
    /// The best outcome of its rings so far.
    best: Option<Outcome>,
    /// When its part is over at the latest.
    until: Duration,
    /// It has no more say: its part is over or somebody else's.
    is_detached: bool,
}

/// Whose rules led to a rule.
#[derive(Clone)]
struct Line {
    /// Themselves, as persons and groups; the rule's own last.
    who: Vec<DestinationRef>,
    /// How many rules are around it, and how many of them are people's.
    depth: usize,
    people: usize,
}

impl Line {
    fn own(&self) -> Option<&DestinationRef> {
        self.who.last()
    }

    /// Why somebody's rule may not follow.
    fn bars(&self, who: &DestinationRef) -> Option<NotRung> {
        let is_deep = self.depth >= group::DEPTH_MAX;
        let is_deep = is_deep || (who.user().is_some() && self.people >= route::PEOPLE_MAX);
        match self.who.contains(who) {
            true => Some(NotRung::Loop),
            false => is_deep.then(|| NotRung::Limit("nesting".to_owned())),
        }
    }

    fn with(mut self, who: &DestinationRef) -> Self {
        self.who.push(who.clone());
        self.depth += 1;
        self.people += usize::from(who.user().is_some());
        self
    }
}

struct NestedRing {
    ask: AskId,
    parts: Range<usize>,
    ends: Duration,
}

impl Nested {
    /// Whether its part waits for it.
    pub(super) fn is_active(&self) -> bool {
        !self.is_detached
    }

    pub(super) fn ends(&self) -> Duration {
        self.ring.as_ref().map_or(self.until, |ring| ring.ends.min(self.until))
    }
}

impl Call {
    /// Rings a person or a group by their own rule; their devices where there is none.
    pub(super) fn ring_within(&mut self, board: &mut Switchboard, at: usize, who: &DestinationRef) {
        let Some((plan, owner)) = self.part_plan(at) else { return };
        let line = match owner.and_then(|owner| self.nested.get(&owner)) {
            Some(owner) => owner.line.clone(),
            None => {
                let user = self.facts.for_user.clone().map(DestinationRef::Person);
                let group = self.facts.group.clone().map(DestinationRef::Group);
                Line { who: user.into_iter().chain(group).collect(), depth: 0, people: 0 }
            }
        };
        if let Some(why) = line.bars(who) {
            let of = line.own().and_then(DestinationRef::user).filter(|_| why == NotRung::Loop).cloned();
            self.part_hears(at, why.outcome());
            self.story.fact(board.now, Source::Registrar, FactKind::NotRung { to: who.clone(), of, why });
            return;
        }
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        match route::within(&board.picture, &tenant, who) {
            Some(rule) if tenant.lacks(who).is_none() => {
                let now = board.now.mono;
                let limit = plan.ring_for.map_or(Duration::MAX, |time| now.saturating_add(time));
                let until = self.part_ends(at).min(limit);
                self.start_nested(board, at, rule, line.with(who), until);
            }
            Some(_) | None => self.ring_devices_of(board, at, who),
        }
    }

    /// Whose rule a nested run is.
    pub(super) fn nested_who(&self, id: RunId) -> Option<&DestinationRef> {
        self.nested.get(&id)?.line.own()
    }

    fn start_nested(
        &mut self,
        board: &mut Switchboard,
        part: usize,
        rule: Arc<ActiveRule>,
        line: Line,
        until: Duration,
    ) {
        let Some(who) = line.own().cloned() else { return };
        let id = board.next_run();
        let mut run = Run::new(id, &rule, spans::rule(&self.span, &rule), board.now.mono);
        let version = rule.version.clone();
        let chosen = match (who.user(), who.group()) {
            (Some(user), _) => FactKind::Nested { version, user: user.clone() },
            (None, Some(group)) => FactKind::NestedGroup { version, group: group.clone() },
            (None, None) => return,
        };
        self.story.fact(board.now, Source::Rule(rule.name.clone()), chosen);
        let kept = self.kept_from_running(board, &mut run);
        let call = Arc::new(self.facts_for(&who, part));
        let nested = Nested { run, part, line, ring: None, best: None, until, is_detached: false };
        self.nested.insert(id, nested);
        if let Some(why) = kept {
            self.nested_over(board, id, &why);
            return;
        }
        board.runs.insert(id, self.key);
        let start = RunStart {
            run: id,
            rule,
            call,
            seed: board.run_seed(),
            view: board.view(),
            now: board.now,
            call_began: self.story.began().mono,
        };
        board.emit(Effect::Start(Box::new(start)));
    }

    /// The call as the rule of a person or a group sees it.
    fn facts_for(&self, who: &DestinationRef, part: usize) -> crate::rule::CallFacts {
        let mut facts = (*self.facts).clone();
        let user = who.user().and_then(|user| self.tenant.users.get(user));
        let group = who.group().and_then(|group| self.tenant.groups.get(group));
        let extension = user.and_then(|user| user.extension.as_ref());
        let extension = extension.or(group.and_then(|group| group.extension.as_ref()));
        facts.dialled = Party {
            name: user.map_or_else(String::new, |user| user.name.clone()),
            number: extension.map(ToString::to_string),
            user: who.user().cloned(),
            withheld: false,
        };
        facts.group = who.group().cloned();
        facts.for_user = who.user().cloned();
        let owner = self.part_plan(part).and_then(|(_, owner)| self.nested.get(&owner?));
        let by = owner.map(|owner| &owner.run).or(self.run.as_ref()).map(|run| run.rule.name.clone());
        facts.entry = Entry::Nested {
            by: by.unwrap_or_else(|| ActiveRule::STANDARD.into()),
            device: self.facts.calling_device().cloned(),
        };
        facts
    }

    /// What the devices of a person or a group come to, without their rule.
    fn ring_devices_of(&mut self, board: &mut Switchboard, at: usize, who: &DestinationRef) {
        let Some((plan, _)) = self.part_plan(at) else { return };
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        let to = who.user().map_or_else(|| who.clone(), |user| DestinationRef::User(user.clone()));
        let found = dial::reach(&board.picture, &tenant, &to, self.looked_for(at));
        self.ring_found(board, at, &plan, to, found);
    }

    /// A person's rule asks.
    pub(super) fn nested_asked(&mut self, board: &mut Switchboard, id: RunId, ask: AskId, what: Ask) {
        let Some(nested) = self.nested.get(&id) else { return };
        let is_heard = nested.is_active() && matches!(self.stage, Stage::Ringing(_));
        let (part, source) = (nested.part, nested.run.source());
        match what {
            Ask::Keep(what) => {
                let answer = board.keep(&self.facts.tenant, &self.facts.id, what);
                self.answer(board, id, ask, Answer::Kept(answer));
            }
            Ask::Take(what) => {
                let taken = if is_heard { self.take(board, &what) } else { Err(TakeError::Decided) };
                self.answer(board, id, ask, Answer::Taken(taken));
            }
            Ask::Ring(_) if !is_heard => {
                self.answer(board, id, ask, Answer::Rang(Err(CallError::CallerGone)));
            }
            Ask::Standard | Ask::Refuse(_) | Ask::Conclude if !is_heard => {
                self.answer(board, id, ask, Answer::Done(Err(CallError::CallerGone)));
            }
            Ask::Ring(plan) if plan.legs.len() > LEGS_AT_ONCE => {
                let error = CallError::LimitExceeded("legs".to_owned());
                self.answer(board, id, ask, Answer::Rang(Err(error)));
            }
            Ask::Ring(plan) => self.nested_rings(board, id, ask, &plan),
            Ask::Standard => {
                self.story.fact(board.now, source, FactKind::Standard);
                self.answer(board, id, ask, Answer::Done(Ok(())));
                self.nested_standard(board, id);
            }
            Ask::Refuse(how) => {
                self.story.fact(board.now, source, FactKind::Refused(how.to_string()));
                self.answer(board, id, ask, Answer::Done(Ok(())));
                self.part_hears(part, Some(route::of_refusal(&how)));
                self.detach(board, id);
                self.ring_on(board);
            }
            Ask::Conclude => {
                self.answer(board, id, ask, Answer::Done(Ok(())));
                self.detach(board, id);
                self.ring_on(board);
            }
        }
    }

    fn nested_rings(&mut self, board: &mut Switchboard, id: RunId, ask: AskId, plan: &RingPlan) {
        let now = board.now.mono;
        let Some(nested) = self.nested.get(&id) else { return };
        let source = nested.run.source();
        let ends = now.saturating_add(plan.time).min(nested.until);
        self.story.fact(board.now, source, FactKind::ring_began(plan, ends.saturating_sub(now)));
        let Some(parts) = self.add_parts(now, plan, id) else { return };
        if let Some(nested) = self.nested.get_mut(&id) {
            nested.ring = Some(NestedRing { ask, parts, ends });
        }
        self.ring_on(board);
    }

    /// It hands its person to the standard rule; from that one, and where there is none, their devices ring.
    fn nested_standard(&mut self, board: &mut Switchboard, id: RunId) {
        let Some(nested) = self.nested.get(&id) else { return };
        let (part, line, until) = (nested.part, nested.line.clone(), nested.until);
        let is_standard = nested.run.rule.name.as_str() == ActiveRule::STANDARD;
        self.detach(board, id);
        match board.picture.config.standard.clone().filter(|_| !is_standard) {
            Some(version) => {
                let rule = Arc::new(ActiveRule::standard(&self.facts.tenant, version));
                self.start_nested(board, part, rule, line, until);
            }
            None => {
                if let Some(who) = line.own() {
                    self.ring_devices_of(board, part, who);
                }
            }
        }
        self.ring_on(board);
    }

    /// A person's rule has ended. Where it has rung nobody, or failed, their devices ring: the caller hears nothing of it.
    pub(super) fn nested_over(&mut self, board: &mut Switchboard, id: RunId, outcome: &RunOutcome) {
        let Some(nested) = self.nested.get_mut(&id) else { return };
        let source = nested.run.source();
        nested.run.over(board, outcome);
        let is_done = *outcome == RunOutcome::Ok && nested.best.is_some();
        let is_active = nested.is_active();
        let (part, who, run) = (nested.part, nested.line.own().cloned(), Box::new(nested.run.record()));
        // To the rule it is as if the caller had gone; the tenant hears what it was.
        let dismissed = *outcome == RunOutcome::CallerGone && !self.story.has_lost_its_caller();
        if let Some(who) = who.clone() {
            self.story.fact(board.now, source, FactKind::NestedEnded { who, run, dismissed });
        }
        if is_active && matches!(self.stage, Stage::Ringing(_)) {
            if !is_done {
                for leg in self.legs_of_nested(id) {
                    self.take_back(board, leg, None, LegRecordEnd::Cancelled(Cause::RuleFailed));
                }
            }
            self.detach(board, id);
            if let (false, Some(who)) = (is_done, who) {
                self.ring_devices_of(board, part, &who);
            }
            self.ring_on(board);
        }
        if matches!(self.stage, Stage::Over { .. }) && self.are_runs_over() {
            self.write_record(board);
        }
    }

    /// Rules within whose rings are over hear how they were.
    pub(super) fn nested_rings_over(&mut self, board: &mut Switchboard) {
        let ids: Vec<_> = self.nested.iter().filter(|(_, one)| one.is_active()).map(|(id, _)| *id).collect();
        for id in ids {
            let Some(ring) = self.nested.get(&id).and_then(|one| one.ring.as_ref()) else { continue };
            let (ask, parts) = (ring.ask, ring.parts.clone());
            if !self.parts_are_over(parts.clone()) {
                continue;
            }
            let outcome = self.best_of(parts.clone()).unwrap_or(Outcome::Unreachable);
            let report = self.report_of(parts, outcome.clone());
            self.let_go_within(board, id);
            if let Some(nested) = self.nested.get_mut(&id) {
                nested.ring = None;
                nested.best = Some(match nested.best.take() {
                    Some(best) => cause::better(best, outcome),
                    None => outcome,
                });
            }
            self.answer(board, id, ask, Answer::Rang(Ok(report)));
        }
    }

    /// What happens to rings within by time.
    pub(super) fn nested_tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        let due: Vec<_> = self
            .nested
            .iter()
            .filter(|(_, one)| one.is_active() && one.ends() <= now)
            .map(|(id, one)| (*id, one.until <= now))
            .collect();
        for (id, is_last) in due {
            for leg in self.legs_of_nested(id) {
                let rings = self.legs.get(&leg).is_some_and(|leg| leg.is_ringing());
                self.give_up(board, leg, if rings { Outcome::NoAnswer } else { Outcome::Unreachable });
            }
            self.cancel_waiting(Some(id));
            if is_last {
                self.dismiss_nested(board, id);
            }
        }
    }

    pub(super) fn nested_deadline(&self) -> Option<Duration> {
        self.nested.values().filter(|one| one.is_active()).map(Nested::ends).min()
    }

    /// The ring that they belong to is over: whoever has won hears it, all others that they are not wanted.
    pub(super) fn stop_nested(&mut self, board: &mut Switchboard) {
        for id in self.nested.keys().copied().collect::<Vec<_>>() {
            self.dismiss_nested(board, id);
        }
    }

    /// Tells the rules whose leg has won, innermost first, and stops the others.
    pub(super) fn nested_won(
        &mut self,
        board: &mut Switchboard,
        ring: &Ring,
        owners: &[RunId],
        outcome: &Outcome,
    ) {
        for id in owners {
            let Some(nested) = self.nested.get_mut(id) else { continue };
            nested.is_detached = true;
            if let Some(own) = nested.ring.take() {
                let report = ring.report(own.parts, outcome.clone());
                self.answer(board, *id, own.ask, Answer::Rang(Ok(report)));
            }
        }
        for id in self.nested.keys().copied().filter(|id| !owners.contains(id)).collect::<Vec<_>>() {
            self.dismiss_nested(board, id);
        }
    }

    /// Nobody waits for it any more: it hears so, and is stopped.
    fn dismiss_nested(&mut self, board: &mut Switchboard, id: RunId) {
        let open = self.nested.get(&id).and_then(|nested| nested.ring.as_ref()).map(|ring| ring.ask);
        self.detach(board, id);
        if let Some(ask) = open {
            self.answer(board, id, ask, Answer::Rang(Err(CallError::CallerGone)));
        }
        if let Some(nested) = self.nested.get_mut(&id) {
            nested.run.leave(board.now.mono + STOP_AFTER);
        }
    }

    /// From now on it has no say; what its rings came to is what came of its part.
    fn detach(&mut self, board: &mut Switchboard, id: RunId) {
        let Some(nested) = self.nested.get_mut(&id) else { return };
        if std::mem::replace(&mut nested.is_detached, true) {
            return;
        }
        let (part, best) = (nested.part, nested.best.clone());
        let open = nested.ring.take().and_then(|ring| self.best_of(ring.parts));
        self.part_hears(part, best);
        self.part_hears(part, open);
        self.cancel_waiting(Some(id));
        let inner = |one: &Nested| self.part_plan(one.part).is_some_and(|(_, owner)| owner == Some(id));
        let inner: Vec<_> = self.nested.iter().filter(|(_, one)| inner(one)).map(|(id, _)| *id).collect();
        for id in inner {
            self.dismiss_nested(board, id);
        }
    }

    /// The rules that a part belongs to, innermost first.
    pub(super) fn owners_of(&self, part: usize) -> Vec<RunId> {
        let mut owners = Vec::new();
        let mut at = Some(part);
        while let Some(owner) = at.and_then(|at| self.part_plan(at)).and_then(|(_, owner)| owner) {
            at = self.nested.get(&owner).map(|one| one.part);
            owners.push(owner);
        }
        owners
    }

    /// The parts of the ring that a leg's part stands in, its own first.
    pub(super) fn within(&self, part: usize) -> Vec<usize> {
        let owners = self.owners_of(part);
        std::iter::once(part)
            .chain(owners.iter().filter_map(|owner| self.nested.get(owner)).map(|one| one.part))
            .collect()
    }

    fn legs_of_nested(&self, id: RunId) -> Vec<LegId> {
        self.wanted_legs()
            .into_iter()
            .filter(|leg| self.legs.get(leg).is_some_and(|leg| self.owners_of(leg.part).contains(&id)))
            .collect()
    }
}
