//! From a call's record to words: one plain sentence that says why the call ended where it did, then the facts it rests
//! on, each with its time and source.
//!
//! Everything comes from the record; nothing is looked up, nothing is guessed. It names people and extensions and
//! nothing more private, and a caller who withholds their number stays withheld.

mod facts;
mod reasons;
mod route;
mod sentence;
#[cfg(test)]
mod tests;
mod wishes;
mod words;

use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use self::route::{Changed, RouteStep, RouteText, route};
use self::words::Clock;
pub use self::words::grouped;
pub(crate) use self::words::labelled;
pub(crate) use self::words::list;
use crate::names::CallId;
use crate::record::CallRecord;
pub use crate::schedule::weekday_name;

/// Why a call ended where it did. Displayed as the block of text that people read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The call.
    pub call: CallId,
    /// The answer, in one sentence.
    pub sentence: String,
    /// The day on which the call began, and the zone of all times: `Friday 2026-11-20, Europe/Berlin`.
    pub day: String,
    /// What it rests on, in order of time.
    pub facts: Vec<Line>,
}

/// One fact in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// The same as a time of day in the tenant's zone, to the millisecond.
    pub time: String,
    /// Who says so: `caller`, `configuration`, `registrar`, `switch`, `rule NAME`, `phone EXTENSION`.
    pub source: String,
    /// What.
    pub text: String,
}

/// Explains a call to its tenant, in the tenant's zone.
#[must_use]
pub fn explain(record: &CallRecord, zone: &TimeZone) -> Explanation {
    let clock = Clock::new(zone, record.began);
    Explanation {
        call: record.id.clone(),
        sentence: sentence::of(record, &clock),
        day: clock.day(),
        facts: facts::of(record, &clock),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.sentence)?;
        writeln!(f, "Call {} on {}:", self.call, self.day)?;
        let time = self.facts.iter().map(|line| line.time.len()).max().unwrap_or(0);
        let source = self.facts.iter().map(|line| line.source.chars().count()).max().unwrap_or(0);
        for line in &self.facts {
            writeln!(f, "  {:time$}  {:source$}  {}", line.time, line.source, line.text)?;
        }
        Ok(())
    }
}
