//! Barriers of a block.

use super::{
    block::BlockRun,
    warp::{Fragment, Wait},
};
use crate::{
    finding::{Finding, Kind},
    lanes::{ALL, LANES, Mask, Row},
    program::{Barrier, BarrierKind, Inst, Slot},
};

/// Barriers a block has.
pub(super) const BARRIERS: usize = 16;

/// One of the block's barriers, between two completions.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Lanes that have arrived, by warp.
    arrived: Vec<(u32, Mask)>,
    /// Lanes that wait, by warp: those that arrived, less those that only announced it.
    waiting: Vec<(u32, Mask)>,
    /// Threads it takes, where an arrival said so.
    count: Option<u32>,
    /// Whether arrivals count by whole warps.
    aligned: bool,
    /// Predicates of a reduction: how many hold, and of how many.
    holds: u32,
    total: u32,
    /// Where the first to arrive stands, to compare with others.
    first: Option<(u32, u32)>,
}

impl State {
    fn add(list: &mut Vec<(u32, Mask)>, warp: u32, mask: Mask) {
        match list.iter_mut().find(|(known, _)| *known == warp) {
            Some((_, lanes)) => *lanes |= mask,
            None => list.push((warp, mask)),
        }
    }

    /// Whether nobody has arrived.
    pub fn is_idle(&self) -> bool {
        self.arrived.is_empty()
    }

    /// How many threads have arrived, as the barrier counts them.
    fn threads(&self) -> u32 {
        let lanes = |&(_, mask): &(u32, Mask)| if self.aligned { LANES as u32 } else { mask.count_ones() };
        self.arrived.iter().map(lanes).sum()
    }
}

impl BlockRun<'_> {
    /// Executes a barrier instruction. Whether the fragment waits.
    pub(super) fn barrier(
        &mut self,
        index: usize,
        fragment: &mut Fragment,
        inst: &Inst,
        barrier: &Barrier,
    ) -> Result<bool, Box<Finding>> {
        if barrier.aligned && !self.gather_whole(index, fragment, false) {
            return Ok(true);
        }
        let pc = fragment.pc;
        let operand = |slot: Slot, what: &str| {
            self.warps[index].registers.uniform_word(slot, fragment.lanes).map_err(|lane| {
                let detail = format!("the lanes give different {what}s");
                Box::new(self.finding_at(index, pc, 1 << lane, Kind::InvalidOperand, detail))
            })
        };
        let id = operand(barrier.id, "barrier number")?;
        let count = barrier.count.map(|slot| operand(slot, "thread count")).transpose()?;
        if id as usize >= BARRIERS {
            let detail = format!("barrier {id} of {BARRIERS}");
            return Err(Box::new(self.finding_at(index, pc, fragment.lanes, Kind::InvalidOperand, detail)));
        }
        if let Some(count) = count
            && (count == 0 || count % LANES as u32 != 0)
        {
            let detail = format!("a thread count of {count}, which is not a multiple of 32");
            return Err(Box::new(self.finding_at(index, pc, fragment.lanes, Kind::InvalidOperand, detail)));
        }
        self.compare_arrival(index, fragment, id as usize, count, barrier)?;
        let state = &mut self.barriers[id as usize];
        state.count = count;
        state.aligned = barrier.aligned;
        state.first.get_or_insert((pc, index as u32));
        State::add(&mut state.arrived, index as u32, fragment.lanes);
        if matches!(barrier.kind, BarrierKind::Count | BarrierKind::All | BarrierKind::Any) {
            let predicate = self.warps[index].registers.predicate(inst.args[1]);
            let predicate = if inst.imm == 1 { !predicate } else { predicate };
            state.holds += (predicate & fragment.lanes).count_ones();
            state.total += fragment.lanes.count_ones();
        }
        if barrier.kind == BarrierKind::Arrive {
            fragment.pc += 1;
            self.complete(id as usize);
            return Ok(false);
        }
        State::add(&mut self.barriers[id as usize].waiting, index as u32, fragment.lanes);
        fragment.wait = Wait::Barrier(id);
        // A fragment that waits is found in its warp; whether it goes on at once does not matter then.
        self.warps[index].fragments.push(fragment.clone());
        self.complete(id as usize);
        let at = self.warps[index].fragments.len() - 1;
        *fragment = self.warps[index].fragments.swap_remove(at);
        Ok(fragment.wait != Wait::Ready)
    }

    /// Notes when threads meet at one barrier from different instructions, or with different counts.
    fn compare_arrival(
        &mut self,
        index: usize,
        fragment: &Fragment,
        id: usize,
        count: Option<u32>,
        barrier: &Barrier,
    ) -> Result<(), Box<Finding>> {
        let state = &self.barriers[id];
        let Some((first_pc, first_warp)) = state.first else { return Ok(()) };
        let first_thread = self.grid.thread(self.block, first_warp, 0);
        if state.count != count {
            let words = |count: Option<u32>| count.map_or("all".into(), |count| count.to_string());
            let detail =
                format!("barrier {id} is waited for with {} and with {} threads", words(state.count), words(count));
            let mut finding = self.finding_at(index, fragment.pc, fragment.lanes, Kind::BarrierMismatch, detail);
            finding.other = Some((first_pc, first_thread));
            return Err(Box::new(finding));
        }
        let whole_block = barrier.kind != BarrierKind::Arrive && count.is_none();
        if self.grid.options.checks.synchronization && whole_block && first_pc != fragment.pc {
            let detail = format!("barrier {id} is reached at two places");
            let mut finding = self.finding_at(index, fragment.pc, fragment.lanes, Kind::BarrierMismatch, detail);
            finding.other = Some((first_pc, first_thread));
            super::note(&mut self.findings, finding);
        }
        Ok(())
    }

    /// Lets those who wait go on, if all have arrived.
    pub(super) fn complete(&mut self, id: usize) {
        let state = &self.barriers[id];
        if state.is_idle() {
            return;
        }
        let done = match state.count {
            Some(count) => state.threads() >= count,
            None => self.warps.iter().enumerate().all(|(index, warp)| {
                let arrived = state.arrived.iter().find(|(known, _)| *known as usize == index);
                warp.live & !arrived.map_or(0, |&(_, mask)| mask) == 0
            }),
        };
        if !done {
            return;
        }
        let state = std::mem::take(&mut self.barriers[id]);
        self.memory.barrier(&state.arrived, &state.waiting);
        let code = &self.grid.kernel.code;
        for &(index, _) in &state.waiting {
            let warp = &mut self.warps[index as usize];
            for fragment in &mut warp.fragments {
                if fragment.wait != Wait::Barrier(id as u32) {
                    continue;
                }
                let inst = &code[fragment.pc as usize];
                let crate::program::Action::Barrier(barrier) = inst.action else {
                    unreachable!("a fragment waits at a barrier instruction")
                };
                warp.registers.base = fragment.base;
                let lanes = fragment.lanes;
                let holds = |value: bool| if value { ALL } else { 0 };
                match barrier.kind {
                    BarrierKind::Count => warp.registers.set_word(inst.args[0], &Row::splat(state.holds), lanes),
                    BarrierKind::All => {
                        warp.registers.set_predicate(inst.args[0], holds(state.holds == state.total), lanes);
                    }
                    BarrierKind::Any => warp.registers.set_predicate(inst.args[0], holds(state.holds > 0), lanes),
                    BarrierKind::Sync | BarrierKind::Arrive => {}
                }
                fragment.wait = Wait::Ready;
                fragment.pc += 1;
            }
        }
    }
}
