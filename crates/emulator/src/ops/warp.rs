//! What the lanes of a warp do together: `shfl`, `vote`, `match`, `redux`, `activemask`, `elect`, `bar.warp.sync`.

use super::{Alone, Execute, ExecuteTogether, Level, expect, integer::unsupported, lift, lift_together};
use crate::{
    exec::{Cx, Value},
    lanes::{Mask, Row, lanes},
    lower::{Lower, LowerError, Modifiers, PredicateSource},
    program::{Action, Class, Flow, Inst, Part, Slot},
    ptx::ast::{Operand, Type},
};

/// A source of all parts.
#[inline(always)]
fn get<T: Value>(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], arg: usize) -> Row<T> {
    let mut row = Row::default();
    for part in parts {
        cx.registers.base = part.base;
        row.merge(&T::get(cx.registers, part.inst.args[arg]), part.lanes);
    }
    cx.registers.base = parts[0].base;
    row
}

/// A source predicate of all parts, negated where flag 1 says so.
#[inline(always)]
fn predicate(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], arg: usize) -> Mask {
    let mut holds = 0;
    for part in parts {
        cx.registers.base = part.base;
        let value = cx.registers.predicate(part.inst.args[arg]);
        holds |= if part.inst.flags & 1 != 0 { !value } else { value } & part.lanes;
    }
    cx.registers.base = parts[0].base;
    holds
}

/// Writes the destination of each part.
#[inline(always)]
fn set<T: Value>(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], arg: usize, row: &Row<T>) {
    for part in parts {
        cx.registers.base = part.base;
        T::set(cx.registers, part.inst.args[arg], row, part.lanes);
    }
    cx.registers.base = parts[0].base;
}

/// Writes the destination predicate of each part.
#[inline(always)]
fn set_predicate(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], arg: usize, value: Mask) {
    for part in parts {
        cx.registers.base = part.base;
        cx.registers.set_predicate(part.inst.args[arg], value, part.lanes);
    }
    cx.registers.base = parts[0].base;
}

/// The same for those parts that have the destination: their flags say so.
#[inline(always)]
fn set_wanted_predicate(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], arg: usize, value: Mask) {
    for part in parts.iter().filter(|part| part.inst.flags != 0) {
        cx.registers.base = part.base;
        cx.registers.set_predicate(part.inst.args[arg], value, part.lanes);
    }
    cx.registers.base = parts[0].base;
}

/// `shfl.sync`: value `args[1]` from the lane that `args[2]` and the bounds in `args[3]` tell; predicate `args[4]`
/// whether that lane was in range. The mode is in `imm`.
struct Shuffle;

const UP: u64 = 0;
const DOWN: u64 = 1;
const BUTTERFLY: u64 = 2;

impl ExecuteTogether for Shuffle {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let inst = parts[0].inst;
        let source = get::<u32>(cx, parts, 1);
        let offset = get::<u32>(cx, parts, 2);
        let bounds = get::<u32>(cx, parts, 3);
        let mut row = Row::<u32>::default();
        let mut in_range = 0;
        let mut absent = 0;
        for lane in lanes(mask) {
            let at = lane as u32;
            let offset = offset.0[lane] & 31;
            let (clamp, segment) = (bounds.0[lane] & 31, bounds.0[lane] >> 8 & 31);
            let highest = at & segment | clamp & !segment;
            let lowest = at & segment;
            let (from, inside) = match inst.imm {
                // The lane may become negative; the bound is then a least one.
                UP => (at.wrapping_sub(offset), at as i32 - offset as i32 >= highest as i32),
                DOWN => (at + offset, at + offset <= highest),
                BUTTERFLY => (at ^ offset, at ^ offset <= highest),
                _ => {
                    let from = lowest | offset & !segment;
                    (from, from <= highest)
                }
            };
            let from = if inside { from & 31 } else { at };
            row.0[lane] = source.0[from as usize];
            in_range |= u32::from(inside) << lane;
            absent |= u32::from(mask >> from & 1 == 0) << lane;
        }
        if absent != 0 && cx.grid.options.checks.synchronization {
            let lane = absent.trailing_zeros() as usize;
            let detail = "the value comes from a lane that does not take part".to_owned();
            let finding = cx.finding(crate::finding::Kind::InvalidMask, lane, detail);
            cx.note(finding);
        }
        set(cx, parts, 0, &row);
        set_wanted_predicate(cx, parts, 4, in_range);
        Flow::Next
    }
}

/// `vote`: the predicate `args[1]` (negated with flag 1) over the lanes. `imm`: 0 all, 1 any, 2 uniform, 3 the ballot
/// as a word.
struct Vote;

impl ExecuteTogether for Vote {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let inst = parts[0].inst;
        let holds = predicate(cx, parts, 1) & mask;
        let all = |value: bool| if value { u32::MAX } else { 0 };
        match inst.imm {
            0 => set_predicate(cx, parts, 0, all(holds == mask)),
            1 => set_predicate(cx, parts, 0, all(holds != 0)),
            2 => set_predicate(cx, parts, 0, all(holds == mask || holds == 0)),
            _ => set(cx, parts, 0, &Row::splat(holds)),
        }
        Flow::Next
    }
}

/// `match.sync`: the lanes whose value equals this lane's. `imm` 0: any; 1: all, with predicate `args[2]`.
struct Match<T>(std::marker::PhantomData<T>);

impl<T: Value + PartialEq> ExecuteTogether for Match<T> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let inst = parts[0].inst;
        let values = get::<T>(cx, parts, 1);
        let equal =
            |value: T| lanes(mask).filter(|&lane| values.0[lane] == value).fold(0, |found, lane| found | 1u32 << lane);
        let mut row = Row::<u32>::default();
        let mut uniform = 0;
        for lane in lanes(mask) {
            let found = equal(values.0[lane]);
            let all = found == mask;
            row.0[lane] = if inst.imm == 0 || all { found } else { 0 };
            uniform |= u32::from(all) << lane;
        }
        set(cx, parts, 0, &row);
        set_wanted_predicate(cx, parts, 2, uniform);
        Flow::Next
    }
}

/// `redux.sync`: one value of all lanes' values. The operation is in `imm`.
struct Reduce;

const OPERATIONS: [&str; 6] = ["add", "min", "max", "and", "or", "xor"];

impl ExecuteTogether for Reduce {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let inst = parts[0].inst;
        let values = get::<u32>(cx, parts, 1);
        let signed = inst.flags & 1 != 0;
        let fold = |f: &dyn Fn(u32, u32) -> u32| lanes(mask).map(|lane| values.0[lane]).reduce(f).unwrap_or_default();
        let value = match (OPERATIONS[inst.imm as usize], signed) {
            ("add", _) => fold(&u32::wrapping_add),
            ("min", false) => fold(&u32::min),
            ("min", true) => fold(&|a, b| (a as i32).min(b as i32) as u32),
            ("max", false) => fold(&u32::max),
            ("max", true) => fold(&|a, b| (a as i32).max(b as i32) as u32),
            ("and", _) => fold(&|a, b| a & b),
            ("or", _) => fold(&|a, b| a | b),
            _ => fold(&|a, b| a ^ b),
        };
        set(cx, parts, 0, &Row::splat(value));
        Flow::Next
    }
}

/// `redux.sync` of f32 (sm_100): `min` and `max`, with `.abs` (flag 2) and `.NaN` (flag 4).
struct ReduceFloat;

impl ExecuteTogether for ReduceFloat {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let inst = parts[0].inst;
        let values = get::<f32>(cx, parts, 1);
        let variant = crate::num::minmax::Variant { nan: inst.flags & 4 != 0, xorsign_abs: false };
        let value = lanes(mask)
            .map(|lane| if inst.flags & 2 != 0 { crate::num::single::abs(values.0[lane]) } else { values.0[lane] })
            .reduce(|a, b| match OPERATIONS[inst.imm as usize] {
                "min" => crate::num::minmax::min_f32(a, b, variant),
                _ => crate::num::minmax::max_f32(a, b, variant),
            });
        set(cx, parts, 0, &Row::splat(value.unwrap_or_default()));
        Flow::Next
    }
}

/// `activemask`: the lanes that are here.
struct ActiveMask;

impl Execute for ActiveMask {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        cx.registers.set_word(inst.args[0], &Row::splat(mask), mask);
        Flow::Next
    }
}

/// `elect.sync`: the lowest lane, as a number and as a predicate.
struct Elect;

impl ExecuteTogether for Elect {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, parts: &[Part<'_>], mask: Mask) -> Flow {
        let leader = mask.trailing_zeros();
        set(cx, parts, 0, &Row::splat(leader));
        set_predicate(cx, parts, 1, 1 << (leader & 31));
        Flow::Next
    }
}

/// `bar.warp.sync`: what the lanes did before is seen by all of them after.
struct WarpBarrier;

impl ExecuteTogether for WarpBarrier {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, _: &[Part<'_>], mask: Mask) -> Flow {
        cx.memory.warp_sync(cx.warp, mask);
        Flow::Next
    }
}

/// The action of an instruction with or without `.sync`: without it, the lanes that are here take part.
fn gathered<E: ExecuteTogether>(level: Level, members: Option<Slot>) -> Action {
    match members {
        Some(slot) => Action::Gather(lift_together::<E>(level), slot),
        None => Action::Run(lift::<Alone<E>>(level)),
    }
}

/// The lane mask at the end of a `.sync` instruction's operands.
fn members<'a>(lower: &mut Lower<'_, '_, 'a>, operand: &Operand<'a>) -> Result<Slot, LowerError> {
    lower.source(operand, Type::B32)
}

/// Decodes an instruction of this family.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let sync = modifiers.take("sync");
    match opcode {
        "shfl" => shuffle(lower, sync, modifiers, operands),
        "vote" => vote(lower, sync, modifiers, operands),
        "match" => match_lanes(lower, sync, modifiers, operands),
        "redux" => redux(lower, sync, modifiers, operands),
        "activemask" => {
            let ty = modifiers.expect_type(lower)?;
            modifiers.finish(lower)?;
            let [d] = expect(lower, operands)?;
            let d = lower.destination(d, ty)?;
            lower.push(Inst::new(Class::Warp, Action::Run(lift::<ActiveMask>(level))).with([d]));
            Ok(())
        }
        _ => {
            modifiers.finish(lower)?;
            let [destination, mask] = expect(lower, operands)?;
            let (d, p) = match destination {
                Operand::Pair("_", p) => (lower.scratch(Type::B32), lower.predicate_destination(p)?),
                Operand::Pair(d, p) => (lower.register(d, Type::B32)?, lower.predicate_destination(p)?),
                _ => return Err(lower.error("elect.sync's destination is d|p")),
            };
            let mask = members(lower, mask)?;
            lower.push(Inst::new(Class::Warp, Action::Gather(lift_together::<Elect>(level), mask)).with([d, p]));
            Ok(())
        }
    }
}

/// `bar.warp.sync`.
pub fn warp_barrier<'a>(lower: &mut Lower<'_, '_, 'a>, operands: &[Operand<'a>]) -> Result<(), LowerError> {
    let level = lower.level();
    let [mask] = expect(lower, operands)?;
    let mask = members(lower, mask)?;
    lower.push(Inst::new(Class::Barrier, Action::Gather(lift_together::<WarpBarrier>(level), mask)));
    Ok(())
}

fn shuffle<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    sync: bool,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let Some(mode) = modifiers.take_one_of(&["up", "down", "bfly", "idx"]) else {
        return Err(lower.error("shfl needs .up, .down, .bfly or .idx"));
    };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if ty != Type::B32 {
        return Err(unsupported(lower, "shfl", ty));
    }
    let (destination, a, b, c, mask) = match (operands, sync) {
        ([d, a, b, c, mask], true) => (d, a, b, c, Some(mask)),
        ([d, a, b, c], false) => (d, a, b, c, None),
        _ => return Err(lower.error("shfl takes a destination, a value, a lane, bounds and, with .sync, a mask")),
    };
    let (d, p) = match destination {
        Operand::Pair(d, p) => {
            let d = if *d == "_" { lower.scratch(ty) } else { lower.register(d, ty)? };
            (d, Some(lower.predicate_destination(p)?))
        }
        other => (lower.destination(other, ty)?, None),
    };
    let args =
        [d, lower.source(a, ty)?, lower.source(b, Type::B32)?, lower.source(c, Type::B32)?, p.unwrap_or_default()];
    let mask = mask.map(|mask| members(lower, mask)).transpose()?;
    lower.push(
        Inst::new(Class::Warp, gathered::<Shuffle>(level, mask))
            .with(args)
            .imm(mode as u64)
            .flags(u32::from(p.is_some())),
    );
    Ok(())
}

fn vote<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    sync: bool,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let Some(mode) = modifiers.take_one_of(&["all", "any", "uni", "ballot"]) else {
        return Err(lower.error("vote needs .all, .any, .uni or .ballot"));
    };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let (d, a, mask) = match (operands, sync) {
        ([d, a, mask], true) => (d, a, Some(mask)),
        ([d, a], false) => (d, a, None),
        _ => return Err(lower.error("vote takes a destination, a predicate and, with .sync, a mask")),
    };
    let d = match (mode, ty, d) {
        (3, Type::B32, d) => lower.destination(d, ty)?,
        (0..=2, Type::Pred, Operand::Name(name)) => lower.predicate_destination(name)?,
        (0..=2, Type::Pred, Operand::Sink) => lower.scratch(Type::Pred),
        _ => return Err(unsupported(lower, "vote", ty)),
    };
    let PredicateSource { slot, negated } = lower.predicate(a)?;
    let mask = mask.map(|mask| members(lower, mask)).transpose()?;
    lower.push(
        Inst::new(Class::Warp, gathered::<Vote>(level, mask))
            .with([d, slot])
            .imm(mode as u64)
            .flags(u32::from(negated)),
    );
    Ok(())
}

fn match_lanes<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    sync: bool,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let Some(mode) = modifiers.take_one_of(&["any", "all"]) else {
        return Err(lower.error("match needs .any or .all"));
    };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [destination, a, mask] = expect(lower, operands)?;
    if !sync {
        return Err(lower.error("match needs .sync"));
    }
    let (d, p) = match destination {
        Operand::Pair(d, p) if mode == 1 => {
            let d = if *d == "_" { lower.scratch(Type::B32) } else { lower.register(d, Type::B32)? };
            (d, Some(lower.predicate_destination(p)?))
        }
        other => (lower.destination(other, Type::B32)?, None),
    };
    let run = match ty {
        Type::B32 => lift_together::<Match<u32>>(level),
        Type::B64 => lift_together::<Match<u64>>(level),
        _ => return Err(unsupported(lower, "match", ty)),
    };
    let args = [d, lower.source(a, ty)?, p.unwrap_or_default()];
    let mask = members(lower, mask)?;
    lower.push(
        Inst::new(Class::Warp, Action::Gather(run, mask)).with(args).imm(mode as u64).flags(u32::from(p.is_some())),
    );
    Ok(())
}

fn redux<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    sync: bool,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let Some(operation) = modifiers.take_one_of(&OPERATIONS) else {
        return Err(lower.error("redux needs an operation, as .add"));
    };
    let absolute = modifiers.take("abs");
    let nan = modifiers.take("NaN");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a, mask] = expect(lower, operands)?;
    if !sync {
        return Err(lower.error("redux needs .sync"));
    }
    let run = match (ty, OPERATIONS[operation]) {
        (Type::U32 | Type::S32, "add" | "min" | "max") if !absolute && !nan => lift_together::<Reduce>(level),
        (Type::B32, "and" | "or" | "xor") if !absolute && !nan => lift_together::<Reduce>(level),
        (Type::F32, "min" | "max") => lift_together::<ReduceFloat>(level),
        _ => return Err(unsupported(lower, "redux", ty)),
    };
    let flags = u32::from(ty == Type::S32) | u32::from(absolute) << 1 | u32::from(nan) << 2;
    let args = [lower.destination(d, ty)?, lower.source(a, ty)?];
    let mask = members(lower, mask)?;
    lower.push(Inst::new(Class::Warp, Action::Gather(run, mask)).with(args).imm(operation as u64).flags(flags));
    Ok(())
}
