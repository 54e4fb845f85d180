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
    /// A location: what is there under one name.
    Site,
    /// Days off under one name.
    Holidays,
    /// Opening hours.
    Hours,
    /// A duty that goes round.
    Rota,
    /// A name that means somebody else at another time.
    TimeRoute,
    /// A name that somebody holds.
    Role,
    /// A text beside numbers and people.
    Table,
    /// The personal settings of the user of that name.
    Forwarding,
}

impl Kind {
    /// All of them, in the order in which one needs the other.
    pub const ALL: [Self; 13] = [
        Self::Tenant,
        Self::User,
        Self::Device,
        Self::Group,
        Self::Place,
        Self::Site,
        Self::Holidays,
        Self::Hours,
        Self::Rota,
        Self::TimeRoute,
        Self::Role,
        Self::Table,
        Self::Forwarding,
    ];

    /// The word for one, and the one for several.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Tenant => ("tenant", "tenants"),
            Self::User => ("user", "users"),
            Self::Device => ("device", "devices"),
            Self::Group => ("group", "groups"),
            Self::Place => ("place", "places"),
            Self::Site => ("site", "sites"),
            Self::Holidays => ("holidays", "holidays"),
            Self::Hours => ("hours", "hours"),
            Self::Rota => ("rota", "rotas"),
            Self::TimeRoute => ("time-route", "time-routes"),
            Self::Role => ("role", "roles"),
            Self::Table => ("table", "tables"),
            Self::Forwarding => ("forwarding", "forwarding"),
        }
    }

    /// The word for one.
    #[must_use]
    pub fn word(self) -> &'static str {
        self.names().0
    }

    /// `is` or `are`, as the word for one wants it.
    #[must_use]
    pub fn is(self) -> &'static str {
        if self.is_plural() { "are" } else { "is" }
    }

    /// That nothing has that name: `there is no user `zoe``.
    #[must_use]
    pub fn nothing(self, name: &str) -> String {
        format!("there {} no {self} `{name}`", self.is())
    }

    /// That something has it: `there is a user `ana` already`.
    #[must_use]
    pub fn already(self, name: &str) -> String {
        let article = if self.is_plural() || self == Self::Forwarding { "" } else { "a " };
        format!("there {} {article}{self} `{name}` already", self.is())
    }

    /// Whether the word for one means several: opening hours, a calendar's holidays.
    fn is_plural(self) -> bool {
        [Self::Holidays, Self::Hours].contains(&self)
    }

    /// The word for several, as paths of the API and tables of the configuration file have it.
    #[must_use]
    pub fn words(self) -> &'static str {
        self.names().1
    }

    /// Those that a tenant's admins manage, each at the path of its name.
    pub fn managed() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Tenant)
    }

    /// Whether it is about one user and bears their name, so that they may see it, and change what are settings of theirs.
    #[must_use]
    pub fn is_personal(self) -> bool {
        [Self::User, Self::Forwarding].contains(&self)
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

#[cfg(test)]
mod tests {
    use super::Kind;

    #[test]
    fn a_sentence_about_one_reads_well() {
        for (kind, nothing, already) in [
            (Kind::User, "there is no user `x`", "there is a user `x` already"),
            (Kind::Hours, "there are no hours `x`", "there are hours `x` already"),
            (Kind::Holidays, "there are no holidays `x`", "there are holidays `x` already"),
            (Kind::Forwarding, "there is no forwarding `x`", "there is forwarding `x` already"),
        ] {
            assert_eq!((kind.nothing("x").as_str(), kind.already("x").as_str()), (nothing, already));
        }
    }
}
