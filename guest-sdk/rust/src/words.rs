//! The WIT's own words for outcomes and errors: what explanations and logs say, whatever language the rule is in.

use std::fmt;

use crate::{
    call::CallError, directory::DirectoryError, forwarding::ForwardingError, forwarding::WhyNot,
    presence::PresenceError, ring::Outcome, ring::RingError, schedule::ScheduleError, stats::StatsError,
    store::StoreError,
};

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(answer) => write!(f, "answered by {}", answer.by().label()),
            Self::Declined => f.write_str("declined"),
            Self::NotConfirmed => f.write_str("not-confirmed"),
            Self::NoAnswer => f.write_str("no-answer"),
            Self::Busy => f.write_str("busy"),
            Self::Unreachable => f.write_str("unreachable"),
            Self::Refused(cause) => write!(f, "refused({cause})"),
            Self::Blocked(guardrail) => write!(f, "blocked({guardrail})"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for WhyNot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspended => "suspended",
            Self::NoNumbers => "no-numbers",
            Self::QueueSignIn => "queue-sign-in",
            Self::ModeOff => "mode-off",
            Self::OutsideSchedule => "outside-schedule",
            Self::Other(name) => name,
        })
    }
}

impl From<ForwardingError> for String {
    fn from(error: ForwardingError) -> Self {
        match error {
            ForwardingError::NotPermitted => "forwarding: not-permitted".into(),
            ForwardingError::LimitExceeded(limit) => format!("forwarding: limit-exceeded({limit})"),
            ForwardingError::Unavailable => "forwarding: unavailable".into(),
            ForwardingError::Other(text) => format!("forwarding: {text}"),
        }
    }
}

impl From<CallError> for String {
    fn from(error: CallError) -> Self {
        match error {
            CallError::CallerGone => "call: caller-gone".into(),
            CallError::AlreadyEnded => "call: already-ended".into(),
            CallError::NotPermitted(guardrail) => format!("call: not-permitted({guardrail})"),
            CallError::LimitExceeded(limit) => format!("call: limit-exceeded({limit})"),
            CallError::Unavailable => "call: unavailable".into(),
            CallError::Other(text) => format!("call: {text}"),
        }
    }
}

impl From<RingError> for String {
    fn from(error: RingError) -> Self {
        match error {
            RingError::NotRingable => "ring: not-ringable".into(),
            RingError::NotPermitted(guardrail) => format!("ring: not-permitted({guardrail})"),
            RingError::LimitExceeded(limit) => format!("ring: limit-exceeded({limit})"),
            RingError::Unavailable => "ring: unavailable".into(),
            RingError::Other(text) => format!("ring: {text}"),
        }
    }
}

impl From<DirectoryError> for String {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::NoSuchEntry => "directory: no-such-entry".into(),
            DirectoryError::NotPermitted => "directory: not-permitted".into(),
            DirectoryError::LimitExceeded(limit) => format!("directory: limit-exceeded({limit})"),
            DirectoryError::Unavailable => "directory: unavailable".into(),
            DirectoryError::Other(text) => format!("directory: {text}"),
        }
    }
}

impl From<PresenceError> for String {
    fn from(error: PresenceError) -> Self {
        match error {
            PresenceError::NotPermitted => "presence: not-permitted".into(),
            PresenceError::LimitExceeded(limit) => format!("presence: limit-exceeded({limit})"),
            PresenceError::Unavailable => "presence: unavailable".into(),
            PresenceError::Other(text) => format!("presence: {text}"),
        }
    }
}

impl From<ScheduleError> for String {
    fn from(error: ScheduleError) -> Self {
        match error {
            ScheduleError::NoSuchEntry => "schedule: no-such-entry".into(),
            ScheduleError::NoSuchZone => "schedule: no-such-zone".into(),
            ScheduleError::LimitExceeded(limit) => format!("schedule: limit-exceeded({limit})"),
            ScheduleError::Unavailable => "schedule: unavailable".into(),
            ScheduleError::Other(text) => format!("schedule: {text}"),
        }
    }
}

impl From<StatsError> for String {
    fn from(error: StatsError) -> Self {
        match error {
            StatsError::NotPermitted => "stats: not-permitted".into(),
            StatsError::LimitExceeded(limit) => format!("stats: limit-exceeded({limit})"),
            StatsError::Unavailable => "stats: unavailable".into(),
            StatsError::Other(text) => format!("stats: {text}"),
        }
    }
}

impl From<StoreError> for String {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooLarge => "store: too-large".into(),
            StoreError::LimitExceeded(limit) => format!("store: limit-exceeded({limit})"),
            StoreError::Unavailable => "store: unavailable".into(),
            StoreError::Other(text) => format!("store: {text}"),
        }
    }
}
