//! Tags, Call-IDs and branches: they begin with the node's number, and nobody can guess the rest.

use crate::text::Text;
use hmac::{Hmac, KeyInit, Mac};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use sha2::Sha256;

/// RFC 4648 §6 without padding, in lower case: no byte of it needs an escape anywhere in SIP.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 16 letters are 80 bits.
const LETTERS: u32 = 16;

/// The node's number and the letters.
const TOKEN_BYTES: usize = 20;

/// The node that minted a token; none where it is no token of ours.
pub(crate) fn node_of(token: &[u8]) -> Option<u16> {
    let digits = token.get(..4).filter(|_| token.len() == TOKEN_BYTES)?;
    digits.iter().try_fold(0, |number, digit| match digit {
        b'0'..=b'9' => Some(number << 4 | u16::from(digit - b'0')),
        b'a'..=b'f' => Some(number << 4 | u16::from(digit - b'a' + 10)),
        0..=255 => None,
    })
}

pub(super) struct Minter {
    node: u16,
    /// The node's number in four hexadecimal digits.
    prefix: Vec<u8>,
    rng: ChaCha12Rng,
    key: [u8; 64],
}

impl Minter {
    pub(super) fn new(node: u16, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut key = [0; 64];
        rng.fill_bytes(&mut key);
        Self { node, prefix: format!("{node:04x}").into_bytes(), rng, key }
    }

    /// A token nobody has seen before.
    pub(super) fn mint(&mut self) -> Text {
        let bits = u128::from(self.rng.next_u64()) << 64 | u128::from(self.rng.next_u64());
        self.token(bits)
    }

    /// The token of these facts, the same whenever they come again.
    pub(super) fn derive(&self, facts: &[&[u8]]) -> Text {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.key.into());
        for fact in facts {
            mac.update(&fact.len().to_be_bytes());
            mac.update(fact);
        }
        let digest = mac.finalize().into_bytes();
        let bits = digest.iter().take(16).fold(0, |sum: u128, byte| sum << 8 | u128::from(*byte));
        self.token(bits)
    }

    fn token(&self, bits: u128) -> Text {
        let mut token = Vec::with_capacity(TOKEN_BYTES);
        token.extend_from_slice(&self.prefix);
        for letter in 0..LETTERS {
            let index = (bits >> (5 * letter)) & 31;
            // The index is below 32, the length of the alphabet.
            token.extend(ALPHABET.get(usize::try_from(index).unwrap_or(0)));
        }
        Text::from(token)
    }
}

impl std::fmt::Debug for Minter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minter").field("node", &self.node).finish_non_exhaustive()
    }
}
