//! Makes the emulator the process's libcuda.
//!
//! Programs find the driver by `dlopen("libcuda.so")`, and the dynamic loader gives them a library of that name that is
//! loaded already. So [`install`] loads one, made on the spot ([`elf`]): its functions are jumps to this crate's. It
//! wins over a vendor's driver, which stays what and where it is.

pub mod elf;
#[cfg(target_os = "linux")]
mod linux;

use std::{error::Error, fmt, io, path::PathBuf};

/// The name under which the library is loaded, and found.
pub const SONAME: &str = "libcuda.so";

/// Why the emulator can't be installed.
#[derive(Debug)]
#[non_exhaustive]
pub enum InstallError {
    /// Not for this operating system or processor.
    Platform,
    /// The library can't be written to any folder for temporary files.
    Write {
        /// The first file that was tried.
        path: PathBuf,
        /// Why it can't be written.
        source: io::Error,
    },
    /// The dynamic loader refuses the library.
    Load(Box<dyn Error + Send + Sync>),
    /// The dynamic loader does not find the library by its name.
    Hidden,
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => write!(f, "the emulator can be installed on Linux on x86-64 and 64-bit Arm only"),
            Self::Write { path, .. } => {
                write!(f, "{} can't be written; set TMPDIR to a folder where it can be", path.display())
            }
            Self::Load(_) => write!(f, "the dynamic loader refuses the emulator's library"),
            Self::Hidden => write!(
                f,
                "the dynamic loader gives another library for {SONAME}: install the emulator before anything asks for \
                 the driver, and on glibc"
            ),
        }
    }
}

impl Error for InstallError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Write { source, .. } => Some(source),
            Self::Load(source) => Some(&**source),
            Self::Platform | Self::Hidden => None,
        }
    }
}

/// Whether [`install`] is for this operating system and processor.
pub fn is_supported() -> bool {
    cfg!(target_os = "linux") && elf::Machine::here().is_some()
}

/// Makes the emulator the process's libcuda: from now on, whoever asks the dynamic loader for `libcuda.so` gets it,
/// also where a vendor's driver is installed. Call it before anything has asked. Calling it again does nothing.
///
/// Settings come from the environment ([`settings`](crate::driver::settings)), unless
/// [`configure`](crate::driver::configure) was called before. Reports are kept for the program to take
/// ([`Journal`](crate::driver::journal::Journal)), and written only where `NOAM_EMULATOR_REPORT` says.
///
/// # Errors
/// Where the library can't be written, loaded, or found.
pub fn install() -> Result<(), InstallError> {
    #[cfg(target_os = "linux")]
    return linux::install();
    #[cfg(not(target_os = "linux"))]
    Err(InstallError::Platform)
}
