//! Rows of documents and of the audit log.

use callwright_core::Kind;
use callwright_core::names::TenantId;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde_json::Value;

use super::{corrupt, events, forget_oldest, json, nanoseconds, timestamp, tokens};
use crate::documents::{
    AUDIT_MAX, Action, Applied, AuditEntry, AuditFilter, DOCUMENTS_MAX, DOCUMENTS_PAGE_MAX, Document, Edit,
    Temporary, apply,
};
use crate::error::{DocumentError, StoreError};

/// The columns of a document, as [`read`] takes them.
const COLUMNS: &str = "kind, name, live, draft, until, before, revision";

pub(super) fn edit(
    connection: &Connection,
    tenant: &TenantId,
    edits: &[Edit],
    at: Timestamp,
    by: &str,
) -> Result<Vec<Option<Document>>, DocumentError> {
    let mut documents = Vec::new();
    for edit in edits {
        let was = find(connection, tenant, edit.kind, &edit.name)?;
        let nothing = || DocumentError::Nothing { kind: edit.kind, name: edit.name.clone() };
        let is_new = was.is_none();
        let applied = apply(was, edit, at, by).ok_or_else(nothing)?;
        if is_new && count(connection, tenant)? >= DOCUMENTS_MAX {
            return Err(DocumentError::TooMany(DOCUMENTS_MAX));
        }
        match &applied.document {
            Some(document) => put(connection, tenant, document)?,
            None => remove(connection, tenant, edit, at)?,
        }
        note(connection, tenant, edit, &applied, at, by)?;
        documents.push(applied.document);
    }
    forget_oldest(connection, "audit", tenant, AUDIT_MAX)?;
    Ok(documents)
}

fn count(connection: &Connection, tenant: &TenantId) -> Result<usize, StoreError> {
    let mut statement = connection.prepare_cached("SELECT count(*) FROM documents WHERE tenant = ?1")?;
    let counted: i64 = statement.query_row([tenant.as_str()], |row| row.get(0))?;
    Ok(usize::try_from(counted).unwrap_or(usize::MAX))
}

fn put(connection: &Connection, tenant: &TenantId, document: &Document) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT OR REPLACE INTO documents (tenant, kind, name, live, draft, until, before, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let before = document.temporary.as_ref().and_then(|temporary| temporary.before.as_ref());
    statement.execute(params![
        tenant.as_str(),
        document.kind.word(),
        document.name,
        text(document.live.as_ref())?,
        document.draft.as_ref().map(|draft| json("draft", draft)).transpose()?,
        document.temporary.as_ref().map(|temporary| nanoseconds(temporary.until)),
        text(before)?,
        document.revision.cast_signed(),
    ])?;
    Ok(())
}

fn remove(connection: &Connection, tenant: &TenantId, edit: &Edit, at: Timestamp) -> Result<(), StoreError> {
    let mut statement =
        connection.prepare_cached("DELETE FROM documents WHERE tenant = ?1 AND kind = ?2 AND name = ?3")?;
    statement.execute(params![tenant.as_str(), edit.kind.word(), edit.name])?;
    if edit.kind == Kind::Tenant {
        tokens::revoke_all(connection, tenant, None, at)?;
    }
    if edit.kind == Kind::User {
        tokens::revoke_all(connection, tenant, Some(&edit.name), at)?;
        events::forget_user(connection, tenant, &edit.name)?;
    }
    Ok(())
}

fn note(
    connection: &Connection,
    tenant: &TenantId,
    edit: &Edit,
    applied: &Applied,
    at: Timestamp,
    by: &str,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO audit (tenant, kind, name, who, at, action, before, after, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    statement.execute(params![
        tenant.as_str(),
        edit.kind.word(),
        edit.name,
        by,
        nanoseconds(at),
        applied.action.word(),
        text(applied.before.as_ref())?,
        text(applied.after.as_ref())?,
        applied.until.map(nanoseconds),
    ])?;
    Ok(())
}

pub(super) fn all(connection: &Connection, tenant: &TenantId) -> Result<Vec<Document>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM documents WHERE tenant = ?1 ORDER BY kind, name");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.push(read(row, 0)?);
    }
    documents.sort_by(|one, other| (one.kind, &one.name).cmp(&(other.kind, &other.name)));
    Ok(documents)
}

pub(super) fn find(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
    name: &str,
) -> Result<Option<Document>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM documents WHERE tenant = ?1 AND kind = ?2 AND name = ?3");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params![tenant.as_str(), kind.word(), name])?;
    rows.next()?.map(|row| read(row, 0)).transpose()
}

pub(super) fn of_kind(
    connection: &Connection,
    tenant: &TenantId,
    kind: Kind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Document>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM documents WHERE tenant = ?1 AND kind = ?2 AND name > ?3 ORDER BY name LIMIT ?4"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let limit = i64::try_from(limit.clamp(1, DOCUMENTS_PAGE_MAX)).unwrap_or(1);
    let mut rows =
        statement.query(params![tenant.as_str(), kind.word(), after.unwrap_or_default(), limit])?;
    let mut documents = Vec::new();
    while let Some(row) = rows.next()? {
        documents.push(read(row, 0)?);
    }
    Ok(documents)
}

pub(super) fn tenants(connection: &Connection) -> Result<Vec<TenantId>, StoreError> {
    let mut statement = connection.prepare_cached("SELECT DISTINCT tenant FROM documents ORDER BY tenant")?;
    let names = statement.query_map([], |row| row.get::<_, String>(0).map(TenantId::from))?;
    Ok(names.collect::<Result<_, _>>()?)
}

pub(super) fn temporary(connection: &Connection) -> Result<Vec<(TenantId, Document)>, StoreError> {
    let sql = format!(
        "SELECT tenant, {COLUMNS} FROM documents WHERE until IS NOT NULL ORDER BY until, tenant, kind, name LIMIT ?1"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([i64::try_from(DOCUMENTS_PAGE_MAX).unwrap_or(1)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((TenantId::from(row.get::<_, String>(0)?), read(row, 1)?));
    }
    Ok(found)
}

pub(super) fn audit(
    connection: &Connection,
    tenant: &TenantId,
    filter: &AuditFilter,
    limit: usize,
) -> Result<Vec<AuditEntry>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, name, who, at, action, before, after, until FROM audit
         WHERE tenant = ?1 AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL OR name = ?3) AND id < ?4
         ORDER BY id DESC LIMIT ?5",
    )?;
    let limit = i64::try_from(limit.clamp(1, DOCUMENTS_PAGE_MAX)).unwrap_or(1);
    let mut rows = statement.query(params![
        tenant.as_str(),
        filter.kind.map(Kind::word),
        filter.name,
        filter.before.unwrap_or(i64::MAX),
        limit
    ])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let action: String = row.get(5)?;
        entries.push(AuditEntry {
            id: row.get(0)?,
            kind: kind(row.get(1)?)?,
            name: row.get(2)?,
            who: row.get(3)?,
            at: timestamp(row.get(4)?)?,
            action: Action::of_word(&action).ok_or_else(|| corrupt("audit entry", action))?,
            before: value(row.get(6)?)?,
            after: value(row.get(7)?)?,
            until: row.get::<_, Option<i64>>(8)?.map(timestamp).transpose()?,
        });
    }
    Ok(entries)
}

/// Reads [`COLUMNS`] that begin at `first`.
fn read(row: &Row<'_>, first: usize) -> Result<Document, StoreError> {
    let draft: Option<String> = row.get(first + 3)?;
    let draft = draft.map(|text| serde_json::from_str(&text).map_err(|source| corrupt("draft", source)));
    let until: Option<i64> = row.get(first + 4)?;
    let before = value(row.get(first + 5)?)?;
    let temporary = until.map(|until| Ok::<_, StoreError>(Temporary { until: timestamp(until)?, before }));
    Ok(Document {
        kind: kind(row.get(first)?)?,
        name: row.get(first + 1)?,
        live: value(row.get(first + 2)?)?,
        draft: draft.transpose()?,
        temporary: temporary.transpose()?,
        revision: row.get::<_, i64>(first + 6)?.cast_unsigned(),
    })
}

fn kind(word: String) -> Result<Kind, StoreError> {
    Kind::of_word(&word).ok_or_else(|| corrupt("document", word))
}

fn value(text: Option<String>) -> Result<Option<Value>, StoreError> {
    text.map(|text| serde_json::from_str(&text).map_err(|source| corrupt("document", source))).transpose()
}

fn text(value: Option<&Value>) -> Result<Option<String>, StoreError> {
    value.map(|value| json("document", value)).transpose()
}
