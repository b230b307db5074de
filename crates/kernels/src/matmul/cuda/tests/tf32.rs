//! What products round of an f32 in tf32.

use super::super::Kernels;
use crate::cuda::{Buffer, Element, Tf32};
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::testing::cuda::device;

/// One product.
fn times(a: f32, b: f32) -> f32 {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let buffer = |x| Buffer::from_host(&queue, &[Tf32(x)]).unwrap();
    let (a, b) = (buffer(a), buffer(b));
    let mut c = Buffer::<f32>::zeros(&queue, 1).unwrap();
    let (a, b) = (Lhs::Rows(a.view()), Rhs::Rows(b.view()));
    let shape = Shape { m: 1, n: 1, k: 1 };
    kernels.matmul_to_f32(&queue, shape, a, b, Start::Zero, Epilogue::None, c.view_mut()).unwrap();
    c.read().unwrap()[0]
}

#[test]
fn both_factors_are_rounded_to_nearest_with_ties_away_from_zero() {
    let unit = 2f32.powi(-10);
    // Half a unit of the last place that is left, a bit less and a bit more, from an even and from an odd value on.
    for (x, want) in [
        (1.0 + 0.5 * unit, 1.0 + unit),
        (1.0 + 0.5 * unit - f32::EPSILON, 1.0),
        (-1.0 - 1.5 * unit, -1.0 - 2.0 * unit),
        (1.0 + 1.5 * unit - f32::EPSILON, 1.0 + unit),
        (2.0 - 0.5 * unit, 2.0),
        (f32::MAX, f32::INFINITY),
        (f32::NEG_INFINITY, f32::NEG_INFINITY),
    ] {
        assert_eq!(Tf32(x).factor(), want, "{x:e}");
        assert_eq!((times(x, 1.0), times(1.0, x)), (want, want), "{x:e}");
    }
    assert!(times(f32::NAN, 1.0).is_nan() && Tf32(f32::NAN).factor().is_nan());
}
