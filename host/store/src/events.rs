//! What happened to a tenant without anybody doing it, in order: whoever is responsible reads it, or waits for it.

use std::fmt;

use callwright_core::names::{RuleName, Version};
use callwright_core::rule::RunOutcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest list of events.
pub const EVENTS_PAGE_MAX: usize = 500;
/// How many events of a tenant are kept; the oldest go first.
pub const EVENTS_MAX: u64 = 10_000;

/// One event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Counts the events of all tenants; a later one is higher.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Happened {
    /// A version kept failing and decides no calls for now.
    VersionWithdrawn {
        /// Of this rule.
        rule: RuleName,
        /// Which.
        version: Version,
        /// What is active again; none where nothing was active before: its calls go to the fallback for a minute.
        back_to: Option<Version>,
        /// Runs that failed within a minute.
        failed: u32,
        /// All its runs in that time.
        runs: u32,
        /// How the last of them failed.
        last: RunOutcome,
    },
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VersionWithdrawn { rule, version, back_to, failed, runs, last } => {
                let last = last.word();
                write!(
                    f,
                    "version {version} of rule {rule} is withdrawn: {failed} of its {runs} runs failed within a minute, "
                )?;
                match back_to {
                    Some(before) => write!(f, "the last as {last}; {before} decides again"),
                    None => write!(f, "the last as {last}; its calls go to the fallback for a minute"),
                }
            }
        }
    }
}
