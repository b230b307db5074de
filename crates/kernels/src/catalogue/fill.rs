//! Setting all values of a view.

use super::data::Data;
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::cuda::{Element, Fill, Queue};

/// A value that is rounded in 16 bits.
const VALUE: f32 = -0.1;

fn case<T: Element>(n: usize, offset: usize) -> Case {
    Case::new::<T, _>("fill", format!("N{n}"), Work::bytes(0, n * size_of::<T>()), move |queue| {
        Ok(Operands { fill: Fill::load(queue)?, n, x: Data::<T>::output(queue, n, offset)? })
    })
}

struct Operands<T> {
    fill: Fill,
    n: usize,
    x: Data<T>,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.x.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        self.fill.fill(queue, self.x.view_mut(), VALUE)
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.x.read("x")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        Ok(vec![Wanted::exactly(&vec![T::from_f32(VALUE).to_f32(); self.n])])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let sizes: &[usize] = match grid {
        Grid::Awkward => &[0, 1, 15, 1027],
        Grid::Small => &[SMALL.v * SMALL.c],
        Grid::Base => &[BASE.v * BASE.c],
    };
    for &n in sizes {
        every_element!(cases, case(n, grid.offset()));
    }
}
