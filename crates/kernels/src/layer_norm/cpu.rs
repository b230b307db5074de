//! The CPU's layer norm: blocks of rows are tasks, and every row stays in the first-level cache between its passes.

use super::{Affine, BLOCK, Backward, CHUNK, Gradients, Output, Write};
use crate::{
    dropout::{Dropout, GROUP},
    isa::multi_isa,
    lanes::{self, LANES, Lanes},
};
use rayon::prelude::*;

/// Values a forward task handles: some microseconds of work, so that a task costs more than handing it over.
const TASK: usize = 8192;

/// Columns a task of the last sum handles.
const COLUMNS: usize = 256;

pub(super) fn forward(x: &[f32], affine: Affine<'_>, eps: f32, out: Output<'_>) {
    let c = affine.gamma.len();
    let rows = (TASK / c).max(1);
    let stats = out.mean.par_chunks_mut(rows).zip(out.rstd.par_chunks_mut(rows));
    let tasks = x.par_chunks(rows * c).zip(out.y.par_chunks_mut(rows * c)).zip(stats);
    tasks.for_each(|((x, y), (mean, rstd))| forward_rows(x, affine.gamma, affine.beta, eps, y, mean, rstd));
}

multi_isa! {
    fn forward_rows(
        x: &[f32], gamma: &[f32], beta: &[f32], eps: f32, y: &mut [f32], mean: &mut [f32], rstd: &mut [f32],
    ) {
        let c = gamma.len();
        let rows = x.chunks_exact(c).zip(y.chunks_exact_mut(c));
        for ((x, y), (mean, rstd)) in rows.zip(mean.iter_mut().zip(rstd)) {
            (*mean, *rstd) = normalize(x, lanes::sum(x), gamma, beta, eps, y);
        }
    }
}

pub(super) fn residual_forward(
    x: &[f32],
    sum: &mut [f32],
    dropout: Dropout,
    affine: Affine<'_>,
    eps: f32,
    out: Output<'_>,
) {
    let c = affine.gamma.len();
    let rows = (TASK / c).max(1);
    let stats = out.mean.par_chunks_mut(rows).zip(out.rstd.par_chunks_mut(rows));
    let sums = x.par_chunks(rows * c).zip(sum.par_chunks_mut(rows * c));
    sums.zip(out.y.par_chunks_mut(rows * c)).zip(stats).enumerate().for_each(
        |(task, (((x, sum), y), (mean, rstd)))| {
            let first = (task * rows) as u32;
            residual_forward_rows(x, sum, first, dropout, affine.gamma, affine.beta, eps, y, mean, rstd);
        },
    );
}

multi_isa! {
    fn residual_forward_rows(
        x: &[f32], sum: &mut [f32], first: u32, dropout: Dropout,
        gamma: &[f32], beta: &[f32], eps: f32, y: &mut [f32], mean: &mut [f32], rstd: &mut [f32],
    ) {
        let c = gamma.len();
        let rows = x.chunks_exact(c).zip(sum.chunks_exact_mut(c)).zip(y.chunks_exact_mut(c));
        for (n, (((x, sum), y), (mean, rstd))) in rows.zip(mean.iter_mut().zip(rstd)).enumerate() {
            let total = if dropout.is_active() {
                add_dropped(x, sum, first + n as u32, dropout)
            } else {
                add(x, sum)
            };
            (*mean, *rstd) = normalize(sum, total, gamma, beta, eps, y);
        }
    }
}

/// The row `s`, whose lane sum is `total`, normalized into `y`; returns its mean and rstd.
#[inline(always)]
fn normalize(s: &[f32], total: f32, gamma: &[f32], beta: &[f32], eps: f32, y: &mut [f32]) -> (f32, f32) {
    let c = s.len() as f32;
    let mean = total / c;
    let mut squares: Lanes = [0.0; LANES];
    let (groups, tail) = s.as_chunks::<LANES>();
    for group in groups {
        for l in 0..LANES {
            let d = group[l] - mean;
            squares[l] = d.mul_add(d, squares[l]);
        }
    }
    for (square, s) in squares.iter_mut().zip(tail) {
        let d = s - mean;
        *square = d.mul_add(d, *square);
    }
    let var = lanes::butterfly(squares) / c;
    let rstd = 1.0 / (var + eps).sqrt();
    for (((y, s), gamma), beta) in y.iter_mut().zip(s).zip(gamma).zip(beta) {
        *y = ((s - mean) * rstd).mul_add(*gamma, *beta);
    }
    (mean, rstd)
}

/// `sum = x + sum`; returns the row's lane sum.
#[inline(always)]
fn add(x: &[f32], sum: &mut [f32]) -> f32 {
    let mut total: Lanes = [0.0; LANES];
    let (xs, x_tail) = x.as_chunks::<LANES>();
    let (sums, sum_tail) = sum.as_chunks_mut::<LANES>();
    for (x, sum) in xs.iter().zip(sums) {
        for l in 0..LANES {
            sum[l] += x[l];
            total[l] += sum[l];
        }
    }
    for ((x, sum), total) in x_tail.iter().zip(sum_tail).zip(&mut total) {
        *sum += x;
        *total += *sum;
    }
    lanes::butterfly(total)
}

/// `sum = fma(factor, sum, x)`; returns the row's lane sum.
#[inline(always)]
fn add_dropped(x: &[f32], sum: &mut [f32], row: u32, dropout: Dropout) -> f32 {
    let mut total: Lanes = [0.0; LANES];
    for (g, (x, sum)) in x.chunks(GROUP).zip(sum.chunks_mut(GROUP)).enumerate() {
        let factors = dropout.factors(row, (g * LANES) as u32);
        let (xs, x_tail) = x.as_chunks::<LANES>();
        let (sums, sum_tail) = sum.as_chunks_mut::<LANES>();
        let whole = xs.len();
        for ((x, sum), factor) in xs.iter().zip(sums).zip(&factors) {
            for l in 0..LANES {
                sum[l] = factor[l].mul_add(sum[l], x[l]);
                total[l] += sum[l];
            }
        }
        // A tail leaves `whole` below the eight groups of lanes; without one, the index may be past them.
        let factor = factors.get(whole).unwrap_or(&[0.0; LANES]);
        for (((x, sum), factor), total) in x_tail.iter().zip(sum_tail).zip(factor).zip(&mut total) {
            *sum = factor.mul_add(*sum, *x);
            *total += *sum;
        }
    }
    lanes::butterfly(total)
}

/// A chunk of rows on its way through backward.
struct Rows<'a> {
    dy: &'a [f32],
    sum: &'a [f32],
    mean: &'a [f32],
    rstd: &'a [f32],
    dsum: &'a mut [f32],
    /// The chunk's dgamma and dbeta, (2, C).
    partial: &'a mut [f32],
}

/// The chunks of 32 rows, in order.
fn chunks<'a>(
    input: Backward<'a>,
    dsum: &'a mut [f32],
    partials: &'a mut [f32],
) -> impl IndexedParallelIterator<Item = Rows<'a>> {
    let c = input.gamma.len();
    let stats = input.mean.par_chunks(CHUNK).zip(input.rstd.par_chunks(CHUNK));
    let rows = input.dy.par_chunks(CHUNK * c).zip(input.sum.par_chunks(CHUNK * c)).zip(stats);
    let out = dsum.par_chunks_mut(CHUNK * c).zip(partials.par_chunks_mut(2 * c));
    rows.zip(out).map(|(((dy, sum), (mean, rstd)), (dsum, partial))| Rows { dy, sum, mean, rstd, dsum, partial })
}

pub(super) fn backward(input: Backward<'_>, write: Write, out: Gradients<'_>, scratch: &mut [f32]) {
    let partials = &mut scratch[..super::scratch_len(input.mean.len(), input.gamma.len())];
    chunks(input, out.dsum, partials).for_each(|mut rows| backward_chunk(&mut rows, input.gamma, write));
    add_partials(partials, out.dgamma, out.dbeta);
}

pub(super) fn residual_backward(
    input: Backward<'_>,
    dropout: Dropout,
    write: Write,
    out: Gradients<'_>,
    dsub: &mut [f32],
    scratch: &mut [f32],
) {
    let c = input.gamma.len();
    let partials = &mut scratch[..super::scratch_len(input.mean.len(), c)];
    chunks(input, out.dsum, partials).zip(dsub.par_chunks_mut(CHUNK * c)).enumerate().for_each(
        |(chunk, (mut rows, dsub))| {
            backward_chunk(&mut rows, input.gamma, write);
            // The chunk is still in the cache.
            if dropout.is_active() {
                drop_rows(rows.dsum, dsub, c, (chunk * CHUNK) as u32, dropout);
            } else {
                dsub.copy_from_slice(rows.dsum);
            }
        },
    );
    add_partials(partials, out.dgamma, out.dbeta);
}

fn backward_chunk(rows: &mut Rows<'_>, gamma: &[f32], write: Write) {
    let Rows { dy, sum, mean, rstd, dsum, partial } = rows;
    let (dgamma, dbeta) = partial.split_at_mut(gamma.len());
    match write {
        Write::Set => backward_rows::<false>(dy, sum, mean, rstd, gamma, dsum, dgamma, dbeta),
        Write::Add => backward_rows::<true>(dy, sum, mean, rstd, gamma, dsum, dgamma, dbeta),
    }
}

multi_isa! {
    fn backward_rows<const ADD: bool>(
        dy: &[f32], sum: &[f32], mean: &[f32], rstd: &[f32], gamma: &[f32],
        dsum: &mut [f32], dgamma: &mut [f32], dbeta: &mut [f32],
    ) {
        let c = gamma.len();
        dgamma.fill(0.0);
        dbeta.fill(0.0);
        let rows = dy.chunks_exact(c).zip(sum.chunks_exact(c)).zip(dsum.chunks_exact_mut(c));
        for (((dy, sum), dsum), (&mean, &rstd)) in rows.zip(mean.iter().zip(rstd)) {
            let (a, b) = row_sums(dy, sum, mean, rstd, gamma, dgamma, dbeta);
            let (a, b) = (a / c as f32, b / c as f32);
            for (((dsum, s), dy), gamma) in dsum.iter_mut().zip(sum).zip(dy).zip(gamma) {
                let x_hat = (s - mean) * rstd;
                let t = x_hat.mul_add(-b, dy * gamma - a);
                *dsum = if ADD { rstd.mul_add(t, *dsum) } else { rstd * t };
            }
        }
    }
}

/// `lane_sum(g)` and `lane_sum(g * x^)` of a row, which also joins the chunk's sums over rows.
#[inline(always)]
fn row_sums(
    dy: &[f32],
    sum: &[f32],
    mean: f32,
    rstd: f32,
    gamma: &[f32],
    dgamma: &mut [f32],
    dbeta: &mut [f32],
) -> (f32, f32) {
    let (mut a, mut b): (Lanes, Lanes) = ([0.0; LANES], [0.0; LANES]);
    let (dys, dy_tail) = dy.as_chunks::<LANES>();
    let (sums, sum_tail) = sum.as_chunks::<LANES>();
    let (gammas, gamma_tail) = gamma.as_chunks::<LANES>();
    let (dgammas, dgamma_tail) = dgamma.as_chunks_mut::<LANES>();
    let (dbetas, dbeta_tail) = dbeta.as_chunks_mut::<LANES>();
    for ((((dy, s), gamma), dgamma), dbeta) in dys.iter().zip(sums).zip(gammas).zip(dgammas).zip(dbetas) {
        for l in 0..LANES {
            let x_hat = (s[l] - mean) * rstd;
            let g = dy[l] * gamma[l];
            a[l] += g;
            b[l] = g.mul_add(x_hat, b[l]);
            dgamma[l] = dy[l].mul_add(x_hat, dgamma[l]);
            dbeta[l] += dy[l];
        }
    }
    for l in 0..dy_tail.len() {
        let x_hat = (sum_tail[l] - mean) * rstd;
        let g = dy_tail[l] * gamma_tail[l];
        a[l] += g;
        b[l] = g.mul_add(x_hat, b[l]);
        dgamma_tail[l] = dy_tail[l].mul_add(x_hat, dgamma_tail[l]);
        dbeta_tail[l] += dy_tail[l];
    }
    (lanes::butterfly(a), lanes::butterfly(b))
}

multi_isa! {
    fn drop_rows(dsum: &[f32], dsub: &mut [f32], c: usize, first: u32, dropout: Dropout) {
        let mut factors = [0.0; GROUP];
        for (n, (dsum, dsub)) in dsum.chunks_exact(c).zip(dsub.chunks_exact_mut(c)).enumerate() {
            for (g, (dsum, dsub)) in dsum.chunks(GROUP).zip(dsub.chunks_mut(GROUP)).enumerate() {
                let factors = &mut factors[..dsum.len()];
                dropout.row_factors(first + n as u32, g * GROUP, factors);
                for ((dsub, dsum), factor) in dsub.iter_mut().zip(dsum).zip(factors) {
                    *dsub = *factor * dsum;
                }
            }
        }
    }
}

/// Adds the chunks' partial sums, (chunks, 2, C), to dgamma and dbeta: block by block, in ascending order.
fn add_partials(partials: &[f32], dgamma: &mut [f32], dbeta: &mut [f32]) {
    let c = dgamma.len();
    for (half, gradient) in [dgamma, dbeta].into_iter().enumerate() {
        let columns = gradient.par_chunks_mut(COLUMNS).enumerate();
        columns.for_each(|(task, gradient)| add_columns(partials, c, half * c + task * COLUMNS, gradient));
    }
}

multi_isa! {
    fn add_columns(partials: &[f32], c: usize, start: usize, gradient: &mut [f32]) {
        for block in partials.chunks(BLOCK * 2 * c) {
            let mut sums = [0.0; COLUMNS];
            for partial in block.chunks_exact(2 * c) {
                for (sum, p) in sums.iter_mut().zip(&partial[start..][..gradient.len()]) {
                    *sum += p;
                }
            }
            for (gradient, sum) in gradient.iter_mut().zip(&sums) {
                *gradient += sum;
            }
        }
    }
}
