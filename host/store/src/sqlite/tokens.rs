//! Rows of tokens and host keys.

use callwright_core::names::TenantId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use super::{nanoseconds, timestamp};
use crate::error::StoreError;
use crate::tokens::{Scope, TOKENS_MAX, Token, TokenHash, TokenId};

pub(super) fn add(
    connection: &Connection,
    hash: &TokenHash,
    scope: &Scope,
    label: &str,
    at: Timestamp,
) -> Result<Token, StoreError> {
    if let Some(kept) = of_hash(connection, hash)? {
        return Ok(kept);
    }
    let counted: i64 = connection.query_row("SELECT count(*) FROM tokens", [], |row| row.get(0))?;
    if usize::try_from(counted).unwrap_or(usize::MAX) >= TOKENS_MAX {
        return Err(StoreError::TooManyTokens(TOKENS_MAX));
    }
    let (tenant, user) = match scope {
        Scope::Operator => (None, None),
        Scope::Tenant(tenant) => (Some(tenant.as_str()), None),
        Scope::User(tenant, user) => (Some(tenant.as_str()), Some(user.as_str())),
    };
    connection.execute(
        "INSERT INTO tokens (hash, id, tenant, user, label, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![hash.hex(), hash.id().as_str(), tenant, user, label, nanoseconds(at)],
    )?;
    Ok(Token { id: hash.id(), scope: scope.clone(), label: label.to_owned(), created: at, revoked: None })
}

/// The token with that hash, revoked or not.
pub(super) fn of_hash(connection: &Connection, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, tenant, user, label, created, revoked FROM tokens WHERE hash = ?1")?;
    let mut rows = statement.query([hash.hex()])?;
    rows.next()?.map(token).transpose()
}

pub(super) fn list(connection: &Connection) -> Result<Vec<Token>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, tenant, user, label, created, revoked FROM tokens ORDER BY number")?;
    let mut rows = statement.query([])?;
    let mut tokens = Vec::new();
    while let Some(row) = rows.next()? {
        tokens.push(token(row)?);
    }
    Ok(tokens)
}

pub(super) fn revoke(connection: &Connection, id: &TokenId, at: Timestamp) -> Result<bool, StoreError> {
    let revoked = connection.execute(
        "UPDATE tokens SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
        params![id.as_str(), nanoseconds(at)],
    )?;
    Ok(revoked > 0)
}

/// Those of one user of a tenant, or of the tenant and all its users.
pub(super) fn revoke_all(
    connection: &Connection,
    tenant: &TenantId,
    user: Option<&str>,
    at: Timestamp,
) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE tokens SET revoked = ?3 WHERE tenant = ?1 AND (?2 IS NULL OR user = ?2) AND revoked IS NULL",
        params![tenant.as_str(), user, nanoseconds(at)],
    )?;
    Ok(())
}

pub(super) fn host_key(connection: &Connection, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    connection.execute("INSERT OR IGNORE INTO host_keys VALUES (?1, ?2)", params![name, value])?;
    Ok(connection.query_row("SELECT value FROM host_keys WHERE name = ?1", [name], |row| row.get(0))?)
}

fn token(row: &Row<'_>) -> Result<Token, StoreError> {
    let (tenant, user): (Option<String>, Option<String>) = (row.get(1)?, row.get(2)?);
    let scope = match (tenant, user) {
        (None, _) => Scope::Operator,
        (Some(tenant), None) => Scope::Tenant(tenant.into()),
        (Some(tenant), Some(user)) => Scope::User(tenant.into(), user.into()),
    };
    Ok(Token {
        id: TokenId::from(row.get::<_, String>(0)?.as_str()),
        scope,
        label: row.get(3)?,
        created: timestamp(row.get(4)?)?,
        revoked: row.get::<_, Option<i64>>(5)?.map(timestamp).transpose()?,
    })
}
