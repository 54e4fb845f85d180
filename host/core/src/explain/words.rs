//! How times, names and failures read.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::forwarding::{NoStanding, Standing};
use crate::names::{Extension, RuleName, UserId};
use crate::record::{CallRecord, Cause, Fact, FactKind, Gone, LegRecord, NotRung, Source};
use crate::rule::{DestinationRef, RunOutcome};

/// How much of a rule's own words is told, in characters.
const QUOTED_MAX: usize = 160;

/// Times in the tenant's zone, seen from the day of the call.
pub(super) struct Clock<'a> {
    zone: &'a TimeZone,
    began: Timestamp,
}

impl<'a> Clock<'a> {
    pub(super) fn new(zone: &'a TimeZone, began: Timestamp) -> Self {
        Self { zone, began }
    }

    /// `14:02:11`, with the date where it is another day's.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        if local.date() == self.began.to_zoned(self.zone.clone()).date() {
            local.strftime("%H:%M:%S").to_string()
        } else {
            local.strftime("%Y-%m-%d %H:%M:%S").to_string()
        }
    }

    /// `14:02:11.000`, with the date where it is another day's.
    pub(super) fn exact(&self, at: Timestamp) -> String {
        format!("{}{}", self.time(at), at.to_zoned(self.zone.clone()).strftime("%.3f"))
    }

    /// `Friday 2026-11-20, Europe/Berlin`.
    pub(super) fn day(&self) -> String {
        let local = self.began.to_zoned(self.zone.clone());
        let zone = self.zone.iana_name().map_or_else(|| local.strftime("%:z").to_string(), str::to_owned);
        format!("{}, {zone}", local.strftime("%A %Y-%m-%d"))
    }
}

/// From one moment to a later one.
pub(super) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or(Duration::ZERO)
}

/// `0.3 s`, `14 s`, `2 min 10 s`, `1 h 3 min`.
pub(super) fn span(time: Duration) -> String {
    let tenths = (time.as_millis() + 50) / 100;
    let (minutes, seconds) = (tenths / 600, tenths % 600 / 10);
    match (minutes, seconds) {
        (0, seconds) if tenths.is_multiple_of(10) => format!("{seconds} s"),
        (0, seconds) => format!("{seconds}.{} s", tenths % 10),
        (1..60, 0) => format!("{minutes} min"),
        (1..60, seconds) => format!("{minutes} min {seconds} s"),
        (minutes, _) if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        (minutes, _) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

/// `after 4 s`, or `at once`.
pub(super) fn after(time: Duration) -> String {
    match span(time).as_str() {
        "0 s" => "at once".to_owned(),
        time => format!("after {time}"),
    }
}

/// What a rule is bound to: `user ana`, `the tenant`.
pub(super) fn bound_to(target: &str) -> String {
    match target.split_once(':') {
        Some((kind, name)) => format!("{kind} {name}"),
        None => format!("the {target}"),
    }
}

/// A number with its thousands apart: `10,000,000`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1001, 1002 and 1003`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<_> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}

/// Who calls; whoever withholds their number is nobody in particular.
pub(super) fn caller(record: &CallRecord) -> &str {
    let device = record.from_device.as_ref().map(Extension::as_str);
    record.caller.user.as_ref().map(UserId::as_str).or(device).unwrap_or("the caller")
}

/// Who was called: a person, a group, a place, or the bare number.
pub(super) fn dialled(record: &CallRecord) -> String {
    match (&record.dialled_user, dialled_destination(record)) {
        (Some(user), _) => user.to_string(),
        (None, Some(to)) => destination(to),
        (None, None) => record.number.clone(),
    }
}

/// What the dialled number stands for.
pub(super) fn dialled_destination(record: &CallRecord) -> Option<&DestinationRef> {
    record
        .facts
        .iter()
        .find_map(|fact| if let FactKind::Dialled { to, .. } = &fact.what { to.as_ref() } else { None })
}

/// What a rule has said or done, and which rule.
pub(super) fn of_rule(fact: &Fact) -> Option<(&RuleName, &FactKind)> {
    match &fact.source {
        Source::Rule(rule) => Some((rule, &fact.what)),
        Source::Caller | Source::Config | Source::Registrar | Source::Switch | Source::Device(_) => None,
    }
}

/// What a rule does with a call that it does not decide itself; the standard rule hands it to nobody else.
pub(super) fn hands_over(is_standard: bool) -> &'static str {
    if is_standard { "lets what was dialled ring" } else { "hands the call to the standard rule" }
}

/// A rule's own words in quotation marks, cut where they are long.
pub(super) fn quoted(text: &str) -> String {
    let mut words: String = text.chars().take(QUOTED_MAX).collect();
    if words.len() < text.len() {
        words.push('…');
    }
    format!("\"{words}\"")
}

/// What a rule has read; what somebody wishes with its moments in the tenant's zone.
pub(super) fn read(what: &str, got: &str, clock: &Clock<'_>) -> String {
    match got.parse::<Standing>() {
        Ok(standing) => format!("reads {what}: {}", standing.told(&|at| clock.time(at))),
        Err(NoStanding) => format!("reads {what}: {got}"),
    }
}

/// Without line breaks and the like, whoever wrote it.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A phone as in a sentence: `1003 (mobile)`.
pub(super) fn phone(leg: &LegRecord) -> String {
    labelled(&leg.device, &leg.label)
}

/// A device with the name that its tenant gave it: `1003 (mobile)`.
pub(crate) fn labelled(device: &Extension, label: &str) -> String {
    if label.is_empty() { device.to_string() } else { format!("{device} ({label})") }
}

/// As in a sentence: people, phones and places by their names alone.
pub(super) fn destination(to: &DestinationRef) -> String {
    match to {
        DestinationRef::Device(device) => device.to_string(),
        DestinationRef::User(user) | DestinationRef::Person(user) => user.to_string(),
        DestinationRef::Group(group) => format!("group {group}"),
        DestinationRef::Place(place) => place.to_string(),
        DestinationRef::Number(number) => number.clone(),
    }
}

/// As in a list of facts, where the kind matters.
pub(super) fn exact_destination(to: &DestinationRef) -> String {
    match to {
        DestinationRef::Device(device) => format!("device {device}"),
        DestinationRef::User(user) | DestinationRef::Person(user) => format!("user {user}"),
        DestinationRef::Group(group) => format!("group {group}"),
        DestinationRef::Place(place) => format!("place {place}"),
        DestinationRef::Number(number) => format!("number {number}"),
    }
}

/// Why somebody was not rung; of a device also whose it is, where that is known.
pub(super) fn not_rung(to: &DestinationRef, of: Option<&UserId>, why: &NotRung, clock: &Clock<'_>) -> String {
    match why {
        NotRung::NotRegistered { last } => not_registered(to, last.as_ref(), clock),
        NotRung::Busy => match (to, of) {
            (DestinationRef::Group(group), _) => format!("everyone reachable in group {group} was on a call"),
            (DestinationRef::Device(_), Some(of)) => not_rung_of(&[destination(to)], of),
            (
                DestinationRef::Device(_)
                | DestinationRef::User(_)
                | DestinationRef::Person(_)
                | DestinationRef::Place(_)
                | DestinationRef::Number(_),
                _,
            ) => format!("{} was on a call", destination(to)),
        },
        NotRung::DoNotDisturb => match to {
            DestinationRef::Group(group) => format!("nobody in group {group} was to be disturbed"),
            DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_) => format!("{} was not to be disturbed", destination(to)),
        },
        NotRung::NoTrunk => format!("no trunk leads to {}", destination(to)),
        NotRung::AlreadyRung => format!("{} had been rung already", destination(to)),
        NotRung::Caller => match to {
            DestinationRef::Device(device) => format!("{device} was the phone that called"),
            DestinationRef::User(user) | DestinationRef::Person(user) => format!("{user} was the caller"),
            DestinationRef::Group(_) | DestinationRef::Place(_) | DestinationRef::Number(_) => {
                format!("{} led to nobody but the caller", destination(to))
            }
        },
        NotRung::More(more) => format!("{more} more of {} were left out", destination(to)),
        NotRung::Loop => match (to, of) {
            (DestinationRef::Person(_) | DestinationRef::Group(_), Some(of)) => {
                format!("what {of} wished led back to {}, where the call had been", destination(to))
            }
            (_, _) => format!("{} was not rung, because the call had been there", destination(to)),
        },
        NotRung::Unknown => format!("{} does not exist", exact_destination(to)),
        NotRung::Vacant => format!("nobody had {} then", destination(to)),
        NotRung::Limit(name) => {
            format!("{} was left out, because the limit `{name}` was reached", destination(to))
        }
    }
}

/// Devices of somebody on a call: a person is engaged with all of their devices.
pub(super) fn not_rung_of(devices: &[String], of: &UserId) -> String {
    let were = if devices.len() == 1 { "was" } else { "were" };
    format!("{} {were} not rung, as {of} was on a call", list(devices))
}

fn not_registered(
    to: &DestinationRef,
    last: Option<&(Extension, Timestamp, Gone)>,
    clock: &Clock<'_>,
) -> String {
    let end = last.map(|(device, at, how)| (device, format!("{} {}", gone(*how), clock.time(*at))));
    match (to, end) {
        // Of a group one member's device is known, and that need not be the last.
        (DestinationRef::Group(group), _) => format!("nobody in group {group} has a registered device"),
        (DestinationRef::Device(device), None) => format!("{device} is not registered"),
        (DestinationRef::Device(device), Some((_, end))) => format!("{device} is not registered; it {end}"),
        (
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_),
            None,
        ) => {
            format!("{} has no registered device", destination(to))
        }
        (
            DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Place(_)
            | DestinationRef::Number(_),
            Some((device, end)),
        ) => {
            format!("{} has no registered device; the last, {device}, {end}", destination(to))
        }
    }
}

fn gone(how: Gone) -> &'static str {
    match how {
        Gone::Expired => "expired",
        Gone::Unregistered => "signed off",
        Gone::FlowClosed => "lost its connection",
        Gone::Removed => "was removed from the configuration",
    }
}

/// What a run did, with the rule as its subject: `ran out of fuel in presence.of-user`. A trap has no words of its own: the
/// last line of the rule's log may say why. The call says why it was over before its rule was.
pub(super) fn run_ended(outcome: &RunOutcome, call: Option<&CallRecord>) -> String {
    match outcome {
        RunOutcome::Ok => "ended without deciding".to_owned(),
        RunOutcome::Declined(text) if text.is_empty() => "gave the call back".to_owned(),
        RunOutcome::Declined(text) => format!("gave the call back, saying {}", quoted(text)),
        RunOutcome::FuelExhausted(place) if place.is_empty() => "ran out of fuel".to_owned(),
        RunOutcome::FuelExhausted(place) => format!("ran out of fuel in {place}"),
        RunOutcome::DeadlineExceeded => "took more computing time than a run may".to_owned(),
        RunOutcome::MemoryLimit => "wanted more memory than a run may have".to_owned(),
        RunOutcome::TableLimit => "wanted a larger table than a run may have".to_owned(),
        RunOutcome::StackOverflow => "ran out of stack".to_owned(),
        RunOutcome::LimitExceeded(name) => format!("went over the limit `{name}`"),
        RunOutcome::Trap(kind) => match call.and_then(|call| call.log.last()) {
            Some(line) => format!("{} after logging {}", with(kind, "trapped"), quoted(&line.message)),
            None => with(kind, "trapped"),
        },
        RunOutcome::BadOutput => "gave an answer that is none".to_owned(),
        RunOutcome::PermissionDenied(what) => format!("used {what}, which it was not granted"),
        RunOutcome::InstantiateFailed(why) => with(why, "could not be started"),
        RunOutcome::HostBusy => "found no place to run within a second".to_owned(),
        RunOutcome::TenantThrottled => {
            "was not run, because the tenant's share of computing is used up".to_owned()
        }
        RunOutcome::BreakerOpen => "was not run, because this version has failed too often".to_owned(),
        RunOutcome::CallerGone => call.map_or("ended, because the call was over", over_before).to_owned(),
        RunOutcome::Internal(text) => with(text, "was stopped by a fault of the switch"),
    }
}

/// Why a run ended with a call that was over before it.
fn over_before(call: &CallRecord) -> &'static str {
    match call.cause {
        Cause::ShuttingDown => "was stopped, because the switch was shut down",
        Cause::CallerCancelled | Cause::CallerHungUp => "ended, because the caller had hung up",
        Cause::CallerLost => "ended, because the caller's connection was lost",
        Cause::CalleeHungUp
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
        | Cause::Overload(_) => "ended, because the call was over",
    }
}

fn with(detail: &str, what: &str) -> String {
    if detail.is_empty() { what.to_owned() } else { format!("{what} ({detail})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let rows = [
            (0, "0 s"),
            (49, "0 s"),
            (340, "0.3 s"),
            (4_000, "4 s"),
            (59_949, "59.9 s"),
            (59_950, "1 min"),
            (130_000, "2 min 10 s"),
            (3_600_000, "1 h"),
            (3_780_000, "1 h 3 min"),
        ];
        for (ms, words) in rows {
            assert_eq!(span(Duration::from_millis(ms)), words);
        }
    }

    #[test]
    fn no_time_at_all_is_at_once() {
        assert_eq!(after(Duration::from_millis(49)), "at once");
        assert_eq!(after(Duration::from_millis(50)), "after 0.1 s");
    }

    #[test]
    fn what_a_rule_is_bound_to_reads_as_a_name() {
        assert_eq!(
            ["user:ana", "number:+4930123", "tenant"].map(bound_to),
            ["user ana", "number +4930123", "the tenant"]
        );
    }

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        assert_eq!(
            [0, 999, 1_000, 41_207, 10_000_000].map(grouped),
            ["0", "999", "1,000", "41,207", "10,000,000"]
        );
    }

    #[test]
    fn a_rules_words_stay_on_one_line_and_short() {
        assert_eq!(quoted("closed"), "\"closed\"");
        assert_eq!(quoted(&"é".repeat(QUOTED_MAX + 1)), format!("\"{}…\"", "é".repeat(QUOTED_MAX)));
        assert_eq!(one_line("a\nb\tc\u{1b}[0m"), "a b c [0m");
    }

    #[test]
    fn a_list_ends_with_and() {
        assert_eq!(list(&["1001"; 0]), "");
        assert_eq!(list(&["1001"]), "1001");
        assert_eq!(list(&["1001", "1002", "1003"]), "1001, 1002 and 1003");
    }
}
