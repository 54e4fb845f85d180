//! What a scenario's statements are, once read.

use std::sync::Arc;
use std::time::Duration;

use callwright_core::forwarding::Wishes;
use callwright_core::names::{TenantId, UserId};
use callwright_core::record::CallRecord;
use jiff::SignedDuration;

use crate::link::Link;
use crate::phone::manner::{Dial, Order};
use crate::world::Unplugged;

/// Something on the time line, or expected of it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// The line it stands in, from 1.
    pub(super) line: usize,
    /// The line as written.
    pub(super) source: String,
    /// What it says.
    pub(super) what: What,
}

/// The kinds of statements that remain after the world is built.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// Moves the cursor.
    Wait(Duration),
    /// A key of a phone.
    Order(String, Order),
    /// The caller of a call hangs up.
    HangUp(String),
    /// Somebody calls.
    Call {
        /// The phone.
        from: String,
        /// The call.
        dial: Dial,
    },
    /// A wire changes.
    Rewire(String, Link),
    /// A phone is cut off, or comes back.
    Unplug(String, Option<Unplugged>),
    /// A phone's connection is closed.
    Close(String),
    /// The store takes that long.
    StoreDelay(Duration),
    /// The store fails, or works.
    StoreFails(bool),
    /// Rules take that long for each word.
    RulesTake(Duration),
    /// The configuration is read again, without a person.
    Reload {
        /// The tenant.
        tenant: TenantId,
        /// Who is gone.
        without: UserId,
    },
    /// A user saves how they want to be forwarded, for good or for a while.
    Wished(TenantId, UserId, Arc<Wishes>, Option<Duration>),
    /// The calendar's clock is set.
    ClockJumps(SignedDuration),
    /// The switch is killed, and starts again after that time.
    Restart(Duration),
    /// The switch takes no new calls from now on.
    Drain,
    /// The switch ends.
    ShutDown,
    /// Checked when the world has come to rest.
    Expect(Expectation),
}

impl What {
    /// Whether it belongs to how the world begins, as long as nothing has happened yet.
    pub(super) fn sets_up(&self) -> bool {
        match self {
            Self::Order(_, order) => matches!(order, Order::Manner(_) | Order::OnNotify(_)),
            Self::Rewire(..)
            | Self::StoreDelay(_)
            | Self::StoreFails(_)
            | Self::RulesTake(_)
            | Self::Expect(_) => true,
            Self::Wait(_)
            | Self::HangUp(_)
            | Self::Call { .. }
            | Self::Unplug(..)
            | Self::Close(_)
            | Self::Reload { .. }
            | Self::Wished(..)
            | Self::ClockJumps(_)
            | Self::Restart(_)
            | Self::Drain
            | Self::ShutDown => false,
        }
    }
}

/// What is expected.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    /// Of a call.
    Call(String, OfCall),
    /// Of a phone.
    Phone(String, OfPhone),
    /// Of what rules keep; none where nothing is to be kept.
    Store { tenant: TenantId, key: String, value: Option<String> },
    /// Of what a tenant was told, all of it or what is about a user, by a part of its words.
    Event { tenant: TenantId, about: Option<UserId>, times: Times, part: Option<String> },
}

/// What is expected of a call.
#[derive(Clone, Debug)]
pub(super) enum OfCall {
    Rings { phone: String, at: Option<Duration> },
    NeverRings { phone: String },
    AnsweredBy { phone: String, at: Option<Duration> },
    Ended { status: u16, at: Option<Duration> },
    Recorded(OfRecord),
}

/// What is expected of a call's record.
#[derive(Clone, Debug)]
pub(super) enum OfRecord {
    Cause(String),
    Disposition(String),
    Talked(Duration),
    Missed(Vec<String>),
    Leg {
        device: String,
        end: String,
    },
    Ran {
        rule: String,
        outcome: String,
    },
    RanNothing,
    Because(String),
    Explained(String),
    /// The whole sentence.
    ExplainedAs(String),
}

/// What is expected of a phone.
#[derive(Clone, Debug)]
pub(super) enum OfPhone {
    Cancelled { reason: Option<String> },
    Released { reason: Option<String> },
    Hears(String),
    Registered(bool),
    Refused(u16),
    Held,
    Resumed,
    Receives { times: Times, start: String, part: Option<String> },
}

/// How often a message is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    AtLeastOnce,
    /// So many different ones.
    Exactly(usize),
    /// So many, each time it was sent counted.
    Copies(usize),
}

/// The word by which scenarios speak of how a leg ended.
pub(super) fn end_word(record: &CallRecord, device: &str) -> Vec<String> {
    use callwright_core::record::LegRecordEnd;
    let of_device = record.legs.iter().filter(|leg| leg.device.as_str() == device);
    of_device
        .map(|leg| match &leg.end {
            LegRecordEnd::Outcome(outcome) => outcome.to_string(),
            LegRecordEnd::Elsewhere => "elsewhere".to_owned(),
            LegRecordEnd::Cancelled(_) => "cancelled".to_owned(),
            LegRecordEnd::Deflected { .. } => "deflected".to_owned(),
        })
        .collect()
}

/// An enum value of the core as its word in records: `no-answer` for `NoAnswer`.
pub(super) fn word_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(serde_json::Value::Object(fields)) => fields.keys().next().cloned().unwrap_or_default(),
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
