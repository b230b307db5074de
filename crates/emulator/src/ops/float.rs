//! Arithmetic of f32 and f64: `add`, `sub`, `mul`, `fma`, `mad`, `div`, `rcp`, `sqrt`, `min`, `max`, `abs`, `neg`,
//! `copysign`, `testp`, and the approximations `rsqrt`, `sin`, `cos`, `lg2`, `ex2`, `tanh`.
//!
//! The common case (round to nearest, no `.ftz`, no `.sat`) has a body of its own, which vectorises; the others read
//! what they are from the instruction's flags.

use std::marker::PhantomData;

use super::{
    Execute, Level, expect,
    integer::{push_as, unsupported},
    lift, map1, map2,
};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    num::{Round, approx, double, minmax, single},
    program::{Action, Class, Flow, Inst, Run},
    ptx::ast::{Operand, Type},
};

const ROUND: u32 = 3;
const FTZ: u32 = 4;
const SAT: u32 = 8;

#[inline(always)]
fn round_of(flags: u32) -> Round {
    match flags & ROUND {
        0 => Round::Nearest,
        1 => Round::Zero,
        2 => Round::Down,
        _ => Round::Up,
    }
}

/// A number with the steps around an operation.
trait Float: Value {
    fn flush(self) -> Self;
    fn saturate(self) -> Self;
}

impl Float for f32 {
    #[inline(always)]
    fn flush(self) -> Self {
        single::flush(self)
    }
    #[inline(always)]
    fn saturate(self) -> Self {
        single::saturate(self)
    }
}

impl Float for f64 {
    #[inline(always)]
    fn flush(self) -> Self {
        self
    }
    #[inline(always)]
    fn saturate(self) -> Self {
        double::saturate(self)
    }
}

/// A rounded operation of up to three numbers.
trait Rounded<T>: 'static {
    fn apply(a: T, b: T, c: T, round: Round) -> T;
}

struct Plain<T, O>(PhantomData<(T, O)>);

impl<T: Float, O: Rounded<T>> Execute for Plain<T, O> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let b = T::get(cx.registers, inst.args[2]);
        let c = T::get(cx.registers, inst.args[3]);
        let mut row = Row::<T>::default();
        for lane in 0..LANES {
            row.0[lane] = O::apply(a.0[lane], b.0[lane], c.0[lane], Round::Nearest);
        }
        T::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

struct Flagged<T, O>(PhantomData<(T, O)>);

impl<T: Float, O: Rounded<T>> Execute for Flagged<T, O> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let b = T::get(cx.registers, inst.args[2]);
        let c = T::get(cx.registers, inst.args[3]);
        let mut row = Row::<T>::default();
        let flush = |value: T| if inst.flags & FTZ != 0 { value.flush() } else { value };
        for lane in 0..LANES {
            let (a, b, c) = (flush(a.0[lane]), flush(b.0[lane]), flush(c.0[lane]));
            let value = flush(O::apply(a, b, c, round_of(inst.flags)));
            row.0[lane] = if inst.flags & SAT != 0 { value.saturate() } else { value };
        }
        T::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

macro_rules! rounded {
    ($($name:ident: $ty:ty, |$a:ident, $b:ident, $c:ident, $round:ident| $body:expr;)*) => {$(
        impl Rounded<$ty> for $name {
            #[inline(always)]
            fn apply($a: $ty, $b: $ty, $c: $ty, $round: Round) -> $ty {
                $body
            }
        }
    )*};
}

struct Add;
struct Sub;
struct Mul;
struct Fma;
struct Div;
struct Rcp;
struct Sqrt;
struct Approx<const WHICH: u32>;

const APPROX_RCP: u32 = 0;
const APPROX_SQRT: u32 = 1;
const APPROX_RSQRT: u32 = 2;
const APPROX_SIN: u32 = 3;
const APPROX_COS: u32 = 4;
const APPROX_LG2: u32 = 5;
const APPROX_EX2: u32 = 6;
const APPROX_TANH: u32 = 7;
const APPROX_DIV: u32 = 8;
const FULL_DIV: u32 = 9;

rounded! {
    Add: f32, |a, b, _c, round| single::add(a, b, round);
    Add: f64, |a, b, _c, round| double::add(a, b, round);
    Sub: f32, |a, b, _c, round| single::sub(a, b, round);
    Sub: f64, |a, b, _c, round| double::sub(a, b, round);
    Mul: f32, |a, b, _c, round| single::mul(a, b, round);
    Mul: f64, |a, b, _c, round| double::mul(a, b, round);
    Fma: f32, |a, b, c, round| single::fma(a, b, c, round);
    Fma: f64, |a, b, c, round| double::fma(a, b, c, round);
    Div: f32, |a, b, _c, round| single::div(a, b, round);
    Div: f64, |a, b, _c, round| double::div(a, b, round);
    Rcp: f32, |a, _b, _c, round| single::rcp(a, round);
    Rcp: f64, |a, _b, _c, round| double::rcp(a, round);
    Sqrt: f32, |a, _b, _c, round| single::sqrt(a, round);
    Sqrt: f64, |a, _b, _c, round| double::sqrt(a, round);
}

impl<const WHICH: u32> Rounded<f32> for Approx<WHICH> {
    #[inline(always)]
    fn apply(a: f32, b: f32, _: f32, _: Round) -> f32 {
        match WHICH {
            APPROX_RCP => approx::rcp(a),
            APPROX_SQRT => approx::sqrt(a),
            APPROX_RSQRT => approx::rsqrt(a),
            APPROX_SIN => approx::sin(a),
            APPROX_COS => approx::cos(a),
            APPROX_LG2 => approx::lg2(a),
            APPROX_EX2 => approx::ex2(a),
            APPROX_TANH => approx::tanh(a),
            APPROX_DIV => approx::div_approx(a, b),
            _ => approx::div_full(a, b),
        }
    }
}

fn lifted<T: Float, O: Rounded<T>>(level: Level, flags: u32) -> Run {
    if flags == 0 { lift::<Plain<T, O>>(level) } else { lift::<Flagged<T, O>>(level) }
}

/// Decodes an instruction of this family, for `.f32` and `.f64`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    match opcode {
        "min" | "max" => return extremum(lower, opcode, modifiers, operands),
        "abs" | "neg" | "copysign" => return sign(lower, opcode, modifiers, operands),
        "testp" => return test(lower, modifiers, operands),
        _ => {}
    }
    let round = modifiers.take_one_of(&["rn", "rz", "rm", "rp"]);
    let approximate = modifiers.take("approx");
    let full = modifiers.take("full");
    let ftz = modifiers.take("ftz");
    let sat = modifiers.take("sat");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let flags = round.unwrap_or(0) as u32 | if ftz { FTZ } else { 0 } | if sat { SAT } else { 0 };
    let class = if ty == Type::F64 { Class::Float64 } else { Class::Float32 };
    let exact = !approximate && !full;
    let may_saturate = matches!(opcode, "add" | "sub" | "mul" | "fma" | "mad") && ty == Type::F32;
    if sat && !may_saturate || ftz && ty == Type::F64 && !approximate || round.is_some() && !exact {
        return Err(unsupported(lower, opcode, ty));
    }
    let run = match (opcode, ty, exact) {
        ("add", Type::F32, true) => lifted::<f32, Add>(level, flags),
        ("add", Type::F64, true) => lifted::<f64, Add>(level, flags),
        ("sub", Type::F32, true) => lifted::<f32, Sub>(level, flags),
        ("sub", Type::F64, true) => lifted::<f64, Sub>(level, flags),
        ("mul", Type::F32, true) => lifted::<f32, Mul>(level, flags),
        ("mul", Type::F64, true) => lifted::<f64, Mul>(level, flags),
        // Since sm_20, mad of floats is fma.
        ("fma" | "mad", Type::F32, true) if round.is_some() => lifted::<f32, Fma>(level, flags),
        ("fma" | "mad", Type::F64, true) if round.is_some() => lifted::<f64, Fma>(level, flags),
        ("div", Type::F32, true) if round.is_some() => lifted::<f32, Div>(level, flags),
        ("div", Type::F64, true) if round.is_some() => lifted::<f64, Div>(level, flags),
        ("rcp", Type::F32, true) if round.is_some() => lifted::<f32, Rcp>(level, flags),
        ("rcp", Type::F64, true) if round.is_some() => lifted::<f64, Rcp>(level, flags),
        ("sqrt", Type::F32, true) if round.is_some() => lifted::<f32, Sqrt>(level, flags),
        ("sqrt", Type::F64, true) if round.is_some() => lifted::<f64, Sqrt>(level, flags),
        ("div", Type::F32, false) if full => lifted::<f32, Approx<FULL_DIV>>(level, flags),
        ("div", Type::F32, false) => lifted::<f32, Approx<APPROX_DIV>>(level, flags),
        (_, _, false) if full => return Err(unsupported(lower, opcode, ty)),
        ("rcp", Type::F32, false) => lifted::<f32, Approx<APPROX_RCP>>(level, flags),
        ("sqrt", Type::F32, false) => lifted::<f32, Approx<APPROX_SQRT>>(level, flags),
        ("rsqrt", Type::F32, false) => lifted::<f32, Approx<APPROX_RSQRT>>(level, flags),
        ("sin", Type::F32, false) => lifted::<f32, Approx<APPROX_SIN>>(level, flags),
        ("cos", Type::F32, false) => lifted::<f32, Approx<APPROX_COS>>(level, flags),
        ("lg2", Type::F32, false) => lifted::<f32, Approx<APPROX_LG2>>(level, flags),
        ("ex2", Type::F32, false) => lifted::<f32, Approx<APPROX_EX2>>(level, flags),
        ("tanh", Type::F32, false) => lifted::<f32, Approx<APPROX_TANH>>(level, flags),
        ("rsqrt", Type::F64, false) if !ftz => map1(level, approx::rsqrt_f64),
        ("rsqrt", Type::F64, false) => map1(level, approx::rsqrt_ftz_f64),
        ("rcp", Type::F64, false) if ftz => map1(level, approx::rcp_ftz_f64),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let sources = match opcode {
        "fma" | "mad" => 3,
        "add" | "sub" | "mul" | "div" => 2,
        _ => 1,
    };
    let at = lower.pushed();
    push_as(lower, class, run, ty, sources, operands)?;
    lower.set_flags(at, flags);
    Ok(())
}

/// `min` and `max`: `.NaN` and `.xorsign.abs` for f32, three operands too.
struct Extremum<const MAX: bool>;

const NAN: u32 = 16;
const XORSIGN: u32 = 32;
const THREE: u32 = 64;
const ABS: u32 = 128;

impl<const MAX: bool> Execute for Extremum<MAX> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = f32::get(cx.registers, inst.args[1]);
        let b = f32::get(cx.registers, inst.args[2]);
        let c = f32::get(cx.registers, inst.args[3]);
        let variant = minmax::Variant { nan: inst.flags & NAN != 0, xorsign_abs: inst.flags & XORSIGN != 0 };
        let flush = |value: f32| if inst.flags & FTZ != 0 { single::flush(value) } else { value };
        let magnitude = |value: f32| if inst.flags & ABS != 0 { single::abs(value) } else { value };
        let pick = |a: f32, b: f32| if MAX { minmax::max_f32(a, b, variant) } else { minmax::min_f32(a, b, variant) };
        let mut row = Row::<f32>::default();
        for lane in 0..LANES {
            let mut value = pick(magnitude(flush(a.0[lane])), magnitude(flush(b.0[lane])));
            if inst.flags & THREE != 0 {
                value = pick(value, magnitude(flush(c.0[lane])));
            }
            row.0[lane] = value;
        }
        f32::set(cx.registers, inst.args[0], &row, mask);
        Flow::Next
    }
}

fn extremum<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let max = opcode == "max";
    let mut flags = 0;
    for (name, flag) in [("ftz", FTZ), ("NaN", NAN), ("xorsign", XORSIGN), ("abs", ABS)] {
        if modifiers.take(name) {
            flags |= flag;
        }
    }
    // `.xorsign.abs` is one modifier; `.abs` alone belongs to the form of three operands.
    if flags & XORSIGN != 0 {
        if flags & ABS == 0 {
            return Err(lower.error(".xorsign needs .abs"));
        }
        flags &= !ABS;
    }
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    match (ty, operands.len()) {
        (Type::F64, 3) if flags == 0 => {
            let run = if max { map2(level, minmax::max_f64) } else { map2(level, minmax::min_f64) };
            push_as(lower, Class::Float64, run, ty, 2, operands)
        }
        (Type::F32, operand_count @ (3 | 4))
            if if operand_count == 4 { flags & XORSIGN == 0 } else { flags & ABS == 0 } =>
        {
            let run = if max { lift::<Extremum<true>>(level) } else { lift::<Extremum<false>>(level) };
            if operand_count == 4 {
                flags |= THREE;
            }
            let at = lower.pushed();
            push_as(lower, Class::Float32, run, ty, operand_count - 1, operands)?;
            lower.set_flags(at, flags);
            Ok(())
        }
        _ => Err(unsupported(lower, opcode, ty)),
    }
}

fn sign<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    opcode: &str,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let ftz = modifiers.take("ftz");
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match (opcode, ty, ftz) {
        ("abs", Type::F32, false) => map1(level, single::abs),
        ("abs", Type::F32, true) => map1(level, |a: f32| single::abs(single::flush(a))),
        ("abs", Type::F64, false) => map1(level, double::abs),
        ("neg", Type::F32, false) => map1(level, single::neg),
        ("neg", Type::F32, true) => map1(level, |a: f32| single::neg(single::flush(a))),
        ("neg", Type::F64, false) => map1(level, double::neg),
        ("copysign", Type::F32, false) => map2(level, single::copysign),
        ("copysign", Type::F64, false) => map2(level, double::copysign),
        _ => return Err(unsupported(lower, opcode, ty)),
    };
    let class = if ty == Type::F64 { Class::Float64 } else { Class::Float32 };
    push_as(lower, class, run, ty, if opcode == "copysign" { 2 } else { 1 }, operands)
}

/// `testp`: a property of a number, `imm` says which.
struct Property<T>(PhantomData<T>);

impl<T: Value + Into<f64> + Normal> Execute for Property<T> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = T::get(cx.registers, inst.args[1]);
        let mut holds = 0;
        for lane in 0..LANES {
            let (subnormal, value) = (a.0[lane].subnormal(), a.0[lane].into());
            let value: f64 = value;
            let property = match inst.imm {
                0 => value.is_finite(),
                1 => value.is_infinite(),
                2 => !value.is_nan(),
                3 => value.is_nan(),
                // Zeros count as normal.
                4 => value.is_finite() && !subnormal,
                _ => subnormal,
            };
            holds |= u32::from(property) << lane;
        }
        cx.registers.set_predicate(inst.args[0], holds, mask);
        Flow::Next
    }
}

trait Normal {
    fn subnormal(self) -> bool;
}

impl Normal for f32 {
    #[inline(always)]
    fn subnormal(self) -> bool {
        self.is_subnormal()
    }
}

impl Normal for f64 {
    #[inline(always)]
    fn subnormal(self) -> bool {
        self.is_subnormal()
    }
}

fn test<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let property = modifiers.take_one_of(&["finite", "infinite", "number", "notanumber", "normal", "subnormal"]);
    let Some(property) = property else { return Err(lower.error("testp needs a property, as .finite")) };
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let run = match ty {
        Type::F32 => lift::<Property<f32>>(level),
        Type::F64 => lift::<Property<f64>>(level),
        _ => return Err(unsupported(lower, "testp", ty)),
    };
    let [Operand::Name(destination), source] = expect(lower, operands)? else {
        return Err(lower.error("testp takes a predicate and a number"));
    };
    let args = [lower.predicate_destination(destination)?, lower.source(source, ty)?];
    lower.push(Inst::new(Class::Predicate, Action::Run(run)).with(args).imm(property as u64));
    Ok(())
}
