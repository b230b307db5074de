//! Arithmetic of f16 and bf16, alone and in pairs: `add`, `sub`, `mul`, `fma`, `min`, `max`, `abs`, `neg`, `ex2`,
//! `tanh`. Each result is rounded once.

use std::marker::PhantomData;

use super::{
    Execute, Level,
    integer::{push_as, unsupported},
    lift,
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    num::{
        bf16, f16,
        minmax::{self, Variant},
    },
    program::{Class, Flow, Inst, Run},
    ptx::ast::{Operand, Type},
};

const FTZ: u32 = 4;
const SAT: u32 = 8;
const RELU: u32 = 16;
const NAN: u32 = 32;
const XORSIGN: u32 = 64;

/// A 16-bit format.
trait Format: 'static {
    fn add(a: u16, b: u16) -> u16;
    fn sub(a: u16, b: u16) -> u16;
    fn mul(a: u16, b: u16) -> u16;
    fn fma(a: u16, b: u16, c: u16) -> u16;
    fn min(a: u16, b: u16, variant: Variant) -> u16;
    fn max(a: u16, b: u16, variant: Variant) -> u16;
    fn abs(a: u16) -> u16;
    fn neg(a: u16) -> u16;
    fn ex2(a: u16) -> u16;
    fn tanh(a: u16) -> u16;
    fn flush(a: u16) -> u16;
    fn relu(a: u16) -> u16;
    fn saturate(a: u16) -> u16;
}

struct Half;
struct Brain;

macro_rules! format {
    ($name:ident, $module:ident, $min:path, $max:path, $saturate:expr) => {
        impl Format for $name {
            #[inline(always)]
            fn add(a: u16, b: u16) -> u16 {
                $module::add(a, b)
            }
            #[inline(always)]
            fn sub(a: u16, b: u16) -> u16 {
                $module::sub(a, b)
            }
            #[inline(always)]
            fn mul(a: u16, b: u16) -> u16 {
                $module::mul(a, b)
            }
            #[inline(always)]
            fn fma(a: u16, b: u16, c: u16) -> u16 {
                $module::fma(a, b, c)
            }
            #[inline(always)]
            fn min(a: u16, b: u16, variant: Variant) -> u16 {
                $min(a, b, variant)
            }
            #[inline(always)]
            fn max(a: u16, b: u16, variant: Variant) -> u16 {
                $max(a, b, variant)
            }
            #[inline(always)]
            fn abs(a: u16) -> u16 {
                $module::abs(a)
            }
            #[inline(always)]
            fn neg(a: u16) -> u16 {
                $module::neg(a)
            }
            #[inline(always)]
            fn ex2(a: u16) -> u16 {
                $module::ex2(a)
            }
            #[inline(always)]
            fn tanh(a: u16) -> u16 {
                $module::tanh(a)
            }
            #[inline(always)]
            fn flush(a: u16) -> u16 {
                $module::flush(a)
            }
            #[inline(always)]
            fn relu(a: u16) -> u16 {
                $module::relu(a)
            }
            #[inline(always)]
            fn saturate(a: u16) -> u16 {
                let saturate: fn(u16) -> u16 = $saturate;
                saturate(a)
            }
        }
    };
}

format!(Half, f16, minmax::min_f16, minmax::max_f16, f16::saturate);
// bf16 has no `.sat`: the decoder refuses it.
format!(Brain, bf16, minmax::min_bf16, minmax::max_bf16, |a| a);

/// An operation by its number, so that one body serves each format.
const ADD: u32 = 0;
const SUB: u32 = 1;
const MUL: u32 = 2;
const FMA: u32 = 3;
const MIN: u32 = 4;
const MAX: u32 = 5;
const ABS: u32 = 6;
const NEG: u32 = 7;
const EX2: u32 = 8;
const TANH: u32 = 9;
const NAMES: [&str; 10] = ["add", "sub", "mul", "fma", "min", "max", "abs", "neg", "ex2", "tanh"];

#[inline(always)]
fn compute<F: Format, const OPERATION: u32>(a: u16, b: u16, c: u16, flags: u32) -> u16 {
    let flush = |x: u16| if flags & FTZ != 0 { F::flush(x) } else { x };
    let (a, b, c) = (flush(a), flush(b), flush(c));
    let variant = Variant { nan: flags & NAN != 0, xorsign_abs: flags & XORSIGN != 0 };
    let value = match OPERATION {
        ADD => F::add(a, b),
        SUB => F::sub(a, b),
        MUL => F::mul(a, b),
        FMA => F::fma(a, b, c),
        MIN => F::min(a, b, variant),
        MAX => F::max(a, b, variant),
        ABS => F::abs(a),
        NEG => F::neg(a),
        EX2 => F::ex2(a),
        _ => F::tanh(a),
    };
    let value = flush(value);
    let value = if flags & SAT != 0 { F::saturate(value) } else { value };
    if flags & RELU != 0 { F::relu(value) } else { value }
}

struct One<F, const OPERATION: u32>(PhantomData<F>);

impl<F: Format, const OPERATION: u32> Execute for One<F, OPERATION> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = u16::get(cx.registers, inst.args[1]);
        let b = u16::get(cx.registers, inst.args[2]);
        let c = u16::get(cx.registers, inst.args[3]);
        let mut row = Row::<u16>::default();
        for lane in 0..LANES {
            row.0[lane] = compute::<F, OPERATION>(a.0[lane], b.0[lane], c.0[lane], inst.flags);
        }
        u16::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

struct Two<F, const OPERATION: u32>(PhantomData<F>);

impl<F: Format, const OPERATION: u32> Execute for Two<F, OPERATION> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = u32::get(cx.registers, inst.args[1]);
        let b = u32::get(cx.registers, inst.args[2]);
        let c = u32::get(cx.registers, inst.args[3]);
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let (a, b, c) = (a.0[lane], b.0[lane], c.0[lane]);
            let low = compute::<F, OPERATION>(a as u16, b as u16, c as u16, inst.flags);
            let high = compute::<F, OPERATION>((a >> 16) as u16, (b >> 16) as u16, (c >> 16) as u16, inst.flags);
            row.0[lane] = u32::from(low) | u32::from(high) << 16;
        }
        cx.registers.set_word(inst.args[0], &row, mask);
        Flow::Next
    }
}

fn run_for<const OPERATION: u32>(level: Level, ty: Type) -> Option<Run> {
    Some(match ty {
        Type::F16 => lift::<One<Half, OPERATION>>(level),
        Type::Bf16 => lift::<One<Brain, OPERATION>>(level),
        Type::F16x2 => lift::<Two<Half, OPERATION>>(level),
        Type::Bf16x2 => lift::<Two<Brain, OPERATION>>(level),
        _ => return None,
    })
}

/// Decodes an instruction of this family.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    modifiers.take("rn");
    let approximate = modifiers.take("approx");
    let mut flags = 0;
    for (name, flag) in [("ftz", FTZ), ("sat", SAT), ("relu", RELU), ("NaN", NAN)] {
        if modifiers.take(name) {
            flags |= flag;
        }
    }
    if modifiers.take("xorsign") {
        if !modifiers.take("abs") {
            return Err(lower.error(".xorsign needs .abs"));
        }
        flags |= XORSIGN;
    }
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let Some(operation) = NAMES.iter().position(|&name| name == opcode) else {
        return Err(unsupported(lower, opcode, ty));
    };
    let half = matches!(ty, Type::F16 | Type::F16x2);
    let operation = operation as u32;
    let allowed = match operation {
        ADD | SUB | MUL if half => FTZ | SAT,
        FMA if half => FTZ | SAT | RELU,
        FMA => RELU,
        MIN | MAX if half => FTZ | NAN | XORSIGN,
        MIN | MAX => NAN | XORSIGN,
        ABS | NEG | EX2 if half => FTZ,
        // ex2.approx.ftz.bf16 is written with its modifier always.
        EX2 => FTZ,
        _ => 0,
    };
    if flags & !allowed != 0 || approximate != matches!(operation, EX2 | TANH) || flags & (SAT | RELU) == SAT | RELU {
        return Err(unsupported(lower, opcode, ty));
    }
    let run = match operation {
        ADD => run_for::<ADD>(level, ty),
        SUB => run_for::<SUB>(level, ty),
        MUL => run_for::<MUL>(level, ty),
        FMA => run_for::<FMA>(level, ty),
        MIN => run_for::<MIN>(level, ty),
        MAX => run_for::<MAX>(level, ty),
        ABS => run_for::<ABS>(level, ty),
        NEG => run_for::<NEG>(level, ty),
        EX2 => run_for::<EX2>(level, ty),
        _ => run_for::<TANH>(level, ty),
    };
    let Some(run) = run else { return Err(unsupported(lower, opcode, ty)) };
    let sources = match operation {
        FMA => 3,
        ADD | SUB | MUL | MIN | MAX => 2,
        _ => 1,
    };
    let at = lower.pushed();
    push_as(lower, Class::Float16, run, ty, sources, operands)?;
    lower.set_flags(at, flags);
    Ok(())
}
