//! What people read, word by word.

use std::time::Duration;

use super::*;
use crate::names::{Extension, LegId, UserId};
use crate::record::{
    Cause, Disposition, Fact, FactKind, Gone, LegRecord, LegRecordEnd, NotRung, RunRecord, Source,
};
use crate::rule::{AnsweredBy, DestinationRef, Outcome, Party, Reached, RunOutcome};

/// A call of bob's 1011 to ana's 100 on a Friday evening in Berlin, to be told to its end.
struct Tale(CallRecord);

impl Tale {
    /// As the switch records a caller who asked for it (TELEPHONY T22).
    fn withhold(&mut self) {
        self.0.caller = Party { withheld: true, ..Party::default() };
        self.0.from_device = None;
    }
}

fn began() -> Timestamp {
    "2026-11-20T18:02:00+01:00".parse().unwrap()
}

fn at(ms: u64) -> Timestamp {
    began() + Duration::from_millis(ms)
}

fn ana() -> DestinationRef {
    DestinationRef::User("ana".into())
}

fn device(extension: &str) -> DestinationRef {
    DestinationRef::Device(extension.into())
}

fn night_desk() -> DestinationRef {
    DestinationRef::Place("night-desk".into())
}

fn rule(name: &str) -> Source {
    Source::Rule(name.into())
}

impl Tale {
    fn of(number: &str, to: Option<DestinationRef>) -> Self {
        let dialled_user = match &to {
            Some(DestinationRef::User(user)) => Some(user.clone()),
            Some(DestinationRef::Device(_) | DestinationRef::Group(_) | DestinationRef::Place(_)) | None => {
                None
            }
        };
        let tale = Self(CallRecord {
            id: "0-c1".into(),
            tenant: "acme".into(),
            caller: Party {
                name: "Bob Berg".to_owned(),
                number: Some("101".to_owned()),
                user: Some("bob".into()),
                withheld: false,
            },
            from_device: Some("1011".into()),
            number: number.to_owned(),
            dialled_user,
            began: began(),
            answered: None,
            ended: began(),
            setup_ms: 0,
            talk_ms: 0,
            disposition: Disposition::Rejected,
            cause: Cause::Unreachable,
            status: 480,
            legs: Vec::new(),
            runs: Vec::new(),
            missed: Vec::new(),
            facts: Vec::new(),
            log: Vec::new(),
        });
        tale.fact(0, Source::Config, FactKind::Dialled { number: number.to_owned(), to })
    }

    fn to_ana() -> Self {
        Self::of("100", Some(ana()))
    }

    fn fact(mut self, ms: u64, source: Source, what: FactKind) -> Self {
        self.0.facts.push(Fact { at: at(ms), source, what });
        self
    }

    fn ruled(mut self, name: &str, outcome: RunOutcome, fuel: u64) -> Self {
        let version = "sha256:3fa81c2e00000000000000000000000000000000000000000000000000000000".into();
        let fuel_exact = !matches!(outcome, RunOutcome::Trap(_));
        self.0.runs.push(RunRecord {
            rule: name.into(),
            version,
            outcome,
            fuel,
            fuel_exact,
            decide_us: 210,
            ran_us: 340,
            limits: Vec::new(),
        });
        let version = self.0.runs[0].version.clone();
        self.fact(0, rule(name), FactKind::RuleChosen { version, bound_to: "user:ana".to_owned() })
    }

    fn ring(self, ms: u64, source: Source, legs: &[(DestinationRef, u32)], time_ms: u32) -> Self {
        self.fact(ms, source, FactKind::RingBegan { legs: legs.to_vec(), time_ms })
    }

    fn failed(self, ms: u64, name: &str, outcome: RunOutcome) -> Self {
        self.fact(ms, rule(name), FactKind::RunEnded(outcome)).fact(
            ms,
            Source::Switch,
            FactKind::Fallback("rings the dialled user".to_owned()),
        )
    }

    /// A leg from, over ringing, to, in milliseconds after the call began.
    fn leg(
        mut self,
        to: DestinationRef,
        extension: &str,
        times: (u64, Option<u64>, u64),
        end: LegRecordEnd,
        status: u16,
    ) -> Self {
        let owner = match &extension[..3] {
            "100" => "ana",
            "101" => "bob",
            _ => "cleo",
        };
        let label = match extension {
            "1001" => "desk",
            "1002" => "soft",
            "1003" => "mobile",
            _ => "",
        };
        self.0.legs.push(LegRecord {
            id: LegId(u32::try_from(self.0.legs.len()).unwrap() + 1),
            to,
            device: extension.into(),
            label: label.to_owned(),
            user: Some(owner.into()),
            started: at(times.0),
            rang: times.1.map(at),
            ended: at(times.2),
            end,
            status,
        });
        self
    }

    fn answered(mut self, extension: &str, user: &str, ms: u64) -> Self {
        self.0.disposition =
            Disposition::Answered { device: Extension::from(extension), user: Some(UserId::from(user)) };
        self.0.answered = Some(at(ms));
        self.0.setup_ms = ms;
        self.0.status = 200;
        self
    }

    fn hung_up(mut self, cause: Cause, ms: u64) -> Self {
        self.0.ended = at(ms);
        self.0.talk_ms = ms - self.0.setup_ms;
        self.0.cause = cause;
        self
    }

    fn rejected(mut self, cause: Cause, status: u16, ms: u64) -> Self {
        self.0.ended = at(ms);
        self.0.setup_ms = ms;
        self.0.cause = cause;
        self.0.status = status;
        self
    }

    fn caller_gone(self, cause: Cause, ms: u64) -> Self {
        let mut tale = self.rejected(cause, 487, ms);
        tale.0.disposition = Disposition::CallerGone;
        tale
    }

    fn told(&self) -> String {
        explain(&self.0, &TimeZone::get("Europe/Berlin").unwrap()).to_string()
    }

    fn sentence(&self) -> String {
        explain(&self.0, &TimeZone::get("Europe/Berlin").unwrap()).sentence
    }
}

fn ended(outcome: Outcome) -> LegRecordEnd {
    LegRecordEnd::Outcome(outcome)
}

fn won(extension: &str, user: &str, leg: u32) -> LegRecordEnd {
    ended(Outcome::Answered(AnsweredBy {
        device: extension.into(),
        user: Some(user.into()),
        leg: LegId(leg),
    }))
}

fn not_registered(last: Option<(&str, &str, Gone)>) -> NotRung {
    let last = last.map(|(device, at, how)| (device.into(), at.parse().unwrap(), how));
    NotRung::NotRegistered { last }
}

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
fn nobody_registered_says_which_device_was_the_last() {
    let last = not_registered(Some(("1001", "2026-11-20T14:02:11+01:00", Gone::Expired)));
    let tale = Tale::to_ana()
        .fact(0, Source::Config, FactKind::NoRule)
        .fact(0, Source::Switch, FactKind::Fallback("rings the dialled user".to_owned()))
        .ring(0, Source::Switch, &[(ana(), 0)], 25_000)
        .fact(0, Source::Registrar, FactKind::NotRung { to: ana(), why: last })
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
        let tale = Tale::to_ana().fact(0, Source::Registrar, FactKind::NotRung { to, why });
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
        (sales(), not_registered(None), "Nobody was rung: nobody in group sales could be rung."),
        (sales(), NotRung::Busy, "Nobody was rung: nobody in group sales was free."),
        (night_desk(), NotRung::Unknown, "Nobody was rung: place night-desk does not exist."),
        (
            device("1001"),
            NotRung::Limit("legs".to_owned()),
            "Nobody was rung: 1001 was left out, because the limit `legs` was reached.",
        ),
        (ana(), NotRung::AlreadyRung, "Nobody was rung."),
    ];
    for (to, why, sentence) in rows {
        assert_eq!(told(to, why), sentence);
    }
}

#[test]
fn a_person_without_devices_is_not_told_device_by_device() {
    let none = |to| FactKind::NotRung { to, why: not_registered(None) };
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
        (RunOutcome::CallerGone, "Rule r (version 3fa81c2e) was stopped, because the caller had gone"),
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
            .fact(1, Source::Registrar, FactKind::NotRung { to: ana(), why: not_registered(None) })
            .rejected(Cause::Unreachable, 480, 1);
        let rest = "so the fallback took over: nobody was rung – ana has no registered device.";
        assert_eq!(tale.sentence(), format!("{words}, {rest}"));
    }
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
    let busy = FactKind::NotRung { to: ana(), why: NotRung::Busy };
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
fn a_line_has_its_moment_and_the_same_in_the_tenants_zone() {
    let explained = explain(&after_hours(None).0, &TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!((explained.facts[0].at, explained.facts[0].time.as_str()), (began(), "18:02:00.000"));
    let elsewhere = explain(&after_hours(None).0, &TimeZone::get("America/New_York").unwrap());
    assert_eq!((elsewhere.facts[0].at, elsewhere.facts[0].time.as_str()), (began(), "12:02:00.000"));
}
