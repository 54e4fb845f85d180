//! What the endpoint waits for, and until when.

use super::room::{give_back, is_too_roomy};
use super::{ClientTx, ServerTx};
use smallvec::SmallVec;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hash};
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
    /// Say 100 to an INVITE (RFC 3261 §17.2.1).
    Trying,
    /// Send a 2xx to INVITE again (RFC 3261 §13.3.1.4).
    AnswerResend,
    /// Send our CANCEL again.
    CancelResend,
    /// Give up a cancelled INVITE without final response (RFC 3261 §9.1).
    CancelWait,
    /// Close a stream whose message has begun and does not end.
    StreamIdle,
}

/// The transaction whose timer it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) enum Owner {
    Server(ServerTx),
    Client(ClientTx),
}

/// A moment, in nanoseconds. A busy switch has 100,000 of them, and a [`Duration`] is twice as large.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct At(u64);

impl From<Duration> for At {
    fn from(at: Duration) -> Self {
        Self(u64::try_from(at.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<At> for Duration {
    fn from(At(nanos): At) -> Self {
        Self::from_nanos(nanos)
    }
}

/// What runs for one owner: nearly always a single timer.
type Armed = SmallVec<[(Timer, At); 1]>;

/// Every timer that runs, at most one of a kind for an owner.
///
/// Most are cancelled long before they are due. They stay in the heap until they reach its top or are too many, which is
/// cheaper than to look for each; the top itself is always a timer that runs.
#[derive(Debug)]
pub(super) struct Timers<O, S> {
    queue: BinaryHeap<Reverse<(At, O, Timer)>>,
    // Never iterated.
    armed: HashMap<O, Armed, S>,
    /// How many run.
    running: usize,
}

/// So many in the heap for each that runs, and this many more, are too many.
const HEAP_FACTOR: usize = 4;
const HEAP_SPARE: usize = 64;

impl<O: Ord, S: Default> Default for Timers<O, S> {
    fn default() -> Self {
        Self { queue: BinaryHeap::new(), armed: HashMap::default(), running: 0 }
    }
}

impl<O: Copy + Ord + Hash, S: BuildHasher> Timers<O, S> {
    pub(super) fn set(&mut self, owner: O, timer: Timer, at: Duration) {
        let at = At::from(at);
        if due(&self.armed, owner, timer) == Some(at) {
            return;
        }
        let armed = self.armed.entry(owner).or_default();
        match armed.iter_mut().find(|(kind, _)| *kind == timer) {
            Some((_, due)) => *due = at,
            None => {
                armed.push((timer, at));
                self.running += 1;
            }
        }
        self.queue.push(Reverse((at, owner, timer)));
        if self.queue.len() > self.running * HEAP_FACTOR + HEAP_SPARE {
            let armed = &self.armed;
            self.queue.retain(|Reverse((at, owner, timer))| due(armed, *owner, *timer) == Some(*at));
        }
        self.clear_top();
    }

    /// As [`Timers::set`], for what is only to be forgotten.
    pub(super) fn set_about(&mut self, owner: O, timer: Timer, at: Duration) {
        self.set(owner, timer, time_to_forget(at));
    }

    pub(super) fn cancel(&mut self, owner: O, timer: Timer) {
        if let Some(armed) = self.armed.get_mut(&owner) {
            let before = armed.len();
            armed.retain(|(kind, _)| *kind != timer);
            self.running -= before - armed.len();
            if armed.is_empty() {
                self.armed.remove(&owner);
                give_back(&mut self.armed);
            } else {
                armed.shrink_to_fit();
            }
        }
        self.clear_top();
    }

    pub(super) fn cancel_all(&mut self, owner: O) {
        self.running -= self.armed.remove(&owner).map_or(0, |armed| armed.len());
        give_back(&mut self.armed);
        self.clear_top();
    }

    pub(super) fn is_set(&self, owner: O, timer: Timer) -> bool {
        due(&self.armed, owner, timer).is_some()
    }

    pub(super) fn next(&self) -> Option<(Duration, Timer)> {
        self.queue.peek().map(|Reverse((at, _, timer))| ((*at).into(), *timer))
    }

    /// Takes the next timer that is due.
    pub(super) fn pop(&mut self, now: Duration) -> Option<(O, Timer)> {
        let now = At::from(now);
        let Reverse((_, owner, timer)) = self.queue.peek().copied().filter(|Reverse((at, ..))| *at <= now)?;
        self.cancel(owner, timer);
        Some((owner, timer))
    }

    /// Drops what was cancelled or set anew from the top.
    fn clear_top(&mut self) {
        while let Some(Reverse((at, owner, timer))) = self.queue.peek().copied() {
            if due(&self.armed, owner, timer) == Some(at) {
                break;
            }
            self.queue.pop();
        }
        if is_too_roomy(self.queue.capacity(), self.queue.len()) {
            self.queue.shrink_to(self.queue.len() * 2);
        }
    }
}

/// The first quarter of a second at or after this time. What is only to be forgotten is forgotten then, many things at
/// once, so that a busy switch is not woken for each.
pub fn time_to_forget(at: Duration) -> Duration {
    const STEP_NANOS: u32 = 250_000_000;
    match at.subsec_nanos() % STEP_NANOS {
        0 => at,
        over => at.saturating_add(Duration::from_nanos(u64::from(STEP_NANOS - over))),
    }
}

/// When this timer of the owner is due, where it runs.
fn due<O, S>(armed: &HashMap<O, Armed, S>, owner: O, timer: Timer) -> Option<At>
where
    O: Copy + Eq + Hash,
    S: BuildHasher,
{
    armed.get(&owner)?.iter().find(|(kind, _)| *kind == timer).map(|(_, due)| *due)
}

#[cfg(test)]
mod tests {
    use std::hash::RandomState;

    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn owner(number: u64) -> Owner {
        Owner::Server(ServerTx(number))
    }

    #[test]
    fn timers_fire_in_order_once_and_not_when_cancelled_or_set_anew() {
        let mut timers = Timers::<_, RandomState>::default();
        timers.set(owner(1), Timer::H, seconds(3));
        timers.set(owner(2), Timer::G, seconds(1));
        timers.set(owner(2), Timer::H, seconds(2));
        timers.set(owner(3), Timer::J, seconds(4));
        timers.set(owner(2), Timer::G, seconds(5));
        timers.cancel(owner(1), Timer::H);
        assert_eq!(timers.next(), Some((seconds(2), Timer::H)));
        assert_eq!(timers.pop(seconds(1)), None);
        assert_eq!(timers.pop(seconds(9)), Some((owner(2), Timer::H)));
        timers.cancel_all(owner(3));
        assert_eq!(timers.pop(seconds(9)), Some((owner(2), Timer::G)));
        assert_eq!((timers.pop(seconds(9)), timers.next(), timers.running), (None, None, 0));
    }

    #[test]
    fn things_are_forgotten_in_steps_and_never_too_early() {
        for (at_ms, forgotten_ms) in [(0, 0), (1, 250), (250, 250), (32_249, 32_250), (32_751, 33_000)] {
            assert_eq!(time_to_forget(Duration::from_millis(at_ms)), Duration::from_millis(forgotten_ms));
        }
        assert_eq!(time_to_forget(Duration::new(1, 1)), Duration::from_millis(1_250));
    }

    #[test]
    fn what_is_set_and_cancelled_without_end_takes_no_room_without_end() {
        let mut timers = Timers::<_, RandomState>::default();
        timers.set(owner(1), Timer::J, seconds(1));
        for time in 0..10_000 {
            timers.set(owner(2), Timer::A, seconds(100 + time));
            timers.cancel(owner(2), Timer::A);
        }
        assert!(timers.queue.len() <= HEAP_SPARE + 2 * HEAP_FACTOR, "{}", timers.queue.len());
        assert_eq!(timers.pop(seconds(2)), Some((owner(1), Timer::J)));
    }
}
