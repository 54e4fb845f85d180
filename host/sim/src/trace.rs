//! Everything that happened in a world, in order: what is compared between two runs of one seed, and drawn as a ladder.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::glance::Glance;
use crate::ladder::Ladder;

/// The lane of the switch.
pub(crate) const SWITCH: &str = "switch";

/// What happened, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    entries: Vec<Entry>,
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// When, since the world began.
    pub(crate) at: Duration,
    /// What.
    pub(crate) what: Happened,
}

/// The kinds of things that happen.
#[derive(Clone, Debug)]
pub(crate) enum Happened {
    /// Somebody sent a message or a piece of one.
    Sent {
        /// The sender's lane.
        from: String,
        /// The receiver's lane.
        to: String,
        /// As sent.
        bytes: Bytes,
        /// Whether the network loses it.
        is_lost: bool,
    },
    /// Words beside a lane.
    Note {
        /// Which lane.
        lane: String,
        /// The words.
        text: String,
    },
}

impl Trace {
    pub(crate) fn sent(&mut self, at: Duration, from: &str, to: &str, bytes: Bytes, is_lost: bool) {
        self.entries.push(Entry {
            at,
            what: Happened::Sent { from: from.to_owned(), to: to.to_owned(), bytes, is_lost },
        });
    }

    pub(crate) fn note(&mut self, at: Duration, lane: &str, text: String) {
        self.entries.push(Entry { at, what: Happened::Note { lane: lane.to_owned(), text } });
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// SHA-256 over every entry, in hexadecimal: two runs are the same exactly when these are.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for entry in &self.entries {
            hash.update(entry.at.as_nanos().to_be_bytes());
            match &entry.what {
                Happened::Sent { from, to, bytes, is_lost } => {
                    for part in [from.as_bytes(), to.as_bytes(), bytes, &[u8::from(*is_lost)]] {
                        hash.update((part.len() as u64).to_be_bytes());
                        hash.update(part);
                    }
                }
                Happened::Note { lane, text } => {
                    for part in [lane.as_bytes(), text.as_bytes()] {
                        hash.update((part.len() as u64).to_be_bytes());
                        hash.update(part);
                    }
                }
            }
        }
        hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// The ladder of calls: registrations, keep-alives and probes are left out, and time counts from `since`.
    #[must_use]
    pub fn ladder(&self, lanes: &[&str], since: Duration) -> Ladder {
        let mut ladder = Ladder::new(lanes);
        for entry in self.entries.iter().filter(|entry| entry.at >= since) {
            let at = entry.at - since;
            match &entry.what {
                Happened::Sent { from, to, bytes, is_lost } => match Glance::of(bytes) {
                    Some(glance) if matches!(glance.method.as_str(), "REGISTER" | "OPTIONS") => {}
                    Some(_) if *is_lost => ladder.lost(at, from, to, bytes),
                    Some(_) => ladder.message(at, from, to, bytes),
                    None => {}
                },
                Happened::Note { lane, text } => ladder.note(at, lane, text),
            }
        }
        ladder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_sees_every_byte_and_every_moment() {
        let digest = |at: u64, bytes: &'static [u8]| {
            let mut trace = Trace::default();
            trace.sent(Duration::from_millis(at), "1001", SWITCH, Bytes::from_static(bytes), false);
            trace.digest()
        };
        assert_eq!(digest(1, b"a"), digest(1, b"a"));
        assert_ne!(digest(1, b"a"), digest(2, b"a"));
        assert_ne!(digest(1, b"a"), digest(1, b"b"));
    }
}
