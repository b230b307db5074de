use super::{BLOCK, clip_factor, cpu::SPAN, grad_norm};
use crate::testing::everywhere;
use proptest::prelude::*;

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 100_003) as f32 * 3.1e-5 - 1.5).collect()
}

/// The contract by index, without chunks: what a warp a block would do.
fn by_the_contract(x: &[f32]) -> f64 {
    let mut total = 0.0;
    for block in 0..x.len().div_ceil(4096) {
        let mut lanes = [0.0f64; 32];
        for i in block * 4096..x.len().min((block + 1) * 4096) {
            lanes[i % 32] += f64::from(x[i]) * f64::from(x[i]);
        }
        for width in [16, 8, 4, 2, 1] {
            let old = lanes;
            for l in 0..32 {
                lanes[l] = old[l] + old[l ^ width];
            }
        }
        total += lanes[0];
    }
    total.sqrt()
}

/// The sum of squares in f64 with its rounding errors carried along (Neumaier's sum).
fn reference(x: &[f32]) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for &x in x {
        let square = f64::from(x) * f64::from(x);
        let next = sum + square;
        lost += if sum >= square { (sum - next) + square } else { (square - next) + sum };
        sum = next;
    }
    (sum + lost).sqrt()
}

#[test]
fn same_bits_for_every_instruction_set_and_number_of_threads() {
    let all = values(SPAN * BLOCK + 2 * BLOCK + 37);
    for n in [0, 1, 31, 32, 33, 4095, 4096, 4097, 100_000, SPAN * BLOCK, SPAN * BLOCK + 1, all.len()] {
        let x = &all[..n];
        let want = by_the_contract(x);
        everywhere(|place| assert_eq!(grad_norm(x).to_bits(), want.to_bits(), "{n} elements, {place}"));
    }
}

proptest! {
    #[test]
    fn follows_the_reference(x in prop::collection::vec(-1e3f32..1e3, 0..10_000), exponent in -44i32..38) {
        let x: Vec<f32> = x.into_iter().map(|x| (f64::from(x) * 10f64.powi(exponent - 3)) as f32).collect();
        let (got, want) = (grad_norm(&x), reference(&x));
        // The stated bound, and what the reference rounds itself.
        let tolerance = (136.0 + x.len().div_ceil(BLOCK) as f64) * 2f64.powi(-54) * want;
        prop_assert!((got - want).abs() <= tolerance, "{} for {}", got, want);
    }

    #[test]
    fn is_finite_exactly_when_every_gradient_is(
        n in 1usize..9000,
        poison in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3), 0..3),
    ) {
        // The largest finite values: their squares overflow in f32.
        let mut x = vec![f32::MAX; n];
        for (at, which) in &poison {
            x[at.index(n)] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][*which];
        }
        let norm = grad_norm(&x);
        prop_assert_eq!(norm.is_finite(), poison.is_empty());
        prop_assert_eq!(norm.is_nan(), x.iter().any(|x| x.is_nan()));
        if poison.is_empty() {
            prop_assert!((norm / (f64::from(f32::MAX) * (n as f64).sqrt()) - 1.0).abs() < 1e-13);
        }
    }

    #[test]
    fn clipping_brings_the_norm_down_to_the_limit(
        x in prop::collection::vec(-100f32..100.0, 1..500),
        max_norm in 1e-3f64..1e4,
    ) {
        let norm = grad_norm(&x);
        let factor = clip_factor(norm, max_norm).unwrap();
        let clipped: Vec<f32> = x.iter().map(|x| x * factor).collect();
        if norm <= max_norm {
            prop_assert_eq!(factor, 1.0);
        } else {
            // The factor and each product are rounded once, to 2^-24 of themselves.
            let ratio = grad_norm(&clipped) / max_norm;
            prop_assert!((ratio - 1.0).abs() <= 3.0 * 2f64.powi(-24), "{}", ratio);
        }
    }
}

#[test]
fn no_gradient_is_too_small() {
    let least = f32::from_bits(1);
    assert_eq!(grad_norm(&[least; 4]), 2.0 * f64::from(least));
    assert_eq!(grad_norm(&[]), 0.0);
    assert_eq!(grad_norm(&[-0.0; 5]).to_bits(), 0);
}

#[test]
fn the_ends_of_clipping_are_defined() {
    assert_eq!(clip_factor(0.0, 1.0), Ok(1.0));
    assert_eq!(clip_factor(1.0, 1.0), Ok(1.0));
    assert_eq!(clip_factor(4.0, 1.0), Ok(0.25));
    assert_eq!(clip_factor(1e30, f64::INFINITY), Ok(1.0));
    assert_eq!(clip_factor(f64::INFINITY, 1.0), Ok(0.0));
    assert_eq!(clip_factor(f64::INFINITY, f64::INFINITY), Ok(0.0));
    assert!(clip_factor(f64::NAN, 1.0).unwrap().is_nan());
    for bad in [0.0, -1.0, f64::NAN] {
        let text = clip_factor(1.0, bad).unwrap_err().to_string();
        assert!(text.contains("max_norm") && text.contains("greater than 0"), "{text}");
    }
}
