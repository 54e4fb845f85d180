//! Lawful phones: they register, call and are called on a thread of their own, and it is counted how each call went.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callwright_sim::phone::manner::{Dial, Manner, Order, Then, Which};
use callwright_sim::phone::seen::Sighting;

use crate::handset::Handset;
use crate::switch::{HOSTILE, LAWFUL, PASSWORD, Switch, besieger, lawful};

/// How long calls may take to end once no new one begins: the timers of a transaction (RFC 3261 §17.1.1.2).
const SETTLE: Duration = Duration::from_secs(40);
/// How long registering may take.
const REGISTER_MAX: Duration = Duration::from_secs(30);

/// Whose phones call which numbers, and who ends the calls.
#[derive(Clone)]
pub(crate) struct Lines {
    domain: &'static str,
    address: [u8; 4],
    pairs: Vec<Pair>,
    /// The caller hangs up as soon as a phone rings, and no phone is answered.
    gives_up: bool,
}

#[derive(Clone)]
struct Pair {
    caller: String,
    dialled: String,
    callee: String,
}

impl Lines {
    /// Lawful callers dial devices: no rule is asked.
    pub(crate) fn lawful() -> Self {
        let pair = |number| {
            let (caller, callee) = lawful(number);
            Pair { caller, dialled: callee.clone(), callee }
        };
        let pairs = (0..LAWFUL).map(pair).collect();
        Self { domain: "acme.example", address: [127, 0, 2, 1], pairs, gives_up: false }
    }

    /// Lawful callers dial people, whose calls the tenant's rule decides.
    pub(crate) fn lawful_through_a_rule() -> Self {
        let mut lines = Self::lawful();
        lines.pairs.iter_mut().for_each(|pair| pair.dialled = format!("9{}", pair.callee));
        lines
    }

    /// The hostile tenant's own calls, decided by its rule.
    pub(crate) fn hostile() -> Self {
        let pair = |number| {
            let (caller, callee) = besieger(number);
            Pair { caller, dialled: format!("9{callee}"), callee }
        };
        let pairs = (0..HOSTILE).map(pair).collect();
        Self { domain: "hostile.example", address: [127, 0, 4, 1], pairs, gives_up: false }
    }

    /// The same lines, whose callers hang up as soon as a phone rings.
    pub(crate) fn given_up(self) -> Self {
        Self { gives_up: true, ..self }
    }
}

/// How the lawful calls went.
#[derive(Default)]
pub(crate) struct Lane {
    pub(crate) begun: u64,
    /// Answered and ended as they should.
    pub(crate) succeeded: u64,
    /// Given up by the caller while a phone rang.
    pub(crate) given_up: BTreeSet<String>,
    /// Time from the key to the answer, of each that was answered.
    pub(crate) setups: Vec<Duration>,
    pub(crate) failures: Vec<String>,
}

/// Calls between pairs of phones, at a steady rate.
pub(crate) struct Traffic {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Lane>,
}

impl Traffic {
    /// Registers the lawful phones, then calls `rate` times a second until [`Traffic::end`].
    pub(crate) fn start(switch: &Switch, rate: u32) -> Self {
        Self::start_on(switch, Lines::lawful(), rate)
    }

    /// The same on other lines.
    pub(crate) fn start_on(switch: &Switch, lines: Lines, rate: u32) -> Self {
        let mut phones = Phones::registered(switch.sip(), lines);
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || phones.call_until(&stop, rate));
        Self { over, thread }
    }

    /// Lets the calls that are up end, and says how all went.
    pub(crate) fn end(self) -> Lane {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Lane {
    /// Takes another's calls too.
    pub(crate) fn add(&mut self, other: Self) {
        self.begun += other.begun;
        self.succeeded += other.succeeded;
        self.given_up.extend(other.given_up);
        self.setups.extend(other.setups);
        self.failures.extend(other.failures);
    }

    /// The slowest but one in a hundred.
    pub(crate) fn p99(&self) -> Duration {
        let mut setups = self.setups.clone();
        setups.sort_unstable();
        let last = setups.len() - 1;
        setups[last - last / 100]
    }
}

/// A phone that rings or answers whoever calls it, until dropped.
pub(crate) struct Callee {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Callee {
    pub(crate) fn start(switch: &Switch, device: &str, then: Then) -> Self {
        let manner = Manner { then, ..Manner::default() };
        let mut handset = Handset::new(device, PASSWORD, [127, 0, 3, 1], switch.sip(), 77);
        handset.order(Duration::ZERO, Order::Manner(manner));
        let began = Instant::now();
        handset.order(Duration::ZERO, Order::Register);
        while !handset.registered {
            assert!(began.elapsed() < REGISTER_MAX, "the callee cannot register");
            handset.listen(began.elapsed(), |_| {});
            handset.news();
            std::thread::sleep(Duration::from_millis(1));
        }
        let over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                handset.listen(began.elapsed(), |_| {});
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// The callers first, then as many callees.
struct Phones {
    began: Instant,
    lines: Lines,
    handsets: Vec<Handset>,
}

impl Phones {
    fn registered(switch: SocketAddr, lines: Lines) -> Self {
        let callers = lines.pairs.iter().map(|pair| &pair.caller);
        let devices = callers.chain(lines.pairs.iter().map(|pair| &pair.callee));
        let handset = |(device, seed): (&String, u64)| {
            Handset::of(device, lines.domain, PASSWORD, lines.address, switch, seed)
        };
        let handsets = devices.zip(1..).map(handset).collect();
        let answers = Manner {
            then: if lines.gives_up { Then::Nothing } else { Then::Answer },
            then_after: Duration::from_millis(20),
            talks_for: Some(Duration::from_millis(100)),
            ..Manner::default()
        };
        let mut phones = Self { began: Instant::now(), lines, handsets };
        for handset in &mut phones.handsets {
            handset.order(Duration::ZERO, Order::Manner(answers.clone()));
            handset.order(Duration::ZERO, Order::Register);
        }
        while !phones.handsets.iter().all(|handset| handset.registered) {
            assert!(phones.began.elapsed() < REGISTER_MAX, "the phones cannot register");
            phones.listen();
            phones.handsets.iter_mut().for_each(|handset| drop(handset.news()));
        }
        phones
    }

    fn listen(&mut self) {
        for handset in &mut self.handsets {
            handset.listen(self.began.elapsed(), |_| {});
        }
        std::thread::sleep(Duration::from_millis(1));
    }

    fn call_until(&mut self, over: &AtomicBool, rate: u32) -> Lane {
        let mut lane = Lane::default();
        let mut open: BTreeMap<String, (Duration, bool)> = BTreeMap::new();
        let first = self.began.elapsed();
        let mut settled_by = None;
        loop {
            let now = self.began.elapsed();
            if over.load(Ordering::Relaxed) {
                let until = *settled_by.get_or_insert(now + SETTLE);
                if open.is_empty() || now >= until {
                    break;
                }
            } else if now >= first + Duration::from_secs(1) * u32::try_from(lane.begun).unwrap() / rate {
                let number = usize::try_from(lane.begun).unwrap() % self.lines.pairs.len();
                let name = format!("c{}", lane.begun);
                open.insert(name.clone(), (now, false));
                lane.begun += 1;
                let order = Order::Call(Dial::new(&name, &self.lines.pairs[number].dialled));
                self.handsets[number].order(now, order);
                continue;
            }
            self.listen();
            let now = self.began.elapsed();
            for handset in &mut self.handsets {
                let mut rings = BTreeSet::new();
                for seen in handset.news() {
                    let Some(call) = &seen.call else { continue };
                    if self.lines.gives_up && matches!(seen.what, Sighting::Progress { status: 180 }) {
                        rings.insert(call.clone());
                    }
                    follow(&mut lane, &mut open, now, call, &seen.what);
                }
                for call in rings.difference(&lane.given_up) {
                    handset.order(now, Order::HangUp(Which::Named(call.clone())));
                }
                lane.given_up.append(&mut rings);
            }
        }
        lane.failures.extend(open.into_keys().map(|call| format!("{call} never ended")));
        lane
    }
}

/// What a caller notices of a call of its own.
fn follow(
    lane: &mut Lane,
    open: &mut BTreeMap<String, (Duration, bool)>,
    now: Duration,
    call: &str,
    what: &Sighting,
) {
    match what {
        Sighting::Established => {
            if let Some((began, answered)) = open.get_mut(call) {
                *answered = true;
                lane.setups.push(now - *began);
            }
        }
        Sighting::Released { .. } => {
            if let Some((_, answered)) = open.remove(call) {
                lane.succeeded += u64::from(answered);
            }
        }
        Sighting::Refused { status } => {
            open.remove(call);
            lane.failures.push(format!("{call} was refused with {status}"));
        }
        Sighting::Registered { .. }
        | Sighting::Others { .. }
        | Sighting::RegistrationRefused { .. }
        | Sighting::Unregistered
        | Sighting::Dialled { .. }
        | Sighting::Called { .. }
        | Sighting::Cancelled { .. }
        | Sighting::Progress { .. }
        | Sighting::Hears { .. }
        | Sighting::HungUp
        | Sighting::Held
        | Sighting::Resumed
        | Sighting::Glare => {}
    }
}
