//! Instances that wait for their calls (ADR 0012): what a rule does when it starts is done before a caller waits for it.
//!
//! One is made for each run that has ended, so a version that decides a call now and then has one, and a busy one has several.

use std::collections::VecDeque;

use callwright_core::names::Version;
use callwright_rules::Spare;

use super::shelf::Shelved;

/// How many may wait at most on all nodes, each with some ten kilobytes.
pub(super) const SPARES_MAX: usize = 16;

/// The spares of a node.
pub(super) struct Stock {
    /// In the order of their making.
    spares: VecDeque<(Version, Spare)>,
    /// Versions of which one is to be made.
    wanted: VecDeque<Shelved>,
    most: usize,
}

impl Stock {
    /// A stock of at most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { spares: VecDeque::new(), wanted: VecDeque::new(), most }
    }

    /// An instance of a version, where one waits.
    pub(super) fn take(&mut self, version: &Version) -> Option<Spare> {
        let at = self.spares.iter().rposition(|(of, _)| of == version)?;
        self.spares.remove(at).map(|(_, spare)| spare)
    }

    /// A run of this version has ended: the next one is likely to be of it too.
    pub(super) fn want(&mut self, ready: &Shelved) {
        let is_full = self.spares.len() + self.wanted.len() >= self.most;
        if self.most > 0 && ready.pace.is_quick() && !(is_full && self.has(ready.rule.version())) {
            self.wanted.push_back(ready.clone());
            self.wanted.drain(..self.wanted.len().saturating_sub(self.most));
        }
    }

    /// Makes one of those that are wanted. It takes about as long as a message.
    pub(super) fn make_one(&mut self) {
        let Some(Shelved { rule, pace }) = self.wanted.pop_front() else { return };
        let stopwatch = pace.begin();
        let spare = Spare::of(&rule);
        pace.end(&stopwatch);
        self.spares.extend(spare.map(|spare| (rule.version().clone(), spare)));
        // A version that nobody has called for the longest time gives way.
        self.spares.drain(..self.spares.len().saturating_sub(self.most));
    }

    /// How many there are, for tests.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.spares.len()
    }

    fn has(&self, version: &Version) -> bool {
        self.spares
            .iter()
            .map(|(of, _)| of)
            .chain(self.wanted.iter().map(|of| of.rule.version()))
            .any(|of| of == version)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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

    fn want_and_make(stock: &mut Stock, ready: &Shelved) {
        stock.want(ready);
        stock.make_one();
    }

    #[test]
    fn each_end_of_a_run_brings_an_instance_until_there_are_enough() {
        let (_folder, [ready]) = quick(["busy"]);
        let mut stock = Stock::new(2);
        assert!(stock.take(&"busy".into()).is_none());
        (0..5).for_each(|_| want_and_make(&mut stock, &ready));
        assert_eq!(stock.spares.len(), 2);
        assert!(stock.take(&"busy".into()).is_some());
        assert!(stock.take(&"other".into()).is_none());
        (0..5).for_each(|_| stock.want(&ready));
        assert_eq!((stock.spares.len(), stock.wanted.len()), (1, 1));
        (0..5).for_each(|_| stock.make_one());
        assert_eq!((stock.spares.len(), stock.wanted.len()), (2, 0));
    }

    #[test]
    fn the_version_that_waited_longest_gives_way_to_one_that_has_none() {
        let (_folder, [first, second, third]) = quick(["first", "second", "third"]);
        let mut stock = Stock::new(2);
        [&first, &second, &third].into_iter().for_each(|ready| want_and_make(&mut stock, ready));
        let left: Vec<_> = stock.spares.iter().map(|(version, _)| version.as_str()).collect();
        assert_eq!(left, ["second", "third"]);
    }

    #[test]
    fn nothing_is_made_of_a_slow_version_and_nothing_where_there_is_no_room() {
        let (_folder, [ready]) = quick(["slow"]);
        let mut nowhere = Stock::new(0);
        want_and_make(&mut nowhere, &ready);
        assert!(nowhere.spares.is_empty());
        ready.pace.note(Duration::from_secs(1));
        let mut stock = Stock::new(2);
        want_and_make(&mut stock, &ready);
        assert!(stock.spares.is_empty() && stock.wanted.is_empty());
    }
}
