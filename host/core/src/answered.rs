//! INVITEs of ours that were answered: until 64·T1 are over another phone behind one may answer too (RFC 3261 §13.2.2.4).
//!
//! They belong to no call, so that a call can be forgotten when it is over.

use callwright_sip::{ClientTx, Dialog, Message, Method, Name, Text};

use crate::sdp;
use crate::switchboard::Switchboard;

/// An INVITE that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// The Reason that whoever answers too late is told.
    pub(crate) reason: Option<&'static str>,
}

impl Answered {
    /// Another phone has answered: it is ended politely.
    pub(crate) fn again(self, board: &mut Switchboard, tx: ClientTx, response: &Message) {
        let Some((flow, invite)) = board.sip.invite(tx) else { return };
        if let Some(bye) = acknowledge_and_end(board, tx, &invite, response, self.reason) {
            // Nobody waits for its answer; where there is no place for it, that phone asks itself at the end of a session.
            let _full = board.sip.request(board.now.mono, flow, bye);
        }
    }
}

/// Acknowledges a 2xx that nobody wants, without media; the BYE that is to follow. `None` where the response has no tag, and so no
/// dialog to end; one without a usable Contact is answered where the INVITE went, or it would come again for 32 s.
pub(crate) fn acknowledge_and_end(
    board: &mut Switchboard,
    tx: ClientTx,
    invite: &Message,
    response: &Message,
    reason: Option<&'static str>,
) -> Option<Message> {
    let dialog = Dialog::of_uac(invite, response);
    let mut dialog = dialog.or_else(|_| Dialog::of_uac_without_contact(invite, response)).ok()?;
    let (cseq, tag) = (response.cseq().ok()?, response.tag_of_to()?);
    let mut ack = dialog.ack(cseq.seq);
    if invite.body.is_empty() && !response.body.is_empty() {
        ack = ack.with_body("application/sdp", sdp::refuse_all(&response.body));
    }
    board.sip.acknowledge(board.now.mono, tx, &tag, ack);
    let bye = dialog.request(Method::Bye);
    Some(match reason {
        Some(reason) => bye.with(Name::Reason, Text::from_static(reason)),
        None => bye,
    })
}
