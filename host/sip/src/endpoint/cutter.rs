//! Cutting a stream into messages outside an endpoint, where one connection carries messages for several.

use super::stream::{Frame, Framer};
use bytes::Bytes;

/// Cuts one stream as an [`Endpoint`](crate::Endpoint) does that gets it in pieces.
#[derive(Debug)]
pub struct Cutter(Framer);

/// What was cut out of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Piece {
    /// One whole message as it came.
    Message(Bytes),
    /// A keep-alive that wants its answer (RFC 5626 §3.5.1).
    Ping,
    /// From here on no message can be told from the next. An endpoint that gets these bytes finds the same fault in them,
    /// answers it and closes the stream.
    Broken(Bytes),
}

impl Default for Cutter {
    fn default() -> Self {
        Self(Framer::keeping())
    }
}

impl Cutter {
    /// Takes what has come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.0.push(bytes);
    }

    /// The next thing that is complete; nothing more is pushed before there is none, and nothing after [`Piece::Broken`].
    pub fn next_piece(&mut self) -> Option<Piece> {
        match self.0.next() {
            Ok(None) => None,
            Ok(Some(Frame::Ping)) => Some(Piece::Ping),
            Ok(Some(Frame::Message(_))) => Some(Piece::Message(self.0.take_whole())),
            Err(_) => Some(Piece::Broken(self.0.take_rest())),
        }
    }

    /// Whether a message has begun and not ended.
    pub fn is_midway(&self) -> bool {
        self.0.is_midway()
    }
}
