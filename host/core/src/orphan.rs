//! What leads nowhere: phones that nobody uses any more, numbers of people who have left, rules bound to nothing.
//!
//! Found from the directory and the picture of a moment, so that what nobody cleans up is at least named.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::config::{Group, Tenant, User};
use crate::explain::list;
use crate::group;
use crate::names::{Extension, UserId};
use crate::place;
use crate::presence;
use crate::rule::{ActiveRule, BindTarget, DestinationRef};
use crate::time_route::RouteTo;
use crate::view::View;

/// How long a phone must have been away.
pub const SILENT: SignedDuration = SignedDuration::from_hours(60 * 24);

/// One thing that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orphan {
    /// `device:1001`, `user:ana`, `role:duty-phone`, `group:sales` or `rule:night`.
    pub what: String,
    /// Why it leads nowhere.
    #[serde(flatten)]
    pub why: Why,
    /// What leads there: `number +4930123456`, `group sales`, `place night-desk`, `forwarding of bob`.
    pub from: Vec<String>,
}

/// The reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Why {
    /// No phone of it has been registered for 60 days, or ever.
    Silent {
        /// When the last registration ended; none: there never was one.
        since: Option<Timestamp>,
    },
    /// The person has no device.
    NoDevice,
    /// The group has nobody.
    NoMember,
    /// Whoever holds the role now, or is to some day, is not reached by any phone.
    HeldInVain {
        /// Who that is, as `bob`.
        by: Vec<UserId>,
    },
    /// The active rule is bound to nothing, or only to what is no longer there.
    Unbound,
    /// The active rule is bound to this, among others, which is no longer there.
    BoundToGone {
        /// As in `rule.toml`.
        to: Vec<String>,
    },
    /// The day by which its owner wanted to look at the rule again is over.
    Overdue {
        /// That day.
        review: jiff::civil::Date,
        /// Who wanted to.
        owner: Option<String>,
    },
}

/// Finds everything in a tenant that leads nowhere: people and devices, then roles, groups and rules.
#[must_use]
pub fn orphans(view: &View, tenant: &Tenant, now: Timestamp) -> Vec<Orphan> {
    let roads = Roads::of(view, tenant);
    let mut found = Vec::new();
    for user in tenant.users.values() {
        people(view, tenant, user, now, &roads, &mut found);
    }
    roles(tenant, &roads, &mut found);
    let is_place = |member: &DestinationRef| matches!(member, DestinationRef::Place(_));
    let is_empty = |group: &&Group| {
        group::everybody(tenant, &group.name).is_empty() && !group.members.iter().any(is_place)
    };
    let empty = tenant.groups.values().filter(is_empty);
    found.extend(empty.map(|group| {
        let to = DestinationRef::Group(group.name.clone());
        Orphan { what: to.to_string(), why: Why::NoMember, from: roads.to(&to) }
    }));
    let rules = view.rules.iter().filter(|((owner, _), _)| *owner == tenant.id).map(|(_, rule)| rule);
    found.extend(rules.flat_map(|rule| rule_orphans(tenant, rule, now)));
    found
}

fn people(view: &View, tenant: &Tenant, user: &User, now: Timestamp, roads: &Roads, found: &mut Vec<Orphan>) {
    let whole = DestinationRef::User(user.id.clone());
    let silent: Vec<_> =
        user.devices.iter().filter_map(|device| Some((device, silent(view, tenant, device, now)?))).collect();
    let what = whole.to_string();
    if user.devices.is_empty() {
        found.push(Orphan { what, why: Why::NoDevice, from: roads.to(&whole) });
    } else if silent.len() == user.devices.len() {
        let since = silent.iter().filter_map(|(_, since)| *since).max();
        let mut from = roads.to(&whole);
        for device in &user.devices {
            from.extend(roads.to(&DestinationRef::Device(device.clone())));
        }
        from.sort();
        from.dedup();
        found.push(Orphan { what, why: Why::Silent { since }, from });
    } else {
        found.extend(silent.into_iter().map(|(device, since)| {
            let to = DestinationRef::Device(device.clone());
            Orphan { what: to.to_string(), why: Why::Silent { since }, from: roads.to(&to) }
        }));
    }
}

/// Roles that somebody holds who is found already.
fn roles(tenant: &Tenant, roads: &Roads, found: &mut Vec<Orphan>) {
    let gone: BTreeSet<String> = found.iter().map(|orphan| orphan.what.clone()).collect();
    for role in tenant.roles.values() {
        let to = DestinationRef::Place(role.name.clone());
        let held = place::may_mean(tenant, &to);
        let is_gone = |user: &&UserId| gone.contains(&DestinationRef::User((*user).clone()).to_string());
        let by: BTreeSet<UserId> =
            held.iter().filter_map(DestinationRef::user).filter(is_gone).cloned().collect();
        if !by.is_empty() {
            let (what, by) = (format!("role:{}", role.name), by.into_iter().collect());
            let mut from: Vec<_> =
                role.extension.iter().map(|extension| format!("extension {extension}")).collect();
            from.extend(roads.to(&to));
            found.push(Orphan { what, why: Why::HeldInVain { by }, from });
        }
    }
}

/// Since when nothing is registered for a device, where that is too long ago; inside: none where there never was anything.
#[expect(clippy::option_option, reason = "outside: whether it is silent; inside: whether it ever was not")]
fn silent(view: &View, tenant: &Tenant, device: &Extension, now: Timestamp) -> Option<Option<Timestamp>> {
    let is_there = presence::bindings(view, &tenant.id, device).next().is_some();
    let gone = view.gone.get(&(tenant.id.clone(), device.clone())).map(|(at, _)| *at);
    let is_long_ago = gone.is_none_or(|at| now.duration_since(at) >= SILENT);
    (!is_there && is_long_ago).then_some(gone)
}

fn rule_orphans(tenant: &Tenant, rule: &ActiveRule, now: Timestamp) -> Vec<Orphan> {
    let orphan = |why| Orphan { what: format!("rule:{}", rule.name), why, from: Vec::new() };
    let gone: Vec<_> = rule.bind.iter().filter(|target| !is_there(tenant, target)).collect();
    let mut found = Vec::new();
    if gone.len() == rule.bind.len() {
        found.push(orphan(Why::Unbound));
    } else if !gone.is_empty() {
        found.push(orphan(Why::BoundToGone { to: gone.iter().map(ToString::to_string).collect() }));
    }
    let today = now.to_zoned(tenant.zone.clone()).date();
    if let Some(review) = rule.care.review.filter(|review| *review < today) {
        found.push(orphan(Why::Overdue { review, owner: rule.care.owner.clone() }));
    }
    found
}

fn is_there(tenant: &Tenant, target: &BindTarget) -> bool {
    match target {
        BindTarget::Number(number) => tenant.plan.find(number).is_some(),
        BindTarget::User(user) => tenant.users.contains_key(user),
        BindTarget::Group(group) => tenant.groups.contains_key(group),
        BindTarget::Tenant => true,
    }
}

/// What leads to each destination.
struct Roads(BTreeMap<DestinationRef, Vec<String>>);

impl Roads {
    fn of(view: &View, tenant: &Tenant) -> Self {
        let mut roads = Self(BTreeMap::new());
        for user in tenant.users.values() {
            let to = DestinationRef::User(user.id.clone());
            roads.lead(&to, user.extension.iter().map(|extension| format!("extension {extension}")));
            roads.lead(&to, user.numbers.iter().map(|number| format!("number {number}")));
        }
        for group in tenant.groups.values() {
            let to = DestinationRef::Group(group.name.clone());
            roads.lead(&to, group.extension.iter().map(|extension| format!("extension {extension}")));
            for member in &group.members {
                roads.lead(member, [format!("group {}", group.name)]);
            }
        }
        for place in tenant.places.values() {
            roads.lead(&place.target, [format!("place {}", place.name)]);
        }
        for site in tenant.sites.values() {
            for part in &site.parts {
                roads.lead(part, [format!("site {}", site.name)]);
            }
        }
        for role in tenant.roles.values() {
            if let RouteTo::Destination(to) = &role.held_by {
                roads.lead(to, [format!("role {}", role.name)]);
            }
        }
        for rota in tenant.rotas.values() {
            for member in &rota.members {
                roads.lead(&DestinationRef::User(member.clone()), [format!("rota {}", rota.name)]);
            }
        }
        for route in tenant.time_routes.values() {
            for to in route.entries.iter().map(|entry| &entry.to).chain(&route.otherwise) {
                match to {
                    RouteTo::Destination(to) => roads.lead(to, [format!("time route {}", route.name)]),
                    RouteTo::Rota(_) => {}
                }
            }
        }
        roads.forwarding(view, tenant);
        roads
    }

    fn forwarding(&mut self, view: &View, tenant: &Tenant) {
        let wishes = |user: &UserId| crate::forwarding::saved(view, tenant, user).cloned();
        for (user, wishes) in tenant.users.keys().filter_map(|user| Some((user, wishes(user)?))) {
            for to in wishes.targets() {
                self.lead(to, [format!("forwarding of {user}")]);
            }
        }
    }

    fn lead(&mut self, to: &DestinationRef, from: impl IntoIterator<Item = String>) {
        // However somebody is rung, it is them.
        let to = to.user().map_or_else(|| to.clone(), |user| DestinationRef::User(user.clone()));
        let roads = self.0.entry(to).or_default();
        roads.extend(from);
        roads.dedup();
    }

    fn to(&self, to: &DestinationRef) -> Vec<String> {
        self.0.get(to).cloned().unwrap_or_default()
    }
}

/// One line for people: what, why, and what leads there.
#[must_use]
pub fn told(orphan: &Orphan, tenant: &Tenant) -> String {
    let why = match &orphan.why {
        Why::Silent { since: Some(at) } => {
            format!("no phone since {}", at.to_zoned(tenant.zone.clone()).date())
        }
        Why::Silent { since: None } => "no phone was ever registered".to_owned(),
        Why::NoDevice => "has no device".to_owned(),
        Why::NoMember => "has nobody in it".to_owned(),
        Why::HeldInVain { by } => {
            let by: Vec<_> = by.iter().map(ToString::to_string).collect();
            format!("is held by {}, whom no phone reaches", list(&by))
        }
        Why::Unbound => "is active and bound to nothing that is there".to_owned(),
        Why::BoundToGone { to } => format!("is bound to {}, which is not there any more", list(to)),
        Why::Overdue { review, owner: Some(owner) } => {
            format!("was to be looked at again by {owner} until {review}")
        }
        Why::Overdue { review, owner: None } => format!("was to be looked at again until {review}"),
    };
    let from = if orphan.from.is_empty() {
        String::new()
    } else {
        format!("; {} lead{} there", list(&orphan.from), if orphan.from.len() == 1 { "s" } else { "" })
    };
    format!("{}: {why}{from}", orphan.what)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Place;
    use crate::place::Role;
    use crate::record::Gone;
    use crate::rule::Care;
    use crate::testing;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_thing_that_leads_nowhere_is_named_with_what_leads_there() {
        let mut tenant = testing::tenant();
        let place = Place { name: "night-desk".into(), target: DestinationRef::Person("bob".into()) };
        tenant.places.insert(place.name.clone(), place);
        for user in tenant.users.values_mut().filter(|user| user.id.as_str() == "ana") {
            user.devices.clear();
        }
        let mut view = View::default();
        view.gone.insert(("acme".into(), "1011".into()), (at("2026-09-01T10:00:00Z"), Gone::Expired));
        let rule = ActiveRule {
            tenant: "acme".into(),
            name: "night".into(),
            version: "v".into(),
            bind: vec![BindTarget::User("carl".into()), BindTarget::Group("sales".into())],
            fallback: None,
            settings: Arc::default(),
            care: Care { owner: Some("Ana".to_owned()), review: Some(jiff::civil::date(2026, 11, 1)) },
        };
        view.rules.insert(("acme".into(), "night".into()), Arc::new(rule));
        let held_by = RouteTo::Destination(DestinationRef::User("bob".into()));
        let duty =
            Role { name: "duty".into(), extension: Some("300".into()), held_by, follow_forwarding: false };
        tenant.roles.insert(duty.name.clone(), duty);
        let told_at = |now| -> Vec<String> {
            orphans(&view, &tenant, now).iter().map(|orphan| told(orphan, &tenant)).collect()
        };
        assert_eq!(
            told_at(at("2026-11-20T12:00:00Z")),
            [
                "user:ana: has no device; extension 100 and group sales lead there",
                "user:bob: no phone since 2026-09-01; extension 101, group sales, place night-desk and role duty lead there",
                "role:duty: is held by bob, whom no phone reaches; extension 300 leads there",
                "rule:night: is bound to user:carl, which is not there any more",
                "rule:night: was to be looked at again by Ana until 2026-11-01",
            ]
        );
        assert!(told_at(at("2026-10-30T12:00:00Z")).iter().all(|line| !line.starts_with("user:bob")));
    }

    #[test]
    fn a_phone_that_is_silent_beside_others_stands_alone() {
        let tenant = testing::tenant();
        let mut view = View::default();
        let now = at("2026-11-20T12:00:00Z");
        for device in ["1001", "1002", "1011"] {
            view.gone.insert(("acme".into(), device.into()), (now, Gone::Expired));
        }
        let orphan =
            Orphan { what: "device:1003".to_owned(), why: Why::Silent { since: None }, from: Vec::new() };
        assert_eq!(orphans(&view, &tenant, now), [orphan]);
    }
}
