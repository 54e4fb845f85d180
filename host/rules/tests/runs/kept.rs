//! A guest that counts, claims, reads and writes what outlives its call.

use callwright_core::kept::{KeptAnswer, KeptAsk, KeptError};
use callwright_core::rule::{Answer, Ask, CallError, Note, RunEvent, RunOutcome};

use crate::support::{joined, rule, run_with};

/// The end of a body that is content.
const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";

/// Runs a guest that has one answer for each of its questions; the questions and what was said of them.
fn kept(body: &str, answers: Vec<Result<KeptAnswer, KeptError>>) -> (Vec<KeptAsk>, Vec<String>, Vec<String>) {
    let mut answers = answers.into_iter();
    let mut asked = Vec::new();
    let (outcome, spent) = run_with(&rule(&format!("{body} {OK}"), ""), |event| {
        let RunEvent::Asked { what: Ask::Keep(what), .. } = event else { panic!("{event:?}") };
        asked.push(what.clone());
        Answer::Kept(answers.next().unwrap())
    });
    let spent = joined(&spent);
    assert_eq!(outcome, RunOutcome::Ok, "{:?}", spent.log);
    let read = |note: &Note| match note {
        Note::Read { what, got } => Some(format!("{what}: {got}")),
        Note::Because(_) => None,
    };
    (asked, spent.notes.iter().filter_map(read).collect(), spent.journal)
}

#[test]
fn a_guest_counts_and_claims() {
    let body = "
        (call $store.add (i32.const 1024) (i32.const 3) (i32.const 2) (i32.const 60) (i32.const 64))
        ;; ok(7)
        (if (i32.or (i32.load8_u (i32.const 64)) (i32.ne (i32.load (i32.const 68)) (i32.const 7))) (then unreachable))
        (call $store.claim (i32.const 1088) (i32.const 6) (i32.const 0) (i32.const 64))
        ;; ok(true)
        (if (i32.or (i32.load8_u (i32.const 64)) (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1))) (then unreachable))";
    let (asked, notes, journal) = kept(body, vec![Ok(KeptAnswer::Sum(7)), Ok(KeptAnswer::Claimed(true))]);
    let wanted = [
        KeptAsk::Add { key: "ana".into(), by: 2, ttl_s: 60 },
        KeptAsk::Claim { key: "office".into(), ttl_s: 0 },
    ];
    assert_eq!(asked, wanted);
    assert_eq!(notes, ["store.add(\"ana\", 2): 7", "store.claim(\"office\"): this call has it"]);
    let of_store: Vec<_> = journal.iter().filter(|line| line.contains("store.add")).collect();
    assert_eq!(of_store.len(), 2, "asked, and answered: {journal:?}");
    assert!(of_store[1].contains("ok(7)"), "{of_store:?}");
}

#[test]
fn a_guest_reads_writes_and_removes() {
    let body = "
        (call $store.get (i32.const 1024) (i32.const 3) (i32.const 64))
        ;; ok(some) of three bytes
        (if (i32.or (i32.load8_u (i32.const 64)) (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1))) (then unreachable))
        (if (i32.ne (i32.load (i32.const 76)) (i32.const 3)) (then unreachable))
        (call $store.set (i32.const 1024) (i32.const 3) (i32.const 1152) (i32.const 5) (i32.const 9) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))
        (call $store.remove (i32.const 1088) (i32.const 6) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable))";
    let answers =
        vec![Ok(KeptAnswer::Value(Some("bob".to_owned()))), Ok(KeptAnswer::Done), Ok(KeptAnswer::Done)];
    let (asked, notes, _) = kept(body, answers);
    let wanted = [
        KeptAsk::Get { key: "ana".into() },
        KeptAsk::Set { key: "ana".into(), value: "night".into(), ttl_s: 9 },
        KeptAsk::Remove { key: "office".into() },
    ];
    assert_eq!(asked, wanted);
    assert_eq!(notes, ["store.get(\"ana\"): bob"]);
}

#[test]
fn what_the_store_refuses_is_an_error_that_the_guest_sees() {
    let case = |error: KeptError, case: u32| {
        let body = format!(
            "(call $store.add (i32.const 1024) (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 64))
            (if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)) (then unreachable))
            (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const {case})) (then unreachable))"
        );
        kept(&body, vec![Err(error)]).1.remove(0)
    };
    assert_eq!(case(KeptError::TooLarge, 0), "store.add(\"ana\", 1): too-large");
    assert_eq!(case(KeptError::TooManyKeys, 1), "store.add(\"ana\", 1): limit-exceeded(\"keys\")");
    assert_eq!(case(KeptError::NotANumber, 3), "store.add(\"ana\", 1): other(\"the value is not a number\")");
}

#[test]
fn the_store_works_when_the_caller_has_gone() {
    let body = format!(
        "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))
        (call $store.add (i32.const 1024) (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 64))
        (if (i32.load8_u (i32.const 64)) (then unreachable)) {OK}"
    );
    let mut kept = 0;
    let (outcome, spent) = run_with(&rule(&body, ""), |event| match event {
        RunEvent::Asked { what: Ask::Keep(_), .. } => {
            kept += 1;
            Answer::Kept(Ok(KeptAnswer::Sum(1)))
        }
        RunEvent::Asked { .. } | RunEvent::Ended(_) => Answer::Rang(Err(CallError::CallerGone)),
    });
    assert_eq!((outcome, kept), (RunOutcome::Ok, 1));
    assert_eq!(joined(&spent).notes.len(), 2, "where the leg goes, and the count");
}
