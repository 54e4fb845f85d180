//! What the outside tells the core, and what the core asks of the outside.

use std::sync::Arc;

use bytes::Bytes;
use callwright_sip::Flow;
use jiff::Timestamp;

use crate::breaker::Withdrawal;
use crate::config::Config;
use crate::forwarding::Wishes;
use crate::kept::{KeptKey, KeptValue};
use crate::names::{AskId, RunId, TenantId, Ticket, UserId};
use crate::notice::Notice;
use crate::record::{CallRecord, Gone};
use crate::rule::{ActiveRule, Answer, RunEvent, RunStart, Spent};
use crate::time::Now;
use crate::view::{Binding, BindingKey, View};

/// What the outside tells the core.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram, or a chunk of a stream.
    Received {
        /// Where it came from.
        flow: Flow,
        /// As received.
        bytes: Bytes,
    },
    /// A connection ended, or a datagram to that peer met an ICMP error.
    Closed {
        /// Which.
        flow: Flow,
    },
    /// The deadline has come. Harmless at any other time.
    Tick,
    /// A run asks or has ended.
    Run {
        /// Which.
        run: RunId,
        /// What.
        event: RunEvent,
        /// What it used and said since it was last heard of.
        spent: Spent,
    },
    /// The store has answered.
    Stored {
        /// To which effect.
        ticket: Ticket,
        /// Committed, or why not.
        result: Result<(), StoreRefused>,
    },
    /// New configuration, as a whole.
    Configured(Arc<Config>),
    /// New configuration, which differs in one tenant: that one was made, changed or removed.
    Tenant {
        /// Which.
        id: TenantId,
        /// All of it.
        config: Arc<Config>,
    },
    /// The tenant's active rules, as a whole: an activation or a roll back.
    Rules {
        /// Whose.
        tenant: TenantId,
        /// All that are active.
        active: Vec<Arc<ActiveRule>>,
    },
    /// What a user has saved of how they want to be forwarded; none: as the configuration says.
    Wished {
        /// Whose user.
        tenant: TenantId,
        /// Which.
        user: UserId,
        /// What.
        wishes: Option<Arc<Wishes>>,
    },
    /// Refuses new calls; those in progress go on.
    Drain,
    /// Ends every call and refuses new ones.
    ShutDown,
}

/// Why a change was not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreRefused {
    /// The disk is full.
    #[error("the disk is full")]
    Full,
    /// It failed or is overloaded.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
}

/// What the core asks of the outside. The order of effects is part of the behaviour.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Sends bytes.
    Transmit {
        /// Where to.
        flow: Flow,
        /// What.
        bytes: Bytes,
    },
    /// Closes a connection.
    Close {
        /// Which.
        flow: Flow,
    },
    /// Somebody has proved on this connection to be a device: it may stay open.
    Believe {
        /// Which.
        flow: Flow,
    },
    /// Begins a run; answered by [`Input::Run`] until it has ended.
    Start(Box<RunStart>),
    /// Answers the open question of a run.
    Answer {
        /// Which run.
        run: RunId,
        /// Which question.
        ask: AskId,
        /// The answer.
        answer: Answer,
        /// What the rule may read from now on.
        view: Arc<View>,
        /// The frozen clock from now on.
        now: Now,
    },
    /// Drops a run; its end is still owed.
    Stop {
        /// Which.
        run: RunId,
    },
    /// The rule's version fails again and again: what was active before it shall be active again. Answered by
    /// [`Input::Rules`] where there is such a thing.
    Withdraw(Withdrawal),
    /// Something that the tenant should hear of, to be kept as an event of theirs.
    Tell {
        /// Who.
        tenant: TenantId,
        /// What.
        notice: Notice,
    },
    /// A user has dialled how they want to be reached: to be kept as what they have saved. Answered by [`Input::Stored`], and before
    /// that by [`Input::Wished`] or a configuration that has it.
    Wish {
        /// For the answer.
        ticket: Ticket,
        /// Whose user.
        tenant: TenantId,
        /// Which.
        user: UserId,
        /// What.
        wishes: Arc<Wishes>,
        /// Who changed it, for the audit log.
        by: String,
    },
    /// Commits changes, all or none; answered by [`Input::Stored`].
    Store {
        /// For the answer.
        ticket: Ticket,
        /// In order.
        changes: Vec<Change>,
    },
}

/// One change that must survive.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A binding was made or refreshed.
    Bound(Arc<Binding>),
    /// A binding is over.
    Unbound {
        /// Which.
        key: BindingKey,
        /// When.
        at: Timestamp,
        /// How; `None` when another binding of the same phone takes its place.
        how: Option<Gone>,
    },
    /// A rule keeps a value, or keeps it no longer.
    Kept {
        /// Whose, and its key.
        key: KeptKey,
        /// The value; none where it is to be removed.
        value: Option<KeptValue>,
    },
    /// A call is over.
    Ended {
        /// Its record.
        record: Arc<CallRecord>,
        /// Its journal, one JSON value a line; empty where no rule ran.
        journal: Vec<String>,
    },
}
