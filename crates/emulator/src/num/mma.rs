//! The products of tensor cores, on whole matrices: D = A B + C. How fragments lie in lanes is not known here.
//!
//! The ISA asks for f32 products at least and leaves the order of accumulation, its rounding and the treatment of
//! subnormals open. Our choice: each element is one chain of fused multiply-adds in f32 over k, ascending, that starts
//! at the element of C. Products of f16, bf16 and tf32 are therefore exact (those of f16, of at most 22 bits in f32's
//! range, would be without the fusing), each sum is rounded to nearest even, and subnormals are kept. Real tensor cores
//! add several products at a time and truncate; a program that depends on the last bits depends on the GPU's model.
//!
//! With f16 C and D the chain runs in f32 too and is rounded once, at the end. In f64 the ISA asks for the fused
//! multiply-add of f64, in the rounding mode given. In integers the sum is exact, and wraps or saturates once.
//!
//! M, N and K are those of the shape: 16, 8, 16 for `m16n8k16`. A bf16 or f16 operand is widened by the caller, a tf32
//! one truncated ([`super::tf32::truncate`]).

use super::fma::{fma32, fma32_portable};
use super::{Round, double, f16, nan};

/// D = A B + C in f32 (operands tf32, bf16, f16 or 8-bit floats), by the hardware's fused multiply-add where the caller
/// enables it.
#[inline(always)]
pub fn multiply_add<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &mut [[f32; N]; M],
) {
    chain(a, b, c, fma32);
}

/// [`multiply_add`] without hardware for fused multiply-adds, of the same bits.
#[inline(always)]
pub fn multiply_add_portable<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &mut [[f32; N]; M],
) {
    chain(a, b, c, fma32_portable);
}

/// D = A B + C with C and D in f16: [`multiply_add`], rounded at the end.
#[inline(always)]
pub fn multiply_add_f16<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &mut [[u16; N]; M],
) {
    rounded_to_f16(c, |wide| chain(a, b, wide, fma32));
}

/// [`multiply_add_f16`] without hardware for fused multiply-adds, of the same bits.
#[inline(always)]
pub fn multiply_add_f16_portable<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &mut [[u16; N]; M],
) {
    rounded_to_f16(c, |wide| chain(a, b, wide, fma32_portable));
}

#[inline(always)]
fn chain<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &mut [[f32; N]; M],
    fma: impl Fn(f32, f32, f32) -> f32,
) {
    // Eight rows at a time: eight chains to overlap, whose sums are eight registers of eight floats for N = 8.
    let (a_blocks, a_rest) = a.as_chunks::<8>();
    let (c_blocks, c_rest) = c.as_chunks_mut::<8>();
    for (a, c) in a_blocks.iter().zip(c_blocks) {
        chain_rows(a, b, c, &fma);
    }
    for (a, c) in a_rest.iter().zip(c_rest) {
        chain_rows(std::array::from_ref(a), b, std::array::from_mut(c), &fma);
    }
}

#[inline(always)]
fn chain_rows<const R: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; R],
    b: &[[f32; N]; K],
    c: &mut [[f32; N]; R],
    fma: &impl Fn(f32, f32, f32) -> f32,
) {
    let mut sums = *c;
    for k in 0..K {
        for row in 0..R {
            for column in 0..N {
                sums[row][column] = fma(a[row][k], b[k][column], sums[row][column]);
            }
        }
    }
    *c = sums.map(|row| row.map(nan::canonical32));
}

#[inline(always)]
fn rounded_to_f16<const M: usize, const N: usize>(c: &mut [[u16; N]; M], add: impl FnOnce(&mut [[f32; N]; M])) {
    let mut wide = c.map(|row| row.map(f16::to_f32));
    add(&mut wide);
    *c = wide.map(|row| row.map(|x| f16::from_f32(x, Round::Nearest)));
}

/// D = A B + C in f64, one fused multiply-add a step in the mode given.
#[inline(always)]
pub fn multiply_add_f64<const M: usize, const N: usize, const K: usize>(
    a: &[[f64; K]; M],
    b: &[[f64; N]; K],
    c: &mut [[f64; N]; M],
    round: Round,
) {
    for (a_row, c_row) in a.iter().zip(c) {
        for (&a_element, b_row) in a_row.iter().zip(b) {
            for (sum, &b_element) in c_row.iter_mut().zip(b_row) {
                *sum = double::fma(a_element, b_element, *sum, round);
            }
        }
    }
}

/// D = A B + C in s32; A and B are s8, u8, s4 or u4, widened by the caller. With `satfinite` the exact result is
/// clamped to the range of s32, else it wraps.
#[inline(always)]
pub fn multiply_add_integer<const M: usize, const N: usize, const K: usize>(
    a: &[[i32; K]; M],
    b: &[[i32; N]; K],
    c: &mut [[i32; N]; M],
    satfinite: bool,
) {
    for (a_row, c_row) in a.iter().zip(c) {
        // Of 8-bit operands and K of 64 at most, the products add up to less than 2^22.
        let mut sums = [0i32; N];
        for (&a_element, b_row) in a_row.iter().zip(b) {
            for (sum, &b_element) in sums.iter_mut().zip(b_row) {
                *sum = sum.wrapping_add(a_element.wrapping_mul(b_element));
            }
        }
        for (c_element, sum) in c_row.iter_mut().zip(sums) {
            *c_element = if satfinite { c_element.saturating_add(sum) } else { c_element.wrapping_add(sum) };
        }
    }
}
