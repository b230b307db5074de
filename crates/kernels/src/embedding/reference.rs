//! Embedding in f64, one token at a time.

use super::Dims;

/// `factor * (scale * table[id] + position)`, zeros in the padding. `positions` starts with that of t = 0.
pub fn forward(
    dims: Dims,
    ids: &[u32],
    lengths: &[u32],
    table: &[f64],
    positions: &[f64],
    scale: f64,
    factor: &[f64],
) -> Vec<f64> {
    let Dims { b, t, c } = dims;
    let mut y = vec![0.0; b * t * c];
    for n in (0..b * t).filter(|n| n % t < lengths[n / t] as usize) {
        for i in 0..c {
            let sum = scale * table[ids[n] as usize * c + i] + positions[n % t * c + i];
            y[n * c + i] = factor[n * c + i] * sum;
        }
    }
    y
}

/// The gradient of a table of `v` rows.
pub fn backward(
    dims: Dims,
    ids: &[u32],
    lengths: &[u32],
    dy: &[f64],
    v: usize,
    scale: f64,
    factor: &[f64],
) -> Vec<f64> {
    let Dims { b, t, c } = dims;
    let mut dtable = vec![0.0; v * c];
    for n in (0..b * t).filter(|n| n % t < lengths[n / t] as usize) {
        for i in 0..c {
            dtable[ids[n] as usize * c + i] += scale * factor[n * c + i] * dy[n * c + i];
        }
    }
    dtable
}
