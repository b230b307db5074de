//! Top k on the CPU: groups of elements that do not reach the k-th largest so far are skipped by one comparison of
//! all.

use super::Output;
use crate::{isa::multi_isa, lanes::LANES};
use rayon::prelude::*;
use std::cmp::Ordering;

/// Elements skipped by one look.
const GROUP: usize = 4 * LANES;

/// Whether `x` ranks strictly above `y`.
#[inline(always)]
fn above(x: f32, y: f32) -> bool {
    x > y || (x.is_nan() && !y.is_nan())
}

/// Puts `x` into the sorted `values`, behind its equals; the last one falls out. `x` ranks above the last one.
#[inline(always)]
fn insert(values: &mut [f32], indices: &mut [u32], x: f32, index: u32) {
    let mut at = values.len() - 1;
    while at > 0 && above(x, values[at - 1]) {
        values[at] = values[at - 1];
        indices[at] = indices[at - 1];
        at -= 1;
    }
    values[at] = x;
    indices[at] = index;
}

/// Whether `x` is looked at: not at most the threshold, so that NaN on either side counts.
#[inline(always)]
fn reaches(x: f32, threshold: f32) -> bool {
    !matches!(x.partial_cmp(&threshold), Some(Ordering::Less | Ordering::Equal))
}

/// The elements to look at, a bit each.
#[inline(always)]
fn mask(x: &[f32; LANES], threshold: f32) -> u32 {
    let mut mask = 0;
    for (l, &x) in x.iter().enumerate() {
        mask |= u32::from(reaches(x, threshold)) << l;
    }
    mask
}

multi_isa! {
    /// The largest `values.len()` of `row`, which has at least as many.
    fn row_top_k(row: &[f32], values: &mut [f32], indices: &mut [u32]) {
        let k = values.len();
        let (first, rest) = row.split_at(k);
        for (i, &x) in first.iter().enumerate() {
            // One more place each time: what stands in it is overwritten.
            insert(&mut values[..=i], &mut indices[..=i], x, i as u32);
        }
        let mut threshold = values[k - 1];
        let (groups, tail) = rest.as_chunks::<GROUP>();
        let mut index = k;
        for group in groups {
            if group.iter().fold(false, |any, &x| any | reaches(x, threshold)) {
                for (part, x) in group.as_chunks::<LANES>().0.iter().enumerate() {
                    let mut candidates = mask(x, threshold);
                    while candidates != 0 {
                        let l = candidates.trailing_zeros() as usize;
                        candidates &= candidates - 1;
                        if above(x[l], threshold) {
                            insert(values, indices, x[l], (index + part * LANES + l) as u32);
                            threshold = values[k - 1];
                        }
                    }
                }
            }
            index += GROUP;
        }
        for (i, &x) in tail.iter().enumerate() {
            if above(x, threshold) {
                insert(values, indices, x, (index + i) as u32);
                threshold = values[k - 1];
            }
        }
    }
}

/// The checked operation.
pub(super) fn top_k(scores: &[f32], v: usize, k: usize, out: Output<'_>) {
    let Output { values, indices } = out;
    scores
        .par_chunks(v)
        .zip(values.par_chunks_mut(k))
        .zip(indices.par_chunks_mut(k))
        .with_min_len(min_rows(v))
        .for_each(|((row, values), indices)| row_top_k(row, values, indices));
}

/// The checked operation.
pub(super) fn argmax(scores: &[f32], v: usize, indices: &mut [u32]) {
    scores
        .par_chunks(v)
        .zip(indices.par_chunks_mut(1))
        .with_min_len(min_rows(v))
        .for_each(|(row, index)| row_top_k(row, &mut [0.0], index));
}

/// Rows a task takes at least: 16 Ki elements, a few microseconds' work.
fn min_rows(v: usize) -> usize {
    (16 * 1024 / v).max(1)
}
