//! What a SUBSCRIBE asks for, and the answers that refuse it (RFC 6665 §4.2.1).

use callwright_sip::{Message, Name, Text, Uri};

use super::change::Wanted;
use super::document::{self, DocumentError};
use super::package::{ALLOW_EVENTS, Package};
use crate::codes::CodeError;
use crate::config::Tenant;
use crate::dial;
use crate::names::Extension;
use crate::rule::DestinationRef;
use crate::switchboard::Switchboard;

/// The shortest subscription, in seconds; a shorter one is refused with 423.
pub(super) const EXPIRES_MIN_S: u32 = 60;
/// The longest one, in seconds: whoever asks for more gets this. Also that of whoever does not say.
pub(super) const EXPIRES_MAX_S: u32 = 3_600;
/// What a Warning may say at most, in characters.
const WARNING_MAX: usize = 160;

/// What a SUBSCRIBE asks for.
pub(super) struct Asked {
    /// For how long, in seconds; 0: only now, or no more.
    pub(super) expires_s: u32,
    /// What it wants to be otherwise.
    pub(super) wanted: Option<Wanted>,
}

/// Why a SUBSCRIBE does nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// Nobody here tells of such events.
    #[error("no such event package")]
    BadEvent,
    /// Whoever it is has to prove it.
    #[error("not proven")]
    Challenged(Box<Message>),
    /// There is no such resource.
    #[error("nobody of that name")]
    NotFound,
    /// Somebody else's, or of a device that has no password to prove itself.
    #[error("not its own")]
    NotItsOwn,
    /// More than a device may have.
    #[error("too many subscriptions of one device")]
    TooMany,
    /// No place now.
    #[error("too many subscriptions")]
    Overloaded,
    /// A header that cannot be read.
    #[error("{0} cannot be read")]
    Malformed(&'static str),
    /// RFC 6665 §4.2.1.1.
    #[error("below the shortest subscription")]
    IntervalTooBrief,
    /// It would not read what it is told.
    #[error("the documents are not acceptable to the phone")]
    NotAcceptable,
    /// A body of another type.
    #[error("a body of another type")]
    UnsupportedBody,
    /// A body that says nothing that can be done.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// What it wants cannot be.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// RFC 3261 §12.2.2.
    #[error("out of order")]
    OutOfOrder,
    /// The dialog has none, or none of that event.
    #[error("no such subscription")]
    NoSuchSubscription,
    /// The store refused the change.
    #[error("not kept")]
    NotKept,
}

impl Refusal {
    /// The response that says so. None of them ends a subscription that there is, but 481 (RFC 5057 §5.1).
    pub(super) fn response(&self, board: &Switchboard, request: &Message) -> Message {
        let reply = |status| Message::reply(request, status);
        match self {
            Self::BadEvent => reply(489).with(Name::AllowEvents, Text::from_static(ALLOW_EVENTS)),
            Self::Challenged(challenge) => Message::clone(challenge),
            Self::NotFound => reply(404),
            Self::NotItsOwn
            | Self::TooMany
            | Self::Code(
                CodeError::NotAllowed | CodeError::Oneself | CodeError::NotTheirDevice | CodeError::NotTaken,
            ) => reply(403).with(Name::Warning, self.warning(board)),
            Self::Overloaded | Self::NotKept => reply(503).with(Name::RetryAfter, "10"),
            Self::IntervalTooBrief => reply(423).with(Name::MinExpires, EXPIRES_MIN_S.to_string()),
            Self::NotAcceptable => reply(406),
            Self::UnsupportedBody => {
                reply(415).with(Name::Accept, Text::from_static(Package::Features.content_type()))
            }
            Self::Document(DocumentError::TooLong) => reply(413),
            Self::Malformed(_)
            | Self::Document(_)
            | Self::Code(
                CodeError::NoSuchCode
                | CodeError::NoSuchTime
                | CodeError::NoSuchNumber
                | CodeError::NothingRegistered
                | CodeError::NotActive
                | CodeError::NotNow(_),
            ) => reply(400).with(Name::Warning, self.warning(board)),
            Self::OutOfOrder => reply(500),
            Self::NoSuchSubscription => reply(481),
        }
    }

    /// The reason in words, of which nothing can end a header or a quoted text (RFC 3261 §20.43).
    fn warning(&self, board: &Switchboard) -> String {
        let is_plain = |c: &char| (c.is_ascii_graphic() && *c != '"' && *c != '\\') || *c == ' ';
        let text: String = self.to_string().chars().filter(is_plain).take(WARNING_MAX).collect();
        format!("399 {} \"{text}\"", board.sip.settings().host)
    }
}

/// The package that a request is about, and its Event as written.
pub(super) fn event(request: &Message) -> Result<(Package, Text), Refusal> {
    let written = request.headers.get(&Name::Event).ok_or(Refusal::BadEvent)?;
    let name = media_type(written.as_bytes());
    Package::named(name).map(|package| (package, written.clone())).ok_or(Refusal::BadEvent)
}

/// Whether two Event values are of one subscription: the same package, and the same `id` or none (RFC 6665 §8.2.1).
pub(super) fn same_event(one: &Text, other: &Text) -> bool {
    media_type(one.as_bytes()) == media_type(other.as_bytes()) && id_of(one) == id_of(other)
}

fn id_of(event: &Text) -> Option<&[u8]> {
    let mut parameters = event.as_bytes().split(|byte| *byte == b';').skip(1).map(<[u8]>::trim_ascii);
    parameters.find_map(|parameter| {
        let (name, value) = parameter.split_at_checked(3)?;
        name.eq_ignore_ascii_case(b"id=").then_some(value)
    })
}

/// Reads a SUBSCRIBE of an authenticated device that begins something.
pub(super) fn read(
    tenant: &Tenant,
    device: &Extension,
    package: Package,
    request: &Message,
) -> Result<Asked, Refusal> {
    // Whoever is believed by address alone speaks for nobody.
    let known = tenant.devices.get(device).filter(|device| device.secret.is_some());
    let owner = known.map(|known| &known.user).ok_or(Refusal::NotItsOwn)?;
    let uri = request.uri().and_then(|uri| Uri::parse(uri.clone()).ok());
    let number = uri.as_ref().map(dial::dialled_number).ok_or(Refusal::Malformed("Request-URI"))?;
    match tenant.plan.find(&number) {
        // Some phones subscribe to the domain alone, and mean themselves.
        None if number.is_empty() => {}
        Some(DestinationRef::Device(asked)) if asked == device => {}
        Some(DestinationRef::User(asked)) if asked == owner => {}
        Some(_) => return Err(Refusal::NotItsOwn),
        None => return Err(Refusal::NotFound),
    }
    refresh(package, request)
}

/// Reads what every SUBSCRIBE says, within a dialog or not.
pub(super) fn refresh(package: Package, request: &Message) -> Result<Asked, Refusal> {
    let expires = request.expires().map_err(|_| Refusal::Malformed("Expires"))?;
    let expires_s = expires.unwrap_or(EXPIRES_MAX_S).min(EXPIRES_MAX_S);
    if (1..EXPIRES_MIN_S).contains(&expires_s) {
        return Err(Refusal::IntervalTooBrief);
    }
    if !accepts(package, request) {
        return Err(Refusal::NotAcceptable);
    }
    Ok(Asked { expires_s, wanted: wanted(package, request)? })
}

fn wanted(package: Package, request: &Message) -> Result<Option<Wanted>, Refusal> {
    if request.body.is_empty() {
        return Ok(None);
    }
    let kind = request.headers.get(&Name::ContentType).map_or(&b""[..], |kind| media_type(kind.as_bytes()));
    if !kind.eq_ignore_ascii_case(package.content_type().as_bytes()) {
        return Err(Refusal::UnsupportedBody);
    }
    match package {
        Package::Features => Ok(Some(document::read(&request.body)?)),
    }
}

/// Without Accept a package's own documents are meant (RFC 6665 §3.1.3).
fn accepts(package: Package, request: &Message) -> bool {
    if request.headers.get(&Name::Accept).is_none() {
        return true;
    }
    let ranges = [package.content_type(), "application/*", "*/*", "multipart/mixed", "multipart/*"];
    request.headers.items(&Name::Accept).any(|range| {
        let range = media_type(range.as_bytes());
        ranges.iter().any(|wanted| range.eq_ignore_ascii_case(wanted.as_bytes()))
    })
}

/// A value without its parameters.
fn media_type(value: &[u8]) -> &[u8] {
    value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}
