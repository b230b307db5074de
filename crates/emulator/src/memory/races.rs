//! Where accesses are told to the race checks.

use std::sync::Arc;

use super::{
    block::BlockMemory,
    region::Target,
    request::{Op, Request, Sharing},
};
use crate::{
    check::{self, RaceChecker, RaceLaunch, Strength},
    lanes::Mask,
};

impl BlockMemory<'_> {
    /// Looks for races from now on. To be called before the first block begins; all that run blocks of a launch share
    /// one [`RaceLaunch`].
    pub fn start_race_checks(&mut self, launch: Arc<RaceLaunch>) {
        self.races = Some(Box::new(RaceChecker::new(launch)));
        self.watched = true;
    }

    /// The race checks, to be told of barriers, fences and the like; `None` where nobody looks for races.
    pub fn races(&mut self) -> Option<&mut RaceChecker> {
        self.races.as_deref_mut()
    }

    /// Tells of an access by the lanes of `mask`, all in one target, which begins at `base`. `run` is where they are one
    /// run of bytes.
    pub(super) fn check_races(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        target: Target,
        base: u64,
        mask: Mask,
        run: Option<(u64, u64)>,
    ) {
        let Some(races) = &mut self.races else { return };
        let &Request { op, bytes, addresses, pc, warp, strong, .. } = request;
        let strength = if strong { Strength::Relaxed } else { Strength::Weak };
        let does = match op {
            Op::Load => check::Op::Read,
            Op::Store | Op::AsyncStore => check::Op::Write,
            Op::Atomic => check::Op::Atomic,
        };
        let scope = sharing.scope;
        let access = check::Access { op: does, strength, scope, pc, warp, mask, bytes, addresses, base, run };
        match target {
            Target::Shared if op == Op::AsyncStore => match sharing.phase {
                Some(phase) => races.shared_for_phase(&access, phase),
                None => races.shared_async(&access),
            },
            Target::Shared => races.shared(&access, sharing.same),
            Target::Global(index) => {
                let entry = &self.map.entries()[index as usize];
                // What kernels can only read is never raced for.
                if entry.writable() {
                    races.global(entry.races(), &access, sharing.same);
                }
            }
            Target::Local | Target::Param => {}
        }
    }
}
