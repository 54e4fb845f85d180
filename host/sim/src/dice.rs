//! Chance, seeded: everything random in the virtual world comes from here and can be rolled again.

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// One stream of random numbers. Two streams of one seed with different names do not disturb each other.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream `name` of `seed`.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self(ChaCha8Rng::from_seed(seed_bytes(seed, name)))
    }

    /// A number below `bound`; 0 where `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        match bound {
            0 => 0,
            // The bias of the remainder is far below what a test could notice.
            bound => self.0.next_u64() % bound,
        }
    }

    /// True in `per_mille` of 1,000 cases.
    pub(crate) fn chance(&mut self, per_mille: u16) -> bool {
        self.below(1000) < u64::from(per_mille)
    }

    /// A duration from `low` to `high`, both included, in whole milliseconds.
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low);
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX - 1);
        low + Duration::from_millis(self.below(millis + 1))
    }

    /// One of `items`; none where there are none.
    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        items.get(index)
    }
}

/// 32 bytes for a part of the world that seeds itself.
pub(crate) fn seed_bytes(seed: u64, name: &str) -> [u8; 32] {
    Sha256::new().chain_update(seed.to_be_bytes()).chain_update(name).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_and_differs_from_its_neighbours() {
        let roll = |seed, name: &str| {
            let mut dice = Dice::new(seed, name);
            [dice.below(1 << 60), dice.below(1 << 60)]
        };
        assert_eq!(roll(7, "link"), roll(7, "link"));
        assert_ne!(roll(7, "link"), roll(7, "phone"));
        assert_ne!(roll(7, "link"), roll(8, "link"));
    }

    #[test]
    fn bounds_hold_at_their_edges() {
        let mut dice = Dice::new(1, "edges");
        assert_eq!(dice.below(0), 0);
        assert!(!dice.chance(0));
        assert!(dice.chance(1000));
        assert_eq!(dice.pick::<u8>(&[]), None);
        let second = Duration::from_secs(1);
        assert_eq!(dice.between(second, second), second);
    }
}
