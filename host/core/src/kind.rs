//! What a tenant is made of, document by document: what the API takes, the store keeps and people speak of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A kind of document. A tenant has one of the first kind, and any number of the others, each with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The tenant itself: domains, zone, limits.
    Tenant,
    /// A person.
    User,
    /// A phone, named by its extension.
    Device,
    /// People who are rung together.
    Group,
    /// A destination with a name of its own.
    Place,
    /// Days off under one name.
    Holidays,
    /// Opening hours.
    Hours,
    /// A duty that goes round.
    Rota,
    /// A name that means somebody else at another time.
    TimeRoute,
    /// A text beside numbers and people.
    Table,
    /// The personal settings of the user of that name.
    Forwarding,
}

impl Kind {
    /// All of them, in the order in which one needs the other.
    pub const ALL: [Self; 11] = [
        Self::Tenant,
        Self::User,
        Self::Device,
        Self::Group,
        Self::Place,
        Self::Holidays,
        Self::Hours,
        Self::Rota,
        Self::TimeRoute,
        Self::Table,
        Self::Forwarding,
    ];

    /// The word for one.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::User => "user",
            Self::Device => "device",
            Self::Group => "group",
            Self::Place => "place",
            Self::Holidays => "holidays",
            Self::Hours => "hours",
            Self::Rota => "rota",
            Self::TimeRoute => "time-route",
            Self::Table => "table",
            Self::Forwarding => "forwarding",
        }
    }

    /// The word for several, as paths of the API and tables of the configuration file have it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Tenant => "tenants",
            Self::User => "users",
            Self::Device => "devices",
            Self::Group => "groups",
            Self::Place => "places",
            Self::Rota => "rotas",
            Self::TimeRoute => "time-routes",
            Self::Table => "tables",
            Self::Holidays | Self::Hours | Self::Forwarding => self.word(),
        }
    }

    /// Whether it is about one user and bears their name, so that they may see it, and change what are settings of theirs.
    #[must_use]
    pub fn is_personal(self) -> bool {
        match self {
            Self::User | Self::Forwarding => true,
            Self::Tenant
            | Self::Device
            | Self::Group
            | Self::Place
            | Self::Holidays
            | Self::Hours
            | Self::Rota
            | Self::TimeRoute
            | Self::Table => false,
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
