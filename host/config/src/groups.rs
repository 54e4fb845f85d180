//! The groups of a tenant: who is in them, and how they ring. No group is in itself.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_core::config::{Group, Tenant};
use callwright_core::group::{DEPTH_MAX, circle, depth};
use callwright_core::names::GroupName;
use callwright_core::roster::Order;
use callwright_core::rule::DestinationRef;

use super::document::{Table, Value};
use super::numbers::{Numbers, Owner};
use super::tenant::{DAY_S, is_name};

/// Reads `[tenants.T.groups.NAME]`; whether there is what its members name is seen when everything is read.
pub(super) fn read(table: &Table<'_>, numbers: &mut Numbers) -> BTreeMap<GroupName, Group> {
    let mut groups = BTreeMap::new();
    for (name, value) in table.names("groups") {
        let Some(table) = value.table() else { continue };
        is_name(name, &value);
        let extension = numbers.extension(&table, &Owner::Group(name.into()));
        let mut members: Vec<DestinationRef> = Vec::new();
        for value in table.require("members").map(|value| value.list()).unwrap_or_default() {
            let Some(member) = member(&value) else { continue };
            if members.contains(&member) {
                value.wrong(format!("`{}` is named twice", word(&member)));
            }
            members.push(member);
        }
        let follow_forwarding =
            table.get("follow-forwarding").and_then(|value| value.flag()).unwrap_or_default();
        let hunt = table.get("hunt").and_then(|value| hunt(&value));
        let time = |key| {
            let time = table.get(key).and_then(|value| value.small(1..=DAY_S));
            time.map(|time_s| Duration::from_secs(time_s.into()))
        };
        let (ring_time, stagger) = (time("ring-time-s"), time("stagger-s"));
        if let (Some(value), Some(_)) = (table.get("stagger-s"), hunt) {
            value.wrong("is for a group that rings together: of one that hunts one member rings at a time");
        }
        table.done();
        let name = GroupName::from(name);
        let stagger = stagger.unwrap_or_default();
        let group =
            Group { name: name.clone(), extension, members, follow_forwarding, hunt, stagger, ring_time };
        groups.insert(name, group);
    }
    groups
}

/// `ana`, `group:night` or `place:duty`.
fn member(value: &Value<'_>) -> Option<DestinationRef> {
    let text = value.text()?;
    if !text.contains(':') {
        return Some(DestinationRef::User(text.into()));
    }
    let to = value.destination("the name of a user, group:NAME or place:NAME")?;
    match &to {
        DestinationRef::User(_) | DestinationRef::Group(_) | DestinationRef::Place(_) => Some(to),
        DestinationRef::Device(_) | DestinationRef::Person(_) | DestinationRef::Number(_) => {
            value.wrong("must be the name of a user, group:NAME or place:NAME");
            None
        }
    }
}

/// A member as a document has it.
pub(crate) fn word(member: &DestinationRef) -> String {
    member.user().map_or_else(|| member.to_string(), ToString::to_string)
}

/// How a group is rung: none together, or one by one in an order.
fn hunt(value: &Value<'_>) -> Option<Order> {
    match value.text()? {
        "together" => None,
        "linear" => Some(Order::Listed),
        "circular" => Some(Order::Circular),
        "longest-idle" => Some(Order::LongestIdle),
        "fewest-calls" => Some(Order::FewestCalls),
        other => {
            value.wrong(format!(
                "`{other}` is none of \"together\", \"linear\", \"circular\", \"longest-idle\" and \"fewest-calls\""
            ));
            None
        }
    }
}

/// Reports members that the tenant does not have, groups that are in themselves, and those that reach too deep.
pub(super) fn lead_somewhere(table: &Table<'_>, tenant: &Tenant) {
    for (name, value) in table.names("groups") {
        let Some(group) = tenant.groups.get(name) else { continue };
        let Some(listed) = value.table().and_then(|table| table.get("members")) else { continue };
        for value in listed.list() {
            let named = value.text().and_then(|text| {
                let plain = || DestinationRef::User(text.into());
                if text.contains(':') { text.parse().ok() } else { Some(plain()) }
            });
            if let Some(missing) = named.and_then(|member| tenant.lacks(&member)) {
                value.wrong(missing);
            }
        }
        if let Some(path) = circle(tenant, &group.name) {
            let path: Vec<_> = path.iter().map(ToString::to_string).collect();
            listed.wrong(format!("the group would be in itself: {}", path.join(" → ")));
        } else if depth(tenant, &group.name) > DEPTH_MAX {
            listed.wrong(format!("more than {DEPTH_MAX} groups would be within each other"));
        }
    }
}
