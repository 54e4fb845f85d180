//! Rows of events.

use callwright_core::names::{TenantId, UserId};
use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::{corrupt, forget_oldest, json, nanoseconds, timestamp};
use crate::error::StoreError;
use crate::events::{EVENTS_MAX, EVENTS_PAGE_MAX, Event, Happened};

pub(super) fn add(
    connection: &Connection,
    tenant: &TenantId,
    what: &Happened,
    at: Timestamp,
) -> Result<(), StoreError> {
    let about = what.about().map(UserId::as_str);
    connection
        .prepare_cached("INSERT INTO events (tenant, at, what, about) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![tenant.as_str(), nanoseconds(at), json("event", what)?, about])?;
    forget_oldest(connection, "events", tenant, EVENTS_MAX)
}

/// What was about a user is about nobody who is still there.
pub(super) fn forget_user(connection: &Connection, tenant: &TenantId, user: &str) -> Result<(), StoreError> {
    let sql = "UPDATE events SET about = NULL WHERE tenant = ?1 AND about = ?2";
    connection.prepare_cached(sql)?.execute(params![tenant.as_str(), user])?;
    Ok(())
}

pub(super) fn list(
    connection: &Connection,
    tenant: &TenantId,
    about: Option<&UserId>,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<Event>, StoreError> {
    let order = if after.is_some() { "ASC" } else { "DESC" };
    // Two statements, so that each has an index that finds its rows in their order.
    let of = if about.is_some() { "about = ?4" } else { "?4 IS NULL" };
    let sql = format!(
        "SELECT id, at, what FROM events WHERE tenant = ?1 AND id > ?2 AND {of} ORDER BY id {order} LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = i64::try_from(limit.clamp(1, EVENTS_PAGE_MAX)).unwrap_or(1);
    let mut rows = statement.query(params![
        tenant.as_str(),
        after.unwrap_or(i64::MIN),
        limit,
        about.map(UserId::as_str)
    ])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let what: String = row.get(2)?;
        events.push(Event {
            id: row.get(0)?,
            at: timestamp(row.get(1)?)?,
            what: serde_json::from_str(&what).map_err(|source| corrupt("event", source))?,
        });
    }
    events.sort_by_key(|event| event.id);
    Ok(events)
}
