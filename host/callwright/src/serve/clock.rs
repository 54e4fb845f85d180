//! The one place where clocks are read for the node.

use std::time::{Duration, Instant};

use callwright_core::Now;
use jiff::Timestamp;

/// Turns clocks into the values that the core takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Instant,
}

impl Clock {
    /// A clock that begins now.
    pub(super) fn start() -> Self {
        Self { began: Instant::now() }
    }

    /// This moment.
    pub(super) fn now(self) -> Now {
        Now { mono: self.began.elapsed(), wall: Timestamp::now() }
    }

    /// The moment of a deadline, for waiting.
    pub(super) fn instant(self, mono: Duration) -> Instant {
        self.began + mono
    }
}
