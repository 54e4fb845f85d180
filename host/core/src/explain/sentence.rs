//! The one sentence: who decided, where the call went, how it ended there.

use std::time::Duration;

use super::reasons;
use super::wishes;
use super::words::{self, Clock, after, between, caller, destination, dialled, list, phone, quoted, span};
use crate::names::{Extension, RuleName, UserId};
use crate::record::{CallRecord, Cause, Disposition, Fact, FactKind, LegRecord, LegRecordEnd};
use crate::rule::{DestinationRef, Outcome, RunOutcome};

/// A phone that begins to ring at least so much later than the first is told as the later one.
const LATER: Duration = Duration::from_secs(1);
/// More phones than that are counted and not named.
const OTHERS_MAX: usize = 3;

pub(super) fn of(record: &CallRecord, clock: &Clock<'_>) -> String {
    words::one_line(&told(record, clock))
}

fn told(record: &CallRecord, clock: &Clock<'_>) -> String {
    let teller = Teller { record, clock };
    if let Some(coded) = teller.coded() {
        return coded;
    }
    let end = teller.end();
    let sent = teller.sent_on();
    let told = match (teller.failure(), sent) {
        (None, None) => end.alone(),
        (None, Some(sent)) => format!("{}; {}", opened(&sent.who, &sent.told()), end.inside()),
        (Some(failure), None) => format!("{failure}, so the fallback took over: {}", end.inside()),
        (Some(failure), Some(sent)) => {
            format!("{failure}, so the fallback took over and {}; {}", sent.told(), end.inside())
        }
    };
    match wishes::of(record, clock) {
        Some(wishes) => format!("{told}; {wishes}."),
        None => format!("{told}."),
    }
}

/// What happened, and what it rests on.
struct Clause {
    what: String,
    detail: Option<String>,
    /// Begins with a name, which stays as it is written.
    named: bool,
}

impl Clause {
    fn plain(what: impl Into<String>, detail: Option<String>) -> Self {
        Self { what: what.into(), detail, named: false }
    }

    fn named(what: String) -> Self {
        Self { what, detail: None, named: true }
    }

    fn alone(&self) -> String {
        let what = if self.named { self.what.clone() } else { capital(&self.what) };
        match &self.detail {
            Some(detail) => format!("{what}: {detail}"),
            None => what,
        }
    }

    fn inside(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{} – {detail}", self.what),
            None => self.what.clone(),
        }
    }
}

/// A ring of others than the one who was called.
struct Sent {
    /// `rule after-hours`.
    who: String,
    what: String,
    because: Option<String>,
}

impl Sent {
    fn told(&self) -> String {
        format!("{}{}", self.what, self.because.as_deref().unwrap_or_default())
    }
}

struct Teller<'a> {
    record: &'a CallRecord,
    clock: &'a Clock<'a>,
}

impl<'a> Teller<'a> {
    /// A code that was dialled.
    fn coded(&self) -> Option<String> {
        let facts = self.record.facts.iter();
        let said = facts
            .filter_map(|fact| if let FactKind::Code(said) = &fact.what { Some(said) } else { None })
            .next()?;
        let (who, number) = (caller(self.record), &self.record.number);
        let phone =
            self.record.from_device.as_ref().map(|device| format!(" on {device}")).unwrap_or_default();
        let refused = if self.record.disposition == Disposition::Coded { "" } else { "nothing changed, " };
        Some(format!("{who} dialled {number}{phone}: {refused}{said}."))
    }

    fn end(&self) -> Clause {
        match &self.record.disposition {
            Disposition::Answered { device, user } => self.answered(device, user.as_ref()),
            Disposition::Rejected | Disposition::Coded => self.rejected(),
            Disposition::CallerGone => self.caller_gone(),
        }
    }

    fn answered(&self, device: &Extension, user: Option<&UserId>) -> Clause {
        let after = after(Duration::from_millis(self.record.setup_ms));
        let winner = self.winner();
        let phone = winner.map_or_else(|| device.to_string(), phone);
        let earlier = winner.map(|winner| self.earlier(winner)).unwrap_or_default();
        let mut what = if earlier.is_empty() {
            match user {
                Some(user) => format!("{user} answered on {phone} {after}"),
                None => format!("{phone} answered {after}"),
            }
        } else {
            let still = earlier.iter().any(|leg| leg.end == LegRecordEnd::Elsewhere);
            let too = if still { " too" } else { "" };
            let before = winner.map(|winner| before(&earlier, winner)).unwrap_or_default();
            match user {
                Some(user) => {
                    format!("{before}; then {phone} rang{too} and {user} answered on it {after}")
                }
                None => format!("{before}; then {phone} rang{too} and was answered {after}"),
            }
        };
        what.push_str(&winner.map(|winner| self.rang_too(winner)).unwrap_or_default());
        if self.sent_on().is_none() {
            what.push_str(&self.own_words());
        }
        what.push_str(&self.cut());
        Clause::named(what)
    }

    /// Phones of others, which rang at the same time: they may have missed the call.
    fn rang_too(&self, winner: &LegRecord) -> String {
        let legs = self.record.legs.iter().filter(|leg| leg.end == LegRecordEnd::Elsewhere);
        let rang: Vec<_> = legs
            .filter(|leg| leg.rang.is_some() && leg.user != winner.user)
            .filter(|leg| between(leg.started, winner.started) < LATER)
            .collect();
        match reasons::phones(&rang).len() {
            0 => String::new(),
            1..=OTHERS_MAX => format!("; {} rang too", names(&rang)),
            many => format!("; {many} phones of others rang too"),
        }
    }

    /// The rule's words for a call that stayed with the one who was called.
    fn own_words(&self) -> String {
        let decided = self.deciding_ring();
        let said = decided
            .and_then(|(at, rule)| rule.and_then(|rule| self.because(at, rule).map(|text| (rule, text))));
        said.map(|(rule, text)| format!("; rule {rule} says {}", quoted(text))).unwrap_or_default()
    }

    /// How an answered call ended, where nobody hung up.
    fn cut(&self) -> String {
        let talked = span(Duration::from_millis(self.record.talk_ms));
        let why = match &self.record.cause {
            Cause::SessionExpired => "because a phone did not refresh it in time",
            Cause::DialogLost => "because a phone no longer knew it",
            Cause::NeverAcknowledged => "because the answer was never acknowledged",
            Cause::ShuttingDown => "because the switch was shut down",
            Cause::CallerHungUp
            | Cause::CalleeHungUp
            | Cause::CallerCancelled
            | Cause::CompletedElsewhere
            | Cause::NoAnswer
            | Cause::Declined
            | Cause::Busy
            | Cause::Unreachable
            | Cause::UnknownNumber
            | Cause::RefusedByRule
            | Cause::RuleFailed
            | Cause::Blocked(_)
            | Cause::Refused(_)
            | Cause::EmergencyWithoutTrunk
            | Cause::CallerLost
            | Cause::Overload(_) => return String::new(),
        };
        format!("; the call was cut after {talked}, {why}")
    }

    fn rejected(&self) -> Clause {
        let record = self.record;
        let reasons = || reasons::of(record, self.clock);
        match &record.cause {
            Cause::NoAnswer => Clause::plain("nobody answered", reasons()),
            Cause::Declined => self.declined(),
            Cause::Busy => Clause::plain("nobody was free", reasons()),
            Cause::Unreachable if record.legs.is_empty() => Clause::plain("nobody was rung", reasons()),
            Cause::Unreachable if record.legs.iter().any(|leg| leg.rang.is_some()) => {
                Clause::plain("nobody answered", reasons())
            }
            Cause::Unreachable => Clause::plain("nobody could be reached", reasons()),
            Cause::UnknownNumber => {
                let why = format!("{} has no number {}", record.tenant, record.number);
                Clause::plain("nobody was rung", Some(why))
            }
            Cause::RefusedByRule => self.refused(),
            Cause::Blocked(name) if name == "max-forwards" => {
                Clause::plain("the call was refused", Some("it had been passed on too often".to_owned()))
            }
            Cause::Blocked(name) if name == "no-trunk" => Clause::plain("nobody could be reached", reasons()),
            Cause::Blocked(name) if name == "hops" => {
                let way = reasons().map(|way| format!(": {way}")).unwrap_or_default();
                Clause::plain("the call was refused", Some(format!("phones had sent it on too often{way}")))
            }
            Cause::Blocked(name) if name == "loop" => {
                let way = reasons().map(|way| format!(": {way}")).unwrap_or_default();
                Clause::plain("the call was refused", Some(format!("it came back to where it had been{way}")))
            }
            Cause::Blocked(name) => {
                Clause::plain("the call was refused", Some(format!("the limit `{name}` was reached")))
            }
            Cause::Refused(q850) => {
                let why = reasons().unwrap_or_else(|| format!("Q.850 cause {q850}"));
                Clause::plain("no phone took the call", Some(why))
            }
            Cause::EmergencyWithoutTrunk => Clause::plain(
                format!("the emergency call to {} reached nobody", record.number),
                Some("this switch has no trunk to send it to".to_owned()),
            ),
            Cause::ShuttingDown => Clause::plain(
                format!("the switch was shut down {}", self.meanwhile(&Cause::ShuttingDown)),
                None,
            ),
            Cause::Overload(name) => Clause::plain(
                "the call was refused",
                Some(format!("the switch had reached its bound on {name}")),
            ),
            Cause::CallerHungUp
            | Cause::CalleeHungUp
            | Cause::CallerCancelled
            | Cause::CompletedElsewhere
            | Cause::RuleFailed
            | Cause::SessionExpired
            | Cause::DialogLost
            | Cause::NeverAcknowledged
            | Cause::CallerLost => {
                Clause::plain(format!("the call ended unanswered with {}", record.status), reasons())
            }
        }
    }

    fn declined(&self) -> Clause {
        let leg = self.record.legs.iter().find(|leg| leg.end == LegRecordEnd::Outcome(Outcome::Declined));
        let Some(leg) = leg else {
            return Clause::plain("the call was declined", reasons::of(self.record, self.clock));
        };
        let after = after(between(self.record.began, leg.ended));
        let what = match &leg.user {
            Some(user) => format!("{user} declined on {} {after}", phone(leg)),
            None => format!("{} declined {after}", phone(leg)),
        };
        let later: Vec<_> = self.record.legs.iter().filter(|other| other.started >= leg.ended).collect();
        let then = reasons::of_legs(&later);
        Clause { what, detail: (!then.is_empty()).then(|| format!("then {}", then.join("; "))), named: true }
    }

    /// Refused on purpose, by the rule or by a fallback that is set so.
    fn refused(&self) -> Clause {
        let by_rule = self.record.facts.iter().enumerate().rev().find_map(|(at, fact)| {
            let (rule, what) = words::of_rule(fact)?;
            if let FactKind::Refused(how) = what { Some((at, rule, how)) } else { None }
        });
        if let Some((at, rule, how)) = by_rule {
            let said =
                self.because(at, rule).map(|text| format!(", saying {}", quoted(text))).unwrap_or_default();
            let not_picked = reasons::not_picked(self.record);
            return Clause::plain(format!("rule {rule} refused the call as {how}{said}"), not_picked);
        }
        Clause::plain(format!("the call was refused with {}", self.record.status), None)
    }

    fn caller_gone(&self) -> Clause {
        let caller = caller(self.record);
        let after = after(Duration::from_millis(self.record.setup_ms));
        let meanwhile = self.meanwhile(&self.record.cause);
        let what = if self.record.cause == Cause::CallerLost {
            format!("{caller} lost the connection {after}, {meanwhile}")
        } else {
            format!("{caller} hung up {after}, {meanwhile}")
        };
        Clause { what, detail: None, named: !self.record.caller.withheld }
    }

    /// What the phones did when the call was ended from outside for that cause.
    fn meanwhile(&self, cause: &Cause) -> String {
        let ended = LegRecordEnd::Cancelled(cause.clone());
        let ringing: Vec<_> =
            self.record.legs.iter().filter(|leg| leg.end == ended && leg.rang.is_some()).collect();
        if !ringing.is_empty() {
            return format!("while {} rang", names(&ringing));
        }
        if self.record.legs.iter().any(|leg| leg.rang.is_some()) {
            "when no phone was ringing".to_owned()
        } else {
            "before any phone rang".to_owned()
        }
    }

    /// The leg that won.
    fn winner(&self) -> Option<&'a LegRecord> {
        self.record.legs.iter().find(|leg| matches!(leg.end, LegRecordEnd::Outcome(Outcome::Answered(_))))
    }

    /// Legs of other phones that were rung noticeably before the one that won, or sent the call on to it.
    fn earlier(&self, winner: &LegRecord) -> Vec<&'a LegRecord> {
        let legs = self.record.legs.iter();
        let is_earlier = |leg: &&LegRecord| {
            let sent_on = matches!(leg.end, LegRecordEnd::Deflected { .. });
            leg.device != winner.device && (sent_on || between(leg.started, winner.started) >= LATER)
        };
        legs.filter(is_earlier).collect()
    }

    /// The rule's failure, where it brought the fallback in: `Rule follow-me trapped (unreachable)`.
    fn failure(&self) -> Option<String> {
        let facts = &self.record.facts;
        let fallback = facts.iter().position(|fact| matches!(fact.what, FactKind::Fallback(_)))?;
        let (rule, outcome) =
            facts[..fallback].iter().rev().filter_map(words::of_rule).find_map(|(rule, what)| {
                if let FactKind::RunEnded(outcome) = what { Some((rule, outcome)) } else { None }
            })?;
        let version = self.record.runs.iter().find(|run| run.rule == *rule).map(|run| run.version.short());
        let version = version.map(|version| format!(" (version {version})")).unwrap_or_default();
        let shown = if *outcome == RunOutcome::Ok { "" } else { version.as_str() };
        Some(format!("Rule {rule}{shown} {}", words::run_ended(outcome, Some(self.record))))
    }

    /// The ring that the call's end came from, by its place among the facts, and the rule that wanted it.
    fn deciding_ring(&self) -> Option<(usize, Option<&'a RuleName>)> {
        let winner = self.winner();
        let rings = self.record.facts.iter().enumerate().rev();
        let ring = rings
            .filter(|(_, fact)| matches!(fact.what, FactKind::RingBegan { .. }))
            .find(|(_, fact)| winner.is_none_or(|winner| fact.at <= winner.started));
        ring.map(|(at, fact)| (at, self.wanted_by(at, fact)))
    }

    /// A ring of the standard rule was wanted by the rule that asked for it.
    fn wanted_by(&self, at: usize, ring: &'a Fact) -> Option<&'a RuleName> {
        let asked = || {
            let said = self.record.facts[..at].iter().filter_map(words::of_rule);
            said.filter(|(_, what)| **what == FactKind::Standard).map(|(rule, _)| rule).next_back()
        };
        words::of_rule(ring).map(|(rule, _)| rule).or_else(asked)
    }

    /// What the rule said last before that fact.
    fn because(&self, at: usize, by: &RuleName) -> Option<&'a str> {
        self.before(at, by)
            .find_map(|what| if let FactKind::Because(text) = what { Some(text.as_str()) } else { None })
    }

    /// The opening hours that the rule read last before that fact.
    fn hours(&self, at: usize, by: &RuleName) -> Option<String> {
        let mut reads = self.before(at, by).filter_map(|what| {
            if let FactKind::Read { what, got } = what { Some((what, got)) } else { None }
        });
        let read = reads.find(|(what, _)| what.starts_with("schedule."));
        read.map(|(what, got)| format!(" after reading {what} ({got})"))
    }

    /// What the rule said and did before that fact, last first.
    fn before(&self, at: usize, by: &RuleName) -> impl Iterator<Item = &'a FactKind> {
        let said = self.record.facts[..at].iter().rev().filter_map(words::of_rule);
        said.filter(move |(rule, _)| *rule == by).map(|(_, what)| what)
    }

    /// Where the call went, if that is not whom it was for.
    fn sent_on(&self) -> Option<Sent> {
        let (at, rule) = self.deciding_ring()?;
        let FactKind::RingBegan { legs, .. } = &self.record.facts[at].what else { return None };
        let to: Vec<&DestinationRef> = match self.winner() {
            Some(winner) => vec![&winner.to],
            None => legs.iter().map(|(to, _)| to).collect(),
        };
        if to.is_empty() || !to.iter().all(|to| self.is_elsewhere(to)) {
            return None;
        }
        let said = |rule| self.because(at, rule).map(|text| format!(", saying {}", quoted(text)));
        let names: Vec<_> = to.iter().map(|to| destination(to)).collect();
        Some(Sent {
            who: rule.map_or_else(|| "the fallback".to_owned(), |rule| format!("rule {rule}")),
            what: format!("sent the call for {} to {}", dialled(self.record), list(&names)),
            because: rule.and_then(|rule| said(rule).or_else(|| self.hours(at, rule))),
        })
    }

    /// Whether that is surely not the one who was called; of a group's members and a place's people nobody can tell.
    fn is_elsewhere(&self, to: &DestinationRef) -> bool {
        let called = words::dialled_destination(self.record);
        if called == Some(to) {
            return false;
        }
        let person = self.record.dialled_user.as_ref();
        let rang = || self.record.legs.iter().filter(|leg| leg.to == *to);
        match to {
            DestinationRef::User(user) | DestinationRef::Person(user) => {
                person.is_some_and(|person| person != user)
            }
            // Where that phone sent the call on to is its own affair.
            DestinationRef::Device(device) => {
                person.is_some() && rang().any(|leg| leg.device == *device && leg.user.as_ref() != person)
            }
            DestinationRef::Group(_) => true,
            DestinationRef::Number(_) => person.is_none() || rang().all(|leg| leg.user.as_ref() != person),
            DestinationRef::Place(_) => person.is_none() || rang().all(|leg| leg.user.as_ref() != person),
        }
    }
}

/// What the earlier phones did until the winner began to ring.
fn before(earlier: &[&LegRecord], winner: &LegRecord) -> String {
    let waited = |leg: &&&LegRecord| leg.rang.is_some() && matches!(leg.end, LegRecordEnd::Elsewhere);
    let rang: Vec<&LegRecord> = earlier.iter().filter(waited).copied().collect();
    let others: Vec<&LegRecord> = earlier.iter().filter(|leg| !waited(leg)).copied().collect();
    let mut parts = Vec::new();
    if let Some(first) = rang.iter().map(|leg| leg.started).min() {
        parts.push(format!("{} rang unanswered for {}", names(&rang), span(between(first, winner.started))));
    }
    parts.extend(reasons::of_legs(&others));
    if parts.is_empty() {
        parts.push(format!("{} did not ring", names(earlier)));
    }
    parts.join("; ")
}

/// The phones of some legs.
fn names(legs: &[&LegRecord]) -> String {
    list(&reasons::phones(legs).into_iter().map(phone).collect::<Vec<_>>())
}

/// A clause with its subject, which may be a common word, at the head of the sentence.
fn opened(who: &str, what: &str) -> String {
    capital(&format!("{who} {what}"))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
