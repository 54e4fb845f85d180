//! The facts in words, in order of time: what the record says, and what its legs did.

use std::time::Duration;

use jiff::Timestamp;

use super::Line;
use super::words::{
    self, Clock, between, caller, destination, exact_destination, grouped, list, phone, span,
};
use crate::codes::CodePlan;
use crate::names::RuleName;
use crate::record::{
    CallRecord, Cause, Disposition, Fact, FactKind, LegRecord, LegRecordEnd, RunRecord, Source,
};
use crate::rule::{ActiveRule, DestinationRef, Outcome, RunOutcome};

/// What comes first of things at one moment: a leg's end brings on what is decided then, which starts other legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The answer that ends every other leg.
    Answer,
    LegEvent,
    Fact,
    LegStart,
    LegEventAtOnce,
    End,
}

struct Told {
    at: Timestamp,
    rank: Rank,
    source: String,
    text: String,
}

pub(super) fn of(record: &CallRecord, clock: &Clock<'_>) -> Vec<Line> {
    let mut told: Vec<Told> = record.facts.iter().map(|fact| of_fact(record, fact, clock)).collect();
    told.extend(record.legs.iter().flat_map(of_leg));
    let unended = record.runs.iter().filter(|run| !has_ended(record, run));
    told.extend(unended.map(|run| Told {
        at: record.ended,
        rank: Rank::End,
        source: format!("rule {}", run.rule),
        text: run_end(&run.outcome, Some(run), record),
    }));
    told.extend(end(record));
    told.sort_by_key(|told| (told.at, told.rank));
    let line = |told: Told| Line {
        at: told.at,
        time: clock.exact(told.at),
        source: words::one_line(&told.source),
        text: words::one_line(&told.text),
    };
    told.into_iter().map(line).collect()
}

fn of_fact(record: &CallRecord, fact: &Fact, clock: &Clock<'_>) -> Told {
    Told { at: fact.at, rank: Rank::Fact, source: source(&fact.source), text: fact_text(record, fact, clock) }
}

fn source(source: &Source) -> String {
    match source {
        Source::Caller => "caller".to_owned(),
        Source::Config => "configuration".to_owned(),
        Source::Registrar => "registrar".to_owned(),
        Source::Switch => "switch".to_owned(),
        Source::Rule(rule) => format!("rule {rule}"),
        Source::Device(device) => format!("phone {device}"),
    }
}

fn fact_text(record: &CallRecord, fact: &Fact, clock: &Clock<'_>) -> String {
    match &fact.what {
        FactKind::Dialled { number, to } => {
            let unknown = if CodePlan::is_code(number) { "a code" } else { "nobody's number" };
            let to = to.as_ref().map_or_else(|| unknown.to_owned(), exact_destination);
            format!("{} dialled {number}: {to}", caller(record))
        }
        FactKind::RuleChosen { version, bound_to } => {
            let (version, bound) = (version.short(), words::bound_to(bound_to));
            format!("decides in version {version}, being bound to {bound}")
        }
        FactKind::StandardRule { version } => {
            format!("decides in version {}, as no other rule is bound to the call", version.short())
        }
        FactKind::Nested { version, user } => {
            format!("decides for {user} in version {}, within that ring", version.short())
        }
        FactKind::NestedGroup { version, group } => {
            format!("decides for group {group} in version {}, within that ring", version.short())
        }
        FactKind::NoRule => "no rule is bound to this call".to_owned(),
        FactKind::Emergency => "it is an emergency number, for which no rule is asked".to_owned(),
        FactKind::Because(text) => match fact.source {
            Source::Rule(_) => format!("says {}", words::quoted(text)),
            Source::Caller | Source::Config | Source::Registrar | Source::Switch | Source::Device(_) => {
                text.clone()
            }
        },
        FactKind::Warned(text) => format!("warns: {}", words::quoted(text)),
        FactKind::Read { what, got } => words::read(what, got, clock),
        FactKind::RingBegan { legs, time_ms } => ring(legs, *time_ms),
        FactKind::NotRung { to, of, why } => words::not_rung(to, of.as_ref(), why, clock),
        FactKind::RingEnded(outcome) => format!("the ring is over: {}", ring_end(outcome)),
        FactKind::RunEnded(outcome) => {
            let run = record.runs.iter().find(|run| fact.source == Source::Rule(run.rule.clone()));
            run_end(outcome, run, record)
        }
        FactKind::Dismissed => "was stopped, as its part of the ring was over".to_owned(),
        FactKind::Fallback(text) => format!("the fallback takes over: it {text}"),
        FactKind::Standard => {
            words::hands_over(fact.source == Source::Rule(ActiveRule::STANDARD.into())).to_owned()
        }
        FactKind::NestedEnded { who, run, dismissed: true } => {
            format!("for {}: was stopped, as its part of the ring was over; {}", destination(who), fuel(run))
        }
        FactKind::NestedEnded { who, run, dismissed: false } => {
            format!("for {}: {}", destination(who), run_end(&run.outcome, Some(run), record))
        }
        FactKind::Code(text) => format!("the code: {text}"),
        FactKind::Refused(text) => format!("refuses the call as {text}"),
        FactKind::Held(true) => "puts the call on hold".to_owned(),
        FactKind::Held(false) => "takes the call off hold".to_owned(),
    }
}

/// `rings 1001 and 1002, after 10 s 1003, for up to 25 s`.
fn ring(legs: &[(DestinationRef, u32)], time_ms: u32) -> String {
    if legs.is_empty() {
        return "rings nobody".to_owned();
    }
    let mut starts: Vec<(u32, Vec<String>)> = Vec::new();
    for (to, delay) in legs {
        match starts.iter_mut().find(|(known, _)| known == delay) {
            Some((_, names)) => names.push(destination(to)),
            None => starts.push((*delay, vec![destination(to)])),
        }
    }
    starts.sort_by_key(|(delay, _)| *delay);
    let parts: Vec<_> = starts
        .iter()
        .map(|(delay, names)| match delay {
            0 => list(names),
            delay => format!("after {} {}", span(Duration::from_millis(u64::from(*delay))), list(names)),
        })
        .collect();
    format!("rings {}, for up to {}", parts.join(", "), span(Duration::from_millis(u64::from(time_ms))))
}

fn ring_end(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(by) => format!("{} answered", by.device),
        Outcome::Declined => "declined".to_owned(),
        Outcome::NotConfirmed => "picked up, but not confirmed".to_owned(),
        Outcome::NoAnswer => "nobody answered".to_owned(),
        Outcome::Busy => "nobody was free".to_owned(),
        Outcome::Unreachable => "nobody could be reached".to_owned(),
        Outcome::Refused(q850) => format!("refused with Q.850 cause {q850}"),
        Outcome::Blocked(name) if name == "no-trunk" => "no number outside can be called".to_owned(),
        Outcome::Blocked(name) => format!("stopped by the limit `{name}`"),
        Outcome::Other(text) => text.clone(),
    }
}

fn run_end(outcome: &RunOutcome, run: Option<&RunRecord>, record: &CallRecord) -> String {
    let is_done = *outcome == RunOutcome::Ok;
    let ended = if is_done { "has ended".to_owned() } else { words::run_ended(outcome, Some(record)) };
    let Some(run) = run else { return ended };
    let mut text = format!("{ended}; {}", fuel(run));
    for reached in &run.limits {
        let (used, max) = (grouped(reached.used), grouped(reached.max));
        text.push_str(&format!("; reached the limit `{}`: {used} of {max}", reached.limit));
    }
    text
}

/// What a run used, and how long that took where it was measured.
fn fuel(run: &RunRecord) -> String {
    let fuel = grouped(run.fuel);
    let fuel = if run.fuel_exact { format!("{fuel} fuel") } else { format!("at most {fuel} fuel") };
    match run.ran_us {
        0 => fuel,
        ran_us => format!("{fuel} in {}.{} ms", ran_us / 1_000, ran_us % 1_000 / 100),
    }
}

fn has_ended(record: &CallRecord, run: &RunRecord) -> bool {
    let is_end = |what: &FactKind| matches!(what, FactKind::RunEnded(_) | FactKind::Dismissed);
    let ended = |(rule, what): (&RuleName, &FactKind)| *rule == run.rule && is_end(what);
    record.facts.iter().filter_map(words::of_rule).any(ended)
}

fn of_leg(leg: &LegRecord) -> Vec<Told> {
    let at_once = |at: Timestamp| if at == leg.started { Rank::LegEventAtOnce } else { Rank::LegEvent };
    let whose = leg.user.as_ref().map(|user| format!(" of {user}")).unwrap_or_default();
    let mut told = vec![Told {
        at: leg.started,
        rank: Rank::LegStart,
        source: "switch".to_owned(),
        text: format!("calls {}{whose}", phone(leg)),
    }];
    told.extend(leg.rang.map(|at| Told {
        at,
        rank: at_once(at),
        source: format!("phone {}", leg.device),
        text: "rings".to_owned(),
    }));
    let (by_phone, text) = leg_end(leg);
    let source = if by_phone { format!("phone {}", leg.device) } else { "switch".to_owned() };
    let rank = match (&leg.end, at_once(leg.ended)) {
        (LegRecordEnd::Outcome(Outcome::Answered(_)), Rank::LegEvent) => Rank::Answer,
        (_, rank) => rank,
    };
    told.push(Told { at: leg.ended, rank, source, text });
    told
}

/// How a leg ended, and whether it is the phone that says so.
fn leg_end(leg: &LegRecord) -> (bool, String) {
    let rang = leg.rang.map_or_else(String::new, |rang| format!(" after {}", span(between(rang, leg.ended))));
    let phone = phone(leg);
    let stop = |why: &str| (false, format!("stops calling {phone}: {why}"));
    match &leg.end {
        LegRecordEnd::Outcome(outcome) => match outcome {
            Outcome::Answered(_) => (true, "answers".to_owned()),
            Outcome::Declined => (true, format!("declines ({})", leg.status)),
            Outcome::NotConfirmed => (false, format!("{phone} was picked up, but nobody confirmed")),
            Outcome::NoAnswer => (false, format!("stops calling {phone}{rang}: no answer")),
            // spec: TELEPHONY T9
            Outcome::Busy if leg.status == 480 => (true, "is not to be disturbed (480)".to_owned()),
            Outcome::Busy => (true, format!("is busy ({})", leg.status)),
            Outcome::Unreachable if leg.status < 300 => (false, format!("{phone} does not respond")),
            Outcome::Unreachable => (true, format!("is unreachable ({})", leg.status)),
            Outcome::Refused(_) => (true, format!("refuses the call ({})", leg.status)),
            Outcome::Blocked(name) => stop(&format!("the limit `{name}` is reached")),
            Outcome::Other(text) => stop(text),
        },
        LegRecordEnd::Elsewhere => stop("another phone answered"),
        LegRecordEnd::Cancelled(cause) => stop(cancelled(cause)),
        LegRecordEnd::Deflected { number, to } => {
            (true, format!("deflects to {number}: {}", exact_destination(to)))
        }
    }
}

fn cancelled(cause: &Cause) -> &'static str {
    match cause {
        Cause::CallerCancelled | Cause::CallerHungUp => "the caller hung up",
        Cause::CallerLost => "the caller's connection is lost",
        Cause::Declined => "the call was declined on another phone",
        Cause::RuleFailed => "the rule failed",
        Cause::ShuttingDown => "the switch is shutting down",
        Cause::CompletedElsewhere => "another phone answered",
        Cause::CalleeHungUp
        | Cause::NoAnswer
        | Cause::Busy
        | Cause::Unreachable
        | Cause::UnknownNumber
        | Cause::RefusedByRule
        | Cause::Blocked(_)
        | Cause::Refused(_)
        | Cause::EmergencyWithoutTrunk
        | Cause::SessionExpired
        | Cause::DialogLost
        | Cause::NeverAcknowledged
        | Cause::Overload(_) => "the call is over",
    }
}

/// What the caller got, and who missed a call.
fn end(record: &CallRecord) -> Vec<Told> {
    let talked = span(Duration::from_millis(record.talk_ms));
    let (source, text) = match &record.disposition {
        Disposition::Rejected => ("switch".to_owned(), format!("tells {} {}", caller(record), record.status)),
        Disposition::Coded => ("switch".to_owned(), "hangs up".to_owned()),
        Disposition::CallerGone => ("switch".to_owned(), format!("ends the call with {}", record.status)),
        Disposition::Answered { device, .. } => match &record.cause {
            Cause::CallerHungUp => {
                let source = record.from_device.as_ref().map(|device| format!("phone {device}"));
                (
                    source.unwrap_or_else(|| "caller".to_owned()),
                    format!("hangs up after talking for {talked}"),
                )
            }
            Cause::CalleeHungUp => {
                (format!("phone {device}"), format!("hangs up after talking for {talked}"))
            }
            Cause::CallerCancelled
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
            | Cause::SessionExpired
            | Cause::DialogLost
            | Cause::NeverAcknowledged
            | Cause::CallerLost
            | Cause::ShuttingDown
            | Cause::Overload(_) => ("switch".to_owned(), format!("ends the call after {talked} of talking")),
        },
    };
    let told = |source, text| Told { at: record.ended, rank: Rank::End, source, text };
    let missed: Vec<_> = record.missed.iter().map(|user| user.as_str()).collect();
    let missed = (!missed.is_empty())
        .then(|| told("switch".to_owned(), format!("a missed call for {}", list(&missed))));
    [told(source, text)].into_iter().chain(missed).collect()
}
