//! How far results may be from exact layer norm: bounds that follow from the roundings.

use super::{BLOCK, CHUNK};

/// Half the spacing of f32 at 1: the relative error of one rounded operation.
const U: f64 = 1.0 / (1 << 24) as f64;

/// How rows are kept and added up.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// Columns of a lane at most.
    pub chain: usize,
    /// The relative error of a value rounded to the rows' type, beyond f32.
    pub unit: f64,
    /// The absolute error where that type is subnormal.
    pub least: f64,
}

impl Rows {
    /// Rows of `c` columns in f32.
    pub fn f32(c: usize) -> Self {
        Rows { chain: c.div_ceil(32), unit: 0.0, least: 0.0 }
    }

    /// The error of one rounding of a value of this size.
    pub fn error(self, size: f64) -> f64 {
        self.unit * size + self.least
    }

    /// A lane's chain of additions, the butterfly's five, and a few operations that follow.
    fn sum_error(self) -> f64 {
        (self.chain + 12) as f64 * U
    }
}

/// What was normalized, exactly, with its statistics.
#[derive(Clone, Copy)]
pub(crate) struct Exact<'a> {
    /// (N, C).
    pub s: &'a [f64],
    /// (N).
    pub mean: &'a [f64],
    /// (N).
    pub rstd: &'a [f64],
    /// (C).
    pub gamma: &'a [f64],
}

/// Bounds of what forward gives.
pub(crate) struct Forward {
    pub y: Vec<f64>,
    pub mean: Vec<f64>,
    pub rstd: Vec<f64>,
}

/// Bounds of what backward gives.
pub(crate) struct Backward {
    pub dsum: Vec<f64>,
    pub dgamma: Vec<f64>,
    pub dbeta: Vec<f64>,
}

impl Exact<'_> {
    fn columns(&self) -> usize {
        self.gamma.len()
    }

    /// The largest magnitude of a row, and what x^ is off by, beside 1 + |x^|: d = s - mean is off by the error of a
    /// sum times that magnitude, so x^ by that times rstd, which itself is off by as much relatively.
    fn errors(&self, row: usize, rows: Rows) -> (f64, f64) {
        let c = self.columns();
        let largest = self.s[row * c..][..c].iter().fold(0.0f64, |m, s| m.max(s.abs()));
        (largest, rows.sum_error() * (1.0 + largest * self.rstd[row]))
    }

    fn x_hat(&self, at: usize) -> f64 {
        let row = at / self.columns();
        ((self.s[at] - self.mean[row]) * self.rstd[row]).abs()
    }

    /// Of forward, whose exact result is `y`.
    pub fn forward(&self, y: &[f64], rows: Rows) -> Forward {
        let c = self.columns();
        let n = self.mean.len();
        let mut out =
            Forward { y: Vec::with_capacity(n * c), mean: Vec::with_capacity(n), rstd: Vec::with_capacity(n) };
        for row in 0..n {
            let (largest, e) = self.errors(row, rows);
            out.mean.push(rows.sum_error() * largest);
            out.rstd.push(e * self.rstd[row]);
            for at in row * c..(row + 1) * c {
                let tol = e * (1.0 + self.x_hat(at)) * self.gamma[at % c].abs() + U * y[at].abs();
                out.y.push(tol + rows.error(y[at].abs() + tol));
            }
        }
        out
    }

    /// Of backward, whose exact `dsum`, with what was there before if that is added to, is given; `start` is the
    /// largest magnitude that stood in dgamma and dbeta.
    pub fn backward(&self, dy: &[f64], dsum: &[f64], start: f64, rows: Rows) -> Backward {
        let c = self.columns();
        let n = self.mean.len();
        // The roundings of a chunk's additions, of a block's, and of the blocks'; and those of what was there.
        let blocks = n.div_ceil(CHUNK * BLOCK);
        let terms = U * (1 + CHUNK + BLOCK + blocks) as f64;
        let own = U * (1 + blocks) as f64 * start;
        let mut out = Backward { dsum: Vec::with_capacity(n * c), dgamma: vec![own; c], dbeta: vec![own; c] };
        for row in 0..n {
            let (_, e) = self.errors(row, rows);
            let row = row * c..(row + 1) * c;
            let g_max = row.clone().fold(0.0f64, |m, i| m.max((dy[i] * self.gamma[i % c]).abs()));
            for at in row {
                let (x_hat, rstd) = (self.x_hat(at), self.rstd[at / c]);
                // |x^| averages to at most 1 and g to g_max; both terms subtracted carry e twice.
                let tol = 3.0 * e * rstd * g_max * (1.0 + x_hat) * (1.0 + x_hat) + 2.0 * U * dsum[at].abs();
                out.dsum.push(tol + rows.error(dsum[at].abs() + tol));
                out.dgamma[at % c] += dy[at].abs() * (e * (1.0 + x_hat) + terms * x_hat);
                out.dbeta[at % c] += dy[at].abs() * terms;
            }
        }
        out
    }
}
