//! `noam emulator`: writes the emulated CUDA driver for other programs.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use noam_emulator::driver::settings::VARIABLES;
use noam_train::storage::{self, Disk};

use crate::Usage;
use crate::args::{EmulatorArgs, EmulatorCommand, ExportArgs};
use crate::output::{mebibytes, write_to};
use crate::shell;

/// The name that programs ask for, and the library's own.
const LIBRARY: &str = "libcuda.so";
/// The other name that programs ask for. A link: two files would be two drivers, if a program asks for both.
const LINK: &str = "libcuda.so.1";

/// Carries out `noam emulator`.
///
/// # Errors
/// Another system than Linux; a folder that can't be written, or that `LD_LIBRARY_PATH` can't name.
pub fn run(args: &EmulatorArgs) -> Result<()> {
    match &args.command {
        EmulatorCommand::Export(args) => export(args),
    }
}

fn export(args: &ExportArgs) -> Result<()> {
    let library = noam_libcuda_embedded::library().ok_or_else(|| {
        anyhow!(
            "this program is for {} and has no emulated driver inside: there is one for Linux with glibc only; \
             on other systems use the emulator from Rust (crate noam-emulator)",
            std::env::consts::OS
        )
    })?;
    let folder = nameable(&args.folder)?;
    storage::create_dirs(&Disk, &folder)?;
    let [file, link] = [LIBRARY, LINK].map(|name| folder.join(name));
    storage::write_atomic(&Disk, &file, library)?;
    replace_link(&link).with_context(|| {
        format!("cannot make {} a link to {LIBRARY}; choose a folder on a file system with links", link.display())
    })?;
    write_to(None, |out| {
        writeln!(out, "{}: the emulated CUDA driver, {}", file.display(), mebibytes(library.len() as u64))?;
        writeln!(out, "{}: its other name", link.display())?;
        writeln!(out, "\nRun a program on it:\n  LD_LIBRARY_PATH={} PROGRAM", shell::path(&folder))?;
        writeln!(out, "\nVariables that say what is emulated and checked:")?;
        for [name, meaning, unset] in VARIABLES {
            let [meaning, unset] = [meaning, unset].map(|text| text.replace('`', ""));
            writeln!(out, "  {name:<22}  {meaning} [unset: {unset}]")?;
        }
        Ok(())
    })
}

/// The folder's whole path, as a variable that is a list of folders can hold it.
fn nameable(folder: &Path) -> Result<PathBuf> {
    let whole = std::path::absolute(folder).with_context(|| format!("where is the folder `{}`?", folder.display()))?;
    match whole.as_os_str().as_encoded_bytes().iter().find(|&&byte| b":;$".contains(&byte)) {
        None => Ok(whole),
        Some(&byte) => Err(Usage(format!(
            "{}: LD_LIBRARY_PATH can't name a folder with `{}` in its path; choose another",
            whole.display(),
            char::from(byte)
        ))
        .into()),
    }
}

/// Puts a link in the folder, made aside and renamed, in the place of a file or link that has its name.
fn replace_link(link: &Path) -> io::Result<()> {
    let aside = link.with_file_name(format!("{}{LINK}", storage::TEMPORARY_PREFIX));
    let made = make_link(&aside).and_then(|()| std::fs::rename(&aside, link));
    if made.is_err() {
        // Best effort: the first error is the one to report.
        let _ = std::fs::remove_file(&aside);
    }
    made
}

#[cfg(unix)]
fn make_link(at: &Path) -> io::Result<()> {
    match std::fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => std::os::unix::fs::symlink(LIBRARY, at),
    }
}

#[cfg(not(unix))]
fn make_link(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_the_variable_cannot_name_is_refused() {
        for folder in ["/some/a:b", "/some/a;b", "/some/$ORIGIN"] {
            let error = nameable(Path::new(folder)).unwrap_err();
            assert!(error.is::<Usage>() && error.to_string().starts_with(folder), "{error}");
        }
        assert_eq!(nameable(Path::new("/some/my folder")).unwrap(), Path::new("/some/my folder"));
        assert!(nameable(Path::new("here")).unwrap().is_absolute());
    }
}
