//! A simulated phone, made of the same SIP machines as the switch.
//!
//! It owns no socket and no clock: the virtual world drives it through links, the demo through real sockets. It
//! refuses to know what the switch ought to do; it only behaves as a phone, well or badly, and notes what it sees.

mod account;
mod callee;
mod caller;
mod line;
pub mod manner;
mod registration;
mod sdp;
pub mod seen;
mod subscriber;
mod within;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use callwright_sip::{
    ClientTx, Endpoint, EndpointSettings, Event, Flow, Message, Method, Name, ServerTx, Text, Transport,
};

use crate::agenda::Agenda;
use crate::dice::Dice;
use account::Account;
use line::{Line, LineId, State};
use manner::{Manner, Order, PhoneEffect, PhoneInput, Which};
use registration::Registration;
use sdp::{Direction, Sdp};
use seen::{Seen, Sighting};
use subscriber::Subscriber;

/// What a phone is set up with.
#[derive(Clone, Debug)]
pub struct PhoneSettings {
    /// The extension it registers; also its digest user name.
    pub extension: String,
    /// Its password.
    pub password: String,
    /// The tenant's domain.
    pub domain: String,
    /// The name it shows.
    pub display: String,
    /// What it says it is.
    pub user_agent: String,
    /// The address that it believes to have.
    pub local: SocketAddr,
    /// Its way to the switch.
    pub flow: Flow,
    /// How long it wants to be registered, in seconds.
    pub expires_s: u32,
    /// Its `+sip.instance` (RFC 5626 §4.1), where it has one.
    pub instance: Option<String>,
    /// Its randomness.
    pub seed: u64,
}

/// One phone as a value: [`handle`](Self::handle) what happens, [`poll`](Self::poll) what it does,
/// wake it at its [`deadline`](Self::deadline).
#[derive(Debug)]
pub struct Phone {
    settings: PhoneSettings,
    manner: Manner,
    endpoint: Endpoint,
    account: Account,
    dice: Dice,
    agenda: Agenda<Wake>,
    registration: Registration,
    subscriber: Subscriber,
    lines: BTreeMap<LineId, Line>,
    lines_begun: u64,
    asked: BTreeMap<ClientTx, Purpose>,
    answering: BTreeMap<ServerTx, LineId>,
    /// When the next refresh of each call is ours.
    refreshes: BTreeMap<LineId, Duration>,
    seen: Vec<Seen>,
    out: VecDeque<PhoneEffect>,
}

/// Why a request of ours is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Register,
    Subscribe,
    Invite(LineId),
    Change(LineId),
    /// Its response changes nothing.
    Bye,
}

/// What the phone's own clock wakes it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    Register,
    Subscribe,
    Sign(LineId),
    Then(LineId),
    HangUp(LineId),
    ChangeAgain(LineId),
    Refresh(LineId),
}

impl Phone {
    /// A phone that is switched on and has done nothing yet.
    #[must_use]
    pub fn new(settings: PhoneSettings) -> Self {
        let name = format!("phone {} {}", settings.extension, settings.local);
        let endpoint = EndpointSettings::new(0, settings.local.ip().to_string(), settings.local.port());
        let account = Account::new(
            &settings.extension,
            &settings.password,
            Dice::new(settings.seed, &format!("{name} digest")),
        );
        Self {
            endpoint: Endpoint::new(endpoint, crate::dice::seed_bytes(settings.seed, &name)),
            account,
            dice: Dice::new(settings.seed, &format!("{name} itself")),
            manner: Manner::default(),
            agenda: Agenda::default(),
            registration: Registration::default(),
            subscriber: Subscriber::default(),
            lines: BTreeMap::new(),
            lines_begun: 0,
            asked: BTreeMap::new(),
            answering: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            seen: Vec::new(),
            out: VecDeque::new(),
            settings,
        }
    }

    /// Takes what happens to it. `now` is the phone's own time and never goes back.
    pub fn handle(&mut self, now: Duration, input: PhoneInput) {
        match input {
            PhoneInput::Received(bytes) => self.endpoint.receive(now, self.settings.flow, bytes),
            PhoneInput::Closed => self.endpoint.closed(now, self.settings.flow),
            PhoneInput::Connected(flow) => self.settings.flow = flow,
            PhoneInput::Tick => {
                self.endpoint.tick(now);
                while let Some(wake) = self.agenda.pop_due(now) {
                    self.wake(now, wake);
                }
            }
            PhoneInput::Order(order) => self.order(now, order),
        }
        self.settle(now);
    }

    /// The next thing it does; to be drained after every [`handle`](Self::handle).
    pub fn poll(&mut self) -> Option<PhoneEffect> {
        self.out.pop_front()
    }

    /// When it wants to be woken with [`PhoneInput::Tick`].
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let transactions = self.endpoint.deadline().map(|(at, _)| at);
        transactions.into_iter().chain(self.agenda.next_at()).min()
    }

    /// Everything it has noticed, oldest first.
    #[must_use]
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Whether the switch has accepted its registration and it has not ended since.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        self.registration.is_accepted()
    }

    /// How many calls it has, ringing ones included.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.lines.len()
    }

    /// Its settings.
    #[must_use]
    pub fn settings(&self) -> &PhoneSettings {
        &self.settings
    }

    fn order(&mut self, now: Duration, order: Order) {
        match order {
            Order::Register => self.register(now),
            Order::Unregister => self.unregister(now),
            Order::Call(dial) => self.call(now, &dial),
            Order::HangUp(which) => self.with_line(&which, |phone, id, line| phone.hang_up(now, id, line)),
            Order::Answer => self.with_line(&Which::Latest, |phone, id, line| phone.answer(now, id, line)),
            Order::Hold(which) => {
                self.with_line(&which, |phone, id, line| phone.change(now, id, line, Direction::Sending));
            }
            Order::Resume(which) => {
                self.with_line(&which, |phone, id, line| phone.change(now, id, line, Direction::Both));
            }
            Order::Refresh(which) => self.with_line(&which, |phone, id, line| phone.refresh(now, id, line)),
            Order::Manner(manner) => self.manner = manner,
            Order::Subscribe(wanted) => self.subscribe(now, wanted),
            Order::Unsubscribe => self.unsubscribe(now),
            Order::SetFeature(body) => self.set_feature(now, body),
            Order::OnNotify(how) => self.take_notify(how),
        }
    }

    fn wake(&mut self, now: Duration, wake: Wake) {
        match wake {
            Wake::Register => self.register_when_due(now),
            Wake::Subscribe => self.subscribe_when_due(now),
            Wake::Sign(id) => self.with(id, |phone, line| phone.give_sign(now, id, line)),
            Wake::Then(id) => self.with(id, |phone, line| phone.go_on(now, id, line)),
            Wake::HangUp(id) => self.with(id, |phone, line| phone.hang_up(now, id, line)),
            Wake::ChangeAgain(id) => self.with(id, |phone, line| phone.change_again(now, id, line)),
            Wake::Refresh(id) => self.with(id, |phone, line| phone.refresh_when_due(now, id, line)),
        }
    }

    /// Handles what the endpoint has found, and hands on what it sends.
    fn settle(&mut self, now: Duration) {
        while let Some(event) = self.endpoint.poll_event() {
            self.event(now, event);
        }
        self.hand_on_transmits();
        while let Some(flow) = self.endpoint.poll_close() {
            if flow == self.settings.flow {
                self.out.push_back(PhoneEffect::Close);
            }
        }
    }

    fn hand_on_transmits(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            // What belongs to an older connection has nowhere to go.
            if transmit.flow == self.settings.flow {
                self.out.push_back(PhoneEffect::Transmit(transmit.bytes));
            }
        }
    }

    fn event(&mut self, now: Duration, event: Event) {
        match event {
            Event::Request { flow, message } => self.requested(now, flow, message),
            Event::Cancelled { tx, message } => self.cancelled(now, tx, &message),
            Event::Acknowledged { tx, message } => self.acknowledged(now, tx, &message),
            Event::NeverAcknowledged { tx } => self.never_acknowledged(now, tx),
            Event::Response { tx, message } => self.responded(now, tx, &message),
            Event::TimedOut { tx } | Event::Failed { tx } => self.unanswered(now, tx),
            Event::Forgotten { tx } => {
                self.asked.remove(&tx);
            }
            Event::Closed { .. } => self.registration.lost(),
            Event::Malformed { .. } => {}
        }
    }

    fn responded(&mut self, now: Duration, tx: ClientTx, response: &Message) {
        let Some(purpose) = self.asked.get(&tx).copied() else { return };
        // A 2xx to INVITE may be followed by another one of the fork.
        let is_final = response.status().is_some_and(|status| status >= 200);
        if is_final && !matches!(purpose, Purpose::Invite(_)) {
            self.asked.remove(&tx);
        }
        match purpose {
            Purpose::Register => self.registered(now, response),
            Purpose::Subscribe => self.subscribed(now, response),
            Purpose::Invite(id) => self.invited(now, id, tx, response),
            Purpose::Change(id) => self.with(id, |phone, line| phone.changed(now, id, line, response)),
            Purpose::Bye => {}
        }
    }

    fn unanswered(&mut self, now: Duration, tx: ClientTx) {
        let Some(purpose) = self.asked.remove(&tx) else { return };
        match purpose {
            Purpose::Register => self.registration_unanswered(now),
            Purpose::Subscribe => self.subscription_unanswered(now),
            Purpose::Invite(id) => self.never_invited(now, id),
            Purpose::Change(id) => self.with(id, |phone, line| phone.hang_up(now, id, line)),
            Purpose::Bye => {}
        }
    }

    fn requested(&mut self, now: Duration, flow: Flow, request: Message) {
        let is_within = request.to().is_ok_and(|to| to.tag().is_some());
        match request.method() {
            Some(Method::Invite) if !is_within => self.called(now, flow, request),
            Some(Method::Notify) if is_within && self.line_of(&request).is_none() => {
                self.notified(now, flow, &request);
            }
            Some(_) if is_within => self.requested_within(now, flow, &request),
            Some(Method::Options | Method::Notify) => self.reply(now, flow, &request, 200),
            Some(_) => self.reply(now, flow, &request, 405),
            None => {}
        }
    }

    /// Takes a call out, lets `work` decide what becomes of it, and puts back what it gives.
    fn with(&mut self, id: LineId, work: impl FnOnce(&mut Self, Line) -> Option<Line>) {
        let Some(line) = self.lines.remove(&id) else { return };
        if let Some(line) = work(self, line) {
            self.lines.insert(id, line);
        }
    }

    fn with_line(&mut self, which: &Which, work: impl FnOnce(&mut Self, LineId, Line) -> Option<Line>) {
        let found = match which {
            Which::Named(name) => {
                self.lines.iter().find(|(_, line)| line.name.as_ref() == Some(name)).map(|(id, _)| *id)
            }
            Which::Latest => self.lines.last_key_value().map(|(id, _)| *id),
        };
        if let Some(id) = found {
            self.with(id, |phone, line| work(phone, id, line));
        }
    }

    fn begin_line(
        &mut self,
        name: Option<String>,
        state: impl FnOnce(&mut Self, LineId, &Sdp) -> Option<State>,
    ) {
        let id = LineId(self.lines_begun);
        self.lines_begun += 1;
        let ours = Sdp {
            owner: self.settings.extension.clone(),
            session: self.dice.below(1 << 40),
            version: 1,
            direction: Direction::Both,
        };
        if let Some(state) = state(self, id, &ours) {
            self.lines.insert(id, Line { name, ours, state });
        }
    }

    fn send(&mut self, now: Duration, purpose: Purpose, request: Message) -> Option<ClientTx> {
        // A full endpoint cannot happen to a phone with a handful of calls; it is a request without an answer then.
        let tx = self.endpoint.request(now, self.settings.flow, request).ok()?;
        self.asked.insert(tx, purpose);
        Some(tx)
    }

    fn reply(&mut self, now: Duration, flow: Flow, request: &Message, status: u16) {
        if let Ok(tx) = self.endpoint.accept(now, flow, request) {
            self.endpoint.respond(now, tx, Message::reply(request, status));
        }
    }

    fn note(&mut self, now: Duration, line: Option<&Line>, what: Sighting) {
        self.seen.push(Seen { at: now, call: line.and_then(|line| line.name.clone()), what });
    }

    fn contact(&self) -> Text {
        let PhoneSettings { extension, local, flow, .. } = &self.settings;
        let transport = match flow.transport {
            Transport::Udp => "",
            Transport::Tcp => ";transport=tcp",
        };
        format!("<sip:{extension}@{local}{transport}>").into()
    }

    /// A request with what every request of this phone carries.
    fn dressed(&self, request: Message) -> Message {
        request
            .with(Name::Contact, self.contact())
            .with(Name::Allow, "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, NOTIFY")
            .with(Name::UserAgent, self.settings.user_agent.clone())
    }
}
