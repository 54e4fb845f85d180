//! Opening hours as people write them: `mon-fri 08:00-18:00`, and exceptions by date.

use std::collections::BTreeMap;

use callwright_core::config::{Exception, Hours, WeeklySpan};
use jiff::civil::{Date, Time, Weekday};

use super::document::Value;
use super::duty::Holidays;
use super::tenant::zone;

/// How many spans a table of opening hours may have.
const SPANS_MAX: usize = 64;
/// How many exceptions by date.
const EXCEPTIONS_MAX: usize = 1_000;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Reads one entry of `[tenants.T.hours]`.
pub(super) fn read(name: &str, value: &Value<'_>, holidays: &Holidays<'_>) -> Option<Hours> {
    let table = value.table()?;
    let zone = table.get("zone").and_then(|value| zone(&value));
    let mut weekly = Vec::new();
    if let Some(spans) = table.require("weekly") {
        for span in spans.list() {
            weekly.extend(weekly_spans(&span));
        }
        if weekly.len() > SPANS_MAX {
            spans.wrong(format!("has {} spans, at most {SPANS_MAX} are possible", weekly.len()));
        }
    }
    let exceptions = table.get("exceptions");
    let entries = exceptions.as_ref().map(Value::entries).unwrap_or_default();
    if let Some(exceptions) = exceptions.filter(|_| entries.len() > EXCEPTIONS_MAX) {
        exceptions.wrong(format!("has {} days, at most {EXCEPTIONS_MAX} are possible", entries.len()));
    }
    // What the hours say of a day themselves counts, then the first list that has it.
    let mut exceptions: BTreeMap<Date, Exception> =
        entries.into_iter().filter_map(|(date, value)| exception(date, &value)).collect();
    for value in table.get("holidays").map(|value| value.list()).unwrap_or_default() {
        let Some(name) = value.text() else { continue };
        match holidays.get(name) {
            Some(days) => {
                for (day, name) in days {
                    let closed = || Exception { name: name.clone(), spans: Vec::new() };
                    exceptions.entry(*day).or_insert_with(closed);
                }
            }
            None => value.wrong(format!("no holidays `{name}`")),
        }
    }
    table.done();
    Some(Hours { name: name.into(), zone, weekly, exceptions })
}

/// One span for each day it names.
fn weekly_spans(value: &Value<'_>) -> Vec<WeeklySpan> {
    let Some(text) = value.text() else { return Vec::new() };
    let spans = text.trim().split_once(' ').and_then(|(named, span)| {
        let (from, to) = span_of(span.trim())?;
        Some(days(named)?.into_iter().map(|day| WeeklySpan { day, from, to }).collect())
    });
    spans.unwrap_or_else(|| {
        value.wrong(format!("`{text}` is no span: write `mon-fri 08:00-18:00` or `sat 09:00-12:00`"));
        Vec::new()
    })
}

/// `mon-fri`, `sat`, and `sat-mon` over the week's end.
fn days(text: &str) -> Option<Vec<Weekday>> {
    let index = |name: &str| DAYS.iter().position(|(day, _)| day.eq_ignore_ascii_case(name));
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (index(first)?, index(last)?),
        None => (index(text)?, index(text)?),
    };
    let count = (last + DAYS.len() - first) % DAYS.len() + 1;
    Some(DAYS.iter().cycle().skip(first).take(count).map(|(_, day)| *day).collect())
}

/// The word for a day.
pub(super) fn day_word(day: Weekday) -> &'static str {
    DAYS.iter().find(|(_, known)| *known == day).map_or("", |(word, _)| word)
}

/// `08:00-18:00`; `24:00` is the midnight that ends the day.
fn span_of(text: &str) -> Option<(Time, Time)> {
    let (from, to) = text.split_once('-')?;
    let to = if to == "24:00" { Time::midnight() } else { time(to)? };
    Some((time(from)?, to))
}

/// `09:00`
pub(super) fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// `2026-12-25`
pub(super) fn date(text: &str, value: &Value<'_>) -> Option<Date> {
    let day = text.parse::<Date>().ok();
    if day.is_none() {
        value.wrong(format!("`{text}` is no date: write \"2026-12-25\""));
    }
    day
}

fn exception(date: &str, value: &Value<'_>) -> Option<(Date, Exception)> {
    let day = self::date(date, value);
    let table = value.table()?;
    let name = table.require("name").and_then(|value| value.text()).unwrap_or_default().to_owned();
    let mut spans = Vec::new();
    for span in table.require("open").map(|value| value.list()).unwrap_or_default() {
        let Some(text) = span.text() else { continue };
        match span_of(text) {
            Some(times) => spans.push(times),
            None => {
                span.wrong(format!("`{text}` is no span: write `10:00-14:00`; no span at all means closed"));
            }
        }
    }
    table.done();
    Some((day?, Exception { name, spans }))
}

/// All of a tenant's opening hours.
pub(super) fn read_all(
    entries: Vec<(&str, Value<'_>)>,
    holidays: &Holidays<'_>,
) -> BTreeMap<callwright_core::names::HoursName, Hours> {
    let mut all = BTreeMap::new();
    for (name, value) in entries {
        if super::tenant::is_name(name, &value) {
            all.extend(read(name, &value, holidays).map(|hours| (hours.name.clone(), hours)));
        }
    }
    all
}
