//! Reading one whole message from bytes.
//!
//! Owns lines, folding, compact names, repeated fields and the length of the body; values of headers are read later
//! and on demand. After a fault it reads on, so that the sender of a broken request can still be answered.

use super::{HEADER_BLOCK_MAX, HEADERS_MAX, MESSAGE_MAX, Message, Start};
use crate::grammar::{self, ValueError};
use crate::header::{Headers, Name};
use crate::message::HeaderError;
use crate::method::Method;
use crate::text::Text;
use bytes::Bytes;
use memchr::{memchr, memchr2};
use std::ops::Range;

/// A message that cannot be handled, with what could be read of it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{fault}")]
pub struct ParseError {
    /// What is wrong first.
    pub fault: Fault,
    /// The rest of the message, where a start line was there.
    pub partial: Option<Box<Message>>,
}

/// What can be wrong with a whole message.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The first line is neither a request nor a response.
    #[error("first line is neither request nor response (RFC 3261 §7.1)")]
    StartLine,
    /// A request of another SIP than 2.0.
    #[error("version is not SIP/2.0 (RFC 3261 §7.1)")]
    Version,
    /// The Request-URI is no URI of any scheme.
    #[error("Request-URI is malformed: {0}")]
    RequestUri(#[source] ValueError),
    /// A header line has no name or no colon.
    #[error("header line has no name or no colon (RFC 3261 §7.3)")]
    HeaderLine,
    /// A header line holds a lone CR, which some take for its end. (A NUL may stand in a quoted pair.)
    #[error("header line holds a lone CR (RFC 3261 §25.1)")]
    LoneCr,
    /// More fields than [`HEADERS_MAX`].
    #[error("more than {HEADERS_MAX} header fields")]
    TooManyHeaders,
    /// Longer than [`MESSAGE_MAX`], or headers longer than [`HEADER_BLOCK_MAX`].
    #[error("message is longer than {MESSAGE_MAX} bytes or its headers than {HEADER_BLOCK_MAX}")]
    TooLong,
    /// Content-Length is no number, or there are two.
    #[error("content length is not one number (RFC 3261 §20.14)")]
    ContentLength,
    /// The message ends before its headers or its body do.
    #[error("message ends before its headers or its body do (RFC 3261 §18.3)")]
    Truncated,
    /// A field that stands once stands twice.
    #[error("`{0}` stands more than once (RFC 3261 §7.3.1)")]
    Repeated(Name),
    /// A value that every message needs is missing or cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// CSeq names another method than the start line.
    #[error("method of CSeq is not that of the request (RFC 3261 §8.1.1.5)")]
    MethodMismatch,
}

impl Fault {
    /// The status that tells the sender.
    pub fn status(&self) -> u16 {
        match self {
            Self::Version => 505,
            Self::TooLong | Self::TooManyHeaders => 513,
            Self::StartLine
            | Self::RequestUri(_)
            | Self::HeaderLine
            | Self::LoneCr
            | Self::ContentLength
            | Self::Truncated
            | Self::Repeated(_)
            | Self::Header(_)
            | Self::MethodMismatch => 400,
        }
    }
}

impl Message {
    /// Reads a datagram, or one message that a stream was cut into.
    ///
    /// Bytes after the Content-Length are ignored (RFC 3261 §18.3); without one the body is the rest. Compact names
    /// become long, folded lines one line, and lists of Via, Contact and routes one field an item.
    ///
    /// # Errors
    /// [`ParseError`] with the first fault, and with the message as far as it could be read.
    pub fn parse(datagram: Bytes) -> Result<Self, ParseError> {
        if datagram.len() > MESSAGE_MAX {
            return Err(ParseError { fault: Fault::TooLong, partial: None });
        }
        let text = Text::from(datagram);
        let mut head = Head::read(&text)?;
        let available = text.len() - head.end;
        let length = head.trusted_length().unwrap_or(available);
        if length > available {
            head.note(Fault::Truncated);
        }
        let end = head.end + length.min(available);
        let body = text.slice(head.end..end).into_bytes();
        head.into_message(body)
    }
}

/// What the headers say of the body's length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Length {
    Absent,
    Known(usize),
    /// There are two, or none that is a number, or the headers have no end.
    Broken,
}

/// Everything before the body.
#[derive(Debug)]
pub(crate) struct Head {
    start: Start,
    headers: Headers,
    length: Length,
    /// Where the body begins.
    end: usize,
    fault: Option<Fault>,
}

impl Head {
    /// Reads start line and fields; only without a start line is there nothing to go on with.
    pub(crate) fn read(text: &Text) -> Result<Self, ParseError> {
        let mut reader = Reader { text: text.clone(), at: 0, fault: None };
        reader.skip_empty_lines();
        let line = reader.next_line().map(|line| text.slice(line));
        let Some((start, start_fault)) = line.and_then(|line| parse_start(&line)) else {
            return Err(ParseError { fault: Fault::StartLine, partial: None });
        };
        reader.fault = start_fault;
        let (headers, length) = reader.headers();
        Ok(Self { start, headers, length, end: reader.at, fault: reader.fault })
    }

    /// Keeps the first fault: it is what the sender is told.
    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    /// The Content-Length, where there is exactly one and the headers were read to their end.
    pub(crate) fn trusted_length(&self) -> Option<usize> {
        match self.length {
            Length::Known(length) => Some(length),
            Length::Absent | Length::Broken => None,
        }
    }

    /// Gives the message up for this fault, without its body.
    pub(crate) fn refused(self, fault: Fault) -> ParseError {
        let message = Message { start: self.start, headers: self.headers, body: Bytes::new() };
        ParseError { fault, partial: Some(Box::new(message)) }
    }

    /// Joins the body to the rest.
    pub(crate) fn into_message(self, body: Bytes) -> Result<Message, ParseError> {
        let message = Message { start: self.start, headers: self.headers, body };
        match self.fault {
            None => Ok(message),
            Some(fault) => Err(ParseError { fault, partial: Some(Box::new(message)) }),
        }
    }
}

/// The fields of a message one by one, for who wants few of them. What cannot be read is passed over.
pub(crate) struct Skim(Reader);

impl Skim {
    /// The start line, and then the fields.
    pub(crate) fn of(text: &Text) -> Option<(Start, Self)> {
        let mut reader = Reader { text: text.clone(), at: 0, fault: None };
        reader.skip_empty_lines();
        let line = reader.next_line()?;
        let (start, _fault) = parse_start(&text.slice(line))?;
        Some((start, Self(reader)))
    }
}

impl Iterator for Skim {
    type Item = (Name, Text);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.0.next_line()?;
            if line.is_empty() || self.0.at > HEADER_BLOCK_MAX {
                return None;
            }
            if let Ok(field) = self.0.field(line) {
                return Some(field);
            }
        }
    }
}

/// Reads the first line; a request whose version or Request-URI is wrong is still a request, with its fault.
pub(crate) fn parse_start(line: &Text) -> Option<(Start, Option<Fault>)> {
    let bytes = line.as_bytes();
    // Some take a lone CR for the end of the line.
    if memchr(b'\r', bytes).is_some() {
        return None;
    }
    if bytes.get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/")) {
        return parse_status(line).map(|start| (start, None));
    }
    let first = bytes.iter().position(|byte| *byte == b' ')?;
    let last = bytes.iter().rposition(|byte| *byte == b' ')?;
    let (method, version) = (line.slice(..first), line.slice(last + 1..));
    if !grammar::is_token(method.as_bytes()) || first == last {
        return None;
    }
    let uri = line.slice(first + 1..last);
    let is_sip = version.as_bytes().get(..4).is_some_and(|head| head.eq_ignore_ascii_case(b"SIP/"));
    let has_space = uri.as_bytes().iter().any(|byte| grammar::is_space(*byte));
    let fault = match (is_sip, version.eq_ignore_case("SIP/2.0")) {
        (true, false) => Some(Fault::Version),
        // White space inside the line may belong to the URI, or the version is missing: either way 400.
        (false, _) if !has_space => return None,
        (false, _) => Some(Fault::StartLine),
        (true, true) => (has_space || uri.is_empty()).then_some(Fault::StartLine),
    };
    Some((Start::Request { method: Method::from_text(&method), uri }, fault))
}

fn parse_status(line: &Text) -> Option<Start> {
    let rest = line.as_bytes().get(4..)?.strip_prefix(b"2.0 ")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let status = std::str::from_utf8(rest.get(..digits)?).ok()?.parse::<u16>().ok()?;
    let after = rest.get(digits).copied();
    if digits != 3 || !(100..=699).contains(&status) || after.is_some_and(|byte| byte != b' ') {
        return None;
    }
    let reason = line.slice(line.len().min("SIP/2.0 200 ".len())..);
    Some(Start::Response { status, reason })
}

struct Reader {
    text: Text,
    at: usize,
    fault: Option<Fault>,
}

impl Reader {
    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn rest(&self) -> &[u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip_empty_lines(&mut self) {
        self.at += self.rest().iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    }

    /// The next line without its end. A lone LF ends a line too: nothing we keep may hold one.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let rest = self.rest();
        let first = memchr2(b'\r', b'\n', rest)?;
        // Nearly every line ends at its first CR.
        let (end, next) = match rest.get(first..) {
            Some([b'\r', b'\n', ..]) => (first, first + 2),
            Some([b'\n', ..]) => (first, first + 1),
            Some(after_cr) => {
                let lf = first + memchr(b'\n', after_cr)?;
                let has_cr = rest.get(lf - 1) == Some(&b'\r');
                (if has_cr { lf - 1 } else { lf }, lf + 1)
            }
            None => return None,
        };
        let start = self.at;
        self.at += next;
        Some(start..start + end)
    }

    /// Reads fields up to the empty line, and the Content-Length among them.
    fn headers(&mut self) -> (Headers, Length) {
        let mut headers = Headers::with_capacity(16);
        let mut length = Length::Absent;
        loop {
            let Some(line) = self.next_line() else {
                self.note(Fault::Truncated);
                return (headers, Length::Broken);
            };
            if line.is_empty() {
                return (headers, length);
            }
            if self.at > HEADER_BLOCK_MAX {
                self.note(Fault::TooLong);
                return (headers, Length::Broken);
            }
            let (name, value) = match self.field(line) {
                Ok(field) => field,
                Err(fault) => {
                    self.note(fault);
                    continue;
                }
            };
            if name == Name::ContentLength {
                length = self.content_length(length, &value);
            } else if !self.keep(&mut headers, name, value) {
                return (headers, Length::Broken);
            }
        }
    }

    /// The field that begins with this line.
    fn field(&mut self, line: Range<usize>) -> Result<(Name, Text), Fault> {
        if self.continues() {
            let joined = self.unfold(line);
            return field(&joined, 0..joined.len());
        }
        field(&self.text, line)
    }

    /// Whether the next line belongs to the one before.
    fn continues(&self) -> bool {
        self.rest().first().copied().is_some_and(grammar::is_space)
    }

    /// Joins the lines that begin with white space to the one before (RFC 3261 §7.3.1).
    fn unfold(&mut self, line: Range<usize>) -> Text {
        let trimmed = |reader: &Self, line| {
            grammar::trim_bytes(reader.text.as_bytes().get(line).unwrap_or_default()).to_vec()
        };
        let mut joined = trimmed(self, line);
        while self.continues() {
            let Some(next) = self.next_line() else { break };
            joined.push(b' ');
            joined.extend(trimmed(self, next));
        }
        Text::from(joined)
    }

    fn content_length(&mut self, before: Length, value: &Text) -> Length {
        let number =
            grammar::saturating_number(value.as_bytes()).and_then(|number| usize::try_from(number).ok());
        match (before, number) {
            (Length::Absent, Some(length)) => Length::Known(length),
            (Length::Absent | Length::Known(_) | Length::Broken, _) => {
                self.note(Fault::ContentLength);
                Length::Broken
            }
        }
    }

    /// Appends a field; false once the message has too many.
    fn keep(&mut self, headers: &mut Headers, name: Name, value: Text) -> bool {
        if name.is_single() && headers.get(&name).is_some() {
            self.note(Fault::Repeated(name));
            return true;
        }
        if name.is_split_on_arrival() && value.as_bytes().contains(&b',') {
            let room = (HEADERS_MAX + 1).saturating_sub(headers.len());
            grammar::split_list(&value).take(room).for_each(|item| headers.push(name.clone(), item));
        } else {
            headers.push(name, value);
        }
        if headers.len() > HEADERS_MAX {
            self.note(Fault::TooManyHeaders);
            return false;
        }
        true
    }
}

/// Name and value of one line, which share its memory.
fn field(text: &Text, line: Range<usize>) -> Result<(Name, Text), Fault> {
    let bytes = text.as_bytes().get(line.clone()).unwrap_or_default();
    if memchr(b'\r', bytes).is_some() {
        return Err(Fault::LoneCr);
    }
    let colon = bytes.iter().position(|byte| *byte == b':').ok_or(Fault::HeaderLine)?;
    let (name, value) = bytes.split_at(colon);
    let written = grammar::inner(name);
    let name = name.get(written.clone()).unwrap_or_default();
    if !grammar::is_token(name) {
        return Err(Fault::HeaderLine);
    }
    let name = Name::read(name, || text.slice(line.start + written.start..line.start + written.end));
    let value = value.get(1..).unwrap_or_default();
    let (start, value) = (line.end - value.len(), grammar::inner(value));
    Ok((name, text.slice(start + value.start..start + value.end)))
}
