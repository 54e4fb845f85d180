//! Rows of call records and their journals.

use std::collections::BTreeSet;
use std::sync::Arc;

use callwright_core::names::{CallId, TenantId};
use callwright_core::record::CallRecord;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{corrupt, json, nanoseconds};
use crate::calls::{CallFilter, Cursor, Ended, PAGE_MAX, PRUNE_STEP, Page, Pruned, past_each, users};
use crate::error::{FindError, Repeated, StoreError};

/// Keeps a record with its journal. One that is there already is compared and left.
pub(super) fn add(
    connection: &Connection,
    record: &CallRecord,
    journal: &[String],
) -> Result<Result<(), Repeated>, StoreError> {
    debug_assert!(journal.iter().all(|line| !line.is_empty() && !line.contains('\n')), "a value a line");
    let key = [record.tenant.as_str(), record.id.as_str()];
    let body = json("call record", record)?;
    let lines = (!journal.is_empty()).then(|| journal.join("\n"));
    let [caller, dialled, answered] = users(record).map(|user| user.map(|user| user.as_str()));
    let mut statement = connection.prepare_cached(
        "INSERT INTO calls VALUES (NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (tenant, id) DO NOTHING",
    )?;
    let ended = Ended::of(record).word();
    let added = statement.execute(params![
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
    if added == 0 {
        let same = known(connection, key)? == (body, lines);
        return Ok(if same { Ok(()) } else { Err(Repeated(record.id.clone())) });
    }
    if let Some(lines) = lines {
        connection
            .prepare_cached("INSERT INTO journals VALUES (?1, ?2)")?
            .execute(params![connection.last_insert_rowid(), lines])?;
    }
    Ok(Ok(()))
}

/// The text of a record that is there, and of its journal.
fn known(connection: &Connection, key: [&str; 2]) -> Result<(String, Option<String>), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT record, lines FROM calls LEFT JOIN journals ON call = number WHERE tenant = ?1 AND id = ?2",
    )?;
    Ok(statement.query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))?)
}

pub(super) fn list(
    connection: &Connection,
    tenant: &TenantId,
    filter: &CallFilter,
    after: Option<&Cursor>,
    limit: usize,
) -> Result<Page, StoreError> {
    let limit = limit.clamp(1, PAGE_MAX);
    // The cursor bounds the time as well, so that the index finds a late page as fast as the first.
    let since = filter.since.map_or(i64::MIN, nanoseconds);
    let until = filter.until.map_or(i64::MAX, |until| nanoseconds(until).saturating_sub(1));
    let (began, id) = after.map_or((i64::MAX, ""), |after| (nanoseconds(after.began), after.id.as_str()));
    let mut statement = connection.prepare_cached(
        "SELECT record FROM calls
         WHERE tenant = ?1 AND began BETWEEN ?2 AND ?3 AND (began < ?4 OR id < ?5)
           AND (?6 IS NULL OR ended = ?6) AND (?7 IS NULL OR dialled = ?7)
           AND (?8 IS NULL OR ?8 IN (caller_user, dialled_user, answered_user))
         ORDER BY began DESC, id DESC LIMIT ?9",
    )?;
    let mut rows = statement.query(params![
        tenant.as_str(),
        since,
        until.min(began),
        began,
        id,
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
        .prepare_cached(
            "SELECT lines FROM journals JOIN calls ON call = number WHERE tenant = ?1 AND id = ?2",
        )
        .map_err(StoreError::from)?;
    let lines: Option<String> = statement
        .query_row([tenant.as_str(), &whole], |row| row.get(0))
        .optional()
        .map_err(StoreError::from)?;
    Ok(lines.iter().flat_map(|lines| lines.lines()).map(str::to_owned).collect())
}

/// The newest records of each tenant, oldest first.
pub(super) fn past(connection: &Connection) -> Result<Vec<Arc<CallRecord>>, StoreError> {
    let mut tenants = connection.prepare("SELECT tenant FROM call_counts WHERE kept > 0")?;
    let tenants: Vec<String> = tenants.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let each = i64::try_from(past_each(tenants.len())).unwrap_or(i64::MAX);
    let mut newest = connection
        .prepare("SELECT record FROM calls WHERE tenant = ?1 ORDER BY began DESC, id DESC LIMIT ?2")?;
    let mut past = Vec::new();
    for tenant in &tenants {
        let mut rows = newest.query(params![tenant, each])?;
        while let Some(row) = rows.next()? {
            past.push(Arc::new(parse(&row.get::<_, String>(0)?)?));
        }
    }
    past.sort_by(|one, other| (one.ended, &one.id).cmp(&(other.ended, &other.id)));
    Ok(past)
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

/// The rows that a pruning is to remove: what is older than `before`, and of each tenant the oldest beyond `keep_max`.
/// The time it takes depends on what is removed and not on what is kept.
pub(super) fn doomed(
    connection: &Connection,
    before: Timestamp,
    keep_max: u64,
) -> Result<Doomed, StoreError> {
    let step = usize::try_from(PRUNE_STEP).unwrap_or(usize::MAX);
    let one_more = i64::try_from(PRUNE_STEP).unwrap_or(i64::MAX).saturating_add(1);
    let keep_max = i64::try_from(keep_max).unwrap_or(i64::MAX);
    let mut rows = BTreeSet::new();
    let mut old =
        connection.prepare_cached("SELECT number FROM calls WHERE began < ?1 ORDER BY began LIMIT ?2")?;
    for row in old.query_map([nanoseconds(before), one_more], |row| row.get(0))? {
        rows.insert(row?);
    }
    let mut crowded = connection.prepare_cached("SELECT tenant, kept FROM call_counts WHERE kept > ?1")?;
    let crowded =
        crowded.query_map([keep_max], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
    let mut oldest = connection
        .prepare_cached("SELECT number FROM calls WHERE tenant = ?1 ORDER BY began, id LIMIT ?2")?;
    for tenant in crowded {
        let (tenant, kept) = tenant?;
        for row in oldest.query_map(params![tenant, (kept - keep_max).min(one_more)], |row| row.get(0))? {
            rows.insert(row?);
        }
    }
    let more = rows.len() > step;
    Ok(Doomed { rows: rows.into_iter().take(step).collect(), more })
}

/// What one pruning removes, and whether there is more to remove.
pub(super) struct Doomed {
    rows: Vec<i64>,
    more: bool,
}

/// Removes rows; their journals go with them.
pub(super) fn remove(connection: &Connection, doomed: &Doomed) -> Result<Pruned, StoreError> {
    let mut statement = connection.prepare_cached("DELETE FROM calls WHERE number = ?1")?;
    let mut pruned = Pruned { calls: 0, more: doomed.more };
    for row in &doomed.rows {
        pruned.calls += statement.execute([row])? as u64;
    }
    Ok(pruned)
}

fn parse(body: &str) -> Result<CallRecord, StoreError> {
    serde_json::from_str(body).map_err(|source| corrupt("call record", source))
}
