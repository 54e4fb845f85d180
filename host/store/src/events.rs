//! What happened to a tenant without anybody doing it, in order: whoever is responsible reads it, or waits for it.

use std::fmt;

use callwright_core::Notice;
use callwright_core::names::{CallId, RuleName, UserId, Version};
use callwright_core::notice::{WARNINGS_AN_HOUR, Warning};
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
    /// A rule wrote into the log of a call that someone should look.
    RuleWarned {
        /// Which rule.
        rule: RuleName,
        /// In which version.
        version: Version,
        /// In which call: the first of the last hour in which it said so.
        call: CallId,
        /// The person whose rule or wishes were followed; none where it was nobody's in particular.
        about: Option<UserId>,
        /// Its words.
        said: String,
    },
    /// Rules warned of more than anybody is told within an hour: the rest is in the logs of their calls alone.
    WarningsHeld {
        /// Nothing more of it is told before then.
        until: Timestamp,
    },
}

impl Happened {
    /// The person whom it is about, where it is about one; they may read it.
    #[must_use]
    pub fn about(&self) -> Option<&UserId> {
        match self {
            Self::RuleWarned { about, .. } => about.as_ref(),
            Self::VersionWithdrawn { .. } | Self::WarningsHeld { .. } => None,
        }
    }

    /// In words for the person whom it is about, who may open neither the call nor the rule: first of all what it is.
    #[must_use]
    pub fn in_person(&self) -> String {
        match self {
            Self::RuleWarned { rule, said, .. } => format!("{said} (rule {rule})"),
            Self::VersionWithdrawn { .. } | Self::WarningsHeld { .. } => self.to_string(),
        }
    }
}

impl From<Notice> for Happened {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Warned(Warning { rule, version, call, about, text }) => {
                Self::RuleWarned { rule, version, call, about, said: text }
            }
            Notice::Enough { until } => Self::WarningsHeld { until },
        }
    }
}

impl fmt::Display for Happened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::VersionWithdrawn { rule, version, back_to, failed, runs, last } => {
                let (last, version) = (last.word(), version.short());
                write!(
                    f,
                    "version {version} of rule {rule} is withdrawn: {failed} of its {runs} runs failed within a minute, "
                )?;
                match back_to {
                    Some(before) => write!(f, "the last as {last}; {} decides again", before.short()),
                    None => write!(f, "the last as {last}; its calls go to the fallback for a minute"),
                }
            }
            Self::RuleWarned { rule, version, call, about, said } => {
                write!(f, "rule {rule} (version {}) warned", version.short())?;
                if let Some(user) = about {
                    write!(f, " about {user}")?;
                }
                write!(f, " in call {call}: {said}")
            }
            Self::WarningsHeld { until: _ } => write!(
                f,
                "rules warned of more than {WARNINGS_AN_HOUR} things within an hour: for the next hour their warnings are told \
                 to nobody, and are in the logs of their calls alone"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_who_what_which_rule_and_which_call() {
        let warned = |about: Option<&str>| Happened::RuleWarned {
            rule: "standard".into(),
            version: "sha256:0123456789abcdef".into(),
            call: "c0ffee".into(),
            about: about.map(Into::into),
            said: "look".to_owned(),
        };
        assert_eq!(
            warned(Some("ana")).to_string(),
            "rule standard (version 01234567) warned about ana in call c0ffee: look"
        );
        assert_eq!(warned(None).to_string(), "rule standard (version 01234567) warned in call c0ffee: look");
        assert_eq!(warned(Some("ana")).in_person(), "look (rule standard)");
        let json = serde_json::to_value(warned(Some("ana"))).unwrap();
        assert_eq!(
            (&json["what"], &json["version"]),
            (&"rule-warned".into(), &"sha256:0123456789abcdef".into())
        );
    }
}
