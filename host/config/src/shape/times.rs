//! Who is meant at which time, and a tenant's tables, as documents.

use std::collections::BTreeMap;

use callwright_core::config;
use callwright_core::place;
use callwright_core::rota;
use callwright_core::time_route;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A duty that goes round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rota {
    /// Names of users, in turn.
    pub members: Vec<String>,
    /// The first member's turn begins on that date, as `2026-11-16`.
    pub from: String,
    /// Local time of the handover, as `09:00`, which it is where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// How many days a turn has; 7 where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_days: Option<u32>,
    /// Where it is not the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Days that somebody else has, or `nobody`, by the date on which they begin.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub swaps: BTreeMap<String, String>,
}

/// Days off under one name, for several hours: what each is called, by its date.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Holidays(pub BTreeMap<String, String>);

/// A name that means somebody else at another time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TimeRoute {
    /// The first whose hours are open, and whose duty somebody has, counts.
    pub routes: Vec<RouteLine>,
    /// Who is meant when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<String>,
}

/// One line of a time route.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RouteLine {
    /// A name of opening hours.
    pub hours: String,
    /// `rota:NAME`, or whatever can be rung: `user:NAME`, `group:NAME`.
    pub to: String,
}

/// A name that somebody holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Role {
    /// Dialling it rings whoever holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// Who does: `user:NAME`, `device:EXTENSION`, `group:NAME`, `rota:NAME`, or `place:NAME` of a place, a site or a time route.
    pub held_by: String,
    /// Whether a person who holds it is rung as they wish to be, and not by their phones alone; no where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_forwarding: Option<bool>,
}

/// A location: `device:EXTENSION`, `user:NAME` and `group:NAME` that are there, which ring together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Site(pub Vec<String>);

/// A text beside each number, or beside `user:NAME`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Table(pub BTreeMap<String, String>);

impl From<&rota::Rota> for Rota {
    fn from(rota: &rota::Rota) -> Self {
        let swaps = rota.swaps.iter().map(|(day, user)| {
            (day.to_string(), user.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string))
        });
        Self {
            members: rota.members.iter().map(ToString::to_string).collect(),
            from: rota.from.to_string(),
            at: Some(rota.at.strftime("%H:%M").to_string()),
            every_days: Some(rota.every_days),
            zone: rota.zone.as_ref().and_then(super::zone_name),
            swaps: swaps.collect(),
        }
    }
}

impl From<&time_route::TimeRoute> for TimeRoute {
    fn from(route: &time_route::TimeRoute) -> Self {
        let line = |entry: &time_route::RouteEntry| RouteLine {
            hours: entry.hours.to_string(),
            to: entry.to.to_string(),
        };
        Self {
            routes: route.entries.iter().map(line).collect(),
            otherwise: route.otherwise.as_ref().map(ToString::to_string),
        }
    }
}

impl From<&place::Role> for Role {
    fn from(role: &place::Role) -> Self {
        Self {
            extension: role.extension.as_ref().map(ToString::to_string),
            held_by: role.held_by.to_string(),
            follow_forwarding: role.follow_forwarding.then_some(true),
        }
    }
}

impl From<&place::Site> for Site {
    fn from(site: &place::Site) -> Self {
        Self(site.parts.iter().map(ToString::to_string).collect())
    }
}

impl From<&BTreeMap<Date, String>> for Holidays {
    fn from(days: &BTreeMap<Date, String>) -> Self {
        Self(days.iter().map(|(date, name)| (date.to_string(), name.clone())).collect())
    }
}

impl From<&config::Table> for Table {
    fn from(table: &config::Table) -> Self {
        Self(table.clone())
    }
}
