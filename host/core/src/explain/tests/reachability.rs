//! Calls that could ring nobody: who is not registered, and numbers that are nobody's.

use super::*;

#[test]
fn nobody_registered_says_which_device_was_the_last() {
    let last = not_registered(Some(("1001", "2026-11-20T14:02:11+01:00", Gone::Expired)));
    let tale = Tale::to_ana()
        .fact(0, Source::Config, FactKind::NoRule)
        .fact(0, Source::Switch, FactKind::Fallback("rings the dialled user".to_owned()))
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .fact(0, Source::Registrar, FactKind::NotRung { to: ana(), of: None, why: last })
        .fact(0, Source::Switch, FactKind::RingEnded(Outcome::Unreachable))
        .rejected(Cause::Unreachable, 480, 0);
    assert_eq!(
        tale.told(),
        "\
Nobody was rung: ana has no registered device; the last, 1001, expired 14:02:11.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 100: user ana
  18:02:00.000  configuration  no rule is bound to this call
  18:02:00.000  switch         the fallback takes over: it rings the dialled user
  18:02:00.000  switch         rings ana, for up to 25 s
  18:02:00.000  registrar      ana has no registered device; the last, 1001, expired 14:02:11
  18:02:00.000  switch         the ring is over: nobody could be reached
  18:02:00.000  switch         tells bob 480
"
    );
}

#[test]
fn each_way_of_not_being_registered_has_its_words() {
    let told = |to: DestinationRef, why: NotRung| {
        let tale = Tale::to_ana().fact(0, Source::Registrar, FactKind::NotRung { to, of: None, why });
        tale.rejected(Cause::Unreachable, 480, 0).sentence()
    };
    let sales = || DestinationRef::Group("sales".into());
    let yesterday = "2026-11-19T23:59:59+01:00";
    let rows = [
        (ana(), not_registered(None), "Nobody was rung: ana has no registered device."),
        (
            ana(),
            not_registered(Some(("1001", yesterday, Gone::Unregistered))),
            "Nobody was rung: ana has no registered device; the last, 1001, signed off 2026-11-19 23:59:59.",
        ),
        (
            device("1001"),
            not_registered(Some(("1001", yesterday, Gone::FlowClosed))),
            "Nobody was rung: 1001 is not registered; it lost its connection 2026-11-19 23:59:59.",
        ),
        (
            night_desk(),
            not_registered(Some(("1021", yesterday, Gone::Removed))),
            "Nobody was rung: night-desk has no registered device; the last, 1021, was removed from the configuration \
             2026-11-19 23:59:59.",
        ),
        (device("1001"), not_registered(None), "Nobody was rung: 1001 is not registered."),
        (sales(), not_registered(None), "Nobody was rung: nobody in group sales has a registered device."),
        (sales(), NotRung::Busy, "Nobody was rung: everyone reachable in group sales was on a call."),
        (night_desk(), NotRung::Unknown, "Nobody was rung: place night-desk does not exist."),
        (night_desk(), NotRung::Vacant, "Nobody was rung: nobody had night-desk then."),
        (
            device("1001"),
            NotRung::Limit("legs".to_owned()),
            "Nobody was rung: 1001 was left out, because the limit `legs` was reached.",
        ),
        (ana(), NotRung::AlreadyRung, "Nobody was rung."),
        (ana(), NotRung::Caller, "Nobody was rung: ana was the caller."),
        (device("1001"), NotRung::Caller, "Nobody was rung: 1001 was the phone that called."),
        (sales(), NotRung::Caller, "Nobody was rung: group sales led to nobody but the caller."),
    ];
    for (to, why, sentence) in rows {
        assert_eq!(told(to, why), sentence);
    }
}

#[test]
fn a_person_without_devices_is_not_told_device_by_device() {
    let none = |to| FactKind::NotRung { to, of: None, why: not_registered(None) };
    let tale = Tale::to_ana()
        .ruled("follow-me", RunOutcome::Ok, 1_000)
        .ring(0, rule("follow-me"), &[(device("1001"), 0), (device("1002"), 0)], 30_000)
        .fact(0, Source::Registrar, none(device("1001")))
        .fact(0, Source::Registrar, none(device("1002")))
        .fact(0, rule("follow-me"), FactKind::Standard)
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .fact(0, Source::Registrar, none(ana()))
        .rejected(Cause::Unreachable, 480, 0);
    assert_eq!(tale.sentence(), "Nobody was rung: ana has no registered device.");
}

#[test]
fn an_unknown_number_and_an_emergency_number_say_why_no_rule_was_asked() {
    let unknown = Tale::of("199", None).rejected(Cause::UnknownNumber, 404, 0);
    assert_eq!(
        unknown.told(),
        "\
Nobody was rung: acme has no number 199.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 199: nobody's number
  18:02:00.000  switch         tells bob 404
"
    );
    let emergency = Tale::of("112", None).fact(0, Source::Config, FactKind::Emergency).rejected(
        Cause::EmergencyWithoutTrunk,
        503,
        0,
    );
    assert_eq!(
        emergency.told(),
        "\
The emergency call to 112 reached nobody: this switch has no trunk to send it to.

Call 0-c1 on Friday 2026-11-20, Europe/Berlin:
  18:02:00.000  configuration  bob dialled 112: nobody's number
  18:02:00.000  configuration  it is an emergency number, for which no rule is asked
  18:02:00.000  switch         tells bob 503
"
    );
}

#[test]
fn a_device_is_told_with_whose_it_is() {
    let left_out = |extension: &str, of: &str, why: NotRung| FactKind::NotRung {
        to: device(extension),
        of: Some(of.into()),
        why,
    };
    let none = FactKind::NotRung { to: ana(), of: None, why: not_registered(None) };
    let tale = Tale::to_ana()
        .fact(0, Source::Registrar, left_out("1001", "ana", not_registered(None)))
        .fact(0, Source::Registrar, none)
        .fact(0, Source::Registrar, left_out("1011", "bob", NotRung::Busy))
        .fact(0, Source::Registrar, left_out("1012", "bob", NotRung::Busy))
        .fact(0, Source::Registrar, left_out("1021", "cleo", not_registered(None)))
        .rejected(Cause::Busy, 486, 0);
    assert_eq!(
        tale.sentence(),
        "Nobody was free: ana has no registered device; 1011 and 1012 were not rung, as bob was on a call; 1021 is not \
         registered."
    );
    let told = tale.told();
    assert!(told.contains("registrar      1011 was not rung, as bob was on a call\n"), "{told}");
}
