//! Rows of call records and their journals.

use std::sync::Arc;

use callwright_core::names::{CallId, TenantId};
use callwright_core::record::CallRecord;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{corrupt, json, nanoseconds};
use crate::calls::{CallFilter, Cursor, Ended, PAGE_MAX, PRUNE_STEP, Page, Pruned, users};
use crate::error::{FindError, Repeated, StoreError};

/// Keeps a record with its journal. One that is there already is compared and left.
pub(super) fn add(
    connection: &Connection,
    record: &CallRecord,
    journal: &[String],
) -> Result<Result<(), Repeated>, StoreError> {
    debug_assert!(journal.iter().all(|line| !line.is_empty() && !line.contains('\n')), "a value a line");
    let key = [record.tenant.as_str(), record.id.as_str()];
    let mut known = connection.prepare_cached(
        "SELECT record, lines FROM calls LEFT JOIN journals USING (tenant, id) WHERE tenant = ?1 AND id = ?2",
    )?;
    let known = known
        .query_row(key, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?)))
        .optional()?;
    let body = json("call record", record)?;
    let lines = (!journal.is_empty()).then(|| journal.join("\n"));
    if let Some(known) = known {
        return Ok(if known == (body, lines) { Ok(()) } else { Err(Repeated(record.id.clone())) });
    }
    let [caller, dialled, answered] = users(record).map(|user| user.map(|user| user.as_str()));
    let mut statement =
        connection.prepare_cached("INSERT INTO calls VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    let ended = Ended::of(record).word();
    statement.execute(params![
        key[0],
        key[1],
        nanoseconds(record.began),
        ended,
        record.number,
        caller,
        dialled,
        answered,
        body
    ])?;
    if let Some(lines) = lines {
        connection
            .prepare_cached("INSERT INTO journals VALUES (?1, ?2, ?3)")?
            .execute([key[0], key[1], &lines])?;
    }
    Ok(Ok(()))
}

pub(super) fn list(
    connection: &Connection,
    tenant: &TenantId,
    filter: &CallFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let limit = limit.clamp(1, PAGE_MAX);
    // Always bounded, so that the index serves every page alike.
    let mut statement = connection.prepare_cached(
        "SELECT record FROM calls
         WHERE tenant = ?1 AND began >= ?2 AND began < ?3 AND (began, id) < (?4, ?5)
           AND (?6 IS NULL OR ended = ?6) AND (?7 IS NULL OR number = ?7)
           AND (?8 IS NULL OR ?8 IN (caller_user, dialled_user, answered_user))
         ORDER BY began DESC, id DESC LIMIT ?9",
    )?;
    let mut rows = statement.query(params![
        tenant.as_str(),
        filter.since.map_or(i64::MIN, nanoseconds),
        filter.until.map_or(i64::MAX, nanoseconds),
        after.map_or(i64::MAX, |after| nanoseconds(after.began)),
        after.map_or("", |after| after.id.as_str()),
        filter.ended.map(Ended::word),
        filter.number,
        filter.user.as_ref().map(|user| user.as_str()),
        i64::try_from(limit + 1).unwrap_or(i64::MAX),
    ])?;
    let mut page = Page::default();
    while let Some(row) = rows.next()? {
        let record = parse(&row.get::<_, String>(0)?)?;
        if page.calls.len() == limit {
            page.next = page.calls.last().map(|last| Cursor { began: last.began, id: last.id.clone() });
            break;
        }
        page.calls.push(Arc::new(record));
    }
    Ok(page)
}

pub(super) fn find(connection: &Connection, tenant: &TenantId, id: &str) -> Result<CallRecord, FindError> {
    let whole = whole_id(connection, tenant, id)?;
    let mut statement = connection
        .prepare_cached("SELECT record FROM calls WHERE tenant = ?1 AND id = ?2")
        .map_err(StoreError::from)?;
    let body: Option<String> = statement
        .query_row([tenant.as_str(), &whole], |row| row.get(0))
        .optional()
        .map_err(StoreError::from)?;
    let body = body.ok_or_else(|| FindError::Unknown(id.to_owned()))?;
    Ok(parse(&body)?)
}

pub(super) fn journal(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<Vec<String>, FindError> {
    let whole = whole_id(connection, tenant, id)?;
    let mut statement = connection
        .prepare_cached("SELECT lines FROM journals WHERE tenant = ?1 AND id = ?2")
        .map_err(StoreError::from)?;
    let lines: Option<String> = statement
        .query_row([tenant.as_str(), &whole], |row| row.get(0))
        .optional()
        .map_err(StoreError::from)?;
    Ok(lines.iter().flat_map(|lines| lines.lines()).map(str::to_owned).collect())
}

/// The one id that is `id` or alone begins with it.
fn whole_id(connection: &Connection, tenant: &TenantId, id: &str) -> Result<String, FindError> {
    let unknown = || FindError::Unknown(id.to_owned());
    if id.is_empty() {
        return Err(unknown());
    }
    let [first, second] = beginning_with(connection, tenant, id)?;
    let first = first.ok_or_else(unknown)?;
    match second {
        Some(second) if first != id => Err(FindError::Ambiguous {
            prefix: id.to_owned(),
            first: CallId::from(first),
            second: CallId::from(second),
        }),
        Some(_) | None => Ok(first),
    }
}

/// The first two ids in order that begin so; the id itself comes before all that are longer.
fn beginning_with(
    connection: &Connection,
    tenant: &TenantId,
    id: &str,
) -> Result<[Option<String>; 2], StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM calls
         WHERE tenant = ?1 AND id >= ?2 AND id < ?2 || char(1114111) AND substr(id, 1, length(?2)) = ?2
         ORDER BY id LIMIT 2",
    )?;
    let mut rows = statement.query([tenant.as_str(), id])?;
    let mut next =
        || -> Result<Option<String>, StoreError> { Ok(rows.next()?.map(|row| row.get(0)).transpose()?) };
    Ok([next()?, next()?])
}

/// The rows that a pruning is to remove, and whether there are more.
pub(super) fn doomed(
    connection: &Connection,
    before: Timestamp,
    keep_max: u64,
) -> Result<(Vec<i64>, bool), StoreError> {
    let step = usize::try_from(PRUNE_STEP).unwrap_or(usize::MAX);
    let one_more = i64::try_from(PRUNE_STEP).unwrap_or(i64::MAX).saturating_add(1);
    let mut old =
        connection.prepare_cached("SELECT rowid FROM calls WHERE began < ?1 ORDER BY began LIMIT ?2")?;
    let mut rows: Vec<i64> =
        old.query_map([nanoseconds(before), one_more], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut tenants =
        connection.prepare_cached("SELECT tenant, count(*) FROM calls WHERE began >= ?1 GROUP BY tenant")?;
    let counted: Vec<(String, i64)> = tenants
        .query_map([nanoseconds(before)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut oldest = connection.prepare_cached(
        "SELECT rowid FROM calls WHERE tenant = ?1 AND began >= ?2 ORDER BY began, id LIMIT ?3",
    )?;
    for (tenant, count) in counted {
        let excess = count.saturating_sub(i64::try_from(keep_max).unwrap_or(i64::MAX)).clamp(0, one_more);
        for row in oldest.query_map(params![tenant, nanoseconds(before), excess], |row| row.get(0))? {
            rows.push(row?);
        }
    }
    let more = rows.len() > step;
    rows.truncate(step);
    Ok((rows, more))
}

/// Removes rows; their journals go with them.
pub(super) fn remove(connection: &Connection, (rows, more): &(Vec<i64>, bool)) -> Result<Pruned, StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM calls WHERE rowid = ?1")?;
    let mut pruned = Pruned { calls: 0, more: *more };
    for row in rows {
        pruned.calls += statement.execute([row])? as u64;
    }
    Ok(pruned)
}

fn parse(body: &str) -> Result<CallRecord, StoreError> {
    serde_json::from_str(body).map_err(|source| corrupt("call record", source))
}
