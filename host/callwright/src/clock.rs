//! Times of the API as people read them: to the second, in the zone that the answer names.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Tells the time where the tenant is.
pub(crate) struct Clock {
    zone: TimeZone,
    name: String,
}

impl Clock {
    /// The clock of an answer that says its `zone`; UTC where it says none that is known here.
    pub(crate) fn of(answer: &Value) -> Self {
        let named = answer.get("zone").and_then(Value::as_str);
        let known = named.and_then(|name| Some((TimeZone::get(name).ok()?, name)));
        let (zone, name) = known.unwrap_or((TimeZone::UTC, "UTC"));
        Self { zone, name: name.to_owned() }
    }

    /// The head of a column of times: `began (Europe/Berlin)`.
    pub(crate) fn head(&self, what: &str) -> String {
        format!("{what} ({})", self.name)
    }

    /// `2026-11-20 18:02:11 (Europe/Berlin)`: a time by itself.
    pub(crate) fn named(&self, at: &str) -> String {
        format!("{} ({})", self.time(at), self.name)
    }

    /// `2026-11-20 18:02:11`; what is no time stays as it is.
    pub(crate) fn time(&self, at: &str) -> String {
        match at.parse::<Timestamp>() {
            Ok(at) => at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
            Err(_) => at.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_told_to_the_second_in_the_zone_that_the_answer_names() {
        let at = "2026-11-20T17:02:11.123456789Z";
        for (zone, head, time) in [
            (json!("Europe/Berlin"), "began (Europe/Berlin)", "2026-11-20 18:02:11"),
            (json!(null), "began (UTC)", "2026-11-20 17:02:11"),
            (json!("Nowhere/Else"), "began (UTC)", "2026-11-20 17:02:11"),
        ] {
            let clock = Clock::of(&json!({ "zone": zone }));
            assert_eq!((clock.head("began").as_str(), clock.time(at).as_str()), (head, time));
            assert_eq!(clock.named(at), head.replace("began", time));
        }
        assert_eq!(Clock::of(&json!({})).time("never"), "never");
    }
}
