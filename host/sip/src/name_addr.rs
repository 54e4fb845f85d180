//! `"Ana" <sip:ana@example.com>;tag=1`: the value of From, To, Contact and routes.

use crate::grammar::{self, ValueError};
use crate::param::Params;
use crate::text::Text;
use crate::uri::Uri;
use std::borrow::Cow;
use std::fmt;

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
        let Some(parts) = Parts::of(&text)? else { return Self::parse_bare(&text) };
        let display = match parts.name_end {
            0 => display_of(grammar::trim_bytes(text.as_bytes().get(..parts.open).unwrap_or_default()))?,
            end => Some(grammar::unquote(text.slice(..end).as_bytes())),
        };
        let uri = Uri::parse(parts.uri(&text))?;
        Ok(Self { display, uri, params: Params::parse(&text.slice(parts.close + 1..))? })
    }

    /// The URI of an address exactly as it was written, for a peer that only knows itself by the letter.
    ///
    /// # Errors
    /// As [`NameAddr::parse`].
    pub fn written_uri(text: impl Into<Text>) -> Result<Text, ValueError> {
        let text = grammar::trim(text.into());
        match Parts::of(&text)? {
            Some(parts) => Ok(parts.uri(&text)),
            None => Ok(grammar::trim(text.slice(..end_of_bare_uri(text.as_bytes())))),
        }
    }

    /// The tag of an address, which every message of a dialog is matched by, without a look at the address itself.
    pub(crate) fn written_tag(text: &Text) -> Result<Option<Text>, ValueError> {
        let end = match Parts::of(text)? {
            Some(parts) => parts.close + 1,
            None => end_of_bare_uri(text.as_bytes()),
        };
        Ok(Params::parse(&text.slice(end..))?.raw("tag").cloned())
    }

    /// Without brackets every parameter belongs to the header, none to the URI (RFC 3261 §20.10).
    fn parse_bare(text: &Text) -> Result<Self, ValueError> {
        let end = end_of_bare_uri(text.as_bytes());
        let uri = Uri::parse(grammar::trim(text.slice(..end)))?;
        if uri.headers.is_some() {
            return Err(ValueError::Byte(b'?'));
        }
        Ok(Self { display: None, uri, params: Params::parse(&text.slice(end..))? })
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
    fn of(text: &Text) -> Result<Option<Self>, ValueError> {
        let bytes = text.as_bytes();
        let name_end = if bytes.first() == Some(&b'"') { grammar::end_of_quoted(bytes, 0)? } else { 0 };
        let find = |from: usize, wanted: u8| {
            bytes.iter().skip(from).position(|byte| *byte == wanted).map(|offset| from + offset)
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

    fn uri(&self, text: &Text) -> Text {
        grammar::trim(text.slice(self.open + 1..self.close))
    }
}

/// `;` may stand inside the user, and ends the URI behind it.
fn end_of_bare_uri(bytes: &[u8]) -> usize {
    let user_end = bytes.iter().position(|byte| *byte == b'@').unwrap_or(0);
    bytes.iter().skip(user_end).position(|byte| *byte == b';').map_or(bytes.len(), |at| user_end + at)
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
