//! Backward on the CPU: one task a head, which goes through its query rows in ascending strips.

use super::{
    Rows, STRIP,
    cpu::{Head, Strip, padded, products, score_scale, weigh},
    tasks::SharedRows,
    tile::{self, Left, Out, Right},
};
use crate::{
    dropout::Dropout,
    isa::multi_isa,
    lanes::{LANES, dot},
    math::exp,
};
use std::ops::Range;

/// The operands of backward.
pub(super) struct Backward<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub o: Rows<'a>,
    /// The gradient of `o`.
    pub d_o: Rows<'a>,
    pub lse: &'a [f32],
    pub hs: usize,
    /// Key rows of a sentence, padding included.
    pub s: usize,
    pub dropout: Dropout,
    pub dq: SharedRows<'a>,
    pub dk: SharedRows<'a>,
    pub dv: SharedRows<'a>,
}

/// Scratch of one backward task: keys and values transposed, keys, the sums of dk and dv; strips of q and of do, of
/// weights and of score gradients.
pub(super) fn backward_scratch(s: usize, hs: usize) -> usize {
    let (s, hs) = (padded(s), padded(hs));
    5 * s * hs + 2 * STRIP * (hs + s)
}

/// Adds a strip's part to the sums of dk or dv: `sums[j] += sum_i weights[i][j] * rows[i]`, i ascending over the rows that
/// see key j, for the first `seen` keys.
fn add_transposed<const MR: usize, const NR: usize>(
    sums: &mut [f32],
    (weights, keys): (&[f32], usize),
    (rows, width): (&[f32], usize),
    hs: usize,
    strip: &Strip,
    seen: usize,
) {
    let counts = &strip.counts[..strip.n];
    for j in (0..seen).step_by(MR) {
        // Rows from `some` on see some keys of this tile, rows from `all` on all of them. With a causal mask that takes
        // MR - 1 rows more, each of which sees one key more.
        let some = counts.partition_point(|&count| count <= j);
        let all = counts.partition_point(|&count| count < seen.min(j + MR));
        let mut ragged: [Range<usize>; MR] = [const { 0..0 }; MR];
        for (rows, &count) in ragged.iter_mut().zip(&counts[some..all]) {
            *rows = 0..count - j;
        }
        let left = Left { data: &weights[j..], row_stride: 1, term_stride: keys };
        for d in (0..hs).step_by(NR) {
            let right = Right { data: &rows[d..], stride: width };
            let at = j * width + d;
            if some < all {
                let out = Out { data: &mut sums[at..], stride: width };
                tile::product_ragged::<MR, NR>(left, right, some, &ragged[..all - some], out);
            }
            if all < strip.n {
                let out = Out { data: &mut sums[at..], stride: width };
                tile::product::<MR, NR>(left, right, all..strip.n, true, out);
            }
        }
    }
}

multi_isa! {
    /// Of a strip's scores `p` and products do . v in `ds`, in place: in `p` the weights times their factors, in `ds` the
    /// gradients of the scores; zeros behind a row's visible keys. `lse` and `delta` hold a value for each row.
    fn score_gradients(
        p: &mut [f32],
        ds: &mut [f32],
        keys: usize,
        strip: &Strip,
        scale: f32,
        dropout: Dropout,
        lse: &[f32],
        delta: &[f32; STRIP],
    ) {
        for r in (0..strip.n).step_by(8) {
            for j in (0..strip.counts[r + 7]).step_by(LANES) {
                let factors = if dropout.is_active() {
                    dropout.factors(strip.dropout_row + (r / 8) as u32, j as u32)
                } else {
                    [[1.0; LANES]; 8]
                };
                for (i, f) in factors.iter().enumerate().take(strip.n - r) {
                    let i = r + i;
                    let n = strip.counts[i].saturating_sub(j).min(LANES) as u32;
                    let (lse, delta) = (lse[i], delta[i]);
                    let p = p[i * keys + j..].first_chunk_mut::<LANES>().expect("rows are whole groups");
                    let ds = ds[i * keys + j..].first_chunk_mut::<LANES>().expect("rows are whole groups");
                    for l in 0..LANES {
                        let weight = exp(p[l] * scale - lse);
                        let gradient = weight * (f[l] * ds[l] - delta);
                        p[l] = if (l as u32) < n { f[l] * weight } else { 0.0 };
                        ds[l] = if (l as u32) < n { gradient } else { 0.0 };
                    }
                }
            }
        }
    }
}

multi_isa! {
    /// `delta[i]` = the lane-order dot product of row i of `d_o`, `width` apart, and of `o`.
    fn deltas(d_o: &[f32], width: usize, o: Rows<'_>, first: usize, column: usize, hs: usize, delta: &mut [f32]) {
        for (i, (delta, d_o)) in delta.iter_mut().zip(d_o.chunks_exact(width)).enumerate() {
            *delta = dot(&d_o[..hs], o.part(first + i, column, hs));
        }
    }
}

/// One head. MR divides 8, NR divides LANES.
pub(super) fn backward<const MR: usize, const NR: usize>(job: &Backward<'_>, head: Head, scratch: &mut [f32]) {
    let (hs, width) = (job.hs, padded(job.hs));
    let queries = head.seeing();
    // With a causal mask, keys behind the last query are seen by none.
    let seen = if queries > 0 { head.visible(queries - 1) } else { 0 };
    let keys = padded(seen);
    let scale = score_scale(hs);
    let (kt, scratch) = scratch.split_at_mut(keys * hs);
    let (vt, scratch) = scratch.split_at_mut(keys * hs);
    let (k, scratch) = scratch.split_at_mut(keys * width);
    let (dk, scratch) = scratch.split_at_mut(keys * width);
    let (dv, scratch) = scratch.split_at_mut(keys * width);
    let (q, scratch) = scratch.split_at_mut(STRIP * width);
    let (d_o, scratch) = scratch.split_at_mut(STRIP * width);
    let (p, scratch) = scratch.split_at_mut(STRIP * keys);
    let ds = &mut scratch[..STRIP * keys];
    tile::pack_transposed::<NR>(job.k, head.key, seen, head.column, hs, kt);
    tile::pack_transposed::<NR>(job.v, head.key, seen, head.column, hs, vt);
    tile::pack_rows(job.k, head.key, seen, head.column, hs, width, k);
    dk.fill(0.0);
    dv.fill(0.0);
    for strip in head.strips(0, queries) {
        let Strip { start, n, .. } = strip;
        strip.pack::<MR>(job.q, &head, hs, q);
        strip.pack::<MR>(job.d_o, &head, hs, d_o);
        products::<MR, NR>(q, width, &strip, (kt, hs), p, keys);
        products::<MR, NR>(d_o, width, &strip, (vt, hs), ds, keys);
        let mut delta = [0.0; STRIP];
        deltas(d_o, width, job.o, head.query + start, head.column, hs, &mut delta[..n]);
        let lse = &job.lse[head.number * head.t + start..][..n];
        score_gradients(p, ds, keys, &strip, scale, job.dropout, lse, &delta);
        add_transposed::<MR, NR>(dk, (ds, keys), (q, width), hs, &strip, seen);
        add_transposed::<MR, NR>(dv, (p, keys), (d_o, width), hs, &strip, seen);
        // The queries are done with; their place takes the sums.
        weigh::<MR, NR>(ds, keys, &strip, Right { data: k, stride: width }, (q, width), hs);
        for (i, sums) in q.chunks_exact(width).take(n).enumerate() {
            // SAFETY: this head's columns of one of its query rows in dq: no other task has them, since each head is one
            // task; dq, dk and dv have separate columns or buffers, and no other part is in use here.
            let dq = unsafe { job.dq.part(head.query + start + i, head.column, hs) };
            for (dq, sum) in dq.iter_mut().zip(sums) {
                *dq = sum * scale;
            }
        }
    }
    for i in queries..head.t {
        // SAFETY: as for dq above.
        unsafe { job.dq.part(head.query + i, head.column, hs) }.fill(0.0);
    }
    for (out, sums, scale) in [(job.dk, &*dk, scale), (job.dv, &*dv, 1.0)] {
        for j in 0..job.s {
            // SAFETY: this head's columns of one of its sentence's key rows in dk or dv, for dq's reasons.
            let out = unsafe { out.part(head.key + j, head.column, hs) };
            if j >= seen {
                out.fill(0.0);
                continue;
            }
            for (out, sum) in out.iter_mut().zip(&sums[j * width..]) {
                *out = sum * scale;
            }
        }
    }
}
