//! `cvt` to and from the formats of tensor cores (tf32, e4m3, e5m2), and `cvt.pack`.

use super::{Execute, expect, integer::unsupported, lift, map1, map2};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers, bits, is_signed},
    num::{bf16, cvt, f16, fp8, single, tf32},
    program::{Action, Class, Flow, Inst, Run},
    ptx::ast::{Operand, Type},
};

/// `cvt` to or from `.tf32`, `.e4m3x2`, `.e5m2x2`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let round = modifiers.take_one_of(&["rn", "rna", "rz"]);
    let (relu, satfinite) = (modifiers.take("relu"), modifiers.take("satfinite"));
    let to = modifiers.expect_type(lower)?;
    let from = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    if (to, from) == (Type::Tf32, Type::F32) {
        const NEAREST: tf32::Tf32Round = tf32::Tf32Round::Nearest;
        const AWAY: tf32::Tf32Round = tf32::Tf32Round::NearestAway;
        const ZERO: tf32::Tf32Round = tf32::Tf32Round::Zero;
        let rounded: Run = match (round, relu, satfinite) {
            (Some(0), false, false) => map1(level, |x: f32| tf32::from_f32(x, NEAREST)),
            (Some(1), false, false) => map1(level, |x: f32| tf32::from_f32(x, AWAY)),
            (Some(2), false, false) => map1(level, |x: f32| tf32::from_f32(x, ZERO)),
            (Some(0), true, false) => map1(level, |x: f32| single::relu(tf32::from_f32(x, NEAREST))),
            (Some(2), true, false) => map1(level, |x: f32| single::relu(tf32::from_f32(x, ZERO))),
            (Some(0), false, true) => map1(level, |x: f32| finite_tf32(x, NEAREST)),
            (Some(1), false, true) => map1(level, |x: f32| finite_tf32(x, AWAY)),
            (Some(2), false, true) => map1(level, |x: f32| finite_tf32(x, ZERO)),
            (Some(0), true, true) => map1(level, |x: f32| single::relu(finite_tf32(x, NEAREST))),
            (Some(2), true, true) => map1(level, |x: f32| single::relu(finite_tf32(x, ZERO))),
            _ => return Err(unsupported(lower, "cvt", to)),
        };
        let [d, a] = expect(lower, operands)?;
        let args = [lower.destination(d, Type::B32)?, lower.source(a, Type::F32)?];
        lower.push(Inst::new(Class::Convert, Action::Run(rounded)).with(args));
        return Ok(());
    }
    match (to, from, round) {
        (Type::E4m3x2 | Type::E5m2x2, Type::F32, Some(0)) if satfinite => {
            let [d, a, b] = expect(lower, operands)?;
            let run = match (to, relu) {
                (Type::E4m3x2, false) => {
                    map2(level, |a: f32, b: f32| pair8(fp8::e4m3_from_f32(a), fp8::e4m3_from_f32(b)))
                }
                (Type::E4m3x2, true) => map2(level, |a: f32, b: f32| {
                    pair8(fp8::e4m3_from_f32(fp8::relu(a)), fp8::e4m3_from_f32(fp8::relu(b)))
                }),
                (_, false) => map2(level, |a: f32, b: f32| pair8(fp8::e5m2_from_f32(a), fp8::e5m2_from_f32(b))),
                (_, true) => map2(level, |a: f32, b: f32| {
                    pair8(fp8::e5m2_from_f32(fp8::relu(a)), fp8::e5m2_from_f32(fp8::relu(b)))
                }),
            };
            let args = [lower.destination(d, to)?, lower.source(a, from)?, lower.source(b, from)?];
            lower.push(Inst::new(Class::Convert, Action::Run(run)).with(args));
            Ok(())
        }
        (Type::E4m3x2 | Type::E5m2x2, Type::F16x2 | Type::Bf16x2, Some(0)) if satfinite => {
            let run = match (to, from, relu) {
                (Type::E4m3x2, Type::F16x2, false) => map1(level, |x: u32| narrow(x, f16::to_f32, fp8::e4m3_from_f32)),
                (Type::E5m2x2, Type::F16x2, false) => map1(level, |x: u32| narrow(x, f16::to_f32, fp8::e5m2_from_f32)),
                (Type::E4m3x2, Type::F16x2, true) => {
                    map1(level, |x: u32| narrow(x, |h| fp8::relu(f16::to_f32(h)), fp8::e4m3_from_f32))
                }
                (Type::E5m2x2, Type::F16x2, true) => {
                    map1(level, |x: u32| narrow(x, |h| fp8::relu(f16::to_f32(h)), fp8::e5m2_from_f32))
                }
                (Type::E4m3x2, _, false) => map1(level, |x: u32| narrow(x, bf16::to_f32, fp8::e4m3_from_f32)),
                (_, _, false) => map1(level, |x: u32| narrow(x, bf16::to_f32, fp8::e5m2_from_f32)),
                (Type::E4m3x2, _, true) => {
                    map1(level, |x: u32| narrow(x, |b| fp8::relu(bf16::to_f32(b)), fp8::e4m3_from_f32))
                }
                (_, _, true) => map1(level, |x: u32| narrow(x, |b| fp8::relu(bf16::to_f32(b)), fp8::e5m2_from_f32)),
            };
            one(lower, run, to, from, operands)
        }
        (Type::F16x2, Type::E4m3x2 | Type::E5m2x2, Some(0)) => {
            let run = match (from, relu) {
                (Type::E4m3x2, false) => map1(level, |x: u16| widen(x, fp8::e4m3_to_f16)),
                (Type::E4m3x2, true) => map1(level, |x: u16| widen(x, |b| f16::relu(fp8::e4m3_to_f16(b)))),
                (_, false) => map1(level, |x: u16| widen(x, fp8::e5m2_to_f16)),
                (_, true) => map1(level, |x: u16| widen(x, |b| f16::relu(fp8::e5m2_to_f16(b)))),
            };
            one(lower, run, to, from, operands)
        }
        _ => Err(unsupported(lower, "cvt", to)),
    }
}

fn one<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    run: Run,
    to: Type,
    from: Type,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let [d, a] = expect(lower, operands)?;
    let args = [lower.destination(d, to)?, lower.source(a, from)?];
    lower.push(Inst::new(Class::Convert, Action::Run(run)).with(args));
    Ok(())
}

#[inline(always)]
fn finite_tf32(x: f32, round: tf32::Tf32Round) -> f32 {
    tf32::saturate_finite(tf32::from_f32(x, round))
}

#[inline(always)]
fn pair8(upper: u8, lower: u8) -> u16 {
    u16::from(upper) << 8 | u16::from(lower)
}

#[inline(always)]
fn narrow(pair: u32, widen: impl Fn(u16) -> f32, narrow: impl Fn(f32) -> u8) -> u16 {
    let (upper, lower) = cvt::unpack16(pair);
    pair8(narrow(widen(upper)), narrow(widen(lower)))
}

#[inline(always)]
fn widen(pair: u16, widen: impl Fn(u8) -> u16) -> u32 {
    cvt::pack16(widen((pair >> 8) as u8), widen(pair as u8))
}

/// `cvt.pack.sat` of two 32-bit integers into narrow ones, below what is left of a word: `args[1]` upper, `args[2]`
/// lower, `args[3]` the word (for 8, 4 and 2 bits). `imm` is the width; flag 1 signed destinations.
struct Pack;

impl Execute for Pack {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let a = i32::get(cx.registers, inst.args[1]);
        let b = i32::get(cx.registers, inst.args[2]);
        let c = u32::get(cx.registers, inst.args[3]);
        let width = inst.imm as u32;
        let field = u32::MAX >> (32 - width);
        let clamp = |x: i32| {
            let x = i64::from(x);
            let value = if inst.flags & 1 != 0 {
                cvt::saturate_signed(x, width) as u64
            } else {
                cvt::saturate_to_unsigned(x, width)
            };
            value as u32 & field
        };
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let pair = clamp(a.0[lane]) << width | clamp(b.0[lane]);
            row.0[lane] = if width == 16 { pair } else { c.0[lane] << (2 * width) | pair };
        }
        cx.registers.set_word(inst.args[0], &row, mask);
        Flow::Next
    }
}

/// `cvt.pack.sat.{u16,s16}.s32 d, a, b` and `cvt.pack.sat.{u8,s8,u4,s4,u2,s2}.s32.b32 d, a, b, c`.
pub fn pack<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    if !modifiers.take("sat") {
        return Err(lower.error("cvt.pack needs .sat"));
    }
    // Four-bit and two-bit integers are not types of registers, so they have no name elsewhere.
    let small = modifiers.take_map(|name| match name {
        "u4" => Some((4, false)),
        "s4" => Some((4, true)),
        "u2" => Some((2, false)),
        "s2" => Some((2, true)),
        _ => None,
    });
    let (width, signed) = match small {
        Some(small) => small,
        None => {
            let ty = modifiers.expect_type(lower)?;
            (bits(ty), is_signed(ty))
        }
    };
    let from = modifiers.expect_type(lower)?;
    let word = modifiers.take_type();
    modifiers.finish(lower)?;
    if from != Type::S32 || !matches!((width, word), (16, None) | (2 | 4 | 8, Some(Type::B32))) {
        return Err(unsupported(lower, "cvt.pack", from));
    }
    let zero = lower.word(0);
    let (d, a, b, c) = match operands {
        [d, a, b] if width == 16 => (d, a, b, zero),
        [d, a, b, c] if width < 16 => (d, a, b, lower.source(c, Type::B32)?),
        _ => return Err(lower.error("cvt.pack takes two values and, below 16 bits, a word")),
    };
    let args = [lower.destination(d, Type::B32)?, lower.source(a, from)?, lower.source(b, from)?, c];
    lower.push(
        Inst::new(Class::Convert, Action::Run(lift::<Pack>(level)))
            .with(args)
            .imm(u64::from(width))
            .flags(u32::from(signed)),
    );
    Ok(())
}
