//! What changed in a document, in one line.

use serde_json::Value;

/// The longest value that a line shows.
const VALUE_MAX: usize = 40;

/// What changed by an entry of the log; of one that left everything as it was, for how long that is to hold.
pub(super) fn of_entry(entry: &Value) -> String {
    let changed = between(entry.get("before"), entry.get("after"));
    let ends = entry.get("until").is_some_and(|until| !until.is_null());
    match (changed.is_empty(), entry.get("action").and_then(Value::as_str)) {
        (false, _) => changed,
        (true, Some("changed")) if ends => "as it was, until then".to_owned(),
        (true, Some("changed")) => "as it was, for good".to_owned(),
        (true, _) => "as it was".to_owned(),
    }
}

/// `extension 100 → 101, zone Europe/Berlin → none`; of what is made or gone, what it held.
fn between(before: Option<&Value>, after: Option<&Value>) -> String {
    let (before, after) = (before.unwrap_or(&Value::Null), after.unwrap_or(&Value::Null));
    let (Some(was), Some(is)) = (before.as_object(), after.as_object()) else {
        return match (before, after) {
            (Value::Null, whole) | (whole, Value::Null) => shown(whole),
            (before, after) => format!("{} → {}", shown(before), shown(after)),
        };
    };
    let mut keys: Vec<&String> = was.keys().chain(is.keys()).collect();
    keys.sort();
    keys.dedup();
    let changed = keys.into_iter().filter(|key| was.get(*key) != is.get(*key));
    let none = Value::Null;
    let words = changed.map(|key| {
        format!("{key} {} → {}", shown(was.get(key).unwrap_or(&none)), shown(is.get(key).unwrap_or(&none)))
    });
    words.collect::<Vec<_>>().join(", ")
}

fn shown(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    };
    if text.chars().count() <= VALUE_MAX {
        return text;
    }
    text.chars().take(VALUE_MAX).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_of_nothing_but_its_end_says_so() {
        let entry = |action: &str, until: Value| {
            of_entry(&json!({ "before": { "a": 1 }, "after": { "a": 1 }, "action": action, "until": until }))
        };
        assert_eq!(entry("changed", json!("2026-12-24T17:00:00Z")), "as it was, until then");
        assert_eq!(entry("changed", Value::Null), "as it was, for good");
        assert_eq!(entry("staged", Value::Null), "as it was");
        assert_eq!(
            of_entry(&json!({ "before": { "a": 1 }, "after": { "a": 2 }, "action": "changed" })),
            "a 1 → 2"
        );
    }

    #[test]
    fn a_change_is_told_by_its_keys_and_nothing_of_what_stayed() {
        let (before, after) =
            (json!({ "a": 1, "b": "x", "c": true }), json!({ "a": 1, "b": "y", "d": ["z"] }));
        assert_eq!(between(Some(&before), Some(&after)), "b x → y, c true → none, d none → [\"z\"]");
        assert_eq!(between(Some(&json!("user:ana")), Some(&json!("user:bob"))), "user:ana → user:bob");
        assert_eq!(between(None, Some(&json!({ "a": 1 }))), "{\"a\":1}");
        assert_eq!(between(Some(&json!("x".repeat(99))), None).chars().count(), VALUE_MAX + 1);
    }
}
