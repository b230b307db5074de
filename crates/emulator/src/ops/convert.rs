//! `cvt`: between any two types. Conversions that kernels do all the time have a body of their own; the rest go by a
//! wide value (64-bit integer, f32 or f64) that holds the source exactly.

use super::{Execute, Level, expect, integer::unsupported, lift, map1};
use crate::{
    exec::{Cx, Value},
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers, bits, is_signed},
    num::{Round, bf16, cvt, f16, single},
    program::{Action, Class, Flow, Inst, Run, Slot},
    ptx::ast::{Operand, Type},
};

/// What a conversion does, in `Inst::imm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Conversion {
    to: Type,
    from: Type,
    round: Round,
    /// Round to an integral value (`.rni` and the like).
    integral: bool,
    ftz: bool,
    sat: bool,
    relu: bool,
    satfinite: bool,
    /// Bits of the registers, which may be wider than the types.
    to_register: u32,
    from_register: u32,
}

const TYPES: [Type; 12] = [
    Type::U8,
    Type::U16,
    Type::U32,
    Type::U64,
    Type::S8,
    Type::S16,
    Type::S32,
    Type::S64,
    Type::F16,
    Type::Bf16,
    Type::F32,
    Type::F64,
];

const ROUNDS: [Round; 4] = [Round::Nearest, Round::Zero, Round::Down, Round::Up];

impl Conversion {
    fn encode(self) -> u64 {
        let ty = |ty| TYPES.iter().position(|&known| known == ty).unwrap_or_default() as u64;
        let round = ROUNDS.iter().position(|&known| known == self.round).unwrap_or_default() as u64;
        ty(self.to)
            | ty(self.from) << 4
            | round << 8
            | u64::from(self.integral) << 10
            | u64::from(self.ftz) << 11
            | u64::from(self.sat) << 12
            | u64::from(self.relu) << 13
            | u64::from(self.satfinite) << 14
            | u64::from(self.to_register) << 16
            | u64::from(self.from_register) << 24
    }

    #[inline(always)]
    fn decode(code: u64) -> Self {
        Self {
            to: TYPES[(code & 15).min(11) as usize],
            from: TYPES[(code >> 4 & 15).min(11) as usize],
            round: ROUNDS[(code >> 8 & 3) as usize],
            integral: code >> 10 & 1 == 1,
            ftz: code >> 11 & 1 == 1,
            sat: code >> 12 & 1 == 1,
            relu: code >> 13 & 1 == 1,
            satfinite: code >> 14 & 1 == 1,
            to_register: (code >> 16 & 0xff) as u32,
            from_register: (code >> 24 & 0xff) as u32,
        }
    }
}

/// A value that holds any source exactly.
#[derive(Clone, Copy)]
enum Wide {
    Signed(i64),
    Unsigned(u64),
    Single(f32),
    Double(f64),
}

/// The source's bits, zero-extended, as a wide value.
#[inline(always)]
fn widen(raw: u64, from: Type, ftz: bool) -> Wide {
    match from {
        Type::U8 => Wide::Unsigned(raw & 0xff),
        Type::U16 => Wide::Unsigned(raw & 0xffff),
        Type::U32 => Wide::Unsigned(raw & 0xffff_ffff),
        Type::U64 => Wide::Unsigned(raw),
        Type::S8 => Wide::Signed(i64::from(raw as i8)),
        Type::S16 => Wide::Signed(i64::from(raw as i16)),
        Type::S32 => Wide::Signed(i64::from(raw as i32)),
        Type::S64 => Wide::Signed(raw as i64),
        Type::F16 => Wide::Single(f16::to_f32(raw as u16)),
        Type::Bf16 => Wide::Single(bf16::to_f32(raw as u16)),
        Type::F64 => Wide::Double(f64::from_bits(raw)),
        _ => {
            let value = f32::from_bits(raw as u32);
            Wide::Single(if ftz { single::flush(value) } else { value })
        }
    }
}

/// An integer destination's bits, extended to 64 by its sign or zeros.
#[inline(always)]
fn to_integer(value: Wide, c: &Conversion) -> u64 {
    let width = bits(c.to);
    let signed = is_signed(c.to);
    match value {
        Wide::Signed(x) if c.sat && signed => cvt::saturate_signed(x, width) as u64,
        Wide::Signed(x) if c.sat => cvt::saturate_to_unsigned(x, width),
        Wide::Unsigned(x) if c.sat && signed => cvt::saturate_to_signed(x, width) as u64,
        Wide::Unsigned(x) if c.sat => cvt::saturate_unsigned(x, width),
        // Chopped, then extended as the destination's type says.
        Wide::Signed(x) => extend(x as u64, width, signed),
        Wide::Unsigned(x) => extend(x, width, signed),
        Wide::Single(x) => match c.to {
            Type::U8 => u64::from(cvt::u8_from_f32(x, c.round)),
            Type::U16 => u64::from(cvt::u16_from_f32(x, c.round)),
            Type::U32 => u64::from(cvt::u32_from_f32(x, c.round)),
            Type::U64 => cvt::u64_from_f32(x, c.round),
            Type::S8 => i64::from(cvt::s8_from_f32(x, c.round)) as u64,
            Type::S16 => i64::from(cvt::s16_from_f32(x, c.round)) as u64,
            Type::S32 => i64::from(cvt::s32_from_f32(x, c.round)) as u64,
            _ => cvt::s64_from_f32(x, c.round) as u64,
        },
        Wide::Double(x) => match c.to {
            Type::U8 => u64::from(cvt::u8_from_f64(x, c.round)),
            Type::U16 => u64::from(cvt::u16_from_f64(x, c.round)),
            Type::U32 => u64::from(cvt::u32_from_f64(x, c.round)),
            Type::U64 => cvt::u64_from_f64(x, c.round),
            Type::S8 => i64::from(cvt::s8_from_f64(x, c.round)) as u64,
            Type::S16 => i64::from(cvt::s16_from_f64(x, c.round)) as u64,
            Type::S32 => i64::from(cvt::s32_from_f64(x, c.round)) as u64,
            _ => cvt::s64_from_f64(x, c.round) as u64,
        },
    }
}

#[inline(always)]
fn extend(bits: u64, width: u32, signed: bool) -> u64 {
    let unused = 64 - width;
    if signed { ((bits << unused) as i64 >> unused) as u64 } else { bits << unused >> unused }
}

/// A floating-point destination's bits.
#[inline(always)]
fn to_float(value: Wide, c: &Conversion) -> u64 {
    match c.to {
        Type::F16 => {
            let x = match value {
                Wide::Signed(x) => cvt::f16_from_s64(x, c.round),
                Wide::Unsigned(x) => cvt::f16_from_u64(x, c.round),
                Wide::Single(x) if c.integral => f16::from_f32(cvt::integral_f32(x, c.round), Round::Nearest),
                Wide::Single(x) => f16::from_f32(x, c.round),
                Wide::Double(x) => f16::from_f64(x, c.round),
            };
            let x = if c.satfinite { f16::saturate_finite(x) } else { x };
            let x = if c.sat { f16::saturate(x) } else { x };
            u64::from(if c.relu { f16::relu(x) } else { x })
        }
        Type::Bf16 => {
            let x = match value {
                Wide::Signed(x) => cvt::bf16_from_s64(x, c.round),
                Wide::Unsigned(x) => cvt::bf16_from_u64(x, c.round),
                Wide::Single(x) if c.integral => bf16::from_f32(cvt::integral_f32(x, c.round), Round::Nearest),
                Wide::Single(x) => bf16::from_f32(x, c.round),
                Wide::Double(x) => bf16::from_f64(x, c.round),
            };
            let x = if c.satfinite { bf16::saturate_finite(x) } else { x };
            u64::from(if c.relu { bf16::relu(x) } else { x })
        }
        Type::F64 => {
            let x = match value {
                Wide::Signed(x) => cvt::f64_from_s64(x, c.round),
                Wide::Unsigned(x) => cvt::f64_from_u64(x, c.round),
                Wide::Single(x) => cvt::f64_from_f32(x),
                Wide::Double(x) if c.integral => cvt::integral_f64(x, c.round),
                Wide::Double(x) => x,
            };
            (if c.sat { crate::num::double::saturate(x) } else { x }).to_bits()
        }
        _ => {
            let x = match value {
                Wide::Signed(x) => cvt::f32_from_s64(x, c.round),
                Wide::Unsigned(x) => cvt::f32_from_u64(x, c.round),
                Wide::Single(x) if c.integral => cvt::integral_f32(x, c.round),
                Wide::Single(x) => x,
                Wide::Double(x) => cvt::f32_from_f64(x, c.round),
            };
            let x = if c.ftz { single::flush(x) } else { x };
            u64::from((if c.sat { single::saturate(x) } else { x }).to_bits())
        }
    }
}

fn read(cx: &Cx<'_, '_>, slot: Slot, register: u32) -> Row<u64> {
    if register == 64 { *cx.registers.long(slot) } else { Row(cx.registers.word(slot).0.map(u64::from)) }
}

/// Any conversion of one value.
struct General;

impl Execute for General {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let c = Conversion::decode(inst.imm);
        let source = read(cx, inst.args[1], c.from_register);
        let mut row = Row::<u64>::default();
        let float = matches!(c.to, Type::F16 | Type::Bf16 | Type::F32 | Type::F64);
        for lane in 0..LANES {
            let wide = widen(source.0[lane], c.from, c.ftz);
            row.0[lane] = if float { to_float(wide, &c) } else { to_integer(wide, &c) };
        }
        if c.to_register == 64 {
            cx.registers.set_long(inst.args[0], &row, mask);
        } else {
            // A 16-bit register keeps the upper half of its word zero.
            let kept = if c.to_register == 32 { u32::MAX } else { 0xffff };
            u32::set(cx.registers, inst.args[0], &Row(row.0.map(|value| value as u32 & kept)), mask);
        }
        Flow::Next
    }
}

/// Two f32 into a pair of 16-bit floats: the first source is the upper half.
struct Pair;

impl Execute for Pair {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let c = Conversion::decode(inst.imm);
        let upper = f32::get(cx.registers, inst.args[1]);
        let lower = f32::get(cx.registers, inst.args[2]);
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let upper = to_float(Wide::Single(upper.0[lane]), &c) as u16;
            let lower = to_float(Wide::Single(lower.0[lane]), &c) as u16;
            row.0[lane] = cvt::pack16(upper, lower);
        }
        cx.registers.set_word(inst.args[0], &row, mask);
        Flow::Next
    }
}

/// The common ones, of registers as wide as their types.
fn fast(level: Level, c: &Conversion) -> Option<Run> {
    let plain = !c.ftz && !c.sat && !c.relu && !c.satfinite && !c.integral;
    let nearest = plain && c.round == Round::Nearest;
    let truncating = !c.ftz && !c.sat && c.integral && c.round == Round::Zero;
    Some(match (c.to, c.from) {
        (Type::F32, Type::F16) if plain => map1(level, f16::to_f32),
        (Type::F32, Type::Bf16) if plain => map1(level, bf16::to_f32),
        (Type::F16, Type::F32) if nearest => map1(level, |x: f32| f16::from_f32(x, Round::Nearest)),
        (Type::Bf16, Type::F32) if nearest => map1(level, |x: f32| bf16::from_f32(x, Round::Nearest)),
        (Type::F32, Type::S32) if nearest => map1(level, |x: i32| x as f32),
        (Type::F32, Type::U32) if nearest => map1(level, |x: u32| x as f32),
        (Type::F64, Type::S32) if plain => map1(level, |x: i32| f64::from(x)),
        (Type::F64, Type::F32) if plain => map1(level, cvt::f64_from_f32),
        (Type::S32, Type::F32) if truncating => map1(level, |x: f32| cvt::s32_from_f32(x, Round::Zero)),
        (Type::U64, Type::U32) if plain => map1(level, |x: u32| u64::from(x)),
        (Type::S64, Type::S32) if plain => map1(level, |x: i32| i64::from(x)),
        (Type::U32 | Type::S32, Type::U64 | Type::S64) if plain => map1(level, |x: u64| x as u32),
        (Type::U32 | Type::S32, Type::U16) if plain => map1(level, |x: u16| u32::from(x)),
        (Type::U32 | Type::S32, Type::S16) if plain => map1(level, |x: i16| i32::from(x)),
        (Type::U16 | Type::S16, Type::U32 | Type::S32) if plain => map1(level, |x: u32| x as u16),
        _ => return None,
    })
}

/// Decodes `cvt`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    if modifiers.take("pack") {
        return super::convert_small::pack(lower, modifiers, operands);
    }
    if modifiers.rest().iter().any(|name| matches!(*name, "tf32" | "e4m3x2" | "e5m2x2")) {
        return super::convert_small::lower(lower, modifiers, operands);
    }
    let round = modifiers.take_one_of(&["rn", "rz", "rm", "rp", "rni", "rzi", "rmi", "rpi"]);
    let (ftz, sat) = (modifiers.take("ftz"), modifiers.take("sat"));
    let (relu, satfinite) = (modifiers.take("relu"), modifiers.take("satfinite"));
    let to = modifiers.expect_type(lower)?;
    let from = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let mut conversion = Conversion {
        to,
        from,
        round: ROUNDS[round.unwrap_or(0) % 4],
        integral: round.is_some_and(|round| round >= 4),
        ftz,
        sat,
        relu,
        satfinite,
        to_register: bits(to),
        from_register: bits(from),
    };
    if matches!(to, Type::F16x2 | Type::Bf16x2) && from == Type::F32 {
        conversion.to = if to == Type::F16x2 { Type::F16 } else { Type::Bf16 };
        let [d, a, b] = expect(lower, operands)?;
        if round.is_none_or(|round| round > 1) {
            return Err(lower.error("cvt to a pair needs .rn or .rz"));
        }
        if ftz || sat {
            return Err(lower.error("cvt to a pair supports neither .ftz nor .sat"));
        }
        let args = [lower.destination(d, to)?, lower.source(a, from)?, lower.source(b, from)?];
        lower.push(Inst::new(Class::Convert, Action::Run(lift::<Pair>(level))).with(args).imm(conversion.encode()));
        return Ok(());
    }
    if !TYPES.contains(&to) || !TYPES.contains(&from) {
        return Err(unsupported(lower, "cvt", to));
    }
    check_rounding(lower, &conversion, round.is_some())?;
    check_modifiers(lower, &conversion)?;
    let [d, a] = expect(lower, operands)?;
    let (d, d_type) = lower.destination_at_least(d, to)?;
    let (a, a_type) = lower.source_at_least(a, from)?;
    conversion.to_register = bits(d_type).max(16);
    conversion.from_register = bits(a_type).max(16);
    let as_wide = bits(d_type) == bits(to) && bits(a_type) == bits(from);
    let run = fast(level, &conversion).filter(|_| as_wide).unwrap_or_else(|| lift::<General>(level));
    lower.push(Inst::new(Class::Convert, Action::Run(run)).with([d, a]).imm(conversion.encode()));
    Ok(())
}

/// A modifier must mean something for these types.
fn check_modifiers(lower: &Lower<'_, '_, '_>, c: &Conversion) -> Result<(), LowerError> {
    let sat = matches!(c.to, Type::Bf16);
    let directed = matches!(c.round, Round::Down | Round::Up);
    let narrowed = matches!(c.to, Type::F16 | Type::Bf16) && c.from == Type::F32 && !directed;
    let single = c.to == Type::F32 || c.from == Type::F32;
    let wrong = [(c.sat && sat, "sat"), (c.relu && !narrowed, "relu"), (c.satfinite && !narrowed, "satfinite")];
    match wrong.into_iter().chain([(c.ftz && !single, "ftz")]).find(|(wrong, _)| *wrong) {
        None => Ok(()),
        Some((_, name)) => Err(lower.error(format!("cvt.{:?}.{:?} does not support .{name}", c.to, c.from))),
    }
}

/// A rounding modifier must be there where a conversion may be inexact, and of the right kind.
fn check_rounding(lower: &Lower<'_, '_, '_>, c: &Conversion, given: bool) -> Result<(), LowerError> {
    let float = |ty| matches!(ty, Type::F16 | Type::Bf16 | Type::F32 | Type::F64);
    let needs = match (float(c.to), float(c.from)) {
        (false, false) => false,
        (true, true) => bits(c.to) < bits(c.from) || bits(c.to) == bits(c.from) && c.to != c.from,
        _ => true,
    };
    if needs && !given {
        return Err(lower.error("this conversion needs a rounding modifier"));
    }
    if float(c.from) && !float(c.to) && !c.integral {
        return Err(lower.error("a conversion to an integer needs .rni, .rzi, .rmi or .rpi"));
    }
    if c.integral && (!float(c.from) || float(c.to) && c.to != c.from) {
        return Err(
            lower.error("rounding to an integral value is for conversions to integers or of one type to itself")
        );
    }
    Ok(())
}
