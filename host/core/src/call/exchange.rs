//! A re-INVITE passed from one side to the other: hold, resume, a changed description (RFC 3261 §14).

use callwright_sip::{ClientTx, Flow, Message, Method, Name, ServerTx, Text};

use super::late::LateOffer;
use super::session::interval_too_small;
use super::talk::{Side, Talk};
use super::{Call, Purpose, Served};
use crate::cause;
use crate::record::{Cause, FactKind, Source};
use crate::sdp;
use crate::switchboard::{ALLOW, Switchboard, with_body_of};

/// One offer and answer on its way through us. Both sides are busy until the ACK.
pub(super) struct Exchange {
    from: Side,
    request: Message,
    server: ServerTx,
    client: ClientTx,
    /// The answering side's 2xx has come.
    is_answered: bool,
}

impl Call {
    /// Who sent the offer that is on its way.
    pub(super) fn exchange_from(&self) -> Option<Side> {
        self.talk()?.exchange.as_ref().map(|exchange| exchange.from)
    }

    /// A side sends a re-INVITE.
    pub(super) fn reinvited(&mut self, board: &mut Switchboard, side: Side, flow: Flow, request: Message) {
        if interval_too_small(&request) {
            let response =
                Message::reply(&request, 422).with(Name::MinSe, super::session::MIN_SE_S.to_string());
            board.refuse_for_good(flow, &request, response);
            return;
        }
        let Some(talk) = self.talk() else { return };
        if talk.is_busy(side) || talk.is_busy(side.other()) {
            // Our own offer may be on its way to them: the request pending rule of RFC 3261 §14.2.
            board.refuse_for_good(flow, &request, Message::reply(&request, 491));
            return;
        }
        let Ok(server) = board.sip.accept(board.now.mono, flow, &request) else {
            board.refuse(flow, &request, Message::reply(&request, 503).with(Name::RetryAfter, "1"));
            return;
        };
        if !request.body.is_empty() && sdp::same_origin(&request.body, &talk.peer(side).got) {
            self.refreshed_by(board, side, flow, server, &request);
        } else {
            self.pass_on(board, side, server, request);
        }
    }

    /// An unchanged description only refreshes the session; the other side never hears of it (TELEPHONY T16).
    fn refreshed_by(
        &mut self,
        board: &mut Switchboard,
        side: Side,
        flow: Flow,
        server: ServerTx,
        request: &Message,
    ) {
        let now = board.now.mono;
        let Some(talk) = self.talk_mut() else { return };
        let peer = talk.peer_mut(side);
        peer.dialog.refresh_target(request);
        peer.session.renegotiated(request, now);
        let sent = peer.sent.clone();
        let response =
            self.final_response(board, side, flow, request, 200).with_body("application/sdp", sent);
        self.serve(board, server, Served::Reinvite);
        board.sip.respond(now, server, response);
    }

    fn pass_on(&mut self, board: &mut Switchboard, side: Side, server: ServerTx, request: Message) {
        let other = side.other();
        let Some(talk) = self.talk_mut() else { return };
        talk.peer_mut(side).dialog.refresh_target(&request);
        let peer = talk.peer_mut(other);
        let invite = peer.dialog.request(Method::Invite);
        let invite = peer.session.request_headers(invite).with(Name::Contact, board.contact(&peer.flow));
        let invite = with_body_of(invite, &request).with(Name::Allow, Text::from_static(ALLOW));
        let flow = peer.flow;
        let Some(client) = self.ask(board, flow, invite, Purpose::Exchange) else {
            board.sip.respond(board.now.mono, server, Message::reply(&request, 503));
            return;
        };
        let held = (!request.body.is_empty()).then(|| sdp::is_hold(&request.body));
        if let (Some(held), Some(talk)) = (held, self.talk()) {
            let device = talk.peer(side).device.clone();
            if held != sdp::is_hold(&talk.peer(side).got) {
                self.story.fact(board.now, Source::Device(device), FactKind::Held(held));
            }
        }
        self.serve(board, server, Served::Reinvite);
        if let Some(talk) = self.talk_mut() {
            talk.exchange = Some(Exchange { from: side, request, server, client, is_answered: false });
        }
    }

    /// The other side answers the re-INVITE that was passed on.
    pub(super) fn exchange_response(&mut self, board: &mut Switchboard, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        if status >= 300 {
            self.exchange_failed(board, status);
            return;
        }
        let now = board.now.mono;
        let Some(talk) = self.talk_mut() else { return };
        let Some(mut exchange) = talk.exchange.take() else { return };
        let (from, to) = (exchange.from, exchange.from.other());
        let answering = talk.peer_mut(to);
        answering.dialog.refresh_target(response);
        answering.session.refreshed(now);
        answering.got = response.body.clone();
        if exchange.request.body.is_empty() {
            talk.late = Some(LateOffer::new(board, to, tx, response.clone()));
        } else {
            answering.sent = exchange.request.body.clone();
            answering.acknowledge(board, tx, response, None);
        }
        let asking = talk.peer_mut(from);
        asking.sent = response.body.clone();
        asking.session.renegotiated(&exchange.request, now);
        if !exchange.request.body.is_empty() {
            asking.got = exchange.request.body.clone();
        }
        let flow = asking.flow;
        exchange.is_answered = true;
        let (server, request) = (exchange.server, exchange.request.clone());
        talk.exchange = Some(exchange);
        let back = self.final_response(board, from, flow, &request, 200);
        board.sip.respond(now, server, with_body_of(back, response));
    }

    /// The asking side has the answer; in a late offer its ACK carries the answer onward.
    pub(super) fn exchange_acknowledged(&mut self, board: &mut Switchboard, tx: ServerTx, ack: &Message) {
        self.forget_server(board, tx);
        let Some(talk) = self.talk_mut() else { return };
        if talk.exchange.take_if(|exchange| exchange.server == tx).is_some() {
            self.late_answered(board, ack);
        }
    }

    /// The re-INVITE failed: both legs stay as they were, unless the dialog itself is lost (TELEPHONY T16).
    pub(super) fn exchange_failed(&mut self, board: &mut Switchboard, status: u16) {
        let Some(exchange) = self.talk_mut().and_then(|talk| talk.exchange.take()) else { return };
        board.sip.respond(board.now.mono, exchange.server, Message::reply(&exchange.request, status));
        self.forget_server(board, exchange.server);
        if cause::ends_dialog(status) {
            self.hang_up(board, None, Cause::DialogLost);
        }
    }

    /// The asking side takes its re-INVITE back.
    pub(super) fn exchange_cancelled(&mut self, board: &mut Switchboard, tx: ServerTx) {
        let Some(exchange) = self.talk().and_then(|talk| talk.exchange.as_ref()) else { return };
        if exchange.server == tx {
            // The other side's 487 comes back as the re-INVITE's failure.
            board.sip.cancel(board.now.mono, exchange.client, None);
        }
    }

    /// The conversation is over while a re-INVITE is on its way.
    pub(super) fn exchange_over(&mut self, board: &mut Switchboard, talk: &mut Talk) {
        let Some(exchange) = talk.exchange.take() else { return };
        if !exchange.is_answered {
            board.sip.cancel(board.now.mono, exchange.client, None);
            board.sip.respond(board.now.mono, exchange.server, Message::reply(&exchange.request, 487));
        }
        self.forget_server(board, exchange.server);
    }

    fn final_response(
        &self,
        board: &Switchboard,
        side: Side,
        flow: Flow,
        request: &Message,
        status: u16,
    ) -> Message {
        let mut response = Message::reply(request, status)
            .with(Name::Contact, board.contact(&flow))
            .with(Name::Allow, Text::from_static(ALLOW));
        if let Some(talk) = self.talk() {
            for (name, value) in talk.peer(side).session.response_headers() {
                response = response.with(name, value);
            }
        }
        response
    }
}
