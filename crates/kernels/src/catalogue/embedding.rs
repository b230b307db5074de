//! Token embedding, forward and backward: the CPU's bits; in 16 bits y is rounded once more.

use super::data::{Data, as_type, indices, made, rounded};
use super::{BASE, Case, Grid, Output, Run, SMALL, Wanted, Work, every_element};
use crate::Error;
use crate::cuda::{Element, Indices, Queue};
use crate::dropout::Dropout;
use crate::embedding::cuda::{self, Kernels};
use crate::embedding::{self, Dims, Tables, Tokens, positions};
use std::collections::HashSet;

/// A batch of sentences, and the number of words there are.
#[derive(Clone, Debug)]
struct Batch {
    dims: Dims,
    v: usize,
    ids: Vec<u32>,
    lengths: Vec<u32>,
}

impl Batch {
    /// Full sentences; with `padded`, of all lengths down to none, and ids of no word behind them.
    fn new(dims: Dims, v: usize, padded: bool) -> Self {
        let Dims { b, t, .. } = dims;
        let length = |i: usize| if padded { t * (b - 1 - i) / (b - 1).max(1) } else { t };
        let lengths: Vec<u32> = (0..b).map(|i| length(i) as u32).collect();
        let mut ids = indices(b * t, v, 1);
        for (ids, &length) in ids.chunks_mut(t).zip(&lengths) {
            ids[length as usize..].fill(u32::MAX);
        }
        Batch { dims, v, ids, lengths }
    }

    fn tokens(&self) -> Tokens<'_> {
        Tokens { ids: &self.ids, lengths: &self.lengths }
    }

    fn scale(&self) -> f32 {
        (self.dims.c as f32).sqrt()
    }

    fn table(&self) -> Vec<f32> {
        made::<f32>(self.v * self.dims.c, 2)
    }

    fn dy<T: Element>(&self) -> Vec<f32> {
        made::<T>(self.ids.len() * self.dims.c, 3)
    }

    fn dtable(&self) -> Vec<f32> {
        made::<f32>(self.v * self.dims.c, 4)
    }

    /// Of the tables, the rows that are named are read; rows of padding are written, and not read.
    fn work<T: Element>(&self, backward: bool) -> Work {
        let Dims { b, t, c } = self.dims;
        let (row, tokens) = (4 * c, 4 * (b * t + b));
        let real: usize = self.lengths.iter().map(|&n| n as usize).sum();
        let longest = self.lengths.iter().max().map_or(0, |&n| n as usize);
        let words = self.ids.iter().filter(|&&id| id != u32::MAX).collect::<HashSet<_>>().len();
        if backward {
            return Work::bytes(real * c * size_of::<T>() + words * row + tokens, words * row);
        }
        Work::bytes((words + longest) * row + tokens, b * t * c * size_of::<T>())
    }
}

fn case<T: Element>(batch: &Batch, backward: bool, offset: usize) -> Case {
    let batch = batch.clone();
    let Dims { b, t, c } = batch.dims;
    let operation = if backward { "embedding_backward" } else { "embedding_forward" };
    let shape = format!("B{b}_T{t}_C{c}_V{}", batch.v);
    let work = batch.work::<T>(backward);
    Case::new::<T, _>(operation, shape, work, move |queue| {
        let (n, size) = (batch.ids.len(), batch.v * c);
        let rows = |needed: bool| if needed { n * c } else { 0 };
        Ok(Operands {
            kernels: Kernels::load(queue)?,
            backward,
            dropout: Dropout::new(0.1, 3, 5, 7)?,
            ids: Indices::from_host(queue, &batch.ids)?,
            lengths: Indices::from_host(queue, &batch.lengths)?,
            table: Data::input(queue, &batch.table(), offset)?,
            positions: Data::input(queue, &positions(t, c)?, offset)?,
            y: Data::output(queue, rows(!backward), offset)?,
            dy: Data::input(queue, &as_type::<T>(&batch.dy::<T>()[..rows(backward)]), offset)?,
            dtable: Data::changed(queue, &batch.dtable()[..if backward { size } else { 0 }], offset)?,
            scratch: Data::scratch(queue, cuda::scratch_len(n), offset)?,
            batch: batch.clone(),
        })
    })
}

struct Operands<T> {
    kernels: Kernels,
    batch: Batch,
    backward: bool,
    dropout: Dropout,
    ids: Indices,
    lengths: Indices,
    table: Data,
    positions: Data,
    y: Data<T>,
    dy: Data<T>,
    dtable: Data,
    scratch: Data<u32>,
}

impl<T: Element> Run for Operands<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.y.reset()?;
        self.dtable.reset()
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let Operands { kernels, batch, dropout, ids, lengths, .. } = self;
        let (dims, scale) = (batch.dims, batch.scale());
        if self.backward {
            let (dtable, scratch) = (self.dtable.view_mut(), self.scratch.view_mut());
            return kernels.backward(queue, dims, ids, lengths, self.dy.view(), scale, *dropout, dtable, scratch);
        }
        let (table, positions) = (self.table.view(), self.positions.view());
        let tables = cuda::Tables { table, positions, offset: 0, scale };
        kernels.forward(queue, dims, ids, lengths, tables, *dropout, self.y.view_mut())
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        Ok(vec![if self.backward { self.dtable.read("dtable")? } else { self.y.read("y")? }])
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let batch = &self.batch;
        let Dims { t, c, .. } = batch.dims;
        if self.backward {
            let mut dtable = batch.dtable();
            let mut scratch = vec![0; embedding::scratch_len(batch.ids.len(), batch.v)];
            let (dy, scale) = (batch.dy::<T>(), batch.scale());
            embedding::backward(batch.dims, batch.tokens(), &dy, scale, self.dropout, &mut dtable, &mut scratch)?;
            return Ok(vec![Wanted::exactly(&dtable)]);
        }
        let mut y = vec![0.0; batch.ids.len() * c];
        let tables = Tables { table: &batch.table(), positions: &positions(t, c)?, offset: 0, scale: batch.scale() };
        embedding::forward(batch.dims, batch.tokens(), tables, self.dropout, &mut y)?;
        Ok(vec![Wanted::exactly(&rounded::<T>(&y))])
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    // With few words, so that some have long runs; with more tokens than a block sorts.
    let shapes: &[(usize, usize, usize, usize)] = match grid {
        Grid::Awkward => &[(1, 1, 1, 1), (5, 33, 257, 3), (41, 27, 5, 300)],
        Grid::Small => &[(SMALL.b, SMALL.t, BASE.c, SMALL.v)],
        Grid::Base => &[(BASE.b, BASE.t, BASE.c, BASE.v)],
    };
    for &(b, t, c, v) in shapes {
        let batch = Batch::new(Dims { b, t, c }, v, grid == Grid::Awkward && b > 1);
        for backward in [false, true] {
            every_element!(cases, case(&batch, backward, grid.offset()));
        }
    }
}
