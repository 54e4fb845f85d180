//! How a person wishes to be reached, as people write it: a mode or conditions, and where calls go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::{Tenant, User};
use callwright_core::forwarding::{Condition, Mode, NUMBERS_MAX, RINGS_MAX, When, Wish, Wishes};
use callwright_core::rule::DestinationRef;

use super::document::{Table, Value};
use super::duty::Holidays;
use super::hours;
use super::numbers::is_number;

/// Bounds of the time that devices ring before no answer forwards, in seconds; the codes of GSM can say 5 to 30.
const AFTER_S: std::ops::RangeInclusive<u32> = 5..=120;
/// How many names a list of queues or devices may have.
const NAMES_MAX: usize = 100;

/// Reads `forwarding` of a person. Whether its destinations exist is looked at when all are known: [`destinations`].
pub(super) fn read(value: &Value<'_>) -> Option<Arc<Wishes>> {
    let table = value.table()?;
    let mut wishes = Wishes {
        enabled: table.get("enabled").and_then(|value| value.flag()).unwrap_or(true),
        when: table.get("when").and_then(|value| when(&value)).unwrap_or(When::Always),
        numbers: targets(&table, "to"),
        own: names(&table, "own").into_iter().collect(),
        conditions: BTreeMap::new(),
        in_order: table.get("in-order").and_then(|value| value.flag()).unwrap_or(false),
        rings: table.get("rings").and_then(|value| value.small(1..=RINGS_MAX)),
        unanswered: table.get("unanswered").and_then(|value| value.parsed()),
        cold_route: table.get("cold-route").and_then(|value| cold_route(&value)),
        takes_for: names(&table, "takes-for").into_iter().map(Into::into).collect(),
        do_not_disturb: table.get("do-not-disturb").and_then(|value| value.flag()).unwrap_or(false),
        silent: names(&table, "silent").into_iter().map(Into::into).collect(),
        queues: names(&table, "queues").into_iter().collect(),
    };
    for number in wishes.own.iter().filter(|own| !is_among(&wishes.numbers, own)) {
        table.lacks("own", format!("`{number}` is none of the numbers in `to`"));
    }
    match (table.get("mode"), table.get("conditions")) {
        (Some(_), Some(value)) => value.wrong("stands beside `mode`: write one of them"),
        (Some(value), None) => wishes.choose(mode(&value).unwrap_or(Mode::Off)),
        (None, Some(value)) => wishes.conditions = conditions(&value),
        (None, None) => {}
    }
    table.done();
    Some(Arc::new(wishes))
}

/// Every destination that wishes name, each with the place where it stands.
fn destinations(wishes: &Wishes) -> impl Iterator<Item = &DestinationRef> {
    let own = wishes.conditions.values().flat_map(|wish| &wish.to);
    wishes.numbers.iter().chain(own).chain(&wishes.unanswered).chain(&wishes.cold_route)
}

/// What wishes of a user name and the tenant does not have, in words.
pub(super) fn missing(wishes: &Wishes, user: &User, tenant: &Tenant) -> Vec<String> {
    let lost = |to: &DestinationRef| Some(format!("is forwarded to `{to}`: {}", tenant.lacks(to)?));
    let silent = wishes.silent.iter().filter(|device| !user.devices.contains(device));
    let silent = silent.map(|device| format!("silences `{device}`, which is none of their devices"));
    destinations(wishes).filter_map(lost).chain(silent).collect()
}

fn is_among(numbers: &[DestinationRef], own: &str) -> bool {
    numbers.iter().any(|to| matches!(to, DestinationRef::Number(number) if number == own))
}

/// `"always"`, or hours of its own as in `[tenants.T.hours.NAME]`.
fn when(value: &Value<'_>) -> Option<When> {
    if value.is_table() {
        return hours::read("custom", value, &Holidays::new()).map(When::Custom);
    }
    match value.text()? {
        "always" => Some(When::Always),
        other => {
            value.wrong(format!("`{other}` is neither \"always\" nor a table with `weekly` hours"));
            None
        }
    }
}

fn mode(value: &Value<'_>) -> Option<Mode> {
    let text = value.text()?;
    let mode = Mode::CHOICES.into_iter().find(|mode| mode.word() == text);
    if mode.is_none() {
        let known = Mode::CHOICES.map(Mode::word).join(", ");
        value.wrong(format!("`{text}` is no mode: write one of {known}"));
    }
    mode
}

fn conditions(value: &Value<'_>) -> BTreeMap<Condition, Wish> {
    let Some(table) = value.table() else { return BTreeMap::new() };
    let mut conditions = BTreeMap::new();
    for condition in Condition::ALL {
        let Some(wish) = table.get(condition.word()).and_then(|value| value.table()) else { continue };
        let after_s = wish.get("after-s").and_then(|value| {
            if condition != Condition::NoAnswer {
                value.wrong("is for `no-answer` alone: it says how long devices ring");
            }
            value.small(AFTER_S)
        });
        let read = Wish {
            active: wish.get("active").and_then(|value| value.flag()).unwrap_or(true),
            to: targets(&wish, "to"),
            after: after_s.map(|seconds| Duration::from_secs(seconds.into())),
        };
        wish.done();
        conditions.insert(condition, read);
    }
    table.done();
    conditions
}

/// A list of destinations: people, groups, places, numbers; a device is for the cold route alone.
fn targets(table: &Table<'_>, key: &'static str) -> Vec<DestinationRef> {
    let Some(list) = table.get(key) else { return Vec::new() };
    let mut targets = Vec::new();
    for value in list.list() {
        let Some(to) = value.parsed::<DestinationRef>() else { continue };
        match &to {
            DestinationRef::Number(number) if !is_number(number) => {
                value.wrong(format!("`{number}` is no number in E.164: write number:+4930123456"));
            }
            DestinationRef::Device(_) => value.wrong("a device is nothing to forward to: name its user"),
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_)
                if targets.contains(&to) =>
            {
                value.wrong(format!("`{to}` is named twice"));
            }
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_) => {}
        }
        targets.push(to);
    }
    if targets.len() > NUMBERS_MAX {
        list.wrong(format!("has {} destinations, at most {NUMBERS_MAX} are possible", targets.len()));
    }
    targets
}

/// One of the user's devices, or a colleague.
fn cold_route(value: &Value<'_>) -> Option<DestinationRef> {
    let to = value.parsed()?;
    match &to {
        DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Person(_) => Some(to),
        DestinationRef::Group(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => {
            value.wrong(format!("`{to}` is neither a device nor a user"));
            None
        }
    }
}

fn names(table: &Table<'_>, key: &'static str) -> Vec<String> {
    let Some(list) = table.get(key) else { return Vec::new() };
    let names: Vec<_> = list.list().iter().filter_map(|value| value.text().map(str::to_owned)).collect();
    if names.len() > NAMES_MAX {
        list.wrong(format!("has {} names, at most {NAMES_MAX} are possible", names.len()));
    }
    names
}
