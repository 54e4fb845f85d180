//! How a person wishes to be reached, as people write it: a mode or conditions, and where calls go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use callwright_core::config::{Tenant, User};
use callwright_core::forwarding::{
    CALLERS_MAX, CallerList, CallerMatch, Condition, Mode, NUMBERS_MAX, Partial, RINGS_MAX, SELECTIONS_MAX,
    TimeTarget, When, Wish, Wishes,
};
use callwright_core::names::{ProfileName, is_e164};
use callwright_core::rule::DestinationRef;

use super::document::{Table, Value};
use super::duty::Holidays;
use super::hours;
use super::tenant::is_name;

/// Bounds of the time that devices ring before no answer forwards, in seconds; the codes of GSM can say 5 to 30.
const AFTER_S: std::ops::RangeInclusive<u32> = 5..=120;
/// How many names a list of queues or devices may have.
const NAMES_MAX: usize = 100;
/// What calls may be forwarded to.
const TARGETS: &str = "user:NAME, person:NAME, group:NAME, place:NAME or +4930123456";
/// How many profiles a user may have, and a tenant.
const PROFILES_MAX: usize = 20;

/// Reads `forwarding` of a person. Whether its destinations exist is looked at when all are known: [`missing`].
pub(super) fn read(value: &Value<'_>) -> Option<Arc<Wishes>> {
    let table = value.table()?;
    let own = Wishes {
        own: names(&table, "own").into_iter().collect(),
        takes_for: names(&table, "takes-for").into_iter().map(Into::into).collect(),
        queues: names(&table, "queues").into_iter().collect(),
        profile: table.get("profile").and_then(|value| value.text()).map(ProfileName::from),
        profiles: profiles(&table),
        ..Wishes::default()
    };
    let wishes = partial(&table).over(&own);
    for number in wishes.own.iter().filter(|own| !is_among(&wishes.numbers, own)) {
        table.lacks("own", format!("`{number}` is none of the numbers in `to`"));
    }
    table.done();
    Some(Arc::new(wishes))
}

/// Reads `profiles` of a person, or of a tenant.
pub(super) fn profiles(table: &Table<'_>) -> BTreeMap<ProfileName, Partial> {
    let Some(value) = table.get("profiles") else { return BTreeMap::new() };
    let entries = value.entries();
    if entries.len() > PROFILES_MAX {
        value.wrong(format!("has {} profiles, at most {PROFILES_MAX} are possible", entries.len()));
    }
    let mut profiles = BTreeMap::new();
    for (name, value) in entries {
        is_name(name, &value);
        let Some(table) = value.table() else { continue };
        profiles.insert(ProfileName::from(name), partial(&table));
        table.done();
    }
    profiles
}

/// The wishes that a profile may say too.
fn partial(table: &Table<'_>) -> Partial {
    let flag = |key| table.get(key).and_then(|value| value.flag());
    let conditions = match (table.get("mode"), table.get("conditions")) {
        (Some(_), Some(value)) => {
            value.wrong("stands beside `mode`: write one of them");
            None
        }
        (Some(value), None) => Some(mode(&value).unwrap_or(Mode::Off).wishes()),
        (None, Some(value)) => Some(conditions(&value)),
        (None, None) => None,
    };
    let is_there = |key| table.get(key).is_some();
    Partial {
        enabled: flag("enabled"),
        when: table.get("when").and_then(|value| when(&value)),
        numbers: is_there("to").then(|| targets(table, "to")),
        conditions,
        busy_to: is_there("busy-to").then(|| targets(table, "busy-to")),
        callers: table.get("callers").map(|value| callers(&value)),
        times: table.get("times").map(|value| times(&value)),
        in_order: flag("in-order"),
        rings: table.get("rings").and_then(|value| value.small(1..=RINGS_MAX)),
        unanswered: table.get("unanswered").and_then(|value| value.parsed()),
        cold_route: table.get("cold-route").and_then(|value| cold_route(&value)),
        do_not_disturb: flag("do-not-disturb"),
        silent: is_there("silent").then(|| names(table, "silent").into_iter().map(Into::into).collect()),
    }
}

/// `callers = [{ name = "vip", from = ["number:+4930*", "user:bob"], to = ["user:ana"] }]`
fn callers(value: &Value<'_>) -> Vec<CallerList> {
    let read = |table: &Table<'_>, name, to| {
        let from = table.require("from")?;
        let listed = from.list();
        if !(1..=CALLERS_MAX).contains(&listed.len()) {
            from.wrong(format!("must name 1 to {CALLERS_MAX} callers"));
        }
        let callers: Vec<CallerMatch> = listed.iter().filter_map(Value::parsed).collect();
        Some(CallerList { name, from: callers, to })
    };
    selections(value, read)
}

/// `times = [{ name = "lunch", when = { weekly = ["mon-fri 12:00-13:00"] }, to = ["user:bob"] }]`
fn times(value: &Value<'_>) -> Vec<TimeTarget> {
    let read = |table: &Table<'_>, name, to| {
        let when = table.require("when").and_then(|value| when(&value))?;
        Some(TimeTarget { name, when, to })
    };
    selections(value, read)
}

/// What some calls meet, each with a name of its own and at least one destination.
fn selections<T>(
    value: &Value<'_>,
    read: impl Fn(&Table<'_>, String, Vec<DestinationRef>) -> Option<T>,
) -> Vec<T> {
    let all = value.list();
    if all.len() > SELECTIONS_MAX {
        value.wrong(format!("has {} entries, at most {SELECTIONS_MAX} are possible", all.len()));
    }
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for value in all {
        let Some(table) = value.table() else { continue };
        let name = table.require("name").and_then(|value| Some((value.text()?, value)));
        if let Some((name, value)) = &name {
            is_name(name, value);
            if !names.insert(*name) {
                value.wrong(format!("`{name}` is there twice"));
            }
        }
        let to = if table.require("to").is_some() { targets(&table, "to") } else { Vec::new() };
        if to.is_empty() {
            table.lacks("to", "must name at least one destination");
        }
        found.extend(read(&table, name.map(|(name, _)| name.to_owned()).unwrap_or_default(), to));
        table.done();
    }
    found
}

/// What wishes name and the tenant does not have, in words.
pub(super) fn astray(wishes: &Wishes, tenant: &Tenant) -> Vec<String> {
    let lost = |to: &DestinationRef| Some(format!("is forwarded to `{to}`: {}", tenant.lacks(to)?));
    let strange = |from: &CallerMatch| {
        let missing = match from {
            CallerMatch::User(user) => tenant.lacks(&DestinationRef::User(user.clone())),
            CallerMatch::Group(group) => tenant.lacks(&DestinationRef::Group(group.clone())),
            CallerMatch::Number(_) | CallerMatch::Withheld => None,
        };
        Some(format!("lists the caller `{from}`: {}", missing?))
    };
    let callers = wishes.callers.iter().flat_map(|list| &list.from).filter_map(strange);
    wishes.targets().filter_map(lost).chain(callers).collect()
}

/// What wishes of a user name and the tenant does not have, in words; their profiles included.
pub(super) fn missing(wishes: &Wishes, user: &User, tenant: &Tenant) -> Vec<String> {
    let mut missing = of_devices(wishes, user, tenant);
    for (name, profile) in &wishes.profiles {
        let said = of_devices(&profile.over(&Wishes::default()), user, tenant);
        missing.extend(said.into_iter().map(|said| format!("in profile `{name}` {said}")));
    }
    if let Some(profile) =
        wishes.profile.as_ref().filter(|profile| !wishes.choices(tenant).contains(*profile))
    {
        let known: Vec<_> = wishes.choices(tenant).iter().map(ToString::to_string).collect();
        missing.push(format!("has the profile `{profile}`, which is none of {}", known.join(", ")));
    }
    missing
}

fn of_devices(wishes: &Wishes, user: &User, tenant: &Tenant) -> Vec<String> {
    let silent = wishes.silent.iter().filter(|device| !user.devices.contains(device));
    let silent = silent.map(|device| format!("silences `{device}`, which is none of their devices"));
    astray(wishes, tenant).into_iter().chain(silent).collect()
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
        let Some(to) = value.destination(TARGETS) else { continue };
        match &to {
            DestinationRef::Number(number) if !is_e164(number) => {
                value.wrong(format!("`{number}` is no number in E.164: write +4930123456"));
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
    let to = value.destination("device:EXTENSION, user:NAME or person:NAME")?;
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
