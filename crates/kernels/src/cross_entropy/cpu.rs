//! The CPU's cross-entropy: rows are tasks. A row is read from memory once and written once; the passes between find it
//! in the first- or second-level cache (128 KiB at V = 32000).

use super::{Scores, Targets};
use crate::{
    isa::multi_isa,
    lanes::{self, LANES, Lanes},
    math::{exp_nonpositive, ln},
};
use rayon::prelude::*;

/// Logits a task handles at least.
const TASK: usize = 8192;

pub(super) fn forward_backward(logits: &mut [f32], v: usize, targets: Targets<'_>, grad_scale: f32, loss: &mut [f32]) {
    let rows = logits.par_chunks_mut(v).zip(loss).zip(targets.ids).with_min_len(TASK / v + 1);
    rows.for_each(|((x, loss), &id)| {
        if id == targets.ignore {
            x.fill(0.0);
            *loss = 0.0;
        } else {
            *loss = forward_backward_row(x, id as usize, targets.smoothing, grad_scale);
        }
    });
}

pub(super) fn evaluate(logits: &[f32], v: usize, targets: Targets<'_>, out: Scores<'_>) {
    let scores = out.loss.par_iter_mut().zip(out.nll).zip(out.hit);
    let rows = logits.par_chunks(v).zip(scores).zip(targets.ids).with_min_len(TASK / v + 1);
    rows.for_each(|((x, ((loss, nll), hit)), &id)| {
        (*loss, *nll, *hit) =
            if id == targets.ignore { (0.0, 0.0, 0) } else { evaluate_row(x, id as usize, targets.smoothing) };
    });
}

pub(super) fn log_softmax_rows(x: &mut [f32], v: usize) {
    x.par_chunks_mut(v).with_min_len(TASK / v + 1).for_each(log_softmax_row);
}

/// The largest value, NaN passed over; minus infinity when there is none.
#[inline(always)]
fn max(x: &[f32]) -> f32 {
    let mut lanes: Lanes = [f32::NEG_INFINITY; LANES];
    let (groups, tail) = x.as_chunks::<LANES>();
    for group in groups {
        for l in 0..LANES {
            // This comparison, unlike f32::max, is one instruction; it leaves the lane alone at a NaN.
            lanes[l] = if group[l] > lanes[l] { group[l] } else { lanes[l] };
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(tail) {
        *lane = if x > *lane { x } else { *lane };
    }
    lanes::max(lanes)
}

/// (l, zs) of a row x with maximum m.
#[inline(always)]
fn sums(x: &[f32], m: f32) -> (f32, f32) {
    let (mut l, mut zs): (Lanes, Lanes) = ([0.0; LANES], [0.0; LANES]);
    let (groups, tail) = x.as_chunks::<LANES>();
    for group in groups {
        for i in 0..LANES {
            let z = group[i] - m;
            zs[i] += z;
            l[i] += exp_nonpositive(z);
        }
    }
    for (i, x) in tail.iter().enumerate() {
        let z = x - m;
        zs[i] += z;
        l[i] += exp_nonpositive(z);
    }
    (lanes::butterfly(l), lanes::butterfly(zs))
}

/// As [`sums`], leaving exp(x - m) in x.
#[inline(always)]
fn sums_in_place(x: &mut [f32], m: f32) -> (f32, f32) {
    let (mut l, mut zs): (Lanes, Lanes) = ([0.0; LANES], [0.0; LANES]);
    let (groups, tail) = x.as_chunks_mut::<LANES>();
    for group in groups {
        for i in 0..LANES {
            let z = group[i] - m;
            zs[i] += z;
            group[i] = exp_nonpositive(z);
            l[i] += group[i];
        }
    }
    for (i, x) in tail.iter_mut().enumerate() {
        let z = *x - m;
        zs[i] += z;
        *x = exp_nonpositive(z);
        l[i] += *x;
    }
    (lanes::butterfly(l), lanes::butterfly(zs))
}

/// The row's loss from z at the target, ln l and zs.
#[inline(always)]
fn row_loss(z_target: f32, log_l: f32, zs: f32, smoothing: f32, v: usize) -> f32 {
    if smoothing == 0.0 {
        // 0 times a -infinity in zs would be NaN.
        return log_l - z_target;
    }
    let (u, c) = (smoothing / v as f32, 1.0 - smoothing);
    (-u).mul_add(zs, (-c).mul_add(z_target, log_l))
}

multi_isa! {
    fn forward_backward_row(x: &mut [f32], target: usize, smoothing: f32, grad_scale: f32) -> f32 {
        let m = max(x);
        let z_target = x[target] - m;
        let (l, zs) = sums_in_place(x, m);
        let a = grad_scale / l;
        let k = smoothing / x.len() as f32 * grad_scale;
        for x in x.iter_mut() {
            *x = x.mul_add(a, -k);
        }
        x[target] -= (1.0 - smoothing) * grad_scale;
        row_loss(z_target, ln(l), zs, smoothing, x.len())
    }
}

multi_isa! {
    fn evaluate_row(x: &[f32], target: usize, smoothing: f32) -> (f32, f32, u32) {
        let m = max(x);
        let z_target = x[target] - m;
        let (l, zs) = sums(x, m);
        let log_l = ln(l);
        (row_loss(z_target, log_l, zs, smoothing, x.len()), log_l - z_target, u32::from(z_target == 0.0))
    }
}

multi_isa! {
    fn log_softmax_row(x: &mut [f32]) {
        let m = max(x);
        let log_l = ln(sums(x, m).0);
        for x in x.iter_mut() {
            *x = *x - m - log_l;
        }
    }
}
