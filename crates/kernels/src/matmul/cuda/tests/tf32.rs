//! f32 on tensor cores, against f64 on the values rounded to tf32.

use super::super::Kernels;
use super::super::tile::TF32;
use super::{Case, ENDS, Ends, STARTS, counts};
use crate::cuda::{Buffer, Element, Tf32};
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::testing::cuda::device;
use crate::testing::{bits_but_nan, values};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

fn plain(len: usize, seed: u32) -> Vec<f32> {
    values(len, seed, 0.0)
}

#[test]
fn results_are_within_the_bound() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Around a chunk, a product of tensor cores, a tile's sides and a tile of terms.
    let shapes = [(1, 1, 1), (7, 9, 4), (15, 17, 15), (16, 32, 17), (64, 68, 48), (33, 131, 33), (132, 40, 8)];
    let mut count = 0;
    for tile in 0..TF32.len() {
        for shape in shapes {
            for before in [0, 1] {
                let case = Case::<Tf32, f32>::new(&queue, shape, before, plain);
                for layout in 0..4 {
                    // The starts and the epilogues in turn: every tile meets every pair.
                    case.check_bound((&queue, &kernels), tile, layout, STARTS[count / 4 % 2], ENDS[count % 4]);
                    count += 1;
                }
                count += 3;
            }
        }
    }
    for (shape, before) in [((24, 36, 20), 0), ((9, 35, 10), 3)] {
        let case = Case::<Tf32, f32>::new(&queue, shape, before, plain);
        for layout in 0..4 {
            for start in STARTS {
                for ends in ENDS {
                    case.check_bound((&queue, &kernels), 1, layout, start, ends);
                }
            }
        }
    }
}

#[test]
fn no_terms_leave_the_start() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<Tf32, f32>::new(&queue, (5, 12, 0), 0, plain);
    for tile in 0..TF32.len() {
        for start in STARTS {
            for ends in ENDS {
                case.check_bound((&queue, &kernels), tile, 1, start, ends);
            }
        }
    }
}

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

#[test]
fn nan_and_infinity_stay_in_their_row_and_column() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // The last value of the last row of A, the last of the last column of B: next to what is filled with zeros.
    let (m, n, k) = (19, 21, 37);
    for (odd, relu) in [(f32::NAN, Ends::BiasRelu), (f32::INFINITY, Ends::Plain)] {
        let positive = |len: usize, seed: u32| -> Vec<f32> {
            let mut values: Vec<f32> = plain(len, seed).iter().map(|x| x.abs() + 0.5).collect();
            if seed <= 2 {
                values[len - 1] = odd;
            }
            values
        };
        let case = Case::<Tf32, f32>::new(&queue, (m, n, k), 0, positive);
        for tile in 0..TF32.len() {
            // A in rows, B transposed: the last value is that of the last row and term.
            let got = case.run((&queue, &kernels), Some(tile), 1, Start::Zero, relu);
            for (at, &x) in got.iter().enumerate() {
                let is_odd = at / n == m - 1 || at % n == n - 1;
                assert_eq!(if odd.is_nan() { x.is_nan() } else { x == odd }, is_odd, "{at}: {x}");
            }
        }
    }
}

#[test]
fn the_order_of_blocks_does_not_show() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<Tf32, f32>::new(&queue, (64 * 9 + 3, 70, 24), 0, plain);
    let run = || bits_but_nan(&case.run((&queue, &kernels), None, 1, Start::Accumulate, Ends::Bias));
    let want = run();
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(5)] {
        control::set_block_order(order);
        assert!(run() == want, "{order:?}");
    }
    control::set_block_order(BlockOrder::default());
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    counts::<Tf32, f32>(&TF32);
}
