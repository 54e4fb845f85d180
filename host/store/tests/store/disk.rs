//! What the disk adds: what was acknowledged survives, a full disk is recognised, strangers read nothing.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use callwright_core::Change;
use callwright_store::{Blobs as _, FileBlobs, Sqlite, Store as _, StoreError};

use crate::made::{acme, at, binding, ended, record};

/// The folder in which a process started by a test is to write until it is killed.
const FOLDER: &str = "CALLWRIGHT_STORE_WRITES_IN";

/// How often the writer is killed, and after how many acknowledgements.
const KILLS: usize = 5;
const ACKNOWLEDGED: usize = 40;

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let mut promised = Vec::new();
    for _ in 0..KILLS {
        promised.extend(write_until_killed(folder.path()));
        let store = Sqlite::open(&folder.path().join("callwright.db")).unwrap();
        let blobs = FileBlobs::open(folder.path().join("blobs")).unwrap();
        let devices: Vec<_> =
            store.restore(at(0)).unwrap().bindings.iter().map(|kept| kept.key.device.to_string()).collect();
        for id in &promised {
            assert_eq!(*store.call(&acme(), id).unwrap(), record(id, 1), "the record of {id}");
            assert!(devices.contains(id), "the binding of {id}");
            assert!(
                blobs.get(&callwright_store::Digest::of(id.as_bytes())).unwrap().is_some(),
                "the blob of {id}"
            );
        }
    }
    assert_eq!(promised.len(), KILLS * ACKNOWLEDGED);
}

/// Starts this program again, reads what it acknowledges and kills it in the middle of more.
fn write_until_killed(folder: &Path) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["disk::writes_until_it_is_killed", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let kept = lines.map(Result::unwrap).filter_map(|line| line.strip_prefix("kept ").map(str::to_owned));
    let promised: Vec<_> = kept.take(ACKNOWLEDGED).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    promised
}

/// Does nothing unless it was started by the test above.
#[test]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let store = Sqlite::open(&Path::new(&folder).join("callwright.db")).unwrap();
    let blobs = FileBlobs::open(Path::new(&folder).join("blobs")).unwrap();
    let process = std::process::id();
    for n in 0.. {
        let id = format!("{process}-{n}");
        blobs.put(id.as_bytes()).unwrap();
        let changes = [ended(&record(&id, 1)), Change::Bound(Arc::new(binding(&id, "phone", 600)))];
        assert_eq!(store.commit(&[&changes]).unwrap(), [Ok(())]);
        // Its line begins behind whatever the test harness has printed.
        println!("\nkept {id}");
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn two_processes_share_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callwright.db");
    let (switch, tool) = (Sqlite::open(&path).unwrap(), Sqlite::open(&path).unwrap());
    assert_eq!(tool.host_key("artefacts", b"tool").unwrap(), b"tool");
    assert_eq!(switch.host_key("artefacts", b"switch").unwrap(), b"tool");
}

#[test]
fn the_files_are_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data").join("callwright.db");
    let store = Sqlite::open(&path).unwrap();
    store.commit(&[&[ended(&record("c1", 1))]]).unwrap();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn what_is_no_database_and_what_cannot_be_made_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("callwright.db");
    std::fs::write(&path, "not a database, but a letter to somebody who will not like it ".repeat(20))
        .unwrap();
    assert!(matches!(Sqlite::open(&path), Err(StoreError::Database(_))));
    let error = Sqlite::open(&path.join("callwright.db")).unwrap_err();
    assert!(error.to_string().contains("callwright.db/callwright.db"), "{error}");
}
