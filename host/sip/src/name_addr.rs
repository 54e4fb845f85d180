//! `"Ana" <sip:ana@example.com>;tag=1`: the value of From, To, Contact and routes.

use crate::grammar::{self, ValueError};
use crate::param::Params;
use crate::text::Text;
use crate::uri::Uri;
use memchr::memchr;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// An address with a name for people and parameters of the header.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NameAddr {
    /// The name for people, without quotes; bytes that are not UTF-8 are shown as U+FFFD.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Parameters of the header, not of the URI.
    pub params: Params,
}

/// The value of the Contact fields of a message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Contacts {
    /// `*`: every binding (RFC 3261 §10.2.2).
    Star,
    /// The addresses in order, maybe none.
    List(Vec<NameAddr>),
}

impl NameAddr {
    /// An address alone.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// The same address with this name.
    pub fn with_display(mut self, display: impl Into<String>) -> Self {
        self.display = Some(display.into());
        self
    }

    /// The same address with this parameter.
    pub fn with_param(mut self, name: &str, value: &str) -> Self {
        self.params.set(name, value);
        self
    }

    /// Reads one address.
    ///
    /// # Errors
    /// [`ValueError`] for what RFC 3261 §20.10 and §25.1 have no place for.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let text = grammar::trim(text.into());
        let bytes = text.as_bytes();
        let Some(parts) = Parts::of(bytes)? else { return Self::parse_bare(&text) };
        let display = match parts.name_end {
            0 => display_of(grammar::trim_bytes(bytes.get(..parts.open).unwrap_or_default()))?,
            end => Some(grammar::unquote(bytes.get(..end).unwrap_or_default())),
        };
        let uri = Uri::parse_part(&text, parts.uri(bytes))?;
        Ok(Self { display, uri, params: Params::parse(&text, parts.close + 1..text.len())? })
    }

    /// The URI of an address exactly as it was written, for a peer that only knows itself by the letter.
    ///
    /// # Errors
    /// As [`NameAddr::parse`].
    pub fn written_uri(text: impl Into<Text>) -> Result<Text, ValueError> {
        let text = grammar::trim(text.into());
        match Parts::of(text.as_bytes())? {
            Some(parts) => Ok(text.slice(parts.uri(text.as_bytes()))),
            None => Ok(grammar::trim(text.slice(..end_of_bare_uri(text.as_bytes())))),
        }
    }

    /// The tag of an address, which every message of a dialog is matched by, without a look at the address itself.
    pub(crate) fn written_tag(text: &Text) -> Result<Option<Text>, ValueError> {
        let end = match Parts::of(text.as_bytes())? {
            Some(parts) => parts.close + 1,
            None => end_of_bare_uri(text.as_bytes()),
        };
        Params::written(text, end..text.len(), b"tag")
    }

    /// Without brackets every parameter belongs to the header, none to the URI (RFC 3261 §20.10).
    fn parse_bare(text: &Text) -> Result<Self, ValueError> {
        let end = end_of_bare_uri(text.as_bytes());
        let uri = Uri::parse_part(text, grammar::inner(text.as_bytes().get(..end).unwrap_or_default()))?;
        if uri.headers.is_some() {
            return Err(ValueError::Byte(b'?'));
        }
        Ok(Self { display: None, uri, params: Params::parse(text, end..text.len())? })
    }

    /// The tag that identifies this party's side of a dialog.
    pub fn tag(&self) -> Option<Text> {
        self.params.raw("tag").cloned()
    }

    /// The value of a header parameter without quotes; empty where it stands alone.
    pub fn param(&self, name: &str) -> Option<Cow<'_, str>> {
        self.params.get(name)
    }

    /// As text of a header.
    pub fn to_text(&self) -> Text {
        Text::from(self.to_string())
    }
}

/// Where the parts of an address in brackets stand.
struct Parts {
    /// Position after a quoted name; 0 without one.
    name_end: usize,
    open: usize,
    close: usize,
}

impl Parts {
    /// None where there are no brackets.
    fn of(bytes: &[u8]) -> Result<Option<Self>, ValueError> {
        let name_end = if bytes.first() == Some(&b'"') { grammar::end_of_quoted(bytes, 0)? } else { 0 };
        let find = |from: usize, wanted: u8| {
            memchr(wanted, bytes.get(from..).unwrap_or_default()).map(|offset| from + offset)
        };
        let Some(open) = find(name_end, b'<') else {
            return if name_end == 0 { Ok(None) } else { Err(ValueError::OpenAngle) };
        };
        let between = bytes.get(name_end..open).unwrap_or_default();
        if let Some(byte) = between.iter().find(|byte| name_end > 0 && !grammar::is_space(**byte)) {
            return Err(ValueError::Byte(*byte));
        }
        let close = find(open, b'>').ok_or(ValueError::OpenAngle)?;
        Ok(Some(Self { name_end, open, close }))
    }

    /// Where the URI stands.
    fn uri(&self, bytes: &[u8]) -> Range<usize> {
        let start = self.open + 1;
        let inner = grammar::inner(bytes.get(start..self.close).unwrap_or_default());
        start + inner.start..start + inner.end
    }
}

/// `;` may stand inside the user, and ends the URI behind it.
fn end_of_bare_uri(bytes: &[u8]) -> usize {
    let user_end = memchr(b'@', bytes).unwrap_or(0);
    let rest = bytes.get(user_end..).unwrap_or_default();
    memchr(b';', rest).map_or(bytes.len(), |at| user_end + at)
}

/// Tokens before the bracket; some phones leave out the quotes that other bytes need, which harms nobody.
fn display_of(bytes: &[u8]) -> Result<Option<String>, ValueError> {
    if let Some(byte) = bytes.iter().find(|byte| matches!(byte, b'"' | b'>' | b';' | b',')) {
        return Err(ValueError::Byte(*byte));
    }
    Ok((!bytes.is_empty()).then(|| String::from_utf8_lossy(bytes).into_owned()))
}

impl From<&NameAddr> for Text {
    fn from(address: &NameAddr) -> Self {
        address.to_text()
    }
}

impl From<NameAddr> for Text {
    fn from(address: NameAddr) -> Self {
        address.to_text()
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{} ", grammar::quote(display))?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
