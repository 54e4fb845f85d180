//! By what a request is known again.

use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::text::Text;
use crate::uri::Host;
use crate::via::Via;

/// What repetitions of a request, its ACK and its CANCEL share (RFC 3261 §17.2.3).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    /// The branch identifies it, with the host that made it.
    Branch { branch: Text, host: Host, port: Option<u16>, method: Method },
    /// The branch is of RFC 2543, or there is none: nearly everything together does.
    Fields { uri: Text, call_id: Text, seq: u32, from_tag: Option<Text>, via: Text, method: Method },
}

impl Key {
    pub(super) fn of(request: &Message) -> Self {
        let method = match request.method() {
            Some(Method::Ack | Method::Cancel) | None => Method::Invite,
            Some(method) => method.clone(),
        };
        match request.top_via() {
            Ok(via) if via.has_cookie() => Self::by_branch(via, method),
            via => Self::Fields {
                uri: request.uri().cloned().unwrap_or_default(),
                call_id: request.call_id().unwrap_or_default(),
                seq: request.cseq().map_or(0, |cseq| cseq.seq),
                from_tag: request.tag_of_from(),
                via: via.map_or_else(|_| Text::default(), as_sent),
                method,
            },
        }
    }

    fn by_branch(via: Via, method: Method) -> Self {
        let branch = via.branch().cloned().unwrap_or_default();
        Self::Branch { branch, host: via.host, port: via.port, method }
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
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct MergeKey {
    call_id: Text,
    from_tag: Text,
    seq: u32,
    method: Method,
}

impl MergeKey {
    pub(super) fn of(request: &Message) -> Option<Self> {
        if request.tag_of_to().is_some() {
            return None;
        }
        let cseq = request.cseq().ok()?;
        let call_id = request.headers.get(&Name::CallId)?.clone();
        Some(Self { call_id, from_tag: request.tag_of_from()?, seq: cseq.seq, method: cseq.method })
    }
}

/// What the ACK to a 2xx has in common with it (RFC 3261 §13.2.2.4).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct AckKey {
    call_id: Text,
    from_tag: Option<Text>,
    to_tag: Option<Text>,
    seq: u32,
}

impl AckKey {
    pub(super) fn of_request(ack: &Message) -> Option<Self> {
        let seq = ack.cseq().ok()?.seq;
        let (from_tag, to_tag) = (ack.tag_of_from(), ack.tag_of_to());
        Some(Self { call_id: ack.call_id().ok()?, from_tag, to_tag, seq })
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
