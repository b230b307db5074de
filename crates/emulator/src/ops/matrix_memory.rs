//! `ldmatrix` and `stmatrix`: 8 x 8 matrices of 16-bit elements between shared memory and the lanes of a warp.
//!
//! Lanes 0 to 7 give the addresses of the first matrix's rows, 8 to 15 those of the second, and so on. Lane 4 r + c
//! holds row r, columns 2c and 2c + 1; with `.trans` row and column are exchanged.

use super::{
    Execute, lift,
    load_store::{NARROW_BASE, addresses, request_space, space_flags, take_space},
};
use crate::{
    exec::Cx,
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    memory::{self, Op, Request, Space},
    program::{Action, Class, Flow, Inst, Slot},
    ptx::ast::{Operand, Type},
};

const TRANSPOSED: u32 = 1 << 16;

/// Pointers to the rows of `count` matrices, 16 bytes each, by the lane that gave the address.
#[inline(always)]
fn rows(cx: &mut Cx<'_, '_>, inst: &Inst, base: Slot, op: Op, count: usize) -> Result<Row<*mut u8>, Flow> {
    let addresses = addresses(cx, inst.flags, base, inst.imm);
    let request = Request {
        space: request_space(inst.flags),
        op,
        bytes: 16,
        addresses: &addresses,
        mask: if count == 4 { u32::MAX } else { (1 << (8 * count)) - 1 },
        pc: cx.pc,
        warp: cx.warp,
        strong: false,
        local_top: cx.local_top,
    };
    cx.memory.resolve(&request).map_err(|finding| cx.fail(finding))
}

/// Registers `more` of the matrices; the address is `args[0]`.
struct Load;

impl Execute for Load {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let count = inst.more.len();
        let pointers = match rows(cx, inst, inst.args[0], Op::Load, count) {
            Ok(pointers) => pointers,
            Err(flow) => return flow,
        };
        let given = if count == 4 { u32::MAX } else { (1 << (8 * count)) - 1 };
        // SAFETY: the pointers were resolved just now for 16 bytes and these lanes; the halves are at 0 and 8.
        let (low, high) =
            unsafe { (memory::load::<u64>(&pointers, 0, given), memory::load::<u64>(&pointers, 8, given)) };
        for (matrix, &slot) in inst.more.iter().enumerate() {
            let element = |row: usize, column: usize| {
                let half = if column < 4 { low.0[8 * matrix + row] } else { high.0[8 * matrix + row] };
                (half >> (16 * (column % 4))) as u32 & 0xffff
            };
            let mut result = Row::<u32>::default();
            for lane in 0..LANES {
                let (row, column) = (lane / 4, lane % 4 * 2);
                result.0[lane] = if inst.flags & TRANSPOSED != 0 {
                    element(column, row) | element(column + 1, row) << 16
                } else {
                    element(row, column) | element(row, column + 1) << 16
                };
            }
            cx.registers.set_word(slot, &result, mask);
        }
        Flow::Next
    }
}

/// The reverse of [`Load`].
struct Store;

impl Execute for Store {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, _: Mask) -> Flow {
        let count = inst.more.len();
        let pointers = match rows(cx, inst, inst.args[0], Op::Store, count) {
            Ok(pointers) => pointers,
            Err(flow) => return flow,
        };
        let (mut low, mut high) = (Row::<u64>::default(), Row::<u64>::default());
        for (matrix, &slot) in inst.more.iter().enumerate() {
            let source = cx.registers.word(slot);
            for lane in 0..LANES {
                for half in 0..2 {
                    let bits = u64::from(source.0[lane] >> (16 * half) & 0xffff);
                    let (row, column) = (lane / 4, lane % 4 * 2 + half);
                    let (row, column) = if inst.flags & TRANSPOSED != 0 { (column, row) } else { (row, column) };
                    let target = if column < 4 { &mut low } else { &mut high };
                    target.0[8 * matrix + row] |= bits << (16 * (column % 4));
                }
            }
        }
        let given = if count == 4 { u32::MAX } else { (1 << (8 * count)) - 1 };
        // SAFETY: the pointers were resolved just now, for a store of 16 bytes and these lanes.
        unsafe {
            memory::store::<u64>(&pointers, 0, given, &low);
            memory::store::<u64>(&pointers, 8, given, &high);
        }
        Flow::Next
    }
}

/// Decodes `ldmatrix` and `stmatrix`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let storing = opcode == "stmatrix";
    if !(modifiers.take("sync") && modifiers.take("aligned") && modifiers.take("m8n8")) {
        return Err(lower.error(format!("{opcode} is supported as .sync.aligned.m8n8")));
    }
    let Some(count) = modifiers.take_one_of(&["x1", "x2", "x4"]).map(|which| 1 << which) else {
        return Err(lower.error(format!("{opcode} needs .x1, .x2 or .x4")));
    };
    let transposed = modifiers.take("trans");
    let (data, at) = match (operands, storing) {
        ([data, at], false) | ([at, data], true) => (data, at),
        _ => return Err(lower.error(format!("{opcode} takes registers and an address"))),
    };
    let address = lower.address(at)?;
    let space = take_space(lower, &mut modifiers, Some(&address))?;
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let pieces: &[Operand<'a>] = match data {
        Operand::Vector(pieces) => pieces,
        single => std::slice::from_ref(single),
    };
    if ty != Type::B16 || pieces.len() != count || !matches!(space, Space::Shared | Space::Generic) {
        return Err(lower.error(format!("{opcode}: {count} registers and an address in shared memory are expected")));
    }
    let more = pieces
        .iter()
        .map(|piece| if storing { lower.source(piece, Type::B32) } else { lower.destination(piece, Type::B32) })
        .collect::<Result<Vec<_>, _>>()?;
    let (class, run) =
        if storing { (Class::StoreShared, lift::<Store>(level)) } else { (Class::LoadShared, lift::<Load>(level)) };
    lower.push(
        Inst::new(class, Action::Whole(run))
            .with([address.base])
            .imm(address.offset as u64)
            .flags(
                space_flags(space)
                    | if transposed { TRANSPOSED } else { 0 }
                    | if address.wide { 0 } else { NARROW_BASE },
            )
            .more(more),
    );
    Ok(())
}
