//! What decides a call to a number, and where it would go: known without a call.

use std::sync::Arc;
use std::time::Duration;

use crate::codes::CodePlan;
use crate::config::{Fallback, Tenant};
use crate::dial::{self, For, Found, Reach};
use crate::names::{Extension, GroupName};
use crate::record::NotRung;
use crate::rule::{ActiveRule, BindTarget, DestinationRef, Outcome, Refusal, RingPlan, RunOutcome};
use crate::view::View;

/// What decides a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Decider {
    /// An emergency number: no rule is asked.
    Emergency,
    /// A code that changes how calls reach whoever dials it.
    Code,
    /// The number stands for nothing.
    Nobody,
    /// A dialled device rings alone (TELEPHONY T14).
    Device(Extension),
    /// A rule of the tenant.
    Rule(Arc<ActiveRule>, BindTarget),
    /// No rule is bound.
    Standard(Arc<ActiveRule>),
    /// No rule is bound, and there is no standard rule.
    Fallback,
}

/// Where the call would go.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// What decides it.
    pub decider: Decider,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// From the call's begin to its end.
    pub lasts: Duration,
}

/// One thing that happens, so long after the call began.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// The kinds of steps.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A rule decides.
    Decides(Arc<ActiveRule>),
    /// It reads something: the function with its arguments, and what it got.
    Reads(String, String),
    /// It says why.
    Says(String),
    /// It warns its tenant, in words.
    Warns(String),
    /// A ring, for so long, and what it comes to.
    Rings {
        /// Who, and who of them rings.
        legs: Vec<Foretold>,
        /// How long.
        lasts: Duration,
        /// The best of them.
        comes_to: Outcome,
    },
    /// A rule ends otherwise than by returning.
    Fails(RunOutcome),
    /// It hands the call to the standard rule.
    HandsOver,
    /// It is the standard rule, and has nothing to say: what was dialled rings.
    RingsDialled,
    /// The fallback takes over.
    FallsBack(Fallback),
    /// The call is refused.
    Refuses(Refusal),
    /// The call ends with the best outcome of its rings.
    Ends(Option<Outcome>),
    /// It happens within a ring, where a person or a group is rung by their own rule (TELEPHONY T13).
    Within(DestinationRef, Box<Self>),
}

impl What {
    /// The same without those within whose rules it happens.
    #[must_use]
    pub fn plain(&self) -> &Self {
        match self {
            Self::Within(_, what) => what.plain(),
            Self::Decides(_)
            | Self::Reads(..)
            | Self::Says(_)
            | Self::Warns(_)
            | Self::Rings { .. }
            | Self::Fails(_)
            | Self::HandsOver
            | Self::RingsDialled
            | Self::FallsBack(_)
            | Self::Refuses(_)
            | Self::Ends(_) => self,
        }
    }
}

/// One planned leg.
#[derive(Clone, Debug, PartialEq)]
pub struct Foretold {
    /// Who.
    pub to: DestinationRef,
    /// So long after the ring began.
    pub after: Duration,
    /// The devices that ring, or why none does.
    pub whom: Result<Vec<Extension>, NotRung>,
    /// People and groups whose own rules say which devices ring; those are not named here.
    pub within: Vec<DestinationRef>,
}

impl RingPlan {
    /// Goes through the legs of a ring of such a time as they begin while nobody answers: each at its time, and at once where
    /// nothing rings any more. `rings` hears of a leg, by its place, when it begins and how long it may ring, and says how long
    /// it does. From when on nothing rings.
    pub fn unfold(
        &self,
        time: Duration,
        mut rings: impl FnMut(usize, Duration, Duration) -> Duration,
    ) -> Duration {
        let mut waiting: Vec<_> = self.legs.iter().enumerate().collect();
        waiting.sort_by_key(|(at, leg)| (leg.start_after, *at));
        let mut silent_from = Duration::ZERO;
        for (at, leg) in waiting {
            let begins = leg.start_after.min(silent_from);
            if begins < time {
                let left = time.saturating_sub(begins);
                let rang = rings(at, begins, leg.ring_for.map_or(left, |own| own.min(left)));
                silent_from = silent_from.max(begins.saturating_add(rang));
            }
        }
        silent_from
    }
}

/// Finds what decides calls to a number of a tenant.
#[must_use]
pub fn decider(view: &View, tenant: &Tenant, number: &str) -> Decider {
    if tenant.emergency.contains(number) || number.starts_with("urn:service:sos") {
        return Decider::Emergency;
    }
    let to = match tenant.plan.find(number) {
        None if CodePlan::is_code(number) => return Decider::Code,
        None => return Decider::Nobody,
        Some(DestinationRef::Device(device)) => return Decider::Device(device.clone()),
        Some(
            to @ (DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_)),
        ) => to,
    };
    let standard = || view.config.standard.clone().map(|version| ActiveRule::standard(&tenant.id, version));
    match (bound(view, tenant, number, to), standard()) {
        (Some((rule, target)), _) => Decider::Rule(rule, target),
        (None, Some(rule)) => Decider::Standard(Arc::new(rule)),
        (None, None) => Decider::Fallback,
    }
}

/// The rule of a person or a group that is rung from inside another: their own, else the standard rule.
#[must_use]
pub fn within(view: &View, tenant: &Tenant, who: &DestinationRef) -> Option<Arc<ActiveRule>> {
    let target = match who {
        DestinationRef::User(user) | DestinationRef::Person(user) => BindTarget::User(user.clone()),
        DestinationRef::Group(group) => BindTarget::Group(group.clone()),
        DestinationRef::Device(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => return None,
    };
    let own = |rule: &&Arc<ActiveRule>| rule.bind.contains(&target);
    let rules = view.rules.range((tenant.id.clone(), "".into())..);
    let bound = rules.take_while(|((owner, _), _)| *owner == tenant.id).map(|(_, rule)| rule).find(own);
    let standard = || view.config.standard.clone().map(|version| ActiveRule::standard(&tenant.id, version));
    bound.cloned().or_else(|| standard().map(Arc::new))
}

/// People's rules within people's rules within the rule of the call (TELEPHONY T13).
pub const PEOPLE_MAX: usize = 3;

/// What a person is to whoever rings them when their rule refuses the caller.
#[must_use]
pub fn of_refusal(how: &Refusal) -> Outcome {
    match how {
        Refusal::Busy => Outcome::Busy,
        Refusal::Declined | Refusal::AnonymousRefused | Refusal::Unwanted => Outcome::Declined,
        Refusal::NotFound | Refusal::TemporarilyUnavailable => Outcome::Unreachable,
        Refusal::Other(text) => Outcome::Other(text.clone()),
    }
}

/// The rule whose binding is the most specific: number, user, group, tenant (RULES §1).
fn bound(
    view: &View,
    tenant: &Tenant,
    number: &str,
    to: &DestinationRef,
) -> Option<(Arc<ActiveRule>, BindTarget)> {
    let is_bound = |target: &BindTarget| match target {
        BindTarget::Number(bound) => bound == number,
        BindTarget::User(user) => *to == DestinationRef::User(user.clone()),
        BindTarget::Group(group) => *to == DestinationRef::Group(group.clone()),
        BindTarget::Tenant => true,
    };
    let rules = view.rules.range((tenant.id.clone(), "".into())..);
    rules
        .take_while(|((owner, _), _)| *owner == tenant.id)
        .flat_map(|(_, rule)| rule.bind.iter().map(move |target| (target, rule)))
        .filter(|(target, _)| is_bound(target))
        .min_by(|(one, _), (other, _)| one.cmp(other))
        .map(|(target, rule)| (Arc::clone(rule), target.clone()))
}

/// What a destination comes down to now.
#[derive(Clone, Debug, PartialEq)]
pub struct Whom {
    /// The devices that ring, or why none does.
    pub devices: Result<Vec<Extension>, NotRung>,
    /// Who is not rung and why, as it is told: the destination itself, or some of a group or a location.
    pub left_out: Vec<(DestinationRef, NotRung)>,
}

impl From<Found> for Whom {
    fn from(found: Found) -> Self {
        let devices = |found: Vec<Reach>| found.into_iter().map(|reach| reach.device).collect();
        Self { devices: found.reached.map(devices), left_out: found.left_out }
    }
}

/// What rings when a destination is rung now.
#[must_use]
pub fn whom(view: &View, tenant: &Tenant, to: &DestinationRef, ring_busy: bool) -> Whom {
    dial::reach(view, tenant, to, For { caller: None, ring_busy }).into()
}

/// The same of a group's own people.
#[must_use]
pub fn whom_of_group(view: &View, tenant: &Tenant, group: &GroupName, ring_busy: bool) -> Whom {
    dial::of_group(view, tenant, group, For { caller: None, ring_busy }).into()
}

/// The final response that a caller gets for the best outcome of all rings; none: nobody was rung.
#[must_use]
pub fn status_of(best: Option<&Outcome>) -> u16 {
    crate::cause::Final::of_outcome(best).status
}

/// The final response that a caller gets whom a rule refuses.
#[must_use]
pub fn status_of_refusal(how: &Refusal) -> u16 {
    crate::cause::Final::of_refusal(how).status
}
