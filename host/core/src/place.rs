//! Names that somebody holds (duty phone, backup, central dispatch) and names of locations: who is meant by one at a moment.

use jiff::Timestamp;

use crate::config::Tenant;
use crate::names::{Extension, PlaceName};
use crate::rota::on_duty;
use crate::rule::DestinationRef;
use crate::time_route::{self, RouteTo};

/// A name that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, which no other place of the tenant has.
    pub name: PlaceName,
    /// Dialling it rings whoever holds it.
    pub extension: Option<Extension>,
    /// Who does: whoever has a duty, a person, a device, a group, or a place that is no role.
    pub held_by: RouteTo,
    /// A person who holds it is rung as they want to be reached, and not by their devices alone.
    pub follow_forwarding: bool,
}

/// A location: its phones and groups under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, which no other place of the tenant has.
    pub name: PlaceName,
    /// Devices, people and groups that are there.
    pub parts: Vec<DestinationRef>,
}

/// Whom a destination means at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meant {
    /// The destination itself, unless it is a role or depends on the time; none where nobody is meant now.
    pub to: Option<DestinationRef>,
    /// Why it is another, for explanations.
    pub why: Option<String>,
}

/// Looks through roles and through names that depend on the time.
#[must_use]
pub fn meant(tenant: &Tenant, to: &DestinationRef, at: Timestamp) -> Meant {
    let itself = || Meant { to: Some(to.clone()), why: None };
    let DestinationRef::Place(name) = to else { return itself() };
    if let Some(role) = tenant.roles.get(name) {
        return holder(tenant, role, at);
    }
    match tenant.time_routes.get(name) {
        Some(route) => {
            let time_route::Meant { to, why } = time_route::meant(tenant, route, at);
            Meant { to, why: Some(why) }
        }
        None => itself(),
    }
}

/// Everything that a destination may mean at one time or another: whoever may hold a role, each line of a route, what a place
/// stands for, the parts of a location; itself where it is none of these.
#[must_use]
pub fn may_mean(tenant: &Tenant, to: &DestinationRef) -> Vec<DestinationRef> {
    let DestinationRef::Place(name) = to else { return vec![to.clone()] };
    if let Some(place) = tenant.places.get(name) {
        return vec![place.target.clone()];
    }
    if let Some(site) = tenant.sites.get(name) {
        return site.parts.clone();
    }
    let follows = tenant.roles.get(name).is_some_and(|role| role.follow_forwarding);
    let mut all = holders(tenant, name);
    for to in all.iter_mut().filter(|_| follows) {
        if let DestinationRef::User(user) = to {
            *to = DestinationRef::Person(user.clone());
        }
    }
    all
}

/// Whoever may hold a role, or be meant by a name that depends on the time.
fn holders(tenant: &Tenant, name: &PlaceName) -> Vec<DestinationRef> {
    let own = |to: &RouteTo| match to {
        RouteTo::Rota(rota) => {
            let rota = tenant.rotas.get(rota);
            let swapped = rota.into_iter().flat_map(|rota| rota.swaps.values().flatten());
            let people = rota.into_iter().flat_map(|rota| &rota.members).chain(swapped);
            people.map(|user| DestinationRef::User(user.clone())).collect()
        }
        RouteTo::Destination(to) => vec![to.clone()],
    };
    if let Some(route) = tenant.time_routes.get(name) {
        return route.entries.iter().map(|entry| &entry.to).chain(&route.otherwise).flat_map(own).collect();
    }
    let held = tenant.roles.get(name).map(|role| own(&role.held_by)).unwrap_or_default();
    // A role may be held by whoever a place or a route means, which are no roles themselves.
    let through = |to: DestinationRef| match &to {
        DestinationRef::Place(other) if !tenant.roles.contains_key(other) => may_mean(tenant, &to),
        DestinationRef::Device(_)
        | DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Group(_)
        | DestinationRef::Place(_)
        | DestinationRef::Number(_) => vec![to],
    };
    held.into_iter().flat_map(through).collect()
}

/// Who holds a role at a moment.
fn holder(tenant: &Tenant, role: &Role, at: Timestamp) -> Meant {
    let (to, why) = match &role.held_by {
        RouteTo::Rota(rota) => {
            let duty = tenant.rotas.get(rota).map(|rota| on_duty(rota, &tenant.zone, at, 0));
            let why = duty.as_ref().map_or_else(|| "no such rota".to_owned(), |duty| duty.why.clone());
            (duty.and_then(|duty| duty.user).map(DestinationRef::User), format!("rota:{rota} ({why})"))
        }
        RouteTo::Destination(DestinationRef::Place(name)) => match tenant.time_routes.get(name) {
            Some(route) => {
                let meant = time_route::meant(tenant, route, at);
                (meant.to, meant.why)
            }
            None => (Some(DestinationRef::Place(name.clone())), format!("place:{name}")),
        },
        RouteTo::Destination(to) => (Some(to.clone()), to.to_string()),
    };
    let to = match to {
        Some(DestinationRef::User(user)) if role.follow_forwarding => Some(DestinationRef::Person(user)),
        other => other,
    };
    Meant { to, why: Some(why) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::civil::date;

    use super::*;
    use crate::rota::Rota;
    use crate::testing;

    fn tenant(held_by: &str, follow_forwarding: bool) -> Tenant {
        let mut tenant = testing::tenant();
        let rota = Rota {
            name: "platform".into(),
            zone: None,
            members: vec!["ana".into(), "bob".into()],
            from: date(1970, 1, 1),
            at: jiff::civil::Time::midnight(),
            every_days: 1,
            swaps: BTreeMap::from([(date(1970, 1, 3), None)]),
        };
        tenant.rotas.insert(rota.name.clone(), rota);
        let (name, held_by) = (PlaceName::from("duty"), held_by.parse().unwrap());
        let role = Role { name: name.clone(), extension: None, held_by, follow_forwarding };
        tenant.roles.insert(name, role);
        tenant
    }

    fn who(tenant: &Tenant, day: i64) -> Option<String> {
        let at = Timestamp::from_second(day * 86_400).unwrap();
        meant(tenant, &DestinationRef::Place("duty".into()), at).to.map(|to| to.to_string())
    }

    #[test]
    fn a_role_is_whoever_holds_it_at_that_time() {
        let by_rota = tenant("rota:platform", false);
        let days: Vec<_> = (0..3).map(|day| who(&by_rota, day)).collect();
        assert_eq!(days, [Some("user:ana".to_owned()), Some("user:bob".to_owned()), None]);
        assert_eq!(who(&tenant("rota:platform", true), 0), Some("person:ana".to_owned()));
        assert_eq!(who(&tenant("group:sales", true), 0), Some("group:sales".to_owned()));
        assert_eq!(who(&tenant("place:berlin", false), 0), Some("place:berlin".to_owned()));
    }

    #[test]
    fn whoever_may_hold_a_role_is_known_without_the_time() {
        let may = |tenant: &Tenant| -> Vec<String> {
            let all = may_mean(tenant, &DestinationRef::Place("duty".into()));
            all.iter().map(ToString::to_string).collect()
        };
        assert_eq!(may(&tenant("rota:platform", true)), ["person:ana", "person:bob"]);
        let mut routed = tenant("place:desk", false);
        assert_eq!(may(&routed), [""; 0], "it is not there");
        let to = ["group:sales", "rota:platform"].map(|to| to.parse().unwrap());
        let [first, otherwise] = to;
        let entries = vec![time_route::RouteEntry { hours: "office".into(), to: first }];
        let route = time_route::TimeRoute { name: "desk".into(), entries, otherwise: Some(otherwise) };
        routed.time_routes.insert("desk".into(), route);
        assert_eq!(may(&routed), ["group:sales", "user:ana", "user:bob"]);
    }

    #[test]
    fn whatever_is_no_role_means_itself() {
        let tenant = tenant("user:ana", false);
        let to = DestinationRef::User("bob".into());
        let itself = Meant { to: Some(to.clone()), why: None };
        assert_eq!(meant(&tenant, &to, Timestamp::UNIX_EPOCH), itself);
    }
}
