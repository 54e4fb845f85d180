//! Header fields: their names, and the ordered list of them in one message.

use crate::grammar;
use crate::text::Text;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! names {
    ($($variant:ident = $text:literal $($compact:literal)?;)*) => {
        #[expect(non_upper_case_globals, reason = "named as the variants that they write")]
        mod written {
            $(pub(super) const $variant: &[u8] = $text.as_bytes();)*
        }

        /// The name of a header field, compared without case; compact forms are the same name (RFC 3261 §7.3.3).
        #[derive(Clone, Debug)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
            /// A name we have no word for, as it was written.
            Other(Text),
        }

        impl Name {
            /// The long form.
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Self::$variant => $text.as_bytes(),)*
                    Self::Other(text) => text.as_bytes(),
                }
            }

            /// Length of the shortest form in which the name may have come.
            pub(crate) fn shortest(&self) -> usize {
                match self {
                    $($(Self::$variant if $compact.is_ascii() => 1,)?)*
                    $(Self::$variant => $text.len(),)*
                    Self::Other(text) => text.len(),
                }
            }

            /// Reads a name in any case or compact form; `written` gives the text of one that we have no word for.
            pub(crate) fn read(bytes: &[u8], written: impl FnOnce() -> Text) -> Self {
                if let [letter] = bytes {
                    match letter.to_ascii_lowercase() {
                        $($($compact => return Self::$variant,)?)*
                        0..=255 => return Self::Other(written()),
                    }
                }
                // Nearly everybody writes names as the RFCs do: only others are compared one by one.
                match bytes {
                    $(written::$variant => return Self::$variant,)*
                    _ => {}
                }
                $(if bytes.eq_ignore_ascii_case($text.as_bytes()) { return Self::$variant; })*
                Self::Other(written())
            }
        }
    };
}

names! {
    Via = "Via" b'v';
    From = "From" b'f';
    To = "To" b't';
    CallId = "Call-ID" b'i';
    CSeq = "CSeq";
    Contact = "Contact" b'm';
    MaxForwards = "Max-Forwards";
    ContentType = "Content-Type" b'c';
    ContentLength = "Content-Length" b'l';
    Authorization = "Authorization";
    ProxyAuthorization = "Proxy-Authorization";
    Route = "Route";
    RecordRoute = "Record-Route";
    Allow = "Allow";
    Supported = "Supported" b'k';
    UserAgent = "User-Agent";
    Expires = "Expires";
    Require = "Require";
    SessionExpires = "Session-Expires" b'x';
    MinSe = "Min-SE";
    Reason = "Reason";
    Accept = "Accept";
    AcceptContact = "Accept-Contact" b'a';
    AcceptEncoding = "Accept-Encoding";
    AcceptLanguage = "Accept-Language";
    AlertInfo = "Alert-Info";
    AllowEvents = "Allow-Events" b'u';
    AuthenticationInfo = "Authentication-Info";
    CallInfo = "Call-Info";
    ContentDisposition = "Content-Disposition";
    ContentEncoding = "Content-Encoding" b'e';
    ContentLanguage = "Content-Language";
    Date = "Date";
    Diversion = "Diversion";
    ErrorInfo = "Error-Info";
    Event = "Event" b'o';
    HistoryInfo = "History-Info";
    Identity = "Identity" b'y';
    InReplyTo = "In-Reply-To";
    MimeVersion = "MIME-Version";
    MinExpires = "Min-Expires";
    Organization = "Organization";
    PAssertedIdentity = "P-Asserted-Identity";
    PPreferredIdentity = "P-Preferred-Identity";
    Path = "Path";
    Priority = "Priority";
    Privacy = "Privacy";
    ProxyAuthenticate = "Proxy-Authenticate";
    ProxyRequire = "Proxy-Require";
    RAck = "RAck";
    RSeq = "RSeq";
    ReferTo = "Refer-To" b'r';
    ReferredBy = "Referred-By" b'b';
    RejectContact = "Reject-Contact" b'j';
    RemotePartyId = "Remote-Party-ID";
    Replaces = "Replaces";
    ReplyTo = "Reply-To";
    RequestDisposition = "Request-Disposition" b'd';
    RetryAfter = "Retry-After";
    Server = "Server";
    ServiceRoute = "Service-Route";
    SessionId = "Session-ID";
    SipETag = "SIP-ETag";
    SipIfMatch = "SIP-If-Match";
    Subject = "Subject" b's';
    SubscriptionState = "Subscription-State";
    Timestamp = "Timestamp";
    Unsupported = "Unsupported";
    Warning = "Warning";
    WwwAuthenticate = "WWW-Authenticate";
}

impl Name {
    /// Reads a name as it is written in a header line, long or compact.
    pub fn parse(text: &str) -> Self {
        Self::read(text.as_bytes(), || Text::from(text))
    }

    /// Whether one line may hold several addresses or hops, which we then keep as several fields.
    ///
    /// Lists of mere tokens (Allow, Supported) stay on their line: one line is shorter, and order means nothing there.
    pub(crate) fn is_split_on_arrival(&self) -> bool {
        matches!(
            self,
            Self::Via | Self::Contact | Self::Route | Self::RecordRoute | Self::Path | Self::ServiceRoute
        )
    }

    /// Whether a second field of this name makes the message malformed (RFC 3261 §7.3.1).
    pub(crate) fn is_single(&self) -> bool {
        matches!(self, Self::From | Self::To | Self::CallId | Self::CSeq | Self::MaxForwards)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        if matches!(self, Self::Other(_)) || matches!(other, Self::Other(_)) {
            return self.as_bytes().eq_ignore_ascii_case(other.as_bytes());
        }
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl Eq for Name {}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let ours = self.as_bytes().iter().map(u8::to_ascii_lowercase);
        ours.cmp(other.as_bytes().iter().map(u8::to_ascii_lowercase))
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.as_bytes() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

/// The header fields of one message in their order.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Headers(Vec<(Name, Text)>);

impl Headers {
    pub(crate) fn with_capacity(fields: usize) -> Self {
        Self(Vec::with_capacity(fields))
    }

    /// The first field of this name.
    pub fn get(&self, name: &Name) -> Option<&Text> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// Every field of this name, in order. Via, Contact and routes are one field a hop, however they were written.
    pub fn all<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Text> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value)
    }

    /// Every item of the comma lists under this name, in order.
    ///
    /// Only for headers whose grammar is a comma list; a Date or an Authorization has commas of its own.
    pub fn items<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = Text> + 'a {
        self.all(name).flat_map(grammar::split_list)
    }

    /// Appends a field.
    pub fn push(&mut self, name: Name, value: impl Into<Text>) {
        self.0.push((name, value.into()));
    }

    /// Puts a field before all others.
    pub(crate) fn push_front(&mut self, name: Name, value: impl Into<Text>) {
        self.0.insert(0, (name, value.into()));
    }

    /// Makes this the only field of its name, in the place of the first one.
    pub fn set(&mut self, name: Name, value: impl Into<Text>) {
        let value = value.into();
        let Some(place) = self.0.iter().position(|(field, _)| *field == name) else {
            self.0.push((name, value));
            return;
        };
        let mut index = 0;
        self.0.retain(|(field, _)| {
            let keep = index <= place || *field != name;
            index += 1;
            keep
        });
        if let Some((_, old)) = self.0.get_mut(place) {
            *old = value;
        }
    }

    /// Replaces the first field of this name, leaving the others.
    pub(crate) fn set_first(&mut self, name: &Name, value: Text) {
        if let Some((_, old)) = self.0.iter_mut().find(|(field, _)| field == name) {
            *old = value;
        }
    }

    /// Removes every field of this name.
    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|(field, _)| field != name);
    }

    /// Every field in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Name, &Text)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
