//! The called side of a phone: a new INVITE, and what the phone's manner makes of it.

use std::time::Duration;

use callwright_sip::{Dialog, Flow, Message, Method, Name, Refresher, ServerTx, Text};

use super::line::{Line, LineId, Ringing, State, Talking};
use super::manner::{Manner, OnCancel, PhoneEffect, Sign, Then};
use super::sdp;
use super::seen::Sighting;
use super::{Phone, Purpose, Wake};

impl Phone {
    pub(super) fn called(&mut self, now: Duration, flow: Flow, invite: Message) {
        let manner = self.manner.clone();
        if manner.sign == Sign::Silent {
            return;
        }
        let Ok(tx) = self.endpoint.accept(now, flow, &invite) else { return };
        let from = invite.headers.get(&Name::From).map(|from| from.lossy().into_owned()).unwrap_or_default();
        self.note(now, None, Sighting::Called { from });
        let tag = self.endpoint.mint();
        self.begin_line(None, |phone, id, _| {
            phone.answering.insert(tx, id);
            phone.agenda.push(now + manner.sign_after, Wake::Sign(id));
            phone.agenda.push(now + manner.then_after, Wake::Then(id));
            Some(State::Ringing(Box::new(Ringing { tx, invite, tag, manner })))
        });
        // What is due at once happens at once, as on a phone that is busy.
        while let Some(wake) = self.agenda.pop_due(now) {
            self.wake(now, wake);
        }
    }

    pub(super) fn give_sign(&mut self, now: Duration, _id: LineId, line: Line) -> Option<Line> {
        if let State::Ringing(ringing) = &line.state {
            match ringing.manner.sign {
                Sign::Ringing => self.endpoint.respond(now, ringing.tx, self.response(ringing, 180)),
                Sign::Progress => {
                    let response = self.described(ringing, &line, 183);
                    self.endpoint.respond(now, ringing.tx, response);
                }
                // The transaction has sent its 100 itself.
                Sign::Trying | Sign::Silent => {}
            }
        }
        Some(line)
    }

    pub(super) fn go_on(&mut self, now: Duration, id: LineId, line: Line) -> Option<Line> {
        let State::Ringing(ringing) = &line.state else { return Some(line) };
        match ringing.manner.then.clone() {
            Then::Nothing => Some(line),
            Then::Answer => self.answer(now, id, line),
            Then::AnswerTwice => {
                let mut second = self.described(ringing, &line, 200);
                second.headers.set(
                    Name::To,
                    format!("{};tag={}", bare_to(&ringing.invite), self.endpoint.mint().lossy()),
                );
                let kept = self.answer(now, id, line);
                self.hand_on_transmits();
                self.out.push_back(PhoneEffect::Transmit(second.to_bytes()));
                kept
            }
            Then::Refuse(status) => {
                self.refuse(now, ringing, status);
                None
            }
            Then::Deflect(to) => {
                let uri = if to.contains(':') { to } else { format!("sip:{to}@{}", self.settings.domain) };
                let mut response = self.response(ringing, 302);
                response.headers.set(Name::Contact, format!("<{uri}>"));
                self.endpoint.respond(now, ringing.tx, response);
                self.answering.remove(&ringing.tx);
                None
            }
        }
    }

    pub(super) fn answer(&mut self, now: Duration, id: LineId, mut line: Line) -> Option<Line> {
        let State::Ringing(ringing) = line.state else { return Some(line) };
        let offer = ringing.invite.body.clone();
        line.ours.direction = sdp::answering(&offer);
        line.state = State::Gone;
        let mut response = self.described(&ringing, &line, 200);
        // The switch keeps the session alive where it wants one kept (RFC 4028 §9).
        if let Ok(Some(session)) = ringing.invite.session_expires() {
            let refresher = session.refresher.unwrap_or(Refresher::Uac);
            let word = match refresher {
                Refresher::Uac => "uac",
                Refresher::Uas => "uas",
            };
            response = response
                .with(Name::Require, "timer")
                .with(Name::SessionExpires, format!("{};refresher={word}", session.delta));
            self.keep_session(now, id, &response, Refresher::Uas);
        }
        let dialog = Dialog::of_uas(&ringing.invite, &ringing.tag).ok()?;
        self.endpoint.respond(now, ringing.tx, response);
        self.note(now, Some(&line), Sighting::Established);
        let hears = sdp::owner_of(&offer);
        if let Some(owner) = hears.clone() {
            self.note(now, Some(&line), Sighting::Hears { owner });
        }
        if let Some(talk) = ringing.manner.talks_for {
            self.agenda.push(now + talk, Wake::HangUp(id));
        }
        let talking = Talking { hears, ..Talking::new(dialog, Some(ringing.tx), false) };
        Some(Line { state: State::Talking(Box::new(talking)), ..line })
    }

    pub(super) fn refuse(&mut self, now: Duration, ringing: &Ringing, status: u16) {
        let response = self.response(ringing, status);
        self.endpoint.respond(now, ringing.tx, response);
        self.answering.remove(&ringing.tx);
    }

    pub(super) fn cancelled(&mut self, now: Duration, tx: ServerTx, cancel: &Message) {
        let Some(id) = self.answering.get(&tx).copied() else { return };
        self.with(id, |phone, line| {
            let State::Ringing(ringing) = &line.state else { return Some(line) };
            match ringing.manner {
                Manner { on_cancel: OnCancel::Answers, .. } => phone.answer(now, id, line),
                Manner { on_cancel: OnCancel::Obeys, .. } => {
                    phone.refuse(now, ringing, 487);
                    phone.note(now, Some(&line), Sighting::Cancelled { reason: reason_text(cancel) });
                    None
                }
            }
        });
    }

    pub(super) fn acknowledged(&mut self, now: Duration, tx: ServerTx, ack: &Message) {
        let Some(id) = self.answering.remove(&tx) else { return };
        self.with(id, |phone, mut line| {
            let mut heard = None;
            if let State::Talking(talking) = &mut line.state {
                talking.unacknowledged = None;
                // The answer to an offer of ours.
                if let (None, Some(owner)) = (&talking.hears, sdp::owner_of(&ack.body)) {
                    talking.hears = Some(owner.clone());
                    heard = Some(owner);
                }
            }
            if let Some(owner) = heard {
                phone.note(now, Some(&line), Sighting::Hears { owner });
            }
            Some(line)
        });
    }

    /// A 2xx that nobody acknowledges ends the call (RFC 3261 §13.3.1.4).
    pub(super) fn never_acknowledged(&mut self, now: Duration, tx: ServerTx) {
        let Some(id) = self.answering.remove(&tx) else { return };
        self.with(id, |phone, line| match line.state {
            State::Talking(mut talking) => {
                let bye = talking.dialog.request(Method::Bye);
                phone.send(now, Purpose::Bye, bye);
                None
            }
            State::Calling(_) | State::Ringing(_) | State::Gone => Some(line),
        });
    }

    fn response(&self, ringing: &Ringing, status: u16) -> Message {
        let mut response = self.dressed(Message::reply(&ringing.invite, status));
        response.tag_to(&ringing.tag);
        response
    }

    fn described(&self, ringing: &Ringing, line: &Line, status: u16) -> Message {
        self.response(ringing, status).with_body("application/sdp", line.ours.print(self.settings.local))
    }
}

fn bare_to(request: &Message) -> String {
    request.headers.get(&Name::To).map(|to: &Text| to.lossy().into_owned()).unwrap_or_default()
}

/// Text of a request's SIP reason (RFC 3326 §2).
pub(super) fn reason_text(request: &Message) -> Option<String> {
    request.reasons().into_iter().find_map(|reason| reason.text.map(|text| text.to_string()))
}
