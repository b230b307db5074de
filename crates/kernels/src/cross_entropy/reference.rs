//! Cross-entropy in f64, one row, plain loops.

/// ln of the softmax of `x`.
pub fn log_softmax(x: &[f64]) -> Vec<f64> {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lse = max + x.iter().map(|x| (x - max).exp()).sum::<f64>().ln();
    x.iter().map(|x| x - lse).collect()
}

/// The smoothed target distribution.
fn smoothed(v: usize, target: usize, smoothing: f64) -> Vec<f64> {
    (0..v).map(|i| if i == target { 1.0 - smoothing } else { 0.0 } + smoothing / v as f64).collect()
}

/// The loss of a row.
pub fn loss(x: &[f64], target: usize, smoothing: f64) -> f64 {
    let q = smoothed(x.len(), target, smoothing);
    -log_softmax(x).iter().zip(q).map(|(ln_p, q)| q * ln_p).sum::<f64>()
}

/// The gradient of a row's loss.
pub fn gradient(x: &[f64], target: usize, smoothing: f64) -> Vec<f64> {
    let q = smoothed(x.len(), target, smoothing);
    log_softmax(x).iter().zip(q).map(|(ln_p, q)| ln_p.exp() - q).collect()
}
