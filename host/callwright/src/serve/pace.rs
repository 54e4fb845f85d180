//! How quick a version of a rule has been: what has been quick often enough may run on the node's thread (ADR 0006).

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::time::ClockId;

/// A stretch of a run, from a start or an answer to the next question or the end, may take so much processor time.
///
/// The two stretches of the examples take 0.02 to 0.1 ms; a message takes the node about as long.
const QUICK: Duration = Duration::from_millis(1);
/// So many quick stretches in a row earn the node's thread. A rule that is slow once in so many stretches holds the
/// other calls of its node up for less than two slices (10 ms each) in all of them.
const EARNED: u32 = 64;

/// One version's way of running. It begins as slow.
#[derive(Debug, Default)]
pub(super) struct Pace {
    quick_in_a_row: AtomicU32,
    /// So many stretches are still to be measured in processor time.
    watched: AtomicU32,
}

/// What a stretch is measured with.
pub(super) enum Stopwatch {
    /// Time of day: it has no system call, and is never less than the processor time.
    Wall(Instant),
    /// Processor time of this thread: it does not make a rule slow on a busy machine.
    Processor(Duration),
}

impl Pace {
    /// Whether the version may run on the node's thread.
    pub(super) fn is_quick(&self) -> bool {
        self.quick_in_a_row.load(Ordering::Relaxed) >= EARNED
    }

    /// A stretch of a run begins.
    pub(super) fn begin(&self) -> Stopwatch {
        if self.is_quick() && self.watched.load(Ordering::Relaxed) == 0 {
            return Stopwatch::Wall(Instant::now());
        }
        Stopwatch::Processor(processor_time())
    }

    /// The stretch is over; how long it took.
    pub(super) fn end(&self, stopwatch: &Stopwatch) -> Duration {
        match stopwatch {
            Stopwatch::Wall(began) => {
                let took = began.elapsed();
                if took > QUICK {
                    // Either it was slow or the machine is busy: the next ones tell.
                    self.watched.store(EARNED, Ordering::Relaxed);
                }
                took
            }
            Stopwatch::Processor(began) => {
                let took = processor_time().saturating_sub(*began);
                self.note(took);
                took
            }
        }
    }

    /// A stretch took so much processor time.
    pub(super) fn note(&self, took: Duration) {
        if took > QUICK {
            self.quick_in_a_row.store(0, Ordering::Relaxed);
        } else if !self.is_quick() {
            self.quick_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
        let less = |left: u32| left.checked_sub(1);
        // None is left where nobody watches.
        let _watched = self.watched.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }
}

fn processor_time() -> Duration {
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
    #[test]
    fn a_quick_version_is_measured_without_a_system_call_until_a_stretch_takes_long() {
        let pace = Pace::default();
        assert!(matches!(pace.begin(), Stopwatch::Processor(_)));
        for _ in 0..EARNED {
            pace.note(QUICK);
        }
        assert!(matches!(pace.begin(), Stopwatch::Wall(_)));
        let long_ago = Instant::now().checked_sub(QUICK * 2).unwrap();
        assert!(pace.end(&Stopwatch::Wall(long_ago)) > QUICK);
        assert!(pace.is_quick(), "the machine may have been busy");
        for _ in 0..EARNED {
            assert!(matches!(pace.begin(), Stopwatch::Processor(_)));
            pace.note(QUICK);
        }
        assert!(matches!(pace.begin(), Stopwatch::Wall(_)));
    }
}
