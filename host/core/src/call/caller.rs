//! The caller's leg until it is answered or refused: what the caller hears about the phones that ring.

use std::time::Duration;

use bytes::Bytes;
use callwright_sip::{Dialog, DialogKey, Flow, Message, Name, ServerTx, Text};
use tracing::Span;

use super::Call;
use crate::cause::Final;
use crate::config::EarlyDialogs;
use crate::names::Extension;
use crate::record::Disposition;
use crate::sdp;
use crate::spans;
use crate::switchboard::{ALLOW, SERVER, SUPPORTED, Switchboard, with_body_of, with_to_tag};
use crate::time::{Deadline, Timer};

/// An unanswered caller hears something at least this often (RFC 3261 §13.3.1.1).
const PROVISIONAL_EVERY: Duration = Duration::from_secs(60);

/// Hops of a caller that names none (RFC 3261 §20.22).
const HOPS: u8 = 70;

/// The caller's leg.
pub(crate) struct Caller {
    pub(super) tx: ServerTx,
    pub(super) invite: Message,
    pub(super) flow: Flow,
    pub(super) device: Extension,
    /// Hops that are left for the callees' INVITEs (RFC 7332 §4).
    pub(super) hops: u8,
    early_dialogs: EarlyDialogs,
    /// The tag of every response where the phone follows one early dialog only, of a 182 and of a refusal.
    own_tag: Text,
    last: Option<Message>,
    last_at: Duration,
    pub(super) span: Span,
}

impl Caller {
    pub(crate) fn new(
        board: &mut Switchboard,
        tx: ServerTx,
        flow: Flow,
        invite: Message,
        device: Extension,
        early_dialogs: EarlyDialogs,
        call: &Span,
    ) -> Self {
        let own_tag = board.sip.mint();
        let hops = invite.max_forwards().ok().flatten().unwrap_or(HOPS);
        let span = spans::leg(call, "caller");
        Self {
            tx,
            invite,
            flow,
            device,
            hops,
            early_dialogs,
            own_tag,
            last: None,
            last_at: board.now.mono,
            span,
        }
    }

    /// Whether the caller sent no offer, so that the callee's 200 carries it (RFC 3261 §13.2.1).
    pub(super) fn offers_late(&self) -> bool {
        self.invite.body.is_empty()
    }

    /// The To tag of a new callee leg towards the caller (TELEPHONY T1).
    pub(super) fn tag_for_leg(&self, board: &mut Switchboard) -> Text {
        match self.early_dialogs {
            EarlyDialogs::PerLeg => board.sip.mint(),
            EarlyDialogs::One => self.own_tag.clone(),
        }
    }

    /// The early dialog with the caller that a response with this tag makes (RFC 3261 §12.1.1).
    pub(super) fn early_dialog(&self, tag: &Text) -> Option<DialogKey> {
        Some(DialogKey {
            call_id: self.invite.call_id().ok()?.detached(),
            local_tag: tag.detached(),
            remote_tag: self.invite.tag_of_from().unwrap_or_default().detached(),
        })
    }

    /// Passes a leg's 18x on, as early dialog of its own; with its description only where nothing else can follow.
    pub(super) fn ringing(
        &mut self,
        board: &mut Switchboard,
        tag: &Text,
        leg: &Message,
        with_description: bool,
    ) {
        let with_description =
            with_description && self.early_dialogs == EarlyDialogs::PerLeg && !leg.body.is_empty();
        let status = if with_description { leg.status().unwrap_or(180) } else { 180 };
        if self.early_dialogs == EarlyDialogs::One && self.last.is_some() {
            return;
        }
        let mut response = self.response(board, status, tag);
        if with_description {
            response = with_body_of(response, leg);
        }
        self.last = Some(response.clone());
        self.last_at = board.now.mono;
        board.sip.respond(board.now.mono, self.tx, response);
    }

    /// Keeps everyone upstream from giving up: the last 18x again, or a 182 while nothing rings (TELEPHONY T8).
    pub(super) fn repeat_provisional(&mut self, board: &mut Switchboard) {
        let again = match &self.last {
            Some(last) => last.clone(),
            None => {
                let tag = self.own_tag.clone();
                self.response(board, 182, &tag)
            }
        };
        self.last_at = board.now.mono;
        board.sip.respond(board.now.mono, self.tx, again);
    }

    pub(super) fn provisional_due(&self) -> Deadline {
        Deadline { at: self.last_at + PROVISIONAL_EVERY, why: Timer::Provisional }
    }

    /// The 200, with the winner's description and none of its headers (TELEPHONY T23). Returns the description.
    pub(super) fn answer(
        &mut self,
        board: &mut Switchboard,
        tag: &Text,
        winner: &Message,
        session: Vec<(Name, Text)>,
    ) -> Bytes {
        let mut response = self.response(board, 200, tag);
        for (name, value) in session {
            response = response.with(name, value);
        }
        response = with_body_of(response, winner);
        self.last = None;
        let description = response.body.clone();
        board.sip.respond(board.now.mono, self.tx, response);
        description
    }

    /// The dialog in which nobody but the switch answers.
    pub(super) fn own_dialog(&self) -> Result<Dialog, ()> {
        Dialog::of_uas(&self.invite, &self.own_tag).map_err(|_| ())
    }

    /// The 200 to a code, with media that nobody hears; phones show who answered.
    pub(super) fn answer_code(&mut self, board: &mut Switchboard, said: &str) {
        let tag = self.own_tag.clone();
        let shown: String =
            said.chars().filter(|letter| !letter.is_control() && !"\"\\".contains(*letter)).collect();
        let identity = format!("\"{shown}\" <sip:{}>", board.sip.settings().host);
        let response = self
            .response(board, 200, &tag)
            .with(Name::Other("P-Asserted-Identity".into()), identity)
            .with_body(Text::from_static("application/sdp"), sdp::inactive(&self.invite.body));
        self.last = None;
        board.sip.respond(board.now.mono, self.tx, response);
    }

    pub(super) fn reject(&mut self, board: &mut Switchboard, last: &Final) {
        let response = Message::reply(&self.invite, last.status)
            .with(Name::Reason, last.reason())
            .with(Name::Server, Text::from_static(SERVER));
        let response = match last.status {
            503 => response.with(Name::RetryAfter, "10"),
            _ => response,
        };
        board.sip.respond(board.now.mono, self.tx, with_to_tag(response, &self.own_tag));
    }

    fn response(&self, board: &Switchboard, status: u16, tag: &Text) -> Message {
        let response = with_to_tag(Message::reply(&self.invite, status), tag)
            .with(Name::Contact, board.contact(&self.flow))
            .with(Name::Allow, Text::from_static(ALLOW))
            .with(Name::Supported, Text::from_static(SUPPORTED))
            .with(Name::Server, Text::from_static(SERVER));
        match self.invite.headers.get(&Name::SessionId) {
            Some(session) => response.with(Name::SessionId, session.clone()),
            None => response,
        }
    }

    /// What the caller offered; empty when the offer comes late.
    pub(super) fn description(&self) -> Bytes {
        self.invite.body.clone()
    }
}

impl Call {
    /// Says something to a caller who waits.
    pub(super) fn caller_tick(&mut self, board: &mut Switchboard) {
        if self.caller.provisional_due().at > board.now.mono {
            return;
        }
        if self.caller.last.is_none() {
            let tag = self.caller.own_tag.clone();
            self.index_early(board, &tag);
        }
        self.caller.repeat_provisional(board);
    }

    /// Lets the caller's requests within an early dialog find the call.
    pub(super) fn index_early(&mut self, board: &mut Switchboard, tag: &Text) {
        if let Some(key) = self.caller.early_dialog(tag) {
            self.index(board, key);
        }
    }

    /// The caller hangs up in an early dialog (RFC 3261 §15): what a CANCEL does.
    // deviation: other early dialogs end with it, because a person hangs up a call and not one of its branches.
    pub(super) fn early_bye(&mut self, board: &mut Switchboard, flow: Flow, bye: &Message) {
        let seq = |message: &Message| message.cseq().map_or(0, |cseq| cseq.seq);
        if seq(bye) <= seq(&self.caller.invite) {
            // RFC 3261 §12.2.2.
            board.refuse_for_good(flow, bye, Message::reply(bye, 500));
            return;
        }
        board.refuse_for_good(flow, bye, Message::reply(bye, 200));
        self.reject(board, &Final::caller_cancelled(), Disposition::CallerGone);
    }
}
