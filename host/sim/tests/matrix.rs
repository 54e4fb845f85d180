//! Interactions of forwarding: a part of the cells that `cargo xtask matrix` plays whole.

use std::path::Path;

use callwright_rules::{Engine, EngineLimits};
use callwright_sim::matrix;
use callwright_sim::scenario::shelf::Shelf;

/// Every so many cells are played; it shares no factor with the number of values of any axis.
const STEP: usize = 127;

fn shelf(engine: Engine) -> Shelf {
    Shelf::new(engine, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

#[test]
fn a_cell_breaks_nothing_and_is_foretold() {
    let shelf = shelf(Engine::new(EngineLimits::capped(64, 65_530)).unwrap());
    let mut broken = Vec::new();
    for cell in (0..matrix::cells()).step_by(STEP) {
        if let Err(error) = matrix::play(cell, &shelf) {
            broken.push(error.to_string());
        }
    }
    assert!(broken.is_empty(), "{} cells are broken, the first: {}", broken.len(), broken[0]);
}

/// People who are rung as they wish to be, from a group or by a rule.
const PEOPLE: &str = "rule standard
    rule leaver bound to user:eve with successor = \"ana\", team = group:team, rings-s = 15
    user ana 100: desk 1001, soft 1002
    user bob 101: desk 1011
    user cleo 102: desk 1021
    user dora 103: desk 1031
    user eve 104: desk 1041
    group team 200: ana, bob follows forwarding
    set ring-time 20s
    at 2026-11-20 18:02 Europe/Berlin
";

#[test]
fn what_happens_within_a_ring_is_foretold() {
    let shelf = shelf(Engine::new(EngineLimits::capped(64, 65_530)).unwrap());
    for (number, wishes, comes_to) in [
        ("200", "", "0 s 1001 1002 1011"),
        ("200", "forwarding ana no-answer to user:cleo rings 2", "0 s 1001 1002 1011; 10 s 1021"),
        ("200", "forwarding ana forward-only to user:bob", "0 s 1011"),
        ("200", "forwarding ana ring-all to user:cleo; forwarding bob undisturbed", "0 s 1001 1002 1021"),
        (
            "200",
            "forwarding ana forward-only to user:cleo in order; forwarding bob off; phone 1011 offline",
            "0 s 1021",
        ),
        ("104", "", "0 s 1001 1002; 15 s 1001 1002 1011"),
        ("104", "forwarding ana no-answer to user:cleo rings 1", "0 s 1001 1002; 5 s 1021"),
        ("104", "forwarding ana forward-only to person:eve, user:cleo", "0 s 1021"),
    ] {
        let text = format!("{PEOPLE}{wishes}\n");
        let called = format!("{text}call c1 from 1031 to {number}\n");
        let (played, began) = matrix::played(&called, number, &shelf).unwrap().unwrap();
        let foretold = matrix::foretold(&text, number, began, &shelf).unwrap().unwrap();
        assert_eq!(foretold, played, "{number} {wishes}");
        assert!(played.starts_with(comes_to), "{number} {wishes}: {played}");
    }
}
