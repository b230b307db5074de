//! Files and folders that appear whole or not at all.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use super::{Error, Item, Kind, Operation, Storage, WriteFile};
use crate::stop;

/// How the names of unfinished files and folders start. [`clean`] removes them.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// How the name of a folder starts while its successor takes its place. [`clean`] puts it back or removes it.
pub const REPLACED_PREFIX: &str = ".old-";

/// Bytes that [`reserve`] writes at a time.
const RESERVE_BLOCK: usize = 1 << 20;

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn prefixed(path: &Path, prefix: &str) -> Result<PathBuf, Error> {
    let name = path.file_name().ok_or_else(|| Error::NoName { path: path.to_path_buf() })?;
    let mut prefixed = OsString::from(prefix);
    prefixed.push(name);
    Ok(path.with_file_name(prefixed))
}

fn starts_with(name: &OsStr, prefix: &str) -> bool {
    name.as_encoded_bytes().starts_with(prefix.as_bytes())
}

/// The name under which `name` was put aside while its successor took its place, if `name` is such a name.
#[must_use]
pub fn replaced_name(name: &OsStr) -> Option<&str> {
    name.to_str()?.strip_prefix(REPLACED_PREFIX)
}

fn wrap<T>(result: io::Result<T>, operation: Operation, path: &Path) -> Result<T, Error> {
    result.map_err(|source| Error::new(operation, path, 0, source))
}

/// A file being written; its errors know its path and its whole size.
pub struct Output<'a> {
    file: Box<dyn WriteFile + 'a>,
    path: PathBuf,
    wanted: u64,
}

impl<'a> Output<'a> {
    fn create(storage: &'a dyn Storage, path: &Path, wanted: u64) -> Result<Self, Error> {
        let file = storage.create(path).map_err(|source| Error::new(Operation::Create, path, wanted, source))?;
        Ok(Self { file, path: path.to_path_buf(), wanted })
    }

    /// Writes all of `bytes`, however many calls that takes.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let wanted = self.wanted.max(bytes.len() as u64);
        self.file.write_all(bytes).map_err(|source| Error::new(Operation::Write, &self.path, wanted, source))
    }

    /// Returns once everything written so far would survive a power cut.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`]; the content is then unknown.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.file.sync().map_err(|source| Error::new(Operation::Sync, &self.path, self.wanted, source))
    }
}

/// Opens `path` for writing at its end, created if it did not exist; for logs, which grow and are never replaced.
///
/// # Errors
/// [`Error::Full`] or [`Error::Io`].
pub fn append<'a>(storage: &'a dyn Storage, path: &Path) -> Result<Output<'a>, Error> {
    let file = wrap(storage.append(path), Operation::Create, path)?;
    Ok(Output { file, path: path.to_path_buf(), wanted: 0 })
}

/// Opens a regular file for reading; also gives its length in bytes.
///
/// # Errors
/// [`Error::Io`], for something that is not a regular file too.
pub fn open<'a>(storage: &'a dyn Storage, path: &Path) -> Result<(Box<dyn Read + 'a>, u64), Error> {
    wrap(storage.open(path), Operation::Open, path)
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
/// [`Error::TooLarge`] before anything is allocated for it, or [`Error::Io`].
pub fn read(storage: &dyn Storage, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let too_large = |bytes| Error::TooLarge { path: path.to_path_buf(), bytes, limit };
    let (file, len) = open(storage, path)?;
    if len > limit {
        return Err(too_large(len));
    }
    let mut bytes = Vec::new();
    // One byte more than allowed: a file may grow while it is read.
    wrap(file.take(limit.saturating_add(1)).read_to_end(&mut bytes), Operation::Read, path)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(bytes)
}

/// The names in a folder, sorted; none if the folder does not exist.
///
/// # Errors
/// [`Error::Io`].
pub fn list_or_empty(storage: &dyn Storage, path: &Path) -> Result<Vec<Item>, Error> {
    match storage.list(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => wrap(result, Operation::List, path),
    }
}

/// Makes `path` and the folders above it that are missing, so that they survive a power cut.
///
/// # Errors
/// [`Error::Full`] or [`Error::Io`]; a file in the way is one.
pub fn create_dirs(storage: &dyn Storage, path: &Path) -> Result<(), Error> {
    match wrap(storage.kind(path), Operation::Open, path)? {
        Some(Kind::Folder) => return Ok(()),
        Some(_) => {
            let source = io::Error::new(io::ErrorKind::AlreadyExists, "something that is not a folder has this name");
            return Err(Error::new(Operation::CreateFolder, path, 0, source));
        }
        None => {}
    }
    let parent = parent_of(path);
    if parent != path && parent != Path::new(".") {
        create_dirs(storage, parent)?;
    }
    wrap(storage.create_dir(path), Operation::CreateFolder, path)?;
    wrap(storage.sync_dir(parent), Operation::Sync, parent)
}

/// Replaces or creates the file `path` with `bytes`, whole or not at all.
///
/// # Errors
/// [`Error::Full`] or [`Error::Io`]. The old file, or none, is then still there and the temporary is removed; only if
/// the very last call fails (syncing the folder) may either be found after a power cut.
pub fn write_atomic(storage: &dyn Storage, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomic_with(storage, path, bytes.len() as u64, |output| output.write(bytes))
}

/// As [`write_atomic`], with the content written piece by piece by `fill`; `wanted` is its size in bytes, for errors.
///
/// # Errors
/// As [`write_atomic`], and whatever `fill` returns.
pub fn write_atomic_with<E: From<Error>>(
    storage: &dyn Storage,
    path: &Path,
    wanted: u64,
    fill: impl FnOnce(&mut Output<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = prefixed(path, TEMPORARY_PREFIX)?;
    let stage = || -> Result<(), E> {
        let mut output = Output::create(storage, &temporary, wanted)?;
        fill(&mut output)?;
        output.sync()?;
        drop(output);
        wrap(storage.rename(&temporary, path), Operation::Rename, &temporary)?;
        Ok(())
    };
    if let Err(error) = stage() {
        // Best effort: the first error is the one to report, and `clean` tries again at the next start.
        let _ = storage.remove_file(&temporary);
        return Err(error);
    }
    let parent = parent_of(path);
    wrap(storage.sync_dir(parent), Operation::Sync, parent)?;
    Ok(())
}

/// A folder being filled by [`write_folder_atomic`].
pub struct Folder<'a> {
    storage: &'a dyn Storage,
    path: PathBuf,
}

impl Folder<'_> {
    /// Writes and syncs one file; `wanted` is its size in bytes, for errors.
    ///
    /// # Errors
    /// [`Error::Full`] or [`Error::Io`], and whatever `fill` returns.
    pub fn write_file<T, E: From<Error>>(
        &self,
        name: &str,
        wanted: u64,
        fill: impl FnOnce(&mut Output<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut output = Output::create(self.storage, &self.path.join(name), wanted)?;
        let value = fill(&mut output)?;
        output.sync()?;
        Ok(value)
    }
}

/// Replaces or creates the folder `path`, whose parent must exist, with the files that `fill` writes, whole or not at
/// all.
///
/// A folder that has the name already is put aside as `.old-NAME` for the moment between two renames, since no
/// portable call swaps two folders. A crash in that moment leaves it there: [`clean`] puts it back, and a reader that
/// must not write looks for it under that name.
///
/// # Errors
/// [`Error::Full`] or [`Error::Io`], and whatever `fill` returns. The old folder, or none, is then still there and the
/// temporary is removed; if only the last calls fail (syncing the parent, removing the old folder) the new one is.
pub fn write_folder_atomic<E: From<Error>>(
    storage: &dyn Storage,
    path: &Path,
    fill: impl FnOnce(&Folder<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let temporary = prefixed(path, TEMPORARY_PREFIX)?;
    let replaced = prefixed(path, REPLACED_PREFIX)?;
    let parent = parent_of(path);
    remove_tree(storage, &temporary)?;
    let stage = || -> Result<(), E> {
        wrap(storage.create_dir(&temporary), Operation::CreateFolder, &temporary)?;
        fill(&Folder { storage, path: temporary.clone() })?;
        wrap(storage.sync_dir(&temporary), Operation::Sync, &temporary)?;
        if wrap(storage.kind(path), Operation::Open, path)?.is_some() {
            remove_tree(storage, &replaced)?;
            // Not synced: whichever of the two renames a crash loses, the old folder or the new one is found.
            wrap(storage.rename(path, &replaced), Operation::Rename, path)?;
        }
        wrap(storage.rename(&temporary, path), Operation::Rename, &temporary)?;
        Ok(())
    };
    if let Err(error) = stage() {
        // Best effort, as above: what fails here is settled by `clean`.
        let _ = remove_tree(storage, &temporary);
        if let Ok(None) = storage.kind(path) {
            let _ = storage.rename(&replaced, path);
        }
        return Err(error);
    }
    wrap(storage.sync_dir(parent), Operation::Sync, parent)?;
    remove_tree(storage, &replaced)?;
    Ok(())
}

/// Removes a folder so that a crash on the way leaves no half of it under its name. Nothing there is no error.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_folder(storage: &dyn Storage, path: &Path) -> Result<(), Error> {
    if wrap(storage.kind(path), Operation::Open, path)?.is_none() {
        return Ok(());
    }
    let temporary = prefixed(path, TEMPORARY_PREFIX)?;
    remove_tree(storage, &temporary)?;
    wrap(storage.rename(path, &temporary), Operation::Rename, path)?;
    let parent = parent_of(path);
    wrap(storage.sync_dir(parent), Operation::Sync, parent)?;
    remove_tree(storage, &temporary)
}

/// Removes a file, or a folder and what is in it; links are removed, not followed. Nothing there is no error.
fn remove_tree(storage: &dyn Storage, path: &Path) -> Result<(), Error> {
    match storage.list(path) {
        Ok(items) => {
            for item in items {
                remove_item(storage, path, &item)?;
            }
            wrap(storage.remove_dir(path), Operation::Remove, path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            wrap(storage.remove_file(path), Operation::Remove, path)
        }
        Err(error) => Err(Error::new(Operation::List, path, 0, error)),
    }
}

fn remove_item(storage: &dyn Storage, folder: &Path, item: &Item) -> Result<(), Error> {
    let path = folder.join(&item.name);
    match item.kind {
        Kind::Folder => remove_tree(storage, &path),
        Kind::File | Kind::Other => wrap(storage.remove_file(&path), Operation::Remove, &path),
    }
}

/// Settles what a killed process left in `folder`: removes unfinished files and folders, and puts back a folder that
/// was put aside and whose successor did not come. Returns the paths it removed or put back.
///
/// Call it at the start of a process that writes in `folder`, under its [`Lock`](super::Lock). A folder that does not exist is
/// clean.
///
/// # Errors
/// [`Error::Io`].
pub fn clean(storage: &dyn Storage, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut settled = Vec::new();
    let items = list_or_empty(storage, folder)?;
    for item in &items {
        if let Some(name) = replaced_name(&item.name) {
            let (aside, path) = (folder.join(&item.name), folder.join(name));
            if wrap(storage.kind(&path), Operation::Open, &path)?.is_some() {
                remove_item(storage, folder, item)?;
                settled.push(aside);
            } else {
                wrap(storage.rename(&aside, &path), Operation::Rename, &aside)?;
                settled.push(path);
            }
        } else if starts_with(&item.name, TEMPORARY_PREFIX) {
            remove_item(storage, folder, item)?;
            settled.push(folder.join(&item.name));
        }
    }
    if !settled.is_empty() {
        wrap(storage.sync_dir(folder), Operation::Sync, folder)?;
    }
    Ok(settled)
}

/// Finds out whether `bytes` more fit into `folder`, by writing and syncing a file of that size and removing it again.
///
/// The content does not compress, so that a file system that compresses or leaves holes cannot say yes too early. Call
/// it before the work whose result must be stored; the space is not kept for later. Once `stop` is set the question is given
/// up, without an error.
///
/// # Errors
/// [`Error::Full`], which says how many bytes were wanted, or [`Error::Io`]. The file is removed in each case.
pub fn reserve(storage: &dyn Storage, folder: &Path, bytes: u64, stop: &AtomicBool) -> Result<(), Error> {
    let path = folder.join(".tmp-reserve");
    let fill = || -> Result<(), Error> {
        let mut output = Output::create(storage, &path, bytes)?;
        let mut block = vec![0; bytes.min(RESERVE_BLOCK as u64) as usize];
        let mut word = 0x9e37_79b9_7f4a_7c15_u64;
        let mut left = bytes;
        while left > 0 {
            if stop::check(stop).is_err() {
                return Ok(());
            }
            for chunk in block.chunks_mut(8) {
                // Marsaglia's xorshift: as good as random to a compressor.
                word ^= word << 13;
                word ^= word >> 7;
                word ^= word << 17;
                chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
            }
            let now = left.min(block.len() as u64);
            output.write(&block[..now as usize])?;
            left -= now;
        }
        output.sync()
    };
    let filled = fill();
    let removed = wrap(storage.remove_file(&path), Operation::Remove, &path);
    filled.and(removed)
}
