//! The documents of a tenant as types: what their keys are called and what stands in them.
//!
//! They describe what `assemble` reads, and show people of the file as documents. Reading itself is done by hand, for a
//! deserialiser would stop at the first mistake.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_core::config::{self, EarlyDialogs, WeeklySpan};
use callwright_core::roster::Order;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

mod times;
mod wishes;

pub use times::{Holidays, Role, Rota, RouteLine, Site, Table, TimeRoute};
pub use wishes::{CallerList, Forwarding, Profile, TimeTarget, When, Wish};

/// A tenant without its people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tenant {
    /// SIP domains, at least one; the first stands in URIs.
    pub domains: Vec<String>,
    /// The digest realm for which devices have their passwords; the first domain where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// A zone of the IANA database, as `Europe/Berlin`.
    pub zone: String,
    /// `md5` or `sha-256`; md5 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Bounds of a registration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Expiry>,
    /// Addresses and networks from which devices without a password are believed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
    /// Dialled numbers that start no rule; 112, 911, 999 and 933 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emergency: Option<Vec<String>>,
    /// What happens where no rule decides: `"ring-dialled"`, `"refuse-busy"` and its like, or `{"ring": "user:ana", "for-s": 20}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// How long devices ring where nobody says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_time_s: Option<u32>,
    /// How long one ring is, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_cadence_s: Option<u32>,
    /// Whether a phone's 3xx is followed; yes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_deflections: Option<bool>,
    /// What the tenant's rules may use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<Limits>,
    /// Profiles that its people can choose, beside `office`, `travel` and `do-not-disturb`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub profiles: BTreeMap<String, Profile>,
}

/// Bounds of a registration, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Expiry {
    /// Shorter is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_s: Option<u32>,
    /// Longer is shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_s: Option<u32>,
    /// Where the phone asks for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_s: Option<u32>,
}

/// What happens where no rule decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Fallback {
    /// `ring-dialled`, `refuse-busy`, `refuse-declined`, `refuse-not-found` or `refuse-temporarily-unavailable`.
    Word(String),
    /// Somebody is rung for a while.
    Ring(RingFallback),
}

/// Somebody is rung for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RingFallback {
    /// `user:NAME`, `device:EXTENSION`, `group:NAME` or `place:NAME`.
    pub ring: String,
    /// For so many seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u32>,
}

/// What the tenant's rules may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Runs at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs_max: Option<u32>,
    /// Fuel a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel_per_s: Option<u64>,
    /// Versions compiled in an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads_per_hour: Option<u32>,
}

/// A person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct User {
    /// Shown to people; the name of the document where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Dialling it calls the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Their numbers in E.164.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<String>,
    /// Where it is not the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Whether their devices ring while they are on a call; yes for direct calls and no for groups where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_waiting: Option<bool>,
    /// How they wish to be reached until they save otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Forwarding>,
}

/// A phone. Its name is its extension, and its digest user name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Device {
    /// Whose it is.
    pub user: String,
    /// What people call it: desk, soft, mobile.
    pub label: String,
    /// Never shown. Where a new device has none, the switch makes one and shows it once; a changed one keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Where it is always reached, without registering: `sip:192.0.2.7:5080`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// `per-leg`, or `one` for a phone that follows one early dialog only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_dialogs: Option<String>,
}

/// People, and whatever else rings with them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Group {
    /// Dialling it rings the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Names of users, `group:NAME` or `place:NAME`, in order.
    pub members: Vec<String>,
    /// Whether the forwarding of its members holds for calls to the group; no where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_forwarding: Option<bool>,
    /// How its members are rung: `together`, or one by one: `linear`, `circular`, `longest-idle`, `fewest-calls`. Together where
    /// nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hunt: Option<String>,
    /// Of a group that rings together: how many seconds after the one before it each member begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stagger_s: Option<u32>,
    /// How long they ring, each or all together; the tenant's `ring-time-s` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ring_time_s: Option<u32>,
}

/// A destination with a name of its own: `user:NAME`, `device:EXTENSION` or `group:NAME`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Place(pub String);

/// Opening hours.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hours {
    /// `mon-fri 08:00-18:00`; 22:00-06:00 runs into the next day, 24:00 ends the day.
    pub weekly: Vec<String>,
    /// Where it is not the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Lists of holidays that close all day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<String>,
    /// Days that replace the week's entry, as `2026-12-25`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub exceptions: BTreeMap<String, Exception>,
}

/// A day that is not as its weekday.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// Shown as the reason.
    pub name: String,
    /// `08:00-12:00`; no span is closed all day.
    pub open: Vec<String>,
}

impl From<&config::User> for User {
    fn from(user: &config::User) -> Self {
        Self {
            name: Some(user.name.clone()),
            extension: user.extension.as_ref().map(ToString::to_string),
            numbers: user.numbers.clone(),
            zone: user.zone.as_ref().and_then(zone_name),
            call_waiting: user.call_waiting,
            forwarding: None,
        }
    }
}

impl From<&config::Device> for Device {
    fn from(device: &config::Device) -> Self {
        let early_dialogs = match device.early_dialogs {
            EarlyDialogs::PerLeg => None,
            EarlyDialogs::One => Some("one".to_owned()),
        };
        Self {
            user: device.user.to_string(),
            label: device.label.clone(),
            password: None,
            contact: device.contact.as_ref().map(|contact| contact.uri.clone()),
            early_dialogs,
        }
    }
}

impl From<&config::Group> for Group {
    fn from(group: &config::Group) -> Self {
        Self {
            extension: group.extension.as_ref().map(ToString::to_string),
            members: group.members.iter().map(crate::groups::word).collect(),
            follow_forwarding: group.follow_forwarding.then_some(true),
            hunt: group.hunt.and_then(hunt_word).map(str::to_owned),
            stagger_s: Some(seconds(group.stagger)).filter(|stagger_s| *stagger_s > 0),
            ring_time_s: group.ring_time.map(seconds),
        }
    }
}

fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// The word of the file for an order; none where the file has none for it.
fn hunt_word(order: Order) -> Option<&'static str> {
    match order {
        Order::Listed => Some("linear"),
        Order::Circular => Some("circular"),
        Order::LongestIdle => Some("longest-idle"),
        Order::FewestCalls => Some("fewest-calls"),
        Order::Random => None,
    }
}

impl From<&config::Place> for Place {
    fn from(place: &config::Place) -> Self {
        Self(place.target.to_string())
    }
}

impl From<&config::Hours> for Hours {
    fn from(hours: &config::Hours) -> Self {
        let exceptions = hours.exceptions.iter().map(|(date, day)| {
            let open = day.spans.iter().map(|(from, to)| span(*from, *to)).collect();
            (date.to_string(), Exception { name: day.name.clone(), open })
        });
        Self {
            weekly: hours.weekly.iter().map(weekly).collect(),
            // They are among the days already.
            holidays: Vec::new(),
            zone: hours.zone.as_ref().and_then(zone_name),
            exceptions: exceptions.collect(),
        }
    }
}

impl From<&config::Tenant> for Tenant {
    /// What rings, who is there and the zone; the limits of the operator are in the operator's file.
    fn from(tenant: &config::Tenant) -> Self {
        Self {
            domains: tenant.domains.clone(),
            realm: tenant.realm.clone(),
            zone: zone_name(&tenant.zone).unwrap_or_default(),
            digest: None,
            expiry: None,
            trusted: Vec::new(),
            emergency: Some(tenant.emergency.iter().cloned().collect()),
            fallback: None,
            ring_time_s: u32::try_from(tenant.ring_time.as_secs()).ok(),
            ring_cadence_s: u32::try_from(tenant.cadence.as_secs()).ok(),
            follow_deflections: Some(tenant.follow_deflections),
            rules: None,
            profiles: BTreeMap::new(),
        }
    }
}

fn zone_name(zone: &TimeZone) -> Option<String> {
    zone.iana_name().map(str::to_owned)
}

fn weekly(entry: &WeeklySpan) -> String {
    format!("{} {}", crate::hours::day_word(entry.day), span(entry.from, entry.to))
}

/// The midnight that ends a day is 24:00.
fn span(from: Time, to: Time) -> String {
    let to = if to == Time::midnight() { "24:00".to_owned() } else { to.strftime("%H:%M").to_string() };
    format!("{}-{to}", from.strftime("%H:%M"))
}
