//! Who guesses at passwords, and whose next guess is not even looked at.
//!
//! A guess that is not looked at is answered as a wrong one, so that guessing learns nothing. Only a wrong answer to a
//! challenge of ours counts, and a challenge is good for one source: whoever forges source addresses blocks nobody.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use callwright_sip::Flow;

use crate::names::{Extension, TenantId};

/// Wrong passwords from one source before its guesses are held up. A person who mistypes needs fewer; a phone with an old
/// password that registers each half minute has ten minutes to be noticed.
const TRIES: u32 = 20;
/// Wrong passwords for one name before guesses at it are slowed down: five sources at their bound, so that no single one
/// can slow a person down who comes from elsewhere.
const NAME_TRIES: u32 = 100;
/// How long a source is not looked at after its last wrong password, and how long a name remembers its own.
const MEMORY: Duration = Duration::from_secs(600);
/// How often a guess at a name with too many wrong ones is looked at: 8,640 a day, whatever the number of sources.
const NAME_PAUSE: Duration = Duration::from_secs(10);
/// Sources and names that are remembered at most, each.
const REMEMBERED_MAX: usize = 10_000;

/// The wrong guesses of the last minutes.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    sources: Wrongs<IpAddr>,
    names: Wrongs<Name>,
}

/// A name in a tenant; as the source at which its phone is registered knows it, or as everybody else does.
type Name = (TenantId, Extension, Option<IpAddr>);

/// A claim to be somebody.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) tenant: TenantId,
    pub(crate) name: Extension,
    pub(crate) source: IpAddr,
    /// A phone of that name is registered from that source: it is not locked out by what others do.
    pub(crate) is_at_home: bool,
}

impl Guard {
    /// Whether the claim's password is looked at.
    pub(crate) fn looks_at(&self, now: Duration, claim: &Claim) -> bool {
        let is_barred = !claim.is_at_home
            && self.sources.of(now, &claim.source).is_some_and(|wrong| wrong.count >= TRIES);
        let name = self.names.of(now, &claim.key());
        let is_slowed = name
            .is_some_and(|wrong| wrong.count >= NAME_TRIES && now.saturating_sub(wrong.last) < NAME_PAUSE);
        !is_barred && !is_slowed
    }

    /// The claim's password was wrong.
    pub(crate) fn was_wrong(&mut self, now: Duration, claim: &Claim) {
        if self.sources.count(now, claim.source) == TRIES {
            tracing::warn!(peer = %claim.source, tries = TRIES, "a source guesses passwords: held up for ten minutes");
        }
        if self.names.count(now, claim.key()) == NAME_TRIES {
            tracing::warn!(tenant = %claim.tenant, tries = NAME_TRIES, "passwords of one name are guessed: slowed down");
        }
    }
}

impl Claim {
    fn key(&self) -> Name {
        (self.tenant.clone(), self.name.clone(), self.is_at_home.then_some(self.source))
    }
}

/// What counts as one source: an address, or the network of a subscriber of IPv6.
pub(crate) fn source_of(flow: Flow) -> IpAddr {
    match flow.peer.ip().to_canonical() {
        IpAddr::V6(address) => {
            let subscriber = u128::from(address) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(subscriber))
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// Wrong guesses by who made them.
#[derive(Debug)]
struct Wrongs<K> {
    by: BTreeMap<K, Wrong>,
    /// Until when nothing that is remembered can be old.
    swept: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Wrong {
    count: u32,
    last: Duration,
}

impl<K> Default for Wrongs<K> {
    fn default() -> Self {
        Self { by: BTreeMap::new(), swept: Duration::ZERO }
    }
}

impl<K: Ord> Wrongs<K> {
    /// What is remembered of it.
    fn of(&self, now: Duration, key: &K) -> Option<Wrong> {
        self.by.get(key).copied().filter(|wrong| now.saturating_sub(wrong.last) < MEMORY)
    }

    /// Counts one more, and says how many there are.
    fn count(&mut self, now: Duration, key: K) -> u32 {
        let count = self.of(now, &key).map_or(0, |wrong| wrong.count).saturating_add(1);
        if self.by.len() >= REMEMBERED_MAX && !self.by.contains_key(&key) {
            self.make_room(now);
        }
        self.by.insert(key, Wrong { count, last: now });
        count
    }

    /// Looking through all of them is for once a second; in between one makes room for another.
    fn make_room(&mut self, now: Duration) {
        if now >= self.swept {
            self.swept = now + Duration::from_secs(1);
            self.by.retain(|_, wrong| now.saturating_sub(wrong.last) < MEMORY);
        }
        if self.by.len() >= REMEMBERED_MAX {
            self.by.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(source: u8, name: &str) -> Claim {
        let source = IpAddr::from([192, 0, 2, source]);
        Claim { tenant: "acme".into(), name: Extension::from(name), source, is_at_home: false }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_source_that_guesses_is_looked_at_again_after_ten_minutes() {
        let mut guard = Guard::default();
        for number in 0..TRIES {
            let claim = claim(1, &format!("10{number}"));
            assert!(guard.looks_at(at(1), &claim));
            guard.was_wrong(at(1), &claim);
        }
        assert!(!guard.looks_at(at(600), &claim(1, "1001")));
        assert!(guard.looks_at(at(600), &claim(2, "1001")), "and no other source is held up");
        assert!(guard.looks_at(at(601), &claim(1, "1001")));
    }

    #[test]
    fn a_name_that_many_guess_at_is_slowed_down_and_its_phone_is_not() {
        let mut guard = Guard::default();
        for source in 0..u8::try_from(NAME_TRIES).unwrap() {
            guard.was_wrong(at(1), &claim(source, "1001"));
        }
        assert!(!guard.looks_at(at(10), &claim(200, "1001")));
        assert!(guard.looks_at(at(10), &Claim { is_at_home: true, ..claim(200, "1001") }));
        assert!(guard.looks_at(at(10), &claim(200, "1002")));
        assert!(guard.looks_at(at(11), &claim(200, "1001")));
    }

    #[test]
    fn who_shares_the_address_of_a_phone_guesses_no_more_than_others() {
        let mut guard = Guard::default();
        let claim = Claim { is_at_home: true, ..claim(1, "1001") };
        (0..NAME_TRIES).for_each(|_| guard.was_wrong(at(1), &claim));
        assert!(!guard.looks_at(at(2), &claim));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let mut wrongs = Wrongs::default();
        for key in 0..REMEMBERED_MAX + 50 {
            wrongs.count(at(1), key);
        }
        assert_eq!(wrongs.by.len(), REMEMBERED_MAX);
        wrongs.count(at(2_000), 1);
        assert!(wrongs.by.len() <= 2, "what is old goes first");
    }

    #[test]
    fn the_addresses_of_one_subscriber_are_one_source() {
        let flow = |address: &str| source_of(Flow::udp(address.parse().unwrap()));
        assert_eq!(flow("[2001:db8::1]:5060"), flow("[2001:db8::ffff:2]:5070"));
        assert_ne!(flow("[2001:db8:0:1::1]:5060"), flow("[2001:db8::1]:5060"));
        assert_eq!(flow("[::ffff:192.0.2.1]:5060"), flow("192.0.2.1:5060"));
    }
}
