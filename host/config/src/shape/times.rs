//! Who is meant at which time, and a tenant's tables, as documents.

use std::collections::BTreeMap;

use callwright_core::config;
use callwright_core::rota;
use callwright_core::time_route;
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

impl From<&config::Table> for Table {
    fn from(table: &config::Table) -> Self {
        Self(table.clone())
    }
}
