//! The store of the daemon: one SQLite file, write-ahead log, flushed at each commit.

mod bindings;
mod calls;
mod documents;
mod events;
mod kept;
mod rules;
mod schema;
mod tokens;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use callwright_core::names::{RuleName, TenantId, UserId, Version};
use callwright_core::record::CallRecord;
use callwright_core::rule::ActiveRule;
use callwright_core::{Change, Kind};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use crate::calls::{CallFilter, Cursor, Page, Pruned};
use crate::documents::{AuditEntry, AuditFilter, Document, Edit};
use crate::error::{DocumentError, FindError, Repeated, RuleError, StoreError};
use crate::events::{Event, Happened};
use crate::store::{Restored, Store};
use crate::tokens::{Scope, Token, TokenHash, TokenId};
use crate::versions::{Activation, How, NewVersion, RuleVersion, VersionState};

/// How long a write waits for another process, as `callwright token new` beside a running switch.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages of the log after which they go into the file. Index pages are written by nearly every call: the more calls one
/// checkpoint has, the fewer times a call they are copied.
const CHECKPOINT_PAGES: u32 = 4_000;
/// KiB of pages that a connection keeps; the right and the busy pages of all indices.
const CACHE_KIB: i32 = 8_192;

/// How many prepared statements a connection keeps; more than this crate has.
const STATEMENTS_KEPT: usize = 64;

/// One database file: a connection for writing, another for asking, so that no query waits for a flush.
#[derive(Debug)]
pub struct Sqlite {
    writing: Mutex<Connection>,
    asking: Mutex<Connection>,
}

impl Sqlite {
    /// Opens the database at `path`, makes it where it is missing (readable by the owner alone), and brings it to
    /// today's schema.
    ///
    /// # Errors
    /// The file cannot be used, is no database, or was written by a newer program.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        make(path).map_err(|source| StoreError::File { path: path.to_owned(), source })?;
        let mut writing = connect(path)?;
        schema::migrate(&mut writing)?;
        let asking = connect(path)?;
        asking.pragma_update(None, "query_only", true)?;
        Ok(Self { writing: Mutex::new(writing), asking: Mutex::new(asking) })
    }

    fn asking(&self) -> MutexGuard<'_, Connection> {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something in one transaction, all or none.
    fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StoreError::from)?;
        let done = work(&mut transaction)?;
        transaction.commit().map_err(StoreError::from)?;
        Ok(done)
    }
}

/// Makes the file before SQLite does, which would let everybody read it.
fn make(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)?.sync_all()?;
    File::open(fs::canonicalize(folder)?)?.sync_all()
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    // Otherwise a statement is planned anew for each value it is asked with, though no statistics are kept to plan by.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

impl Store for Sqlite {
    fn commit(&self, groups: &[&[Change]]) -> Result<Vec<Result<(), Repeated>>, StoreError> {
        self.write(|transaction| groups.iter().map(|group| commit_group(transaction, group)).collect())
    }

    fn restore(&self, now: Timestamp) -> Result<Restored, StoreError> {
        self.write(|transaction| {
            let (kept, past) = (kept::restore(transaction, now)?, calls::past(transaction)?);
            Ok(Restored { kept, past, ..bindings::restore(transaction, now)? })
        })
    }

    fn calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        calls::list(&self.asking(), tenant, filter, after, limit)
    }

    fn call(&self, tenant: &TenantId, id: &str) -> Result<Arc<CallRecord>, FindError> {
        calls::find(&self.asking(), tenant, id).map(Arc::new)
    }

    fn journal(&self, tenant: &TenantId, id: &str) -> Result<Vec<String>, FindError> {
        calls::journal(&self.asking(), tenant, id)
    }

    fn prune(&self, before: Timestamp, keep_max: u64) -> Result<Pruned, StoreError> {
        // Looked for without holding up the writer; nothing but pruning removes records.
        let doomed = calls::doomed(&self.asking(), before, keep_max)?;
        self.write(|transaction| calls::remove(transaction, &doomed))
    }

    fn add_version(&self, version: &NewVersion) -> Result<(), RuleError> {
        self.write(|transaction| rules::add(transaction, version))
    }

    fn versions(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<RuleVersion>, StoreError> {
        rules::versions(&self.asking(), tenant, rule)
    }

    fn rules(&self, tenant: &TenantId) -> Result<Vec<RuleName>, StoreError> {
        rules::names(&self.asking(), tenant)
    }

    fn mark(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        state: &VersionState,
    ) -> Result<(), RuleError> {
        self.write(|transaction| rules::mark(transaction, tenant, rule, version, state))
    }

    fn activate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        version: &Version,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        self.write(|transaction| {
            let wanted = rules::usable(transaction, tenant, rule, version)?;
            let active = rules::active(transaction, tenant, rule)?;
            if active.as_ref().is_none_or(|active| active.rule != wanted) {
                rules::step(
                    transaction,
                    &wanted,
                    at,
                    by,
                    How::Activated,
                    active.map(|active| active.number),
                )?;
            }
            Ok(wanted)
        })
    }

    fn roll_back(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        self.write(|transaction| {
            let last = rules::last(transaction, tenant, rule)?;
            rules::go_back(transaction, tenant, rule, last, at, by)
        })
    }

    fn deactivate(
        &self,
        tenant: &TenantId,
        rule: &RuleName,
        at: Timestamp,
        by: &str,
    ) -> Result<ActiveRule, RuleError> {
        self.write(|transaction| {
            let active = rules::active(transaction, tenant, rule)?;
            let active = active.ok_or_else(|| RuleError::NotActive(rule.clone()))?;
            rules::step(transaction, &active.rule, at, by, How::Deactivated, Some(active.number))?;
            Ok(active.rule)
        })
    }

    fn withdraw(
        &self,
        failed: &ActiveRule,
        at: Timestamp,
        by: &str,
    ) -> Result<Option<ActiveRule>, RuleError> {
        let (tenant, rule) = (&failed.tenant, &failed.name);
        self.write(|transaction| {
            let active = rules::active(transaction, tenant, rule)?;
            if active.as_ref().is_none_or(|active| active.rule.version != failed.version) {
                return Ok(None);
            }
            rules::go_back(transaction, tenant, rule, active, at, by).map(Some)
        })
    }

    fn history(&self, tenant: &TenantId, rule: &RuleName) -> Result<Vec<Activation>, StoreError> {
        rules::history(&self.asking(), tenant, rule)
    }

    fn active_rules(&self, tenant: &TenantId) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
        rules::all_active(&self.asking(), Some(tenant))
    }

    fn all_active_rules(&self) -> Result<Vec<Arc<ActiveRule>>, StoreError> {
        rules::all_active(&self.asking(), None)
    }

    fn edit_documents(
        &self,
        tenant: &TenantId,
        edits: &[Edit],
        at: Timestamp,
        by: &str,
    ) -> Result<Vec<Option<Document>>, DocumentError> {
        self.write(|transaction| documents::edit(transaction, tenant, edits, at, by))
    }

    fn documents(&self, tenant: &TenantId) -> Result<Vec<Document>, StoreError> {
        documents::all(&self.asking(), tenant)
    }

    fn document(&self, tenant: &TenantId, kind: Kind, name: &str) -> Result<Option<Document>, StoreError> {
        documents::find(&self.asking(), tenant, kind, name)
    }

    fn documents_of_kind(
        &self,
        tenant: &TenantId,
        kind: Kind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>, StoreError> {
        documents::of_kind(&self.asking(), tenant, kind, after, limit)
    }

    fn documented_tenants(&self) -> Result<Vec<TenantId>, StoreError> {
        documents::tenants(&self.asking())
    }

    fn temporary_documents(&self) -> Result<Vec<(TenantId, Document)>, StoreError> {
        documents::temporary(&self.asking())
    }

    fn audit(
        &self,
        tenant: &TenantId,
        filter: &AuditFilter,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        documents::audit(&self.asking(), tenant, filter, limit)
    }

    fn add_event(&self, tenant: &TenantId, what: &Happened, at: Timestamp) -> Result<(), StoreError> {
        self.write(|transaction| events::add(transaction, tenant, what, at))
    }

    fn events(
        &self,
        tenant: &TenantId,
        about: Option<&UserId>,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Event>, StoreError> {
        events::list(&self.asking(), tenant, about, after, limit)
    }

    fn add_token(
        &self,
        hash: &TokenHash,
        scope: &Scope,
        label: &str,
        at: Timestamp,
    ) -> Result<Token, StoreError> {
        self.write(|transaction| tokens::add(transaction, hash, scope, label, at))
    }

    fn token(&self, hash: &TokenHash) -> Result<Option<Token>, StoreError> {
        let found = tokens::of_hash(&self.asking(), hash)?;
        Ok(found.filter(|token| token.revoked.is_none()))
    }

    fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        tokens::list(&self.asking())
    }

    fn revoke_token(&self, id: &TokenId, at: Timestamp) -> Result<bool, StoreError> {
        self.write(|transaction| tokens::revoke(transaction, id, at))
    }

    fn host_key(&self, name: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.write(|transaction| tokens::host_key(transaction, name, value))
    }
}

fn commit_group(
    transaction: &mut Transaction<'_>,
    group: &[Change],
) -> Result<Result<(), Repeated>, StoreError> {
    // What is refused alone has changed nothing, and a call's end mostly comes alone.
    if let [change] = group {
        return commit_change(transaction, change);
    }
    // Dropped without a commit, a savepoint takes its group back and leaves the others.
    let point = transaction.savepoint()?;
    for change in group {
        if let Err(repeated) = commit_change(&point, change)? {
            return Ok(Err(repeated));
        }
    }
    point.commit()?;
    Ok(Ok(()))
}

fn commit_change(connection: &Connection, change: &Change) -> Result<Result<(), Repeated>, StoreError> {
    match change {
        Change::Bound(binding) => bindings::put(connection, binding)?,
        Change::Unbound { key, at, how } => bindings::end(connection, key, how.map(|how| (*at, how)))?,
        Change::Kept { key, value } => kept::put(connection, key, value.as_ref())?,
        Change::Ended { record, journal } => return calls::add(connection, record, journal),
    }
    Ok(Ok(()))
}

/// Nanoseconds since 1970; a time beyond the year 2262 becomes the last that fits.
fn nanoseconds(at: Timestamp) -> i64 {
    let exact = at.as_nanosecond();
    i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX })
}

fn timestamp(nanoseconds: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_nanosecond(nanoseconds.into()).map_err(|source| corrupt("time", source))
}

fn corrupt(what: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Corrupt { what, source: source.into() }
}

/// Forgets a tenant's oldest rows of a table that counts them by `id`, but for so many.
fn forget_oldest(
    connection: &Connection,
    table: &'static str,
    tenant: &TenantId,
    keep_max: u64,
) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM {table} WHERE tenant = ?1 AND id <=
         (SELECT id FROM {table} WHERE tenant = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)"
    );
    let keep_max = i64::try_from(keep_max).unwrap_or(i64::MAX);
    connection.prepare_cached(&sql)?.execute(params![tenant.as_str(), keep_max])?;
    Ok(())
}

/// Makes a value's row text. It cannot fail for our own types, and is no reason to panic.
fn json<T: serde::Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| corrupt(what, source))
}

#[cfg(test)]
mod tests {
    use callwright_core::view::{Binding, BindingKey};
    use callwright_sip::Flow;

    use super::*;

    fn bound(device: &str, user_agent: String) -> [Change; 1] {
        [Change::Bound(Arc::new(Binding {
            key: BindingKey { tenant: "acme".into(), device: device.into(), phone: "phone".to_owned() },
            contact: "sip:1001@192.0.2.7".to_owned(),
            flow: Flow::udp("192.0.2.7:5060".parse().unwrap()),
            call_id: "reg".to_owned(),
            cseq: 1,
            registered: Timestamp::UNIX_EPOCH,
            expires: Timestamp::MAX,
            user_agent,
            behind_nat: false,
            suspect_since: None,
        }))]
    }

    #[test]
    fn each_commit_is_flushed_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("callwright.db")).unwrap();
        let writing = store.writing.lock().unwrap();
        let pragma = |name: &str| {
            writing.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
        };
        assert_eq!(pragma("journal_mode").unwrap(), rusqlite::types::Value::Text("wal".to_owned()));
        assert_eq!(pragma("synchronous").unwrap(), rusqlite::types::Value::Integer(2), "2 is FULL");
    }

    #[test]
    fn a_statement_is_planned_once_whatever_it_is_asked_with() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("callwright.db")).unwrap();
        let sql = "SELECT lines FROM calls LEFT JOIN journals ON call = number WHERE tenant = ?1 AND id = ?2";
        for connection in [store.writing.lock().unwrap(), store.asking()] {
            for id in ["a", "b", "c"] {
                assert!(!connection.prepare_cached(sql).unwrap().exists(["acme", id]).unwrap());
            }
            let asked = connection.prepare_cached(sql).unwrap();
            assert_eq!(asked.get_status(rusqlite::StatementStatus::RePrepare), 0);
        }
    }

    #[test]
    fn a_full_disk_takes_nothing_of_a_batch_and_the_next_one_fits_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("callwright.db")).unwrap();
        store.writing.lock().unwrap().pragma_update(None, "max_page_count", 100).unwrap();
        let (small, big) = (bound("1001", String::new()), bound("1002", "x".repeat(1_000_000)));
        let refused = store.commit(&[&small, &big]);
        assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
        assert_eq!(store.restore(Timestamp::UNIX_EPOCH).unwrap().bindings, []);
        assert_eq!(store.commit(&[&small]).unwrap(), [Ok(())]);
    }

    #[test]
    fn a_database_of_a_newer_program_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callwright.db");
        drop(Sqlite::open(&path).unwrap());
        let connection = Connection::open(&path).unwrap();
        connection.pragma_update(None, "user_version", 1_000).unwrap();
        assert!(
            matches!(Sqlite::open(&path), Err(StoreError::TooNew { found: 1_000, known }) if known < 1_000)
        );
    }

    #[test]
    fn a_time_that_does_not_fit_becomes_the_last_that_does() {
        assert_eq!(nanoseconds(Timestamp::MAX), i64::MAX);
        assert_eq!(nanoseconds(Timestamp::MIN), i64::MIN);
        assert_eq!(timestamp(nanoseconds(Timestamp::UNIX_EPOCH)).unwrap(), Timestamp::UNIX_EPOCH);
    }
}
