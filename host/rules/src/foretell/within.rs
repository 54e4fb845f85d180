//! A person who is rung as they wish to be: their own rule says what rings, in the time that the ring around it has.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::names::UserId;
use callwright_core::record::NotRung;
use callwright_core::route::{self, DEPTH_MAX, Foretold, Step, What};
use callwright_core::rule::{ActiveRule, DestinationRef, Outcome};

use super::{Left, Oracle};

/// Whose rule it is, and when their part of the ring is over.
pub(super) struct Within {
    pub(super) user: UserId,
    until: Duration,
}

impl Oracle<'_, '_> {
    /// What is left of the ring around it.
    pub(super) fn left(&self) -> Duration {
        self.within.last().map_or(Duration::MAX, |within| within.until.saturating_sub(self.now))
    }

    /// Several people at once: the best of what they come to, and how long it takes.
    pub(super) fn people(
        &mut self,
        people: &[UserId],
        begins: Duration,
        time: Duration,
        steps: &mut Vec<Step>,
    ) -> (Outcome, Duration) {
        let (mut best, mut lasts) = (None, Duration::ZERO);
        for person in people {
            let (outcome, took) = self.person(person, begins, time, steps);
            best = best.into_iter().chain([outcome]).min();
            lasts = lasts.max(took);
        }
        (best.unwrap_or(Outcome::Unreachable), lasts)
    }

    fn person(
        &mut self,
        person: &UserId,
        begins: Duration,
        time: Duration,
        steps: &mut Vec<Step>,
    ) -> (Outcome, Duration) {
        let from = self.now.saturating_add(begins);
        if let Some(why) = self.bars(person) {
            let outcome = why.outcome().unwrap_or(Outcome::Unreachable);
            let to = DestinationRef::Person(person.clone());
            let leg = Foretold { to, after: Duration::ZERO, whom: Err(why), people: Vec::new() };
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
        self.within.push(Within { user: person.clone(), until: from.saturating_add(time) });
        match route::of_user(self.question.view, self.question.tenant, person) {
            Some(rule) => self.decide_within(&rule, person),
            None => self.ring_their_devices(person),
        }
        self.within.pop();
        let took = self.now.saturating_sub(from);
        let outcome = self.best.take().unwrap_or(Outcome::Unreachable);
        let inner;
        (self.now, inner, self.best, self.by) =
            (around.0, std::mem::replace(&mut self.steps, around.1), around.2, around.3);
        let within =
            |step: Step| Step { at: step.at, what: What::Within(person.clone(), Box::new(step.what)) };
        steps.extend(inner.into_iter().map(within));
        (outcome, took)
    }

    /// Why their rule is not asked.
    fn bars(&self, person: &UserId) -> Option<NotRung> {
        let dialled = || self.question.tenant.plan.find(self.question.number)?.user();
        if dialled() == Some(person) || self.within.iter().any(|within| within.user == *person) {
            return Some(NotRung::Loop);
        }
        (self.within.len() >= DEPTH_MAX).then(|| NotRung::Limit("nesting".to_owned()))
    }

    /// A rule that fails, or rings nobody, leaves the person's devices.
    fn decide_within(&mut self, rule: &Arc<ActiveRule>, person: &UserId) {
        match self.run(rule) {
            (Left::Decided, _) => {}
            (Left::Undecided, true) if self.best.is_some() => {}
            (Left::Undecided, _) => self.ring_their_devices(person),
            (Left::HandedOver, _) => {
                self.step(What::HandsOver);
                let standard = self.question.view.config.standard.clone();
                match standard.filter(|version| *version != rule.version) {
                    Some(version) => {
                        self.decide_within(&Arc::new(ActiveRule::standard(&rule.tenant, version)), person);
                    }
                    None => self.ring_their_devices(person),
                }
            }
        }
    }

    fn ring_their_devices(&mut self, person: &UserId) {
        self.ring_alone(DestinationRef::User(person.clone()), self.left());
    }
}
