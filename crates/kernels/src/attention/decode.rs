//! Attention of one new query a row over a cache of keys and values: a step of incremental decoding.

use super::{
    Rows, by_tile, check_len, check_scratch, cpu,
    tasks::{self, Shared, SharedRows},
};
use crate::{
    Error,
    dropout::Dropout,
    error::product,
    isa::{Isa, active},
    lanes::LANES,
};

/// A step of incremental decoding: R rows (hypotheses), each with one query and a sequence of cached keys and values.
#[derive(Clone, Copy, Debug)]
pub struct Decode<'a> {
    /// NH: heads.
    pub nh: usize,
    /// HS: columns of a head.
    pub hs: usize,
    /// The queries: row r of R.
    pub q: Rows<'a>,
    /// The cached keys: row `sequence * capacity + j` is key j of a sequence.
    pub k: Rows<'a>,
    /// The cached values, likewise.
    pub v: Rows<'a>,
    /// Rows that a sequence of the cache has room for.
    pub capacity: usize,
    /// (R): how many keys row r sees, the first so many of its sequence, 0 to `capacity`.
    pub lengths: &'a [u32],
    /// (R): the sequence of row r, where rows share some (a beam over one source sentence). `None`: row r has sequence r.
    pub sequences: Option<&'a [u32]>,
}

/// The scratch of [`decode`] for `tasks` heads at a time; the number of threads is a good choice.
pub fn decode_scratch_len(capacity: usize, hs: usize, tasks: usize) -> usize {
    cpu::forward_scratch(capacity, hs).saturating_mul(tasks.max(1))
}

/// Checks that a view has rows of C values and as many as asked for.
fn check_rows(op: &'static str, arg: &'static str, rows: Rows<'_>, n: usize, c: usize) -> Result<(), Error> {
    if rows.stride < c {
        return Err(Error::Size { op, what: "a row stride", got: rows.stride, limit: "at least C" });
    }
    if n == 0 {
        return Ok(());
    }
    // In this order nothing can overflow: the product is checked first.
    let want = product(op, "rows * stride", &[n, rows.stride])? - (rows.stride - c);
    let got = rows.data.len().saturating_sub(rows.offset);
    if got < want {
        return Err(Error::Length { op, arg, shape: "(offset + rows * stride)", got, want });
    }
    Ok(())
}

/// Attention of each row's query over the visible keys of its sequence: the same bits as [`super::forward`] gives for that
/// query with those keys.
///
/// # Shapes
/// See [`Decode`]; R is `step.lengths.len()`. `o`: (R, C), all rows written, zeros for a row that sees nothing. `scratch`:
/// at least [`decode_scratch_len`] of one task.
///
/// # Errors
/// [`Error::Size`] if NH, HS or the capacity is 0, a length is beyond the capacity or a stride below C; [`Error::Length`] if
/// a buffer is too short for what it is asked for. On error nothing is written.
pub fn decode(step: &Decode<'_>, scratch: &mut [f32], o: &mut [f32]) -> Result<(), Error> {
    const OP: &str = "attention decode";
    let Decode { nh, hs, capacity, lengths, .. } = *step;
    for (what, got) in [("NH", nh), ("HS", hs), ("capacity", capacity)] {
        if got == 0 {
            return Err(Error::Size { op: OP, what, got, limit: "at least 1" });
        }
    }
    // Scratch must fit too, its sides rounded up to whole groups of lanes.
    product(OP, "capacity * HS", &[capacity.div_ceil(LANES), hs.div_ceil(LANES), 4 * LANES * LANES])?;
    let r = lengths.len();
    let c = product(OP, "C", &[nh, hs])?;
    check_len(OP, "o", "(R, C)", o.len(), product(OP, "R * C", &[r, c])?)?;
    if let Some(sequences) = step.sequences {
        check_len(OP, "sequences", "(R)", sequences.len(), r)?;
    }
    if let Some(&n) = lengths.iter().find(|&&n| n as usize > capacity) {
        return Err(Error::Size { op: OP, what: "a length", got: n as usize, limit: "at most the capacity" });
    }
    check_rows(OP, "q", step.q, r, c)?;
    let sequence = |row: usize| step.sequences.map_or(row, |sequences| sequences[row] as usize);
    // The last row that is read; a sequence of length 0 need not be there.
    let mut rows = 0;
    for (row, &n) in lengths.iter().enumerate().filter(|&(_, &n)| n > 0) {
        rows = rows.max(product(OP, "sequence * capacity", &[sequence(row), capacity])? + n as usize);
    }
    check_rows(OP, "k", step.k, rows, c)?;
    check_rows(OP, "v", step.v, rows, c)?;
    let piece = cpu::forward_scratch(capacity, hs);
    check_scratch(OP, scratch.len(), piece)?;

    let o = Shared::new(o);
    let o = SharedRows { data: &o, offset: 0, stride: c };
    let job = cpu::Forward { q: step.q, k: step.k, v: step.v, hs, dropout: Dropout::NONE, o, lse: None };
    let work = lengths.iter().map(|&n| n as usize).sum::<usize>().saturating_mul(2 * c);
    tasks::run(r * nh, work, scratch, piece, |number, scratch| {
        let row = number / nh;
        let head = cpu::Head {
            column: number % nh * hs,
            query: row,
            t: 1,
            queries: 1,
            key: sequence(row).saturating_mul(capacity),
            keys: lengths[row] as usize,
            causal: false,
            number,
        };
        by_tile!(1, cpu::forward, &job, head, 0..1, scratch);
    });
    Ok(())
}
