//! The tables, and how an older database becomes one of today.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StoreError;

/// One step a schema version, the first from nothing. A released step is never edited.
///
/// Times are nanoseconds since 1970.
const STEPS: [&str; 1] = ["
    CREATE TABLE bindings (
        tenant TEXT NOT NULL, device TEXT NOT NULL, phone TEXT NOT NULL,
        contact TEXT NOT NULL,
        transport TEXT NOT NULL, peer TEXT NOT NULL, connection INTEGER NOT NULL,
        call_id TEXT NOT NULL, cseq INTEGER NOT NULL,
        registered INTEGER NOT NULL, expires INTEGER NOT NULL,
        user_agent TEXT NOT NULL, behind_nat INTEGER NOT NULL, suspect_since INTEGER,
        PRIMARY KEY (tenant, device, phone)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE gone (
        tenant TEXT NOT NULL, device TEXT NOT NULL,
        at INTEGER NOT NULL, how TEXT NOT NULL,
        PRIMARY KEY (tenant, device)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE calls (
        tenant TEXT NOT NULL, id TEXT NOT NULL,
        began INTEGER NOT NULL, ended TEXT NOT NULL, number TEXT NOT NULL,
        caller_user TEXT, dialled_user TEXT, answered_user TEXT,
        record TEXT NOT NULL,
        PRIMARY KEY (tenant, id)
    ) STRICT;
    -- What a list may be filtered by is in it, so that only what is shown is read.
    CREATE INDEX calls_by_time_of_tenant ON calls
        (tenant, began, id, ended, number, caller_user, dialled_user, answered_user);
    CREATE INDEX calls_by_time ON calls (began);

    -- Counting a tenant's records would take longer the more there are.
    CREATE TABLE call_counts (
        tenant TEXT NOT NULL PRIMARY KEY, kept INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TRIGGER call_kept AFTER INSERT ON calls BEGIN
        INSERT INTO call_counts VALUES (NEW.tenant, 1) ON CONFLICT DO UPDATE SET kept = kept + 1;
    END;
    CREATE TRIGGER call_removed AFTER DELETE ON calls BEGIN
        UPDATE call_counts SET kept = kept - 1 WHERE tenant = OLD.tenant;
    END;

    CREATE TABLE journals (
        tenant TEXT NOT NULL, id TEXT NOT NULL,
        lines TEXT NOT NULL,
        PRIMARY KEY (tenant, id),
        FOREIGN KEY (tenant, id) REFERENCES calls ON DELETE CASCADE
    ) STRICT;

    CREATE TABLE versions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL, rule TEXT NOT NULL, version TEXT NOT NULL,
        manifest TEXT NOT NULL, parsed TEXT NOT NULL, size INTEGER NOT NULL,
        uploaded INTEGER NOT NULL, uploaded_by TEXT NOT NULL,
        unusable TEXT,
        UNIQUE (tenant, rule, version)
    ) STRICT;

    CREATE TABLE activations (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL, rule TEXT NOT NULL, version TEXT NOT NULL,
        parsed TEXT NOT NULL,
        at INTEGER NOT NULL, by TEXT NOT NULL, how TEXT NOT NULL,
        previous INTEGER
    ) STRICT;
    CREATE INDEX activations_of_rule ON activations (tenant, rule, number);

    CREATE TABLE tokens (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        hash TEXT NOT NULL UNIQUE, id TEXT NOT NULL UNIQUE,
        tenant TEXT, label TEXT NOT NULL,
        created INTEGER NOT NULL, revoked INTEGER
    ) STRICT;

    CREATE TABLE host_keys (
        name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
"];

/// Brings the database to today's schema; several processes may try at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(STEPS.len()).unwrap_or(u32::MAX);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = version(&transaction)?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let missing = STEPS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX));
    for step in missing {
        transaction.execute_batch(step)?;
    }
    if found < known {
        transaction.pragma_update(None, "user_version", known)?;
    }
    Ok(transaction.commit()?)
}

fn version(transaction: &Transaction<'_>) -> rusqlite::Result<u32> {
    transaction.pragma_query_value(None, "user_version", |row| row.get(0))
}
