//! Session timers, leg by leg (RFC 4028): who refreshes, when, and when a silent dialog is given up.

use std::time::Duration;

use callwright_sip::{Message, Method, Name, Refresher, SessionExpires, Text};

use super::late::LateOffer;
use super::talk::{Side, Talk};
use super::{Call, Purpose, Stage};
use crate::cause;
use crate::record::Cause;
use crate::switchboard::{SUPPORTED, Switchboard};
use crate::time::{Deadline, Timer};

/// The smallest interval we accept, in seconds (RFC 4028 §4).
pub(crate) const MIN_SE_S: u32 = 90;
/// The longest interval that a 422 may make us ask for, in seconds.
pub(crate) const SESSION_MAX_S: u32 = 86_400;

/// The session timer of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Session {
    interval: Duration,
    /// We refresh; else the peer does and we give up when it does not.
    ours: bool,
    /// The peer knows session timers.
    spoken: bool,
    due: Duration,
    why: Timer,
}

impl Session {
    /// For the caller, whose INVITE asks and whose 200 we write (RFC 4028 §9).
    pub(super) fn of_caller(invite: &Message, ours_s: u32, now: Duration) -> Self {
        let asked = invite.session_expires().ok().flatten();
        let spoken = supports_timer(invite);
        let floor_s = invite.min_se().ok().flatten().unwrap_or(MIN_SE_S).max(MIN_SE_S);
        let interval_s = asked.as_ref().map_or(ours_s, |asked| asked.delta.min(ours_s)).max(floor_s);
        let peer_refreshes = spoken && asked.and_then(|asked| asked.refresher) != Some(Refresher::Uas);
        Self::started(interval_s, !peer_refreshes, spoken, now)
    }

    /// For the callee, whose 2xx decides (RFC 4028 §7.2).
    pub(super) fn of_callee(response: &Message, ours_s: u32, now: Duration) -> Self {
        match response.session_expires() {
            Ok(Some(SessionExpires { delta, refresher })) => {
                Self::started(delta.max(MIN_SE_S), refresher != Some(Refresher::Uas), true, now)
            }
            Ok(None) | Err(_) => Self::started(ours_s, true, false, now),
        }
    }

    fn started(interval_s: u32, ours: bool, spoken: bool, now: Duration) -> Self {
        let interval = Duration::from_secs(u64::from(interval_s));
        let mut session = Self { interval, ours, spoken, due: now, why: Timer::Session };
        session.refreshed(now);
        session
    }

    /// The session was refreshed, by whoever does it.
    pub(super) fn refreshed(&mut self, now: Duration) {
        // RFC 4028 §10: the refresher acts at half the interval, the other gives up a third or 32 s before its end.
        let wait = if self.ours {
            self.interval / 2
        } else {
            self.interval - Duration::from_secs(32).min(self.interval / 3)
        };
        self.due = now + wait;
        self.why = Timer::Session;
    }

    /// The peer's own refresh asks again who does it and how often.
    pub(super) fn renegotiated(&mut self, request: &Message, now: Duration) {
        if let Ok(Some(asked)) = request.session_expires() {
            let most = self.interval;
            *self =
                Self::started(asked.delta.max(MIN_SE_S), asked.refresher == Some(Refresher::Uas), true, now);
            self.interval = self.interval.min(most.max(Duration::from_secs(u64::from(MIN_SE_S))));
        }
        self.refreshed(now);
    }

    fn again_at(&mut self, at: Duration) {
        self.due = at;
        self.why = Timer::Glare;
    }

    pub(super) fn deadline(&self) -> Deadline {
        Deadline { at: self.due, why: self.why }
    }

    /// The headers of a 2xx to a request of the peer that speaks of the session.
    pub(super) fn response_headers(&self) -> Vec<(Name, Text)> {
        if !self.spoken {
            return Vec::new();
        }
        let refresher = if self.ours { "uas" } else { "uac" };
        let expires = format!("{};refresher={refresher}", self.interval.as_secs());
        let mut headers = vec![(Name::SessionExpires, Text::from(expires))];
        if !self.ours {
            headers.push((Name::Require, Text::from_static(SUPPORTED)));
        }
        headers
    }

    /// The headers of a request of ours that refreshes.
    pub(super) fn request_headers(&self, request: Message) -> Message {
        if !self.spoken {
            return request;
        }
        let refresher = if self.ours { "uac" } else { "uas" };
        request
            .with(Name::SessionExpires, format!("{};refresher={refresher}", self.interval.as_secs()))
            .with(Name::MinSe, MIN_SE_S.to_string())
            .with(Name::Supported, Text::from_static(SUPPORTED))
    }
}

/// Whether a peer lists the option `timer`.
pub(super) fn supports_timer(message: &Message) -> bool {
    message.option_tags(Name::Supported).iter().any(|tag| tag.eq_ignore_case(SUPPORTED))
}

/// Whether an INVITE asks for an interval below ours: it gets 422 (RFC 4028 §9).
pub(crate) fn interval_too_small(invite: &Message) -> bool {
    supports_timer(invite)
        && matches!(invite.session_expires(), Ok(Some(SessionExpires { delta, .. })) if delta < MIN_SE_S)
}

impl Call {
    /// Refreshes what is due, and gives up what was not refreshed.
    pub(super) fn session_tick(&mut self, board: &mut Switchboard) {
        for side in [Side::Caller, Side::Callee] {
            let Some(talk) = self.talk() else { return };
            let session = talk.peer(side).session;
            if session.due > board.now.mono {
                continue;
            }
            if session.ours {
                self.refresh(board, side);
            } else {
                self.hang_up(board, None, Cause::SessionExpired);
            }
        }
    }

    fn refresh(&mut self, board: &mut Switchboard, side: Side) {
        let now = board.now.mono;
        let retry = now + glare_pause(board, side);
        let Some(talk) = self.talk_mut() else { return };
        if talk.is_busy(side) {
            talk.peer_mut(side).session.again_at(retry);
            return;
        }
        let peer = talk.peer_mut(side);
        peer.session.refreshed(now);
        let by_update = peer.updates;
        if !by_update && peer.sent.is_empty() {
            // A re-INVITE without description would ask for a new offer instead of refreshing.
            return;
        }
        let mut request = peer.dialog.request(if by_update { Method::Update } else { Method::Invite });
        request = peer.session.request_headers(request).with(Name::Contact, board.contact(&peer.flow));
        if !by_update {
            request = request.with_body("application/sdp", peer.sent.clone());
        }
        let flow = peer.flow;
        let tx = self.ask(board, flow, request, Purpose::Refresh(side));
        if let (Some(tx), Some(talk)) = (tx, self.talk_mut()) {
            talk.peer_mut(side).refreshing = Some((tx, by_update));
        }
    }

    /// The answer to our refresh.
    pub(super) fn refresh_response(
        &mut self,
        board: &mut Switchboard,
        side: Side,
        tx: callwright_sip::ClientTx,
        response: &Message,
    ) {
        let status = response.status().unwrap_or(0);
        if status < 200 {
            return;
        }
        let now = board.now.mono;
        let pause = glare_pause(board, side);
        let Some(talk) = self.talk_mut() else {
            acknowledge_orphan(board, tx, status, response);
            return;
        };
        let peer = talk.peer_mut(side);
        let by_update = peer.refreshing.take().is_some_and(|(_, by_update)| by_update);
        match status {
            200..=299 => {
                peer.session.refreshed(now);
                if !by_update {
                    peer.dialog.refresh_target(response);
                    peer.acknowledge(board, tx, response, None);
                }
            }
            491 => peer.session.again_at(now + pause),
            status if cause::ends_dialog(status) => self.hang_up(board, None, Cause::DialogLost),
            _ => {}
        }
    }
}

/// A refresh that is answered after the BYE: its 2xx still gets an ACK, from what it says itself.
fn acknowledge_orphan(
    board: &mut Switchboard,
    tx: callwright_sip::ClientTx,
    status: u16,
    response: &Message,
) {
    tracing::debug!(%tx, status, method = ?response.cseq().map(|cseq| cseq.method), "refresh answered after the end");
    board.clients.remove(&tx);
}

/// How long to wait after glare: 2.1 to 4 s where the Call-ID is ours, else up to 2 s (RFC 3261 §14.1).
pub(super) fn glare_pause(board: &mut Switchboard, side: Side) -> Duration {
    let spread = board.run_seed() % 100;
    match side {
        Side::Callee => Duration::from_millis(2_100 + spread * 19),
        Side::Caller => Duration::from_millis(spread * 20),
    }
}

impl Talk {
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let sessions = [Side::Caller, Side::Callee].map(|side| self.peer(side).session.deadline());
        sessions.into_iter().chain(self.late.as_ref().and_then(LateOffer::deadline)).min()
    }
}

impl Call {
    pub(super) fn talk(&self) -> Option<&Talk> {
        match &self.stage {
            Stage::Talking(talk) => Some(talk),
            Stage::Deciding | Stage::Coding(_) | Stage::Ringing(_) | Stage::Over { .. } => None,
        }
    }

    pub(super) fn talk_mut(&mut self) -> Option<&mut Talk> {
        match &mut self.stage {
            Stage::Talking(talk) => Some(talk),
            Stage::Deciding | Stage::Coding(_) | Stage::Ringing(_) | Stage::Over { .. } => None,
        }
    }
}
