//! Writing the library, loading it, and filling its table.

use std::{
    fs::{self, OpenOptions},
    hash::{BuildHasher, Hasher, RandomState},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use super::{
    InstallError, SONAME,
    elf::{self, Machine},
};
use crate::{driver::driver_of_program, libcuda::lookup};

/// To `dlopen`: only what is loaded already. The same number in glibc and musl, on all processors here.
const RTLD_NOLOAD: i32 = 4;

pub(super) fn install() -> Result<(), InstallError> {
    static INSTALLED: Mutex<bool> = Mutex::new(false);
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if *installed {
        return Ok(());
    }
    let machine = Machine::here().ok_or(InstallError::Platform)?;
    let entries: Vec<_> = lookup::entries().collect();
    let names: Vec<_> = entries.iter().map(|entry| entry.name).collect();
    let path = write(&elf::library(machine, SONAME, &names))?;
    let loaded = load(&path);
    // Once loaded it is needed no more; a file that stays does no harm.
    drop(fs::remove_file(&path));
    let library = loaded?;
    let table = table(&library).ok_or(InstallError::Hidden)?;
    for (at, entry) in entries.iter().enumerate() {
        // SAFETY: the library was made with a table of as many pointers as there are entries, which can be written.
        // Nobody reads it meanwhile: no function of the library was asked for yet.
        unsafe { table.add(at).write((entry.address)()) };
    }
    // It stays for as long as the process: addresses of its functions are handed out.
    std::mem::forget(library);
    // SAFETY: a library that is loaded already runs no code when it is opened again.
    let found = unsafe { Library::open(Some(SONAME), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) };
    if found.ok().and_then(|library| self::table(&library)) != Some(table) {
        return Err(InstallError::Hidden);
    }
    driver_of_program();
    *installed = true;
    Ok(())
}

/// The table of a library that was made here.
fn table(library: &Library) -> Option<*mut usize> {
    // SAFETY: a symbol of this name is of no other library; it is an object, of which this takes the address.
    let symbol = unsafe { library.get::<*mut usize>(elf::TABLE.as_bytes()) }.ok()?;
    Some(symbol.into_raw().cast())
}

/// Writes the library to a file that only this user can change.
fn write(bytes: &[u8]) -> Result<PathBuf, InstallError> {
    // A name that no other process has guessed.
    let name = format!("noam-emulator-{:016x}.so", RandomState::new().build_hasher().finish());
    let mut failure = None;
    for folder in [std::env::temp_dir(), "/dev/shm".into(), "/var/tmp".into()] {
        let path = folder.join(&name);
        match create(&path, bytes) {
            Ok(()) => return Ok(path),
            Err(source) => failure = failure.or(Some(InstallError::Write { path, source })),
        }
    }
    Err(failure.unwrap_or(InstallError::Platform))
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o700).open(path)?;
    file.write_all(bytes)
}

fn load(path: &Path) -> Result<Library, InstallError> {
    // SAFETY: this process has made the library a moment ago; it has no code that runs when it is loaded.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|error| InstallError::Load(error.into()))
}
