//! What each dialled number means, so that none means two things.

use std::collections::BTreeMap;
use std::fmt;

use callwright_core::codes::CodePlan;
use callwright_core::names::{Extension, GroupName, PlaceName, UserId};

use super::document::{Table, Value};

/// Everything that is dialled so far.
pub(super) struct Numbers {
    taken: BTreeMap<Box<str>, Owner>,
    codes: CodePlan,
}

/// What is reached by a number.
#[derive(Clone)]
pub(super) enum Owner {
    Emergency,
    User(UserId),
    DeviceOf(UserId),
    Group(GroupName),
    Role(PlaceName),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Emergency => f.write_str("an emergency number"),
            Self::User(user) => write!(f, "a number of user `{user}`"),
            Self::DeviceOf(user) => write!(f, "a device of user `{user}`"),
            Self::Group(group) => write!(f, "the extension of group `{group}`"),
            Self::Role(role) => write!(f, "the extension of role `{role}`"),
        }
    }
}

impl Numbers {
    /// Nothing is taken yet but the codes.
    pub(super) fn beside(codes: CodePlan) -> Self {
        Self { taken: BTreeMap::new(), codes }
    }

    /// Notes that `value`'s text is dialled for `owner`.
    pub(super) fn take(&mut self, number: &str, owner: Owner, value: &Value<'_>) {
        if self.codes.read(number).is_ok() {
            value.wrong(format!(
                "`{number}` is a code that phones dial; `codes` of the tenant has others in its place"
            ));
        }
        match self.taken.get(number) {
            // Which of the two came first is not known, so nobody is told that they came second.
            Some(other) => value.wrong(format!("`{number}` is also {other}")),
            None => {
                self.taken.insert(number.into(), owner);
            }
        }
    }

    /// Takes the `extension` of a user, group or role.
    pub(super) fn extension(&mut self, table: &Table<'_>, owner: &Owner) -> Option<Extension> {
        let value = table.get("extension")?;
        let number = value.text()?;
        if is_extension(number, &value) {
            self.take(number, owner.clone(), &value);
        }
        Some(number.into())
    }

    /// Takes the emergency numbers of a tenant that names none itself.
    pub(super) fn take_emergency(&mut self, numbers: &[&str]) {
        self.taken.extend(numbers.iter().map(|number| ((*number).into(), Owner::Emergency)));
    }
}

/// Checks what a phone dials for somebody.
pub(super) fn is_extension(number: &str, value: &Value<'_>) -> bool {
    let fine = number.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.*#".contains(&byte));
    let fine = fine && (1..=32).contains(&number.len());
    if !fine {
        value.wrong(format!("`{number}` is no extension: use up to 32 digits or letters"));
    }
    fine
}
