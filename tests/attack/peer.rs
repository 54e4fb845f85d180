//! A peer that sends what it likes: requests written by hand, from any loopback address.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use callwright_sip::digest::{Secret, answer};
use callwright_sip::{Message, Method, Name, Text};

/// How long an answer is waited for: the machine may be slow, the network is not.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of the largest datagram.
const DATAGRAM_MAX: usize = 65_535;

/// A session description that every phone would take.
pub(crate) const SDP: &str = "v=0\r\no=x 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                              m=audio 4000 RTP/AVP 0 8\r\n";

/// A request, of which each part can be wrong.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) call_id: String,
    pub(crate) branch: String,
    pub(crate) cseq: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A new request from `user` to `to`, a host or `user@host`.
    pub(crate) fn new(method: &str, to: &str, user: &str) -> Self {
        let unique = unique();
        let host = to.rsplit('@').next().unwrap_or(to);
        Self {
            method: method.to_owned(),
            uri: format!("sip:{to}"),
            from: format!("<sip:{user}@{host}>;tag=f{unique}"),
            to: format!("<sip:{to}>"),
            call_id: format!("{unique}@attack"),
            branch: format!("z9hG4bK{unique}"),
            cseq: format!("1 {method}"),
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// A REGISTER of that device.
    pub(crate) fn register(domain: &str, device: &str) -> Self {
        let mut register = Self::new("REGISTER", domain, device).with("Expires", "60");
        register.to = format!("<sip:{device}@{domain}>");
        register
    }

    /// An INVITE with SDP.
    pub(crate) fn invite(to: &str, user: &str) -> Self {
        Self::new("INVITE", to, user).with("Content-Type", "application/sdp").with_body(SDP)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn with_body(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The same call, another request in it: number, method and branch are new.
    pub(crate) fn next(&self, method: &str, number: u32) -> Self {
        let mut next = self.clone();
        method.clone_into(&mut next.method);
        next.cseq = format!("{number} {method}");
        next.branch = format!("z9hG4bK{}", unique());
        next.headers.clear();
        next.body.clear();
        next
    }

    /// The same request with the answer to the challenge in `refusal`.
    pub(crate) fn proven(&self, refusal: &Message, user: &str, password: &str) -> Self {
        self.answering(challenge_of(refusal), user, password, 1)
    }

    /// The same request with credentials for this challenge, of which it is the `count`th.
    pub(crate) fn answering(&self, challenge: &Text, user: &str, password: &str, count: u32) -> Self {
        let (method, uri) = (Method::parse(&self.method), Text::from(self.uri.clone()));
        let value = answer(challenge, &method, &uri, user, &Secret::new(password), "c0", count).unwrap();
        let number = self.cseq.split(' ').next().unwrap().parse::<u32>().unwrap() + 1;
        let mut proven = self.next(&self.method, number);
        proven.headers.clone_from(&self.headers);
        proven.headers.retain(|(name, _)| name != "Authorization");
        proven.body.clone_from(&self.body);
        proven.with("Authorization", &value.lossy())
    }

    /// As it goes over the wire.
    pub(crate) fn wire(&self, local: SocketAddr, transport: &str) -> Vec<u8> {
        let Self { method, uri, from, to, call_id, branch, cseq, body, .. } = self;
        let mut text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq}\r\n\
             Contact: <sip:x@{local}>\r\n"
        );
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        text.into_bytes()
    }
}

/// A datagram socket on a loopback address of its own.
pub(crate) struct Peer {
    socket: UdpSocket,
    switch: SocketAddr,
}

impl Peer {
    pub(crate) fn at(address: [u8; 4], switch: SocketAddr) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((address, 0))).unwrap();
        Self { socket, switch }
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    pub(crate) fn send(&self, request: &Request) -> usize {
        self.send_raw(&request.wire(self.local(), "UDP"))
    }

    pub(crate) fn send_raw(&self, bytes: &[u8]) -> usize {
        self.socket.send_to(bytes, self.switch).unwrap()
    }

    /// The next datagram within that time.
    pub(crate) fn hear(&self, within: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(within.max(Duration::from_millis(1)))).unwrap();
        let mut datagram = vec![0; DATAGRAM_MAX];
        let length = self.socket.recv(&mut datagram).ok()?;
        datagram.truncate(length);
        Some(datagram)
    }

    /// Everything that comes within that time.
    pub(crate) fn hear_all(&self, within: Duration) -> Vec<Vec<u8>> {
        let until = Instant::now() + within;
        let mut heard = Vec::new();
        while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            heard.extend(self.hear(left));
        }
        heard
    }

    /// Sends, and returns the first answer to this request that is not 100.
    pub(crate) fn ask(&self, request: &Request) -> Option<Message> {
        self.send(request);
        self.answer_to(request, PATIENCE)
    }

    /// The next answer to this request that is not 100.
    pub(crate) fn answer_to(&self, request: &Request, within: Duration) -> Option<Message> {
        let until = Instant::now() + within;
        loop {
            let left = until.checked_duration_since(Instant::now())?;
            let Some(datagram) = self.hear(left) else { continue };
            let Ok(message) = Message::parse(Bytes::from(datagram)) else { continue };
            let ours = message.headers.get(&Name::CSeq).is_some_and(|cseq| cseq.lossy() == request.cseq)
                && message.call_id().is_ok_and(|id| id.lossy() == request.call_id);
            if ours && message.status().is_some_and(|status| status > 100) {
                return Some(message);
            }
        }
    }

    /// The final answer to this request.
    pub(crate) fn final_answer(&self, request: &Request, within: Duration) -> Option<Message> {
        let until = Instant::now() + within;
        loop {
            let left = until.checked_duration_since(Instant::now())?;
            let answer = self.answer_to(request, left)?;
            if answer.status() >= Some(200) {
                return Some(answer);
            }
        }
    }

    /// The status of the answer; 0 where none comes.
    pub(crate) fn status(&self, request: &Request) -> u16 {
        self.ask(request).and_then(|answer| answer.status()).unwrap_or(0)
    }

    /// Asks, and asks again with the password; the request that was proven and its answer.
    pub(crate) fn ask_as(&self, request: &Request, user: &str) -> (Request, Option<Message>) {
        let Some(refusal) = self.ask(request) else { return (request.clone(), None) };
        if refusal.status() != Some(401) {
            return (request.clone(), Some(refusal));
        }
        if request.method == "INVITE" {
            self.acknowledge(request, &refusal);
        }
        let proven = request.proven(&refusal, user, crate::switch::PASSWORD);
        let answer = self.ask(&proven);
        (proven, answer)
    }

    /// Sends the ACK to an answer that is no 2xx.
    pub(crate) fn acknowledge(&self, invite: &Request, answer: &Message) {
        let number = invite.cseq.split(' ').next().unwrap();
        let mut ack = invite.clone();
        "ACK".clone_into(&mut ack.method);
        ack.cseq = format!("{number} ACK");
        ack.to = answer.headers.get(&Name::To).unwrap().lossy().into_owned();
        ack.headers.clear();
        ack.body.clear();
        self.send(&ack);
    }
}

/// The challenge of a 401.
pub(crate) fn challenge_of(refusal: &Message) -> &Text {
    refusal.headers.get(&Name::WwwAuthenticate).unwrap()
}

/// The value of a parameter of a challenge, without its quotes.
pub(crate) fn field(challenge: &Text, name: &str) -> Option<String> {
    let text = challenge.lossy().into_owned();
    let rest = text.split_once(&format!("{name}="))?.1;
    Some(rest.split(',').next()?.trim().trim_matches('"').to_owned())
}

/// A word that no other request has.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{:x}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
