//! Requests that follow from an INVITE: its CANCEL, and the ACK to its refusal.

use crate::header::Name;
use crate::message::Message;
use crate::method::Method;
use crate::text::Text;
use crate::value::CSeq;

/// RFC 3261 §17.1.1.3: as the INVITE, with the To of the response, in the INVITE's transaction.
pub(super) fn ack(invite: &Message, response: &Message) -> Message {
    let to = response.headers.get(&Name::To).or_else(|| invite.headers.get(&Name::To));
    let copied = [Name::Via, Name::From, Name::CallId, Name::Route, Name::MaxForwards];
    let mut ack = follow_up(invite, Method::Ack, &copied);
    if let Some(to) = to {
        ack.headers.push(Name::To, to);
    }
    ack
}

/// RFC 3261 §9.1: as the INVITE, in the INVITE's transaction.
pub(super) fn cancel(invite: &Message, reason: Option<Text>) -> Message {
    let copied = [Name::Via, Name::From, Name::To, Name::CallId, Name::Route, Name::MaxForwards];
    let mut cancel = follow_up(invite, Method::Cancel, &copied);
    if let Some(reason) = reason {
        cancel.headers.push(Name::Reason, reason);
    }
    cancel
}

fn follow_up(invite: &Message, method: Method, copied: &[Name]) -> Message {
    let cseq = CSeq { seq: invite.cseq().map_or(0, |cseq| cseq.seq), method: method.clone() };
    let mut message = Message::request(method, invite.uri().cloned().unwrap_or_default());
    for (name, value) in invite.headers.iter() {
        if copied.contains(name) {
            message.headers.push(name.clone(), value);
        }
    }
    message.with(Name::CSeq, cseq.to_string())
}

/// The tag that names the fork a response comes from; none is the empty one.
pub(super) fn to_tag(response: &Message) -> Text {
    response.tag_of_to().unwrap_or_default().detached()
}
