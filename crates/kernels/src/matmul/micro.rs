//! Micro-kernels: a tile of C in registers, one fused multiply-add a term and element.

use super::pack::{A_K_STRIDE, A_ROW_STRIDE, ALayout, NR};
use crate::isa::{Isa, active, multi_isa};

/// The operands of one tile.
pub(super) struct Tile<'a> {
    /// Rows, 1 to the kernel's `mr`.
    pub height: usize,
    /// Columns, 1 to NR.
    pub width: usize,
    /// Terms.
    pub k: usize,
    /// The packed rows of A.
    pub a: &'a [f32],
    /// How they are packed.
    pub layout: ALayout,
    /// The packed panel of B.
    pub b: &'a [f32],
    /// Whether the sums start from zero instead of C.
    pub from_zero: bool,
}

/// The micro-kernel of an instruction set.
pub(super) struct Kernel {
    isa: Isa,
    /// The most rows of a tile.
    pub mr: usize,
}

impl Kernel {
    /// The one for the instruction set in use.
    pub(super) fn active() -> Self {
        let isa = active();
        // AVX-512: 14 x 2 registers of sums, two of B, one of A, of 32. AVX2: 6 x 2, two, one, of 16 (two halves of a panel).
        let mr = match isa {
            Isa::Avx512 => 14,
            Isa::Avx2 => 6,
            Isa::Portable => 4,
        };
        Kernel { isa, mr }
    }

    /// Adds the tile's products to C, whose rows are `ldc` apart.
    ///
    /// # Safety
    /// `c` is the first of `tile.height` rows of `tile.width` elements, `ldc` apart, valid for reads and writes and used by
    /// nothing else meanwhile.
    pub(super) unsafe fn run(&self, tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        let (row_stride, k_stride) = match tile.layout {
            ALayout::RowMajor => (A_ROW_STRIDE, 1),
            ALayout::KMajor => (1, A_K_STRIDE),
        };
        assert!(tile.height >= 1 && tile.height <= self.mr && tile.width >= 1 && tile.width <= NR);
        assert!(tile.b.len() >= tile.k * NR);
        assert!(tile.k == 0 || tile.a.len() > (tile.height - 1) * row_stride + (tile.k - 1) * k_stride);
        if tile.width == NR {
            // SAFETY: the asserts above, and the caller's promise for C.
            return unsafe { self.dispatch(tile, c, ldc) };
        }
        // A narrow tile goes through a full one on the stack; the panel of B is zero beyond its columns.
        let mut full = [0.0f32; 16 * NR];
        for r in 0..tile.height {
            // SAFETY: row r of the tile, as the caller promises.
            let row = unsafe { std::slice::from_raw_parts(c.add(r * ldc), tile.width) };
            full[r * NR..][..tile.width].copy_from_slice(row);
        }
        // SAFETY: `full` has 16 rows of NR elements, at least `height`, and is ours.
        unsafe { self.dispatch(tile, full.as_mut_ptr(), NR) };
        for r in 0..tile.height {
            // SAFETY: as above.
            let row = unsafe { std::slice::from_raw_parts_mut(c.add(r * ldc), tile.width) };
            row.copy_from_slice(&full[r * NR..][..tile.width]);
        }
    }

    /// # Safety
    /// As [`Kernel::run`], with NR columns; `tile.a` and `tile.b` hold what its height, layout and k say.
    unsafe fn dispatch(&self, tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        #[cfg(target_arch = "x86_64")]
        match self.isa {
            // SAFETY: `active` reported AVX-512 F, so it is there; the rest is the caller's promise.
            Isa::Avx512 => return unsafe { x86::avx512(tile, c, ldc) },
            // SAFETY: the same for AVX2 and FMA.
            Isa::Avx2 => return unsafe { x86::avx2(tile, c, ldc) },
            Isa::Portable => {}
        }
        debug_assert_eq!(self.isa, Isa::Portable);
        // SAFETY: the caller's promise.
        unsafe { portable(tile, c, ldc) }
    }
}

/// Any target: the compiler vectorises the inner loop where fused multiply-adds are part of the target.
///
/// # Safety
/// As `Kernel::dispatch`.
unsafe fn portable(tile: &Tile<'_>, c: *mut f32, ldc: usize) {
    let (row_stride, k_stride) = match tile.layout {
        ALayout::RowMajor => (A_ROW_STRIDE, 1),
        ALayout::KMajor => (1, A_K_STRIDE),
    };
    for r in 0..tile.height {
        // SAFETY: row r of the tile has NR elements, as the caller promises.
        let row = unsafe { &mut *c.add(r * ldc).cast::<[f32; NR]>() };
        let mut acc = if tile.from_zero { [0.0; NR] } else { *row };
        for (p, b) in tile.b.as_chunks::<NR>().0[..tile.k].iter().enumerate() {
            let a = tile.a[r * row_stride + p * k_stride];
            for j in 0..NR {
                acc[j] = a.mul_add(b[j], acc[j]);
            }
        }
        *row = acc;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{A_K_STRIDE, A_ROW_STRIDE, ALayout, NR, Tile};
    use std::arch::x86_64::*;

    /// Calls `$kernel::<ROWS, ROW_STRIDE, K_STRIDE>` for the tile's height, one of those listed, and layout.
    macro_rules! by_height {
        ($kernel:ident, $tile:ident, $c:ident, $ldc:ident, $($rows:literal)*) => {
            match ($tile.layout, $tile.height) {
                // SAFETY: the caller's promise, handed on.
                $((ALayout::RowMajor, $rows) => unsafe { $kernel::<$rows, A_ROW_STRIDE, 1>($tile, $c, $ldc) },)*
                // SAFETY: the same.
                $((ALayout::KMajor, $rows) => unsafe { $kernel::<$rows, 1, A_K_STRIDE>($tile, $c, $ldc) },)*
                _ => unreachable!("heights were checked"),
            }
        };
    }

    /// # Safety
    /// The processor has AVX-512 F; the rest as `Kernel::dispatch`.
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn avx512(tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        by_height!(avx512_rows, tile, c, ldc, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    #[target_feature(enable = "avx512f")]
    unsafe fn avx512_rows<const M: usize, const RS: usize, const KS: usize>(tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        let mut acc = [[_mm512_setzero_ps(); 2]; M];
        // SAFETY: C has M rows of 32 elements, ldc apart; the panel of B has k rows of 32, A its M rows of k terms at the
        // strides RS and KS: all checked by `Kernel::run`.
        unsafe {
            for (r, acc) in acc.iter_mut().enumerate() {
                let row = c.add(r * ldc);
                _mm_prefetch::<_MM_HINT_T0>(row.cast());
                _mm_prefetch::<_MM_HINT_T0>(row.add(16).cast());
                if !tile.from_zero {
                    *acc = [_mm512_loadu_ps(row), _mm512_loadu_ps(row.add(16))];
                }
            }
            let (mut a, mut b) = (tile.a.as_ptr(), tile.b.as_ptr());
            for _ in 0..tile.k {
                let (b0, b1) = (_mm512_loadu_ps(b), _mm512_loadu_ps(b.add(16)));
                for (r, acc) in acc.iter_mut().enumerate() {
                    let x = _mm512_set1_ps(*a.add(r * RS));
                    acc[0] = _mm512_fmadd_ps(x, b0, acc[0]);
                    acc[1] = _mm512_fmadd_ps(x, b1, acc[1]);
                }
                a = a.add(KS);
                b = b.add(NR);
            }
            for (r, acc) in acc.iter().enumerate() {
                let row = c.add(r * ldc);
                _mm512_storeu_ps(row, acc[0]);
                _mm512_storeu_ps(row.add(16), acc[1]);
            }
        }
    }

    /// # Safety
    /// The processor has AVX2 and FMA; the rest as `Kernel::dispatch`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn avx2(tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        by_height!(avx2_rows, tile, c, ldc, 1 2 3 4 5 6)
    }

    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2_rows<const M: usize, const RS: usize, const KS: usize>(tile: &Tile<'_>, c: *mut f32, ldc: usize) {
        for half in [0, 16] {
            let mut acc = [[_mm256_setzero_ps(); 2]; M];
            // SAFETY: as in `avx512_rows`, for 16 of the 32 columns at a time.
            unsafe {
                for (r, acc) in acc.iter_mut().enumerate() {
                    let row = c.add(r * ldc + half);
                    _mm_prefetch::<_MM_HINT_T0>(row.cast());
                    if !tile.from_zero {
                        *acc = [_mm256_loadu_ps(row), _mm256_loadu_ps(row.add(8))];
                    }
                }
                let (mut a, mut b) = (tile.a.as_ptr(), tile.b.as_ptr().add(half));
                for _ in 0..tile.k {
                    let (b0, b1) = (_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8)));
                    for (r, acc) in acc.iter_mut().enumerate() {
                        let x = _mm256_set1_ps(*a.add(r * RS));
                        acc[0] = _mm256_fmadd_ps(x, b0, acc[0]);
                        acc[1] = _mm256_fmadd_ps(x, b1, acc[1]);
                    }
                    a = a.wrapping_add(KS);
                    b = b.wrapping_add(NR);
                }
                for (r, acc) in acc.iter().enumerate() {
                    let row = c.add(r * ldc + half);
                    _mm256_storeu_ps(row, acc[0]);
                    _mm256_storeu_ps(row.add(8), acc[1]);
                }
            }
        }
    }

    /// Transposes 8 rows of 8, `lds` apart, into 8 rows `ldd` apart.
    ///
    /// # Safety
    /// The processor has AVX2; both blocks are valid.
    #[target_feature(enable = "avx2")]
    pub(super) unsafe fn transpose_8x8(src: *const f32, lds: usize, dst: *mut f32, ldd: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let r: [__m256; 8] = std::array::from_fn(|i| _mm256_loadu_ps(src.add(i * lds)));
            let t: [__m256; 8] = [
                _mm256_unpacklo_ps(r[0], r[1]),
                _mm256_unpackhi_ps(r[0], r[1]),
                _mm256_unpacklo_ps(r[2], r[3]),
                _mm256_unpackhi_ps(r[2], r[3]),
                _mm256_unpacklo_ps(r[4], r[5]),
                _mm256_unpackhi_ps(r[4], r[5]),
                _mm256_unpacklo_ps(r[6], r[7]),
                _mm256_unpackhi_ps(r[6], r[7]),
            ];
            let u: [__m256; 8] = [
                _mm256_shuffle_ps::<0x44>(t[0], t[2]),
                _mm256_shuffle_ps::<0xee>(t[0], t[2]),
                _mm256_shuffle_ps::<0x44>(t[1], t[3]),
                _mm256_shuffle_ps::<0xee>(t[1], t[3]),
                _mm256_shuffle_ps::<0x44>(t[4], t[6]),
                _mm256_shuffle_ps::<0xee>(t[4], t[6]),
                _mm256_shuffle_ps::<0x44>(t[5], t[7]),
                _mm256_shuffle_ps::<0xee>(t[5], t[7]),
            ];
            for i in 0..4 {
                _mm256_storeu_ps(dst.add(i * ldd), _mm256_permute2f128_ps::<0x20>(u[i], u[i + 4]));
                _mm256_storeu_ps(dst.add((i + 4) * ldd), _mm256_permute2f128_ps::<0x31>(u[i], u[i + 4]));
            }
        }
    }
}

/// `dst[c * ldd + r] = src[r * lds + c]` for `rows` x `columns` elements of `src`.
pub(super) fn transpose(src: &[f32], lds: usize, rows: usize, columns: usize, dst: &mut [f32], ldd: usize) {
    if rows == 0 || columns == 0 {
        return;
    }
    assert!(src.len() >= (rows - 1) * lds + columns && dst.len() >= (columns - 1) * ldd + rows);
    #[cfg(target_arch = "x86_64")]
    let (r8, c8) = if active() >= Isa::Avx2 { (rows / 8 * 8, columns / 8 * 8) } else { (0, 0) };
    #[cfg(not(target_arch = "x86_64"))]
    let (r8, c8) = (0, 0);
    #[cfg(target_arch = "x86_64")]
    for c in (0..c8).step_by(8) {
        for r in (0..r8).step_by(8) {
            // SAFETY: AVX2 is there, as `active` says; rows r..r + 8 and columns c..c + 8 are within `src`, and
            // transposed within `dst`, by the assertion above.
            unsafe {
                x86::transpose_8x8(src.as_ptr().add(r * lds + c), lds, dst.as_mut_ptr().add(c * ldd + r), ldd);
            }
        }
    }
    for r in 0..rows {
        let from = if r < r8 { c8 } else { 0 };
        for c in from..columns {
            dst[c * ldd + r] = src[r * lds + c];
        }
    }
}

multi_isa! {
    /// `row[j] + bias[j]`.
    pub(super) fn add_bias(row: &mut [f32], bias: &[f32]) {
        for (c, b) in row.iter_mut().zip(bias) {
            *c += b;
        }
    }
}

multi_isa! {
    /// `max(row[j] + bias[j], 0)`, NaN for NaN.
    pub(super) fn add_bias_relu(row: &mut [f32], bias: &[f32]) {
        for (c, b) in row.iter_mut().zip(bias) {
            let y = *c + b;
            // Not `max`, which would turn NaN into 0.
            *c = if y <= 0.0 { 0.0 } else { y };
        }
    }
}

multi_isa! {
    /// `row[j] * scale` where the activation is positive, else 0; a NaN activation leaves NaN.
    pub(super) fn relu_gradient(row: &mut [f32], activation: &[f32], scale: f32) {
        for (c, h) in row.iter_mut().zip(activation) {
            *c = if *h <= 0.0 { 0.0 } else { *c * scale };
        }
    }
}
