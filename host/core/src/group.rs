//! Groups and what is in them: people, other groups, places. What one comes to when it is rung, and how long that takes.
//!
//! A group that is no more than people who ring together is rung as such. One that hunts, staggers or has more in it than
//! people is rung by its own rule within the ring (TELEPHONY T13), unless that rule is the one that rings it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::config::{Group, Tenant};
use crate::names::{GroupName, UserId};
use crate::place;
use crate::rule::DestinationRef;

/// How many rules of groups and people may be within each other, behind the rule of the call.
pub const DEPTH_MAX: usize = 8;

impl Group {
    /// Its people, in order, without those of groups within it.
    pub fn people(&self) -> impl Iterator<Item = &UserId> {
        self.members.iter().filter_map(DestinationRef::user)
    }

    /// Whether it is no more than people who ring together.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let people = self.members.iter().all(|member| matches!(member, DestinationRef::User(_)));
        people && self.hunt.is_none() && self.stagger.is_zero()
    }

    /// How long it rings each of its members, or all of them together.
    #[must_use]
    pub fn rings_for(&self, tenant: &Tenant) -> Duration {
        self.ring_time.unwrap_or(tenant.ring_time)
    }
}

/// One thing that a destination comes down to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behind {
    /// Devices, found as of that destination.
    Devices(DestinationRef),
    /// The devices of a group's own people.
    People(GroupName),
    /// A person or a group, by a rule of their own.
    Rule(DestinationRef),
}

/// What is rung when a destination is. `own` is the group whose rule rings it: that one knows what is in it, and rings all of
/// it together.
#[must_use]
pub fn behind(tenant: &Tenant, to: &DestinationRef, own: Option<&GroupName>, at: Timestamp) -> Vec<Behind> {
    match to {
        DestinationRef::Person(_) => vec![Behind::Rule(to.clone())],
        DestinationRef::Group(name) => match tenant.groups.get(name) {
            Some(group) if own == Some(name) || group.is_plain() => of_group(tenant, group, at),
            Some(_) => vec![Behind::Rule(to.clone())],
            None => vec![Behind::Devices(to.clone())],
        },
        DestinationRef::Place(name) => match (tenant.places.get(name), tenant.sites.get(name)) {
            (Some(place), _) => match &place.target {
                // A place stands for anything but another place.
                DestinationRef::Place(_) => vec![Behind::Devices(to.clone())],
                target @ (DestinationRef::Device(_)
                | DestinationRef::User(_)
                | DestinationRef::Person(_)
                | DestinationRef::Group(_)
                | DestinationRef::Number(_)) => behind(tenant, target, own, at),
            },
            (None, Some(site)) => {
                let parts: Vec<_> =
                    site.parts.iter().flat_map(|part| behind(tenant, part, own, at)).collect();
                let by_rule = parts.iter().any(|part| matches!(part, Behind::Rule(_)));
                if by_rule { parts } else { vec![Behind::Devices(to.clone())] }
            }
            (None, None) => vec![Behind::Devices(to.clone())],
        },
        DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Number(_) => {
            vec![Behind::Devices(to.clone())]
        }
    }
}

/// What stands in a group that its own rule rings and depends on the time, each with whom it means now and why.
#[must_use]
pub fn meanings(
    tenant: &Tenant,
    to: &DestinationRef,
    own: Option<&GroupName>,
    at: Timestamp,
) -> Vec<(DestinationRef, String)> {
    let group = to.group().filter(|name| own == Some(*name)).and_then(|name| tenant.groups.get(name));
    let members = group.into_iter().flat_map(|group| &group.members);
    members.filter_map(|member| Some((member.clone(), place::meant(tenant, member, at).why?))).collect()
}

fn of_group(tenant: &Tenant, group: &Group, at: Timestamp) -> Vec<Behind> {
    let mut all = Vec::new();
    if group.follow_forwarding {
        all.extend(group.people().map(|user| Behind::Rule(DestinationRef::Person(user.clone()))));
    } else if group.people().next().is_some() || group.members.is_empty() {
        all.push(Behind::People(group.name.clone()));
    }
    for member in group.members.iter().filter(|member| member.user().is_none()) {
        let meant = place::meant(tenant, member, at).to;
        all.extend(behind(tenant, meant.as_ref().unwrap_or(member), None, at));
    }
    all
}

/// How long a destination rings of itself: a group that does not ring all of its members at once, until all have had their
/// time. None where it rings as long as it is let.
#[must_use]
pub fn lasts(tenant: &Tenant, to: &DestinationRef, at: Timestamp) -> Option<Duration> {
    lasts_within(tenant, to, at, DEPTH_MAX)
}

fn lasts_within(tenant: &Tenant, to: &DestinationRef, at: Timestamp, depth: usize) -> Option<Duration> {
    let depth = depth.checked_sub(1)?;
    let meant = place::meant(tenant, to, at).to?;
    let name = match &meant {
        DestinationRef::Group(name) => name,
        DestinationRef::Place(name) => match &tenant.places.get(name)?.target {
            DestinationRef::Group(name) => name,
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_) => return None,
        },
        DestinationRef::Device(_)
        | DestinationRef::User(_)
        | DestinationRef::Person(_)
        | DestinationRef::Number(_) => return None,
    };
    let group = tenant.groups.get(name).filter(|group| !group.is_plain())?;
    let time = group.rings_for(tenant);
    if group.hunt.is_none() {
        let steps = u32::try_from(group.members.len().saturating_sub(1)).unwrap_or(u32::MAX);
        return Some(time.saturating_add(group.stagger.saturating_mul(steps)));
    }
    let of_member = |member| lasts_within(tenant, member, at, depth).unwrap_or(time);
    Some(group.members.iter().map(of_member).fold(Duration::ZERO, Duration::saturating_add))
}

/// Everybody in a group and in the groups within it, each once. Who holds a role depends on the time, and is nobody here.
#[must_use]
pub fn everybody(tenant: &Tenant, group: &GroupName) -> Vec<UserId> {
    let (mut people, mut seen) = (Vec::new(), BTreeSet::from([group.clone()]));
    let mut next = VecDeque::from([group.clone()]);
    let mut known = BTreeSet::new();
    while let Some(group) = next.pop_front().and_then(|name| tenant.groups.get(&name)) {
        people.extend(group.people().filter(|user| known.insert((*user).clone())).cloned());
        for member in &group.members {
            let inner = match member {
                DestinationRef::Place(name) => tenant.places.get(name).map_or(member, |place| &place.target),
                DestinationRef::Device(_)
                | DestinationRef::User(_)
                | DestinationRef::Person(_)
                | DestinationRef::Group(_)
                | DestinationRef::Number(_) => member,
            };
            next.extend(inner.group().filter(|inner| seen.insert((*inner).clone())).cloned());
        }
    }
    people
}

/// The shortest way on which a group is in itself at some time, itself first and last; roles are looked through.
#[must_use]
pub fn circle(tenant: &Tenant, start: &GroupName) -> Option<Vec<GroupName>> {
    let mut came_from: BTreeMap<GroupName, GroupName> = BTreeMap::new();
    let mut next = VecDeque::from([start.clone()]);
    while let Some(name) = next.pop_front() {
        for inner in within(tenant, &name) {
            if inner == *start {
                let mut path = vec![start.clone(), name.clone()];
                while let Some(before) = path.last().and_then(|last| came_from.get(last)) {
                    path.push(before.clone());
                }
                if name == *start {
                    path.truncate(1);
                    path.push(start.clone());
                }
                path.reverse();
                return Some(path);
            }
            if !came_from.contains_key(&inner) {
                came_from.insert(inner.clone(), name.clone());
                next.push_back(inner);
            }
        }
    }
    None
}

/// How many groups are within each other below a group that is in no circle, at most so many as may be rung and one more.
#[must_use]
pub fn depth(tenant: &Tenant, group: &GroupName) -> usize {
    let mut level = BTreeSet::from([group.clone()]);
    for depth in 0..=DEPTH_MAX {
        level = level.iter().flat_map(|name| within(tenant, name)).collect();
        if level.is_empty() {
            return depth;
        }
    }
    DEPTH_MAX + 1
}

/// The groups that are members of a group, at whatever time.
fn within(tenant: &Tenant, group: &GroupName) -> BTreeSet<GroupName> {
    let members = tenant.groups.get(group).into_iter().flat_map(|group| &group.members);
    members.flat_map(|member| place::may_mean(tenant, member)).filter_map(|to| to.group().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Place;
    use crate::place::Role;
    use crate::roster::Order;
    use crate::testing;

    fn add(tenant: &mut Tenant, name: &str, members: &[&str], hunt: Option<Order>) {
        let group = Group {
            name: name.into(),
            extension: None,
            members: members.iter().map(|member| member.parse().unwrap()).collect(),
            follow_forwarding: false,
            hunt,
            stagger: Duration::ZERO,
            ring_time: Some(Duration::from_secs(10)),
        };
        tenant.groups.insert(name.into(), group);
    }

    fn told(behind: &[Behind]) -> Vec<String> {
        let one = |behind: &Behind| match behind {
            Behind::Devices(to) => format!("devices of {to}"),
            Behind::People(group) => format!("people of {group}"),
            Behind::Rule(to) => format!("rule of {to}"),
        };
        behind.iter().map(one).collect()
    }

    #[test]
    fn a_group_is_people_or_rung_by_its_own_rule() {
        let mut tenant = testing::tenant();
        add(&mut tenant, "hunt", &["user:ana", "user:bob"], Some(Order::Listed));
        add(&mut tenant, "plain", &["user:bob"], None);
        add(&mut tenant, "outer", &["user:ana", "group:hunt", "group:plain"], None);
        let rung = |to: &str, own: Option<&str>| {
            let own = own.map(GroupName::from);
            told(&behind(&tenant, &to.parse().unwrap(), own.as_ref(), Timestamp::UNIX_EPOCH))
        };
        assert_eq!(rung("group:plain", None), ["people of plain"]);
        assert_eq!(rung("group:outer", None), ["rule of group:outer"]);
        assert_eq!(
            rung("group:outer", Some("outer")),
            ["people of outer", "rule of group:hunt", "people of plain"]
        );
        assert_eq!(rung("group:nobody", None), ["devices of group:nobody"]);
        assert_eq!(rung("person:ana", None), ["rule of person:ana"]);
    }

    #[test]
    fn a_group_that_is_tried_one_by_one_lasts_until_all_have_had_their_time() {
        let mut tenant = testing::tenant();
        add(&mut tenant, "hunt", &["user:ana", "user:bob"], Some(Order::Listed));
        add(&mut tenant, "outer", &["user:ana", "group:hunt"], Some(Order::Listed));
        add(&mut tenant, "steps", &["user:ana", "user:bob", "group:outer"], None);
        let lasts = |tenant: &Tenant, to: &str| {
            lasts(tenant, &to.parse().unwrap(), Timestamp::UNIX_EPOCH).map(|time| time.as_secs())
        };
        assert_eq!(lasts(&tenant, "group:hunt"), Some(20));
        assert_eq!(lasts(&tenant, "group:outer"), Some(30));
        assert_eq!(lasts(&tenant, "group:steps"), Some(10));
        tenant.groups.get_mut("steps").unwrap().stagger = Duration::from_secs(4);
        assert_eq!(lasts(&tenant, "group:steps"), Some(18));
        assert_eq!((lasts(&tenant, "user:ana"), lasts(&tenant, "group:sales")), (None, None));
    }

    #[test]
    fn a_group_in_itself_is_found_through_groups_places_and_roles() {
        let mut tenant = testing::tenant();
        add(&mut tenant, "a", &["user:ana", "group:b"], None);
        add(&mut tenant, "b", &["place:night"], None);
        add(&mut tenant, "c", &["place:duty", "group:a"], None);
        add(&mut tenant, "self", &["group:self"], None);
        let target = DestinationRef::Group("c".into());
        tenant.places.insert("night".into(), Place { name: "night".into(), target });
        let path = |tenant: &Tenant, from: &str| {
            let path = circle(tenant, &from.into())?;
            Some(path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(path(&tenant, "a").as_deref(), Some("a b c a"));
        assert_eq!(path(&tenant, "self").as_deref(), Some("self self"));
        add(&mut tenant, "c", &["place:duty"], None);
        assert_eq!((path(&tenant, "a"), depth(&tenant, &"a".into())), (None, 2));
        let held_by = "group:a".parse().unwrap();
        let role = Role { name: "duty".into(), extension: None, held_by, follow_forwarding: false };
        tenant.roles.insert("duty".into(), role);
        assert_eq!(path(&tenant, "a").as_deref(), Some("a b c a"));
        assert_eq!(depth(&tenant, &"a".into()), DEPTH_MAX + 1, "a circle has no end");
    }

    #[test]
    fn everybody_in_a_group_is_named_once_and_a_circle_ends() {
        let mut tenant = testing::tenant();
        add(&mut tenant, "a", &["user:bob", "group:b"], None);
        add(&mut tenant, "b", &["group:a", "user:ana", "user:bob"], None);
        let all: Vec<_> = everybody(&tenant, &"a".into()).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["bob", "ana"]);
    }
}
