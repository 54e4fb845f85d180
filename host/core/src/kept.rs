//! What a tenant's rules keep from one call to the next: small values under keys, some of them for a time only.
//!
//! The map is in the picture and one node owns it, so each operation is atomic over all calls of the tenant. It is answered
//! at once; the store follows. At most one request of a node is on its way there, with whatever has changed meanwhile behind
//! it: a rule that writes without end slows its own changes down and nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use jiff::{SignedDuration, Timestamp};

use crate::names::{CallId, TenantId, Ticket};
use crate::seam::{Change, StoreRefused};
use crate::switchboard::Switchboard;
use crate::time::{Deadline, Timer};

/// Bytes of a key.
pub const KEY_BYTES_MAX: usize = 128;
/// Bytes of a value.
pub const VALUE_BYTES_MAX: usize = 4 * 1024;
/// Keys of a tenant.
pub const KEYS_MAX: usize = 10_000;

/// Changes of one request to the store.
const CHANGES_AT_ONCE: usize = 512;
/// Values whose time is over that are removed at once; more than one operation can add.
const SWEPT_AT_ONCE: usize = 64;
/// After the store has refused.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Whose value, and its key.
pub type KeptKey = (TenantId, Arc<str>);

/// A value and how long it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptValue {
    /// As the rule wrote it.
    pub text: String,
    /// When it is over; none where it is kept for good.
    pub expires: Option<Timestamp>,
}

impl KeptValue {
    /// Whether its time is over.
    #[must_use]
    pub fn is_over(&self, at: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= at)
    }
}

/// What a rule does to a value. A time of 0 s keeps it for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptAsk {
    /// Reads.
    Get {
        /// The key.
        key: String,
    },
    /// Writes, and begins the time anew.
    Set {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// For how many seconds.
        ttl_s: u32,
    },
    /// Removes; nothing happens where there is nothing.
    Remove {
        /// The key.
        key: String,
    },
    /// Adds to a number, which is 0 where there is none. The time is that of the first addition.
    Add {
        /// The key.
        key: String,
        /// How much.
        by: i32,
        /// For how many seconds.
        ttl_s: u32,
    },
    /// Takes the key, unless something is there.
    Claim {
        /// The key.
        key: String,
        /// For how many seconds.
        ttl_s: u32,
    },
}

impl KeptAsk {
    fn key(&self) -> &str {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Remove { key }
            | Self::Add { key, .. }
            | Self::Claim { key, .. } => key,
        }
    }
}

/// What comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptAnswer {
    /// To [`KeptAsk::Get`].
    Value(Option<String>),
    /// To [`KeptAsk::Set`] and [`KeptAsk::Remove`].
    Done,
    /// To [`KeptAsk::Add`].
    Sum(i32),
    /// To [`KeptAsk::Claim`]: whether it is this call's.
    Claimed(bool),
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// The key or the value.
    #[error("a key has at most {KEY_BYTES_MAX} bytes, a value {VALUE_BYTES_MAX}")]
    TooLarge,
    /// The tenant has all the keys it may have.
    #[error("{KEYS_MAX} keys are kept already")]
    TooManyKeys,
    /// What is added to is text.
    #[error("the value is not a number")]
    NotANumber,
    /// The sum is no 32-bit number.
    #[error("the sum is out of range")]
    OutOfRange,
}

/// What the picture shows of it.
pub type KeptMap = OrdMap<KeptKey, KeptValue>;

/// Everything about the values that is not in the picture.
#[derive(Debug, Default)]
pub(crate) struct Keeper {
    keys: BTreeMap<TenantId, usize>,
    expiring: BTreeSet<(Timestamp, KeptKey)>,
    /// Changed, and not asked of the store yet.
    unsaved: BTreeSet<KeptKey>,
    /// Asked of the store, and not answered.
    saving: Option<(Ticket, Vec<KeptKey>)>,
    /// The last key that was asked: who writes much does not go first each time.
    last: Option<KeptKey>,
    /// The store has refused; not before then again.
    again_at: Option<Duration>,
}

impl Keeper {
    /// Takes over what the store has kept.
    pub(crate) fn load(&mut self, map: &KeptMap) {
        for (key, value) in map {
            *self.keys.entry(key.0.clone()).or_default() += 1;
            self.expiring.extend(value.expires.map(|at| (at, key.clone())));
        }
    }

    /// Does what a rule asks for.
    pub(crate) fn apply(
        &mut self,
        map: &mut KeptMap,
        now: Timestamp,
        (tenant, call): (&TenantId, &CallId),
        ask: KeptAsk,
    ) -> Result<KeptAnswer, KeptError> {
        self.sweep(map, now);
        if ask.key().len() > KEY_BYTES_MAX {
            return Err(KeptError::TooLarge);
        }
        let key: KeptKey = (tenant.clone(), ask.key().into());
        let there = map.get(&key).filter(|value| !value.is_over(now)).cloned();
        match ask {
            KeptAsk::Get { .. } => Ok(KeptAnswer::Value(there.map(|value| value.text))),
            KeptAsk::Set { value, ttl_s, .. } => {
                self.put(map, key, value, over_at(now, ttl_s)).map(|()| KeptAnswer::Done)
            }
            KeptAsk::Remove { .. } => {
                self.remove(map, &key);
                Ok(KeptAnswer::Done)
            }
            KeptAsk::Add { by, ttl_s, .. } => {
                let (number, expires) = match there {
                    None => (0, over_at(now, ttl_s)),
                    Some(value) => {
                        (value.text.parse::<i32>().map_err(|_| KeptError::NotANumber)?, value.expires)
                    }
                };
                let sum = number.checked_add(by).ok_or(KeptError::OutOfRange)?;
                self.put(map, key, sum.to_string(), expires).map(|()| KeptAnswer::Sum(sum))
            }
            KeptAsk::Claim { .. } if there.is_some() => Ok(KeptAnswer::Claimed(false)),
            KeptAsk::Claim { ttl_s, .. } => {
                self.put(map, key, call.to_string(), over_at(now, ttl_s)).map(|()| KeptAnswer::Claimed(true))
            }
        }
    }

    fn put(
        &mut self,
        map: &mut KeptMap,
        key: KeptKey,
        text: String,
        expires: Option<Timestamp>,
    ) -> Result<(), KeptError> {
        if text.len() > VALUE_BYTES_MAX {
            return Err(KeptError::TooLarge);
        }
        let keys = self.keys.entry(key.0.clone()).or_default();
        match map.get(&key) {
            Some(before) => {
                if let Some(at) = before.expires {
                    self.expiring.remove(&(at, key.clone()));
                }
            }
            None if *keys >= KEYS_MAX => return Err(KeptError::TooManyKeys),
            None => *keys += 1,
        }
        self.expiring.extend(expires.map(|at| (at, key.clone())));
        self.unsaved.insert(key.clone());
        map.insert(key, KeptValue { text, expires });
        Ok(())
    }

    fn remove(&mut self, map: &mut KeptMap, key: &KeptKey) {
        let Some(before) = map.remove(key) else { return };
        if let Some(at) = before.expires {
            self.expiring.remove(&(at, key.clone()));
        }
        if let Some(keys) = self.keys.get_mut(&key.0) {
            *keys = keys.saturating_sub(1);
            if *keys == 0 {
                self.keys.remove(&key.0);
            }
        }
        self.unsaved.insert(key.clone());
    }

    /// Removes values whose time is over. True where there were any.
    fn sweep(&mut self, map: &mut KeptMap, now: Timestamp) -> bool {
        let over: Vec<KeptKey> = self
            .expiring
            .iter()
            .take_while(|(at, _)| *at <= now)
            .take(SWEPT_AT_ONCE)
            .map(|(_, key)| key.clone())
            .collect();
        over.iter().for_each(|key| self.remove(map, key));
        !over.is_empty()
    }

    /// What the store is to be asked next.
    fn next(&mut self, now: Duration, at_once: usize) -> Vec<KeptKey> {
        if self.saving.is_some() || self.again_at.is_some_and(|at| at > now) {
            return Vec::new();
        }
        // From here on the store has it, and nothing is due before it answers.
        self.again_at = None;
        let after = match &self.last {
            Some(last) => self.unsaved.range((Excluded(last), Unbounded)),
            None => self.unsaved.range::<KeptKey, _>(..),
        };
        let keys: BTreeSet<KeptKey> = after.chain(self.unsaved.iter()).take(at_once).cloned().collect();
        for key in &keys {
            self.unsaved.remove(key);
        }
        self.last = keys.last().cloned();
        keys.into_iter().collect()
    }

    /// The store has answered. False where it was not about this.
    fn stored(&mut self, ticket: Ticket, is_kept: bool, now: Duration) -> bool {
        let Some((_, keys)) = self.saving.take_if(|(asked, _)| *asked == ticket) else { return false };
        self.again_at = None;
        if !is_kept {
            // What they are then, not what they were.
            self.unsaved.extend(keys);
            self.again_at = Some(now + AGAIN_AFTER);
        }
        true
    }
}

/// The values as a rule would leave them, for a call that nobody made: nothing of it is kept.
#[derive(Debug, Default)]
pub struct Rehearsal {
    keeper: Keeper,
    map: KeptMap,
}

impl Rehearsal {
    /// Begins with what is in the picture.
    #[must_use]
    pub fn of(map: &KeptMap) -> Self {
        let mut keeper = Keeper::default();
        keeper.load(map);
        Self { keeper, map: map.clone() }
    }

    /// Answers as the switch would.
    ///
    /// # Errors
    /// As [`KeptError`] says.
    pub fn keep(
        &mut self,
        now: Timestamp,
        tenant: &TenantId,
        call: &CallId,
        ask: KeptAsk,
    ) -> Result<KeptAnswer, KeptError> {
        self.keeper.apply(&mut self.map, now, (tenant, call), ask)
    }
}

impl Switchboard {
    /// Does what a rule asks for, and tells the store.
    pub(crate) fn keep(
        &mut self,
        tenant: &TenantId,
        call: &CallId,
        ask: KeptAsk,
    ) -> Result<KeptAnswer, KeptError> {
        let wall = self.now.wall;
        let mut map = self.picture.kept.clone();
        let answer = self.keeper.apply(&mut map, wall, (tenant, call), ask);
        if !self.keeper.unsaved.is_empty() {
            self.repaint().kept = map;
            self.save_kept(CHANGES_AT_ONCE);
        }
        answer
    }

    /// Removes what is over, and asks a store again that has refused.
    pub(crate) fn kept_tick(&mut self) {
        let mut map = self.picture.kept.clone();
        if self.keeper.sweep(&mut map, self.now.wall) {
            self.repaint().kept = map;
        }
        self.save_kept(CHANGES_AT_ONCE);
    }

    /// The switch is about to end: whatever has not been asked of the store is asked now.
    pub(crate) fn save_all_kept(&mut self) {
        self.keeper.saving = None;
        self.keeper.again_at = None;
        self.save_kept(usize::MAX);
    }

    fn save_kept(&mut self, at_once: usize) {
        let keys = self.keeper.next(self.now.mono, at_once);
        if keys.is_empty() {
            return;
        }
        let change =
            |key: &KeptKey| Change::Kept { key: key.clone(), value: self.picture.kept.get(key).cloned() };
        let ticket = self.store(keys.iter().map(change).collect());
        self.keeper.saving = Some((ticket, keys));
    }

    /// The store has answered. False where it was not about this.
    pub(crate) fn kept_stored(&mut self, ticket: Ticket, result: &Result<(), StoreRefused>) -> bool {
        let is_ours = self.keeper.stored(ticket, result.is_ok(), self.now.mono);
        if is_ours {
            if let Err(error) = result {
                tracing::warn!(%error, "what rules keep was not stored");
            }
            self.save_kept(CHANGES_AT_ONCE);
        }
        is_ours
    }

    /// When the store is asked again.
    pub(crate) fn kept_deadline(&self) -> Option<Deadline> {
        self.keeper.again_at.map(|at| Deadline { at, why: Timer::Store })
    }
}

fn over_at(now: Timestamp, ttl_s: u32) -> Option<Timestamp> {
    let time = SignedDuration::from_secs(i64::from(ttl_s));
    (ttl_s > 0).then(|| now.saturating_add(time).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: &str = "acme";

    /// A keeper with its map, at so many seconds.
    #[derive(Default)]
    struct Kept {
        keeper: Keeper,
        map: KeptMap,
        second: i64,
    }

    impl Kept {
        fn ask(&mut self, ask: KeptAsk) -> Result<KeptAnswer, KeptError> {
            self.of(ACME, ask)
        }

        fn of(&mut self, tenant: &str, ask: KeptAsk) -> Result<KeptAnswer, KeptError> {
            let now = Timestamp::from_second(self.second).unwrap();
            self.keeper.apply(&mut self.map, now, (&tenant.into(), &"c-1".into()), ask)
        }

        fn get(&mut self, name: &str) -> Option<String> {
            match self.ask(KeptAsk::Get { key: name.to_owned() }) {
                Ok(KeptAnswer::Value(value)) => value,
                other => panic!("{other:?}"),
            }
        }

        fn set(&mut self, name: &str, value: &str, ttl_s: u32) -> Result<KeptAnswer, KeptError> {
            self.ask(KeptAsk::Set { key: name.to_owned(), value: value.to_owned(), ttl_s })
        }

        fn add(&mut self, name: &str, by: i32, ttl_s: u32) -> Result<KeptAnswer, KeptError> {
            self.ask(KeptAsk::Add { key: name.to_owned(), by, ttl_s })
        }

        fn claim(&mut self, name: &str, ttl_s: u32) -> Result<KeptAnswer, KeptError> {
            self.ask(KeptAsk::Claim { key: name.to_owned(), ttl_s })
        }

        fn is_consistent(&self) -> bool {
            let timed = self.map.values().filter(|value| value.expires.is_some()).count();
            self.keeper.keys.values().sum::<usize>() == self.map.len() && self.keeper.expiring.len() == timed
        }
    }

    #[test]
    fn a_value_stays_until_it_is_removed_or_over() {
        let mut kept = Kept::default();
        assert_eq!(kept.get("last"), None);
        assert_eq!(kept.set("last", "ana", 0), Ok(KeptAnswer::Done));
        assert_eq!(kept.set("soon", "bob", 10), Ok(KeptAnswer::Done));
        kept.second = 9;
        assert_eq!((kept.get("last"), kept.get("soon")), (Some("ana".into()), Some("bob".into())));
        kept.second = 10;
        assert_eq!((kept.get("last"), kept.get("soon")), (Some("ana".into()), None));
        assert_eq!(kept.map.len(), 1, "what is over is removed");
        assert_eq!(kept.ask(KeptAsk::Remove { key: "last".into() }), Ok(KeptAnswer::Done));
        assert_eq!(kept.ask(KeptAsk::Remove { key: "last".into() }), Ok(KeptAnswer::Done));
        assert_eq!(kept.get("last"), None);
        assert!(kept.is_consistent());
    }

    #[test]
    fn writing_begins_the_time_anew_and_adding_does_not() {
        let mut kept = Kept::default();
        kept.set("note", "a", 10).unwrap();
        assert_eq!(kept.add("count", 2, 10), Ok(KeptAnswer::Sum(2)));
        kept.second = 5;
        kept.set("note", "b", 10).unwrap();
        assert_eq!(kept.add("count", -3, 10), Ok(KeptAnswer::Sum(-1)));
        kept.second = 10;
        assert_eq!(kept.get("note"), Some("b".into()));
        assert_eq!(kept.add("count", 1, 10), Ok(KeptAnswer::Sum(1)), "a new count");
        assert!(kept.is_consistent());
    }

    #[test]
    fn the_first_call_has_the_claim_until_its_time_is_over() {
        let mut kept = Kept::default();
        assert_eq!(kept.claim("shift", 60), Ok(KeptAnswer::Claimed(true)));
        assert_eq!(kept.claim("shift", 60), Ok(KeptAnswer::Claimed(false)));
        assert_eq!(kept.get("shift"), Some("c-1".into()));
        kept.second = 60;
        assert_eq!(kept.claim("shift", 60), Ok(KeptAnswer::Claimed(true)));
    }

    #[test]
    fn tenants_have_nothing_in_common() {
        let mut kept = Kept::default();
        kept.set("last", "ana", 0).unwrap();
        let other = kept.of("zeta", KeptAsk::Get { key: "last".into() });
        assert_eq!(other, Ok(KeptAnswer::Value(None)));
    }

    #[test]
    fn what_is_no_number_and_sums_that_are_none_are_errors() {
        let mut kept = Kept::default();
        kept.set("name", "ana", 0).unwrap();
        assert_eq!(kept.add("name", 1, 0), Err(KeptError::NotANumber));
        kept.add("much", i32::MAX, 0).unwrap();
        assert_eq!(kept.add("much", 1, 0), Err(KeptError::OutOfRange));
        assert_eq!(kept.get("much"), Some(i32::MAX.to_string()));
    }

    #[test]
    fn keys_and_values_have_bounds() {
        let mut kept = Kept::default();
        assert!(kept.set(&"k".repeat(KEY_BYTES_MAX), &"v".repeat(VALUE_BYTES_MAX), 0).is_ok());
        assert_eq!(kept.set(&"k".repeat(KEY_BYTES_MAX + 1), "v", 0), Err(KeptError::TooLarge));
        assert_eq!(kept.set("k", &"v".repeat(VALUE_BYTES_MAX + 1), 0), Err(KeptError::TooLarge));
        assert_eq!(kept.map.len(), 1);
    }

    #[test]
    fn a_tenant_with_all_its_keys_may_change_them_and_gets_room_when_some_are_over() {
        let mut kept = Kept::default();
        for number in 0..KEYS_MAX {
            kept.set(&number.to_string(), "v", 10).unwrap();
        }
        assert_eq!(kept.set("more", "v", 0), Err(KeptError::TooManyKeys));
        assert_eq!(kept.claim("more", 0), Err(KeptError::TooManyKeys));
        assert_eq!(kept.set("7", "w", 10), Ok(KeptAnswer::Done));
        assert!(kept.of("zeta", KeptAsk::Set { key: "more".into(), value: "v".into(), ttl_s: 0 }).is_ok());
        kept.second = 10;
        assert_eq!(kept.set("more", "v", 0), Ok(KeptAnswer::Done));
        assert!(kept.is_consistent());
    }

    #[test]
    fn the_store_is_asked_one_thing_after_the_other_and_again_when_it_refuses() {
        let mut kept = Kept::default();
        let ticket = |number| Ticket::of(1, number);
        for name in ["a", "b", "c"] {
            kept.set(name, "v", 0).unwrap();
        }
        let names = |keys: Vec<KeptKey>| keys.iter().map(|(_, key)| key.to_string()).collect::<Vec<_>>();
        let second = Duration::from_secs;
        let first = kept.keeper.next(second(0), 2);
        kept.keeper.saving = Some((ticket(1), first.clone()));
        assert_eq!(names(first), ["a", "b"]);
        kept.set("a", "w", 0).unwrap();
        assert_eq!(names(kept.keeper.next(second(0), 2)), [""; 0], "one request at a time");
        assert!(!kept.keeper.stored(ticket(9), true, second(0)), "another's answer");
        assert!(kept.keeper.stored(ticket(1), false, second(0)));
        assert_eq!(names(kept.keeper.next(second(0), 2)), [""; 0], "not before a second has passed");
        assert_eq!(kept.keeper.again_at, Some(second(1)));
        assert_eq!(names(kept.keeper.next(second(1), 2)), ["a", "c"], "where it stopped, and round again");
        assert_eq!(kept.keeper.again_at, None, "nothing is due before it answers");
        assert_eq!(names(kept.keeper.next(second(1), 2)), ["b"]);
    }

    #[test]
    fn what_the_store_had_kept_is_counted_and_ends_in_its_time() {
        let mut kept = Kept::default();
        kept.set("soon", "v", 10).unwrap();
        kept.set("ever", "v", 0).unwrap();
        let mut later = Kept { map: kept.map.clone(), second: 10, ..Kept::default() };
        later.keeper.load(&later.map);
        assert!(later.is_consistent());
        assert_eq!((later.get("soon"), later.get("ever")), (None, Some("v".into())));
        assert!(later.is_consistent());
    }
}
