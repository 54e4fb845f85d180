//! How a phone registers, keeps its registration alive and takes it back.

use std::time::Duration;

use callwright_sip::{Message, Method, Name, Text};

use super::seen::Sighting;
use super::{Phone, Purpose, Wake};

/// A phone that was not answered tries again after this long.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// Challenges that are answered before a registration counts as refused.
const ATTEMPTS_MAX: u32 = 5;

/// Where the registration stands.
#[derive(Debug, Default)]
pub(super) struct Registration {
    call_id: Option<Text>,
    cseq: u32,
    attempts: u32,
    wanted_s: u32,
    is_accepted: bool,
    is_wanted: bool,
    due: Option<Duration>,
    /// Contacts of other phones of the same name.
    others: Vec<String>,
}

impl Registration {
    pub(super) fn is_accepted(&self) -> bool {
        self.is_accepted
    }

    /// The connection has gone, and the binding with it.
    pub(super) fn lost(&mut self) {
        self.is_accepted = false;
    }
}

impl Phone {
    pub(super) fn register(&mut self, now: Duration) {
        self.registration.is_wanted = true;
        self.registration.wanted_s = self.settings.expires_s;
        self.registration.attempts = 0;
        self.send_register(now);
    }

    pub(super) fn unregister(&mut self, now: Duration) {
        self.registration.is_wanted = false;
        self.registration.wanted_s = 0;
        self.registration.attempts = 0;
        self.send_register(now);
    }

    /// The wake-up of a registration; older ones that were overtaken do nothing.
    pub(super) fn register_when_due(&mut self, now: Duration) {
        if self.registration.due.is_some_and(|due| due <= now) {
            self.register(now);
        }
    }

    pub(super) fn registered(&mut self, now: Duration, response: &Message) {
        match response.status() {
            Some(401 | 407)
                if self.registration.attempts < ATTEMPTS_MAX && self.account.challenged(response) =>
            {
                self.send_register(now);
            }
            Some(423) if self.registration.attempts < ATTEMPTS_MAX => {
                self.registration.wanted_s =
                    response.min_expires().ok().flatten().unwrap_or(self.registration.wanted_s);
                self.send_register(now);
            }
            Some(200..=299) => self.registration_accepted(now, response),
            Some(503) => self.registration_unanswered(now),
            Some(status) if status >= 300 => {
                self.registration.is_accepted = false;
                self.note(now, None, Sighting::RegistrationRefused { status });
                self.try_again(now);
            }
            Some(_) | None => {}
        }
    }

    pub(super) fn registration_unanswered(&mut self, now: Duration) {
        self.note(now, None, Sighting::RegistrationRefused { status: 0 });
        self.try_again(now);
    }

    fn try_again(&mut self, now: Duration) {
        if self.registration.is_wanted {
            self.register_at(now + TRY_AGAIN);
        }
    }

    fn registration_accepted(&mut self, now: Duration, response: &Message) {
        if !self.registration.is_wanted {
            self.registration.is_accepted = false;
            self.note(now, None, Sighting::Unregistered);
            return;
        }
        let expires_s = self.granted_s(response);
        let is_refresh = std::mem::replace(&mut self.registration.is_accepted, true);
        if !is_refresh {
            self.note(now, None, Sighting::Registered { expires_s });
        }
        let others = self.others(response);
        if others != self.registration.others {
            self.registration.others.clone_from(&others);
            self.note(now, None, Sighting::Others { contacts: others });
        }
        // Half the time leaves room for the retransmissions of a lossy link.
        self.register_at(now + Duration::from_secs(u64::from(expires_s / 2).max(1)));
    }

    fn register_at(&mut self, at: Duration) {
        self.registration.due = Some(at);
        self.agenda.push(at, Wake::Register);
    }

    /// What the switch granted for our own contact (RFC 3261 §10.2.4).
    fn granted_s(&self, response: &Message) -> u32 {
        let own = format!("@{}", self.settings.local);
        let of_contact = response
            .headers
            .all(&Name::Contact)
            .map(|contact| contact.lossy().into_owned())
            .find(|contact| contact.contains(&own))
            .and_then(|contact| crate::glance::param(&contact, "expires")?.parse().ok());
        of_contact.or(response.expires().ok().flatten()).unwrap_or(self.registration.wanted_s)
    }

    /// The bindings that are not its own.
    fn others(&self, response: &Message) -> Vec<String> {
        let own = format!("@{}", self.settings.local);
        let contacts = response.headers.items(&Name::Contact);
        let contacts = contacts.map(|contact| contact.lossy().into_owned());
        contacts.filter(|contact| !contact.contains(&own)).collect()
    }

    fn send_register(&mut self, now: Duration) {
        self.registration.due = None;
        let call_id = match &self.registration.call_id {
            Some(call_id) => call_id.clone(),
            None => self.endpoint.mint(),
        };
        self.registration.call_id = Some(call_id.clone());
        self.registration.cseq += 1;
        self.registration.attempts += 1;
        let (extension, domain) = (&self.settings.extension, &self.settings.domain);
        let aor = format!("<sip:{extension}@{domain}>");
        let mut contact = self.contact().lossy().into_owned();
        if let Some(instance) = &self.settings.instance {
            contact.push_str(&format!(";+sip.instance=\"<{instance}>\""));
        }
        let tag = self.endpoint.mint();
        let mut request = Message::request(Method::Register, format!("sip:{domain}"))
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("{aor};tag={}", tag.lossy()))
            .with(Name::To, aor)
            .with(Name::CallId, call_id)
            .with(Name::CSeq, format!("{} REGISTER", self.registration.cseq))
            .with(Name::Contact, contact)
            .with(Name::Expires, self.registration.wanted_s.to_string())
            .with(Name::UserAgent, self.settings.user_agent.clone());
        self.account.sign(&mut request);
        self.send(now, Purpose::Register, request);
    }
}
