//! In f32 the device's bits are the CPU's; in 16 bits it follows f64.

use super::{Affine, Backward, Gradients, Kernels, Output, scratch_len};
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::dropout::Dropout;
use crate::layer_norm::bounds::Rows;
use crate::layer_norm::tests::{Case, EPS, Outcome};
use crate::layer_norm::{CHUNK, Write};
use crate::testing::cuda::{Padded, device};
use crate::testing::{bits_but_nan, values};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// What [`Case::run`] does, on the device with rows of `T`; `before` says where the buffers begin.
fn run<T: Element>(queue: &Queue, kernels: &Kernels, case: &Case, write: Write, start: f32, before: usize) -> Outcome {
    let (n, c) = (case.n, case.c);
    let put = |values: &[f32]| Padded::<f32>::new(queue, values, before);
    let rows = |values: &[f32]| Padded::<T>::new(queue, values, before);
    let (x, gamma, beta, dy) = (rows(&case.x), put(&case.gamma), put(&case.beta), rows(&case.dy));
    let (mut sum, mut y) = (rows(&case.sub), rows(&vec![start; n * c]));
    let (mut dsum, mut dsub) = (rows(&vec![start; n * c]), rows(&vec![start; n * c]));
    let (mut mean, mut rstd) = (put(&vec![start; n]), put(&vec![start; n]));
    let (mut dgamma, mut dbeta) = (put(&vec![start; c]), put(&vec![start; c]));
    let mut scratch = put(&vec![f32::NAN; scratch_len(n, c)]);
    let affine = Affine { gamma: gamma.view(), beta: beta.view() };
    let out = Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() };
    kernels.residual_forward(queue, x.view(), sum.view_mut(), case.dropout, affine, EPS, out).unwrap();
    let input = Backward { dy: dy.view(), sum: sum.view(), mean: mean.view(), rstd: rstd.view(), gamma: gamma.view() };
    let out = Gradients { dsum: dsum.view_mut(), dgamma: dgamma.view_mut(), dbeta: dbeta.view_mut() };
    let (dropout, dsub_view) = (case.dropout, dsub.view_mut());
    kernels.residual_backward(queue, input, dropout, write, out, dsub_view, scratch.view_mut()).unwrap();
    scratch.read();
    Outcome {
        sum: sum.read(),
        y: y.read(),
        mean: mean.read(),
        rstd: rstd.read(),
        dsum: dsum.read(),
        dsub: dsub.read(),
        dgamma: dgamma.read(),
        dbeta: dbeta.read(),
    }
}

fn assert_same(got: &Outcome, want: &Outcome, what: &str) {
    let Outcome { sum, y, mean, rstd, dsum, dsub, dgamma, dbeta } = got;
    for (name, got, want) in [
        ("sum", sum, &want.sum),
        ("y", y, &want.y),
        ("mean", mean, &want.mean),
        ("rstd", rstd, &want.rstd),
        ("dsum", dsum, &want.dsum),
        ("dsub", dsub, &want.dsub),
        ("dgamma", dgamma, &want.dgamma),
        ("dbeta", dbeta, &want.dbeta),
    ] {
        let at = bits_but_nan(got).iter().zip(bits_but_nan(want)).position(|(a, b)| *a != b);
        assert!(at.is_none(), "{what}: {name} {:?}", at.map(|at| (at, got[at], want[at])));
        assert_eq!(got.len(), want.len());
    }
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Around a warp, a group of 256 columns, and the widths that registers hold; around a block's rows and a chunk.
    for c in [1, 31, 32, 33, 257, 511, 512, 513, 1024, 1025] {
        for n in [0, 1, 9, 31, 33, 64, 70] {
            if n * c > 40_000 {
                continue;
            }
            for (p, write, before) in [(0.3, Write::Set, 0), (0.0, Write::Add, 1), (0.1, Write::Add, 4)] {
                let case = Case::new(n, c, p, 0.5);
                let got = run::<f32>(&queue, &kernels, &case, write, -1.5, before);
                assert_same(&got, &case.run(write, -1.5), &format!("N {n}, C {c}, p {p}, {write:?}"));
            }
        }
    }
}

#[test]
fn chunks_of_several_blocks_are_added_in_the_contracts_order() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Again and again, for the counters must be 0 after each.
    for (chunks, c) in [(1, 300), (15, 33), (32, 257), (33, 33), (65, 3), (257, 3), (64, 1030)] {
        let case = Case::new(CHUNK * chunks - 5, c, 0.0, 0.0);
        let got = run::<f32>(&queue, &kernels, &case, Write::Set, 0.25, 0);
        assert_same(&got, &case.run(Write::Set, 0.25), &format!("{chunks} chunks of {c} columns"));
    }
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for c in [33, 600, 1030] {
        let mut case = Case::new(40, c, 0.2, 1e4);
        let mut fill = |row: usize, value: &dyn Fn(usize) -> f32| {
            for i in 0..c {
                case.x[row * c + i] = value(i);
                case.sub[row * c + i] = 0.0;
            }
        };
        fill(1, &|_| 3.0);
        fill(2, &|i| if i % 2 == 0 { 1e-40 } else { -1e-40 });
        fill(3, &|i| i as f32 * 1e36);
        fill(4, &|_| -0.0);
        for (row, bad) in [(6, f32::NAN), (7, f32::INFINITY), (8, f32::NEG_INFINITY)] {
            fill(row, &|i| if i == c - 2 { bad } else { i as f32 });
        }
        case.dy[10 * c + 3] = f32::NAN;
        case.dy[11 * c + 4] = f32::INFINITY;
        case.dy[12 * c..13 * c].fill(1e-42);
        for write in [Write::Set, Write::Add] {
            let got = run::<f32>(&queue, &kernels, &case, write, 0.5, 0);
            assert_same(&got, &case.run(write, 0.5), &format!("C {c}, {write:?}"));
        }
    }
}

#[test]
fn the_plain_forms_have_the_residual_forms_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for c in [70, 520, 1100] {
        let case = Case::new(35, c, 0.0, 0.0);
        let want = run::<f32>(&queue, &kernels, &case, Write::Set, 0.0, 0);
        let n = case.n;
        let put = |values: &[f32]| Buffer::from_host(&queue, values).unwrap();
        let (x, gamma, beta, dy) = (put(&want.sum), put(&case.gamma), put(&case.beta), put(&case.dy));
        let (mut y, mut dsum) = (put(&vec![9.0; n * c]), put(&vec![9.0; n * c]));
        let (mut mean, mut rstd) = (put(&vec![9.0; n]), put(&vec![9.0; n]));
        let (mut dgamma, mut dbeta) = (put(&vec![0.0; c]), put(&vec![0.0; c]));
        let mut scratch = put(&vec![f32::NAN; scratch_len(n, c)]);
        let affine = Affine { gamma: gamma.view(), beta: beta.view() };
        let out = Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() };
        kernels.forward(&queue, x.view(), affine, EPS, out).unwrap();
        let input =
            Backward { dy: dy.view(), sum: x.view(), mean: mean.view(), rstd: rstd.view(), gamma: gamma.view() };
        let out = Gradients { dsum: dsum.view_mut(), dgamma: dgamma.view_mut(), dbeta: dbeta.view_mut() };
        kernels.backward(&queue, input, Write::Set, out, scratch.view_mut()).unwrap();
        let read = |buffer: &Buffer| buffer.read().unwrap();
        let got = Outcome {
            sum: read(&x),
            y: read(&y),
            mean: read(&mean),
            rstd: read(&rstd),
            dsub: read(&dsum),
            dsum: read(&dsum),
            dgamma: read(&dgamma),
            dbeta: read(&dbeta),
        };
        assert_same(&got, &want, &format!("C {c}"));
    }
}

#[test]
fn no_order_of_blocks_changes_a_bit() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::new(200, 40, 0.2, 0.0);
    let want = case.run(Write::Add, 0.5);
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(3), BlockOrder::Forward, BlockOrder::Forward] {
        set_block_order(order);
        let got = run::<f32>(&queue, &kernels, &case, Write::Add, 0.5, 0);
        set_block_order(BlockOrder::Forward);
        assert_same(&got, &want, &format!("{order:?}"));
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let forward = |eps: f32, x: usize, sum: usize, gamma: usize, beta: usize, y: usize, rstd: usize| {
        let zeros = |len: usize| Buffer::from_host(&queue, &vec![7.0; len]).unwrap();
        let (x, gamma, beta) = (zeros(x), zeros(gamma), zeros(beta));
        let (mut sum, mut y, mut mean, mut rstd) = (zeros(sum), zeros(y), zeros(2), zeros(rstd));
        let affine = Affine { gamma: gamma.view(), beta: beta.view() };
        let out = Output { y: y.view_mut(), mean: mean.view_mut(), rstd: rstd.view_mut() };
        let result = kernels.residual_forward(&queue, x.view(), sum.view_mut(), Dropout::NONE, affine, eps, out);
        let after = [&sum, &y, &mean, &rstd].map(|buffer| buffer.read().unwrap()).concat();
        assert_eq!(result.is_err(), after.iter().all(|&v| v == 7.0));
        result
    };
    assert!(forward(EPS, 6, 6, 3, 3, 6, 2).is_ok());
    assert!(matches!(forward(0.0, 6, 6, 3, 3, 6, 2), Err(Error::Scalar { what: "eps", .. })));
    assert!(matches!(forward(EPS, 5, 6, 3, 3, 6, 2), Err(Error::Length { arg: "x", got: 5, want: 6, .. })));
    assert!(matches!(forward(EPS, 6, 7, 3, 3, 6, 2), Err(Error::Length { arg: "sum", .. })));
    assert!(matches!(forward(EPS, 6, 6, 3, 2, 6, 2), Err(Error::Length { arg: "beta", .. })));
    assert!(matches!(forward(EPS, 6, 6, 3, 3, 5, 2), Err(Error::Length { arg: "y", .. })));
    assert!(matches!(forward(EPS, 6, 6, 3, 3, 6, 3), Err(Error::Length { arg: "rstd", .. })));
    assert!(matches!(forward(EPS, 0, 0, 0, 0, 0, 2), Err(Error::Size { what: "C", .. })));

    let other = Queue::new(0).unwrap();
    let backward = |lens: [usize; 9], queue_of_scratch: &Queue| {
        let zeros = |len: usize| Buffer::from_host(&queue, &vec![7.0; len]).unwrap();
        let [dy, sum, mean, rstd, gamma, mut dsum, mut dgamma, mut dbeta, mut dsub] = lens.map(zeros);
        let mut scratch = Buffer::zeros(queue_of_scratch, 6).unwrap();
        let input =
            Backward { dy: dy.view(), sum: sum.view(), mean: mean.view(), rstd: rstd.view(), gamma: gamma.view() };
        let out = Gradients { dsum: dsum.view_mut(), dgamma: dgamma.view_mut(), dbeta: dbeta.view_mut() };
        let (none, dsub_view) = (Dropout::NONE, dsub.view_mut());
        let result = kernels.residual_backward(&queue, input, none, Write::Set, out, dsub_view, scratch.view_mut());
        let after = [&dsum, &dgamma, &dbeta, &dsub].map(|buffer| buffer.read().unwrap()).concat();
        assert_eq!(result.is_err(), after.iter().all(|&v| v == 7.0));
        result
    };
    let good = [6, 6, 2, 2, 3, 6, 3, 3, 6];
    assert!(backward(good, &queue).is_ok());
    for (at, name) in [(0, "dy"), (1, "sum"), (3, "rstd"), (5, "dsum"), (6, "dgamma"), (7, "dbeta"), (8, "dsub")] {
        let mut lens = good;
        lens[at] += 1;
        assert!(matches!(backward(lens, &queue), Err(Error::Length { arg, .. }) if arg == name), "{name}");
    }
    let error = backward([6 + 32 * 3, 102, 34, 34, 3, 102, 3, 3, 102], &queue).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "scratch", got: 6, want: 12, .. }));
    assert!(matches!(backward(good, &other), Err(Error::Queue { arg: "scratch", .. })));
}

#[test]
fn dropping_needs_no_mask_and_follows_the_step() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for step in [1, 2, 1] {
        let mut case = Case::new(3, 300, 0.4, 0.0);
        case.dropout = Dropout::new(0.4, 12, step, 9).unwrap();
        case.sub = values(900, step, 0.0);
        let got = run::<f32>(&queue, &kernels, &case, Write::Set, 0.0, 0);
        assert_same(&got, &case.run(Write::Set, 0.0), &format!("step {step}"));
    }
}

/// The case with its rows rounded to `T`.
fn rounded<T: Element>(case: Case) -> Case {
    let round = |x: Vec<f32>| x.into_iter().map(|x| T::from_f32(x).to_f32()).collect();
    Case { x: round(case.x), sub: round(case.sub), dy: round(case.dy), ..case }
}

/// `precision` bits, and the least subnormal number.
fn sixteen_bits_follow_f64<T: Element>(precision: i32, least: f64) {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for c in [1, 7, 8, 9, 255, 256, 264, 512, 1000, 1024, 1025, 1032] {
        for n in [1, 9, 40] {
            if n * c > 11_000 {
                continue;
            }
            for (p, write, shift) in [(0.3, Write::Set, 0.0), (0.0, Write::Add, 30.0)] {
                let case = rounded::<T>(Case::new(n, c, p, shift));
                let got = run::<T>(&queue, &kernels, &case, write, -1.5, 0);
                let rows = Rows {
                    // Eight columns of each 256.
                    chain: 8 * c.div_ceil(256),
                    // Half a unit in the last place, as a part of the value, and of the least number.
                    unit: 0.5f64.powi(precision),
                    least: 0.5 * least,
                };
                case.compare(&got, write, -1.5, rows, |x| T::from_f32(x).to_f32());
                // Where rows lie chooses between kernels, and changes no bit.
                for before in [1, 8] {
                    let again = run::<T>(&queue, &kernels, &case, write, -1.5, before);
                    assert_same(&again, &got, &format!("N {n}, C {c}, {before} values in"));
                }
            }
        }
    }
}

#[test]
fn bf16_follows_f64() {
    sixteen_bits_follow_f64::<Bf16>(8, 0.5f64.powi(133));
}

#[test]
fn f16_follows_f64() {
    sixteen_bits_follow_f64::<F16>(11, 0.5f64.powi(24));
}

#[test]
fn what_is_not_finite_stays_in_its_row_in_16_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (c, before) in [(40, 0), (41, 0), (600, 0), (600, 1)] {
        let mut case = rounded::<F16>(Case::new(5, c, 0.0, 0.0));
        case.x[c + 3] = f32::NAN;
        case.x[2 * c + 4] = f32::INFINITY;
        // Beyond what f16 holds, once it is added.
        (case.x[3 * c + 1], case.sub[3 * c + 1]) = (65_504.0, 65_504.0);
        let got = run::<F16>(&queue, &kernels, &case, Write::Set, 0.0, before);
        for row in 0..5 {
            let at = row * c..(row + 1) * c;
            let bad = (1..4).contains(&row);
            assert!(got.y[at.clone()].iter().all(|y| y.is_nan() == bad), "C {c}, row {row}");
            assert!(got.dsum[at].iter().all(|d| d.is_nan() == bad), "C {c}, row {row}");
        }
        assert_eq!(got.sum[3 * c + 1], f32::INFINITY);
    }
}
