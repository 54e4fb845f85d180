//! One attempt at one or more destinations: parts that start together, later or one after another.
//!
//! A part is one planned destination with the legs it came down to. A part that waits for its time starts at once
//! when nothing of the ring is alive any more, so that no caller waits for silence.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use super::leg::Leg;
use super::nested::Nested;
use super::{Call, Stage};
use crate::cause::{self, COMPLETED_ELSEWHERE, Final};
use crate::dial::Reach;
use crate::names::{AskId, Extension, RunId, UserId};
use crate::place;
use crate::record::{Cause, Disposition, FactKind, LegRecordEnd, NotRung, Source};
use crate::rule::{Answer, DestinationRef, LegEnd, LegPlan, LegReport, Outcome, RingPlan, RingReport};
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Now, Timer};

/// Legs of a call that may ring at once (RULES §3).
pub(crate) const LEGS_AT_ONCE: usize = 10;
/// Legs of a call in all (RULES §3).
pub(crate) const LEGS_A_CALL: u32 = 30;

/// The ring in progress.
pub(super) struct Ring {
    origin: Origin,
    ends: Duration,
    /// Those that were planned, and behind them those of people's rules within.
    parts: Vec<Part>,
    planned: usize,
    /// People who declined in this ring: their other devices stay silent (TELEPHONY T10).
    declined: BTreeSet<UserId>,
}

/// Who wanted the ring, and so hears how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A question of the rule.
    Rule(AskId),
    /// The fallback or the standard rule: nothing follows.
    Fallback,
    /// A dialled device: nothing follows.
    Device,
}

struct Part {
    plan: LegPlan,
    /// The person's rule that it belongs to; none where it is of the ring itself.
    owner: Option<RunId>,
    manners: Manners,
    state: PartState,
    /// Best outcome of its legs so far.
    best: Option<Outcome>,
    rang: Duration,
}

/// What the plan of a ring says of all its legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manners {
    stop_on_decline: bool,
    ring_busy: bool,
    keep_unmissed: bool,
    skip_rung: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PartState {
    Waiting { start: Duration },
    Rung,
    Done(LegEnd),
}

/// How long a leg rings once it rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RingsUntil {
    /// As long as its ring.
    TheEnd,
    /// So long.
    For(Duration),
    /// Until then.
    At(Duration),
}

impl RingsUntil {
    pub(super) fn after(self, now: Duration) -> Option<Duration> {
        match self {
            Self::TheEnd => None,
            Self::For(time) => Some(now.saturating_add(time)),
            Self::At(end) => Some(end),
        }
    }
}

/// How a leg came into its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) rings: RingsUntil,
    /// How often phones have sent the call on before.
    pub(super) hops: u8,
}

impl Way {
    fn planned(plan: &LegPlan) -> Self {
        Self { rings: plan.ring_for.map_or(RingsUntil::TheEnd, RingsUntil::For), hops: 0 }
    }
}

impl Ring {
    /// Whether nothing can follow it and nothing of it is still to start.
    pub(super) fn is_last(&self) -> bool {
        let waits = self.parts.iter().any(|part| matches!(part.state, PartState::Waiting { .. }));
        !waits && !matches!(self.origin, Origin::Rule(_))
    }
}

impl Call {
    /// Begins a ring.
    pub(super) fn start_ring(
        &mut self,
        board: &mut Switchboard,
        plan: &RingPlan,
        origin: Origin,
        source: Source,
    ) {
        let began = board.now.mono;
        self.story.fact(board.now, source, FactKind::ring_began(plan, plan.time));
        let parts = parts_of(plan, began, None).collect();
        let (ends, planned) = (began.saturating_add(plan.time), plan.legs.len());
        self.stage = Stage::Ringing(Ring { origin, ends, parts, planned, declined: BTreeSet::new() });
        self.ring_on(board);
    }

    /// Goes on with the ring: starts what is due, ends it when nothing is left.
    pub(super) fn ring_on(&mut self, board: &mut Switchboard) {
        while let Some(at) = self.next_part(board.now.mono) {
            self.start_part(board, at);
        }
        for at in (0..self.ring().map_or(0, |ring| ring.parts.len())).rev() {
            self.close_part(at);
        }
        self.nested_rings_over(board);
        let over = self
            .ring()
            .is_some_and(|ring| ring.parts.iter().all(|part| matches!(part.state, PartState::Done(_))));
        if over {
            self.ring_over(board);
        } else if self.ring().is_some() {
            self.publish(board);
        }
    }

    /// The part that starts now: its time has come, or nothing else is alive.
    fn next_part(&self, now: Duration) -> Option<usize> {
        let ring = self.ring()?;
        ring.parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| match part.state {
                PartState::Waiting { start } => Some((start, at)),
                PartState::Rung | PartState::Done(_) => None,
            })
            .filter(|(start, at)| *start <= now || self.is_idle(ring.parts[*at].owner))
            .min()
            .map(|(_, at)| at)
    }

    /// Whether nothing that belongs to a rule is alive; of the ring itself, nothing at all.
    fn is_idle(&self, owner: Option<RunId>) -> bool {
        let mut rules = self.nested.values().filter(|one| one.is_active());
        !self.legs.values().any(|leg| leg.is_alive() && self.belongs(leg.part, owner))
            && !rules.any(|one| self.belongs(one.part, owner))
    }

    /// Whether a part belongs to a rule, itself or by rules within; to the ring itself everything does.
    fn belongs(&self, part: usize, owner: Option<RunId>) -> bool {
        owner.is_none_or(|owner| self.owners_of(part).contains(&owner))
    }

    fn start_part(&mut self, board: &mut Switchboard, at: usize) {
        let Some(ring) = self.ring_mut() else { return };
        let Some(part) = ring.parts.get_mut(at) else { return };
        part.state = PartState::Rung;
        let mut plan = part.plan.clone();
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        let meant = place::meant(&tenant, &plan.to, board.now.wall);
        if let Some(why) = meant.why {
            let what = plan.to.to_string();
            self.story.fact(board.now, Source::Config, FactKind::Read { what, got: why });
        }
        plan.to = meant.to.unwrap_or(plan.to);
        self.ring_behind(board, at, &tenant, &plan);
    }

    /// Rings devices as their part was planned.
    pub(super) fn ring_planned(
        &mut self,
        board: &mut Switchboard,
        at: usize,
        plan: &LegPlan,
        found: &[Reach],
    ) {
        self.ring_devices(board, at, plan, Way::planned(plan), found);
    }

    pub(super) fn ring_devices(
        &mut self,
        board: &mut Switchboard,
        at: usize,
        plan: &LegPlan,
        way: Way,
        found: &[Reach],
    ) {
        for reach in found {
            for binding in &reach.bindings {
                let alive = self.legs.values().filter(|leg| leg.is_wanted()).count();
                let room = alive < LEGS_AT_ONCE && self.legs_made < LEGS_A_CALL;
                if !room || !self.send_invite(board, at, plan, way, reach, binding) {
                    let device = DestinationRef::Device(reach.device.clone());
                    self.not_rung(board, at, device, NotRung::Limit("legs".to_owned()));
                    return;
                }
            }
        }
    }

    /// What the ring may still ring: not the caller's own device, nobody who declined, nothing twice.
    pub(super) fn not_yet_rung(&self, at: usize, found: Vec<Reach>) -> Vec<Reach> {
        let Some(ring) = self.ring() else { return Vec::new() };
        let skip_rung = self.skips_rung(ring, at);
        let rings =
            |device: &Extension| self.legs.values().any(|leg| leg.is_wanted() && leg.device == *device);
        found
            .into_iter()
            .filter(|reach| {
                let own = reach.device == self.caller.device;
                let declined = reach.user.as_ref().is_some_and(|user| ring.declined.contains(user));
                let rung = skip_rung && self.rung.contains_key(&reach.device);
                !own && !declined && !rung && !rings(&reach.device)
            })
            .collect()
    }

    /// Whoever takes a call over does not ring again what was rung to an end (TELEPHONY T32), nor does a ring that says so.
    fn skips_rung(&self, ring: &Ring, at: usize) -> bool {
        let says = |at: &usize| ring.parts.get(*at).is_some_and(|part| part.manners.skip_rung);
        ring.origin == Origin::Fallback || self.handed_over.is_some() || self.within(at).iter().any(says)
    }

    /// The best that came of devices when they were rung before.
    pub(super) fn rung_before(&self, at: usize, found: &[Reach]) -> Option<Outcome> {
        let outcomes = found.iter().filter_map(|reach| self.rung.get(&reach.device).cloned());
        self.ring().filter(|ring| self.skips_rung(ring, at)).and_then(|_| outcomes.reduce(cause::better))
    }

    pub(super) fn part_was(&mut self, at: usize, before: Option<Outcome>) {
        let part = self.ring_mut().and_then(|ring| ring.parts.get_mut(at));
        if let (Some(part), Some(outcome)) = (part, before) {
            part.hear(outcome);
        }
    }

    /// A leg of the part has ended.
    pub(super) fn part_heard(&mut self, leg: &Leg, now: Now, outcome: Outcome) {
        self.part_rang(leg, now);
        if let Some(part) = self.ring_mut().and_then(|ring| ring.parts.get_mut(leg.part)) {
            part.hear(outcome);
        }
    }

    /// A leg of the part has rung for so long.
    pub(super) fn part_rang(&mut self, leg: &Leg, now: Now) {
        let rang = leg.rang_for(now);
        if let Some(part) = self.ring_mut().and_then(|ring| ring.parts.get_mut(leg.part)) {
            part.rang = part.rang.max(rang);
        }
    }

    /// How a part was planned, and whose it is.
    pub(super) fn part_plan(&self, at: usize) -> Option<(LegPlan, Option<RunId>)> {
        self.ring()?.parts.get(at).map(|part| (part.plan.clone(), part.owner))
    }

    /// Whether a part rings people on a call too.
    pub(super) fn rings_busy(&self, at: usize) -> bool {
        self.ring().and_then(|ring| ring.parts.get(at)).is_some_and(|part| part.manners.ring_busy)
    }

    /// When a part is over at the latest.
    pub(super) fn part_ends(&self, at: usize) -> Duration {
        let owner = self.part_plan(at).and_then(|(_, owner)| self.nested.get(&owner?));
        let own = owner.map_or(Duration::MAX, Nested::ends);
        self.ring().map_or(own, |ring| ring.ends.min(own))
    }

    /// What came of a part otherwise than by its legs.
    pub(super) fn part_hears(&mut self, at: usize, outcome: Option<Outcome>) {
        let part = self.ring_mut().and_then(|ring| ring.parts.get_mut(at));
        if let (Some(part), Some(outcome)) = (part, outcome) {
            part.hear(outcome);
        }
    }

    /// Adds what a person's rule rings, and says where it stands.
    pub(super) fn add_parts(&mut self, now: Duration, plan: &RingPlan, owner: RunId) -> Option<Range<usize>> {
        let ring = self.ring_mut()?;
        let first = ring.parts.len();
        ring.parts.extend(parts_of(plan, now, Some(owner)));
        Some(first..ring.parts.len())
    }

    /// Whom a person's rule has rung so far in the ring.
    pub(super) fn planned_by(&self, owner: RunId) -> Vec<DestinationRef> {
        let parts = self.ring().map(|ring| ring.parts.iter()).into_iter().flatten();
        parts.filter(|part| part.owner == Some(owner)).map(|part| part.plan.to.clone()).collect()
    }

    pub(super) fn parts_are_over(&self, parts: Range<usize>) -> bool {
        let parts = self.ring().and_then(|ring| ring.parts.get(parts));
        parts.is_some_and(|parts| parts.iter().all(|part| matches!(part.state, PartState::Done(_))))
    }

    pub(super) fn best_of(&self, parts: Range<usize>) -> Option<Outcome> {
        let parts = self.ring()?.parts.get(parts)?;
        parts.iter().filter_map(|part| part.best.clone()).reduce(cause::better)
    }

    /// Nothing starts any more of what belongs to a rule; of the ring itself, nothing at all.
    pub(super) fn cancel_waiting(&mut self, owner: Option<RunId>) {
        let Some(ring) = self.ring_mut() else { return };
        for part in ring.parts.iter_mut().filter(|part| owner.is_none() || part.owner == owner) {
            if matches!(part.state, PartState::Waiting { .. }) {
                part.state = PartState::Done(LegEnd::Cancelled);
            }
        }
    }

    /// A leg of the part is silent: unreachable for now, without closing the leg.
    pub(super) fn part_silent(&mut self, at: usize) {
        if let Some(part) = self.ring_mut().and_then(|ring| ring.parts.get_mut(at)) {
            part.hear(Outcome::Unreachable);
        }
    }

    /// A part none of whose legs is alive is over, and comes back when a silent phone speaks after all.
    fn close_part(&mut self, at: usize) {
        let asked = self.nested.values().any(|one| one.part == at && one.is_active());
        let alive = asked || self.legs.values().any(|leg| leg.part == at && leg.is_alive());
        let Some(part) = self.ring_mut().and_then(|ring| ring.parts.get_mut(at)) else { return };
        match (&part.state, alive) {
            (PartState::Rung, false) => {
                part.state = PartState::Done(match &part.best {
                    Some(best) => LegEnd::Outcome(best.clone()),
                    None => LegEnd::Cancelled,
                });
            }
            (PartState::Done(_), true) => part.state = PartState::Rung,
            (PartState::Rung, true) | (PartState::Done(_), false) | (PartState::Waiting { .. }, _) => {}
        }
    }

    /// A person's decline ends their other legs, or the ring where it says so (TELEPHONY T10).
    pub(super) fn person_declined(&mut self, board: &mut Switchboard, user: Option<&UserId>, at: usize) {
        let Some(ring) = self.ring_mut() else { return };
        ring.declined.extend(user.cloned());
        let Some(part) = ring.parts.get(at) else { return };
        let (whole, owner) = (part.manners.stop_on_decline, part.owner);
        if whole {
            self.cancel_waiting(owner);
        }
        let is_theirs = |leg: &Leg| {
            let is_persons = user.is_some() && leg.user.as_ref() == user;
            leg.is_wanted() && (is_persons || (whole && self.belongs(leg.part, owner)))
        };
        let theirs: Vec<_> = self.legs.values().filter(|leg| is_theirs(leg)).map(|leg| leg.id).collect();
        for id in theirs {
            self.take_back(board, id, None, LegRecordEnd::Cancelled(Cause::Declined));
        }
    }

    /// What happens by time while phones ring.
    pub(super) fn ring_tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        let Some(ring) = self.ring() else { return };
        if ring.ends <= now {
            self.ring_timed_out(board);
            return;
        }
        let due: Vec<_> = self
            .legs
            .values()
            .filter(|leg| leg.deadline().is_some_and(|deadline| deadline.at <= now))
            .map(|leg| leg.id)
            .collect();
        for id in due {
            self.leg_due(board, id);
        }
        self.nested_tick(board);
        self.ring_on(board);
    }

    pub(super) fn ring_deadline(&self, ring: &Ring) -> Option<Deadline> {
        let starts = ring.parts.iter().filter_map(|part| match part.state {
            PartState::Waiting { start } => Some(Deadline { at: start, why: Timer::LegStart }),
            PartState::Rung | PartState::Done(_) => None,
        });
        let legs = self.legs.values().filter_map(|leg| leg.deadline());
        let ends = self.nested_deadline().map_or(ring.ends, |ends| ends.min(ring.ends));
        starts.chain(legs).chain([Deadline { at: ends, why: Timer::RingEnd }]).min()
    }

    fn ring_timed_out(&mut self, board: &mut Switchboard) {
        for id in self.wanted_legs() {
            let rings = self.legs.get(&id).is_some_and(|leg| leg.is_ringing());
            self.give_up(board, id, if rings { Outcome::NoAnswer } else { Outcome::Unreachable });
        }
        self.cancel_waiting(None);
        self.stop_nested(board);
        self.ring_on(board);
    }

    /// Nobody answered: the best outcome goes to whoever wanted the ring.
    fn ring_over(&mut self, board: &mut Switchboard) {
        let Stage::Ringing(ring) = std::mem::replace(&mut self.stage, Stage::Deciding) else { return };
        // Silent phones may still have our INVITE: nobody waits for them now.
        for id in self.wanted_legs() {
            self.take_back(board, id, None, LegRecordEnd::Outcome(Outcome::Unreachable));
        }
        self.stop_nested(board);
        let planned = ring.parts.iter().take(ring.planned);
        let best = planned.filter_map(|part| part.best.clone()).reduce(cause::better);
        if let Some(outcome) = &best {
            self.story.fact(board.now, Source::Switch, FactKind::RingEnded(outcome.clone()));
        }
        self.best = match (self.best.take(), best.clone()) {
            (Some(before), Some(now)) => Some(cause::better(before, now)),
            (before, now) => before.or(now),
        };
        let rung: Vec<_> = ring.parts.iter().map(|part| part.plan.to.clone()).collect();
        self.let_go_of(board, &rung);
        self.publish(board);
        match ring.origin {
            Origin::Rule(ask) => {
                let outcome = best.unwrap_or(Outcome::Unreachable);
                self.answer_rule(board, ask, Answer::Rang(Ok(ring.report(0..ring.planned, outcome))));
            }
            Origin::Fallback | Origin::Device => {
                let last = Final::of_outcome(self.best.as_ref());
                self.reject(board, &last, Disposition::Rejected);
            }
        }
    }

    /// A leg has won: the others lose, and say why nobody missed anything (TELEPHONY T12).
    pub(super) fn ring_won(
        &mut self,
        board: &mut Switchboard,
        ring: &mut Ring,
        winner: &Leg,
        within: &[usize],
        outcome: Outcome,
    ) -> RingReport {
        self.tell_the_unheard(board);
        for id in self.wanted_legs() {
            self.take_back(board, id, Some(COMPLETED_ELSEWHERE), LegRecordEnd::Elsewhere);
        }
        for (at, part) in ring.parts.iter_mut().enumerate() {
            part.state = match (&part.state, within.contains(&at)) {
                (_, true) => PartState::Done(LegEnd::Outcome(outcome.clone())),
                (PartState::Waiting { .. }, false) => PartState::Done(LegEnd::Cancelled),
                (PartState::Rung, false) => PartState::Done(LegEnd::Elsewhere),
                (PartState::Done(end), false) => PartState::Done(end.clone()),
            };
        }
        for at in within {
            if let Some(part) = ring.parts.get_mut(*at) {
                part.rang = winner.rang_for(board.now);
            }
        }
        ring.report(0..ring.planned, outcome)
    }

    /// The call ends, or its rule does, while phones ring.
    pub(super) fn abandon_ring(&mut self, board: &mut Switchboard, ring: &Ring, cause: Cause) {
        self.take_back_all(board, &cause);
        self.stop_nested(board);
        if let (Origin::Rule(ask), Cause::CallerCancelled | Cause::CallerLost | Cause::ShuttingDown) =
            (ring.origin, cause)
        {
            self.answer_rule(board, ask, Answer::Rang(Err(crate::rule::CallError::CallerGone)));
        }
    }

    /// Whether nobody misses anything when a part moves on: its own ring says so, or one that it is within.
    pub(super) fn keeps_unmissed(&self, part: usize) -> bool {
        let says = |at: &usize| {
            self.ring().and_then(|ring| ring.parts.get(*at)).map(|part| part.manners.keep_unmissed)
        };
        self.within(part).iter().filter_map(says).any(|keeps| keeps)
    }

    /// How some parts of the ring went.
    pub(super) fn report_of(&self, parts: Range<usize>, outcome: Outcome) -> RingReport {
        match self.ring() {
            Some(ring) => ring.report(parts, outcome),
            None => RingReport { outcome, legs: Vec::new() },
        }
    }

    fn ring(&self) -> Option<&Ring> {
        match &self.stage {
            Stage::Ringing(ring) => Some(ring),
            Stage::Deciding | Stage::Coding(_) | Stage::Talking(_) | Stage::Over { .. } => None,
        }
    }

    fn ring_mut(&mut self) -> Option<&mut Ring> {
        match &mut self.stage {
            Stage::Ringing(ring) => Some(ring),
            Stage::Deciding | Stage::Coding(_) | Stage::Talking(_) | Stage::Over { .. } => None,
        }
    }
}

impl Part {
    fn hear(&mut self, outcome: Outcome) {
        self.best = Some(match self.best.take() {
            Some(best) => cause::better(best, outcome),
            None => outcome,
        });
    }
}

impl Ring {
    pub(super) fn report(&self, parts: Range<usize>, outcome: Outcome) -> RingReport {
        let report = |part: &Part| LegReport {
            to: part.plan.to.clone(),
            ended: match &part.state {
                PartState::Done(end) => end.clone(),
                PartState::Waiting { .. } | PartState::Rung => LegEnd::Cancelled,
            },
            rang: part.rang,
        };
        RingReport { outcome, legs: self.parts.get(parts).unwrap_or_default().iter().map(report).collect() }
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }
}

fn parts_of(plan: &RingPlan, began: Duration, owner: Option<RunId>) -> impl Iterator<Item = Part> + '_ {
    let manners = Manners {
        stop_on_decline: plan.stop_on_decline,
        ring_busy: plan.ring_busy,
        keep_unmissed: plan.keep_unmissed,
        skip_rung: plan.skip_rung,
    };
    plan.legs.iter().map(move |leg| Part {
        plan: leg.clone(),
        owner,
        manners,
        state: PartState::Waiting { start: began.saturating_add(leg.start_after) },
        best: None,
        rang: Duration::ZERO,
    })
}
