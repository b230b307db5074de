use super::*;
use crate::{
    isa::{self, Isa},
    testing::{self, bits},
};
use proptest::prelude::*;

fn values(len: usize, seed: u32) -> Vec<f32> {
    testing::values(len, seed, 0.0)
}

fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    (0..columns * rows).map(|i| x[i % rows * columns + i / rows]).collect()
}

/// The contract in plain loops.
fn chain(Shape { m, n, k }: Shape, a: &[f32], b: &[f32], start: &[f32]) -> Vec<f32> {
    let mut c = start.to_vec();
    for i in 0..m {
        for j in 0..n {
            for p in 0..k {
                c[i * n + j] = a[i * k + p].mul_add(b[p * n + j], c[i * n + j]);
            }
        }
    }
    c
}

/// Every storage of the operands, from zero and accumulating, against the chain, bit for bit.
fn check(shape: Shape, seed: u32) {
    let Shape { m, n, k } = shape;
    let (a, b, c0) = (values(m * k, seed), values(k * n, seed + 1), values(m * n, seed + 2));
    let (at, bt) = (transposed(&a, m, k), transposed(&b, k, n));
    let mut packed = Packed::zeros(k, n);
    packed.pack_transposed(&bt).unwrap();
    let from_zero = chain(shape, &a, &b, &vec![0.0; m * n]);
    let accumulated = chain(shape, &a, &b, &c0);
    for a in [Lhs::Rows(&a[..]), Lhs::Transposed(&at[..])] {
        for b in [Rhs::Rows(&b[..]), Rhs::Transposed(&bt[..]), Rhs::Packed(&packed)] {
            for (start, want) in [(Start::Zero, &from_zero), (Start::Accumulate, &accumulated)] {
                let mut c = c0.clone();
                matmul(shape, a, b, start, Epilogue::None, &mut c).unwrap();
                assert_eq!(bits(&c), bits(want), "{shape:?} {start:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_shape_is_the_chain(m in 0usize..70, n in 0usize..100, k in 0usize..70, seed: u16) {
        check(Shape { m, n, k }, u32::from(seed));
    }
}

#[test]
fn awkward_shapes_are_the_chain_on_every_isa() {
    for isa in Isa::ALL {
        isa::limit(isa);
        for (m, n, k) in
            [(1, 1, 1), (13, 31, 255), (14, 32, 256), (15, 33, 257), (260, 40, 30), (3, 600, 513), (29, 64, 0)]
        {
            check(Shape { m, n, k }, 7);
        }
    }
    isa::limit(Isa::Avx512);
}

#[test]
fn threads_do_not_show() {
    let shape = Shape { m: 300, n: 290, k: 270 };
    let (a, b) = (values(300 * 270, 1), values(270 * 290, 2));
    let run = |threads| {
        let mut c = vec![0.0; 300 * 290];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| matmul(shape, Lhs::Rows(&a), Rhs::Rows(&b), Start::Zero, Epilogue::None, &mut c).unwrap());
        bits(&c)
    };
    let one = run(1);
    assert!(one == run(2) && one == run(4));
}

#[test]
fn close_to_f64() {
    // A chain of k fused multiply-adds rounds k times; each error is at most 2^-24 of a partial sum, which is at most the sum
    // of magnitudes: |error| <= k * 2^-24 * sum |a b|.
    let shape = Shape { m: 31, n: 45, k: 300 };
    let (a, b) = (values(31 * 300, 3), values(300 * 45, 4));
    let mut c = vec![0.0; 31 * 45];
    matmul(shape, Lhs::Rows(&a), Rhs::Rows(&b), Start::Zero, Epilogue::None, &mut c).unwrap();
    for i in 0..31 {
        for j in 0..45 {
            let terms = (0..300).map(|p| f64::from(a[i * 300 + p]) * f64::from(b[p * 45 + j]));
            let (sum, size) = terms.fold((0.0, 0.0), |(s, z), t| (s + t, z + t.abs()));
            let bound = 300.0 * 2f64.powi(-24) * size;
            assert!((f64::from(c[i * 45 + j]) - sum).abs() <= bound);
        }
    }
}

#[test]
fn splitting_k_is_accumulating() {
    let (a, b) = (values(5 * 40, 5), values(40 * 9, 6));
    let mut whole = vec![0.0; 45];
    let shape = Shape { m: 5, n: 9, k: 40 };
    matmul(shape, Lhs::Rows(&a), Rhs::Rows(&b), Start::Zero, Epilogue::None, &mut whole).unwrap();
    let at = transposed(&a, 5, 40);
    let mut parts = vec![0.0; 45];
    for (p, start) in [(0, Start::Zero), (25, Start::Accumulate)] {
        let k = if p == 0 { 25 } else { 15 };
        let (a, b) = (&at[p * 5..(p + k) * 5], &b[p * 9..(p + k) * 9]);
        let shape = Shape { m: 5, n: 9, k };
        matmul(shape, Lhs::Transposed(a), Rhs::Rows(b), start, Epilogue::None, &mut parts).unwrap();
    }
    assert_eq!(bits(&whole), bits(&parts));
}

#[test]
fn epilogues() {
    let shape = Shape { m: 17, n: 37, k: 300 };
    let (a, b, bias) = (values(17 * 300, 8), values(300 * 37, 9), values(37, 10));
    let h = values(17 * 37, 11);
    let plain = chain(shape, &a, &b, &[0.0; 17 * 37]);
    let run = |epilogue| {
        let mut c = vec![f32::NAN; 17 * 37];
        matmul(shape, Lhs::Rows(&a), Rhs::Rows(&b), Start::Zero, epilogue, &mut c).unwrap();
        c
    };
    let biased: Vec<f32> = plain.iter().enumerate().map(|(i, v)| v + bias[i % 37]).collect();
    assert_eq!(bits(&run(Epilogue::Bias(&bias))), bits(&biased));
    let relu: Vec<f32> = biased.iter().map(|&v| if v > 0.0 { v } else { 0.0 }).collect();
    assert_eq!(bits(&run(Epilogue::BiasRelu(&bias))), bits(&relu));
    let masked: Vec<f32> = plain.iter().zip(&h).map(|(&v, &h)| if h > 0.0 { v * 1.25 } else { 0.0 }).collect();
    assert_eq!(bits(&run(Epilogue::ReluGradient { activation: &h, scale: 1.25 })), bits(&masked));
}

#[test]
fn nan_is_not_hidden_by_relu() {
    let shape = Shape { m: 1, n: 1, k: 1 };
    let mut c = [0.0];
    matmul(shape, Lhs::Rows(&[f32::NAN]), Rhs::Rows(&[1.0]), Start::Zero, Epilogue::BiasRelu(&[0.0]), &mut c).unwrap();
    assert!(c[0].is_nan());
}

#[test]
fn wrong_lengths_are_named_and_nothing_is_written() {
    let shape = Shape { m: 2, n: 2, k: 2 };
    let (ok, bad) = ([1.0f32; 4], [1.0f32; 3]);
    let mut c = [9.0; 4];
    let mut run = |a, b, e, want: &str| {
        let error = matmul(shape, a, b, Start::Zero, e, &mut c).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    run(Lhs::Rows(&bad), Rhs::Rows(&ok), Epilogue::None, "`a` holds 3 values but its shape (M, K) needs 4");
    run(Lhs::Rows(&ok), Rhs::Transposed(&bad), Epilogue::None, "`b` holds 3");
    run(Lhs::Rows(&ok), Rhs::Rows(&ok), Epilogue::Bias(&bad), "`bias` holds 3");
    run(Lhs::Rows(&ok), Rhs::Packed(&Packed::zeros(3, 2)), Epilogue::None, "K of the packed");
    assert_eq!(c, [9.0; 4]);
    let huge = Shape { m: usize::MAX, n: 2, k: 2 };
    assert!(matmul(huge, Lhs::Rows(&ok), Rhs::Rows(&ok), Start::Zero, Epilogue::None, &mut [0.0; 4]).is_err());
}
