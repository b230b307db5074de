//! Layer norm in f64, plain loops over one row or one sum at a time.

/// `x + factor * sub`.
pub fn residual(x: &[f64], sub: &[f64], factor: &[f64]) -> Vec<f64> {
    (0..x.len()).map(|i| x[i] + factor[i] * sub[i]).collect()
}

/// (y, mean, rstd) of the rows of `s`.
pub fn forward(s: &[f64], gamma: &[f64], beta: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let c = gamma.len();
    let (mut y, mut means, mut rstds) = (Vec::new(), Vec::new(), Vec::new());
    for row in s.chunks(c) {
        let mean = row.iter().sum::<f64>() / c as f64;
        let var = row.iter().map(|s| (s - mean) * (s - mean)).sum::<f64>() / c as f64;
        let rstd = 1.0 / (var + eps).sqrt();
        y.extend((0..c).map(|i| (row[i] - mean) * rstd * gamma[i] + beta[i]));
        means.push(mean);
        rstds.push(rstd);
    }
    (y, means, rstds)
}

/// (ds, dgamma, dbeta) for the gradient `dy`.
pub fn backward(dy: &[f64], s: &[f64], gamma: &[f64], eps: f64) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let c = gamma.len();
    let (_, mean, rstd) = forward(s, gamma, &vec![0.0; c], eps);
    let (mut ds, mut dgamma, mut dbeta) = (vec![0.0; s.len()], vec![0.0; c], vec![0.0; c]);
    for n in 0..mean.len() {
        let x_hat = |i: usize| (s[n * c + i] - mean[n]) * rstd[n];
        let g = |i: usize| dy[n * c + i] * gamma[i];
        let a = (0..c).map(g).sum::<f64>() / c as f64;
        let b = (0..c).map(|i| g(i) * x_hat(i)).sum::<f64>() / c as f64;
        for i in 0..c {
            ds[n * c + i] = rstd[n] * (g(i) - a - x_hat(i) * b);
            dgamma[i] += dy[n * c + i] * x_hat(i);
            dbeta[i] += dy[n * c + i];
        }
    }
    (ds, dgamma, dbeta)
}
