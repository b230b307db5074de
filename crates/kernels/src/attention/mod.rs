//! Multi-head scaled dot-product attention: self, causal or cross, forward and backward, without a T x S matrix in memory.
//!
//! ```text
//! s[i,j]  = scale * sum_d q[i,d] * k[j,d]                     scale = 1 / sqrt(HS); for the keys j that query i sees
//! lse[i]  = ln sum_j exp(s[i,j])
//! a[i,j]  = exp(s[i,j] - lse[i])                              the attention weights
//! o[i,d]  = sum_j f[i,j] * a[i,j] * v[j,d]                    f: dropout's factors, 0 or 1 / (1 - p); 1 without
//! ```
//!
//! for every sentence b of B and head h of NH; head h has the columns `h * HS .. (h + 1) * HS` of C = NH * HS. Vaswani et
//! al. 2017, "Attention is all you need", [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), eq. 1 and section 3.2.2;
//! dropout on the weights as in tensor2tensor. Strips of rows with a saved log-sum-exp, as in Dao et al. 2022,
//! [arXiv:2205.14135](https://arxiv.org/abs/2205.14135). Without dropout the same as PyTorch's
//! `scaled_dot_product_attention`, but for queries that see nothing (below).
//!
//! # Who sees what
//! Key j of sentence b is visible to query i if `j < key_lengths[b]`, if `i < query_lengths[b]` (where given), and, with
//! [`Mask::Causal`], if `j <= i`. So a query sees the first so many keys. One that sees none has `o = 0`,
//! `lse = -infinity` and leaves no gradient anywhere; a key that nobody sees has gradients 0. Rows that are not visible are
//! never read and may hold anything, NaN included; a visible NaN comes out as NaN, in the rows that see it alone.
//!
//! # Backward
//! ```text
//! D[i]    = sum_d do[i,d] * o[i,d]
//! ds[i,j] = a[i,j] * (f[i,j] * sum_d do[i,d] * v[j,d] - D[i])
//! dq[i,d] = scale * sum_j ds[i,j] * k[j,d]
//! dk[j,d] = scale * sum_i ds[i,j] * q[i,d]
//! dv[j,d] = sum_i f[i,j] * a[i,j] * do[i,d]
//! ```
//!
//! Saved for it: q, k, v, `o` and `lse`; scores, weights and factors are made again. Gradients are set, not added to.
//!
//! # Arithmetic
//! Every operation below is one IEEE 754 f32 operation, rounded once; `fma` is fused, nothing else is. "Chain" means
//! `x = fma(a, b, x)` over ascending indices from `x = 0`. Pairs (i, j) that are not visible take no part anywhere.
//! - `scale = 1 / sqrt(HS)`: a square root and a division. `s = chain_d(q, k) * scale`.
//! - Forward: `m = max_j s`, `p = exp(s - m)`, `l` = the sum of p over j in lane order ([`crate::lanes`]: lane j % 32
//!   adds ascending j, then the butterfly), `o = chain_j(f * p, v) * (1 / l)`, `lse = m + ln(l)`; exp and ln are those of
//!   [`crate::math`]. A NaN score is passed over by the maximum and makes l NaN.
//! - Backward: `D` is the lane-order dot product of `do` and `o` ([`crate::lanes::dot`]); `a = exp(s - lse)`;
//!   `ds = a * (f * chain_d(do, v) - D)`; `dq = chain_j(ds, k) * scale`; `dk = chain_i(ds, q) * scale`;
//!   `dv = chain_i(f * a, do)`.
//! - Dropout's factor of (b, h, i, j) is piece `i % 8` of the block with row `(b * NH + h) * ceil(T / 8) + i / 8` and lane
//!   number j ([`crate::dropout`]): one block serves eight queries.
//!
//! So each number is fixed to the bit, for every instruction set, number of threads and size of scratch.

mod backward;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod decode;
#[cfg(feature = "cuda")]
pub mod decode_cuda;
#[cfg(any(test, feature = "cuda"))]
pub(crate) mod operands;
#[cfg(test)]
mod reference;
mod tasks;
#[cfg(test)]
mod tests;
mod tile;

pub use decode::{Decode, decode, decode_scratch_len};

use crate::{
    Error,
    dropout::Dropout,
    error::{check_len, product},
    isa::{Isa, active},
};
use cpu::Head;
use tasks::{Shared, SharedRows};

/// Query rows that are worked on together.
const STRIP: usize = 32;

/// The sizes of an attention. C = NH * HS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dims {
    /// B: sentences.
    pub b: usize,
    /// NH: heads.
    pub nh: usize,
    /// HS: columns of a head.
    pub hs: usize,
    /// T: query rows of a sentence.
    pub t: usize,
    /// S: key rows of a sentence.
    pub s: usize,
}

/// Which keys a query may look at, padding aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// All of them.
    None,
    /// Those up to its own place. For T = S.
    Causal,
}

/// What is computed: sizes, visibility and dropout. The same value for forward and backward.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// The sizes.
    pub dims: Dims,
    /// Which keys a query may look at.
    pub mask: Mask,
    /// (B): how many of a sentence's key rows are no padding, 0 to S.
    pub key_lengths: &'a [u32],
    /// (B): how many of a sentence's query rows are no padding, 0 to T; the others see nothing, which saves their work.
    /// `None`: all T.
    pub query_lengths: Option<&'a [u32]>,
    /// Dropout of the weights.
    pub dropout: Dropout,
}

/// Queries, keys and values. All rows are contiguous.
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a> {
    /// Self-attention: (B*T, 3C), a row being q, k, v. For T = S.
    Packed {
        /// All three.
        qkv: &'a [f32],
    },
    /// Cross-attention.
    Cross {
        /// (B*T, C).
        q: &'a [f32],
        /// (B*S, 2C), a row being k, v.
        kv: &'a [f32],
    },
    /// Each for itself.
    Separate {
        /// (B*T, C).
        q: &'a [f32],
        /// (B*S, C).
        k: &'a [f32],
        /// (B*S, C).
        v: &'a [f32],
    },
}

/// Where backward writes: the gradients of [`Inputs`], laid out like them (or in another of the three ways).
#[derive(Debug)]
pub enum Gradients<'a> {
    /// Of [`Inputs::Packed`].
    Packed {
        /// (B*T, 3C), a row being dq, dk, dv.
        dqkv: &'a mut [f32],
    },
    /// Of [`Inputs::Cross`].
    Cross {
        /// (B*T, C).
        dq: &'a mut [f32],
        /// (B*S, 2C), a row being dk, dv.
        dkv: &'a mut [f32],
    },
    /// Of [`Inputs::Separate`].
    Separate {
        /// (B*T, C).
        dq: &'a mut [f32],
        /// (B*S, C).
        dk: &'a mut [f32],
        /// (B*S, C).
        dv: &'a mut [f32],
    },
}

/// What forward writes.
#[derive(Debug)]
pub struct Output<'a> {
    /// (B*T, C): the heads' results side by side.
    pub o: &'a mut [f32],
    /// (B, NH, T): the logarithm of each query's sum of exponentials; backward reads it.
    pub lse: &'a mut [f32],
}

/// What backward reads besides the inputs.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// (B*T, C), as forward wrote it.
    pub o: &'a [f32],
    /// (B, NH, T), as forward wrote it.
    pub lse: &'a [f32],
    /// (B*T, C): the gradient of `o`.
    pub d_o: &'a [f32],
}

/// A view of rows: row r is `data[offset + r * stride ..]`, C values.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The buffer, other columns included.
    pub data: &'a [f32],
    /// Where row 0 begins.
    pub offset: usize,
    /// From one row to the next.
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// `len` values of a row from a column on.
    #[inline(always)]
    fn part(&self, row: usize, column: usize, len: usize) -> &'a [f32] {
        &self.data[self.offset + row * self.stride + column..][..len]
    }

    /// `len` values from a column on of each of `rows` rows, as a right operand.
    #[inline(always)]
    fn from(&self, row: usize, column: usize, rows: usize, len: usize) -> tile::Right<'a> {
        let start = self.offset + row * self.stride + column;
        let data = &self.data[start..start + (rows - 1) * self.stride + len];
        tile::Right { data, stride: self.stride }
    }
}

impl Dims {
    /// Checks the sizes; returns (B*T*C, B*S*C).
    fn check(&self, op: &'static str) -> Result<(usize, usize), Error> {
        let Dims { b, nh, hs, t, s } = *self;
        for (what, got) in [("B", b), ("NH", nh), ("HS", hs), ("T", t), ("S", s)] {
            if got == 0 {
                return Err(Error::Size { op, what, got, limit: "at least 1" });
            }
        }
        // Times three: packed buffers and scratch must fit as well. Dropout counts in 32 bits.
        product(op, "B * T * 3C", &[b, t, 3, nh, hs])?;
        product(op, "B * S * 3C", &[b, s, 3, nh, hs])?;
        for (what, got) in [("B * NH * T", product(op, "B * NH * T", &[b, nh, t])?), ("S", s)] {
            if u32::try_from(got).is_err() {
                return Err(Error::Size { op, what, got, limit: "less than 2^32; use a smaller batch" });
            }
        }
        Ok((b * t * nh * hs, b * s * nh * hs))
    }
}

/// Checks lengths against their limit, T or S.
fn check_lengths(
    op: &'static str,
    (arg, what, limit): (&'static str, &'static str, &'static str),
    lengths: &[u32],
    b: usize,
    max: usize,
) -> Result<(), Error> {
    check_len(op, arg, "(B)", lengths.len(), b)?;
    match lengths.iter().find(|&&n| n as usize > max) {
        Some(&n) => Err(Error::Size { op, what, got: n as usize, limit }),
        None => Ok(()),
    }
}

impl Attention<'_> {
    fn check(&self, op: &'static str) -> Result<(usize, usize), Error> {
        let sizes = self.dims.check(op)?;
        let Dims { b, t, s, .. } = self.dims;
        if self.mask == Mask::Causal && t != s {
            return Err(Error::Size { op, what: "S", got: s, limit: "equal to T with a causal mask" });
        }
        check_lengths(op, ("key_lengths", "a key length", "at most S"), self.key_lengths, b, s)?;
        if let Some(lengths) = self.query_lengths {
            check_lengths(op, ("query_lengths", "a query length", "at most T"), lengths, b, t)?;
        }
        Ok(sizes)
    }

    fn head(&self, number: usize) -> Head {
        let Dims { nh, hs, t, s, .. } = self.dims;
        let (b, h) = (number / nh, number % nh);
        Head {
            column: h * hs,
            query: b * t,
            t,
            queries: self.query_lengths.map_or(t, |lengths| lengths[b] as usize),
            key: b * s,
            keys: self.key_lengths[b] as usize,
            causal: self.mask == Mask::Causal,
            number,
        }
    }

    /// Multiply-adds of forward.
    fn work(&self) -> usize {
        let Dims { b, nh, hs, t, s } = self.dims;
        [b, nh, hs, t, s].into_iter().fold(2, usize::saturating_mul)
    }
}

impl<'a> Inputs<'a> {
    /// Checks the buffers; returns views of q, k and v.
    fn rows(self, op: &'static str, dims: Dims, (q_len, k_len): (usize, usize)) -> Result<[Rows<'a>; 3], Error> {
        let c = dims.nh * dims.hs;
        Ok(match self {
            Inputs::Packed { qkv } => {
                check_packed(op, dims)?;
                check_len(op, "qkv", "(B*T, 3C)", qkv.len(), 3 * q_len)?;
                [0, c, 2 * c].map(|offset| Rows { data: qkv, offset, stride: 3 * c })
            }
            Inputs::Cross { q, kv } => {
                check_len(op, "q", "(B*T, C)", q.len(), q_len)?;
                check_len(op, "kv", "(B*S, 2C)", kv.len(), 2 * k_len)?;
                [(q, 0, c), (kv, 0, 2 * c), (kv, c, 2 * c)].map(|(data, offset, stride)| Rows { data, offset, stride })
            }
            Inputs::Separate { q, k, v } => {
                check_len(op, "q", "(B*T, C)", q.len(), q_len)?;
                check_len(op, "k", "(B*S, C)", k.len(), k_len)?;
                check_len(op, "v", "(B*S, C)", v.len(), k_len)?;
                [q, k, v].map(|data| Rows { data, offset: 0, stride: c })
            }
        })
    }
}

fn check_packed(op: &'static str, dims: Dims) -> Result<(), Error> {
    if dims.t == dims.s {
        return Ok(());
    }
    Err(Error::Size { op, what: "S", got: dims.s, limit: "equal to T where q, k and v share rows" })
}

/// Checks that scratch holds what one task needs.
fn check_scratch(op: &'static str, got: usize, want: usize) -> Result<(), Error> {
    if got >= want {
        return Ok(());
    }
    Err(Error::Length { op, arg: "scratch", shape: "(at least one task's part)", got, want })
}

/// The scratch of [`forward`], [`backward()`] and [`weights`] for `tasks` heads at a time; the number of threads is a good
/// choice. Results do not depend on it.
pub fn scratch_len(dims: &Dims, tasks: usize) -> usize {
    backward::backward_scratch(dims.s, dims.hs).saturating_mul(tasks.max(1))
}

/// Picks the tile for the instruction set, and one row for a single query.
macro_rules! by_tile {
    ($t:expr, $module:ident::$kernel:ident, $($arg:expr),*) => {
        match (active(), $t) {
            (Isa::Avx512, 1) => $module::$kernel::<1, 32>($($arg),*),
            (Isa::Avx512, _) => $module::$kernel::<8, 32>($($arg),*),
            (_, 1) => $module::$kernel::<1, 16>($($arg),*),
            (_, _) => $module::$kernel::<4, 16>($($arg),*),
        }
    };
}
use by_tile;

/// Attention of every query over its sentence's keys; the formulas are at the top of this page.
///
/// # Shapes
/// `inputs`: see [`Inputs`]. `out.o`: (B*T, C); `out.lse`: (B, NH, T), both kept for [`backward()`]. `scratch`: at least
/// [`scratch_len`] of one task; its content is of no consequence.
///
/// # Errors
/// [`Error::Length`] names the first buffer whose length disagrees with the sizes; [`Error::Size`] for a size of 0, a length
/// beyond its rows, and T != S where they must agree. On error nothing is written.
///
/// # Example
/// One query that looks at two keys, with one head of one column:
/// ```
/// use noam_kernels::{attention::{self, Attention, Dims, Inputs, Mask, Output}, dropout::Dropout};
/// let dims = Dims { b: 1, nh: 1, hs: 1, t: 1, s: 2 };
/// let attention =
///     Attention { dims, mask: Mask::None, key_lengths: &[2], query_lengths: None, dropout: Dropout::NONE };
/// let inputs = Inputs::Separate { q: &[1.0], k: &[0.0, 3f32.ln()], v: &[10.0, 20.0] };
/// let (mut o, mut lse) = ([0.0], [0.0]);
/// let mut scratch = vec![0.0; attention::scratch_len(&dims, 1)];
/// attention::forward(&attention, inputs, &mut scratch, Output { o: &mut o, lse: &mut lse })?;
/// assert!((o[0] - 17.5).abs() < 1e-5); // weights 1/4 and 3/4
/// assert!((lse[0] - 4f32.ln()).abs() < 1e-6);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn forward(
    attention: &Attention<'_>,
    inputs: Inputs<'_>,
    scratch: &mut [f32],
    out: Output<'_>,
) -> Result<(), Error> {
    const OP: &str = "attention forward";
    let sizes = attention.check(OP)?;
    let dims = attention.dims;
    let [q, k, v] = inputs.rows(OP, dims, sizes)?;
    let heads = dims.b * dims.nh;
    check_len(OP, "o", "(B*T, C)", out.o.len(), sizes.0)?;
    check_len(OP, "lse", "(B, NH, T)", out.lse.len(), heads * dims.t)?;
    let piece = cpu::forward_scratch(dims.s, dims.hs);
    check_scratch(OP, scratch.len(), piece)?;

    let (o, lse) = (Shared::new(out.o), Shared::new(out.lse));
    let o = SharedRows { data: &o, offset: 0, stride: dims.nh * dims.hs };
    let job = cpu::Forward { q, k, v, hs: dims.hs, dropout: attention.dropout, o, lse: Some(&lse) };
    // Few heads and many strips: several tasks a head, each of which packs the keys and values for itself.
    let strips = dims.t.div_ceil(STRIP);
    let at_a_time = tasks::pieces(usize::MAX, attention.work(), scratch.len(), piece);
    let parts = at_a_time.div_ceil(heads).min(strips);
    tasks::run(heads * parts, attention.work(), scratch, piece, |task, scratch| {
        let (head, part) = (attention.head(task / parts), task % parts);
        let range = part * strips / parts..(part + 1) * strips / parts;
        by_tile!(dims.t, cpu::forward, &job, head, range, scratch);
    });
    Ok(())
}

/// The gradients of q, k and v from that of `o`; the formulas are at the top of this page.
///
/// # Shapes
/// `saved`: see [`Saved`]; `attention` and `inputs` as in [`forward`]; `gradients` is overwritten, padding rows with zeros.
/// `scratch`: at least [`scratch_len`] of one task; its content is of no consequence.
///
/// # Errors
/// As [`forward`].
pub fn backward(
    attention: &Attention<'_>,
    inputs: Inputs<'_>,
    saved: Saved<'_>,
    scratch: &mut [f32],
    gradients: Gradients<'_>,
) -> Result<(), Error> {
    const OP: &str = "attention backward";
    let sizes = attention.check(OP)?;
    let dims = attention.dims;
    let c = dims.nh * dims.hs;
    let [q, k, v] = inputs.rows(OP, dims, sizes)?;
    let heads = dims.b * dims.nh;
    check_len(OP, "o", "(B*T, C)", saved.o.len(), sizes.0)?;
    check_len(OP, "lse", "(B, NH, T)", saved.lse.len(), heads * dims.t)?;
    check_len(OP, "d_o", "(B*T, C)", saved.d_o.len(), sizes.0)?;
    let piece = backward::backward_scratch(dims.s, dims.hs);
    check_scratch(OP, scratch.len(), piece)?;

    let run = |[dq, dk, dv]: [SharedRows<'_>; 3], scratch: &mut [f32]| {
        let [o, d_o] = [saved.o, saved.d_o].map(|data| Rows { data, offset: 0, stride: c });
        let job = backward::Backward {
            q,
            k,
            v,
            o,
            d_o,
            lse: saved.lse,
            hs: dims.hs,
            s: dims.s,
            dropout: attention.dropout,
            dq,
            dk,
            dv,
        };
        tasks::run(heads, attention.work().saturating_mul(2), scratch, piece, |number, scratch| {
            by_tile!(dims.t, backward::backward, &job, attention.head(number), scratch);
        });
    };
    match gradients {
        Gradients::Packed { dqkv } => {
            check_packed(OP, dims)?;
            check_len(OP, "dqkv", "(B*T, 3C)", dqkv.len(), 3 * sizes.0)?;
            let dqkv = Shared::new(dqkv);
            run([0, c, 2 * c].map(|offset| SharedRows { data: &dqkv, offset, stride: 3 * c }), scratch);
        }
        Gradients::Cross { dq, dkv } => {
            check_len(OP, "dq", "(B*T, C)", dq.len(), sizes.0)?;
            check_len(OP, "dkv", "(B*S, 2C)", dkv.len(), 2 * sizes.1)?;
            let (dq, dkv) = (Shared::new(dq), Shared::new(dkv));
            let dq = SharedRows { data: &dq, offset: 0, stride: c };
            let [dk, dv] = [0, c].map(|offset| SharedRows { data: &dkv, offset, stride: 2 * c });
            run([dq, dk, dv], scratch);
        }
        Gradients::Separate { dq, dk, dv } => {
            check_len(OP, "dq", "(B*T, C)", dq.len(), sizes.0)?;
            check_len(OP, "dk", "(B*S, C)", dk.len(), sizes.1)?;
            check_len(OP, "dv", "(B*S, C)", dv.len(), sizes.1)?;
            let out = [Shared::new(dq), Shared::new(dk), Shared::new(dv)];
            run(std::array::from_fn(|i| SharedRows { data: &out[i], offset: 0, stride: c }), scratch);
        }
    }
    Ok(())
}

/// The attention weights, without dropout, for pictures and alignments: `out[b,h,i,j] = exp(s[i,j] - lse[i])`, 0 where key j
/// is not visible to query i.
///
/// # Shapes
/// `attention` and `inputs` as in [`forward`], which has written `lse`, (B, NH, T). `out`: (B, NH, T, S). `scratch`: at
/// least [`scratch_len`] of one task.
///
/// # Errors
/// As [`forward`].
pub fn weights(
    attention: &Attention<'_>,
    inputs: Inputs<'_>,
    lse: &[f32],
    scratch: &mut [f32],
    out: &mut [f32],
) -> Result<(), Error> {
    const OP: &str = "attention weights";
    let sizes = attention.check(OP)?;
    let dims = attention.dims;
    let [q, k, _] = inputs.rows(OP, dims, sizes)?;
    let heads = dims.b * dims.nh;
    check_len(OP, "lse", "(B, NH, T)", lse.len(), heads * dims.t)?;
    let want = product(OP, "B * NH * T * S", &[heads, dims.t, dims.s])?;
    check_len(OP, "out", "(B, NH, T, S)", out.len(), want)?;
    let piece = cpu::weights_scratch(dims.s, dims.hs);
    check_scratch(OP, scratch.len(), piece)?;

    let out = Shared::new(out);
    let job = cpu::Weights { q, k, hs: dims.hs, s: dims.s, lse, out: &out };
    tasks::run(heads, attention.work(), scratch, piece, |number, scratch| {
        by_tile!(dims.t, cpu::weights, &job, attention.head(number), scratch);
    });
    Ok(())
}
