//! Printing a message: long names, and one Content-Length that is true.

use super::{Message, Start};
use crate::header::Name;
use bytes::{BufMut, Bytes, BytesMut};
use memchr::memchr2;

impl Message {
    /// The message as it goes out.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(self.size_hint());
        match &self.start {
            Start::Request { method, uri } => {
                put_clean(&mut out, method.as_bytes());
                out.put_u8(b' ');
                put_clean(&mut out, uri.as_bytes());
                out.put_slice(b" SIP/2.0\r\n");
            }
            Start::Response { status, reason } => {
                out.put_slice(b"SIP/2.0 ");
                put_number(&mut out, usize::from(*status));
                out.put_u8(b' ');
                put_clean(&mut out, reason.as_bytes());
                out.put_slice(b"\r\n");
            }
        }
        for (name, value) in self.headers.iter() {
            if let Name::Other(name) = name {
                put_clean(&mut out, name.as_bytes());
            } else {
                out.put_slice(name.as_bytes());
            }
            out.put_slice(b": ");
            put_clean(&mut out, value.as_bytes());
            out.put_slice(b"\r\n");
        }
        out.put_slice(b"Content-Length: ");
        put_number(&mut out, self.body.len());
        out.put_slice(b"\r\n\r\n");
        out.put_slice(&self.body);
        out.freeze()
    }

    /// At least the number of bytes the message takes when printed.
    fn size_hint(&self) -> usize {
        let start = match &self.start {
            Start::Request { method, uri } => method.as_bytes().len() + uri.len(),
            Start::Response { reason, .. } => reason.len(),
        };
        let lines: usize =
            self.headers.iter().map(|(name, value)| name.as_bytes().len() + value.len() + 4).sum();
        start + lines + self.body.len() + 48
    }
}

/// Writes text that was built from outside facts: a line end in it must never begin a header of its own.
fn put_clean(out: &mut BytesMut, bytes: &[u8]) {
    if memchr2(b'\r', b'\n', bytes).is_none() {
        out.put_slice(bytes);
        return;
    }
    for byte in bytes {
        out.put_u8(if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte });
    }
}

fn put_number(out: &mut BytesMut, number: usize) {
    let mut power = 1;
    while number / power >= 10 {
        power *= 10;
    }
    while power > 0 {
        // A digit is below 10.
        out.put_u8(b'0' + u8::try_from(number / power % 10).unwrap_or(0));
        power /= 10;
    }
}
