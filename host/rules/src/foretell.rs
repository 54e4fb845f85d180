//! Where a call would go if nobody answered: the real rule on the real picture, with phones that only ring.
//!
//! Nothing is rung and nothing changes. What a rule reads is read; what it asks is answered as the picture says, and a phone that
//! is registered and free rings until its time is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::{Fallback, Tenant};
use callwright_core::group::{self, Behind};
use callwright_core::kept::Rehearsal;
use callwright_core::names::{AskId, Extension, RuleName, RunId, Version};
use callwright_core::record::NotRung;
use callwright_core::roster::{self, TakeError};
use callwright_core::route::{self, Decider, Foretold, Route, Step, What, Whom};
use callwright_core::rule::{
    ActiveRule, Answer, Ask, CallError, CallFacts, DestinationRef, Entry, LegEnd, LegPlan, LegReport, Note,
    Outcome, Party, RingPlan, RingReport, RunEvent, RunOutcome, RunStart,
};
use callwright_core::{Now, View, place};
use jiff::Timestamp;

mod within;

use self::within::Within;
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
        ringing: Vec::new(),
        rings_made: 0,
        within: Vec::new(),
        by: ActiveRule::STANDARD.into(),
    };
    match &decider {
        Decider::Emergency | Decider::Code | Decider::Nobody => {}
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
    /// Devices that ring, and until when.
    ringing: Vec<(Extension, Duration)>,
    rings_made: usize,
    /// Within whose rules it happens, the innermost last.
    within: Vec<Within>,
    /// The rule that has said something last.
    by: RuleName,
}

/// One leg of a ring while it is followed.
struct Part<'l> {
    begins: Duration,
    time: Duration,
    skips_rung: bool,
    /// What is told of the ring.
    legs: &'l mut Vec<Foretold>,
    /// What happens within it.
    inner: &'l mut Vec<Step>,
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
        match self.run(rule).0 {
            Left::Decided => {}
            Left::Undecided => self.fall_back(rule.fallback.clone()),
            Left::HandedOver => match self.handed_over(rule) {
                Some(standard) => self.decide(&standard),
                None => self.ring_dialled(),
            },
        }
    }

    /// The standard rule, to which a rule has handed over; none where it is that one, or there is none.
    fn handed_over(&mut self, rule: &ActiveRule) -> Option<Arc<ActiveRule>> {
        let standard = self.question.view.config.standard.clone();
        let is_standard = standard.as_ref() == Some(&rule.version);
        self.step(if is_standard { What::RingsDialled } else { What::HandsOver });
        let standard = standard.filter(|_| !is_standard);
        standard.map(|version| Arc::new(ActiveRule::standard(&rule.tenant, version)))
    }

    /// Drives a run to its end, which may be a good one.
    fn run(&mut self, rule: &Arc<ActiveRule>) -> (Left, bool) {
        self.step(What::Decides(Arc::clone(rule)));
        let start = self.start(rule);
        self.by = rule.name.clone();
        let Some(ready) = (self.question.ready)(&rule.version) else {
            self.step(What::Fails(RunOutcome::InstantiateFailed("it is not loaded".to_owned())));
            return (Left::Undecided, false);
        };
        let mut run = Run::start(&ready, start);
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
            spent.warnings.into_iter().for_each(|warned| self.step(What::Warns(warned.text)));
            match event {
                RunEvent::Asked { ask, what } => {
                    let answer = self.answer(what, &mut left);
                    answered = Some(self.answered(ask, answer));
                }
                RunEvent::Ended(RunOutcome::Ok) => return (left, true),
                RunEvent::Ended(outcome) => {
                    self.step(What::Fails(outcome));
                    return (left, false);
                }
            }
        }
    }

    fn start(&self, rule: &Arc<ActiveRule>) -> RunStart {
        let Question { view, tenant, number, .. } = self.question;
        let to = match self.within.last() {
            Some(within) => match within.who.user() {
                Some(user) => Some(DestinationRef::User(user.clone())),
                None => Some(within.who.clone()),
            },
            None => tenant.plan.find(number).cloned(),
        };
        let user = to.as_ref().and_then(DestinationRef::user).cloned();
        let known = user.as_ref().and_then(|user| tenant.users.get(user));
        let group = to.as_ref().and_then(DestinationRef::group).and_then(|group| tenant.groups.get(group));
        let extension = known.and_then(|user| user.extension.as_ref());
        let extension = extension.or(group.and_then(|group| group.extension.as_ref()));
        let dialled = match self.within.last() {
            Some(_) => extension.map(ToString::to_string),
            None => Some((*number).to_owned()),
        };
        let call = CallFacts {
            id: FORETOLD.into(),
            tenant: tenant.id.clone(),
            caller: Party::default(),
            dialled: Party {
                name: known.map(|user| user.name.clone()).unwrap_or_default(),
                number: dialled,
                user: user.clone(),
                withheld: false,
            },
            number: (*number).to_owned(),
            group: to.as_ref().and_then(DestinationRef::group).cloned(),
            for_user: user,
            entry: match self.within.last() {
                Some(_) => Entry::Nested { by: self.by.clone(), device: None },
                None => Entry::Device(None),
            },
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
            (Ask::Take(_), Left::Decided | Left::HandedOver) => Answer::Taken(Err(TakeError::Decided)),
            (Ask::Take(ask), Left::Undecided) => {
                let (now, call) = (self.clock(), FORETOLD.into());
                let Question { view, tenant, .. } = self.question;
                let keep = |what| self.kept.keep(now.wall, &tenant.id, &call, what);
                let taken = roster::pick((view, tenant), &call, &ask, now, keep);
                Answer::Taken(
                    taken.map(|taken| taken.knowing(tenant, None, |device| self.rung.contains(device))),
                )
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
                if !self.within.is_empty() {
                    self.comes_to(route::of_refusal(&how));
                }
                self.step(What::Refuses(how));
                *left = Left::Decided;
                Answer::Done(Ok(()))
            }
            (Ask::Conclude, Left::Undecided) => {
                if self.within.is_empty() {
                    self.end();
                }
                *left = Left::Decided;
                Answer::Done(Ok(()))
            }
        }
    }

    /// Nobody answers: whoever can ring does so until its time is over.
    fn ring(&mut self, plan: &RingPlan) -> Answer {
        if self.rings_made >= RINGS_MAX {
            return Answer::Rang(Err(CallError::LimitExceeded("legs".to_owned())));
        }
        let time = plan.time.min(self.left());
        Answer::Rang(Ok(self.rings(plan, time, false)))
    }

    fn ring_alone(&mut self, to: DestinationRef, time: Duration) {
        let leg = LegPlan { to, start_after: Duration::ZERO, ring_for: None, label: None };
        self.rings(&RingPlan { legs: vec![leg], time, ..RingPlan::default() }, time, true);
    }

    fn rings(&mut self, plan: &RingPlan, time: Duration, skips_rung: bool) -> RingReport {
        self.rings_made += 1;
        let (mut legs, mut reports) = (Vec::new(), vec![None; plan.legs.len()]);
        let mut inner = Vec::new();
        let silent_from = plan.unfold(time, |index, begins, time| {
            let Some(leg) = plan.legs.get(index) else { return Duration::ZERO };
            let meant = place::meant(self.question.tenant, &leg.to, self.clock().wall);
            if let Some(why) = meant.why {
                self.step(What::Reads(leg.to.to_string(), why));
            }
            let leg = &LegPlan { to: meant.to.unwrap_or_else(|| leg.to.clone()), ..leg.clone() };
            let mut all = Part { begins, time, skips_rung, legs: &mut legs, inner: &mut inner };
            let (outcome, rang) = self.part(plan, leg, &mut all);
            reports[index] = outcome.map(|outcome| (outcome, rang));
            rang
        });
        let best = reports.iter().flatten().map(|(outcome, _)| outcome.clone()).min();
        let best = best.unwrap_or(Outcome::Unreachable);
        self.comes_to(best.clone());
        self.step(What::Rings { legs, lasts: silent_from, comes_to: best.clone() });
        inner.sort_by_key(|step: &Step| step.at);
        self.steps.extend(inner);
        self.now = self.now.saturating_add(silent_from);
        let report = |(leg, report): (&LegPlan, Option<(Outcome, Duration)>)| match report {
            Some((outcome, rang)) => LegReport { to: leg.to.clone(), ended: LegEnd::Outcome(outcome), rang },
            None => LegReport { to: leg.to.clone(), ended: LegEnd::Cancelled, rang: Duration::ZERO },
        };
        RingReport { outcome: best, legs: plan.legs.iter().zip(reports).map(report).collect() }
    }

    /// Everything behind a leg: the best of what it comes to, and how long that takes.
    fn part(&mut self, plan: &RingPlan, leg: &LegPlan, part: &mut Part<'_>) -> (Option<Outcome>, Duration) {
        let Question { view, tenant, .. } = self.question;
        let own = self.group_ringing();
        let (mut best, mut lasts) = (None, Duration::ZERO);
        let mut within = Vec::new();
        for (what, got) in group::meanings(tenant, &leg.to, own.as_ref(), self.clock().wall) {
            self.step(What::Reads(what.to_string(), got));
        }
        for behind in group::behind(tenant, &leg.to, own.as_ref(), self.clock().wall) {
            let (outcome, rang) = match behind {
                Behind::Rule(who) => {
                    let times = (part.begins, part.time);
                    let (outcome, rang) = self.by_rule(&who, times, plan.skip_rung, part.inner);
                    within.push(who);
                    (Some(outcome), rang)
                }
                Behind::Devices(to) => {
                    let whom = route::whom(view, tenant, &to, plan.ring_busy);
                    self.devices(plan, to, whom, part)
                }
                Behind::People(name) => {
                    let whom = route::whom_of_group(view, tenant, &name, plan.ring_busy);
                    self.devices(plan, DestinationRef::Group(name), whom, part)
                }
            };
            best = best.into_iter().chain(outcome).min();
            lasts = lasts.max(rang);
        }
        if !within.is_empty() {
            let (to, after) = (leg.to.clone(), part.begins);
            part.legs.push(Foretold { to, after, whom: Ok(Vec::new()), within });
        }
        (best, lasts)
    }

    /// Devices that ring for a time: which, what comes of it, and how long they ring.
    fn devices(
        &mut self,
        plan: &RingPlan,
        to: DestinationRef,
        whom: Whom,
        part: &mut Part<'_>,
    ) -> (Option<Outcome>, Duration) {
        let Whom { devices: mut whom, left_out } = whom;
        let is_told = whom.is_err();
        let from = self.now.saturating_add(part.begins);
        let skips_rung = part.skips_rung || plan.skip_rung;
        let skips_rung = skips_rung || self.within.last().is_some_and(|within| within.skips_rung);
        let mut outcome = comes_to(&whom);
        if let Ok(devices) = &mut whom {
            devices
                .retain(|device| !self.ringing.iter().any(|(known, until)| known == device && *until > from));
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
        let devices = whom.as_deref().unwrap_or_default();
        let until = from.saturating_add(part.time);
        self.ringing.extend(devices.iter().map(|device| (device.clone(), until)));
        self.rung.extend(devices.iter().cloned());
        let rang = if whom.is_ok() { part.time } else { Duration::ZERO };
        let mut foretold =
            |to, whom| part.legs.push(Foretold { to, after: part.begins, whom, within: Vec::new() });
        if !is_told {
            foretold(to, whom);
        }
        left_out.into_iter().for_each(|(who, why)| foretold(who, Err(why)));
        (outcome, rang)
    }

    fn comes_to(&mut self, outcome: Outcome) {
        self.best = self.best.take().into_iter().chain([outcome]).min();
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
