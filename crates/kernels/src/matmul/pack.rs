//! Copies of the operands in the order in which the micro-kernels read them.
//!
//! Columns of B come in panels of [`NR`]: `[k][NR]`, so that a step of k is two registers of 16 side by side. Rows of A keep
//! their shape: either `[row][k]` with a fixed stride that no power of two divides (rows at a stride of 4 KiB would all fall
//! into one set of the first-level cache), or, when A is stored transposed, `[k][row]`.

use super::{Lhs, Rhs};
use crate::buffer::Buffer;
use crate::isa::multi_isa;
use rayon::prelude::*;

/// Columns in a panel of B.
pub(super) const NR: usize = 32;
/// Terms of the sums that are packed and used at a time: a panel of B, 256 x 32 values, just fills 32 KiB.
pub(super) const KC: usize = 256;
/// From row to row of a packed block of A stored `[row][k]`.
pub(super) const A_ROW_STRIDE: usize = KC + 16;
/// From k to k of a packed panel of A stored `[k][row]`; at least the rows of the largest micro-kernel.
pub(super) const A_K_STRIDE: usize = 16;
/// From panel to panel of a packed block of A stored `[k][row]`; again no power of two.
const A_PANEL_STRIDE: usize = KC * A_K_STRIDE + 16;

/// A right operand, (K, N), packed for many products: the weights of a layer, once a step.
#[derive(Clone, Debug)]
pub struct Packed {
    k: usize,
    n: usize,
    /// `[panel][k][NR]`, zeros beyond N.
    data: Buffer,
}

impl Packed {
    /// Room for a (K, N) operand; zeros until something is packed.
    pub fn zeros(k: usize, n: usize) -> Self {
        Packed { k, n, data: Buffer::zeros(k * n.next_multiple_of(NR)) }
    }

    /// Terms of a sum.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Columns of the result.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Packs a linear layer's weights, stored (N, K) row-major.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if `w` does not hold N·K values.
    pub fn pack_transposed(&mut self, w: &[f32]) -> Result<(), crate::Error> {
        crate::error::check_len(super::OP, "w", "(N, K)", w.len(), self.n * self.k)?;
        self.pack(Rhs::Transposed(w));
        Ok(())
    }

    /// Packs an operand stored (K, N) row-major.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if `w` does not hold K·N values.
    pub fn pack_rows(&mut self, w: &[f32]) -> Result<(), crate::Error> {
        crate::error::check_len(super::OP, "w", "(K, N)", w.len(), self.n * self.k)?;
        self.pack(Rhs::Rows(w));
        Ok(())
    }

    fn pack(&mut self, b: Rhs<&[f32], &Packed>) {
        let (k, n) = (self.k, self.n);
        if k == 0 {
            return;
        }
        self.data.par_chunks_mut(k * NR).enumerate().for_each(|(panel, out)| {
            pack_group(b, (k, n), 0..k, panel * NR, (n - panel * NR).min(NR), out);
        });
    }

    /// The terms `k0..` of the panel that begins at column `panel * NR`.
    pub(super) fn panel(&self, panel: usize, k0: usize) -> &[f32] {
        &self.data[(panel * self.k + k0) * NR..(panel + 1) * self.k * NR]
    }
}

/// Packs the terms `ks` of `columns` columns from `j0` on of an operand of shape (K, N) into `out`: their panels, one after
/// another, each `[ks][NR]`; columns beyond the last are zero.
pub(super) fn pack_group(
    b: Rhs<&[f32], &Packed>,
    (k, n): (usize, usize),
    ks: std::ops::Range<usize>,
    j0: usize,
    columns: usize,
    out: &mut [f32],
) {
    let panel_len = ks.len() * NR;
    match b {
        Rhs::Rows(b) => pack_group_rows(b, n, ks.start, ks.len(), j0, columns, out),
        Rhs::Transposed(b) => {
            for (j, out) in (0..columns).step_by(NR).zip(out.chunks_exact_mut(panel_len.max(1))) {
                let width = NR.min(columns - j);
                if width < NR {
                    out.fill(0.0);
                }
                if !ks.is_empty() {
                    super::micro::transpose(&b[(j0 + j) * k + ks.start..], k, width, ks.len(), out, NR);
                }
            }
        }
        Rhs::Packed(_) => unreachable!("a packed operand is used where it lies"),
    }
}

multi_isa! {
    /// [`pack_group`] of `terms` rows from `k0` on, a whole row of the group at a time, so that memory is read in long runs.
    fn pack_group_rows(b: &[f32], n: usize, k0: usize, terms: usize, j0: usize, columns: usize, out: &mut [f32]) {
        let panel_len = terms * NR;
        for p in 0..terms {
            let (panels, rest) = b[(k0 + p) * n + j0..][..columns].as_chunks::<NR>();
            let mut start = p * NR;
            for row in panels {
                if let Some(to) = out[start..].first_chunk_mut::<NR>() {
                    *to = *row;
                }
                start += panel_len;
            }
            if !rest.is_empty() {
                let to = &mut out[start..][..NR];
                to[..rest.len()].copy_from_slice(rest);
                to[rest.len()..].fill(0.0);
            }
        }
    }
}

multi_isa! {
    /// [`pack_block`] of a transposed A: `height` rows from `i0` on, `terms` terms from `k0` on.
    fn pack_block_transposed(
        a: &[f32],
        m: usize,
        i0: usize,
        height: usize,
        k0: usize,
        terms: usize,
        mr: usize,
        out: &mut [f32],
    ) {
        for p in 0..terms {
            let row = &a[(k0 + p) * m..(k0 + p + 1) * m];
            let (mut i, mut panel) = (i0, p * A_K_STRIDE);
            while i < i0 + height {
                let to = &mut out[panel..][..A_K_STRIDE];
                // A whole line when the row has it: values beyond the panel's rows are there but not read.
                match row[i..].first_chunk::<A_K_STRIDE>() {
                    Some(line) => to.copy_from_slice(line),
                    None => {
                        let rest = mr.min(i0 + height - i);
                        to[..rest].copy_from_slice(&row[i..i + rest]);
                    }
                }
                i += mr;
                panel += A_PANEL_STRIDE;
            }
        }
    }
}

/// Where the micro-kernel finds row r and term p of a packed block of A: the strides for its rows and terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ALayout {
    /// `[row][k]`, stride [`A_ROW_STRIDE`].
    RowMajor,
    /// Panels of `mr` rows, each `[k][A_K_STRIDE]`, at a stride of A_PANEL_STRIDE.
    KMajor,
}

impl ALayout {
    pub(super) fn of(a: &Lhs<&[f32]>) -> Self {
        match a {
            Lhs::Rows(_) => ALayout::RowMajor,
            Lhs::Transposed(_) => ALayout::KMajor,
        }
    }

    /// Values that a packed block of `rows` rows takes, in panels of `mr`.
    pub(super) fn block_len(self, rows: usize, mr: usize) -> usize {
        match self {
            ALayout::RowMajor => rows * A_ROW_STRIDE,
            ALayout::KMajor => rows.div_ceil(mr) * A_PANEL_STRIDE,
        }
    }

    /// Where the panel beginning at row `i` (a multiple of `mr`) begins in the block.
    pub(super) fn panel_offset(self, i: usize, mr: usize) -> usize {
        match self {
            ALayout::RowMajor => i * A_ROW_STRIDE,
            ALayout::KMajor => i / mr * A_PANEL_STRIDE,
        }
    }
}

/// Packs rows `rows` and terms `ks` (at most KC) of A, of shape (M, K), into `out`.
pub(super) fn pack_block(
    a: Lhs<&[f32]>,
    (m, k): (usize, usize),
    rows: std::ops::Range<usize>,
    ks: std::ops::Range<usize>,
    mr: usize,
    out: &mut [f32],
) {
    match a {
        Lhs::Rows(a) => {
            for (i, out) in rows.zip(out.chunks_exact_mut(A_ROW_STRIDE)) {
                out[..ks.len()].copy_from_slice(&a[i * k + ks.start..i * k + ks.end]);
            }
        }
        Lhs::Transposed(a) => pack_block_transposed(a, m, rows.start, rows.len(), ks.start, ks.len(), mr, out),
    }
}
