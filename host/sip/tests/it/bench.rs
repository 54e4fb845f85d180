//! An endpoint with a clock that only tests turn.

use bytes::Bytes;
use callwright_sip::{
    Endpoint, EndpointSettings, Event, Flow, Message, Method, Name, ServerTx, Text, Transmit,
};
use std::time::Duration;

/// Milliseconds since the start.
pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// 64·T1.
pub(crate) const PATIENCE: Duration = Duration::from_secs(32);

/// The phone, by datagrams.
pub(crate) fn phone() -> Flow {
    Flow::udp("192.0.2.7:5070".parse().unwrap())
}

/// The phone, by a connection.
pub(crate) fn phone_stream() -> Flow {
    Flow::tcp("192.0.2.7:40001".parse().unwrap(), 1)
}

/// The endpoint under test, at a time, with all it has put out.
pub(crate) struct Bench {
    pub(crate) endpoint: Endpoint,
    pub(crate) now: Duration,
    sent: Vec<(Duration, Transmit)>,
    events: Vec<Event>,
    closed: Vec<Flow>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(EndpointSettings::new(1, "198.51.100.1", 5060))
    }

    pub(crate) fn with(settings: EndpointSettings) -> Self {
        let endpoint = Endpoint::new(settings, [7; 32]);
        Self { endpoint, now: Duration::ZERO, sent: Vec::new(), events: Vec::new(), closed: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.sent.push((self.now, transmit));
        }
        while let Some(flow) = self.endpoint.poll_close() {
            self.closed.push(flow);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    pub(crate) fn receive(&mut self, flow: Flow, bytes: impl Into<Bytes>) {
        self.endpoint.receive(self.now, flow, bytes.into());
        self.drain();
    }

    pub(crate) fn receive_message(&mut self, flow: Flow, message: &Message) {
        self.receive(flow, message.to_bytes());
    }

    /// Lets time pass, waking the endpoint exactly when it asks to be.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.drain();
        let end = self.now + time;
        while let Some((at, _)) = self.endpoint.deadline().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.tick(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// What went out since the last look: when, and which message.
    pub(crate) fn sent(&mut self) -> Vec<(Duration, Message)> {
        self.drain();
        let read = |transmit: Transmit| Message::parse(transmit.bytes).expect("we send what we can read");
        self.sent.drain(..).map(|(at, transmit)| (at, read(transmit))).collect()
    }

    /// What went out since the last look, as bytes.
    pub(crate) fn transmits(&mut self) -> Vec<Transmit> {
        self.drain();
        self.sent.drain(..).map(|(_, transmit)| transmit).collect()
    }

    /// Statuses that went out since the last look.
    pub(crate) fn statuses(&mut self) -> Vec<u16> {
        self.sent().iter().filter_map(|(_, message)| message.status()).collect()
    }

    /// Milliseconds at which something went out since the last look.
    pub(crate) fn times(&mut self) -> Vec<u128> {
        self.sent().iter().map(|(at, _)| at.as_millis()).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.drain();
        std::mem::take(&mut self.events)
    }

    pub(crate) fn closed(&mut self) -> Vec<Flow> {
        self.drain();
        std::mem::take(&mut self.closed)
    }

    /// Receives a request, accepts it, and forgets what went out for it.
    pub(crate) fn accepted(&mut self, flow: Flow, request: &Message) -> (ServerTx, Message) {
        self.receive_message(flow, request);
        let Some(Event::Request { flow, message }) = self.events().pop() else {
            panic!("no request is reported")
        };
        let tx = self.endpoint.accept(self.now, flow, &message).unwrap();
        self.transmits();
        (tx, message)
    }

    pub(crate) fn respond(&mut self, tx: ServerTx, response: Message) {
        self.endpoint.respond(self.now, tx, response);
        self.drain();
    }
}

/// A request from the phone, outside a dialog.
pub(crate) fn request(method: Method) -> Message {
    let cseq = format!("1 {method}");
    Message::request(method, "sip:bob@example.com")
        .with(Name::Via, "SIP/2.0/UDP 192.0.2.7:5070;branch=z9hG4bKphone1;rport")
        .with(Name::MaxForwards, "70")
        .with(Name::From, "\"Ana\" <sip:ana@example.com>;tag=anas")
        .with(Name::To, "<sip:bob@example.com>")
        .with(Name::CallId, "call-1@192.0.2.7")
        .with(Name::CSeq, cseq)
        .with(Name::Contact, "<sip:ana@192.0.2.7:5070>")
}

/// The same request by another branch.
pub(crate) fn by_branch(mut request: Message, branch: &str) -> Message {
    request.headers.set(Name::Via, format!("SIP/2.0/UDP 192.0.2.7:5070;branch={branch};rport"));
    request
}

/// An answer of ours with our tag.
pub(crate) fn reply(request: &Message, status: u16) -> Message {
    let mut response = Message::reply(request, status);
    response.tag_to(&Text::from("ours"));
    response
}

/// The ACK of a phone to an answer of ours, by this branch.
pub(crate) fn ack_to(response: &Message, branch: &str) -> Message {
    let copy = |name: Name| response.headers.get(&name).unwrap().clone();
    Message::request(Method::Ack, "sip:bob@example.com")
        .with(Name::Via, format!("SIP/2.0/UDP 192.0.2.7:5070;branch={branch};rport"))
        .with(Name::From, copy(Name::From))
        .with(Name::To, copy(Name::To))
        .with(Name::CallId, copy(Name::CallId))
        .with(Name::CSeq, "1 ACK")
}

/// What we ask of the phone; the endpoint adds Via.
pub(crate) fn our_request(method: Method) -> Message {
    let cseq = format!("1 {method}");
    Message::request(method, "sip:ana@192.0.2.7:5070")
        .with(Name::MaxForwards, "70")
        .with(Name::From, "<sip:bob@example.com>;tag=bobs")
        .with(Name::To, "<sip:ana@example.com>")
        .with(Name::CallId, "call-2")
        .with(Name::CSeq, cseq)
}

/// The phone's answer, with its tag.
pub(crate) fn answer_to(request: &Message, status: u16, tag: &str) -> Message {
    let mut response = Message::reply(request, status);
    response.tag_to(&Text::from(tag));
    response
}

/// Bytes of a message with line ends put in.
pub(crate) fn raw(lines: &[&str]) -> Bytes {
    Bytes::from(lines.join("\r\n").into_bytes())
}
