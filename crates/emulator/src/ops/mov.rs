//! `mov` in all its shapes: copies, special registers, packing and unpacking; and addresses between state spaces.

use std::time::Instant;

use super::{Execute, Level, expect, lift, map1, map2};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Frames, Lower, LowerError, Modifiers, bits, is_movable},
    memory::window::{self, LOCAL, PARAM, SHARED},
    program::{Action, Class, Flow, Inst, Slot},
    ptx::ast::{Operand, Type},
};

/// `slot = the frame's place in local memory + offset`: the address of a variable of the frame.
pub fn frame_address(lower: &mut Lower<'_, '_, '_>, slot: Slot, wide: bool, offset: u64) {
    let level = lower.level();
    let offset = lower.long(offset);
    let run = if wide {
        map2(level, |base: u64, offset: u64| base.wrapping_add(offset))
    } else {
        map2(level, |base: u64, offset: u64| base.wrapping_add(offset) as u32)
    };
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with([slot, Frames::LOCAL_BASE, offset]));
}

struct CopyPredicate;

impl Execute for CopyPredicate {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let value = cx.registers.predicate(inst.args[1]);
        cx.registers.set_predicate(inst.args[0], if inst.flags == 0 { value } else { !value }, mask);
        Flow::Next
    }
}

/// Copies a predicate.
pub fn copy_predicate(lower: &mut Lower<'_, '_, '_>, to: Slot, from: Slot) {
    let level = lower.level();
    lower.push(Inst::new(Class::Move, Action::Run(lift::<CopyPredicate>(level))).with([to, from]));
}

/// `{a, b, ...} = value`: pieces of `bits(piece)` from the lowest. `flags` is the piece's size in bits, the
/// destinations are `more`; `args[0]` is the source, a word or (with `imm` 1) a long.
struct Unpack;

impl Execute for Unpack {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = inst.flags;
        let value: Row<u64> =
            if inst.imm == 1 { *cx.registers.long(inst.args[0]) } else { widen(cx.registers.word(inst.args[0])) };
        for (piece, &slot) in inst.more.iter().enumerate() {
            let mut row = Row::<u32>::default();
            for lane in 0..LANES {
                let bits = value.0[lane] >> (piece as u32 * size);
                row.0[lane] = if size == 32 { bits as u32 } else { bits as u32 & ((1 << size) - 1) };
            }
            cx.registers.set_word(slot, &row, mask);
        }
        Flow::Next
    }
}

/// `value = {a, b, ...}`: the reverse of [`Unpack`].
struct Pack;

impl Execute for Pack {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let size = inst.flags;
        let mut value = Row::<u64>::default();
        for (piece, &slot) in inst.more.iter().enumerate() {
            let row = cx.registers.word(slot);
            for lane in 0..LANES {
                let bits = u64::from(row.0[lane]) & (u64::MAX >> (64 - size));
                value.0[lane] |= bits << (piece as u32 * size);
            }
        }
        if inst.imm == 1 {
            cx.registers.set_long(inst.args[0], &value, mask);
        } else {
            u32::set(cx.registers, inst.args[0], &narrow(&value), mask);
        }
        Flow::Next
    }
}

fn widen(row: &Row<u32>) -> Row<u64> {
    Row(row.0.map(u64::from))
}

fn narrow(row: &Row<u64>) -> Row<u32> {
    Row(row.0.map(|value| value as u32))
}

/// A clock: nanoseconds since the launch began, as `%clock`, `%clock64` and `%globaltimer`. `flags`: 0 the low word,
/// 1 the high word, 2 a long.
struct Clock;

impl Execute for Clock {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let time = Instant::now().duration_since(cx.grid.started).as_nanos() as u64;
        match inst.flags {
            0 => cx.registers.set_word(inst.args[0], &Row::splat(time as u32), mask),
            1 => cx.registers.set_word(inst.args[0], &Row::splat((time >> 32) as u32), mask),
            _ => cx.registers.set_long(inst.args[0], &Row::splat(time), mask),
        }
        Flow::Next
    }
}

/// `mov`, `cvta`, `isspacep`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    match opcode {
        "mov" => lower_mov(lower, modifiers, operands),
        "cvta" => lower_cvta(lower, modifiers, operands),
        _ => lower_isspacep(lower, modifiers, operands),
    }
}

fn lower_mov<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [destination, source] = expect(lower, operands)?;
    match (destination, source) {
        (Operand::Vector(pieces), source) => {
            let size = piece_size(lower, ty, pieces.len())?;
            let more = pieces.iter().map(|piece| lower.destination(piece, size)).collect::<Result<_, _>>()?;
            let source = lower.source(source, ty)?;
            lower.push(
                Inst::new(Class::Move, Action::Run(lift::<Unpack>(level)))
                    .with([source])
                    .imm(u64::from(bits(ty) == 64))
                    .flags(bits(size))
                    .more(more),
            );
        }
        (destination, Operand::Vector(pieces)) => {
            let size = piece_size(lower, ty, pieces.len())?;
            let more = pieces.iter().map(|piece| lower.source(piece, size)).collect::<Result<_, _>>()?;
            let destination = lower.destination(destination, ty)?;
            lower.push(
                Inst::new(Class::Move, Action::Run(lift::<Pack>(level)))
                    .with([destination])
                    .imm(u64::from(bits(ty) == 64))
                    .flags(bits(size))
                    .more(more),
            );
        }
        (Operand::Name(name), source) if ty == Type::Pred => {
            let destination = lower.predicate_destination(name)?;
            let source = lower.predicate(source)?;
            lower.push(
                Inst::new(Class::Move, Action::Run(lift::<CopyPredicate>(level)))
                    .with([destination, source.slot])
                    .flags(u32::from(source.negated)),
            );
        }
        (destination, source) => {
            let slot = lower.destination(destination, ty)?;
            if let Operand::Name(
                name @ ("%clock" | "%clock64" | "%clock_hi" | "%globaltimer" | "%globaltimer_lo" | "%globaltimer_hi"),
            ) = source
            {
                let flags = match (*name, bits(ty)) {
                    ("%clock64" | "%globaltimer", 64) => 2,
                    ("%clock_hi" | "%globaltimer_hi", 32) => 1,
                    ("%clock" | "%globaltimer_lo", 32) => 0,
                    _ => return Err(lower.error(format!("{name} does not fit {ty:?}"))),
                };
                lower.push(Inst::new(Class::Move, Action::Run(lift::<Clock>(level))).with([slot]).flags(flags));
                return Ok(());
            }
            let source = lower.source(source, ty)?;
            let run = match bits(ty) {
                _ if !is_movable(ty) => return Err(lower.error(format!("mov of {ty:?} is not supported"))),
                64 => map1(level, |value: u64| value),
                32 => map1(level, |value: u32| value),
                16 => map1(level, |value: u16| value),
                _ => return Err(lower.error(format!("mov of {ty:?} is not supported"))),
            };
            lower.push(Inst::new(Class::Move, Action::Run(run)).with([slot, source]));
        }
    }
    Ok(())
}

fn piece_size(lower: &Lower<'_, '_, '_>, ty: Type, pieces: usize) -> Result<Type, LowerError> {
    match (bits(ty), pieces) {
        (16, 2) => Ok(Type::B8),
        (32, 2) => Ok(Type::B16),
        (32, 4) => Ok(Type::B8),
        (64, 2) => Ok(Type::B32),
        (64, 4) => Ok(Type::B16),
        _ => Err(lower.error(format!("mov of {ty:?} with {pieces} pieces is not supported"))),
    }
}

/// The first address of a window, by the space's name. `.global` and `.const` addresses are generic ones already.
fn window_of(lower: &Lower<'_, '_, '_>, modifiers: &mut Modifiers<'_>) -> Result<Option<u64>, LowerError> {
    match modifiers.take_one_of(&[
        "global",
        "const",
        "shared",
        "shared::cta",
        "shared::cluster",
        "local",
        "param",
        "param::entry",
    ]) {
        Some(0 | 1) => Ok(None),
        Some(2..=4) => Ok(Some(SHARED)),
        Some(5) => Ok(Some(LOCAL)),
        Some(_) => Ok(Some(PARAM)),
        None => Err(lower.error("a state space is needed")),
    }
}

fn lower_cvta<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let to = modifiers.take("to");
    let window = window_of(lower, &mut modifiers)?;
    if modifiers.take_type() != Some(Type::U64) {
        return Err(lower.error("cvta is supported for .u64 addresses"));
    }
    modifiers.finish(lower)?;
    let [destination, source] = expect(lower, operands)?;
    let source = lower.source(source, Type::U64)?;
    let destination = lower.destination(destination, Type::U64)?;
    let Some(window) = window else {
        lower
            .push(Inst::new(Class::Move, Action::Run(map1(level, |address: u64| address))).with([destination, source]));
        return Ok(());
    };
    // A null pointer stays null in both directions, as programs expect.
    let window = lower.long(window);
    let run = if to {
        map2(level, |address: u64, window: u64| if address == 0 { 0 } else { address.wrapping_sub(window) })
    } else {
        map2(level, |address: u64, window: u64| address.wrapping_add(window))
    };
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with([destination, source, window]));
    Ok(())
}

/// Which space a generic address is in: predicate `args[0]`, address `args[1]`, `imm` the space (0 global, 1 shared,
/// 2 local, 3 param, 4 const).
struct InSpace;

impl Execute for InSpace {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let addresses = cx.registers.long(inst.args[1]);
        let mut holds = 0;
        for lane in 0..LANES {
            let address = addresses.0[lane];
            let inside = match inst.imm {
                1 => window::is_shared(address),
                2 => window::is_local(address),
                3 => window::is_param(address),
                4 => cx.memory.is_constant(address),
                // A kernel's parameters count as global.
                _ => !window::is_shared(address) && !window::is_local(address) && !cx.memory.is_constant(address),
            };
            holds |= u32::from(inside) << lane;
        }
        cx.registers.set_predicate(inst.args[0], holds, mask);
        Flow::Next
    }
}

fn lower_isspacep<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level: Level = lower.level();
    let space = match modifiers.take_one_of(&[
        "global",
        "shared",
        "shared::cta",
        "shared::cluster",
        "local",
        "param",
        "param::entry",
        "const",
    ]) {
        Some(0) => 0,
        Some(1..=3) => 1,
        Some(4) => 2,
        Some(5 | 6) => 3,
        Some(_) => 4,
        None => return Err(lower.error("isspacep needs a state space")),
    };
    modifiers.finish(lower)?;
    let [Operand::Name(destination), source] = expect(lower, operands)? else {
        return Err(lower.error("isspacep takes a predicate and an address"));
    };
    let destination = lower.predicate_destination(destination)?;
    let source = lower.source(source, Type::U64)?;
    lower.push(Inst::new(Class::Predicate, Action::Run(lift::<InSpace>(level))).with([destination, source]).imm(space));
    Ok(())
}
