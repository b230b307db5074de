//! Comparison and selection: `setp`, `set`, `selp`, `slct`.

use super::{
    COMBINE_AND, COMBINE_OR, COMBINE_XOR, Execute, Level, NEGATE, SECOND, expect, integer::unsupported, lift, map3,
    test2,
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers, bits, is_movable},
    num::{
        bf16,
        compare::{Comparison, compare},
        f16, single,
    },
    program::{Action, Class, Flow, Inst, Run},
    ptx::ast::{Operand, Type},
};

/// The comparison a modifier names, and whether it is one of unsigned integers alone: `lo`, `ls`, `hi`, `hs`.
fn comparison_named(name: &str) -> Option<(Comparison, bool)> {
    let comparison = match name {
        "eq" => Comparison::Eq,
        "ne" => Comparison::Ne,
        "lt" | "lo" => Comparison::Lt,
        "le" | "ls" => Comparison::Le,
        "gt" | "hi" => Comparison::Gt,
        "ge" | "hs" => Comparison::Ge,
        "equ" => Comparison::Equ,
        "neu" => Comparison::Neu,
        "ltu" => Comparison::Ltu,
        "leu" => Comparison::Leu,
        "gtu" => Comparison::Gtu,
        "geu" => Comparison::Geu,
        "num" => Comparison::Num,
        "nan" => Comparison::Nan,
        _ => return None,
    };
    Some((comparison, matches!(name, "lo" | "ls" | "hi" | "hs")))
}

macro_rules! integer_tests {
    ($level:expr, $ty:ty, $op:expr) => {
        match $op {
            Comparison::Eq => Some(test2($level, |a: $ty, b: $ty| a == b)),
            Comparison::Ne => Some(test2($level, |a: $ty, b: $ty| a != b)),
            Comparison::Lt => Some(test2($level, |a: $ty, b: $ty| a < b)),
            Comparison::Le => Some(test2($level, |a: $ty, b: $ty| a <= b)),
            Comparison::Gt => Some(test2($level, |a: $ty, b: $ty| a > b)),
            Comparison::Ge => Some(test2($level, |a: $ty, b: $ty| a >= b)),
            _ => None,
        }
    };
}

macro_rules! float_tests {
    ($level:expr, $ty:ty, $op:expr, $convert:expr) => {
        float_tests!(@ $level, $ty, $op, $convert, Eq Ne Lt Le Gt Ge Equ Neu Ltu Leu Gtu Geu Num Nan)
    };
    (@ $level:expr, $ty:ty, $op:expr, $convert:expr, $($name:ident)*) => {
        match $op {
            $(Comparison::$name => Some(test2($level, |a: $ty, b: $ty| {
                compare($convert(a), $convert(b), Comparison::$name)
            })),)*
        }
    };
}

/// The execution function of a comparison.
fn test(level: Level, ty: Type, op: Comparison, ftz: bool) -> Option<Run> {
    match (ty, ftz) {
        (Type::U16 | Type::B16, false) => integer_tests!(level, u16, op),
        (Type::S16, false) => integer_tests!(level, i16, op),
        (Type::U32 | Type::B32, false) => integer_tests!(level, u32, op),
        (Type::S32, false) => integer_tests!(level, i32, op),
        (Type::U64 | Type::B64, false) => integer_tests!(level, u64, op),
        (Type::S64, false) => integer_tests!(level, i64, op),
        (Type::F32, false) => float_tests!(level, f32, op, |x| x),
        (Type::F32, true) => float_tests!(level, f32, op, single::flush),
        (Type::F64, false) => float_tests!(level, f64, op, |x| x),
        (Type::F16, false) => float_tests!(level, u16, op, f16::to_f32),
        (Type::F16, true) => float_tests!(level, u16, op, |x| f16::to_f32(f16::flush(x))),
        (Type::Bf16, false) => float_tests!(level, u16, op, bf16::to_f32),
        _ => None,
    }
}

/// Half `HALF` of packed pairs, compared: for `setp.f16x2`, whose two halves have a predicate each.
fn test_half<const HIGH: bool>(level: Level, ty: Type, op: Comparison, ftz: bool) -> Option<Run> {
    #[inline(always)]
    fn half<const HIGH: bool>(x: u32) -> u16 {
        if HIGH { (x >> 16) as u16 } else { x as u16 }
    }
    match (ty, ftz) {
        (Type::F16x2, false) => float_tests!(level, u32, op, |x| f16::to_f32(half::<HIGH>(x))),
        (Type::F16x2, true) => float_tests!(level, u32, op, |x| f16::to_f32(f16::flush(half::<HIGH>(x)))),
        (Type::Bf16x2, false) => float_tests!(level, u32, op, |x| bf16::to_f32(half::<HIGH>(x))),
        _ => None,
    }
}

/// `d = p ? a : b` for each lane: predicate `args[3]`, negated with flag 1.
struct Select<T>(std::marker::PhantomData<T>);

impl<T: Value> Execute for Select<T> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let b = T::get(cx.registers, inst.args[2]);
        let predicate = cx.registers.predicate(inst.args[3]);
        let predicate = if inst.flags & 1 != 0 { !predicate } else { predicate };
        let mut row = Row::<T>::default();
        for lane in 0..LANES {
            row.0[lane] = if predicate >> lane & 1 == 1 { a.0[lane] } else { b.0[lane] };
        }
        T::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

/// Decodes an instruction of this family.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    match opcode {
        "setp" => setp(lower, modifiers, operands),
        "set" => set(lower, modifiers, operands),
        "selp" => selp(lower, modifiers, operands),
        _ => slct(lower, modifiers, operands),
    }
}

/// The combining operator, comparison, `.ftz` and type of `setp` and `set`.
struct Parts {
    op: Comparison,
    unsigned_only: bool,
    combine: u32,
    ftz: bool,
}

fn parts(lower: &Lower<'_, '_, '_>, modifiers: &mut Modifiers<'_>) -> Result<Parts, LowerError> {
    let Some((op, unsigned_only)) = modifiers.take_map(comparison_named) else {
        return Err(lower.error("a comparison is needed, as .lt"));
    };
    let combine = match modifiers.take_one_of(&["and", "or", "xor"]) {
        None => 0,
        Some(0) => COMBINE_AND,
        Some(1) => COMBINE_OR,
        Some(_) => COMBINE_XOR,
    };
    Ok(Parts { op, unsigned_only, combine, ftz: modifiers.take("ftz") })
}

impl Parts {
    /// Whether operands of a type can be compared so; bits have no order.
    fn suit(&self, ty: Type) -> bool {
        match ty {
            Type::B16 | Type::B32 | Type::B64 => matches!(self.op, Comparison::Eq | Comparison::Ne),
            Type::U16 | Type::U32 | Type::U64 => true,
            _ => !self.unsigned_only,
        }
    }
}

fn setp<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let parts = parts(lower, &mut modifiers)?;
    let Parts { op, combine, ftz, .. } = parts;
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if !parts.suit(ty) {
        return Err(unsupported(lower, "setp", ty));
    }
    let (destination, a, b, c) = match (operands, combine) {
        ([d, a, b], 0) => (d, a, b, None),
        ([d, a, b, c], 1..) => (d, a, b, Some(c)),
        _ => return Err(lower.error("setp takes a predicate, two values and, with a combining operator, a predicate")),
    };
    let (first, second) = match destination {
        Operand::Name(p) => (*p, None),
        Operand::Pair(p, q) => (*p, Some(*q)),
        Operand::Sink => ("_", None),
        _ => return Err(lower.error("setp's destination is a predicate, or two")),
    };
    let first = lower.predicate_destination(first)?;
    let second = second.map(|name| lower.predicate_destination(name)).transpose()?;
    let (a, b) = (lower.source(a, ty)?, lower.source(b, ty)?);
    let mut flags = combine;
    let mut third = first;
    if let Some(c) = c {
        let source = lower.predicate(c)?;
        third = source.slot;
        flags |= if source.negated { NEGATE } else { 0 };
    }
    if matches!(ty, Type::F16x2 | Type::Bf16x2) {
        // The low halves decide p, the high halves q.
        let (Some(low), Some(high)) = (test_half::<false>(level, ty, op, ftz), test_half::<true>(level, ty, op, ftz))
        else {
            return Err(unsupported(lower, "setp", ty));
        };
        // The second reads the predicate that the first might overwrite.
        let kept = lower.scratch(Type::Pred);
        lower.push(Inst::new(Class::Predicate, Action::Run(low)).with([kept, a, b, third]).flags(flags));
        if let Some(second) = second {
            lower.push(Inst::new(Class::Predicate, Action::Run(high)).with([second, a, b, third]).flags(flags));
        }
        lower.copy_predicate(first, kept);
        return Ok(());
    }
    let Some(run) = test(level, ty, op, ftz) else { return Err(unsupported(lower, "setp", ty)) };
    if second.is_some() {
        flags |= SECOND;
    }
    lower.push(
        Inst::new(Class::Predicate, Action::Run(run)).with([first, a, b, third, second.unwrap_or(first)]).flags(flags),
    );
    Ok(())
}

fn set<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let parts = parts(lower, &mut modifiers)?;
    let Parts { op, combine, ftz, .. } = parts;
    let result = modifiers.expect_type(lower)?;
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if !parts.suit(ty) {
        return Err(unsupported(lower, "set", ty));
    }
    let (destination, a, b, c) = match (operands, combine) {
        ([d, a, b], 0) => (d, a, b, None),
        ([d, a, b, c], 1..) => (d, a, b, Some(c)),
        _ => return Err(lower.error("set takes a register, two values and, with a combining operator, a predicate")),
    };
    let pair = matches!(ty, Type::F16x2 | Type::Bf16x2);
    let one = match (result, pair) {
        (Type::U32 | Type::S32, false) => u32::MAX,
        (Type::F32, false) => 1f32.to_bits(),
        (Type::U16 | Type::S16, false) => 0xffff,
        (Type::F16, false) => 0x3c00,
        (Type::Bf16, false) => 0x3f80,
        // In pairs, each half by itself.
        (Type::F16x2, true) if ty == Type::F16x2 => 0x3c00,
        (Type::Bf16x2, true) if ty == Type::Bf16x2 => 0x3f80,
        (Type::U32 | Type::S32, true) => 0xffff,
        _ => return Err(unsupported(lower, "set", result)),
    };
    let destination = lower.destination(destination, result)?;
    let (a, b) = (lower.source(a, ty)?, lower.source(b, ty)?);
    let mut flags = combine;
    let mut third = destination;
    if let Some(c) = c {
        let source = lower.predicate(c)?;
        third = source.slot;
        flags |= if source.negated { NEGATE } else { 0 };
    } else {
        // Not read without a combining operator, but a slot of the right file.
        third = if combine == 0 { lower.scratch(Type::Pred) } else { third };
    }
    let runs = if pair {
        vec![test_half::<false>(level, ty, op, ftz), test_half::<true>(level, ty, op, ftz)]
    } else {
        vec![test(level, ty, op, ftz)]
    };
    let (one_slot, zero) = (lower.word(one), lower.word(0));
    let mut halves = Vec::new();
    for run in runs {
        let Some(run) = run else { return Err(unsupported(lower, "set", ty)) };
        let holds = lower.scratch(Type::Pred);
        lower.push(Inst::new(Class::Predicate, Action::Run(run)).with([holds, a, b, third]).flags(flags));
        let value = if pair { lower.scratch(Type::B32) } else { destination };
        lower.push(
            Inst::new(Class::Predicate, Action::Run(lift::<Select<u32>>(level))).with([value, one_slot, zero, holds]),
        );
        halves.push(value);
    }
    if let [low, high] = halves[..] {
        let run = super::map2(level, |low: u32, high: u32| low | high << 16);
        lower.push(Inst::new(Class::Integer, Action::Run(run)).with([destination, low, high]));
    }
    Ok(())
}

fn selp<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a, b, p] = expect(lower, operands)?;
    let run = match bits(ty) {
        _ if !is_movable(ty) => return Err(unsupported(lower, "selp", ty)),
        16 | 32 => lift::<Select<u32>>(level),
        64 => lift::<Select<u64>>(level),
        _ => return Err(unsupported(lower, "selp", ty)),
    };
    let predicate = lower.predicate(p)?;
    let args = [lower.destination(d, ty)?, lower.source(a, ty)?, lower.source(b, ty)?, predicate.slot];
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args).flags(u32::from(predicate.negated)));
    Ok(())
}

/// `slct`: `c >= 0 ? a : b`.
fn slct<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ftz = modifiers.take("ftz");
    let ty = modifiers.expect_type(lower)?;
    let by = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a, b, c] = expect(lower, operands)?;
    let run = match (bits(ty), by) {
        _ if !is_movable(ty) || ftz && by != Type::F32 => return Err(unsupported(lower, "slct", ty)),
        (16, Type::S32) => map3(level, |a: u16, b: u16, c: i32| if c >= 0 { a } else { b }),
        (32, Type::S32) => map3(level, |a: u32, b: u32, c: i32| if c >= 0 { a } else { b }),
        (64, Type::S32) => map3(level, |a: u64, b: u64, c: i32| if c >= 0 { a } else { b }),
        // Minus zero is not less than zero, so flushing changes only negative subnormals.
        (16, Type::F32) if ftz => map3(level, |a: u16, b: u16, c: f32| if single::flush(c) >= 0.0 { a } else { b }),
        (32, Type::F32) if ftz => map3(level, |a: u32, b: u32, c: f32| if single::flush(c) >= 0.0 { a } else { b }),
        (64, Type::F32) if ftz => map3(level, |a: u64, b: u64, c: f32| if single::flush(c) >= 0.0 { a } else { b }),
        (16, Type::F32) => map3(level, |a: u16, b: u16, c: f32| if c >= 0.0 { a } else { b }),
        (32, Type::F32) => map3(level, |a: u32, b: u32, c: f32| if c >= 0.0 { a } else { b }),
        (64, Type::F32) => map3(level, |a: u64, b: u64, c: f32| if c >= 0.0 { a } else { b }),
        _ => return Err(unsupported(lower, "slct", ty)),
    };
    let args = [lower.destination(d, ty)?, lower.source(a, ty)?, lower.source(b, ty)?, lower.source(c, by)?];
    lower.push(Inst::new(Class::Integer, Action::Run(run)).with(args));
    Ok(())
}
