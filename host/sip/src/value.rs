//! Small values of headers: CSeq, Session-Expires, Reason.

use crate::grammar::{self, ValueError};
use crate::method::Method;
use crate::param::Params;
use crate::text::Text;
use std::fmt;

/// A request's number within its dialog, and its method again (RFC 3261 §20.16).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CSeq {
    /// Below 2^31 (RFC 3261 §8.1.1.5).
    pub seq: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads a CSeq.
    ///
    /// # Errors
    /// [`ValueError`] where the number is missing or 2^31 and more, or the method is no token.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let text = grammar::trim(text.into());
        let bytes = text.as_bytes();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = grammar::saturating_number(text.slice(..digits).as_bytes());
        let seq = number.and_then(|number| u32::try_from(number).ok()).filter(|seq| *seq < 1 << 31);
        let seq = seq.ok_or(ValueError::Number)?;
        if !bytes.get(digits).copied().is_some_and(grammar::is_space) {
            return Err(ValueError::Empty);
        }
        let method = grammar::trim(text.slice(digits..));
        if let Some(byte) = method.as_bytes().iter().find(|byte| !grammar::is_token_byte(**byte)) {
            return Err(ValueError::Byte(*byte));
        }
        Ok(Self { seq, method: Method::from_text(&method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.seq, self.method)
    }
}

/// Which side refreshes a session (RFC 4028 §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Refresher {
    /// The side that sent the request.
    Uac,
    /// The side that answers it.
    Uas,
}

/// After how long a session without refresh ends (RFC 4028 §4).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionExpires {
    /// Seconds.
    pub delta: u32,
    /// Who refreshes, where it is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a Session-Expires.
    ///
    /// # Errors
    /// [`ValueError`] where the seconds are missing or the refresher is neither side.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let (head, params) = head_and_params(&text.into())?;
        let delta = seconds(&head)?;
        let refresher = match params.get("refresher") {
            None => None,
            Some(side) if side.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(side) if side.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(ValueError::Parameter("refresher")),
        };
        Ok(Self { delta, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresher {
            None => write!(f, "{}", self.delta),
            Some(Refresher::Uac) => write!(f, "{};refresher=uac", self.delta),
            Some(Refresher::Uas) => write!(f, "{};refresher=uas", self.delta),
        }
    }
}

/// Why a request was sent (RFC 3326 §2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Reason {
    /// `SIP`, `Q.850` or another.
    pub protocol: Text,
    /// The number in that protocol.
    pub cause: Option<u16>,
    /// Words for people.
    pub text: Option<String>,
}

impl Reason {
    /// Reads one Reason.
    ///
    /// # Errors
    /// [`ValueError`] where the protocol is no token or the cause no number.
    pub fn parse(text: impl Into<Text>) -> Result<Self, ValueError> {
        let (protocol, params) = head_and_params(&text.into())?;
        if !grammar::is_token(protocol.as_bytes()) {
            return Err(ValueError::Empty);
        }
        let cause =
            params.get("cause").map(|cause| cause.parse().map_err(|_| ValueError::Number)).transpose()?;
        Ok(Self { protocol, cause, text: params.get("text").map(std::borrow::Cow::into_owned) })
    }
}

impl From<&Reason> for Text {
    fn from(reason: &Reason) -> Self {
        Self::from(reason.to_string())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.protocol)?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        match &self.text {
            Some(text) => write!(f, ";text={}", grammar::quote(text)),
            None => Ok(()),
        }
    }
}

/// Seconds of an expiry; more than 2^32-1 is read as that (RFC 3261 §20.19).
pub(crate) fn seconds(text: &Text) -> Result<u32, ValueError> {
    let number = grammar::saturating_number(text.as_bytes()).ok_or(ValueError::Number)?;
    Ok(u32::try_from(number).unwrap_or(u32::MAX))
}

fn head_and_params(text: &Text) -> Result<(Text, Params), ValueError> {
    let end = text.as_bytes().iter().position(|byte| *byte == b';').unwrap_or(text.len());
    Ok((grammar::trim(text.slice(..end)), Params::parse(text, end..text.len())?))
}
