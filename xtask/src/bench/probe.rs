//! How long a caller waits for the 180, to the microsecond: whole calls at a low rate beside the load. (The clock by which
//! sipp stamps its response times has steps of 4 ms.)

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long it hangs on after a 200 before its BYE.
const TALK: Duration = Duration::from_millis(100);
/// How long it listens after its last INVITE.
const LINGER: Duration = Duration::from_millis(1_500);
/// How many users there are to call.
const USERS: u32 = 10_000;

/// From INVITE to the 180, shortest first.
#[derive(Default)]
pub(super) struct Latency {
    pub(super) to_ringing: Vec<Duration>,
    pub(super) answered: u32,
    /// Calls that got a refusal, or no answer.
    pub(super) failed: u32,
}

impl Latency {
    /// The time that this share of the calls did not exceed.
    pub(super) fn within(&self, share: f64) -> Option<Duration> {
        let last = self.to_ringing.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the share is between 0 and 1"
        )]
        let index = (share * last as f64).round() as usize;
        self.to_ringing.get(index).copied()
    }

    /// Both together.
    pub(super) fn join(&mut self, other: Self) {
        self.to_ringing.extend(other.to_ringing);
        self.to_ringing.sort();
        self.answered += other.answered;
        self.failed += other.failed;
    }
}

/// Calls `rate` times a second for so long.
pub(super) fn run(target: SocketAddr, rate: u32, time: Duration) -> anyhow::Result<Latency> {
    let mut probe = Probe::new(target)?;
    let (began, every) = (Instant::now(), Duration::from_secs(1) / rate.max(1));
    let mut next = began;
    while began.elapsed() < time {
        if Instant::now() >= next {
            probe.call()?;
            next += every;
        }
        probe.listen(next)?;
    }
    let until = Instant::now() + LINGER;
    while Instant::now() < until {
        probe.listen(until)?;
    }
    Ok(probe.latency())
}

struct Probe {
    target: SocketAddr,
    socket: UdpSocket,
    local: SocketAddr,
    calls: BTreeMap<String, Call>,
    /// When which call says BYE.
    byes: Vec<(Instant, String)>,
}

struct Call {
    began: Instant,
    ringing: Option<Duration>,
    is_answered: bool,
    /// What an ACK and a BYE of it begin with: target, routes, To.
    dialog: Option<(String, String, String)>,
}

impl Probe {
    fn new(target: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let local = socket.local_addr()?;
        Ok(Self { target, socket, local, calls: BTreeMap::new(), byes: Vec::new() })
    }

    fn call(&mut self) -> anyhow::Result<()> {
        let number = u32::try_from(self.calls.len())?;
        let (id, local, target) = (format!("probe-{number}-{}", self.local.port()), self.local, self.target);
        // A step that shares no factor with the number of users comes by all of them.
        let user = number.wrapping_mul(7_919) % USERS;
        let body = "v=0\r\no=p 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 27300 RTP/AVP 0\r\n";
        let invite = format!(
            "INVITE sip:u{user:05}@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}i;rport\r\n\
             From: <sip:caller@{local}>;tag=p{number}\r\nTo: <sip:u{user:05}@{target}>\r\nCall-ID: {id}\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:caller@{local}>\r\nMax-Forwards: 70\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.calls
            .insert(id, Call { began: Instant::now(), ringing: None, is_answered: false, dialog: None });
        self.socket.send_to(invite.as_bytes(), target)?;
        Ok(())
    }

    /// Hears one message, or waits until then; says what is to be said meanwhile.
    fn listen(&mut self, until: Instant) -> anyhow::Result<()> {
        let now = Instant::now();
        while let Some(index) = self.byes.iter().position(|(at, _)| *at <= now) {
            let (_, id) = self.byes.swap_remove(index);
            self.send(&id, "BYE", 2)?;
        }
        let until = self.byes.iter().map(|(at, _)| *at).chain([until]).min().unwrap_or(until);
        let wait = until.saturating_duration_since(now).max(Duration::from_micros(100));
        self.socket.set_read_timeout(Some(wait))?;
        let mut buffer = [0; 4_096];
        let (length, heard) = match self.socket.recv(&mut buffer) {
            Ok(length) => (length, Instant::now()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        self.heard(&text, heard)
    }

    fn heard(&mut self, text: &str, at: Instant) -> anyhow::Result<()> {
        let Some(id) = field(text, "Call-ID").map(str::to_owned) else { return Ok(()) };
        let Some(call) = self.calls.get_mut(&id) else { return Ok(()) };
        let is_invite = field(text, "CSeq").is_some_and(|cseq| cseq.ends_with("INVITE"));
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse::<u16>().ok());
        match status {
            Some(180 | 183) if is_invite => call.ringing = call.ringing.or(Some(at - call.began)),
            Some(200) if is_invite => {
                let contact = field(text, "Contact").unwrap_or_default();
                let uri = contact.split(['<', '>']).nth(1).unwrap_or(contact).to_owned();
                let routes: Vec<&str> = fields(text, "Record-Route").collect();
                let routes = routes.iter().rev().fold(String::new(), |mut all, route| {
                    let _written = write!(all, "Route: {route}\r\n");
                    all
                });
                let to = field(text, "To").unwrap_or_default().to_owned();
                let is_first = !std::mem::replace(&mut call.is_answered, true);
                call.dialog = Some((uri, routes, to));
                self.send(&id, "ACK", 1)?;
                if is_first {
                    self.byes.push((at + TALK, id));
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }

    fn send(&self, id: &str, method: &str, seq: u32) -> anyhow::Result<()> {
        let Some((uri, routes, to)) = self.calls.get(id).and_then(|call| call.dialog.as_ref()) else {
            return Ok(());
        };
        let (local, number) = (self.local, id.split('-').nth(1).unwrap_or_default());
        let request = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{id}{method};rport\r\n{routes}\
             From: <sip:caller@{local}>;tag=p{number}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {seq} {method}\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        );
        self.socket.send_to(request.as_bytes(), self.target)?;
        Ok(())
    }

    fn latency(&self) -> Latency {
        let mut to_ringing: Vec<Duration> = self.calls.values().filter_map(|call| call.ringing).collect();
        to_ringing.sort();
        let count = |answered: bool| self.calls.values().filter(|call| call.is_answered == answered).count();
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Latency { to_ringing, answered: number(count(true)), failed: number(count(false)) }
    }
}

fn field<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    fields(text, name).next()
}

/// The values of a header; everybody here writes names long.
fn fields<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let head = text.split("\r\n\r\n").next().unwrap_or(text);
    head.lines().filter_map(move |line| {
        let (field, value) = line.split_once(':')?;
        field.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_calls_is_within_a_time() {
        let times = [1, 2, 3, 4, 100].map(Duration::from_micros);
        let latency = Latency { to_ringing: times.to_vec(), answered: 5, failed: 0 };
        assert_eq!(latency.within(0.5), Some(Duration::from_micros(3)));
        assert_eq!(latency.within(0.99), Some(Duration::from_micros(100)));
        assert_eq!(Latency::default().within(0.5), None);
    }

    #[test]
    fn headers_are_found_by_name() {
        let text = "SIP/2.0 200 OK\r\nRecord-Route: <sip:a>\r\nRecord-Route: <sip:b>\r\nto : <sip:x>;tag=1\r\n\r\nTo: body";
        assert_eq!(fields(text, "Record-Route").collect::<Vec<_>>(), ["<sip:a>", "<sip:b>"]);
        assert_eq!(field(text, "To"), Some("<sip:x>;tag=1"));
    }
}
