//! Where a call would go if nobody answered: the real rule on the real picture, with phones that only ring.
//!
//! Nothing is rung and nothing changes. What a rule reads is read; what it asks is answered as the picture says, and a phone that
//! is registered and free rings until its time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::{Fallback, Tenant};
use callwright_core::kept::Rehearsal;
use callwright_core::names::{AskId, Extension, RunId, Version};
use callwright_core::record::NotRung;
use callwright_core::route::{self, Decider, Foretold, Route, Step, What};
use callwright_core::rule::{
    ActiveRule, Answer, Ask, CallError, CallFacts, DestinationRef, Entry, LegEnd, LegPlan, LegReport, Note,
    Outcome, Party, RingPlan, RingReport, RunEvent, RunOutcome, RunStart,
};
use callwright_core::{Now, View};
use jiff::Timestamp;

use crate::door::Answered;
use crate::engine::Rule;
use crate::run::{Run, Step as Stretch};

/// Rings that a foretold call has at most: each has a leg, and a call has 30 (RULES §3).
const RINGS_MAX: usize = 30;

/// The id of a call that nobody made.
const FORETOLD: &str = "foretold";

/// What a question about a route is about.
pub struct Question<'a> {
    /// What is known now.
    pub view: &'a Arc<View>,
    /// Whose number.
    pub tenant: &'a Tenant,
    /// The number as dialled.
    pub number: &'a str,
    /// When the call would come.
    pub at: Timestamp,
    /// Finds a version that is ready.
    pub ready: &'a dyn Fn(&Version) -> Option<Rule>,
}

/// Follows a call.
#[must_use]
pub fn foretell(question: &Question<'_>) -> Route {
    let decider = route::decider(question.view, question.tenant, question.number);
    let mut oracle = Oracle {
        question,
        now: Duration::ZERO,
        steps: Vec::new(),
        rung: BTreeSet::new(),
        best: None,
        kept: Rehearsal::of(&question.view.kept),
    };
    match &decider {
        Decider::Emergency | Decider::Nobody => {}
        Decider::Device(device) => {
            oracle.ring_alone(DestinationRef::Device(device.clone()), question.tenant.ring_time);
            oracle.end();
        }
        Decider::Rule(rule, _) | Decider::Standard(rule) => oracle.decide(rule),
        Decider::Fallback => oracle.fall_back(None),
    }
    Route { decider, lasts: oracle.now, steps: oracle.steps }
}

struct Oracle<'a, 'q> {
    question: &'a Question<'q>,
    now: Duration,
    steps: Vec<Step>,
    /// Whoever takes a call over does not ring again what was rung to an end (TELEPHONY T32).
    rung: BTreeSet<Extension>,
    best: Option<Outcome>,
    kept: Rehearsal,
}

/// How a rule left the call.
enum Left {
    Decided,
    HandedOver,
    Undecided,
}

impl Oracle<'_, '_> {
    fn step(&mut self, what: What) {
        self.steps.push(Step { at: self.now, what });
    }

    fn decide(&mut self, rule: &Arc<ActiveRule>) {
        match self.run(rule) {
            Left::Decided => {}
            Left::Undecided => self.fall_back(rule.fallback.clone()),
            Left::HandedOver => {
                self.step(What::HandsOver);
                let standard = self.question.view.config.standard.clone();
                match standard.filter(|version| *version != rule.version) {
                    Some(version) => self.decide(&Arc::new(ActiveRule::standard(&rule.tenant, version))),
                    None => self.ring_dialled(),
                }
            }
        }
    }

    /// Drives a run to its end.
    fn run(&mut self, rule: &Arc<ActiveRule>) -> Left {
        self.step(What::Decides(Arc::clone(rule)));
        let Some(ready) = (self.question.ready)(&rule.version) else {
            self.step(What::Fails(RunOutcome::InstantiateFailed("it is not loaded".to_owned())));
            return Left::Undecided;
        };
        let mut run = Run::start(&ready, self.start(rule));
        let mut answered = None;
        let mut left = Left::Undecided;
        loop {
            let (event, spent) = match run.resume(answered.take()) {
                Stretch::Slice => continue,
                Stretch::Event { event, spent } => (event, spent),
            };
            for note in spent.notes {
                self.step(match note {
                    Note::Because(text) => What::Says(text),
                    Note::Read { what, got } => What::Reads(what, got),
                });
            }
            match event {
                RunEvent::Asked { ask, what } => {
                    let answer = self.answer(what, &mut left);
                    answered = Some(self.answered(ask, answer));
                }
                RunEvent::Ended(RunOutcome::Ok) => return left,
                RunEvent::Ended(outcome) => {
                    self.step(What::Fails(outcome));
                    return left;
                }
            }
        }
    }

    fn start(&self, rule: &Arc<ActiveRule>) -> RunStart {
        let Question { view, tenant, number, .. } = self.question;
        let to = tenant.plan.find(number);
        let user = to.and_then(DestinationRef::user).cloned();
        let group = to.and_then(DestinationRef::group).cloned();
        let name = user.as_ref().and_then(|user| tenant.users.get(user)).map(|user| user.name.clone());
        let call = CallFacts {
            id: FORETOLD.into(),
            tenant: tenant.id.clone(),
            caller: Party::default(),
            dialled: Party {
                name: name.unwrap_or_default(),
                number: Some((*number).to_owned()),
                user: user.clone(),
                withheld: false,
            },
            number: (*number).to_owned(),
            group,
            for_user: user,
            entry: Entry::Device(None),
        };
        RunStart {
            run: RunId(0),
            rule: Arc::clone(rule),
            call: Arc::new(call),
            seed: 0,
            view: Arc::clone(view),
            now: self.clock(),
            call_began: Duration::ZERO,
        }
    }

    fn clock(&self) -> Now {
        let wall = self.question.at.checked_add(self.now).unwrap_or(Timestamp::MAX);
        Now { mono: self.now, wall }
    }

    fn answered(&self, ask: AskId, answer: Answer) -> Answered {
        Answered { ask, answer, view: Arc::clone(self.question.view), now: self.clock() }
    }

    fn answer(&mut self, what: Ask, left: &mut Left) -> Answer {
        match (what, &left) {
            (Ask::Keep(ask), _) => {
                let (now, tenant) = (self.clock().wall, &self.question.tenant.id);
                Answer::Kept(self.kept.keep(now, tenant, &FORETOLD.into(), ask))
            }
            (Ask::Ring(_), Left::Decided | Left::HandedOver) => Answer::Rang(Err(CallError::AlreadyEnded)),
            (Ask::Ring(plan), Left::Undecided) => self.ring(&plan),
            (Ask::Standard | Ask::Refuse(_) | Ask::Conclude, Left::Decided | Left::HandedOver) => {
                Answer::Done(Err(CallError::AlreadyEnded))
            }
            (Ask::Standard, Left::Undecided) => {
                *left = Left::HandedOver;
                Answer::Done(Ok(()))
            }
            (Ask::Refuse(how), Left::Undecided) => {
                self.step(What::Refuses(how));
                *left = Left::Decided;
                Answer::Done(Ok(()))
            }
            (Ask::Conclude, Left::Undecided) => {
                self.end();
                *left = Left::Decided;
                Answer::Done(Ok(()))
            }
        }
    }

    /// Nobody answers: whoever can ring does so until its time is over.
    fn ring(&mut self, plan: &RingPlan) -> Answer {
        let rings = self.steps.iter().filter(|step| matches!(step.what, What::Rings { .. })).count();
        if rings >= RINGS_MAX {
            return Answer::Rang(Err(CallError::LimitExceeded("legs".to_owned())));
        }
        let report = self.rings(plan, false);
        Answer::Rang(Ok(report))
    }

    fn ring_alone(&mut self, to: DestinationRef, time: Duration) {
        let leg = LegPlan { to, start_after: Duration::ZERO, ring_for: None, label: None };
        self.rings(&RingPlan { legs: vec![leg], time, ..RingPlan::default() }, true);
    }

    fn rings(&mut self, plan: &RingPlan, skips_rung: bool) -> RingReport {
        let Question { view, tenant, .. } = self.question;
        let mut waiting: Vec<_> = plan.legs.iter().enumerate().collect();
        waiting.sort_by_key(|(index, leg)| (leg.start_after, *index));
        let (mut legs, mut reports) = (Vec::new(), vec![None; plan.legs.len()]);
        let mut ringing: Vec<(Extension, Duration)> = Vec::new();
        // Nothing rings after that moment.
        let mut silent_from = Duration::ZERO;
        for (index, leg) in waiting {
            let begins = leg.start_after.min(silent_from);
            if begins >= plan.time {
                continue;
            }
            let mut whom = route::whom(view, tenant, &leg.to, plan.ring_busy);
            let mut outcome = comes_to(&whom);
            if let Ok(devices) = &mut whom {
                devices.retain(|device| {
                    !ringing.iter().any(|(known, until)| known == device && *until > begins)
                });
                // In this ring it has its outcome from the other leg; in an earlier one it has had it.
                outcome = outcome.filter(|_| !devices.is_empty());
                if skips_rung && devices.iter().any(|device| self.rung.contains(device)) {
                    devices.retain(|device| !self.rung.contains(device));
                    outcome = Some(Outcome::NoAnswer);
                }
            }
            if whom.as_ref().is_ok_and(Vec::is_empty) {
                whom = Err(NotRung::AlreadyRung);
            }
            let rang = match &whom {
                Ok(devices) => {
                    let rang = leg.ring_for.unwrap_or(plan.time).min(plan.time.saturating_sub(begins));
                    ringing
                        .extend(devices.iter().map(|device| (device.clone(), begins.saturating_add(rang))));
                    self.rung.extend(devices.iter().cloned());
                    rang
                }
                Err(_) => Duration::ZERO,
            };
            silent_from = silent_from.max(begins.saturating_add(rang));
            reports[index] = outcome.map(|outcome| (outcome, rang));
            legs.push(Foretold { to: leg.to.clone(), after: begins, whom });
        }
        let best = reports.iter().flatten().map(|(outcome, _)| outcome.clone()).min();
        let best = best.unwrap_or(Outcome::Unreachable);
        self.best = self.best.take().into_iter().chain([best.clone()]).min();
        self.step(What::Rings { legs, lasts: silent_from, comes_to: best.clone() });
        self.now = self.now.saturating_add(silent_from);
        let report = |(leg, report): (&LegPlan, Option<(Outcome, Duration)>)| match report {
            Some((outcome, rang)) => LegReport { to: leg.to.clone(), ended: LegEnd::Outcome(outcome), rang },
            None => LegReport { to: leg.to.clone(), ended: LegEnd::Cancelled, rang: Duration::ZERO },
        };
        RingReport { outcome: best, legs: plan.legs.iter().zip(reports).map(report).collect() }
    }

    fn fall_back(&mut self, own: Option<Fallback>) {
        let fallback = own.unwrap_or_else(|| self.question.tenant.fallback.clone());
        self.step(What::FallsBack(fallback.clone()));
        match fallback {
            Fallback::RingDialled => self.ring_dialled(),
            Fallback::Ring { to, for_ms } => {
                self.ring_alone(to, Duration::from_millis(for_ms.into()));
                self.end();
            }
            Fallback::Refuse(how) => self.step(What::Refuses(how)),
        }
    }

    fn ring_dialled(&mut self) {
        let Question { tenant, number, .. } = self.question;
        if let Some(to) = tenant.plan.find(number) {
            self.ring_alone(to.clone(), tenant.ring_time);
        }
        self.end();
    }

    fn end(&mut self) {
        let best = self.best.clone();
        self.step(What::Ends(best));
    }
}

/// What a leg comes to that nobody answers.
fn comes_to(whom: &Result<Vec<Extension>, NotRung>) -> Option<Outcome> {
    match whom {
        Ok(_) => Some(Outcome::NoAnswer),
        Err(why) => why.outcome(),
    }
}
