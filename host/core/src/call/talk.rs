//! Two people talk: requests of one side are passed to the other, and a BYE of either ends the call.

use bytes::Bytes;
use callwright_sip::{ClientTx, Dialog, Flow, Message, Method, Name, ServerTx, Text};
use tracing::Span;

use super::exchange::Exchange;
use super::late::LateOffer;
use super::session::Session;
use super::{Call, Purpose, Stage};
use crate::names::Extension;
use crate::record::Cause;
use crate::rule::AnsweredBy;
use crate::spans;
use crate::switchboard::{ALLOW, SERVER, Switchboard, not_allowed, with_body_of};
use crate::time::Now;

/// Requests of a call that are passed on at once, other than INVITE.
const RELAYS_MAX: u32 = 8;

/// One of the two parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// Who called.
    Caller,
    /// Who answered.
    Callee,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// A conversation.
pub(super) struct Talk {
    pub(super) since: Now,
    pub(super) caller: Peer,
    pub(super) callee: Peer,
    pub(super) answered: AnsweredBy,
    pub(super) late: Option<LateOffer>,
    pub(super) exchange: Option<Exchange>,
    pub(super) relays: u32,
}

/// Our dialog with one of them.
pub(super) struct Peer {
    pub(super) dialog: Dialog,
    pub(super) flow: Flow,
    pub(super) device: Extension,
    pub(super) span: Span,
    /// The last description we sent them.
    pub(super) sent: Bytes,
    /// The last they sent us.
    pub(super) got: Bytes,
    /// They allow UPDATE (RFC 3311).
    pub(super) updates: bool,
    pub(super) session: Session,
    /// Our refresh on its way, and whether it is an UPDATE.
    pub(super) refreshing: Option<(ClientTx, bool)>,
}

impl Peer {
    /// ACKs a 2xx of theirs, with the description of the other side's ACK where there is one.
    pub(super) fn acknowledge(
        &mut self,
        board: &mut Switchboard,
        tx: ClientTx,
        response: &Message,
        ack: Option<&Message>,
    ) {
        let (Ok(cseq), Some(tag)) = (response.cseq(), response.tag_of_to()) else { return };
        let mut ours = self.dialog.ack(cseq.seq);
        if let Some(ack) = ack {
            ours = with_body_of(ours, ack);
        }
        board.sip.acknowledge(board.now.mono, tx, &tag, ours);
    }
}

impl Talk {
    pub(super) fn peer(&self, side: Side) -> &Peer {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    pub(super) fn peer_mut(&mut self, side: Side) -> &mut Peer {
        match side {
            Side::Caller => &mut self.caller,
            Side::Callee => &mut self.callee,
        }
    }

    /// Whether an offer is on its way to or from that side (RFC 3261 §14.1).
    pub(super) fn is_busy(&self, side: Side) -> bool {
        let refreshing = matches!(self.peer(side).refreshing, Some((_, false)));
        self.exchange.is_some() || self.late.is_some() || refreshing
    }

    /// Whose dialog a request belongs to.
    fn side_of(&self, request: &Message) -> Option<Side> {
        let tag = request.tag_of_to()?;
        [Side::Caller, Side::Callee].into_iter().find(|side| *self.peer(*side).dialog.local_tag() == tag)
    }
}

impl Call {
    /// The span of a side's leg.
    pub(super) fn peer_span(&self, side: Side) -> Span {
        self.talk().map_or_else(Span::none, |talk| talk.peer(side).span.clone())
    }

    /// A request within one of our dialogs.
    pub(crate) fn in_dialog(&mut self, board: &mut Switchboard, flow: Flow, request: Message) {
        if matches!(self.stage, Stage::Over { .. }) && request.method() == Some(&Method::Bye) {
            // Their BYE crossed ours: the dialog ends for both (RFC 3261 §15.1.2).
            board.refuse_for_good(flow, &request, Message::reply(&request, 200));
            return;
        }
        if self.is_unanswered() && request.method() == Some(&Method::Bye) {
            self.early_bye(board, flow, &request);
            return;
        }
        if matches!(self.stage, Stage::Coding(_)) {
            self.in_code_dialog(board, flow, &request);
            return;
        }
        let Some((side, order)) = self.talk_mut().and_then(|talk| {
            let side = talk.side_of(&request)?;
            let peer = talk.peer_mut(side);
            let order = peer.dialog.received(&request).is_ok();
            if order {
                // The flow a peer speaks from is the flow it is spoken to (TELEPHONY T6); what was said before and is
                // said again from elsewhere moves nobody.
                peer.flow = flow;
            }
            Some((side, order))
        }) else {
            board.refuse_for_good(flow, &request, Message::reply(&request, 481));
            return;
        };
        let method = request.method().cloned().unwrap_or(Method::Options);
        let _leg = self.peer_span(side).entered();
        let _tx = spans::request(&method).entered();
        if !order {
            // RFC 3261 §12.2.2.
            board.refuse_for_good(flow, &request, Message::reply(&request, 500));
            return;
        }
        match method {
            Method::Invite => self.reinvited(board, side, flow, request),
            Method::Bye => self.bye(board, side, flow, &request),
            Method::Update if request.body.is_empty() => self.updated(board, side, flow, &request),
            Method::Update | Method::Info | Method::Message => self.relay(board, side, flow, request),
            Method::Options => {
                let response = Message::reply(&request, 200).with(Name::Allow, Text::from_static(ALLOW));
                board.refuse_for_good(flow, &request, response);
            }
            Method::Ack
            | Method::Cancel
            | Method::Register
            | Method::Prack
            | Method::Subscribe
            | Method::Notify
            | Method::Publish
            | Method::Refer
            | Method::Other(_) => board.refuse_for_good(flow, &request, not_allowed(&request)),
        }
    }

    fn bye(&mut self, board: &mut Switchboard, side: Side, flow: Flow, request: &Message) {
        if let Ok(tx) = board.sip.accept(board.now.mono, flow, request) {
            let response = Message::reply(request, 200).with(Name::Server, Text::from_static(SERVER));
            board.sip.respond(board.now.mono, tx, response);
        }
        let cause = match side {
            Side::Caller => Cause::CallerHungUp,
            Side::Callee => Cause::CalleeHungUp,
        };
        self.hang_up(board, Some(side), cause);
    }

    /// An UPDATE without description only refreshes the session, and is answered here (TELEPHONY T16).
    fn updated(&mut self, board: &mut Switchboard, side: Side, flow: Flow, request: &Message) {
        let now = board.now.mono;
        let Some(talk) = self.talk_mut() else { return };
        let peer = talk.peer_mut(side);
        peer.dialog.refresh_target(request);
        peer.session.renegotiated(request, now);
        let headers = peer.session.response_headers();
        let mut response = Message::reply(request, 200).with(Name::Contact, board.contact(&flow));
        for (name, value) in headers {
            response = response.with(name, value);
        }
        if let Ok(tx) = board.sip.accept(now, flow, request) {
            board.sip.respond(now, tx, response);
        }
    }

    /// Passes a request other than INVITE on, body and all.
    fn relay(&mut self, board: &mut Switchboard, side: Side, flow: Flow, request: Message) {
        let other = side.other();
        let offers = request.method() == Some(&Method::Update);
        if offers && self.talk().is_some_and(|talk| talk.is_busy(side) || talk.is_busy(other)) {
            board.refuse_for_good(flow, &request, Message::reply(&request, 491));
            return;
        }
        let Some(talk) = self.talk_mut().filter(|talk| talk.relays < RELAYS_MAX) else {
            board.refuse_for_good(flow, &request, Message::reply(&request, 503).with(Name::RetryAfter, "1"));
            return;
        };
        let peer = talk.peer_mut(other);
        let method = request.method().cloned().unwrap_or(Method::Info);
        let onward = with_body_of(peer.dialog.request(method), &request)
            .with(Name::Contact, board.contact(&peer.flow));
        let onward_flow = peer.flow;
        let Ok(server) = board.sip.accept(board.now.mono, flow, &request) else {
            board.refuse_for_good(flow, &request, Message::reply(&request, 503).with(Name::RetryAfter, "1"));
            return;
        };
        if self.ask(board, onward_flow, onward, Purpose::Relay(server, side)).is_none() {
            board.sip.respond(board.now.mono, server, Message::reply(&request, 503));
            return;
        }
        if let Some(talk) = self.talk_mut() {
            talk.relays += 1;
        }
        self.waiting.insert(server, request);
    }

    /// The other side's answer to a request that was passed on; only status and body cross (TELEPHONY T23).
    pub(super) fn relay_response(
        &mut self,
        board: &mut Switchboard,
        server: ServerTx,
        side: Side,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(500);
        if status < 200 {
            return;
        }
        if let Some(request) = self.waiting.remove(&server) {
            if (200..300).contains(&status) && request.method() == Some(&Method::Update) {
                self.described(side, &request, response);
            }
            let back = with_body_of(Message::reply(&request, status), response);
            board.sip.respond(board.now.mono, server, back);
        }
        if let Some(talk) = self.talk_mut() {
            talk.relays = talk.relays.saturating_sub(1);
            tracing::debug!(?side, status, "request passed on");
        }
        if crate::cause::ends_dialog(status) {
            self.hang_up(board, None, Cause::DialogLost);
        }
    }

    /// An UPDATE has changed what the two sides know of each other's media.
    fn described(&mut self, from: Side, offer: &Message, answer: &Message) {
        let Some(talk) = self.talk_mut() else { return };
        let asking = talk.peer_mut(from);
        (asking.got, asking.sent) = (offer.body.clone(), answer.body.clone());
        let answering = talk.peer_mut(from.other());
        (answering.got, answering.sent) = (answer.body.clone(), offer.body.clone());
    }

    /// Ends a conversation: BYE to everyone but the side that said it.
    pub(super) fn hang_up(&mut self, board: &mut Switchboard, by: Option<Side>, cause: Cause) {
        let record_by = board.now.mono;
        if !matches!(self.stage, Stage::Talking(_)) {
            return;
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Over { record_by, recorded: false });
        let Stage::Talking(mut talk) = stage else { return };
        self.exchange_over(board, &mut talk);
        talk.refuse_late(board);
        for side in [Side::Caller, Side::Callee] {
            let peer = talk.peer_mut(side);
            let (flow, device) = (peer.flow, self.device_key(&peer.device));
            if by != Some(side) {
                let bye = talk.peer_mut(side).dialog.request(Method::Bye);
                self.ask(board, flow, bye, Purpose::Farewell);
            }
            board.change_activity(&device, |activity| activity.talking = activity.talking.saturating_sub(1));
        }
        for (server, request) in std::mem::take(&mut self.waiting) {
            board.sip.respond(board.now.mono, server, Message::reply(&request, 481));
        }
        self.story.hung_up(cause);
        self.over(board);
    }
}

/// Whether a peer lists UPDATE (RFC 3311 §5.1).
pub(super) fn allows_update(message: &Message) -> bool {
    message.option_tags(Name::Allow).iter().any(|method| method.eq_ignore_case("UPDATE"))
}
