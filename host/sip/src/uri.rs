//! SIP, SIPS and tel URIs, and what is needed of any other.

use crate::grammar::{self, ValueError};
use crate::param::Params;
use crate::text::Text;
use memchr::{memchr, memchr2};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

mod compare;

/// What kind of URI it is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scheme {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`, whose number is the user part (RFC 3966).
    Tel,
    /// Any other, in lower case; everything after the colon is the user part, as written.
    Other(String),
}

/// Where a URI or a Via points.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Host {
    /// A domain name in lower case, for names have no case.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address.
    V6(Ipv6Addr),
    /// A tel or urn URI names no host.
    Absent,
}

/// A URI with its parts.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uri {
    /// What kind of URI it is.
    pub scheme: Scheme,
    /// The user without escapes; of a tel URI the number.
    pub user: Option<String>,
    /// The password without escapes, which nobody should send (RFC 3261 §19.1.1).
    pub password: Option<String>,
    /// The host.
    pub host: Host,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// Parameters as written.
    pub params: Params,
    /// What stands after `?`, as written.
    pub headers: Option<Text>,
}

impl Uri {
    /// A SIP URI of a host without a user.
    pub fn sip(host: Host, port: Option<u16>) -> Self {
        let (user, password, headers) = (None, None, None);
        Self { scheme: Scheme::Sip, user, password, host, port, params: Params::default(), headers }
    }

    /// The same URI with this user.
    pub fn with_user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Reads a URI.
    ///
    /// # Errors
    /// [`ValueError`] for what RFC 3261 §25.1 has no place for.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let text = text.into();
        Self::parse_part(&text, 0..text.len())
    }

    /// Reads the URI that this part of the text is.
    pub(crate) fn parse_part(text: &Text, part: Range<usize>) -> Result<Self, ValueError> {
        let bytes = text.as_bytes().get(part.clone()).unwrap_or_default();
        let colon = memchr(b':', bytes).ok_or(ValueError::Scheme)?;
        if let Some(byte) = bytes.iter().find(|byte| is_outside_uri(**byte)) {
            return Err(ValueError::Byte(*byte));
        }
        let rest = part.start + colon + 1..part.end;
        match scheme_of(bytes.get(..colon).unwrap_or_default())? {
            Scheme::Tel => parse_tel(text, rest),
            Scheme::Other(name) => parse_opaque(name, &text.slice(rest)),
            scheme @ (Scheme::Sip | Scheme::Sips) => parse_sip(scheme, text, rest),
        }
    }

    /// The value of a parameter without quotes; empty where it stands alone.
    pub fn param(&self, name: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.params.get(name)
    }

    /// As text of a start line or header.
    pub fn to_text(&self) -> Text {
        Text::from(self.to_string())
    }
}

impl From<&Uri> for Text {
    fn from(uri: &Uri) -> Self {
        uri.to_text()
    }
}

impl From<Uri> for Text {
    fn from(uri: Uri) -> Self {
        uri.to_text()
    }
}

impl std::str::FromStr for Uri {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        Self::parse(text)
    }
}

impl Host {
    /// Reads a name or an address; IPv6 with or without its brackets.
    ///
    /// # Errors
    /// [`ValueError::Host`] where it is neither.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        Self::from_bytes(text.as_bytes())
    }

    /// The address, where the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Self::V4(address) => Some(IpAddr::V4(*address)),
            Self::V6(address) => Some(IpAddr::V6(*address)),
            Self::Name(_) | Self::Absent => None,
        }
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ValueError::Host)?;
        if memchr(b':', bytes).is_some() {
            let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
            return inner.parse::<Ipv6Addr>().map(Self::V6).map_err(|_| ValueError::Host);
        }
        // No top-level domain ends in a digit, every address does.
        if bytes.last().is_some_and(u8::is_ascii_digit)
            && let Ok(address) = text.parse::<Ipv4Addr>()
        {
            return Ok(Self::V4(address));
        }
        // An underscore is no part of a host name, but of names that people give their machines.
        static NAME: grammar::Bytes = grammar::Bytes::alphanumeric_and(b"-._");
        if text.is_empty() || !text.bytes().all(|byte| NAME.has(byte)) {
            return Err(ValueError::Host);
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => Self::V6(address),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V4(address) => write!(f, "{address}"),
            Self::V6(address) => write!(f, "[{address}]"),
            Self::Absent => Ok(()),
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sip => "sip",
            Self::Sips => "sips",
            Self::Tel => "tel",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        match self.scheme {
            Scheme::Sip | Scheme::Sips => f.write_str(&self.user_info())?,
            Scheme::Tel => f.write_str(&escaped(self.user.as_deref().unwrap_or_default(), b"+"))?,
            Scheme::Other(_) => return f.write_str(self.user.as_deref().unwrap_or_default()),
        }
        write!(f, "{}", self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)?;
        match &self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

impl Uri {
    fn user_info(&self) -> String {
        let Some(user) = &self.user else {
            return String::new();
        };
        let mut out = escaped(user, b"&=+$,;?/");
        if let Some(password) = &self.password {
            out.push(':');
            grammar::escape(password, b"&=+$,", &mut out);
        }
        out.push('@');
        out
    }
}

fn escaped(text: &str, extra: &[u8]) -> String {
    let mut out = String::with_capacity(text.len() + 1);
    grammar::escape(text, extra, &mut out);
    out
}

/// Bytes that no URI holds; the others outside the grammar (`#`, UTF-8) are sent by phones and do no harm.
fn is_outside_uri(byte: u8) -> bool {
    byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f)
}

fn scheme_of(bytes: &[u8]) -> Result<Scheme, ValueError> {
    let is_scheme = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) || !bytes.iter().all(is_scheme) {
        return Err(ValueError::Scheme);
    }
    let known = [(&b"sip"[..], Scheme::Sip), (b"sips", Scheme::Sips), (b"tel", Scheme::Tel)];
    let scheme =
        known.into_iter().find(|(name, _)| bytes.eq_ignore_ascii_case(name)).map(|(_, scheme)| scheme);
    Ok(scheme.unwrap_or_else(|| Scheme::Other(String::from_utf8_lossy(bytes).to_ascii_lowercase())))
}

fn parse_sip(scheme: Scheme, text: &Text, rest: Range<usize>) -> Result<Uri, ValueError> {
    let bytes = text.as_bytes().get(rest.clone()).unwrap_or_default();
    // `@` stands nowhere but after the user; `;` and `?` may stand inside the user (RFC 3261 §25.1 user-unreserved).
    let (user, password, host_start) = match memchr(b'@', bytes) {
        Some(at) => {
            let (user, password) = parse_user_info(bytes.get(..at).unwrap_or_default())?;
            (Some(user), password, at + 1)
        }
        None => (None, None, 0),
    };
    let after_user = bytes.get(host_start..).unwrap_or_default();
    let host_end = memchr2(b';', b'?', after_user).map_or(bytes.len(), |offset| host_start + offset);
    let after_host = bytes.get(host_end..).unwrap_or_default();
    let params_end = memchr(b'?', after_host).map_or(bytes.len(), |offset| host_end + offset);
    let (host, port) = parse_host_port(bytes.get(host_start..host_end).unwrap_or_default())?;
    let params = Params::parse(text, rest.start + host_end..rest.start + params_end)?;
    let headers = (params_end < bytes.len()).then(|| text.slice(rest.start + params_end + 1..rest.end));
    Ok(Uri { scheme, user, password, host, port, params, headers })
}

fn parse_user_info(bytes: &[u8]) -> Result<(String, Option<String>), ValueError> {
    let mut halves = bytes.splitn(2, |byte| *byte == b':');
    let user = halves.next().filter(|user| !user.is_empty()).ok_or(ValueError::Empty)?;
    let password = halves.next().map(grammar::unescape_text).transpose()?;
    Ok((grammar::unescape_text(user)?, password))
}

/// Reads `host` or `host:port`; an IPv6 address has brackets, otherwise its last part would read as a port.
pub(crate) fn parse_host_port(bytes: &[u8]) -> Result<(Host, Option<u16>), ValueError> {
    let host_end = if bytes.first() == Some(&b'[') {
        memchr(b']', bytes).ok_or(ValueError::Host)? + 1
    } else {
        memchr(b':', bytes).unwrap_or(bytes.len())
    };
    let (host, rest) = bytes.split_at(host_end);
    let port = match rest {
        [] => None,
        [b':', digits @ ..] => {
            let number = grammar::saturating_number(digits).ok_or(ValueError::Port)?;
            Some(u16::try_from(number).map_err(|_| ValueError::Port)?)
        }
        [byte, ..] => return Err(ValueError::Byte(*byte)),
    };
    Ok((Host::from_bytes(host)?, port))
}

fn parse_tel(text: &Text, rest: Range<usize>) -> Result<Uri, ValueError> {
    let bytes = text.as_bytes().get(rest.clone()).unwrap_or_default();
    let end = memchr(b';', bytes).unwrap_or(bytes.len());
    let number = grammar::unescape_text(bytes.get(..end).unwrap_or_default())?;
    if number.is_empty() {
        return Err(ValueError::Empty);
    }
    let params = Params::parse(text, rest.start + end..rest.end)?;
    let (password, port, headers) = (None, None, None);
    Ok(Uri { scheme: Scheme::Tel, user: Some(number), password, host: Host::Absent, port, params, headers })
}

fn parse_opaque(scheme: String, rest: &Text) -> Result<Uri, ValueError> {
    let opaque = rest.as_str().ok_or(ValueError::NotUtf8)?;
    if opaque.is_empty() {
        return Err(ValueError::Empty);
    }
    let (password, port, headers) = (None, None, None);
    let (scheme, user) = (Scheme::Other(scheme), Some(opaque.to_owned()));
    Ok(Uri { scheme, user, password, host: Host::Absent, port, params: Params::default(), headers })
}
