use super::*;
use crate::{
    lanes, math,
    testing::{Golden, U, bits, everywhere, values, wide},
};
use proptest::prelude::*;

/// Logits in about (-scale, scale) around `shift`, the same for the same seed.
fn logits(len: usize, seed: u32, scale: f32, shift: f32) -> Vec<f32> {
    values(len, seed, 0.0).iter().map(|x| shift + x * 0.5 * scale).collect()
}

/// Every fifth row does not count.
fn ids(n: usize, v: usize, ignore: u32) -> Vec<u32> {
    (0..n).map(|i| if i % 5 == 3 { ignore } else { (i * 7919 % v) as u32 }).collect()
}

/// (loss, nll, hit) by [`evaluate`].
fn scores(x: &[f32], v: usize, targets: Targets<'_>) -> (Vec<f32>, Vec<f32>, Vec<u32>) {
    let n = targets.ids.len();
    let (mut loss, mut nll, mut hit) = (vec![7.0; n], vec![7.0; n], vec![7; n]);
    evaluate(x, v, targets, Scores { loss: &mut loss, nll: &mut nll, hit: &mut hit }).unwrap();
    (loss, nll, hit)
}

/// (loss, dlogits) by [`forward_backward`].
fn gradients(x: &[f32], v: usize, targets: Targets<'_>, grad_scale: f32) -> (Vec<f32>, Vec<f32>) {
    let (mut x, mut loss) = (x.to_vec(), vec![7.0; targets.ids.len()]);
    forward_backward(&mut x, v, targets, grad_scale, &mut loss).unwrap();
    (loss, x)
}

/// Compares all of it with the f64 reference.
fn check(x: &[f32], v: usize, targets: Targets<'_>, grad_scale: f32) {
    let (loss, dx) = gradients(x, v, targets, grad_scale);
    let (same_loss, nll, hit) = scores(x, v, targets);
    assert_eq!(bits(&loss), bits(&same_loss));
    let mut log_p = x.to_vec();
    log_softmax_rows(&mut log_p, v).unwrap();
    let (eps, scale) = (f64::from(targets.smoothing), f64::from(grad_scale));
    for (row, &id) in targets.ids.iter().enumerate() {
        let at = row * v..(row + 1) * v;
        let x = wide(&x[at.clone()]);
        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // z = x - max is at most this far from 0, and rounded once; a lane's chain has ceil(V / 32) additions.
        let depth = x.iter().fold(0.0f64, |m, x| m.max(max - x));
        let k = (v.div_ceil(32) + 5) as f64 * U;
        // exp is off by 1.1 ulp and by z's rounding: so is every e, and ln l absolutely; z's lane sum is off by k times
        // V depth.
        let e = k + (4.0 + depth) * U;
        let want = reference::log_softmax(&x);
        for (got, want) in log_p[at.clone()].iter().zip(&want) {
            let tol = e + 3.0 * U * (depth + want.abs());
            assert!((f64::from(*got) - want).abs() <= tol, "log_softmax, row {row}: {got} {want}");
        }
        if id == targets.ignore {
            assert_eq!((loss[row], nll[row], hit[row]), (0.0, 0.0, 0));
            assert!(dx[at].iter().all(|&d| d.to_bits() == 0));
            continue;
        }
        let t = id as usize;
        let want_loss = reference::loss(&x, t, eps);
        let tol = e + eps * k * depth + 4.0 * U * (depth + want_loss.abs());
        assert!((f64::from(loss[row]) - want_loss).abs() <= tol, "loss {row}: {} {want_loss} {tol}", loss[row]);
        assert!((f64::from(nll[row]) + want[t]).abs() <= tol, "nll {row}: {} {}", nll[row], want[t]);
        assert_eq!(hit[row] == 1, x[t] == max, "hit {row}");
        for (i, want) in reference::gradient(&x, t, eps).iter().enumerate() {
            // p within 2e relatively (its sum too), the terms up to 1 rounded once each.
            let p = want + if i == t { 1.0 } else { eps };
            let tol = scale.abs() * (2.0 * e * p + 4.0 * U * (eps / v as f64 + if i == t { 1.0 } else { p })) + 1e-37;
            let got = f64::from(dx[row * v + i]);
            assert!((got - scale * want).abs() <= tol, "dlogits {row} {i}: {got} {} {tol}", scale * want);
        }
    }
}

#[test]
fn agrees_with_f64_at_awkward_sizes() {
    for v in [1, 2, 31, 32, 33, 65, 1000, 4001] {
        for (n, smoothing) in [(0, 0.1), (1, 0.1), (6, 0.0), (7, 0.3)] {
            let targets = Targets { ids: &ids(n, v, IGNORE), ignore: IGNORE, smoothing };
            check(&logits(n * v, 1, 3.0, 0.0), v, targets, 0.125);
            check(&logits(n * v, 2, 60.0, -1000.0), v, targets, 3.0);
        }
    }
}

#[test]
fn reference_gradient_agrees_with_finite_differences() {
    let x = wide(&logits(9, 3, 2.0, 0.5));
    for smoothing in [0.0, 0.1] {
        for (i, want) in reference::gradient(&x, 4, smoothing).iter().enumerate() {
            let at = |h: f64| {
                let mut x = x.clone();
                x[i] += h;
                reference::loss(&x, 4, smoothing)
            };
            let got = (at(1e-5) - at(-1e-5)) / 2e-5;
            // Truncation 1e-10 times a third derivative below 1, cancellation 1e-16 / 1e-5.
            assert!((got - want).abs() <= 1e-9, "element {i}: {got} {want}");
        }
    }
}

#[test]
fn agrees_with_pytorch() {
    for case in Golden::parse(include_str!("golden/torch.json")).list("cases", 4) {
        let (v, ids, x) = (case.size("v"), case.ids("targets"), case.numbers("logits"));
        let targets = Targets { ids: &ids, ignore: case.size("pad") as u32, smoothing: case.number("smoothing") };
        let (loss, dx) = gradients(&x, v, targets, case.number("grad_scale"));
        let nll = scores(&x, v, targets).1;
        let mut log_p = x;
        log_softmax_rows(&mut log_p, v).unwrap();
        for (name, got) in [("loss", loss), ("dlogits", dx), ("nll", nll), ("log_softmax", log_p)] {
            case.close(name, &got, 2e-6);
        }
    }
}

/// (loss, nll, dlogits, log-softmax) of a row by the contract, element by element: what a warp would do.
fn by_the_contract(x: &[f32], t: usize, eps: f32, grad_scale: f32) -> (f32, f32, Vec<f32>, Vec<f32>) {
    let lane_sum = |x: &[f32]| {
        let mut acc = [0.0f32; 32];
        for (i, x) in x.iter().enumerate() {
            acc[i % 32] += x;
        }
        lanes::butterfly(acc)
    };
    let m = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let z: Vec<f32> = x.iter().map(|x| x - m).collect();
    let e: Vec<f32> = z.iter().map(|&z| math::exp(z)).collect();
    let (l, zs) = (lane_sum(&e), lane_sum(&z));
    let log_l = math::ln(l);
    let nll = log_l - z[t];
    let (u, c) = (eps / x.len() as f32, 1.0 - eps);
    let loss = if eps == 0.0 { nll } else { (-u).mul_add(zs, (-c).mul_add(z[t], log_l)) };
    let (a, k) = (grad_scale / l, u * grad_scale);
    let mut dx: Vec<f32> = e.iter().map(|e| e.mul_add(a, -k)).collect();
    dx[t] -= c * grad_scale;
    (loss, nll, dx, z.iter().map(|z| z - log_l).collect())
}

#[test]
fn has_the_bits_of_the_contract_for_every_isa_and_thread_count() {
    for (n, v, smoothing) in [(1, 1, 0.1), (40, 33, 0.1), (9, 4000, 0.0), (11, 5003, 0.1)] {
        let (x, ids) = (logits(n * v, 4, 20.0, 1.5), ids(n, v, IGNORE));
        let targets = Targets { ids: &ids, ignore: IGNORE, smoothing };
        let (mut loss, mut nll, mut dx, mut log_p) = (vec![0.0; n], vec![0.0; n], vec![], vec![]);
        for (row, x) in x.chunks(v).enumerate() {
            let counts = ids[row] != IGNORE;
            let t = if counts { ids[row] as usize } else { 0 };
            let want = by_the_contract(x, t, smoothing, 0.01);
            if counts {
                (loss[row], nll[row]) = (want.0, want.1);
            }
            dx.extend(if counts { want.2 } else { vec![0.0; v] });
            log_p.extend(want.3);
        }
        let want = [bits(&loss), bits(&loss), bits(&nll), bits(&dx), bits(&log_p)];
        let run = || {
            let (loss, dx) = gradients(&x, v, targets, 0.01);
            let (loss_again, nll, _) = scores(&x, v, targets);
            let mut log_p = x.clone();
            log_softmax_rows(&mut log_p, v).unwrap();
            [bits(&loss), bits(&loss_again), bits(&nll), bits(&dx), bits(&log_p)]
        };
        everywhere(|place| assert_eq!(run(), want, "N {n}, V {v}, {place}"));
    }
}

#[test]
fn awkward_values_come_out_as_they_should() {
    let run = |x: &[f32], smoothing: f32| {
        let targets = Targets { ids: &[1], ignore: IGNORE, smoothing };
        let (loss, dx) = gradients(x, x.len(), targets, 1.0);
        let (same, nll, _) = scores(x, x.len(), targets);
        assert_eq!(loss[0].to_bits(), same[0].to_bits());
        (loss[0], nll[0], dx)
    };
    for smoothing in [0.0, 0.1] {
        for bad in [f32::NAN, f32::INFINITY] {
            for at in [0, 1, 39] {
                let mut x = logits(40, 5, 1.0, 0.0);
                x[at] = bad;
                let (loss, nll, dx) = run(&x, smoothing);
                assert!(loss.is_nan() && nll.is_nan() && dx.iter().all(|d| d.is_nan()), "{bad} at {at}");
            }
        }
        let (loss, _, dx) = run(&[f32::NEG_INFINITY; 40], smoothing);
        assert!(loss.is_nan() && dx.iter().all(|d| d.is_nan()));
        // Equal logits, however large.
        let (loss, _, dx) = run(&[3e38; 4], smoothing);
        assert!((loss - 4f32.ln()).abs() < 1e-6 && (dx[0] - (0.25 - smoothing / 4.0)).abs() < 1e-7);
    }
    // A forbidden class costs nothing without smoothing and everything with it.
    let x = [0.0, 1.0, f32::NEG_INFINITY];
    let (loss, _, dx) = run(&x, 0.0);
    assert!((f64::from(loss) - (1.0 + (-1f64).exp()).ln()).abs() < 1e-6);
    assert_eq!(dx[2], 0.0);
    assert_eq!(run(&x, 0.1).0, f32::INFINITY);
    assert_eq!(run(&[0.0, f32::NEG_INFINITY], 0.0).0, f32::INFINITY);
}

#[test]
fn rows_that_do_not_count_are_not_read() {
    let x = [f32::NAN, 1.0, 0.0, 1.0];
    let targets = Targets { ids: &[0, 1], ignore: 0, smoothing: 0.1 };
    let (loss, dx) = gradients(&x, 2, targets, 1.0);
    assert_eq!((loss[0], &dx[..2]), (0.0, &[0.0; 2][..]));
    assert!(loss[1].is_finite());
    // A hit is a target that no logit exceeds; ties count.
    let targets = Targets { ids: &[1, 0, 1], ignore: IGNORE, smoothing: 0.0 };
    assert_eq!(scores(&[1.0, 2.0, 1.0, 2.0, 2.0, 2.0], 2, targets).2, [1, 0, 1]);
}

#[test]
fn total_is_exact_where_f32_would_not_be() {
    assert_eq!(total_loss(&[]), 0.0);
    assert_eq!(total_loss(&[16_777_216.0, 1.0, 1.0]), 16_777_218.0);
    assert!(total_loss(&[1.0, f32::NAN]).is_nan());
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let run = |ids: &[u32], v: usize, smoothing: f32, len: usize, loss_len: usize, scale: f32| {
        let (mut x, mut loss) = (vec![7.0; len], vec![7.0; loss_len]);
        let result = forward_backward(&mut x, v, Targets { ids, ignore: 9, smoothing }, scale, &mut loss);
        assert_eq!(result.is_err(), x.iter().chain(&loss).all(|&x| x == 7.0));
        result
    };
    assert!(run(&[1, 9], 3, 0.1, 6, 2, 1.0).is_ok());
    let error = run(&[1, 3], 3, 0.1, 6, 2, 1.0).unwrap_err();
    assert_eq!(error, Error::Index { op: "cross_entropy", arg: "targets", at: 1, got: 3, limit: 3 });
    assert!(matches!(run(&[IGNORE, 0], 3, 0.1, 6, 2, 1.0), Err(Error::Index { at: 0, .. })));
    for smoothing in [-0.1, 1.0, f32::NAN] {
        assert!(matches!(run(&[1, 2], 3, smoothing, 6, 2, 1.0), Err(Error::Scalar { what: "smoothing", .. })));
    }
    for scale in [f32::NAN, f32::INFINITY] {
        assert!(matches!(run(&[1, 2], 3, 0.0, 6, 2, scale), Err(Error::Scalar { what: "grad_scale", .. })));
    }
    assert!(matches!(run(&[1, 2], 3, 0.0, 5, 2, 1.0), Err(Error::Length { arg: "logits", .. })));
    assert!(matches!(run(&[1, 2], 3, 0.0, 6, 3, 1.0), Err(Error::Length { arg: "loss", .. })));
    assert!(matches!(run(&[], 0, 0.0, 0, 0, 1.0), Err(Error::Size { what: "V", .. })));
    assert!(matches!(run(&[1, 2], usize::MAX, 0.0, 6, 2, 1.0), Err(Error::Size { what: "N * V", .. })));
    assert!(log_softmax_rows(&mut [0.0; 5], 2).is_err() && log_softmax_rows(&mut [], 0).is_err());
    let out = Scores { loss: &mut [0.0], nll: &mut [], hit: &mut [0] };
    let targets = Targets { ids: &[0], ignore: IGNORE, smoothing: 0.0 };
    assert!(matches!(evaluate(&[0.0, 0.0], 2, targets, out), Err(Error::Length { arg: "nll", .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any shape agrees with f64; and a row's gradient sums to 0, since softmax and targets both sum to 1.
    #[test]
    fn any_shape_agrees_with_f64(n in 0usize..9, v in 1usize..300, smoothing in 0.0f32..0.99, pad in 0u32..3) {
        let x = logits(n * v, 6, 8.0, 2.0);
        let ids = ids(n, v, pad);
        let targets = Targets { ids: &ids, ignore: pad, smoothing };
        check(&x, v, targets, 0.5);
        for row in gradients(&x, v, targets, 1.0).1.chunks(v) {
            let sum: f64 = wide(row).iter().sum();
            // Each p off by some 30 roundings relatively, the rest by one each.
            prop_assert!(sum.abs() <= 60.0 * U, "{sum}");
        }
    }
}
