//! A component's rights are its import section: what it may import, and what it must export.

use super::shape::Shape;
use super::{Problem, WORLD};
use crate::price::PRICES;

/// The package that rules import from.
const PACKAGE: &str = "callwright:rules/";
/// The version of it, but for the last number: later ones only add.
const SERIES: &str = "0.1.";
/// The one export.
const EXPORT: &str = "handle-call";

/// Imports within the world, exports present.
pub(super) fn check(shape: &Shape, problems: &mut Vec<Problem>) {
    for (interface, functions) in &shape.imports {
        match offered(interface) {
            Ok(interface) => {
                let unknown = functions.iter().filter(|function| !is_function(interface, function));
                problems.extend(unknown.map(|function| {
                    Problem::component(format!(
                        "imports `{interface}.{function}`, which {WORLD} does not have"
                    ))
                }));
            }
            Err(why) => problems.push(Problem::component(format!("imports `{interface}`: {why}"))),
        }
    }
    if !shape.exports.iter().any(|export| export == EXPORT) {
        let found = if shape.exports.is_empty() { "nothing".to_owned() } else { shape.exports.join(", ") };
        problems.push(Problem::component(format!("does not export `{EXPORT}`, it exports {found}")));
    }
}

/// The interface of ours that an import names, or why there is none.
fn offered(import: &str) -> Result<&str, String> {
    let Some(own) = import.strip_prefix(PACKAGE) else { return Err(foreign(import).to_owned()) };
    let (interface, version) = own.split_once('@').unwrap_or((own, ""));
    if !PRICES.iter().any(|price| price.interface == interface) {
        let names = interfaces().join(", ");
        return Err(format!("{WORLD} has no interface `{interface}`, it has {names}"));
    }
    if !version.starts_with(SERIES) {
        return Err(format!("this switch has {SERIES}x of it; build against the wit/ folder of this switch"));
    }
    Ok(interface)
}

fn foreign(import: &str) -> &'static str {
    let network = ["wasi:http", "wasi:sockets"].iter().any(|name| import.starts_with(name));
    if network {
        return "a rule has no network; what it needs to know must come from the switch";
    }
    if import.starts_with("wasi") {
        return "a rule has no WASI; build for wasm32-unknown-unknown";
    }
    "not an interface of this switch"
}

fn is_function(interface: &str, function: &str) -> bool {
    let offered = |price: &&crate::price::Price| price.interface == interface;
    match function.strip_prefix("[resource-drop]") {
        Some(resource) => {
            PRICES.iter().filter(offered).any(|price| resource_of(price.function) == Some(resource))
        }
        None => PRICES.iter().filter(offered).any(|price| price.function == function),
    }
}

/// The resource that a method or constructor belongs to.
fn resource_of(function: &str) -> Option<&str> {
    if let Some(resource) = function.strip_prefix("[constructor]") {
        return Some(resource);
    }
    Some(function.strip_prefix("[method]")?.split_once('.')?.0)
}

fn interfaces() -> Vec<&'static str> {
    let mut names: Vec<_> = PRICES.iter().map(|price| price.interface).collect();
    names.dedup();
    names
}
