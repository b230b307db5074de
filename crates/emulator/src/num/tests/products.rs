//! Matrix products, against chains of exactly rounded steps and against integers.

use super::exact::{Exact, Format};
use super::random::Random;
use crate::num::tf32::Tf32Round;
use crate::num::{Round, bf16, f16, mma, tf32};

/// `a * b + c` of finite f32, rounded to nearest by searching the format.
fn step(a: f32, b: f32, c: f32) -> f32 {
    let wide = |x: f32| Exact::of(f64::from(x));
    let exact = wide(a).times(&wide(b)).plus(&wide(c));
    if exact.is_zero() {
        return if a.is_sign_negative() != b.is_sign_negative() && c.is_sign_negative() { -0.0 } else { 0.0 };
    }
    let (mut low, mut high) = (0u64, Format::F32.infinity());
    while low < high {
        let middle = (low + high).div_ceil(2);
        if Format::F32.decode(middle).compare_magnitude(&exact).is_le() { low = middle } else { high = middle - 1 }
    }
    let rounded =
        |bits| Format::F32.is_rounded(bits, exact.negative, Round::Nearest, |other| exact.compare_magnitude(other));
    let sign = if exact.negative { Format::F32.sign() } else { 0 };
    let bits = if rounded(low | sign) { low } else { low + 1 };
    f32::from_bits((bits | sign) as u32)
}

fn chains<const M: usize, const N: usize, const K: usize>(
    a: &[[f32; K]; M],
    b: &[[f32; N]; K],
    c: &[[f32; N]; M],
) -> [[f32; N]; M] {
    std::array::from_fn(|m| std::array::from_fn(|n| (0..K).fold(c[m][n], |sum, k| step(a[m][k], b[k][n], sum))))
}

fn bits<const M: usize, const N: usize>(x: &[[f32; N]; M]) -> [[u32; N]; M] {
    x.map(|row| row.map(f32::to_bits))
}

fn check_chains<const M: usize, const N: usize, const K: usize>(
    random: &mut Random,
    draw: impl Fn(&mut Random) -> f32,
) {
    for case in 0..3 {
        let a: [[f32; K]; M] = std::array::from_fn(|_| std::array::from_fn(|_| draw(random)));
        let b: [[f32; N]; K] = std::array::from_fn(|_| std::array::from_fn(|_| draw(random)));
        let c: [[f32; N]; M] =
            std::array::from_fn(|_| std::array::from_fn(|_| if case == 0 { 0.0 } else { draw(random) }));
        let want = chains(&a, &b, &c);
        let (mut native, mut portable) = (c, c);
        mma::multiply_add(&a, &b, &mut native);
        mma::multiply_add_portable(&a, &b, &mut portable);
        assert_eq!(bits(&native), bits(&want));
        assert_eq!(bits(&portable), bits(&want));
    }
}

/// A finite operand of a 16-bit format with exponents over a small range, a few of them over the whole.
fn operand(random: &mut Random, format: Format, widen: impl Fn(u16) -> f32) -> f32 {
    let x = widen(random.float(format.exponent, format.fraction) as u16);
    // Large enough a range that products are subnormal in f32, too small for a sum to overflow.
    if x.is_finite() && x.abs() < 1e18 { x } else { 0.75 }
}

#[test]
fn products_are_chains_of_fused_steps() {
    let mut random = Random(61);
    let half = |random: &mut Random| operand(random, Format::F16, f16::to_f32);
    check_chains::<16, 8, 8>(&mut random, half);
    check_chains::<16, 8, 16>(&mut random, half);
    check_chains::<8, 8, 4>(&mut random, half);
    let brain = |random: &mut Random| operand(random, Format::BF16, bf16::to_f32);
    check_chains::<16, 8, 8>(&mut random, brain);
    check_chains::<16, 8, 16>(&mut random, brain);
    let tensor = |random: &mut Random| {
        let x = tf32::from_f32(random.f32(), Tf32Round::NearestAway);
        if x.is_finite() && x.abs() < 1e18 { x } else { -1.25 }
    };
    check_chains::<16, 8, 4>(&mut random, tensor);
    check_chains::<16, 8, 8>(&mut random, tensor);
}

#[test]
fn small_integers_are_exact_in_every_type() {
    let mut random = Random(62);
    for satfinite in [false, true] {
        let small = |random: &mut Random| random.below(31) as i32 - 15;
        let a: [[i32; 16]; 16] = std::array::from_fn(|_| std::array::from_fn(|_| small(&mut random)));
        let b: [[i32; 8]; 16] = std::array::from_fn(|_| std::array::from_fn(|_| small(&mut random)));
        let c: [[i32; 8]; 16] = std::array::from_fn(|_| std::array::from_fn(|_| small(&mut random)));
        let want: [[i32; 8]; 16] =
            std::array::from_fn(|m| std::array::from_fn(|n| c[m][n] + (0..16).map(|k| a[m][k] * b[k][n]).sum::<i32>()));
        let mut integers = c;
        mma::multiply_add_integer(&a, &b, &mut integers, satfinite);
        assert_eq!(integers, want);
        let wide = |x: i32| x as f32;
        let mut singles = c.map(|row| row.map(wide));
        mma::multiply_add(&a.map(|row| row.map(wide)), &b.map(|row| row.map(wide)), &mut singles);
        assert_eq!(singles, want.map(|row| row.map(wide)));
        for round in [Round::Nearest, Round::Up] {
            let mut doubles = c.map(|row| row.map(f64::from));
            let (a, b) = (a.map(|row| row.map(f64::from)), b.map(|row| row.map(f64::from)));
            mma::multiply_add_f64(&a, &b, &mut doubles, round);
            assert_eq!(doubles, want.map(|row| row.map(f64::from)));
        }
    }
}

#[test]
fn f16_results_are_rounded_at_the_end() {
    // 2048 + 1 + 1 is 2048 if each sum is rounded to f16, and 2050 if only the last is.
    let a = [[1.0f32; 4]; 8];
    let b = [[1.0f32; 8]; 4];
    let (mut native, mut portable) = ([[0x6800u16; 8]; 8], [[0x6800u16; 8]; 8]);
    mma::multiply_add_f16(&a, &b, &mut native);
    mma::multiply_add_f16_portable(&a, &b, &mut portable);
    let want = f16::from_f32(2052.0, Round::Nearest);
    assert_eq!(native, [[want; 8]; 8]);
    assert_eq!(portable, [[want; 8]; 8]);
}

#[test]
fn integer_overflow_wraps_or_saturates() {
    let a = [[127, 127], [-128, -128]];
    let b = [[127], [127]];
    let (mut wrapped, mut clamped) = ([[i32::MAX], [i32::MIN]], [[i32::MAX], [i32::MIN]]);
    mma::multiply_add_integer(&a, &b, &mut wrapped, false);
    mma::multiply_add_integer(&a, &b, &mut clamped, true);
    assert_eq!(wrapped, [[i32::MAX.wrapping_add(2 * 127 * 127)], [i32::MIN.wrapping_sub(2 * 128 * 127)]]);
    assert_eq!(clamped, [[i32::MAX], [i32::MIN]]);
}

#[test]
fn a_nan_is_canonical() {
    let mut c = [[0.0f32]];
    mma::multiply_add(&[[f32::INFINITY]], &[[0.0]], &mut c);
    assert_eq!(c[0][0].to_bits(), 0x7fff_ffff);
    let mut c = [[f32::NEG_INFINITY]];
    mma::multiply_add_portable(&[[f32::INFINITY]], &[[1.0]], &mut c);
    assert_eq!(c[0][0].to_bits(), 0x7fff_ffff);
}
