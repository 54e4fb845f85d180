//! Where statuses and causes meet: what a phone's response means (TELEPHONY T9) and what a caller is told (T28).
//!
//! Outcomes are derived, never copied: phones send 486 for their Reject key and 480 for do-not-disturb.

use crate::codes::CodeError;
use crate::record::Cause;
use crate::rule::{Outcome, Refusal};

/// Reason of legs that lose because another leg answered (RFC 3326 §2, TELEPHONY T12).
pub(crate) const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Q.850 cause of a redirection to somewhere else.
pub(crate) const REDIRECTED: u8 = 23;

/// What is known of a leg when its phone refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LegState {
    /// It sent a 180 or 183 before.
    pub(crate) rang: bool,
    /// Its device has another call.
    pub(crate) on_call: bool,
}

/// What a final response other than 2xx means for the leg (TELEPHONY T9).
pub(crate) fn outcome_of(status: u16, leg: LegState) -> Outcome {
    match status {
        600..=699 => Outcome::Declined,
        486 if leg.on_call || !leg.rang => Outcome::Busy,
        480 if leg.on_call || !leg.rang => Outcome::Busy,
        486 | 480 => Outcome::Declined,
        404 | 410 => Outcome::Refused(1),
        484 => Outcome::Refused(28),
        408 | 503 => Outcome::Unreachable,
        487 => Outcome::NoAnswer,
        300..=399 => Outcome::Refused(REDIRECTED),
        _ => Outcome::Refused(q850_of(status)),
    }
}

/// Q.850 cause of a status that has no finer meaning (RFC 8606 keeps the numbers apart, Q.850 names them).
fn q850_of(status: u16) -> u8 {
    match status {
        401 | 402 | 403 | 407 => 21,
        415 | 488 | 606 => 88,
        500..=599 => 41,
        _ => 31,
    }
}

/// What the caller is told in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Final {
    /// Final response.
    pub(crate) status: u16,
    /// Q.850 cause for the Reason header (RFC 3326).
    pub(crate) q850: u8,
    /// For the record.
    pub(crate) cause: Cause,
}

impl Final {
    const fn new(status: u16, q850: u8, cause: Cause) -> Self {
        Self { status, q850, cause }
    }

    /// The final response when a call ends by the best outcome of what was rung (TELEPHONY T28). Callers are our own
    /// devices, so a decline may be a 603.
    pub(crate) fn of_outcome(best: Option<&Outcome>) -> Self {
        match best {
            Some(Outcome::Declined) => Self::new(603, 21, Cause::Declined),
            Some(Outcome::Busy) => Self::new(486, 17, Cause::Busy),
            Some(Outcome::NoAnswer | Outcome::NotConfirmed | Outcome::Answered(_)) => {
                Self::new(480, 19, Cause::NoAnswer)
            }
            Some(Outcome::Unreachable) | None => Self::new(480, 20, Cause::Unreachable),
            Some(Outcome::Refused(q850)) => {
                let status = match q850 {
                    1 => 404,
                    28 => 484,
                    88 => 488,
                    _ => 480,
                };
                Self::new(status, *q850, Cause::Refused(*q850))
            }
            Some(Outcome::Blocked(name)) => Self::new(403, 21, Cause::Blocked(name.clone())),
            Some(Outcome::Other(_)) => Self::new(480, 31, Cause::Unreachable),
        }
    }

    /// The final response when a rule refuses.
    pub(crate) fn of_refusal(refusal: &Refusal) -> Self {
        let (status, q850) = match refusal {
            Refusal::Busy => (486, 17),
            Refusal::Declined => (603, 21),
            Refusal::NotFound => (404, 1),
            Refusal::TemporarilyUnavailable => (480, 31),
            Refusal::AnonymousRefused => (433, 21),
            Refusal::Unwanted => (607, 21),
            Refusal::Other(_) => (403, 21),
        };
        Self::new(status, q850, Cause::RefusedByRule)
    }

    /// A code that did nothing.
    pub(crate) fn of_code(error: CodeError) -> Self {
        let (status, q850) = match error {
            CodeError::NoSuchCode
            | CodeError::NoSuchTime
            | CodeError::NoSuchNumber
            | CodeError::NothingRegistered => (404, 1),
            CodeError::NotActive | CodeError::NotNow(_) => (480, 31),
            CodeError::NotAllowed | CodeError::Oneself | CodeError::NotTheirDevice | CodeError::NotTaken => {
                (403, 21)
            }
        };
        Self::new(status, q850, Cause::Blocked("code".to_owned()))
    }

    /// A code whose change the store refused.
    pub(crate) fn not_kept() -> Self {
        Self::new(503, 41, Cause::Overload("store".to_owned()))
    }

    /// A dialled number that stands for nothing.
    pub(crate) fn unknown_number() -> Self {
        Self::new(404, 1, Cause::UnknownNumber)
    }

    /// An emergency number, and no trunk to send it to.
    pub(crate) fn emergency_without_trunk() -> Self {
        Self::new(503, 3, Cause::EmergencyWithoutTrunk)
    }

    /// The caller took the call back.
    pub(crate) fn caller_cancelled() -> Self {
        Self::new(487, 16, Cause::CallerCancelled)
    }

    /// The caller's connection is gone.
    pub(crate) fn caller_lost() -> Self {
        Self::new(487, 38, Cause::CallerLost)
    }

    /// The switch is shutting down.
    pub(crate) fn shutting_down() -> Self {
        Self::new(503, 41, Cause::ShuttingDown)
    }

    /// The Reason header's value.
    pub(crate) fn reason(&self) -> String {
        format!("Q.850;cause={}", self.q850)
    }
}

/// Of two outcomes the one that counts for a ring (TELEPHONY T10).
pub(crate) fn better(one: Outcome, other: Outcome) -> Outcome {
    if rank(&other) < rank(&one) { other } else { one }
}

/// Which counts: the lower.
pub(crate) fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Answered(_) => 0,
        Outcome::Declined => 1,
        Outcome::NotConfirmed => 2,
        Outcome::NoAnswer => 3,
        Outcome::Busy => 4,
        Outcome::Unreachable => 5,
        Outcome::Refused(_) => 6,
        Outcome::Blocked(_) => 7,
        Outcome::Other(_) => 8,
    }
}

/// Name of an outcome as a metric label; its details stay in the record.
pub(crate) fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered(_) => "answered",
        Outcome::Declined => "declined",
        Outcome::NotConfirmed => "not-confirmed",
        Outcome::NoAnswer => "no-answer",
        Outcome::Busy => "busy",
        Outcome::Unreachable => "unreachable",
        Outcome::Refused(_) => "refused",
        Outcome::Blocked(_) => "blocked",
        Outcome::Other(_) => "other",
    }
}

/// Whether a status within a dialog says that the peer has lost it: the call ends (RFC 3261 §12.2.1.2).
pub(crate) fn ends_dialog(status: u16) -> bool {
    matches!(status, 408 | 481)
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: LegState = LegState { rang: false, on_call: false };
    const RANG: LegState = LegState { rang: true, on_call: false };
    const RANG_ON_CALL: LegState = LegState { rang: true, on_call: true };

    #[test]
    fn each_row_of_the_outcome_table_holds() {
        let rows: &[(u16, LegState, Outcome)] = &[
            (603, IDLE, Outcome::Declined),
            (600, RANG, Outcome::Declined),
            (486, RANG, Outcome::Declined),
            (480, RANG, Outcome::Declined),
            (486, IDLE, Outcome::Busy),
            (486, RANG_ON_CALL, Outcome::Busy),
            (480, IDLE, Outcome::Busy),
            (404, IDLE, Outcome::Refused(1)),
            (410, RANG, Outcome::Refused(1)),
            (484, IDLE, Outcome::Refused(28)),
            (408, IDLE, Outcome::Unreachable),
            (503, IDLE, Outcome::Unreachable),
            (302, IDLE, Outcome::Refused(23)),
            (488, IDLE, Outcome::Refused(88)),
            (500, IDLE, Outcome::Refused(41)),
            (403, IDLE, Outcome::Refused(21)),
        ];
        for (status, leg, expected) in rows {
            assert_eq!(outcome_of(*status, *leg), *expected, "status {status}, {leg:?}");
        }
    }

    #[test]
    fn the_best_outcome_of_a_ring_counts() {
        let order = [
            Outcome::Declined,
            Outcome::NotConfirmed,
            Outcome::NoAnswer,
            Outcome::Busy,
            Outcome::Unreachable,
            Outcome::Refused(1),
            Outcome::Blocked("class".into()),
        ];
        for (at, one) in order.iter().enumerate() {
            for other in &order[at..] {
                assert_eq!(better(one.clone(), other.clone()), *one);
                assert_eq!(better(other.clone(), one.clone()), *one);
            }
        }
    }

    #[test]
    fn a_caller_is_told_by_the_best_outcome_and_never_why_in_the_callees_words() {
        let rows = [
            (Some(Outcome::Declined), 603, "Q.850;cause=21"),
            (Some(Outcome::Busy), 486, "Q.850;cause=17"),
            (Some(Outcome::NoAnswer), 480, "Q.850;cause=19"),
            (Some(Outcome::Unreachable), 480, "Q.850;cause=20"),
            (None, 480, "Q.850;cause=20"),
            (Some(Outcome::Refused(1)), 404, "Q.850;cause=1"),
            (Some(Outcome::Blocked("class".into())), 403, "Q.850;cause=21"),
        ];
        for (best, status, reason) in rows {
            let last = Final::of_outcome(best.as_ref());
            assert_eq!((last.status, last.reason().as_str()), (status, reason), "{best:?}");
        }
    }
}
