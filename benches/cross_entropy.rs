//! Label-smoothed cross-entropy with its gradient, the loss alone, and log-softmax.
//!
//! Throughput: bytes, each operand read or written once.

use noam_benches::{bytes_of, check, criterion, sizes, time, values, words};
use noam_kernels::Error;
use noam_kernels::cross_entropy::{self, IGNORE, Scores, Targets};

const SMOOTHING: f32 = 0.1;

struct Case {
    v: usize,
    ids: Vec<u32>,
    /// In-place operations find their last result here: a gradient, or log-probabilities. They cost the same.
    logits: Vec<f32>,
    loss: Vec<f32>,
    nll: Vec<f32>,
    hit: Vec<u32>,
}

impl Case {
    fn new(n: usize, v: usize) -> Self {
        let [loss, nll] = [(); 2].map(|()| vec![0.0; n]);
        Case { v, ids: words(n, v, 1), logits: values(n * v, 2), loss, nll, hit: vec![0; n] }
    }

    fn forward_backward(&mut self) -> Result<(), Error> {
        let targets = Targets { ids: &self.ids, ignore: IGNORE, smoothing: SMOOTHING };
        let scale = 1.0 / self.ids.len() as f32;
        cross_entropy::forward_backward(&mut self.logits, self.v, targets, scale, &mut self.loss)
    }

    fn evaluate(&mut self) -> Result<(), Error> {
        let targets = Targets { ids: &self.ids, ignore: IGNORE, smoothing: SMOOTHING };
        let out = Scores { loss: &mut self.loss, nll: &mut self.nll, hit: &mut self.hit };
        cross_entropy::evaluate(&self.logits, self.v, targets, out)
    }

    fn log_softmax(&mut self) -> Result<(), Error> {
        cross_entropy::log_softmax_rows(&mut self.logits, self.v)
    }

    /// Checks the last row, in f64.
    fn check(&mut self) -> Result<(), Error> {
        let (v, n) = (self.v, self.ids.len());
        let row: Vec<f64> = self.logits[(n - 1) * v..].iter().map(|&x| f64::from(x)).collect();
        let log_total = row.iter().map(|x| x.exp()).sum::<f64>().ln();
        let target = self.ids[n - 1] as usize;
        let (nll, eps) = (log_total - row[target], f64::from(SMOOTHING));
        let loss = (1.0 - eps) * nll + eps * (log_total - row.iter().sum::<f64>() / v as f64);
        self.evaluate()?;
        check("cross_entropy_evaluate", self.nll[n - 1], nll, 1e-5);
        let before = self.logits.clone();
        self.forward_backward()?;
        check("cross_entropy_forward_backward: loss", self.loss[n - 1], loss, 1e-5);
        let gradient = (row[target].exp() / log_total.exp() - (1.0 - eps) - eps / v as f64) / n as f64;
        let got = self.logits[(n - 1) * v + target];
        check("cross_entropy_forward_backward: gradient", got, gradient, 1e-6 * gradient.abs());
        self.logits = before;
        self.log_softmax()?;
        check("log_softmax", self.logits[(n - 1) * v + target], -nll, 1e-5);
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        let (n, v) = (s.n(), s.v);
        let mut case = Case::new(n, v);
        case.check()?;
        let name = format!("N{n}_V{v}");
        // Logits in and out, ids and loss. Logits, ids, loss, nll and hit. Logits in and out.
        let operation = "cross_entropy_forward_backward";
        time(&mut criterion, operation, &name, bytes_of(2 * n * v + 2 * n), || case.forward_backward());
        time(&mut criterion, "cross_entropy_evaluate", &name, bytes_of(n * v + 4 * n), || case.evaluate());
        time(&mut criterion, "log_softmax", &name, bytes_of(2 * n * v), || case.log_softmax());
    }
    criterion.final_summary();
    Ok(())
}
