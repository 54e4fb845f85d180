//! How quick a version of a rule has been: what has been quick often enough may run on the node's thread (ADR 0006).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::time::ClockId;

/// A stretch of a run, from a start or an answer to the next question or the end, may take so much processor time.
///
/// The two stretches of the examples take 0.02 to 0.1 ms; a message takes the node about as long.
const QUICK: Duration = Duration::from_millis(1);
/// So many quick stretches in a row earn the node's thread. A rule that is slow once in so many stretches holds the
/// other calls of its node up for less than a slice (10 ms) in all of them.
const EARNED: u32 = 64;

/// One version's way of running. It begins as slow.
#[derive(Debug, Default)]
pub(super) struct Pace {
    quick_in_a_row: AtomicU32,
}

impl Pace {
    /// Whether the version may run on the node's thread.
    pub(super) fn is_quick(&self) -> bool {
        self.quick_in_a_row.load(Ordering::Relaxed) >= EARNED
    }

    /// A stretch of a run took so much processor time.
    pub(super) fn note(&self, took: Duration) {
        if took > QUICK {
            self.quick_in_a_row.store(0, Ordering::Relaxed);
        } else if !self.is_quick() {
            self.quick_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Processor time of this thread. Unlike the time of day it does not make a rule slow on a busy machine.
pub(super) fn processor_time() -> Duration {
    // The clock is there on every Linux; without it every stretch would count as quick, as the slices still end it.
    nix::time::clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_earns_the_node_s_thread_and_loses_it_with_one_slow_stretch() {
        let pace = Pace::default();
        for _ in 1..EARNED {
            pace.note(QUICK);
        }
        assert!(!pace.is_quick());
        pace.note(QUICK);
        assert!(pace.is_quick());
        pace.note(QUICK + Duration::from_nanos(1));
        assert!(!pace.is_quick());
    }
}
