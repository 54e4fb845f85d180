//! A guest that picks people from a group, and asks what happened before.

use std::time::Duration;

use callwright_core::presence::State;
use callwright_core::roster::{Order, RosterAsk, TakeError, Taken};
use callwright_core::rule::{Answer, Ask, Note, RunEvent, RunOutcome};

use crate::support::{joined, rule, run_with};

/// The end of a body that is content.
const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";

/// Runs a guest whose one question has that answer; the question, and what was said of it.
fn asked(body: &str, answer: &Result<Taken, TakeError>) -> (Option<RosterAsk>, Vec<String>) {
    let mut asked = None;
    let (outcome, spent) = run_with(&rule(&format!("{body} {OK}"), ""), |event| {
        let RunEvent::Asked { what: Ask::Take(what), .. } = event else { panic!("{event:?}") };
        asked = Some(what.clone());
        Answer::Taken(answer.clone())
    });
    let spent = joined(&spent);
    assert_eq!(outcome, RunOutcome::Ok, "{:?}", spent.log);
    let read = |note: &Note| match note {
        Note::Read { what, got } => Some(format!("{what}: {got}")),
        Note::Because(_) => None,
    };
    (asked, spent.notes.iter().filter_map(read).collect())
}

/// A guest that sorts by an order and takes two for 9 s, which is an error of that case.
fn fails_with(order: &str, case: u32) -> String {
    format!(
        "(local $roster i32)
        (local.set $roster (call $roster-of-sales))
        (call $roster.sort (local.get $roster) {order})
        (call $roster.take (local.get $roster) (i32.const 2) (i32.const 9000) (i32.const 64))
        (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const {case})) (then unreachable))"
    )
}

const LONGEST_IDLE: &str = "(i32.const 2) (i32.const 0) (i32.const 0)";
const BEST_SKILL: &str = "(i32.const 4) (i32.const 0) (i32.const 0)";
const OTHER: &str = "(i32.const 6) (i32.const 1152) (i32.const 5)";

#[test]
fn a_guest_picks_and_gets_people() {
    let body = "(local $roster i32)
        (local.set $roster (call $roster-of-sales))
        ;; available and away
        (i32.store8 (i32.const 80) (i32.const 0)) (i32.store8 (i32.const 81) (i32.const 2))
        (call $roster.only (local.get $roster) (i32.const 80) (i32.const 2))
        (call $roster.sort (local.get $roster) (i32.const 2) (i32.const 0) (i32.const 0))
        (call $roster.take (local.get $roster) (i32.const 2) (i32.const 9000) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))
        (if (i32.ne (i32.load (i32.const 72)) (i32.const 1)) (then unreachable))
        (call $user.devices (i32.load (i32.load (i32.const 68))) (i32.const 64))
        (if (i32.ne (i32.load (i32.const 68)) (i32.const 1)) (then unreachable))";
    let taken = Taken { picked: vec!["bob".into()], left_out: Vec::new() };
    let (asked, notes) = asked(body, &Ok(taken));
    let asked = asked.unwrap();
    assert_eq!((asked.group.as_str(), asked.order, asked.count), ("sales", Order::LongestIdle, 2));
    assert_eq!((asked.only, asked.reserve), (Some([State::Available].into()), Duration::from_secs(9)));
    assert_eq!(notes, ["roster.take(\"sales\", longest idle, 2): bob"]);
}

#[test]
fn what_cannot_be_picked_is_an_error_that_the_guest_sees() {
    let (_, notes) = asked(&fails_with(LONGEST_IDLE, 2), &Err(TakeError::Decided));
    assert_eq!(notes, ["roster.take(\"sales\", longest idle, 2): the call is already decided"]);
    let nobody_asked = |order, case| asked(&fails_with(order, case), &Ok(Taken::default())).0;
    assert_eq!(nobody_asked(BEST_SKILL, 2), None, "unavailable");
    assert_eq!(nobody_asked(OTHER, 3), None, "other");
}

#[test]
fn more_hours_than_are_kept_is_an_error_and_no_guess() {
    let body = |hours: u32, is_error: u32| {
        format!(
            "(call $stats.calls-from (call $call.caller (local.get $call)) (i32.const {hours}) (i32.const 1) (i32.const 64))
            (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const {is_error})) (then unreachable))"
        )
    };
    assert_eq!(asked(&body(24, 0), &Ok(Taken::default())).1, ["stats.calls-from(24 h, unanswered): 0"]);
    assert_eq!(asked(&body(25, 1), &Ok(Taken::default())).1, [""; 0]);
}
