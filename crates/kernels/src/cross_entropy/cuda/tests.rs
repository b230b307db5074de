//! The device's bits are the CPU's. Of 16-bit logits too: they are widened exactly, the arithmetic is that of f32, and
//! the gradient is rounded once. So what bounds the error of f32 bounds theirs, with half a unit in the last place
//! more.

use super::Kernels;
use crate::Error;
use crate::cross_entropy::{self, IGNORE, Scores};
use crate::cuda::{Bf16, Buffer, Element, F16, Indices, Queue};
use crate::device::Targets;
use crate::testing::cuda::{Padded, UNTOUCHED, check_accesses, counted, device};
use crate::testing::{bits_but_nan, values, words};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// As values of T, and back.
fn rounded<T: Element>(x: &[f32]) -> Vec<f32> {
    x.iter().map(|&x| T::from_f32(x).to_f32()).collect()
}

/// Rows of logits with the same awkward rows among them for the same seed.
fn logits(n: usize, v: usize, seed: u32, awkward: bool) -> Vec<f32> {
    const AWKWARD: [f32; 8] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 1e-40, -0.0, 1e4];
    let mut x: Vec<f32> = values(n * v, seed, 0.0).iter().map(|x| 8.0 * x).collect();
    if awkward {
        for (row, x) in x.chunks_mut(v).enumerate() {
            let at = words(1, seed + row as u32)[0] as usize % v;
            match row % 12 {
                8 => x.fill(f32::NEG_INFINITY),
                9 => x.iter_mut().for_each(|x| *x += 1e4),
                10 => x.fill(-0.0),
                11 => x.iter_mut().step_by(2).for_each(|x| *x = f32::NEG_INFINITY),
                which => x[at] = AWKWARD[which],
            }
        }
    }
    x
}

/// Everything on both devices, with the logits `before` values behind an aligned address, for the rows of `ids` from
/// `first` on.
fn compare<T: Element>(
    queue: &Queue,
    kernels: &Kernels,
    (x, v, before): (&[f32], usize, usize),
    (ids, first, ignore): (&[u32], usize, u32),
    (smoothing, grad_scale): (f32, f32),
) {
    let n = ids.len() - first;
    let x = &rounded::<T>(x)[..];
    let (indices, scale) = (Indices::from_host(queue, ids).unwrap(), Buffer::from_host(queue, &[grad_scale]).unwrap());
    let of = Targets { ids: &indices, first, ignore, smoothing };
    let targets = cross_entropy::Targets { ids: &ids[first..], ignore, smoothing };
    let place = format!("{}, N {n}, V {v}, {before} values before", T::NAME);

    let (mut want_x, mut want_loss) = (x.to_vec(), vec![UNTOUCHED; n]);
    cross_entropy::forward_backward(&mut want_x, v, targets, grad_scale, &mut want_loss).unwrap();
    let (mut got_x, mut got_loss) = (Padded::<T>::new(queue, x, before), Padded::<f32>::new(queue, &want_loss, 1));
    kernels.forward_backward(queue, got_x.view_mut(), v, &of, scale.view(), got_loss.view_mut()).unwrap();
    assert!(got_loss.bits() == bits_but_nan(&want_loss), "loss, {place}");
    assert!(got_x.bits() == bits_but_nan(&rounded::<T>(&want_x)), "dlogits, {place}");

    let (mut want_nll, mut want_hit) = (vec![UNTOUCHED; n], vec![17; n]);
    let out = Scores { loss: &mut want_loss, nll: &mut want_nll, hit: &mut want_hit };
    cross_entropy::evaluate(x, v, targets, out).unwrap();
    let got_x = Padded::<T>::new(queue, x, before);
    let (mut got_loss, mut got_nll) =
        (Padded::<f32>::new(queue, &want_loss, 1), Padded::<f32>::new(queue, &want_nll, 2));
    let mut got_hit = Buffer::from_host(queue, &vec![17; n]).unwrap();
    let out = (got_loss.view_mut(), got_nll.view_mut(), got_hit.view_mut());
    kernels.evaluate(queue, got_x.view(), v, &of, out).unwrap();
    assert!(got_loss.bits() == bits_but_nan(&want_loss), "loss (evaluate), {place}");
    assert!(got_nll.bits() == bits_but_nan(&want_nll), "nll, {place}");
    assert_eq!(got_hit.read().unwrap(), want_hit, "hit, {place}");

    let mut want = x.to_vec();
    cross_entropy::log_softmax_rows(&mut want, v).unwrap();
    // Where `out` lies as the logits do, and where it lies otherwise.
    for before in [before, before + 1] {
        let mut got = Padded::<f32>::new(queue, &vec![0.0; n * v], before);
        kernels.log_softmax(queue, got_x.view(), v, got.view_mut()).unwrap();
        assert!(got.bits() == bits_but_nan(&want), "log-softmax, {place}");
    }
    assert!(got_x.bits() == bits_but_nan(x), "logits of evaluate and log-softmax, {place}");
    let mut in_place = Padded::<f32>::new(queue, x, before);
    kernels.log_softmax_rows(queue, in_place.view_mut(), v).unwrap();
    assert!(in_place.bits() == bits_but_nan(&want), "log-softmax in place, {place}");
}

/// Every fifth row does not count.
fn ids(n: usize, v: usize, ignore: u32) -> Vec<u32> {
    (0..n).map(|i| if i % 5 == 3 { ignore } else { (i * 7919 % v) as u32 }).collect()
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Lengths around a warp, four at a time, a chunk of 1792 and the ring of two; all offsets of a row.
    for (v, n) in [(1, 5), (2, 3), (3, 4), (31, 2), (32, 2), (33, 5), (257, 5), (1791, 2), (1793, 3), (3585, 2)] {
        for (before, smoothing) in [(0, 0.1), (3, 0.0)] {
            let x = logits(n, v, 3, false);
            compare::<f32>(&queue, &kernels, (&x, v, before), (&ids(n, v, IGNORE), 0, IGNORE), (smoothing, 0.01));
        }
    }
    compare::<f32>(&queue, &kernels, (&[], 7, 0), (&[], 0, IGNORE), (0.1, 1.0));
    // Padding as the id that does not count, and rows from the middle of the targets.
    let x = logits(6, 100, 4, false);
    compare::<f32>(&queue, &kernels, (&x, 100, 1), (&ids(9, 100, 0), 3, 0), (0.1, 1.0));
}

#[test]
fn rows_of_many_chunks_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (v, before, smoothing) in [(9001, 2, 0.1), (20_003, 1, 0.0)] {
        let x = logits(2, v, 5, false);
        compare::<f32>(&queue, &kernels, (&x, v, before), (&ids(2, v, IGNORE), 0, IGNORE), (smoothing, 0.3));
    }
}

#[test]
fn rows_that_do_not_fit_into_shared_memory_have_the_cpus_bits() {
    let queue = device();
    let mut kernels = Kernels::load(&queue).unwrap();
    let v = queue.shared_bytes() as usize / 4 + 1;
    let x = logits(2, v, 6, false);
    compare::<f32>(&queue, &kernels, (&x, v, 1), (&ids(2, v, IGNORE), 0, IGNORE), (0.1, 0.3));
    // On a device with hardly any shared memory, all rows are such rows.
    kernels.shared_bytes = 0;
    for (v, n, smoothing) in [(1, 5, 0.1), (33, 5, 0.0), (1793, 12, 0.1), (3585, 1, 0.0)] {
        let x = logits(n, v, 7, n == 12);
        compare::<f32>(&queue, &kernels, (&x, v, 0), (&ids(n, v, IGNORE), 0, IGNORE), (smoothing, 0.01));
    }
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (v, smoothing) in [(5, 0.1), (40, 0.0), (300, 0.1), (300, 0.0)] {
        let x = logits(36, v, 8, true);
        compare::<f32>(&queue, &kernels, (&x, v, 0), (&ids(36, v, IGNORE), 0, IGNORE), (smoothing, 3.0));
    }
}

#[test]
fn rows_that_do_not_count_are_zeros_whatever_they_hold() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = [f32::NAN, 1.0, f32::NAN, f32::INFINITY, 1.0, 2.0];
    compare::<f32>(&queue, &kernels, (&x, 2, 0), (&[1, 1, 0], 0, 1), (0.1, 1.0));
}

fn sixteen_bits<T: Element>() {
    let queue = device();
    let mut kernels = Kernels::load(&queue).unwrap();
    for (v, n, smoothing) in [(1, 5, 0.1), (31, 9, 0.0), (33, 9, 0.1), (257, 24, 0.1), (3585, 2, 0.1), (9001, 1, 0.0)] {
        for before in [0, 1, 2] {
            let x = logits(n, v, 12, n == 24);
            let ids = ids(n, v, IGNORE);
            compare::<T>(&queue, &kernels, (&x, v, before), (&ids, 0, IGNORE), (smoothing, 0.01));
        }
    }
    compare::<T>(&queue, &kernels, (&[], 7, 0), (&[], 0, IGNORE), (0.1, 1.0));
    // Rows that do not fit.
    kernels.shared_bytes = 0;
    for (v, n) in [(33, 5), (257, 24), (1793, 2)] {
        let x = logits(n, v, 13, n == 24);
        compare::<T>(&queue, &kernels, (&x, v, 1), (&ids(n, v, IGNORE), 0, IGNORE), (0.1, 3.0));
    }
}

#[test]
fn bf16_logits_have_the_bits_of_f32_rounded_once() {
    sixteen_bits::<Bf16>();
}

#[test]
fn f16_logits_have_the_bits_of_f32_rounded_once() {
    sixteen_bits::<F16>();
}

#[test]
fn an_overflow_of_f16_is_an_infinity() {
    // By which a scale of the loss that is too large is found out.
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let indices = Indices::from_host(&queue, &[2]).unwrap();
    let of = Targets { ids: &indices, first: 0, ignore: IGNORE, smoothing: 0.0 };
    for (scale, overflows) in [(98_304.0, true), (49_152.0, false)] {
        let (mut x, mut loss) = (Padded::<F16>::new(&queue, &[1.0; 5], 0), Padded::<f32>::new(&queue, &[0.0], 0));
        let scale_there = Buffer::from_host(&queue, &[scale]).unwrap();
        kernels.forward_backward(&queue, x.view_mut(), 5, &of, scale_there.view(), loss.view_mut()).unwrap();
        let dx = x.read();
        assert_eq!(dx[2] == f32::NEG_INFINITY, overflows, "{dx:?}");
        assert!(dx.iter().enumerate().all(|(i, x)| i == 2 || x.is_finite()));
    }
}

#[test]
fn the_scale_is_read_when_the_launch_runs() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = logits(1, 50, 9, false);
    let indices = Indices::from_host(&queue, &[3]).unwrap();
    let of = Targets { ids: &indices, first: 0, ignore: IGNORE, smoothing: 0.1 };
    let run = |scale: f32| {
        let (mut x, mut loss) = (Padded::<f32>::new(&queue, &x, 0), Padded::<f32>::new(&queue, &[0.0], 0));
        let scale = Buffer::from_host(&queue, &[scale]).unwrap();
        kernels.forward_backward(&queue, x.view_mut(), 50, &of, scale.view(), loss.view_mut()).unwrap();
        x.read()
    };
    let (one, two) = (run(1.0), run(2.0));
    assert!(one.iter().zip(&two).all(|(a, b)| 2.0 * a == *b));
    // What the host cannot see is not refused, and does not hide.
    assert!(run(f32::NAN).iter().all(|x| x.is_nan()));
    assert!(run(f32::INFINITY).iter().all(|x| !x.is_finite()));
}

/// A replay may find targets that the launch was not checked with. Those that are no class count as the last one.
#[test]
fn a_replay_takes_targets_that_are_no_classes_for_the_last() {
    let queue = device();
    let mut kernels = Kernels::load(&queue).unwrap();
    let shared = kernels.shared_bytes;
    // Rows that are kept in shared memory, and rows that are not.
    for shared in [shared, 0] {
        kernels.shared_bytes = shared;
        let (n, v) = (4, 37);
        let x = logits(n, v, 16, false);
        let mut targets = Indices::from_host(&queue, &[0, 1, 2, 3]).unwrap();
        let scale = Buffer::from_host(&queue, &[0.3]).unwrap();
        let (mut got_x, evaluated) = (Padded::<f32>::new(&queue, &x, 0), Padded::<f32>::new(&queue, &x, 0));
        let mut got = [0; 3].map(|_| Padded::<f32>::new(&queue, &[0.0; 4], 0));
        let mut hit = Buffer::from_host(&queue, &[0; 4]).unwrap();
        let mut graph = queue
            .capture(|| {
                let of = Targets { ids: &targets, first: 0, ignore: IGNORE, smoothing: 0.1 };
                let [loss, evaluated_loss, nll] = got.each_mut().map(Padded::view_mut);
                kernels.forward_backward(&queue, got_x.view_mut(), v, &of, scale.view(), loss)?;
                kernels.evaluate(&queue, evaluated.view(), v, &of, (evaluated_loss, nll, hit.view_mut()))
            })
            .unwrap();
        targets.set(&queue, &[37, 5, IGNORE - 1, 1 << 31]).unwrap();
        queue.replay(&mut graph).unwrap();

        let targets = cross_entropy::Targets { ids: &[36, 5, 36, 36], ignore: IGNORE, smoothing: 0.1 };
        let (mut want_x, mut loss, mut nll, mut want_hit) = (x.clone(), [0.0; 4], [0.0; 4], [7; 4]);
        cross_entropy::forward_backward(&mut want_x, v, targets, 0.3, &mut loss).unwrap();
        assert_eq!(got_x.bits(), bits_but_nan(&want_x));
        assert_eq!(got[0].bits(), bits_but_nan(&loss));
        let scores = Scores { loss: &mut loss, nll: &mut nll, hit: &mut want_hit };
        cross_entropy::evaluate(&x, v, targets, scores).unwrap();
        assert_eq!([got[1].bits(), got[2].bits()], [bits_but_nan(&loss), bits_but_nan(&nll)]);
        assert_eq!(hit.read().unwrap(), want_hit);
    }
}

/// Of aligned rows that are whole accesses.
fn traffic<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let (n, v) = (3, 8192);
    let bytes = n * v * size_of::<T>();
    let indices = Indices::from_host(&queue, &[5, 6, 7]).unwrap();
    let of = Targets { ids: &indices, first: 0, ignore: IGNORE, smoothing: 0.1 };
    let mut x = Padded::<T>::new(&queue, &logits(n, v, 14, false), 0);
    let mut out = Padded::<f32>::new(&queue, &vec![0.0; n * v], 0);
    let [mut loss, mut nll] = [0; 2].map(|_| Padded::<f32>::new(&queue, &[0.0; 3], 0));
    let mut hit = Buffer::from_host(&queue, &[0; 3]).unwrap();
    let scale = Buffer::from_host(&queue, &[1.0]).unwrap();
    let log_softmax = counted(|| kernels.log_softmax(&queue, x.view(), v, out.view_mut()).unwrap());
    let evaluate = counted(|| {
        let out = (loss.view_mut(), nll.view_mut(), hit.view_mut());
        kernels.evaluate(&queue, x.view(), v, &of, out).unwrap();
    });
    let forward_backward = counted(|| {
        kernels.forward_backward(&queue, x.view_mut(), v, &of, scale.view(), loss.view_mut()).unwrap();
    });
    // Besides: targets, the scale, losses, nll and hits, a sector each.
    let wants = [(bytes, 4 * n * v), (bytes, 0), (bytes, bytes)];
    for (launch, want) in [log_softmax, evaluate, forward_backward].into_iter().zip(wants) {
        if let Some(launch) = launch {
            check_accesses(&launch, want, 3);
        }
    }
}

#[test]
fn logits_are_read_once_and_written_once_without_conflicts() {
    traffic::<f32>();
    traffic::<Bf16>();
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = logits(9, 65, 10, false);
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(5), BlockOrder::Forward] {
        set_block_order(order);
        compare::<f32>(&queue, &kernels, (&x, 65, 1), (&ids(9, 65, IGNORE), 0, IGNORE), (0.1, 0.3));
    }
}

#[test]
fn the_total_is_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for n in [0, 1, 31, 32, 33, 127, 128, 129, 1000] {
        let mut loss: Vec<f32> = values(n, 11, 2.0).iter().map(|x| x * x * x).collect();
        if n == 1000 {
            loss[700] = 1e30;
            loss[701] = -1e30;
        }
        let on_device = Padded::<f32>::new(&queue, &loss, 1);
        let mut total = Buffer::from_host(&queue, &[17.0, 17.0, 17.0]).unwrap();
        let [part] = total.view_mut().split([(1, 1)]);
        kernels.total_loss(&queue, on_device.view(), part).unwrap();
        let want = [17.0, cross_entropy::total_loss(&loss), 17.0].map(f64::to_bits);
        assert!(total.read().unwrap().into_iter().map(f64::to_bits).eq(want), "{n} rows");
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let indices = Indices::from_host(&queue, &[1, 9, 3]).unwrap();
    let scale = Buffer::from_host(&queue, &[1.0, 1.0]).unwrap();
    let run = |v: usize, first: usize, smoothing: f32, len: usize, loss_len: usize, scales: usize| {
        let of = Targets { ids: &indices, first, ignore: 9, smoothing };
        let (mut x, mut loss) =
            (Padded::<f32>::new(&queue, &vec![7.0; len], 0), Padded::<f32>::new(&queue, &vec![7.0; loss_len], 0));
        let scale = scale.view().part(0, scales);
        let result = kernels.forward_backward(&queue, x.view_mut(), v, &of, scale, loss.view_mut());
        let seven = 7f32.to_bits();
        assert_eq!(result.is_err(), x.bits().iter().chain(&loss.bits()).all(|&x| x == seven));
        result
    };
    assert!(run(4, 0, 0.1, 12, 3, 1).is_ok());
    let error = run(3, 1, 0.1, 6, 2, 1).unwrap_err();
    assert_eq!(error, Error::Index { op: "cross_entropy", arg: "targets", at: 1, got: 3, limit: 3 });
    assert!(matches!(run(4, 2, 0.1, 8, 2, 1), Err(Error::Length { arg: "ids", got: 3, want: 4, .. })));
    assert!(matches!(run(4, usize::MAX, 0.1, 8, 2, 1), Err(Error::Length { arg: "ids", .. })));
    assert!(matches!(run(4, 0, 1.0, 12, 3, 1), Err(Error::Scalar { what: "smoothing", .. })));
    assert!(matches!(run(4, 0, 0.1, 11, 3, 1), Err(Error::Length { arg: "logits", .. })));
    assert!(matches!(run(4, 0, 0.1, 12, 3, 2), Err(Error::Length { arg: "grad_scale", .. })));
    assert!(matches!(run(0, 0, 0.1, 0, 3, 1), Err(Error::Size { what: "V", .. })));

    let of = Targets { ids: &indices, first: 0, ignore: 9, smoothing: 0.1 };
    let mut x = Padded::<f32>::new(&queue, &[7.0; 12], 0);
    let (mut loss, mut nll) = (Padded::<f32>::new(&queue, &[7.0; 3], 0), Padded::<f32>::new(&queue, &[7.0; 2], 0));
    let mut hit = Buffer::from_host(&queue, &[7; 3]).unwrap();
    let out = (loss.view_mut(), nll.view_mut(), hit.view_mut());
    let error = kernels.evaluate(&queue, x.view(), 4, &of, out).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "nll", got: 2, want: 3, .. }));
    assert!(kernels.log_softmax_rows(&queue, x.view_mut(), 5).is_err());
    assert!(kernels.log_softmax_rows(&queue, x.view_mut(), 0).is_err());
    let error = kernels.log_softmax(&queue, x.view(), 4, loss.view_mut()).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "out", got: 3, want: 12, .. }));
    let mut totals = Buffer::<f64>::zeros(&queue, 2).unwrap();
    assert!(kernels.total_loss(&queue, loss.view(), totals.view_mut()).is_err());

    let other = Queue::new(0).unwrap();
    let mut elsewhere = Padded::<f32>::new(&other, &[7.0; 12], 0);
    assert!(matches!(kernels.log_softmax_rows(&queue, elsewhere.view_mut(), 4), Err(Error::Queue { arg: "x", .. })));
    let scale = scale.view().part(0, 1);
    let result = kernels.forward_backward(&queue, elsewhere.view_mut(), 4, &of, scale, loss.view_mut());
    assert!(matches!(result, Err(Error::Queue { arg: "logits", .. })));
    for untouched in [&x, &loss, &nll, &elsewhere] {
        assert!(untouched.bits().iter().all(|&x| x == 7f32.to_bits()));
    }
    assert_eq!(hit.read().unwrap(), [7; 3]);
}
