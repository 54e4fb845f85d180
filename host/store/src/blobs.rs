//! Modules by their SHA-256: written whole or not at all, checked when read.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::memory::{Fault, Faults};

/// The largest blob, in bytes; above every plan's limit for modules, below what would hurt the host.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Why a blob was not kept or not given.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BlobError {
    /// No room.
    #[error("the disk is full")]
    Full,
    /// Above [`BLOB_BYTES_MAX`].
    #[error("{size} bytes are more than the {BLOB_BYTES_MAX} that a blob may have")]
    TooLarge {
        /// Its size in bytes.
        size: u64,
    },
    /// The folder or a file in it failed.
    #[error("cannot use {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What is there is not what was put there.
    #[error("the blob {0} has changed on the disk")]
    Corrupt(Digest),
    /// The memory store was told to fail.
    #[error("the blobs fail on purpose")]
    OnPurpose,
}

/// Bytes under the name of their hash. What [`Blobs::put`] has returned survives a power cut.
pub trait Blobs: Send + Sync {
    /// Keeps bytes; those that are kept already are kept once.
    ///
    /// # Errors
    /// Too large, or the outside failed.
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError>;

    /// Gives bytes back, checked against their name.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`], or the outside failed.
    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, BlobError>;
}

/// A folder of files named by the 64 hex digits.
#[derive(Debug)]
pub struct FileBlobs {
    folder: PathBuf,
    /// One temporary file at a time.
    putting: Mutex<()>,
}

/// What a crash leaves of it is overwritten by the next blob.
const TEMPORARY: &str = "incoming.tmp";

impl FileBlobs {
    /// Opens the folder, and makes it where it is missing (readable by the owner alone). Another process may have it open
    /// to read; one alone may [`put`](Blobs::put).
    ///
    /// # Errors
    /// The folder cannot be made or written.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let folder = folder.into();
        if !folder.is_dir() {
            let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.map_err(|source| wrong(&folder, source))?;
            if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                flush_folder(parent)?;
            }
        }
        Ok(Self { folder, putting: Mutex::new(()) })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// Makes a name appear only with its whole content behind it, on the disk and not just in its cache.
    fn write(&self, bytes: &[u8], path: &Path) -> Result<(), BlobError> {
        let temporary = self.folder.join(TEMPORARY);
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
        written.map_err(|source| {
            // On a full disk even a part of it is room that others need; where this fails too the next blob takes it.
            let _stays = fs::remove_file(&temporary);
            wrong(&temporary, source)
        })?;
        fs::rename(&temporary, path).map_err(|source| wrong(path, source))?;
        flush_folder(&self.folder)
    }
}

impl Blobs for FileBlobs {
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = named(bytes)?;
        let _one_at_a_time = self.putting.lock().unwrap_or_else(PoisonError::into_inner);
        // A file that a failing disk has changed is written again.
        match self.get(&digest) {
            Ok(Some(_)) => Ok(digest),
            Ok(None) | Err(BlobError::Corrupt(_) | BlobError::TooLarge { .. }) => {
                self.write(bytes, &self.path(&digest)).map(|()| digest)
            }
            Err(error) => Err(error),
        }
    }

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(digest);
        let size = match fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(wrong(&path, error)),
        };
        if size > BLOB_BYTES_MAX as u64 {
            return Err(BlobError::TooLarge { size });
        }
        let bytes = fs::read(&path).map_err(|source| wrong(&path, source))?;
        checked(digest, bytes).map(Some)
    }
}

/// The same in memory, with faults.
#[derive(Debug, Default)]
pub struct MemoryBlobs {
    kept: Mutex<BTreeMap<Digest, Vec<u8>>>,
    faults: Faults,
}

impl MemoryBlobs {
    /// From now on [`Blobs::put`] fails so.
    pub fn set_fault(&self, fault: Fault) {
        self.faults.set(fault);
    }
}

impl Blobs for MemoryBlobs {
    fn put(&self, bytes: &[u8]) -> Result<Digest, BlobError> {
        let digest = named(bytes)?;
        match self.faults.next() {
            Fault::None => {}
            Fault::Full => return Err(BlobError::Full),
            Fault::Next(_) => return Err(BlobError::OnPurpose),
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, bytes.to_vec());
        Ok(digest)
    }

    fn get(&self, digest: &Digest) -> Result<Option<Vec<u8>>, BlobError> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        kept.map(|bytes| checked(digest, bytes)).transpose()
    }
}

fn named(bytes: &[u8]) -> Result<Digest, BlobError> {
    if bytes.len() > BLOB_BYTES_MAX {
        return Err(BlobError::TooLarge { size: bytes.len() as u64 });
    }
    Ok(Digest::of(bytes))
}

fn checked(digest: &Digest, bytes: Vec<u8>) -> Result<Vec<u8>, BlobError> {
    if Digest::of(&bytes) == *digest { Ok(bytes) } else { Err(BlobError::Corrupt(*digest)) }
}

fn flush_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder).and_then(|opened| opened.sync_all()).map_err(|source| wrong(folder, source))
}

fn wrong(path: &Path, source: io::Error) -> BlobError {
    if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return BlobError::Full;
    }
    BlobError::File { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_refused_and_mended_by_the_next_put() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::open(folder.path().join("blobs")).unwrap();
        let digest = blobs.put(b"module").unwrap();
        fs::write(blobs.path(&digest), b"modulo").unwrap();
        assert!(matches!(blobs.get(&digest), Err(BlobError::Corrupt(which)) if which == digest));
        blobs.put(b"module").unwrap();
        assert_eq!(blobs.get(&digest).unwrap().unwrap(), b"module");
    }

    #[test]
    fn a_half_written_file_makes_room_for_the_next_blob() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(TEMPORARY), b"half of something longer").unwrap();
        let blobs = FileBlobs::open(folder.path()).unwrap();
        let digest = blobs.put(b"module").unwrap();
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [std::ffi::OsString::from(digest.hex())]);
    }

    #[test]
    fn the_folder_and_its_files_are_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let blobs = FileBlobs::open(folder.path().join("blobs")).unwrap();
        let digest = blobs.put(b"module").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&blobs.folder), mode(&blobs.path(&digest))), (0o700, 0o600));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = FileBlobs::open(file.join("blobs")).unwrap_err();
        assert!(error.to_string().contains("file/blobs"), "{error}");
    }
}
