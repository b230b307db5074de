//! What calls do to local memory: parameters and results move between frames.

use super::block::BlockMemory;
use crate::lanes::{LANES, Mask, Row, lanes};

impl BlockMemory<'_> {
    /// Copies bytes of local memory for the lanes of a mask, from one offset to another, with what is known of their
    /// being written. Nobody observes it: it is not an access of the program. Both ranges must be within the stack's
    /// limit, or nothing is copied.
    pub fn copy_local(&mut self, warp: u32, mask: Mask, to: u32, from: u32, bytes: u32) {
        let end = to.max(from).checked_add(bytes);
        if end.is_some_and(|end| end <= self.config.stack_limit) {
            self.local.copy(warp, mask, to, from, bytes);
        }
    }

    /// Takes bytes of local memory as written, for the lanes of a mask.
    pub fn forget_local(&mut self, warp: u32, mask: Mask, at: u32, bytes: u32) {
        if !self.config.checks.initialization {
            return;
        }
        for offset in u64::from(at)..u64::from(at) + u64::from(bytes) {
            // Makes the chunk, where there is none yet.
            let mut pointers = Row([std::ptr::null_mut(); LANES]);
            if !self.local.resolve(warp, &Row::splat(offset), mask, 1, self.config.stack_limit, &mut pointers) {
                return;
            }
            for lane in lanes(mask) {
                if let Some((written, at)) = self.local.written(warp, lane, offset) {
                    written.mark_alone(at, 1);
                }
            }
        }
    }
}
