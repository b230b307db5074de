//! Dropout alone: the CPU's products, rounded.

use super::data::{Data, as_type, made, rounded};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::cuda::{Element, Queue};
use crate::dropout::cuda::Kernels;
use crate::dropout::{Dropout, apply};

fn case<T: Element>(n: usize, c: usize, offset: usize) -> Case {
    let bytes = n * c * size_of::<T>();
    Case::new::<T, _>("dropout", format!("N{n}_C{c}"), Work::bytes(bytes, bytes), move |queue| {
        let x = Data::changed(queue, &as_type::<T>(&made::<T>(n * c, 1)), offset)?;
        Ok(Operands { kernels: Kernels::load(queue)?, n, c, dropout: Dropout::new(0.1, 3, 5, 7)?, x })
    })
}

struct Operands<T> {
    kernels: Kernels,
    n: usize,
    c: usize,
    dropout: Dropout,
    x: Data<T>,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.x.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.kernels.apply(queue, self.x.view_mut(), self.c, self.dropout)
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.x.read("x")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let mut x = made::<T>(self.n * self.c, 1);
        apply(&mut x, self.c, self.dropout)?;
        Ok(vec![Wanted::exactly(&rounded::<T>(&x))])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let (n, c) = match grid {
        Grid::Awkward => {
            for (n, c) in [(1, 1), (9, 257)] {
                every_element!(cases, case(n, c, grid.offset()));
            }
            (17, 33)
        }
        Grid::Small => (SMALL.b * SMALL.t, SMALL.f),
        Grid::Base => (BASE.b * BASE.t, BASE.f),
    };
    every_element!(cases, case(n, c, grid.offset()));
}
