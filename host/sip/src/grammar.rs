//! The few rules of RFC 3261 §25.1 that every value shares: tokens, white space, quotes, lists, escapes.

use crate::text::Text;
use std::ops::Range;

/// Why a value of a header, or a URI, could not be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Nothing is there where something must be.
    #[error("value is empty (RFC 3261 §25.1)")]
    Empty,
    /// A byte stands where the grammar has no place for it.
    #[error("byte 0x{0:02x} is out of place (RFC 3261 §25.1)")]
    Byte(u8),
    /// A quoted string has no end.
    #[error("quoted string has no end (RFC 3261 §25.1)")]
    OpenQuote,
    /// A `<` has no `>`.
    #[error("angle bracket has no end (RFC 3261 §20.10)")]
    OpenAngle,
    /// The URI begins with no scheme.
    #[error("URI has no scheme (RFC 3261 §19.1.1)")]
    Scheme,
    /// The host is no name and no address.
    #[error("host is neither a name nor an address (RFC 3261 §25.1)")]
    Host,
    /// The port is no number between 0 and 65535.
    #[error("port is not a number of 16 bits (RFC 3261 §25.1)")]
    Port,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("percent escape is not two hexadecimal digits (RFC 3261 §19.1.2)")]
    Escape,
    /// A part that must be text is not UTF-8.
    #[error("text is not UTF-8 (RFC 3261 §7)")]
    NotUtf8,
    /// A number is missing or outside its range.
    #[error("number is missing or out of range (RFC 3261 §25.1)")]
    Number,
    /// A Via is not of SIP 2.0.
    #[error("Via is not SIP/2.0 (RFC 3261 §20.42)")]
    Protocol,
    /// A parameter that must be there is not.
    #[error("parameter `{0}` is missing")]
    Parameter(&'static str),
}

/// A set of bytes: one look each, however many are in it.
pub(crate) struct Bytes([bool; 256]);

impl Bytes {
    /// The letters and digits of ASCII, and these.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut set = [false; 256];
        let mut byte = 0_u8;
        while byte.is_ascii() {
            set[byte as usize] = byte.is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            set[others[at] as usize] = true;
            at += 1;
        }
        Self(set)
    }

    pub(crate) fn has(&self, byte: u8) -> bool {
        // A byte is always within.
        self.0.get(usize::from(byte)).copied().unwrap_or(false)
    }
}

/// RFC 3261 §25.1 `token`.
static TOKEN: Bytes = Bytes::alphanumeric_and(b"-.!%*_+`'~");

pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN.has(byte)
}

pub(crate) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().copied().all(is_token_byte)
}

pub(crate) fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The text without white space at both ends, sharing its memory.
pub(crate) fn trim(text: Text) -> Text {
    let inner = inner(text.as_bytes());
    if inner.len() == text.len() { text } else { text.slice(inner) }
}

/// The bytes without white space at both ends.
pub(crate) fn trim_bytes(bytes: &[u8]) -> &[u8] {
    bytes.get(inner(bytes)).unwrap_or_default()
}

/// Where the bytes stand that are not white space at an end.
pub(crate) fn inner(bytes: &[u8]) -> Range<usize> {
    let start = bytes.iter().position(|byte| !is_space(*byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
    start..end
}

/// Position after the quoted string that begins at `start`.
pub(crate) fn end_of_quoted(bytes: &[u8], start: usize) -> Result<usize, ValueError> {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            0..=255 => at += 1,
        }
    }
    Err(ValueError::OpenQuote)
}

/// Cuts a comma list; commas in quotes and angle brackets do not count. Empty items are left out.
///
/// A list with an open quote is cut no further: the item itself is then found malformed by whoever reads it.
pub(crate) fn split_list(text: &Text) -> impl Iterator<Item = Text> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let end = end_of_item(text.as_bytes(), at);
            let item = trim(text.slice(at..end));
            at = end + 1;
            if !item.is_empty() {
                return Some(item);
            }
        }
        None
    })
}

fn end_of_item(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut in_angle = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' if !in_angle => match end_of_quoted(bytes, at) {
                Ok(end) => at = end - 1,
                Err(_) => return bytes.len(),
            },
            b'<' => in_angle = true,
            b'>' => in_angle = false,
            b',' if !in_angle => return at,
            0..=255 => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The content of a quoted string, escapes undone; other text as it is. Bytes that are not UTF-8 become U+FFFD.
pub(crate) fn unquote(bytes: &[u8]) -> String {
    let Some(inner) = bytes.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return String::from_utf8_lossy(bytes).into_owned();
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut escaped = false;
    for byte in inner.iter().copied() {
        if byte == b'\\' && !escaped {
            escaped = true;
        } else {
            out.push(byte);
            escaped = false;
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A quoted string with this content.
///
/// Line ends have no form in a quoted string and become spaces, so that a name can never begin a header line.
pub(crate) fn quote(content: &str) -> String {
    let mut out = String::with_capacity(content.len() + 2);
    out.push('"');
    for character in content.chars() {
        match character {
            '"' | '\\' | '\0' => {
                out.push('\\');
                out.push(character);
            }
            '\r' | '\n' => out.push(' '),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// Undoes `%41` escapes.
pub(crate) fn unescape(bytes: &[u8]) -> Result<Vec<u8>, ValueError> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = (rest.next().and_then(hex_value), rest.next().and_then(hex_value));
            let (Some(high), Some(low)) = digits else {
                return Err(ValueError::Escape);
            };
            out.push(high << 4 | low);
        } else {
            out.push(byte);
        }
    }
    Ok(out)
}

/// Undoes escapes of a part that must be text.
pub(crate) fn unescape_text(bytes: &[u8]) -> Result<String, ValueError> {
    if !bytes.contains(&b'%') {
        return std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| ValueError::NotUtf8);
    }
    String::from_utf8(unescape(bytes)?).map_err(|_| ValueError::NotUtf8)
}

/// Escapes every byte that is neither unreserved (RFC 3261 §25.1) nor in `extra`.
pub(crate) fn escape(text: &str, extra: &[u8], out: &mut String) {
    for byte in text.bytes() {
        let unreserved = byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte);
        if unreserved || extra.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 15));
        }
    }
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        0..=255 => None,
    }
}

fn hex_digit(value: u8) -> char {
    char::from(if value < 10 { b'0' + value } else { b'A' + value - 10 })
}

/// A decimal number of digits alone; too large a number is the largest one (RFC 3261 §20.19 reads Expires so).
pub(crate) fn saturating_number(bytes: &[u8]) -> Option<u64> {
    if bytes.is_empty() || !bytes.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(
        bytes.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))),
    )
}
