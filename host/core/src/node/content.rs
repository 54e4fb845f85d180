//! Which bodies a call may bring and ask for. Descriptions pass from phone to phone unread, so only their kind is looked at.

use callwright_sip::{Message, Name, Text};

/// What a phone here may be sent; also the whole of what it sends.
pub(super) const ACCEPT: &str = "application/sdp";
/// What an Accept may say that a description is within; it may come as one part of several.
const RANGES: [&str; 4] = [ACCEPT, "application/*", "*/*", "multipart/mixed"];

/// Refuses an INVITE with a body that no phone would read, or from a caller that would read none of theirs.
///
/// RFC 3261 §8.2.3 and §21.4.13: 415 with what is accepted; RFC 3261 §20.1 and §21.4.6: 406.
pub(super) fn refused(invite: &Message) -> Option<Message> {
    if !is_readable(invite) {
        return Some(Message::reply(invite, 415).with(Name::Accept, Text::from_static(ACCEPT)));
    }
    (!accepts_descriptions(invite)).then(|| Message::reply(invite, 406))
}

/// A body without a type is taken for a description; one of several parts may hold a description and what belongs to it;
/// what is marked as optional may be anything.
fn is_readable(invite: &Message) -> bool {
    let kind = invite.headers.get(&Name::ContentType).filter(|_| !invite.body.is_empty());
    kind.is_none_or(|kind| {
        let kind = media_type(kind.as_bytes());
        let is_multipart = kind.get(..10).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/"));
        is_multipart || kind.eq_ignore_ascii_case(ACCEPT.as_bytes()) || is_optional(invite)
    })
}

fn is_optional(invite: &Message) -> bool {
    let disposition = invite.headers.get(&Name::ContentDisposition).map_or(&b""[..], Text::as_bytes);
    let mut parameters = disposition.split(|byte| *byte == b';').skip(1);
    parameters.any(|parameter| parameter.trim_ascii().eq_ignore_ascii_case(b"handling=optional"))
}

/// Without Accept descriptions are meant; an empty one means nothing at all.
fn accepts_descriptions(invite: &Message) -> bool {
    if invite.headers.get(&Name::Accept).is_none() {
        return true;
    }
    invite.headers.items(&Name::Accept).any(|range| {
        let range = media_type(range.as_bytes());
        RANGES.iter().any(|wanted| range.eq_ignore_ascii_case(wanted.as_bytes()))
    })
}

/// Type and subtype without parameters.
fn media_type(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}
