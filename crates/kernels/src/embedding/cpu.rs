//! The CPU's embedding: rows of `y` are forward's tasks, ranges of the table's rows are backward's.

use super::{Dims, Tables, Tokens};
use crate::{
    dropout::{Dropout, GROUP},
    isa::multi_isa,
};
use rayon::prelude::*;

/// Values a task handles at least: some microseconds of work.
const TASK: usize = 8192;

/// Rows of the table whose gradients are one task: few, so that the frequent tokens, which share the low ids of most
/// vocabularies, spread over threads.
const TABLE_ROWS: usize = 8;

pub(super) fn forward(dims: Dims, tokens: Tokens<'_>, tables: Tables<'_>, dropout: Dropout, y: &mut [f32]) {
    let Dims { t, c, .. } = dims;
    y.par_chunks_mut(c).with_min_len(TASK / c + 1).enumerate().for_each(|(n, y)| {
        if n % t >= tokens.lengths[n / t] as usize {
            y.fill(0.0);
            return;
        }
        let embedding = &tables.table[tokens.ids[n] as usize * c..][..c];
        let position = &tables.positions[(tables.offset + n % t) * c..][..c];
        embed_row(embedding, position, tables.scale, n as u32, dropout, y);
    });
}

multi_isa! {
    fn embed_row(embedding: &[f32], position: &[f32], scale: f32, row: u32, dropout: Dropout, y: &mut [f32]) {
        for ((y, embedding), position) in y.iter_mut().zip(embedding).zip(position) {
            *y = embedding.mul_add(scale, *position);
        }
        if dropout.is_active() {
            let mut factors = [0.0; GROUP];
            for (g, y) in y.chunks_mut(GROUP).enumerate() {
                let factors = &mut factors[..y.len()];
                dropout.row_factors(row, g * GROUP, factors);
                for (y, factor) in y.iter_mut().zip(factors) {
                    *y *= *factor;
                }
            }
        }
    }
}

pub(super) fn backward(
    dims: Dims,
    tokens: Tokens<'_>,
    dy: &[f32],
    scale: f32,
    dropout: Dropout,
    dtable: &mut [f32],
    scratch: &mut [u32],
) {
    let c = dims.c;
    let v = dtable.len() / c;
    let (ends, order) = scratch.split_at_mut(v);
    sort(dims, tokens, ends, order);
    let (ends, order) = (&*ends, &*order);
    dtable.par_chunks_mut(TABLE_ROWS * c).enumerate().with_min_len(min_len(v)).for_each(|(task, dtable)| {
        let first = task * TABLE_ROWS;
        let mut start = if first == 0 { 0 } else { ends[first - 1] as usize };
        for (&end, dtable) in ends[first..].iter().zip(dtable.chunks_exact_mut(c)) {
            let end = end as usize;
            if start < end {
                add_rows(&order[start..end], dy, scale, dropout, dtable);
            }
            start = end;
        }
    });
}

/// Chunks of table rows that a thread takes together: most rows of a large table have no token.
fn min_len(v: usize) -> usize {
    (v / (TABLE_ROWS * 128)).max(1)
}

/// A counting sort of the batch's rows by token, padding left out: afterwards `order[ends[v - 1]..ends[v]]` (from 0 for
/// v = 0) holds the rows n of token v in ascending order.
fn sort(dims: Dims, tokens: Tokens<'_>, ends: &mut [u32], order: &mut [u32]) {
    let rows = || {
        let sentences = tokens.lengths.iter().enumerate();
        sentences.flat_map(|(b, &length)| b * dims.t..b * dims.t + length as usize)
    };
    ends.fill(0);
    for n in rows() {
        ends[tokens.ids[n] as usize] += 1;
    }
    let mut start = 0;
    for end in ends.iter_mut() {
        let count = *end;
        *end = start;
        start += count;
    }
    // Each token's start moves to its end as its rows are placed.
    for n in rows() {
        let place = &mut ends[tokens.ids[n] as usize];
        order[*place as usize] = n as u32;
        *place += 1;
    }
}

multi_isa! {
    fn add_rows(rows: &[u32], dy: &[f32], scale: f32, dropout: Dropout, dtable: &mut [f32]) {
        let c = dtable.len();
        let mut factors = [1.0; GROUP];
        for &n in rows {
            let dy = &dy[n as usize * c..][..c];
            if !dropout.is_active() {
                for (dtable, dy) in dtable.iter_mut().zip(dy) {
                    *dtable = dy.mul_add(scale, *dtable);
                }
                continue;
            }
            for (g, (dtable, dy)) in dtable.chunks_mut(GROUP).zip(dy.chunks(GROUP)).enumerate() {
                let factors = &mut factors[..dy.len()];
                dropout.row_factors(n, g * GROUP, factors);
                for ((dtable, dy), factor) in dtable.iter_mut().zip(dy).zip(factors) {
                    *dtable = (*factor * dy).mul_add(scale, *dtable);
                }
            }
        }
    }
}
