//! `callwright matrix`: every interaction of forwarding, played and compared with the document that says what it is.

use std::num::NonZero;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use callwright_sim::matrix::{self, Matrix};
use callwright_sim::scenario::shelf::Shelf;
use serde_json::json;

use crate::cli::MatrixArgs;
use crate::error::{Exit, UserError};
use crate::output::Output;
use crate::simulate;

/// Cells between two lines of progress.
const LINE: usize = 5_000;

/// Plays the cells.
///
/// # Errors
/// A cell broke something, or the document says something else.
pub(crate) fn run(args: &MatrixArgs, out: &Output) -> Result<(), UserError> {
    let shelf = simulate::shelf(Path::new("."))?;
    if let Some(cell) = args.cell {
        let result = play(cell, &shelf)?;
        let scenario = matrix::scenario_of(cell);
        out.result(&json!({ "cell": cell, "scenario": scenario, "result": result }), || {
            format!("{scenario}\n{result}")
        });
        return Ok(());
    }
    let played = Matrix::of(&play_all(&shelf, out)?);
    let document = played.document();
    if args.write {
        std::fs::write(&args.document, &document).map_err(|error| {
            UserError::outside(format!("cannot write `{}`", args.document.display())).because(error)
        })?;
    }
    let known = std::fs::read_to_string(&args.document).unwrap_or_default();
    let differs =
        document.lines().zip(known.lines().chain(std::iter::repeat(""))).find(|(now, then)| now != then);
    let lines = document.lines().count();
    match differs {
        None if known.lines().count() == lines => {
            out.result(&json!({ "cells": played.cells, "lines": lines }), || {
                format!("{} cells, {lines} lines, as {} says", played.cells, args.document.display())
            });
            Ok(())
        }
        _ => {
            let (now, then) = differs.unwrap_or_default();
            Err(UserError::new("CW-0505", Exit::Failed, "the matrix is not as its document says")
                .because(format!("document: {then}"))
                .because(format!("played:   {now}"))
                .help("where the change is meant: `cargo xtask matrix --write`, and read the difference"))
        }
    }
}

fn play(cell: usize, shelf: &Shelf) -> Result<String, UserError> {
    matrix::play(cell, shelf).map_err(|error| {
        UserError::new("CW-0506", Exit::Failed, format!("cell {cell} breaks what must hold")).because(error)
    })
}

/// On every core; results in the order of their cells.
fn play_all(shelf: &Shelf, out: &Output) -> Result<Vec<String>, UserError> {
    let cells = matrix::cells();
    let next = AtomicUsize::new(0);
    let results = Mutex::new(vec![String::new(); cells]);
    let failed = Mutex::new(None);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let cell = next.fetch_add(1, Ordering::Relaxed);
                    if cell >= cells {
                        return;
                    }
                    match play(cell, shelf) {
                        Ok(result) => {
                            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                            if let Some(place) = results.get_mut(cell) {
                                *place = result;
                            }
                        }
                        Err(error) => {
                            next.store(cells, Ordering::Relaxed);
                            failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                    if cell.is_multiple_of(LINE) && cell > 0 {
                        out.line(format_args!("{cell} of {cells} cells"));
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(results.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}
