//! In f32 the device's bits are the CPU's, whatever the tile, the storage and the alignment. `tensor.rs`: on tensor cores,
//! `tf32.rs`: f32 rounded to tf32.

mod gradients;
mod linear;
mod loading;
mod tensor;
mod tf32;

use super::tile::WHOLE;
use super::{End, Kernels, LAYOUTS};
use crate::Error;
use crate::cuda::{Buffer, Element, Queue, View};
use crate::matmul::{self, Epilogue, Lhs, Rhs, Shape, Start, matmul};
use crate::testing::cuda::{Padded, counted, device};
use crate::testing::{bits_but_nan, values, words};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

/// Values with some awkward ones among them.
fn awkward(len: usize, seed: u32) -> Vec<f32> {
    const ODD: [f32; 8] = [0.0, -0.0, 1e-42, -3e-39, 1e19, f32::INFINITY, f32::NAN, -1e30];
    let odd = words(len, seed + 100);
    let pick = |(x, w): (f32, &u32)| if w.is_multiple_of(97) { ODD[*w as usize / 97 % ODD.len()] } else { x };
    values(len, seed, 0.0).into_iter().zip(&odd).map(pick).collect()
}

/// Values on both.
struct Operand<T = f32> {
    host: Vec<T>,
    device: Padded<T>,
}

impl<T: Element> Operand<T> {
    fn new(queue: &Queue, host: Vec<T>, before: usize) -> Self {
        Operand { device: Padded::of(queue, &host, before), host }
    }

    fn view(&self) -> View<'_, T> {
        self.device.view()
    }
}

/// An epilogue by its name.
#[derive(Clone, Copy, Debug)]
enum Ends {
    Plain,
    Bias,
    BiasRelu,
    ReluGradient,
}

const ENDS: [Ends; 4] = [Ends::Plain, Ends::Bias, Ends::BiasRelu, Ends::ReluGradient];
const STARTS: [Start; 2] = [Start::Zero, Start::Accumulate];
const SCALE: f32 = 1.25;

impl Ends {
    fn with<V, B>(self, activation: V, bias: B) -> Epilogue<V, B> {
        match self {
            Ends::Plain => Epilogue::None,
            Ends::Bias => Epilogue::Bias(bias),
            Ends::BiasRelu => Epilogue::BiasRelu(bias),
            Ends::ReluGradient => Epilogue::ReluGradient { activation, scale: SCALE },
        }
    }
}

/// The operands of the layout of this number.
fn laid_out<V, P>(layout: usize, a: V, b: V) -> (Lhs<V>, Rhs<V, P>) {
    (
        if layout / 2 == 0 { Lhs::Rows(a) } else { Lhs::Transposed(a) },
        if layout.is_multiple_of(2) { Rhs::Rows(b) } else { Rhs::Transposed(b) },
    )
}

/// A product and its operands, C of another type perhaps.
struct Case<T, C> {
    shape: Shape,
    a: Operand<T>,
    b: Operand<T>,
    bias: Operand<f32>,
    activation: Operand<T>,
    c: Vec<C>,
    before: usize,
}

impl<T: Element, C: Element> Case<T, C> {
    fn new(
        queue: &Queue,
        (m, n, k): (usize, usize, usize),
        before: usize,
        values: impl Fn(usize, u32) -> Vec<f32>,
    ) -> Self {
        let rounded = |len, seed| values(len, seed).into_iter().map(T::from_f32).collect();
        let operand = |len, seed| Operand::new(queue, rounded(len, seed), before);
        Case {
            shape: Shape { m, n, k },
            a: operand(m * k, 1),
            b: operand(k * n, 2),
            bias: Operand::new(queue, values(n, 3), before),
            activation: operand(m * n, 4),
            c: values(m * n, 5).into_iter().map(C::from_f32).collect(),
            before,
        }
    }

    /// C on the device, by the tile of this number, or by the one that suits.
    fn run(
        &self,
        (queue, kernels): (&Queue, &Kernels),
        tile: Option<usize>,
        layout: usize,
        start: Start,
        ends: Ends,
    ) -> Vec<C> {
        let mut c = Padded::of(queue, &self.c, self.before);
        let operands = laid_out(layout, self.a.view(), self.b.view());
        let end = End::Epilogue(ends.with(self.activation.view(), self.bias.view()));
        kernels.launch(queue, tile, self.shape, operands, start, end, c.view_mut()).unwrap();
        c.read_typed()
    }
}

impl Case<f32, f32> {
    fn want(&self, layout: usize, start: Start, ends: Ends) -> Vec<f32> {
        let (a, b) = laid_out(layout, &self.a.host[..], &self.b.host[..]);
        let mut c = self.c.clone();
        matmul(self.shape, a, b, start, ends.with(&self.activation.host, &self.bias.host), &mut c).unwrap();
        c
    }

    fn check(&self, device: (&Queue, &Kernels), tile: usize, layout: usize, start: Start, ends: Ends) {
        let got = self.run(device, Some(tile), layout, start, ends);
        let want = self.want(layout, start, ends);
        let at = bits_but_nan(&got).iter().zip(bits_but_nan(&want)).position(|(a, b)| *a != b);
        let (shape, before, name) = (self.shape, self.before, WHOLE[tile].name);
        let case = format!("{shape:?} {name} {} {start:?} {ends:?} {before} before", LAYOUTS[layout]);
        assert!(at.is_none(), "{case}: {:?}", at.map(|at| (at, got[at], want[at])));
    }
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Around a thread's square, a tile's sides and a tile of terms; rows that are multiples of 16 bytes and not.
    let shapes = [(1, 1, 1), (3, 5, 7), (31, 33, 8), (32, 32, 9), (64, 68, 24), (37, 131, 41), (129, 36, 33)];
    let mut count = 0;
    for tile in 0..WHOLE.len() {
        for shape in shapes {
            for before in [0, 1] {
                let case = Case::new(&queue, shape, before, awkward);
                for layout in 0..4 {
                    // The starts and the epilogues in turn: every tile meets every pair.
                    case.check((&queue, &kernels), tile, layout, STARTS[count / 4 % 2], ENDS[count % 4]);
                    count += 1;
                }
                count += 3;
            }
        }
    }
}

#[test]
fn every_layout_starts_and_ends_in_every_way() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (shape, before) in [((33, 36, 12), 0), ((9, 35, 10), 3)] {
        let case = Case::new(&queue, shape, before, awkward);
        for tile in 0..WHOLE.len() {
            for layout in 0..4 {
                for start in STARTS {
                    for ends in ENDS {
                        case.check((&queue, &kernels), tile, layout, start, ends);
                    }
                }
            }
        }
    }
}

#[test]
fn no_terms_leave_the_start() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::new(&queue, (5, 12, 0), 0, awkward);
    for tile in 0..WHOLE.len() {
        for start in STARTS {
            for ends in ENDS {
                case.check((&queue, &kernels), tile, 1, start, ends);
            }
        }
    }
}

#[test]
fn a_sum_of_minus_zero_stays_one() {
    // 1 * -0 from -0 on: the terms beyond K must not be added as zeros.
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for k in [1, 8, 11] {
        let (a, b) = (Operand::new(&queue, vec![1.0; 4 * k], 0), Operand::new(&queue, vec![-0.0; 4 * k], 0));
        for tile in 0..WHOLE.len() {
            let mut c = Buffer::from_host(&queue, &[-0.0f32; 16]).unwrap();
            let operands = laid_out(0, a.view(), b.view());
            let shape = Shape { m: 4, n: 4, k };
            let (start, end) = (Start::Accumulate, End::Epilogue(Epilogue::None));
            kernels.launch(&queue, Some(tile), shape, operands, start, end, c.view_mut()).unwrap();
            assert!(c.read().unwrap().iter().all(|x| x.to_bits() == (-0.0f32).to_bits()), "{tile} {k}");
        }
    }
}

#[test]
fn many_tiles_in_any_order_are_the_cpus_too() {
    // More rows of tiles than a group has, the last group not full.
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::new(&queue, (32 * 11 + 5, 70, 19), 0, awkward);
    let want = bits_but_nan(&case.want(1, Start::Accumulate, Ends::Bias));
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(5)] {
        control::set_block_order(order);
        for tile in [None, Some(1), Some(2)] {
            let got = case.run((&queue, &kernels), tile, 1, Start::Accumulate, Ends::Bias);
            assert!(bits_but_nan(&got) == want, "{order:?} {tile:?}");
        }
    }
    control::set_block_order(BlockOrder::default());
}

#[test]
fn packed_is_the_transposed_view() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32, f32>::new(&queue, (7, 9, 13), 0, awkward);
    let mut c = Buffer::<f32>::zeros(&queue, 63).unwrap();
    let (a, b) = (Lhs::Rows(case.a.view()), Rhs::Packed(case.b.view()));
    kernels.matmul(&queue, case.shape, a, b, Start::Zero, Epilogue::None, c.view_mut()).unwrap();
    assert_eq!(bits_but_nan(&c.read().unwrap()), bits_but_nan(&case.want(1, Start::Zero, Ends::Plain)));
}

/// No bank conflicts and no sectors in vain, where everything is aligned.
fn counts<T: Element, C: Element>(tiles: &[super::Tile]) {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<T, C>::new(&queue, (128, 128, 64), 0, |len, seed| values(len, seed, 0.0));
    for (index, tile) in tiles.iter().enumerate() {
        for layout in 0..4 {
            for ends in ENDS {
                let run = || drop(case.run((&queue, &kernels), Some(index), layout, Start::Accumulate, ends));
                let Some(launch) = counted(run) else { return };
                assert_eq!(launch.kernel, format!("{}_{}_{}", LAYOUTS[layout], tile.name, T::NAME));
                let memory = &launch.counters.memory;
                assert_eq!(memory.shared().excessive_wavefronts(), 0, "{} {ends:?}", launch.kernel);
                assert_eq!(memory.global().excessive_sectors(), 0, "{} {ends:?}", launch.kernel);
                assert_eq!(memory.local().requests, 0, "{}", launch.kernel);
            }
        }
    }
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    counts::<f32, f32>(&WHOLE);
}

#[test]
fn what_does_not_fit_is_refused_before_a_launch() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32, f32>::new(&queue, (2, 3, 4), 0, awkward);
    let mut c = Buffer::from_host(&queue, &[9.0f32; 6]).unwrap();
    let (a, b, bias) = (case.a.view(), case.b.view(), case.bias.view());
    let other = Queue::new(0).unwrap();
    let foreign = Buffer::<f32>::zeros(&other, 12).unwrap();
    let Shape { m, n, k } = case.shape;
    let mut run = |shape, a, b, epilogue, want: &str| {
        let error = kernels.matmul(&queue, shape, a, b, Start::Zero, epilogue, c.view_mut()).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    };
    let (rows, columns) = (Lhs::Rows(a), Rhs::Rows(b));
    run(
        case.shape,
        Lhs::Rows(a.part(0, 7)),
        columns,
        Epilogue::None,
        "`a` holds 7 values but its shape (M, K) needs 8",
    );
    run(case.shape, rows, Rhs::Packed(b.part(0, 11)), Epilogue::None, "`b` holds 11 values but its shape (N, K)");
    run(case.shape, rows, columns, Epilogue::Bias(bias.part(0, 2)), "`bias` holds 2");
    run(case.shape, rows, columns, Ends::ReluGradient.with(bias, bias), "`activation` holds 3");
    run(case.shape, Lhs::Rows(foreign.view().part(0, 8)), columns, Epilogue::None, "`a` is memory of another queue");
    run(case.shape, rows, Rhs::Rows(foreign.view()), Epilogue::None, "`b` is memory of another queue");
    run(case.shape, rows, columns, Epilogue::Bias(foreign.view().part(0, 3)), "`bias` is memory of another queue");
    run(Shape { m, n: n + 1, k }, rows, columns, Epilogue::None, "`b` holds 12 values but its shape (K, N) needs 16");
    let empty = a.part(0, 0);
    let huge = Shape { m: 0, n: 1 << 40, k: 0 };
    run(huge, Lhs::Rows(empty), Rhs::Rows(empty), Epilogue::None, "`c` holds 6");
    let mut none = Buffer::<f32>::zeros(&queue, 0).unwrap();
    let mut nothing = |shape| {
        let (a, b) = (Lhs::Rows(empty), Rhs::Rows(empty));
        kernels.matmul(&queue, shape, a, b, Start::Zero, Epilogue::None, none.view_mut())
    };
    assert!(matches!(nothing(huge), Err(Error::Size { op: matmul::OP, what: "N", .. })));
    nothing(Shape { m: 0, n: 3, k: 0 }).unwrap();
    nothing(Shape { m: 3, n: 0, k: 0 }).unwrap();
    assert_eq!(c.read().unwrap(), [9.0; 6]);
}
