//! Floods of what nobody asked for, beside lawful calls; what they cost, and what they make the switch send.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::Effort;
use crate::peer::{Peer, Request, SDP};
use crate::phones::Traffic;
use crate::switch::{ANA, MALLORY, Switch};
use crate::verdict::Verdicts;

/// What the memory may grow by in a flood, in KiB.
const GROWTH_MAX_KIB: u64 = 64 * 1024;
/// Calls that are lawful, a second.
const LAWFUL_A_SECOND: u32 = 50;
/// Bytes more than the request that an answer may have, and one and a half times the request (TELEPHONY T31).
const SURPLUS: usize = 300;
/// Retransmissions would come within this time: T1 is 500 ms (RFC 3261 §17.1.1.1).
const ECHO: Duration = Duration::from_millis(1_700);

/// SEC-40: a flood of everything from many addresses; lawful calls go on, memory stays, nothing is amplified.
pub(crate) fn everything(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let (a_second, lasts, lawful) = match effort {
        Effort::Quick => (1_000, Duration::from_secs(4), 10),
        Effort::Full => (20_000, Duration::from_secs(60), LAWFUL_A_SECOND),
    };
    let sources = Sources::new(256, switch.sip());
    let traffic = Traffic::start(switch, lawful);
    std::thread::sleep(Duration::from_secs(1));
    let base = switch.memory_kib();
    let (over, peak) = (AtomicBool::new(false), AtomicU64::new(base));
    let sent = std::thread::scope(|scope| {
        scope.spawn(|| sources.count_answers(&over));
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                peak.fetch_max(switch.memory_kib(), Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let sent = sources.flood(a_second, lasts);
        std::thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        sent
    });
    let lane = traffic.end();
    let rate = sent.packets * 1_000 / u64::try_from(sent.took.as_millis()).unwrap();
    if effort == Effort::Full {
        verdicts.check(
            "the flood was as strong as it was meant to be",
            rate * 100 >= a_second * 95,
            format!("{rate} messages a second from {} sources", sources.sockets.len()),
            format!("at least 95 % of {a_second} a second"),
        );
    }
    verdicts.all("lawful calls succeed", usize::try_from(lane.begun).unwrap(), &lane.failures, "all of them");
    verdicts.check(
        "each was answered and ended as it should",
        lane.succeeded == lane.begun,
        format!("{} of {}, p99 to the answer {:?}", lane.succeeded, lane.begun, lane.p99()),
        "all of them",
    );
    let growth = peak.load(Ordering::Relaxed).saturating_sub(base);
    verdicts.at_most("memory grows under the flood", growth, GROWTH_MAX_KIB, "KiB");
    let (packets, bytes) = sources.heard();
    verdicts.at_most("packets sent for packets received", packets, sent.packets, "packets");
    verdicts.at_most("bytes sent for bytes received", bytes, sent.allowed, "bytes");
    let calls = switch.comes_down("callwright_calls_live", 0, Duration::from_secs(10));
    verdicts.at_most("calls left over", calls, 0, "calls");
}

/// SEC-41: INVITEs that nobody acknowledges: a stranger's keep nothing, a device's are bounded and end.
pub(crate) fn dangling(switch: &Switch, effort: Effort, verdicts: &mut Verdicts) {
    let count = if effort == Effort::Quick { 2_000 } else { 100_000 };
    let base = switch.memory_kib();
    let strangers = Peer::at([127, 4, 1, 1], switch.sip());
    for number in 0..count {
        strangers.send(&Request::invite("91001@acme.example", ANA));
        if number % 10 == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    let kept = switch.metric("callwright_transactions");
    verdicts.at_most(format!("transactions kept for {count} strangers' INVITEs"), kept, 0, "transactions");
    let growth = switch.memory_kib().saturating_sub(base);
    verdicts.at_most("memory grows by them", growth, 8 * 1024, "KiB");
    let peer = Peer::at([127, 4, 1, 2], switch.sip());
    let mut refused = 0;
    let _ringing = crate::phones::Callee::start(switch, ANA, callwright_sim::phone::manner::Then::Nothing);
    let tries = 200;
    for _ in 0..tries {
        let (_, answer) = peer.ask_as(&Request::invite(&format!("{ANA}@acme.example"), MALLORY), MALLORY);
        refused += u32::from(answer.is_some_and(|answer| answer.status() == Some(503)));
    }
    let live = switch.metric("callwright_calls_live");
    verdicts.at_most(format!("calls up of {tries} that one device begins and leaves"), live, 100, "calls");
    verdicts.check(
        "the others are refused by name",
        refused >= 100,
        format!("{refused} with 503"),
        "at least 100",
    );
    drop(peer);
    let patience = Duration::from_secs(if effort == Effort::Quick { 0 } else { 150 });
    if effort == Effort::Full {
        let left = switch.comes_down("callwright_calls_live", 0, patience);
        verdicts.at_most("calls left over when their time is up", left, 0, "calls");
        let left = switch.comes_down("callwright_transactions", 0, Duration::from_secs(40));
        verdicts.at_most("transactions left over", left, 0, "transactions");
    }
}

/// SEC-43: what a forged source address could make the switch send to its owner.
pub(crate) fn amplification(switch: &Switch, _effort: Effort, verdicts: &mut Verdicts) {
    let mut wrong_packets = Vec::new();
    let mut wrong_bytes = Vec::new();
    let kinds = kinds();
    let peers: Vec<_> = kinds.iter().map(|_| Peer::at([127, 5, 1, 1], switch.sip())).collect();
    let sent: Vec<_> =
        kinds.iter().zip(&peers).map(|(kind, peer)| peer.send_raw(&kind(peer.local()))).collect();
    std::thread::sleep(ECHO);
    for (number, (peer, sent)) in peers.iter().zip(sent).enumerate() {
        let heard = peer.hear_all(Duration::from_millis(20));
        let bytes: usize = heard.iter().map(Vec::len).sum();
        if heard.len() > 1 {
            wrong_packets.push(format!("kind {number}: {} packets", heard.len()));
        }
        if bytes > allowed(sent) {
            wrong_bytes.push(format!("kind {number}: {bytes} bytes for {sent}"));
        }
    }
    verdicts.all("an unproven packet makes at most one", kinds.len(), &wrong_packets, "no retransmission");
    let bound = "at most 1.5 times the bytes or 300 more";
    verdicts.all("and no more bytes than the bound", kinds.len(), &wrong_bytes, bound);
}

fn allowed(sent: usize) -> usize {
    (sent + sent / 2).max(sent + SURPLUS)
}

/// Makes a message that comes from there.
type Kind = fn(SocketAddr) -> Vec<u8>;

/// Everything a stranger may send; the shortest forms are the best lever.
fn kinds() -> Vec<Kind> {
    vec![
        |at| Request::invite("91001@acme.example", ANA).wire(at, "UDP"),
        |at| Request::new("REGISTER", "acme.example", ANA).wire(at, "UDP"),
        |at| Request::new("OPTIONS", "acme.example", "x").wire(at, "UDP"),
        |at| Request::new("MESSAGE", "91001@acme.example", ANA).with_body("hello").wire(at, "UDP"),
        |at| Request::new("SUBSCRIBE", "91001@acme.example", ANA).with("Event", "presence").wire(at, "UDP"),
        |at| {
            let subscribe = Request::new("SUBSCRIBE", "91001@acme.example", ANA);
            subscribe.with("Event", "as-feature-event").wire(at, "UDP")
        },
        |at| Request::new("BYE", "91001@acme.example", ANA).wire(at, "UDP"),
        |at| Request::new("CANCEL", "91001@acme.example", ANA).wire(at, "UDP"),
        |at| Request::new("ACK", "91001@acme.example", ANA).wire(at, "UDP"),
        |at| {
            Request::invite("91001@elsewhere.example", ANA).with("Require", "nothing-we-have").wire(at, "UDP")
        },
        |at| {
            let credentials = format!(
                "Digest username=\"{ANA}\", realm=\"acme.example\", nonce=\"0\", uri=\"sip:x\", \
                 response=\"00000000000000000000000000000000\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"0\""
            );
            Request::invite("91001@acme.example", ANA).with("Authorization", &credentials).wire(at, "UDP")
        },
        |at| {
            let least = "OPTIONS sip:a SIP/2.0\nv:SIP/2.0/UDP";
            format!("{least} {at};branch=z9hG4bK1\nf:<sip:a>;tag=1\nt:<sip:a>\ni:1\nCSeq:1 OPTIONS\n\n")
                .into_bytes()
        },
        |at| {
            let least = "REGISTER sip:acme.example SIP/2.0\nv:SIP/2.0/UDP";
            format!("{least} {at};branch=z9hG4bK2\nf:<sip:a>;tag=1\nt:<sip:a>\ni:2\nCSeq:1 REGISTER\n\n")
                .into_bytes()
        },
        |_| b"INVITE sip:a SIP/2.0\r\n\r\n".to_vec(),
        |_| vec![0xff; 600],
        |_| SDP.as_bytes().to_vec(),
        |_| b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
    ]
}

/// What a flood has sent.
struct Sent {
    packets: u64,
    /// What may come back.
    allowed: u64,
    took: Duration,
}

/// Sockets on as many addresses.
struct Sources {
    sockets: Vec<UdpSocket>,
    switch: SocketAddr,
    packets: AtomicU64,
    bytes: AtomicU64,
}

impl Sources {
    fn new(count: u16, switch: SocketAddr) -> Self {
        let socket = |number: u16| {
            let [high, low] = number.to_be_bytes();
            let socket =
                UdpSocket::bind(SocketAddr::from(([127, 6, high, low + u8::from(low == 0)], 0))).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket
        };
        let sockets = (0..count).map(|number| socket(number * 3 + 1)).collect();
        Self { sockets, switch, packets: AtomicU64::new(0), bytes: AtomicU64::new(0) }
    }

    /// Sends at a steady rate from one address after the other, one kind after the other.
    fn flood(&self, a_second: u64, lasts: Duration) -> Sent {
        let kinds = kinds();
        let mut sent = Sent { packets: 0, allowed: 0, took: Duration::ZERO };
        let began = Instant::now();
        while began.elapsed() < lasts {
            let due = u64::try_from(began.elapsed().as_micros()).unwrap() * a_second / 1_000_000;
            while sent.packets < due {
                let number = usize::try_from(sent.packets).unwrap();
                let socket = &self.sockets[number % self.sockets.len()];
                // Prime to the number of sources, so that each of them sends each kind.
                let message = kinds[number / 7 % kinds.len()](socket.local_addr().unwrap());
                // A full buffer of the sender's is no answer of the switch's.
                if socket.send_to(&message, self.switch).is_ok() {
                    sent.allowed += u64::try_from(allowed(message.len())).unwrap();
                }
                sent.packets += 1;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        sent.took = began.elapsed();
        sent
    }

    fn count_answers(&self, over: &AtomicBool) {
        let mut datagram = [0; 4_096];
        while !over.load(Ordering::Relaxed) {
            for socket in &self.sockets {
                while let Ok(length) = socket.recv(&mut datagram) {
                    self.packets.fetch_add(1, Ordering::Relaxed);
                    self.bytes.fetch_add(u64::try_from(length).unwrap(), Ordering::Relaxed);
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn heard(&self) -> (u64, u64) {
        (self.packets.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed))
    }
}
