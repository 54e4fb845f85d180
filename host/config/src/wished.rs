//! Wishes as the document that says them: what `forwarding` reads, written.

use callwright_core::config::{Exception, Hours, WeeklySpan};
use callwright_core::forwarding::{Mode, When, Wish, Wishes};
use callwright_core::rule::DestinationRef;
use callwright_core::schedule::weekday_name;
use jiff::civil::Time;
use serde_json::{Map, Value, json};

/// Writes wishes down; what is as usual is left out.
#[must_use]
pub fn document(wishes: &Wishes) -> Value {
    let mut map = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(key.to_owned(), value);
        }
    };
    put("enabled", (!wishes.enabled).then_some(json!(false)));
    put("when", when(&wishes.when));
    match wishes.mode() {
        // A mode says nothing of conditions that wait to be activated again.
        mode if mode != Mode::ByCondition && wishes.conditions.values().all(|wish| wish.active) => {
            put("mode", Some(json!(mode.word())));
        }
        _ => put("conditions", Some(conditions(wishes))),
    }
    put("to", some(&destinations(&wishes.numbers)));
    put("own", some(&wishes.own.iter().cloned().collect::<Vec<_>>()));
    put("in-order", wishes.in_order.then_some(json!(true)));
    put("rings", wishes.rings.map(|rings| json!(rings)));
    put("unanswered", wishes.unanswered.as_ref().map(|to| json!(to.to_string())));
    put("cold-route", wishes.cold_route.as_ref().map(|to| json!(to.to_string())));
    put("takes-for", some(&wishes.takes_for.iter().map(ToString::to_string).collect::<Vec<_>>()));
    put("do-not-disturb", wishes.do_not_disturb.then_some(json!(true)));
    put("silent", some(&wishes.silent.iter().map(ToString::to_string).collect::<Vec<_>>()));
    put("queues", some(&wishes.queues.iter().cloned().collect::<Vec<_>>()));
    Value::Object(map)
}

fn some(list: &[String]) -> Option<Value> {
    (!list.is_empty()).then(|| json!(list))
}

fn destinations(to: &[DestinationRef]) -> Vec<String> {
    to.iter().map(ToString::to_string).collect()
}

fn conditions(wishes: &Wishes) -> Value {
    let written = wishes.conditions.iter().map(|(condition, wish)| (condition.word().to_owned(), of(wish)));
    Value::Object(written.collect())
}

fn of(wish: &Wish) -> Value {
    let mut map = Map::new();
    if !wish.active {
        map.insert("active".to_owned(), json!(false));
    }
    if let Some(to) = some(&destinations(&wish.to)) {
        map.insert("to".to_owned(), to);
    }
    if let Some(after) = wish.after {
        map.insert("after-s".to_owned(), json!(after.as_secs()));
    }
    Value::Object(map)
}

fn when(when: &When) -> Option<Value> {
    match when {
        When::Always => None,
        When::Custom(hours) => Some(written(hours)),
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
