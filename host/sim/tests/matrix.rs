//! Interactions of forwarding: a part of the cells that `cargo xtask matrix` plays whole.
#![expect(clippy::unwrap_used, reason = "what helps a test fails like a test, by a panic")]

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

/// Whom a group of three hunts: ana has answered a call, and bob has made one since.
const HUNTED: &str = "rule standard
    user ana 100: desk 1001
    user bob 101: desk 1011
    user cleo 102: desk 1021
    user dora 103: desk 1031
    user eve 104: desk 1041
    at 2026-11-20 10:00 Europe/Berlin
";

#[test]
fn whom_a_group_hunts_is_foretold_in_its_order() {
    let shelf = shelf(Engine::new(EngineLimits::capped(64, 65_530)).unwrap());
    let before = "phone 1001 answers after 2s talks 3s; phone 1041 answers after 1s talks 3s
        call a from 1031 to 100
        wait 20s
        call b from 1011 to 104
        wait 20s
        phone 1001 rings\n";
    // Ana was the last with whom a call to the group began.
    let turned = "phone 1001 answers after 2s talks 3s
        call a from 1031 to 200
        wait 20s
        phone 1001 rings\n";
    let ends = "10 s 1011; 20 s 1021; 30 s ends 480";
    for (order, more, before, comes_to) in [
        ("linear", "", before, format!("0 s 1001; {ends}")),
        ("circular", "", before, format!("0 s 1001; {ends}")),
        ("circular", "", turned, "0 s 1011; 10 s 1021; 20 s 1001; 30 s ends 480".to_owned()),
        ("longest-idle", "", before, "0 s 1021; 10 s 1001; 20 s 1011; 30 s ends 480".to_owned()),
        ("fewest-calls", "", before, "0 s 1011; 10 s 1021; 20 s 1001; 30 s ends 480".to_owned()),
        (
            "linear",
            "forwarding ana undisturbed; phone 1021 offline",
            "",
            "0 s 1011; 10 s ends 480".to_owned(),
        ),
        (
            "linear",
            "phone 1001 offline; phone 1011 offline; phone 1021 offline",
            "",
            "0 s ends 480".to_owned(),
        ),
        (
            "linear",
            "forwarding ana undisturbed; forwarding bob undisturbed; phone 1021 offline",
            "",
            "0 s ends 486".to_owned(),
        ),
    ] {
        let text =
            format!("{HUNTED}group sales 200: ana, bob, cleo hunts {order} each 10s\n{more}\n{before}");
        let called = format!("{text}call last from 1031 to 200\n");
        let (played, began) = matrix::played(&called, "200", &shelf).unwrap().unwrap();
        let foretold = matrix::foretold(&text, "200", began, &shelf).unwrap().unwrap();
        assert_eq!((&foretold, &played), (&comes_to, &comes_to), "{order} {more}");
    }
    for (wishes, comes_to) in [
        ("forwarding ana forward-only to user:dora", "0 s 1031; 10 s 1011; 20 s 1021; 30 s ends 480"),
        (
            "forwarding ana no-answer to user:dora rings 1",
            "0 s 1001; 5 s 1031; 10 s 1011; 20 s 1021; 30 s ends 480",
        ),
    ] {
        let group = "group sales 200: ana, bob, cleo hunts linear each 10s follows forwarding";
        let text = format!("{HUNTED}{group}\n{wishes}\n");
        let called = format!("{text}call last from 1041 to 200\n");
        let (played, began) = matrix::played(&called, "200", &shelf).unwrap().unwrap();
        let foretold = matrix::foretold(&text, "200", began, &shelf).unwrap().unwrap();
        assert_eq!((foretold.as_str(), played.as_str()), (comes_to, comes_to), "{wishes}");
    }
}

/// What `callwright number show` says of a call to a number in such a world.
fn in_words(text: &str, number: &str) -> String {
    let shelf = shelf(Engine::new(EngineLimits::capped(64, 65_530)).unwrap());
    let at = "2026-11-20T18:02:00+01:00".parse().unwrap();
    matrix::foretold_in_words(text, number, at, &shelf).unwrap().unwrap()
}

#[test]
fn who_of_a_group_does_not_ring_is_foretold_with_the_reason() {
    let text = format!("{HUNTED}group sales 200: ana, bob, cleo each 3s\nphone 1021 offline\n");
    let told = in_words(&format!("{text}forwarding ana undisturbed\n"), "200");
    let wanted =
        "rings 1011 (desk) of bob for 3 s; ana was not to be disturbed; cleo has no registered device\n";
    assert!(told.contains(wanted), "{told}");
}

#[test]
fn a_list_of_callers_is_not_said_to_be_missing() {
    let wishes = "forwarding ana no-answer to user:cleo list vip of user:bob to user:dora";
    let told = in_words(&format!("{HUNTED}{wishes}\n"), "100");
    assert!(told.contains("reads caller lists of ana: no caller is given\n"), "{told}");
}

#[test]
fn a_role_is_foretold_without_a_circle() {
    let told = in_words(&format!("{HUNTED}role duty-phone 300 held by user:ana\n"), "300");
    assert!(told.contains("lets what was dialled ring\n") && !told.contains("hands the call"), "{told}");
    assert!(told.contains("rings 1001 (desk) of ana for"), "{told}");
}
