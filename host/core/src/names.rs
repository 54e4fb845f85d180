//! Names and numbers that identify things. Each is a type of its own, so none is taken for another.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_names {
    ($($(#[$doc:meta])* $name:ident;)*) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&$name> for Arc<str> {
            fn from(name: &$name) -> Self {
                Self::clone(&name.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }
    )* };
}

macro_rules! number_names {
    ($($(#[$doc:meta])* $name:ident($inner:ty);)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )* };
}

text_names! {
    /// One customer of the switch.
    TenantId;
    /// A person or line with one unified extension.
    UserId;
    /// The extension of one device; the device registers and is dialled under it.
    Extension;
    /// A named set of users.
    GroupName;
    /// A named destination of the tenant: night desk, duty phone.
    PlaceName;
    /// Named opening hours of the tenant.
    HoursName;
    /// Some wishes of a user under one name: office, travel.
    ProfileName;
    /// A duty of the tenant that goes round.
    RotaName;
    /// A table of the tenant: VIPs, key accounts, blocked.
    TableName;
    /// A tenant's rule, whatever its version.
    RuleName;
    /// A version of a rule: `sha256:` and 64 hex digits of the component.
    Version;
    /// One call, the same in logs, records and explanations.
    CallId;
}

impl Version {
    /// The beginning of the digest, 8 hex digits: enough for people to tell versions apart.
    #[must_use]
    pub fn short(&self) -> &str {
        let hex = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        hex.char_indices().nth(8).map_or(hex, |(end, _)| &hex[..end])
    }
}

number_names! {
    /// One of our INVITEs of a call, counted from 1 within the call.
    LegId(u32);
    /// One run of a rule, unique for the life of a node.
    RunId(u64);
    /// One question of a run, counted from 1 within the run.
    AskId(u32);
    /// One store effect that is waiting for its answer.
    Ticket(u64);
}

impl Ticket {
    /// The ticket that a node gives out so many tickets after its start; no other node gives out the same.
    #[must_use]
    pub fn of(node: u16, number: u64) -> Self {
        Self(u64::from(node) << NUMBER_BITS | number & (u64::MAX >> 16))
    }

    /// The node that gave it out.
    #[must_use]
    pub fn node(self) -> u16 {
        u16::try_from(self.0 >> NUMBER_BITS).unwrap_or(u16::MAX)
    }
}

/// Of a ticket's bits these count the tickets of its node: enough for a million a second and eight years.
const NUMBER_BITS: u32 = 48;

/// Whether this is a number in E.164: `+` and three to fifteen digits.
#[must_use]
pub fn is_e164(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or_default();
    (3..=15).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}
