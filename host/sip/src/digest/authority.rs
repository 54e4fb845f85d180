//! The side that challenges.
//!
//! A nonce is its time, a number and a MAC over both, the source, the realm and the algorithm: nothing is stored for a
//! challenge, so that strangers cannot fill anything, and nobody answers from elsewhere what was asked here. Only a
//! nonce that a right password came with is remembered, for its counts.

use super::{Algorithm, Challenge, Credentials, DigestError, Secret, expected, hex};
use crate::method::Method;
use crate::text::Text;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// The most nonces whose counts are remembered; beyond it the oldest are stale early.
pub const NONCES_MAX: usize = 65_536;

/// How many counts behind the highest one may still come, for datagrams overtake each other.
const WINDOW: u32 = 64;

/// Bytes of the MAC that stand in a nonce.
const MAC_BYTES: usize = 16;

/// Hexadecimal digits of time and number, before the MAC.
const FACTS_DIGITS: usize = 24;

/// Challenges and verifies for every realm of a node.
pub struct Authority {
    /// Keyed, and fed nothing yet.
    mac: Hmac<Sha256>,
    nobody: Secret,
    lifetime: Duration,
    nonces_max: usize,
    issued: u64,
    /// By age, for a nonce begins with its time.
    used: BTreeMap<Issue, Counts>,
    /// Nonces up to this one may have been forgotten.
    forgotten: Option<Issue>,
}

/// When a nonce was made, in milliseconds, and as which one.
type Issue = (u64, u64);

/// Which counts of a nonce have come: the highest, and those behind it as bits.
#[derive(Default, Debug)]
struct Counts {
    highest: u32,
    seen: u64,
}

impl Authority {
    /// An authority whose nonces are good for `lifetime`; `secret` is drawn anew at each start.
    pub fn new(secret: [u8; 32], lifetime: Duration) -> Self {
        Self::with_capacity(secret, lifetime, NONCES_MAX)
    }

    /// The same, which remembers the counts of at most `nonces_max` nonces.
    pub fn with_capacity(secret: [u8; 32], lifetime: Duration, nonces_max: usize) -> Self {
        let mut key = [0; 64];
        for (place, byte) in key.iter_mut().zip(secret) {
            *place = byte;
        }
        let mac = <Hmac<Sha256> as KeyInit>::new(&key.into());
        let nobody = Secret::new(nonce(&mac, (0, 0), Ipv4Addr::UNSPECIFIED.into(), "", Algorithm::Sha256));
        Self { mac, nobody, lifetime, nonces_max, issued: 0, used: BTreeMap::new(), forgotten: None }
    }

    /// The value of WWW-Authenticate for a request from `source` that proved nothing; it is good for that source alone.
    pub fn challenge(
        &mut self,
        now: Duration,
        source: IpAddr,
        realm: &str,
        algorithm: Algorithm,
        stale: bool,
    ) -> Text {
        self.issued += 1;
        let issue = (millis(now), self.issued);
        let nonce = nonce(&self.mac, issue, source, realm, algorithm);
        let (realm, opaque) = (realm.to_owned(), None);
        Text::from(Challenge { realm, nonce, opaque, algorithm, offers_auth: true, stale }.to_string())
    }

    /// Checks that the request comes from somebody at `source` who knows the password.
    ///
    /// The realm and algorithm must be those of the challenge; that `credentials.realm` is the realm whose `password`
    /// this is, and that the username may do what it asks, is the caller's to check.
    ///
    /// # Errors
    /// [`DigestError::Stale`] and [`DigestError::Replayed`] deserve a new challenge with `stale`, which the phone
    /// answers without asking anybody; the others one without.
    pub fn verify(
        &mut self,
        now: Duration,
        source: IpAddr,
        method: &Method,
        credentials: &Credentials,
        password: &Secret,
    ) -> Result<(), DigestError> {
        let count = credentials.qop.as_ref().map(|qop| qop.nc).ok_or(DigestError::Qop)?;
        let issue = self.issue_of(source, credentials).ok_or(DigestError::Stale)?;
        let age = millis(now).checked_sub(issue.0).ok_or(DigestError::Stale)?;
        if u128::from(age) > self.lifetime.as_millis() || self.forgotten.is_some_and(|last| issue <= last) {
            return Err(DigestError::Stale);
        }
        let wanted = expected(credentials, method, password);
        let given = credentials.response.to_ascii_lowercase();
        if !bool::from(wanted.as_bytes().ct_eq(given.as_bytes())) {
            return Err(DigestError::WrongPassword);
        }
        self.forget_old(now);
        if !self.used.entry(issue).or_default().take(count) {
            return Err(DigestError::Replayed);
        }
        if self.used.len() > self.nonces_max
            && let Some((oldest, _)) = self.used.pop_first()
        {
            self.forgotten = self.forgotten.max(Some(oldest));
        }
        Ok(())
    }

    /// The password of a user who does not exist, to verify against all the same: so the answer takes as long, and since
    /// nobody can know it, strangers get no nonce remembered.
    pub fn nobody(&self) -> Secret {
        self.nobody.clone()
    }

    /// When the nonce was made, if it was made here for this source, realm and algorithm.
    fn issue_of(&self, source: IpAddr, credentials: &Credentials) -> Option<Issue> {
        let facts = credentials.nonce.get(..FACTS_DIGITS)?;
        let millis = u64::from_str_radix(facts.get(..12)?, 16).ok()?;
        let number = u64::from_str_radix(facts.get(12..)?, 16).ok()?;
        let ours = nonce(&self.mac, (millis, number), source, &credentials.realm, credentials.algorithm);
        bool::from(ours.as_bytes().ct_eq(credentials.nonce.as_bytes())).then_some((millis, number))
    }

    /// A nonce past its lifetime is refused for its time and needs no memory.
    fn forget_old(&mut self, now: Duration) {
        let Some(end) = now.checked_sub(self.lifetime).map(millis) else { return };
        while let Some(entry) = self.used.first_entry().filter(|entry| entry.key().0 < end) {
            entry.remove();
        }
    }
}

fn nonce(
    mac: &Hmac<Sha256>,
    (millis, number): Issue,
    source: IpAddr,
    realm: &str,
    algorithm: Algorithm,
) -> String {
    let facts = format!("{millis:012x}{number:012x}");
    let mut mac = mac.clone();
    for part in [&facts, algorithm.as_str(), realm] {
        mac.update(part.as_bytes());
    }
    match source {
        IpAddr::V4(address) => mac.update(&address.octets()),
        IpAddr::V6(address) => mac.update(&address.octets()),
    }
    let digest = mac.finalize().into_bytes();
    facts + &hex(digest.get(..MAC_BYTES).unwrap_or(&digest))
}

impl Counts {
    /// Takes a count; false where it came before, or is so far behind that nobody knows.
    fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.seen = self.seen.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let behind = self.highest - count;
        let bit = 1_u64.checked_shl(behind).unwrap_or(0);
        let fresh = count > 0 && behind < WINDOW && self.seen & bit == 0;
        self.seen |= bit;
        fresh
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("issued", &self.issued)
            .field("used", &self.used.len())
            .finish_non_exhaustive()
    }
}
