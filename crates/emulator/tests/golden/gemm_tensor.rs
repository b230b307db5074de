//! C = A B on tensor cores, whose sums are documented to be one chain of fused multiply-adds over k: exact.

use crate::{
    common::{Plain, Random},
    format::{BF16, F16, Format, bf16, f16, tf32},
    ways::{assert_bits, same},
};

const SIZES: [(usize, usize, usize); 3] = [(1, 8, 8), (65, 72, 40), (20, 24, 104)];

/// Element (row, column) of A B, from A's rows and B's columns.
fn chain(m: usize, n: usize, k: usize, a: impl Fn(usize, usize) -> f32, b: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    (0..m * n).map(|at| (0..k).fold(0.0, |sum, i| a(at / n, i).mul_add(b(i, at % n), sum))).collect()
}

fn run<T: Plain>(name: &str, (m, n, k): (usize, usize, usize), a: &[T], b: &[T], expected: &[f32]) {
    same(
        "gemm_tensor",
        |device| {
            let c = device.allocate::<f32>(m * n);
            let (a, b) = (device.upload(a), device.upload(b));
            let grid = [n.div_ceil(64) as u32, m.div_ceil(64) as u32, 1];
            let args = [a.into(), b.into(), c.into(), (m as i32).into(), (n as i32).into(), (k as i32).into()];
            device.clean(name, grid, [128, 1, 1], 0, &args);
            device.download::<u32>(c, m * n)
        },
        |got| assert_bits(got, expected),
    );
}

fn halves(name: &str, format: Format, round: fn(f32) -> u16) {
    for (m, n, k) in SIZES {
        let mut random = Random(2);
        let mut numbers = |count| -> Vec<u16> { random.floats(count).into_iter().map(round).collect() };
        let (a, b) = (numbers(m * k), numbers(k * n));
        let value = |bits: u16| format.value(bits.into()) as f32;
        let expected = chain(m, n, k, |row, i| value(a[row * k + i]), |i, col| value(b[i * n + col]));
        run(name, (m, n, k), &a, &b, &expected);
    }
}

#[test]
fn bf16_products_are_exact_and_their_sums_a_chain() {
    halves("gemm_bf16", BF16, bf16);
}

#[test]
fn f16_products_are_exact_and_their_sums_a_chain() {
    halves("gemm_f16", F16, f16);
}

#[test]
fn tf32_operands_are_rounded_away_on_ties() {
    for (m, n, k) in [(1, 2, 4), (65, 70, 36), (20, 22, 56)] {
        let mut random = Random(3);
        let (mut a, b) = (random.floats(m * k), random.floats(n * k));
        // Halfway between two tf32.
        a.iter_mut().step_by(3).for_each(|x| *x = f32::from_bits(x.to_bits() & !0x1fff | 0x1000));
        let expected = chain(m, n, k, |row, i| tf32(a[row * k + i]), |i, col| tf32(b[col * k + i]));
        run("gemm_tf32", (m, n, k), &a, &b, &expected);
    }
}
