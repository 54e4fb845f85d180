//! An offer that comes in a 2xx: the ACK with its answer waits for the other side's ACK (TELEPHONY T3).

use std::time::Duration;

use callwright_sip::{ClientTx, Message, Method};

use super::Call;
use super::talk::{Side, Talk};
use crate::record::Cause;
use crate::sdp;
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Timer};

/// After so many T1 nobody waits for the answer any more. Who sent the 2xx gives up after 64 of them (RFC 3261 §13.3.1.4),
/// and must have an ACK before: two round trips are kept for that.
const PATIENCE_T1: u32 = 62;

/// A 2xx with an offer that is not answered yet.
pub(super) struct LateOffer {
    /// Who offers.
    from: Side,
    tx: ClientTx,
    response: Message,
    until: Duration,
    /// It has its ACK, without media: the other side was silent for too long.
    is_refused: bool,
}

impl LateOffer {
    /// The offer in a 2xx that came just now.
    pub(super) fn new(board: &Switchboard, from: Side, tx: ClientTx, response: Message) -> Self {
        let until = board.now.mono + board.sip.settings().t1 * PATIENCE_T1;
        Self { from, tx, response, until, is_refused: false }
    }

    pub(super) fn deadline(&self) -> Option<Deadline> {
        (!self.is_refused).then_some(Deadline { at: self.until, why: Timer::LateOffer })
    }
}

impl Talk {
    /// ACKs a late offer without any media, where it has no ACK yet.
    pub(super) fn refuse_late(&mut self, board: &mut Switchboard) {
        let Some(late) = self.late.take_if(|late| !late.is_refused) else { return };
        let refusal = Message::request(Method::Ack, "")
            .with_body("application/sdp", sdp::refuse_all(&late.response.body));
        self.peer_mut(late.from).acknowledge(board, late.tx, &late.response, Some(&refusal));
        self.late = Some(LateOffer { is_refused: true, ..late });
    }
}

impl Call {
    /// The other side's ACK has come, with the answer for the side that offered.
    pub(super) fn late_answered(&mut self, board: &mut Switchboard, ack: &Message) {
        let Some(talk) = self.talk_mut() else { return };
        let Some(late) = talk.late.take() else { return };
        if late.is_refused {
            self.hang_up(board, None, Cause::NeverAcknowledged);
            return;
        }
        talk.peer_mut(late.from.other()).got = ack.body.clone();
        let offering = talk.peer_mut(late.from);
        offering.sent = ack.body.clone();
        offering.acknowledge(board, late.tx, &late.response, Some(ack));
    }

    /// Lets nobody wait for an ACK until they give up. The call itself ends when the other side's time is over, too: there is
    /// no BYE to who has not acknowledged yet (RFC 3261 §15).
    pub(super) fn late_tick(&mut self, board: &mut Switchboard) {
        let now = board.now.mono;
        let Some(talk) = self.talk_mut() else { return };
        let deadline = talk.late.as_ref().and_then(LateOffer::deadline);
        if deadline.is_some_and(|deadline| deadline.at <= now) {
            talk.refuse_late(board);
        }
    }
}
