//! Whether people are forwarded to each other in a circle, as far as that stands in their wishes.
//!
//! A user as destination is their devices and leads no farther; whoever is meant as a person, as a member of a group that
//! follows forwarding, or as whoever may hold a role that does, is reached by what they wish themselves. A call that goes round
//! is ended by the switch as `blocked(loop)` (TELEPHONY T13); this finds it before anybody calls.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Wishes;
use crate::config::Tenant;
use crate::group;
use crate::names::UserId;
use crate::place;
use crate::rule::DestinationRef;

/// How many people are looked at for one circle.
const PEOPLE_MAX: usize = 1_000;

/// The shortest circle that leads from somebody back to them, themselves first and last: people as persons, and between them
/// the groups, places and roles that lead from one to the other.
#[must_use]
pub fn circle<W: std::borrow::Borrow<Wishes>>(
    tenant: &Tenant,
    start: &UserId,
    wishes: impl Fn(&UserId) -> Option<W>,
) -> Option<Vec<DestinationRef>> {
    let mut came_from: BTreeMap<UserId, (UserId, DestinationRef)> = BTreeMap::new();
    let mut next = VecDeque::from([start.clone()]);
    while let Some(user) = next.pop_front() {
        let Some(wishes) = wishes(&user) else { continue };
        let wishes: &Wishes = wishes.borrow();
        if !wishes.enabled {
            continue;
        }
        for over in wishes.may_go_to() {
            for to in persons(tenant, over) {
                if to == *start {
                    return Some(way_back(&came_from, start, &(user, over.clone())));
                }
                if !came_from.contains_key(&to) && came_from.len() < PEOPLE_MAX {
                    came_from.insert(to.clone(), (user.clone(), over.clone()));
                    next.push_back(to);
                }
            }
        }
    }
    None
}

fn way_back(
    came_from: &BTreeMap<UserId, (UserId, DestinationRef)>,
    start: &UserId,
    last: &(UserId, DestinationRef),
) -> Vec<DestinationRef> {
    let mut path = vec![DestinationRef::Person(start.clone())];
    let mut step = Some(last);
    while let Some((user, over)) = step {
        if !matches!(over, DestinationRef::Person(_)) {
            path.push(over.clone());
        }
        path.push(DestinationRef::Person(user.clone()));
        step = came_from.get(user);
    }
    path.reverse();
    path
}

/// Who is reached as a person by a destination, at some time.
#[must_use]
pub fn persons(tenant: &Tenant, to: &DestinationRef) -> BTreeSet<UserId> {
    let mut found = BTreeSet::new();
    gather(tenant, to, group::DEPTH_MAX, &mut found);
    found
}

fn gather(tenant: &Tenant, to: &DestinationRef, depth: usize, found: &mut BTreeSet<UserId>) {
    let Some(depth) = depth.checked_sub(1) else { return };
    for to in place::may_mean(tenant, to) {
        match &to {
            DestinationRef::Person(user) => {
                found.insert(user.clone());
            }
            DestinationRef::Group(name) => {
                let Some(group) = tenant.groups.get(name) else { continue };
                if group.follow_forwarding {
                    found.extend(group.people().cloned());
                }
                for member in group.members.iter().filter(|member| member.user().is_none()) {
                    gather(tenant, member, depth, found);
                }
            }
            // A route may name a role.
            DestinationRef::Place(_) => gather(tenant, &to, depth, found),
            DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Group, Place};
    use crate::forwarding::Mode;
    use crate::place::Role;
    use crate::testing;

    /// What each user forwards to.
    fn found(tenant: &Tenant, wishes: &[(&str, &str)], start: &str) -> Option<String> {
        let of = |user: &UserId| {
            let to = wishes.iter().find(|(who, _)| *who == user.as_str())?.1;
            let conditions = Mode::NoAnswer.wishes();
            Some(Wishes { numbers: vec![to.parse().unwrap()], conditions, ..Wishes::default() })
        };
        let path = circle(tenant, &start.into(), of)?;
        let told = |to: &DestinationRef| to.user().map_or_else(|| to.to_string(), ToString::to_string);
        Some(path.iter().map(told).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_circle_is_found_over_persons_groups_and_places_and_not_over_devices() {
        let mut tenant = testing::tenant();
        let group = |follow_forwarding| Group {
            name: "all".into(),
            extension: None,
            members: vec!["user:cleo".parse().unwrap(), "user:ana".parse().unwrap()],
            follow_forwarding,
            hunt: None,
            stagger: std::time::Duration::ZERO,
            ring_time: None,
        };
        tenant.groups.insert("all".into(), group(true));
        let place = Place { name: "desk".into(), target: DestinationRef::Group("all".into()) };
        tenant.places.insert("desk".into(), place);
        let chain =
            [("ana", "person:bob"), ("bob", "person:cleo"), ("cleo", "person:ana"), ("dora", "person:ana")];
        assert_eq!(found(&tenant, &chain, "ana").as_deref(), Some("ana bob cleo ana"));
        assert_eq!(found(&tenant, &chain, "dora"), None, "who only leads into a circle is in none");
        assert_eq!(found(&tenant, &[("ana", "person:bob"), ("bob", "user:ana")], "ana"), None);
        assert_eq!(found(&tenant, &[("ana", "person:ana")], "ana").as_deref(), Some("ana ana"));
        let places = [("ana", "person:bob"), ("bob", "place:desk")];
        assert_eq!(found(&tenant, &places, "ana").as_deref(), Some("ana bob place:desk ana"));
        tenant.groups.insert("all".into(), group(false));
        assert_eq!(found(&tenant, &places, "ana"), None);
    }

    #[test]
    fn a_circle_is_found_over_whoever_may_hold_a_role_and_groups_within_groups() {
        let mut tenant = testing::tenant();
        let held_by = "group:outer".parse().unwrap();
        let role = Role { name: "duty".into(), extension: None, held_by, follow_forwarding: false };
        tenant.roles.insert("duty".into(), role);
        for (name, member, follow_forwarding) in
            [("outer", "group:inner", false), ("inner", "user:ana", true)]
        {
            let group = Group {
                name: name.into(),
                extension: None,
                members: vec![member.parse().unwrap()],
                follow_forwarding,
                hunt: None,
                stagger: std::time::Duration::ZERO,
                ring_time: None,
            };
            tenant.groups.insert(name.into(), group);
        }
        let wishes = [("ana", "person:bob"), ("bob", "place:duty")];
        assert_eq!(found(&tenant, &wishes, "ana").as_deref(), Some("ana bob place:duty ana"));
        let duty = tenant.roles.get_mut("duty").unwrap();
        (duty.held_by, duty.follow_forwarding) = ("user:ana".parse().unwrap(), true);
        assert_eq!(found(&tenant, &wishes, "ana").as_deref(), Some("ana bob place:duty ana"));
        tenant.roles.get_mut("duty").unwrap().follow_forwarding = false;
        assert_eq!(found(&tenant, &wishes, "ana"), None, "their devices lead no farther");
    }

    #[test]
    fn whoever_forwards_nothing_breaks_the_circle() {
        let tenant = testing::tenant();
        let found = |bobs: Wishes| {
            let wishes = |user: &UserId| {
                let (to, wishes) = match user.as_str() {
                    "ana" => {
                        ("person:bob", Wishes { conditions: Mode::NoAnswer.wishes(), ..Wishes::default() })
                    }
                    _ => ("person:ana", bobs.clone()),
                };
                Some(Wishes { numbers: vec![to.parse().unwrap()], ..wishes })
            };
            circle(&tenant, &"ana".into(), wishes).is_some()
        };
        let (conditions, unanswered) = (Mode::NoAnswer.wishes(), Some("person:ana".parse().unwrap()));
        assert!(found(Wishes { conditions: conditions.clone(), ..Wishes::default() }));
        assert!(!found(Wishes { conditions, enabled: false, ..Wishes::default() }));
        assert!(!found(Wishes::default()), "with the mode off the numbers are kept and not called");
        assert!(found(Wishes { unanswered, ..Wishes::default() }), "which needs no mode");
    }
}
