//! Sums over a row in the order that every backend follows: 32 virtual lanes, then a butterfly.
//!
//! Lane `l` adds elements `l, l + 32, l + 64, ...` in that order, starting from zero; then lane `l` takes lane `l + 16`
//! in, then `l + 8`, `l + 4`, `l + 2`, `l + 1`. That is two registers with AVX-512, four with AVX2 and one warp on a GPU.

use std::ops::Add;

/// The number of virtual lanes: the width of a warp.
pub const LANES: usize = 32;

/// One partial sum a lane.
pub type Lanes = [f32; LANES];

/// Adds the lanes in butterfly order: 16, 8, 4, 2, 1.
#[inline(always)]
pub fn butterfly<T: Copy + Add<Output = T>>(lanes: [T; LANES]) -> T {
    fold(lanes, |a, b| a + b)
}

/// The largest of the lanes. Not for NaN.
#[inline(always)]
pub fn max(lanes: Lanes) -> f32 {
    // This comparison, unlike f32::max, is one instruction.
    fold(lanes, |a, b| if b > a { b } else { a })
}

/// Lane l takes lane l + 16 in, then l + 8, and so on.
#[inline(always)]
fn fold<T: Copy>(mut lanes: [T; LANES], take_in: impl Fn(T, T) -> T) -> T {
    let mut width = LANES / 2;
    while width > 0 {
        for l in 0..width {
            lanes[l] = take_in(lanes[l], lanes[l + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// Calls `each(l, i)` for every element `i < len` with its lane `l = i % 32`, a full group of lanes at a time, so that the
/// inner loop has a constant length and vectorises.
#[inline(always)]
pub fn for_each(len: usize, mut each: impl FnMut(usize, usize)) {
    let full = len / LANES * LANES;
    let mut start = 0;
    while start < full {
        for l in 0..LANES {
            each(l, start + l);
        }
        start += LANES;
    }
    for l in 0..len - full {
        each(l, full + l);
    }
}

/// `sum_i x[i]` in lane order.
#[inline(always)]
pub fn sum(x: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES];
    let (groups, tail) = x.as_chunks::<LANES>();
    for group in groups {
        for l in 0..LANES {
            lanes[l] += group[l];
        }
    }
    for (lane, &v) in lanes.iter_mut().zip(tail) {
        *lane += v;
    }
    butterfly(lanes)
}

/// `sum_i x[i] * y[i]`, each lane a chain of fused multiply-adds. The slices have one length.
#[inline(always)]
pub fn dot(x: &[f32], y: &[f32]) -> f32 {
    debug_assert_eq!(x.len(), y.len());
    let mut lanes = [0.0f32; LANES];
    let (xs, x_tail) = x.as_chunks::<LANES>();
    let (ys, y_tail) = y.as_chunks::<LANES>();
    for (a, b) in xs.iter().zip(ys) {
        for l in 0..LANES {
            lanes[l] = a[l].mul_add(b[l], lanes[l]);
        }
    }
    for (l, (&a, &b)) in x_tail.iter().zip(y_tail).enumerate() {
        lanes[l] = a.mul_add(b, lanes[l]);
    }
    butterfly(lanes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_lanes_then_butterfly() {
        // Written out by index, without chunks: what a warp would do.
        for len in [0, 1, 5, 31, 32, 33, 64, 100, 257] {
            let x: Vec<f32> = (0..len).map(|i| ((i * 2_654_435_761usize) % 1000) as f32 * 1.37e-3 - 0.4).collect();
            let mut lanes = [0.0f32; 32];
            for (i, &v) in x.iter().enumerate() {
                lanes[i % 32] += v;
            }
            for width in [16, 8, 4, 2, 1] {
                let old = lanes;
                for l in 0..32 {
                    lanes[l] = old[l] + old[l ^ width];
                }
            }
            assert_eq!(sum(&x).to_bits(), lanes[0].to_bits(), "len {len}");
        }
    }

    #[test]
    fn max_finds_the_largest_wherever_it_is() {
        for at in 0..LANES {
            let mut lanes: Lanes = std::array::from_fn(|l| -(l as f32) - 2.0);
            lanes[at] = -1.0;
            assert_eq!(max(lanes), -1.0, "lane {at}");
        }
        assert_eq!(max([f32::NEG_INFINITY; LANES]), f32::NEG_INFINITY);
    }

    #[test]
    fn for_each_visits_every_element_once_in_its_lane() {
        for len in [0, 1, 31, 32, 33, 95] {
            let mut seen = vec![0; len];
            for_each(len, |l, i| {
                assert_eq!(l, i % LANES);
                seen[i] += 1;
            });
            assert!(seen.iter().all(|&n| n == 1), "len {len}");
        }
    }
}
