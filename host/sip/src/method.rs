//! What a request asks for.

use crate::text::Text;
use std::fmt;

macro_rules! methods {
    ($($variant:ident = $text:literal, $doc:literal;)*) => {
        /// The method of a request; names are compared with case (RFC 3261 §7.1).
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Method {
            $(#[doc = $doc] $variant,)*
            /// A method we have no name for, as it was written.
            Other(Text),
        }

        impl Method {
            /// The method as bytes of the start line.
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Self::$variant => $text.as_bytes(),)*
                    Self::Other(text) => text.as_bytes(),
                }
            }

            pub(crate) fn from_text(text: &Text) -> Self {
                $(if text.as_bytes() == $text.as_bytes() { return Self::$variant; })*
                Self::Other(text.clone())
            }
        }
    };
}

methods! {
    Invite = "INVITE", "Begins a call, or changes it (RFC 3261 §13).";
    Ack = "ACK", "Confirms a final response to INVITE (RFC 3261 §13.2.2.4, §17.1.1.3).";
    Bye = "BYE", "Ends a call (RFC 3261 §15).";
    Cancel = "CANCEL", "Takes a pending INVITE back (RFC 3261 §9).";
    Register = "REGISTER", "Binds a contact to an address of record (RFC 3261 §10).";
    Options = "OPTIONS", "Asks for capabilities, or for a sign of life (RFC 3261 §11).";
    Update = "UPDATE", "Changes a session without touching the INVITE (RFC 3311).";
    Info = "INFO", "Carries application data within a call (RFC 6086).";
    Prack = "PRACK", "Confirms a reliable provisional response (RFC 3262).";
    Subscribe = "SUBSCRIBE", "Asks for notifications (RFC 6665).";
    Notify = "NOTIFY", "Reports an event (RFC 6665).";
    Publish = "PUBLISH", "Sets event state (RFC 3903).";
    Message = "MESSAGE", "Carries an instant message (RFC 3428).";
    Refer = "REFER", "Asks the peer to send a request (RFC 3515).";
}

impl Method {
    /// Reads a method as it stands in a start line or CSeq.
    pub fn parse(text: &str) -> Self {
        Self::from_text(&Text::from(text))
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}
