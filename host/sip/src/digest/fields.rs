//! The fields of challenges and credentials (RFC 7616 §3.3, §3.4).

use super::{Algorithm, DigestError};
use crate::grammar;
use crate::text::Text;
use std::fmt;

/// What WWW-Authenticate or Proxy-Authenticate asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge {
    /// Whose password is wanted.
    pub realm: String,
    /// What goes into the response.
    pub nonce: String,
    /// What must come back unchanged.
    pub opaque: Option<String>,
    /// How the response is computed; MD5 where nothing is said.
    pub algorithm: Algorithm,
    /// Whether `auth` is among the offered qualities of protection.
    pub offers_auth: bool,
    /// Whether only the nonce was wrong before.
    pub stale: bool,
}

/// What Authorization or Proxy-Authorization proves itself with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credentials {
    /// Who asks.
    pub username: String,
    /// Whose password is meant.
    pub realm: String,
    /// The nonce of the challenge.
    pub nonce: String,
    /// The Request-URI as the client wrote it here.
    pub uri: Text,
    /// The proof, in hexadecimal.
    pub response: String,
    /// How it was computed; MD5 where nothing is said.
    pub algorithm: Algorithm,
    /// `qop=auth` with its fields; none in the form of RFC 2069.
    pub qop: Option<Qop>,
    /// What came with the challenge.
    pub opaque: Option<String>,
}

/// The fields that come with `qop=auth`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Qop {
    /// The client's own nonce.
    pub cnonce: String,
    /// How often the client has used the nonce.
    pub nc: u32,
}

impl Challenge {
    /// Reads a challenge.
    ///
    /// # Errors
    /// [`DigestError`] where it is no Digest, lacks realm or nonce, or asks for what we do not speak.
    pub fn parse(text: &Text) -> Result<Self, DigestError> {
        let fields = Fields::parse(text)?;
        let qop = fields.optional("qop");
        let mut offers = qop.iter().flat_map(|qop| qop.split(',')).map(str::trim);
        let offers_auth = offers.any(|offer| offer.eq_ignore_ascii_case("auth"));
        if qop.is_some() && !offers_auth {
            return Err(DigestError::Qop);
        }
        Ok(Self {
            realm: fields.required("realm")?,
            nonce: fields.required("nonce")?,
            opaque: fields.optional("opaque"),
            algorithm: fields.algorithm()?,
            offers_auth,
            stale: fields.optional("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (realm, nonce) = (grammar::quote(&self.realm), grammar::quote(&self.nonce));
        write!(f, "Digest realm={realm}, nonce={nonce}, algorithm={}", self.algorithm)?;
        if self.offers_auth {
            f.write_str(", qop=\"auth\"")?;
        }
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", grammar::quote(opaque))?;
        }
        f.write_str(if self.stale { ", stale=true" } else { "" })
    }
}

impl Credentials {
    /// Reads credentials.
    ///
    /// # Errors
    /// [`DigestError`] where they are no Digest, lack a field, or use what we do not speak.
    pub fn parse(text: &Text) -> Result<Self, DigestError> {
        let fields = Fields::parse(text)?;
        let qop = match fields.optional("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = fields.required("nc")?;
                let is_count = nc.len() == 8 && nc.bytes().all(|byte| byte.is_ascii_hexdigit());
                let nc = u32::from_str_radix(&nc, 16)
                    .ok()
                    .filter(|_| is_count)
                    .ok_or(DigestError::Malformed("nc"))?;
                Some(Qop { cnonce: fields.required("cnonce")?, nc })
            }
            Some(_) => return Err(DigestError::Qop),
        };
        Ok(Self {
            username: fields.required("username")?,
            realm: fields.required("realm")?,
            nonce: fields.required("nonce")?,
            uri: Text::from(fields.required("uri")?),
            response: fields.required("response")?,
            algorithm: fields.algorithm()?,
            qop,
            opaque: fields.optional("opaque"),
        })
    }
}

impl fmt::Display for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = [
            ("username", grammar::quote(&self.username)),
            ("realm", grammar::quote(&self.realm)),
            ("nonce", grammar::quote(&self.nonce)),
            ("uri", grammar::quote(&self.uri.lossy())),
            ("response", grammar::quote(&self.response)),
        ];
        f.write_str("Digest ")?;
        for (name, value) in quoted {
            write!(f, "{name}={value}, ")?;
        }
        write!(f, "algorithm={}", self.algorithm)?;
        if let Some(qop) = &self.qop {
            write!(f, ", qop=auth, nc={:08x}, cnonce={}", qop.nc, grammar::quote(&qop.cnonce))?;
        }
        match &self.opaque {
            Some(opaque) => write!(f, ", opaque={}", grammar::quote(opaque)),
            None => Ok(()),
        }
    }
}

/// `Digest name=value, name="value"`.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn parse(text: &Text) -> Result<Self, DigestError> {
        let text = grammar::trim(text.clone());
        let space = text.as_bytes().iter().position(|byte| grammar::is_space(*byte));
        let (scheme, rest) = match space {
            Some(space) => (text.slice(..space), text.slice(space..)),
            None => return Err(DigestError::Scheme),
        };
        if !scheme.eq_ignore_case("Digest") {
            return Err(DigestError::Scheme);
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for item in grammar::split_list(&rest) {
            let equals = item.as_bytes().iter().position(|byte| *byte == b'=');
            let equals = equals.ok_or(DigestError::Malformed("="))?;
            let name = grammar::trim(item.slice(..equals)).lossy().to_ascii_lowercase();
            let value = grammar::trim(item.slice(equals + 1..));
            // A field that stands twice could be read one way here and another way elsewhere.
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(DigestError::Malformed("repeated"));
            }
            fields.push((name, grammar::unquote(value.as_bytes())));
        }
        Ok(Self(fields))
    }

    fn optional(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    fn required(&self, name: &'static str) -> Result<String, DigestError> {
        self.optional(name).filter(|value| !value.is_empty()).ok_or(DigestError::Malformed(name))
    }

    fn algorithm(&self) -> Result<Algorithm, DigestError> {
        self.optional("algorithm").map_or(Ok(Algorithm::Md5), |name| Algorithm::parse(&name))
    }
}
