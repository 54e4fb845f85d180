//! What wishes come to, as the person who has them is told.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::outside::is_outside;
use super::{Condition, Effect, Mode, WhyNot, Wishes};
use crate::config::Tenant;
use crate::explain::list;
use crate::label::{label, with_extension};
use crate::names::UserId;
use crate::presence;
use crate::rule::DestinationRef;
use crate::view::View;

/// What wishes come to at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// What was chosen, whether or not it is in effect.
    pub mode: Mode,
    /// Whether calls are forwarded, and why.
    pub effect: Effect,
    /// What the person should know.
    pub warnings: Vec<String>,
}

impl Outlook {
    /// What the wishes of a user come to, as far as the picture goes of who can be reached.
    #[must_use]
    pub fn of(wishes: &Wishes, view: &View, tenant: &Tenant, user: &UserId, at: Timestamp) -> Self {
        let zone = zone_of(tenant, user);
        let pauses = wishes.enabled && !wishes.queues.is_empty();
        let has_none = wishes.enabled && !wishes.has_destinations();
        let of_source = [has_none.then_some(WhyNot::NoNumbers), pauses.then_some(WhyNot::QueueSignIn)];
        let mut warnings: Vec<_> =
            of_source.into_iter().flatten().filter_map(WhyNot::warning).map(str::to_owned).collect();
        warnings.extend(outside(wishes, tenant, at));
        let name = label(Some(tenant), &DestinationRef::User(user.clone()));
        if !has_none && wishes.nowhere(zone, at).contains(&Condition::Always) {
            warnings.push(format!("{name} forwards all calls and has no number for it: the devices ring"));
        }
        let devices_ring = wishes.to(Condition::Always, zone, at).is_empty();
        if let Some(to) = wishes.cold_route.as_ref().filter(|_| devices_ring)
            && tenant.lacks(to).is_none()
            && !presence::reachable(view, &tenant.id, to)
        {
            let which = if to.user().is_some() { "who" } else { "which" };
            let to = phones(tenant, user, to);
            warnings.push(format!("calls of {name} are routed to {to}, {which} cannot be reached"));
        }
        Self { mode: wishes.mode(), effect: wishes.effect(tenant, zone, at), warnings }
    }
}

/// What calls of a user are routed to, and whose phone that is where it is not theirs: `1011 (desk) of Bob Brown`.
fn phones(tenant: &Tenant, user: &UserId, to: &DestinationRef) -> String {
    let named = with_extension(to, label(Some(tenant), to));
    match tenant.owner(to).filter(|owner| *owner != user) {
        Some(owner) => format!("{named} of {}", label(Some(tenant), &DestinationRef::User(owner.clone()))),
        None => named,
    }
}

/// The zone in which a user means their times.
#[must_use]
pub fn zone_of<'a>(tenant: &'a Tenant, user: &UserId) -> &'a TimeZone {
    tenant.users.get(user).and_then(|user| user.zone.as_ref()).unwrap_or(&tenant.zone)
}

/// Why the call of a number outside comes to nothing.
const NO_TRUNK: &str = "numbers outside need a trunk, and this switch has none";

/// What of the destinations cannot be called: all numbers that calls are forwarded to, or some of them by name.
fn outside(wishes: &Wishes, tenant: &Tenant, at: Timestamp) -> Vec<String> {
    let is_outside = |to: &&DestinationRef| is_outside(tenant, to, at);
    let forwarded = || wishes.wished().filter(|_| wishes.enabled);
    let all = wishes.enabled && wishes.leads_outside_alone(tenant, at);
    let some = forwarded().filter(|_| !all).chain(&wishes.unanswered);
    let (outside, others): (Vec<_>, Vec<_>) = some.partition(is_outside);
    let mut told = BTreeSet::new();
    let names: Vec<_> =
        outside.into_iter().filter(|to| told.insert(*to)).map(|to| label(Some(tenant), to)).collect();
    let mut warnings = Vec::new();
    if all {
        warnings.push(format!("No forwarding number can be called: {NO_TRUNK}."));
    }
    if !names.is_empty() {
        let others = if others.is_empty() { "" } else { " The others are still used." };
        warnings.push(format!("{} cannot be called: {NO_TRUNK}.{others}", list(&names)));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Place;
    use crate::testing;

    const NO_TRUNK: &str = "numbers outside need a trunk, and this switch has none.";

    fn outside() -> DestinationRef {
        DestinationRef::Number("+4940999999".to_owned())
    }

    fn bob() -> DestinationRef {
        DestinationRef::User("bob".into())
    }

    fn forwarding(mode: Mode, numbers: &[DestinationRef]) -> Wishes {
        let mut wishes = Wishes { numbers: numbers.to_vec(), ..Wishes::default() };
        wishes.choose(mode);
        wishes
    }

    /// The reason code and the warnings of ana's wishes, while no phone is registered but bob's.
    fn told(wishes: &Wishes) -> (&'static str, Vec<String>) {
        let mut tenant = testing::tenant();
        let night = Place { name: "night".into(), target: outside() };
        tenant.places = [(night.name.clone(), night)].into();
        let config = crate::Config::new([].into(), None, vec![tenant.clone()]);
        let mut view = View { config: Arc::new(config), ..View::default() };
        let bound = testing::binding("1011", 1_000);
        view.bindings.insert(bound.key.clone(), Arc::new(bound));
        let outlook =
            Outlook::of(wishes, &view, &tenant, &"ana".into(), "2026-11-20T12:00:00Z".parse().unwrap());
        (outlook.effect.word(), outlook.warnings)
    }

    #[test]
    fn numbers_outside_are_blocked_all_of_them_or_by_name() {
        let none = format!("No forwarding number can be called: {NO_TRUNK}");
        let one = format!("+49******99 cannot be called: {NO_TRUNK}");
        let others = format!("{one} The others are still used.");
        let night = DestinationRef::Place("night".into());
        for mode in [Mode::RingAll, Mode::NoAnswer, Mode::Failover, Mode::ForwardOnly] {
            assert_eq!(told(&forwarding(mode, &[outside()])), ("blocked(no-trunk)", vec![none.clone()]));
            assert_eq!(told(&forwarding(mode, &[outside(), bob()])), ("active", vec![others.clone()]));
            assert_eq!(told(&forwarding(mode, &[bob()])), ("active", vec![]));
        }
        let both = format!("+49******99 and night cannot be called: {NO_TRUNK} The others are still used.");
        assert_eq!(
            told(&forwarding(Mode::RingAll, &[outside(), night.clone(), bob()])),
            ("active", vec![both])
        );
        assert_eq!(told(&forwarding(Mode::RingAll, &[night])).0, "blocked(no-trunk)");
        assert_eq!(told(&forwarding(Mode::Off, &[outside()])), ("mode-off", vec![]));
        let last = Wishes { unanswered: Some(outside()), ..forwarding(Mode::NoAnswer, &[bob()]) };
        assert_eq!(told(&last), ("active", vec![others]));
        let last = Wishes { unanswered: Some(outside()), ..forwarding(Mode::NoAnswer, &[outside()]) };
        assert_eq!(told(&last), ("blocked(no-trunk)", vec![none.clone(), one]));
        let last = Wishes { unanswered: Some(bob()), ..forwarding(Mode::NoAnswer, &[outside()]) };
        assert_eq!(told(&last), ("blocked(no-trunk)", vec![none]));
        let suspended = Wishes { enabled: false, ..forwarding(Mode::NoAnswer, &[outside()]) };
        assert_eq!(told(&suspended), ("suspended", vec![]));
    }

    #[test]
    fn what_takes_only_some_calls_counts_too() {
        let mut busy = forwarding(Mode::Off, &[]);
        busy.busy_to = vec![outside()];
        assert_eq!(told(&busy).0, "blocked(no-trunk)");
        busy.choose(Mode::NoAnswer);
        busy.numbers = vec![bob()];
        assert_eq!(told(&busy).0, "active");
        busy.choose(Mode::ForwardOnly);
        assert_eq!(told(&busy).1, [""; 0], "all calls are gone before anybody is busy");
        busy.numbers = vec![outside()];
        busy.busy_to = vec![bob()];
        assert_eq!(told(&busy).0, "blocked(no-trunk)");
    }

    #[test]
    fn a_route_to_whom_nobody_reaches_is_told_as_the_standard_rule_does() {
        let lost = "calls of Ana Alvarez are routed to 1002 (soft), which cannot be reached";
        let routed =
            |mode, to: &str| Wishes { cold_route: Some(to.parse().unwrap()), ..forwarding(mode, &[bob()]) };
        assert_eq!(told(&routed(Mode::Failover, "device:1002")), ("active", vec![lost.to_owned()]));
        assert_eq!(told(&routed(Mode::Failover, "user:bob")), ("active", vec![]));
        let herself = "calls of Ana Alvarez are routed to Ana Alvarez, who cannot be reached";
        assert_eq!(told(&routed(Mode::Failover, "user:ana")), ("active", vec![herself.to_owned()]));
        assert_eq!(told(&routed(Mode::ForwardOnly, "device:1002")), ("active", vec![]), "no device rings");
        assert_eq!(told(&routed(Mode::Failover, "device:9")), ("active", vec![]), "it is not there any more");
    }

    #[test]
    fn a_route_to_a_phone_of_somebody_else_says_whose_it_is() {
        let tenant = testing::tenant();
        let told = |to: &str| phones(&tenant, &"ana".into(), &to.parse().unwrap());
        assert_eq!(told("device:1011"), "1011 (desk) of Bob Brown");
        assert_eq!(
            (told("device:1002"), told("user:bob")),
            ("1002 (soft)".to_owned(), "Bob Brown".to_owned())
        );
    }

    #[test]
    fn all_calls_that_go_nowhere_are_told() {
        let mut wishes = forwarding(Mode::ForwardOnly, &[]);
        let no_numbers = WhyNot::NoNumbers.warning().unwrap();
        assert_eq!(told(&wishes), ("no-numbers", vec![no_numbers.to_owned()]));
        wishes.busy_to = vec![bob()];
        let nowhere = "Ana Alvarez forwards all calls and has no number for it: the devices ring";
        assert_eq!(told(&wishes), ("active", vec![nowhere.to_owned()]));
    }
}
