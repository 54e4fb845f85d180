//! Calls that somebody answered: who, where, and how it came there.

use super::*;

#[test]
fn an_answer_is_told_with_who_where_and_after_how_long() {
    let tale = Tale::to_ana()
        .fact(0, Source::Config, FactKind::NoRule)
        .fact(0, Source::Switch, FactKind::Fallback("rings the dialled user".to_owned()))
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (0, Some(20), 4_220), won("1001", "ana", 1), 200)
        .leg(ana(), "1002", (0, Some(30), 4_221), LegRecordEnd::Elsewhere, 180)
        .answered("1001", "ana", 4_220)
        .fact(64_220, Source::Device("1001".into()), FactKind::Held(true))
        .fact(74_220, Source::Device("1001".into()), FactKind::Held(false))
        .hung_up(Cause::CallerHungUp, 134_220);
    assert_eq!(
        tale.told(),
        "\
ana answered on 1001 (desk) after 4.2 s.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  configuration  no rule is bound to this call
  18:02:00.000  switch         the fallback takes over: it rings the dialled user
  18:02:00.000  switch         rings ana, for up to 25 s
  18:02:00.000  switch         calls 1001 (desk) of ana
  18:02:00.000  switch         calls 1002 (soft) of ana
  18:02:00.020  phone 1001     rings
  18:02:00.030  phone 1002     rings
  18:02:04.220  phone 1001     answers
  18:02:04.221  switch         stops calling 1002 (soft): another phone answered
  18:03:04.220  phone 1001     puts the call on hold
  18:03:14.220  phone 1001     takes the call off hold
  18:04:14.220  phone 1011     hangs up after talking for 2 min 10 s
"
    );
}

#[test]
fn an_answer_of_a_delayed_leg_says_who_rang_before() {
    let legs = [(device("1001"), 0), (device("1002"), 0), (device("1003"), 10_000)];
    let tale = Tale::to_ana()
        .ruled("follow-me", RunOutcome::Ok, 41_207)
        .fact(
            0,
            rule("follow-me"),
            FactKind::Because("desk and soft phone first, then the mobile".to_owned()),
        )
        .ring(0, rule("follow-me"), &legs, 30_000)
        .leg(device("1001"), "1001", (0, Some(15), 14_000), LegRecordEnd::Elsewhere, 180)
        .leg(device("1002"), "1002", (0, Some(16), 14_000), LegRecordEnd::Elsewhere, 180)
        .leg(device("1003"), "1003", (10_000, Some(10_050), 14_000), won("1003", "ana", 3), 200)
        .answered("1003", "ana", 14_000)
        .hung_up(Cause::CalleeHungUp, 16_000);
    assert_eq!(
        tale.told(),
        "\
1001 (desk) and 1002 (soft) rang unanswered for 10 s; then 1003 (mobile) rang too and ana answered on it after 14 s; rule follow-me says \
\"desk and soft phone first, then the mobile\".

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration   bob dialled 100: user ana
  18:02:00.000  rule follow-me  decides in version 3fa81c2e, being bound to user ana
  18:02:00.000  rule follow-me  says \"desk and soft phone first, then the mobile\"
  18:02:00.000  rule follow-me  rings 1001 and 1002, after 10 s 1003, for up to 30 s
  18:02:00.000  switch          calls 1001 (desk) of ana
  18:02:00.000  switch          calls 1002 (soft) of ana
  18:02:00.015  phone 1001      rings
  18:02:00.016  phone 1002      rings
  18:02:10.000  switch          calls 1003 (mobile) of ana
  18:02:10.050  phone 1003      rings
  18:02:14.000  phone 1003      answers
  18:02:14.000  switch          stops calling 1001 (desk): another phone answered
  18:02:14.000  switch          stops calling 1002 (soft): another phone answered
  18:02:16.000  rule follow-me  has ended; 41,207 fuel in 0.3 ms
  18:02:16.000  phone 1003      hangs up after talking for 2 s
"
    );
}

#[test]
fn a_second_ring_says_what_the_first_came_to() {
    let tale = Tale::to_ana()
        .ruled("hello-ring", RunOutcome::Ok, 10_000)
        .ring(0, rule("hello-ring"), &[(device("1001"), 0), (device("1002"), 0)], 20_000)
        .leg(device("1001"), "1001", (0, Some(0), 20_000), ended(Outcome::NoAnswer), 180)
        .leg(device("1002"), "1002", (0, None, 50), ended(Outcome::Busy), 486)
        .fact(20_000, Source::Switch, FactKind::RingEnded(Outcome::NoAnswer))
        .fact(20_000, rule("hello-ring"), FactKind::Standard)
        .ring(20_000, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1003", (20_000, Some(20_100), 23_000), won("1003", "ana", 3), 200)
        .answered("1003", "ana", 23_000)
        .hung_up(Cause::CallerHungUp, 30_000);
    assert_eq!(
        tale.told(),
        "\
1001 (desk) rang for 20 s; 1002 (soft) was busy (486); then 1003 (mobile) rang and ana answered on it after 23 s.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration    bob dialled 100: user ana
  18:02:00.000  rule hello-ring  decides in version 3fa81c2e, being bound to user ana
  18:02:00.000  rule hello-ring  rings 1001 and 1002, for up to 20 s
  18:02:00.000  switch           calls 1001 (desk) of ana
  18:02:00.000  switch           calls 1002 (soft) of ana
  18:02:00.000  phone 1001       rings
  18:02:00.050  phone 1002       is busy (486)
  18:02:20.000  switch           stops calling 1001 (desk) after 20 s: no answer
  18:02:20.000  switch           the ring is over: nobody answered
  18:02:20.000  rule hello-ring  hands the call to the standard rule
  18:02:20.000  switch           rings ana, for up to 25 s
  18:02:20.000  switch           calls 1003 (mobile) of ana
  18:02:20.100  phone 1003       rings
  18:02:23.000  phone 1003       answers
  18:02:30.000  rule hello-ring  has ended; 10,000 fuel in 0.3 ms
  18:02:30.000  phone 1011       hangs up after talking for 7 s
"
    );
}

/// Closed: the rule sends the call to the night desk, where bob's colleague cleo answers.
fn after_hours(because: Option<&str>) -> Tale {
    let read = FactKind::Read {
        what: "schedule.hours(\"office\")".to_owned(),
        got: "closed: opens Monday 08:00".to_owned(),
    };
    let tale = Tale::to_ana().ruled("after-hours", RunOutcome::Ok, 22_000).fact(0, rule("after-hours"), read);
    let tale = match because {
        Some(text) => tale.fact(0, rule("after-hours"), FactKind::Because(text.to_owned())),
        None => tale,
    };
    tale.ring(0, rule("after-hours"), &[(night_desk(), 0)], 25_000)
        .leg(night_desk(), "1021", (0, Some(40), 3_000), won("1021", "cleo", 1), 200)
        .answered("1021", "cleo", 3_000)
        .hung_up(Cause::CallerHungUp, 5_000)
}

#[test]
fn a_call_sent_elsewhere_says_by_whom_and_why() {
    assert_eq!(
        after_hours(Some("the office is closed until Monday 08:00")).told(),
        "\
Rule after-hours sent the call for ana to night-desk, saying \"the office is closed until Monday 08:00\"; cleo answered \
on 1021 after 3 s.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration     bob dialled 100: user ana
  18:02:00.000  rule after-hours  decides in version 3fa81c2e, being bound to user ana
  18:02:00.000  rule after-hours  reads schedule.hours(\"office\"): closed: opens Monday 08:00
  18:02:00.000  rule after-hours  says \"the office is closed until Monday 08:00\"
  18:02:00.000  rule after-hours  rings night-desk, for up to 25 s
  18:02:00.000  switch            calls 1021 of cleo
  18:02:00.040  phone 1021        rings
  18:02:03.000  phone 1021        answers
  18:02:05.000  rule after-hours  has ended; 22,000 fuel in 0.3 ms
  18:02:05.000  phone 1011        hangs up after talking for 2 s
"
    );
}

#[test]
fn a_rule_that_gives_no_reason_is_told_by_the_hours_it_read() {
    assert_eq!(
        after_hours(None).sentence(),
        "Rule after-hours sent the call for ana to night-desk after reading schedule.hours(\"office\") (closed: opens \
         Monday 08:00); cleo answered on 1021 after 3 s."
    );
}

#[test]
fn a_call_that_was_cut_says_why() {
    let cut = |cause: Cause| {
        Tale::to_ana()
            .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
            .leg(ana(), "1001", (0, Some(20), 4_000), won("1001", "ana", 1), 200)
            .answered("1001", "ana", 4_000)
            .hung_up(cause, 64_000)
            .sentence()
    };
    let base = "ana answered on 1001 (desk) after 4 s; the call was cut after 1 min, because";
    assert_eq!(cut(Cause::SessionExpired), format!("{base} a phone did not refresh it in time."));
    assert_eq!(cut(Cause::DialogLost), format!("{base} a phone no longer knew it."));
    assert_eq!(cut(Cause::NeverAcknowledged), format!("{base} the answer was never acknowledged."));
    assert_eq!(cut(Cause::ShuttingDown), format!("{base} the switch was shut down."));
}

#[test]
fn a_group_that_was_dialled_is_not_elsewhere() {
    let sales = || DestinationRef::Group("sales".into());
    let tale = Tale::of("200", Some(sales()))
        .ruled("r", RunOutcome::Ok, 1_000)
        .ring(0, rule("r"), &[(sales(), 0)], 25_000)
        .leg(sales(), "1021", (0, Some(20), 4_000), won("1021", "cleo", 1), 200)
        .answered("1021", "cleo", 4_000)
        .hung_up(Cause::CallerHungUp, 9_000);
    assert_eq!(tale.sentence(), "cleo answered on 1021 after 4 s.");
    let elsewhere = Tale::of("200", Some(sales()))
        .ruled("r", RunOutcome::Ok, 1_000)
        .ring(0, rule("r"), &[(night_desk(), 0)], 25_000)
        .leg(night_desk(), "1021", (0, Some(20), 4_000), won("1021", "cleo", 1), 200)
        .answered("1021", "cleo", 4_000)
        .hung_up(Cause::CallerHungUp, 9_000);
    assert_eq!(
        elsewhere.sentence(),
        "Rule r sent the call for group sales to night-desk; cleo answered on 1021 after 4 s."
    );
}

#[test]
fn a_line_has_its_moment_and_the_same_in_the_tenants_zone() {
    let explained = explain(&after_hours(None).0, &TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!((explained.facts[0].at, explained.facts[0].time.as_str()), (began(), "18:02:00.000"));
    let elsewhere = explain(&after_hours(None).0, &TimeZone::get("America/New_York").unwrap());
    assert_eq!((elsewhere.facts[0].at, elsewhere.facts[0].time.as_str()), (began(), "12:02:00.000"));
}
