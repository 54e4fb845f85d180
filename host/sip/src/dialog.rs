//! Dialogs: what the requests within a call share (RFC 3261 §12).
//!
//! Owns Call-ID, tags, targets, route set and numbers, as copies of their own: a dialog outlives its datagrams. Refuses to know the session in it and whether it is early.

use crate::grammar;
use crate::header::Name;
use crate::message::{HeaderError, Message};
use crate::method::Method;
use crate::name_addr::{Contacts, NameAddr};
use crate::text::Text;
use crate::value::CSeq;

/// Our side of a dialog with one peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dialog {
    key: DialogKey,
    /// Our From, or the peer's To, as it was written, with its tag.
    local: Text,
    remote: Text,
    /// The Contact of the peer, where requests are for.
    target: Text,
    /// The hops a request takes, in their order from us (RFC 3261 §12.1.1, §12.1.2).
    route_set: Vec<Text>,
    local_seq: u32,
    /// None until the peer sends its first request.
    remote_seq: Option<u32>,
}

/// What a dialog is found by (RFC 3261 §12).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DialogKey {
    /// The name of the call.
    pub call_id: Text,
    /// Our tag.
    pub local_tag: Text,
    /// The peer's tag; empty for a peer of RFC 2543 (RFC 3261 §12.1.1).
    pub remote_tag: Text,
}

/// Why no dialog can be made of a message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DialogError {
    /// A header that the dialog is made of is missing or malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A request or response that makes a dialog needs one Contact (RFC 3261 §8.1.1.8, §12.1.1).
    #[error("no contact to send requests to (RFC 3261 §12.1.1)")]
    NoContact,
    /// The response has no To tag, so it makes no dialog.
    #[error("no tag of the peer (RFC 3261 §12.1.2)")]
    NoTag,
}

/// A request that is no newer than one we have seen: answer 500 (RFC 3261 §12.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("CSeq {seq} comes after {seen} (RFC 3261 §12.2.1.1)")]
pub struct OutOfOrder {
    /// The number of the request.
    pub seq: u32,
    /// The highest number so far.
    pub seen: u32,
}

/// How many hops a request may take (RFC 3261 §8.1.1.6).
const MAX_FORWARDS: &str = "70";

impl Dialog {
    /// The dialog that our response to `request` makes, whose To will have `local_tag` (RFC 3261 §12.1.1).
    ///
    /// # Errors
    /// [`DialogError`] where the request has no usable Contact, From, To, Call-ID, CSeq or Record-Route.
    pub fn of_uas(request: &Message, local_tag: &Text) -> Result<Self, DialogError> {
        let mut tagged = request.clone();
        tagged.tag_to(local_tag);
        let key = DialogKey {
            call_id: request.call_id()?.detached(),
            local_tag: local_tag.detached(),
            remote_tag: request.tag_of_from().unwrap_or_default().detached(),
        };
        Ok(Self {
            key,
            local: value_of(&tagged, Name::To)?,
            remote: value_of(request, Name::From)?,
            target: contact_of(request)?.ok_or(DialogError::NoContact)?,
            route_set: route_set_of(request)?,
            local_seq: 0,
            remote_seq: Some(request.cseq()?.seq),
        })
    }

    /// The dialog that `response` to our `request` makes, early or confirmed (RFC 3261 §12.1.2).
    ///
    /// A provisional response may lack the Contact that a 2xx must have; requests then go where the INVITE went.
    ///
    /// # Errors
    /// [`DialogError`] where the response has no To tag, or a 2xx has no usable Contact.
    pub fn of_uac(request: &Message, response: &Message) -> Result<Self, DialogError> {
        let contact = contact_of(response)?;
        let is_final = response.status().is_some_and(|status| status >= 200);
        let target = match (contact, request.uri()) {
            (Some(contact), _) => contact,
            (None, Some(uri)) if !is_final => uri.clone(),
            (None, _) => return Err(DialogError::NoContact),
        };
        Self::towards(target, request, response)
    }

    /// The dialog that is ended at once, because its 2xx says nothing that could be called: ACK and BYE go where the INVITE went.
    ///
    /// # Errors
    /// [`DialogError`] where the response has no To tag.
    pub fn of_uac_without_contact(request: &Message, response: &Message) -> Result<Self, DialogError> {
        Self::towards(request.uri().cloned().ok_or(DialogError::NoContact)?, request, response)
    }

    fn towards(target: Text, request: &Message, response: &Message) -> Result<Self, DialogError> {
        let remote_tag = response.tag_of_to().ok_or(DialogError::NoTag)?;
        let key = DialogKey {
            call_id: request.call_id()?.detached(),
            local_tag: request.tag_of_from().unwrap_or_default().detached(),
            remote_tag: remote_tag.detached(),
        };
        Ok(Self {
            key,
            local: value_of(request, Name::From)?,
            remote: value_of(response, Name::To)?,
            target,
            route_set: reversed(route_set_of(response)?),
            local_seq: request.cseq()?.seq,
            remote_seq: None,
        })
    }

    /// What this dialog is found by.
    pub fn key(&self) -> DialogKey {
        self.key.clone()
    }

    /// Our tag.
    pub fn local_tag(&self) -> &Text {
        &self.key.local_tag
    }

    /// Where requests are for: the peer's Contact.
    pub fn target(&self) -> &Text {
        &self.target
    }

    /// Our From (or To) with our tag.
    pub fn local(&self) -> &Text {
        &self.local
    }

    /// The peer's To (or From) with its tag.
    pub fn remote(&self) -> &Text {
        &self.remote
    }

    /// The number of the last request we sent.
    pub fn local_seq(&self) -> u32 {
        self.local_seq
    }

    /// A new request with the next number (RFC 3261 §12.2.1.1); the user adds Contact and what the method needs.
    pub fn request(&mut self, method: Method) -> Message {
        self.local_seq += 1;
        self.build(method, self.local_seq)
    }

    /// The ACK to a 2xx, with the number of its INVITE (RFC 3261 §13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Message {
        self.build(Method::Ack, cseq)
    }

    /// Takes note of a request of the peer.
    ///
    /// # Errors
    /// [`OutOfOrder`] when its number is not above the last one: who has heard a request and sends it again in a
    /// transaction of their own is no peer (RFC 3261 §12.2.1.1). ACK has the number of its INVITE and is never out of
    /// order; a request whose CSeq cannot be read never gets here.
    pub fn received(&mut self, request: &Message) -> Result<(), OutOfOrder> {
        let Ok(CSeq { seq, method }) = request.cseq() else { return Ok(()) };
        if method == Method::Ack {
            return Ok(());
        }
        if let Some(seen) = self.remote_seq.filter(|seen| seq <= *seen) {
            return Err(OutOfOrder { seq, seen });
        }
        self.remote_seq = Some(seq);
        Ok(())
    }

    /// Follows the peer to the Contact of a target refresh: INVITE or UPDATE, or a 2xx to one (RFC 3261 §12.2.1.2).
    pub fn refresh_target(&mut self, message: &Message) {
        if let Ok(Some(target)) = contact_of(message) {
            self.target = target;
        }
    }

    /// Takes target and route set anew from the 2xx that confirms an early dialog of ours (RFC 3261 §13.2.2.4).
    pub fn confirm(&mut self, response: &Message) {
        self.refresh_target(response);
        if let Ok(routes) = route_set_of(response) {
            self.route_set = reversed(routes);
        }
    }

    fn build(&self, method: Method, seq: u32) -> Message {
        let (uri, routes) = self.path();
        let cseq = CSeq { seq, method: method.clone() };
        let mut message = Message::request(method, uri);
        for route in routes {
            message.headers.push(Name::Route, route);
        }
        message
            .with(Name::MaxForwards, Text::from_static(MAX_FORWARDS))
            .with(Name::From, &self.local)
            .with(Name::To, &self.remote)
            .with(Name::CallId, &self.key.call_id)
            .with(Name::CSeq, cseq.to_string())
    }

    /// Request-URI and Route: a first hop without `lr` is a strict router and wants itself as Request-URI, and the
    /// target as the last Route (RFC 3261 §12.2.1.1).
    fn path(&self) -> (Text, Vec<Text>) {
        let first = self.route_set.first().and_then(|first| NameAddr::parse(first).ok());
        let Some(first) = first.filter(|first| !first.uri.params.has("lr")) else {
            return (self.target.clone(), self.route_set.clone());
        };
        let last = Text::from([b"<", self.target.as_bytes(), b">"].concat());
        let mut uri = first.uri;
        // Neither may stand in a Request-URI (RFC 3261 §19.1.1).
        uri.headers = None;
        uri.params.remove("method");
        (uri.to_text(), self.route_set.iter().skip(1).cloned().chain([last]).collect())
    }
}

/// What the dialog of a message is found by: a request of the peer when `we_are_uas`, else a response to ours.
///
/// None outside a dialog, where our own tag is missing.
pub fn dialog_key_of(message: &Message, we_are_uas: bool) -> Option<DialogKey> {
    let (from, to) = (message.tag_of_from(), message.tag_of_to());
    let (local_tag, remote_tag) = if we_are_uas { (to?, from.unwrap_or_default()) } else { (from?, to?) };
    Some(DialogKey { call_id: message.call_id().ok()?, local_tag, remote_tag })
}

fn value_of(message: &Message, name: Name) -> Result<Text, HeaderError> {
    message.headers.get(&name).map(Text::detached).ok_or(HeaderError::Missing(name))
}

/// The Record-Route values by the letter, once each of them was found to be an address.
fn route_set_of(message: &Message) -> Result<Vec<Text>, HeaderError> {
    message.routes(Name::RecordRoute)?;
    Ok(message.headers.items(&Name::RecordRoute).map(|route| route.detached()).collect())
}

/// The URI of the first Contact as it was written, for some phones only know themselves by the letter.
fn contact_of(message: &Message) -> Result<Option<Text>, HeaderError> {
    match message.contacts()? {
        Contacts::Star => Ok(None),
        Contacts::List(_) => {
            let first = message.headers.get(&Name::Contact);
            let written =
                first.and_then(|value| grammar::split_list(value).next()).map(NameAddr::written_uri);
            let name = Name::Contact;
            let written = written.map(|uri| uri.map(|uri| uri.detached()));
            written.transpose().map_err(|error| HeaderError::Malformed { name, error })
        }
    }
}

fn reversed(mut routes: Vec<Text>) -> Vec<Text> {
    routes.reverse();
    routes
}
