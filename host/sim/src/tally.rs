//! How often the rare things happened that a swarm exists for.

use std::collections::BTreeMap;
use std::fmt;

/// A rare thing that a swarm must meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rare {
    /// A leg answered after another had won, or twice.
    SecondAnswer,
    /// A leg's 200 met our CANCEL on the way.
    CancelCrossesAnswer,
    /// An INVITE reached the switch again.
    RetransmittedInvite,
    /// A leg answered after its time was over.
    AnswerAfterTimeout,
    /// A rule trapped while its phones rang.
    TrapInRing,
    /// A rule spent all its fuel.
    FuelExhausted,
    /// The caller hung up while phones rang.
    CallerGoneInRing,
    /// A binding ran out while its phone rang.
    BindingExpiredInRing,
    /// Two re-INVITEs met.
    Glare,
    /// A phone closed its connection.
    ConnectionClosed,
    /// The switch was killed while calls were up.
    KilledInCall,
    /// The calendar's clock was set while calls were up.
    ClockSetInCall,
    /// The switch drained while calls were up.
    DrainedInCall,
    /// The store refused a change.
    StoreRefused,
    /// The store took longer than anybody waits for it.
    StoreTooSlow,
    /// A rule was late with its first word.
    LateWord,
    /// A word of a run arrived after it had been stopped.
    WordAfterStop,
    /// A rule trapped instead of ringing.
    TrapAtRing,
    /// A rule trapped when its ring was over.
    TrapAfterRing,
    /// A rule trapped instead of handing over.
    TrapAtStandard,
    /// A rule trapped when it had handed over.
    TrapAfterStandard,
    /// A rule trapped instead of refusing.
    TrapAtRefuse,
    /// A rule trapped when it had refused.
    TrapAfterRefuse,
    /// A rule trapped instead of using the store.
    TrapAtStore,
    /// A rule trapped when it had used the store.
    TrapAfterStore,
}

impl Rare {
    /// All of them.
    pub const ALL: [Self; 25] = [
        Self::SecondAnswer,
        Self::CancelCrossesAnswer,
        Self::RetransmittedInvite,
        Self::AnswerAfterTimeout,
        Self::TrapInRing,
        Self::FuelExhausted,
        Self::CallerGoneInRing,
        Self::BindingExpiredInRing,
        Self::Glare,
        Self::ConnectionClosed,
        Self::KilledInCall,
        Self::ClockSetInCall,
        Self::DrainedInCall,
        Self::StoreRefused,
        Self::StoreTooSlow,
        Self::LateWord,
        Self::WordAfterStop,
        Self::TrapAtRing,
        Self::TrapAfterRing,
        Self::TrapAtStandard,
        Self::TrapAfterStandard,
        Self::TrapAtRefuse,
        Self::TrapAfterRefuse,
        Self::TrapAtStore,
        Self::TrapAfterStore,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::SecondAnswer => "second 2xx",
            Self::CancelCrossesAnswer => "CANCEL crossing 200",
            Self::RetransmittedInvite => "retransmitted INVITE",
            Self::AnswerAfterTimeout => "answer after time-out",
            Self::TrapInRing => "trap in a ring",
            Self::FuelExhausted => "fuel exhausted",
            Self::CallerGoneInRing => "caller gone in a ring",
            Self::BindingExpiredInRing => "binding expired in a ring",
            Self::Glare => "re-INVITE glare",
            Self::ConnectionClosed => "TCP peer closed",
            Self::KilledInCall => "killed with calls up",
            Self::ClockSetInCall => "clock set with calls up",
            Self::DrainedInCall => "drained with calls up",
            Self::StoreRefused => "store refused",
            Self::StoreTooSlow => "store too slow",
            Self::LateWord => "rule late with its word",
            Self::WordAfterStop => "word of a stopped run",
            Self::TrapAtRing => "trap at a ring",
            Self::TrapAfterRing => "trap after a ring",
            Self::TrapAtStandard => "trap at standard",
            Self::TrapAfterStandard => "trap after standard",
            Self::TrapAtRefuse => "trap at a refusal",
            Self::TrapAfterRefuse => "trap after a refusal",
            Self::TrapAtStore => "trap at the store",
            Self::TrapAfterStore => "trap after the store",
        }
    }
}

impl fmt::Display for Rare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

/// Counts of rare things.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Rare, u64>);

impl Tally {
    /// Counts one.
    pub(crate) fn count(&mut self, rare: Rare) {
        *self.0.entry(rare).or_default() += 1;
    }

    /// Adds another world's counts.
    pub fn add(&mut self, other: &Self) {
        for (rare, count) in &other.0 {
            *self.0.entry(*rare).or_default() += count;
        }
    }

    /// How often that happened.
    #[must_use]
    pub fn of(&self, rare: Rare) -> u64 {
        self.0.get(&rare).copied().unwrap_or(0)
    }

    /// Everything rare, and how often it happened.
    pub fn counts(&self) -> impl Iterator<Item = (Rare, u64)> {
        Rare::ALL.into_iter().map(|rare| (rare, self.of(rare)))
    }

    /// What never happened.
    #[must_use]
    pub fn missing(&self) -> Vec<Rare> {
        self.counts().filter(|(_, count)| *count == 0).map(|(rare, _)| rare).collect()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.counts().try_for_each(|(rare, count)| writeln!(f, "  {rare:<26} {count:>7}"))
    }
}
