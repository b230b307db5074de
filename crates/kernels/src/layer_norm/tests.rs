use super::bounds::{Exact, Rows};
use super::*;
use crate::{
    lanes,
    testing::{Golden, U, bits, everywhere, factors, values, wide},
};
use proptest::prelude::*;

pub(super) const EPS: f32 = 1e-5;

/// The buffers of one forward and backward.
pub(super) struct Case {
    pub(super) n: usize,
    pub(super) c: usize,
    pub(super) dropout: Dropout,
    pub(super) x: Vec<f32>,
    pub(super) sub: Vec<f32>,
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
    pub(super) dy: Vec<f32>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) sum: Vec<f32>,
    pub(super) y: Vec<f32>,
    pub(super) mean: Vec<f32>,
    pub(super) rstd: Vec<f32>,
    pub(super) dsum: Vec<f32>,
    pub(super) dsub: Vec<f32>,
    pub(super) dgamma: Vec<f32>,
    pub(super) dbeta: Vec<f32>,
}

impl Outcome {
    fn bits(&self) -> Vec<Vec<u32>> {
        let Outcome { sum, y, mean, rstd, dsum, dsub, dgamma, dbeta } = self;
        [sum, y, mean, rstd, dsum, dsub, dgamma, dbeta].map(|x| bits(x)).to_vec()
    }
}

impl Case {
    pub(super) fn new(n: usize, c: usize, p: f32, shift: f32) -> Case {
        Case {
            n,
            c,
            dropout: Dropout::new(p, 99, 3, 5).unwrap(),
            x: values(n * c, 1, shift),
            sub: values(n * c, 2, 0.0),
            gamma: values(c, 3, 1.0),
            beta: values(c, 4, 0.0),
            dy: values(n * c, 5, 0.3),
        }
    }

    /// Forward and backward; `start` is what every buffer that is added to (or must be overwritten) holds before.
    pub(super) fn run(&self, write: Write, start: f32) -> Outcome {
        let (n, c) = (self.n, self.c);
        let mut sum = self.sub.clone();
        let (mut y, mut mean, mut rstd) = (vec![start; n * c], vec![start; n], vec![start; n]);
        let affine = Affine { gamma: &self.gamma, beta: &self.beta };
        let out = Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        residual_forward(&self.x, &mut sum, self.dropout, affine, EPS, out).unwrap();
        let (mut dsum, mut dsub) = (vec![start; n * c], vec![start; n * c]);
        let (mut dgamma, mut dbeta) = (vec![start; c], vec![start; c]);
        let mut scratch = vec![f32::NAN; scratch_len(n, c) + 3];
        let input = Backward { dy: &self.dy, sum: &sum, mean: &mean, rstd: &rstd, gamma: &self.gamma };
        let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
        residual_backward(input, self.dropout, write, out, &mut dsub, &mut scratch).unwrap();
        Outcome { sum, y, mean, rstd, dsum, dsub, dgamma, dbeta }
    }

    /// Compares a run with the f64 reference.
    fn check(&self, write: Write, start: f32) {
        self.compare(&self.run(write, start), write, start, Rows::f32(self.c), |x| x);
    }

    /// Compares what a run gave with the f64 reference, element by element, within bounds on the rounding errors; `round` is
    /// to the rows' type.
    pub(super) fn compare(&self, got: &Outcome, write: Write, start: f32, rows: Rows, round: fn(f32) -> f32) {
        let (n, c) = (self.n, self.c);
        let (gamma, beta, dy) = (wide(&self.gamma), wide(&self.beta), wide(&self.dy));
        let factor = wide(&factors(n, c, self.dropout));
        let s = reference::residual(&wide(&self.x), &wide(&self.sub), &factor);
        for (i, (got, s)) in got.sum.iter().zip(&s).enumerate() {
            // One rounding, and that to the rows' type.
            let tol = U * s.abs();
            assert!((f64::from(*got) - s).abs() <= tol + rows.error(s.abs() + tol), "sum {i}");
        }
        // The rest is compared from the sum as rounded, so that its rounding is not counted again.
        let s = wide(&got.sum);
        let (y, mean, rstd) = reference::forward(&s, &gamma, &beta, f64::from(EPS));
        let (ds, dgamma, dbeta) = reference::backward(&dy, &s, &gamma, f64::from(EPS));
        let start = f64::from(start);
        let old = if write == Write::Add { start } else { 0.0 };
        let dsum: Vec<f64> = ds.iter().map(|ds| old + ds).collect();
        let added = |gradient: Vec<f64>| gradient.into_iter().map(|d| start + d).collect::<Vec<f64>>();
        let exact = Exact { s: &s, mean: &mean, rstd: &rstd, gamma: &gamma };
        let (forward, backward) = (exact.forward(&y, rows), exact.backward(&dy, &dsum, start.abs(), rows));
        for (name, got, want, bound) in [
            ("y", &got.y, &y, &forward.y),
            ("mean", &got.mean, &mean, &forward.mean),
            ("rstd", &got.rstd, &rstd, &forward.rstd),
            ("dsum", &got.dsum, &dsum, &backward.dsum),
            ("dgamma", &got.dgamma, &added(dgamma), &backward.dgamma),
            ("dbeta", &got.dbeta, &added(dbeta), &backward.dbeta),
        ] {
            assert_eq!(got.len(), want.len());
            for (i, ((got, want), bound)) in got.iter().zip(want).zip(bound).enumerate() {
                assert!((f64::from(*got) - want).abs() <= *bound, "{name} {i}: {got} {want} {bound}");
            }
        }
        for i in 0..n * c {
            assert_eq!(got.dsub[i], round(factor[i] as f32 * got.dsum[i]), "dsub {i}");
        }
    }
}

#[test]
fn agrees_with_f64_at_awkward_sizes() {
    for c in [1, 2, 31, 32, 33, 255, 256, 257, 300, 1025] {
        for n in [0, 1, 31, 32, 33, 70] {
            Case::new(n, c, 0.2, 0.0).check(Write::Set, 0.0);
            Case::new(n, c, 0.0, 0.5).check(Write::Add, -1.5);
        }
    }
    // Far from zero the mean must be subtracted before squaring: E[s^2] - E[s]^2 would have no digit left here.
    Case::new(5, 200, 0.1, 1e4).check(Write::Set, 0.0);
}

#[test]
fn reference_gradients_agree_with_finite_differences() {
    let (n, c, eps) = (3, 7, 1e-5);
    let case = Case::new(n, c, 0.3, 0.2);
    let factor = wide(&factors(n, c, case.dropout));
    let inputs = [wide(&case.x), wide(&case.sub), wide(&case.gamma), wide(&case.beta)];
    let dy = wide(&case.dy);
    let loss = |p: &[Vec<f64>; 4]| {
        let (y, _, _) = reference::forward(&reference::residual(&p[0], &p[1], &factor), &p[2], &p[3], eps);
        y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>()
    };
    let s = reference::residual(&inputs[0], &inputs[1], &factor);
    let (ds, dgamma, dbeta) = reference::backward(&dy, &s, &inputs[2], eps);
    let dsub = ds.iter().zip(&factor).map(|(ds, f)| ds * f).collect();
    for (which, gradient) in [ds.clone(), dsub, dgamma, dbeta].iter().enumerate() {
        for (i, want) in gradient.iter().enumerate() {
            let at = |h: f64| {
                let mut p = inputs.clone();
                p[which][i] += h;
                loss(&p)
            };
            let h = 1e-5;
            let got = (at(h) - at(-h)) / (2.0 * h);
            // The truncation error is h^2 times a third derivative of order 10, the cancellation 1e-16 * 10 / h.
            assert!((got - want).abs() <= 1e-8 * (1.0 + want.abs()), "input {which}, element {i}: {got} {want}");
        }
    }
}

#[test]
fn agrees_with_pytorch() {
    for case in Golden::parse(include_str!("golden/torch.json")).list("cases", 3) {
        let ours = Case {
            n: case.size("n"),
            c: case.size("c"),
            dropout: Dropout::NONE,
            x: case.numbers("x"),
            sub: case.numbers("sub"),
            gamma: case.numbers("gamma"),
            beta: case.numbers("beta"),
            dy: case.numbers("dy"),
        };
        let got = ours.run(Write::Set, 0.0);
        let outputs =
            [("y", got.y), ("dx", got.dsum), ("dsub", got.dsub), ("dgamma", got.dgamma), ("dbeta", got.dbeta)];
        for (name, got) in outputs {
            // dgamma adds 35 terms; everything here is of order 1 to 10.
            case.close(name, &got, 4e-6);
        }
    }
}

/// The contract's arithmetic, element by element: what a warp would do.
fn by_the_contract(case: &Case, add: bool, start: f32) -> Outcome {
    let (n, c) = (case.n, case.c);
    let lane_sum = |len: usize, step: &dyn Fn(usize, f32) -> f32| {
        let mut acc = [0.0f32; 32];
        for i in 0..len {
            acc[i % 32] = step(i, acc[i % 32]);
        }
        lanes::butterfly(acc)
    };
    let factor = factors(n, c, case.dropout);
    let sum: Vec<f32> = (0..n * c).map(|i| factor[i].mul_add(case.sub[i], case.x[i])).collect();
    let (mut y, mut mean, mut rstd) = (vec![0.0; n * c], vec![0.0; n], vec![0.0; n]);
    let (mut dsum, mut dgamma, mut dbeta) = (vec![start; n * c], vec![start; c], vec![start; c]);
    let (mut partial, mut block) = (vec![[0.0f32; 2]; c], vec![[0.0f32; 2]; c]);
    for row in 0..n {
        let (s, dy) = (&sum[row * c..][..c], &case.dy[row * c..][..c]);
        let m = lane_sum(c, &|i, acc| acc + s[i]) / c as f32;
        let var = lane_sum(c, &|i, acc| (s[i] - m).mul_add(s[i] - m, acc)) / c as f32;
        let r = 1.0 / (var + EPS).sqrt();
        (mean[row], rstd[row]) = (m, r);
        let x_hat = |i: usize| (s[i] - m) * r;
        let g = |i: usize| dy[i] * case.gamma[i];
        let a = lane_sum(c, &|i, acc| acc + g(i)) / c as f32;
        let b = lane_sum(c, &|i, acc| g(i).mul_add(x_hat(i), acc)) / c as f32;
        for i in 0..c {
            y[row * c + i] = x_hat(i).mul_add(case.gamma[i], case.beta[i]);
            let t = x_hat(i).mul_add(-b, g(i) - a);
            let old = dsum[row * c + i];
            dsum[row * c + i] = if add { r.mul_add(t, old) } else { r * t };
            partial[i] = [dy[i].mul_add(x_hat(i), partial[i][0]), partial[i][1] + dy[i]];
        }
        if row % 32 == 31 || row + 1 == n {
            for (block, partial) in block.iter_mut().zip(&mut partial) {
                *block = [block[0] + partial[0], block[1] + partial[1]];
                *partial = [0.0; 2];
            }
        }
        if row % 1024 == 1023 || row + 1 == n {
            for (i, block) in block.iter_mut().enumerate() {
                dgamma[i] += block[0];
                dbeta[i] += block[1];
                *block = [0.0; 2];
            }
        }
    }
    let dsub = dsum.iter().zip(&factor).map(|(d, f)| f * d).collect();
    Outcome { sum, y, mean, rstd, dsum, dsub, dgamma, dbeta }
}

#[test]
fn has_the_bits_of_the_contract_for_every_isa_and_thread_count() {
    for (n, c, p) in [(1, 1, 0.0), (70, 33, 0.3), (200, 300, 0.1), (65, 128, 0.0), (33, 1025, 0.5), (2100, 5, 0.0)] {
        let case = Case::new(n, c, p, 0.7);
        for (write, start) in [(Write::Set, 0.25), (Write::Add, 0.25)] {
            let want = by_the_contract(&case, write == Write::Add, start).bits();
            everywhere(|place| assert_eq!(case.run(write, start).bits(), want, "N {n}, C {c}, {place}"));
        }
    }
}

#[test]
fn plain_and_residual_forms_agree() {
    for p in [0.0, 0.4] {
        let case = Case::new(40, 70, p, 0.0);
        let fused = case.run(Write::Set, 0.0);
        let (n, c) = (case.n, case.c);
        let (mut y, mut mean, mut rstd) = (vec![0.0; n * c], vec![0.0; n], vec![0.0; n]);
        let affine = Affine { gamma: &case.gamma, beta: &case.beta };
        let out = Output { y: &mut y, mean: &mut mean, rstd: &mut rstd };
        forward(&fused.sum, affine, EPS, out).unwrap();
        assert_eq!((bits(&y), bits(&mean), bits(&rstd)), (bits(&fused.y), bits(&fused.mean), bits(&fused.rstd)));
        let (mut dsum, mut dgamma, mut dbeta) = (vec![9.0; n * c], vec![0.0; c], vec![0.0; c]);
        let input = Backward { dy: &case.dy, sum: &fused.sum, mean: &mean, rstd: &rstd, gamma: &case.gamma };
        let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
        backward(input, Write::Set, out, &mut vec![0.0; scratch_len(n, c)]).unwrap();
        assert_eq!(bits(&dsum), bits(&fused.dsum));
        assert_eq!((bits(&dgamma), bits(&dbeta)), (bits(&fused.dgamma), bits(&fused.dbeta)));
    }
}

#[test]
fn awkward_values_come_out_as_they_should() {
    let row = |fill: &dyn Fn(usize) -> f32| {
        let x: Vec<f32> = (0..40).map(fill).collect();
        let (mut y, mut mean, mut rstd) = (vec![0.0; 40], vec![0.0; 1], vec![0.0; 1]);
        let affine = Affine { gamma: &[2.0; 40], beta: &[0.5; 40] };
        forward(&x, affine, EPS, Output { y: &mut y, mean: &mut mean, rstd: &mut rstd }).unwrap();
        (y, mean[0], rstd[0])
    };
    let (y, mean, rstd) = row(&|_| 3.0);
    assert_eq!((y, mean), (vec![0.5; 40], 3.0));
    assert_eq!(rstd, 1.0 / EPS.sqrt());
    let (y, _, _) = row(&|i| if i % 2 == 0 { 1e-40 } else { -1e-40 });
    assert!(y.iter().all(|y| (y - 0.5).abs() < 1e-6));
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let (y, _, _) = row(&|i| if i == 37 { bad } else { i as f32 });
        assert!(y.iter().all(|y| y.is_nan()), "{bad}");
    }
    // A NaN in one row's gradient reaches the sums over rows and that row, no other row; dropping does not hide it.
    let mut case = Case::new(3, 8, 0.5, 0.0);
    case.dy[8 + 2] = f32::NAN;
    let got = case.run(Write::Set, 0.0);
    assert!(got.dsum[8..16].iter().chain(&got.dsub[8..16]).all(|d| d.is_nan()));
    assert!(got.dsum[..8].iter().chain(&got.dsum[16..]).all(|d| d.is_finite()));
    assert!(got.dgamma[2].is_nan() && got.dbeta[2].is_nan() && got.dgamma[3].is_finite());
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let case = |eps: f32, x: usize, gamma: usize, beta: usize, y: usize, rstd: usize| {
        let (mut out, mut mean, mut r) = (vec![7.0; y], vec![7.0; 2], vec![7.0; rstd]);
        let affine = Affine { gamma: &vec![1.0; gamma], beta: &vec![1.0; beta] };
        let x = vec![1.0; x];
        let result = forward(&x, affine, eps, Output { y: &mut out, mean: &mut mean, rstd: &mut r });
        let untouched = out.iter().chain(&mean).chain(&r).all(|&v| v == 7.0);
        assert_eq!(result.is_err(), untouched);
        result
    };
    assert!(case(EPS, 6, 3, 3, 6, 2).is_ok());
    for eps in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        assert!(matches!(case(eps, 6, 3, 3, 6, 2), Err(Error::Scalar { what: "eps", .. })));
    }
    assert!(matches!(case(EPS, 5, 3, 3, 6, 2), Err(Error::Length { arg: "x", got: 5, want: 6, .. })));
    assert!(matches!(case(EPS, 6, 3, 2, 6, 2), Err(Error::Length { arg: "beta", .. })));
    assert!(matches!(case(EPS, 6, 3, 3, 7, 2), Err(Error::Length { arg: "y", .. })));
    assert!(matches!(case(EPS, 6, 3, 3, 6, 1), Err(Error::Length { arg: "rstd", .. })));
    assert!(matches!(case(EPS, 0, 0, 0, 0, 2), Err(Error::Size { what: "C", .. })));

    let base = [0.0; 6];
    let (mut dsum, mut dgamma, mut dbeta, mut dsub) = ([7.0; 6], [7.0; 3], [7.0; 3], [7.0; 5]);
    let input = Backward { dy: &base, sum: &base, mean: &[0.0; 2], rstd: &[1.0; 2], gamma: &[1.0; 3] };
    let mut scratch = [0.0; 6];
    let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
    let error = backward(input, Write::Set, out, &mut scratch[..5]).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "scratch", got: 5, want: 6, .. }));
    let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
    let error = backward(Backward { dy: &base[..5], ..input }, Write::Set, out, &mut scratch).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "dy", .. }));
    let out = Gradients { dsum: &mut dsum, dgamma: &mut dgamma, dbeta: &mut dbeta };
    let error = residual_backward(input, Dropout::NONE, Write::Set, out, &mut dsub, &mut scratch).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "dsub", .. }));
    assert_eq!((dsum, dgamma, dbeta, dsub), ([7.0; 6], [7.0; 3], [7.0; 3], [7.0; 5]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Normalized rows have mean 0 and, up to eps, variance 1; a constant added to a row changes next to nothing.
    #[test]
    fn rows_are_standardized_wherever_they_lie(n in 1usize..6, c in 2usize..200, shift in -8i8..8) {
        let x = values(n * c, 6, 0.0);
        let moved: Vec<f32> = x.iter().map(|x| x + f32::from(shift)).collect();
        let norm = |x: &[f32]| {
            let (mut y, mut mean, mut rstd) = (vec![0.0; n * c], vec![0.0; n], vec![0.0; n]);
            let affine = Affine { gamma: &vec![1.0; c], beta: &vec![0.0; c] };
            forward(x, affine, EPS, Output { y: &mut y, mean: &mut mean, rstd: &mut rstd }).unwrap();
            (y, rstd)
        };
        let (y, rstd) = norm(&x);
        let (y2, _) = norm(&moved);
        for (row, &r) in rstd.iter().enumerate() {
            let at = row * c..(row + 1) * c;
            let r = f64::from(r);
            let row_y = wide(&y[at.clone()]);
            let mean = row_y.iter().sum::<f64>() / c as f64;
            let var = row_y.iter().map(|y| (y - mean) * (y - mean)).sum::<f64>() / c as f64;
            // Values up to 2 with 32-lane sums: some 20 roundings, magnified by rstd.
            let tol = 30.0 * U * (1.0 + 2.0 * r);
            prop_assert!(mean.abs() <= tol, "mean {mean}");
            prop_assert!((var - (1.0 - f64::from(EPS) * r * r)).abs() <= 4.0 * tol, "variance {var}");
            for i in at {
                let tol = 30.0 * U * 10.0 * r * (1.0 + f64::from(y[i].abs()));
                prop_assert!(f64::from((y[i] - y2[i]).abs()) <= tol, "{} {}", y[i], y2[i]);
            }
        }
    }

    /// Any shape: forward and backward are the reference's.
    #[test]
    fn any_shape_agrees_with_f64(n in 0usize..80, c in 1usize..140, p in 0u8..3, add: bool) {
        let write = if add { Write::Add } else { Write::Set };
        Case::new(n, c, f32::from(p) * 0.3, 0.1).check(write, 0.5);
    }
}
