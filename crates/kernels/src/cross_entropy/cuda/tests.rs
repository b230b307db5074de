//! The device's bits are the CPU's.

use super::Kernels;
use crate::Error;
use crate::cross_entropy::{self, IGNORE, Scores};
use crate::cuda::{Buffer, Indices, Queue};
use crate::device::Targets;
use crate::testing::{bits_but_nan, cuda::device, values, words};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

/// What no launch may touch: a value in front of a buffer's part and one behind it.
const UNTOUCHED: f32 = 17.0;

/// A buffer whose part `before ..` holds these values.
struct Padded {
    buffer: Buffer,
    before: usize,
}

impl Padded {
    fn new(queue: &Queue, x: &[f32], before: usize) -> Self {
        let padded = [vec![UNTOUCHED; before], x.to_vec(), vec![UNTOUCHED]].concat();
        Padded { buffer: Buffer::from_host(queue, &padded).unwrap(), before }
    }

    fn part(&mut self) -> crate::cuda::ViewMut<'_> {
        let len = self.buffer.len() - self.before - 1;
        let [part] = self.buffer.view_mut().split([(self.before, len)]);
        part
    }

    fn bits(&self) -> Vec<u32> {
        let mut x = self.buffer.read().unwrap();
        assert_eq!(x.pop(), Some(UNTOUCHED));
        assert!(x.drain(..self.before).all(|x| x == UNTOUCHED));
        bits_but_nan(&x)
    }
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

/// Everything on both devices, with the logits `before` values behind an aligned address, for the rows of `ids` from `first`
/// on.
fn compare(
    queue: &Queue,
    kernels: &Kernels,
    (x, v, before): (&[f32], usize, usize),
    (ids, first, ignore): (&[u32], usize, u32),
    (smoothing, grad_scale): (f32, f32),
) {
    let n = ids.len() - first;
    let (indices, scale) = (Indices::from_host(queue, ids).unwrap(), Buffer::from_host(queue, &[grad_scale]).unwrap());
    let of = Targets { ids: &indices, first, ignore, smoothing };
    let targets = cross_entropy::Targets { ids: &ids[first..], ignore, smoothing };
    let place = format!("N {n}, V {v}, {before} values before");

    let (mut want_x, mut want_loss) = (x.to_vec(), vec![UNTOUCHED; n]);
    cross_entropy::forward_backward(&mut want_x, v, targets, grad_scale, &mut want_loss).unwrap();
    let (mut got_x, mut got_loss) = (Padded::new(queue, x, before), Padded::new(queue, &want_loss, 1));
    kernels.forward_backward(queue, got_x.part(), v, &of, scale.view(), got_loss.part()).unwrap();
    assert!(got_loss.bits() == bits_but_nan(&want_loss), "loss, {place}");
    assert!(got_x.bits() == bits_but_nan(&want_x), "dlogits, {place}");

    let (mut want_nll, mut want_hit) = (vec![UNTOUCHED; n], vec![17; n]);
    let out = Scores { loss: &mut want_loss, nll: &mut want_nll, hit: &mut want_hit };
    cross_entropy::evaluate(x, v, targets, out).unwrap();
    let mut got_x = Padded::new(queue, x, before);
    let (mut got_loss, mut got_nll) = (Padded::new(queue, &want_loss, 1), Padded::new(queue, &want_nll, 2));
    let mut got_hit = Buffer::from_host(queue, &vec![17; n]).unwrap();
    let out = (got_loss.part(), got_nll.part(), got_hit.view_mut());
    kernels.evaluate(queue, got_x.part().into_view(), v, &of, out).unwrap();
    assert!(got_loss.bits() == bits_but_nan(&want_loss), "loss (evaluate), {place}");
    assert!(got_nll.bits() == bits_but_nan(&want_nll), "nll, {place}");
    assert_eq!(got_hit.read().unwrap(), want_hit, "hit, {place}");
    assert!(got_x.bits() == bits_but_nan(x), "logits of evaluate, {place}");

    let mut want_x = x.to_vec();
    cross_entropy::log_softmax_rows(&mut want_x, v).unwrap();
    kernels.log_softmax_rows(queue, got_x.part(), v).unwrap();
    assert!(got_x.bits() == bits_but_nan(&want_x), "log-softmax, {place}");
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
            compare(&queue, &kernels, (&x, v, before), (&ids(n, v, IGNORE), 0, IGNORE), (smoothing, 0.01));
        }
    }
    compare(&queue, &kernels, (&[], 7, 0), (&[], 0, IGNORE), (0.1, 1.0));
    // Padding as the id that does not count, and rows from the middle of the targets.
    let x = logits(6, 100, 4, false);
    compare(&queue, &kernels, (&x, 100, 1), (&ids(9, 100, 0), 3, 0), (0.1, 1.0));
}

#[test]
fn rows_of_many_chunks_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (v, before, smoothing) in [(9001, 2, 0.1), (20_003, 1, 0.0)] {
        let x = logits(2, v, 5, false);
        compare(&queue, &kernels, (&x, v, before), (&ids(2, v, IGNORE), 0, IGNORE), (smoothing, 0.3));
    }
}

#[test]
fn rows_that_do_not_fit_into_shared_memory_have_the_cpus_bits() {
    let queue = device();
    let mut kernels = Kernels::load(&queue).unwrap();
    let v = queue.shared_bytes() as usize / 4 + 1;
    let x = logits(2, v, 6, false);
    compare(&queue, &kernels, (&x, v, 1), (&ids(2, v, IGNORE), 0, IGNORE), (0.1, 0.3));
    // On a device with hardly any shared memory, all rows are such rows.
    kernels.shared_bytes = 0;
    for (v, n, smoothing) in [(1, 5, 0.1), (33, 5, 0.0), (1793, 12, 0.1), (3585, 1, 0.0)] {
        let x = logits(n, v, 7, n == 12);
        compare(&queue, &kernels, (&x, v, 0), (&ids(n, v, IGNORE), 0, IGNORE), (smoothing, 0.01));
    }
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (v, smoothing) in [(5, 0.1), (40, 0.0), (300, 0.1), (300, 0.0)] {
        let x = logits(36, v, 8, true);
        compare(&queue, &kernels, (&x, v, 0), (&ids(36, v, IGNORE), 0, IGNORE), (smoothing, 3.0));
    }
}

#[test]
fn rows_that_do_not_count_are_zeros_whatever_they_hold() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = [f32::NAN, 1.0, f32::NAN, f32::INFINITY, 1.0, 2.0];
    compare(&queue, &kernels, (&x, 2, 0), (&[1, 1, 0], 0, 1), (0.1, 1.0));
}

#[test]
fn the_scale_is_read_when_the_launch_runs() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = logits(1, 50, 9, false);
    let indices = Indices::from_host(&queue, &[3]).unwrap();
    let of = Targets { ids: &indices, first: 0, ignore: IGNORE, smoothing: 0.1 };
    let run = |scale: f32| {
        let (mut x, mut loss) = (Padded::new(&queue, &x, 0), Padded::new(&queue, &[0.0], 0));
        let scale = Buffer::from_host(&queue, &[scale]).unwrap();
        kernels.forward_backward(&queue, x.part(), 50, &of, scale.view(), loss.part()).unwrap();
        x.buffer.read().unwrap()
    };
    let (one, two) = (run(1.0), run(2.0));
    assert!(one[..50].iter().zip(&two).all(|(a, b)| 2.0 * a == *b));
    // What the host cannot see is not refused, and does not hide.
    assert!(run(f32::NAN)[..50].iter().all(|x| x.is_nan()));
    assert!(run(f32::INFINITY)[..50].iter().all(|x| !x.is_finite()));
}

#[test]
fn the_order_of_blocks_does_not_matter() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let x = logits(9, 65, 10, false);
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(5), BlockOrder::Forward] {
        set_block_order(order);
        compare(&queue, &kernels, (&x, 65, 1), (&ids(9, 65, IGNORE), 0, IGNORE), (0.1, 0.3));
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
        let on_device = Padded::new(&queue, &loss, 1);
        let mut total = Buffer::from_host(&queue, &[17.0, 17.0, 17.0]).unwrap();
        let [part] = total.view_mut().split([(1, 1)]);
        kernels.total_loss(&queue, on_device.buffer.view().part(1, n), part).unwrap();
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
        let (mut x, mut loss) = (Padded::new(&queue, &vec![7.0; len], 0), Padded::new(&queue, &vec![7.0; loss_len], 0));
        let scale = scale.view().part(0, scales);
        let result = kernels.forward_backward(&queue, x.part(), v, &of, scale, loss.part());
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
    let mut x = Padded::new(&queue, &[7.0; 12], 0);
    let (mut loss, mut nll) = (Padded::new(&queue, &[7.0; 3], 0), Padded::new(&queue, &[7.0; 2], 0));
    let mut hit = Buffer::from_host(&queue, &[7; 3]).unwrap();
    let out = (loss.part(), nll.part(), hit.view_mut());
    let error = kernels.evaluate(&queue, x.part().into_view(), 4, &of, out).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "nll", got: 2, want: 3, .. }));
    assert!(kernels.log_softmax_rows(&queue, x.part(), 5).is_err());
    assert!(kernels.log_softmax_rows(&queue, x.part(), 0).is_err());
    let mut totals = Buffer::<f64>::zeros(&queue, 2).unwrap();
    assert!(kernels.total_loss(&queue, loss.part().into_view(), totals.view_mut()).is_err());

    let other = Queue::new(0).unwrap();
    let mut elsewhere = Padded::new(&other, &[7.0; 12], 0);
    assert!(matches!(kernels.log_softmax_rows(&queue, elsewhere.part(), 4), Err(Error::Queue { arg: "x", .. })));
    let scale = scale.view().part(0, 1);
    let result = kernels.forward_backward(&queue, elsewhere.part(), 4, &of, scale, loss.part());
    assert!(matches!(result, Err(Error::Queue { arg: "logits", .. })));
    for untouched in [&x, &loss, &nll, &elsewhere] {
        assert!(untouched.bits().iter().all(|&x| x == 7f32.to_bits()));
    }
    assert_eq!(hit.read().unwrap(), [7; 3]);
}
