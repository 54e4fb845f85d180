//! Values of headers, read when somebody asks for them.

use super::Message;
use crate::grammar::ValueError;
use crate::header::Name;
use crate::name_addr::{Contacts, NameAddr};
use crate::text::Text;
use crate::value::{self, CSeq, Reason, SessionExpires};
use crate::via::Via;

/// Why the value of a header could not be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// There is no such header.
    #[error("`{0}` is missing (RFC 3261 §8.1.1)")]
    Missing(Name),
    /// Its value is malformed.
    #[error("`{name}` is malformed: {error}")]
    Malformed {
        /// The header.
        name: Name,
        /// What is wrong.
        #[source]
        error: ValueError,
    },
}

impl Message {
    /// The Via of the hop that sent us this message.
    ///
    /// # Errors
    /// [`HeaderError`] where it is missing or malformed; so for every reader below.
    pub fn top_via(&self) -> Result<Via, HeaderError> {
        self.required(Name::Via, Via::parse)
    }

    /// The Vias of all hops, the last hop's first.
    ///
    /// # Errors
    /// As [`Message::top_via`], for any of them.
    pub fn vias(&self) -> Result<Vec<Via>, HeaderError> {
        let parsed: Result<Vec<_>, _> = self.headers.all(&Name::Via).map(Via::parse).collect();
        let vias = parsed.map_err(|error| HeaderError::Malformed { name: Name::Via, error })?;
        if vias.is_empty() { Err(HeaderError::Missing(Name::Via)) } else { Ok(vias) }
    }

    /// Who asks.
    ///
    /// # Errors
    /// As [`Message::top_via`].
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.required(Name::From, NameAddr::parse)
    }

    /// Who is asked for.
    ///
    /// # Errors
    /// As [`Message::top_via`].
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.required(Name::To, NameAddr::parse)
    }

    /// The number of the request and its method.
    ///
    /// # Errors
    /// As [`Message::top_via`].
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.required(Name::CSeq, CSeq::parse)
    }

    /// The name of the call.
    ///
    /// # Errors
    /// [`HeaderError`] where it is missing or empty.
    pub fn call_id(&self) -> Result<Text, HeaderError> {
        self.required(
            Name::CallId,
            |text: Text| {
                if text.is_empty() { Err(ValueError::Empty) } else { Ok(text) }
            },
        )
    }

    /// The addresses in Contact; an empty list where there is none.
    ///
    /// # Errors
    /// As [`Message::top_via`]; also where `*` stands beside an address (RFC 3261 §10.3 step 6).
    pub fn contacts(&self) -> Result<Contacts, HeaderError> {
        let mut fields = self.headers.all(&Name::Contact);
        if let Some(first) = self.headers.get(&Name::Contact).filter(|first| **first == *"*") {
            return match fields.nth(1) {
                None => Ok(Contacts::Star),
                Some(_) => Err(malformed(Name::Contact, first)),
            };
        }
        self.addresses(Name::Contact).map(Contacts::List)
    }

    /// The addresses of Route, Record-Route, Path or Service-Route in order.
    ///
    /// # Errors
    /// As [`Message::top_via`].
    pub fn routes(&self, name: Name) -> Result<Vec<NameAddr>, HeaderError> {
        self.addresses(name)
    }

    /// How many hops the request may still take.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] where it is no number up to 255 (RFC 3261 §20.22).
    pub fn max_forwards(&self) -> Result<Option<u8>, HeaderError> {
        let number = |text: Text| text.as_str().and_then(|text| text.parse().ok()).ok_or(ValueError::Number);
        self.optional(Name::MaxForwards, number)
    }

    /// Expires in seconds.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] where it is no number.
    pub fn expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::Expires, |text| value::seconds(&text))
    }

    /// Min-Expires in seconds.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] where it is no number.
    pub fn min_expires(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::MinExpires, |text| value::seconds(&text))
    }

    /// After how long a session without refresh ends.
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] where RFC 4028 §4 has no place for it.
    pub fn session_expires(&self) -> Result<Option<SessionExpires>, HeaderError> {
        self.optional(Name::SessionExpires, SessionExpires::parse)
    }

    /// Min-SE in seconds; its parameters mean nothing (RFC 4028 §5).
    ///
    /// # Errors
    /// [`HeaderError::Malformed`] where it is no number.
    pub fn min_se(&self) -> Result<Option<u32>, HeaderError> {
        self.optional(Name::MinSe, |text| SessionExpires::parse(text).map(|value| value.delta))
    }

    /// The tokens of Require, Supported, Allow and their like.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "reads like its sisters, which keep the name for their error"
    )]
    pub fn option_tags(&self, name: Name) -> Vec<Text> {
        self.headers.items(&name).collect()
    }

    /// The reasons given; one that cannot be read is as good as none (RFC 3326 §2).
    pub fn reasons(&self) -> Vec<Reason> {
        self.headers.items(&Name::Reason).filter_map(|item| Reason::parse(item).ok()).collect()
    }

    fn required<T>(
        &self,
        name: Name,
        read: impl Fn(Text) -> Result<T, ValueError>,
    ) -> Result<T, HeaderError> {
        match self.headers.get(&name) {
            None => Err(HeaderError::Missing(name)),
            Some(text) => read(text.clone()).map_err(|error| HeaderError::Malformed { name, error }),
        }
    }

    fn optional<T>(
        &self,
        name: Name,
        read: impl Fn(Text) -> Result<T, ValueError>,
    ) -> Result<Option<T>, HeaderError> {
        let value = self.headers.get(&name).map(|text| read(text.clone())).transpose();
        value.map_err(|error| HeaderError::Malformed { name, error })
    }

    fn addresses(&self, name: Name) -> Result<Vec<NameAddr>, HeaderError> {
        let parsed: Result<Vec<_>, _> = self.headers.items(&name).map(NameAddr::parse).collect();
        parsed.map_err(|error| HeaderError::Malformed { name, error })
    }
}

fn malformed(name: Name, value: &Text) -> HeaderError {
    let byte = value.as_bytes().first().copied().unwrap_or_default();
    HeaderError::Malformed { name, error: ValueError::Byte(byte) }
}
