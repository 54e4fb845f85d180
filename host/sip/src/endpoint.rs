//! Bytes in, events out: transactions, streams, Via and keep-alives (RFC 3261 §17, §18; RFC 6026; RFC 3581).
//!
//! Owns every retransmission and every timer of a transaction, so that they run whatever the user does. Refuses to know
//! calls, registrations, users; and sockets, which are the outside's.

use crate::flow::{Flow, Transport};
use crate::message::{Fault, Message, ParseError};
use crate::text::Text;
use bytes::Bytes;
use rustc_hash::FxHasher;
use std::hash::{BuildHasherDefault, RandomState};
use std::time::Duration;

mod client;
mod cutter;
mod essentials;
mod outbox;
mod room;
mod server;
mod stateless;
mod stream;
mod timer;
pub(crate) mod token;

use client::Clients;
use essentials::Essentials;
use outbox::Outbox;
use server::{Absorbed, Servers};
use stateless::note_source;
use stream::{Frame, Streams, unread};
use timer::{Owner, Timers};
use token::Minter;

pub use client::FORKS_MAX;
pub use cutter::{Cutter, Piece};
pub use stream::{STREAM_BUFFER_MAX, STREAMS_MAX};
pub use timer::{Timer, time_to_forget};

/// The most server transactions at a time, and the most client transactions.
pub const TRANSACTIONS_MAX: usize = 100_000;

/// How long a message in a stream may take from its first byte to its last.
pub const STREAM_IDLE: Duration = Duration::from_secs(32);

/// What an endpoint is told once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointSettings {
    /// The node's number, which every token we mint begins with.
    pub node: u16,
    /// What we write into Via: our name, or our address with the brackets of IPv6.
    pub host: String,
    /// The port we listen at, on UDP and TCP.
    pub port: u16,
    /// Estimate of a round trip (RFC 3261 §17.1.1.1).
    pub t1: Duration,
    /// The longest pause between retransmissions (RFC 3261 §17.1.2.2).
    pub t2: Duration,
    /// How long a message stays in the network (RFC 3261 §17.1.2.2).
    pub t4: Duration,
    /// How long an INVITE may be without a response before it gets its 100. Most phones ring sooner, and then nobody misses
    /// it: RFC 3261 §17.2.1 wants it where nothing else is said within 200 ms.
    pub trying_after: Duration,
    /// How long a message in a stream may take from its first byte to its last.
    pub stream_idle: Duration,
    /// The most transactions of either side.
    pub transactions_max: usize,
    /// The most streams.
    pub streams_max: usize,
}

impl EndpointSettings {
    /// The timers of RFC 3261 and our own bounds.
    pub fn new(node: u16, host: impl Into<String>, port: u16) -> Self {
        Self {
            node,
            host: host.into(),
            port,
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            trying_after: Duration::from_millis(200),
            stream_idle: STREAM_IDLE,
            transactions_max: TRANSACTIONS_MAX,
            streams_max: STREAMS_MAX,
        }
    }

    /// How long a transaction waits for the other side.
    fn patience(&self) -> Duration {
        self.t1 * 64
    }
}

/// The name of a request that somebody sent us and we accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ServerTx(u64);

/// The name of a request that we sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientTx(u64);

impl std::fmt::Display for ServerTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "s{}", self.0)
    }
}

impl std::fmt::Display for ClientTx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "c{}", self.0)
    }
}

/// There are as many transactions as there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no room for another transaction")]
pub struct Full;

/// Bytes for the network.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where they go.
    pub flow: Flow,
    /// A datagram, or a piece of a stream.
    pub bytes: Bytes,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Somebody asks something new, neither ACK nor CANCEL. Nothing is kept of it until [`Endpoint::accept`].
    Request {
        /// Where it came from.
        flow: Flow,
        /// The request; its top Via says where it really came from.
        message: Message,
    },
    /// An INVITE without final response is taken back. The CANCEL is answered; the user answers the INVITE with 487.
    Cancelled {
        /// The INVITE.
        tx: ServerTx,
        /// The CANCEL, which may carry a Reason.
        message: Message,
    },
    /// The ACK to our 2xx, reported once; it may carry the answer of a late offer.
    Acknowledged {
        /// The INVITE.
        tx: ServerTx,
        /// The ACK.
        message: Message,
    },
    /// Our 2xx got no ACK for 64·T1: the user ends the dialog (RFC 3261 §13.3.1.4).
    NeverAcknowledged {
        /// The INVITE.
        tx: ServerTx,
    },
    /// An answer to our request: each provisional one, and the final one once. Of an INVITE a 2xx with another To tag is
    /// a fork and comes too.
    Response {
        /// Our request.
        tx: ClientTx,
        /// The answer.
        message: Message,
    },
    /// Our request got no final response in time.
    TimedOut {
        /// Our request, which is forgotten.
        tx: ClientTx,
    },
    /// Our INVITE, which was answered, is forgotten: no other phone behind it can answer any more.
    Forgotten {
        /// Our INVITE.
        tx: ClientTx,
    },
    /// Our request cannot be answered any more: its flow is gone.
    Failed {
        /// Our request, which is forgotten.
        tx: ClientTx,
    },
    /// A stream is over: the peer closed it, or we do for what stood in it.
    Closed {
        /// The stream.
        flow: Flow,
    },
    /// Bytes that are no message, for counting and the trace; the answer they deserve is on its way.
    Malformed {
        /// Where they came from.
        flow: Flow,
        /// What is wrong with them.
        error: ParseError,
    },
}

/// The transaction layer of one node.
///
/// Call [`receive`](Self::receive), [`closed`](Self::closed), [`tick`](Self::tick) or one of the verbs (`accept`,
/// `respond`, `request`, `cancel`, `acknowledge`, `answer_statelessly`); then drain `poll_transmit`, `poll_close` and
/// `poll_event` until each is empty, and wait until `deadline`. A request is accepted or answered before the next bytes
/// are handed in: until then a retransmission would be reported as another request. `now` never goes back.
///
/// A merged request (RFC 3261 §8.2.2.2) is answered 482 here and not reported.
#[derive(Debug)]
pub struct Endpoint {
    context: Context,
    servers: Servers,
    clients: Clients,
    streams: Streams,
    /// Until when a message of a stream must have ended.
    idle: Timers<Flow, RandomState>,
}

/// What every machine needs beside its own state.
#[derive(Debug)]
struct Context {
    settings: EndpointSettings,
    minter: Minter,
    /// Their owners are numbers of our own, which no stranger chooses, and are looked up some eighty times a call.
    timers: Timers<Owner, BuildHasherDefault<FxHasher>>,
    out: Outbox,
}

impl Endpoint {
    /// An endpoint that mints from this seed.
    pub fn new(settings: EndpointSettings, seed: [u8; 32]) -> Self {
        let minter = Minter::new(settings.node, seed);
        Self {
            context: Context { settings, minter, timers: Timers::default(), out: Outbox::default() },
            servers: Servers::default(),
            clients: Clients::default(),
            streams: Streams::default(),
            idle: Timers::default(),
        }
    }

    /// What it was told.
    pub fn settings(&self) -> &EndpointSettings {
        &self.context.settings
    }

    /// Takes a datagram, or a piece of a stream cut anywhere, of at most [`MESSAGE_MAX`](crate::MESSAGE_MAX) bytes.
    pub fn receive(&mut self, now: Duration, flow: Flow, bytes: Bytes) {
        tracing::trace!(peer = %flow, length = bytes.len(), "bytes came in");
        match flow.transport {
            Transport::Udp => {
                // Phones hold their NAT open with datagrams of line ends or zeros, which want no answer.
                if !bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n' | b' ' | 0)) {
                    self.message(now, flow, Message::parse(bytes));
                }
            }
            Transport::Tcp => self.piece(now, flow, &bytes),
        }
    }

    /// Takes note that a connection is closed, or that datagrams to this peer come back (ICMP).
    pub fn closed(&mut self, _now: Duration, flow: Flow) {
        let unreported = self.streams.forget(flow);
        self.idle.cancel_all(flow);
        self.clients.fail(&mut self.context, flow);
        if unreported && flow.transport.reliable() {
            self.context.out.report(Event::Closed { flow });
        }
    }

    /// When to call [`tick`](Self::tick) next, and what for.
    pub fn deadline(&self) -> Option<(Duration, Timer)> {
        let (of_transactions, of_streams) = (self.context.timers.next(), self.idle.next());
        of_transactions.into_iter().chain(of_streams).min_by_key(|(at, _)| *at)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        while let Some((owner, timer)) = self.context.timers.pop(now) {
            tracing::trace!(?owner, ?timer, "timer fires");
            match owner {
                Owner::Server(tx) => self.servers.fire(&mut self.context, now, tx, timer),
                Owner::Client(tx) => self.clients.fire(&mut self.context, now, tx, timer),
            }
        }
        while let Some((flow, timer)) = self.idle.pop(now) {
            tracing::trace!(peer = %flow, ?timer, "timer fires");
            self.offence(flow, unread(Fault::Truncated));
        }
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.context.out.next_transmit()
    }

    /// The next connection to close, once every transmit is on its way; its [`Event::Closed`] is reported already.
    pub fn poll_close(&mut self) -> Option<Flow> {
        self.context.out.next_close()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.context.out.next_event()
    }

    /// Makes a transaction of a request, which from now on is reported no more. An INVITE gets its 100 when it
    /// comes again or [`EndpointSettings::trying_after`] is over, unless something else was said.
    ///
    /// # Errors
    /// [`Full`] when there are [`EndpointSettings::transactions_max`] already: answer 503 statelessly.
    pub fn accept(&mut self, now: Duration, flow: Flow, request: &Message) -> Result<ServerTx, Full> {
        self.servers.accept(&mut self.context, now, flow, request)
    }

    /// Answers a request that was accepted; ignored once it has a final response.
    ///
    /// A 2xx to INVITE is sent again until its ACK comes or 64·T1 are over. A response that is not 100 and has no To tag
    /// gets one.
    pub fn respond(&mut self, now: Duration, tx: ServerTx, mut response: Message) {
        self.context.complete(&mut response);
        self.servers.respond(&mut self.context, now, tx, &response);
    }

    /// Answers a request and forgets it; a retransmission is a new request.
    ///
    /// On UDP the answer has at most 1.5 times the bytes of the request or 300 bytes more, whichever is larger, so that a
    /// forged source address gains nothing: headers that the sender can do without are left out, and a response that is
    /// still too long is not sent.
    pub fn answer_statelessly(&mut self, flow: Flow, request: &Message, mut response: Message) {
        self.context.complete(&mut response);
        self.context.answer_within_bound(flow, request, response);
    }

    /// Sends a request over this flow, with our Via before its headers.
    ///
    /// # Errors
    /// [`Full`] when there are [`EndpointSettings::transactions_max`] already.
    pub fn request(&mut self, now: Duration, flow: Flow, message: Message) -> Result<ClientTx, Full> {
        self.clients.request(&mut self.context, now, flow, message)
    }

    /// Takes an INVITE back: at its first provisional response if there was none yet (RFC 3261 §9.1), not at all if it
    /// has a final one. `reason` is the value of a Reason header; while the CANCEL is held
    /// another one replaces it.
    pub fn cancel(&mut self, now: Duration, tx: ClientTx, reason: Option<Text>) {
        self.clients.cancel(&mut self.context, now, tx, reason);
    }

    /// Sends the ACK to a 2xx of an INVITE, and again for each retransmission of that 2xx.
    ///
    /// Ignored when the transaction is over, 64·T1 after its first 2xx: the other side has given up by then.
    pub fn acknowledge(&mut self, _now: Duration, tx: ClientTx, to_tag: &Text, ack: Message) {
        self.clients.acknowledge(&mut self.context, tx, to_tag, ack);
    }

    /// An INVITE of ours as it went out, and where, until it is refused or forgotten.
    pub fn invite(&self, tx: ClientTx) -> Option<(Flow, Message)> {
        self.clients.invite(tx)
    }

    /// A new tag, Call-ID or other token: it begins with the node's number and nobody can guess the rest.
    pub fn mint(&mut self) -> Text {
        self.context.minter.mint()
    }

    /// Number of transactions that are alive, ours as server and as client.
    pub fn transactions(&self) -> (usize, usize) {
        (self.servers.len(), self.clients.len())
    }

    fn piece(&mut self, now: Duration, flow: Flow, bytes: &[u8]) {
        if self.streams.push(flow, bytes, self.context.settings.streams_max).is_err() {
            self.context.out.close(flow);
            self.context.out.report(Event::Closed { flow });
            return;
        }
        let mut pinged = false;
        let mut complete = false;
        loop {
            match self.streams.next(flow) {
                Ok(Some(Frame::Message(message))) => {
                    complete = true;
                    self.message(now, flow, message);
                }
                Ok(Some(Frame::Ping)) => pinged = true,
                Ok(None) => break,
                Err(error) => return self.offence(flow, error),
            }
        }
        if pinged {
            // One pong a piece is enough to show that we live, and no lever to make us send.
            self.context.out.send(flow, Bytes::from_static(b"\r\n"));
        }
        self.watch(now, flow, complete);
    }

    /// A message must end in time after it began; a stream between messages may be silent for ever.
    fn watch(&mut self, now: Duration, flow: Flow, complete: bool) {
        if complete || !self.streams.is_midway(flow) {
            self.idle.cancel(flow, Timer::StreamIdle);
        }
        if self.streams.is_midway(flow) && !self.idle.is_set(flow, Timer::StreamIdle) {
            self.idle.set(flow, Timer::StreamIdle, now + self.context.settings.stream_idle);
        }
    }

    /// Ends a stream whose messages cannot be told apart any more, and nothing else; a request whose body has no end is
    /// answered before.
    fn offence(&mut self, flow: Flow, error: ParseError) {
        tracing::debug!(peer = %flow, %error, "stream is closed");
        self.context.answer_malformed(flow, &error);
        self.streams.refuse(flow);
        self.idle.cancel_all(flow);
        self.context.out.close(flow);
        self.context.out.report(Event::Malformed { flow, error });
        self.clients.fail(&mut self.context, flow);
        self.context.out.report(Event::Closed { flow });
    }

    fn message(&mut self, now: Duration, flow: Flow, parsed: Result<Message, ParseError>) {
        match parsed.and_then(Essentials::check) {
            Ok((message, essentials)) if message.status().is_some() => {
                self.clients.response(&mut self.context, now, message, &essentials);
            }
            Ok((message, essentials)) => self.asked(now, flow, message, essentials),
            Err(error) => {
                tracing::debug!(peer = %flow, %error, "message is malformed");
                self.context.answer_malformed(flow, &error);
                self.context.out.report(Event::Malformed { flow, error });
            }
        }
    }

    /// Handles a request whose headers were checked.
    fn asked(&mut self, now: Duration, flow: Flow, mut message: Message, essentials: Essentials) {
        let absorbed = self.servers.absorb(&mut self.context, now, &message, &essentials);
        if matches!(absorbed, Absorbed::Known) {
            return;
        }
        note_source(essentials.via, flow, &mut message);
        match absorbed {
            Absorbed::Known => {}
            Absorbed::Merged => {
                let response = Message::reply(&message, 482);
                self.answer_statelessly(flow, &message, response);
            }
            Absorbed::Cancel(found) => self.cancelled(flow, message, found),
            Absorbed::New => self.context.out.report(Event::Request { flow, message }),
        }
    }

    /// RFC 3261 §9.2: 481 where nothing matches, else 200; the INVITE is told only while it has no final response.
    fn cancelled(&mut self, flow: Flow, cancel: Message, found: Option<ServerTx>) {
        let mut response = Message::reply(&cancel, if found.is_some() { 200 } else { 481 });
        if let Some(tag) = found.and_then(|tx| self.servers.to_tag(tx)) {
            response.tag_to(&tag);
        }
        self.answer_statelessly(flow, &cancel, response);
        if let Some(tx) = found.filter(|tx| self.servers.take_cancel(*tx)) {
            self.context.out.report(Event::Cancelled { tx, message: cancel });
        }
    }
}
