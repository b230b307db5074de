//! The best of every row: the CPU's choice.

use super::data::{Data, as_type, made};
use super::verdict::Wanted;
use super::{BASE, Case, Grid, Output, Run, SMALL, Work, every_element};
use crate::Error;
use crate::cuda::{Element, Queue};
use crate::top_k::cuda::{CudaOutput, Kernels};
use crate::top_k::{Output as HostOutput, top_k};

fn case<T: Element>(n: usize, v: usize, k: usize, offset: usize) -> Case {
    let work = Work::bytes(n * v * size_of::<T>(), 8 * n * k);
    Case::new::<T, _>("top_k", format!("N{n}_V{v}_K{k}"), work, move |queue| {
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            n,
            v,
            k,
            scores: Data::input(queue, &as_type::<T>(&made::<T>(n * v, 1)), offset)?,
            values: Data::output(queue, n * k, offset)?,
            indices: Data::output(queue, n * k, offset)?,
        })
    })
}

struct Operands<T> {
    kernels: Kernels,
    n: usize,
    v: usize,
    k: usize,
    scores: Data<T>,
    values: Data,
    indices: Data<u32>,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.values.reset()?;
        self.indices.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let out = CudaOutput { values: self.values.view_mut(), indices: self.indices.view_mut() };
        self.kernels.top_k(queue, self.scores.view(), self.v, self.k, out)
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![self.values.read("values")?, self.indices.read("indices")?])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let Operands { n, v, k, .. } = *self;
        let (mut values, mut indices) = (vec![0.0; n * k], vec![0; n * k]);
        top_k(&made::<T>(n * v, 1), v, k, HostOutput { values: &mut values, indices: &mut indices })?;
        let indices = indices.into_iter().map(f64::from).collect();
        Ok(vec![Wanted::exactly(&values), Wanted { values: indices, bound: None }])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    let shapes: &[(usize, usize, usize)] = match grid {
        // 16-bit scores have many equals.
        Grid::Awkward => &[(1, 1, 1), (3, 33, 33), (5, 1029, 7)],
        Grid::Small => &[(SMALL.rows, SMALL.v, 8)],
        Grid::Base => &[(128, BASE.v, 8)],
    };
    for &(n, v, k) in shapes {
        every_element!(cases, case(n, v, k, grid.offset()));
    }
}
