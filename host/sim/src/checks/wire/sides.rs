//! What is known of a caller and of a leg.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_core::Now;
use callwright_core::names::Extension;
use callwright_sip::Flow;

use crate::checks::Owner;

/// The caller's side of a call.
pub(in crate::checks) struct CallerSide {
    /// Whose phone calls.
    pub(in crate::checks) owner: Owner,
    /// The session's name across the switch.
    pub(super) session: String,
    /// CSeq of the last first INVITE.
    pub(super) cseq: u32,
    /// When that came.
    pub(in crate::checks) began: Now,
    /// That was when the switch took no new call any more.
    pub(super) is_late: bool,
    /// When its 2xx was sent.
    pub(in crate::checks) answered: Option<Now>,
    /// When it was over: its refusal, or the first BYE.
    pub(in crate::checks) over: Option<Now>,
    /// The final status it got.
    pub(in crate::checks) status: u16,
    /// A status that refused the request as such.
    pub(in crate::checks) refused_as_request: Option<u16>,
    /// A copy of the INVITE came after it was refused so.
    pub(super) is_judged_again: bool,
    /// It sent a CANCEL.
    pub(super) is_gone: bool,
    /// Leg and To tag that it was joined with.
    pub(super) winner: Option<(String, String)>,
    /// Records that were written of it.
    pub(in crate::checks) records: u32,
}

impl CallerSide {
    pub(super) fn new(owner: Owner, session: String, began: Now) -> Self {
        Self {
            owner,
            session,
            cseq: 0,
            began,
            is_late: false,
            answered: None,
            over: None,
            status: 0,
            refused_as_request: None,
            is_judged_again: false,
            is_gone: false,
            winner: None,
            records: 0,
        }
    }

    /// Nobody else may be rung for it any more.
    pub(super) fn is_decided(&self) -> bool {
        self.answered.is_some() || self.over.is_some()
    }

    pub(super) fn is_winner(&self, leg: &str, tag: &str) -> bool {
        self.winner.as_ref().is_some_and(|(won, of)| won == leg && of == tag)
    }
}

/// One INVITE of the switch.
pub(super) struct LegSide {
    /// The caller's Call-ID.
    pub(super) call: String,
    pub(super) session: String,
    pub(super) device: Extension,
    pub(super) flow: Flow,
    /// Its way was reported dead while nothing was decided: what still comes from there belongs to nobody.
    pub(super) is_lost: bool,
    pub(super) cseq: u32,
    /// A provisional came: from now on it can be cancelled (RFC 3261 §9.1).
    pub(super) is_proceeding: bool,
    pub(super) rings: bool,
    /// A final response other than 2xx.
    pub(super) refused: Option<u16>,
    /// A CANCEL went out; whether it told of another's answer.
    pub(super) cancelled: Option<bool>,
    /// When the switch gives it up: 64*T1 after its INVITE while nothing was heard of it (RFC 3261 §17.1.1.2), 64*T1
    /// after its CANCEL (TELEPHONY T7).
    pub(super) dropped_at: Option<Duration>,
    /// Its 2xx by To tag.
    pub(super) answers: BTreeMap<String, Answer>,
}

impl LegSide {
    pub(super) fn new(call: String, session: String, device: Extension, flow: Flow, cseq: u32) -> Self {
        Self {
            call,
            session,
            device,
            flow,
            is_lost: false,
            cseq,
            is_proceeding: false,
            rings: false,
            refused: None,
            cancelled: None,
            dropped_at: None,
            answers: BTreeMap::new(),
        }
    }

    /// Whether it could be cancelled, and is not.
    pub(super) fn is_open(&self) -> bool {
        self.is_proceeding
            && !self.is_lost
            && self.refused.is_none()
            && self.cancelled.is_none()
            && self.answers.is_empty()
    }
}

/// One 2xx of a leg.
#[derive(Default)]
pub(super) struct Answer {
    pub(super) is_acknowledged: bool,
    pub(super) is_over: bool,
}
