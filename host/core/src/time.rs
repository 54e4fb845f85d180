//! Time as the core sees it: always an argument, never asked for.

use std::time::Duration;

use jiff::Timestamp;

/// The moment an input is handled. Only the binary makes one from clocks; `mono` never goes back, `wall` may jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Time since the node began; every deadline is in this.
    pub mono: Duration,
    /// The calendar's time; schedules and records are in this.
    pub wall: Timestamp,
}

/// When the node wants to be woken, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// In the same time as [`Now::mono`].
    pub at: Duration,
    /// What is waited for.
    pub why: Timer,
}

/// What a deadline waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A transaction timer of the SIP endpoint (RFC 3261 §17).
    Transaction,
    /// A binding expires (RFC 3261 §10.3).
    BindingExpiry,
    /// A binding behind NAT is probed, or its probe is overdue.
    Probe,
    /// A leg of the ring starts.
    LegStart,
    /// A leg had no response at all: it counts as unreachable.
    ResponseTimeout,
    /// A leg got a provisional but does not ring.
    PostDial,
    /// A leg has rung for its own time.
    LegRing,
    /// The ring is over.
    RingEnd,
    /// A provisional goes to the caller so that nobody upstream gives up (RFC 3261 §13.3.1.1).
    Provisional,
    /// A session is refreshed or given up (RFC 4028 §10).
    Session,
    /// An offer in a 2xx whose answer does not come is refused (RFC 3261 §13.3.1.4).
    LateOffer,
    /// A re-INVITE of ours that met another is tried again (RFC 3261 §14.1).
    Glare,
    /// A run of a rule is overdue, or is stopped after its caller has gone.
    Run,
    /// The store did not answer.
    Store,
    /// A subscription ends, or a NOTIFY is tried again (RFC 6665 §4.2.2).
    Subscription,
}
