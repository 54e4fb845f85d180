//! Each kind's words as keys, and its rows in a list.

use serde::Serialize;
use serde_json::{Value, json};

use super::Keys;
use crate::call::{list, text};
use crate::cli::{DeviceKeys, ForwardingKeys, GroupKeys, HoursKeys, PlaceKeys, TenantKeys, UserKeys};
use crate::error::UserError;

/// Writes a key that was said.
pub(super) fn put(document: &mut Value, key: &str, value: Option<&impl Serialize>) {
    if let (Some(value), Some(document)) = (value, document.as_object_mut()) {
        document.insert(key.to_owned(), json!(value));
    }
}

/// Writes a list, where anything of it was said.
pub(super) fn put_all(document: &mut Value, key: &str, values: &Vec<String>) {
    put(document, key, Some(values).filter(|values| !values.is_empty()));
}

pub(super) fn joined(live: &Value, key: &str) -> String {
    list(live, key).iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

impl Keys for TenantKeys {
    const KIND: &'static str = "tenant";
    const PATH: &'static str = "tenants";
    const HEAD: &'static [&'static str] = &["domains", "zone"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put_all(document, "domains", &self.domains);
        put(document, "realm", self.realm.as_ref());
        put(document, "zone", self.zone.as_ref());
        put(document, "digest", self.digest.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![joined(live, "domains"), text(live, "zone")]
    }
}

impl Keys for UserKeys {
    const KIND: &'static str = "user";
    const PATH: &'static str = "users";
    const HEAD: &'static [&'static str] = &["name", "extension", "numbers"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put(document, "name", self.display_name.as_ref());
        put(document, "extension", self.extension.as_ref());
        put_all(document, "numbers", &self.numbers);
        put(document, "zone", self.zone.as_ref());
        put(document, "call-waiting", self.call_waiting.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![text(live, "name"), text(live, "extension"), joined(live, "numbers")]
    }
}

impl Keys for DeviceKeys {
    const KIND: &'static str = "device";
    const PATH: &'static str = "devices";
    const HEAD: &'static [&'static str] = &["user", "label", "contact"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put(document, "user", self.user.as_ref());
        put(document, "label", self.label.as_ref());
        put(document, "password", self.password.as_ref());
        put(document, "contact", self.contact.as_ref());
        put(document, "early-dialogs", self.early_dialogs.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        ["user", "label", "contact"].map(|key| text(live, key)).into()
    }
}

impl Keys for GroupKeys {
    const KIND: &'static str = "group";
    const PATH: &'static str = "groups";
    const HEAD: &'static [&'static str] = &["extension", "members", "rings"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put(document, "extension", self.extension.as_ref());
        put_all(document, "members", &self.members);
        put(document, "hunt", self.hunt.as_ref());
        put(document, "stagger-s", self.stagger_s.as_ref());
        put(document, "ring-time-s", self.ring_time_s.as_ref());
        put(document, "follow-forwarding", self.follow_forwarding.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        let hunt = live.get("hunt").and_then(Value::as_str).unwrap_or("together");
        vec![text(live, "extension"), joined(live, "members"), hunt.to_owned()]
    }
}

impl Keys for PlaceKeys {
    const KIND: &'static str = "place";
    const PATH: &'static str = "places";
    const HEAD: &'static [&'static str] = &["rings"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        *document = json!(self.target);
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        vec![live.as_str().unwrap_or_default().to_owned()]
    }
}

impl Keys for HoursKeys {
    const KIND: &'static str = "hours";
    const PATH: &'static str = "hours";
    const HEAD: &'static [&'static str] = &["weekly", "zone", "days of their own"];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put_all(document, "weekly", &self.weekly);
        put_all(document, "holidays", &self.holidays);
        put(document, "zone", self.zone.as_ref());
        let closed = self.closed.iter().map(|day| {
            let parts = day.split_once('=').map(|(date, name)| (date, name, None));
            parts.ok_or_else(|| day_lacks(day, "a name", "DATE=NAME, as 2026-12-25=Christmas"))
        });
        let open = self.open.iter().map(|day| {
            let parts = day.split_once('=').and_then(|(date, rest)| Some((date, rest.split_once('=')?)));
            let parts = parts.map(|(date, (name, span))| (date, name, Some(span)));
            let form = "DATE=NAME=SPAN, as 2026-12-24=Christmas Eve=08:00-12:00";
            parts.ok_or_else(|| day_lacks(day, "a name or hours", form))
        });
        for day in closed.chain(open) {
            let (date, name, span) = day?;
            let spans: Vec<&str> = span.into_iter().collect();
            document["exceptions"][date] = json!({ "name": name, "open": spans });
        }
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        let days = live.get("exceptions").and_then(Value::as_object).map(serde_json::Map::len);
        let days = days.filter(|days| *days > 0).map(|days| days.to_string());
        vec![joined(live, "weekly"), text(live, "zone"), days.unwrap_or_default()]
    }
}

impl Keys for ForwardingKeys {
    const KIND: &'static str = "forwarding";
    const PATH: &'static str = "forwarding";
    const HEAD: &'static [&'static str] = &["mode", "to", ""];

    fn fill(&self, document: &mut Value) -> Result<(), UserError> {
        put(document, "enabled", self.enabled.as_ref());
        if let (Some(_), Some(document)) = (&self.mode, document.as_object_mut()) {
            // A mode says what every condition does.
            document.remove("conditions");
        }
        put(document, "mode", self.mode.as_ref());
        put_all(document, "to", &self.to);
        put(document, "in-order", self.in_order.as_ref());
        put(document, "rings", self.rings.as_ref());
        put(document, "do-not-disturb", self.do_not_disturb.as_ref());
        put(document, "cold-route", self.cold_route.as_ref());
        match self.when.as_slice() {
            [] => {}
            [all] if all == "always" => put(document, "when", Some(all)),
            spans => put(document, "when", Some(&json!({ "weekly": spans }))),
        }
        put_all(document, "busy-to", &self.busy_to);
        put(document, "unanswered", self.unanswered.as_ref());
        put_all(document, "own", &self.own);
        put_all(document, "silent", &self.silent);
        put_all(document, "takes-for", &self.takes_for);
        put_all(document, "queues", &self.queues);
        put(document, "profile", self.profile.as_ref());
        let callers = selections(&self.callers, |from| ("from", json!(named(from))))?;
        put(document, "callers", callers.as_ref());
        let times = selections(&self.times, |span| ("when", json!({ "weekly": named(span) })))?;
        put(document, "times", times.as_ref());
        Ok(())
    }

    fn row(live: &Value) -> Vec<String> {
        let is_off = live.get("enabled").and_then(Value::as_bool) == Some(false);
        let disturbs_nobody = live.get("do-not-disturb").and_then(Value::as_bool) == Some(true);
        let notes = [(is_off, "suspended"), (disturbs_nobody, "do not disturb")];
        let notes = notes.iter().filter(|(is_so, _)| *is_so).map(|(_, note)| (*note).to_owned());
        let profile = live.get("profile").and_then(Value::as_str).map(|profile| format!("profile {profile}"));
        let notes: Vec<_> = notes.chain(profile).collect();
        vec![text(live, "mode"), joined(live, "to"), notes.join(", ")]
    }
}

fn day_lacks(said: &str, what: &str, form: &str) -> UserError {
    UserError::wrong_use(format!("the day `{said}` lacks {what}")).help(format!("write {form}"))
}

/// `NAME=WHO OR WHEN=TO`, each as an entry of a list; none where nothing was said.
fn selections(
    said: &[String],
    middle: impl Fn(&str) -> (&'static str, Value),
) -> Result<Option<Value>, UserError> {
    let mut all = Vec::new();
    for text in said {
        let parts: Vec<&str> = text.split('=').collect();
        let [name, between, to] = parts.as_slice() else {
            return Err(UserError::wrong_use(format!("`{text}` has not three parts"))
                .help("write vip=user:bob,number:+4930*=user:cleo, and lunch=mon-fri 12:00-13:00=user:bob"));
        };
        let (key, value) = middle(between);
        let mut entry = json!({ "name": name, "to": named(to) });
        entry[key] = value;
        all.push(entry);
    }
    Ok(Some(Value::Array(all)).filter(|_| !said.is_empty()))
}

fn named(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).collect()
}
