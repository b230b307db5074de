//! Column sums, the gradients of biases: the CPU's bits, of 16-bit rows as they are in f32.

use super::data::{Data, as_type, made};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::column_sum::cuda::Kernels;
use crate::column_sum::{column_sum, scratch_len};
use crate::cuda::{Element, Queue};

fn case<T: Element>(n: usize, c: usize, offset: usize) -> Case {
    let work = Work::bytes(n * c * size_of::<T>() + 4 * c, 4 * c);
    Case::new::<T, _>("column_sum", format!("N{n}_C{c}"), work, move |queue| {
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            n,
            c,
            dy: Data::input(queue, &as_type::<T>(&made::<T>(n * c, 1)), offset)?,
            db: Data::changed(queue, &made::<f32>(c, 2), offset)?,
            scratch: Data::scratch(queue, scratch_len(n, c)?, offset)?,
        })
    })
}

struct Operands<T> {
    kernels: Kernels,
    n: usize,
    c: usize,
    dy: Data<T>,
    db: Data,
    scratch: Data,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.db.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.kernels.column_sum(queue, self.dy.view(), self.scratch.view_mut(), self.db.view_mut())
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.db.read("db")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let (n, c) = (self.n, self.c);
        let mut db = made::<f32>(c, 2);
        column_sum(&made::<T>(n * c, 1), &mut vec![0.0; scratch_len(n, c)?], &mut db)?;
        Ok(vec![Wanted::exactly(&db)])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let shapes: &[(usize, usize)] = match grid {
        Grid::Awkward => &[(0, 3), (1, 1), (33, 31), (70, 257), (4200, 2)],
        Grid::Small => &[(SMALL.b * SMALL.t, SMALL.f)],
        Grid::Base => &[(BASE.b * BASE.t, BASE.f), (BASE.b * BASE.t, BASE.c)],
    };
    for &(n, c) in shapes {
        every_element!(cases, case(n, c, grid.offset()));
    }
}
