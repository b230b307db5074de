//! Adam in f64, plain loops.

use super::Config;

/// The state of every parameter.
#[derive(Clone, Debug)]
pub struct Reference {
    pub params: Vec<f64>,
    pub m: Vec<f64>,
    pub v: Vec<f64>,
}

impl Reference {
    pub fn new(params: &[f64]) -> Self {
        Reference { params: params.to_vec(), m: vec![0.0; params.len()], v: vec![0.0; params.len()] }
    }

    /// Update number `t`; the powers by repeated multiplication.
    pub fn update(&mut self, config: Config, t: u64, rate: f64, grads: &[f64]) {
        let (mut beta1_t, mut beta2_t) = (1.0, 1.0);
        for _ in 0..t {
            beta1_t *= config.beta1;
            beta2_t *= config.beta2;
        }
        for (i, &g) in grads.iter().enumerate() {
            self.m[i] = config.beta1 * self.m[i] + (1.0 - config.beta1) * g;
            self.v[i] = config.beta2 * self.v[i] + (1.0 - config.beta2) * g * g;
            let m_hat = self.m[i] / (1.0 - beta1_t);
            let v_hat = self.v[i] / (1.0 - beta2_t);
            let p = self.params[i];
            self.params[i] = p - rate * (m_hat / (v_hat.sqrt() + config.epsilon) + config.weight_decay * p);
        }
    }
}
