//! What stands behind the handles that a rule holds. A handle is a place in the run's table and never leaves the run.

use std::collections::BTreeSet;

use callwright_core::label::redacted;
use callwright_core::names::{Extension, GroupName, UserId};
use callwright_core::presence::{DeviceFacts, State, UserStatus};
use callwright_core::rule::{self, DestinationRef, LegPlan, LegReport, RingPlan};
use callwright_core::schedule::Opening;

use crate::bindings::callwright::rules::directory::Order;

/// How a handle is written in the journal: kind and name.
pub(crate) trait Named {
    fn name(&self) -> String;
}

/// The call itself.
pub struct Call;

/// The caller or the dialled party.
pub struct Party {
    pub(crate) role: Role,
    pub(crate) facts: rule::Party,
}

/// Which side of the call a party is.
#[derive(Clone, Copy)]
pub enum Role {
    Caller,
    Dialled,
}

/// Something that can be rung.
pub struct Destination(pub(crate) DestinationRef);

/// A leg while the rule builds it.
pub struct Leg {
    pub(crate) number: u32,
    pub(crate) plan: LegPlan,
}

/// A ring while the rule builds it.
pub struct Ring {
    pub(crate) number: u32,
    pub(crate) plan: RingPlan,
    /// Legs that found no room in it.
    pub(crate) left_out: u64,
}

/// Who answered.
pub struct Answer(pub(crate) rule::AnsweredBy);

/// How one leg of the last ring went.
pub struct Report {
    pub(crate) number: usize,
    pub(crate) leg: LegReport,
}

/// A person.
pub struct User(pub(crate) UserId);

/// A group.
pub struct Group(pub(crate) GroupName);

/// Whom a rule wants to pick, while it says so.
pub struct Roster {
    pub(crate) number: u32,
    pub(crate) group: GroupName,
    pub(crate) only: Option<BTreeSet<State>>,
    pub(crate) order: Order,
    pub(crate) without: BTreeSet<UserId>,
}

/// A person's presence at the moment it was asked for.
pub struct Status {
    pub(crate) user: UserId,
    pub(crate) status: UserStatus,
}

/// A device's facts at the moment they were asked for.
pub struct DeviceStatus {
    pub(crate) device: Extension,
    pub(crate) facts: DeviceFacts,
    /// Seconds until the last registration runs out.
    pub(crate) expires_in_s: Option<u32>,
}

/// Opening hours at the moment they were asked for.
pub struct Hours {
    pub(crate) name: String,
    pub(crate) opening: Opening,
    /// Seconds until they open or close.
    pub(crate) changes_in_s: Option<u32>,
}

impl Named for Call {
    fn name(&self) -> String {
        "call".to_owned()
    }
}

impl Named for Party {
    fn name(&self) -> String {
        match self.role {
            Role::Caller => "party:caller".to_owned(),
            Role::Dialled => "party:dialled".to_owned(),
        }
    }
}

impl Named for Destination {
    fn name(&self) -> String {
        match &self.0 {
            DestinationRef::Number(number) => format!("number:{}", redacted(number)),
            known @ (DestinationRef::Device(_)
            | DestinationRef::User(_)
            | DestinationRef::Person(_)
            | DestinationRef::Group(_)
            | DestinationRef::Place(_)) => known.to_string(),
        }
    }
}

impl Named for Leg {
    fn name(&self) -> String {
        format!("leg:{}", self.number)
    }
}

impl Named for Ring {
    fn name(&self) -> String {
        format!("ring:{}", self.number)
    }
}

impl Named for Answer {
    fn name(&self) -> String {
        format!("answer:{}", self.0.device)
    }
}

impl Named for Report {
    fn name(&self) -> String {
        format!("leg-report:{}", self.number)
    }
}

impl Named for User {
    fn name(&self) -> String {
        format!("user:{}", self.0)
    }
}

impl Named for Group {
    fn name(&self) -> String {
        format!("group:{}", self.0)
    }
}

impl Named for Roster {
    fn name(&self) -> String {
        format!("roster:{}", self.number)
    }
}

impl Named for Status {
    fn name(&self) -> String {
        format!("status:{}", self.user)
    }
}

impl Named for DeviceStatus {
    fn name(&self) -> String {
        format!("device-status:{}", self.device)
    }
}

impl Named for Hours {
    fn name(&self) -> String {
        format!("opening:{}", self.name)
    }
}
