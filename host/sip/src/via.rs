//! The Via of one hop: where a response to the request goes (RFC 3261 §18.2, RFC 3581).

use crate::grammar::{self, ValueError};
use crate::param::Params;
use crate::text::Text;
use crate::uri::{self, Host};
use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The port of SIP where none is written (RFC 3261 §18.2.2).
pub const SIP_PORT: u16 = 5060;

/// What a branch begins with when it identifies a transaction by itself (RFC 3261 §8.1.1.7).
pub const MAGIC_COOKIE: &str = "z9hG4bK";

/// One hop of a request's path.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Via {
    /// The version of SIP, where it is another than 2.0: such a hop can be told so (RFC 3261 §21.5.6).
    pub version: Option<Text>,
    /// The transport as written, usually `UDP` or `TCP`.
    pub transport: Text,
    /// The host that sent the request, as it calls itself.
    pub host: Host,
    /// The port it wants responses at.
    pub port: Option<u16>,
    /// `branch`, `received`, `rport` and others.
    pub params: Params,
}

impl Via {
    /// Reads one Via.
    ///
    /// # Errors
    /// [`ValueError`] for what RFC 3261 §20.42 and §25.1 have no place for.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let text = grammar::trim(text.into());
        let bytes = text.as_bytes();
        let mut parts = bytes.splitn(3, |byte| *byte == b'/');
        let (Some(name), Some(version), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(ValueError::Protocol);
        };
        let is_sip = grammar::trim_bytes(name).eq_ignore_ascii_case(b"SIP");
        let version = grammar::trim_bytes(version);
        if !is_sip || !grammar::is_token(version) {
            return Err(ValueError::Protocol);
        }
        let version = (version != b"2.0").then(|| Text::from(version.to_vec()));
        let start = bytes.len() - rest.len() + grammar::inner(rest).start;
        let rest = grammar::trim_bytes(rest);
        let space = rest.iter().position(|byte| grammar::is_space(*byte)).ok_or(ValueError::Host)?;
        let (transport, sent_by) = rest.split_at(space);
        if !grammar::is_token(transport) {
            return Err(ValueError::Protocol);
        }
        let end = sent_by.iter().position(|byte| *byte == b';').unwrap_or(sent_by.len());
        let (sent_by, params) = sent_by.split_at(end);
        let (host, port) = parse_sent_by(grammar::trim_bytes(sent_by))?;
        let params = Params::parse(&text, bytes.len() - params.len()..bytes.len())?;
        Ok(Self { version, transport: text.slice(start..start + space), host, port, params })
    }

    /// The transaction's name, where there is one.
    pub fn branch(&self) -> Option<&Text> {
        self.params.raw("branch")
    }

    /// The branch of a Via as it was written, without a look at the rest.
    pub(crate) fn written_branch(text: &Text) -> Option<Text> {
        let start = text.as_bytes().iter().position(|byte| *byte == b';')?;
        Params::written(text, start..text.len(), b"branch").ok()?
    }

    /// Whether the branch alone identifies the transaction (RFC 3261 §17.2.3); the cookie without more does not.
    pub(crate) fn has_cookie(&self) -> bool {
        let bytes = self.branch().map_or(&b""[..], Text::as_bytes);
        let prefix = bytes.get(..MAGIC_COOKIE.len());
        bytes.len() > MAGIC_COOKIE.len()
            && prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(MAGIC_COOKIE.as_bytes()))
    }

    /// The address the request came from, where the receiver noted it; IPv6 with or without brackets (RFC 5118 §4.5).
    pub fn received(&self) -> Option<IpAddr> {
        Host::from_bytes(self.params.raw("received")?.as_bytes()).ok()?.address()
    }

    /// The port the request came from, where sender and receiver speak RFC 3581.
    pub fn rport(&self) -> Option<u16> {
        self.params.raw("rport")?.as_str()?.parse().ok()
    }

    /// Whether the sender wants its responses at the port it sent from (RFC 3581 §3).
    pub fn wants_rport(&self) -> bool {
        self.params.has("rport")
    }

    /// Notes where the request really came from (RFC 3261 §18.2.1, RFC 3581 §4).
    pub(crate) fn note_source(&mut self, source: SocketAddr) {
        let address = source.ip().to_canonical();
        if self.wants_rport() {
            self.params.set("rport", &source.port().to_string());
        }
        if self.wants_rport() || self.host.address() != Some(address) {
            self.params.set("received", &address.to_string());
        }
    }

    /// Where a datagram response goes when the request came from `source` (RFC 3261 §18.2.2, RFC 3581 §4).
    ///
    /// deviation: `maddr` is not followed, because a stranger could aim our responses at a third party with it.
    pub(crate) fn reply_address(&self, source: SocketAddr) -> SocketAddr {
        if self.wants_rport() {
            return source;
        }
        SocketAddr::new(source.ip(), self.port.unwrap_or(SIP_PORT))
    }
}

/// White space may stand round the colon (RFC 3261 §25.1 `COLON`).
fn parse_sent_by(bytes: &[u8]) -> Result<(Host, Option<u16>), ValueError> {
    if !bytes.iter().copied().any(grammar::is_space) {
        return uri::parse_host_port(bytes);
    }
    let has_space = |part: &[u8]| grammar::trim_bytes(part).iter().copied().any(grammar::is_space);
    if bytes.split(|byte| *byte == b':').any(has_space) {
        return Err(ValueError::Host);
    }
    let compact: Vec<u8> = bytes.iter().copied().filter(|byte| !grammar::is_space(*byte)).collect();
    uri::parse_host_port(&compact)
}

impl From<&Via> for Text {
    fn from(via: &Via) -> Self {
        Self::from(via.to_string())
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_ref().map_or(Cow::Borrowed("2.0"), Text::lossy);
        write!(f, "SIP/{version}/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}
