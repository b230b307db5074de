//! C = A B in f32: one chain of fused multiply-adds an element, so exact.

use crate::{
    common::Random,
    ways::{assert_bits, same},
};

#[test]
fn both_kernels_give_the_chain_of_fused_multiply_adds() {
    for (m, n, k) in [(1usize, 1usize, 1usize), (70, 65, 33), (64, 64, 16), (17, 130, 5)] {
        let mut random = Random(1);
        let (a, b) = (random.floats(m * k), random.floats(k * n));
        let expected: Vec<f32> =
            (0..m * n).map(|at| (0..k).fold(0.0, |sum, i| a[at / n * k + i].mul_add(b[i * n + at % n], sum))).collect();
        for (name, tile) in [("gemm_f32", 64), ("gemm_f32_plain", 16)] {
            same(
                "gemm",
                |device| {
                    let c = device.allocate::<f32>(m * n);
                    let (a, b) = (device.upload(&a), device.upload(&b));
                    let grid = [n.div_ceil(tile) as u32, m.div_ceil(tile) as u32, 1];
                    let args = [a.into(), b.into(), c.into(), (m as i32).into(), (n as i32).into(), (k as i32).into()];
                    device.clean(name, grid, [16, 16, 1], 0, &args);
                    device.download::<u32>(c, m * n)
                },
                |got| assert_bits(got, &expected),
            );
        }
    }
}
