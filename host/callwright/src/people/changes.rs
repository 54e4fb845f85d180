//! What changed in a document, in one line.

use serde_json::Value;

/// The longest value that a line shows.
const VALUE_MAX: usize = 40;

/// `extension 100 → 101, zone Europe/Berlin → none`; of what is made or gone, what it held.
pub(super) fn between(before: Option<&Value>, after: Option<&Value>) -> String {
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
    fn a_change_is_told_by_its_keys_and_nothing_of_what_stayed() {
        let (before, after) =
            (json!({ "a": 1, "b": "x", "c": true }), json!({ "a": 1, "b": "y", "d": ["z"] }));
        assert_eq!(between(Some(&before), Some(&after)), "b x → y, c true → none, d none → [\"z\"]");
        assert_eq!(between(Some(&json!("user:ana")), Some(&json!("user:bob"))), "user:ana → user:bob");
        assert_eq!(between(None, Some(&json!({ "a": 1 }))), "{\"a\":1}");
        assert_eq!(between(Some(&json!("x".repeat(99))), None).chars().count(), VALUE_MAX + 1);
    }
}
