//! By what a request is known again.

use crate::endpoint::essentials::Essentials;
use crate::message::Message;
use crate::method::Method;
use crate::text::Text;
use crate::uri::Host;
use crate::via::Via;

/// What repetitions of a request, its ACK and its CANCEL share (RFC 3261 §17.2.3).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    /// The branch identifies it, with the host that made it.
    Branch { branch: Text, host: Host, port: Option<u16>, method: Method },
    /// The branch is of RFC 2543, or there is none: nearly everything together does.
    Fields { uri: Text, call_id: Text, seq: u32, from_tag: Option<Text>, via: Text, method: Method },
}

impl Key {
    pub(super) fn of(request: &Message, essentials: &Essentials) -> Self {
        let (via, method) = (&essentials.via, essentials.method());
        if via.has_cookie() {
            let branch = via.branch().cloned().unwrap_or_default();
            return Self::Branch { branch, host: via.host.clone(), port: via.port, method };
        }
        Self::Fields {
            uri: request.uri().cloned().unwrap_or_default(),
            call_id: essentials.call_id.clone(),
            seq: essentials.cseq.seq,
            from_tag: essentials.from_tag.clone(),
            via: as_sent(via.clone()),
            method,
        }
    }
}

// A key is kept for half a minute after its transaction has ended: it must not hold the datagram.

impl Key {
    pub(super) fn detached(self) -> Self {
        match self {
            Self::Branch { branch, host, port, method } => {
                Self::Branch { branch: branch.detached(), host, port, method }
            }
            Self::Fields { uri, call_id, seq, from_tag, via, method } => Self::Fields {
                uri: uri.detached(),
                call_id: call_id.detached(),
                seq,
                from_tag: from_tag.map(|tag| tag.detached()),
                via,
                method,
            },
        }
    }
}

impl MergeKey {
    pub(super) fn detached(self) -> Self {
        Self { call_id: self.call_id.detached(), from_tag: self.from_tag.detached(), ..self }
    }
}

impl AckKey {
    pub(super) fn detached(self) -> Self {
        Self {
            call_id: self.call_id.detached(),
            from_tag: self.from_tag.map(|tag| tag.detached()),
            to_tag: self.to_tag.map(|tag| tag.detached()),
            ..self
        }
    }
}

/// The Via as its sender wrote it, whether or not the source was noted in it since.
fn as_sent(mut via: Via) -> Text {
    via.params.remove("received");
    if via.wants_rport() {
        via.params.set_flag("rport");
    }
    Text::from(&via)
}

/// What a request has in common with itself on another path (RFC 3261 §8.2.2.2); only a request outside a dialog has one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct MergeKey {
    call_id: Text,
    from_tag: Text,
    seq: u32,
    method: Method,
}

impl MergeKey {
    pub(super) fn of(request: &Essentials) -> Option<Self> {
        if request.to_tag.is_some() {
            return None;
        }
        let (call_id, cseq) = (request.call_id.clone(), &request.cseq);
        Some(Self {
            call_id,
            from_tag: request.from_tag.clone()?,
            seq: cseq.seq,
            method: cseq.method.clone(),
        })
    }
}

/// What the ACK to a 2xx has in common with it (RFC 3261 §13.2.2.4).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct AckKey {
    call_id: Text,
    from_tag: Option<Text>,
    to_tag: Option<Text>,
    seq: u32,
}

impl AckKey {
    pub(super) fn of_request(ack: &Essentials) -> Self {
        let (from_tag, to_tag) = (ack.from_tag.clone(), ack.to_tag.clone());
        Self { call_id: ack.call_id.clone(), from_tag, to_tag, seq: ack.cseq.seq }
    }

    /// Of our own response, whose fields are copies from a request that was checked.
    pub(super) fn of_response(response: &Message) -> Self {
        Self {
            call_id: response.call_id().unwrap_or_default(),
            from_tag: response.tag_of_from(),
            to_tag: response.tag_of_to(),
            seq: response.cseq().map_or(0, |cseq| cseq.seq),
        }
    }
}
