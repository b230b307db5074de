//! Counting a request as it is made.

use super::{
    banks,
    block::BlockMemory,
    counters::{Accesses, MemoryCounters},
    region::Target,
    request::{Op, Request, Space},
    sectors,
};
use crate::lanes::{Mask, lanes};

impl BlockMemory<'_> {
    /// Counts the lanes of `mask`, whose addresses are all of one space, as a request of its own. `run` is where they
    /// are one run of bytes.
    pub(super) fn count(&mut self, request: &Request<'_>, target: Target, mask: Mask, run: Option<(u64, u64)>) {
        let &Request { op, bytes, addresses, .. } = request;
        let active = u64::from(mask.count_ones());
        let mut accesses =
            Accesses { requests: 1, lanes: active, bytes: active * u64::from(bytes), ..Accesses::default() };
        let counters = &mut self.counters;
        let sum = match target {
            Target::Global(_) if request.space != Space::Const => {
                (accesses.sectors, accesses.ideal_sectors) = match run {
                    Some((start, length)) => sectors::of_run(start, length),
                    None => sectors::of_request(addresses, mask, bytes),
                };
                match op {
                    Op::Load => &mut counters.global_loads,
                    Op::Store | Op::AsyncStore => &mut counters.global_stores,
                    Op::Atomic => &mut counters.global_atomics,
                }
            }
            Target::Global(_) | Target::Param => &mut counters.constant_loads,
            Target::Shared => {
                accesses.ideal_wavefronts = banks::ideal(mask, bytes);
                // A run has no conflicts.
                accesses.wavefronts = match run {
                    Some(_) => accesses.ideal_wavefronts,
                    None => banks::wavefronts(addresses, mask, bytes),
                };
                match op {
                    Op::Load => &mut counters.shared_loads,
                    Op::Store | Op::AsyncStore => &mut counters.shared_stores,
                    Op::Atomic => &mut counters.shared_atomics,
                }
            }
            Target::Local => {
                // Where the window begins is a multiple of a word.
                (accesses.sectors, accesses.ideal_sectors) = sectors::of_local(addresses, mask, bytes);
                match op {
                    Op::Load => &mut counters.local_loads,
                    Op::Store | Op::AsyncStore | Op::Atomic => &mut counters.local_stores,
                }
            }
        };
        sum.add(&accesses);
        if self.by_instruction {
            let list = &mut counters.by_instruction;
            if list.len() <= request.pc as usize {
                list.resize(request.pc as usize + 1, Accesses::default());
            }
            list[request.pc as usize].add(&accesses);
        }
    }

    /// Notes the sectors of device memory that the lanes of `mask` touch in an allocation.
    pub(super) fn note_sectors(&mut self, request: &Request<'_>, index: u32, mask: Mask, run: Option<(u64, u64)>) {
        let entry = &self.map.entries()[index as usize];
        if !entry.kind.is_counted() {
            return;
        }
        let (reads, writes) = (request.op.reads(), request.op.writes());
        let mut sectors = self.touching.of(index, entry.base);
        match run {
            Some((start, bytes)) => sectors.note(start, bytes, reads, writes),
            None => {
                let bytes = u64::from(request.bytes);
                lanes(mask).for_each(|lane| sectors.note(request.addresses.0[lane], bytes, reads, writes));
            }
        }
    }

    /// What was counted so far; it begins anew.
    pub fn take_counters(&mut self) -> MemoryCounters {
        let mut counters = std::mem::take(&mut self.counters);
        counters.touched = self.touching.take(|index| self.map.entries()[index].id);
        counters
    }
}
