//! The seam between a call and the rule that decides it: what is asked, what is answered, how a run ends.
//!
//! Values only. `host/rules` makes them from a component's imports; nothing here knows Wasm.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::config::Fallback;
use crate::kept::{KeptAnswer, KeptAsk, KeptError};
use crate::names::{
    AskId, CallId, Extension, GroupName, LegId, PlaceName, RuleName, RunId, TenantId, UserId, Version,
};
use crate::notice::Warned;
use crate::roster::{RosterAsk, TakeError, Taken};
use crate::time::Now;
use crate::view::View;

/// A rule's active version, with what the host must know when the component cannot run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActiveRule {
    /// Whose rule it is.
    pub tenant: TenantId,
    /// Its name.
    pub name: RuleName,
    /// The component that is active.
    pub version: Version,
    /// The calls it decides.
    pub bind: Vec<BindTarget>,
    /// Its own fallback; the tenant's where it has none.
    pub fallback: Option<Fallback>,
    /// The rule's parameters.
    pub settings: Arc<BTreeMap<String, Setting>>,
    /// Who answers for it.
    #[serde(default)]
    pub care: Care,
}

/// Who answers for a rule, so that what was meant for a while does not stay for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Care {
    /// A person or a department, in the tenant's own words.
    pub owner: Option<String>,
    /// The day by which they look at it again, in the tenant's zone.
    pub review: Option<Date>,
}

impl ActiveRule {
    /// The name of the rule that decides where no rule of the tenant does.
    pub const STANDARD: &'static str = "standard";

    /// The standard rule, as if the tenant had it.
    #[must_use]
    pub fn standard(tenant: &TenantId, version: Version) -> Self {
        Self {
            tenant: tenant.clone(),
            name: Self::STANDARD.into(),
            version,
            bind: Vec::new(),
            fallback: None,
            settings: Arc::default(),
            care: Care::default(),
        }
    }
}

/// What a rule is bound to; the most specific wins, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BindTarget {
    /// A dialled number or extension, as dialled.
    Number(String),
    /// Calls to this user.
    User(UserId),
    /// Calls to this group.
    Group(GroupName),
    /// Every call of the tenant.
    Tenant,
}

impl fmt::Display for BindTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "number:{number}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Tenant => f.write_str("tenant"),
        }
    }
}

/// One parameter of a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Free text.
    Text(String),
    /// A whole number.
    Number(i32),
    /// Yes or no.
    Flag(bool),
    /// Something that can be rung.
    Place(DestinationRef),
}

/// Something that a rule may ring. Written `user:ana`, `device:1001`, `group:sales`, `place:night-desk`,
/// `number:+4930123456`; a number's `number:` may be left away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DestinationRef {
    /// One device alone.
    Device(Extension),
    /// A user's devices.
    User(UserId),
    /// A person as they want to be reached: by their own rule, within the ring that rings them (TELEPHONY T13).
    Person(UserId),
    /// All devices of all members.
    Group(GroupName),
    /// Whatever the tenant put under that name.
    Place(PlaceName),
    /// A number in E.164 with `+`: the tenant's own, or one outside.
    Number(String),
}

impl DestinationRef {
    /// The person that it is, however they are rung.
    #[must_use]
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::User(user) | Self::Person(user) => Some(user),
            Self::Device(_) | Self::Group(_) | Self::Place(_) | Self::Number(_) => None,
        }
    }

    /// The group that it is.
    #[must_use]
    pub fn group(&self) -> Option<&GroupName> {
        match self {
            Self::Group(group) => Some(group),
            Self::Device(_) | Self::User(_) | Self::Person(_) | Self::Place(_) | Self::Number(_) => None,
        }
    }
}

impl fmt::Display for DestinationRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(extension) => write!(f, "device:{extension}"),
            Self::User(user) => write!(f, "user:{user}"),
            Self::Person(user) => write!(f, "person:{user}"),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Place(place) => write!(f, "place:{place}"),
            Self::Number(number) => write!(f, "number:{number}"),
        }
    }
}

impl std::str::FromStr for DestinationRef {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        match text.split_once(':') {
            None if text.starts_with('+') => Ok(Self::Number(text.to_owned())),
            Some((_, "")) | None => Err(NotADestination(text.to_owned())),
            Some(("device", name)) => Ok(Self::Device(name.into())),
            Some(("user", name)) => Ok(Self::User(name.into())),
            Some(("person", name)) => Ok(Self::Person(name.into())),
            Some(("group", name)) => Ok(Self::Group(name.into())),
            Some(("place", name)) => Ok(Self::Place(name.into())),
            Some(("number", number)) => Ok(Self::Number(number.to_owned())),
            Some(_) => Err(NotADestination(text.to_owned())),
        }
    }
}

/// A text that should have named a destination.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no destination: write user:NAME, person:NAME, device:EXTENSION, group:NAME, place:NAME or +4930123456"
)]
pub struct NotADestination(pub String);

/// A person or line: the caller, the dialled party.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Display name that the host vouches for; empty when there is none.
    pub name: String,
    /// E.164 number or extension as shown; none when withheld.
    pub number: Option<String>,
    /// The tenant's user behind it.
    pub user: Option<UserId>,
    /// The caller asked not to be shown.
    pub withheld: bool,
}

/// How a call came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// From one of the tenant's devices; none is named where the caller is withheld (TELEPHONY T22).
    Device(Option<Extension>),
    /// From inside another rule, which rings this one's person.
    Nested {
        /// Its name.
        by: RuleName,
        /// The device that calls; none where the caller is withheld.
        device: Option<Extension>,
    },
}

/// What a rule may know of its call from the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFacts {
    /// The call.
    pub id: CallId,
    /// Whose call it is.
    pub tenant: TenantId,
    /// Who calls.
    pub caller: Party,
    /// Who is called.
    pub dialled: Party,
    /// The number as dialled.
    pub number: String,
    /// The group that was dialled, if it was one.
    pub group: Option<GroupName>,
    /// User whose own rule this is, where it is bound to users.
    pub for_user: Option<UserId>,
    /// How it came in.
    pub entry: Entry,
}

impl CallFacts {
    /// The device that calls; none where the caller is withheld.
    pub(crate) fn calling_device(&self) -> Option<&Extension> {
        let (Entry::Device(device) | Entry::Nested { device, .. }) = &self.entry;
        device.as_ref()
    }
}

/// Begins a run.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// The run.
    pub run: RunId,
    /// The rule and the version to execute, its settings included.
    pub rule: Arc<ActiveRule>,
    /// The call that it decides.
    pub call: Arc<CallFacts>,
    /// Seed of the run's random numbers.
    pub seed: u64,
    /// What the rule may read until its first question.
    pub view: Arc<View>,
    /// The frozen clock until its first question.
    pub now: Now,
    /// When the call began, in [`Now::mono`].
    pub call_began: Duration,
}

/// What a run asks of its call. At most one question is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Rings, and waits for the outcome.
    Ring(RingPlan),
    /// Gives the call to the standard rule; the run has no more say.
    Standard,
    /// Refuses the call.
    Refuse(Refusal),
    /// Ends the call with what came of its rings.
    Conclude,
    /// Does something to a value that outlives the call.
    Keep(KeptAsk),
    /// Picks people from a group.
    Take(RosterAsk),
}

/// A ring as a rule built it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RingPlan {
    /// The legs, in the order they were added.
    pub legs: Vec<LegPlan>,
    /// The whole ring's time.
    pub time: Duration,
    /// One decline ends the whole ring.
    pub stop_on_decline: bool,
    /// Devices of people on a call ring too.
    pub ring_busy: bool,
    /// Nobody gets a missed call when the ring moves on.
    pub keep_unmissed: bool,
    /// Devices that this call has rung to an end do not ring again.
    pub skip_rung: bool,
}

/// One leg of a ring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegPlan {
    /// Who is rung.
    pub to: DestinationRef,
    /// Delay after the ring's begin.
    pub start_after: Duration,
    /// Own time, counted from the first 180 or 183.
    pub ring_for: Option<Duration>,
    /// Text before the caller's name on the phone.
    pub label: Option<String>,
}

/// How a rule refuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// 486.
    Busy,
    /// 603 to our own devices, 486 elsewhere.
    Declined,
    /// 404.
    NotFound,
    /// 480.
    TemporarilyUnavailable,
    /// 433 (RFC 5079 §5).
    AnonymousRefused,
    /// 607 to our own devices, 403 elsewhere.
    Unwanted,
    /// 403 with the words in the record only.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Busy => "busy",
            Self::Declined => "declined",
            Self::NotFound => "not found",
            Self::TemporarilyUnavailable => "temporarily unavailable",
            Self::AnonymousRefused => "anonymous",
            Self::Unwanted => "unwanted",
            Self::Other(text) => text,
        })
    }
}

/// What comes back to a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Ask::Ring`].
    Rang(Result<RingReport, CallError>),
    /// To [`Ask::Keep`].
    Kept(Result<KeptAnswer, KeptError>),
    /// To [`Ask::Take`].
    Taken(Result<Taken, TakeError>),
    /// To every other question.
    Done(Result<(), CallError>),
}

/// How a ring went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingReport {
    /// The best of its legs.
    pub outcome: Outcome,
    /// Each planned leg in order.
    pub legs: Vec<LegReport>,
}

/// How one planned leg went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegReport {
    /// Who was rung.
    pub to: DestinationRef,
    /// How it ended.
    pub ended: LegEnd,
    /// How long it rang.
    pub rang: Duration,
}

/// How a planned leg ended: an outcome, or one of two that no ring has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEnd {
    /// By itself.
    Outcome(Outcome),
    /// Another leg answered.
    Elsewhere,
    /// The ring or the call was over.
    Cancelled,
}

/// How a ring or leg ended. Of several legs the best counts, in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Bridged to the caller.
    Answered(AnsweredBy),
    /// A person refused.
    Declined,
    /// Picked up without the key that confirms.
    NotConfirmed,
    /// Rang until its time was over.
    NoAnswer,
    /// Engaged.
    Busy,
    /// Nothing registered, or no response.
    Unreachable,
    /// The network refused; Q.850 cause.
    Refused(u8),
    /// A guardrail stopped it; its name.
    Blocked(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(_) => f.write_str("answered"),
            Self::Declined => f.write_str("declined"),
            Self::NotConfirmed => f.write_str("not-confirmed"),
            Self::NoAnswer => f.write_str("no-answer"),
            Self::Busy => f.write_str("busy"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Refused(q850) => write!(f, "refused({q850})"),
            Self::Blocked(name) => write!(f, "blocked({name})"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnsweredBy {
    /// The device.
    pub device: Extension,
    /// Its user.
    pub user: Option<UserId>,
    /// The leg.
    pub leg: LegId,
}

/// Why an action of a rule failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Only log and store work after this.
    #[error("the caller has gone")]
    CallerGone,
    /// The call has its disposition.
    #[error("the call is already decided")]
    AlreadyEnded,
    /// A guardrail; its name.
    #[error("not permitted: {0}")]
    NotPermitted(String),
    /// A limit; its name.
    #[error("limit exceeded: {0}")]
    LimitExceeded(String),
    /// Not to be had on this switch.
    #[error("unavailable")]
    Unavailable,
}

/// How a run ended. The closed set that metrics, API, logs and CLI share (RULES §3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// The rule returned.
    Ok,
    /// The rule returned an error text: it wants the fallback.
    Declined(String),
    /// All fuel spent; in which import or export.
    FuelExhausted(String),
    /// Too much CPU time.
    DeadlineExceeded,
    /// More memory than allowed was asked for.
    MemoryLimit,
    /// A table grew over its limit.
    TableLimit,
    /// Recursion without end.
    StackOverflow,
    /// A counted limit; its name.
    LimitExceeded(String),
    /// A trap; its kind.
    Trap(String),
    /// The component answered with something that is no answer.
    BadOutput,
    /// An import that was not granted.
    PermissionDenied(String),
    /// The component could not be instantiated.
    InstantiateFailed(String),
    /// No place to run within a second.
    HostBusy,
    /// The tenant's share is used up.
    TenantThrottled,
    /// The version failed too often.
    BreakerOpen,
    /// The call was over before its rule was: mostly the caller hung up; the cause of the call's end says.
    CallerGone,
    /// Our fault.
    Internal(String),
}

impl RunOutcome {
    /// The word that metrics, API, logs and CLI use.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Declined(_) => "declined",
            Self::FuelExhausted(_) => "fuel-exhausted",
            Self::DeadlineExceeded => "deadline-exceeded",
            Self::MemoryLimit => "memory-limit",
            Self::TableLimit => "table-limit",
            Self::StackOverflow => "stack-overflow",
            Self::LimitExceeded(_) => "limit-exceeded",
            Self::Trap(_) => "trap",
            Self::BadOutput => "bad-output",
            Self::PermissionDenied(_) => "permission-denied",
            Self::InstantiateFailed(_) => "instantiate-failed",
            Self::HostBusy => "host-busy",
            Self::TenantThrottled => "tenant-throttled",
            Self::BreakerOpen => "breaker-open",
            Self::CallerGone => "caller-gone",
            Self::Internal(_) => "internal",
        }
    }
}

/// What a run has used and said since it was last heard of. Leaves the run with each question and with its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Fuel of the whole run up to now.
    pub fuel: u64,
    /// False after a trap other than out-of-fuel: then `fuel` is the whole grant.
    pub fuel_exact: bool,
    /// CPU slices of 10 ms begun, of the whole run.
    pub slices: u32,
    /// Microseconds the rule has run, measured by the driver; 0 in the simulator.
    pub ran_us: u64,
    /// `call.because` and the reads that explain a decision, in order, new ones only.
    pub notes: Vec<Note>,
    /// Lines for the tenant's log, new ones only.
    pub log: Vec<LogLine>,
    /// What it wrote there as a warning, also what found no room in the log; new ones only, each once.
    pub warnings: Vec<Warned>,
    /// Journal lines (RULES §4), new ones only.
    pub journal: Vec<String>,
    /// The limits that the run came to, told with its end.
    pub limits: Vec<Reached>,
}

/// A limit that was reached. Reaching one need not end a run: a leg or a line that is over it is only left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Its name, as `memory-bytes`.
    pub limit: String,
    /// What was used, with what was refused as far as that is known.
    pub used: u64,
    /// What there is.
    pub max: u64,
}

/// One thing a rule said or read that explains where the call went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Note {
    /// The rule's own words.
    Because(String),
    /// A fact that the rule read: the function with its arguments, and what it got, in plain words.
    Read {
        /// As `schedule.hours("office")`.
        what: String,
        /// As `closed: Friday 08:00 to 18:00`.
        got: String,
    },
}

/// One line of the tenant's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// debug, info or warn.
    pub level: String,
    /// The text.
    pub message: String,
}

/// What a driver tells the core about a run.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEvent {
    /// The run asks and waits.
    Asked {
        /// The question's number.
        ask: AskId,
        /// The question.
        what: Ask,
    },
    /// The run is over; every start has exactly one end.
    Ended(RunOutcome),
}
