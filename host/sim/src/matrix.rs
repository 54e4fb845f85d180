//! Every interaction of forwarding, played: each cell is a world in which somebody calls a person, and its result is whom
//! the call rang, in order, and how it ended.
//!
//! Nobody answers, so that a cell shows all that would happen. Whatever a foreteller says of the same call must agree with it.

mod axes;
mod tree;

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use callwright_core::config::Tenant;
use callwright_core::explain;
use callwright_core::names::Version;
use callwright_core::record::CallRecord;
use callwright_core::route::{self, Route, What};
use callwright_rules::foretell::{Question, foretell};
use jiff::Timestamp;

use crate::scenario::shelf::Shelf;
use crate::scenario::{self, ScenarioError};
use axes::axes;
pub use axes::{Axis, Cell};
use tree::Tree;

/// All cells with their results.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// How many cells were played.
    pub cells: usize,
    tree: Tree,
}

/// A cell that could not be played, or that broke something.
#[derive(Debug, thiserror::Error)]
pub enum MatrixError {
    /// Its scenario cannot be read or its rule is not built.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An invariant was broken, or the foreteller saw something else.
    #[error("cell {cell}: {what}\n{scenario}")]
    Broken {
        /// Its number.
        cell: usize,
        /// What was broken.
        what: String,
        /// How to play it again.
        scenario: String,
    },
}

/// How many cells there are.
#[must_use]
pub fn cells() -> usize {
    axes().iter().map(|axis| axis.values.len()).product()
}

/// The scenario of a cell, from 0.
#[must_use]
pub fn scenario_of(cell: usize) -> String {
    Cell::of(cell).scenario()
}

/// Plays one cell. Its result in words, as `0 s 1001 1002; 10 s 1021; 20 s 480 no-answer`.
///
/// # Errors
/// As [`MatrixError`] says.
pub fn play(cell: usize, shelf: &Shelf) -> Result<String, MatrixError> {
    let what = Cell::of(cell);
    let text = what.scenario();
    let broken = |what: String| MatrixError::Broken { cell, what, scenario: text.clone() };
    let (result, began) = played(&text, what.number(), shelf)?.map_err(broken)?;
    if what.is_foretold() {
        let told = foretold(&what.scenario_before(), what.number(), began, shelf)?.map_err(broken)?;
        if told != result {
            return Err(broken(format!("came to  {result}\nforetold {told}")));
        }
    }
    Ok(result)
}

/// What the last call to a number comes to in a scenario, and when it began. Inside: what was broken on the way.
///
/// # Errors
/// The scenario cannot be played.
pub fn played(
    text: &str,
    number: &str,
    shelf: &Shelf,
) -> Result<Result<(String, Timestamp), String>, ScenarioError> {
    let report = scenario::run(&scenario::parse("matrix", text)?, shelf, Path::new("."))?;
    if !report.is_ok() {
        return Ok(Err(report.complaint()));
    }
    let record = report.records.iter().map(|kept| &kept.record).rfind(|record| record.number == number);
    Ok(record
        .map(|record| (came_to(record), record.began))
        .ok_or_else(|| "the call left no record".to_owned()))
}

/// What a foreteller says of a call to a number at the end of a scenario. Inside: what was broken on the way.
///
/// # Errors
/// The scenario cannot be played.
pub fn foretold(
    text: &str,
    number: &str,
    at: Timestamp,
    shelf: &Shelf,
) -> Result<Result<String, String>, ScenarioError> {
    foreseen(text, (number, at), shelf, |route, _| told(route))
}

/// The same in the words of `callwright number show`.
///
/// # Errors
/// The scenario cannot be played.
pub fn foretold_in_words(
    text: &str,
    number: &str,
    at: Timestamp,
    shelf: &Shelf,
) -> Result<Result<String, String>, ScenarioError> {
    let words = |route: &Route, tenant: &Tenant| explain::route(route, tenant, number, at).to_string();
    foreseen(text, (number, at), shelf, words)
}

fn foreseen(
    text: &str,
    (number, at): (&str, Timestamp),
    shelf: &Shelf,
    say: impl Fn(&Route, &Tenant) -> String,
) -> Result<Result<String, String>, ScenarioError> {
    let (view, rules) = scenario::picture(&scenario::parse("matrix", text)?, shelf)?;
    let Some(tenant) = view.config.tenants.values().next().cloned() else {
        return Ok(Err("the world has no tenant".to_owned()));
    };
    let ready = |version: &Version| rules.iter().find(|rule| rule.version() == version).cloned();
    let route = foretell(&Question { view: &view, tenant: &tenant, number, at, ready: &ready });
    Ok(Ok(say(&route, &tenant)))
}

/// What a record tells: who rang when, and how it ended.
fn came_to(record: &CallRecord) -> String {
    let mut rings: Vec<(Duration, Vec<&str>)> = Vec::new();
    for leg in &record.legs {
        let at = Duration::try_from(leg.started.duration_since(record.began)).unwrap_or_default();
        match rings.iter_mut().find(|(known, _)| *known == at) {
            Some((_, devices)) => devices.push(leg.device.as_str()),
            None => rings.push((at, vec![leg.device.as_str()])),
        }
    }
    line(rings, Duration::from_millis(record.setup_ms), record.status)
}

/// The same of a route.
fn told(foretold: &Route) -> String {
    let mut rings: Vec<(Duration, Vec<&str>)> = Vec::new();
    for step in &foretold.steps {
        let What::Rings { legs, .. } = step.what.plain() else { continue };
        for leg in legs {
            let devices = leg.whom.iter().flatten().map(|device| device.as_str());
            let (at, devices) = (step.at + leg.after, devices.collect::<Vec<_>>());
            match rings.iter_mut().find(|(known, _)| *known == at) {
                Some((_, known)) => known.extend(devices),
                None if devices.is_empty() => {}
                None => rings.push((at, devices)),
            }
        }
    }
    let status = foretold.steps.iter().rev().find_map(|step| match &step.what {
        What::Ends(best) => Some(route::status_of(best.as_ref())),
        What::Refuses(how) => Some(route::status_of_refusal(how)),
        What::Decides(_)
        | What::Reads(..)
        | What::Says(_)
        | What::Warns(_)
        | What::Rings { .. }
        | What::Fails(_)
        | What::HandsOver
        | What::RingsDialled
        | What::FallsBack(_)
        | What::Within(..) => None,
    });
    line(rings, foretold.lasts, status.unwrap_or(0))
}

fn line(mut rings: Vec<(Duration, Vec<&str>)>, lasts: Duration, status: u16) -> String {
    rings.sort_by_key(|(at, _)| *at);
    let mut text = String::new();
    for (at, mut devices) in rings {
        devices.sort_unstable();
        // Writing to a string does not fail.
        let _infallible = write!(text, "{} s {}; ", at.as_secs(), devices.join(" "));
    }
    let _infallible = write!(text, "{} s ends {status}", lasts.as_secs());
    text
}

impl Matrix {
    /// Puts results together, in the order of their cells.
    #[must_use]
    pub fn of(results: &[String]) -> Self {
        Self { cells: results.len(), tree: Tree::of(&axes(), results) }
    }

    /// As a document: branches where an axis matters, and nothing where it does not.
    #[must_use]
    pub fn document(&self) -> String {
        let mut text = format!(
            "# What becomes of a call\n\n\
             Written by `cargo xtask matrix --write`, compared with every cell by `cargo xtask matrix`: {} cells, of which each was played as a \
             scenario. Somebody calls ana (100: 1001, 1002) or a group that she is in (200); she forwards to cleo (1021), phones ring for 10 s, and nobody answers. A \
             result is who rang when, and how the call ended. An axis that makes no difference is not written.\n\n",
            self.cells
        );
        for axis in axes() {
            let _infallible = writeln!(text, "- **{}**: {}", axis.name, axis.about);
        }
        text.push_str("\n```text\n");
        self.tree.write(&axes(), 0, &mut text);
        text.push_str("```\n");
        text
    }
}
