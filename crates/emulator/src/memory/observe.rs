//! What is done at each access besides the access: counting, and the checks that only look.

use super::{
    block::BlockMemory,
    region::Target,
    request::{Op, Request, Sharing},
    span::run,
    written::Written,
};
use crate::{
    finding::{Finding, Kind},
    lanes::{Mask, Row, lanes},
};

impl BlockMemory<'_> {
    /// Sees a request whose lanes are all good and all in one target, which begins at `base`.
    #[inline(never)]
    pub(super) fn observe(&mut self, request: &Request<'_>, sharing: &Sharing<'_>, target: Target, base: u64) {
        if request.mask == 0 {
            return;
        }
        let run = run(request.addresses, request.mask, request.bytes);
        if self.count {
            self.count(request, target, request.mask, run);
        }
        self.watch(request, sharing, target, base, request.mask, run);
    }

    /// Sees a request whose lanes are all good, each in its own target, which begins at its base.
    pub(super) fn observe_each(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        targets: &[Target; 32],
        bases: &Row<u64>,
    ) {
        let where_they = |mask: Mask, same: &dyn Fn(usize) -> bool| {
            lanes(mask).filter(|&lane| same(lane)).fold(0, |mask, lane| mask | 1 << lane)
        };
        let mut rest = request.mask;
        while rest != 0 {
            let target = targets[rest.trailing_zeros() as usize];
            // Lanes in several allocations are one request of global memory.
            let kind = std::mem::discriminant(&target);
            let group = where_they(rest, &|lane| std::mem::discriminant(&targets[lane]) == kind);
            rest &= !group;
            if self.count {
                self.count(request, target, group, run(request.addresses, group, request.bytes));
            }
            let mut within = group;
            while within != 0 {
                let first = within.trailing_zeros() as usize;
                let part = where_they(within, &|lane| targets[lane] == targets[first]);
                within &= !part;
                let run = run(request.addresses, part, request.bytes);
                self.watch(request, sharing, targets[first], bases.0[first], part, run);
            }
        }
    }

    /// Sees the lanes of `mask`, all in one target. `run` is where they are one run of bytes.
    fn watch(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        target: Target,
        base: u64,
        mask: Mask,
        run: Option<(u64, u64)>,
    ) {
        if let Target::Global(index) = target
            && self.count
        {
            self.note_sectors(request, index, mask, run);
        }
        if self.config.checks.initialization {
            self.check_written(request, target, base, mask, run);
        }
        self.check_races(request, sharing, target, base, mask, run);
    }

    fn check_written(&mut self, request: &Request<'_>, target: Target, base: u64, mask: Mask, run: Option<(u64, u64)>) {
        let touch = Touch { request, base, mask, run, alone: !matches!(target, Target::Global(_)) };
        let unwritten = match target {
            Target::Param => 0,
            Target::Local => lanes(mask)
                .filter(|&lane| {
                    let offset = request.addresses.0[lane] - base;
                    let found = self.local.written(request.warp, lane, offset);
                    found.is_some_and(|(written, at)| touch.one(written, at))
                })
                .fold(0, |mask, lane| mask | 1 << lane),
            Target::Shared => touch.row(self.shared_written.as_ref()),
            Target::Global(index) => touch.row(self.map.entries()[index as usize].written()),
        };
        if unwritten != 0 {
            self.found_unwritten(request, target, base, unwritten);
        }
    }

    #[cold]
    fn found_unwritten(&mut self, request: &Request<'_>, target: Target, base: u64, unwritten: Mask) {
        let lane = unwritten.trailing_zeros() as usize;
        let (thread, address) = (self.thread(request.warp, lane), request.addresses.0[lane]);
        let kind = Kind::UninitializedRead;
        self.findings.record((kind, request.pc, None), self.block, u64::from(unwritten.count_ones()), || {
            let place = match target {
                Target::Global(index) => self.map.entries()[index as usize].info().to_string(),
                Target::Shared => "the block's shared memory".to_owned(),
                Target::Local => "the thread's local memory".to_owned(),
                Target::Param => "the kernel's parameters".to_owned(),
            };
            Finding {
                kind,
                pc: request.pc,
                thread,
                other: None,
                address: Some((address, request.bytes)),
                detail: format!("{} bytes at offset {} of {place}", request.bytes, address - base),
            }
        });
    }
}

/// Checks and marks the bits of an access.
struct Touch<'r> {
    request: &'r Request<'r>,
    base: u64,
    mask: Mask,
    run: Option<(u64, u64)>,
    /// No other thread uses the bits.
    alone: bool,
}

impl Touch<'_> {
    fn mark(&self, written: &Written, start: u64, bytes: u64) {
        if self.alone {
            written.mark_alone(start, bytes);
        } else {
            written.mark(start, bytes);
        }
    }

    /// One lane's access, at a place aligned as its address is; whether it read what nothing wrote.
    #[inline]
    fn one(&self, written: &Written, start: u64) -> bool {
        let bytes = u64::from(self.request.bytes);
        let unwritten = self.request.op.reads() && written.is_missing(start, bytes);
        if self.request.op.writes() {
            self.mark(written, start, bytes);
        }
        unwritten
    }

    /// The whole row; the lanes that read what nothing wrote.
    fn row(&self, written: Option<&Written>) -> Mask {
        let Some(written) = written else { return 0 };
        if let Some((start, bytes)) = self.run
            && !(self.request.op.reads() && written.missing(start - self.base, bytes).is_some())
        {
            if self.request.op.writes() {
                self.mark(written, start - self.base, bytes);
            }
            return 0;
        }
        // Allocations that have these bits, and shared memory, begin at multiples of more than any access's size.
        let place = |lane: usize| self.request.addresses.0[lane] - self.base;
        let mut unwritten = 0;
        if self.request.op == Op::Load {
            let bytes = u64::from(self.request.bytes);
            lanes(self.mask).for_each(|lane| unwritten |= u32::from(written.is_missing(place(lane), bytes)) << lane);
        } else {
            lanes(self.mask).for_each(|lane| unwritten |= u32::from(self.one(written, place(lane))) << lane);
        }
        unwritten
    }
}
