//! Who asks: HTTP digest as SIP uses it (RFC 7616, RFC 8760, RFC 3261 §22).
//!
//! [`Authority`] challenges and verifies, [`answer`] is the other side. One algorithm a realm and always `qop=auth`: a
//! response without qop (RFC 2069) is refused, since it has no nonce count that would tell a replay.

use crate::method::Method;
use crate::text::Text;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt;

mod authority;
mod fields;

pub use authority::{Authority, NONCES_MAX};
pub use fields::{Challenge, Credentials, Qop};

/// How a response is computed; the session variants are not offered and not accepted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// What every phone speaks.
    Md5,
    /// RFC 8760.
    Sha256,
}

/// A password, or what is kept of one; no debug output and no log shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Held);

/// What is known of a password.
#[derive(Clone, PartialEq, Eq)]
enum Held {
    Password(String),
    /// Good for one user, realm and algorithm.
    Ha1(String),
}

/// Why credentials prove nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The nonce is too old, or not of this authority, source, realm and algorithm: challenge again with `stale`.
    #[error("nonce is stale (RFC 7616 §3.3)")]
    Stale,
    /// The nonce count was used before, or is far behind: challenge again with `stale`.
    #[error("nonce count was used before (RFC 7616 §3.4)")]
    Replayed,
    /// The response is not the one that the password gives.
    #[error("response does not match the password")]
    WrongPassword,
    /// A field is missing or cannot be read.
    #[error("field `{0}` is missing or malformed (RFC 7616 §3.4)")]
    Malformed(&'static str),
    /// The scheme is not Digest.
    #[error("scheme is not Digest (RFC 3261 §22.4)")]
    Scheme,
    /// The algorithm is not the one that was asked for.
    #[error("algorithm is not supported")]
    Algorithm,
    /// There is no `qop=auth`; the form of RFC 2069 has no protection against replay.
    #[error("quality of protection is not `auth` (RFC 7616 §3.4)")]
    Qop,
}

impl Algorithm {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// What may be kept instead of a password, for one user of one realm: `A1`, hashed (RFC 7616 §3.4.2).
    pub fn ha1(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&[user, ":", realm, ":", password].map(str::as_bytes))
    }

    fn parse(text: &str) -> Result<Self, DigestError> {
        [Self::Md5, Self::Sha256]
            .into_iter()
            .find(|algorithm| text.eq_ignore_ascii_case(algorithm.as_str()))
            .ok_or(DigestError::Algorithm)
    }

    fn hash(self, parts: &[&[u8]]) -> String {
        match self {
            Self::Md5 => hex(&digest_of::<Md5>(parts)),
            Self::Sha256 => hex(&digest_of::<Sha256>(parts)),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Secret {
    /// Wraps a password.
    pub fn new(password: impl Into<String>) -> Self {
        Self(Held::Password(password.into()))
    }

    /// Wraps what [`Algorithm::ha1`] made of a password.
    pub fn of_ha1(ha1: impl Into<String>) -> Self {
        Self(Held::Ha1(ha1.into()))
    }

    fn ha1(&self, credentials: &Credentials) -> String {
        let (Held::Password(text) | Held::Ha1(text)) = &self.0;
        let made = credentials.algorithm.ha1(&credentials.username, &credentials.realm, text);
        match &self.0 {
            Held::Password(_) => made,
            Held::Ha1(ha1) => {
                // It takes as long as with a password, so that nobody learns by the time whose device has which.
                std::hint::black_box(made);
                ha1.clone()
            }
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Answers a challenge: the value of Authorization (or Proxy-Authorization).
///
/// `uri` is the Request-URI, `nc` counts the requests with this nonce from 1. A challenge without qop, as some carriers
/// send it, gets the answer of RFC 2069.
///
/// # Errors
/// [`DigestError`] where the challenge cannot be read, or asks for what we do not speak.
pub fn answer(
    challenge: &Text,
    method: &Method,
    uri: &Text,
    user: &str,
    password: &Secret,
    cnonce: &str,
    nc: u32,
) -> Result<Text, DigestError> {
    let challenge = Challenge::parse(challenge)?;
    let credentials = Credentials {
        username: user.to_owned(),
        realm: challenge.realm,
        nonce: challenge.nonce,
        uri: uri.clone(),
        response: String::new(),
        algorithm: challenge.algorithm,
        qop: challenge.offers_auth.then(|| Qop { cnonce: cnonce.to_owned(), nc }),
        opaque: challenge.opaque,
    };
    let response = expected(&credentials, method, password);
    Ok(Text::from(Credentials { response, ..credentials }.to_string()))
}

/// The response that the password gives (RFC 7616 §3.4.1).
fn expected(credentials: &Credentials, method: &Method, password: &Secret) -> String {
    let hash = |parts: &[&str]| {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        credentials.algorithm.hash(&parts)
    };
    let ha1 = password.ha1(credentials);
    let ha2 = credentials.algorithm.hash(&[method.as_bytes(), b":", credentials.uri.as_bytes()]);
    match &credentials.qop {
        Some(qop) => {
            let nc = format!("{:08x}", qop.nc);
            hash(&[&ha1, ":", &credentials.nonce, ":", &nc, ":", &qop.cnonce, ":auth:", &ha2])
        }
        None => hash(&[&ha1, ":", &credentials.nonce, ":", &ha2]),
    }
}

fn digest_of<D: Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut digest = D::new();
    for part in parts {
        digest.update(part);
    }
    digest.finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(u32::from(digit), 16));
    bytes.iter().flat_map(digits).flatten().collect()
}
