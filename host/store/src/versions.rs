//! A rule's versions, and which of them was active when.

use callwright_core::names::{RuleName, TenantId, Version};
use callwright_core::rule::ActiveRule;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many rules a tenant may have.
pub const RULES_MAX: usize = 200;

/// How many versions of a rule are kept; the next upload is refused.
pub const VERSIONS_MAX: usize = 500;

/// How many activations of a rule are remembered; older ones are forgotten.
pub const HISTORY_MAX: usize = 1_000;

/// A version as it arrives from the upload. Its module is a blob under the version's digest.
#[derive(Clone, Debug, PartialEq)]
pub struct NewVersion {
    /// What `rule.toml` said; tenant, name and version are the key.
    pub rule: ActiveRule,
    /// `rule.toml` as it was sent.
    pub manifest: String,
    /// Of the module, in bytes.
    pub size: u64,
    /// When.
    pub uploaded: Timestamp,
    /// Label of the token.
    pub uploaded_by: String,
}

/// Whether a kept version can be activated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// Yes.
    Ready,
    /// No; why. An engine of a later release may refuse what an earlier one took.
    Unusable(String),
}

/// A version as it is kept.
///
/// A version is named by its module alone. Sent again with another `rule.toml`, the version has the new one from its next
/// activation on; what is active stays as it was activated.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleVersion {
    /// What was uploaded last.
    pub uploaded: NewVersion,
    /// Whether it can be activated.
    pub state: VersionState,
    /// Whether it is the active one.
    pub active: bool,
}

/// How an activation came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Someone chose the version.
    Activated,
    /// Someone went back to what was active before.
    RolledBack,
    /// Someone switched the rule off: from then on no version was active.
    Deactivated,
}

impl How {
    /// The word in the store, the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Activated => "activated",
            Self::RolledBack => "rolled-back",
            Self::Deactivated => "deactivated",
        }
    }

    /// Finds the one with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Activated, Self::RolledBack, Self::Deactivated].into_iter().find(|how| how.word() == word)
    }
}

/// One entry of a rule's history: an activation, or its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Activation {
    /// Whose rule.
    pub tenant: TenantId,
    /// Which rule.
    pub rule: RuleName,
    /// What became active, or was so until then.
    pub version: Version,
    /// When.
    pub at: Timestamp,
    /// Label of the token.
    pub by: String,
    /// How.
    pub how: How,
}
