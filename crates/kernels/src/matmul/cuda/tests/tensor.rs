//! Products on tensor cores, against f64 on what is multiplied: bf16, f16, and f32 rounded to tf32.

use super::super::Kernels;
use super::super::tile::{HALF, TF32};
use super::{Case, ENDS, Ends, SCALE, STARTS, counts};
use crate::cuda::{Bf16, Buffer, Element, F16, Queue, Tf32};
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::testing::cuda::device;
use crate::testing::{U, bits_but_nan, values};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

fn plain(len: usize, seed: u32) -> Vec<f32> {
    values(len, seed, 0.0)
}

/// The relative error of rounding to T, and the absolute one where T has no smaller exponents left.
fn rounding<T: Element>() -> (f64, f64) {
    match T::NAME {
        "f32" | "tf32" => (U, 2f64.powi(-150)),
        "bf16" => (2f64.powi(-8), 2f64.powi(-134)),
        _ => (2f64.powi(-11), 2f64.powi(-25)),
    }
}

impl<T: Element, C: Element> Case<T, C> {
    /// Element (i, j) in f64, and how far the kernel may be from it.
    ///
    /// Products are exact. The hardware adds K of them in some order and may truncate each sum, which is never more
    /// than the sum of magnitudes: K 2^-23 times that. Every f32 operation after it rounds once, half a unit of what
    /// it computes from values that are off already; so does the rounding to C.
    fn bound(&self, layout: usize, start: Start, ends: Ends, i: usize, j: usize) -> (f64, f64) {
        let Shape { m, n, k } = self.shape;
        let (mut sum, mut off) = (0.0, 0.0);
        for p in 0..k {
            let a = self.a.host[if layout / 2 == 0 { i * k + p } else { p * m + i }].factor();
            let b = self.b.host[if layout.is_multiple_of(2) { p * n + j } else { j * k + p }].factor();
            let product = f64::from(a) * f64::from(b);
            sum += product;
            off += product.abs();
        }
        off *= k as f64 * 2f64.powi(-23);
        let round = |sum: f64, off: f64| (sum, off + U * (sum.abs() + off));
        if start == Start::Accumulate {
            (sum, off) = round(sum + f64::from(self.c[i * n + j].to_f32()), off);
        }
        if matches!(ends, Ends::Bias | Ends::BiasRelu) {
            (sum, off) = round(sum + f64::from(self.bias.host[j]), off);
        }
        if matches!(ends, Ends::BiasRelu) {
            sum = sum.max(0.0);
        }
        if matches!(ends, Ends::ReluGradient) {
            let scale = if self.activation.host[i * n + j].to_f32() > 0.0 { f64::from(SCALE) } else { 0.0 };
            (sum, off) = round(scale * sum, scale * off);
        }
        let (relative, absolute) = rounding::<C>();
        (sum, off + relative * (sum.abs() + off) + absolute)
    }

    pub(super) fn check_bound(&self, device: (&Queue, &Kernels), tile: usize, layout: usize, start: Start, ends: Ends) {
        let got = self.run(device, Some(tile), layout, start, ends);
        let n = self.shape.n;
        for (at, &got) in got.iter().enumerate() {
            let (want, off) = self.bound(layout, start, ends, at / n, at % n);
            let got = f64::from(got.to_f32());
            let (shape, before, name) = (self.shape, self.before, HALF[tile].name);
            assert!(
                (got - want).abs() <= off,
                "{} to {}, {shape:?} {name} {layout} {start:?} {ends:?} {before} before: {got}, not {want}, at {at}",
                T::NAME,
                C::NAME
            );
        }
    }
}

/// All types have the same tiles.
const TILES: std::ops::Range<usize> = 0..HALF.len();
const _: () = assert!(HALF.len() == TF32.len());

/// M, N and K.
type Sizes = (usize, usize, usize);

/// Around a chunk, a product of tensor cores, a tile's sides and a tile of terms, of 16 bits and of tf32.
const SHAPES: [Sizes; 7] =
    [(1, 1, 1), (7, 9, 8), (15, 17, 31), (16, 32, 33), (64, 72, 96), (33, 131, 65), (136, 40, 16)];
const TF32_SHAPES: [Sizes; 7] =
    [(1, 1, 1), (7, 9, 4), (15, 17, 15), (16, 32, 17), (64, 68, 48), (33, 131, 33), (132, 40, 8)];

fn within_the_bound<T: Element, C: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // In the end, rows of four values that are aligned to that, and operands of eight or four, some of them not.
    let (shapes, aligned) = match T::NAME {
        "tf32" => (TF32_SHAPES, [((24, 36, 20), 0), ((9, 35, 10), 3)]),
        _ => (SHAPES, [((24, 36, 40), 4), ((40, 24, 20), 0)]),
    };
    let mut count = 0;
    for tile in TILES {
        for shape in shapes {
            for before in [0, 1] {
                let case = Case::<T, C>::new(&queue, shape, before, plain);
                for layout in 0..4 {
                    // The starts and the epilogues in turn: every tile meets every pair.
                    case.check_bound((&queue, &kernels), tile, layout, STARTS[count / 4 % 2], ENDS[count % 4]);
                    count += 1;
                }
                count += 3;
            }
        }
    }
    for (shape, before) in aligned {
        let case = Case::<T, C>::new(&queue, shape, before, plain);
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
fn bf16_is_within_the_bound() {
    within_the_bound::<Bf16, Bf16>();
}

#[test]
fn f16_is_within_the_bound() {
    within_the_bound::<F16, F16>();
}

#[test]
fn tf32_is_within_the_bound() {
    within_the_bound::<Tf32, f32>();
}

#[test]
fn sums_in_f32_are_within_the_bound() {
    within_the_bound::<Bf16, f32>();
    within_the_bound::<F16, f32>();
}

fn no_terms<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<T, T>::new(&queue, (5, 12, 0), 0, plain);
    for tile in TILES {
        for start in STARTS {
            for ends in ENDS {
                case.check_bound((&queue, &kernels), tile, 1, start, ends);
            }
        }
    }
}

#[test]
fn no_terms_leave_the_start() {
    no_terms::<Bf16>();
    no_terms::<Tf32>();
}

fn odd_values<T: Element>() {
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
        let case = Case::<T, T>::new(&queue, (m, n, k), 0, positive);
        for tile in TILES {
            // A in rows, B transposed: the last value is that of the last row and term.
            let got = case.run((&queue, &kernels), Some(tile), 1, Start::Zero, relu);
            for (at, x) in got.iter().enumerate() {
                let is_odd = at / n == m - 1 || at % n == n - 1;
                let x = x.to_f32();
                assert_eq!(if odd.is_nan() { x.is_nan() } else { x == odd }, is_odd, "{at}: {x}");
            }
        }
    }
}

#[test]
fn nan_and_infinity_stay_in_their_row_and_column() {
    odd_values::<F16>();
    odd_values::<Tf32>();
}

#[test]
fn too_much_for_f16_is_infinite_and_f32_holds_it() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let thousands = Buffer::from_host(&queue, &[F16::from_f32(1000.0); 16]).unwrap();
    let (a, b) = (Lhs::Rows(thousands.view()), Rhs::Packed(thousands.view()));
    let shape = Shape { m: 1, n: 1, k: 16 };
    let mut narrow = Buffer::<F16>::zeros(&queue, 1).unwrap();
    kernels.matmul(&queue, shape, a, b, Start::Zero, Epilogue::None, narrow.view_mut()).unwrap();
    assert_eq!(narrow.read().unwrap()[0].to_f32(), f32::INFINITY);
    let mut wide = Buffer::from_host(&queue, &[1.0f32]).unwrap();
    kernels.matmul_to_f32(&queue, shape, a, b, Start::Accumulate, Epilogue::None, wide.view_mut()).unwrap();
    assert_eq!(wide.read().unwrap(), [16_000_001.0]);
}

fn any_order<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<T, f32>::new(&queue, (64 * 9 + 3, 70, 24), 0, plain);
    let run = || bits_but_nan(&case.run((&queue, &kernels), None, 1, Start::Accumulate, Ends::Bias));
    let want = run();
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(5)] {
        control::set_block_order(order);
        assert!(run() == want, "{order:?}");
    }
    control::set_block_order(BlockOrder::default());
}

#[test]
fn the_order_of_blocks_does_not_show() {
    any_order::<Bf16>();
    any_order::<Tf32>();
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    counts::<Bf16, Bf16>(&HALF);
    counts::<Bf16, f32>(&HALF);
    counts::<Tf32, f32>(&TF32);
}
