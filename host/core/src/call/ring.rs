//! One attempt at one or more destinations: parts that start together, later or one after another.
//!
//! A part is one planned destination with the legs it came down to. A part that waits for its time starts at once
//! when nothing of the ring is alive any more, so that no caller waits for silence.

use std::collections::BTreeSet;
use std::time::Duration;

use super::leg::Leg;
use super::{Call, Stage};
use crate::cause::{self, COMPLETED_ELSEWHERE, Final};
use crate::dial::{self, Reach};
use crate::names::{AskId, Extension, UserId};
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
    plan: RingPlan,
    origin: Origin,
    ends: Duration,
    parts: Vec<Part>,
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
    state: PartState,
    /// Best outcome of its legs so far.
    best: Option<Outcome>,
    rang: Duration,
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
        plan: RingPlan,
        origin: Origin,
        source: Source,
    ) {
        let began = board.now.mono;
        let parts = plan
            .legs
            .iter()
            .map(|leg| Part {
                state: PartState::Waiting { start: began.saturating_add(leg.start_after) },
                best: None,
                rang: Duration::ZERO,
            })
            .collect();
        let legs = plan.legs.iter().map(|leg| (leg.to.clone(), millis32(leg.start_after))).collect();
        self.story.fact(board.now, source, FactKind::RingBegan { legs, time_ms: millis32(plan.time) });
        let ends = began.saturating_add(plan.time);
        self.stage = Stage::Ringing(Ring { plan, origin, ends, parts, declined: BTreeSet::new() });
        self.ring_on(board);
    }

    /// Goes on with the ring: starts what is due, ends it when nothing is left.
    pub(super) fn ring_on(&mut self, board: &mut Switchboard) {
        while let Some(at) = self.next_part(board.now.mono) {
            self.start_part(board, at);
        }
        for at in 0..self.ring().map_or(0, |ring| ring.parts.len()) {
            self.close_part(at);
        }
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
        let idle = !self.legs.values().any(|leg| leg.is_alive());
        ring.parts
            .iter()
            .enumerate()
            .filter_map(|(at, part)| match part.state {
                PartState::Waiting { start } => Some((start, at)),
                PartState::Rung | PartState::Done(_) => None,
            })
            .min()
            .filter(|(start, _)| *start <= now || idle)
            .map(|(_, at)| at)
    }

    fn start_part(&mut self, board: &mut Switchboard, at: usize) {
        let Some(ring) = self.ring_mut() else { return };
        let Some(part) = ring.parts.get_mut(at) else { return };
        part.state = PartState::Rung;
        let (plan, ring_busy) = (ring.plan.legs[at].clone(), ring.plan.ring_busy);
        let tenant = board.tenant(&self.facts.tenant).unwrap_or_else(|| self.tenant.clone());
        match dial::reach(&board.picture, &tenant, &plan.to, ring_busy) {
            Ok(found) => {
                let before = self.rung_before(&found);
                let found = self.not_yet_rung(found);
                if found.is_empty() {
                    self.not_rung(board, at, plan.to.clone(), NotRung::AlreadyRung);
                    self.part_was(at, before);
                }
                self.ring_devices(board, at, &plan, Way::planned(&plan), &found);
            }
            Err(why) => self.not_rung(board, at, plan.to, why),
        }
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
    pub(super) fn not_yet_rung(&self, found: Vec<Reach>) -> Vec<Reach> {
        let Some(ring) = self.ring() else { return Vec::new() };
        let skip_rung = self.skips_rung(ring);
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

    /// Whoever takes a call over does not ring again what was rung to an end (TELEPHONY T32).
    fn skips_rung(&self, ring: &Ring) -> bool {
        ring.origin == Origin::Fallback || self.handed_over.is_some()
    }

    /// The best that came of devices when they were rung before.
    fn rung_before(&self, found: &[Reach]) -> Option<Outcome> {
        let outcomes = found.iter().filter_map(|reach| self.rung.get(&reach.device).cloned());
        self.ring().filter(|ring| self.skips_rung(ring)).and_then(|_| outcomes.reduce(cause::better))
    }

    fn part_was(&mut self, at: usize, before: Option<Outcome>) {
        let part = self.ring_mut().and_then(|ring| ring.parts.get_mut(at));
        if let (Some(part), Some(outcome)) = (part, before) {
            part.hear(outcome);
        }
    }

    pub(super) fn not_rung(&mut self, board: &mut Switchboard, at: usize, to: DestinationRef, why: NotRung) {
        let outcome = why.outcome();
        self.story.fact(board.now, Source::Registrar, FactKind::NotRung { to, why });
        if let (Some(outcome), Some(part)) =
            (outcome, self.ring_mut().and_then(|ring| ring.parts.get_mut(at)))
        {
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

    /// How the part was planned that a leg belongs to, and whether it rings people on a call too.
    pub(super) fn plan_of_part(&self, at: usize) -> Option<(LegPlan, bool)> {
        let ring = self.ring()?;
        Some((ring.plan.legs.get(at)?.clone(), ring.plan.ring_busy))
    }

    /// A leg of the part is silent: unreachable for now, without closing the leg.
    pub(super) fn part_silent(&mut self, at: usize) {
        if let Some(part) = self.ring_mut().and_then(|ring| ring.parts.get_mut(at)) {
            part.hear(Outcome::Unreachable);
        }
    }

    /// A part none of whose legs is alive is over, and comes back when a silent phone speaks after all.
    fn close_part(&mut self, at: usize) {
        let alive = self.legs.values().any(|leg| leg.part == at && leg.is_alive());
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
    pub(super) fn person_declined(&mut self, board: &mut Switchboard, user: Option<&UserId>) {
        let Some(ring) = self.ring_mut() else { return };
        let whole = ring.plan.stop_on_decline;
        ring.declined.extend(user.cloned());
        if whole {
            for part in &mut ring.parts {
                if matches!(part.state, PartState::Waiting { .. }) {
                    part.state = PartState::Done(LegEnd::Cancelled);
                }
            }
        }
        let theirs: Vec<_> = self
            .legs
            .values()
            .filter(|leg| leg.is_wanted() && (whole || (user.is_some() && leg.user.as_ref() == user)))
            .map(|leg| leg.id)
            .collect();
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
        self.ring_on(board);
    }

    pub(super) fn ring_deadline(&self, ring: &Ring) -> Option<Deadline> {
        let starts = ring.parts.iter().filter_map(|part| match part.state {
            PartState::Waiting { start } => Some(Deadline { at: start, why: Timer::LegStart }),
            PartState::Rung | PartState::Done(_) => None,
        });
        let legs = self.legs.values().filter_map(|leg| leg.deadline());
        starts.chain(legs).chain([Deadline { at: ring.ends, why: Timer::RingEnd }]).min()
    }

    fn ring_timed_out(&mut self, board: &mut Switchboard) {
        for id in self.wanted_legs() {
            let rings = self.legs.get(&id).is_some_and(|leg| leg.is_ringing());
            self.give_up(board, id, if rings { Outcome::NoAnswer } else { Outcome::Unreachable });
        }
        if let Some(ring) = self.ring_mut() {
            for part in &mut ring.parts {
                if matches!(part.state, PartState::Waiting { .. }) {
                    part.state = PartState::Done(LegEnd::Cancelled);
                }
            }
        }
        self.ring_on(board);
    }

    /// Nobody answered: the best outcome goes to whoever wanted the ring.
    fn ring_over(&mut self, board: &mut Switchboard) {
        let Stage::Ringing(ring) = std::mem::replace(&mut self.stage, Stage::Deciding) else { return };
        // Silent phones may still have our INVITE: nobody waits for them now.
        for id in self.wanted_legs() {
            self.take_back(board, id, None, LegRecordEnd::Outcome(Outcome::Unreachable));
        }
        let best = ring.parts.iter().filter_map(|part| part.best.clone()).reduce(cause::better);
        if let Some(outcome) = &best {
            self.story.fact(board.now, Source::Switch, FactKind::RingEnded(outcome.clone()));
        }
        self.best = match (self.best.take(), best.clone()) {
            (Some(before), Some(now)) => Some(cause::better(before, now)),
            (before, now) => before.or(now),
        };
        self.publish(board);
        match ring.origin {
            Origin::Rule(ask) => {
                let outcome = best.unwrap_or(Outcome::Unreachable);
                self.answer_rule(board, ask, Answer::Rang(Ok(ring.report(outcome))));
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
        outcome: Outcome,
    ) -> RingReport {
        self.tell_the_unheard(board);
        for id in self.wanted_legs() {
            self.take_back(board, id, Some(COMPLETED_ELSEWHERE), LegRecordEnd::Elsewhere);
        }
        for (at, part) in ring.parts.iter_mut().enumerate() {
            part.state = match (&part.state, at == winner.part) {
                (_, true) => PartState::Done(LegEnd::Outcome(outcome.clone())),
                (PartState::Waiting { .. }, false) => PartState::Done(LegEnd::Cancelled),
                (PartState::Rung, false) => PartState::Done(LegEnd::Elsewhere),
                (PartState::Done(end), false) => PartState::Done(end.clone()),
            };
        }
        if let Some(part) = ring.parts.get_mut(winner.part) {
            part.rang = winner.rang_for(board.now);
        }
        ring.report(outcome)
    }

    /// The call ends, or its rule does, while phones ring.
    pub(super) fn abandon_ring(&mut self, board: &mut Switchboard, ring: &Ring, cause: Cause) {
        self.take_back_all(board, &cause);
        if let (Origin::Rule(ask), Cause::CallerCancelled | Cause::CallerLost | Cause::ShuttingDown) =
            (ring.origin, cause)
        {
            self.answer_rule(board, ask, Answer::Rang(Err(crate::rule::CallError::CallerGone)));
        }
    }

    pub(super) fn keeps_unmissed(&self) -> bool {
        self.ring().is_some_and(|ring| ring.plan.keep_unmissed)
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
    fn report(&self, outcome: Outcome) -> RingReport {
        let legs = self
            .plan
            .legs
            .iter()
            .zip(&self.parts)
            .map(|(plan, part)| LegReport {
                to: plan.to.clone(),
                ended: match &part.state {
                    PartState::Done(end) => end.clone(),
                    PartState::Waiting { .. } | PartState::Rung => LegEnd::Cancelled,
                },
                rang: part.rang,
            })
            .collect();
        RingReport { outcome, legs }
    }

    pub(super) fn origin(&self) -> Origin {
        self.origin
    }
}

fn millis32(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
