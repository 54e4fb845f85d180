//! One SIP message: start line, header fields, body.
//!
//! Reading and printing are in `message/parse.rs` and `message/print.rs`, values of headers in `message/typed.rs`.

use crate::header::{Headers, Name};
use crate::method::Method;
use crate::name_addr::NameAddr;
use crate::status::reason_phrase;
use crate::text::Text;
use bytes::Bytes;

pub(crate) mod parse;
mod print;
mod typed;

pub use parse::{Fault, ParseError};
pub use typed::HeaderError;

/// The longest message we read, in bytes.
pub const MESSAGE_MAX: usize = 64 * 1024;
/// The most header fields of a message, each hop and contact counted.
pub const HEADERS_MAX: usize = 256;
/// The longest start line and header fields together, in bytes.
pub const HEADER_BLOCK_MAX: usize = 32 * 1024;

/// The first line of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Start {
    /// Somebody asks.
    Request {
        /// For what.
        method: Method,
        /// Of whom, as written.
        uri: Text,
    },
    /// Somebody answers.
    Response {
        /// 100 to 699.
        status: u16,
        /// Words for people.
        reason: Text,
    },
}

/// A request or a response.
///
/// Content-Length is not among the headers: printing computes it from the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message {
    /// The first line.
    pub start: Start,
    /// The header fields in order.
    pub headers: Headers,
    /// What follows them.
    pub body: Bytes,
}

impl Message {
    /// A request without headers.
    pub fn request(method: Method, uri: impl Into<Text>) -> Self {
        let start = Start::Request { method, uri: uri.into() };
        Self { start, headers: Headers::with_capacity(16), body: Bytes::new() }
    }

    /// A response without headers, with the standard reason phrase.
    pub fn response(status: u16) -> Self {
        let start = Start::Response { status, reason: Text::from_static(reason_phrase(status)) };
        Self { start, headers: Headers::with_capacity(12), body: Bytes::new() }
    }

    /// The response to `request` with what it must copy (RFC 3261 §8.2.6.2); no To tag is added.
    ///
    /// Timestamp goes into a 100 (RFC 3261 §8.2.6.1), Record-Route into 101 to 299 (RFC 3261 §12.1.1).
    pub fn reply(request: &Self, status: u16) -> Self {
        let mut response = Self::response(status);
        for (name, value) in request.headers.iter() {
            let copied = matches!(name, Name::Via | Name::From | Name::To | Name::CallId | Name::CSeq)
                || (*name == Name::Timestamp && status == 100)
                || (*name == Name::RecordRoute && (101..=299).contains(&status));
            if copied {
                response.headers.push(name.clone(), value.clone());
            }
        }
        response
    }

    /// The same message with one more field.
    pub fn with(mut self, name: Name, value: impl Into<Text>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// The same message with this body.
    pub fn with_body(mut self, content_type: impl Into<Text>, body: impl Into<Bytes>) -> Self {
        self.headers.set(Name::ContentType, content_type);
        self.body = body.into();
        self
    }

    /// Puts `tag` into To unless a tag is there already; the rest of To stays as it was written.
    pub fn tag_to(&mut self, tag: &Text) {
        let Some(to) = self.headers.get(&Name::To) else { return };
        if let Ok(None) = NameAddr::written_tag(to) {
            let mut value = to.as_bytes().to_vec();
            value.extend_from_slice(b";tag=");
            value.extend_from_slice(tag.as_bytes());
            self.headers.set(Name::To, value);
        }
    }

    /// The tag in From, without a look at the address.
    pub fn tag_of_from(&self) -> Option<Text> {
        NameAddr::written_tag(self.headers.get(&Name::From)?).ok()?
    }

    /// The tag in To, without a look at the address.
    pub fn tag_of_to(&self) -> Option<Text> {
        NameAddr::written_tag(self.headers.get(&Name::To)?).ok()?
    }

    /// The method, where this is a request.
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The status, where this is a response.
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            Start::Request { .. } => None,
            Start::Response { status, .. } => Some(*status),
        }
    }

    /// The Request-URI, where this is a request.
    pub fn uri(&self) -> Option<&Text> {
        match &self.start {
            Start::Request { uri, .. } => Some(uri),
            Start::Response { .. } => None,
        }
    }
}
