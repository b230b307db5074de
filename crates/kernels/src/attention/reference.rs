//! Attention in plain loops: in f64 from the formulas, and in f32 in the contract's order of operations.

pub use super::operands::{Operands, Results, visible};
use super::{Attention, Dims};
use crate::{dropout::Dropout, lanes, math};

impl<F: Copy + Default> Results<F> {
    fn new(Dims { b, nh, hs, t, s }: Dims) -> Self {
        let zeros = |n| vec![F::default(); n];
        let (q, k) = (b * t * nh * hs, b * s * nh * hs);
        Results {
            o: zeros(q),
            lse: zeros(b * nh * t),
            weights: zeros(b * nh * t * s),
            dq: zeros(q),
            dk: zeros(k),
            dv: zeros(k),
        }
    }
}

/// The factor of (head number, i, j).
fn factor(dropout: &Dropout, t: usize, number: usize, i: usize, j: usize) -> f32 {
    if !dropout.is_active() {
        return 1.0;
    }
    let row = number * t.div_ceil(8) + i / 8;
    dropout.factors(row as u32, (j / 32 * 32) as u32)[i % 8][j % 32]
}

/// Calls `each(head number, b, row of q, row of k, column)` for every head: where its rows and columns begin.
fn heads(Dims { b, nh, hs, t, s }: Dims, mut each: impl FnMut(usize, usize, usize, usize, usize)) {
    for number in 0..b * nh {
        let (b, h) = (number / nh, number % nh);
        each(number, b, b * t, b * s, h * hs);
    }
}

/// Forward and backward in f64.
pub fn exact(attention: &Attention<'_>, x: &Operands<f64>) -> Results<f64> {
    let dims = attention.dims;
    let Dims { nh, hs, t, s, .. } = dims;
    let c = nh * hs;
    let scale = 1.0 / (hs as f64).sqrt();
    let mut out = Results::new(dims);
    heads(dims, |number, b, q0, k0, col| {
        for i in 0..t {
            let at = |x: &[f64], row: usize, d: usize| x[row * c + col + d];
            let keys: Vec<usize> = (0..s).filter(|&j| visible(attention, b, i, j)).collect();
            let score = |j: usize| scale * (0..hs).map(|d| at(&x.q, q0 + i, d) * at(&x.k, k0 + j, d)).sum::<f64>();
            let m = keys.iter().map(|&j| score(j)).fold(f64::NEG_INFINITY, f64::max);
            let lse =
                if keys.is_empty() { m } else { m + keys.iter().map(|&j| (score(j) - m).exp()).sum::<f64>().ln() };
            out.lse[number * t + i] = lse;
            let f = |j: usize| f64::from(factor(&attention.dropout, t, number, i, j));
            for &j in &keys {
                let a = (score(j) - lse).exp();
                out.weights[(number * t + i) * s + j] = a;
                for d in 0..hs {
                    out.o[(q0 + i) * c + col + d] += f(j) * a * at(&x.v, k0 + j, d);
                }
            }
            let delta: f64 = (0..hs).map(|d| at(&x.d_o, q0 + i, d) * at(&out.o, q0 + i, d)).sum();
            for &j in &keys {
                let a = out.weights[(number * t + i) * s + j];
                let dp = f(j) * (0..hs).map(|d| at(&x.d_o, q0 + i, d) * at(&x.v, k0 + j, d)).sum::<f64>();
                let ds = a * (dp - delta);
                for d in 0..hs {
                    out.dq[(q0 + i) * c + col + d] += scale * ds * at(&x.k, k0 + j, d);
                    out.dk[(k0 + j) * c + col + d] += scale * ds * at(&x.q, q0 + i, d);
                    out.dv[(k0 + j) * c + col + d] += f(j) * a * at(&x.d_o, q0 + i, d);
                }
            }
        }
    });
    out
}

/// The contract, operation by operation in f32: the bits that every implementation must give.
pub fn contract(attention: &Attention<'_>, x: &Operands<f32>) -> Results<f32> {
    let dims = attention.dims;
    let Dims { nh, hs, t, s, .. } = dims;
    let c = nh * hs;
    let scale = 1.0 / (hs as f32).sqrt();
    let chain = |terms: &mut dyn Iterator<Item = (f32, f32)>| terms.fold(0.0f32, |sum, (a, b)| a.mul_add(b, sum));
    let mut out = Results::new(dims);
    heads(dims, |number, b, q0, k0, col| {
        let row = |x: &[f32], row: usize| x[row * c + col..][..hs].to_vec();
        let dot = |x: &[f32], y: &[f32]| chain(&mut x.iter().copied().zip(y.iter().copied()));
        // Per pair, for the chains over queries.
        let mut weight = vec![0.0; t * s];
        let mut ds = vec![0.0; t * s];
        for i in 0..t {
            let keys: Vec<usize> = (0..s).filter(|&j| visible(attention, b, i, j)).collect();
            if keys.is_empty() {
                out.lse[number * t + i] = f32::NEG_INFINITY;
                continue;
            }
            let f = |j: usize| factor(&attention.dropout, t, number, i, j);
            let q = row(&x.q, q0 + i);
            let score: Vec<f32> = keys.iter().map(|&j| dot(&q, &row(&x.k, k0 + j)) * scale).collect();
            let m = score.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let p: Vec<f32> = score.iter().map(|s| math::exp(s - m)).collect();
            // The visible keys are the first ones, so that their place in `p` is their number.
            let l = lanes::sum(&p);
            for d in 0..hs {
                let sum = chain(&mut keys.iter().map(|&j| (f(j) * p[j], x.v[(k0 + j) * c + col + d])));
                out.o[(q0 + i) * c + col + d] = sum * (1.0 / l);
            }
            let lse = m + math::ln(l);
            out.lse[number * t + i] = lse;
            let d_o = row(&x.d_o, q0 + i);
            let delta = lanes::dot(&d_o, &row(&out.o, q0 + i));
            for &j in &keys {
                let a = math::exp(score[j] - lse);
                out.weights[(number * t + i) * s + j] = a;
                weight[i * s + j] = f(j) * a;
                ds[i * s + j] = a * (f(j) * dot(&d_o, &row(&x.v, k0 + j)) - delta);
            }
            for d in 0..hs {
                let sum = chain(&mut keys.iter().map(|&j| (ds[i * s + j], x.k[(k0 + j) * c + col + d])));
                out.dq[(q0 + i) * c + col + d] = sum * scale;
            }
        }
        for j in 0..s {
            let queries: Vec<usize> = (0..t).filter(|&i| visible(attention, b, i, j)).collect();
            for d in 0..hs {
                let at = (k0 + j) * c + col + d;
                let sum = |w: &[f32], x: &[f32]| {
                    chain(&mut queries.iter().map(|&i| (w[i * s + j], x[(q0 + i) * c + col + d])))
                };
                out.dk[at] = sum(&ds, &x.q) * scale;
                out.dv[at] = sum(&weight, &x.d_o);
            }
        }
    });
    out
}
