//! The files of the repository, and which of them may stand at its top.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What may stand at the top level; ARCHITECTURE.md says what each is for.
const TOP_LEVEL: [&str; 20] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "deny.toml",
    "docs",
    "guest-sdk",
    "host",
    "rules-examples",
    "rust-toolchain.toml",
    "rustfmt.toml",
    "tests",
    "wit",
    "xtask",
];

/// A file of the repository, its path with `/` from the root.
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// What a check found: where, and what to do about it.
pub(crate) type Offences = Vec<String>;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The paths that git tracks or would track.
pub(crate) fn paths() -> Vec<String> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(list).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "`git ls-files` failed");
    let mut paths: Vec<String> =
        String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    // A tracked file may be deleted and not yet committed.
    paths.retain(|path| root().join(path).is_file());
    paths.sort();
    paths.dedup();
    paths
}

/// The files whose name ends so.
pub(crate) fn files(ending: &str) -> Vec<File> {
    let named = paths().into_iter().filter(|path| path.ends_with(ending));
    named.map(|path| File { text: std::fs::read_to_string(root().join(&path)).unwrap(), path }).collect()
}

/// Fails with all offences, one a line.
pub(crate) fn none(offences: &Offences) {
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

fn unknown_at_top(paths: &[String]) -> Offences {
    let mut tops: Vec<&str> = paths.iter().filter_map(|path| path.split('/').next()).collect();
    tops.dedup();
    tops.retain(|top| !TOP_LEVEL.contains(top));
    tops.iter().map(|top| format!("{top}: not one of the top level's entries (ARCHITECTURE.md)")).collect()
}

#[test]
fn the_top_level_holds_what_the_architecture_names() {
    none(&unknown_at_top(&paths()));
}

#[test]
fn a_stray_entry_at_the_top_is_found() {
    let paths = ["host/sip/src/lib.rs", "notes.txt", "scripts/a.sh"].map(str::to_owned);
    assert_eq!(unknown_at_top(&paths).len(), 2);
}
