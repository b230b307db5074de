//! What can go wrong with a file, said with its path and a way out.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// The file call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creating a file.
    Create,
    /// Opening a file to read it, or asking what stands at a path.
    Open,
    /// Reading a file.
    Read,
    /// Writing a file.
    Write,
    /// Forcing a file or a folder onto the disk.
    Sync,
    /// Making a folder.
    CreateFolder,
    /// Renaming a file or a folder.
    Rename,
    /// Removing a file or a folder.
    Remove,
    /// Listing a folder.
    List,
    /// Locking a run folder.
    Lock,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Create => "create",
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::CreateFolder => "make the folder",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::List => "list",
            Self::Lock => "lock",
        })
    }
}

/// A file call that failed, or a file that was refused before it was read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or the user's share of it, is full.
    #[error("cannot {operation} {}: {}, or choose a folder on another disk", path.display(), space(*wanted))]
    Full {
        /// The call that found it out.
        operation: Operation,
        /// The file or folder.
        path: PathBuf,
        /// Size in bytes of the whole file (0 for a folder or a name).
        wanted: u64,
        /// The system's error.
        source: io::Error,
    },
    /// Any other failure of a file call.
    #[error("cannot {operation} {}; {}", path.display(), way_out(source.kind()))]
    Io {
        /// The call that failed.
        operation: Operation,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// A file is longer than its reader allows.
    #[error("{} holds {bytes} bytes, and at most {limit} are read here; is it the right file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        bytes: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A path that ends in no name (such as `/` or `..`) cannot be written.
    #[error("{} names no file or folder; give a path that ends in a name", path.display())]
    NoName {
        /// The path.
        path: PathBuf,
    },
    /// Another process works in this folder.
    #[error("{} is in use by another process; wait until it ends, or choose another run folder", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
}

impl Error {
    /// Wraps the system's error with what was being done, where, and for how many bytes.
    pub(crate) fn new(operation: Operation, path: &Path, wanted: u64, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { operation, path, wanted, source },
            _ => Self::Io { operation, path, source },
        }
    }

    /// The kind of the system's error underneath, if there is one.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Full { source, .. } | Self::Io { source, .. } => Some(source.kind()),
            Self::TooLarge { .. } | Self::NoName { .. } | Self::Locked { .. } => None,
        }
    }
}

fn space(wanted: u64) -> String {
    match wanted {
        0 => "no space left; free some".to_owned(),
        bytes => format!("no space left for the {bytes} bytes it takes; free that much"),
    }
}

fn way_out(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "check that the path exists",
        io::ErrorKind::PermissionDenied => "check who owns it and its permissions",
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only: choose a folder on another",
        io::ErrorKind::InvalidInput => "a regular file is needed there",
        io::ErrorKind::NotADirectory => "a part of the path is a file, not a folder",
        _ => "check the disk and its file system",
    }
}
