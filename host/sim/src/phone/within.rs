//! Requests within a call: hold, resume, refresh, glare, BYE.

use std::time::Duration;

use callwright_sip::{Flow, Message, Method, Name, Refresher};

use super::callee::reason_text;
use super::line::{Change, Line, LineId, State, Talking};
use super::sdp::{self, Direction};
use super::seen::Sighting;
use super::{Phone, Purpose, Wake};

impl Phone {
    pub(super) fn requested_within(&mut self, now: Duration, flow: Flow, request: &Message) {
        let Some(id) = self.line_of(request) else {
            self.reply(now, flow, request, 481);
            return;
        };
        match request.method() {
            Some(Method::Bye) => {
                self.reply(now, flow, request, 200);
                self.with(id, |phone, line| {
                    phone.note(now, Some(&line), Sighting::Released { reason: reason_text(request) });
                    phone.answering.retain(|_, answering| *answering != id);
                    None
                });
            }
            Some(Method::Invite | Method::Update) => {
                self.with(id, |phone, line| phone.change_asked(now, flow, line, request));
            }
            Some(Method::Options | Method::Info | Method::Notify | Method::Message) => {
                self.reply(now, flow, request, 200);
            }
            Some(_) => self.reply(now, flow, request, 501),
            None => {}
        }
    }

    /// The established call that a request belongs to: same Call-ID and tags (RFC 3261 §12.2.2).
    pub(super) fn line_of(&self, request: &Message) -> Option<LineId> {
        let (call_id, from, to) =
            (request.call_id().ok()?, request.from().ok()?.tag()?, request.to().ok()?.tag()?);
        let found = self.lines.iter().find(|(_, line)| match &line.state {
            State::Talking(talking) => {
                let key = talking.dialog.key();
                key.call_id == call_id && key.local_tag == to && key.remote_tag == from
            }
            State::Calling(_) | State::Ringing(_) | State::Gone => false,
        });
        found.map(|(id, _)| *id)
    }

    /// A re-INVITE or UPDATE of the other side.
    fn change_asked(&mut self, now: Duration, flow: Flow, mut line: Line, request: &Message) -> Option<Line> {
        let State::Talking(talking) = &mut line.state else { return Some(line) };
        if talking.dialog.received(request).is_err() {
            self.reply(now, flow, request, 500);
            return Some(line);
        }
        // One at a time: whose own is pending refuses the other's (RFC 3261 §14.2).
        if talking.change.as_ref().is_some_and(|change| change.tx.is_some()) {
            self.reply(now, flow, request, 491);
            return Some(line);
        }
        talking.dialog.refresh_target(request);
        let was_held = talking.is_held;
        if !request.body.is_empty() {
            line.ours.direction = sdp::answering(&request.body);
            talking.is_held = line.ours.direction == Direction::Receiving;
            if let Some(owner) = sdp::owner_of(&request.body) {
                talking.hears = Some(owner);
            }
        }
        let is_held = talking.is_held;
        let answers = request.method() == Some(&Method::Invite) || !request.body.is_empty();
        let mut response = self.dressed(Message::reply(request, 200));
        if answers {
            line.ours.version += 1;
            response = response.with_body("application/sdp", line.ours.print(self.settings.local));
        }
        if let Ok(Some(session)) = request.session_expires() {
            response = response.with(Name::SessionExpires, format!("{};refresher=uac", session.delta));
        }
        if let Ok(tx) = self.endpoint.accept(now, flow, request) {
            self.endpoint.respond(now, tx, response);
        }
        match (was_held, is_held) {
            (false, true) => self.note(now, Some(&line), Sighting::Held),
            (true, false) => self.note(now, Some(&line), Sighting::Resumed),
            (true, true) | (false, false) => {}
        }
        Some(line)
    }

    /// Holds or resumes.
    pub(super) fn change(
        &mut self,
        now: Duration,
        id: LineId,
        mut line: Line,
        wanted: Direction,
    ) -> Option<Line> {
        let State::Talking(talking) = &mut line.state else { return Some(line) };
        if talking.change.is_some() {
            return Some(line);
        }
        line.ours.direction = wanted;
        line.ours.version += 1;
        self.send_change(now, id, line, wanted)
    }

    /// Refreshes the session by a re-INVITE that changes nothing: same origin line, same version (RFC 4028 §7.4).
    pub(super) fn refresh(&mut self, now: Duration, id: LineId, line: Line) -> Option<Line> {
        match &line.state {
            State::Talking(talking) if talking.change.is_none() => {
                let direction = line.ours.direction;
                self.send_change(now, id, line, direction)
            }
            State::Talking(_) | State::Calling(_) | State::Ringing(_) | State::Gone => Some(line),
        }
    }

    /// The wake-up of a refresh; one that was overtaken does nothing.
    pub(super) fn refresh_when_due(&mut self, now: Duration, id: LineId, line: Line) -> Option<Line> {
        if self.refreshes.get(&id).is_some_and(|due| *due <= now) {
            self.refreshes.remove(&id);
            return self.refresh(now, id, line);
        }
        Some(line)
    }

    /// Tries a change again that met one of the other side.
    pub(super) fn change_again(&mut self, now: Duration, id: LineId, mut line: Line) -> Option<Line> {
        let wanted = match &mut line.state {
            State::Talking(talking) => talking.change.take().map(|change| change.wanted),
            State::Calling(_) | State::Ringing(_) | State::Gone => None,
        };
        match wanted {
            Some(wanted) => {
                line.ours.direction = wanted;
                line.ours.version += 1;
                self.send_change(now, id, line, wanted)
            }
            None => Some(line),
        }
    }

    fn send_change(&mut self, now: Duration, id: LineId, mut line: Line, wanted: Direction) -> Option<Line> {
        let State::Talking(talking) = &mut line.state else { return Some(line) };
        let request = talking.dialog.request(Method::Invite);
        let cseq = request.cseq().ok()?.seq;
        let mut request = self
            .dressed(request)
            .with(Name::Supported, "timer")
            .with_body("application/sdp", line.ours.print(self.settings.local));
        self.account.sign(&mut request);
        let tx = self.send(now, Purpose::Change(id), request);
        if let State::Talking(talking) = &mut line.state {
            talking.change = Some(Change { tx, cseq, wanted });
        }
        Some(line)
    }

    /// The other side's response to our re-INVITE.
    pub(super) fn changed(
        &mut self,
        now: Duration,
        id: LineId,
        mut line: Line,
        response: &Message,
    ) -> Option<Line> {
        let State::Talking(talking) = &mut line.state else { return Some(line) };
        let Some(Change { tx: Some(tx), cseq, wanted }) = talking.change.take() else { return Some(line) };
        match response.status().unwrap_or(0) {
            0..=199 => {
                talking.change = Some(Change { tx: Some(tx), cseq, wanted });
            }
            200..=299 => {
                talking.dialog.refresh_target(response);
                let ack = talking.dialog.ack(cseq);
                let tag = talking.dialog.key().remote_tag;
                self.endpoint.acknowledge(now, tx, &tag, ack);
                self.keep_session(now, id, response, Refresher::Uac);
            }
            401 | 407 if self.account.challenged(response) => return self.send_change(now, id, line, wanted),
            408 | 481 => return self.hang_up(now, id, line),
            491 => {
                // Who owns the Call-ID waits longer (RFC 3261 §14.1).
                let wait = self.glare_wait(talking);
                talking.change = Some(Change { tx: None, cseq, wanted });
                self.note(now, Some(&line), Sighting::Glare);
                self.agenda.push(now + wait, Wake::ChangeAgain(id));
            }
            300.. => {}
        }
        Some(line)
    }

    fn glare_wait(&mut self, talking: &Talking) -> Duration {
        let (low, high) = if talking.is_ours { (2100, 4000) } else { (0, 2000) };
        self.dice.between(Duration::from_millis(low), Duration::from_millis(high))
    }
}
