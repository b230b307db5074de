//! Column sums in f64, plain loops.

/// `db[c] + sum_n dy[n,c]`, and the sum of the magnitudes that were added.
pub fn column_sum(dy: &[f32], db: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let c = db.len();
    let mut sums: Vec<f64> = db.iter().map(|&v| f64::from(v)).collect();
    let mut magnitudes: Vec<f64> = sums.iter().map(|v| v.abs()).collect();
    for (i, &v) in dy.iter().enumerate() {
        sums[i % c] += f64::from(v);
        magnitudes[i % c] += f64::from(v).abs();
    }
    (sums, magnitudes)
}
