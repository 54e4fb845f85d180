//! The tables, and how an older database becomes one of today.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::error::StoreError;

/// One step a schema version, the first from nothing. A released step is never edited.
///
/// Times are nanoseconds since 1970.
const STEPS: [&str; 6] = [
    "
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
",
    // Ids of calls are random: a second index of them wrote one more page a call.
    "
    CREATE TABLE numbered_calls (
        number INTEGER PRIMARY KEY,
        tenant TEXT NOT NULL, id TEXT NOT NULL,
        began INTEGER NOT NULL, ended TEXT NOT NULL, dialled TEXT NOT NULL,
        caller_user TEXT, dialled_user TEXT, answered_user TEXT,
        record TEXT NOT NULL,
        UNIQUE (tenant, id)
    ) STRICT;
    INSERT INTO numbered_calls SELECT rowid, * FROM calls;
    CREATE TABLE numbered_journals (
        call INTEGER PRIMARY KEY REFERENCES numbered_calls ON DELETE CASCADE,
        lines TEXT NOT NULL
    ) STRICT;
    INSERT INTO numbered_journals
        SELECT calls.rowid, lines FROM journals JOIN calls USING (tenant, id);
    DROP TABLE journals;
    DROP TABLE calls;
    ALTER TABLE numbered_calls RENAME TO calls;
    ALTER TABLE numbered_journals RENAME TO journals;

    CREATE INDEX calls_by_time_of_tenant ON calls
        (tenant, began, id, ended, dialled, caller_user, dialled_user, answered_user);
    CREATE INDEX calls_by_time ON calls (began);
    CREATE TRIGGER call_kept AFTER INSERT ON calls BEGIN
        INSERT INTO call_counts VALUES (NEW.tenant, 1) ON CONFLICT DO UPDATE SET kept = kept + 1;
    END;
    CREATE TRIGGER call_removed AFTER DELETE ON calls BEGIN
        UPDATE call_counts SET kept = kept - 1 WHERE tenant = OLD.tenant;
    END;
",
    "
    CREATE TABLE kept (
        tenant TEXT NOT NULL, key TEXT NOT NULL,
        value TEXT NOT NULL, expires INTEGER,
        PRIMARY KEY (tenant, key)
    ) STRICT;
",
    // What tenants consist of that are in no file, and who changed it. A token may open the settings of one user alone.
    "
    CREATE TABLE documents (
        tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        live TEXT, draft TEXT,
        until INTEGER, before TEXT,
        revision INTEGER NOT NULL,
        PRIMARY KEY (tenant, kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX documents_that_end ON documents (until) WHERE until IS NOT NULL;

    CREATE TABLE audit (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL,
        who TEXT NOT NULL, at INTEGER NOT NULL, action TEXT NOT NULL,
        before TEXT, after TEXT, until INTEGER
    ) STRICT;
    CREATE INDEX audit_of_tenant ON audit (tenant, id);
    CREATE INDEX audit_of_document ON audit (tenant, kind, name, id);

    ALTER TABLE tokens ADD COLUMN user TEXT;
",
    "
    CREATE TABLE events (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL, at INTEGER NOT NULL, what TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_of_tenant ON events (tenant, id);
",
    // Whoever an event is about may read it, and has few of many.
    "
    ALTER TABLE events ADD COLUMN about TEXT;
    CREATE INDEX events_about ON events (tenant, about, id) WHERE about IS NOT NULL;
",
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_that_were_there_before_are_about_nobody() {
        let mut connection = Connection::open_in_memory().unwrap();
        for step in &STEPS[..5] {
            connection.execute_batch(step).unwrap();
        }
        connection.pragma_update(None, "user_version", 5).unwrap();
        connection.execute("INSERT INTO events (tenant, at, what) VALUES ('acme', 1, 'x')", []).unwrap();

        migrate(&mut connection).unwrap();

        let kept = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, Option<String>>(1)?));
        let row = connection.query_row("SELECT what, about FROM events", [], kept).unwrap();
        assert_eq!(row, ("x".to_owned(), None));
        assert_eq!(connection.pragma_query_value(None, "user_version", |row| row.get(0)), Ok(6));
    }

    #[test]
    fn what_is_about_a_person_is_found_by_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let plan = "EXPLAIN QUERY PLAN SELECT id, at, what FROM events
            WHERE tenant = ?1 AND id > ?2 AND about = ?4 ORDER BY id ASC LIMIT ?3";
        let mut statement = connection.prepare(plan).unwrap();
        let nothing = rusqlite::params!["acme", 0, 1, "ana"];
        let steps = statement.query_map(nothing, |row| row.get::<_, String>(3)).unwrap();
        let steps: Vec<_> = steps.map(Result::unwrap).collect();
        assert_eq!(steps, ["SEARCH events USING INDEX events_about (tenant=? AND about=? AND id>?)"]);
    }

    #[test]
    fn a_database_of_the_first_schema_keeps_its_calls_and_their_journals() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        for (id, journal) in [("a", Some("lines of a")), ("b", None), ("c", Some("lines of c"))] {
            let call =
                "INSERT INTO calls VALUES ('acme', ?1, 1, 'answered', '100', NULL, NULL, NULL, 'record')";
            connection.execute(call, [id]).unwrap();
            if let Some(lines) = journal {
                connection.execute("INSERT INTO journals VALUES ('acme', ?1, ?2)", [id, lines]).unwrap();
            }
        }
        connection.execute("DELETE FROM calls WHERE id = 'a'", []).unwrap();

        migrate(&mut connection).unwrap();

        let mut rows = connection
            .prepare("SELECT id, dialled, lines FROM calls LEFT JOIN journals ON call = number ORDER BY id")
            .unwrap();
        let rows: Vec<(String, String, Option<String>)> = rows
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let row = |id: &str, lines: Option<&str>| (id.to_owned(), "100".to_owned(), lines.map(str::to_owned));
        assert_eq!(rows, [row("b", None), row("c", Some("lines of c"))]);
        let number = |question| connection.query_row(question, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(number("SELECT kept FROM call_counts WHERE tenant = 'acme'"), 2);
        connection.execute("DELETE FROM calls", []).unwrap();
        assert_eq!(number("SELECT kept FROM call_counts WHERE tenant = 'acme'"), 0);
        assert_eq!(number("SELECT count(*) FROM journals"), 0);
    }
}
