//! What the operator's file says of a tenant, as documents.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::marker::PhantomData;

use callwright_config::shape;
use callwright_core::Kind;
use callwright_core::config::Tenant;
use serde::Serialize;
use serde_json::Value;

use super::Shown;

/// A page of those of one kind, by name.
pub(super) fn page(tenant: &Tenant, kind: Kind, after: Option<&str>, limit: usize) -> Vec<Shown> {
    let Some(section) = section(tenant, kind) else { return Vec::new() };
    let is_after = |name: &&str| after.is_none_or(|after| *name > after);
    let names = section.names().into_iter().filter(is_after).take(limit);
    names.filter_map(|name| Some(shown(kind, name, section.one(name)?))).collect()
}

/// One of them.
pub(super) fn one(tenant: &Tenant, kind: Kind, name: &str) -> Option<Shown> {
    let live = match kind == Kind::Tenant {
        true => serde_json::to_value(shape::Tenant::from(tenant)).ok(),
        false => section(tenant, kind)?.one(name),
    };
    Some(shown(kind, name, live?))
}

/// All of one kind, and what each looks like.
fn section(tenant: &Tenant, kind: Kind) -> Option<Box<dyn Section<'_> + '_>> {
    Some(match kind {
        Kind::User => of::<_, _, shape::User>(&tenant.users),
        Kind::Device => of::<_, _, shape::Device>(&tenant.devices),
        Kind::Group => of::<_, _, shape::Group>(&tenant.groups),
        Kind::Place => of::<_, _, shape::Place>(&tenant.places),
        Kind::Site => of::<_, _, shape::Site>(&tenant.sites),
        Kind::Holidays => of::<_, _, shape::Holidays>(&tenant.holidays),
        Kind::Hours => of::<_, _, shape::Hours>(&tenant.hours),
        Kind::Rota => of::<_, _, shape::Rota>(&tenant.rotas),
        Kind::TimeRoute => of::<_, _, shape::TimeRoute>(&tenant.time_routes),
        Kind::Role => of::<_, _, shape::Role>(&tenant.roles),
        Kind::Table => of::<_, _, shape::Table>(&tenant.tables),
        // A tenant is none of many; settings of a user are in the store, whoever's the tenant is.
        Kind::Tenant | Kind::Forwarding => return None,
    })
}

trait Section<'t> {
    fn names(&self) -> Vec<&'t str>;
    fn one(&self, name: &str) -> Option<Value>;
}

/// Values by name, and the shape of their documents.
struct Of<'t, K, V, S>(&'t BTreeMap<K, V>, PhantomData<S>);

fn of<'t, K, V, S>(all: &'t BTreeMap<K, V>) -> Box<dyn Section<'t> + 't>
where
    K: Borrow<str> + Ord,
    S: From<&'t V> + Serialize + 't,
{
    Box::new(Of::<K, V, S>(all, PhantomData))
}

impl<'t, K, V, S> Section<'t> for Of<'t, K, V, S>
where
    K: Borrow<str> + Ord,
    S: From<&'t V> + Serialize,
{
    fn names(&self) -> Vec<&'t str> {
        self.0.keys().map(Borrow::borrow).collect()
    }

    fn one(&self, name: &str) -> Option<Value> {
        serde_json::to_value(S::from(self.0.get(name)?)).ok()
    }
}

fn shown(kind: Kind, name: &str, live: Value) -> Shown {
    Shown {
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
    }
}
