//! `mma.sync`: the products of tensor cores, whose matrices lie spread over the lanes of a warp.
//!
//! With g the lane's number over 4 and t the rest, in the ISA's figures: a lane holds of A rows g and g + 8, of B
//! column g, of C and D rows g and g + 8 at columns 2t and 2t + 1; along k its elements are those at t times the number
//! that fit in one register, and the same half a tile further on.

use std::marker::PhantomData;

use super::{Execute, lift};
use crate::{
    exec::Cx,
    lanes::{LANES, Mask, Row},
    lower::{Lower, LowerError, Modifiers},
    num::{Round, bf16, f16, mma, tf32},
    program::{Action, Class, Flow, Inst, Run, Slot},
    ptx::ast::{Operand, Type},
};

/// Elements of a register of A or B, widened.
trait Elements: 'static {
    type Wide: Copy + Default;
    /// How many a register holds.
    const COUNT: usize;
    fn get(register: u32, index: usize) -> Self::Wide;
}

macro_rules! elements {
    ($($name:ident: $wide:ty, $count:expr, |$register:ident, $index:ident| $body:expr;)*) => {$(
        struct $name;
        impl Elements for $name {
            type Wide = $wide;
            const COUNT: usize = $count;
            #[inline(always)]
            fn get($register: u32, $index: usize) -> $wide {
                $body
            }
        }
    )*};
}

elements! {
    Half: f32, 2, |register, index| f16::to_f32((register >> (16 * index)) as u16);
    Brain: f32, 2, |register, index| bf16::to_f32((register >> (16 * index)) as u16);
    Tensor: f32, 1, |register, _index| tf32::truncate(f32::from_bits(register));
    Signed8: i32, 4, |register, index| i32::from((register >> (8 * index)) as i8);
    Unsigned8: i32, 4, |register, index| i32::from((register >> (8 * index)) as u8);
}

/// A, 16 rows: register r holds row g + 8 (r mod 2), columns from t · COUNT + (r / 2) · 4 · COUNT.
#[inline(always)]
fn gather_a<E: Elements, const K: usize>(cx: &Cx<'_, '_>, slots: &[Slot]) -> [[E::Wide; K]; 16] {
    let mut a = [[E::Wide::default(); K]; 16];
    for (register, &slot) in slots.iter().enumerate() {
        let row = cx.registers.word(slot);
        for lane in 0..LANES {
            let (g, t) = (lane / 4, lane % 4);
            let at = t * E::COUNT + register / 2 * 4 * E::COUNT;
            for index in 0..E::COUNT {
                a[g + 8 * (register % 2)][at + index] = E::get(row.0[lane], index);
            }
        }
    }
    a
}

/// B, 8 columns: register r holds column g, rows from t · COUNT + r · 4 · COUNT.
#[inline(always)]
fn gather_b<E: Elements, const K: usize>(cx: &Cx<'_, '_>, slots: &[Slot]) -> [[E::Wide; 8]; K] {
    let mut b = [[E::Wide::default(); 8]; K];
    for (register, &slot) in slots.iter().enumerate() {
        let row = cx.registers.word(slot);
        for lane in 0..LANES {
            let (g, t) = (lane / 4, lane % 4);
            let at = t * E::COUNT + register * 4 * E::COUNT;
            for index in 0..E::COUNT {
                b[at + index][g] = E::get(row.0[lane], index);
            }
        }
    }
    b
}

/// C or D of 32-bit elements: register r holds row g + 8 (r / 2), column 2t + r mod 2.
#[inline(always)]
fn gather_c(cx: &Cx<'_, '_>, slots: &[Slot]) -> [[u32; 8]; 16] {
    let mut c = [[0; 8]; 16];
    for (register, &slot) in slots.iter().enumerate() {
        let row = cx.registers.word(slot);
        for lane in 0..LANES {
            c[lane / 4 + 8 * (register / 2)][lane % 4 * 2 + register % 2] = row.0[lane];
        }
    }
    c
}

#[inline(always)]
fn scatter_c(cx: &mut Cx<'_, '_>, slots: &[Slot], c: &[[u32; 8]; 16], mask: Mask) {
    for (register, &slot) in slots.iter().enumerate() {
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            row.0[lane] = c[lane / 4 + 8 * (register / 2)][lane % 4 * 2 + register % 2];
        }
        cx.registers.set_word(slot, &row, mask);
    }
}

/// C or D of f16 pairs: register r holds row g + 8 r, columns 2t and 2t + 1.
#[inline(always)]
fn gather_c16(cx: &Cx<'_, '_>, slots: &[Slot]) -> [[u16; 8]; 16] {
    let mut c = [[0; 8]; 16];
    for (register, &slot) in slots.iter().enumerate() {
        let row = cx.registers.word(slot);
        for lane in 0..LANES {
            c[lane / 4 + 8 * register][lane % 4 * 2] = row.0[lane] as u16;
            c[lane / 4 + 8 * register][lane % 4 * 2 + 1] = (row.0[lane] >> 16) as u16;
        }
    }
    c
}

#[inline(always)]
fn scatter_c16(cx: &mut Cx<'_, '_>, slots: &[Slot], c: &[[u16; 8]; 16], mask: Mask) {
    for (register, &slot) in slots.iter().enumerate() {
        let mut row = Row::<u32>::default();
        for lane in 0..LANES {
            let at = &c[lane / 4 + 8 * register][lane % 4 * 2..];
            row.0[lane] = u32::from(at[0]) | u32::from(at[1]) << 16;
        }
        cx.registers.set_word(slot, &row, mask);
    }
}

/// The slots of D, A, B, C in `more`, by their numbers of registers in `imm`, a byte each.
#[inline(always)]
fn parts(inst: &Inst) -> [&[Slot]; 4] {
    let count = |index: u32| (inst.imm >> (8 * index) & 0xff) as usize;
    let (d, rest) = inst.more.split_at(count(0));
    let (a, rest) = rest.split_at(count(1));
    let (b, c) = rest.split_at(count(2));
    [d, a, b, c]
}

/// 32-bit floating-point sums.
struct Float<E, const K: usize>(PhantomData<E>);

impl<E: Elements<Wide = f32>, const K: usize> Execute for Float<E, K> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let [d, a, b, c] = parts(inst);
        let a = gather_a::<E, K>(cx, a);
        let b = gather_b::<E, K>(cx, b);
        let mut sums = gather_c(cx, c).map(|row| row.map(f32::from_bits));
        mma::multiply_add(&a, &b, &mut sums);
        scatter_c(cx, d, &sums.map(|row| row.map(f32::to_bits)), mask);
        Flow::Next
    }
}

/// f16 sums.
struct HalfSums<const K: usize>;

impl<const K: usize> Execute for HalfSums<K> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let [d, a, b, c] = parts(inst);
        let a = gather_a::<Half, K>(cx, a);
        let b = gather_b::<Half, K>(cx, b);
        let mut sums = gather_c16(cx, c);
        mma::multiply_add_f16(&a, &b, &mut sums);
        scatter_c16(cx, d, &sums, mask);
        Flow::Next
    }
}

/// Integer sums; flag 1: `.satfinite`.
struct Integer<A, B, const K: usize>(PhantomData<(A, B)>);

impl<A: Elements<Wide = i32>, B: Elements<Wide = i32>, const K: usize> Execute for Integer<A, B, K> {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let [d, a, b, c] = parts(inst);
        let a = gather_a::<A, K>(cx, a);
        let b = gather_b::<B, K>(cx, b);
        let mut sums = gather_c(cx, c).map(|row| row.map(|value| value as i32));
        mma::multiply_add_integer(&a, &b, &mut sums, inst.flags & 1 != 0);
        scatter_c(cx, d, &sums.map(|row| row.map(|value| value as u32)), mask);
        Flow::Next
    }
}

/// `m8n8k4` of f64: A row g column t, B row t column g, C and D row g columns 2t and 2t + 1. The rounding is in flags.
struct Double;

impl Execute for Double {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let [d, a, b, c] = parts(inst);
        let value = |slot: Slot, lane: usize| f64::from_bits(cx.registers.long(slot).0[lane]);
        let (mut left, mut right, mut sums) = ([[0.0; 4]; 8], [[0.0; 8]; 4], [[0.0; 8]; 8]);
        for lane in 0..LANES {
            let (g, t) = (lane / 4, lane % 4);
            left[g][t] = value(a[0], lane);
            right[t][g] = value(b[0], lane);
            sums[g][2 * t] = value(c[0], lane);
            sums[g][2 * t + 1] = value(c[1], lane);
        }
        let round = [Round::Nearest, Round::Zero, Round::Down, Round::Up][(inst.flags & 3) as usize];
        mma::multiply_add_f64(&left, &right, &mut sums, round);
        for (register, &slot) in d.iter().enumerate() {
            let mut row = Row::<u64>::default();
            for lane in 0..LANES {
                row.0[lane] = sums[lane / 4][lane % 4 * 2 + register].to_bits();
            }
            cx.registers.set_long(slot, &row, mask);
        }
        Flow::Next
    }
}

/// One supported shape: its execution, and how many registers D, A, B and C have.
struct Shape {
    run: Run,
    registers: [usize; 4],
    double: bool,
}

/// Decodes `mma.sync.aligned`.
pub fn lower<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    if !(modifiers.take("sync") && modifiers.take("aligned")) {
        return Err(lower.error("mma needs .sync.aligned"));
    }
    let Some(shape) = modifiers.take_map(|name| name.starts_with('m').then(|| name.to_owned())) else {
        return Err(lower.error("mma needs a shape, as .m16n8k16"));
    };
    if !(modifiers.take("row") && modifiers.take("col")) {
        return Err(lower.error("mma is supported with .row.col"));
    }
    let round = modifiers.take_one_of(&["rn", "rz", "rm", "rp"]);
    let satfinite = modifiers.take("satfinite");
    let types: [Type; 4] = [
        modifiers.expect_type(lower)?,
        modifiers.expect_type(lower)?,
        modifiers.expect_type(lower)?,
        modifiers.expect_type(lower)?,
    ];
    modifiers.finish(lower)?;
    use Type::{Bf16, F16, F32, F64, S8, S32, Tf32, U8};
    let float = |run: Run, a: usize, b: usize| Shape { run, registers: [4, a, b, 4], double: false };
    let half = |run: Run, a: usize, b: usize| Shape { run, registers: [2, a, b, 2], double: false };
    let chosen = match (shape.as_str(), types) {
        ("m16n8k16", [F32, F16, F16, F32]) => float(lift::<Float<Half, 16>>(level), 4, 2),
        ("m16n8k16", [F32, Bf16, Bf16, F32]) => float(lift::<Float<Brain, 16>>(level), 4, 2),
        ("m16n8k16", [F16, F16, F16, F16]) => half(lift::<HalfSums<16>>(level), 4, 2),
        ("m16n8k8", [F32, F16, F16, F32]) => float(lift::<Float<Half, 8>>(level), 2, 1),
        ("m16n8k8", [F32, Bf16, Bf16, F32]) => float(lift::<Float<Brain, 8>>(level), 2, 1),
        ("m16n8k8", [F16, F16, F16, F16]) => half(lift::<HalfSums<8>>(level), 2, 1),
        ("m16n8k8", [F32, Tf32, Tf32, F32]) => float(lift::<Float<Tensor, 8>>(level), 4, 2),
        ("m16n8k4", [F32, Tf32, Tf32, F32]) => float(lift::<Float<Tensor, 4>>(level), 2, 1),
        ("m16n8k16", [S32, S8, S8, S32]) => float(lift::<Integer<Signed8, Signed8, 16>>(level), 2, 1),
        ("m16n8k16", [S32, S8, U8, S32]) => float(lift::<Integer<Signed8, Unsigned8, 16>>(level), 2, 1),
        ("m16n8k16", [S32, U8, S8, S32]) => float(lift::<Integer<Unsigned8, Signed8, 16>>(level), 2, 1),
        ("m16n8k16", [S32, U8, U8, S32]) => float(lift::<Integer<Unsigned8, Unsigned8, 16>>(level), 2, 1),
        ("m16n8k32", [S32, S8, S8, S32]) => float(lift::<Integer<Signed8, Signed8, 32>>(level), 4, 2),
        ("m16n8k32", [S32, S8, U8, S32]) => float(lift::<Integer<Signed8, Unsigned8, 32>>(level), 4, 2),
        ("m16n8k32", [S32, U8, S8, S32]) => float(lift::<Integer<Unsigned8, Signed8, 32>>(level), 4, 2),
        ("m16n8k32", [S32, U8, U8, S32]) => float(lift::<Integer<Unsigned8, Unsigned8, 32>>(level), 4, 2),
        ("m8n8k4", [F64, F64, F64, F64]) => Shape { run: lift::<Double>(level), registers: [2, 1, 1, 2], double: true },
        _ => return Err(lower.error(format!("mma.{shape} of {types:?} is not supported"))),
    };
    let integer = types[0] == S32;
    if satfinite && !integer || round.is_some() && !chosen.double {
        return Err(lower.error("mma: a modifier that this shape does not have"));
    }
    let [d, a, b, c] = operands else { return Err(lower.error("mma takes d, a, b and c")) };
    let register = if chosen.double { Type::B64 } else { Type::B32 };
    let mut more = Vec::new();
    for (index, operand) in [d, a, b, c].into_iter().enumerate() {
        let pieces = match operand {
            Operand::Vector(pieces) => pieces.as_slice(),
            single => std::slice::from_ref(single),
        };
        if pieces.len() != chosen.registers[index] {
            return Err(lower.error(format!(
                "mma: {} registers where {} are expected",
                pieces.len(),
                chosen.registers[index]
            )));
        }
        for piece in pieces {
            more.push(if index == 0 { lower.destination(piece, register)? } else { lower.source(piece, register)? });
        }
    }
    let imm = chosen.registers.iter().rev().fold(0, |packed, &count| packed << 8 | count as u64);
    let flags = if integer { u32::from(satfinite) } else { round.unwrap_or(0) as u32 };
    lower.push(Inst::new(Class::Tensor, Action::Whole(chosen.run)).imm(imm).flags(flags).more(more));
    Ok(())
}

/// `movmatrix.sync.aligned.m8n8.trans.b16`: an 8 x 8 matrix of 16-bit elements, transposed: lane 4 r + c holds row r,
/// columns 2c and 2c + 1.
struct Transpose;

impl Execute for Transpose {
    #[inline(always)]
    fn run(cx: &mut Cx<'_, '_>, inst: &Inst, mask: Mask) -> Flow {
        let source = *cx.registers.word(inst.args[1]);
        let element = |row: usize, column: usize| source.0[row * 4 + column / 2] >> (16 * (column % 2)) & 0xffff;
        let mut result = Row::<u32>::default();
        for lane in 0..LANES {
            let (row, column) = (lane / 4, lane % 4 * 2);
            result.0[lane] = element(column, row) | element(column + 1, row) << 16;
        }
        cx.registers.set_word(inst.args[0], &result, mask);
        Flow::Next
    }
}

/// Decodes `movmatrix`.
pub fn lower_movmatrix<'a>(
    lower: &mut Lower<'_, '_, 'a>,
    mut modifiers: Modifiers<'a>,
    operands: &[Operand<'a>],
) -> Result<(), LowerError> {
    let level = lower.level();
    let known = ["sync", "aligned", "m8n8", "trans"].iter().all(|name| modifiers.take(name));
    let ty = modifiers.expect_type(lower)?;
    modifiers.finish(lower)?;
    let [d, a] = super::expect(lower, operands)?;
    if !known || ty != Type::B16 {
        return Err(lower.error("movmatrix is supported as .sync.aligned.m8n8.trans.b16"));
    }
    let args = [lower.destination(d, Type::B32)?, lower.source(a, Type::B32)?];
    lower.push(Inst::new(Class::Warp, Action::Whole(lift::<Transpose>(level))).with(args));
    Ok(())
}
