//! What every message must have, read once when it comes in and then handed along.

use crate::header::Name;
use crate::message::{Fault, HeaderError, Message, ParseError, Start};
use crate::method::Method;
use crate::param::Params;
use crate::text::Text;
use crate::uri::{Host, Uri};
use crate::value::CSeq;
use crate::via::Via;

/// The values by which transactions know a message.
#[derive(Clone, Debug)]
pub(super) struct Essentials {
    /// The hop that sent it, as it came.
    pub(super) via: Via,
    /// How many hops it names.
    pub(super) hops: usize,
    pub(super) call_id: Text,
    pub(super) cseq: CSeq,
    pub(super) from_tag: Option<Text>,
    pub(super) to_tag: Option<Text>,
}

impl Essentials {
    /// Reads them, and refuses a message that lacks what every message must have (RFC 3261 §8.1.1, §8.1.1.5).
    pub(super) fn check(message: Message) -> Result<(Message, Self), ParseError> {
        match Self::required(&message) {
            Ok(essentials) => Ok((message, essentials)),
            Err(fault) => Err(ParseError { fault, partial: Some(Box::new(message)) }),
        }
    }

    fn required(message: &Message) -> Result<Self, Fault> {
        let vias = message.vias()?;
        let hops = vias.len();
        let via = vias.into_iter().next().ok_or(HeaderError::Missing(Name::Via))?;
        let call_id = message.call_id()?;
        let cseq = message.cseq()?;
        let (from_tag, to_tag) = match &message.start {
            Start::Request { method, uri } => {
                Uri::parse(uri).map_err(Fault::RequestUri)?;
                let (from, to) = (message.from()?, message.to()?);
                if *method != cseq.method {
                    return Err(Fault::MethodMismatch);
                }
                (from.tag(), to.tag())
            }
            // Only our own branch says whose response it is; its addresses matter to nobody before that.
            Start::Response { .. } => (None, None),
        };
        Ok(Self { via, hops, call_id, cseq, from_tag, to_tag })
    }

    /// Those of a request that somebody made by hand: what cannot be read is empty.
    pub(super) fn of_any(request: &Message) -> Self {
        let nowhere = || Via {
            version: None,
            transport: Text::default(),
            host: Host::Absent,
            port: None,
            params: Params::default(),
        };
        let method = request.method().cloned().unwrap_or(Method::Options);
        Self {
            via: request.top_via().unwrap_or_else(|_| nowhere()),
            hops: 1,
            call_id: request.call_id().unwrap_or_default(),
            cseq: request.cseq().unwrap_or(CSeq { seq: 0, method }),
            from_tag: request.tag_of_from(),
            to_tag: request.tag_of_to(),
        }
    }

    /// Whether they were read from this very message, or from the same bytes.
    pub(super) fn are_of(&self, message: &Message) -> bool {
        let call_id = message.headers.get(&Name::CallId);
        call_id.is_some_and(|call_id| std::ptr::eq(call_id.as_bytes(), self.call_id.as_bytes()))
    }

    /// The method that names the transaction: ACK and CANCEL belong to their INVITE (RFC 3261 §17.2.3).
    pub(super) fn method(&self) -> Method {
        let method = &self.cseq.method;
        if matches!(method, Method::Ack | Method::Cancel) { Method::Invite } else { method.clone() }
    }
}
