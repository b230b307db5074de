//! The sum of squares on the CPU: block sums in parallel, then added in order.

use super::BLOCK;
use crate::{
    isa::multi_isa,
    lanes::{LANES, butterfly},
};
use rayon::prelude::*;

/// Block sums held at a time: 4 Mi elements, a millisecond's work, so that the caller need not lend any memory.
pub(super) const SPAN: usize = 1024;

multi_isa! {
    fn block_sum(x: &[f32]) -> f64 {
        let mut lanes = [0.0f64; LANES];
        let (groups, tail) = x.as_chunks::<LANES>();
        for group in groups {
            for l in 0..LANES {
                let v = f64::from(group[l]);
                lanes[l] += v * v;
            }
        }
        for (lane, &v) in lanes.iter_mut().zip(tail) {
            *lane += f64::from(v) * f64::from(v);
        }
        butterfly(lanes)
    }
}

/// `sum_i x[i]^2` in the contract's order.
pub(super) fn sum_of_squares(x: &[f32]) -> f64 {
    let mut sums = [0.0; SPAN];
    let mut total = 0.0;
    for span in x.chunks(SPAN * BLOCK) {
        let sums = &mut sums[..span.len().div_ceil(BLOCK)];
        // Eight blocks a task: 128 KiB.
        span.par_chunks(BLOCK).zip(sums.par_iter_mut()).with_min_len(8).for_each(|(x, sum)| *sum = block_sum(x));
        total = sums.iter().fold(total, |total, sum| total + sum);
    }
    total
}
