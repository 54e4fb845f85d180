//! Instances that wait for their calls (ADR 0012): what a rule does when it starts is done before a caller waits for it.
//!
//! One is made for each run that has ended, so a version that decides a call now and then has one, and a busy one has several.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use callwright_core::names::Version;
use callwright_rules::Spare;

use super::shelf::Shelved;

/// How many may wait at most on all nodes.
pub(super) const SPARES_MAX: usize = 8;
/// How long one keeps its place from a version that has none. Where more versions decide calls than may wait, making one for
/// each would be in vain.
const KEPT: Duration = Duration::from_secs(60);

/// The spares of a node.
pub(super) struct Stock {
    /// In the order of their making.
    spares: VecDeque<Waiting>,
    /// Versions of which one is to be made.
    wanted: VecDeque<Shelved>,
    most: usize,
}

struct Waiting {
    version: Version,
    spare: Spare,
    since: Instant,
}

impl Stock {
    /// A stock of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { spares: VecDeque::new(), wanted: VecDeque::new(), most }
    }

    /// An instance of a version, where one waits.
    pub(super) fn take(&mut self, version: &Version) -> Option<Spare> {
        let at = self.spares.iter().rposition(|waiting| waiting.version == *version)?;
        self.spares.remove(at).map(|waiting| waiting.spare)
    }

    /// A run of this version has ended: the next one is likely to be of it too.
    pub(super) fn want(&mut self, ready: &Shelved, now: Instant) {
        let has_room = self.spares.len() + self.wanted.len() < self.most;
        if ready.pace.is_quick() && (has_room || self.may_give_way(ready.rule.version(), now)) {
            self.wanted.push_back(ready.clone());
        }
    }

    /// Makes one of those that are wanted. It takes about as long as a message.
    pub(super) fn make_one(&mut self, now: Instant) {
        let Some(Shelved { rule, pace }) = self.wanted.pop_front() else { return };
        let stopwatch = pace.begin();
        let spare = Spare::of(&rule);
        pace.end(&stopwatch);
        let version = rule.version().clone();
        self.spares.extend(spare.map(|spare| Waiting { version, spare, since: now }));
        self.spares.drain(..self.spares.len().saturating_sub(self.most));
    }

    /// How many there are, for tests.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.spares.len()
    }

    /// Whether the one that has waited longest has done so long enough, for a version that has none.
    fn may_give_way(&self, to: &Version, now: Instant) -> bool {
        let oldest = self.spares.front();
        oldest.is_some_and(|oldest| now.saturating_duration_since(oldest.since) >= KEPT)
            && self.wanted.is_empty()
            && self.spares.iter().all(|waiting| waiting.version != *to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Data;
    use crate::serve::shelf::Shelf;

    /// Versions of these names that have been quick.
    fn quick<const N: usize>(versions: [&str; N]) -> (tempfile::TempDir, [Shelved; N]) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::open(&Data::open(folder.path()).unwrap()).unwrap();
        let shelved = versions.map(|version| {
            shelf.put(shelf.rule_in_text(version));
            let ready = shelf.ready(&version.into()).unwrap();
            (0..100).for_each(|_| ready.pace.note(Duration::ZERO));
            ready
        });
        (folder, shelved)
    }

    fn want_and_make(stock: &mut Stock, ready: &Shelved, now: Instant) {
        stock.want(ready, now);
        stock.make_one(now);
    }

    fn waiting(stock: &Stock) -> Vec<&str> {
        stock.spares.iter().map(|waiting| waiting.version.as_str()).collect()
    }

    #[test]
    fn each_end_of_a_run_brings_an_instance_until_there_are_enough() {
        let (_folder, [ready]) = quick(["busy"]);
        let (mut stock, now) = (Stock::new(2), Instant::now());
        assert!(stock.take(&"busy".into()).is_none());
        (0..5).for_each(|_| want_and_make(&mut stock, &ready, now));
        assert_eq!(stock.len(), 2);
        assert!(stock.take(&"busy".into()).is_some());
        assert!(stock.take(&"other".into()).is_none());
        (0..5).for_each(|_| stock.want(&ready, now + KEPT));
        assert_eq!((stock.len(), stock.wanted.len()), (1, 1));
        (0..5).for_each(|_| stock.make_one(now));
        assert_eq!((stock.len(), stock.wanted.len()), (2, 0));
    }

    #[test]
    fn whoever_waited_for_a_minute_gives_way_to_a_version_that_has_none() {
        let (_folder, [first, second, third]) = quick(["first", "second", "third"]);
        let (mut stock, now) = (Stock::new(2), Instant::now());
        for (ready, at) in [(&first, 0), (&second, 1), (&third, 59)] {
            want_and_make(&mut stock, ready, now + Duration::from_secs(at));
        }
        assert_eq!(waiting(&stock), ["first", "second"]);
        want_and_make(&mut stock, &second, now + KEPT);
        assert_eq!(waiting(&stock), ["first", "second"]);
        stock.want(&third, now + KEPT);
        stock.want(&third, now + KEPT);
        (0..3).for_each(|_| stock.make_one(now + KEPT));
        assert_eq!(waiting(&stock), ["second", "third"]);
    }

    #[test]
    fn nothing_is_made_of_a_slow_version_and_nothing_where_there_is_no_room() {
        let (_folder, [ready]) = quick(["slow"]);
        let now = Instant::now();
        let mut nowhere = Stock::new(0);
        want_and_make(&mut nowhere, &ready, now);
        assert!(nowhere.spares.is_empty());
        ready.pace.note(Duration::from_secs(1));
        let mut stock = Stock::new(2);
        want_and_make(&mut stock, &ready, now);
        assert!(stock.spares.is_empty() && stock.wanted.is_empty());
    }
}
