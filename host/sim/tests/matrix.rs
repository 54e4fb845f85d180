//! Interactions of forwarding: a part of the cells that `cargo xtask matrix` plays whole.

use std::path::Path;

use callwright_rules::{Engine, EngineLimits};
use callwright_sim::matrix;
use callwright_sim::scenario::shelf::Shelf;

/// Every so many cells are played; it shares no factor with the number of values of any axis.
const STEP: usize = 127;

#[test]
fn a_cell_breaks_nothing_and_is_foretold() {
    let engine = Engine::new(EngineLimits::capped(64, 65_530)).unwrap();
    let shelf = Shelf::new(engine, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut broken = Vec::new();
    for cell in (0..matrix::cells()).step_by(STEP) {
        if let Err(error) = matrix::play(cell, &shelf) {
            broken.push(error.to_string());
        }
    }
    assert!(broken.is_empty(), "{} cells are broken, the first: {}", broken.len(), broken[0]);
}
