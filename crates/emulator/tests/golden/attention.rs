//! Flash attention against a softmax in f64 that stores all scores.

use crate::{
    common::{Arg, Device, Random},
    format::{BF16, bf16},
    ways::{U, assert_near, same},
};

/// Columns of a head.
const D: usize = 64;

struct Case {
    heads: usize,
    t: usize,
    s: usize,
    lengths: Vec<i32>,
    causal: bool,
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
}

/// Reference values with what the kernel's f32 arithmetic may err, and for the output the mean of |v| by the weights.
struct Expected {
    o: Vec<(f64, f64, f64)>,
    lse: Vec<(f64, f64)>,
}

impl Case {
    /// With numbers that bf16 can hold.
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for (t, s, lengths) in [(1, 1, vec![1, 0]), (66, 70, vec![70, 37]), (5, 129, vec![129])] {
            for causal in [false, true] {
                let (heads, mut random) = (lengths.len(), Random(80));
                let mut numbers = |count: usize, scale: f32| -> Vec<f32> {
                    random.floats(count).iter().map(|x| BF16.value(bf16(x * scale).into()) as f32).collect()
                };
                let (q, k, v) = (numbers(heads * t * D, 4.0), numbers(heads * s * D, 2.0), numbers(heads * s * D, 1.0));
                cases.push(Self { heads, t, s, lengths: lengths.clone(), causal, q, k, v });
            }
        }
        cases
    }

    /// q, k, v, o, lse, lengths, t, s and causal.
    fn args(&self, [q, k, v]: [u64; 3], o: u64, lse: u64, device: &Device) -> [Arg; 9] {
        let lengths = device.upload(&self.lengths);
        let causal = i32::from(self.causal);
        [q, k, v, o, lse, lengths]
            .map(Arg::from)
            .into_iter()
            .chain([self.t as i32, self.s as i32, causal].map(Arg::from))
            .collect::<Vec<_>>()
            .try_into()
            .expect("nine")
    }

    /// `tile`: the keys of a step.
    fn expected(&self, tile: usize) -> Expected {
        let mut expected = Expected { o: Vec::new(), lse: Vec::new() };
        for (head, row) in (0..self.heads).flat_map(|head| (0..self.t).map(move |row| (head, row))) {
            let length = self.s.min(self.lengths[head] as usize);
            let keys = if self.causal { length.min(row + 1) } else { length };
            if keys == 0 {
                expected.o.extend([(0.0, 0.0, 0.0); D]);
                expected.lse.push((f64::NEG_INFINITY, 0.0));
                continue;
            }
            let q = &self.q[(head * self.t + row) * D..][..D];
            let k = |j: usize| &self.k[(head * self.s + j) * D..][..D];
            let dot = |k: &[f32], f: fn(f64) -> f64| {
                q.iter().zip(k).map(|(&q, &k)| f(f64::from(q) * f64::from(k))).sum::<f64>()
            };
            let scores: Vec<f64> = (0..keys).map(|j| dot(k(j), |x| x) / 8.0).collect();
            let top = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let range = top - scores.iter().copied().fold(f64::INFINITY, f64::min);
            let magnitude = (0..keys).map(|j| dot(k(j), f64::abs) / 8.0).fold(0.0, f64::max);
            let weights: Vec<f64> = scores.iter().map(|score| (score - top).exp()).collect();
            let total: f64 = weights.iter().sum();
            let steps = keys.div_ceil(tile) as f64;
            // A score is a chain of 64 roundings, and has those of the scale and of its constant. A weight errs by that,
            // by the rounding of a difference, and by ex2.approx; once more for each later step, which rescales it.
            let weight = 67.0 * U * magnitude + (1.0 + steps) * (U * range + 4.0 * U);
            // Each of o and the total is a chain over the keys, rescaled each step, and the quotient has two more.
            let sums = (keys as f64 + 4.0 * steps + 4.0) * U;
            for column in 0..D {
                let v = |j: usize| f64::from(self.v[(head * self.s + j) * D + column]);
                let mean = |f: fn(f64) -> f64| (0..keys).map(|j| weights[j] * f(v(j))).sum::<f64>() / total;
                let spread = mean(f64::abs);
                expected.o.push((mean(|v| v), 1.01 * (2.0 * weight + 2.0 * sums) * spread, spread));
            }
            // The total's error is relative and so the logarithm's absolute; log2f errs by an ulp, at most 2 U, and a
            // sum, a product and its constant by U each, relative to the largest of the terms.
            let lse = top + total.ln();
            expected.lse.push((lse, 1.01 * (weight + sums + 5.0 * U * (top.abs() + total.ln() + lse.abs()))));
        }
        expected
    }
}

#[test]
fn in_f32() {
    for case in Case::all() {
        let expected = case.expected(32);
        same(
            "attention",
            |device| {
                let (count, rows) = (case.heads * case.t * D, case.heads * case.t);
                let (o, lse) = (device.allocate::<f32>(count), device.allocate::<f32>(rows));
                let inputs = [&case.q, &case.k, &case.v].map(|x| device.upload(x));
                let grid = [case.t.div_ceil(16) as u32, case.heads as u32, 1];
                device.clean("attention_f32", grid, [128, 1, 1], 0, &case.args(inputs, o, lse, device));
                (device.download::<u32>(o, count), device.download::<u32>(lse, rows))
            },
            |(o, lse)| {
                let near: Vec<_> = expected.o.iter().map(|&(o, error, _)| (o, error)).collect();
                assert_near(o, &near);
                assert_near(lse, &expected.lse);
            },
        );
    }
}

#[test]
fn in_bf16() {
    // Half the distance from 1 to the next bf16.
    let u = 1.0 / 256.0;
    for case in Case::all() {
        let expected = case.expected(64);
        same(
            "attention",
            |device| {
                let (count, rows) = (case.heads * case.t * D, case.heads * case.t);
                let (o, lse) = (device.allocate::<u16>(count), device.allocate::<f32>(rows));
                let narrow = |x: &Vec<f32>| device.upload(&x.iter().map(|&x| bf16(x)).collect::<Vec<_>>());
                let inputs = [&case.q, &case.k, &case.v].map(narrow);
                let grid = [case.t.div_ceil(64) as u32, case.heads as u32, 1];
                device.clean("attention_bf16", grid, [128, 1, 1], 40960, &case.args(inputs, o, lse, device));
                (device.download::<u16>(o, count), device.download::<u32>(lse, rows))
            },
            |(o, lse)| {
                let o: Vec<u32> = o.iter().map(|&bits| u32::from(bits) << 16).collect();
                // The weights of the second product are rounded, and so is the output.
                let near = |&(o, error, spread): &(f64, f64, f64)| {
                    let error = error + 1.01 * u * spread;
                    (o, error + u * (f64::abs(o) + error))
                };
                assert_near(&o, &expected.o.iter().map(near).collect::<Vec<_>>());
                assert_near(lse, &expected.lse);
            },
        );
    }
}
