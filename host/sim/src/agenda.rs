//! What is going to happen, in order of virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

/// Future events by time; two of one moment come in the order in which they were put in.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    entries: BTreeMap<(Duration, u64), E>,
    next: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), next: 0 }
    }
}

impl<E> Agenda<E> {
    /// Adds an event.
    pub(crate) fn push(&mut self, at: Duration, event: E) {
        self.entries.insert((at, self.next), event);
        self.next += 1;
    }

    /// When the next event is due.
    pub(crate) fn next_at(&self) -> Option<Duration> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }

    /// Drops what shall not happen after all.
    pub(crate) fn retain(&mut self, mut happens: impl FnMut(&E) -> bool) {
        self.entries.retain(|_, event| happens(event));
    }

    /// Takes the next event, where it is due by `now`.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<E> {
        match self.next_at() {
            Some(at) if at <= now => self.entries.pop_first().map(|(_, event)| event),
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_arrival() {
        let mut agenda = Agenda::default();
        let at = Duration::from_millis;
        agenda.push(at(5), "late");
        agenda.push(at(1), "first");
        agenda.push(at(1), "second");
        assert_eq!(agenda.pop_due(at(0)), None);
        assert_eq!(agenda.pop_due(at(1)), Some("first"));
        assert_eq!(agenda.pop_due(at(1)), Some("second"));
        assert_eq!(agenda.pop_due(at(1)), None);
        assert_eq!(agenda.next_at(), Some(at(5)));
        assert_eq!(agenda.pop_due(at(9)), Some("late"));
    }
}
