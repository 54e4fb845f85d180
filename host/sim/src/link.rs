//! The wires between phones and switch, and what they do to messages.

use std::time::Duration;

use bytes::Bytes;

use crate::dice::Dice;

/// How one phone is connected. The default loses nothing and takes no time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// How long every message takes.
    pub delay: Duration,
    /// How much longer it may take, at random.
    pub jitter: Duration,
    /// How many of 1,000 datagrams are lost.
    pub loss_per_mille: u16,
    /// How many of 1,000 datagrams arrive twice.
    pub duplicate_per_mille: u16,
    /// How many of 1,000 datagrams are held back so that later ones overtake them.
    pub reorder_per_mille: u16,
    /// How many of 1,000 stream writes arrive cut into several chunks.
    pub cut_per_mille: u16,
}

/// How long an overtaken datagram is held back.
const HELD_BACK: Duration = Duration::from_millis(120);

/// The chunks that one stream write may be cut into.
const CHUNKS_MAX: u64 = 5;

impl Link {
    /// The same wire without its faults: everything arrives once and in order.
    #[must_use]
    pub fn without_faults(&self) -> Self {
        Self { delay: self.delay, ..Self::default() }
    }

    /// How long each copy of a datagram takes; none where it is lost.
    pub(crate) fn datagram(&self, dice: &mut Dice) -> Vec<Duration> {
        if dice.chance(self.loss_per_mille) {
            return Vec::new();
        }
        let copies = if dice.chance(self.duplicate_per_mille) { 2 } else { 1 };
        (0..copies)
            .map(|_| {
                let held = if dice.chance(self.reorder_per_mille) { HELD_BACK } else { Duration::ZERO };
                self.delay + dice.between(Duration::ZERO, self.jitter) + held
            })
            .collect()
    }

    /// How long a stream write takes. Its order is kept by the caller, who knows what went before.
    pub(crate) fn stream(&self, dice: &mut Dice) -> Duration {
        self.delay + dice.between(Duration::ZERO, self.jitter)
    }

    /// The chunks in which a stream write arrives.
    pub(crate) fn cut(&self, dice: &mut Dice, mut bytes: Bytes) -> Vec<Bytes> {
        if !dice.chance(self.cut_per_mille) {
            return vec![bytes];
        }
        let mut chunks = Vec::new();
        for _ in 0..dice.below(CHUNKS_MAX) {
            let at = usize::try_from(dice.below(bytes.len() as u64)).unwrap_or(0);
            if at > 0 {
                chunks.push(bytes.split_to(at));
            }
        }
        chunks.push(bytes);
        chunks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dice() -> Dice {
        Dice::new(3, "link")
    }

    #[test]
    fn a_perfect_link_delivers_once_at_once() {
        assert_eq!(Link::default().datagram(&mut dice()), [Duration::ZERO]);
    }

    #[test]
    fn a_link_that_loses_everything_delivers_nothing() {
        let link = Link { loss_per_mille: 1000, ..Link::default() };
        assert!(link.datagram(&mut dice()).is_empty());
        assert_eq!(link.without_faults().datagram(&mut dice()).len(), 1);
    }

    #[test]
    fn duplicates_and_held_back_datagrams_arrive() {
        let link = Link { duplicate_per_mille: 1000, reorder_per_mille: 1000, ..Link::default() };
        assert_eq!(link.datagram(&mut dice()), [HELD_BACK, HELD_BACK]);
    }

    #[test]
    fn a_cut_stream_has_all_its_bytes_in_order() {
        let link = Link { cut_per_mille: 1000, ..Link::default() };
        let whole = Bytes::from_static(b"INVITE sip:ana@acme.example SIP/2.0\r\n\r\n");
        let mut dice = dice();
        let cuts = (0..50).map(|_| link.cut(&mut dice, whole.clone())).collect::<Vec<_>>();
        assert!(cuts.iter().all(|chunks| chunks.concat() == whole));
        assert!(cuts.iter().any(|chunks| chunks.len() > 2));
    }
}
