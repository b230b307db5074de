//! Cross-entropy and its gradient against f64.

use crate::{
    common::Random,
    ways::{U, assert_near, same},
};

#[test]
fn loss_and_gradient() {
    let (eps, scale) = (0.1f32, 0.125f32);
    for (n, v) in [(1usize, 1usize), (3, 255), (5, 1000), (2, 3001)] {
        let mut random = Random(60);
        let x: Vec<f32> = random.floats(n * v).into_iter().map(|x| x * 8.0).collect();
        // The last row does not count.
        let target: Vec<i32> =
            (0..n).map(|r| if r > 0 && r + 1 == n { -1 } else { (random.next() as usize % v) as i32 }).collect();
        let (mut losses, mut gradients) = (Vec::new(), Vec::new());
        for (row, &target) in x.chunks(v).zip(&target) {
            let Ok(target) = usize::try_from(target) else {
                losses.push((0.0, 0.0));
                gradients.extend(vec![(0.0, 0.0); v]);
                continue;
            };
            let (loss, gradient) = reference(row, target, eps.into(), scale.into());
            losses.push(loss);
            gradients.extend(gradient);
        }
        same(
            "cross_entropy",
            |device| {
                let (x, loss) = (device.upload(&x), device.allocate::<f32>(n));
                let args =
                    [x.into(), device.upload(&target).into(), loss.into(), (v as i32).into(), eps.into(), scale.into()];
                device.clean("cross_entropy", [n as u32, 1, 1], [256, 1, 1], 0, &args);
                (device.download::<u32>(loss, n), device.download::<u32>(x, n * v))
            },
            |(loss, gradient)| {
                assert_near(loss, &losses);
                assert_near(gradient, &gradients);
            },
        );
    }
}

/// A row's loss and gradient, each with what the kernel's arithmetic may err.
fn reference(x: &[f32], target: usize, eps: f64, scale: f64) -> ((f64, f64), Vec<(f64, f64)>) {
    let v = x.len() as f64;
    let x: Vec<f64> = x.iter().copied().map(f64::from).collect();
    let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = x.iter().map(|x| (x - top).exp()).collect();
    let sum: f64 = exps.iter().sum();
    let share = eps / v;
    // A sum of 256 threads: one addition each of their elements, five of the butterfly, seven of the warps.
    let additions = (v / 256.0).ceil() + 12.0;
    let shifted: f64 = x.iter().map(|x| x - top).sum();
    let widest = x.iter().map(|x| top - x).fold(0.0, f64::max);
    // exp(d) is ex2.approx of d log2(e): the difference, the product and the constant err by U each, relative to an
    // exponent of |d|, and the instruction by 2^-22.
    let exp = 3.0 * U * widest + 4.0 * U;
    // All terms are positive, so that a relative error of each and of the additions is one of the sum.
    let sum_error = exp + additions * U;
    let at_target = x[target] - top;
    let loss = sum.ln() - (1.0 - eps) * at_target - share * shifted;
    // The logarithm's own rounding (1 ulp is at most 2 U), the sums, and roundings of three products, of 1 - eps, of
    // eps / V and of two differences, each relative to the largest of the terms.
    let terms = sum.ln().abs() + at_target.abs() + share * shifted.abs();
    let loss_error = sum_error + share * (additions + 1.0) * U * shifted.abs() + 8.0 * U * terms;
    let gradient = (0..x.len()).map(|i| {
        let p = exps[i] / sum;
        let q = share + if i == target { 1.0 - eps } else { 0.0 };
        // p has the errors of its exponential, the sum, the inverse and the product; q those of a division and two sums.
        let error = p * (exp + sum_error + 2.0 * U) + 3.0 * U * q + 2.0 * U * (p - q).abs();
        (scale * (p - q), scale * error * 1.01)
    });
    ((loss, loss_error * 1.01), gradient.collect())
}
