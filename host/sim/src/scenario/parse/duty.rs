//! Statements about who is meant at which time, and about tables.

use std::collections::BTreeMap;

use callwright_core::names::{PlaceName, RotaName, TableName};
use callwright_core::place::{Role, Site};
use callwright_core::rota::Rota;
use callwright_core::time_route::{RouteEntry, RouteTo, TimeRoute};

use super::blueprint::Blueprint;
use super::house::{clock, date, destination, list};
use crate::scenario::lexer::{Mistake, Words};

/// Reads such a statement. False where it is about something else; then nothing is taken.
pub(super) fn statement(blueprint: &mut Blueprint, words: &mut Words) -> Result<bool, Mistake> {
    if words.accept("rota") {
        rota(blueprint, words)?;
    } else if words.accept("swap") {
        swap(blueprint, words)?;
    } else if words.accept("route") {
        route(blueprint, words)?;
    } else if words.accept("role") {
        role(blueprint, words)?;
    } else if words.accept("site") {
        let name = PlaceName::from(words.text("a site's name")?);
        words.colon()?;
        let parts = list(words, destination)?;
        blueprint.house().sites.insert(name.clone(), Site { name, parts });
    } else if words.accept("table") {
        let name = TableName::from(words.text("a table's name")?);
        words.colon()?;
        let rows = list(words, |words| {
            let who = words.text("a number or user:NAME")?;
            words.expect("=")?;
            Ok((who, words.text("a value")?))
        })?;
        blueprint.house().tables.insert(name, rows.into_iter().collect());
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// `NAME from DATE TIME every N days: USER, USER`
fn rota(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = RotaName::from(words.text("a rota's name")?);
    words.expect("from")?;
    let from = date(words)?;
    let at = clock(&words.text("a time as 09:00")?)?;
    words.expect("every")?;
    let every_days = words.number("a number of days")?;
    if !words.accept("days") {
        words.expect("day")?;
    }
    words.colon()?;
    let members = list(words, |words| words.text("a user").map(Into::into))?;
    let rota = Rota { name: name.clone(), zone: None, members, from, at, every_days, swaps: BTreeMap::new() };
    blueprint.house().rotas.insert(name, rota);
    Ok(())
}

/// `ROTA DATE USER` or `ROTA DATE nobody`
fn swap(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = words.text("a rota's name")?;
    let day = date(words)?;
    let user = words.text("a user or nobody")?;
    let user = if user == "nobody" { None } else { Some(blueprint.user(user)?) };
    let found = blueprint.house().rotas.get_mut(name.as_str());
    found.ok_or(Mistake::Unknown { kind: "rota", name })?.swaps.insert(day, user);
    Ok(())
}

/// `NAME 300 held by rota:ROTA [follows forwarding]`
fn role(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = PlaceName::from(words.text("a role's name")?);
    let extension = Some(words.text("its extension")?.into());
    words.expect("held")?;
    words.expect("by")?;
    let held_by = route_to(words)?;
    let follow_forwarding = words.accept_all(&["follows", "forwarding"]);
    let role = Role { name: name.clone(), extension, held_by, follow_forwarding };
    blueprint.house().roles.insert(name, role);
    Ok(())
}

/// `NAME: HOURS = TO, HOURS = TO, otherwise TO`
fn route(blueprint: &mut Blueprint, words: &mut Words) -> Result<(), Mistake> {
    let name = PlaceName::from(words.text("a route's name")?);
    words.colon()?;
    let mut otherwise = None;
    let entries = list(words, |words| {
        if words.accept("otherwise") {
            otherwise = Some(route_to(words)?);
            return Ok(None);
        }
        let hours = words.text("the hours' name")?.into();
        words.expect("=")?;
        Ok(Some(RouteEntry { hours, to: route_to(words)? }))
    })?;
    let route = TimeRoute { name: name.clone(), entries: entries.into_iter().flatten().collect(), otherwise };
    blueprint.house().time_routes.insert(name, route);
    Ok(())
}

fn route_to(words: &mut Words) -> Result<RouteTo, Mistake> {
    let wanted = "rota:NAME, user:NAME, device:EXTENSION, group:NAME or place:NAME";
    let text = words.text(wanted)?;
    text.parse().map_err(|_| Mistake::Expected { wanted, got: format!("`{text}`") })
}
