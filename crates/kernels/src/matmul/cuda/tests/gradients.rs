//! A linear layer's gradients in one launch: the bits of two.

use super::super::{End, Kernels, tile};
use super::{Operand, awkward};
use crate::column_sum::{column_sum, scratch_len};
use crate::cuda::{Bf16, Buffer, Element, F16, Queue, Tf32};
use crate::device::LinearSizes;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start};
use crate::testing::bits_but_nan;
use crate::testing::cuda::{Padded, counted, device};
use noam_emulator::driver::control;
use noam_emulator::exec::BlockOrder;

struct Case<T> {
    sizes: LinearSizes,
    dy: Operand<T>,
    x: Operand<T>,
    dw: Vec<f32>,
    db: Vec<f32>,
    before: usize,
}

impl<T: Element> Case<T> {
    fn new(queue: &Queue, (rows, d_out, d_in): (usize, usize, usize), before: usize) -> Self {
        let operand =
            |len, seed| Operand::new(queue, awkward(len, seed).into_iter().map(T::from_f32).collect(), before);
        Case {
            sizes: LinearSizes { rows, d_out, d_in },
            dy: operand(rows * d_out, 1),
            x: operand(rows * d_in, 2),
            dw: awkward(d_out * d_in, 3),
            db: awkward(d_out, 4),
            before,
        }
    }

    /// The gradients of both, by the tile of this number.
    fn run(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> (Vec<f32>, Vec<f32>) {
        let mut dw = Padded::of(queue, &self.dw, self.before);
        let mut db = Padded::of(queue, &self.db, self.before);
        let operands = (self.dy.view(), self.x.view());
        kernels.launch_gradients(queue, tile, self.sizes, operands, dw.view_mut(), db.view_mut()).unwrap();
        (dw.read(), db.read())
    }

    /// What the product alone, by the same tile, and the CPU's column sums are.
    fn want(&self, queue: &Queue, kernels: &Kernels, tile: Option<usize>) -> (Vec<f32>, Vec<f32>) {
        let LinearSizes { rows, d_out, d_in } = self.sizes;
        let mut dw = Buffer::from_host(queue, &self.dw).unwrap();
        let operands = (Lhs::Transposed(self.dy.view()), Rhs::Rows(self.x.view()));
        let (shape, end) = (Shape { m: d_out, n: d_in, k: rows }, End::Epilogue(Epilogue::None));
        kernels.launch(queue, tile, shape, operands, Start::Accumulate, end, dw.view_mut()).unwrap();
        let dy: Vec<f32> = self.dy.host.iter().map(|value| value.to_f32()).collect();
        let (mut db, mut scratch) = (self.db.clone(), vec![0.0; scratch_len(rows, d_out).unwrap()]);
        column_sum(&dy, &mut scratch, &mut db).unwrap();
        (dw.read().unwrap(), db)
    }
}

fn bits((dw, db): (Vec<f32>, Vec<f32>)) -> (Vec<u32>, Vec<u32>) {
    (bits_but_nan(&dw), bits_but_nan(&db))
}

fn same_bits<T: Element>(tiles: &[tile::Tile]) {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // No rows, parts of 32 rows and of a tile's terms; parts of a tile's columns, more than one row and column of tiles.
    let shapes =
        [(0, 5, 3), (1, 1, 1), (31, 33, 8), (32, 40, 40), (33, 64, 5), (65, 129, 7), (100, 8, 131), (97, 72, 72)];
    for tile in 0..tiles.len() {
        for shape in shapes {
            for before in [0, 1] {
                let case = Case::<T>::new(&queue, shape, before);
                let [got, want] = [Case::run, Case::want].map(|of| bits(of(&case, &queue, &kernels, Some(tile))));
                assert!(got == want, "{} {shape:?} by {}, {before} before", T::NAME, tiles[tile].name);
            }
        }
    }
}

#[test]
fn one_launch_has_the_bits_of_two() {
    same_bits::<f32>(&tile::WHOLE);
}

#[test]
fn one_launch_has_the_bits_of_two_in_16_bits() {
    same_bits::<Bf16>(&tile::HALF);
    same_bits::<F16>(&tile::HALF);
}

#[test]
fn one_launch_has_the_bits_of_two_in_tf32_and_sums_what_is_not_rounded() {
    same_bits::<Tf32>(&tile::TF32);
}

#[test]
fn the_order_of_blocks_does_not_show() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32>::new(&queue, (45, 32 * 9 + 3, 70), 0);
    let want = bits(case.want(&queue, &kernels, Some(2)));
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(5)] {
        control::set_block_order(order);
        assert!(bits(case.run(&queue, &kernels, Some(2))) == want, "{order:?}");
    }
    control::set_block_order(BlockOrder::default());
}

#[test]
fn no_bank_conflicts_and_dy_is_not_read_again() {
    fn check<T: Element>(tiles: &[tile::Tile]) {
        let queue = device();
        let kernels = Kernels::load(&queue).unwrap();
        let case = Case::<T>::new(&queue, (64, 128, 128), 0);
        for index in 0..tiles.len() {
            let launches = [Case::run, Case::want].map(|of| {
                counted(|| drop(of(&case, &queue, &kernels, Some(index)))).map(|launch| launch.counters.memory.clone())
            });
            let [Some(both), Some(product)] = launches else { return };
            assert_eq!(both.shared().excessive_wavefronts(), 0);
            assert_eq!(both.global().excessive_sectors(), 0);
            // Beyond the product's own: the bias's gradient, read and written.
            assert_eq!(both.dram_read_bytes(), product.dram_read_bytes() + 4 * 128);
            assert_eq!(both.dram_written_bytes(), product.dram_written_bytes() + 4 * 128);
        }
    }
    check::<f32>(&tile::WHOLE);
    check::<Bf16>(&tile::HALF);
    check::<Tf32>(&tile::TF32);
}

#[test]
fn what_does_not_fit_is_refused_before_a_launch() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::<f32>::new(&queue, (4, 3, 2), 0);
    let [mut dw, mut db] = [6, 3].map(|len| Buffer::from_host(&queue, &vec![9.0f32; len]).unwrap());
    let other = Queue::new(0).unwrap();
    let mut foreign = Buffer::<f32>::zeros(&other, 3).unwrap();
    let (dy, x) = (case.dy.view(), case.x.view());
    let short = LinearSizes { rows: 5, ..case.sizes };
    let error = kernels.linear_gradients(&queue, short, dy, x, dw.view_mut(), db.view_mut()).unwrap_err();
    assert!(error.to_string().contains("`a` holds 12 values"), "{error}");
    let wide = LinearSizes { d_out: 4, ..case.sizes };
    let error = kernels.linear_gradients(&queue, wide, dy, x, dw.view_mut(), db.view_mut()).unwrap_err();
    assert!(error.to_string().contains("`db` holds 3 values"), "{error}");
    let none = LinearSizes { d_in: 0, ..case.sizes };
    let [no_dw] = dw.view_mut().split([(0, 0)]);
    let error = kernels.linear_gradients(&queue, none, dy, x.part(0, 0), no_dw, db.view_mut()).unwrap_err();
    assert!(error.to_string().contains("where columns are summed"), "{error}");
    let error = kernels.linear_gradients(&queue, case.sizes, dy, x, dw.view_mut(), foreign.view_mut()).unwrap_err();
    assert!(error.to_string().contains("`db` is memory of another queue"), "{error}");
    assert_eq!((dw.read().unwrap(), db.read().unwrap()), (vec![9.0; 6], vec![9.0; 3]));
}
