//! Wishes for some calls alone: by who calls, and by the time. A rule asks which of them a call meets, and goes where they say
//! before it looks at any condition.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{When, Wishes};
use crate::config::Tenant;
use crate::group;
use crate::names::{GroupName, UserId};
use crate::rule::{DestinationRef, Party};

/// How many lists, and how many times, a user may have.
pub const SELECTIONS_MAX: usize = 20;
/// How many callers a list may have.
pub const CALLERS_MAX: usize = 200;

/// Calls from these go there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerList {
    /// What the user calls it.
    pub name: String,
    /// Who is on it.
    pub from: Vec<CallerMatch>,
    /// Where they go.
    pub to: Vec<DestinationRef>,
}

/// At these times calls go there.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeTarget {
    /// What the user calls it.
    pub name: String,
    /// When.
    pub when: When,
    /// Where they go.
    pub to: Vec<DestinationRef>,
}

/// Who is on a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallerMatch {
    /// A number, or all numbers that begin so: `number:+4930123456`, `number:+4930*`; `number:` may be left away.
    Number(String),
    /// A user, from any device.
    User(UserId),
    /// Every member of a group.
    Group(GroupName),
    /// Whoever does not say who they are.
    Withheld,
}

/// What is no caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no caller: write +4930123456, +4930*, user:NAME, group:NAME or withheld")]
pub struct NotACaller(String);

impl FromStr for CallerMatch {
    type Err = NotACaller;

    fn from_str(text: &str) -> Result<Self, NotACaller> {
        match text.split_once(':') {
            Some(("number", number)) if is_pattern(number) => Ok(Self::Number(number.to_owned())),
            Some(("user", name)) if !name.is_empty() => Ok(Self::User(name.into())),
            Some(("group", name)) if !name.is_empty() => Ok(Self::Group(name.into())),
            None if text == "withheld" => Ok(Self::Withheld),
            None if is_pattern(text) => Ok(Self::Number(text.to_owned())),
            Some(_) | None => Err(NotACaller(text.to_owned())),
        }
    }
}

/// E.164 with its `+`, of which a `*` at the end may leave out the rest.
fn is_pattern(text: &str) -> bool {
    let digits = text.strip_prefix('+').map(|digits| digits.strip_suffix('*').unwrap_or(digits));
    digits.is_some_and(|digits| {
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

impl fmt::Display for CallerMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "number:{number}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Withheld => f.write_str("withheld"),
        }
    }
}

impl CallerMatch {
    /// Whether that is who calls. Who does not say who they are is on no list but of those.
    #[must_use]
    pub fn is(&self, caller: &Party, tenant: &Tenant) -> bool {
        if caller.withheld {
            return *self == Self::Withheld;
        }
        match self {
            Self::Number(pattern) => {
                let own = caller.user.as_ref().and_then(|user| tenant.users.get(user));
                let own = own.into_iter().flat_map(|user| user.numbers.iter());
                let is = |number: &String| match pattern.strip_suffix('*') {
                    Some(begin) => number.starts_with(begin),
                    None => number == pattern,
                };
                caller.number.iter().chain(own).any(is)
            }
            Self::User(user) => caller.user.as_ref() == Some(user),
            Self::Group(group) => {
                let members = group::everybody(tenant, group);
                members.iter().any(|member| caller.user.as_ref() == Some(member))
            }
            Self::Withheld => false,
        }
    }
}

/// Which of a user's selections a call meets, and where it goes then; nothing that is silent is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What the user calls it.
    pub name: String,
    /// Where the call goes, never nowhere.
    pub to: Vec<DestinationRef>,
}

impl Wishes {
    /// The first list that has this caller, at a moment; none while nothing is forwarded.
    #[must_use]
    pub fn for_caller(
        &self,
        caller: &Party,
        tenant: &Tenant,
        zone: &TimeZone,
        at: Timestamp,
    ) -> Option<Selection> {
        let is_on = |list: &&CallerList| list.from.iter().any(|on| on.is(caller, tenant));
        let list = self.callers.iter().filter(|_| self.holds(zone, at)).find(is_on)?;
        self.selection(&list.name, &list.to)
    }

    /// The first time that is now; none while nothing is forwarded.
    #[must_use]
    pub fn for_now(&self, zone: &TimeZone, at: Timestamp) -> Option<Selection> {
        let is_now = |target: &&TimeTarget| target.when.is_now(zone, at);
        let target = self.times.iter().filter(|_| self.holds(zone, at)).find(is_now)?;
        self.selection(&target.name, &target.to)
    }

    fn selection(&self, name: &str, to: &[DestinationRef]) -> Option<Selection> {
        let to: Vec<_> = to.iter().filter(|to| !self.is_silenced(to)).cloned().collect();
        (!to.is_empty()).then(|| Selection { name: name.to_owned(), to })
    }

    /// Whether some calls go elsewhere whatever the mode says of the others.
    pub(super) fn is_selective(&self) -> bool {
        !(self.busy_to.is_empty() && self.callers.is_empty() && self.times.is_empty())
    }
}
