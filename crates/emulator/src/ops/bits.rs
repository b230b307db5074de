//! Logic, shifts and bit manipulation: `and`, `or`, `xor`, `not`, `cnot`, `lop3`, `shl`, `shr`, `shf`, `prmt`, `bfe`,
//! `bfi`, `bmsk`, `szext`, `popc`, `clz`, `bfind`, `fns`, `brev`.

use super::{
    Execute, Level, expect,
    integer::{push, unsupported},
    lift, map1, map2, map3,
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    program::{Action, Class, Flow, Inst, Run, Slot},
    ptx::ast::{Immediate, Operand, Type},
};

/// `and`, `or`, `xor`, `not` of predicates: sources `args[1]`, `args[2]`, negated where flags 1 and 2 say; the table in
/// `imm` has a bit for each pair.
struct Predicates;

impl Execute for Predicates {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let read = |slot: Slot, negated: bool| {
            let value = cx.registers.predicate(slot);
            if negated { !value } else { value }
        };
        let a = read(inst.args[1], inst.flags & 1 != 0);
        let b = read(inst.args[2], inst.flags & 2 != 0);
        let value = match inst.imm {
            AND => a & b,
            OR => a | b,
            XOR => a ^ b,
            _ => !a,
        };
        cx.registers.set_predicate(inst.args[0], value, mask);
        Flow::Next
    }
}

const AND: u64 = 0;
const OR: u64 = 1;
const XOR: u64 = 2;
const NOT: u64 = 3;

/// `lop3`: any function of three bits, by its table in `imm`.
struct Lop3;

impl Execute for Lop3 {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = u32::get(cx.registers, inst.args[1]);
        let b = u32::get(cx.registers, inst.args[2]);
        let c = u32::get(cx.registers, inst.args[3]);
        let table: [u32; 8] = std::array::from_fn(|index| if inst.imm >> index & 1 == 1 { u32::MAX } else { 0 });
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let (a, b, c) = (a.0[lane], b.0[lane], c.0[lane]);
            row.0[lane] = !a & !b & !c & table[0]
                | !a & !b & c & table[1]
                | !a & b & !c & table[2]
                | !a & b & c & table[3]
                | a & !b & !c & table[4]
                | a & !b & c & table[5]
                | a & b & !c & table[6]
                | a & b & c & table[7];
        }
        cx.registers.set_word(inst.args[0], &row, mask);
        Flow::Next
    }
}

/// `shf`: the words `args[1]` (low) and `args[2]` (high) as one, shifted by `args[3]`. Flag 1: to the right; flag 2:
/// by at most 32, else modulo 32.
struct Funnel;

impl Execute for Funnel {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let low = u32::get(cx.registers, inst.args[1]);
        let high = u32::get(cx.registers, inst.args[2]);
        let amount = u32::get(cx.registers, inst.args[3]);
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let pair = u64::from(high.0[lane]) << 32 | u64::from(low.0[lane]);
            let amount = if inst.flags & 2 != 0 { amount.0[lane].min(32) } else { amount.0[lane] & 31 };
            row.0[lane] = if inst.flags & 1 != 0 { (pair >> amount) as u32 } else { (pair << amount >> 32) as u32 };
        }
        cx.registers.set_word(inst.args[0], &row, mask);
        Flow::Next
    }
}

#[inline(always)]
fn permute(a: u32, b: u32, selector: u32) -> u32 {
    let bytes = u64::from(b) << 32 | u64::from(a);
    (0..4).fold(0, |word, index| {
        let nibble = selector >> (4 * index) & 15;
        let byte = (bytes >> (8 * (nibble & 7))) as u8;
        let byte = if nibble & 8 != 0 { (byte as i8 >> 7) as u8 } else { byte };
        word | u32::from(byte) << (8 * index)
    })
}

/// `prmt` in its special modes: the byte that `c`'s low two bits tell, for each place.
fn permute_mode(level: Level, mode: usize) -> Run {
    #[inline(always)]
    fn pick(a: u32, b: u32, indices: [u32; 4]) -> u32 {
        let selector = indices[0] | indices[1] << 4 | indices[2] << 8 | indices[3] << 12;
        permute(a, b, selector)
    }
    match mode {
        // f4e: four bytes forward from c.
        0 => map3(level, |a: u32, b: u32, c: u32| {
            let c = c & 3;
            pick(a, b, [c, c + 1, c + 2, c + 3])
        }),
        // b4e: four bytes backward from c.
        1 => map3(level, |a: u32, b: u32, c: u32| {
            let c = c & 3;
            pick(a, b, [c, (c + 7) & 7, (c + 6) & 7, (c + 5) & 7])
        }),
        // rc8: the byte in all places.
        2 => map3(level, |a: u32, b: u32, c: u32| pick(a, b, [c & 3; 4])),
        // ecl: bytes below c are c.
        3 => map3(level, |a: u32, b: u32, c: u32| {
            let c = c & 3;
            pick(a, b, [c, c.max(1), c.max(2), 3])
        }),
        // ecr: bytes above c are c.
        4 => map3(level, |a: u32, b: u32, c: u32| {
            let c = c & 3;
            pick(a, b, [0, c.min(1), c.min(2), c])
        }),
        // rc16: the half in both places.
        _ => map3(level, |a: u32, b: u32, c: u32| {
            let c = c & 1;
            pick(a, b, [2 * c, 2 * c + 1, 2 * c, 2 * c + 1])
        }),
    }
}

/// Bits `position` to `position + length - 1` of `a`; beyond its end zeros, or copies of the sign.
#[inline(always)]
fn extract(a: u64, position: u32, length: u32, width: u32, signed: bool) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    if length == 0 {
        return 0;
    }
    let sign_at = (position + length - 1).min(width - 1);
    let sign = signed && a >> sign_at & 1 == 1;
    let field = if position < width { a >> position } else { 0 };
    let taken = if position < width { length.min(width - position) } else { 0 };
    let low = if taken >= 64 { field } else { field & ((1 << taken) - 1) };
    let high = if taken >= 64 { 0 } else { u64::MAX << taken };
    if sign { low | high } else { low }
}

/// `b` with its bits from `position`, `length` of them, taken from `a`'s lowest.
#[inline(always)]
fn insert(a: u64, b: u64, position: u32, length: u32, width: u32) -> u64 {
    let (position, length) = (position & 0xff, length & 0xff);
    if position >= width || length == 0 {
        return b;
    }
    let length = length.min(width - position);
    let field = if length >= 64 { u64::MAX } else { (1 << length) - 1 };
    b & !(field << position) | (a & field) << position
}

/// The `offset`-th set bit from `base` (0: the first at or above it; negative: below), or all ones.
#[inline(always)]
fn find_nth(mask: u32, base: u32, offset: i32) -> u32 {
    let base = (base & 31) as i32;
    if offset == 0 {
        return if mask >> base & 1 == 1 { base as u32 } else { u32::MAX };
    }
    let step = offset.signum();
    let mut left = offset.unsigned_abs();
    let mut at = base;
    while (0..32).contains(&at) {
        if mask >> at & 1 == 1 {
            left -= 1;
            if left == 0 {
                return at as u32;
            }
        }
        at += step;
    }
    u32::MAX
}

/// Decodes an instruction of this family.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    match opcode {
        "and" | "or" | "xor" | "not" | "cnot" => logic(lower, opcode, modifiers, operands),
        "lop3" => lop3(lower, modifiers, operands),
        "shl" | "shr" => shift(lower, opcode, modifiers, operands),
        "shf" => funnel(lower, modifiers, operands),
        "prmt" => prmt(lower, modifiers, operands),
        "bfe" | "bfi" | "bmsk" | "szext" | "fns" => field(lower, opcode, modifiers, operands),
        _ => count(lower, opcode, modifiers, operands),
    }
}

fn logic<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if ty == Type::Pred {
        let (destination, a, b, operation) = match (opcode, operands) {
            ("and", [Operand::Name(d), a, b]) => (d, a, b, AND),
            ("or", [Operand::Name(d), a, b]) => (d, a, b, OR),
            ("xor", [Operand::Name(d), a, b]) => (d, a, b, XOR),
            ("not", [Operand::Name(d), a]) => (d, a, a, NOT),
            _ => return Err(unsupported(lower, opcode, ty)),
        };
        let destination = lower.predicate_destination(destination)?;
        let (a, b) = (lower.predicate(a)?, lower.predicate(b)?);
        lower.push(
            Inst::new(Class::Predicate, Action::Run(lift::<Predicates>(level)))
                .with([destination, a.slot, b.slot])
                .imm(operation)
                .flags(u32::from(a.negated) | u32::from(b.negated) << 1),
        );
        return Ok(());
    }
    let run = match (opcode, ty) {
        ("and", Type::B16) => map2(level, |a: u16, b: u16| a & b),
        ("and", Type::B32) => map2(level, |a: u32, b: u32| a & b),
        ("and", Type::B64) => map2(level, |a: u64, b: u64| a & b),
        ("or", Type::B16) => map2(level, |a: u16, b: u16| a | b),
        ("or", Type::B32) => map2(level, |a: u32, b: u32| a | b),
        ("or", Type::B64) => map2(level, |a: u64, b: u64| a | b),
        ("xor", Type::B16) => map2(level, |a: u16, b: u16| a ^ b),
        ("xor", Type::B32) => map2(level, |a: u32, b: u32| a ^ b),
        ("xor", Type::B64) => map2(level, |a: u64, b: u64| a ^ b),
        ("not", Type::B16) => map1(level, |a: u16| !a),
        ("not", Type::B32) => map1(level, |a: u32| !a),
        ("not", Type::B64) => map1(level, |a: u64| !a),
        ("cnot", Type::B16) => map1(level, |a: u16| u16::from(a == 0)),
        ("cnot", Type::B32) => map1(level, |a: u32| u32::from(a == 0)),
        ("cnot", Type::B64) => map1(level, |a: u64| u64::from(a == 0)),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    push(lower, run, ty, if opcode.ends_with("not") { 1 } else { 2 }, operands)
}

/// A constant operand.
fn constant(lower: &Lower<'_, '_, '_>, operand: &Operand<'_>, what: &str) -> Result<u64, LowerError> {
    match operand {
        Operand::Immediate(Immediate::Integer(value)) => Ok(*value),
        _ => Err(lower.error(format!("{what} must be a constant"))),
    }
}

fn lop3<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a, b, c, table] = expect(lower, operands)?;
    if ty != Type::B32 {
        return Err(unsupported(lower, "lop3", ty));
    }
    let table = constant(lower, table, "lop3's table")? & 0xff;
    let args = [lower.destination(d, ty)?, lower.source(a, ty)?, lower.source(b, ty)?, lower.source(c, ty)?];
    lower.push(Inst::new(Class::Integer, Action::Run(lift::<Lop3>(level))).with(args).imm(table));
    Ok(())
}

fn shift<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a, amount] = expect(lower, operands)?;
    // Shifts by the width or more give zero, or the sign in all bits.
    let run = match (opcode, ty) {
        ("shl", Type::B16) => map2(level, |a: u16, n: u32| if n < 16 { a << n } else { 0 }),
        ("shl", Type::B32) => map2(level, |a: u32, n: u32| if n < 32 { a << n } else { 0 }),
        ("shl", Type::B64) => map2(level, |a: u64, n: u32| if n < 64 { a << n } else { 0 }),
        ("shr", Type::B16 | Type::U16) => map2(level, |a: u16, n: u32| if n < 16 { a >> n } else { 0 }),
        ("shr", Type::B32 | Type::U32) => map2(level, |a: u32, n: u32| if n < 32 { a >> n } else { 0 }),
        ("shr", Type::B64 | Type::U64) => map2(level, |a: u64, n: u32| if n < 64 { a >> n } else { 0 }),
        ("shr", Type::S16) => map2(level, |a: i16, n: u32| a >> n.min(15)),
        ("shr", Type::S32) => map2(level, |a: i32, n: u32| a >> n.min(31)),
        ("shr", Type::S64) => map2(level, |a: i64, n: u32| a >> n.min(63)),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let args = [lower.destination(d, ty)?, lower.source(a, ty)?, lower.source(amount, Type::U32)?];
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args));
    Ok(())
}

fn funnel<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let right = match modifiers.take_one_of(&["l", "r"]) {
        Some(which) => which as u32,
        None => return Err(lower.error("shf needs .l or .r")),
    };
    let clamp = match modifiers.take_one_of(&["wrap", "clamp"]) {
        Some(which) => which as u32,
        None => return Err(lower.error("shf needs .wrap or .clamp")),
    };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if ty != Type::B32 {
        return Err(unsupported(lower, "shf", ty));
    }
    let [d, a, b, amount] = expect(lower, operands)?;
    let args =
        [lower.destination(d, ty)?, lower.source(a, ty)?, lower.source(b, ty)?, lower.source(amount, Type::U32)?];
    lower.push(Inst::new(Class::Integer, Action::Run(lift::<Funnel>(level))).with(args).flags(right | clamp << 1));
    Ok(())
}

fn prmt<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    let mode = modifiers.take_one_of(&["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"]);
    modifiers.finish(lower)?;
    if ty != Type::B32 {
        return Err(unsupported(lower, "prmt", ty));
    }
    let run = match mode {
        None => map3(level, permute),
        Some(mode) => permute_mode(level, mode),
    };
    push(lower, run, ty, 3, operands)
}

fn field<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let clamp = modifiers.take_one_of(&["clamp", "wrap"]).map(|which| which == 0);
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match (opcode, clamp, ty) {
        ("bfe", None, Type::U32) => map3(level, |a: u32, p: u32, n: u32| extract(u64::from(a), p, n, 32, false) as u32),
        ("bfe", None, Type::S32) => map3(level, |a: u32, p: u32, n: u32| extract(u64::from(a), p, n, 32, true) as u32),
        ("bfe", None, Type::U64) => map3(level, |a: u64, p: u32, n: u32| extract(a, p, n, 64, false)),
        ("bfe", None, Type::S64) => map3(level, |a: u64, p: u32, n: u32| extract(a, p, n, 64, true)),
        ("bfi", None, Type::B32 | Type::B64) => {
            let [d, a, b, position, length] = expect(lower, operands)?;
            let args = [
                lower.destination(d, ty)?,
                lower.source(a, ty)?,
                lower.source(b, ty)?,
                lower.source(position, Type::U32)?,
                lower.source(length, Type::U32)?,
            ];
            let run = if ty == Type::B64 { lift::<Insert<u64>>(level) } else { lift::<Insert<u32>>(level) };
            lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args));
            return Ok(());
        }
        // A run of ones from bit a, b of them.
        ("bmsk", Some(true), Type::B32) => {
            map2(level, |a: u32, b: u32| insert(u64::MAX, 0, a.min(255), b.min(255), 32) as u32)
        }
        ("bmsk", Some(false), Type::B32) => {
            map2(level, |a: u32, b: u32| insert(u64::MAX, 0, a & 31, b & 31, 32) as u32)
        }
        // The low b bits, extended by zeros or their sign.
        ("szext", Some(true), Type::U32) => {
            map2(level, |a: u32, n: u32| extract(u64::from(a), 0, n.min(32), 32, false) as u32)
        }
        ("szext", Some(true), Type::S32) => {
            map2(level, |a: u32, n: u32| extract(u64::from(a), 0, n.min(32), 32, true) as u32)
        }
        ("szext", Some(false), Type::U32) => {
            map2(level, |a: u32, n: u32| extract(u64::from(a), 0, n & 31, 32, false) as u32)
        }
        ("szext", Some(false), Type::S32) => {
            map2(level, |a: u32, n: u32| extract(u64::from(a), 0, n & 31, 32, true) as u32)
        }
        ("fns", None, Type::B32) => map3(level, |mask: u32, base: u32, offset: i32| find_nth(mask, base, offset)),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    if opcode == "bfe" {
        let [d, a, position, length] = expect(lower, operands)?;
        let args = [
            lower.destination(d, ty)?,
            lower.source(a, ty)?,
            lower.source(position, Type::U32)?,
            lower.source(length, Type::U32)?,
        ];
        lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args));
        return Ok(());
    }
    push(lower, run, ty, if opcode == "fns" { 3 } else { 2 }, operands)
}

/// `bfi`: `args[1]`'s low bits into `args[2]`.
struct Insert<T>(std::marker::PhantomData<T>);

impl<T: Value + Into<u64> + Truncated> Execute for Insert<T> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let b = T::get(cx.registers, inst.args[2]);
        let position = u32::get(cx.registers, inst.args[3]);
        let length = u32::get(cx.registers, inst.args[4]);
        let width = size_of::<T>() as u32 * 8;
        let mut row = Row::<T>::default();
        for lane in 0..LANES {
            let value = insert(a.0[lane].into(), b.0[lane].into(), position.0[lane], length.0[lane], width);
            row.0[lane] = T::truncated(value);
        }
        T::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

/// The low bits of a long.
trait Truncated {
    fn truncated(value: u64) -> Self;
}

impl Truncated for u32 {
    #[inline(always)]
    fn truncated(value: u64) -> Self {
        value as Self
    }
}

impl Truncated for u64 {
    #[inline(always)]
    fn truncated(value: u64) -> Self {
        value
    }
}

/// `popc`, `clz`, `bfind`, `brev`.
fn count<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let shift = opcode == "bfind" && modifiers.take("shiftamt");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match (opcode, ty) {
        ("popc", Type::B32) => map1(level, |a: u32| a.count_ones()),
        ("popc", Type::B64) => map1(level, |a: u64| a.count_ones()),
        ("clz", Type::B32) => map1(level, |a: u32| a.leading_zeros()),
        ("clz", Type::B64) => map1(level, |a: u64| a.leading_zeros()),
        ("brev", Type::B32) => map1(level, |a: u32| a.reverse_bits()),
        ("brev", Type::B64) => map1(level, |a: u64| a.reverse_bits()),
        // The highest bit that is not the sign's; all ones where there is none.
        ("bfind", Type::U32) if shift => map1(level, |a: u32| if a == 0 { u32::MAX } else { a.leading_zeros() }),
        ("bfind", Type::U64) if shift => map1(level, |a: u64| if a == 0 { u32::MAX } else { a.leading_zeros() }),
        ("bfind", Type::S32) if shift => map1(level, |a: i32| {
            let a = a ^ a >> 31;
            if a == 0 { u32::MAX } else { a.leading_zeros() }
        }),
        ("bfind", Type::S64) if shift => map1(level, |a: i64| {
            let a = a ^ a >> 63;
            if a == 0 { u32::MAX } else { a.leading_zeros() }
        }),
        ("bfind", Type::U32) => map1(level, |a: u32| 31u32.wrapping_sub(a.leading_zeros())),
        ("bfind", Type::U64) => map1(level, |a: u64| 63u32.wrapping_sub(a.leading_zeros())),
        ("bfind", Type::S32) => map1(level, |a: i32| 31u32.wrapping_sub((a ^ a >> 31).leading_zeros())),
        ("bfind", Type::S64) => map1(level, |a: i64| 63u32.wrapping_sub((a ^ a >> 63).leading_zeros())),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let [d, a] = expect(lower, operands)?;
    let result = if opcode == "brev" { ty } else { Type::U32 };
    let args = [lower.destination(d, result)?, lower.source(a, ty)?];
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args));
    Ok(())
}
