//! Tests of the module as its users see it.

mod counting;
mod heap;
mod initialization;
mod races;
mod resolve;
mod threads;
mod transfer;

use std::sync::Arc;

use super::*;
use crate::{
    finding::{Checks, Finding},
    lanes::{ALL, Mask, Row},
};

/// Random numbers (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

const STACK: u32 = 4096;

fn config(checks: Checks) -> Config {
    Config { checks, stack_limit: STACK }
}

/// A block of 8 x 8 x 2 threads with 1024 bytes of shared memory and 40 bytes of parameters, which are 0, 1, 2, ...
fn block(map: &Map, checks: Checks) -> BlockMemory<'_> {
    let params: Vec<u8> = (0..40).collect();
    let mut memory = BlockMemory::new(map, &params, config(checks));
    memory.begin_block([3, 2, 1], 7, [8, 8, 2], 1024);
    memory
}

/// A row by its lanes.
fn row<T>(of: impl Fn(u64) -> T) -> Row<T> {
    Row(std::array::from_fn(|lane| of(lane as u64)))
}

/// What a request is made of, to be varied.
#[derive(Clone, Copy)]
struct Ask {
    space: Space,
    op: Op,
    bytes: u32,
    mask: Mask,
    pc: u32,
    warp: u32,
}

impl Ask {
    fn new(space: Space, op: Op, bytes: u32) -> Self {
        Self { space, op, bytes, mask: ALL, pc: 5, warp: 1 }
    }

    fn mask(self, mask: Mask) -> Self {
        Self { mask, ..self }
    }

    fn pc(self, pc: u32) -> Self {
        Self { pc, ..self }
    }

    fn warp(self, warp: u32) -> Self {
        Self { warp, ..self }
    }

    /// Asks for the lanes' addresses. All of the stack is in use but its last 96 bytes.
    fn at(self, memory: &mut BlockMemory<'_>, address: impl Fn(u64) -> u64) -> Result<Row<*mut u8>, Box<Finding>> {
        let Self { space, op, bytes, mask, pc, warp } = self;
        let addresses = &row(address);
        memory.resolve(&Request { space, op, bytes, addresses, mask, pc, warp, strong: false, local_top: STACK - 96 })
    }
}

/// A device of 1 MiB.
fn device() -> Memory {
    Memory::new(1 << 20)
}

/// A map of a device with one allocation of so many bytes, and its address.
fn one(bytes: u64) -> (Arc<Map>, u64) {
    let memory = device();
    let address = memory.allocate(bytes, AllocationKind::Device).unwrap();
    (memory.map(), address)
}
