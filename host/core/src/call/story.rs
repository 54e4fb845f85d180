//! What will be told of the call: facts in order, legs, and in the end the record.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::names::UserId;
use crate::record::{CallRecord, Cause, Disposition, Fact, FactKind, LegRecord, RunRecord, Source};
use crate::rule::{AnsweredBy, CallFacts, LogLine, Note, Spent};
use crate::time::Now;

/// Facts a record holds at most; what comes after is no longer needed to explain the call.
const FACTS_MAX: usize = 500;
/// Journal lines a call holds at most; the run's own byte limit ends it long before.
const JOURNAL_MAX: usize = 20_000;
/// Log lines a call holds at most.
const LOG_MAX: usize = 1_000;
/// Warnings of rules among the facts at most, so that there is room for what decides; the log has the others.
const WARNED_MAX: usize = 20;
/// A phone that rang shorter than 3 s, to a tenth of a second, has missed nothing (TELEPHONY T12, ADR 11).
const MISSED_AFTER: Duration = Duration::from_millis(2_950);

/// The record in the making.
pub(super) struct Story {
    began: Now,
    answered: Option<Now>,
    ended: Option<Now>,
    disposition: Disposition,
    cause: Cause,
    status: u16,
    legs: Vec<LegRecord>,
    facts: Vec<Fact>,
    journal: Vec<String>,
    log: Vec<LogLine>,
    rang: BTreeMap<UserId, Duration>,
    unmissed: Vec<UserId>,
}

impl Story {
    pub(super) fn begin(now: Now) -> Self {
        Self {
            began: now,
            answered: None,
            ended: None,
            disposition: Disposition::Rejected,
            cause: Cause::Unreachable,
            status: 0,
            legs: Vec::new(),
            facts: Vec::new(),
            journal: Vec::new(),
            log: Vec::new(),
            rang: BTreeMap::new(),
            unmissed: Vec::new(),
        }
    }

    pub(super) fn began(&self) -> Now {
        self.began
    }

    pub(super) fn disposition(&self) -> &Disposition {
        &self.disposition
    }

    pub(super) fn legs(&self) -> &[LegRecord] {
        &self.legs
    }

    pub(super) fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Whether we ended the call ourselves before anybody answered.
    pub(super) fn was_refused(&self) -> bool {
        self.disposition == Disposition::Rejected
    }

    /// Whether the caller went before anybody answered.
    pub(super) fn has_lost_its_caller(&self) -> bool {
        self.disposition == Disposition::CallerGone
    }

    pub(super) fn fact(&mut self, now: Now, source: Source, what: FactKind) {
        if self.facts.len() < FACTS_MAX {
            self.facts.push(Fact { at: now.wall, source, what });
        }
    }

    pub(super) fn leg(&mut self, leg: LegRecord) {
        self.legs.push(leg);
    }

    /// A user's phone has rung for so long; the longest counts, once a call and not once a device.
    pub(super) fn rang(&mut self, user: &UserId, time: Duration, keep_unmissed: bool) {
        if keep_unmissed {
            self.unmissed.push(user.clone());
        }
        let longest = self.rang.entry(user.clone()).or_default();
        *longest = time.max(*longest);
    }

    /// Takes over what a run said since it was last heard of.
    pub(super) fn spent(&mut self, now: Now, source: &Source, spent: Spent) {
        for note in spent.notes {
            let what = match note {
                Note::Because(text) => FactKind::Because(text),
                Note::Read { what, got } => FactKind::Read { what, got },
            };
            self.fact(now, source.clone(), what);
        }
        let room = JOURNAL_MAX.saturating_sub(self.journal.len());
        self.journal.extend(spent.journal.into_iter().take(room));
        let room = LOG_MAX.saturating_sub(self.log.len());
        self.log.extend(spent.log.into_iter().take(room));
    }

    /// What a rule warned of.
    pub(super) fn warned(&mut self, now: Now, source: &Source, text: &str) {
        let known = self.facts.iter().filter(|fact| matches!(fact.what, FactKind::Warned(_))).count();
        if known < WARNED_MAX {
            self.fact(now, source.clone(), FactKind::Warned(text.to_owned()));
        }
    }

    pub(super) fn answered(&mut self, now: Now, by: &AnsweredBy) {
        self.answered = Some(now);
        self.disposition = Disposition::Answered { device: by.device.clone(), user: by.user.clone() };
        self.status = 200;
    }

    /// A code was carried out, and the phone is told.
    pub(super) fn coded(&mut self, now: Now) {
        self.answered = Some(now);
        self.concluded(Disposition::Coded, Cause::CalleeHungUp, 200);
    }

    /// An unanswered call has its end.
    pub(super) fn concluded(&mut self, disposition: Disposition, cause: Cause, status: u16) {
        self.disposition = disposition;
        self.cause = cause;
        self.status = status;
    }

    /// An answered call was hung up.
    pub(super) fn hung_up(&mut self, cause: Cause) {
        self.cause = cause;
    }

    pub(super) fn ended(&mut self, now: Now) {
        self.ended = Some(now);
    }

    /// The record and the journal; called once.
    pub(super) fn record(&mut self, facts: &CallFacts, runs: Vec<RunRecord>) -> (CallRecord, Vec<String>) {
        let ended = self.ended.unwrap_or(self.began);
        let setup_end = self.answered.unwrap_or(ended);
        self.legs.sort_by_key(|leg| leg.id);
        let missed = match self.disposition {
            Disposition::Answered { .. } | Disposition::Coded => Vec::new(),
            Disposition::Rejected | Disposition::CallerGone => self.missed(),
        };
        let record = CallRecord {
            id: facts.id.clone(),
            tenant: facts.tenant.clone(),
            caller: facts.caller.clone(),
            from_device: facts.calling_device().cloned(),
            number: facts.number.clone(),
            dialled_user: facts.dialled.user.clone(),
            began: self.began.wall,
            answered: self.answered.map(|now| now.wall),
            ended: ended.wall,
            setup_ms: millis(setup_end.mono.saturating_sub(self.began.mono)),
            talk_ms: self.answered.map_or(0, |at| millis(ended.mono.saturating_sub(at.mono))),
            disposition: self.disposition.clone(),
            cause: self.cause.clone(),
            status: self.status,
            legs: std::mem::take(&mut self.legs),
            runs,
            missed,
            facts: std::mem::take(&mut self.facts),
            log: std::mem::take(&mut self.log),
        };
        (record, std::mem::take(&mut self.journal))
    }

    fn missed(&self) -> Vec<UserId> {
        self.rang
            .iter()
            .filter(|(user, time)| **time >= MISSED_AFTER && !self.unmissed.contains(user))
            .map(|(user, _)| user.clone())
            .collect()
    }
}

pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_flood_of_warnings_leaves_room_for_what_decides() {
        let now = Now { mono: Duration::ZERO, wall: Timestamp::UNIX_EPOCH };
        let (mut story, source) = (Story::begin(now), Source::Rule("r".into()));
        for number in 0..1_000 {
            story.warned(now, &source, &format!("thing {number}"));
        }
        story.fact(now, source, FactKind::Standard);
        assert_eq!((story.facts.len(), &story.facts[WARNED_MAX].what), (WARNED_MAX + 1, &FactKind::Standard));
    }
}
