//! Execution: lanes in fragments, fragments in warps, warps in blocks, blocks over threads.
//!
//! A warp is a list of fragments, sets of lanes that are at the same place. The fragment with the lowest program
//! counter goes first, the deepest call before others, so that those who branched around something wait where it
//! ends: fragments that meet are one again. No fragment can starve another: after a while the others have their turn,
//! as since Volta. A `.sync` instruction waits for the lanes its mask names.
//!
//! A block is run by one thread of the machine, its warps in turn; blocks run on all threads, started in order.

mod barrier;
mod block;
mod call;
mod grid;
pub mod printf;
mod registers;
mod stuck;
mod warp;

use std::time::Instant;

pub use grid::{BlockOrder, Failure, Grid, Launch, Options, Outcome, run};
pub use registers::{Base, Registers, Value};

use crate::{
    finding::{Finding, Kind, Thread},
    lanes::Mask,
    memory::BlockMemory,
    program::Flow,
};

/// What an instruction sees while it executes.
pub struct Cx<'a, 'm> {
    /// The warp's registers, at the frame of the function that runs.
    pub registers: &'a mut Registers,
    /// What the block can address.
    pub memory: &'a mut BlockMemory<'m>,
    /// The launch.
    pub grid: &'a Grid<'m>,
    /// The block's index.
    pub block: [u32; 3],
    /// The warp's number in its block.
    pub warp: u32,
    /// The instruction.
    pub pc: u32,
    /// Bytes of local memory in use, the running function's frame included.
    pub local_top: u32,
    /// The lanes at this instruction, guarded ones included.
    pub lanes: Mask,
    /// What was found wrong without ending the kernel.
    pub findings: &'a mut Vec<Finding>,
    /// Why the kernel ends, after [`Flow::Stop`].
    pub stop: Option<Box<Finding>>,
}

impl Cx<'_, '_> {
    /// Ends the kernel.
    #[cold]
    pub fn fail(&mut self, finding: Box<Finding>) -> Flow {
        self.stop = Some(finding);
        Flow::Stop
    }

    /// A finding at this instruction.
    #[cold]
    pub fn finding(&self, kind: Kind, lane: usize, detail: impl Into<String>) -> Finding {
        Finding {
            kind,
            pc: self.pc,
            thread: self.grid.thread(self.block, self.warp, lane),
            other: None,
            address: None,
            detail: detail.into(),
        }
    }

    /// Notes a finding; the kernel goes on.
    #[cold]
    pub fn note(&mut self, finding: Finding) {
        note(self.findings, finding);
    }
}

/// Keeps a finding, unless the same was found at the same instruction already or there are very many.
fn note(findings: &mut Vec<Finding>, finding: Finding) {
    let known = findings.iter().any(|known| known.kind == finding.kind && known.pc == finding.pc);
    if !known && findings.len() < 1000 {
        findings.push(finding);
    }
}

impl Grid<'_> {
    /// Which thread a lane is.
    pub fn thread(&self, block: [u32; 3], warp: u32, lane: usize) -> Thread {
        let [x, y, _] = self.launch.block;
        let linear = warp * crate::lanes::LANES as u32 + lane as u32;
        Thread { block, thread: [linear % x, linear / x % y, linear / x / y] }
    }

    /// Time since the launch began.
    pub fn elapsed(&self) -> std::time::Duration {
        Instant::now().duration_since(self.started)
    }
}
