//! The way in: which tenant and device a request belongs to, and who in the node takes it.

use callwright_sip::{Flow, Message, Method, Name, Scheme, Text, Uri, dialog_key_of};

use super::{Node, content};
use crate::auth::authenticate;
use crate::call::{Call, Caller, MIN_SE_S, interval_too_small};
use crate::config::{EarlyDialogs, Tenant};
use crate::dial;
use crate::names::{CallId, Extension};
use crate::rule::{CallFacts, DestinationRef, Entry};
use crate::spans;
use crate::subscription::ALLOW_EVENTS;
use crate::switchboard::{ALLOW, SUPPORTED, not_allowed};
use std::sync::Arc;

/// Calls at once; the next one gets 503.
pub(crate) const CALLS_MAX: usize = 20_000;
/// Calls of one device that has a password, unanswered or talking; the next one gets 503. A phone has a dozen lines; what
/// calls for many, such as another switch, is believed by its address and has no password that could be stolen.
pub(crate) const CALLS_A_DEVICE_MAX: u32 = 100;

impl Node {
    /// A new request that is neither ACK nor CANCEL.
    pub(super) fn request(&mut self, flow: Flow, message: Message) {
        let Some(method) = message.method().cloned() else { return };
        self.board.count_request(counted(&method));
        if message.tag_of_to().is_some() {
            self.within_dialog(flow, message);
            return;
        }
        // The endpoint hands on no request whose URI cannot be read.
        let Some(uri) = message.uri().and_then(|uri| Uri::parse(uri.clone()).ok()) else { return };
        if let Some(refusal) = refused_at_once(&message, &method, &uri) {
            self.board.refuse(flow, &message, refusal);
            return;
        }
        let Some(tenant) = self.tenant_of(&message, &uri) else {
            tracing::info!(peer = %flow, "no tenant for a request: set `default-tenant` or add the domain to a tenant");
            self.board.refuse(flow, &message, Message::reply(&message, 404));
            return;
        };
        let _tenant = spans::tenant(&tenant.id).entered();
        match method {
            Method::Options => {
                // As an INVITE would be answered (RFC 3261 §11.2): whoever spreads calls over several switches asks this.
                let response = if self.board.picture.closing {
                    unavailable(&message)
                } else {
                    Message::reply(&message, 200)
                };
                let response = capabilities(response);
                self.board.refuse(flow, &message, response);
            }
            Method::Register => {
                let _tx = spans::request(&method).entered();
                self.register(&tenant, flow, message);
            }
            Method::Invite => match authenticate(&mut self.board, &tenant, flow, &message) {
                Ok(device) => self.invite(flow, &message, tenant, device, &uri),
                Err(challenge) => self.board.refuse(flow, &message, *challenge),
            },
            Method::Subscribe => {
                let _tx = spans::request(&method).entered();
                self.subscriptions.begin(&mut self.board, &tenant, flow, &message);
            }
            // Nothing can be published: 489 stops phones from asking again and again (RFC 3903 §6).
            Method::Publish => {
                let response = Message::reply(&message, 489);
                let response = response.with(Name::AllowEvents, Text::from_static(ALLOW_EVENTS));
                self.board.refuse(flow, &message, response);
            }
            Method::Bye | Method::Update | Method::Info | Method::Prack | Method::Notify => {
                self.board.refuse(flow, &message, Message::reply(&message, 481));
            }
            Method::Ack | Method::Cancel | Method::Message | Method::Refer | Method::Other(_) => {
                self.board.refuse(flow, &message, not_allowed(&message));
            }
        }
    }

    fn register(&mut self, tenant: &Arc<Tenant>, flow: Flow, message: Message) {
        match authenticate(&mut self.board, tenant, flow, &message) {
            Ok(device) if tenant.devices.get(&device).is_some_and(|device| device.contact.is_some()) => {
                // Its contact is the operator's to change.
                self.board.count_registration("refused");
                self.board.refuse(flow, &message, Message::reply(&message, 403));
            }
            Ok(device) => self.registrar.register(&mut self.board, tenant, device, flow, message),
            Err(challenge) => {
                self.board.count_registration("challenged");
                self.board.refuse(flow, &message, *challenge);
            }
        }
    }

    fn within_dialog(&mut self, flow: Flow, message: Message) {
        let dialog = dialog_key_of(&message, true);
        if let Some(key) = dialog.as_ref().and_then(|dialog| self.board.dialogs.get(dialog).copied()) {
            self.with_call(key, |call, board| call.in_dialog(board, flow, message));
        } else if let Some(dialog) = dialog.filter(|dialog| self.subscriptions.has(dialog)) {
            self.subscriptions.within(&mut self.board, &dialog, flow, &message);
        } else {
            self.board.refuse(flow, &message, Message::reply(&message, 481));
        }
    }

    fn tenant_of(&self, message: &Message, uri: &Uri) -> Option<Arc<Tenant>> {
        let from = message.from().ok()?;
        self.board.picture.config.tenant_of(&uri.host, &from.uri.host).map(Arc::clone)
    }

    /// An authenticated device begins a call.
    fn invite(&mut self, flow: Flow, message: &Message, tenant: Arc<Tenant>, device: Extension, uri: &Uri) {
        if let Some(refusal) = content::refused(message) {
            self.board.refuse(flow, message, refusal);
            return;
        }
        if interval_too_small(message) {
            let response = Message::reply(message, 422).with(Name::MinSe, MIN_SE_S.to_string());
            self.board.refuse(flow, message, response);
            return;
        }
        if self.board.picture.closing || self.calls.len() >= CALLS_MAX || self.has_enough(&tenant, &device) {
            self.board.refuse(flow, message, unavailable(message));
            return;
        }
        let Ok(tx) = self.board.sip.accept(self.board.now.mono, flow, message) else {
            self.board.refuse(flow, message, unavailable(message));
            return;
        };
        let early = tenant.devices.get(&device).map_or(EarlyDialogs::PerLeg, |device| device.early_dialogs);
        let facts = self.facts(message, &tenant, &device, uri);
        let span = spans::call(&facts.id);
        let _call = span.clone().entered();
        let caller = Caller::new(&mut self.board, tx, flow, message.clone(), device, early, &span);
        let call = Call::begin(&mut self.board, tenant, facts, caller, span);
        let key = call.key;
        self.calls.insert(key, Box::new(call));
        self.note(key);
    }

    /// Whether a device has as many calls as it may, so that a stolen password cannot take the places of all others.
    fn has_enough(&self, tenant: &Tenant, device: &Extension) -> bool {
        let has_password = tenant.devices.get(device).is_some_and(|device| device.secret.is_some());
        let key = (tenant.id.clone(), device.clone());
        let activity = self.board.picture.activity.get(&key).copied().unwrap_or_default();
        has_password && activity.dialling + activity.talking >= CALLS_A_DEVICE_MAX
    }

    fn facts(&mut self, message: &Message, tenant: &Tenant, device: &Extension, uri: &Uri) -> CallFacts {
        let number = dial::dialled_number(uri);
        let to = tenant.plan.find(&number);
        let privacy =
            message.headers.get(&Name::Other("Privacy".into())).map(|value| value.lossy().into_owned());
        let withheld = privacy.is_some_and(|privacy| privacy.contains("id") || privacy.contains("user"));
        CallFacts {
            id: CallId::from(self.board.sip.mint().lossy().into_owned()),
            tenant: tenant.id.clone(),
            caller: dial::caller_of(tenant, device, withheld),
            dialled: dial::dialled_party(tenant, &number, to),
            group: to.and_then(DestinationRef::group).cloned(),
            number,
            for_user: None,
            entry: Entry::Device((!withheld).then(|| device.clone())),
        }
    }
}

/// What no tenant changes: schemes, hops, and extensions that we do not have (RFC 3261 §8.2).
fn refused_at_once(message: &Message, method: &Method, uri: &Uri) -> Option<Message> {
    if matches!(uri.scheme, Scheme::Other(_)) {
        return Some(Message::reply(message, 416));
    }
    // Nothing but a SIP URI is registered (RFC 3261 §10.2).
    let is_sip = |uri: &Uri| matches!(uri.scheme, Scheme::Sip | Scheme::Sips);
    if *method == Method::Register && !message.to().is_ok_and(|to| is_sip(&to.uri)) {
        return Some(Message::reply(message, 400));
    }
    if matches!(message.max_forwards(), Ok(Some(0))) && *method != Method::Options {
        return Some(Message::reply(message, 483));
    }
    let unknown: Vec<_> = message
        .option_tags(Name::Require)
        .into_iter()
        .filter(|tag| !tag.eq_ignore_case(SUPPORTED))
        .map(|tag| tag.lossy().into_owned())
        .collect();
    if unknown.is_empty() {
        return None;
    }
    Some(Message::reply(message, 420).with(Name::Unsupported, unknown.join(", ")))
}

/// No call can be taken now, but soon again, here or elsewhere (RFC 3261 §21.5.4).
fn unavailable(request: &Message) -> Message {
    Message::reply(request, 503).with(Name::RetryAfter, "10")
}

fn capabilities(response: Message) -> Message {
    response
        .with(Name::Allow, Text::from_static(ALLOW))
        .with(Name::Accept, Text::from_static(content::ACCEPT))
        .with(Name::AllowEvents, Text::from_static(ALLOW_EVENTS))
        .with(Name::Supported, Text::from_static(SUPPORTED))
}

/// The metric label of a method; whatever a peer invents is one label.
fn counted(method: &Method) -> &'static str {
    match method {
        Method::Invite => "INVITE",
        Method::Ack => "ACK",
        Method::Bye => "BYE",
        Method::Cancel => "CANCEL",
        Method::Register => "REGISTER",
        Method::Options => "OPTIONS",
        Method::Update => "UPDATE",
        Method::Info => "INFO",
        Method::Prack => "PRACK",
        Method::Subscribe => "SUBSCRIBE",
        Method::Notify => "NOTIFY",
        Method::Publish => "PUBLISH",
        Method::Message => "MESSAGE",
        Method::Refer => "REFER",
        Method::Other(_) => "other",
    }
}
