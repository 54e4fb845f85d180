//! A run as its driver sees it: suspended, crossed with others, moved between threads, dropped anywhere; and the journal.

use std::sync::Arc;

use crate::support::{answered, drive, joined, later, rang, rule, start, view};
use callwright_core::names::{AskId, RunId};
use callwright_core::rule::{Answer, Outcome, RunEvent, RunOutcome};
use callwright_rules::{Answered, Rule, Run, Step};

const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";

/// Rings the night desk three times, and ends.
fn three_rings() -> Rule {
    let ring = "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))";
    rule(&format!("{ring} {ring} {ring} {OK}"), "")
}

#[test]
fn two_runs_with_equal_answers_write_equal_journals() {
    let rule = three_rings();
    let once = || joined(&drive(Run::start(&rule, start()), |_| rang(Outcome::Busy)).1);
    let (first, second) = (once(), once());
    assert_eq!(first.journal, second.journal);
    assert_eq!(first, second);
}

#[test]
fn the_journal_has_head_questions_calls_and_end() {
    let body = format!(
        "(call $hours (i32.const 1088) (i32.const 6) (i32.const 64))
        (call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64)) {OK}"
    );
    let (_, spent) = drive(Run::start(&rule(&body, ""), start()), |_| answered());
    let journal = joined(&spent).journal;
    let lines: Vec<serde_json::Value> =
        journal.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let head = &lines[0];
    assert_eq!(head["t"], "head");
    assert_eq!((&head["call"], &head["component"]), (&"c-1".into(), &"sha256:test".into()));
    assert_eq!(head["world"], "callwright:rules/call-policy@0.1.0");
    assert_eq!(head["fuel_schedule"], "fuel-schedule/1");
    assert_eq!(head["limits"]["fuel"], 10_000_000);
    assert_eq!(head["seed"], "000000000000002a");
    let told: Vec<String> = lines[1..lines.len() - 1]
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            format!("{} {} {} {} {}", text("t"), text("f"), text("args"), text("ret"), line["ms"])
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"call schedule.hours ("office") ok("opening:office") 0"#,
            r#"call ring.constructor () "ring:1" 0"#,
            r#"call directory.find-place ("night-desk") ok("place:night-desk") 0"#,
            r#"call leg.constructor ("place:night-desk") "leg:2" 0"#,
            r#"call ring.add ("ring:1", "leg:2") ok 0"#,
            r#"ask call.ring ("call", "ring:1", 25000)  0"#,
            r#"call call.ring ("call", "ring:1", 25000) ok(answered("answer:1003")) 14000"#,
        ]
    );
    let end = lines.last().unwrap();
    assert_eq!((&end["t"], &end["outcome"]), (&"end".into(), &"ok".into()));
    assert_eq!((&end["reads"], &end["actions"], &end["fuel_exact"]), (&2.into(), &1.into(), &true.into()));
}

#[test]
fn fuel_in_the_journal_never_rises_and_adds_up() {
    let (_, spent) = drive(Run::start(&three_rings(), start()), |_| rang(Outcome::Busy));
    let all = joined(&spent);
    let mut left = 10_000_000;
    for line in &all.journal {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let (Some(before), Some(after)) = (line["fuel"][0].as_u64(), line["fuel"][1].as_u64()) {
            assert!(before <= left && after < before, "{line}");
            left = after;
        }
    }
    assert!(all.fuel >= 10_000_000 - left);
    // What leaves with each event is the fuel of the whole run so far.
    assert!(spent.windows(2).all(|two| two[0].fuel < two[1].fuel));
}

#[test]
fn two_hundred_runs_cross_each_other_and_none_notices() {
    let rule = three_rings();
    let alone = joined(&drive(Run::start(&rule, start()), |_| rang(Outcome::Busy)).1);
    let mut runs: Vec<_> = (0..200).map(|_| (Run::start(&rule, start()), None, Vec::new())).collect();
    for round in 1..=4 {
        // Every other round the other way round.
        if round % 2 == 0 {
            runs.reverse();
        }
        for (run, next, told) in &mut runs {
            match run.resume(next.take()) {
                Step::Event { event: RunEvent::Asked { ask, .. }, spent } => {
                    told.push(*spent);
                    let (answer, now) = (rang(Outcome::Busy), later(14 * u64::from(ask.0)));
                    *next = Some(Answered { ask, answer, view: view(), now });
                }
                Step::Event { event: RunEvent::Ended(outcome), spent } => {
                    assert_eq!((round, outcome), (4, RunOutcome::Ok));
                    told.push(*spent);
                }
                Step::Slice => panic!("nobody ticks"),
            }
        }
    }
    for (_, _, told) in &runs {
        assert_eq!(joined(told), alone);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether a run may change its thread is what is tested")]
fn a_run_goes_on_in_whatever_thread_resumes_it() {
    let rule = Arc::new(three_rings());
    let alone = joined(&drive(Run::start(&rule, start()), |_| rang(Outcome::Busy)).1);
    let mut run = Run::start(&rule, start());
    let mut next = None;
    let mut told = Vec::new();
    loop {
        let (back, step) = std::thread::spawn(move || {
            let step = run.resume(next);
            (run, step)
        })
        .join()
        .unwrap();
        run = back;
        match step {
            Step::Event { event: RunEvent::Asked { ask, .. }, spent } => {
                told.push(*spent);
                let now = later(14 * u64::from(ask.0));
                next = Some(Answered { ask, answer: rang(Outcome::Busy), view: view(), now });
            }
            Step::Event { event: RunEvent::Ended(outcome), spent } => {
                told.push(*spent);
                assert_eq!(outcome, RunOutcome::Ok);
                break;
            }
            Step::Slice => panic!("nobody ticks"),
        }
    }
    assert_eq!(joined(&told), alone);
}

#[test]
fn a_run_may_be_dropped_in_every_state() {
    let rule = three_rings();
    // More often than the pool has places: each drop gives its place back.
    for stop_after in (0..=4).cycle().take(1_000) {
        let mut run = Run::start(&rule, start());
        let mut next = None;
        for _ in 0..stop_after {
            if let Step::Event { event: RunEvent::Asked { ask, .. }, .. } = run.resume(next.take()) {
                next = Some(Answered { ask, answer: rang(Outcome::Busy), view: view(), now: later(1) });
            }
        }
        drop(run);
    }
}

#[test]
fn a_stopped_run_still_has_one_end() {
    let rule = three_rings();
    let mut run = Run::start(&rule, start());
    assert_eq!(run.id(), RunId(7));
    let Step::Event { spent: asked, .. } = run.resume(None) else { panic!() };
    let Step::Event { event, spent } = run.stop(RunOutcome::CallerGone) else { panic!() };
    assert_eq!(event, RunEvent::Ended(RunOutcome::CallerGone));
    assert_eq!((spent.fuel, spent.fuel_exact), (asked.fuel, true));
    assert!(spent.journal[0].starts_with(r#"{"t":"end","outcome":"caller-gone""#), "{:?}", spent.journal);
    let Step::Event { spent, .. } = Run::start(&rule, start()).stop(RunOutcome::HostBusy) else { panic!() };
    assert_eq!((spent.fuel, spent.fuel_exact), (0, true));
}

#[test]
fn a_ring_answered_as_something_else_is_our_fault() {
    let (outcome, _) = drive(Run::start(&three_rings(), start()), |_| Answer::Done(Ok(())));
    assert!(matches!(outcome, RunOutcome::Internal(_)), "{outcome:?}");
}

#[test]
#[should_panic(expected = "an answer to a question that is not open")]
fn an_answer_to_another_question_breaks_the_contract() {
    let mut run = Run::start(&three_rings(), start());
    assert!(matches!(run.resume(None), Step::Event { .. }));
    let _ = run.resume(Some(Answered {
        ask: AskId(9),
        answer: rang(Outcome::Busy),
        view: view(),
        now: later(1),
    }));
}
