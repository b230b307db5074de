//! The tests that a row of 32 addresses has to pass, without a branch a lane.

use crate::lanes::{ALL, LANES, Mask, Row, lanes};

/// All bits set in the lanes of a mask, none in the others.
#[inline(always)]
fn select(mask: Mask, lane: usize) -> u64 {
    u64::from(mask >> lane & 1).wrapping_neg()
}

/// A range of addresses that all lanes should be in, and what its first is on the host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) base: u64,
    pub(super) bytes: u64,
    pub(super) pointer: *mut u8,
}

impl Span {
    pub(super) fn holds(&self, address: u64) -> bool {
        address.wrapping_sub(self.base) < self.bytes
    }

    /// The pointer of one address; `None` where an access of `bytes` there is not all inside, or misaligned.
    #[inline]
    pub(super) fn pointer(&self, address: u64, bytes: u32) -> Option<*mut u8> {
        let offset = address.wrapping_sub(self.base);
        let inside = offset < self.bytes && u64::from(bytes) <= self.bytes - offset;
        (inside && address & u64::from(bytes - 1) == 0).then(|| self.pointer.wrapping_add(offset as usize))
    }

    /// Makes pointers of addresses that all lie in the span with `bytes` each, and are multiples of `bytes`; `false`
    /// where one does not. Lanes outside of `mask` get the pointer of the first lane in it; there must be one.
    #[inline]
    pub(super) fn pointers(&self, addresses: &Row<u64>, mask: Mask, bytes: u32, to: &mut Row<*mut u8>) -> bool {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2.
            return unsafe { self.pointers_avx2(addresses, mask, bytes, to) };
        }
        self.pointers_portable(addresses, mask, bytes, to)
    }

    #[inline(always)]
    pub(super) fn pointers_portable(
        &self,
        addresses: &Row<u64>,
        mask: Mask,
        bytes: u32,
        to: &mut Row<*mut u8>,
    ) -> bool {
        // With both below 2^63, `offset <= limit` is that neither `offset` nor `limit - offset` has the highest bit.
        let Some(limit) = self.bytes.checked_sub(u64::from(bytes)) else { return false };
        let first = addresses.0[mask.trailing_zeros() as usize % LANES];
        let (mut outside, mut low) = (limit, 0);
        for lane in 0..LANES {
            let active = select(mask, lane);
            let address = addresses.0[lane] & active | first & !active;
            let offset = address.wrapping_sub(self.base);
            outside |= offset | limit.wrapping_sub(offset);
            low |= address;
            to.0[lane] = self.pointer.wrapping_add(offset as usize);
        }
        (outside as i64) >= 0 && low & u64::from(bytes - 1) == 0
    }

    /// The same by hand: the compiler unrolls the loop above before it looks for vectors in it. The pointers are stored
    /// as integers, hence without provenance, which [`access`](super::access) gives them.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn pointers_avx2(&self, addresses: &Row<u64>, mask: Mask, bytes: u32, to: &mut Row<*mut u8>) -> bool {
        use std::arch::x86_64::{
            __m256i, _mm256_add_epi64, _mm256_and_si256, _mm256_blendv_epi8, _mm256_castsi256_pd, _mm256_cmpeq_epi64,
            _mm256_load_si256, _mm256_movemask_pd, _mm256_or_si256, _mm256_set_epi64x, _mm256_set1_epi64x,
            _mm256_setzero_si256, _mm256_store_si256, _mm256_sub_epi64, _mm256_testz_si256,
        };
        let splat = |value: u64| _mm256_set1_epi64x(value as i64);
        let Some(limit) = self.bytes.checked_sub(u64::from(bytes)) else { return false };
        let (base, limit) = (splat(self.base), splat(limit));
        let pointer = splat(self.pointer.addr() as u64);
        let first = splat(addresses.0[mask.trailing_zeros() as usize % LANES]);
        let (mut outside, mut low) = (limit, _mm256_setzero_si256());
        let bits = _mm256_set_epi64x(8, 4, 2, 1);
        for four in 0..LANES / 4 {
            // SAFETY: a row is 32 values of 8 bytes, aligned to 64; `four` is less than 8.
            let mut address = unsafe { _mm256_load_si256(addresses.0.as_ptr().cast::<__m256i>().add(four)) };
            if mask != ALL {
                let active = _mm256_and_si256(splat(u64::from(mask >> (four * 4))), bits);
                address = _mm256_blendv_epi8(first, address, _mm256_cmpeq_epi64(active, bits));
            }
            let offset = _mm256_sub_epi64(address, base);
            outside = _mm256_or_si256(outside, _mm256_or_si256(offset, _mm256_sub_epi64(limit, offset)));
            low = _mm256_or_si256(low, address);
            // SAFETY: as above; any bits make a pointer.
            unsafe {
                let to = to.0.as_mut_ptr().cast::<__m256i>().add(four);
                _mm256_store_si256(to, _mm256_add_epi64(offset, pointer));
            }
        }
        let inside = _mm256_movemask_pd(_mm256_castsi256_pd(outside)) == 0;
        inside && _mm256_testz_si256(low, splat(u64::from(bytes - 1))) == 1
    }
}

/// Where the lanes of `mask`, neighbours and in order, access one run of bytes, or all one place: its start and length.
#[inline]
pub(super) fn run(addresses: &Row<u64>, mask: Mask, bytes: u32) -> Option<(u64, u64)> {
    if mask == 0 {
        return None;
    }
    let (first, count) = (mask.trailing_zeros() as usize, mask.count_ones() as usize);
    let start = addresses.0[first];
    if mask >> first == u32::MAX >> (LANES - count) {
        let addresses = &addresses.0[first..first + count];
        let step = if count > 1 { addresses[1].wrapping_sub(start) } else { 0 };
        let on_end = step == u64::from(bytes);
        // An early end: most requests that are no run differ at once.
        let regular = (step == 0 || on_end) && addresses.windows(2).all(|pair| pair[1].wrapping_sub(pair[0]) == step);
        return regular.then_some((start, if on_end { count as u64 * u64::from(bytes) } else { u64::from(bytes) }));
    }
    lanes(mask).all(|lane| addresses.0[lane] == start).then_some((start, u64::from(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of addresses in and around a span, some of them regular.
    fn rows() -> impl Iterator<Item = (Row<u64>, Mask, u32)> {
        let mut state = 7u64;
        let mut random = move |bound: u64| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 33) % bound
        };
        (0..50_000).map(move |_| {
            let bytes = 1 << random(6);
            let start = 0x1000 + random(0x400) / bytes * bytes;
            let step = [0, bytes, bytes, 2 * bytes, 0u64.wrapping_sub(bytes)][random(5) as usize];
            let mut row = Row(std::array::from_fn(|lane| start.wrapping_add(step.wrapping_mul(lane as u64))));
            for _ in 0..random(3) {
                row.0[random(32) as usize] = [random(0x2000), u64::MAX - random(64), 1 << 63][random(3) as usize];
            }
            let run = (u32::MAX >> random(32)) << random(32);
            let some = random(1 << 31) as u32 | 1 << random(32);
            (row, [u32::MAX, run | 1 << 31, some][random(3) as usize], bytes as u32)
        })
    }

    #[test]
    fn every_way_finds_the_same_pointers() {
        let span = Span { base: 0x1000, bytes: 0x5f8, pointer: std::ptr::without_provenance_mut(0x7000_0000) };
        let (mut good, mut bad) = (0, 0);
        for (row, mask, bytes) in rows() {
            let inside = |address: u64| {
                (0x1000..=0x15f8 - u64::from(bytes)).contains(&address) && address.is_multiple_of(u64::from(bytes))
            };
            let expected = lanes(mask).all(|lane| inside(row.0[lane]));
            let (mut portable, mut native) = (Row([std::ptr::null_mut(); LANES]), Row([std::ptr::null_mut(); LANES]));
            assert_eq!(span.pointers_portable(&row, mask, bytes, &mut portable), expected);
            assert_eq!(span.pointers(&row, mask, bytes, &mut native), expected);
            for lane in lanes(mask) {
                let address = inside(row.0[lane]).then(|| row.0[lane] - 0x1000 + 0x7000_0000);
                assert_eq!(span.pointer(row.0[lane], bytes).map(|pointer| pointer.addr() as u64), address);
            }
            if !expected {
                bad += 1;
                continue;
            }
            good += 1;
            let first = mask.trailing_zeros() as usize;
            for lane in 0..LANES {
                let address = row.0[if mask >> lane & 1 == 1 { lane } else { first }] - 0x1000 + 0x7000_0000;
                assert_eq!((portable.0[lane].addr() as u64, native.0[lane].addr() as u64), (address, address));
            }
        }
        assert!(good > 10_000 && bad > 10_000, "{good} {bad}");
    }

    #[test]
    fn runs_are_all_bytes_of_all_lanes() {
        let (mut found, mut none) = (0, 0);
        for (row, mask, bytes) in rows() {
            let active: Vec<(usize, u64)> = lanes(mask).map(|lane| (lane, row.0[lane])).collect();
            let (first, start) = active[0];
            let neighbours = active.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1);
            let on_end = |(lane, at): (usize, u64)| at == start.wrapping_add((lane - first) as u64 * u64::from(bytes));
            let length = if active.iter().all(|&(_, at)| at == start) {
                Some(u64::from(bytes))
            } else {
                (neighbours && active.iter().all(|&lane| on_end(lane)))
                    .then_some(active.len() as u64 * u64::from(bytes))
            };
            assert_eq!(run(&row, mask, bytes), length.map(|length| (start, length)));
            *if length.is_some() { &mut found } else { &mut none } += 1;
        }
        assert!(found > 10_000 && none > 10_000, "{found} {none}");
    }
}
