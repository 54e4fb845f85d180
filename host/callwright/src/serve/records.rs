//! Records of calls on their way to the store: a few go together, and none is lost because the queue is full.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use callwright_store::{BATCH_MAX, LATE_MAX, Request};

/// How long the record of a call waits for others to be committed with it; it has a second (ARCHITECTURE §3).
const TOGETHER_EVERY: Duration = Duration::from_millis(250);

/// Those that wait.
#[derive(Debug, Default)]
pub(super) struct Records {
    waiting: VecDeque<Request>,
    /// When they are committed at the latest.
    due: Option<Instant>,
}

impl Records {
    /// When they are to be committed.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether one commit cannot take more.
    pub(super) fn are_many(&self) -> bool {
        self.waiting.len() >= BATCH_MAX
    }

    /// A record waits for others.
    ///
    /// # Errors
    /// Too many wait already; the record comes back, and nobody will write it again.
    pub(super) fn push(&mut self, request: Request, now: Instant) -> Result<(), Request> {
        if self.waiting.len() >= LATE_MAX {
            return Err(request);
        }
        self.waiting.push_back(request);
        self.due.get_or_insert(now + TOGETHER_EVERY);
        Ok(())
    }

    /// Offers them in their order. What is not taken waits on: no phone waits for it.
    pub(super) fn commit(&mut self, now: Instant, mut offer: impl FnMut(Request) -> Result<(), Request>) {
        self.due = None;
        while let Some(request) = self.waiting.pop_front() {
            if let Err(request) = offer(request) {
                self.waiting.push_front(request);
                self.due = Some(now + TOGETHER_EVERY);
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use callwright_core::names::Ticket;

    use super::*;

    fn record(number: usize) -> Request {
        Request { ticket: Ticket(u64::try_from(number).unwrap()), changes: Vec::new() }
    }

    /// The tickets that a queue with so much room takes.
    fn committed(records: &mut Records, now: Instant, room: usize) -> Vec<u64> {
        let mut taken = Vec::new();
        records.commit(now, |request| {
            if taken.len() == room {
                return Err(request);
            }
            taken.push(request.ticket.0);
            Ok(())
        });
        taken
    }

    #[test]
    fn records_go_together_after_a_while() {
        let (mut records, now) = (Records::default(), Instant::now());
        for number in 1..=3 {
            assert!(
                records
                    .push(record(number), now + TOGETHER_EVERY / 2 * u32::try_from(number - 1).unwrap())
                    .is_ok()
            );
        }
        assert_eq!(records.due(), Some(now + TOGETHER_EVERY), "the first has waited longest");
        assert_eq!((committed(&mut records, now, 9), records.due()), (vec![1, 2, 3], None));
    }

    #[test]
    fn a_record_that_finds_the_queue_full_goes_with_the_next_in_its_order() {
        let (mut records, now) = (Records::default(), Instant::now());
        (1..=3).for_each(|number| assert!(records.push(record(number), now).is_ok()));
        assert_eq!(committed(&mut records, now, 1), [1]);
        assert_eq!(records.due(), Some(now + TOGETHER_EVERY));
        assert!(records.push(record(4), now).is_ok());
        assert_eq!((committed(&mut records, now, 9), records.due()), (vec![2, 3, 4], None));
    }

    #[test]
    fn records_that_wait_have_a_bound() {
        let (mut records, now) = (Records::default(), Instant::now());
        (0..LATE_MAX).for_each(|number| assert!(records.push(record(number), now).is_ok()));
        assert!(records.are_many());
        assert_eq!(records.push(record(LATE_MAX), now), Err(record(LATE_MAX)));
    }
}
