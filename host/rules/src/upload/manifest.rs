//! `rule.toml`: name, fallback, what the rule is bound to, who answers for it, and its settings.
//!
//! ```toml
//! name = "follow-me"
//! fallback = "ring-dialled"          # or "refuse-busy", or { ring = "place:night-desk", for-s = 20 }
//! bind = ["user:ana"]                # or "tenant", "group:sales", "number:+4930123456"
//! owner = "Ana, switchboard"         # who answers for it
//! review = 2027-03-01                # by when they look at it again
//! [settings]
//! mobile-after-s = 10
//! night = "place:night-desk"
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;

use callwright_core::config::{Fallback, Tenant};
use callwright_core::rule::{BindTarget, Care, DestinationRef, Refusal, Setting};
use jiff::civil::Date;
use toml::{Table, Value};

use super::{Manifest, Problem, RULE_TOML_BYTES_MAX};

/// Characters of a rule's name and of a setting's.
const NAME_MAX: usize = 63;
/// Characters of an owner.
const OWNER_MAX: usize = 100;
/// Things that one rule may be bound to.
const BINDS_MAX: usize = 1_000;
/// Settings of one rule.
const SETTINGS_MAX: usize = 200;
/// Bytes of one text.
const TEXT_BYTES_MAX: usize = 4_096;
/// Seconds that a fallback may ring.
const RING_S: std::ops::RangeInclusive<i64> = 1..=600;

/// Reads a `rule.toml`; none when something in it cannot be used.
pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Manifest> {
    if text.len() > RULE_TOML_BYTES_MAX {
        problems.push(Problem::new(
            "rule.toml",
            format!("has {} bytes, the most is {RULE_TOML_BYTES_MAX}", text.len()),
        ));
        return None;
    }
    let mut table = match Table::from_str(text) {
        Ok(table) => table,
        Err(error) => {
            problems.push(Problem::new("rule.toml", syntax(text, &error)));
            return None;
        }
    };
    let before = problems.len();
    let name = table.remove("name");
    let fallback = table.remove("fallback");
    let bind = table.remove("bind");
    let settings = table.remove("settings");
    let (owner, review) = (table.remove("owner"), table.remove("review"));
    for key in table.keys() {
        let known = "a rule.toml has name, fallback, bind, owner, review and [settings]";
        problems.push(problem(key, format!("unknown key; {known}")));
    }
    let name = parse_name(name, problems);
    let fallback = fallback.and_then(|value| parse_fallback(&value, problems));
    let bind = bind.map(|value| parse_bind(&value, problems)).unwrap_or_default();
    let settings = settings.map(|value| parse_settings(value, problems)).unwrap_or_default();
    let care = Care {
        owner: owner.and_then(|value| parse_owner(&value, problems)),
        review: review.and_then(|value| parse_review(&value, problems)),
    };
    let name = name?;
    (problems.len() == before).then(|| Manifest {
        name: name.as_str().into(),
        fallback,
        bind,
        settings,
        care,
    })
}

fn parse_owner(value: &Value, problems: &mut Vec<Problem>) -> Option<String> {
    let Some(owner) = value.as_str().map(str::trim) else {
        problems.push(wrong_type("owner", "a text", value));
        return None;
    };
    if !(1..=OWNER_MAX).contains(&owner.chars().count()) {
        problems.push(problem("owner", format!("write 1 to {OWNER_MAX} characters")));
        return None;
    }
    Some(owner.to_owned())
}

/// With or without quotes.
fn parse_review(value: &Value, problems: &mut Vec<Problem>) -> Option<Date> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let day = text.parse().ok();
    if day.is_none() {
        problems.push(problem("review", format!("`{text}` is no day: write it as 2027-03-01")));
    }
    day
}

/// Whatever it names must be the tenant's.
pub(super) fn check_names(manifest: &Manifest, tenant: &Tenant, problems: &mut Vec<Problem>) {
    for (index, target) in manifest.bind.iter().enumerate() {
        let unknown = match target {
            BindTarget::User(user) if !tenant.users.contains_key(user) => format!("no user `{user}`"),
            BindTarget::Group(group) if !tenant.groups.contains_key(group) => format!("no group `{group}`"),
            BindTarget::User(_) | BindTarget::Group(_) | BindTarget::Number(_) | BindTarget::Tenant => {
                continue;
            }
        };
        problems.push(problem(format!("bind[{index}]"), format!("tenant `{}` has {unknown}", tenant.id)));
    }
    if let Some(Fallback::Ring { to, .. }) = &manifest.fallback {
        known(to, "fallback.ring", tenant, problems);
    }
    for (key, setting) in &manifest.settings {
        match setting {
            Setting::Place(to) => known(to, &format!("settings.{key}"), tenant, problems),
            Setting::Text(_) | Setting::Number(_) | Setting::Flag(_) => {}
        }
    }
}

fn known(to: &DestinationRef, key: &str, tenant: &Tenant, problems: &mut Vec<Problem>) {
    if let Some(unknown) = tenant.lacks(to) {
        problems.push(problem(key, format!("tenant `{}` has {unknown}", tenant.id)));
    }
}

fn parse_name(value: Option<Value>, problems: &mut Vec<Problem>) -> Option<String> {
    match value {
        Some(Value::String(name)) if is_name(&name) => return Some(name),
        Some(Value::String(name)) => {
            let rule = "write lower-case letters, digits and `-`, a letter first, at most 63";
            problems.push(problem("name", format!("`{name}` is no name: {rule}")));
        }
        Some(other) => problems.push(wrong_type("name", "a text", &other)),
        None => problems.push(problem("name", "missing")),
    }
    None
}

fn parse_fallback(value: &Value, problems: &mut Vec<Problem>) -> Option<Fallback> {
    match value {
        Value::String(word) => {
            let fallback = fallback_word(word);
            if fallback.is_none() {
                let words = FALLBACKS.map(|(word, _)| word).join(", ");
                problems.push(problem(
                    "fallback",
                    format!("`{word}` is none of ring-dialled, {words}, or a table with `ring`"),
                ));
            }
            fallback
        }
        Value::Table(table) => parse_fallback_ring(table, problems),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) => {
            problems.push(wrong_type("fallback", "a text or a table", value));
            None
        }
    }
}

/// The refusals that a fallback may be.
const FALLBACKS: [(&str, Refusal); 6] = [
    ("refuse-busy", Refusal::Busy),
    ("refuse-declined", Refusal::Declined),
    ("refuse-not-found", Refusal::NotFound),
    ("refuse-temporarily-unavailable", Refusal::TemporarilyUnavailable),
    ("refuse-anonymous-refused", Refusal::AnonymousRefused),
    ("refuse-unwanted", Refusal::Unwanted),
];

fn fallback_word(word: &str) -> Option<Fallback> {
    if word == "ring-dialled" {
        return Some(Fallback::RingDialled);
    }
    FALLBACKS.into_iter().find(|(known, _)| *known == word).map(|(_, refusal)| Fallback::Refuse(refusal))
}

fn parse_fallback_ring(table: &Table, problems: &mut Vec<Problem>) -> Option<Fallback> {
    for key in table.keys().filter(|key| !["ring", "for-s"].contains(&key.as_str())) {
        problems.push(problem(format!("fallback.{key}"), "unknown key; a fallback has ring and for-s"));
    }
    let to = match table.get("ring") {
        Some(Value::String(text)) => match text.parse::<DestinationRef>() {
            Ok(to) => Some(to),
            Err(error) => {
                problems.push(problem("fallback.ring", error.to_string()));
                None
            }
        },
        Some(other) => {
            problems.push(wrong_type("fallback.ring", "a text", other));
            None
        }
        None => {
            problems.push(problem("fallback.ring", "missing"));
            None
        }
    };
    let seconds = match table.get("for-s") {
        Some(Value::Integer(seconds)) if RING_S.contains(seconds) => u32::try_from(*seconds).ok(),
        Some(Value::Integer(seconds)) => {
            problems.push(problem("fallback.for-s", format!("{seconds} is not within 1 to 600")));
            None
        }
        Some(other) => {
            problems.push(wrong_type("fallback.for-s", "a whole number", other));
            None
        }
        None => {
            problems.push(problem("fallback.for-s", "missing: how many seconds it rings"));
            None
        }
    };
    Some(Fallback::Ring { to: to?, for_ms: seconds?.saturating_mul(1_000) })
}

fn parse_bind(value: &Value, problems: &mut Vec<Problem>) -> Vec<BindTarget> {
    let Value::Array(targets) = value else {
        problems.push(wrong_type("bind", "a list of texts", value));
        return Vec::new();
    };
    if targets.len() > BINDS_MAX {
        problems.push(problem("bind", format!("has {} entries, the most is {BINDS_MAX}", targets.len())));
        return Vec::new();
    }
    let mut bind = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let key = format!("bind[{index}]");
        let Value::String(text) = target else {
            problems.push(wrong_type(&key, "a text", target));
            continue;
        };
        match bind_target(text) {
            Some(target) if bind.contains(&target) => {
                problems.push(problem(key, format!("`{text}` is listed twice")));
            }
            Some(target) => bind.push(target),
            None => {
                let forms = "tenant, user:NAME, group:NAME or number:NUMBER";
                problems.push(problem(key, format!("`{text}` binds to nothing: write {forms}")));
            }
        }
    }
    bind
}

fn bind_target(text: &str) -> Option<BindTarget> {
    match text.split_once(':') {
        None if text == "tenant" => Some(BindTarget::Tenant),
        None | Some((_, "")) => None,
        Some(("user", name)) => Some(BindTarget::User(name.into())),
        Some(("group", name)) => Some(BindTarget::Group(name.into())),
        Some(("number", number)) => Some(BindTarget::Number(number.to_owned())),
        Some(_) => None,
    }
}

fn parse_settings(value: Value, problems: &mut Vec<Problem>) -> BTreeMap<String, Setting> {
    let Value::Table(table) = value else {
        problems.push(wrong_type("settings", "a table", &value));
        return BTreeMap::new();
    };
    if table.len() > SETTINGS_MAX {
        problems.push(problem("settings", format!("has {} keys, the most is {SETTINGS_MAX}", table.len())));
        return BTreeMap::new();
    }
    let mut settings = BTreeMap::new();
    for (key, value) in table {
        let path = format!("settings.{key}");
        if !is_name(&key) {
            problems.push(problem(
                &path,
                "no name for a setting: write lower-case letters, digits and `-`, at most 63",
            ));
        }
        match value {
            Value::String(text) if text.len() > TEXT_BYTES_MAX => {
                problems
                    .push(problem(path, format!("has {} bytes, the most is {TEXT_BYTES_MAX}", text.len())));
            }
            Value::String(text) => {
                let setting = text.parse().map_or_else(|_| Setting::Text(text), Setting::Place);
                settings.insert(key, setting);
            }
            Value::Integer(number) => match i32::try_from(number) {
                Ok(number) => {
                    settings.insert(key, Setting::Number(number));
                }
                Err(_) => problems.push(problem(path, format!("{number} does not fit into 32 bits"))),
            },
            Value::Boolean(flag) => {
                settings.insert(key, Setting::Flag(flag));
            }
            other @ (Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_)) => {
                problems.push(wrong_type(&path, "a text, a whole number, a yes or no, or a place", &other));
            }
        }
    }
    settings
}

fn is_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= NAME_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(inner)
}

fn wrong_type(key: &str, wanted: &str, found: &Value) -> Problem {
    problem(key, format!("must be {wanted}, not {}", found.type_str()))
}

fn problem(key: impl AsRef<str>, what: impl Into<String>) -> Problem {
    Problem::new(format!("rule.toml: {}", key.as_ref()), what)
}

/// The first line of a syntax error, with the line it is about.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    match line {
        Some(line) => format!("line {line}: {}", error.message()),
        None => error.message().to_owned(),
    }
}
