//! Why the store did not do what it was asked: the outside's fault apart from the asker's.

use std::path::PathBuf;

use callwright_core::Kind;
use callwright_core::names::{CallId, RuleName, Version};
use callwright_core::seam::StoreRefused;

/// The outside failed: disk, database, another process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No room, or the disk takes no more writes.
    #[error("the disk is full or takes no writes")]
    Full,
    /// Another process held the database for longer than we wait.
    #[error("another process keeps the database locked")]
    Busy,
    /// The database failed otherwise.
    #[error("the database failed")]
    Database(#[source] rusqlite::Error),
    /// A file or folder beside the database failed.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row is not what was written.
    #[error("the stored {what} cannot be read")]
    Corrupt {
        /// What kind of row.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Written by a newer program.
    #[error("the database has schema {found}, this program knows schemas up to {known}")]
    TooNew {
        /// The database's.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// No more tokens fit.
    #[error("there are {0} tokens already")]
    TooManyTokens(usize),
    /// The memory store was told to fail.
    #[error("the store fails on purpose")]
    OnPurpose,
}

impl StoreError {
    /// What the core is told.
    #[must_use]
    pub fn refused(&self) -> StoreRefused {
        match self {
            Self::Full => StoreRefused::Full,
            Self::Busy
            | Self::Database(_)
            | Self::File { .. }
            | Self::Corrupt { .. }
            | Self::TooNew { .. }
            | Self::TooManyTokens(_)
            | Self::OnPurpose => StoreRefused::Unavailable(self.to_string()),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::{ErrorCode, ffi};
        // A quota, and a full disk met while the log's index grows, come as I/O errors of writing and not as FULL.
        let unwritable = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_SHMSIZE];
        match error.sqlite_error() {
            Some(e) if e.code == ErrorCode::DiskFull || unwritable.contains(&e.extended_code) => Self::Full,
            Some(e) if e.code == ErrorCode::DatabaseBusy => Self::Busy,
            Some(_) | None => Self::Database(error),
        }
    }
}

/// A group would have replaced a call's record, which is written once. The group is refused whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("call {0} already has another record")]
pub struct Repeated(pub CallId);

/// Why one call could not be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// No record of this tenant has that id or begins with it.
    #[error("no call record `{0}`")]
    Unknown(String),
    /// Several records begin with it.
    #[error("several call records begin with `{prefix}`, {first} and {second} among them")]
    Ambiguous {
        /// What was asked for.
        prefix: String,
        /// One that matches.
        first: CallId,
        /// Another.
        second: CallId,
    },
    /// The outside failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a tenant's documents stayed as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// There is no such document, or no draft or end of it.
    #[error("{kind} `{name}` has nothing to discard, to end or to remove")]
    Nothing {
        /// Its kind.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// A tenant keeps a bounded number of documents.
    #[error("the tenant has {0} documents already")]
    TooMany(usize),
    /// The outside failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a rule's versions stayed as they were.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The tenant has no such version of that rule.
    #[error("rule `{rule}` has no version {version}")]
    NoSuchVersion {
        /// The rule.
        rule: RuleName,
        /// What was asked for.
        version: Version,
    },
    /// It is kept, but cannot run here.
    #[error("version {version} of rule `{rule}` cannot be used: {why}")]
    Unusable {
        /// The rule.
        rule: RuleName,
        /// The version.
        version: Version,
        /// As recorded.
        why: String,
    },
    /// Nothing was active before what is active now.
    #[error("rule `{0}` has no earlier activation to go back to")]
    NothingBefore(RuleName),
    /// There is nothing to switch off.
    #[error("no version of rule `{0}` is active")]
    NotActive(RuleName),
    /// A rule keeps a bounded number of versions.
    #[error("rule `{rule}` has {max} versions already")]
    TooManyVersions {
        /// The rule.
        rule: RuleName,
        /// The bound.
        max: usize,
    },
    /// A tenant keeps a bounded number of rules.
    #[error("the tenant has {max} rules already")]
    TooManyRules {
        /// The bound.
        max: usize,
    },
    /// The outside failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
