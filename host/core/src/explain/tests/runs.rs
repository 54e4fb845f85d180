//! Calls whose rule failed, refused or came to a limit.

use super::*;

#[test]
fn a_trapped_rule_is_told_with_version_and_what_the_fallback_did() {
    let trap = || RunOutcome::Trap("unreachable".to_owned());
    let tale = Tale::to_ana()
        .ruled("broken", trap(), 10_000_000)
        .failed(1, "broken", trap())
        .ring(1, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (1, Some(20), 4_000), won("1001", "ana", 1), 200)
        .answered("1001", "ana", 4_000)
        .hung_up(Cause::CallerHungUp, 9_000);
    assert_eq!(
        tale.told(),
        "\
Rule broken (version 3fa81c2e) trapped (unreachable), so the fallback took over: ana answered on 1001 (desk) after 4 s.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  rule broken    decides in version 3fa81c2e, being bound to user ana
  18:02:00.001  rule broken    trapped (unreachable); at most 10,000,000 fuel in 0.3 ms
  18:02:00.001  switch         the fallback takes over: it rings the dialled user
  18:02:00.001  switch         rings ana, for up to 25 s
  18:02:00.001  switch         calls 1001 (desk) of ana
  18:02:00.020  phone 1001     rings
  18:02:04.000  phone 1001     answers
  18:02:09.000  phone 1011     hangs up after talking for 5 s
"
    );
}

#[test]
fn each_end_of_a_run_that_brings_the_fallback_in_has_its_words() {
    let rows = [
        (RunOutcome::Ok, "Rule r ended without deciding"),
        (
            RunOutcome::Declined("no hours\nof that name".to_owned()),
            "Rule r (version 3fa81c2e) gave the call back, saying \"no hours of that name\"",
        ),
        (RunOutcome::Declined(String::new()), "Rule r (version 3fa81c2e) gave the call back"),
        (
            RunOutcome::FuelExhausted("presence.of-user".to_owned()),
            "Rule r (version 3fa81c2e) ran out of fuel in presence.of-user",
        ),
        (RunOutcome::FuelExhausted(String::new()), "Rule r (version 3fa81c2e) ran out of fuel"),
        (RunOutcome::DeadlineExceeded, "Rule r (version 3fa81c2e) took more computing time than a run may"),
        (RunOutcome::MemoryLimit, "Rule r (version 3fa81c2e) wanted more memory than a run may have"),
        (RunOutcome::TableLimit, "Rule r (version 3fa81c2e) wanted a larger table than a run may have"),
        (RunOutcome::StackOverflow, "Rule r (version 3fa81c2e) ran out of stack"),
        (
            RunOutcome::LimitExceeded("actions".to_owned()),
            "Rule r (version 3fa81c2e) went over the limit `actions`",
        ),
        (RunOutcome::Trap(String::new()), "Rule r (version 3fa81c2e) trapped"),
        (RunOutcome::BadOutput, "Rule r (version 3fa81c2e) gave an answer that is none"),
        (
            RunOutcome::PermissionDenied("dial-any".to_owned()),
            "Rule r (version 3fa81c2e) used dial-any, which it was not granted",
        ),
        (
            RunOutcome::InstantiateFailed("no such export".to_owned()),
            "Rule r (version 3fa81c2e) could not be started (no such export)",
        ),
        (RunOutcome::HostBusy, "Rule r (version 3fa81c2e) found no place to run within a second"),
        (
            RunOutcome::TenantThrottled,
            "Rule r (version 3fa81c2e) was not run, because the tenant's share of computing is used up",
        ),
        (
            RunOutcome::BreakerOpen,
            "Rule r (version 3fa81c2e) was not run, because this version has failed too often",
        ),
        (RunOutcome::CallerGone, "Rule r (version 3fa81c2e) ended, because the call was over"),
        (
            RunOutcome::Internal("no word from the run for 5000 ms".to_owned()),
            "Rule r (version 3fa81c2e) was stopped by a fault of the switch (no word from the run for 5000 ms)",
        ),
    ];
    for (outcome, words) in rows {
        let tale = Tale::to_ana()
            .ruled("r", outcome.clone(), 1_000)
            .failed(1, "r", outcome)
            .ring(1, Source::Switch, &[(ana(), 0)], 25_000)
            .fact(1, Source::Registrar, FactKind::NotRung { to: ana(), of: None, why: not_registered(None) })
            .rejected(Cause::Unreachable, 480, 1);
        let rest = "so the fallback took over: nobody was rung – ana has no registered device.";
        assert_eq!(tale.sentence(), format!("{words}, {rest}"));
    }
}

#[test]
fn a_trap_is_told_with_the_last_line_of_the_rules_log() {
    let trap = || RunOutcome::Trap("unreachable".to_owned());
    let mut tale = Tale::to_ana().ruled("r", trap(), 1_000).failed(1, "r", trap());
    let line = |message: &str| LogLine { level: "warn".to_owned(), message: message.to_owned() };
    tale.0.log = vec![line("looks for ana"), line("panicked: boom, at src/lib.rs:12")];
    let told = tale.rejected(Cause::NoAnswer, 480, 20_001).told();
    let words = "trapped (unreachable) after logging \"panicked: boom, at src/lib.rs:12\"";
    assert!(
        told.starts_with(&format!("Rule r (version 3fa81c2e) {words}, so the fallback took over")),
        "{told}"
    );
    assert!(told.contains(&format!("rule r         {words}; at most 1,000 fuel")), "{told}");
}

#[test]
fn a_rule_that_fails_after_the_answer_is_a_fact_and_no_reason() {
    let trap = || RunOutcome::Trap("unreachable".to_owned());
    let tale = Tale::to_ana()
        .ruled("r", trap(), 1_000)
        .ring(0, rule("r"), &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (0, Some(20), 4_000), won("1001", "ana", 1), 200)
        .answered("1001", "ana", 4_000)
        .fact(4_001, rule("r"), FactKind::RunEnded(trap()))
        .hung_up(Cause::CallerHungUp, 9_000);
    assert_eq!(tale.sentence(), "ana answered on 1001 (desk) after 4 s.");
    assert!(
        tale.told()
            .contains("18:02:04.001  rule r         trapped (unreachable); at most 1,000 fuel in 0.3 ms\n")
    );
}

#[test]
fn a_limit_is_told_with_what_was_used_of_it() {
    let mut tale =
        Tale::to_ana().ruled("r", RunOutcome::MemoryLimit, 1_000).failed(1, "r", RunOutcome::MemoryLimit);
    tale.0.runs[0].limits =
        vec![Reached { limit: "memory-bytes".to_owned(), used: 19_792_896, max: 16_777_216 }];
    let told = tale.rejected(Cause::NoAnswer, 480, 20_001).told();
    let reached = "1,000 fuel in 0.3 ms; reached the limit `memory-bytes`: 19,792,896 of 16,777,216\n";
    assert!(told.contains(reached), "{told}");
}

#[test]
fn a_fallback_of_its_own_is_told_where_it_sent_the_call() {
    let tale = Tale::to_ana()
        .ruled("r", RunOutcome::MemoryLimit, 1_000)
        .fact(1, rule("r"), FactKind::RunEnded(RunOutcome::MemoryLimit))
        .fact(1, Source::Switch, FactKind::Fallback("rings place:night-desk".to_owned()))
        .ring(1, Source::Switch, &[(night_desk(), 0)], 20_000)
        .leg(night_desk(), "1021", (1, Some(20), 20_001), ended(Outcome::NoAnswer), 180)
        .rejected(Cause::NoAnswer, 480, 20_001);
    assert_eq!(
        tale.sentence(),
        "Rule r (version 3fa81c2e) wanted more memory than a run may have, so the fallback took over and sent the call \
         for ana to night-desk; nobody answered – 1021 rang for 20 s."
    );
}

#[test]
fn a_refusal_says_whose_it_is() {
    let by_rule = Tale::to_ana()
        .ruled("screen", RunOutcome::Ok, 9_000)
        .fact(0, rule("screen"), FactKind::Because("ana takes no calls today".to_owned()))
        .fact(0, rule("screen"), FactKind::Refused("temporarily unavailable".to_owned()))
        .rejected(Cause::RefusedByRule, 480, 0);
    assert_eq!(
        by_rule.told(),
        "\
Rule screen refused the call as temporarily unavailable, saying \"ana takes no calls today\".

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  rule screen    decides in version 3fa81c2e, being bound to user ana
  18:02:00.000  rule screen    says \"ana takes no calls today\"
  18:02:00.000  rule screen    refuses the call as temporarily unavailable
  18:02:00.000  rule screen    has ended; 9,000 fuel in 0.3 ms
  18:02:00.000  switch         tells bob 480
"
    );
    let by_fallback = Tale::to_ana()
        .ruled("screen", RunOutcome::BadOutput, 9_000)
        .fact(0, rule("screen"), FactKind::RunEnded(RunOutcome::BadOutput))
        .fact(0, Source::Switch, FactKind::Fallback("refuses the call as busy".to_owned()))
        .rejected(Cause::RefusedByRule, 486, 0);
    assert_eq!(
        by_fallback.sentence(),
        "Rule screen (version 3fa81c2e) gave an answer that is none, so the fallback took over: the call was refused \
         with 486."
    );
}

#[test]
fn what_a_rule_warned_of_is_told_as_its_own_words() {
    let warned = "calls of Ana are routed to 1002 (soft), which cannot be reached";
    let tale = Tale::to_ana()
        .ruled("standard", RunOutcome::Ok, 9_000)
        .fact(4, rule("standard"), FactKind::Warned(warned.to_owned()))
        .rejected(Cause::Unreachable, 480, 5);
    let line = format!("18:02:00.004  rule standard  warns: \"{warned}\"\n");
    assert!(tale.told().contains(&line), "{}", tale.told());
}

#[test]
fn a_run_that_the_end_of_its_call_has_ended_is_told_with_why_the_call_was_over() {
    for (cause, words) in [
        (Cause::ShuttingDown, "was stopped, because the switch was shut down"),
        (Cause::CallerCancelled, "ended, because the caller had hung up"),
        (Cause::CallerLost, "ended, because the caller's connection was lost"),
        (Cause::CalleeHungUp, "ended, because the call was over"),
    ] {
        let tale = Tale::to_ana().ruled("r", RunOutcome::CallerGone, 9_000).rejected(cause, 503, 5_000);
        let line = format!("18:02:05.000  rule r         {words}; 9,000 fuel in 0.3 ms\n");
        assert!(tale.told().contains(&line), "{}", tale.told());
    }
}

#[test]
fn the_standard_rule_hands_a_call_to_nobody_else() {
    let tale = Tale::of("300", Some(night_desk())).ruled("standard", RunOutcome::Ok, 9_000);
    let told = tale
        .fact(1, rule("standard"), FactKind::Standard)
        .fact(1, rule("other"), FactKind::Standard)
        .rejected(Cause::Unreachable, 480, 5)
        .told();
    assert!(told.contains("rule standard  lets what was dialled ring\n"), "{told}");
    assert!(told.contains("rule other     hands the call to the standard rule\n"), "{told}");
}

#[test]
fn a_run_within_a_ring_ends_with_whose_it_is_and_what_it_used_itself() {
    let mut tale = Tale::to_ana().ruled("standard", RunOutcome::Ok, 9_000);
    let nested = |who: &str, outcome: RunOutcome, fuel: u64, dismissed: bool| {
        let run = RunRecord { outcome, fuel, ..tale.0.runs[0].clone() };
        FactKind::NestedEnded { who: who.parse().unwrap(), run: Box::new(run), dismissed }
    };
    let ends = [
        nested("person:bob", RunOutcome::Ok, 31_000, false),
        nested("group:sales", RunOutcome::CallerGone, 500, true),
        nested("person:cleo", RunOutcome::MemoryLimit, 70, false),
    ];
    for (ms, end) in (1..).zip(ends) {
        tale = tale.fact(ms, rule("standard"), end);
    }
    let told = tale.rejected(Cause::Unreachable, 480, 5).told();
    for line in [
        "001  rule standard  for bob: has ended; 31,000 fuel in 0.3 ms\n",
        "002  rule standard  for group sales: was stopped, as its part of the ring was over; 500 fuel in 0.3 ms\n",
        "003  rule standard  for cleo: wanted more memory than a run may have; 70 fuel in 0.3 ms\n",
        "005  rule standard  has ended; 9,000 fuel in 0.3 ms\n",
    ] {
        assert!(told.contains(line), "{line}{told}");
    }
}
