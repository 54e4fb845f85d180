//! What the endpoint waits for, and until when.

use super::{ClientTx, ServerTx};
use crate::flow::Flow;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Why the endpoint wants to be woken; letters are those of RFC 3261 §17 and RFC 6026 §7.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Send our INVITE again.
    A,
    /// Give up our INVITE: nobody said anything.
    B,
    /// Forget our INVITE that was refused.
    D,
    /// Send our request again.
    E,
    /// Give up our request.
    F,
    /// Send a refusal of an INVITE again.
    G,
    /// Give up waiting for the ACK to a refusal.
    H,
    /// Forget an INVITE whose refusal was acknowledged.
    I,
    /// Forget a request we answered.
    J,
    /// Forget our request that was answered.
    K,
    /// Forget an INVITE we accepted; without its ACK say so.
    L,
    /// Forget our INVITE that was accepted.
    M,
    /// Send a 2xx to INVITE again (RFC 3261 §13.3.1.4).
    AnswerResend,
    /// Send our CANCEL again.
    CancelResend,
    /// Give up a cancelled INVITE without final response (RFC 3261 §9.1).
    CancelWait,
    /// Close a stream whose message has begun and does not end.
    StreamIdle,
}

/// Whose timer it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Owner {
    Server(ServerTx),
    Client(ClientTx),
    Stream(Flow),
}

/// Every timer that runs, at most one of a kind for an owner.
#[derive(Default, Debug)]
pub(super) struct Timers {
    queue: BTreeSet<(Duration, Owner, Timer)>,
    armed: BTreeMap<(Owner, Timer), Duration>,
}

impl Timers {
    pub(super) fn set(&mut self, owner: Owner, timer: Timer, at: Duration) {
        if let Some(old) = self.armed.insert((owner, timer), at) {
            self.queue.remove(&(old, owner, timer));
        }
        self.queue.insert((at, owner, timer));
    }

    pub(super) fn cancel(&mut self, owner: Owner, timer: Timer) {
        if let Some(at) = self.armed.remove(&(owner, timer)) {
            self.queue.remove(&(at, owner, timer));
        }
    }

    pub(super) fn cancel_all(&mut self, owner: Owner) {
        let range = (owner, Timer::A)..=(owner, Timer::StreamIdle);
        while let Some((key, at)) = self.armed.range(range.clone()).next().map(|(key, at)| (*key, *at)) {
            self.armed.remove(&key);
            self.queue.remove(&(at, key.0, key.1));
        }
    }

    pub(super) fn is_set(&self, owner: Owner, timer: Timer) -> bool {
        self.armed.contains_key(&(owner, timer))
    }

    pub(super) fn next(&self) -> Option<(Duration, Timer)> {
        self.queue.first().map(|(at, _, timer)| (*at, *timer))
    }

    /// Takes the next timer that is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(Owner, Timer)> {
        let (at, owner, timer) = self.queue.first().copied().filter(|(at, _, _)| *at <= now)?;
        self.queue.remove(&(at, owner, timer));
        self.armed.remove(&(owner, timer));
        Some((owner, timer))
    }
}
