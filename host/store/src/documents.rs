//! Documents of tenants, what is to become of them, and who changed them: kept as they were sent, and never understood here.

use std::fmt;

use callwright_core::Kind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The longest page of documents or of the audit log.
pub const DOCUMENTS_PAGE_MAX: usize = 500;
/// How many documents a tenant has at most, drafts alone included.
pub const DOCUMENTS_MAX: usize = 100_000;
/// How many entries of a tenant's audit log are kept; the oldest go first.
pub const AUDIT_MAX: u64 = 200_000;

/// One document of a tenant.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// What it is.
    pub kind: Kind,
    /// Its name among those of its kind.
    pub name: String,
    /// What holds now; none while there is a draft alone.
    pub live: Option<Value>,
    /// What shall hold when somebody saves it.
    pub draft: Option<Draft>,
    /// What holds again after a while; none where what is live stays.
    pub temporary: Option<Temporary>,
    /// Counts the changes of this document.
    pub revision: u64,
}

/// What somebody has prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Draft {
    /// What shall hold.
    pub value: Value,
    /// Who prepared it.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// The end of a change, and what comes back with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Temporary {
    /// When it ends.
    pub until: Timestamp,
    /// What was live before; none where there was nothing.
    pub before: Option<Value>,
}

/// One change of one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub what: Step,
}

/// What becomes of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// This holds from now on, for good or until then; a draft of it is gone.
    Save {
        /// What holds.
        value: Value,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// It is gone, with its draft.
    Remove,
    /// This shall hold when somebody saves it.
    Stage(Value),
    /// The draft is gone.
    Discard,
    /// The time of a change is over: what was before holds again.
    Expire,
}

/// What a change did, in the words of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// There was none of that name.
    Created,
    /// It holds something else.
    Changed,
    /// It is gone.
    Removed,
    /// It has a draft.
    Staged,
    /// The draft is gone.
    Discarded,
    /// What was before holds again.
    Expired,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Changed, Self::Removed, Self::Staged, Self::Discarded, Self::Expired];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Staged => "staged",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
        }
    }

    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.word() == word)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// One line of the log: who changed what, and when.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Counts the entries of all tenants; a later one is higher.
    pub id: i64,
    /// What was changed.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Who did it: what the maker of the token called it.
    pub who: String,
    /// When.
    pub at: Timestamp,
    /// What was done.
    pub action: Action,
    /// What held before; of a draft, what was prepared before.
    pub before: Option<Value>,
    /// What holds since; of a draft, what is prepared since.
    pub after: Option<Value>,
    /// When this change ends by itself; none where it was made for good, whatever else is to end.
    pub until: Option<Timestamp>,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this name.
    pub name: Option<String>,
    /// Older than this one: the last of the page before.
    pub before: Option<i64>,
}

/// What is not for the log, nor for anybody who asks: of a device's secret there stays when it was set.
#[must_use]
pub fn shown(kind: Kind, value: &Value) -> Value {
    let mut value = value.clone();
    if kind == Kind::Device
        && let Some(secret) = value.as_object_mut().and_then(|device| device.remove("secret"))
    {
        value["password-set"] = secret.get("set").cloned().unwrap_or(Value::Null);
    }
    value
}

/// What a step does to a document, and the line of the log that says so. Nothing comes of a step that has nothing to do.
pub(crate) struct Applied {
    /// What there is from now on; none where the document is gone.
    pub(crate) document: Option<Document>,
    pub(crate) action: Action,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
    pub(crate) until: Option<Timestamp>,
}

/// What holds again when a temporary change ends over which somebody has saved `value` for good: whatever they have changed
/// stays changed, the rest is as it was before. Who saves what holds once more wants it to stay.
#[must_use]
pub fn beneath(kind: Kind, live: Option<&Value>, before: Option<&Value>, value: &Value) -> Option<Value> {
    if live == Some(value) {
        return live.cloned();
    }
    // Somebody who has said nothing has wishes, if empty ones; everything else is not there before it is made.
    let nothing = Value::Object(Map::new());
    let before = before.or((kind == Kind::Forwarding).then_some(&nothing))?;
    let (Some(now), Value::Object(next), Value::Object(before)) = (live, value, before) else {
        return Some(value.clone());
    };
    let mut beneath = before.clone();
    let known = now.as_object().into_iter().flat_map(Map::keys);
    for key in known.chain(next.keys()).filter(|key| now.get(*key) != next.get(*key)) {
        match next.get(key) {
            Some(value) => beneath.insert(key.clone(), value.clone()),
            None => beneath.remove(key),
        };
    }
    Some(Value::Object(beneath))
}

/// What ends of a document, and what holds then, once `value` is saved over it, for good or until then.
#[must_use]
pub fn ending(
    kind: Kind,
    was: Option<&Document>,
    value: &Value,
    until: Option<Timestamp>,
) -> Option<Temporary> {
    let live = was.and_then(|was| was.live.as_ref());
    match (was.and_then(|was| was.temporary.as_ref()), until) {
        (Some(known), None) => {
            let before = beneath(kind, live, known.before.as_ref(), value);
            let is_other = before.as_ref() != Some(value);
            is_other.then_some(Temporary { until: known.until, before })
        }
        (Some(known), Some(until)) => Some(Temporary { until, before: known.before.clone() }),
        (None, until) => until.map(|until| Temporary { until, before: live.cloned() }),
    }
}

/// Applies an edit to what is there.
pub(crate) fn apply(was: Option<Document>, edit: &Edit, at: Timestamp, by: &str) -> Option<Applied> {
    let empty = || Document {
        kind: edit.kind,
        name: edit.name.clone(),
        live: None,
        draft: None,
        temporary: None,
        revision: 0,
    };
    let shown = |value: &Option<Value>| value.as_ref().map(|value| shown(edit.kind, value));
    let live = was.as_ref().and_then(|was| was.live.clone());
    let mut next = was.clone().unwrap_or_else(empty);
    next.revision += 1;
    let mut applied =
        Applied { document: None, action: Action::Changed, before: shown(&live), after: None, until: None };
    match &edit.what {
        Step::Save { value, until } => {
            next.temporary = ending(edit.kind, was.as_ref(), value, *until);
            next.live = Some(value.clone());
            next.draft = None;
            applied.action = if applied.before.is_some() { Action::Changed } else { Action::Created };
            // Another change that ends is none of this one, which stays where it was saved for good.
            applied.until = *until;
        }
        Step::Remove => {
            was?;
            applied.action = Action::Removed;
            return Some(applied);
        }
        Step::Stage(value) => {
            applied.action = Action::Staged;
            applied.before = shown(&next.draft.take().map(|draft| draft.value));
            next.draft = Some(Draft { value: value.clone(), by: by.to_owned(), at });
            applied.after = shown(&Some(value.clone()));
            applied.document = Some(next);
            return Some(applied);
        }
        Step::Discard => {
            applied.action = Action::Discarded;
            applied.before = shown(&Some(next.draft.take()?.value));
            applied.document = next.live.is_some().then_some(next);
            return Some(applied);
        }
        Step::Expire => {
            applied.action = Action::Expired;
            next.live = next.temporary.take()?.before;
        }
    }
    applied.after = shown(&next.live);
    applied.document = (next.live.is_some() || next.draft.is_some()).then_some(next);
    Some(applied)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_saved_over_a_temporary_change_stays_and_the_rest_ends() {
        let live = json!({ "mode": "forward-only", "to": ["user:bob"], "rings": 2 });
        let before = json!({ "rings": 2, "queues": ["a"] });
        let forwarding =
            |before: Option<&Value>, value: &Value| beneath(Kind::Forwarding, Some(&live), before, value);
        let mut disturbed = live.clone();
        disturbed["do-not-disturb"] = json!(true);
        let next = json!({ "rings": 2, "queues": ["a"], "do-not-disturb": true });
        assert_eq!(forwarding(Some(&before), &disturbed), Some(next));
        assert_eq!(forwarding(None, &disturbed), Some(json!({ "do-not-disturb": true })));
        assert_eq!(forwarding(Some(&before), &live), Some(live.clone()));
        let fewer = json!({ "mode": "forward-only", "to": ["user:bob"] });
        assert_eq!(forwarding(Some(&before), &fewer), Some(json!({ "queues": ["a"] })));
        let (bob, ana) = (json!("user:bob"), json!("user:ana"));
        let place = |value: &Value| beneath(Kind::Place, Some(&bob), Some(&ana), value);
        assert_eq!(place(&bob), Some(bob.clone()));
        assert_eq!(place(&json!("user:cleo")), Some(json!("user:cleo")));
        assert_eq!(beneath(Kind::User, Some(&json!({})), None, &json!({ "name": "Eve" })), None);
    }
}
