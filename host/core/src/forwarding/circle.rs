//! Whether people are forwarded to each other in a circle, as far as that stands in their wishes.
//!
//! A user as destination is their devices and leads no farther; whoever is meant as a person, or as a member of a group that
//! follows forwarding, is reached by what they wish themselves. A call that goes round is ended by the switch as
//! `blocked(loop)` (TELEPHONY T13); this finds it before anybody calls.

use std::collections::{BTreeMap, VecDeque};

use super::Wishes;
use crate::config::Tenant;
use crate::names::UserId;
use crate::rule::DestinationRef;

/// How many people are looked at for one circle.
const PEOPLE_MAX: usize = 1_000;

/// The shortest circle that leads from somebody back to them, themselves first and last.
#[must_use]
pub fn circle<W: std::borrow::Borrow<Wishes>>(
    tenant: &Tenant,
    start: &UserId,
    wishes: impl Fn(&UserId) -> Option<W>,
) -> Option<Vec<UserId>> {
    let mut came_from: BTreeMap<UserId, UserId> = BTreeMap::new();
    let mut next = VecDeque::from([start.clone()]);
    while let Some(user) = next.pop_front() {
        let Some(wishes) = wishes(&user) else { continue };
        let wishes: &Wishes = wishes.borrow();
        if !wishes.enabled {
            continue;
        }
        for to in wishes.targets().flat_map(|to| persons(tenant, to)) {
            if to == start {
                let mut path = vec![start.clone(), user.clone()];
                while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before.clone());
                }
                // Who is forwarded to themselves has no other to come back from.
                path.dedup();
                if path.len() == 1 {
                    path.push(start.clone());
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(to) && came_from.len() < PEOPLE_MAX {
                came_from.insert(to.clone(), user.clone());
                next.push_back(to.clone());
            }
        }
    }
    None
}

/// Who is reached as a person by a destination.
fn persons<'a>(tenant: &'a Tenant, to: &'a DestinationRef) -> &'a [UserId] {
    match to {
        DestinationRef::Person(user) => std::slice::from_ref(user),
        DestinationRef::Group(group) => {
            let group = tenant.groups.get(group).filter(|group| group.follow_forwarding);
            group.map(|group| group.members.as_slice()).unwrap_or_default()
        }
        // A place is no place itself.
        DestinationRef::Place(place) => match tenant.places.get(place).map(|place| &place.target) {
            Some(target @ (DestinationRef::Person(_) | DestinationRef::Group(_))) => persons(tenant, target),
            Some(
                DestinationRef::Device(_)
                | DestinationRef::User(_)
                | DestinationRef::Place(_)
                | DestinationRef::Number(_),
            )
            | None => &[],
        },
        DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Number(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Group, Place};
    use crate::testing;

    /// What each user forwards to.
    fn found(tenant: &Tenant, wishes: &[(&str, &str)], start: &str) -> Option<String> {
        let of = |user: &UserId| {
            let to = wishes.iter().find(|(who, _)| *who == user.as_str())?.1;
            Some(Wishes { numbers: vec![to.parse().unwrap()], ..Wishes::default() })
        };
        let path = circle(tenant, &start.into(), of)?;
        Some(path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_circle_is_found_over_persons_groups_and_places_and_not_over_devices() {
        let mut tenant = testing::tenant();
        let group = |follow_forwarding| Group {
            name: "all".into(),
            extension: None,
            members: vec!["cleo".into(), "ana".into()],
            follow_forwarding,
            hunt: None,
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
        assert_eq!(found(&tenant, &places, "ana").as_deref(), Some("ana bob ana"));
        tenant.groups.insert("all".into(), group(false));
        assert_eq!(found(&tenant, &places, "ana"), None);
    }

    #[test]
    fn whoever_forwards_nothing_breaks_the_circle() {
        let tenant = testing::tenant();
        let wishes = |user: &UserId| {
            let to = if user.as_str() == "ana" { "person:bob" } else { "person:ana" };
            let enabled = user.as_str() == "ana";
            Some(Wishes { numbers: vec![to.parse().unwrap()], enabled, ..Wishes::default() })
        };
        assert_eq!(circle(&tenant, &"ana".into(), wishes), None);
    }
}
