//! The seam to the engine: everything that the driver asks of the code that loads and runs PTX.

use std::sync::Arc;

pub use crate::{
    counters::Counters,
    exec::{Launch, Options, Outcome},
    module::{KernelInfo, LoadError, Module},
};
use crate::{finding::Finding, memory::Memory, program::Kernel};

use super::report::{Place, Site};

/// Runs a kernel on what the memory holds now.
pub fn run(memory: &Memory, kernel: &Kernel, launch: Launch<'_>, options: &Options) -> Outcome {
    let map: Arc<_> = memory.map();
    crate::exec::run(kernel, &map, launch, options)
}

/// Where a finding is, in words: the instruction's text and its source line.
pub fn place(kernel: &Kernel, finding: &Finding) -> Place {
    Place {
        here: Site {
            thread: finding.thread,
            instruction: kernel.text(finding.pc).to_owned(),
            line: line(kernel, finding.pc),
        },
        other: finding.other.map(|(pc, thread)| Site {
            thread,
            instruction: kernel.text(pc).to_owned(),
            line: line(kernel, pc),
        }),
    }
}

/// The source line of an instruction; its place in the PTX where the module has no line information.
pub fn line(kernel: &Kernel, pc: u32) -> Option<String> {
    kernel.line(pc).or_else(|| {
        let position = kernel.places.get(pc as usize)?.ptx;
        Some(format!("ptx:{}:{}", position.line, position.column))
    })
}
