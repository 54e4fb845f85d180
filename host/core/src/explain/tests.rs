//! What people read, word by word: the calls that are told, and below them what is told of each kind.

use std::time::Duration;

use super::*;
use crate::names::{Extension, LegId, UserId};
use crate::record::{
    Cause, Disposition, Fact, FactKind, Gone, LegRecord, LegRecordEnd, NotRung, RunRecord, Source,
};
use crate::rule::{AnsweredBy, DestinationRef, LogLine, Outcome, Party, Reached, RunOutcome};

mod answers;
mod reachability;
mod runs;
mod unanswered;

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
        let dialled_user = to.as_ref().and_then(DestinationRef::user).cloned();
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
