//! Linear layers with what follows them: the bits of one operation after the other.

use super::super::linear::{Linear, SublayerEnd};
use super::super::{End, Kernels, Tile, tile};
use super::{Operand, awkward};
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Queue, Tf32};
use crate::device::LinearSizes;
use crate::dropout::{self, Dropout};
use crate::layer_norm::{self, cuda::Kernels as NormKernels};
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start, matmul};
use crate::testing::cuda::{Padded, check_accesses, counted, device};
use crate::testing::{bits_but_nan, factors, values};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

const EPS: f32 = 1e-5;

/// A linear layer, and all that may follow it.
struct Case<T> {
    sizes: LinearSizes,
    x: Operand<T>,
    w: Operand<T>,
    bias: Operand<f32>,
    residual: Operand<T>,
    gamma: Operand<f32>,
    beta: Operand<f32>,
    dropout: Dropout,
    before: usize,
}

/// `sum`, `y`, the means and the rstd of a norm.
type Normalized = [Vec<u32>; 4];

fn bits<T: Element>(x: &[T]) -> Vec<u32> {
    bits_but_nan(&x.iter().map(|x| x.to_f32()).collect::<Vec<f32>>())
}

impl<T: Element> Case<T> {
    fn new(queue: &Queue, (rows, d_out, d_in): (usize, usize, usize), p: f32, before: usize) -> Self {
        Case::of(queue, (rows, d_out, d_in), p, before, awkward)
    }

    fn of(
        queue: &Queue,
        (rows, d_out, d_in): (usize, usize, usize),
        p: f32,
        before: usize,
        values: impl Fn(usize, u32) -> Vec<f32>,
    ) -> Self {
        let rounded = |len, seed| values(len, seed).into_iter().map(T::from_f32).collect();
        let operand = |len, seed| Operand::new(queue, rounded(len, seed), before);
        let vector = |seed| Operand::new(queue, values(d_out, seed), before);
        Case {
            sizes: LinearSizes { rows, d_out, d_in },
            x: operand(rows * d_in, 1),
            w: operand(d_out * d_in, 2),
            bias: vector(3),
            residual: operand(rows * d_out, 4),
            gamma: vector(5),
            beta: vector(6),
            dropout: Dropout::new(p, 11, 7, 3).unwrap(),
            before,
        }
    }

    fn linear(&self) -> Linear<'_, T> {
        Linear { sizes: self.sizes, x: self.x.view(), w: self.w.view(), bias: self.bias.view() }
    }

    fn shape(&self) -> Shape {
        Shape { m: self.sizes.rows, n: self.sizes.d_out, k: self.sizes.d_in }
    }

    fn unset(&self, queue: &Queue) -> Padded<T> {
        Padded::of(queue, &vec![T::from_f32(f32::NAN); self.sizes.rows * self.sizes.d_out], self.before)
    }

    fn dropped(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> Vec<u32> {
        let mut y = self.unset(queue);
        kernels.launch_relu_dropout(queue, tile, self.linear(), self.dropout, y.view_mut()).unwrap();
        bits(&y.read_typed())
    }

    fn normalized(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> Normalized {
        let (mut sum, mut y) = (self.unset(queue), self.unset(queue));
        let unset = || Padded::<f32>::new(queue, &vec![f32::NAN; self.sizes.rows], self.before);
        let (mut mean, mut rstd) = (unset(), unset());
        let end = SublayerEnd {
            residual: self.residual.view(),
            dropout: self.dropout,
            affine: layer_norm::cuda::Affine { gamma: self.gamma.view(), beta: self.beta.view() },
            eps: EPS,
            sum: sum.view_mut(),
            out: layer_norm::cuda::Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() },
        };
        kernels.launch_norm(queue, tile, self.linear(), end).unwrap();
        [bits(&sum.read_typed()), bits(&y.read_typed()), bits(&mean.read()), bits(&rstd.read())]
    }

    /// The product alone, by the same tile, as f32 or as T.
    fn product<C: Element>(
        &self,
        queue: &Queue,
        kernels: &Kernels,
        tile: Option<usize>,
        epilogue: Epilogue<crate::cuda::View<'_, T>, crate::cuda::View<'_>>,
    ) -> Buffer<C> {
        let mut c = Buffer::zeros(queue, self.sizes.rows * self.sizes.d_out).unwrap();
        let operands = (Lhs::Rows(self.x.view()), Rhs::Transposed(self.w.view()));
        let end = End::Epilogue(epilogue);
        kernels.launch(queue, tile, self.shape(), operands, Start::Zero, end, c.view_mut()).unwrap();
        c
    }

    /// By the product to f32, whose numbers are as yet unrounded.
    fn dropped_apart(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> Vec<u32> {
        let epilogue = Epilogue::BiasRelu(self.bias.view());
        let product = self.product::<f32>(queue, kernels, tile, epilogue).read().unwrap();
        let factors = factors(self.sizes.rows, self.sizes.d_out, self.dropout);
        bits(&product.iter().zip(&factors).map(|(y, factor)| T::from_f32(factor * y)).collect::<Vec<T>>())
    }

    /// By the product and the norm, a launch each.
    fn normalized_apart(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> Normalized {
        let norms = NormKernels::load(queue).unwrap();
        let mut sum = self.product::<T>(queue, kernels, tile, Epilogue::Bias(self.bias.view()));
        let mut y = Buffer::<T>::zeros(queue, sum.view().len()).unwrap();
        let unset = || Buffer::<f32>::zeros(queue, self.sizes.rows).unwrap();
        let (mut mean, mut rstd) = (unset(), unset());
        let affine = layer_norm::cuda::Affine { gamma: self.gamma.view(), beta: self.beta.view() };
        let out = layer_norm::cuda::Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() };
        let (x, sums) = (self.residual.view(), sum.view_mut());
        norms.residual_forward(queue, x, sums, self.dropout, affine, EPS, out).unwrap();
        [bits(&sum.read().unwrap()), bits(&y.read().unwrap()), bits(&mean.read().unwrap()), bits(&rstd.read().unwrap())]
    }
}

impl Case<f32> {
    fn cpu_product(&self, epilogue: Epilogue<&[f32]>) -> Vec<f32> {
        let mut c = vec![0.0; self.sizes.rows * self.sizes.d_out];
        let (a, b) = (Lhs::Rows(&self.x.host[..]), Rhs::Transposed(&self.w.host[..]));
        matmul(self.shape(), a, b, Start::Zero, epilogue, &mut c).unwrap();
        c
    }

    fn cpu_dropped(&self) -> Vec<u32> {
        let mut y = self.cpu_product(Epilogue::BiasRelu(&self.bias.host));
        dropout::apply(&mut y, self.sizes.d_out, self.dropout).unwrap();
        bits(&y)
    }

    fn cpu_normalized(&self) -> Normalized {
        let mut sum = self.cpu_product(Epilogue::Bias(&self.bias.host));
        let (mut y, mut mean, mut rstd) =
            (vec![0.0; sum.len()], vec![0.0; self.sizes.rows], vec![0.0; self.sizes.rows]);
        let affine = layer_norm::Affine { gamma: &self.gamma.host, beta: &self.beta.host };
        let out = layer_norm::Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        layer_norm::residual_forward(&self.residual.host, &mut sum, self.dropout, affine, EPS, out).unwrap();
        [bits(&sum), bits(&y), bits(&mean), bits(&rstd)]
    }
}

/// Around the sides of tiles, a group of 256 columns, and the widest row in registers; rows of tiles full and not.
const SIZES: [(usize, usize, usize); 6] =
    [(1, 1, 1), (33, 31, 9), (70, 64, 0), (5, 257, 8), (130, 136, 19), (3, 520, 5)];

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (number, sizes) in SIZES.into_iter().chain([(2, 1030, 3)]).enumerate() {
        for (p, before) in [(0.3, number % 2), (0.0, 0)] {
            let case = Case::<f32>::new(&queue, sizes, p, before);
            let (dropped, normalized) = (case.cpu_dropped(), case.cpu_normalized());
            for (index, tile) in tile::WHOLE.iter().enumerate() {
                let what = format!("{sizes:?} p {p} {before} before, {}", tile.name);
                assert!(case.dropped(&queue, &kernels, Some(index)) == dropped, "dropped {what}");
                // Twice: the counters must be 0 after a launch.
                for _ in 0..2 {
                    assert!(case.normalized(&queue, &kernels, Some(index)) == normalized, "normalized {what}");
                }
            }
        }
    }
}

fn the_bits_are_those_of_two_launches<T: Element>(tiles: &[Tile]) {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (number, sizes) in SIZES.into_iter().chain([(2, 1032, 3)]).enumerate() {
        for (p, before) in [(0.3, 0), (0.0, number % 2)] {
            let case = Case::<T>::new(&queue, sizes, p, before);
            for (index, tile) in tiles.iter().enumerate() {
                let what = format!("{sizes:?} p {p} {before} before, {}", tile.name);
                let (tile, dropped) = (Some(index), case.dropped(&queue, &kernels, Some(index)));
                assert!(dropped == case.dropped_apart(&queue, &kernels, tile), "dropped {what}");
                let normalized = case.normalized(&queue, &kernels, tile);
                let apart = case.normalized_apart(&queue, &kernels, tile);
                assert!(normalized == apart, "normalized {what}");
            }
        }
    }
}

#[test]
fn the_bits_are_those_of_two_launches_in_bf16() {
    the_bits_are_those_of_two_launches::<Bf16>(&tile::HALF);
}

#[test]
fn the_bits_are_those_of_two_launches_in_f16() {
    the_bits_are_those_of_two_launches::<F16>(&tile::HALF);
}

#[test]
fn the_bits_are_those_of_two_launches_in_tf32() {
    the_bits_are_those_of_two_launches::<Tf32>(&tile::TF32);
}

#[test]
fn no_order_of_blocks_changes_a_bit() {
    // Five rows of tiles of several tiles each: any may be the last to finish.
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32>::new(&queue, (32 * 4 + 7, 100, 11), 0.2, 0);
    let want = case.cpu_normalized();
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(5), BlockOrder::Shuffled(9)] {
        control::set_block_order(order);
        for tile in 0..tile::WHOLE.len() {
            assert!(case.normalized(&queue, &kernels, Some(tile)) == want, "{order:?} {tile}");
        }
    }
    control::set_block_order(BlockOrder::default());
}

fn counts<T: Element>(tiles: &[Tile], (rows, d_out, d_in): (usize, usize, usize)) {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<T>::of(&queue, (rows, d_out, d_in), 0.1, 0, |len, seed| values(len, seed, 0.0));
    let (e, c) = (size_of::<T>(), rows * d_out);
    let read = (rows * d_in + d_out * d_in) * e + 4 * d_out;
    for (index, tile) in tiles.iter().enumerate() {
        let dropped = || drop(case.dropped(&queue, &kernels, Some(index)));
        let Some(launch) = counted(dropped) else { return };
        assert_eq!(launch.kernel, format!("linear_relu_dropout_{}_{}", tile.name, T::NAME));
        check_accesses(&launch, (read, c * e), 4);
        let Some(launch) = counted(|| drop(case.normalized(&queue, &kernels, Some(index)))) else { return };
        assert_eq!(launch.kernel, format!("linear_norm_{}_{}", tile.name, T::NAME));
        // The residual, and C, which is read back. It is in the second-level cache, of which these counts know nothing.
        check_accesses(&launch, (read + 2 * c * e + 8 * d_out, 2 * c * e + 8 * rows), 8);
    }
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    counts::<f32>(&tile::WHOLE, (128, 128, 64));
    counts::<Bf16>(&tile::HALF, (128, 256, 64));
    counts::<Tf32>(&tile::TF32, (128, 128, 64));
}

#[test]
fn what_does_not_fit_is_refused_before_a_launch() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32>::new(&queue, (2, 3, 4), 0.1, 0);
    let other = Queue::new(0).unwrap();
    let foreign = Buffer::<f32>::zeros(&other, 6).unwrap();
    let fill = |len: usize| Buffer::from_host(&queue, &vec![9.0f32; len]).unwrap();
    let (mut sum, mut y, mut mean, mut rstd) = (fill(6), fill(6), fill(2), fill(2));
    {
        let mut run = |change: &dyn Fn(&mut Linear<'_>, &mut SublayerEnd<'_>), want: &str| {
            let mut linear = case.linear();
            let mut end = SublayerEnd {
                residual: case.residual.view(),
                dropout: case.dropout,
                affine: layer_norm::cuda::Affine { gamma: case.gamma.view(), beta: case.beta.view() },
                eps: EPS,
                sum: sum.view_mut(),
                out: layer_norm::cuda::Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() },
            };
            change(&mut linear, &mut end);
            let error = kernels.linear_norm(&queue, linear, end).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        };
        run(&|linear, _| linear.sizes.d_in = 5, "`a` holds 8 values but its shape (M, K) needs 10");
        run(&|linear, _| linear.sizes.d_out = 2, "`gamma` holds 3 values but its shape (C) needs 2");
        run(&|linear, _| linear.sizes.rows = 1, "`mean` holds 2 values but its shape (N) needs 1");
        run(&|linear, _| linear.bias = linear.bias.part(0, 2), "`bias` holds 2");
        run(&|_, end| end.residual = end.residual.part(0, 5), "`x` holds 5");
        run(&|_, end| end.affine.beta = end.affine.beta.part(0, 1), "`beta` holds 1");
        run(&|_, end| end.eps = 0.0, "eps");
    }
    let linear = Linear { w: foreign.view().part(0, 6), sizes: LinearSizes { d_in: 2, ..case.sizes }, ..case.linear() };
    let linear = Linear { x: case.x.view().part(0, 4), ..linear };
    let error = kernels.linear_relu_dropout(&queue, linear, case.dropout, y.view_mut()).unwrap_err();
    assert!(error.to_string().contains("`b` is memory of another queue"), "{error}");
    let short = LinearSizes { d_out: 4, ..case.sizes };
    let error =
        kernels.linear_relu_dropout(&queue, Linear { sizes: short, ..case.linear() }, case.dropout, y.view_mut());
    assert!(matches!(error, Err(Error::Length { .. })), "{error:?}");
    assert_eq!([sum.read().unwrap(), y.read().unwrap()], [[9.0; 6], [9.0; 6]]);
    assert_eq!([mean.read().unwrap(), rstd.read().unwrap()], [[9.0; 2], [9.0; 2]]);
}
