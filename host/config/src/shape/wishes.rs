//! How users wish to be reached, as documents.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hours;

/// How a user wishes to be reached: a `mode`, or `conditions` one by one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Forwarding {
    /// Whether any of it holds; yes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `always`, or hours of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Where calls go: `user:NAME`, `group:NAME`, `place:NAME` or `number:+4930123456`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Those of the numbers that are the user's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<String>,
    /// Where calls go while the user is engaged, in whatever mode.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub busy_to: Vec<String>,
    /// Callers whose calls go elsewhere; the first list that has one counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<CallerList>,
    /// Times at which calls go elsewhere; the first that is now counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<TimeTarget>,
    /// One after the other, and not together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_order: Option<bool>,
    /// How often devices ring before a call moves on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rings: Option<u32>,
    /// Where calls go that nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
    /// Who rings in place of all the user's devices: `device:EXTENSION` or `user:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_route: Option<String>,
    /// Users whose calls this one takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_for: Vec<String>,
    /// Nobody is to be disturbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_disturb: Option<bool>,
    /// Devices that do not ring.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<String>,
    /// Queues that the user is signed in to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<String>,
    /// `off`, `ring-all`, `no-answer`, `failover` or `forward-only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// By `always`, `together`, `busy`, `no-answer` or `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<BTreeMap<String, Wish>>,
    /// `office`, `travel`, `do-not-disturb`, or one of the tenant's or of `profiles`: what it says holds in place of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The user's own profiles.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Profile>,
}

/// When wishes hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum When {
    /// `always`.
    Word(String),
    /// Hours of its own.
    Hours(Hours),
}

/// What one condition does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Wish {
    /// Whether it does anything; yes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// Destinations of its own, in place of those of `to`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// How long devices ring before `no-answer` forwards, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_s: Option<u32>,
}

/// Some wishes under a name, which hold in place of the user's other ones while they are chosen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Profile {
    /// Whether any of it holds; yes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// `always`, or hours of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// Where calls go: `user:NAME`, `group:NAME`, `place:NAME` or `number:+4930123456`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Vec<String>>,
    /// Where calls go while the user is engaged, in whatever mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub busy_to: Option<Vec<String>>,
    /// Callers whose calls go elsewhere; the first list that has one counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callers: Option<Vec<CallerList>>,
    /// Times at which calls go elsewhere; the first that is now counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Vec<TimeTarget>>,
    /// One after the other, and not together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_order: Option<bool>,
    /// How often devices ring before a call moves on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rings: Option<u32>,
    /// Where calls go that nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unanswered: Option<String>,
    /// Who rings in place of all the user's devices: `device:EXTENSION` or `user:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cold_route: Option<String>,
    /// Nobody is to be disturbed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub do_not_disturb: Option<bool>,
    /// Devices that do not ring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent: Option<Vec<String>>,
    /// `off`, `ring-all`, `no-answer`, `failover` or `forward-only`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// By `always`, `together`, `busy`, `no-answer` or `unreachable`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<BTreeMap<String, Wish>>,
}

/// Calls from these go there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CallerList {
    /// What the user calls it.
    pub name: String,
    /// `number:+4930123456`, `number:+4930*`, `user:NAME`, `group:NAME` or `withheld`.
    pub from: Vec<String>,
    /// Where they go.
    pub to: Vec<String>,
}

/// At these times calls go there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimeTarget {
    /// What the user calls it.
    pub name: String,
    /// `always`, or hours.
    pub when: When,
    /// Where they go.
    pub to: Vec<String>,
}
