//! Layer norm: exact where the kernel fixes every rounding, within a bound where the compiler may fuse.

use crate::{
    common::{Device, Random},
    ways::{U, assert_bits, assert_near, floats, same},
};

const EPS: f32 = 1e-5;

/// y, mean and rstd, as bits.
type Output = (Vec<u32>, Vec<u32>, Vec<u32>);

struct Case {
    n: usize,
    c: usize,
    x: Vec<f32>,
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

impl Case {
    /// Rows around 0, around 1000, and one of a single value.
    fn new(n: usize, c: usize) -> Self {
        let mut random = Random(50);
        let mut x = random.floats(n * c);
        for (row, x) in x.chunks_mut(c).enumerate() {
            match row % 3 {
                1 => x.iter_mut().for_each(|x| *x += 1000.0),
                2 => x.fill(0.3),
                _ => {}
            }
        }
        Self { n, c, x, gamma: random.floats(c), beta: random.floats(c) }
    }

    fn run(&self, device: &Device, name: &str, with_c: bool) -> Output {
        let y = device.allocate::<f32>(self.n * self.c);
        let (mean, rstd) = (device.allocate::<f32>(self.n), device.allocate::<f32>(self.n));
        let mut args = vec![device.upload(&self.x).into(), device.upload(&self.gamma).into()];
        args.extend([device.upload(&self.beta).into(), y.into(), mean.into(), rstd.into(), (self.n as i32).into()]);
        if with_c {
            args.push((self.c as i32).into());
        }
        args.push(EPS.into());
        device.clean(name, [self.n.div_ceil(4) as u32, 1, 1], [128, 1, 1], 0, &args);
        (device.download(y, self.n * self.c), device.download(mean, self.n), device.download(rstd, self.n))
    }
}

/// The sum of 32 lanes by a butterfly, which all lanes agree on.
fn butterfly(lane: impl Fn(usize) -> f32) -> f32 {
    let mut x: Vec<f32> = (0..32).map(lane).collect();
    for offset in [16, 8, 4, 2, 1] {
        x = (0..32).map(|l| x[l] + x[l ^ offset]).collect();
    }
    x[0]
}

#[test]
fn any_width_is_exact() {
    for (n, c) in [(1, 1), (3, 31), (5, 33), (6, 1025)] {
        let case = Case::new(n, c);
        let (mut y, mut mean, mut rstd) = (Vec::new(), Vec::new(), Vec::new());
        for x in case.x.chunks(c) {
            let mu = butterfly(|l| x.iter().skip(l).step_by(32).fold(0.0, |sum, x| sum + x)) / c as f32;
            let square = |sum: f32, x: &f32| (x - mu).mul_add(x - mu, sum);
            let squares = butterfly(|l| x.iter().skip(l).step_by(32).fold(0.0, square));
            let r = 1.0 / (squares / c as f32 + EPS).sqrt();
            y.extend((0..c).map(|i| ((x[i] - mu) * r).mul_add(case.gamma[i], case.beta[i])));
            mean.push(mu);
            rstd.push(r);
        }
        same(
            "layer_norm",
            |device| case.run(device, "layer_norm", true),
            |got| {
                assert_bits(&got.0, &y);
                assert_bits(&got.1, &mean);
                assert_bits(&got.2, &rstd);
            },
        );
    }
}

#[test]
fn in_registers_is_within_a_bound_of_f64() {
    let (n, c) = (7, 512);
    let case = Case::new(n, c);
    let wide: Vec<f64> = case.x.iter().copied().map(f64::from).collect();
    same(
        "layer_norm",
        |device| case.run(device, "layer_norm_512", false),
        |got| {
            for (row, x) in wide.chunks(c).enumerate() {
                let mean = x.iter().sum::<f64>() / c as f64;
                // A value takes part in 2 + 4 + 5 additions; the division is by a power of two.
                let mean_error = 11.0 * U * x.iter().map(|x| x.abs()).sum::<f64>() / c as f64;
                assert_near(&got.1[row..=row], &[(mean, mean_error)]);
                // From the mean that the kernel found, a square errs by 2 U for the difference and U for itself, and a
                // sum of positive numbers by as many U as it has additions: 14 in all; then eps is added, and half of
                // that is what the root has, beside its own rounding and the division's.
                let mu = f64::from(floats(&got.1)[row]);
                let variance = x.iter().map(|x| (x - mu).powi(2)).sum::<f64>() / c as f64;
                let rstd = 1.0 / (variance + f64::from(EPS)).sqrt();
                let relative = ((14.0 + 1.0) / 2.0 + 2.0) * U * 1.01;
                assert_near(&got.2[row..=row], &[(rstd, relative * rstd)]);
                let r = f64::from(floats(&got.2)[row]);
                let y: Vec<_> = (0..c)
                    .map(|i| {
                        let scaled = (x[i] - mu) * r * f64::from(case.gamma[i]);
                        let y = scaled + f64::from(case.beta[i]);
                        // Difference, product, and the fused sum.
                        (y, 2.01 * U * scaled.abs() + U * y.abs())
                    })
                    .collect();
                assert_near(&got.0[row * c..][..c], &y);
            }
        },
    );
}
