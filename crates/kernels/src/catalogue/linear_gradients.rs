//! A linear layer's gradients, of its weights and of its bias, by one launch.

use super::data::{Data, as_type, made};
use super::matmul::{bound, factors};
use super::verdict::wide;
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element, whole_products};
use crate::Error;
use crate::column_sum::{column_sum, scratch_len};
use crate::cuda::{Element, Queue, Tf32};
use crate::device::LinearSizes;
use crate::matmul::cuda::Kernels;
use crate::matmul::{Epilogue, Lhs, Rhs, Shape, Start, matmul};

fn case<T: Element>(sizes: LinearSizes, offset: usize) -> Case {
    let LinearSizes { rows, d_out, d_in } = sizes;
    let gradients = 4 * (d_out * d_in + d_out);
    let work = Work::bytes(rows * (d_out + d_in) * size_of::<T>() + gradients, gradients);
    // Beside the products: dy is added up for db, 32 rows at a time; and as for `matmul.rs`, two for each gradient.
    let beside = (rows + rows.div_ceil(32)) * d_out + 2 * d_out * d_in;
    let work = work.multiply_adds::<T>(rows * d_out * d_in, whole_products::<T>(d_out, d_in, rows), beside);
    Case::new::<T, _>("linear_gradients", format!("N{rows}_C{d_out}_K{d_in}"), work, move |queue| {
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            sizes,
            dy: Data::input(queue, &as_type::<T>(&made::<T>(rows * d_out, 1)), offset)?,
            x: Data::input(queue, &as_type::<T>(&made::<T>(rows * d_in, 2)), offset)?,
            dw: Data::changed(queue, &made::<f32>(d_out * d_in, 3), offset)?,
            db: Data::changed(queue, &made::<f32>(d_out, 4), offset)?,
        })
    })
}

struct Operands<T> {
    kernels: Kernels,
    sizes: LinearSizes,
    dy: Data<T>,
    x: Data<T>,
    dw: Data,
    db: Data,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.dw.reset()?;
        self.db.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let (dy, x) = (self.dy.view(), self.x.view());
        self.kernels.linear_gradients(queue, self.sizes, dy, x, self.dw.view_mut(), self.db.view_mut())
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.dw.read("dw")?, self.db.read("db")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let LinearSizes { rows, d_out, d_in } = self.sizes;
        let (unrounded, x) = (made::<T>(rows * d_out, 1), made::<T>(rows * d_in, 2));
        let (dy, x) = (factors::<T>(&unrounded), factors::<T>(&x));
        let shape = Shape { m: d_out, n: d_in, k: rows };
        let product = |dy: &[f32], x: &[f32], start: Start, c: &mut [f32]| {
            matmul(shape, Lhs::Transposed(dy), Rhs::Rows(x), start, Epilogue::None, c)
        };
        let old = made::<f32>(d_out * d_in, 3);
        let mut dw = old.clone();
        product(&dy, &x, Start::Accumulate, &mut dw)?;
        // The order of column_sum is kept in 16 bits too, and tf32 is for products alone.
        let mut db = made::<f32>(d_out, 4);
        column_sum(&unrounded, &mut vec![0.0; scratch_len(rows, d_out)?], &mut db)?;
        let db = Wanted::exactly(&db);
        if T::NAME == "f32" {
            return Ok(vec![Wanted::exactly(&dw), db]);
        }
        let magnitudes = |x: &[f32]| x.iter().map(|x| x.abs()).collect::<Vec<f32>>();
        let mut sums = vec![0.0; dw.len()];
        product(&magnitudes(&dy), &magnitudes(&x), Start::Zero, &mut sums)?;
        let bounds = dw.iter().zip(&old).zip(&sums).map(|((&want, old), &sum)| {
            bound::<T>(rows, f64::from(sum), f64::from(old.abs()), 1.0, f64::from(want), true)
        });
        let bounds = bounds.collect();
        Ok(vec![Wanted::within(wide(&dw), bounds), db])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let layers = |sizes: super::Sizes| {
        let (n, c, f) = (sizes.b * sizes.t, sizes.c, sizes.f);
        vec![(n, 3 * c, c), (n, f, c), (n, c, f)]
    };
    let shapes = match grid {
        Grid::Awkward => vec![(0, 3, 2), (1, 1, 1), (33, 31, 5), (70, 130, 67)],
        Grid::Small => layers(SMALL),
        Grid::Base => layers(BASE),
    };
    for (rows, d_out, d_in) in shapes {
        every_element!(cases, case(LinearSizes { rows, d_out, d_in }, grid.offset()));
        cases.push(case::<Tf32>(LinearSizes { rows, d_out, d_in }, grid.offset()));
    }
}
