//! Integer arithmetic: `add`, `sub`, `mul`, `mad`, `div`, `rem`, `abs`, `neg`, `min`, `max`, `sad`, 24-bit products and
//! dot products. Additions with carry are in [`carry`](super::carry), bit manipulation in [`bits`](super::bits).

use super::{Level, map1, map2, map3};
use crate::{
    lower::{Lower, LowerError, Modifiers},
    program::{Action, Class, Inst, Run},
    ptx::ast::{Operand, Type},
};

/// A function of one, two or three values, for each integer type. `None` for other types.
macro_rules! integers {
    ($map:ident, $level:expr, $ty:expr, |$($arg:ident),+| $body:expr) => {
        match $ty {
            Type::U16 => Some(integers!(@one $map, $level, u16, |$($arg),+| $body)),
            Type::S16 => Some(integers!(@one $map, $level, i16, |$($arg),+| $body)),
            Type::U32 => Some(integers!(@one $map, $level, u32, |$($arg),+| $body)),
            Type::S32 => Some(integers!(@one $map, $level, i32, |$($arg),+| $body)),
            Type::U64 => Some(integers!(@one $map, $level, u64, |$($arg),+| $body)),
            Type::S64 => Some(integers!(@one $map, $level, i64, |$($arg),+| $body)),
            _ => None,
        }
    };
    (@one $map:ident, $level:expr, $int:ty, |$($arg:ident),+| $body:expr) => {
        $map($level, |$($arg: $int),+| -> $int { $body })
    };
}

/// Both halves of a pair of 16-bit integers.
#[inline(always)]
fn halves<T>(a: u32, b: u32, f: impl Fn(T, T) -> T) -> u32
where
    T: From16,
{
    let low = f(T::of(a as u16), T::of(b as u16)).bits();
    let high = f(T::of((a >> 16) as u16), T::of((b >> 16) as u16)).bits();
    u32::from(low) | u32::from(high) << 16
}

/// A 16-bit integer by its bits.
trait From16 {
    fn of(bits: u16) -> Self;
    fn bits(self) -> u16;
}

impl From16 for u16 {
    #[inline(always)]
    fn of(bits: u16) -> Self {
        bits
    }
    #[inline(always)]
    fn bits(self) -> u16 {
        self
    }
}

impl From16 for i16 {
    #[inline(always)]
    fn of(bits: u16) -> Self {
        bits as i16
    }
    #[inline(always)]
    fn bits(self) -> u16 {
        self as u16
    }
}

/// Decodes an instruction of this family.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    match opcode {
        "mul" | "mad" => return product(lower, opcode, modifiers, operands),
        "mul24" | "mad24" => return product24(lower, opcode, modifiers, operands),
        "dp4a" | "dp2a" => return dot(lower, opcode, modifiers, operands),
        _ => {}
    }
    let saturate = modifiers.take("sat");
    let relu = modifiers.take("relu");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match (opcode, saturate, relu) {
        ("add", true, false) if ty == Type::S32 => Some(map2(level, |a: i32, b: i32| a.saturating_add(b))),
        ("sub", true, false) if ty == Type::S32 => Some(map2(level, |a: i32, b: i32| a.saturating_sub(b))),
        ("min", false, true) if ty == Type::S32 => Some(map2(level, |a: i32, b: i32| a.min(b).max(0))),
        ("max", false, true) if ty == Type::S32 => Some(map2(level, |a: i32, b: i32| a.max(b).max(0))),
        ("min", false, true) if ty == Type::S16x2 => {
            Some(map2(level, |a: u32, b: u32| halves(a, b, |a: i16, b: i16| a.min(b).max(0))))
        }
        ("max", false, true) if ty == Type::S16x2 => {
            Some(map2(level, |a: u32, b: u32| halves(a, b, |a: i16, b: i16| a.max(b).max(0))))
        }
        (_, false, false) => plain(level, opcode, ty),
        _ => None,
    };
    let Some(run) = run else { return Err(unsupported(lower, opcode, ty)) };
    let sources = match opcode {
        "abs" | "neg" => 1,
        "sad" => 3,
        _ => 2,
    };
    push(lower, run, ty, sources, operands)
}

/// Instructions without a modifier besides their type.
fn plain(level: Level, opcode: &str, ty: Type) -> Option<Run> {
    let pairs = matches!(ty, Type::U16x2 | Type::S16x2);
    match opcode {
        "add" if pairs => Some(map2(level, |a: u32, b: u32| halves(a, b, u16::wrapping_add))),
        "min" if ty == Type::U16x2 => Some(map2(level, |a: u32, b: u32| halves(a, b, |a: u16, b: u16| a.min(b)))),
        "min" if ty == Type::S16x2 => Some(map2(level, |a: u32, b: u32| halves(a, b, |a: i16, b: i16| a.min(b)))),
        "max" if ty == Type::U16x2 => Some(map2(level, |a: u32, b: u32| halves(a, b, |a: u16, b: u16| a.max(b)))),
        "max" if ty == Type::S16x2 => Some(map2(level, |a: u32, b: u32| halves(a, b, |a: i16, b: i16| a.max(b)))),
        "add" => integers!(map2, level, ty, |a, b| a.wrapping_add(b)),
        "sub" => integers!(map2, level, ty, |a, b| a.wrapping_sub(b)),
        "min" => integers!(map2, level, ty, |a, b| a.min(b)),
        "max" => integers!(map2, level, ty, |a, b| a.max(b)),
        // The ISA leaves division by zero open; all ones is what the hardware gives.
        "div" => integers!(map2, level, ty, |a, b| if b == 0 { !0 } else { a.wrapping_div(b) }),
        "rem" => integers!(map2, level, ty, |a, b| if b == 0 { a } else { a.wrapping_rem(b) }),
        "abs" => match ty {
            Type::S16 => Some(map1(level, |a: i16| a.wrapping_abs())),
            Type::S32 => Some(map1(level, |a: i32| a.wrapping_abs())),
            Type::S64 => Some(map1(level, |a: i64| a.wrapping_abs())),
            _ => None,
        },
        "neg" => match ty {
            Type::S16 => Some(map1(level, |a: i16| a.wrapping_neg())),
            Type::S32 => Some(map1(level, |a: i32| a.wrapping_neg())),
            Type::S64 => Some(map1(level, |a: i64| a.wrapping_neg())),
            _ => None,
        },
        // d = c + |a - b|
        "sad" => integers!(map3, level, ty, |a, b, c| c.wrapping_add(a.max(b).wrapping_sub(a.min(b)))),
        _ => None,
    }
}

/// `mul` and `mad` with `.lo`, `.hi` or `.wide`.
fn product<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let add = opcode == "mad";
    let Some(part) = modifiers.take_one_of(&["lo", "hi", "wide"]) else {
        return Err(lower.error(format!("{opcode} of integers needs .lo, .hi or .wide")));
    };
    let saturate = modifiers.take("sat");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match (part, add, saturate) {
        (0, false, false) => integers!(map2, level, ty, |a, b| a.wrapping_mul(b)),
        (0, true, false) => integers!(map3, level, ty, |a, b, c| a.wrapping_mul(b).wrapping_add(c)),
        (1, false, false) => high(level, ty),
        (1, true, false) => high_add(level, ty),
        (1, true, true) if ty == Type::S32 => {
            Some(map3(level, |a: i32, b: i32, c: i32| (((i64::from(a) * i64::from(b)) >> 32) as i32).saturating_add(c)))
        }
        (2, false, false) => return wide(lower, opcode, ty, operands),
        (2, true, false) => return wide(lower, opcode, ty, operands),
        _ => None,
    };
    let Some(run) = run else { return Err(unsupported(lower, opcode, ty)) };
    push(lower, run, ty, if add { 3 } else { 2 }, operands)
}

fn high(level: Level, ty: Type) -> Option<Run> {
    Some(match ty {
        Type::U16 => map2(level, |a: u16, b: u16| ((u32::from(a) * u32::from(b)) >> 16) as u16),
        Type::S16 => map2(level, |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16),
        Type::U32 => map2(level, |a: u32, b: u32| ((u64::from(a) * u64::from(b)) >> 32) as u32),
        Type::S32 => map2(level, |a: i32, b: i32| ((i64::from(a) * i64::from(b)) >> 32) as i32),
        Type::U64 => map2(level, |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 64) as u64),
        Type::S64 => map2(level, |a: i64, b: i64| ((i128::from(a) * i128::from(b)) >> 64) as i64),
        _ => return None,
    })
}

fn high_add(level: Level, ty: Type) -> Option<Run> {
    Some(match ty {
        Type::U16 => {
            map3(level, |a: u16, b: u16, c: u16| (((u32::from(a) * u32::from(b)) >> 16) as u16).wrapping_add(c))
        }
        Type::S16 => {
            map3(level, |a: i16, b: i16, c: i16| (((i32::from(a) * i32::from(b)) >> 16) as i16).wrapping_add(c))
        }
        Type::U32 => {
            map3(level, |a: u32, b: u32, c: u32| (((u64::from(a) * u64::from(b)) >> 32) as u32).wrapping_add(c))
        }
        Type::S32 => {
            map3(level, |a: i32, b: i32, c: i32| (((i64::from(a) * i64::from(b)) >> 32) as i32).wrapping_add(c))
        }
        Type::U64 => {
            map3(level, |a: u64, b: u64, c: u64| (((u128::from(a) * u128::from(b)) >> 64) as u64).wrapping_add(c))
        }
        Type::S64 => {
            map3(level, |a: i64, b: i64, c: i64| (((i128::from(a) * i128::from(b)) >> 64) as i64).wrapping_add(c))
        }
        _ => return None,
    })
}

/// `mul.wide`, `mad.wide`: the result, and what is added, have twice the bits.
fn wide<'a>(lower: &mut Lower<'_, '_, 'a>, opcode: &str, ty: Type, operands: &[Operand<'a>]) -> Result<(), LowerError> {
    let level = lower.level();
    let add = opcode == "mad";
    let (run, result) = match (ty, add) {
        (Type::U16, false) => (map2(level, |a: u16, b: u16| u32::from(a) * u32::from(b)), Type::U32),
        (Type::S16, false) => (map2(level, |a: i16, b: i16| i32::from(a) * i32::from(b)), Type::S32),
        (Type::U32, false) => (map2(level, |a: u32, b: u32| u64::from(a) * u64::from(b)), Type::U64),
        (Type::S32, false) => (map2(level, |a: i32, b: i32| i64::from(a) * i64::from(b)), Type::S64),
        (Type::U16, true) => {
            (map3(level, |a: u16, b: u16, c: u32| (u32::from(a) * u32::from(b)).wrapping_add(c)), Type::U32)
        }
        (Type::S16, true) => {
            (map3(level, |a: i16, b: i16, c: i32| (i32::from(a) * i32::from(b)).wrapping_add(c)), Type::S32)
        }
        (Type::U32, true) => {
            (map3(level, |a: u32, b: u32, c: u64| (u64::from(a) * u64::from(b)).wrapping_add(c)), Type::U64)
        }
        (Type::S32, true) => {
            (map3(level, |a: i32, b: i32, c: i64| (i64::from(a) * i64::from(b)).wrapping_add(c)), Type::S64)
        }
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let mut args = vec![];
    match (operands, add) {
        ([d, a, b], false) => {
            args.extend([lower.destination(d, result)?, lower.source(a, ty)?, lower.source(b, ty)?]);
        }
        ([d, a, b, c], true) => {
            args.extend([
                lower.destination(d, result)?,
                lower.source(a, ty)?,
                lower.source(b, ty)?,
                lower.source(c, result)?,
            ]);
        }
        _ => return Err(lower.error(format!("{opcode} does not take {} operands", operands.len()))),
    }
    args.resize(4, args[0]);
    let inst = Inst::new(Class::Integer, Action::Run(run)).with([args[0], args[1], args[2], args[3]]);
    lower.push(inst);
    Ok(())
}

/// Products of the low 24 bits.
fn product24<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    #[inline(always)]
    fn unsigned(a: u32, b: u32) -> u64 {
        u64::from(a & 0xff_ffff) * u64::from(b & 0xff_ffff)
    }
    #[inline(always)]
    fn signed(a: i32, b: i32) -> i64 {
        i64::from(a << 8 >> 8) * i64::from(b << 8 >> 8)
    }
    let level = lower.level();
    let high = match modifiers.take_one_of(&["lo", "hi"]) {
        Some(which) => which == 1,
        None => return Err(lower.error(format!("{opcode} needs .lo or .hi"))),
    };
    let saturate = modifiers.take("sat");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    // The high part is bits 16 to 47 of the 48-bit product.
    let run = match (opcode, high, ty, saturate) {
        ("mul24", false, Type::U32, false) => map2(level, |a: u32, b: u32| unsigned(a, b) as u32),
        ("mul24", true, Type::U32, false) => map2(level, |a: u32, b: u32| (unsigned(a, b) >> 16) as u32),
        ("mul24", false, Type::S32, false) => map2(level, |a: i32, b: i32| signed(a, b) as i32),
        ("mul24", true, Type::S32, false) => map2(level, |a: i32, b: i32| (signed(a, b) >> 16) as i32),
        ("mad24", false, Type::U32, false) => {
            map3(level, |a: u32, b: u32, c: u32| (unsigned(a, b) as u32).wrapping_add(c))
        }
        ("mad24", true, Type::U32, false) => {
            map3(level, |a: u32, b: u32, c: u32| ((unsigned(a, b) >> 16) as u32).wrapping_add(c))
        }
        ("mad24", false, Type::S32, false) => {
            map3(level, |a: i32, b: i32, c: i32| (signed(a, b) as i32).wrapping_add(c))
        }
        ("mad24", true, Type::S32, false) => {
            map3(level, |a: i32, b: i32, c: i32| ((signed(a, b) >> 16) as i32).wrapping_add(c))
        }
        ("mad24", true, Type::S32, true) => {
            map3(level, |a: i32, b: i32, c: i32| ((signed(a, b) >> 16) as i32).saturating_add(c))
        }
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    push(lower, run, ty, if opcode == "mad24" { 3 } else { 2 }, operands)
}

/// `dp4a`, `dp2a`: dot products of bytes, added to a word. The types of `a` and `b` decide how bytes are widened.
fn dot<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    #[inline(always)]
    fn byte<const SIGNED: bool>(word: u32, index: u32) -> i32 {
        let byte = (word >> (8 * index)) as u8;
        if SIGNED { i32::from(byte as i8) } else { i32::from(byte) }
    }
    #[inline(always)]
    fn half<const SIGNED: bool>(word: u32, index: u32) -> i32 {
        let half = (word >> (16 * index)) as u16;
        if SIGNED { i32::from(half as i16) } else { i32::from(half) }
    }
    #[inline(always)]
    fn four<const A: bool, const B: bool>(a: u32, b: u32, c: u32) -> u32 {
        (0..4).fold(c, |sum, i| sum.wrapping_add(byte::<A>(a, i).wrapping_mul(byte::<B>(b, i)) as u32))
    }
    #[inline(always)]
    fn two<const A: bool, const B: bool, const FIRST: u32>(a: u32, b: u32, c: u32) -> u32 {
        (0..2).fold(c, |sum, i| sum.wrapping_add(half::<A>(a, i).wrapping_mul(byte::<B>(b, FIRST + i)) as u32))
    }
    let level = lower.level();
    let high = modifiers.take_one_of(&["lo", "hi"]);
    let (a, b) = (modifiers.expect_type(lower)?, modifiers.expect_type(lower)?);
    modifiers.finish(lower)?;
    if !matches!(a, Type::U32 | Type::S32) || !matches!(b, Type::U32 | Type::S32) {
        return Err(unsupported(lower, opcode, a));
    }
    let run = match (opcode, high, a == Type::S32, b == Type::S32) {
        ("dp4a", None, false, false) => map3(level, four::<false, false>),
        ("dp4a", None, false, true) => map3(level, four::<false, true>),
        ("dp4a", None, true, false) => map3(level, four::<true, false>),
        ("dp4a", None, true, true) => map3(level, four::<true, true>),
        ("dp2a", Some(0), false, false) => map3(level, two::<false, false, 0>),
        ("dp2a", Some(0), false, true) => map3(level, two::<false, true, 0>),
        ("dp2a", Some(0), true, false) => map3(level, two::<true, false, 0>),
        ("dp2a", Some(0), true, true) => map3(level, two::<true, true, 0>),
        ("dp2a", Some(1), false, false) => map3(level, two::<false, false, 2>),
        ("dp2a", Some(1), false, true) => map3(level, two::<false, true, 2>),
        ("dp2a", Some(1), true, false) => map3(level, two::<true, false, 2>),
        ("dp2a", Some(1), true, true) => map3(level, two::<true, true, 2>),
        _ => return Err(lower.error(format!("{opcode} of this shape is not supported"))),
    };
    push(lower, run, Type::B32, 3, operands)
}

/// Appends an instruction of so many sources, all operands of one type.
pub(super) fn push<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    run: Run,
    ty: Type,
    sources: usize,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    push_as(lower, Class::Integer, run, ty, sources, operands)
}

/// The same for any class.
pub(super) fn push_as<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    class: Class,
    run: Run,
    ty: Type,
    sources: usize,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    if operands.len() != sources + 1 {
        return Err(lower.error(format!("{} operands expected, {} found", sources + 1, operands.len())));
    }
    let mut args = [lower.destination(&operands[0], ty)?; 5];
    for (arg, source) in args[1..].iter_mut().zip(&operands[1..]) {
        *arg = lower.source(source, ty)?;
    }
    lower.push(Inst::new(class, Action::Run(run)).with(args));
    Ok(())
}

/// An error that names the type.
pub(super) fn unsupported(lower: &Lower<'_, '_, '_>, opcode: &str, ty: Type) -> LowerError {
    lower.error(format!("{opcode} is not supported with this combination of modifiers and type {ty:?}"))
}
