//! The calling side of a phone: INVITE, its responses, and giving up.

use std::collections::BTreeMap;
use std::time::Duration;

use callwright_sip::{ClientTx, Dialog, Message, Method, Name, Refresher};

use super::line::{Calling, Line, LineId, State, Talking};
use super::manner::{Dial, Offer};
use super::sdp;
use super::seen::{Seen, Sighting};
use super::{Phone, Purpose, Wake};

/// How often an INVITE is sent in all: the first one, with credentials, with a longer session interval.
const ATTEMPTS_MAX: u32 = 4;

impl Phone {
    pub(super) fn call(&mut self, now: Duration, dial: &Dial) {
        let session_id = format!("{:016x}{:016x}", self.dice.below(u64::MAX), self.dice.below(u64::MAX));
        let name = dial.name.clone();
        self.begin_line(Some(name), |phone, id, ours| {
            let mut invite = phone.first_invite(dial, &session_id);
            if dial.offer == Offer::Early {
                invite = invite.with_body("application/sdp", ours.print(phone.settings.local));
            }
            phone.account.sign(&mut invite);
            let tx = phone.send(now, Purpose::Invite(id), invite.clone())?;
            let heard = BTreeMap::new();
            let call_id = invite.call_id().map(|id| id.lossy().into_owned()).unwrap_or_default();
            phone.seen.push(Seen {
                at: now,
                call: Some(dial.name.clone()),
                what: Sighting::Dialled { call_id },
            });
            Some(State::Calling(Calling { tx, invite, attempts: 1, is_given_up: false, heard }))
        });
    }

    fn first_invite(&mut self, dial: &Dial, session_id: &str) -> Message {
        let (extension, domain) = (&self.settings.extension, &self.settings.domain);
        let uri = if dial.to.contains(':') { dial.to.clone() } else { format!("sip:{}@{domain}", dial.to) };
        let from = format!("\"{}\" <sip:{extension}@{domain}>", self.settings.display);
        let tag = self.endpoint.mint();
        let request = Message::request(Method::Invite, uri.clone())
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("{from};tag={}", tag.lossy()))
            .with(Name::To, format!("<{uri}>"))
            .with(Name::CallId, self.endpoint.mint())
            .with(Name::CSeq, "1 INVITE")
            .with(Name::Supported, "timer")
            .with(Name::SessionId, format!("{session_id};remote={}", "0".repeat(32)));
        dial.headers.iter().fold(self.dressed(request), |request, (name, value)| {
            request.with(Name::parse(name), value.clone())
        })
    }

    pub(super) fn invited(&mut self, now: Duration, id: LineId, tx: ClientTx, response: &Message) {
        let status = response.status().unwrap_or(0);
        self.with(id, |phone, line| match (line.state, status) {
            (State::Calling(mut calling), 0..=199) => {
                calling.hear(response);
                let line = Line { state: State::Calling(calling), ..line };
                if status > 100 {
                    phone.note(now, Some(&line), Sighting::Progress { status });
                }
                Some(line)
            }
            (State::Calling(calling), 200..=299) => {
                phone.accepted(now, id, tx, calling, response, Line { state: State::Gone, ..line })
            }
            (State::Calling(calling), 300..) => {
                phone.refused(now, id, tx, calling, response, Line { state: State::Gone, ..line })
            }
            // Only an INVITE of ours without a final response gets any.
            (state @ (State::Ringing(_) | State::Talking(_) | State::Gone), _) => {
                Some(Line { state, ..line })
            }
        });
    }

    /// Neither a response nor a way there: the call is over.
    pub(super) fn never_invited(&mut self, now: Duration, id: LineId) {
        self.with(id, |phone, line| match line.state {
            State::Calling(_) => {
                phone.note(now, Some(&line), Sighting::Refused { status: 0 });
                None
            }
            State::Ringing(_) | State::Talking(_) | State::Gone => Some(line),
        });
    }

    fn accepted(
        &mut self,
        now: Duration,
        id: LineId,
        tx: ClientTx,
        mut calling: Calling,
        response: &Message,
        mut line: Line,
    ) -> Option<Line> {
        self.asked.remove(&tx);
        calling.hear(response);
        let mut dialog = Dialog::of_uac(&calling.invite, response).ok()?;
        let cseq = calling.invite.cseq().ok()?.seq;
        let tag = response.to().ok()?.tag()?;
        let mut ack = dialog.ack(cseq);
        if calling.invite.body.is_empty() {
            line.ours.direction = sdp::answering(&response.body);
            ack = ack.with_body("application/sdp", line.ours.print(self.settings.local));
        }
        self.endpoint.acknowledge(now, tx, &tag, ack);
        if calling.is_given_up {
            let bye = dialog.request(Method::Bye);
            self.send(now, Purpose::Bye, bye);
            return None;
        }
        self.note(now, Some(&line), Sighting::Established);
        let hears = calling.heard.remove(&tag);
        if let Some(owner) = hears.clone() {
            self.note(now, Some(&line), Sighting::Hears { owner });
        }
        self.keep_session(now, id, response, Refresher::Uac);
        Some(Line {
            state: State::Talking(Box::new(Talking { hears, ..Talking::new(dialog, None, true) })),
            ..line
        })
    }

    /// Plans a refresh where that is our part (RFC 4028 §10).
    pub(super) fn keep_session(&mut self, now: Duration, id: LineId, message: &Message, ours: Refresher) {
        if let Ok(Some(session)) = message.session_expires()
            && session.refresher == Some(ours)
        {
            let due = now + Duration::from_secs(u64::from(session.delta / 2));
            self.refreshes.insert(id, due);
            self.agenda.push(due, Wake::Refresh(id));
        }
    }

    fn refused(
        &mut self,
        now: Duration,
        id: LineId,
        tx: ClientTx,
        calling: Calling,
        response: &Message,
        line: Line,
    ) -> Option<Line> {
        self.asked.remove(&tx);
        let status = response.status().unwrap_or(0);
        if !calling.is_given_up && calling.attempts < ATTEMPTS_MAX {
            let again = match status {
                401 | 407 => self.account.challenged(response),
                422 => true,
                0..=u16::MAX => false,
            };
            if again {
                return self.invite_again(now, id, calling, response, line);
            }
        }
        self.note(now, Some(&line), Sighting::Refused { status });
        None
    }

    fn invite_again(
        &mut self,
        now: Duration,
        id: LineId,
        mut calling: Calling,
        response: &Message,
        line: Line,
    ) -> Option<Line> {
        let number = calling.invite.cseq().ok()?.seq + 1;
        calling.invite.headers.set(Name::CSeq, format!("{number} INVITE"));
        if let Ok(Some(least)) = response.min_se() {
            calling.invite.headers.set(Name::MinSe, least.to_string());
            calling.invite.headers.set(Name::SessionExpires, least.to_string());
        }
        self.account.sign(&mut calling.invite);
        let tx = self.send(now, Purpose::Invite(id), calling.invite.clone())?;
        let attempts = calling.attempts + 1;
        Some(Line { state: State::Calling(Calling { tx, attempts, ..calling }), ..line })
    }

    /// Ends a call in whatever state it is.
    pub(super) fn hang_up(&mut self, now: Duration, id: LineId, mut line: Line) -> Option<Line> {
        self.note(now, Some(&line), Sighting::HungUp);
        match line.state {
            State::Calling(calling) => {
                self.endpoint.cancel(now, calling.tx, None);
                line.state = State::Calling(Calling { is_given_up: true, ..calling });
                Some(line)
            }
            State::Ringing(ringing) => {
                self.refuse(now, &ringing, 603);
                None
            }
            State::Talking(mut talking) => {
                let mut bye = talking.dialog.request(Method::Bye);
                self.account.sign(&mut bye);
                self.send(now, Purpose::Bye, bye);
                self.answering.retain(|_, line| *line != id);
                None
            }
            State::Gone => None,
        }
    }
}
