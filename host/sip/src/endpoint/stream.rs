//! Cutting streams into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).
//!
//! Bytes come in pieces of any size. A stream that offends is named once and read no further; others never notice.

use crate::flow::Flow;
use crate::grammar;
use crate::message::parse::{Head, parse_start};
use crate::message::{Fault, HEADER_BLOCK_MAX, MESSAGE_MAX, Message, ParseError};
use crate::text::Text;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;

/// The most bytes one stream may have waiting: a message that is not complete, and one piece more.
pub const STREAM_BUFFER_MAX: usize = 2 * MESSAGE_MAX;
/// The most streams at a time.
pub const STREAMS_MAX: usize = 16_384;

/// One thing that stood in a stream.
#[derive(Debug)]
pub(super) enum Frame {
    Message(Result<Message, ParseError>),
    /// A keep-alive that wants its answer.
    Ping,
}

/// The streams we have bytes of.
#[derive(Default, Debug)]
pub(super) struct Streams(BTreeMap<Flow, Stream>);

#[derive(Debug)]
enum Stream {
    Open(Box<Framer>),
    /// It offended and is to be closed; what still comes is not read.
    Refused,
}

/// There are as many streams as there may be.
#[derive(Debug)]
pub(super) struct TooMany;

impl Streams {
    /// Takes a piece of a stream; pieces of a refused stream vanish.
    pub(super) fn push(&mut self, flow: Flow, bytes: &[u8], streams_max: usize) -> Result<(), TooMany> {
        if !self.0.contains_key(&flow) && self.0.len() >= streams_max {
            return Err(TooMany);
        }
        match self.0.entry(flow).or_insert_with(|| Stream::Open(Box::default())) {
            Stream::Open(framer) => framer.push(bytes),
            Stream::Refused => {}
        }
        Ok(())
    }

    /// The next complete thing of a stream.
    pub(super) fn next(&mut self, flow: Flow) -> Result<Option<Frame>, ParseError> {
        let Some(stream) = self.0.get_mut(&flow) else { return Ok(None) };
        match stream {
            Stream::Refused => Ok(None),
            Stream::Open(framer) => framer.next().inspect_err(|_| *stream = Stream::Refused),
        }
    }

    /// Whether a message has begun and not ended.
    pub(super) fn is_midway(&self, flow: Flow) -> bool {
        match self.0.get(&flow) {
            Some(Stream::Open(framer)) => framer.is_midway(),
            Some(Stream::Refused) | None => false,
        }
    }

    /// Reads this stream no further.
    pub(super) fn refuse(&mut self, flow: Flow) {
        self.0.insert(flow, Stream::Refused);
    }

    /// Forgets a stream that is closed; false where its end was reported before.
    pub(super) fn forget(&mut self, flow: Flow) -> bool {
        match self.0.remove(&flow) {
            Some(Stream::Refused) => false,
            Some(Stream::Open(_)) | None => true,
        }
    }
}

/// Cuts one stream.
#[derive(Default, Debug)]
pub(super) struct Framer {
    buffer: BytesMut,
    /// What was read of the message that is next, as it came; none where nobody wants it.
    whole: Option<BytesMut>,
    /// Bytes that were searched for the end of the headers before, so that none is searched twice.
    searched: usize,
    start_line_read: bool,
    /// The message whose body is still missing, with the length of the body.
    head: Option<(Head, usize)>,
}

impl Framer {
    /// One that keeps messages as they came.
    pub(super) fn keeping() -> Self {
        Self { whole: Some(BytesMut::new()), ..Self::default() }
    }

    /// The message that was just cut, as it came.
    pub(super) fn take_whole(&mut self) -> Bytes {
        self.whole.as_mut().map(|whole| whole.split().freeze()).unwrap_or_default()
    }

    /// What was read since the last message, and all that follows it.
    pub(super) fn take_rest(&mut self) -> Bytes {
        let rest = self.buffer.split();
        self.keep(&rest);
        self.take_whole()
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(whole) = &mut self.whole {
            whole.extend_from_slice(bytes);
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn is_midway(&self) -> bool {
        self.head.is_some() || !self.buffer.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    pub(super) fn next(&mut self) -> Result<Option<Frame>, ParseError> {
        if self.buffer.len() > STREAM_BUFFER_MAX {
            return Err(unread(Fault::TooLong));
        }
        if self.head.is_none() {
            if self.take_line_ends() {
                return Ok(Some(Frame::Ping));
            }
            if !self.is_midway() {
                return Ok(None);
            }
            self.check_start_line().map_err(unread)?;
            let Some(end) = self.end_of_headers().map_err(unread)? else { return Ok(None) };
            self.read_head(end)?;
        }
        match self.head.take() {
            Some((head, length)) if self.buffer.len() >= length => {
                let body = self.buffer.split_to(length).freeze();
                self.keep(&body);
                Ok(Some(Frame::Message(head.into_message(body))))
            }
            unfinished => {
                self.head = unfinished;
                Ok(None)
            }
        }
    }

    /// Drops line ends between messages; true where they were a ping (RFC 5626 §3.5.1).
    fn take_line_ends(&mut self) -> bool {
        if self.start_line_read || self.searched > 0 {
            return false;
        }
        loop {
            if self.buffer.starts_with(b"\r\n\r\n") {
                let _ping = self.buffer.split_to(4);
                return true;
            }
            let may_become_ping = b"\r\n\r\n".starts_with(&self.buffer);
            match self.buffer.first() {
                Some(b'\r' | b'\n') if !may_become_ping => {
                    let _line_end = self.buffer.split_to(1);
                }
                Some(_) | None => return false,
            }
        }
    }

    /// Finds out as early as it can be known that the peer does not speak SIP.
    fn check_start_line(&mut self) -> Result<(), Fault> {
        if self.start_line_read {
            return Ok(());
        }
        let first = self.buffer.first().copied();
        if first.is_some_and(|byte| !grammar::is_token_byte(byte)) {
            return Err(Fault::StartLine);
        }
        let Some(end) = self.buffer.iter().skip(self.searched).position(|byte| *byte == b'\n') else {
            return Ok(());
        };
        let line = self.buffer.get(..self.searched + end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match parse_start(&Text::from(line.to_vec())) {
            Some(_) => self.start_line_read = true,
            None => return Err(Fault::StartLine),
        }
        Ok(())
    }

    /// Position after the empty line.
    fn end_of_headers(&mut self) -> Result<Option<usize>, Fault> {
        let from = self.searched.saturating_sub(3);
        let found = self.buffer.iter().enumerate().skip(from).filter(|(_, byte)| **byte == b'\n').find_map(
            |(at, _)| {
                let rest = self.buffer.get(at + 1..).unwrap_or_default();
                match rest {
                    [b'\r', b'\n', ..] => Some(at + 3),
                    [b'\n', ..] => Some(at + 2),
                    _ => None,
                }
            },
        );
        match found {
            Some(end) if end <= HEADER_BLOCK_MAX => Ok(Some(end)),
            None if self.buffer.len() <= HEADER_BLOCK_MAX => {
                self.searched = self.buffer.len();
                Ok(None)
            }
            Some(_) | None => Err(Fault::TooLong),
        }
    }

    /// Reads the headers. Without a Content-Length that can be believed the stream has lost its step.
    fn read_head(&mut self, end: usize) -> Result<(), ParseError> {
        let bytes = self.buffer.split_to(end).freeze();
        self.searched = 0;
        self.start_line_read = false;
        self.keep(&bytes);
        let head = Head::read(&Text::from(bytes))?;
        let Some(length) = head.trusted_length().filter(|length| *length <= MESSAGE_MAX - end) else {
            return Err(head.refused(Fault::ContentLength));
        };
        self.head = Some((head, length));
        Ok(())
    }
}

/// A stream in which not even the headers of a message can be read.
pub(super) fn unread(fault: Fault) -> ParseError {
    ParseError { fault, partial: None }
}
