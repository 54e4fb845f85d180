//! Calls that rang and nobody took: whose choice that was.

use super::*;

#[test]
fn no_answer_says_who_rang_for_how_long_and_who_did_not() {
    let mut tale = Tale::to_ana()
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (0, Some(0), 25_000), ended(Outcome::NoAnswer), 180)
        .leg(ana(), "1001", (0, Some(0), 25_000), ended(Outcome::NoAnswer), 180)
        .leg(ana(), "1002", (0, Some(10), 25_000), ended(Outcome::NoAnswer), 180)
        .leg(ana(), "1003", (0, None, 4_000), ended(Outcome::Unreachable), 0)
        .fact(25_000, Source::Switch, FactKind::RingEnded(Outcome::NoAnswer))
        .rejected(Cause::NoAnswer, 480, 25_000);
    tale.0.missed = vec!["ana".into()];
    assert_eq!(
        tale.told(),
        "\
Nobody answered: 1001 (desk) and 1002 (soft) rang for 25 s; 1003 (mobile) did not respond.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  switch         rings ana, for up to 25 s
  18:02:00.000  switch         calls 1001 (desk) of ana
  18:02:00.000  switch         calls 1001 (desk) of ana
  18:02:00.000  switch         calls 1002 (soft) of ana
  18:02:00.000  switch         calls 1003 (mobile) of ana
  18:02:00.000  phone 1001     rings
  18:02:00.000  phone 1001     rings
  18:02:00.010  phone 1002     rings
  18:02:04.000  switch         1003 (mobile) does not respond
  18:02:25.000  switch         stops calling 1001 (desk) after 25 s: no answer
  18:02:25.000  switch         stops calling 1001 (desk) after 25 s: no answer
  18:02:25.000  switch         stops calling 1002 (soft) after 25 s: no answer
  18:02:25.000  switch         the ring is over: nobody answered
  18:02:25.000  switch         tells bob 480
  18:02:25.000  switch         a missed call for ana
"
    );
}

#[test]
fn each_end_without_an_answer_has_its_sentence() {
    let base = || Tale::to_ana().ring(0, Source::Switch, &[(ana(), 0)], 25_000);
    let leg = |end: LegRecordEnd, status: u16| base().leg(ana(), "1001", (0, Some(10), 4_000), end, status);
    let silent = |end: LegRecordEnd, status: u16| base().leg(ana(), "1001", (0, None, 4_000), end, status);
    let busy = FactKind::NotRung { to: ana(), of: None, why: NotRung::Busy };
    let rows = [
        (
            leg(ended(Outcome::Declined), 603).rejected(Cause::Declined, 603, 4_000),
            "ana declined on 1001 (desk) after 4 s.",
        ),
        (base().rejected(Cause::Declined, 603, 4_000), "The call was declined."),
        (
            silent(ended(Outcome::Busy), 486).rejected(Cause::Busy, 486, 4_000),
            "Nobody was free: 1001 (desk) was busy (486).",
        ),
        (
            base().fact(0, Source::Registrar, busy).rejected(Cause::Busy, 486, 0),
            "Nobody was free: ana was on a call.",
        ),
        (
            silent(ended(Outcome::Unreachable), 0).rejected(Cause::Unreachable, 480, 4_000),
            "Nobody could be reached: 1001 (desk) did not respond.",
        ),
        (
            silent(ended(Outcome::Refused(88)), 488).rejected(Cause::Refused(88), 488, 4_000),
            "No phone took the call: 1001 (desk) refused the call (488).",
        ),
        (
            silent(ended(Outcome::Refused(111)), 200).rejected(Cause::Refused(111), 480, 4_000),
            "No phone took the call: 1001 (desk) refused the call (Q.850 cause 111).",
        ),
        (
            silent(ended(Outcome::Blocked("legs".into())), 0).rejected(Cause::Blocked("legs".into()), 403, 1),
            "The call was refused: the limit `legs` was reached.",
        ),
        (
            base().rejected(Cause::Blocked("max-forwards".into()), 483, 0),
            "The call was refused: it had been passed on too often.",
        ),
        (
            base().rejected(Cause::Overload("calls".into()), 503, 0),
            "The call was refused: the switch had reached its bound on calls.",
        ),
        (
            leg(LegRecordEnd::Cancelled(Cause::ShuttingDown), 180).rejected(Cause::ShuttingDown, 503, 4_000),
            "The switch was shut down while 1001 (desk) rang.",
        ),
    ];
    for (tale, sentence) in rows {
        assert_eq!(tale.sentence(), sentence);
    }
}

#[test]
fn a_caller_who_hangs_up_is_told_with_what_rang_then() {
    let cancelled = || LegRecordEnd::Cancelled(Cause::CallerCancelled);
    let ringing = Tale::to_ana()
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (0, Some(10), 6_000), cancelled(), 180)
        .leg(ana(), "1002", (0, Some(10), 6_000), cancelled(), 180)
        .fact(6_000, Source::Caller, FactKind::Because("the caller hung up".to_owned()))
        .caller_gone(Cause::CallerCancelled, 6_000);
    assert_eq!(
        ringing.told(),
        "\
bob hung up after 6 s, while 1001 (desk) and 1002 (soft) rang.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  switch         rings ana, for up to 25 s
  18:02:00.000  switch         calls 1001 (desk) of ana
  18:02:00.000  switch         calls 1002 (soft) of ana
  18:02:00.010  phone 1001     rings
  18:02:00.010  phone 1002     rings
  18:02:06.000  switch         stops calling 1001 (desk): the caller hung up
  18:02:06.000  switch         stops calling 1002 (soft): the caller hung up
  18:02:06.000  caller         the caller hung up
  18:02:06.000  switch         ends the call with 487
"
    );
    let early = Tale::to_ana().caller_gone(Cause::CallerCancelled, 400);
    assert_eq!(early.sentence(), "bob hung up after 0.4 s, before any phone rang.");
    let between = Tale::to_ana()
        .leg(ana(), "1001", (0, Some(10), 6_000), ended(Outcome::NoAnswer), 180)
        .caller_gone(Cause::CallerCancelled, 6_100);
    assert_eq!(between.sentence(), "bob hung up after 6.1 s, when no phone was ringing.");
    let lost = Tale::to_ana()
        .leg(ana(), "1001", (0, Some(10), 6_000), LegRecordEnd::Cancelled(Cause::CallerLost), 180)
        .caller_gone(Cause::CallerLost, 6_000);
    assert_eq!(lost.sentence(), "bob lost the connection after 6 s, while 1001 (desk) rang.");
}

#[test]
fn a_withheld_caller_is_nobody_in_particular() {
    let mut tale = Tale::to_ana().caller_gone(Cause::CallerCancelled, 400);
    tale.withhold();
    let told = tale.told();
    assert!(told.starts_with("The caller hung up after 0.4 s, before any phone rang.\n"), "{told}");
    let mut tale = Tale::to_ana()
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .leg(ana(), "1001", (0, Some(20), 4_000), won("1001", "ana", 1), 200)
        .answered("1001", "ana", 4_000)
        .hung_up(Cause::CallerHungUp, 9_000);
    tale.withhold();
    let told = format!("{told}{}", tale.told());
    for private in ["bob", "Bob", "101"] {
        assert!(!told.contains(private), "{private} in {told}");
    }
}

#[test]
fn many_reasons_are_cut_short() {
    let mut tale = Tale::to_ana();
    for extension in ["1001", "1002", "1003", "1004", "1005", "1006"] {
        tale = tale.leg(ana(), extension, (0, None, 100), ended(Outcome::Busy), 486);
    }
    assert_eq!(
        tale.rejected(Cause::Busy, 486, 100).sentence(),
        "Nobody was free: 1001 (desk) was busy (486); 1002 (soft) was busy (486); 1003 (mobile) was busy (486); 1004 was busy (486); and 2 more."
    );
}

#[test]
fn those_of_a_group_who_are_only_counted_are_counted_in_the_sentence() {
    let sales = || DestinationRef::Group("sales".into());
    let left_out = |to: DestinationRef, why| FactKind::NotRung { to, of: None, why };
    let mut tale = Tale::of("200", Some(sales()));
    for number in 0..5 {
        let member = DestinationRef::User(format!("p{number}").into());
        tale = tale.fact(0, Source::Registrar, left_out(member, NotRung::DoNotDisturb));
    }
    let tale = tale
        .fact(0, Source::Registrar, left_out(sales(), NotRung::More(30)))
        .leg(sales(), "1021", (0, Some(0), 3_000), ended(Outcome::NoAnswer), 180)
        .rejected(Cause::NoAnswer, 480, 3_000);
    assert!(tale.told().contains("registrar      30 more of group sales were left out\n"), "{}", tale.told());
    assert_eq!(
        tale.sentence(),
        "Nobody answered: 1021 rang for 3 s; p0 was not to be disturbed; p1 was not to be disturbed; p2 was not to be \
         disturbed; and 32 more."
    );
}
