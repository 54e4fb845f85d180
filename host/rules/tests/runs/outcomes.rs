//! Every outcome of RULES §3 that a component can bring about, by a component that does.

use crate::support::{answered, guest_with, joined, load, rang, rule, run, run_with};
use callwright_core::notice::{WARNINGS_AN_HOUR, Warned};
use callwright_core::rule::{Answer, Ask, CallError, Note, Outcome, Reached, RunEvent, RunOutcome};

/// The end of a body that is content.
const OK: &str = "(call $call.drop (local.get $call)) (i32.const 16)";
/// Rings the night desk for 25 s; the outcome lies at 64.
const RING: &str = "(call $call.ring (local.get $call) (call $one-leg) (i32.const 25000) (i32.const 64))";

#[test]
fn a_rule_that_returns_is_ok() {
    let (outcome, spent) = run(&rule(OK, ""));
    assert_eq!(outcome, RunOutcome::Ok);
    assert!(spent.fuel_exact);
    assert_eq!(spent.slices, 1);
    assert!((1..1_000).contains(&spent.fuel), "{}", spent.fuel);
}

#[test]
fn a_ring_goes_out_as_it_was_built_and_its_outcome_comes_back() {
    let body = "
        (local $ring i32) (local $leg i32)
        (local.set $ring (call $ring.new))
        (local.set $leg (call $leg-to-ana))
        (call $leg.start-after (local.get $leg) (i32.const 10000))
        (call $leg.label (local.get $leg) (i32.const 1152) (i32.const 5))
        (call $ring.add (local.get $ring) (local.get $leg) (i32.const 64))
        (call $call.ring (local.get $call) (local.get $ring) (i32.const 25000) (i32.const 64))
        ;; ok(no-answer)
        (if (i32.or (i32.load8_u (i32.const 64)) (i32.ne (i32.load8_u (i32.const 68)) (i32.const 3))) (then unreachable))
        ;; 14 s have passed
        (if (i32.ne (call $call.elapsed-ms (local.get $call)) (i32.const 14000)) (then unreachable))
        (call $call.drop (local.get $call)) (i32.const 16)";
    let mut asked = Vec::new();
    let (outcome, _) = run_with(&rule(body, ""), |event| {
        asked.push(event.clone());
        rang(Outcome::NoAnswer)
    });
    assert_eq!(outcome, RunOutcome::Ok);
    let [RunEvent::Asked { what: Ask::Ring(plan), .. }] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!(plan.time.as_secs(), 25);
    let [leg] = plan.legs.as_slice() else { panic!("{plan:?}") };
    assert_eq!(leg.to.to_string(), "place:night-desk");
    assert_eq!(leg.start_after.as_secs(), 10);
    assert_eq!(leg.label.as_deref(), Some("night"));
}

#[test]
fn who_answered_is_a_handle_and_the_legs_can_be_asked() {
    let body = format!(
        "{RING}
        (if (i32.load8_u (i32.const 68)) (then unreachable))
        (call $destination.label (call $answer.by (i32.load (i32.const 72))) (i32.const 80))
        (if (i32.ne (i32.load (i32.const 84)) (i32.const 6)) (then unreachable)) ;; mobile
        (call $call.last-legs (local.get $call) (i32.const 80))
        (if (i32.ne (i32.load (i32.const 84)) (i32.const 1)) (then unreachable))
        {OK}"
    );
    let (outcome, _) = run_with(&rule(&body, ""), |_| answered());
    assert_eq!(outcome, RunOutcome::Ok);
}

#[test]
fn an_error_text_is_declined() {
    let body = "
        (call $call.drop (local.get $call))
        (i32.store8 (i32.const 16) (i32.const 1))
        (i32.store (i32.const 20) (i32.const 1088)) (i32.store (i32.const 24) (i32.const 6))
        (i32.const 16)";
    assert_eq!(run(&rule(body, "")).0, RunOutcome::Declined("office".into()));
}

#[test]
fn standard_and_refuse_are_questions_too() {
    let body = format!("(call $call.standard (local.get $call) (i32.const 64)) {OK}");
    let asked = |body: &str| {
        let mut seen = Vec::new();
        let (outcome, _) = run_with(&rule(body, ""), |event| {
            if let RunEvent::Asked { what, .. } = event {
                seen.push(what.clone());
            }
            Answer::Done(Ok(()))
        });
        assert_eq!(outcome, RunOutcome::Ok);
        seen
    };
    assert_eq!(asked(&body), [Ask::Standard]);
    let body = format!(
        "(call $call.refuse (local.get $call) (i32.const 6) (i32.const 1088) (i32.const 6) (i32.const 64)) {OK}"
    );
    assert_eq!(asked(&body), [Ask::Refuse(callwright_core::rule::Refusal::Other("office".into()))]);
}

#[test]
fn a_loop_without_end_runs_out_of_fuel_in_the_export() {
    let (outcome, spent) = run(&rule("(loop $again (br $again)) unreachable", ""));
    assert_eq!(outcome, RunOutcome::FuelExhausted("handle-call".into()));
    assert_eq!((spent.fuel, spent.fuel_exact), (10_000_000, true));
}

#[test]
fn fuel_that_runs_out_while_a_host_call_is_paid_names_the_import() {
    let body = "(loop $again (call $hours (i32.const 1088) (i32.const 6) (i32.const 64))
        (call $opening.drop (i32.load (i32.const 68))) (br $again)) unreachable";
    let drop = "(import \"callwright:rules/schedule@0.1.0\" \"[resource-drop]opening\" (func $opening.drop (param i32)))";
    let (outcome, spent) = run(&load(&crate::support::guest_with_import(drop, body)));
    // 10 M of fuel are 2,000 looks at opening hours, fewer than the reads of a run.
    assert_eq!(outcome, RunOutcome::FuelExhausted("schedule.hours".into()));
    assert_eq!(spent.fuel, 10_000_000);
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of CPU slices is a thread; here it ticks as fast as it can"
)]
fn a_run_of_many_slices_is_interrupted() {
    // Fuel without end, so that only the clock can end it.
    let run_limits = callwright_rules::RunLimits { fuel: u64::MAX / 2, ..Default::default() };
    let limits = callwright_rules::EngineLimits { runs: 2, run: run_limits };
    let engine = callwright_rules::Engine::new(limits).unwrap();
    let component = crate::support::guest("(loop $again (br $again)) unreachable", "");
    let rule = engine.load("sha256:test".into(), &component).unwrap();
    let ticker = engine.ticker();
    drop(engine);
    let clock = std::thread::spawn(move || while ticker.tick() {});
    let (outcome, spent) = crate::support::drive(
        callwright_rules::Run::start(&rule, crate::support::start()),
        |_| unreachable!(),
    );
    assert_eq!(outcome, RunOutcome::DeadlineExceeded);
    assert_eq!(spent.last().unwrap().slices, 20);
    assert!(!spent.last().unwrap().fuel_exact);
    drop(rule);
    clock.join().unwrap();
}

#[test]
fn memory_over_the_limit_is_reported_though_the_guest_swallows_it() {
    let swallowed = format!("(drop (memory.grow (i32.const 300))) {OK}");
    assert_eq!(run(&rule(&swallowed, "")).0, RunOutcome::MemoryLimit);
    let died = "(if (i32.eq (memory.grow (i32.const 300)) (i32.const -1)) (then unreachable)) unreachable";
    assert_eq!(run(&rule(died, "")).0, RunOutcome::MemoryLimit);
}

#[test]
fn a_table_over_the_limit_is_a_table_limit() {
    let body = format!("(drop (table.grow $t (ref.null func) (i32.const 20000))) {OK}");
    assert_eq!(run(&rule(&body, "(table $t 1 funcref)")).0, RunOutcome::TableLimit);
}

#[test]
fn recursion_without_end_overflows_the_stack() {
    let deep = "(func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))";
    let (outcome, spent) = run(&rule("(call $deep (i32.const 0))", deep));
    assert_eq!(outcome, RunOutcome::StackOverflow);
    assert_eq!((spent.fuel, spent.fuel_exact), (10_000_000, false));
}

#[test]
fn traps_have_their_kind() {
    let kind = |body: &str| {
        let RunOutcome::Trap(kind) = run(&rule(body, "")).0 else { panic!("not a trap: {body}") };
        kind
    };
    assert_eq!(kind("unreachable"), "unreachable");
    assert_eq!(kind("(i32.div_s (i32.const 1) (i32.const 0))"), "division-by-zero");
    assert_eq!(kind("(i32.load (i32.const -8))"), "memory-out-of-bounds");
}

#[test]
fn a_result_that_is_none_is_bad_output() {
    let no_such_case =
        "(call $call.drop (local.get $call)) (i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)";
    assert_eq!(run(&rule(no_such_case, "")).0, RunOutcome::BadOutput);
    let no_such_text = "(call $call.because (local.get $call) (i32.const -16) (i32.const 8)) unreachable";
    assert_eq!(run(&rule(no_such_text, "")).0, RunOutcome::BadOutput);
    let not_utf8 = "(i32.store8 (i32.const 512) (i32.const 255))
        (call $call.because (local.get $call) (i32.const 512) (i32.const 1)) unreachable";
    assert_eq!(run(&rule(not_utf8, "")).0, RunOutcome::BadOutput);
    let no_such_handle = "(call $ring.drop (i32.const 99)) unreachable";
    assert_eq!(run(&rule(no_such_handle, "")).0, RunOutcome::BadOutput);
}

#[test]
fn a_text_that_the_host_will_not_take_is_a_limit_of_bytes() {
    let text =
        |bytes: u32| format!("(call $call.because (local.get $call) (i32.const 0) (i32.const {bytes})) {OK}");
    let big = "(memory (export \"memory\") 40)";
    let limit = RunOutcome::LimitExceeded("bytes".into());
    assert_eq!(run(&load(&guest_with(big, &text(256 * 1024), ""))).0, RunOutcome::Ok);
    assert_eq!(run(&load(&guest_with(big, &text(256 * 1024 + 1), ""))).0, limit);
    // Over what the engine copies at all, so that our own counter never sees it.
    assert_eq!(run(&load(&guest_with(big, &text(2 * 1024 * 1024), ""))).0, limit);
}

#[test]
fn reads_and_actions_are_counted() {
    let read = "(loop $again (drop (call $call.elapsed-ms (local.get $call))) (br $again)) unreachable";
    assert_eq!(run(&rule(read, "")).0, RunOutcome::LimitExceeded("reads".into()));
    let act = "(loop $again (call $call.because (local.get $call) (i32.const 1024) (i32.const 3)) (br $again)) unreachable";
    let (outcome, spent) = run(&rule(act, ""));
    assert_eq!(outcome, RunOutcome::LimitExceeded("actions".into()));
    assert_eq!(spent.notes.len(), 64);
    assert!(spent.fuel_exact);
}

#[test]
fn handles_are_counted_and_a_look_up_says_so() {
    let rings = "(loop $again (drop (call $ring.new)) (br $again)) unreachable";
    assert_eq!(run(&rule(rings, "")).0, RunOutcome::LimitExceeded("handles".into()));
    // find-user ends in err(limit-exceeded(..)), which is case 2 of its error.
    let users = format!(
        "(loop $again
            (call $find-user (i32.const 1024) (i32.const 3) (i32.const 64))
            (br_if $again (i32.eqz (i32.load8_u (i32.const 64)))))
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 2)) (then unreachable)) {OK}"
    );
    assert_eq!(run(&rule(&users, "")).0, RunOutcome::Ok);
}

#[test]
fn a_ring_holds_ten_legs_and_a_call_thirty() {
    let body = format!(
        "(local $ring i32) (local $n i32)
        (loop $rings
            (local.set $ring (call $ring.new))
            (local.set $n (i32.const 0))
            (loop $legs
                (call $ring.add (local.get $ring) (call $leg-to-ana) (i32.const 64))
                (local.set $n (i32.add (local.get $n) (i32.const 1)))
                (br_if $legs (i32.eqz (i32.load8_u (i32.const 64)))))
            ;; the eleventh was refused
            (if (i32.ne (local.get $n) (i32.const 11)) (then unreachable))
            (call $call.ring (local.get $call) (local.get $ring) (i32.const 1000) (i32.const 64))
            (br_if $rings (i32.eqz (i32.load8_u (i32.const 64)))))
        ;; err(limit-exceeded(..)) is case 3 of the error
        (if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 3)) (then unreachable)) {OK}"
    );
    let mut rings = 0;
    let (outcome, _) = run_with(&rule(&body, ""), |_| {
        rings += 1;
        rang(Outcome::NoAnswer)
    });
    assert_eq!((outcome, rings), (RunOutcome::Ok, 3));
}

#[test]
fn after_the_caller_has_gone_nothing_is_asked_any_more() {
    let body = format!("{RING} {RING} {OK}");
    let mut asked = 0;
    let (outcome, _) = run_with(&rule(&body, ""), |_| {
        asked += 1;
        Answer::Rang(Err(CallError::CallerGone))
    });
    assert_eq!((outcome, asked), (RunOutcome::Ok, 1));
}

#[test]
fn an_error_returned_when_the_caller_has_gone_is_no_refusal() {
    let declines =
        "(call $call.drop (local.get $call)) (i32.store8 (i32.const 16) (i32.const 1)) (i32.const 16)";
    let rule = rule(&format!("{RING} {declines}"), "");
    let (outcome, spent) = run_with(&rule, |_| Answer::Rang(Err(CallError::CallerGone)));
    assert_eq!(outcome, RunOutcome::CallerGone);
    assert!(joined(&spent).journal.last().unwrap().contains("caller-gone"));
    let (outcome, _) = run_with(&rule, |_| rang(Outcome::NoAnswer));
    assert_eq!(outcome, RunOutcome::Declined(String::new()));
}

#[test]
fn the_log_is_cut_and_says_what_was_dropped() {
    let body = format!(
        "(local $n i32)
        (loop $again
            (call $log (i32.const 1) (i32.const 1024) (i32.const 1000))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 100)))) {OK}"
    );
    let (outcome, spent) = run(&rule(&body, ""));
    assert_eq!(outcome, RunOutcome::Ok);
    assert_eq!(spent.log.len(), 9);
    assert_eq!(spent.log[8].message, "92 more lines were dropped: the log of a call holds 8192 bytes");
    assert_eq!(spent.log[8].level, "warn");
}

#[test]
fn warnings_are_handed_over_once_each_also_when_the_log_is_full() {
    let write = |level: u32, at: u32, bytes: u32| {
        format!("(call $log (i32.const {level}) (i32.const {at}) (i32.const {bytes})) ")
    };
    let (flood, warn, other) = (write(1, 4096, 8_180), write(2, 1088, 6), write(2, 1088, 5));
    let body = format!("{flood}{warn}{warn}{RING}{warn}{other}{OK}");
    let (outcome, spent) = run_with(&rule(&body, ""), |_| rang(Outcome::NoAnswer));
    assert_eq!(outcome, RunOutcome::Ok);
    let text = |warned: &Warned| (warned.text.clone(), warned.hidden);
    let warnings: Vec<Vec<_>> = spent.iter().map(|spent| spent.warnings.iter().map(text).collect()).collect();
    assert_eq!(warnings, [vec![("office".to_owned(), 0)], vec![("offic".to_owned(), 0)]]);
    assert!(joined(&spent).log.iter().all(|line| line.message != "office"), "there was no room");
}

#[test]
fn of_a_flood_of_warnings_one_more_is_kept_than_a_tenant_hears_in_an_hour_and_none_is_long() {
    let body = format!(
        "(local $n i32)
        (loop $again
            (i32.store8 (i32.const 8192) (i32.add (i32.const 32) (i32.and (local.get $n) (i32.const 63))))
            (i32.store8 (i32.const 8193) (i32.add (i32.const 48) (i32.shr_u (local.get $n) (i32.const 6))))
            (call $log (i32.const 2) (i32.const 8192) (i32.const 2000))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $n) (i32.const 500)))) {OK}"
    );
    let (outcome, spent) = run(&rule(&body, ""));
    assert_eq!(outcome, RunOutcome::Ok);
    assert_eq!(spent.warnings.len(), WARNINGS_AN_HOUR + 1);
    assert!(spent.warnings.iter().all(|warned| warned.text.len() == 500));
}

#[test]
fn each_limit_is_told_with_what_was_used_of_it() {
    let add = "(call $ring.add (local.get $ring) (call $leg-to-ana) (i32.const 64))";
    let twelve = format!(
        "(local $ring i32) (local.set $ring (call $ring.new)) {} {OK}",
        format!("(global.set $heap (i32.const 65536)) {add} ").repeat(12)
    );
    let thirty_one =
        format!("{} {RING} {OK}", format!("(global.set $heap (i32.const 65536)) {RING} ").repeat(30));
    let line = "(call $log (i32.const 1) (i32.const 4096) (i32.const 4000)) ";
    let rows: [(&str, &str, &str, u64, u64); 11] = [
        ("(loop $again (br $again)) unreachable", "", "fuel", 10_000_000, 10_000_000),
        ("(drop (memory.grow (i32.const 300))) unreachable", "", "memory-bytes", 302 * 65_536, 16_777_216),
        (
            "(drop (table.grow $t (ref.null func) (i32.const 20000))) unreachable",
            "(table $t 1 funcref)",
            "table-elements",
            20_001,
            10_000,
        ),
        (
            "(call $deep)",
            "(func $deep (result i32) (i32.add (i32.const 1) (call $deep)))",
            "stack-bytes",
            524_288,
            524_288,
        ),
        (
            "(loop $again (drop (call $call.elapsed-ms (local.get $call))) (br $again)) unreachable",
            "",
            "reads",
            5_001,
            5_000,
        ),
        (
            "(loop $again (call $call.because (local.get $call) (i32.const 1120) (i32.const 3)) (br $again)) unreachable",
            "",
            "actions",
            201,
            200,
        ),
        (
            "(loop $again (call $call.because (local.get $call) (i32.const 0) (i32.const 60000)) (br $again)) unreachable",
            "",
            "bytes",
            300_000,
            262_144,
        ),
        ("(loop $again (drop (call $ring.new)) (br $again)) unreachable", "", "handles", 1_001, 1_000),
        (&twelve, "", "legs-at-once", 12, 10),
        (&thirty_one, "", "legs", 31, 30),
        (&format!("{} {OK}", line.repeat(3)), "", "log-bytes", 12_012, 8_192),
    ];
    for (body, rest, limit, used, max) in rows {
        let (_, spent) = run(&rule(body, rest));
        let [Reached { limit: told, used: of_it, max: most }] = spent.limits.as_slice() else {
            panic!("{limit}: {:?}", spent.limits)
        };
        // One table more is the host's own, with a place for some of the imports.
        let imports = if limit == "table-elements" { 100 } else { 0 };
        assert_eq!((told.as_str(), *most), (limit, max));
        assert!((used..=used + imports).contains(of_it), "{limit}: {of_it}");
    }
}

#[test]
fn what_fails_while_the_instance_is_made_says_so() {
    let failed = |kind: &str| RunOutcome::InstantiateFailed(format!("trap: {kind}"));
    let trap = "(func $start unreachable) (start $start)";
    assert_eq!(run(&rule(OK, trap)).0, failed("unreachable"));
    let outside = "(data (i32.const 1000000) \"x\")";
    assert_eq!(run(&rule(OK, outside)).0, failed("memory-out-of-bounds"));
    let spin = "(func $start (loop $again (br $again))) (start $start)";
    assert_eq!(run(&rule(OK, spin)).0, RunOutcome::FuelExhausted("start".into()));
}

#[test]
fn a_full_pool_is_host_busy() {
    let limits = callwright_rules::EngineLimits { runs: 1, run: Default::default() };
    let engine = callwright_rules::Engine::new(limits).unwrap();
    let component = crate::support::guest(&format!("{RING} {OK}"), "");
    let rule = engine.load("sha256:test".into(), &component).unwrap();
    let mut first = callwright_rules::Run::start(&rule, crate::support::start());
    let held = first.resume(None);
    assert!(matches!(held, callwright_rules::Step::Event { event: RunEvent::Asked { .. }, .. }));
    let (outcome, _) = run_with(&rule, |_| rang(Outcome::NoAnswer));
    assert_eq!(outcome, RunOutcome::HostBusy);
    drop(first);
    assert_eq!(run_with(&rule, |_| rang(Outcome::NoAnswer)).0, RunOutcome::Ok);
}

#[test]
fn what_was_read_and_said_becomes_notes_in_plain_words() {
    let body = format!(
        "(call $hours (i32.const 1088) (i32.const 6) (i32.const 64))
        (if (call $opening.is-open (i32.load (i32.const 68))) (then unreachable))
        (call $find-user (i32.const 1024) (i32.const 3) (i32.const 64))
        (call $of-user (i32.load (i32.const 68)) (i32.const 64))
        (call $find-place (i32.const 1056) (i32.const 10) (i32.const 64))
        (drop (call $reachable (i32.load (i32.const 68))))
        (call $now (i32.const 64))
        (call $call.because (local.get $call) (i32.const 1120) (i32.const 18)) {OK}"
    );
    let (outcome, spent) = run(&rule(&body, ""));
    assert_eq!(outcome, RunOutcome::Ok);
    let read = |what: &str, got: &str| Note::Read { what: what.into(), got: got.into() };
    assert_eq!(
        spent.notes,
        [
            read("schedule.hours(\"office\")", "closed: Friday 08:00 to 18:00"),
            read("presence.of-user(\"ana\")", "ana has no registered device"),
            read("directory.find-place(\"night-desk\")", "user:bob"),
            read("presence.reachable(\"place:night-desk\")", "no phone is registered"),
            read("schedule.now()", "Friday 18:02"),
            Note::Because("because it is late".into()),
        ]
    );
}
