//! Durable files: every write that must survive a crash goes through here.
//!
//! [`Storage`] is the short list of file calls the product needs. [`Disk`] makes them for real; in tests an in-memory
//! double makes them too, and loses, tears and reorders whatever was not synced, fails any call, or stops at it. The
//! functions beside the trait build the two promises that the rest relies on:
//!
//! - [`write_atomic`] and [`write_folder_atomic`] replace a file or a folder whole or not at all: write aside, sync,
//!   rename, sync the parent. After an error or a crash the old content is there, or the new one, never a mixture.
//! - Whatever a killed process leaves behind carries a name starting with [`TEMPORARY_PREFIX`] or [`REPLACED_PREFIX`],
//!   and [`clean`] settles it at the next start.
//!
//! One process writes in a run folder at a time; [`Lock`] sees to that.
//!
//! ```
//! use noam_train::storage::{self, Disk};
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("manifest.json");
//! storage::write_atomic(&Disk, &path, b"{}")?;
//! assert_eq!(storage::read(&Disk, &path, 1024)?, b"{}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod atomic;
mod disk;
mod error;
#[cfg(test)]
pub(crate) mod faulty;
mod lock;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::Path;

pub use atomic::{
    Folder, Output, REPLACED_PREFIX, TEMPORARY_PREFIX, append, clean, create_dirs, list_or_empty, open, read,
    remove_folder, replaced_name, reserve, write_atomic, write_atomic_with, write_folder_atomic,
};
pub use disk::Disk;
pub use error::{Error, Operation};
pub use lock::Lock;

/// What stands behind a name in a folder. Links are not followed when a folder is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// Anything else: a link, a pipe, a device.
    Other,
}

/// One name in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The name, without the folder.
    pub name: OsString,
    /// What it is.
    pub kind: Kind,
}

/// A file open for writing.
pub trait WriteFile: Write {
    /// Returns once the content written so far would survive a power cut (`fsync`).
    ///
    /// # Errors
    /// The system's error. After one, nothing is known about the content: write the file again under a new name.
    fn sync(&mut self) -> io::Result<()>;
}

/// The file calls that the product makes, each exactly one call of the operating system as far as failures go.
///
/// Implementations add nothing: no retries, no clean-up, no context. Those belong to the functions of this module, so
/// that tests of the double are tests of the code that runs on a disk.
pub trait Storage: Send + Sync {
    /// Opens a file for writing, emptied if it existed.
    ///
    /// # Errors
    /// The system's error.
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>>;

    /// Opens a file for writing at its end, created if it did not exist.
    ///
    /// # Errors
    /// The system's error.
    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>>;

    /// Opens a regular file for reading; also gives its length in bytes.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::InvalidInput`] for anything that is not a regular file.
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + '_>, u64)>;

    /// Makes a folder; its parent must exist.
    ///
    /// # Errors
    /// The system's error, [`io::ErrorKind::AlreadyExists`] among them.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Returns once the names in a folder (created, renamed, removed) would survive a power cut.
    ///
    /// # Errors
    /// The system's error.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or folder another name in the same folder; an existing file of that name is replaced.
    ///
    /// # Errors
    /// The system's error, among them that a folder which is not empty has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file or a link.
    ///
    /// # Errors
    /// The system's error.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty folder.
    ///
    /// # Errors
    /// The system's error.
    fn remove_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// The system's error.
    fn list(&self, path: &Path) -> io::Result<Vec<Item>>;

    /// What stands at a path, `None` if nothing does. A link at the path itself is followed.
    ///
    /// # Errors
    /// The system's error.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;
}
