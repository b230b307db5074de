//! One writer in a run folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use super::{Error, Operation};

/// Held while a process writes in a run folder; let go when dropped, and by the system when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks `folder`, which must exist, through an empty file `.lock` in it.
    ///
    /// The lock is advisory and the file stays behind; only a lock that is held counts. On a file system without locks
    /// this succeeds and protects nothing.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process holds it; [`Error::Io`] if the file cannot be made.
    pub fn acquire(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(".lock");
        let file = File::create(&path).map_err(|source| Error::new(Operation::Create, &path, 0, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path }),
            Err(TryLockError::Error(source)) if source.kind() == io::ErrorKind::Unsupported => Ok(Self { _file: file }),
            Err(TryLockError::Error(source)) => Err(Error::new(Operation::Lock, &path, 0, source)),
        }
    }
}
