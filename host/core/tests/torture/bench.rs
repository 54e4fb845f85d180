//! A node whose devices bear the names in the torture messages, a peer that sends these, and what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use callwright_core::config::{Config, Device, EarlyDialogs, Expiry, Fallback, NumberPlan, Tenant, User};
use callwright_core::names::Extension;
use callwright_core::view::{Binding, BindingKey};
use callwright_core::{Effect, Input, Node, Now, Setup};
use callwright_sip::digest::Algorithm;
use callwright_sip::{Contacts, Flow, Message, Method, Name};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::verdicts::Verdict;

/// Who is believed here without a proof: everybody whom a valid message names as its sender.
const SENDERS: [&str; 11] = [
    "caller",
    "user",
    "watson",
    "j.user",
    "I have spaces",
    "null-\0-null",
    "+13035551111",
    "amazinglylongcallernameamazinglylongcallernameamazinglylongcallernameamazinglylongcallername\
     amazinglylongcallername",
    "jdrosen",
    "a.g.bell",
    "fluffy",
];
/// Who has a phone: everybody whom a valid INVITE is for.
const CALLEES: [&str; 4] = ["user", "joe", "UserB", "sips:user@example.com"];
/// Where the phones are.
const PHONES: &str = "192.0.2.201:5060";
/// How often a caller's node may have to be woken in ten minutes.
const TICKS_MAX: usize = 100_000;

/// Where a message comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum From {
    /// A datagram from an address that the tenant trusts.
    Believed,
    /// A datagram from another.
    Stranger,
    /// A connection from an address that the tenant trusts.
    Stream,
}

/// What came of a message.
#[derive(PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    /// What the sender was answered, 100 apart.
    statuses: Vec<u16>,
    /// Request-URIs of the INVITEs that phones got.
    rung: Vec<String>,
    /// Contacts that were registered.
    bound: Vec<String>,
    /// Messages that were none, or broken.
    malformed: u64,
    /// Whether the connection was closed.
    closed: bool,
}

impl Seen {
    /// What a verdict looks like from outside.
    pub(crate) fn wanted(verdict: Verdict, from: From) -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let seen = Self::default();
        if from == From::Stranger {
            match verdict {
                Verdict::Proven(_) | Verdict::Rings(_) | Verdict::Binds(_) => {
                    return Self { statuses: vec![401], ..seen };
                }
                Verdict::Answered(_) | Verdict::Refused(_) | Verdict::Stray | Verdict::Junk => {}
                Verdict::Closes | Verdict::ClosesWith(_) | Verdict::Cut(_) | Verdict::BindsAndCut(..) => {
                    panic!("a stream's verdict on a datagram")
                }
            }
        }
        let cut = |uri| Self {
            statuses: vec![487],
            rung: texts(&[uri]),
            malformed: 1,
            closed: true,
            ..Self::default()
        };
        match verdict {
            Verdict::Answered(status) | Verdict::Proven(status) => Self { statuses: vec![status], ..seen },
            Verdict::Refused(status) => Self { statuses: vec![status], malformed: 1, ..seen },
            Verdict::Rings(uri) => Self { rung: texts(&[uri]), ..seen },
            Verdict::Binds(contacts) => Self { statuses: vec![200], bound: texts(contacts), ..seen },
            Verdict::Stray => seen,
            Verdict::Junk => Self { malformed: 1, ..seen },
            Verdict::Closes => Self { malformed: 1, closed: true, ..seen },
            Verdict::ClosesWith(status) => {
                Self { statuses: vec![status], malformed: 1, closed: true, ..seen }
            }
            Verdict::Cut(uri) => cut(uri),
            Verdict::BindsAndCut(contact, uri) => {
                Self { statuses: vec![487, 200], bound: texts(&[contact]), ..cut(uri) }
            }
        }
    }
}

/// A node and the time.
pub(crate) struct Bench {
    node: Node,
    now: Now,
    sent: Vec<(Flow, Message)>,
    closed: Vec<Flow>,
    /// Every message in a stream has a connection of its own.
    connection: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let now = Now { mono: Duration::from_secs(1), wall: Timestamp::UNIX_EPOCH };
        let node = Node::new(Setup {
            node: 1,
            host: "192.0.2.100".to_owned(),
            port: 5060,
            seed: [7; 32],
            config: Arc::new(Config::new(
                ["192.0.2.100".to_owned()].into(),
                Some("acme".into()),
                vec![tenant()],
            )),
            rules: Vec::new(),
            bindings: CALLEES.map(|callee| Arc::new(phone(callee, now))).to_vec(),
            gone: Vec::new(),
            kept: Vec::new(),
            past: Vec::new(),
            now,
        });
        Self { node, now, sent: Vec::new(), closed: Vec::new(), connection: 0 }
    }

    /// Hands a message in and tells what it did at once. The store never fails here.
    pub(crate) fn receive(&mut self, from: From, bytes: &[u8]) -> Seen {
        let before = self.node.view().counters.malformed;
        self.sent.clear();
        self.closed.clear();
        self.connection += 1;
        self.handle(Input::Received { flow: self.flow(from), bytes: Bytes::copy_from_slice(bytes) });
        let mut seen = self.seen(from, before);
        if from == From::Stream && seen == Seen::default() {
            // Maybe the rest of a message is waited for.
            self.pass_minutes(1);
            seen = self.seen(from, before);
        }
        if let Ok(request) = Message::parse(Bytes::copy_from_slice(bytes)) {
            self.check_rung(&request);
        }
        seen
    }

    fn flow(&self, from: From) -> Flow {
        match from {
            From::Believed => Flow::udp("192.0.2.200:5060".parse().unwrap()),
            From::Stranger => Flow::udp("198.51.100.9:5060".parse().unwrap()),
            From::Stream => Flow::tcp("192.0.2.200:40001".parse().unwrap(), self.connection),
        }
    }

    fn handle(&mut self, input: Input) {
        self.node.handle(self.now, input);
        let mut stored = Vec::new();
        while let Some(effect) = self.node.poll() {
            match effect {
                // A keep-alive.
                Effect::Transmit { bytes, .. } if bytes == "\r\n\r\n" => {}
                Effect::Transmit { flow, bytes } => {
                    self.sent.push((flow, Message::parse(bytes).expect("what we send is well-formed")));
                }
                Effect::Close { flow } => self.closed.push(flow),
                Effect::Store { ticket, .. } => stored.push(ticket),
                Effect::Believe { .. } => {}
                Effect::Start(_)
                | Effect::Answer { .. }
                | Effect::Stop { .. }
                | Effect::Withdraw(_)
                | Effect::Tell { .. } => {
                    panic!("no rule is here")
                }
                Effect::Wish { .. } => panic!("no code is dialled here"),
            }
        }
        for flow in self.closed.clone() {
            self.node.handle(self.now, Input::Closed { flow });
        }
        for ticket in stored {
            self.handle(Input::Stored { ticket, result: Ok(()) });
        }
    }

    fn seen(&self, from: From, malformed_before: u64) -> Seen {
        let sender = self.flow(from).peer.ip();
        let is_answer =
            |(flow, message): &&(Flow, Message)| flow.peer.ip() == sender && message.status().is_some();
        let answers: Vec<&Message> = self.sent.iter().filter(is_answer).map(|(_, answer)| answer).collect();
        for answer in &answers {
            check_answer(answer);
        }
        let finals = answers.iter().filter(|answer| answer.status() != Some(100));
        let registered =
            answers.iter().filter(|answer| answer.cseq().is_ok_and(|cseq| cseq.method == Method::Register));
        Seen {
            statuses: finals.map(|answer| answer.status().unwrap()).collect(),
            rung: self.invites().map(|invite| invite.uri().unwrap().lossy().into_owned()).collect(),
            bound: registered.flat_map(|answer| contacts(answer)).collect(),
            malformed: self.node.view().counters.malformed - malformed_before,
            closed: self.closed.contains(&self.flow(from)),
        }
    }

    fn invites(&self) -> impl Iterator<Item = &Message> {
        let phones = Flow::udp(PHONES.parse().unwrap());
        let to_phones = self.sent.iter().filter(move |(flow, _)| *flow == phones).map(|(_, message)| message);
        to_phones.filter(|message| message.method() == Some(&Method::Invite))
    }

    /// A phone gets the description as it came, one hop less, and no header of a stranger's making.
    fn check_rung(&self, request: &Message) {
        for invite in self.invites().filter(|_| request.method() == Some(&Method::Invite)) {
            assert_eq!(invite.body, request.body);
            let hops = request.max_forwards().unwrap().unwrap_or(70);
            assert_eq!(invite.max_forwards(), Ok(Some(hops - 1)));
            assert_eq!(invite.headers.all(&Name::Via).count(), 1);
            assert_eq!(invite.headers.all(&Name::Route).count(), 0);
        }
    }

    /// Lets time pass, with every timer on its way.
    pub(crate) fn pass_minutes(&mut self, minutes: u64) {
        let end = self.now.mono + Duration::from_secs(60 * minutes);
        for _ in 0..TICKS_MAX {
            let Some(due) = self.node.deadline().filter(|due| due.at <= end) else { break };
            let passed = due.at.saturating_sub(self.now.mono);
            self.now.mono = self.now.mono.max(due.at);
            self.now.wall += SignedDuration::try_from(passed).unwrap();
            self.handle(Input::Tick);
        }
        assert!(self.node.deadline().is_none_or(|due| due.at > end), "the node is never done");
    }

    /// Calls and transactions that are still there.
    pub(crate) fn left_over(&mut self) -> (usize, u64) {
        // A request makes the node paint its picture again.
        let probe = Message::request(Method::Options, "sip:192.0.2.100")
            .with(Name::Via, "SIP/2.0/UDP 192.0.2.200;branch=z9hG4bKlast")
            .with(Name::From, "<sip:caller@example.com>;tag=1")
            .with(Name::To, "<sip:192.0.2.100>")
            .with(Name::CallId, "last")
            .with(Name::CSeq, "1 OPTIONS");
        self.handle(Input::Received { flow: self.flow(From::Believed), bytes: probe.to_bytes() });
        let view = self.node.view();
        (view.calls.len(), view.counters.transactions)
    }
}

/// What an answer must say by its status (RFC 3261 §20.5, §20.1, §20.40, §20.44).
fn check_answer(answer: &Message) {
    let needed = match answer.status().unwrap() {
        401 => Name::WwwAuthenticate,
        405 | 501 => Name::Allow,
        415 => Name::Accept,
        420 => Name::Unsupported,
        _ => Name::Via,
    };
    assert!(answer.headers.get(&needed).is_some(), "{needed} is missing in {answer:?}");
}

/// The contacts in the 200 to a REGISTER.
fn contacts(answer: &Message) -> Vec<String> {
    let Ok(Contacts::List(list)) = answer.contacts() else { panic!("no list of contacts in {answer:?}") };
    list.into_iter().map(|contact| contact.uri.to_string()).collect()
}

/// The phone of a callee, by the name of its device: the name of the callee itself belongs to who sends as such.
fn phone(callee: &str, now: Now) -> Binding {
    let peer = PHONES.parse().unwrap();
    let user = callee.replace(':', "%3a").replace('@', "%40");
    Binding {
        key: BindingKey { tenant: "acme".into(), device: device_of(callee), phone: "p".to_owned() },
        contact: format!("sip:{user}@192.0.2.201"),
        flow: Flow::udp(peer),
        call_id: "phone".to_owned(),
        cseq: 1,
        registered: now.wall,
        expires: now.wall + SignedDuration::from_hours(1),
        user_agent: String::new(),
        behind_nat: false,
        suspect_since: None,
    }
}

fn device_of(callee: &str) -> Extension {
    format!("{callee}'s phone").as_str().into()
}

fn tenant() -> Tenant {
    let device = |extension: Extension, user: &str| Device {
        extension,
        label: String::new(),
        user: user.into(),
        secret: None,
        contact: None,
        early_dialogs: EarlyDialogs::PerLeg,
    };
    let user = |name: &str, devices: Vec<Extension>| User {
        id: name.into(),
        name: name.to_owned(),
        extension: None,
        numbers: Vec::new(),
        zone: None,
        devices,
        call_waiting: Some(true),
        forwarding: None,
    };
    let senders = SENDERS.iter().map(|name| device((*name).into(), "sender"));
    let phones = CALLEES.iter().map(|name| device(device_of(name), name));
    let callees = CALLEES.iter().map(|name| user(name, vec![device_of(name)]));
    let sender = user("sender", SENDERS.iter().map(|name| (*name).into()).collect());
    let users: Vec<User> = callees.chain([sender]).collect();
    Tenant {
        id: "acme".into(),
        realm: None,
        domains: ["example.com", "example.net", "example.org", "registrar.example.com"]
            .map(str::to_owned)
            .into(),
        zone: TimeZone::UTC,
        digest: Algorithm::Md5,
        expiry: Expiry { min_s: 60, max_s: 3600, default_s: 600 },
        trusted: vec!["192.0.2.0/24".parse().unwrap()],
        // People alone can be dialled, each by name.
        plan: NumberPlan::of([], &users, []),
        users: users.into_iter().map(|user| (user.id.clone(), user)).collect(),
        devices: senders.chain(phones).map(|device| (device.extension.clone(), device)).collect(),
        groups: BTreeMap::new(),
        places: BTreeMap::new(),
        hours: BTreeMap::new(),
        holidays: BTreeMap::new(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: BTreeMap::new(),
        emergency: ["112".to_owned()].into(),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        cadence: Duration::from_secs(5),
        codes: callwright_core::codes::CodePlan::default(),
        cold_route_falls_back: false,
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1800,
        runs_max: 100,
        fuel_per_s: 1_000_000_000,
        uploads_per_hour: 30,
    }
}
