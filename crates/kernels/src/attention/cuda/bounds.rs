//! How far tensor cores may be from exact attention: bounds that follow from the roundings.

use crate::attention::operands::{Operands, Results, visible};
use crate::attention::{Attention, Dims};
use rayon::prelude::*;

/// What a type's rounding does: at most `unit` relatively, or `tiny` absolutely where it is subnormal.
#[derive(Clone, Copy)]
pub struct Rounding {
    pub unit: f64,
    pub tiny: f64,
}

impl Rounding {
    pub const BF16: Rounding = Rounding { unit: 1.0 / (1 << 8) as f64, tiny: 0.0 };
    pub const F16: Rounding = Rounding { unit: 1.0 / (1 << 11) as f64, tiny: 1.0 / (1 << 25) as f64 };
}

/// A term of a sum of f32 on tensor cores, relative to the sum of magnitudes: twice what it may be off where it is cut,
/// and not rounded as IEEE 754 says.
pub const CUT: f64 = 1.0 / (1 << 22) as f64;

/// The same where what is compared with was computed in f32 on the CPU: it has the same terms, and rounds each by at
/// most 2^-24, of which this allows for twice as much.
pub const CUT_AND_CPU: f64 = CUT + 1.0 / (1 << 23) as f64;

/// How far each result may be off `want`: the formulas' errors to first order, term by term, from
/// - f32 sums on tensor cores, which may cut where IEEE 754 rounds: `cut` a term, relative to the sum of magnitudes;
/// - 2^x by an approximate instruction, within 2 units in the last place, of an argument with three roundings;
/// - weights times factors and gradients of scores rounded to T before they are multiplied, results once;
/// - backward's D, which is made of the rounded o.
///
/// The second order is less than the 1.02 that all is multiplied by, as 2^-8 is the largest of the first.
pub fn bounds(
    attention: &Attention<'_>,
    x: &Operands<f64>,
    want: &Results<f64>,
    rounding: Rounding,
    cut: f64,
) -> Results<f64> {
    let sentences: Vec<_> =
        (0..attention.dims.b).into_par_iter().map(|b| of_sentence(attention, b, x, want, rounding, cut)).collect();
    // Every result has its sentences one after the other.
    let join = |field: fn(&Results<f64>) -> &Vec<f64>| sentences.iter().flat_map(field).copied().collect();
    Results {
        o: join(|r| &r.o),
        lse: join(|r| &r.lse),
        weights: join(|r| &r.weights),
        dq: join(|r| &r.dq),
        dk: join(|r| &r.dk),
        dv: join(|r| &r.dv),
    }
}

/// That part of the bounds that belongs to sentence b.
fn of_sentence(
    attention: &Attention<'_>,
    b: usize,
    x: &Operands<f64>,
    want: &Results<f64>,
    Rounding { unit, tiny }: Rounding,
    cut: f64,
) -> Results<f64> {
    let Dims { nh, hs, t, s, .. } = attention.dims;
    let c = nh * hs;
    let scale = 1.0 / (hs as f64).sqrt();
    let kept = f64::from(attention.dropout.scale());
    let queries = |x: &'_ [f64]| x[b * t * c..][..t * c].to_vec();
    let keys = |x: &'_ [f64]| x[b * s * c..][..s * c].to_vec();
    let (q, d_o, k, v) = (queries(&x.q), queries(&x.d_o), keys(&x.k), keys(&x.v));
    let (want_o, want_lse) = (queries(&want.o), &want.lse[b * nh * t..][..nh * t]);
    let want_weights = &want.weights[b * nh * t * s..][..nh * t * s];
    let once = |x: Vec<f64>| x.iter().map(|x| unit * x.abs() + tiny).collect::<Vec<f64>>();
    let mut out = Results {
        o: once(queries(&want.o)),
        lse: vec![0.0; nh * t],
        weights: vec![0.0; nh * t * s],
        dq: once(queries(&want.dq)),
        dk: once(keys(&want.dk)),
        dv: once(keys(&want.dv)),
    };
    for (h, i) in (0..nh).flat_map(|h| (0..t).map(move |i| (h, i))) {
        let column = h * hs;
        let (q_row, k_row) = (i * c + column, |j: usize| j * c + column);
        let seen: Vec<usize> = (0..s).filter(|&j| visible(attention, b, i, j)).collect();
        if seen.is_empty() {
            continue;
        }
        // Sums of magnitudes, as dot products of rows.
        let dot = |x: &[f64], at: usize, y: &[f64], to: usize| -> f64 {
            x[at..at + hs].iter().zip(&y[to..to + hs]).map(|(x, y)| (x * y).abs()).sum()
        };
        let score = seen.iter().map(|&j| scale * dot(&q, q_row, &k, k_row(j))).fold(0.0, f64::max);
        let lse = want_lse[h * t + i];
        // A score's error; the argument of 2^x, a difference of two numbers of at most `score + |lse|`, each with three
        // roundings; the sum of S weights, whose relative error is at most a weight's and S additions'.
        let weight_error = cut * ((hs + 1) as f64 * score + 3.0 * (score + lse.abs()) + 2.0);
        let lse_error = weight_error + cut * (s as f64 + 2.0 + lse.abs());
        out.lse[h * t + i] = 1.02 * lse_error;
        let relative = weight_error + lse_error;
        // Weights below 1 that are subnormal as they are multiplied, before the division by a sum of at least 1.
        let product_error = |a: f64| kept * (a * (unit + relative) + tiny + f64::from(f32::MIN_POSITIVE));
        for &j in &seen {
            let a = want_weights[(h * t + i) * s + j];
            // 2^x flushes what is subnormal in f32.
            out.weights[(h * t + i) * s + j] = 1.02 * a * relative + f64::from(f32::MIN_POSITIVE);
            for d in 0..hs {
                out.o[q_row + d] += product_error(a) * v[k_row(j) + d].abs();
            }
        }
        let delta_error: f64 = (0..hs)
            .map(|d| d_o[q_row + d].abs() * (out.o[q_row + d] + cut * hs as f64 * want_o[q_row + d].abs()))
            .sum();
        let delta = dot(&d_o, q_row, &want_o, q_row);
        for &j in &seen {
            let a = want_weights[(h * t + i) * s + j];
            let dp = kept * dot(&d_o, q_row, &v, k_row(j));
            let ds = a * (dp + delta);
            // An a that was flushed takes its gradient with it.
            let underflow = f64::from(f32::MIN_POSITIVE) * (dp + delta);
            let ds_error = a * (cut * (hs + 2) as f64 * dp + delta_error) + ds * (relative + unit) + tiny + underflow;
            // `ds_error`, and the sums over at most S and T.
            let (in_q, in_k) = (ds_error + cut * s as f64 * ds, ds_error + cut * t as f64 * ds);
            let in_v = product_error(a) + cut * t as f64 * kept * a;
            for d in 0..hs {
                out.dq[q_row + d] += scale * in_q * k[k_row(j) + d].abs();
                out.dk[k_row(j) + d] += scale * in_k * q[q_row + d].abs();
                out.dv[k_row(j) + d] += in_v * d_o[q_row + d].abs();
            }
        }
    }
    for bounds in [&mut out.o, &mut out.dq, &mut out.dk, &mut out.dv] {
        bounds.iter_mut().for_each(|bound| *bound *= 1.02);
    }
    out
}
