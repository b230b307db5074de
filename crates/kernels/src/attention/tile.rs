//! Small matrix products in registers, and the packing that feeds them.
//!
//! A tile is MR rows of NR sums. Each sum is one ascending chain of fused multiply-adds, whatever MR and NR are, so an
//! instruction set may choose them for its registers: 8 x 32 (16 of 32 registers) with AVX-512, 4 x 16 (8 of 16) else.

use super::Rows;
use crate::isa::{Isa, active};
use std::ops::Range;

/// The left operand of a tile: term `p` of row `r` is `data[p * term_stride + r * row_stride]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'a> {
    pub data: &'a [f32],
    pub row_stride: usize,
    pub term_stride: usize,
}

/// The right operand: term `p` of column `l` is `data[p * stride + l]`.
#[derive(Clone, Copy)]
pub(super) struct Right<'a> {
    pub data: &'a [f32],
    pub stride: usize,
}

/// A tile in memory: row r is `data[r * stride ..]`, NR values.
pub(super) struct Out<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
}

/// `out[r][l] = sum_p left[r][p] * right[p][l]` over `terms`, ascending, from zero or, with `go_on`, from what is there.
pub(super) fn product<const MR: usize, const NR: usize>(
    left: Left<'_>,
    right: Right<'_>,
    terms: Range<usize>,
    go_on: bool,
    out: Out<'_>,
) {
    product_where::<MR, NR>(left, right, terms, |_| 0..MR, go_on, out);
}

/// [`product`] going on with the terms from `first` on, of which term `first + t` belongs to the rows `rows[t]` alone: the
/// ragged edge of a causal mask.
pub(super) fn product_ragged<const MR: usize, const NR: usize>(
    left: Left<'_>,
    right: Right<'_>,
    first: usize,
    rows: &[Range<usize>],
    out: Out<'_>,
) {
    product_where::<MR, NR>(left, right, first..first + rows.len(), |p| rows[p - first].clone(), true, out);
}

/// [`product`] where term p belongs to the rows `rows(p)` alone.
///
/// With intrinsics: left to itself the compiler vectorises some of these loop nests and spoils others.
#[inline(always)]
fn product_where<const MR: usize, const NR: usize>(
    left: Left<'_>,
    right: Right<'_>,
    terms: Range<usize>,
    rows: impl Fn(usize) -> Range<usize> + Copy,
    go_on: bool,
    out: Out<'_>,
) {
    if let Some(last) = terms.clone().last() {
        assert!(left.data.len() > last * left.term_stride + (MR - 1) * left.row_stride);
        assert!(right.data.len() >= last * right.stride + NR);
    }
    assert!(out.data.len() >= (MR - 1) * out.stride + NR);
    #[cfg(target_arch = "x86_64")]
    match active() {
        // SAFETY: the processor has AVX-512 F, as `active` says; by the assertions the operands hold the terms of MR x NR =
        // MR x 32 sums, and `out` those sums.
        Isa::Avx512 if NR == 32 => return unsafe { x86::avx512::<MR>(left, right, terms, rows, go_on, out) },
        Isa::Avx512 | Isa::Avx2 if NR.is_multiple_of(16) => {
            for l in (0..NR).step_by(16) {
                let out = Out { data: &mut *out.data, stride: out.stride };
                // SAFETY: the same for AVX2 and FMA (which AVX-512 implies here), 16 of the NR columns at a time.
                unsafe { x86::avx2::<MR>(left, right, terms.clone(), rows, go_on, out, l) };
            }
            return;
        }
        _ => {}
    }
    for r in 0..MR {
        let row = out.data[r * out.stride..].first_chunk_mut::<NR>().expect("a row of the tile");
        let mut sums = if go_on { *row } else { [0.0; NR] };
        for p in terms.clone().filter(|&p| rows(p).contains(&r)) {
            let a = left.data[p * left.term_stride + r * left.row_stride];
            let b = right.data[p * right.stride..].first_chunk::<NR>().expect("a row of the right operand");
            for l in 0..NR {
                sums[l] = a.mul_add(b[l], sums[l]);
            }
        }
        *row = sums;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Left, Out, Right};
    use std::{arch::x86_64::*, ops::Range};

    /// MR x 32 sums: 2 MR registers of 32.
    ///
    /// # Safety
    /// The processor has AVX-512 F. The operands hold `terms` of MR rows and 32 columns, `out` MR rows of 32.
    /// Term p belongs to the rows `rows(p)` alone.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512<const MR: usize>(
        left: Left<'_>,
        right: Right<'_>,
        terms: Range<usize>,
        rows: impl Fn(usize) -> Range<usize>,
        go_on: bool,
        out: Out<'_>,
    ) {
        let mut sums = [[_mm512_setzero_ps(); 2]; MR];
        let out_row = out.data.as_mut_ptr();
        // SAFETY: every index is one of those that the caller vouches for.
        unsafe {
            if go_on {
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = out_row.add(r * out.stride);
                    *sums = [_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(16))];
                }
            }
            for p in terms {
                let a = left.data.as_ptr().add(p * left.term_stride);
                let b = right.data.as_ptr().add(p * right.stride);
                let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                let rows = rows(p);
                for (r, sums) in sums.iter_mut().enumerate() {
                    if rows.start <= r && r < rows.end {
                        let a = _mm512_set1_ps(*a.add(r * left.row_stride));
                        *sums = [_mm512_fmadd_ps(a, b0, sums[0]), _mm512_fmadd_ps(a, b1, sums[1])];
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                let row = out_row.add(r * out.stride);
                _mm512_storeu_ps(row, sums[0]);
                _mm512_storeu_ps(row.add(16), sums[1]);
            }
        }
    }

    /// MR x 16 sums of the columns from `l` on: 2 MR registers of 16.
    ///
    /// # Safety
    /// The processor has AVX2 and FMA. The operands hold `terms` of MR rows and l + 16 columns, `out` MR such rows.
    /// Term p belongs to the rows `rows(p)` alone.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2<const MR: usize>(
        left: Left<'_>,
        right: Right<'_>,
        terms: Range<usize>,
        rows: impl Fn(usize) -> Range<usize>,
        go_on: bool,
        out: Out<'_>,
        l: usize,
    ) {
        let mut sums = [[_mm256_setzero_ps(); 2]; MR];
        let out_row = out.data.as_mut_ptr();
        // SAFETY: every index is one of those that the caller vouches for.
        unsafe {
            if go_on {
                for (r, sums) in sums.iter_mut().enumerate() {
                    let row = out_row.add(r * out.stride + l);
                    *sums = [_mm256_loadu_ps(row), _mm256_loadu_ps(row.add(8))];
                }
            }
            for p in terms {
                let a = left.data.as_ptr().add(p * left.term_stride);
                let b = right.data.as_ptr().add(p * right.stride + l);
                let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                let rows = rows(p);
                for (r, sums) in sums.iter_mut().enumerate() {
                    if rows.start <= r && r < rows.end {
                        let a = _mm256_set1_ps(*a.add(r * left.row_stride));
                        *sums = [_mm256_fmadd_ps(a, b0, sums[0]), _mm256_fmadd_ps(a, b1, sums[1])];
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                let row = out_row.add(r * out.stride + l);
                _mm256_storeu_ps(row, sums[0]);
                _mm256_storeu_ps(row.add(8), sums[1]);
            }
        }
    }
}

/// Copies `n` rows of one head, `hs` values each, to rows of `width` values, zeros behind them.
pub(super) fn pack_rows(
    src: Rows<'_>,
    first: usize,
    n: usize,
    column: usize,
    hs: usize,
    width: usize,
    dst: &mut [f32],
) {
    for (r, dst) in dst.chunks_exact_mut(width).take(n).enumerate() {
        let src = src.part(first + r, column, hs);
        let (values, rest) = dst.split_at_mut(hs);
        // Sixteen at a time in line: a call of memcpy costs more than a row this short.
        let ((to, to_rest), (from, from_rest)) = (values.as_chunks_mut::<16>(), src.as_chunks::<16>());
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
        for (to, from) in to_rest.iter_mut().zip(from_rest) {
            *to = *from;
        }
        if !rest.is_empty() {
            rest.fill(0.0);
        }
    }
}

/// Transposes `n` rows of one head into panels of NR rows each: value `d` of row `j` goes to
/// `dst[j / NR * hs * NR + d * NR + j % NR]`; the last panel's missing rows become zeros.
pub(super) fn pack_transposed<const NR: usize>(
    src: Rows<'_>,
    first: usize,
    n: usize,
    column: usize,
    hs: usize,
    dst: &mut [f32],
) {
    for (panel, dst) in dst.chunks_exact_mut(hs * NR).take(n.div_ceil(NR)).enumerate() {
        let start = panel * NR;
        let rows = NR.min(n - start);
        let src = src.from(first + start, column, rows, hs);
        #[cfg(target_arch = "x86_64")]
        let (r8, d8) = if active() >= Isa::Avx2 { (rows / 8 * 8, hs / 8 * 8) } else { (0, 0) };
        #[cfg(not(target_arch = "x86_64"))]
        let (r8, d8) = (0, 0);
        #[cfg(target_arch = "x86_64")]
        if r8 > 0 && d8 > 0 {
            assert!(src.data.len() >= (r8 - 1) * src.stride + d8 && dst.len() >= (d8 - 1) * NR + r8);
            // SAFETY: the instruction set in use, which this processor has, includes AVX2; r8 rows of d8 values lie within
            // `src`, and d8 rows of r8 values, NR apart, within `dst`, by the assertion.
            unsafe { transpose_avx2(src.data.as_ptr(), src.stride, r8, d8, dst.as_mut_ptr(), NR) };
        }
        for r in 0..rows {
            let row = &src.data[r * src.stride..][..hs];
            for d in if r < r8 { d8 } else { 0 }..hs {
                dst[d * NR + r] = row[d];
            }
        }
        if rows < NR {
            for dst in dst.chunks_exact_mut(NR) {
                for missing in &mut dst[rows..] {
                    *missing = 0.0;
                }
            }
        }
    }
}

/// Transposes `rows` x `columns` values, both multiples of 8, from rows `src_stride` apart to rows `dst_stride` apart.
///
/// # Safety
/// The processor has AVX2; `src` is valid for reads of `rows` rows of `columns` values, `dst` for writes of the reverse.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn transpose_avx2(
    src: *const f32,
    src_stride: usize,
    rows: usize,
    columns: usize,
    dst: *mut f32,
    dst_stride: usize,
) {
    use std::arch::x86_64::*;
    for j in (0..rows).step_by(8) {
        // Four columns at a time: rows 0 to 3 beside rows 4 to 7, so that a 4 x 4 transposition within lanes does all.
        for d in (0..columns).step_by(4) {
            let load = |r: usize| {
                // SAFETY: four values from column d of rows j + r and j + r + 4, within what the caller vouches for.
                let (low, high) = unsafe {
                    let at = src.add((j + r) * src_stride + d);
                    (_mm_loadu_ps(at), _mm_loadu_ps(at.add(4 * src_stride)))
                };
                _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(low), high)
            };
            let (r0, r1, r2, r3) = (load(0), load(1), load(2), load(3));
            let (a, b) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (e, f) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            // SAFETY: eight values from column j of rows d to d + 3, as the caller vouches.
            unsafe {
                let to = dst.add(d * dst_stride + j);
                _mm256_storeu_ps(to, _mm256_shuffle_ps::<0x44>(a, e));
                _mm256_storeu_ps(to.add(dst_stride), _mm256_shuffle_ps::<0xee>(a, e));
                _mm256_storeu_ps(to.add(2 * dst_stride), _mm256_shuffle_ps::<0x44>(b, f));
                _mm256_storeu_ps(to.add(3 * dst_stride), _mm256_shuffle_ps::<0xee>(b, f));
            }
        }
    }
}
