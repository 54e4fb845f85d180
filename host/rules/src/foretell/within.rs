//! A person who is rung as they wish to be, a group that is rung as it is set: their own rule says what rings, in the time
//! that the ring around it has.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::group::DEPTH_MAX;
use callwright_core::names::GroupName;
use callwright_core::record::NotRung;
use callwright_core::route::{self, Foretold, PEOPLE_MAX, Step, What};
use callwright_core::rule::{ActiveRule, DestinationRef, Outcome};

use super::{Left, Oracle};

/// Whose rule it is, and when their part of the ring is over.
pub(super) struct Within {
    pub(super) who: DestinationRef,
    until: Duration,
    /// What was rung to an end does not ring again.
    pub(super) skips_rung: bool,
}

impl Oracle<'_, '_> {
    /// What is left of the ring around it.
    pub(super) fn left(&self) -> Duration {
        self.within.last().map_or(Duration::MAX, |within| within.until.saturating_sub(self.now))
    }

    /// The group whose own rule rings now.
    pub(super) fn group_ringing(&self) -> Option<GroupName> {
        match self.within.last() {
            Some(within) => within.who.group().cloned(),
            None => self.question.tenant.plan.find(self.question.number)?.group().cloned(),
        }
    }

    /// What somebody comes to whose own rule rings them, and how long it takes.
    pub(super) fn by_rule(
        &mut self,
        who: &DestinationRef,
        (begins, time): (Duration, Duration),
        skips_rung: bool,
        steps: &mut Vec<Step>,
    ) -> (Outcome, Duration) {
        let from = self.now.saturating_add(begins);
        if let Some(why) = self.bars(who) {
            let outcome = why.outcome().unwrap_or(Outcome::Unreachable);
            let to = who.clone();
            let leg = Foretold { to, after: Duration::ZERO, whom: Err(why), within: Vec::new() };
            let what = What::Rings { legs: vec![leg], lasts: Duration::ZERO, comes_to: outcome.clone() };
            steps.push(Step { at: from, what });
            return (outcome, Duration::ZERO);
        }
        let around = (
            std::mem::replace(&mut self.now, from),
            std::mem::take(&mut self.steps),
            self.best.take(),
            self.by.clone(),
        );
        let skips_rung = skips_rung || self.within.last().is_some_and(|within| within.skips_rung);
        self.within.push(Within { who: who.clone(), until: from.saturating_add(time), skips_rung });
        match route::within(self.question.view, self.question.tenant, who) {
            Some(rule) => self.decide_within(&rule, who),
            None => self.ring_their_devices(who),
        }
        self.within.pop();
        let took = self.now.saturating_sub(from);
        let outcome = self.best.take().unwrap_or(Outcome::Unreachable);
        let inner;
        (self.now, inner, self.best, self.by) =
            (around.0, std::mem::replace(&mut self.steps, around.1), around.2, around.3);
        let within = |step: Step| Step { at: step.at, what: What::Within(who.clone(), Box::new(step.what)) };
        steps.extend(inner.into_iter().map(within));
        (outcome, took)
    }

    /// Why their rule is not asked.
    fn bars(&self, who: &DestinationRef) -> Option<NotRung> {
        let dialled = self.question.tenant.plan.find(self.question.number);
        let is_dialled = dialled.is_some_and(|to| match (who.user(), to.user()) {
            (Some(who), Some(dialled)) => who == dialled,
            (Some(_), None) | (None, _) => who == to,
        });
        if is_dialled || self.within.iter().any(|within| within.who == *who) {
            return Some(NotRung::Loop);
        }
        let people = self.within.iter().filter(|within| within.who.user().is_some()).count();
        let is_deep = self.within.len() >= DEPTH_MAX || (who.user().is_some() && people >= PEOPLE_MAX);
        is_deep.then(|| NotRung::Limit("nesting".to_owned()))
    }

    /// A rule that fails, or rings nobody, leaves their devices.
    fn decide_within(&mut self, rule: &Arc<ActiveRule>, who: &DestinationRef) {
        match self.run(rule) {
            (Left::Decided, _) => {}
            (Left::Undecided, true) if self.best.is_some() => {}
            (Left::Undecided, _) => self.ring_their_devices(who),
            (Left::HandedOver, _) => match self.handed_over(rule) {
                Some(standard) => self.decide_within(&standard, who),
                None => self.ring_their_devices(who),
            },
        }
    }

    fn ring_their_devices(&mut self, who: &DestinationRef) {
        let to = who.user().map_or_else(|| who.clone(), |user| DestinationRef::User(user.clone()));
        self.ring_alone(to, self.left());
    }
}
