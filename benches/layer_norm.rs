//! Layer normalization, plain and with residual and dropout in front, forward and backward.
//!
//! Throughput: bytes, each operand read or written once.

use noam_benches::{bytes_of, check, criterion, sizes, time, values};
use noam_kernels::Error;
use noam_kernels::dropout::Dropout;
use noam_kernels::layer_norm::{self, Affine, Backward, Gradients, Output, Write};

const EPS: f32 = 1e-5;

struct Norm {
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
    dropout: Dropout,
    sum: Vec<f32>,
    y: Vec<f32>,
    mean: Vec<f32>,
    rstd: Vec<f32>,
    dy: Vec<f32>,
    dsum: Vec<f32>,
    dsub: Vec<f32>,
    dgamma: Vec<f32>,
    dbeta: Vec<f32>,
    scratch: Vec<f32>,
}

impl Norm {
    fn new(n: usize, c: usize) -> Result<Self, Error> {
        Ok(Norm {
            x: values(n * c, 1),
            gamma: values(c, 2),
            beta: values(c, 3),
            dropout: Dropout::new(0.1, 1, 1, 1)?,
            sum: values(n * c, 4),
            y: vec![0.0; n * c],
            mean: vec![0.0; n],
            rstd: vec![0.0; n],
            dy: values(n * c, 5),
            dsum: vec![0.0; n * c],
            dsub: vec![0.0; n * c],
            dgamma: vec![0.0; c],
            dbeta: vec![0.0; c],
            scratch: vec![0.0; layer_norm::scratch_len(n, c)],
        })
    }

    fn forward(&mut self) -> Result<(), Error> {
        let affine = Affine { gamma: &self.gamma, beta: &self.beta };
        let out = Output { y: &mut self.y, mean: &mut self.mean, rstd: &mut self.rstd };
        layer_norm::forward(&self.x, affine, EPS, out)
    }

    /// The sum takes its operand's place, so over many calls it grows by x each time; that costs no more time.
    fn residual_forward(&mut self) -> Result<(), Error> {
        let affine = Affine { gamma: &self.gamma, beta: &self.beta };
        let out = Output { y: &mut self.y, mean: &mut self.mean, rstd: &mut self.rstd };
        layer_norm::residual_forward(&self.x, &mut self.sum, self.dropout, affine, EPS, out)
    }

    /// Of the plain norm of x.
    fn backward(&mut self) -> Result<(), Error> {
        let Norm { dy, x, mean, rstd, gamma, dsum, dgamma, dbeta, .. } = self;
        let input = Backward { dy, sum: x, mean, rstd, gamma };
        let out = Gradients { dsum, dgamma, dbeta };
        layer_norm::backward(input, Write::Set, out, &mut self.scratch)
    }

    fn residual_backward(&mut self) -> Result<(), Error> {
        let Norm { dy, x, mean, rstd, gamma, dsum, dgamma, dbeta, .. } = self;
        let input = Backward { dy, sum: x, mean, rstd, gamma };
        let out = Gradients { dsum, dgamma, dbeta };
        layer_norm::residual_backward(input, self.dropout, Write::Set, out, &mut self.dsub, &mut self.scratch)
    }

    /// Checks the last element of the results, in f64.
    fn check(&mut self) -> Result<(), Error> {
        let (c, last) = (self.gamma.len(), self.x.len() - 1);
        self.forward()?;
        let row: Vec<f64> = self.x[last + 1 - c..].iter().map(|&x| f64::from(x)).collect();
        let mean = row.iter().sum::<f64>() / c as f64;
        let var = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / c as f64;
        let hat = |i: usize| (row[i] - mean) / (var + f64::from(EPS)).sqrt();
        let want = hat(c - 1) * f64::from(self.gamma[c - 1]) + f64::from(self.beta[c - 1]);
        check("layer_norm_forward", self.y[last], want, 1e-5);

        self.backward()?;
        let g: Vec<f64> =
            self.dy[last + 1 - c..].iter().zip(&self.gamma).map(|(&d, &g)| f64::from(d) * f64::from(g)).collect();
        let a = g.iter().sum::<f64>() / c as f64;
        let b = (0..c).map(|i| g[i] * hat(i)).sum::<f64>() / c as f64;
        let ds = (g[c - 1] - a - hat(c - 1) * b) / (var + f64::from(EPS)).sqrt();
        check("layer_norm_backward", self.dsum[last], ds, 1e-5);

        self.residual_backward()?;
        let factor = if self.dsub[last] == 0.0 { 0.0 } else { f64::from(self.dropout.scale()) };
        check("residual_layer_norm_backward", self.dsub[last], factor * ds, 1e-5);
        // The same dropout in both directions: what was dropped has no gradient.
        let before = f64::from(self.sum[last]);
        self.residual_forward()?;
        check("residual_layer_norm_forward", self.sum[last], f64::from(self.x[last]) + factor * before, 1e-6);
        self.forward()
    }
}

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        let (n, c) = (s.n(), s.c);
        let name = format!("B{}_T{}_C{c}", s.b, s.t);
        let mut norm = Norm::new(n, c)?;
        norm.check()?;
        // mean and rstd; gamma, and beta or dgamma and dbeta in and out.
        let (forward, backward) = (2 * n + 2 * c, 2 * n + 5 * c);
        // x and y. dy, x and dsum. x, sum in and out, and y. dy, sum, dsum and dsub.
        let bytes = bytes_of(2 * n * c + forward);
        time(&mut criterion, "layer_norm_forward", &name, bytes, || norm.forward());
        let bytes = bytes_of(3 * n * c + backward);
        time(&mut criterion, "layer_norm_backward", &name, bytes, || norm.backward());
        let bytes = bytes_of(4 * n * c + backward);
        time(&mut criterion, "residual_layer_norm_backward", &name, bytes, || norm.residual_backward());
        let bytes = bytes_of(4 * n * c + forward);
        time(&mut criterion, "residual_layer_norm_forward", &name, bytes, || norm.residual_forward());
    }
    criterion.final_summary();
    Ok(())
}
