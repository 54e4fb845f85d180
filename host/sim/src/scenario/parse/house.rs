//! Statements about who and what there is: tenants, people, groups, places, hours, rules.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_core::config::{Exception, Expiry, Fallback, Group, Hours, Place, WeeklySpan};
use callwright_core::roster::Order;
use callwright_core::rule::{DestinationRef, Refusal};
use callwright_sip::digest::Algorithm;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::blueprint::Blueprint;
use super::{duty, rule};
use crate::scenario::lexer::{Mistake, Words};

/// Reads a statement about the world. False where it is about something else; then nothing is taken.
pub(super) fn statement(blueprint: &mut Blueprint, words: &mut Words, line: usize) -> Result<bool, Mistake> {
    if words.accept("tenant") {
        tenant(blueprint, words)?;
    } else if words.accept("seed") {
        blueprint.seed(words.number("a number")?);
    } else if words.accept("user") {
        user(blueprint, words)?;
    } else if words.accept("group") {
        let name = words.text("a group's name")?;
        let mut extension = None;
        if !words.accept_colon() {
            extension = Some(words.text("its extension")?);
            words.colon()?;
        }
        let members = list(words, member)?;
        blueprint.house().group(&name, extension.as_deref(), &members);
        if let Some(group) = blueprint.house().groups.last_mut() {
            manners(group, words)?;
        }
    } else if words.accept("number") {
        let number = words.text("a number")?;
        words.expect("is")?;
        let user = words.text("a user")?;
        let found = blueprint.house().users.iter_mut().find(|known| known.id.as_str() == user);
        found.ok_or(Mistake::Unknown { kind: "user", name: user })?.numbers.push(number);
    } else if words.accept("place") {
        let name = words.text("a place's name")?;
        words.expect("=")?;
        let target = destination(words)?;
        blueprint.house().places.push(Place { name: name.as_str().into(), target });
    } else if words.accept("hours") {
        hours(blueprint, words)?;
    } else if words.accept("holiday") {
        holiday(blueprint, words)?;
    } else if duty::statement(blueprint, words)? {
    } else if words.accept("fallback") {
        blueprint.house().fallback = fallback(words)?;
    } else if words.accept("set") {
        set(blueprint, words)?;
    } else if words.accept("at") {
        moment(blueprint, words)?;
    } else if words.accept("rule") {
        rule::component(blueprint, words, line)?;
    } else if words.accept("script") {
        rule::script(blueprint, words, line)?;
    } else {
        return Ok(false);
    }
    words.end()?;
    Ok(true)
}

/// Who stands in a group: `ana`, `group:night`, `place:duty`.
fn member(words: &mut Words) -> Result<DestinationRef, Mistake> {
    let text = words.text("a user, group:NAME or place:NAME")?;
    match text.parse() {
        Ok(to) => Ok(to),
        Err(_) => Ok(DestinationRef::User(text.as_str().into())),
    }
}

/// How a group is rung: `hunts circular`, `staggers 5s`, `each for 10s`, `follows forwarding`.
fn manners(group: &mut Group, words: &mut Words) -> Result<(), Mistake> {
    while !words.is_empty() {
        if words.accept_all(&["follows", "forwarding"]) {
            group.follow_forwarding = true;
        } else if let Some(time) = words.duration_after("each")? {
            group.ring_time = Some(time);
        } else if let Some(time) = words.duration_after("staggers")? {
            group.stagger = time;
        } else if words.accept("hunts") {
            let wanted = "linear, circular, longest-idle or fewest-calls";
            group.hunt = Some(match words.text(wanted)?.as_str() {
                "linear" => Order::Listed,
                "circular" => Order::Circular,
                "longest-idle" => Order::LongestIdle,
                "fewest-calls" => Order::FewestCalls,
                other => return Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
            });
        } else {
            return Err(words.wrong("hunts, staggers, each or follows forwarding"));
        }
    }
    Ok(())
}

fn tenant(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = words.text("a tenant's name")?;
    blueprint.enter(&name.as_str().into());
    let house = blueprint.house();
    while !words.is_empty() {
        if words.accept("domain") {
            house.domain = words.text("a domain")?;
        } else if words.accept("digest") {
            house.digest = match words.text("md5 or sha-256")?.as_str() {
                "md5" => Algorithm::Md5,
                "sha-256" => Algorithm::Sha256,
                other => {
                    return Err(Mistake::Expected { wanted: "md5 or sha-256", got: format!("`{other}`") });
                }
            };
        } else if words.accept("zone") {
            house.zone = zone(words)?;
        } else {
            return Err(words.wrong("domain, digest or zone"));
        }
    }
    Ok(())
}

fn user(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let id = words.text("a user's name")?;
    if words.accept("call-waiting") {
        let is_on = words.accept("on");
        if !is_on {
            words.expect("off")?;
        }
        let found = blueprint.house().users.iter_mut().find(|user| user.id.as_str() == id);
        found.ok_or(Mistake::Unknown { kind: "user", name: id })?.call_waiting = Some(is_on);
        return Ok(());
    }
    if blueprint.house().users.iter().any(|user| user.id.as_str() == id) {
        return Err(Mistake::Taken { kind: "user", name: id });
    }
    let extension = words.text("their extension")?;
    words.colon()?;
    let devices = list(words, |words| Ok((words.text("a device's name")?, words.text("its extension")?)))?;
    let mut display = id.clone();
    if let Some(first) = display.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    blueprint.house().user(&id, &display, &extension, &devices);
    for (_, device) in &devices {
        blueprint.add_phone(device, &display);
    }
    Ok(())
}

fn hours(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = words.text("the hours' name")?;
    words.colon()?;
    let mut own_zone = None;
    let weekly = list(words, |words| {
        let days = weekdays(words)?;
        let (from, to) = span(words)?;
        if words.accept("zone") {
            own_zone = Some(zone(words)?);
        }
        Ok(days.into_iter().map(move |day| WeeklySpan { day, from, to }).collect::<Vec<_>>())
    })?;
    let name = callwright_core::names::HoursName::from(name);
    let hours =
        Hours { name: name.clone(), zone: own_zone, weekly: weekly.concat(), exceptions: BTreeMap::new() };
    blueprint.house().hours.insert(name, hours);
    Ok(())
}

fn holiday(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let of = words.text("the hours' name")?;
    let day = date(words)?;
    let name = words.text("the day's name")?;
    let spans = if words.accept("closed") {
        Vec::new()
    } else {
        words.expect("open")?;
        list(words, span)?
    };
    let found = blueprint.house().hours.get_mut(&callwright_core::names::HoursName::from(of.as_str()));
    found
        .ok_or(Mistake::Unknown { kind: "hours", name: of })?
        .exceptions
        .insert(day, Exception { name, spans });
    Ok(())
}

fn set(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let house = blueprint.house();
    if words.accept("ring-time") {
        house.ring_time = words.duration()?;
    } else if words.accept("ring-cadence") {
        house.cadence = words.duration()?;
    } else if words.accept("cold-route-offline") {
        house.cold_route_falls_back = words.accept("ring-all");
        if !house.cold_route_falls_back {
            words.expect("unreachable")?;
        }
    } else if words.accept("response-timeout") {
        house.response_timeout = words.duration()?;
    } else if words.accept("session-expires") {
        house.session_expires_s = seconds(words.duration()?);
    } else if words.accept("follow-deflections") {
        house.follow_deflections = words.accept("on");
        if !house.follow_deflections {
            words.expect("off")?;
        }
    } else if words.accept("runs") {
        house.runs_max = words.number("a number of runs")?;
    } else if words.accept("expiry") {
        let [min_s, max_s, default_s] =
            [words.duration()?, words.duration()?, words.duration()?].map(seconds);
        house.expiry = Expiry { min_s, max_s, default_s };
    } else {
        let known = "ring-time, ring-cadence, cold-route-offline, response-timeout, session-expires, \
                     follow-deflections, runs or expiry";
        return Err(words.wrong(known));
    }
    Ok(())
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

fn moment(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let day = date(words)?;
    let time = clock(&words.text("a time as 18:02")?)?;
    let zone = zone(words)?;
    let local = day.to_datetime(time);
    blueprint.wall = zone
        .to_ambiguous_zoned(local)
        .compatible()
        .map_err(|_| Mistake::Expected { wanted: "a moment that exists", got: format!("`{local}`") })?
        .timestamp();
    blueprint.house().zone = zone;
    Ok(())
}

fn fallback(words: &mut Words) -> Result<Fallback, Mistake> {
    if words.accept("ring-dialled") {
        return Ok(Fallback::RingDialled);
    }
    if words.accept("refuse") {
        return refusal(words).map(Fallback::Refuse);
    }
    words.expect("ring")?;
    let to = destination(words)?;
    words.expect("for")?;
    let for_ms = u32::try_from(words.duration()?.as_millis()).unwrap_or(u32::MAX);
    Ok(Fallback::Ring { to, for_ms })
}

/// How a call is refused, in a word, or in the rule's own words.
pub(super) fn refusal(words: &mut Words) -> Result<Refusal, Mistake> {
    if let Some(text) = words.quoted() {
        return Ok(Refusal::Other(text));
    }
    let wanted = "busy, declined, not-found, unavailable, anonymous, unwanted or \"words\"";
    match words.text(wanted)?.as_str() {
        "busy" => Ok(Refusal::Busy),
        "declined" => Ok(Refusal::Declined),
        "not-found" => Ok(Refusal::NotFound),
        "unavailable" => Ok(Refusal::TemporarilyUnavailable),
        "anonymous" => Ok(Refusal::AnonymousRefused),
        "unwanted" => Ok(Refusal::Unwanted),
        other => Err(Mistake::Expected { wanted, got: format!("`{other}`") }),
    }
}

/// Who can be rung: `user:ana`.
pub(super) fn destination(words: &mut Words) -> Result<DestinationRef, Mistake> {
    let wanted = "user:NAME, device:EXTENSION, group:NAME, place:NAME or number:+4930123456";
    let text = words.text(wanted)?;
    text.parse().map_err(|_| Mistake::Expected { wanted, got: format!("`{text}`") })
}

/// Things separated by commas.
pub(super) fn list<T>(
    words: &mut Words,
    mut one: impl FnMut(&mut Words) -> Result<T, Mistake>,
) -> Result<Vec<T>, Mistake> {
    let mut all = vec![one(words)?];
    while words.comma() {
        all.push(one(words)?);
    }
    Ok(all)
}

fn weekdays(words: &mut Words) -> Result<Vec<Weekday>, Mistake> {
    let wanted = "days as mon-fri or sat";
    let text = words.text(wanted)?;
    let wrong = || Mistake::Expected { wanted, got: format!("`{text}`") };
    let (first, last) = text.split_once('-').unwrap_or((&text, &text));
    let (first, last) = (weekday(first).ok_or_else(wrong)?, weekday(last).ok_or_else(wrong)?);
    let mut days = vec![first];
    let mut day = first;
    while day != last {
        day = day.next();
        days.push(day);
    }
    Ok(days)
}

fn weekday(word: &str) -> Option<Weekday> {
    let words = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let index = words.iter().position(|known| *known == word)?;
    Weekday::from_monday_zero_offset(i8::try_from(index).ok()?).ok()
}

fn span(words: &mut Words) -> Result<(Time, Time), Mistake> {
    let text = words.text("a span as 08:00-18:00")?;
    match text.split_once('-') {
        Some((from, to)) => Ok((clock(from)?, clock(to)?)),
        None => Err(Mistake::Expected { wanted: "a span as 08:00-18:00", got: format!("`{text}`") }),
    }
}

/// A time of day.
pub(super) fn clock(text: &str) -> Result<Time, Mistake> {
    let read = || {
        let (hours, minutes) = text.split_once(':')?;
        // The end of a day is its midnight.
        let hours = if hours == "24" { 0 } else { hours.parse().ok()? };
        Time::new(hours, minutes.parse().ok()?, 0, 0).ok()
    };
    read().ok_or_else(|| Mistake::Expected { wanted: "a time as 18:02", got: format!("`{text}`") })
}

/// A date.
pub(super) fn date(words: &mut Words) -> Result<Date, Mistake> {
    let text = words.text("a date as 2026-11-20")?;
    text.parse().map_err(|_| Mistake::Expected { wanted: "a date as 2026-11-20", got: format!("`{text}`") })
}

fn zone(words: &mut Words) -> Result<TimeZone, Mistake> {
    let text = words.text("a zone as Europe/Berlin")?;
    TimeZone::get(&text)
        .map_err(|_| Mistake::Expected { wanted: "a zone as Europe/Berlin", got: format!("`{text}`") })
}
