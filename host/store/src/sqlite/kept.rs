//! Rows of what rules keep.

use callwright_core::kept::{KeptKey, KeptValue};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{nanoseconds, timestamp};
use crate::error::StoreError;

/// Keeps a value, or removes it.
pub(super) fn put(
    connection: &Connection,
    (tenant, key): &KeptKey,
    value: Option<&KeptValue>,
) -> Result<(), StoreError> {
    match value {
        Some(KeptValue { text, expires }) => {
            let mut statement =
                connection.prepare_cached("INSERT OR REPLACE INTO kept VALUES (?1, ?2, ?3, ?4)")?;
            statement.execute(params![tenant.as_str(), &**key, text, expires.map(nanoseconds)])?;
        }
        None => {
            let mut statement =
                connection.prepare_cached("DELETE FROM kept WHERE tenant = ?1 AND key = ?2")?;
            statement.execute([tenant.as_str(), &**key])?;
        }
    }
    Ok(())
}

/// Everything whose time is not over; the rest is removed.
pub(super) fn restore(
    connection: &Connection,
    now: Timestamp,
) -> Result<Vec<(KeptKey, KeptValue)>, StoreError> {
    connection.execute("DELETE FROM kept WHERE expires <= ?1", [nanoseconds(now)])?;
    let mut statement =
        connection.prepare("SELECT tenant, key, value, expires FROM kept ORDER BY tenant, key")?;
    let mut rows = statement.query([])?;
    let mut kept = Vec::new();
    while let Some(row) = rows.next()? {
        let key = (row.get::<_, String>(0)?.into(), row.get::<_, String>(1)?.into());
        let expires = row.get::<_, Option<i64>>(3)?.map(timestamp).transpose()?;
        kept.push((key, KeptValue { text: row.get(2)?, expires }));
    }
    Ok(kept)
}
