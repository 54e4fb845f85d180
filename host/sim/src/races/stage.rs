//! Where a case is played: the switch without wires, phones and a caller that send what they are told to and note what
//! they get. Everything arrives at once, and nothing is lost: only the order matters here.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use callwright_core::config::FixedContact;
use callwright_core::names::AskId;
use callwright_core::record::CallRecord;
use callwright_core::rule::{
    ActiveRule, Answer, Ask, BindTarget, Care, DestinationRef, LegPlan, RingPlan, RunEvent, RunOutcome, Spent,
};
use callwright_core::{Change, Config, Effect, Input, Node, Now, Setup};
use callwright_sip::{Dialog, Flow, Message, Method, Name, Text};
use jiff::Timestamp;

use super::LEGS_MAX;
use super::case::{Case, Event, House, May};
use super::flaw::{Flaw, Flawed};
use crate::glance::Glance;
use crate::town::Household;
use crate::trace::{SWITCH, Trace};
use crate::world::switch::Switch;

/// How long the ring may last: longer than all events in it, ten a second, and so long that whoever rang early has missed
/// the call when it is over, and whoever rang late has not (TELEPHONY T12).
const RING: Duration = Duration::from_millis(3_500);
/// How long a phone may say nothing at all: no matter here, where the ring's own time is what ends.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Ticks between two events after which the switch is said to stand still.
const TICKS_MAX: usize = 10_000;
/// What everybody describes their media with.
const SDP: &str = "v=0\r\n";
/// The caller's device, believed by its address.
const CALLER: &str = "caller";

/// What an onlooker has seen of the call.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) caller: Vec<u16>,
    pub(super) caller_byes: usize,
    /// How rings ended, as the rule was told.
    pub(super) outcomes: Vec<String>,
    pub(super) phones: Vec<SeenByPhone>,
}

/// What one phone has got; whether a CANCEL or BYE told it of another's answer.
#[derive(Clone, Debug, Default)]
pub(super) struct SeenByPhone {
    pub(super) invites: usize,
    pub(super) cancels: Vec<bool>,
    pub(super) acks: usize,
    pub(super) byes: Vec<bool>,
}

struct Phone {
    seen: SeenByPhone,
    invite: Option<Message>,
    /// The final response that it has sent.
    last: Option<u16>,
    has_hung_up: bool,
}

struct Caller {
    invite: Message,
    finals: Vec<(u16, String)>,
    early: Option<Message>,
    dialog: Option<Dialog>,
    byes: usize,
    has_hung_up: bool,
    /// What its CANCEL and BYE were answered.
    answers: Vec<u16>,
}

/// The place of one call.
pub(super) struct Stage {
    switch: Box<dyn Switch>,
    now: Duration,
    legs: usize,
    caller: Caller,
    phones: Vec<Phone>,
    outcomes: Vec<String>,
    records: Vec<CallRecord>,
    /// Requests that came before: what comes again is noted once.
    heard: BTreeSet<(String, String)>,
    trace: Option<Trace>,
}

/// What a phone is called: those to which calls are sent on have numbers of their own.
pub(super) fn name_of(phone: usize) -> String {
    format!("{}", 1001 + phone)
}

/// Whose phone it is.
pub(super) fn user_of(house: House, legs: usize, phone: usize) -> String {
    match house {
        House::One if phone < legs => "u0".to_owned(),
        House::One | House::Many => format!("u{phone}"),
    }
}

/// From the beginning to that moment.
pub(super) fn since(at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(Timestamp::UNIX_EPOCH)).unwrap_or_default()
}

impl Stage {
    /// The caller has dialled, and the rule rings everybody.
    pub(super) fn begin(case: &Case, flaw: Option<Flaw>, is_traced: bool) -> Self {
        let legs = case.habits.len();
        let node = Node::new(Setup {
            node: 1,
            host: switch_address().ip().to_string(),
            port: switch_address().port(),
            seed: [7; 32],
            config: config(case.house, legs),
            rules: vec![Arc::new(rule())],
            bindings: Vec::new(),
            kept: Vec::new(),
            past: Vec::new(),
            gone: Vec::new(),
            now: now(Duration::ZERO),
        });
        let phone = || Phone { seen: SeenByPhone::default(), invite: None, last: None, has_hung_up: false };
        let mut stage = Self {
            switch: match flaw {
                None => Box::new(node),
                Some(flaw) => Box::new(Flawed::new(node, flaw)),
            },
            now: Duration::ZERO,
            legs,
            caller: Caller::new(),
            phones: std::iter::repeat_with(phone).take(case.phones()).collect(),
            outcomes: Vec::new(),
            records: Vec::new(),
            heard: BTreeSet::new(),
            trace: is_traced.then(Trace::default),
        };
        let invite = stage.caller.invite.clone();
        stage.send(CALLER, caller_address(), &invite);
        stage
    }

    pub(super) fn now(&self) -> Duration {
        self.now
    }

    pub(super) fn end_of_ring(&self) -> Duration {
        RING
    }

    /// What an onlooker has seen up to now.
    pub(super) fn seen(&self) -> Seen {
        Seen {
            caller: self.caller.finals.iter().map(|(status, _)| *status).collect(),
            caller_byes: self.caller.byes,
            outcomes: self.outcomes.clone(),
            phones: self.phones.iter().map(|phone| phone.seen.clone()).collect(),
        }
    }

    /// What everybody can do.
    pub(super) fn may(&self, is_ringing: bool) -> May {
        let undecided = |phone: &Phone| phone.invite.is_some() && phone.last.is_none();
        let is_over = self.caller.has_hung_up || self.caller.byes > 0;
        let is_refused = self.caller.finals.iter().any(|(status, _)| *status >= 300);
        May {
            respond: self.phones.iter().map(undecided).collect(),
            obey: self
                .phones
                .iter()
                .map(|phone| undecided(phone) && !phone.seen.cancels.is_empty())
                .collect(),
            hang_up: self
                .phones
                .iter()
                .map(|phone| phone.last == Some(200) && phone.seen.byes.is_empty() && !phone.has_hung_up)
                .collect(),
            cancel: !is_over && !is_refused,
            bye: !is_over && !is_refused && (self.caller.dialog.is_some() || self.caller.early.is_some()),
            time_out: is_ringing,
        }
    }

    /// Lets the time pass.
    pub(super) fn pass_to(&mut self, at: Duration) {
        for _ in 0..TICKS_MAX {
            match self.switch.deadline().filter(|deadline| deadline.at <= at) {
                Some(deadline) => {
                    self.now = self.now.max(deadline.at);
                    self.feed(Input::Tick);
                }
                None => break,
            }
        }
        self.now = at;
    }

    /// Lets something happen at that moment.
    pub(super) fn happen(&mut self, at: Duration, event: Event) {
        self.pass_to(at);
        if let Some(trace) = &mut self.trace {
            trace.note(at, SWITCH, event.to_string());
        }
        match event {
            Event::Rings(phone) => self.respond(phone, 180),
            Event::Answers(phone) => self.respond(phone, 200),
            Event::Declines(phone) => self.respond(phone, 603),
            Event::Busy(phone) => self.respond(phone, 486),
            Event::Deflects(phone) => self.respond(phone, 302),
            Event::Obeys(phone) => self.respond(phone, 487),
            Event::HangsUp(phone) => self.hang_up(phone),
            Event::CallerCancels => {
                let cancel = self.caller.cancel();
                self.send(CALLER, caller_address(), &cancel);
            }
            Event::CallerHangsUp => self.caller_hangs_up(),
            // It was the time that passed.
            Event::TimesOut => {}
        }
    }

    /// The records that were written.
    pub(super) fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// What must not be there any more when everything has settled, and answers that somebody did not get.
    pub(super) fn left_over(&self) -> Vec<String> {
        let view = self.switch.view();
        let mut left = Vec::new();
        left.extend(view.calls.values().map(|call| format!("the call is still there: {:?}", call.phase)));
        left.extend(view.activity.iter().map(|((_, device), what)| format!("{device} still has {what:?}")));
        if view.counters.transactions > 0 {
            left.push(format!("{} transactions are left", view.counters.transactions));
        }
        let refused = self.caller.answers.iter().filter(|status| **status != 200);
        left.extend(refused.map(|status| format!("a CANCEL or BYE of the caller was answered {status}")));
        left
    }

    pub(super) fn into_trace(self) -> Option<Trace> {
        self.trace
    }

    fn respond(&mut self, phone: usize, status: u16) {
        let Some(invite) = self.phones.get(phone).and_then(|phone| phone.invite.clone()) else { return };
        let mut response = Message::reply(&invite, status);
        response.tag_to(&tag_of(phone));
        let response = match status {
            200 => response
                .with(Name::Contact, contact_of(phone))
                .with_body("application/sdp", Bytes::from_static(SDP.as_bytes())),
            302 => response.with(Name::Contact, format!("<sip:{}@acme.example>", name_of(self.legs + phone))),
            _ => response.with(Name::Contact, contact_of(phone)),
        };
        if status >= 200 {
            self.phones[phone].last = Some(status);
        }
        self.send(&name_of(phone), address_of(phone), &response);
    }

    fn hang_up(&mut self, phone: usize) {
        let Some(invite) = self.phones.get(phone).and_then(|phone| phone.invite.clone()) else { return };
        let Ok(mut dialog) = Dialog::of_uas(&invite, &tag_of(phone)) else { return };
        self.phones[phone].has_hung_up = true;
        let bye = via(dialog.request(Method::Bye), address_of(phone), &format!("bye{phone}"));
        self.send(&name_of(phone), address_of(phone), &bye);
    }

    fn caller_hangs_up(&mut self) {
        let early = || Dialog::of_uac(&self.caller.invite, self.caller.early.as_ref()?).ok();
        let Some(mut dialog) = self.caller.dialog.clone().or_else(early) else { return };
        self.caller.has_hung_up = true;
        let bye = via(dialog.request(Method::Bye), caller_address(), "bye");
        self.send(CALLER, caller_address(), &bye);
    }

    fn send(&mut self, from: &str, address: SocketAddr, message: &Message) {
        let bytes = message.to_bytes();
        if let Some(trace) = &mut self.trace {
            trace.sent(self.now, from, SWITCH, bytes.clone(), false);
        }
        self.feed(Input::Received { flow: Flow::udp(address), bytes });
    }

    /// Hands something to the switch, and everything that follows from it at once.
    fn feed(&mut self, input: Input) {
        let mut inputs = VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            self.switch.handle(now(self.now), input);
            while let Some(effect) = self.switch.poll() {
                self.carry_out(effect, &mut inputs);
            }
        }
    }

    fn carry_out(&mut self, effect: Effect, inputs: &mut VecDeque<Input>) {
        match effect {
            Effect::Transmit { flow, bytes } => self.deliver(flow, bytes, inputs),
            Effect::Start(start) => {
                let event = RunEvent::Asked { ask: AskId(1), what: Ask::Ring(self.plan()) };
                inputs.push_back(Input::Run { run: start.run, event, spent: Spent::default() });
            }
            Effect::Answer { run, answer, .. } => match answer {
                Answer::Rang(Ok(report)) => {
                    self.outcomes.push(report.outcome.to_string());
                    inputs.push_back(ended(run, RunOutcome::Ok));
                }
                // The run is stopped later.
                Answer::Rang(Err(_)) => self.outcomes.push("caller-gone".to_owned()),
                Answer::Done(_) | Answer::Kept(_) | Answer::Taken(_) => {}
            },
            Effect::Stop { run } => inputs.push_back(ended(run, RunOutcome::CallerGone)),
            Effect::Store { ticket, changes } => {
                for change in changes {
                    if let Change::Ended { record, .. } = change {
                        self.records.push(CallRecord::clone(&record));
                    }
                }
                inputs.push_back(Input::Stored { ticket, result: Ok(()) });
            }
            // Nobody dials a code here.
            Effect::Close { .. }
            | Effect::Believe { .. }
            | Effect::Withdraw(_)
            | Effect::Tell { .. }
            | Effect::Wish { .. } => {}
        }
    }

    fn plan(&self) -> RingPlan {
        let leg = |phone: usize| LegPlan {
            to: DestinationRef::Device(name_of(phone).into()),
            start_after: Duration::ZERO,
            ring_for: None,
            label: None,
        };
        RingPlan { legs: (0..self.legs).map(leg).collect(), time: RING, ..RingPlan::default() }
    }

    fn deliver(&mut self, flow: Flow, bytes: Bytes, inputs: &mut VecDeque<Input>) {
        let phone = (0..self.phones.len()).find(|phone| address_of(*phone) == flow.peer);
        if let Some(trace) = &mut self.trace {
            let to = phone.map_or_else(|| CALLER.to_owned(), name_of);
            trace.sent(self.now, SWITCH, &to, bytes.clone(), false);
        }
        let Some(glance) = Glance::of(&bytes) else { return };
        let is_new = glance.status > 0
            || self.heard.insert((glance.branch.clone(), format!("{}{}", glance.request, glance.to_tag)));
        // An INVITE that comes again says nothing new.
        let Some(message) = Message::parse(bytes).ok().filter(|_| is_new || glance.request != "INVITE")
        else {
            return;
        };
        let answer = match phone {
            Some(phone) => self.phones[phone].takes(&glance, message, is_new),
            None => self.caller.takes(&glance, &message, is_new),
        };
        if let Some(answer) = answer {
            let bytes = answer.to_bytes();
            if let Some(trace) = &mut self.trace {
                let from = phone.map_or_else(|| CALLER.to_owned(), name_of);
                trace.sent(self.now, &from, SWITCH, bytes.clone(), false);
            }
            inputs.push_back(Input::Received { flow, bytes });
        }
    }
}

impl Phone {
    fn takes(&mut self, glance: &Glance, message: Message, is_new: bool) -> Option<Message> {
        let is_told = glance.reason_text() == Some("Call completed elsewhere");
        match glance.request.as_str() {
            "INVITE" if is_new => {
                self.seen.invites += 1;
                self.invite = Some(message);
                None
            }
            "CANCEL" => {
                if is_new {
                    self.seen.cancels.push(is_told);
                }
                Some(Message::reply(&message, 200))
            }
            "BYE" => {
                if is_new {
                    self.seen.byes.push(is_told);
                }
                Some(Message::reply(&message, 200))
            }
            "ACK" if is_new => {
                self.seen.acks += 1;
                None
            }
            _ => None,
        }
    }
}

impl Caller {
    fn new() -> Self {
        let uri = format!("sip:{}@acme.example", 100);
        let invite = Message::request(Method::Invite, uri.clone())
            .with(Name::MaxForwards, "70")
            .with(Name::From, format!("<sip:{CALLER}@acme.example>;tag=c"))
            .with(Name::To, format!("<{uri}>"))
            .with(Name::CallId, "call")
            .with(Name::CSeq, "1 INVITE")
            .with(Name::Contact, format!("<sip:{CALLER}@{}>", caller_address()))
            .with_body("application/sdp", Bytes::from_static(SDP.as_bytes()));
        Self {
            invite: via(invite, caller_address(), "invite"),
            finals: Vec::new(),
            early: None,
            dialog: None,
            byes: 0,
            has_hung_up: false,
            answers: Vec::new(),
        }
    }

    /// A CANCEL of its INVITE (RFC 3261 §9.1).
    fn cancel(&self) -> Message {
        let invite = &self.invite;
        let mut cancel = Message::request(Method::Cancel, invite.uri().cloned().unwrap_or_default());
        for name in [Name::Via, Name::From, Name::To, Name::CallId] {
            if let Some(value) = invite.headers.get(&name) {
                cancel.headers.push(name, value.clone());
            }
        }
        cancel.with(Name::CSeq, "1 CANCEL").with(Name::MaxForwards, "70")
    }

    fn takes(&mut self, glance: &Glance, message: &Message, is_new: bool) -> Option<Message> {
        if glance.is_request("BYE") {
            self.byes += usize::from(is_new);
            return Some(Message::reply(message, 200));
        }
        match (glance.method.as_str(), glance.status) {
            ("INVITE", 101..=199) => {
                self.early = Some(message.clone());
                None
            }
            ("INVITE", 200..) => {
                let this = (glance.status, glance.to_tag.clone());
                if !self.finals.contains(&this) {
                    self.finals.push(this);
                }
                self.acknowledge(message)
            }
            ("CANCEL" | "BYE", status @ 200..) => {
                self.answers.push(status);
                None
            }
            _ => None,
        }
    }

    /// The ACK to a final response: of the transaction to a refusal, of the dialog to a 2xx (RFC 3261 §13.2.2.4, §17.1.1.3).
    fn acknowledge(&mut self, response: &Message) -> Option<Message> {
        if response.status().is_some_and(|status| status < 300) {
            let dialog = Dialog::of_uac(&self.invite, response).ok()?;
            let ack = via(dialog.ack(1), caller_address(), "ack");
            self.dialog.get_or_insert(dialog);
            return Some(ack);
        }
        let mut ack = Message::request(Method::Ack, self.invite.uri().cloned()?);
        for (name, from) in [
            (Name::Via, &self.invite),
            (Name::From, &self.invite),
            (Name::To, response),
            (Name::CallId, &self.invite),
        ] {
            ack.headers.push(name.clone(), from.headers.get(&name)?.clone());
        }
        Some(ack.with(Name::CSeq, "1 ACK").with(Name::MaxForwards, "70"))
    }
}

fn ended(run: callwright_core::names::RunId, outcome: RunOutcome) -> Input {
    Input::Run { run, event: RunEvent::Ended(outcome), spent: Spent::default() }
}

fn via(mut message: Message, address: SocketAddr, branch: &str) -> Message {
    message.headers.push(Name::Via, format!("SIP/2.0/UDP {address};branch=z9hG4bK{branch};rport"));
    message
}

fn now(mono: Duration) -> Now {
    let wall = Timestamp::UNIX_EPOCH.checked_add(mono).unwrap_or(Timestamp::UNIX_EPOCH);
    Now { mono, wall }
}

fn address(last: [u8; 2]) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, last[0], last[1])), 5060)
}

fn switch_address() -> SocketAddr {
    address([0, 1])
}

fn caller_address() -> SocketAddr {
    address([0, 99])
}

fn address_of(phone: usize) -> SocketAddr {
    address([1, u8::try_from(phone).unwrap_or(u8::MAX)])
}

fn contact_of(phone: usize) -> String {
    format!("<sip:{}@{}>", name_of(phone), address_of(phone))
}

fn tag_of(phone: usize) -> Text {
    Text::from(format!("t{phone}"))
}

fn rule() -> ActiveRule {
    ActiveRule {
        tenant: "acme".into(),
        name: "all".into(),
        version: "sha256:0".into(),
        bind: vec![BindTarget::Tenant],
        fallback: None,
        settings: Arc::default(),
        care: Care::default(),
    }
}

/// The tenant of these phones, made once for all of its calls.
fn config(house: House, legs: usize) -> Arc<Config> {
    type Made = [OnceLock<Arc<Config>>; LEGS_MAX];
    static ONE: Made = [const { OnceLock::new() }; LEGS_MAX];
    static MANY: Made = [const { OnceLock::new() }; LEGS_MAX];
    let made = match house {
        House::One => &ONE,
        House::Many => &MANY,
    };
    Arc::clone(made[legs - 1].get_or_init(|| configured(house, legs)))
}

fn configured(house: House, legs: usize) -> Arc<Config> {
    let mut household = Household::new("acme");
    household.response_timeout = RESPONSE_TIMEOUT;
    let mut users: Vec<(String, Vec<(String, String)>)> = Vec::new();
    for phone in 0..legs * 2 {
        let (user, device) = (user_of(house, legs, phone), ("desk".to_owned(), name_of(phone)));
        match users.iter_mut().find(|(known, _)| *known == user) {
            Some((_, devices)) => devices.push(device),
            None => users.push((user, vec![device])),
        }
    }
    for (at, (user, devices)) in users.iter().enumerate() {
        household.user(user, user, &(100 + at).to_string(), devices);
    }
    household.user("cleo", "Cleo", "99", &[("desk".to_owned(), CALLER.to_owned())]);
    for device in &mut household.devices {
        device.secret = None;
        if let Some(phone) = (0..legs * 2).find(|phone| device.extension.as_str() == name_of(*phone)) {
            let uri = format!("sip:{}@{}", name_of(phone), address_of(phone));
            device.contact = Some(FixedContact { uri, flow: Flow::udp(address_of(phone)) });
        }
    }
    let mut tenant = household.tenant();
    tenant.trusted = vec![caller_address().ip().into()];
    let own_host = switch_address().ip().to_string();
    Arc::new(Config::new(BTreeSet::from([own_host]), Some(tenant.id.clone()), vec![tenant]))
}
