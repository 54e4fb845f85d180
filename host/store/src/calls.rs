//! What is asked about call records: which, in what order, how many, and for how long they are kept.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use callwright_core::names::{CallId, UserId};
use callwright_core::record::{CallRecord, Disposition};
use jiff::Timestamp;
use serde::Serialize;

/// How many records a page holds at most, whatever is asked for.
pub const PAGE_MAX: usize = 500;

/// How many records of one tenant are kept where the operator says nothing else.
pub const CALLS_KEPT_MAX: u64 = 1_000_000;

/// How many records a node begins with at most: they tell rules who called and who was idle.
pub const PAST_MAX: usize = 10_000;

/// How many of them are of each of so many tenants.
pub(crate) fn past_each(tenants: usize) -> usize {
    PAST_MAX / tenants.clamp(1, PAST_MAX)
}

/// How many records one [`crate::Store::prune`] removes at most, so that it never holds up the writer for long.
pub const PRUNE_STEP: u64 = 500;

/// How a call ended up, without details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Somebody talked.
    Answered,
    /// The caller was refused.
    Rejected,
    /// The caller hung up first.
    CallerGone,
}

impl Ended {
    /// The word that the API and the CLI use.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rejected => "rejected",
            Self::CallerGone => "caller-gone",
        }
    }

    /// Finds the one with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Answered, Self::Rejected, Self::CallerGone].into_iter().find(|ended| ended.word() == word)
    }

    /// That of a record.
    #[must_use]
    pub fn of(record: &CallRecord) -> Self {
        match record.disposition {
            Disposition::Answered { .. } | Disposition::Coded => Self::Answered,
            Disposition::Rejected => Self::Rejected,
            Disposition::CallerGone => Self::CallerGone,
        }
    }
}

/// Which records of a tenant to list; everything that is set must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallFilter {
    /// Began at or after.
    pub since: Option<Timestamp>,
    /// Began before.
    pub until: Option<Timestamp>,
    /// How it ended up.
    pub ended: Option<Ended>,
    /// The caller, the dialled user or the one who answered.
    pub user: Option<UserId>,
    /// As dialled.
    pub number: Option<String>,
}

impl CallFilter {
    /// Whether a record is asked for.
    #[must_use]
    pub fn wants(&self, record: &CallRecord) -> bool {
        self.since.is_none_or(|since| record.began >= since)
            && self.until.is_none_or(|until| record.began < until)
            && self.ended.is_none_or(|ended| Ended::of(record) == ended)
            && self.user.as_ref().is_none_or(|user| users(record).contains(&Some(user)))
            && self.number.as_ref().is_none_or(|number| record.number == *number)
    }
}

/// The caller, the dialled user and the one who answered.
pub(crate) fn users(record: &CallRecord) -> [Option<&UserId>; 3] {
    let answered = match &record.disposition {
        Disposition::Answered { user, .. } => user.as_ref(),
        Disposition::Rejected | Disposition::CallerGone | Disposition::Coded => None,
    };
    [record.caller.user.as_ref(), record.dialled_user.as_ref(), answered]
}

/// Where a page ended; the next begins behind it, whatever has been written meanwhile.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When the last record of the page began.
    pub began: Timestamp,
    /// Which it was.
    pub id: CallId,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.began.as_nanosecond(), self.id)
    }
}

/// A text that should have been a cursor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no cursor: use the one that came with the page before")]
pub struct NotACursor(pub String);

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let parsed = text.split_once('.').and_then(|(began, id)| {
            let began = Timestamp::from_nanosecond(began.parse().ok()?).ok()?;
            (!id.is_empty()).then(|| Self { began, id: CallId::from(id) })
        });
        parsed.ok_or_else(|| NotACursor(text.to_owned()))
    }
}

/// Records, newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// At most as many as were asked for.
    pub calls: Vec<Arc<CallRecord>>,
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
}

/// What a pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Records, their journals with them.
    pub calls: u64,
    /// Whether there is more to remove: the step was used up.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was_written() {
        let cursor = Cursor {
            began: Timestamp::from_nanosecond(1_763_682_000_123_456_789).unwrap(),
            id: "0-c.1".into(),
        };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }

    #[test]
    fn many_tenants_share_what_a_node_begins_with() {
        assert_eq!([0, 1, 4, PAST_MAX * 2].map(past_each), [PAST_MAX, PAST_MAX, PAST_MAX / 4, 1]);
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for wrong in ["", ".", "1.", "x.c1", "99999999999999999999999999999999.c1"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NotACursor(wrong.to_owned())));
        }
    }
}
