//! Who may use the API. The secret itself is never kept: 256 random bits need no slow hash.

use std::fmt;

use callwright_core::names::{TenantId, UserId};
use jiff::Timestamp;
use serde::Serialize;

use crate::digest::Digest;

/// How many tokens are kept, revoked ones included.
pub const TOKENS_MAX: usize = 10_000;

/// SHA-256 of a token's secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenHash(Digest);

impl TokenHash {
    /// Hashes a secret as its holder sends it.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Digest::of(secret.as_bytes()))
    }

    /// The 64 hex digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.hex()
    }

    /// The name under which people speak of the token.
    #[must_use]
    pub fn id(&self) -> TokenId {
        TokenId(self.hex().chars().take(12).collect())
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", self.id())
    }
}

/// Names a token without giving it away: the first 12 hex digits of its hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TokenId(String);

impl TokenId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TokenId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What a token opens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything.
    Operator,
    /// One tenant alone.
    Tenant(TenantId),
    /// The settings of one user of a tenant.
    User(TenantId, UserId),
}

/// A token as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its name.
    pub id: TokenId,
    /// What it opens.
    pub scope: Scope,
    /// What its maker called it.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// Since when it opens nothing.
    pub revoked: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_debug_nor_id_shows_the_whole_hash() {
        let hash = TokenHash::of("cw_secret");
        assert_eq!(hash.id().as_str().len(), 12);
        assert!(!format!("{hash:?}").contains(&hash.hex()));
    }
}
