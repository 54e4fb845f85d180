//! `callwright races`: every order in which the events of one call can happen, for people and for continuous integration.

use std::num::NonZero;
use std::sync::{Mutex, PoisonError};

use callwright_sim::races::{self, Case, Explored};
use serde_json::json;

use crate::cli::RacesArgs;
use crate::error::{Exit, UserError};
use crate::output::Output;

/// Interleavings between two lines of progress.
const LINE: u64 = 100_000;

/// Plays every order of the events of up to so many phones, or one of them for a person to read.
///
/// # Errors
/// In one of them something was wrong.
pub(crate) fn run(args: &RacesArgs, out: &Output) -> Result<(), UserError> {
    if let Some(address) = &args.replay {
        return replay(address, out);
    }
    out.line(format_args!(
        "{:<8}{:>8}{:>16}{:>16}{:>12}{:>16}",
        "phones", "cases", "interleavings", "events", "bridges", "late answers"
    ));
    let mut results = Vec::new();
    for legs in args.from..=args.legs {
        let explored = explore(legs, out);
        out.line(row(legs, &explored));
        results.push(json!({
            "phones": legs,
            "cases": explored.cases,
            "interleavings": explored.interleavings,
            "events": explored.events,
            "bridges": explored.bridges,
            "late_answers": explored.late,
            "failed": explored.failure.as_ref().map(races::Failure::address),
        }));
        if let Some(failure) = &explored.failure {
            out.line(failure.to_string().trim_end());
            return Err(UserError::new("CW-0505", Exit::Failed, "an order of events breaks a call").help(
                format!("`cargo xtask races --replay {}` plays it again with its ladder", failure.address()),
            ));
        }
    }
    if out.is_json() {
        out.result(&results, String::new);
    }
    Ok(())
}

fn replay(address: &str, out: &Output) -> Result<(), UserError> {
    let (case, course) =
        races::address(address).map_err(|error| UserError::wrong_use("nothing to replay").because(error))?;
    let replay = races::replay(&case, &course, None);
    out.line(&replay);
    match replay.wrong.len() {
        0 => Ok(()),
        many => {
            Err(UserError::new("CW-0505", Exit::Failed, format!("{many} things are wrong in this order")))
        }
    }
}

fn row(legs: usize, explored: &Explored) -> String {
    let Explored { cases, interleavings, events, bridges, late, .. } = explored;
    format!("{legs:<8}{cases:>8}{interleavings:>16}{events:>16}{bridges:>12}{late:>16}")
}

/// What the workers share: cases that nobody plays yet, and what was explored.
struct Course {
    left: std::vec::IntoIter<Case>,
    explored: Explored,
    lines: u64,
}

/// Plays all cases on every core. The first case that fails in their order is the one that is reported.
fn explore(legs: usize, out: &Output) -> Explored {
    let cases = Case::all(legs);
    let course = Mutex::new(Course { left: cases.into_iter(), explored: Explored::default(), lines: 0 });
    let lock = || course.lock().unwrap_or_else(PoisonError::into_inner);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let work = || loop {
        let Some(case) = lock().left.next() else { break };
        let explored = races::explore(&case, None);
        let mut course = lock();
        if explored.failure.is_some() {
            course.left = Vec::new().into_iter();
        }
        course.explored.add(explored);
        let played = course.explored.interleavings;
        if played / LINE > course.lines {
            course.lines = played / LINE;
            out.line(format_args!("  {played} so far, {} cases to play", course.left.len()));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    course.into_inner().unwrap_or_else(PoisonError::into_inner).explored
}
