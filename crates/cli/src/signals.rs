//! Signals that ask a run to stop.
//!
//! A handler only sets a flag; the run looks at it while it prepares and between steps, saves a checkpoint and ends with exit
//! code 0.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// The exit code after a second interrupt: 128 and the signal's number, as shells have it.
const INTERRUPTED: i32 = 130;

/// A flag that SIGINT, SIGTERM, SIGHUP and SIGUSR1 set from now on. Batch schedulers send SIGUSR1 some time before a job's
/// limit, if they are asked to.
///
/// - A second SIGINT leaves at once, for people who will not wait. Machines repeat the others (a service manager sends
///   SIGTERM and SIGHUP together, a scheduler sends SIGUSR1 to each process and to the script that passes it on), so they never
///   do.
/// - SIGHUP is left alone if it is ignored, as under `nohup`.
/// - SIGXFSZ, sent for a file beyond the limit of `ulimit -f`, is caught and does nothing: then the write fails, with an
///   error that names the file.
///
/// # Errors
/// If the system refuses a handler.
pub fn watch() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::new(AtomicBool::new(false));
    // In this order: the first interrupt finds the flag down, and only then puts it up.
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(&interrupted))?;
    flag::register(SIGINT, interrupted)?;
    flag::register(SIGINT, Arc::clone(&stop))?;
    flag::register(SIGTERM, Arc::clone(&stop))?;
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGUSR1, SIGXFSZ};
        if !hangup_is_ignored() {
            flag::register(SIGHUP, Arc::clone(&stop))?;
        }
        flag::register(SIGUSR1, Arc::clone(&stop))?;
        flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(stop)
}

/// Whether SIGHUP was ignored when the program started.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn hangup_is_ignored() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status))
}

/// Whether SIGHUP was ignored when the program started: other systems do not tell without a system call of their own. A
/// program under `nohup` has no terminal as standard error, so one that has none is taken for it.
#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
fn hangup_is_ignored() -> bool {
    use std::io::IsTerminal;
    !io::stderr().is_terminal()
}

/// Reads the mask of ignored signals, signal 1 its lowest bit, from the text of `/proc/self/status`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn ignores_hangup(status: &str) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_read() {
        assert!(ignores_hangup("Name:\tnoam\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n"));
        assert!(!ignores_hangup("Name:\tnoam\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000000001\n"));
        assert!(!ignores_hangup("Name:\tnoam\n"));
    }
}
