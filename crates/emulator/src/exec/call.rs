//! Calls and returns: frames of registers and of local memory.

use super::{
    block::BlockRun,
    warp::{Fragment, Return},
};
use crate::{
    finding::{Finding, Kind},
    lanes::{LANES, Mask, Row},
    program::{Call, CallTarget, Frame, Special},
};

/// Nested calls a thread may make.
const MAX_CALLS: usize = 1000;

impl BlockRun<'_> {
    /// Moves a fragment into the function that it calls. Lanes that call another function stay behind.
    pub(super) fn call(&mut self, index: usize, fragment: &mut Fragment, call: &Call) -> Result<(), Box<Finding>> {
        let kernel = self.grid.kernel;
        let target = match call.target {
            CallTarget::Direct(function) => function,
            CallTarget::Indirect(slot) => {
                let row = *self.warps[index].registers.long(slot);
                let value = row.0[fragment.lanes.trailing_zeros() as usize];
                let same = crate::lanes::lanes(fragment.lanes)
                    .filter(|&lane| row.0[lane] == value)
                    .fold(0, |mask, lane| mask | 1 << lane);
                if same != fragment.lanes {
                    let mut others = fragment.clone();
                    others.lanes &= !same;
                    fragment.lanes = same;
                    self.warps[index].fragments.push(others);
                }
                match kernel.function_addresses.get(&value) {
                    Some(&function) => function,
                    None => {
                        let detail = format!("a call through {value:#x}, which is not a function");
                        let kind = Kind::InvalidOperand;
                        return Err(Box::new(self.finding_at(index, fragment.pc, fragment.lanes, kind, detail)));
                    }
                }
            }
        };
        let caller = &kernel.functions[fragment.function as usize];
        let callee = &kernel.functions[target as usize];
        let base = fragment.base.above(&caller.frame);
        let top = base.local.saturating_add(callee.frame.local_bytes);
        if fragment.calls.len() >= MAX_CALLS || top > self.grid.options.stack_limit {
            let detail = format!(
                "{} calls deep, {top} bytes of stack of {}",
                fragment.calls.len() + 1,
                self.grid.options.stack_limit
            );
            return Err(Box::new(self.finding_at(index, fragment.pc, fragment.lanes, Kind::StackOverflow, detail)));
        }
        for &(from, to, bytes) in &call.arguments {
            self.memory.copy_local(index as u32, fragment.lanes, base.local + to, fragment.base.local + from, bytes);
        }
        fragment.calls.push(Return { pc: fragment.pc, base: fragment.base, function: fragment.function });
        fragment.pc = callee.start;
        fragment.function = target;
        fragment.base = base;
        self.enter(index, fragment.lanes, fragment.base, &callee.frame);
        Ok(())
    }

    /// Moves a fragment back to after its call.
    pub(super) fn return_from(&mut self, index: usize, fragment: &mut Fragment) -> Result<(), Box<Finding>> {
        let Some(back) = fragment.calls.pop() else { return Ok(()) };
        let crate::program::Action::Call(call) = &self.grid.kernel.code[back.pc as usize].action else {
            unreachable!("a return address is that of a call")
        };
        for &(from, to, bytes) in &call.results {
            self.memory.copy_local(
                index as u32,
                fragment.lanes,
                back.base.local + to,
                fragment.base.local + from,
                bytes,
            );
        }
        fragment.pc = back.pc + 1;
        fragment.base = back.base;
        fragment.function = back.function;
        self.warps[index].registers.base = back.base;
        Ok(())
    }

    /// Makes the frame at `base` ready for lanes: room, constants, special registers.
    pub(super) fn enter(&mut self, index: usize, mask: Mask, base: super::Base, frame: &Frame) {
        let registers = &mut self.warps[index].registers;
        registers.base = base;
        registers.reserve(frame);
        registers.fill_constants(frame, mask);
        self.fill_specials(index, mask, frame);
        // Structures are passed with their padding, which nothing writes.
        for &(at, bytes) in &frame.params {
            self.memory.forget_local(index as u32, mask, base.local + at, bytes);
        }
    }

    /// Fills the special registers of a frame.
    pub(super) fn fill_specials(&mut self, index: usize, mask: Mask, frame: &Frame) {
        for &(slot, special) in &frame.word_specials {
            let row = self.special(index, special);
            self.warps[index].registers.set_word(slot, &row, mask);
        }
        for &(slot, special) in &frame.long_specials {
            let row = Row(self.special(index, special).0.map(u64::from));
            self.warps[index].registers.set_long(slot, &row, mask);
        }
    }

    fn special(&self, index: usize, special: Special) -> Row<u32> {
        let launch = &self.grid.launch;
        let of_lane = |value: &dyn Fn(u32) -> u32| {
            let mut row = Row::default();
            for lane in 0..LANES {
                row.0[lane] = value(lane as u32);
            }
            row
        };
        match special {
            Special::Tid(axis) => {
                of_lane(&|lane| self.grid.thread(self.block, index as u32, lane as usize).thread[axis])
            }
            Special::Ntid(axis) => Row::splat(launch.block[axis]),
            Special::Ctaid(axis) => Row::splat(self.block[axis]),
            Special::Nctaid(axis) => Row::splat(launch.grid[axis]),
            Special::LaneId => of_lane(&|lane| lane),
            Special::WarpId => Row::splat(index as u32),
            Special::NumWarps => Row::splat(self.warps.len() as u32),
            Special::SmId => Row::splat((self.linear % u64::from(self.grid.options.multiprocessors.max(1))) as u32),
            Special::NumSms => Row::splat(self.grid.options.multiprocessors),
            Special::GridId => Row::splat(self.grid.options.launch_id as u32),
            Special::LanemaskEq => of_lane(&|lane| 1 << lane),
            Special::LanemaskLe => of_lane(&|lane| u32::MAX >> (31 - lane)),
            Special::LanemaskLt => of_lane(&|lane| (1 << lane) - 1),
            Special::LanemaskGe => of_lane(&|lane| u32::MAX << lane),
            Special::LanemaskGt => of_lane(&|lane| (u32::MAX << lane) << 1),
            Special::DynamicSharedBytes => Row::splat(launch.shared_bytes),
            Special::TotalSharedBytes => Row::splat(self.grid.shared_total()),
            Special::Zero => Row::splat(0),
            Special::One => Row::splat(1),
        }
    }
}
