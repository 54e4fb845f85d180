//! Wishes as the document that says them: what `forwarding` reads, written.

use std::collections::BTreeMap;

use callwright_core::config::{Exception, Hours, WeeklySpan};
use callwright_core::forwarding::{CallerList, Condition, Mode, Partial, TimeTarget, When, Wish, Wishes};
use callwright_core::rule::DestinationRef;
use callwright_core::schedule::weekday_name;
use jiff::civil::Time;
use serde_json::{Map, Value, json};

/// Writes wishes down; what is as usual is left out.
#[must_use]
pub fn document(wishes: &Wishes) -> Value {
    let unusual = |is_so: bool| is_so.then_some(());
    let said = Partial {
        enabled: unusual(!wishes.enabled).map(|()| false),
        when: unusual(wishes.when != When::Always).map(|()| wishes.when.clone()),
        numbers: unusual(!wishes.numbers.is_empty()).map(|()| wishes.numbers.clone()),
        conditions: Some(wishes.conditions.clone()),
        busy_to: unusual(!wishes.busy_to.is_empty()).map(|()| wishes.busy_to.clone()),
        callers: unusual(!wishes.callers.is_empty()).map(|()| wishes.callers.clone()),
        times: unusual(!wishes.times.is_empty()).map(|()| wishes.times.clone()),
        in_order: unusual(wishes.in_order).map(|()| true),
        rings: wishes.rings,
        unanswered: wishes.unanswered.clone(),
        cold_route: wishes.cold_route.clone(),
        do_not_disturb: unusual(wishes.do_not_disturb).map(|()| true),
        silent: unusual(!wishes.silent.is_empty()).map(|()| wishes.silent.clone()),
    };
    let mut map = partial(&said);
    let mut put = |key: &str, value: Option<Value>| map.extend(value.map(|value| (key.to_owned(), value)));
    put("own", some(&wishes.own.iter().cloned().collect::<Vec<_>>()));
    put("takes-for", some(&wishes.takes_for.iter().map(ToString::to_string).collect::<Vec<_>>()));
    put("queues", some(&wishes.queues.iter().cloned().collect::<Vec<_>>()));
    put("profile", wishes.profile.as_ref().map(|profile| json!(profile.as_str())));
    let profiles: Map<_, _> = wishes
        .profiles
        .iter()
        .map(|(name, profile)| (name.to_string(), Value::Object(partial(profile))))
        .collect();
    put("profiles", (!profiles.is_empty()).then_some(Value::Object(profiles)));
    Value::Object(map)
}

/// Writes down what is said.
fn partial(said: &Partial) -> Map<String, Value> {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<Value>| map.extend(value.map(|value| (key.to_owned(), value)));
    put("enabled", said.enabled.map(Value::Bool));
    put("when", said.when.as_ref().map(when));
    put("to", said.numbers.as_deref().map(destinations));
    if let Some(wished) = &said.conditions {
        match Mode::of(wished) {
            // A mode says nothing of conditions that wait to be activated again.
            mode if mode != Mode::ByCondition && wished.values().all(|wish| wish.active) => {
                put("mode", Some(json!(mode.word())));
            }
            _ => put("conditions", Some(conditions(wished))),
        }
    }
    put("busy-to", said.busy_to.as_deref().map(destinations));
    put("callers", said.callers.as_ref().map(|lists| lists.iter().map(caller_list).collect()));
    put("times", said.times.as_ref().map(|times| times.iter().map(time_target).collect()));
    put("in-order", said.in_order.map(Value::Bool));
    put("rings", said.rings.map(|rings| json!(rings)));
    put("unanswered", said.unanswered.as_ref().map(|to| json!(to.to_string())));
    put("cold-route", said.cold_route.as_ref().map(|to| json!(to.to_string())));
    put("do-not-disturb", said.do_not_disturb.map(Value::Bool));
    let silent = said.silent.as_ref();
    put("silent", silent.map(|silent| silent.iter().map(ToString::to_string).collect()));
    map
}

fn caller_list(list: &CallerList) -> Value {
    let from: Vec<_> = list.from.iter().map(ToString::to_string).collect();
    json!({ "name": list.name, "from": from, "to": destinations(&list.to) })
}

fn time_target(target: &TimeTarget) -> Value {
    json!({ "name": target.name, "when": when(&target.when), "to": destinations(&target.to) })
}

fn some(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| json!(list))
}

fn destinations(to: &[DestinationRef]) -> Value {
    to.iter().map(ToString::to_string).collect()
}

fn conditions(wished: &BTreeMap<Condition, Wish>) -> Value {
    let written = wished.iter().map(|(condition, wish)| (condition.word().to_owned(), of(wish)));
    Value::Object(written.collect())
}

fn of(wish: &Wish) -> Value {
    let mut map = Map::new();
    if !wish.active {
        map.insert("active".to_owned(), json!(false));
    }
    if !wish.to.is_empty() {
        map.insert("to".to_owned(), destinations(&wish.to));
    }
    if let Some(after) = wish.after {
        map.insert("after-s".to_owned(), json!(after.as_secs()));
    }
    Value::Object(map)
}

fn when(when: &When) -> Value {
    match when {
        When::Always => json!("always"),
        When::Custom(hours) => written(hours),
    }
}

fn written(hours: &Hours) -> Value {
    let weekly: Vec<_> = hours.weekly.iter().map(weekly_span).collect();
    let exceptions: Map<_, _> =
        hours.exceptions.iter().map(|(date, day)| (date.to_string(), exception(day))).collect();
    let mut map = Map::from_iter([("weekly".to_owned(), json!(weekly))]);
    if let Some(zone) = hours.zone.as_ref().and_then(|zone| zone.iana_name()) {
        map.insert("zone".to_owned(), json!(zone));
    }
    if !exceptions.is_empty() {
        map.insert("exceptions".to_owned(), Value::Object(exceptions));
    }
    Value::Object(map)
}

fn weekly_span(span: &WeeklySpan) -> String {
    let day: String = weekday_name(span.day).to_ascii_lowercase().chars().take(3).collect();
    format!("{day} {}", times(span.from, span.to))
}

fn exception(day: &Exception) -> Value {
    let open: Vec<_> = day.spans.iter().map(|(from, to)| times(*from, *to)).collect();
    json!({ "name": day.name, "open": open })
}

/// `08:00-24:00`.
fn times(from: Time, to: Time) -> String {
    let to = if to == Time::midnight() { "24:00".to_owned() } else { to.strftime("%H:%M").to_string() };
    format!("{}-{to}", from.strftime("%H:%M"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Value as Read;
    use crate::forwarding;
    use crate::report::{Origin, Report};

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for text in [
            json!({}),
            json!({ "mode": "off" }),
            json!({ "enabled": false, "mode": "no-answer", "to": ["user:bob", "number:+4930123456"], "own": ["+4930123456"],
                "in-order": true, "rings": 3, "unanswered": "group:sales", "cold-route": "device:1002", "takes-for": ["bob"],
                "do-not-disturb": true, "silent": ["1001"], "queues": ["support"] }),
            json!({ "conditions": { "busy": { "to": ["user:bob"] }, "always": { "active": false, "to": ["user:cleo"] },
                "no-answer": { "after-s": 15 } }, "to": ["user:bob"] }),
            json!({ "when": { "weekly": ["mon 08:00-24:00", "sun 22:00-06:00"], "zone": "Europe/Berlin",
                "exceptions": { "2026-12-25": { "name": "Christmas", "open": ["10:00-12:00"] } } }, "mode": "off" }),
            json!({ "mode": "off", "to": ["user:bob"], "busy-to": ["user:cleo"], "profile": "travel",
                "callers": [{ "name": "vip", "from": ["number:+4930*", "user:bob", "group:sales", "withheld"],
                    "to": ["user:ana"] }],
                "times": [{ "name": "lunch", "when": { "weekly": ["mon 12:00-13:00"] }, "to": ["user:bob"] },
                    { "name": "else", "when": "always", "to": ["group:sales"] }],
                "profiles": { "travel": { "mode": "forward-only", "to": ["number:+4930123456"] },
                    "quiet": { "do-not-disturb": false, "silent": [], "conditions": { "busy": { "active": false } },
                        "when": "always", "callers": [], "enabled": true } } }),
        ] {
            let report = Report::without_file();
            let read = |json: &Value| {
                let origin = Origin::new(&report, Vec::new());
                forwarding::read(&Read::json("", json, &origin)).unwrap()
            };
            let wishes = read(&text);
            let again = document(&wishes);
            assert_eq!(read(&again), wishes, "{again}");
            if text != json!({}) {
                assert_eq!(again, text);
            }
            assert_eq!(report.into_problems(), []);
        }
    }
}
