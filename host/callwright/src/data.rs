//! The data folder: one database, the uploaded components by their hash, and what was compiled from them.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use callwright_store::{FileBlobs, Scope, Sqlite, Store, Token, TokenHash};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use crate::error::UserError;

/// An open data folder.
pub(crate) struct Data {
    /// Rows.
    pub(crate) store: Arc<dyn Store>,
    /// Components as uploaded.
    pub(crate) blobs: Arc<FileBlobs>,
    /// Where compiled components are kept; may be emptied at any time.
    pub(crate) compiled: PathBuf,
}

impl Data {
    /// Opens a data folder, made where it is missing and readable by its owner alone.
    ///
    /// # Errors
    /// The folder or the database cannot be used.
    pub(crate) fn open(folder: &Path) -> Result<Self, UserError> {
        let compiled = folder.join("compiled");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&compiled)
            .map_err(|error| unusable(folder, &error))?;
        let store = Sqlite::open(&folder.join("callwright.db")).map_err(|error| unusable(folder, &error))?;
        let blobs = FileBlobs::open(folder.join("components")).map_err(|error| unusable(folder, &error))?;
        Ok(Self { store: Arc::new(store), blobs: Arc::new(blobs), compiled })
    }

    /// Keeps every other switch off this folder until the answer is dropped. Tokens may still be made beside it.
    ///
    /// # Errors
    /// A switch serves from the folder already, or the lock cannot be made.
    pub(crate) fn serve_alone(&self) -> Result<File, UserError> {
        let folder = self.compiled.parent().unwrap_or(&self.compiled);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join("serving"));
        let file = file.map_err(|error| unusable(folder, &error))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            UserError::outside(format!("another switch serves from the data folder `{}`", folder.display()))
                .because(error)
                .help("stop it, or set another `data`")
        })?;
        Ok(file)
    }

    /// Makes a token: its secret, which is shown once, and what is kept of it.
    ///
    /// # Errors
    /// No randomness, or the store failed.
    pub(crate) fn new_token(&self, scope: &Scope, label: &str) -> Result<(String, Token), UserError> {
        let secret = format!("cw_{}", hex(&random::<32>()?));
        let token = self.store.add_token(&TokenHash::of(&secret), scope, label, Timestamp::now());
        token.map(|token| (secret, token)).map_err(|error| failed(&error))
    }

    /// The key that authenticates what this host compiled; made once.
    ///
    /// # Errors
    /// No randomness, or the store failed.
    pub(crate) fn artefact_key(&self) -> Result<[u8; 32], UserError> {
        let key = self.store.host_key("artefact", &random::<32>()?).map_err(|error| failed(&error))?;
        key.try_into().map_err(|_| UserError::outside("the artefact key of the data folder is damaged"))
    }
}

/// Bytes that nobody can guess.
///
/// # Errors
/// The system has none to give.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], UserError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| UserError::outside("the system gives no random numbers").because(error))?;
    Ok(bytes)
}

/// The store did not do what it was asked.
pub(crate) fn failed(error: &dyn std::error::Error) -> UserError {
    let mut failed = UserError::outside("the data folder failed").because(error);
    let mut source = error.source();
    while let Some(cause) = source {
        failed = failed.because(cause);
        source = cause.source();
    }
    failed
}

fn unusable(folder: &Path, error: &dyn std::error::Error) -> UserError {
    let mut failed = failed(error);
    failed.what = format!("cannot use the data folder `{}`", folder.display());
    failed.help(
        "the user that runs the switch must be able to write there; `data` in the configuration names it",
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
