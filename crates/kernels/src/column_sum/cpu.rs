//! Column sums on the CPU: chunks of rows in parallel, then blocks of columns in parallel.

use super::ROWS;
use crate::isa::multi_isa;
use rayon::prelude::*;

/// Columns a task of the second pass.
const COLUMNS: usize = 512;
/// Values a task of the first pass reads at least: 128 KiB.
const TASK: usize = 32 * 1024;

multi_isa! {
    /// `partial[c]` = the sum of the chunk's rows, ascending, from zero.
    fn chunk_sum(dy: &[f32], partial: &mut [f32]) {
        let c = partial.len();
        partial.fill(0.0);
        let mut rows = dy.chunks_exact(4 * c);
        // Four rows for one load and store of the partial sums; the order is still row by row.
        for four in &mut rows {
            let (a, b) = four.split_at(2 * c);
            let ((r0, r1), (r2, r3)) = (a.split_at(c), b.split_at(c));
            for ((((partial, r0), r1), r2), r3) in partial.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3) {
                *partial = (((*partial + r0) + r1) + r2) + r3;
            }
        }
        for row in rows.remainder().chunks_exact(c) {
            for (partial, v) in partial.iter_mut().zip(row) {
                *partial += v;
            }
        }
    }
}

multi_isa! {
    /// Adds columns `start ..` of the partial sums, `c` wide, to `db`, ascending.
    fn add_partials(partials: &[f32], c: usize, start: usize, db: &mut [f32]) {
        for partial in partials.chunks_exact(c) {
            for (db, v) in db.iter_mut().zip(&partial[start..]) {
                *db += v;
            }
        }
    }
}

/// The checked operation: `scratch` is exactly the partial sums.
pub(super) fn column_sum(dy: &[f32], scratch: &mut [f32], db: &mut [f32]) {
    let c = db.len();
    dy.par_chunks(ROWS * c)
        .zip(scratch.par_chunks_mut(c))
        .with_min_len((TASK / (ROWS * c)).max(1))
        .for_each(|(dy, partial)| chunk_sum(dy, partial));
    let partials = &*scratch;
    db.par_chunks_mut(COLUMNS).enumerate().for_each(|(i, db)| add_partials(partials, c, i * COLUMNS, db));
}
