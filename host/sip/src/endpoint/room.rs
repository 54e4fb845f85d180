//! Tables give memory back once a flood is over; by themselves they keep what they needed at the most.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// A table has room for at most so many times what it holds, and for so many more.
const FACTOR: usize = 8;
const SPARE: usize = 4_096;

/// Whether a table with room for `capacity` holds so little that it should be smaller.
pub(super) fn is_too_roomy(capacity: usize, len: usize) -> bool {
    capacity > len * FACTOR + SPARE
}

/// Makes a table smaller that holds little: after the registrations of 100,000 phones those of transactions would keep
/// 40 MiB. A table is made anew once for the many that were taken out of it, so that each costs hardly anything.
pub(super) fn give_back<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if is_too_roomy(table.capacity(), table.len()) {
        table.shrink_to(table.len() * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_shrinks_with_what_it_holds_and_loses_nothing() {
        let mut table: HashMap<usize, usize> = (0..100_000).map(|number| (number, number)).collect();
        for number in 100..100_000 {
            table.remove(&number);
            give_back(&mut table);
            assert!(table.capacity() <= 2 * (table.len() * FACTOR + SPARE), "{}", table.len());
        }
        assert!((0..100).all(|number| table.get(&number) == Some(&number)));
    }
}
