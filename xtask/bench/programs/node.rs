//! What one call costs the node alone, without sockets, threads, store or Wasm: `cargo xtask bench node`.
//!
//! Arguments: how many calls, how many users, how many nodes, each of which makes so many calls on a thread of its own. Prints one JSON object, times in microseconds of wall time; under
//! `valgrind --tool=callgrind` the instructions of a call are the same on every run.

#![expect(clippy::expect_used, clippy::wildcard_enum_match_arm, reason = "a benchmark that goes wrong ends")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_core::config::{
    Config, Device, EarlyDialogs, Expiry, Fallback, FixedContact, NumberPlan, Tenant, User,
};
use callwright_core::names::{AskId, Extension, GroupName, RunId, UserId};
use callwright_core::rule::{
    ActiveRule, Ask, BindTarget, Care, DestinationRef, LegPlan, RingPlan, RunEvent, RunOutcome, Spent,
};
use callwright_core::seam::{Effect, Input};
use callwright_core::{Node, Now, Setup};
use callwright_sip::digest::Algorithm;
use callwright_sip::{Flow, Message, Name};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// As in the switch.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.11\r\ns=-\r\nc=IN IP4 10.0.0.11\r\nt=0 0\r\n\
                   m=audio 6000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n";
/// Time from one input to the next: 13 to a call make 300 calls a second.
const BETWEEN: Duration = Duration::from_micros(256);
/// The steps of a call, as they are printed.
const STEPS: [&str; 9] =
    ["invite", "asked", "ringing", "answered", "rule-ended", "ack", "bye", "bye-answered", "timers"];

fn main() {
    // `cargo bench` adds an argument of its own.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let calls = numbers.next().unwrap_or(20_000).max(1);
    let users = numbers.next().unwrap_or(10_000).max(2);
    let nodes = numbers.next().unwrap_or(1).clamp(1, 64);
    let together = Barrier::new(nodes);
    let benches: Vec<Bench> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..)
            .take(nodes)
            .map(|number| {
                let together = &together;
                scope.spawn(move || {
                    let mut bench = Bench::new(number, users);
                    together.wait();
                    for call in 0..calls {
                        // 48,271 is a prime: the next user is far away, and nothing of them in a cache because of the last.
                        bench.call(call, 1 + call * 48_271 % (users - 1));
                    }
                    bench
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a node does not panic")).collect()
    });
    print(&benches, calls, users);
}

/// A node, its clock, and the time that it took.
struct Bench {
    node: Node,
    elapsed: Duration,
    took: [Duration; STEPS.len()],
    caller: Flow,
    callee: Flow,
}

impl Bench {
    fn new(number: u16, users: usize) -> Self {
        let caller = Flow::udp(([10, 0, 0, 11], 5060).into());
        let callee = Flow::udp(([10, 0, 0, 1], 5060).into());
        let config = Config::new(
            BTreeSet::from(["10.0.0.100".to_owned()]),
            Some("acme".into()),
            vec![tenant(users, callee)],
        );
        let node = Node::new(Setup {
            node: number,
            host: "10.0.0.100".into(),
            port: 5060,
            seed: [7; 32],
            config: Arc::new(config),
            rules: vec![Arc::new(rule())],
            bindings: Vec::new(),
            gone: Vec::new(),
            kept: Vec::new(),
            past: Vec::new(),
            now: at(Duration::ZERO),
        });
        Self { node, elapsed: Duration::ZERO, took: [Duration::ZERO; STEPS.len()], caller, callee }
    }

    /// One call from user 0 to another: ringing, answered, ended by its caller.
    fn call(&mut self, number: usize, to: usize) {
        let effects = self.received(0, self.caller, &invite(number, to));
        let run = effects.iter().find_map(|effect| match effect {
            Effect::Start(start) => Some(start.run),
            _ => None,
        });
        let run = run.unwrap_or_else(|| panic!("no rule was started: {effects:?}"));
        let effects = self.take(1, asked(run, to));
        let out = self.sent(&effects, self.callee);
        let ringing = reply(&out, 180, number).to_bytes();
        self.received(2, self.callee, &ringing);
        let answer = reply(&out, 200, number).with_body("application/sdp", SDP).to_bytes();
        let effects = self.received(3, self.callee, &answer);
        let answered = self.sent(&effects, self.caller);
        let ended = RunEvent::Ended(RunOutcome::Ok);
        self.take(4, Input::Run { run, event: ended, spent: Spent::default() });
        let to = header(&answered, &Name::To);
        self.received(5, self.caller, &within("ACK", 1, number, &to));
        let effects = self.received(6, self.caller, &within("BYE", 2, number, &to));
        let bye = self.sent(&effects, self.callee);
        let mut ended = self.received(7, self.callee, &Message::reply(&bye, 200).to_bytes());
        ended.extend(effects);
        for effect in ended {
            if let Effect::Store { ticket, .. } = effect {
                self.take(7, Input::Stored { ticket, result: Ok(()) });
            }
        }
        while self.node.deadline().is_some_and(|deadline| deadline.at <= at(self.elapsed).mono) {
            self.take(8, Input::Tick);
        }
    }

    fn received(&mut self, step: usize, flow: Flow, message: &Bytes) -> Vec<Effect> {
        self.take(step, Input::Received { flow, bytes: message.clone() })
    }

    /// Hands the node an input and counts the time until it has no more effects.
    fn take(&mut self, step: usize, input: Input) -> Vec<Effect> {
        self.elapsed += BETWEEN;
        let now = at(self.elapsed);
        let mut effects = Vec::with_capacity(8);
        let began = Instant::now();
        self.node.handle(now, input);
        while let Some(effect) = self.node.poll() {
            effects.push(effect);
        }
        self.took[step] += began.elapsed();
        effects
    }

    /// The last message to a peer.
    fn sent(&self, effects: &[Effect], peer: Flow) -> Message {
        let bytes = effects.iter().rev().find_map(|effect| match effect {
            Effect::Transmit { flow, bytes } if *flow == peer => Some(bytes.clone()),
            _ => None,
        });
        let bytes = bytes.unwrap_or_else(|| panic!("nothing was sent to {peer:?}: {effects:?}"));
        Message::parse(bytes).expect("the node sends what it can read")
    }
}

/// What a call took on average, and how many calls all nodes take in a second of their own time.
#[expect(clippy::print_stdout, reason = "the result")]
fn print(benches: &[Bench], calls: usize, users: usize) {
    let nodes = benches.len();
    let a_call = |took: Duration| took.as_secs_f64() * 1e6 / (calls * nodes) as f64;
    let of_step = |step: usize| benches.iter().map(|bench| bench.took[step]).sum();
    let steps: Vec<String> = STEPS
        .iter()
        .enumerate()
        .map(|(at, step)| format!("\"{step}\": {:.2}", a_call(of_step(at))))
        .collect();
    let all = |bench: &Bench| bench.took.iter().sum::<Duration>();
    let per_call = a_call(benches.iter().map(all).sum());
    let per_second: f64 = benches.iter().map(|bench| calls as f64 / all(bench).as_secs_f64()).sum();
    println!(
        "{{\"calls\": {calls}, \"users\": {users}, \"nodes\": {nodes}, \"us_per_call\": {per_call:.2}, \
         \"calls_per_s\": {per_second:.0}, \"steps\": {{{}}}}}",
        steps.join(", ")
    );
}

fn at(elapsed: Duration) -> Now {
    let wall = SignedDuration::try_from(elapsed).expect("a benchmark is short");
    Now { mono: Duration::from_secs(1) + elapsed, wall: Timestamp::UNIX_EPOCH + wall }
}

/// Users with one device each, which is always reached at `callee`.
fn tenant(users: usize, callee: Flow) -> Tenant {
    let device = |number: usize| Device {
        extension: format!("d{number:07}").as_str().into(),
        label: "desk".to_owned(),
        user: format!("u{number:07}").as_str().into(),
        secret: None,
        contact: Some(FixedContact { uri: format!("sip:d{number:07}@10.0.0.1:5060"), flow: callee }),
        early_dialogs: EarlyDialogs::PerLeg,
    };
    let user = |number: usize| User {
        id: format!("u{number:07}").as_str().into(),
        name: "Someone".to_owned(),
        extension: Some(format!("u{number:07}").as_str().into()),
        numbers: Vec::new(),
        zone: None,
        devices: vec![format!("d{number:07}").as_str().into()],
        call_waiting: None,
        forwarding: None,
    };
    let devices: BTreeMap<Extension, Device> =
        (0..users).map(device).map(|device| (device.extension.clone(), device)).collect();
    let people: BTreeMap<UserId, User> = (0..users).map(user).map(|user| (user.id.clone(), user)).collect();
    let groups: BTreeMap<GroupName, _> = BTreeMap::new();
    Tenant {
        id: "acme".into(),
        domains: vec!["acme.example".to_owned()],
        realm: None,
        zone: TimeZone::UTC,
        digest: Algorithm::Md5,
        expiry: Expiry { min_s: 60, max_s: 3600, default_s: 600 },
        trusted: vec!["10.0.0.11/32".parse().expect("an address")],
        plan: NumberPlan::of(devices.values(), people.values(), groups.values()),
        users: people,
        devices,
        groups,
        places: BTreeMap::new(),
        hours: BTreeMap::new(),
        holidays: BTreeMap::new(),
        rotas: BTreeMap::new(),
        time_routes: BTreeMap::new(),
        roles: BTreeMap::new(),
        sites: BTreeMap::new(),
        tables: BTreeMap::new(),
        profiles: BTreeMap::new(),
        emergency: BTreeSet::new(),
        fallback: Fallback::RingDialled,
        ring_time: Duration::from_secs(25),
        cadence: Duration::from_secs(5),
        codes: callwright_core::codes::CodePlan::default(),
        cold_route_falls_back: false,
        follow_deflections: true,
        response_timeout: Duration::from_secs(4),
        session_expires_s: 1800,
        runs_max: 1_000,
        fuel_per_s: u64::MAX / 4,
        uploads_per_hour: 30,
    }
}

fn rule() -> ActiveRule {
    ActiveRule {
        tenant: "acme".into(),
        name: "any".into(),
        version: "sha256:0".into(),
        bind: vec![BindTarget::Tenant],
        fallback: None,
        settings: Arc::default(),
        care: Care::default(),
    }
}

/// The rule rings the dialled user's device for 20 s.
fn asked(run: RunId, to: usize) -> Input {
    let leg = LegPlan {
        to: DestinationRef::Device(format!("d{to:07}").as_str().into()),
        start_after: Duration::ZERO,
        ring_for: None,
        label: None,
    };
    let ring = RingPlan { legs: vec![leg], time: Duration::from_secs(20), ..RingPlan::default() };
    Input::Run {
        run,
        event: RunEvent::Asked { ask: AskId(1), what: Ask::Ring(ring) },
        spent: Spent::default(),
    }
}

fn invite(call: usize, to: usize) -> Bytes {
    Bytes::from(format!(
        "INVITE sip:u{to:07}@acme.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-{call}-invite\r\n\
         From: <sip:d0000000@acme.example>;tag=c{call}\r\n\
         To: <sip:u{to:07}@acme.example>\r\n\
         Call-ID: call-{call}@10.0.0.11\r\n\
         CSeq: 1 INVITE\r\n\
         Contact: <sip:d0000000@10.0.0.11:5060>\r\n\
         Max-Forwards: 70\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    ))
}

/// A request within the call's dialog.
fn within(method: &str, cseq: u32, call: usize, to: &str) -> Bytes {
    Bytes::from(format!(
        "{method} sip:10.0.0.100:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-{call}-{method}\r\n\
         From: <sip:d0000000@acme.example>;tag=c{call}\r\n\
         To: {to}\r\n\
         Call-ID: call-{call}@10.0.0.11\r\n\
         CSeq: {cseq} {method}\r\n\
         Max-Forwards: 70\r\n\
         Content-Length: 0\r\n\r\n"
    ))
}

/// The callee's response, with its tag and Contact.
fn reply(request: &Message, status: u16, call: usize) -> Message {
    let mut reply = Message::reply(request, status);
    let to = format!("{};tag=k{call}", header(&reply, &Name::To));
    reply.headers.set(Name::To, to);
    reply.with(Name::Contact, "<sip:d@10.0.0.1:5060>")
}

fn header(message: &Message, name: &Name) -> String {
    message.headers.get(name).map(|value| value.lossy().into_owned()).unwrap_or_default()
}
