//! Names of destinations that are neither people nor groups: places, locations, roles.

use std::collections::BTreeMap;

use callwright_core::config::{Place, Tenant};
use callwright_core::names::PlaceName;
use callwright_core::place::{Role, Site};
use callwright_core::rule::DestinationRef;

use super::document::{Table, Value};
use super::duty::route_to;
use super::numbers::{Numbers, Owner};
use super::tenant::is_name;

/// How many parts a location may have.
const PARTS_MAX: usize = 1_000;
/// What a place may stand for.
const TARGETS: &str = "user:NAME, person:NAME, device:EXTENSION, group:NAME or +4930123456";

/// Reads `[tenants.T.places]`.
pub(super) fn places(table: &Table<'_>, tenant: &Tenant) -> BTreeMap<PlaceName, Place> {
    let mut places = BTreeMap::new();
    for (name, value) in table.names("places") {
        is_name(name, &value);
        let Some(target) = value.destination(TARGETS) else { continue };
        if let DestinationRef::Place(other) = &target {
            value.wrong(format!("place `{other}` is a place itself: name a user, group or device"));
        } else if let Some(missing) = tenant.lacks(&target) {
            value.wrong(missing);
        }
        let name = PlaceName::from(name);
        places.insert(name.clone(), Place { name, target });
    }
    places
}

/// Reads `[tenants.T.sites]`: lists of devices, users and groups.
pub(super) fn sites(table: &Table<'_>, tenant: &Tenant) -> BTreeMap<PlaceName, Site> {
    let mut sites = BTreeMap::new();
    for (name, value) in table.names("sites") {
        let name = free(name, &value, tenant);
        let listed = value.list();
        if !(1..=PARTS_MAX).contains(&listed.len()) {
            value.wrong(format!("must name 1 to {PARTS_MAX} devices, users or groups"));
        }
        let parts = listed.iter().filter_map(|value| part(value, tenant)).collect();
        sites.insert(name.clone(), Site { name, parts });
    }
    sites
}

fn part(value: &Value<'_>, tenant: &Tenant) -> Option<DestinationRef> {
    let to = value.destination("user:NAME, device:EXTENSION or group:NAME")?;
    match &to {
        DestinationRef::Device(_) | DestinationRef::User(_) | DestinationRef::Group(_) => {
            if let Some(missing) = tenant.lacks(&to) {
                value.wrong(missing);
            }
        }
        DestinationRef::Person(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => {
            value.wrong("must be user:NAME, device:EXTENSION or group:NAME");
        }
    }
    Some(to)
}

/// Reads `[tenants.T.roles.NAME]`; everything that may hold one is known already.
pub(super) fn roles(table: &Table<'_>, tenant: &Tenant, numbers: &mut Numbers) -> BTreeMap<PlaceName, Role> {
    let mut roles = BTreeMap::new();
    for (name, value) in table.names("roles") {
        let name = free(name, &value, tenant);
        let Some(table) = value.table() else { continue };
        let extension = numbers.extension(&table, &Owner::Role(name.clone()));
        let held_by = table.require("held-by").and_then(|value| route_to(&value, tenant));
        let follow_forwarding =
            table.get("follow-forwarding").and_then(|value| value.flag()).unwrap_or_default();
        table.done();
        let Some(held_by) = held_by else { continue };
        roles.insert(name.clone(), Role { name, extension, held_by, follow_forwarding });
    }
    roles
}

/// A name that nothing else of the tenant has which is found as a place.
fn free(name: &str, value: &Value<'_>, tenant: &Tenant) -> PlaceName {
    is_name(name, value);
    let name = PlaceName::from(name);
    if tenant.has_place(&name) {
        value.wrong(format!("`{name}` is a place already"));
    }
    name
}
