//! What a simulated phone has noticed, for tests and for people.

use std::time::Duration;

/// One thing that a phone noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When, in the phone's own time.
    pub at: Duration,
    /// Name of the outgoing call it belongs to.
    pub call: Option<String>,
    /// What.
    pub what: Sighting,
}

impl Sighting {
    /// Whom it hears, where it says so.
    pub(crate) fn heard(&self) -> Option<&str> {
        let Self::Hears { owner } = self else { return None };
        Some(owner)
    }

    /// Call-ID of the call that it began, where it says so.
    pub(crate) fn dialled(&self) -> Option<&str> {
        let Self::Dialled { call_id } = self else { return None };
        Some(call_id)
    }
}

/// The things a phone notices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// Its registration was accepted.
    Registered {
        /// For how long, in seconds.
        expires_s: u32,
    },
    /// Other phones are registered as it is, or none any more; not noted before there are any.
    Others {
        /// Their contacts, as the switch has them.
        contacts: Vec<String>,
    },
    /// Its registration was refused for good.
    RegistrationRefused {
        /// With that status; 0 where nothing came back.
        status: u16,
    },
    /// Its binding is gone at its own wish.
    Unregistered,
    /// It called somebody.
    Dialled {
        /// Call-ID of its INVITE.
        call_id: String,
    },
    /// An INVITE came.
    Called {
        /// Whose name and number it showed.
        from: String,
    },
    /// The call was taken back before it answered.
    Cancelled {
        /// Text of the Reason, where there was one.
        reason: Option<String>,
    },
    /// Its own call made progress.
    Progress {
        /// The provisional status.
        status: u16,
    },
    /// Both sides talk.
    Established,
    /// It hears the phone that wrote the session description.
    Hears {
        /// Extension of that phone.
        owner: String,
    },
    /// Its own call was refused.
    Refused {
        /// With that status; 0 where nothing came back.
        status: u16,
    },
    /// It hung up.
    HungUp,
    /// The other side hung up.
    Released {
        /// Text of the Reason, where there was one.
        reason: Option<String>,
    },
    /// The other side put it on hold.
    Held,
    /// The other side took it back.
    Resumed,
    /// Its re-INVITE met one of the other side (RFC 3261 §14.1).
    Glare,
}
