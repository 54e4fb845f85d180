//! Answers without a transaction, and what every answer needs.
//!
//! The source of a datagram may be forged. So an answer to somebody unknown is one packet a packet, of at most 1.5 times
//! the bytes of the request or 300 bytes more, whichever is larger.

use super::Context;
use crate::flow::{Flow, Transport};
use crate::header::Name;
use crate::message::{Message, ParseError, Start};
use crate::method::Method;
use crate::text::Text;
use crate::via::Via;
use bytes::Bytes;

/// How many bytes more than the request an answer may always have.
const SURPLUS_BYTES: usize = 300;

/// What the sender cannot do without.
const NEEDED: [Name; 12] = [
    Name::Via,
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::WwwAuthenticate,
    Name::ProxyAuthenticate,
    Name::Unsupported,
    Name::MinExpires,
    Name::MinSe,
    Name::RetryAfter,
    Name::Contact,
];

impl Context {
    /// Gives a response its To tag where it needs one, the same for every retransmission of the request.
    pub(super) fn complete(&self, response: &mut Message) {
        if response.status().is_some_and(|status| status > 100) && response.tag_of_to().is_none() {
            let tag = self.stateless_tag(response);
            response.tag_to(&tag);
        }
    }

    /// A CANCEL shares Call-ID, From and number with its INVITE, and so its tag (RFC 3261 §9.2).
    fn stateless_tag(&self, response: &Message) -> Text {
        let field = |name| response.headers.get(&name).map_or(&b""[..], Text::as_bytes);
        let seq = response.cseq().map_or(0, |cseq| cseq.seq).to_be_bytes();
        self.minter.derive(&[field(Name::CallId), field(Name::From), &seq])
    }

    /// Sends a response that has no transaction, within the bound on UDP.
    pub(super) fn answer_within_bound(&mut self, flow: Flow, request: &Message, mut response: Message) {
        let to = reply_flow(flow, request.top_via().ok().as_ref());
        let bytes = response.to_bytes();
        let bound = match flow.transport {
            Transport::Tcp => usize::MAX,
            Transport::Udp => bound_for(request),
        };
        if bytes.len() <= bound {
            self.out.send(to, bytes);
            return;
        }
        response.body = Bytes::new();
        let optional: Vec<Name> = response.headers.iter().map(|(name, _)| name.clone()).collect();
        optional.iter().filter(|name| !NEEDED.contains(name)).for_each(|name| response.headers.remove(name));
        let bytes = response.to_bytes();
        if bytes.len() <= bound {
            self.out.send(to, bytes);
        } else {
            tracing::debug!(peer = %flow, length = bytes.len(), bound, "answer is over the bound and not sent");
        }
    }

    /// Tells the sender of a broken request, where it can be told (RFC 3261 §8.2, §21.4.1); ACK is never answered.
    pub(super) fn answer_malformed(&mut self, flow: Flow, error: &ParseError) {
        let Some(partial) = &error.partial else { return };
        let answerable = match &partial.start {
            Start::Request { method, .. } => *method != Method::Ack,
            Start::Response { .. } => false,
        };
        let Ok(via) = partial.top_via() else { return };
        // Via and CSeq are all that a sender needs to know which of its requests is meant (RFC 3261 §17.1.3).
        if !answerable || partial.headers.get(&Name::CSeq).is_none() {
            return;
        }
        let mut request = Message::clone(partial);
        note_source(via, flow, &mut request);
        let mut response = Message::reply(&request, error.fault.status());
        self.complete(&mut response);
        self.answer_within_bound(flow, &request, response);
    }
}

/// Writes into the top Via where the request really came from.
pub(super) fn note_source(mut via: Via, flow: Flow, request: &mut Message) {
    via.note_source(flow.peer);
    request.headers.set_first(&Name::Via, Text::from(&via));
}

/// Where the response to a request goes: down its connection, or to the datagram's source (RFC 3261 §18.2.2).
pub(super) fn reply_flow(flow: Flow, via: Option<&Via>) -> Flow {
    match (flow.transport, via) {
        (Transport::Udp, Some(via)) => Flow::udp(via.reply_address(flow.peer)),
        (Transport::Udp, None) | (Transport::Tcp, _) => flow,
    }
}

fn bound_for(request: &Message) -> usize {
    let received = least_size(request);
    (received + received / 2).max(received + SURPLUS_BYTES)
}

/// The least number of bytes in which this request can have come: short names, one line a list, Via as it was sent.
fn least_size(request: &Message) -> usize {
    let start = match &request.start {
        Start::Request { method, uri } => method.as_bytes().len() + uri.len() + " SIP/2.0\r\n".len() + 1,
        Start::Response { .. } => 0,
    };
    let field = |name: &Name, value: &Text| {
        if name.is_split_on_arrival() {
            value.len() + 1
        } else {
            name.shortest() + value.len() + ":\r\n".len()
        }
    };
    let fields: usize = request.headers.iter().map(|(name, value)| field(name, value)).sum();
    let noted = request.top_via().map_or(0, |via| {
        let noted = |name| via.params.raw(name).map_or(0, Text::len);
        noted("rport") + noted("received") + ";received=".len()
    });
    (start + fields + request.body.len()).saturating_sub(noted)
}
