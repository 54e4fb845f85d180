//! Calls between pairs of phones, so many a second, on a thread of their own; and how each of them went.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callwright_sim::phone::manner::{Dial, Manner, Order, Then};
use callwright_sim::phone::seen::Sighting;

use crate::handset::Handset;
use crate::switch::{PAIRS, PASSWORD, pair};

/// How long registering may take.
const REGISTER_MAX: Duration = Duration::from_secs(30);
/// How long calls may take to end once they are due: the timers of a transaction (RFC 3261 §17.1.1.2).
const SETTLE: Duration = Duration::from_secs(40);

/// Between two looks at all sockets, of which there are hundreds.
const PAUSE: Duration = Duration::from_millis(3);

/// How one call went, in times since the traffic began.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) begun: Duration,
    pub(crate) answered: Option<Duration>,
    pub(crate) end: Option<(Duration, End)>,
}

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The other side hung up.
    Released,
    /// A final response, or 0 where there was none.
    Refused(u16),
}

impl Call {
    /// Whether it was answered, and hung up by the other side.
    pub(crate) fn talked(&self) -> bool {
        self.answered.is_some() && matches!(self.end, Some((_, End::Released)))
    }
}

/// How everything went.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) calls: Vec<Call>,
    /// Responses 503 that did not say when to try again.
    pub(crate) bare_refusals: u64,
}

/// The calls, going on.
pub(crate) struct Traffic {
    began: Instant,
    over: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

impl Traffic {
    /// Registers the phones, then calls `rate` times a second; each callee hangs up after having talked so long.
    pub(crate) fn start(switch: SocketAddr, rate: u32, talks: Duration) -> Self {
        let mut phones = Phones::registered(switch, talks);
        let over = Arc::new(AtomicBool::new(false));
        let (stop, began) = (Arc::clone(&over), Instant::now());
        let thread = std::thread::spawn(move || phones.call_until(&stop, began, rate, talks + SETTLE));
        Self { began, over, thread }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Begins no more calls, waits for the end of those that are up, and says how all went.
    pub(crate) fn end(self) -> Report {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The callers first, then as many callees.
struct Phones {
    /// Their clock.
    began: Instant,
    handsets: Vec<Handset>,
}

impl Phones {
    fn registered(switch: SocketAddr, talks: Duration) -> Self {
        let pairs: Vec<_> = (0..PAIRS).map(pair).collect();
        let callers = pairs.iter().map(|(caller, ..)| caller);
        let devices = callers.chain(pairs.iter().map(|(_, callee, _)| callee)).zip(1..);
        let handset =
            |(device, seed): (&String, u64)| Handset::new(device, PASSWORD, [127, 0, 2, 1], switch, seed);
        let mut phones = Self { began: Instant::now(), handsets: devices.map(handset).collect() };
        let answers = Manner {
            then: Then::Answer,
            then_after: Duration::from_millis(20),
            talks_for: Some(talks),
            ..Manner::default()
        };
        for handset in &mut phones.handsets {
            handset.order(Duration::ZERO, Order::Manner(answers.clone()));
            handset.order(Duration::ZERO, Order::Register);
        }
        while !phones.handsets.iter().all(|handset| handset.registered) {
            assert!(phones.began.elapsed() < REGISTER_MAX, "the phones cannot register");
            phones.listen(|_| {});
            phones.handsets.iter_mut().for_each(|handset| drop(handset.news()));
        }
        phones
    }

    fn listen(&mut self, mut watch: impl FnMut(&[u8])) {
        for handset in &mut self.handsets {
            handset.listen(self.began.elapsed(), &mut watch);
        }
        std::thread::sleep(PAUSE);
    }

    fn call_until(&mut self, over: &AtomicBool, began: Instant, rate: u32, settle: Duration) -> Report {
        let mut report = Report::default();
        let mut open: BTreeMap<String, usize> = BTreeMap::new();
        let mut settled_by = None;
        loop {
            if over.load(Ordering::Relaxed) {
                let until = *settled_by.get_or_insert(began.elapsed() + settle);
                if open.is_empty() || began.elapsed() >= until {
                    return report;
                }
            } else {
                let due = Duration::from_secs(1) * u32::try_from(report.calls.len()).unwrap() / rate;
                if began.elapsed() >= due {
                    self.call(began, &mut report, &mut open);
                }
            }
            let bare = &mut report.bare_refusals;
            self.listen(|datagram| *bare += u64::from(is_bare_refusal(datagram)));
            for handset in &mut self.handsets {
                for seen in handset.news() {
                    let Some(name) = seen.call else { continue };
                    let Some(call) = open.get(&name).copied() else { continue };
                    if happened(&mut report.calls[call], began.elapsed(), &seen.what) {
                        open.remove(&name);
                    }
                }
            }
        }
    }

    fn call(&mut self, began: Instant, report: &mut Report, open: &mut BTreeMap<String, usize>) {
        let number = report.calls.len();
        let caller = number % usize::from(PAIRS);
        let (name, (.., to)) = (format!("c{number}"), pair(u16::try_from(caller).unwrap()));
        self.handsets[caller].order(self.began.elapsed(), Order::Call(Dial::new(&name, &to)));
        open.insert(name, number);
        report.calls.push(Call { begun: began.elapsed(), answered: None, end: None });
    }
}

fn is_bare_refusal(datagram: &[u8]) -> bool {
    datagram.starts_with(b"SIP/2.0 503 ") && !String::from_utf8_lossy(datagram).contains("\r\nRetry-After: ")
}

/// What a caller notices of its call; whether that was the end.
fn happened(call: &mut Call, now: Duration, what: &Sighting) -> bool {
    let end = match what {
        Sighting::Established => {
            call.answered = Some(now);
            return false;
        }
        Sighting::Released { .. } => End::Released,
        Sighting::Refused { status } => End::Refused(*status),
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
        | Sighting::Glare => return false,
    };
    call.end = Some((now, end));
    true
}
