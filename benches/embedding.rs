//! Embedding with positions and dropout: looking rows up, and adding their gradients to the table.
//!
//! Throughput: bytes, each operand read or written once; of the table, the rows that the batch names.

use noam_benches::{Sizes, bytes_of, check, criterion, sizes, time, values, words};
use noam_kernels::Error;
use noam_kernels::dropout::Dropout;
use noam_kernels::embedding::{self, Dims, Tables, Tokens};
use std::collections::HashSet;

struct Case {
    dims: Dims,
    ids: Vec<u32>,
    lengths: Vec<u32>,
    table: Vec<f32>,
    positions: Vec<f32>,
    scale: f32,
    dropout: Dropout,
    y: Vec<f32>,
    dy: Vec<f32>,
    dtable: Vec<f32>,
    scratch: Vec<u32>,
}

impl Case {
    fn new(s: Sizes) -> Result<Self, Error> {
        Ok(Case {
            dims: Dims { b: s.b, t: s.t, c: s.c },
            ids: words(s.n(), s.v, 1),
            lengths: vec![s.t as u32; s.b],
            table: values(s.v * s.c, 2),
            positions: embedding::positions(s.t, s.c)?,
            scale: (s.c as f32).sqrt(),
            dropout: Dropout::new(0.1, 1, 1, 1)?,
            y: vec![0.0; s.n() * s.c],
            dy: values(s.n() * s.c, 3),
            dtable: vec![0.0; s.v * s.c],
            scratch: vec![0; embedding::scratch_len(s.n(), s.v)],
        })
    }

    fn forward(&mut self) -> Result<(), Error> {
        let tokens = Tokens { ids: &self.ids, lengths: &self.lengths };
        let tables = Tables { table: &self.table, positions: &self.positions, offset: 0, scale: self.scale };
        embedding::forward(self.dims, tokens, tables, self.dropout, &mut self.y)
    }

    fn backward(&mut self) -> Result<(), Error> {
        let tokens = Tokens { ids: &self.ids, lengths: &self.lengths };
        let (dy, dtable, scratch) = (&self.dy, &mut self.dtable, &mut self.scratch);
        embedding::backward(self.dims, tokens, dy, self.scale, self.dropout, dtable, scratch)
    }

    /// Checks the first column of the last token, in f64.
    fn check(&mut self) -> Result<(), Error> {
        let Dims { t, c, .. } = self.dims;
        self.forward()?;
        self.backward()?;
        let n = self.ids.len() - 1;
        let id = self.ids[n] as usize;
        let factor = |n: usize| {
            let mut factors = [0.0];
            self.dropout.row_factors(n as u32, 0, &mut factors);
            f64::from(factors[0])
        };
        let scale = f64::from(self.scale);
        let embedded = scale * f64::from(self.table[id * c]) + f64::from(self.positions[(t - 1) * c]);
        check("embedding_forward", self.y[n * c], factor(n) * embedded, 1e-5);
        let uses = (0..=n).filter(|&n| self.ids[n] as usize == id);
        let want = uses.map(|n| scale * factor(n) * f64::from(self.dy[n * c])).sum();
        check("embedding_backward", self.dtable[id * c], want, 1e-4);
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for &s in sizes() {
        let mut case = Case::new(s)?;
        case.check()?;
        let name = format!("B{}_T{}_C{}_V{}", s.b, s.t, s.c, s.v);
        let (n, named) = (s.n(), case.ids.iter().collect::<HashSet<_>>().len());
        // y, the named rows and the positions, the ids. dy, the named rows in and out, the ids.
        let forward = bytes_of((n + named + s.t) * s.c + n);
        let backward = bytes_of((n + 2 * named) * s.c + n);
        time(&mut criterion, "embedding_forward", &name, forward, || case.forward());
        time(&mut criterion, "embedding_backward", &name, backward, || case.backward());
    }
    criterion.final_summary();
    Ok(())
}
