//! How a phone subscribes to an event, takes what it is told, and asks for something to be otherwise (RFC 6665 §4.1).

use std::time::Duration;

use callwright_sip::{Dialog, Flow, Message, Method, Name, Text};

use super::manner::{OnNotify, Subscribe};
use super::{Phone, Purpose, Wake};

/// Challenges and intervals that are answered before a SUBSCRIBE counts as refused.
const ATTEMPTS_MAX: u32 = 4;
/// A phone that was told to come back later does so after this long.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// What a phone takes to be told.
const DOCUMENTS: &str = "application/x-as-feature-event+xml, multipart/mixed";

/// The one subscription of a phone.
#[derive(Debug, Default)]
pub(super) struct Subscriber {
    wanted: Option<Subscribe>,
    /// What is to be set by the SUBSCRIBE that is on its way.
    body: Option<String>,
    call_id: Option<Text>,
    tag: Option<Text>,
    cseq: u32,
    attempts: u32,
    /// The request that is on its way.
    sent: Option<Message>,
    dialog: Option<Dialog>,
    due: Option<Duration>,
    on_notify: OnNotify,
}

impl Phone {
    /// Begins a subscription; whatever was before is forgotten, as by a phone that was switched off and on.
    pub(super) fn subscribe(&mut self, now: Duration, wanted: Subscribe) {
        let on_notify = self.subscriber.on_notify;
        self.subscriber = Subscriber { wanted: Some(wanted), on_notify, ..Subscriber::default() };
        self.send_subscribe(now);
    }

    pub(super) fn unsubscribe(&mut self, now: Duration) {
        if let Some(wanted) = &mut self.subscriber.wanted {
            wanted.expires_s = 0;
            self.subscriber.attempts = 0;
            self.send_subscribe(now);
        }
    }

    /// Asks for something to be otherwise, in the subscription that it has or in a new one.
    pub(super) fn set_feature(&mut self, now: Duration, body: String) {
        self.subscriber.wanted.get_or_insert_with(Subscribe::default);
        self.subscriber.body = Some(body);
        self.subscriber.attempts = 0;
        self.send_subscribe(now);
    }

    pub(super) fn take_notify(&mut self, how: OnNotify) {
        self.subscriber.on_notify = how;
    }

    /// The wake-up of a subscription; older ones that were overtaken do nothing.
    pub(super) fn subscribe_when_due(&mut self, now: Duration) {
        if self.subscriber.due.is_some_and(|due| due <= now) {
            self.subscriber.attempts = 0;
            self.send_subscribe(now);
        }
    }

    pub(super) fn subscribed(&mut self, now: Duration, response: &Message) {
        let is_tired = self.subscriber.attempts >= ATTEMPTS_MAX;
        match response.status() {
            Some(401 | 407) if !is_tired && self.account.challenged(response) => self.send_subscribe(now),
            Some(423) if !is_tired => {
                let least = response.min_expires().ok().flatten();
                if let (Some(wanted), Some(least)) = (&mut self.subscriber.wanted, least) {
                    wanted.expires_s = least;
                }
                self.send_subscribe(now);
            }
            // The switch has forgotten it (RFC 6665 §4.1.2.3).
            Some(481) if !is_tired && self.subscriber.dialog.take().is_some() => {
                self.subscriber.call_id = None;
                self.send_subscribe(now);
            }
            Some(503) => {
                // Nobody presses the key again.
                self.subscriber.body = None;
                self.subscribe_at(now + TRY_AGAIN);
            }
            Some(200..=299) => {
                self.subscriber.body = None;
                let sent = self.subscriber.sent.as_ref().filter(|_| self.subscriber.dialog.is_none());
                if let Some(dialog) = sent.and_then(|sent| Dialog::of_uac(sent, response).ok()) {
                    self.subscriber.dialog = Some(dialog);
                }
                let granted_s = response.expires().ok().flatten().unwrap_or(0);
                if granted_s > 0 {
                    self.subscribe_at(now + Duration::from_secs(u64::from(granted_s) / 2));
                }
            }
            // What cannot be set is not asked for again.
            Some(300..) => self.subscriber.body = None,
            Some(_) | None => {}
        }
    }

    pub(super) fn subscription_unanswered(&mut self, now: Duration) {
        self.subscribe_at(now + TRY_AGAIN);
    }

    /// A NOTIFY; one of a subscription that it does not have is 481.
    pub(super) fn notified(&mut self, now: Duration, flow: Flow, request: &Message) {
        // The first one may come before the 200 that makes the dialog (RFC 6665 §4.1.2.4).
        let is_of_ours =
            request.call_id().ok() == self.subscriber.call_id && request.tag_of_to() == self.subscriber.tag;
        match self.subscriber.on_notify {
            OnNotify::Silent => {}
            OnNotify::Refuses(status) if is_of_ours => self.reply(now, flow, request, status),
            OnNotify::Takes if is_of_ours => {
                let state = request.headers.get(&Name::SubscriptionState);
                if state.is_some_and(|state| state.lossy().starts_with("terminated")) {
                    self.subscriber.due = None;
                    self.subscriber.dialog = None;
                }
                self.reply(now, flow, request, 200);
            }
            OnNotify::Takes | OnNotify::Refuses(_) => self.reply(now, flow, request, 481),
        }
    }

    fn subscribe_at(&mut self, at: Duration) {
        self.subscriber.due = Some(at);
        self.agenda.push(at, Wake::Subscribe);
    }

    fn send_subscribe(&mut self, now: Duration) {
        let Some(wanted) = self.subscriber.wanted.clone() else { return };
        self.subscriber.due = None;
        self.subscriber.attempts += 1;
        let request = match &mut self.subscriber.dialog {
            Some(dialog) => dialog.request(Method::Subscribe),
            None => self.first_subscribe(),
        };
        let mut request = self
            .dressed(request)
            .with(Name::Event, wanted.event)
            .with(Name::Accept, DOCUMENTS)
            .with(Name::Expires, wanted.expires_s.to_string());
        if let Some(body) = self.subscriber.body.clone() {
            request = request.with_body("application/x-as-feature-event+xml", body);
        }
        self.account.sign(&mut request);
        self.subscriber.sent = Some(request.clone());
        self.send(now, Purpose::Subscribe, request);
    }

    fn first_subscribe(&mut self) -> Message {
        if self.subscriber.call_id.is_none() {
            self.subscriber.call_id = Some(self.endpoint.mint());
            self.subscriber.tag = Some(self.endpoint.mint());
            self.subscriber.cseq = 0;
        }
        self.subscriber.cseq += 1;
        let (extension, domain) = (&self.settings.extension, &self.settings.domain);
        let aor = format!("sip:{extension}@{domain}");
        let tag = self.subscriber.tag.as_ref().map(|tag| tag.lossy().into_owned()).unwrap_or_default();
        Message::request(Method::Subscribe, aor.clone())
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("<{aor}>;tag={tag}"))
            .with(Name::To, format!("<{aor}>"))
            .with(Name::CallId, self.subscriber.call_id.clone().unwrap_or_default())
            .with(Name::CSeq, format!("{} SUBSCRIBE", self.subscriber.cseq))
    }
}
