//! Forward on the CPU: one task a head (and part of its query rows), a strip of query rows at a time.

use super::{
    Rows, STRIP,
    tasks::{Shared, SharedRows},
    tile::{self, Left, Out, Right},
};
use crate::{
    dropout::Dropout,
    isa::multi_isa,
    lanes::{LANES, butterfly, max},
    math::{exp, exp_nonpositive, ln},
};
use std::ops::Range;

/// One head of one sentence.
#[derive(Clone, Copy)]
pub(super) struct Head {
    /// Its first column.
    pub column: usize,
    /// Its first query row, in `q`, `o` and their gradients.
    pub query: usize,
    /// Query rows, and how many of them see anything.
    pub t: usize,
    pub queries: usize,
    /// Its first key row, in `k`, `v` and their gradients.
    pub key: usize,
    /// Keys that are not padding.
    pub keys: usize,
    pub causal: bool,
    /// Its number, which is its row of T values in `lse`.
    pub number: usize,
}

/// Up to STRIP query rows of a head that see something.
pub(super) struct Strip {
    /// The first one.
    pub start: usize,
    pub n: usize,
    /// How many keys each row sees, ascending; those behind its last row count as the last one.
    pub counts: [usize; STRIP],
    /// The counter's row of dropout for its first eight queries.
    pub dropout_row: u32,
}

impl Head {
    /// How many queries see anything: the first so many.
    pub(super) fn seeing(&self) -> usize {
        if self.keys > 0 { self.queries } else { 0 }
    }

    /// How many keys query `i` sees, if it is one of those: the first so many.
    pub(super) fn visible(&self, i: usize) -> usize {
        if self.causal { self.keys.min(i + 1) } else { self.keys }
    }

    /// The query rows `start .. end`, STRIP at a time.
    pub(super) fn strips(&self, start: usize, end: usize) -> impl Iterator<Item = Strip> {
        (start..end.max(start)).step_by(STRIP).map(move |start| {
            let n = STRIP.min(end - start);
            let counts = std::array::from_fn(|r| self.visible(start + r.min(n - 1)));
            let dropout_row = (self.number * self.t.div_ceil(8) + start / 8) as u32;
            Strip { start, n, counts, dropout_row }
        })
    }
}

impl Strip {
    /// Copies its rows of `src`, zeros behind them up to a whole tile.
    pub(super) fn pack<const MR: usize>(&self, src: Rows<'_>, head: &Head, hs: usize, dst: &mut [f32]) {
        let width = padded(hs);
        tile::pack_rows(src, head.query + self.start, self.n, head.column, hs, width, dst);
        dst[self.n * width..self.n.next_multiple_of(MR) * width].fill(0.0);
    }
}

/// The operands of forward.
pub(super) struct Forward<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub v: Rows<'a>,
    pub hs: usize,
    pub dropout: Dropout,
    pub o: SharedRows<'a>,
    /// None where nobody asks for it.
    pub lse: Option<&'a Shared<'a>>,
}

/// A head size or a number of keys, rounded up to whole groups of lanes.
#[inline(always)]
pub(super) const fn padded(n: usize) -> usize {
    n.div_ceil(LANES) * LANES
}

/// Scratch of one forward task: keys transposed, values, a strip of queries, a strip of scores.
pub(super) fn forward_scratch(s: usize, hs: usize) -> usize {
    let (s, hs) = (padded(s), padded(hs));
    2 * s * hs + STRIP * (hs + s)
}

/// Scratch of one task of [`weights`]: keys transposed, a strip of queries, a strip of scores.
pub(super) fn weights_scratch(s: usize, hs: usize) -> usize {
    forward_scratch(s, hs) - padded(s) * padded(hs)
}

/// 1 / sqrt(HS).
#[inline(always)]
pub(super) fn score_scale(hs: usize) -> f32 {
    1.0 / (hs as f32).sqrt()
}

/// The products of a strip's rows with packed rows: `out[r][j] = sum_d rows[r][d] * packed[j][d]`, for the keys that some
/// row of a tile sees. `rows` and `out` hold whole tiles.
pub(super) fn products<const MR: usize, const NR: usize>(
    rows: &[f32],
    width: usize,
    strip: &Strip,
    (packed, hs): (&[f32], usize),
    out: &mut [f32],
    stride: usize,
) {
    for r in (0..strip.n).step_by(MR) {
        let left = Left { data: &rows[r * width..], row_stride: width, term_stride: 1 };
        let panels = strip.counts[r + MR - 1].div_ceil(NR);
        for (panel, packed) in packed.chunks_exact(hs * NR).take(panels).enumerate() {
            let out = Out { data: &mut out[r * stride + panel * NR..], stride };
            tile::product::<MR, NR>(left, Right { data: packed, stride: NR }, 0..hs, false, out);
        }
    }
}

/// Sums over the visible keys: `out[r][d] = sum_j weights[r][j] * rows[j][d]`, j ascending.
pub(super) fn weigh<const MR: usize, const NR: usize>(
    weights: &[f32],
    keys: usize,
    strip: &Strip,
    rows: Right<'_>,
    (out, width): (&mut [f32], usize),
    hs: usize,
) {
    for r in (0..strip.n).step_by(MR) {
        let left = Left { data: &weights[r * keys..], row_stride: keys, term_stride: 1 };
        let counts = &strip.counts[r..r + MR];
        let (all, some) = (counts[0], counts[MR - 1]);
        // A causal mask lets each row see at most one key more than the row before it.
        let mut ragged: [Range<usize>; MR] = [const { 0..0 }; MR];
        for (t, rows) in ragged.iter_mut().enumerate().take(some - all) {
            *rows = counts.partition_point(|&count| count <= all + t)..MR;
        }
        for d in (0..hs).step_by(NR) {
            let right = Right { data: &rows.data[d..], stride: rows.stride };
            let at = r * width + d;
            tile::product::<MR, NR>(left, right, 0..all, false, Out { data: &mut out[at..], stride: width });
            if all < some {
                let out = Out { data: &mut out[at..], stride: width };
                tile::product_ragged::<MR, NR>(left, right, all, &ragged[..some - all], out);
            }
        }
    }
}

/// Scores to unnormalised weights, in place: the first `n` become exp(s * scale - m), the rest of their group of lanes
/// zero. Returns m and the sum of the weights.
#[inline(always)]
fn softmax(row: &mut [f32], n: usize, scale: f32) -> (f32, f32) {
    let groups = row.as_chunks_mut::<LANES>().0;
    let groups = &mut groups[..n.div_ceil(LANES)];
    let mut top = [f32::NEG_INFINITY; LANES];
    for (g, group) in groups.iter_mut().enumerate() {
        let n = (n - g * LANES).min(LANES) as u32;
        for l in 0..LANES {
            let s = if (l as u32) < n { group[l] * scale } else { f32::NEG_INFINITY };
            group[l] = s;
            top[l] = if s > top[l] { s } else { top[l] };
        }
    }
    let m = max(top);
    let mut sum = [0.0; LANES];
    for (g, group) in groups.iter_mut().enumerate() {
        let n = (n - g * LANES).min(LANES) as u32;
        for l in 0..LANES {
            // A zero for a masked key is the same as leaving it out: no partial sum is -0.
            // m is the largest score, so the difference is never positive.
            let p = if (l as u32) < n { exp_nonpositive(group[l] - m) } else { 0.0 };
            group[l] = p;
            sum[l] += p;
        }
    }
    (m, butterfly(sum))
}

multi_isa! {
    /// Scores of a strip to weights times factors, in place. Sets m and l of each row.
    fn softmax_strip(
        scores: &mut [f32],
        keys: usize,
        strip: &Strip,
        scale: f32,
        dropout: Dropout,
        m: &mut [f32; STRIP],
        sum: &mut [f32; STRIP],
    ) {
        for (r, row) in scores.chunks_exact_mut(keys).take(strip.n).enumerate() {
            (m[r], sum[r]) = softmax(row, strip.counts[r], scale);
        }
        if dropout.is_active() {
            for r in (0..strip.n).step_by(8) {
                for j in (0..strip.counts[r + 7]).step_by(LANES) {
                    let factors = dropout.factors(strip.dropout_row + (r / 8) as u32, j as u32);
                    for (i, factors) in factors.iter().take(strip.n - r).enumerate() {
                        let p = scores[(r + i) * keys + j..].first_chunk_mut::<LANES>().expect("rows are whole groups");
                        for l in 0..LANES {
                            p[l] *= factors[l];
                        }
                    }
                }
            }
        }
    }
}

multi_isa! {
    /// `m[r] += ln(sum[r])`: a constant length, so that the logarithms are vectors.
    fn log_sums(m: &mut [f32; STRIP], sum: &[f32; STRIP]) {
        for (m, sum) in m.iter_mut().zip(sum) {
            *m += ln(*sum);
        }
    }
}

/// The strips `range` of one head. MR divides 8, NR divides LANES.
pub(super) fn forward<const MR: usize, const NR: usize>(
    job: &Forward<'_>,
    head: Head,
    range: Range<usize>,
    scratch: &mut [f32],
) {
    let (hs, width, keys) = (job.hs, padded(job.hs), padded(head.keys));
    let scale = score_scale(hs);
    let (kt, scratch) = scratch.split_at_mut(keys * hs);
    let (v, scratch) = scratch.split_at_mut(keys * width);
    let (rows, scratch) = scratch.split_at_mut(STRIP * width);
    let scores = &mut scratch[..STRIP * keys];
    let end = (range.end * STRIP).min(head.t);
    let seen = head.seeing().min(end);
    if range.start * STRIP < seen {
        tile::pack_transposed::<NR>(job.k, head.key, head.keys, head.column, hs, kt);
    }
    // A single query reads each value once: where they are. Several find them faster side by side.
    let v = if MR == 1 && hs.is_multiple_of(NR) && seen > 0 {
        job.v.from(head.key, head.column, head.keys, hs)
    } else {
        tile::pack_rows(job.v, head.key, head.keys, head.column, hs, width, v);
        Right { data: v, stride: width }
    };
    for strip in head.strips(range.start * STRIP, seen) {
        let Strip { start, n, .. } = strip;
        strip.pack::<MR>(job.q, &head, hs, rows);
        products::<MR, NR>(rows, width, &strip, (kt, hs), scores, keys);
        let (mut m, mut sum) = ([0.0; STRIP], [1.0; STRIP]);
        softmax_strip(scores, keys, &strip, scale, job.dropout, &mut m, &mut sum);
        // The queries are done with; their place takes the sums.
        weigh::<MR, NR>(scores, keys, &strip, v, (rows, width), hs);
        for (i, sums) in rows.chunks_exact(width).take(n).enumerate() {
            // SAFETY: this head's columns of one of its query rows in `o`. No other task has them: `run` hands each strip
            // of each head to one task, heads have separate columns or rows, strips separate rows.
            let o = unsafe { job.o.part(head.query + start + i, head.column, hs) };
            let over = 1.0 / sum[i];
            for (o, sum) in o.iter_mut().zip(sums) {
                *o = sum * over;
            }
        }
        if let Some(out) = job.lse {
            log_sums(&mut m, &sum);
            // SAFETY: this strip's rows of this head's T values of `lse`, which only the task of this strip writes.
            unsafe { out.part(head.number * head.t + start, n) }.copy_from_slice(&m[..n]);
        }
    }
    for i in seen.max(range.start * STRIP)..end {
        // SAFETY: as for `o` and `lse` above: this task's rows.
        unsafe { job.o.part(head.query + i, head.column, hs) }.fill(0.0);
        if let Some(lse) = job.lse {
            // SAFETY: the same.
            unsafe { lse.part(head.number * head.t + i, 1) }.fill(f32::NEG_INFINITY);
        }
    }
}

/// The operands of [`weights`].
pub(super) struct Weights<'a> {
    pub q: Rows<'a>,
    pub k: Rows<'a>,
    pub hs: usize,
    pub s: usize,
    pub lse: &'a [f32],
    /// T rows of S values a head.
    pub out: &'a Shared<'a>,
}

multi_isa! {
    /// `out[j] = exp(scores[j] * scale - lse)`.
    fn weights_row(scores: &[f32], scale: f32, lse: f32, out: &mut [f32]) {
        for (a, s) in out.iter_mut().zip(scores) {
            *a = exp(s * scale - lse);
        }
    }
}

/// The weights of one head.
pub(super) fn weights<const MR: usize, const NR: usize>(job: &Weights<'_>, head: Head, scratch: &mut [f32]) {
    let (hs, width, keys) = (job.hs, padded(job.hs), padded(head.keys));
    let scale = score_scale(hs);
    let (kt, scratch) = scratch.split_at_mut(keys * hs);
    let (q, scratch) = scratch.split_at_mut(STRIP * width);
    let scores = &mut scratch[..STRIP * keys];
    tile::pack_transposed::<NR>(job.k, head.key, head.keys, head.column, hs, kt);
    // SAFETY: this head's T rows of S values, which only this task has.
    let out = unsafe { job.out.part(head.number * head.t * job.s, head.t * job.s) };
    out.fill(0.0);
    for strip in head.strips(0, head.seeing()) {
        strip.pack::<MR>(job.q, &head, hs, q);
        products::<MR, NR>(q, width, &strip, (kt, hs), scores, keys);
        for (r, row) in scores.chunks_exact(keys).take(strip.n).enumerate() {
            let i = strip.start + r;
            let out = &mut out[i * job.s..][..strip.counts[r]];
            weights_row(row, scale, job.lse[head.number * head.t + i], out);
        }
    }
}
