//! Matrix products of a training step: forward, and the gradients of weights and of the input.
//!
//! Throughput: floating-point operations, two a multiply-add (criterion prints them as elements).

use noam_benches::{check, criterion, flops, sizes, time, values};
use noam_kernels::Error;
use noam_kernels::matmul::{Epilogue, Lhs, Packed, Rhs, Shape, Start, matmul};

/// A linear layer on `n` rows, and what its gradients are computed from.
struct Linear {
    n: usize,
    d_in: usize,
    d_out: usize,
    x: Vec<f32>,
    w: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
    packed: Packed,
    y: Vec<f32>,
    dw: Vec<f32>,
    dx: Vec<f32>,
}

impl Linear {
    fn new(n: usize, d_in: usize, d_out: usize) -> Result<Self, Error> {
        let w = values(d_out * d_in, 2);
        let mut packed = Packed::zeros(d_in, d_out);
        packed.pack_transposed(&w)?;
        let (x, bias, dy) = (values(n * d_in, 1), values(d_out, 3), values(n * d_out, 4));
        let (y, dw, dx) = (vec![0.0; n * d_out], vec![0.0; d_out * d_in], vec![0.0; n * d_in]);
        Ok(Linear { n, d_in, d_out, x, w, bias, dy, packed, y, dw, dx })
    }

    fn forward(&mut self) -> Result<(), Error> {
        let shape = Shape { m: self.n, n: self.d_out, k: self.d_in };
        let weight = Rhs::Transposed(&self.w[..]);
        matmul(shape, Lhs::Rows(&self.x), weight, Start::Zero, Epilogue::Bias(&self.bias), &mut self.y)
    }

    fn forward_packed(&mut self) -> Result<(), Error> {
        let shape = Shape { m: self.n, n: self.d_out, k: self.d_in };
        let weight = Rhs::Packed(&self.packed);
        matmul(shape, Lhs::Rows(&self.x), weight, Start::Zero, Epilogue::Bias(&self.bias), &mut self.y)
    }

    fn weight_gradient(&mut self) -> Result<(), Error> {
        let shape = Shape { m: self.d_out, n: self.d_in, k: self.n };
        let (dy, x) = (Lhs::Transposed(&self.dy[..]), Rhs::Rows(&self.x[..]));
        matmul(shape, dy, x, Start::Accumulate, Epilogue::None, &mut self.dw)
    }

    fn input_gradient(&mut self) -> Result<(), Error> {
        let shape = Shape { m: self.n, n: self.d_in, k: self.d_out };
        let (dy, w) = (Lhs::Rows(&self.dy[..]), Rhs::Rows(&self.w[..]));
        matmul(shape, dy, w, Start::Zero, Epilogue::None, &mut self.dx)
    }

    /// Checks the last element of every result, in f64.
    fn check(&mut self) -> Result<(), Error> {
        let Linear { n, d_in, d_out, .. } = *self;
        self.forward()?;
        self.weight_gradient()?;
        self.input_gradient()?;
        let chain = |k: usize, a: &dyn Fn(usize) -> f32, b: &dyn Fn(usize) -> f32| -> f64 {
            (0..k).map(|p| f64::from(a(p)) * f64::from(b(p))).sum()
        };
        let Linear { x, w, dy, bias, .. } = &*self;
        let y = chain(d_in, &|p| x[(n - 1) * d_in + p], &|p| w[(d_out - 1) * d_in + p]) + f64::from(bias[d_out - 1]);
        let dw = chain(n, &|p| dy[p * d_out + d_out - 1], &|p| x[p * d_in + d_in - 1]);
        let dx = chain(d_out, &|p| dy[(n - 1) * d_out + p], &|p| w[p * d_in + d_in - 1]);
        // Terms in (-1, 1) of variance 1/9: partial sums stay below 2 sqrt(k), and each of k steps rounds once.
        let tolerance = |k: usize| 2.0 * (k as f64).sqrt() * k as f64 * 2f64.powi(-24);
        check("matmul_forward", self.y[n * d_out - 1], y, tolerance(d_in));
        check("matmul_weight_gradient", self.dw[d_out * d_in - 1], dw, tolerance(n));
        check("matmul_input_gradient", self.dx[n * d_in - 1], dx, tolerance(d_out));
        let unpacked = self.y.clone();
        self.forward_packed()?;
        assert!(self.y == unpacked, "matmul_packed differs");
        Ok(())
    }
}

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        // Queries, keys and values; feed-forward, up and down; logits.
        for (d_in, d_out) in [(s.c, 3 * s.c), (s.c, s.f), (s.f, s.c), (s.c, s.v)] {
            let n = s.n();
            let mut linear = Linear::new(n, d_in, d_out)?;
            linear.check()?;
            let work = || flops(2 * n * d_in * d_out);
            let name = |m: usize, n: usize, k: usize| format!("M{m}_N{n}_K{k}");
            let forward = name(n, d_out, d_in);
            time(&mut criterion, "matmul_forward", &forward, work(), || linear.forward());
            time(&mut criterion, "matmul_packed", &forward, work(), || linear.forward_packed());
            let weight = name(d_out, d_in, n);
            time(&mut criterion, "matmul_weight_gradient", &weight, work(), || linear.weight_gradient());
            let input = name(n, d_in, d_out);
            time(&mut criterion, "matmul_input_gradient", &input, work(), || linear.input_gradient());
        }
    }
    criterion.final_summary();
    Ok(())
}
