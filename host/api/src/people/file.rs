//! People of the operator's file, as documents.

use std::collections::BTreeMap;

use callwright_config::shape;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use serde::Serialize;
use serde_json::Value;

use super::Shown;

/// A page of those of one kind, by name.
pub(super) fn page(tenant: &Tenant, kind: Kind, after: Option<&str>, limit: usize) -> Vec<Shown> {
    let is_after = |name: &str| after.is_none_or(|after| name > after);
    names(tenant, kind)
        .into_iter()
        .filter(|name| is_after(name))
        .take(limit)
        .filter_map(|name| one(tenant, kind, name))
        .collect()
}

fn names(tenant: &Tenant, kind: Kind) -> Vec<&str> {
    fn of<K: std::borrow::Borrow<str> + Ord, V>(all: &BTreeMap<K, V>) -> Vec<&str> {
        all.keys().map(std::borrow::Borrow::borrow).collect()
    }
    match kind {
        Kind::Tenant => vec![tenant.id.as_str()],
        Kind::User => of(&tenant.users),
        Kind::Device => of(&tenant.devices),
        Kind::Group => of(&tenant.groups),
        Kind::Place => of(&tenant.places),
        Kind::Hours => of(&tenant.hours),
        Kind::Rota => of(&tenant.rotas),
        Kind::TimeRoute => of(&tenant.time_routes),
        Kind::Table => of(&tenant.tables),
        // Hours have the days of the lists that they name.
        Kind::Holidays => Vec::new(),
        // Settings of a user are in the store, whoever's the tenant is.
        Kind::Forwarding => Vec::new(),
    }
}

/// One of them.
pub(super) fn one(tenant: &Tenant, kind: Kind, name: &str) -> Option<Shown> {
    let live = match kind {
        Kind::Tenant => json(Some(shape::Tenant::from(tenant))),
        Kind::User => json(tenant.users.get(name).map(shape::User::from)),
        Kind::Device => json(tenant.devices.get(name).map(shape::Device::from)),
        Kind::Group => json(tenant.groups.get(name).map(shape::Group::from)),
        Kind::Place => json(tenant.places.get(name).map(shape::Place::from)),
        Kind::Hours => json(tenant.hours.get(name).map(shape::Hours::from)),
        Kind::Rota => json(tenant.rotas.get(name).map(shape::Rota::from)),
        Kind::TimeRoute => json(tenant.time_routes.get(name).map(shape::TimeRoute::from)),
        Kind::Table => json(tenant.tables.get(name).map(shape::Table::from)),
        Kind::Holidays | Kind::Forwarding => None,
    };
    live.map(|live| Shown {
        kind,
        name: name.to_owned(),
        live: Some(live),
        effect: None,
        warnings: Vec::new(),
        draft: None,
        until: None,
        then: None,
        revision: 0,
        managed: "file",
        password: None,
    })
}

fn json<T: Serialize>(shape: Option<T>) -> Option<Value> {
    serde_json::to_value(shape?).ok()
}
