//! Memory, asked for before it is needed: an error at the start of a run is better than an abort in the middle.
//!
//! Most allocations of a program cannot report that there was no room. Those whose size follows from a configuration are
//! added up here, with some to spare, and the system is asked for as much at once. Whether it says no depends on its limits
//! (`ulimit -v`, a container that does not overcommit); where it always says yes, nothing is found out.

use crate::Error;
use std::hint::black_box;

/// For all that is not counted: scratch of the kernels, code, stacks.
const SPARE: u64 = 16 << 20;

/// Asks for `bytes` of memory and gives them back untouched.
///
/// # Errors
/// [`Error::Memory`] if the system says no.
pub(crate) fn ask(what: &'static str, bytes: u64) -> Result<(), Error> {
    let mut room: Vec<u8> = Vec::new();
    let asked = bytes.saturating_add(SPARE);
    let given = usize::try_from(asked).is_ok_and(|asked| room.try_reserve_exact(asked).is_ok());
    // Or the compiler would see that nobody uses it.
    black_box(&room);
    if given { Ok(()) } else { Err(Error::Memory { what, mebibytes: asked >> 20 }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_little_is_given_and_too_much_is_not() {
        ask("a little", 1 << 20).unwrap();
        for much in [1 << 60, u64::MAX] {
            let message = ask("the moon", much).unwrap_err().to_string();
            assert!(message.contains("the moon") && message.contains("MiB"), "{message}");
        }
    }
}
