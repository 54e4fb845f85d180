//! What a tenant says about who is meant at which time: rotas, holidays, names that depend on the time; and its tables.

use std::collections::BTreeMap;

use callwright_core::config::{Table as Rows, Tenant};
use callwright_core::names::{HoursName, PlaceName, RotaName, TableName, UserId};
use callwright_core::rota::Rota;
use callwright_core::time_route::{RouteEntry, RouteTo, TimeRoute};
use jiff::civil::{Date, Time};

use super::document::{Table, Value};
use super::hours;
use super::tenant::{is_name, zone};

/// How many people a rota may have, days it may swap, and days one turn may last.
const MEMBERS_MAX: usize = 100;
const SWAPS_MAX: usize = 1_000;
const TURN_DAYS_MAX: u32 = 366;
/// How many lines a route may have.
const ENTRIES_MAX: usize = 32;
/// How many rows the tables of a tenant may have together.
const ROWS_MAX: usize = 100_000;
/// When duties are handed over where the file does not say.
const HANDOVER: Time = Time::constant(9, 0, 0, 0);

/// Named lists of days off, for the opening hours that refer to them.
pub(super) type Holidays<'a> = BTreeMap<&'a str, BTreeMap<Date, String>>;

/// Reads `[tenants.T.holidays.NAME]`: dates with their names.
pub(super) fn holidays<'a>(table: &Table<'a>) -> Holidays<'a> {
    let mut all = Holidays::new();
    for (name, value) in table.names("holidays") {
        is_name(name, &value);
        let days = value
            .entries()
            .into_iter()
            .filter_map(|(date, value)| Some((hours::date(date, &value)?, value.text()?.to_owned())));
        all.insert(name, days.collect());
    }
    all
}

/// Reads `[tenants.T.rotas.NAME]`.
pub(super) fn rotas(table: &Table<'_>, tenant: &Tenant) -> BTreeMap<RotaName, Rota> {
    let mut all = BTreeMap::new();
    for (name, value) in table.names("rotas") {
        if is_name(name, &value) {
            all.extend(rota(name, &value, tenant).map(|rota| (rota.name.clone(), rota)));
        }
    }
    all
}

fn rota(name: &str, value: &Value<'_>, tenant: &Tenant) -> Option<Rota> {
    let table = value.table()?;
    let person = |value: &Value<'_>| {
        let user = UserId::from(value.text()?);
        if !tenant.users.contains_key(&user) {
            value.wrong(format!("no user `{user}`"));
        }
        Some(user)
    };
    let listed = table.require("members");
    let members: Vec<UserId> =
        listed.iter().flat_map(Value::list).filter_map(|value| person(&value)).collect();
    if let Some(listed) = listed.filter(|_| !(1..=MEMBERS_MAX).contains(&members.len())) {
        listed.wrong(format!("must name 1 to {MEMBERS_MAX} people"));
    }
    let from = table.require("from").and_then(|value| hours::date(value.text()?, &value));
    let at = table.get("at").map_or(Some(HANDOVER), |value| {
        let time = hours::time(value.text()?);
        if time.is_none() {
            value.wrong("must be a time of day as \"09:00\"");
        }
        time
    });
    let every_days = table.get("every-days").map_or(Some(7), |value| value.small(1..=TURN_DAYS_MAX));
    let mut swaps = BTreeMap::new();
    for (date, value) in table.names("swaps") {
        let user = if value.text() == Some("nobody") { None } else { person(&value) };
        swaps.extend(hours::date(date, &value).map(|day| (day, user)));
    }
    if swaps.len() > SWAPS_MAX {
        value.wrong(format!("swaps {} days, at most {SWAPS_MAX} are possible", swaps.len()));
    }
    let zone = table.get("zone").and_then(|value| zone(&value));
    table.done();
    Some(Rota { name: name.into(), zone, members, from: from?, at: at?, every_days: every_days?, swaps })
}

/// Reads `[tenants.T.time-routes.NAME]`; a tenant's places, hours and rotas are known already.
pub(super) fn time_routes(table: &Table<'_>, tenant: &Tenant) -> BTreeMap<PlaceName, TimeRoute> {
    let mut all = BTreeMap::new();
    for (name, value) in table.names("time-routes") {
        is_name(name, &value);
        let name = PlaceName::from(name);
        if tenant.has_place(&name) {
            value.wrong(format!("`{name}` is a place already"));
        }
        let Some(table) = value.table() else { continue };
        let listed = table.require("routes").map(|value| value.list()).unwrap_or_default();
        if listed.len() > ENTRIES_MAX {
            value.wrong(format!("has {} lines, at most {ENTRIES_MAX} are possible", listed.len()));
        }
        let entries = listed.iter().filter_map(|value| entry(value, tenant)).collect();
        let otherwise = table.get("otherwise").and_then(|value| route_to(&value, tenant));
        table.done();
        all.insert(name.clone(), TimeRoute { name, entries, otherwise });
    }
    all
}

fn entry(value: &Value<'_>, tenant: &Tenant) -> Option<RouteEntry> {
    let table = value.table()?;
    let hours = table.require("hours").and_then(|value| {
        let hours = HoursName::from(value.text()?);
        if !tenant.hours.contains_key(&hours) {
            value.wrong(format!("no hours `{hours}`"));
        }
        Some(hours)
    });
    let to = table.require("to").and_then(|value| route_to(&value, tenant));
    table.done();
    Some(RouteEntry { hours: hours?, to: to? })
}

/// `rota:platform`, or whatever can be rung.
pub(super) fn route_to(value: &Value<'_>, tenant: &Tenant) -> Option<RouteTo> {
    let to = value.parsed::<RouteTo>()?;
    let missing = match &to {
        RouteTo::Rota(rota) => (!tenant.rotas.contains_key(rota)).then(|| format!("no rota `{rota}`")),
        RouteTo::Destination(to) => tenant.lacks(to),
    };
    if let Some(missing) = missing {
        value.wrong(missing);
    }
    Some(to)
}

/// Reads `[tenants.T.tables.NAME]`: a text beside each number, or beside `user:NAME`.
pub(super) fn tables(table: &Table<'_>, tenant: &Tenant) -> BTreeMap<TableName, Rows> {
    let mut all = BTreeMap::new();
    let mut count = 0;
    for (name, value) in table.names("tables") {
        is_name(name, &value);
        let mut rows = Rows::new();
        for (who, value) in value.entries() {
            if let Some(user) = who.strip_prefix("user:")
                && !tenant.users.contains_key(user)
            {
                value.wrong(format!("no user `{user}`"));
            }
            rows.extend(value.text().map(|text| (who.to_owned(), text.to_owned())));
        }
        count += rows.len();
        if count > ROWS_MAX {
            value.wrong(format!("is one row too many: the tables of a tenant have at most {ROWS_MAX}"));
        }
        all.insert(TableName::from(name), rows);
    }
    all
}
