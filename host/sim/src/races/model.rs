//! What should happen, as simply as it can be said: the telephony decisions T7, T10, T12, T18 and T28 for one ring.

use std::time::Duration;

use callwright_core::record::{CallRecord, Disposition, LegRecordEnd};
use callwright_core::rule::Outcome;

use super::case::{Case, Event, House};
use super::stage::{self, Seen};

/// A phone that rang shorter than this has missed nothing: 3 s, to a tenth of a second.
const MISSED_AFTER: Duration = Duration::from_millis(2_950);

/// The call as it should be.
pub(super) struct Model {
    habits: usize,
    house: House,
    legs: Vec<Leg>,
    phase: Phase,
    setup: Duration,
    talked: Duration,
    /// Declines, unanswered legs and so on, until the ring was over.
    outcomes: Vec<End>,
    caller: Vec<u16>,
    caller_byes: usize,
    winner: Option<usize>,
    late: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ringing,
    Talking { since: Duration },
    Over,
}

/// How a leg ended; of several the first in this order counts for the ring (TELEPHONY T10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Answered,
    Declined,
    NoAnswer,
    Busy,
    Unreachable,
    Elsewhere,
    Cancelled,
    Deflected,
}

#[derive(Clone, Default)]
struct Leg {
    began: bool,
    end: Option<(End, Duration)>,
    rang: Option<Duration>,
    /// It sent a 180, wanted or not.
    has_rung: bool,
    /// Its final response came, whatever it was.
    is_final: bool,
    /// It was taken back; whether it is told of another's answer.
    taken_back: Option<bool>,
    cancels: Vec<bool>,
    acks: usize,
    byes: Vec<bool>,
}

impl Model {
    pub(super) fn of(case: &Case) -> Self {
        let mut legs = vec![Leg::default(); case.phones()];
        legs.iter_mut().take(case.habits.len()).for_each(|leg| leg.began = true);
        Self {
            habits: case.habits.len(),
            house: case.house,
            legs,
            phase: Phase::Ringing,
            setup: Duration::ZERO,
            talked: Duration::ZERO,
            outcomes: Vec::new(),
            caller: Vec::new(),
            caller_byes: 0,
            winner: None,
            late: 0,
        }
    }

    pub(super) fn is_ringing(&self) -> bool {
        self.phase == Phase::Ringing
    }

    pub(super) fn is_talking(&self) -> bool {
        matches!(self.phase, Phase::Talking { .. })
    }

    pub(super) fn is_bridged(&self) -> bool {
        self.winner.is_some()
    }

    pub(super) fn late(&self) -> u64 {
        self.late
    }

    pub(super) fn happen(&mut self, now: Duration, event: Event) {
        match event {
            Event::Rings(phone) => {
                let leg = &mut self.legs[phone];
                leg.has_rung = true;
                match leg.taken_back {
                    // The CANCEL was held until now (RFC 3261 §9.1).
                    Some(told) => leg.cancels.push(told),
                    None => leg.rang = Some(now),
                }
            }
            Event::Answers(phone) => self.answered(now, phone),
            Event::Declines(phone) => {
                if self.refused(now, phone, End::Declined) && self.house == House::One && phone < self.habits
                {
                    let theirs = 0..self.habits;
                    for other in self.wanted().into_iter().filter(|other| theirs.contains(other)) {
                        self.take_back(now, other, End::Cancelled, false);
                    }
                }
                self.over_where_nobody_is_left(now);
            }
            Event::Busy(phone) => {
                self.refused(now, phone, End::Busy);
                self.over_where_nobody_is_left(now);
            }
            Event::Deflects(phone) => {
                if self.refused(now, phone, End::Deflected) {
                    let target = self.habits + phone;
                    self.legs[target].began = true;
                }
            }
            Event::Obeys(phone) => {
                self.refused(now, phone, End::Cancelled);
            }
            Event::TimesOut => {
                for phone in self.wanted() {
                    let end = if self.legs[phone].rang.is_some() { End::NoAnswer } else { End::Unreachable };
                    self.outcomes.push(end);
                    self.take_back(now, phone, end, false);
                }
                self.over_where_nobody_is_left(now);
            }
            Event::CallerCancels | Event::CallerHangsUp if self.is_ringing() => {
                for phone in self.wanted() {
                    self.take_back(now, phone, End::Cancelled, false);
                }
                self.end(now, 487);
            }
            Event::CallerCancels => {}
            Event::CallerHangsUp => {
                if let Some(winner) = self.winner {
                    self.legs[winner].byes.push(false);
                }
                self.talk_ends(now);
            }
            Event::HangsUp(_) => {
                self.caller_byes += 1;
                self.talk_ends(now);
            }
        }
    }

    fn answered(&mut self, now: Duration, phone: usize) {
        let leg = &mut self.legs[phone];
        (leg.is_final, leg.acks) = (true, leg.acks + 1);
        if let Some(told) = leg.taken_back {
            leg.byes.push(told);
            self.late += 1;
            return;
        }
        leg.end = Some((End::Answered, now));
        self.winner = Some(phone);
        // Who was given up before it said anything must not think that the call was missed.
        for unheard in self.legs.iter_mut().filter(|leg| !leg.has_rung && !leg.is_final) {
            unheard.taken_back = unheard.taken_back.map(|_| true);
        }
        for other in self.wanted() {
            self.take_back(now, other, End::Elsewhere, true);
        }
        self.caller.push(200);
        self.setup = now;
        self.phase = Phase::Talking { since: now };
    }

    /// Whether the ring heard it: a leg that was taken back refuses in vain.
    fn refused(&mut self, now: Duration, phone: usize, end: End) -> bool {
        let leg = &mut self.legs[phone];
        (leg.is_final, leg.acks) = (true, leg.acks + 1);
        let is_heard = leg.end.is_none();
        if is_heard {
            leg.end = Some((end, now));
            if end != End::Deflected {
                self.outcomes.push(end);
            }
        }
        is_heard
    }

    fn take_back(&mut self, now: Duration, phone: usize, end: End, told: bool) {
        let leg = &mut self.legs[phone];
        leg.end = Some((end, now));
        leg.taken_back = Some(told);
        if leg.has_rung {
            leg.cancels.push(told);
        }
    }

    fn wanted(&self) -> Vec<usize> {
        (0..self.legs.len())
            .filter(|phone| self.legs[*phone].began && self.legs[*phone].end.is_none())
            .collect()
    }

    fn over_where_nobody_is_left(&mut self, now: Duration) {
        if self.is_ringing() && self.wanted().is_empty() {
            let status = match self.outcomes.iter().min() {
                Some(End::Declined) => 603,
                Some(End::Busy) => 486,
                _ => 480,
            };
            self.end(now, status);
        }
    }

    fn end(&mut self, now: Duration, status: u16) {
        self.caller.push(status);
        self.setup = now;
        self.phase = Phase::Over;
    }

    fn talk_ends(&mut self, now: Duration) {
        if let Phase::Talking { since } = self.phase {
            self.talked = now - since;
        }
        self.phase = Phase::Over;
    }

    /// Where the wires show something else.
    pub(super) fn differences(&self, seen: &Seen) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut compare = |what: String, is: String, should: String| {
            if is != should {
                wrong.push(format!("{what}: {is}, and it should be {should}"));
            }
        };
        compare(
            "final responses to the caller".to_owned(),
            format!("{:?}", seen.caller),
            format!("{:?}", self.caller),
        );
        compare("BYEs to the caller".to_owned(), seen.caller_byes.to_string(), self.caller_byes.to_string());
        let best = (self.phase != Phase::Ringing).then(|| match (self.winner, self.outcomes.iter().min()) {
            (Some(_), _) => "answered",
            (None, _) if self.caller == [487] => "caller-gone",
            (None, Some(End::Declined)) => "declined",
            (None, Some(End::NoAnswer)) => "no-answer",
            (None, Some(End::Busy)) => "busy",
            (None, _) => "unreachable",
        });
        let told: Vec<_> = best.into_iter().collect();
        compare("what the rule was told".to_owned(), format!("{:?}", seen.outcomes), format!("{told:?}"));
        for (phone, (leg, seen)) in self.legs.iter().zip(&seen.phones).enumerate() {
            let name = stage::name_of(phone);
            let is = (seen.invites, &seen.cancels, seen.acks, &seen.byes);
            let should = (usize::from(leg.began), &leg.cancels, leg.acks, &leg.byes);
            compare(
                format!("INVITEs, CANCELs, ACKs and BYEs of {name} (true: told of another's answer)"),
                format!("{is:?}"),
                format!("{should:?}"),
            );
        }
        wrong
    }

    /// Where the record says something else.
    pub(super) fn misrecorded(&self, records: &[CallRecord]) -> Vec<String> {
        let [record] = records else { return vec![format!("{} records of one call", records.len())] };
        let mut wrong = Vec::new();
        let mut compare = |what: &str, is: String, should: String| {
            if is != should {
                wrong.push(format!("recorded {what}: {is}, and it should be {should}"));
            }
        };
        let millis = |time: Duration| time.as_millis().to_string();
        compare("setup in ms", record.setup_ms.to_string(), millis(self.setup));
        compare("talk in ms", record.talk_ms.to_string(), millis(self.talked));
        compare(
            "status",
            record.status.to_string(),
            self.caller.first().copied().unwrap_or_default().to_string(),
        );
        let disposition = match &record.disposition {
            Disposition::Answered { device, .. } => format!("answered by {device}"),
            Disposition::Rejected => "rejected".to_owned(),
            Disposition::CallerGone => "caller gone".to_owned(),
            Disposition::Coded => "a code".to_owned(),
        };
        let should = match self.winner {
            Some(winner) => format!("answered by {}", stage::name_of(winner)),
            None if self.caller == [487] => "caller gone".to_owned(),
            None => "rejected".to_owned(),
        };
        compare("disposition", disposition, should);
        let missed: Vec<_> = record.missed.iter().map(|user| user.as_str().to_owned()).collect();
        compare("missed calls", format!("{missed:?}"), format!("{:?}", self.missed()));
        let mut legs: Vec<_> = record
            .legs
            .iter()
            .map(|leg| {
                let (rang, ended) = (leg.rang.map(stage::since), stage::since(leg.ended));
                (leg.device.to_string(), end_of(&leg.end), rang, ended)
            })
            .collect();
        legs.sort();
        let should: Vec<_> = self
            .legs
            .iter()
            .enumerate()
            .filter(|(_, leg)| leg.began)
            .map(|(phone, leg)| {
                let (end, at) = leg.end.map_or((None, Duration::ZERO), |(end, at)| (Some(end), at));
                (stage::name_of(phone), end, leg.rang, at)
            })
            .collect();
        compare("legs", format!("{legs:?}"), format!("{should:?}"));
        wrong
    }

    /// Who was rung for three seconds while nobody answered, each person once (TELEPHONY T12).
    fn missed(&self) -> Vec<String> {
        let mut missed = Vec::new();
        for (phone, leg) in self.legs.iter().enumerate() {
            let rang = leg.rang.zip(leg.end).map_or(Duration::ZERO, |(rang, (_, end))| end - rang);
            if self.winner.is_none() && rang >= MISSED_AFTER {
                missed.push(stage::user_of(self.house, self.habits, phone));
            }
        }
        missed.sort();
        missed.dedup();
        missed
    }
}

fn end_of(end: &LegRecordEnd) -> Option<End> {
    match end {
        LegRecordEnd::Outcome(Outcome::Answered(_)) => Some(End::Answered),
        LegRecordEnd::Outcome(Outcome::Declined) => Some(End::Declined),
        LegRecordEnd::Outcome(Outcome::NoAnswer) => Some(End::NoAnswer),
        LegRecordEnd::Outcome(Outcome::Busy) => Some(End::Busy),
        LegRecordEnd::Outcome(Outcome::Unreachable) => Some(End::Unreachable),
        LegRecordEnd::Outcome(
            Outcome::NotConfirmed | Outcome::Refused(_) | Outcome::Blocked(_) | Outcome::Other(_),
        ) => None,
        LegRecordEnd::Elsewhere => Some(End::Elsewhere),
        LegRecordEnd::Cancelled(_) => Some(End::Cancelled),
        LegRecordEnd::Deflected { .. } => Some(End::Deflected),
    }
}
