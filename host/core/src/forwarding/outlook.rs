//! What wishes come to, as the person who has them is told.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Condition, Effect, Mode, WhyNot, Wishes};
use crate::config::Tenant;
use crate::names::UserId;
use crate::rule::DestinationRef;

/// What wishes come to at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What was chosen, whether or not it is in effect.
    pub mode: Mode,
    /// Whether calls are forwarded, and why.
    pub reason: Reason,
    /// What the person should know.
    pub warnings: Vec<&'static str>,
}

/// Whether calls are forwarded, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// They are, as the mode says.
    Active,
    /// They would be, and none of the destinations can be called: numbers outside need a trunk.
    Blocked,
    /// They are not.
    Inactive(WhyNot),
}

impl Reason {
    /// What a person is warned of where every destination is outside.
    const NO_TRUNK: &'static str =
        "No forwarding number can be called: numbers outside need a trunk, and this switch has none.";

    /// Its word, the reason code.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked(no-trunk)",
            Self::Inactive(why) => why.word(),
        }
    }
}

impl Outlook {
    /// What the wishes of a user come to.
    #[must_use]
    pub fn of(wishes: &Wishes, tenant: &Tenant, user: &UserId, at: Timestamp) -> Self {
        let zone = zone_of(tenant, user);
        let reason = match wishes.effect(zone, at) {
            Effect::Inactive(why) => Reason::Inactive(why),
            Effect::Active(_) if is_blocked(wishes, tenant, zone, at) => Reason::Blocked,
            Effect::Active(_) => Reason::Active,
        };
        let pauses = wishes.enabled && !wishes.queues.is_empty();
        let own = wishes.enabled && !wishes.has_destinations();
        let warned = [
            own.then(|| WhyNot::NoNumbers.warning()).flatten(),
            pauses.then(|| WhyNot::QueueSignIn.warning()).flatten(),
            (reason == Reason::Blocked).then_some(Reason::NO_TRUNK),
        ];
        Self { mode: wishes.mode(), reason, warnings: warned.into_iter().flatten().collect() }
    }
}

/// The zone in which a user means their times.
#[must_use]
pub fn zone_of<'a>(tenant: &'a Tenant, user: &UserId) -> &'a TimeZone {
    tenant.users.get(user).and_then(|user| user.zone.as_ref()).unwrap_or(&tenant.zone)
}

/// Whether everything that calls would go to is a number outside.
fn is_blocked(wishes: &Wishes, tenant: &Tenant, zone: &TimeZone, at: Timestamp) -> bool {
    let to: Vec<_> =
        Condition::ALL.into_iter().flat_map(|condition| wishes.to(condition, zone, at)).collect();
    !to.is_empty() && to.iter().all(|to| is_outside(tenant, to))
}

fn is_outside(tenant: &Tenant, to: &DestinationRef) -> bool {
    match to {
        DestinationRef::Number(number) => tenant.plan.find(number).is_none(),
        DestinationRef::Device(_)
        | DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Group(_)
        | DestinationRef::Place(_) => false,
    }
}
