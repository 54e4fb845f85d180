//! Why nobody who was tried has answered, phone by phone.

use std::time::Duration;

use super::words::{self, Clock, between, list, phone, span};
use crate::names::UserId;
use crate::record::{CallRecord, FactKind, LegRecord, LegRecordEnd, NotRung};
use crate::rule::{DestinationRef, Outcome};

/// A sentence names so many reasons; the facts have them all.
const REASONS_MAX: usize = 4;

/// The reasons in one phrase; none where nobody was tried.
pub(super) fn of(record: &CallRecord, clock: &Clock<'_>) -> Option<String> {
    let mut reasons = of_legs(&record.legs.iter().collect::<Vec<_>>());
    reasons.extend(not_rung(record, clock));
    reasons.extend(not_picked(record));
    let more = reasons.len().saturating_sub(REASONS_MAX) + uncounted(record);
    reasons.truncate(REASONS_MAX);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// What became of some legs: first the phones that rang, by how long they did, then each of the others.
pub(super) fn of_legs(legs: &[&LegRecord]) -> Vec<String> {
    let mut rang: Vec<(String, Vec<String>)> = Vec::new();
    let mut others = Vec::new();
    for first in phones(legs) {
        let theirs: Vec<&LegRecord> = legs.iter().copied().filter(|leg| leg.device == first.device).collect();
        match of_phone(&theirs) {
            Some(Tried::Rang(time)) => {
                let time = span(time);
                match rang.iter_mut().find(|(known, _)| *known == time) {
                    Some((_, phones)) => phones.push(phone(first)),
                    None => rang.push((time, vec![phone(first)])),
                }
            }
            Some(Tried::Else(text)) => others.push(text),
            None => {}
        }
    }
    let rang = rang.into_iter().map(|(time, phones)| format!("{} rang for {time}", list(&phones)));
    rang.chain(others).collect()
}

/// The first leg of each phone, in the order in which they were rung.
pub(super) fn phones<'a>(legs: &[&'a LegRecord]) -> Vec<&'a LegRecord> {
    let mut first: Vec<&LegRecord> = Vec::new();
    for leg in legs {
        if !first.iter().any(|known| known.device == leg.device) {
            first.push(leg);
        }
    }
    first
}

enum Tried {
    /// And nobody took the call, for so long in all.
    Rang(Duration),
    /// Something else, in words.
    Else(String),
}

/// What one phone did: the best its legs came to.
fn of_phone(legs: &[&LegRecord]) -> Option<Tried> {
    let said = legs.iter().rev().find_map(|leg| match &leg.end {
        LegRecordEnd::Outcome(outcome) => refusal(leg, outcome),
        LegRecordEnd::Deflected { to, .. } => {
            Some(format!("{} deflected to {}", phone(leg), words::destination(to)))
        }
        LegRecordEnd::Elsewhere | LegRecordEnd::Cancelled(_) => None,
    });
    // Several flows of one phone ring together: the longest counts.
    let rang = legs.iter().filter_map(|leg| leg.rang.map(|rang| between(rang, leg.ended))).max();
    match (said, rang) {
        (Some(text), _) => Some(Tried::Else(text)),
        (None, Some(time)) => Some(Tried::Rang(time)),
        (None, None) => {
            let silent = legs.iter().any(|leg| leg.end == LegRecordEnd::Outcome(Outcome::Unreachable));
            silent
                .then(|| legs.first().map(|leg| Tried::Else(format!("{} did not respond", phone(leg)))))
                .flatten()
        }
    }
}

fn refusal(leg: &LegRecord, outcome: &Outcome) -> Option<String> {
    let phone = phone(leg);
    let status = leg.status;
    match outcome {
        Outcome::Declined => Some(match &leg.user {
            Some(user) => format!("{user} declined on {phone}"),
            None => format!("{phone} declined"),
        }),
        Outcome::NotConfirmed => Some(format!("{phone} was picked up, but nobody confirmed")),
        // spec: TELEPHONY T9
        Outcome::Busy if status == 480 => Some(format!("{phone} itself was not to be disturbed ({status})")),
        Outcome::Busy => Some(format!("{phone} was busy ({status})")),
        Outcome::Refused(q850) if status < 300 => {
            Some(format!("{phone} refused the call (Q.850 cause {q850})"))
        }
        Outcome::Refused(_) => Some(format!("{phone} refused the call ({status})")),
        Outcome::Blocked(name) => {
            Some(format!("{phone} was not rung, because the limit `{name}` was reached"))
        }
        Outcome::Other(text) => Some(format!("{phone} ended with {text}")),
        Outcome::Answered(_) | Outcome::NoAnswer | Outcome::Unreachable => None,
    }
}

/// Somebody who was not rung.
struct LeftOut<'a> {
    to: &'a DestinationRef,
    of: Option<&'a UserId>,
    why: &'a NotRung,
}

/// Those who were not rung at all, each with the last reason. Where a person has no device, their devices are not told
/// one by one.
fn not_rung(record: &CallRecord, clock: &Clock<'_>) -> Vec<String> {
    let mut left_out: Vec<LeftOut<'_>> = Vec::new();
    for fact in &record.facts {
        if let FactKind::NotRung { to, of, why } = &fact.what {
            left_out.retain(|known| known.to != to);
            left_out.push(LeftOut { to, of: of.as_ref(), why });
        }
    }
    let gone = |one: &LeftOut<'_>| matches!(one.why, NotRung::NotRegistered { .. });
    let people: Vec<&UserId> =
        left_out.iter().filter(|one| gone(one)).filter_map(|one| one.to.user()).collect();
    left_out.retain(|one| match (one.to, one.why) {
        (_, NotRung::AlreadyRung | NotRung::More(_)) => false,
        (DestinationRef::Device(_), NotRung::NotRegistered { .. }) => match one.of {
            Some(of) => !people.contains(&of),
            None => people.is_empty(),
        },
        (
            _,
            NotRung::NotRegistered { .. }
            | NotRung::Busy
            | NotRung::DoNotDisturb
            | NotRung::NoTrunk
            | NotRung::Caller
            | NotRung::Loop
            | NotRung::Unknown
            | NotRung::Vacant
            | NotRung::Limit(_),
        ) => true,
    });
    let mut told: Vec<String> = Vec::new();
    for one in &left_out {
        let text = match (one.to, one.why) {
            (DestinationRef::Device(_), NotRung::Busy | NotRung::DoNotDisturb) => devices(&left_out, one),
            (_, _) => words::not_rung(one.to, one.of, one.why, clock),
        };
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told
}

/// Who of a group was not picked when nobody was left to be, but for those who had their turn.
pub(super) fn not_picked(record: &CallRecord) -> Option<String> {
    let mut reads = record.facts.iter().rev().filter_map(|fact| {
        let (_, FactKind::Read { what, got }) = words::of_rule(fact)? else { return None };
        Some((what.strip_prefix("roster.take(\"")?, got))
    });
    let (asked, got) = reads.next()?;
    let group = asked.split('"').next()?;
    let others: Vec<_> = got
        .strip_prefix("nobody; not ")?
        .split(", ")
        .filter(|one| !one.contains("(tried already)"))
        .collect();
    (!others.is_empty()).then(|| format!("of group {group} not {}", others.join(", ")))
}

/// How many were left out without being named.
fn uncounted(record: &CallRecord) -> usize {
    let more = record.facts.iter().filter_map(|fact| {
        if let FactKind::NotRung { why: NotRung::More(more), .. } = &fact.what { Some(*more) } else { None }
    });
    more.filter_map(|more| usize::try_from(more).ok()).sum()
}

/// All devices that were left out for one and the same reason.
fn devices(left_out: &[LeftOut<'_>], like: &LeftOut<'_>) -> String {
    let is_like = |one: &&LeftOut<'_>| {
        matches!(one.to, DestinationRef::Device(_)) && one.why == like.why && one.of == like.of
    };
    let devices: Vec<_> = left_out.iter().filter(is_like).map(|one| words::destination(one.to)).collect();
    let were = if devices.len() == 1 { "was" } else { "were" };
    match (like.why, like.of) {
        (NotRung::Busy, Some(of)) => words::not_rung_of(&devices, of),
        (NotRung::Busy, None) => format!("{} {were} not rung, as their user was on a call", list(&devices)),
        (_, _) => format!("{} {were} not to be disturbed", list(&devices)),
    }
}
