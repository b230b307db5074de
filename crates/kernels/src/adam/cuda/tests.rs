//! The device's bits are the CPU's, and so are its count and its outcomes.

use super::{CudaAdam, CudaState, Progress, SLOTS, gradient_words};
use crate::Error;
use crate::adam::{Adam, Config, GradScale, Gradients, Outcome, State};
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::testing::{bits_but_nan, cuda::device, words};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use noam_schedule::{Noam, Schedule, Step};

/// The four buffers on the host: params, grads, m, v.
#[derive(Clone)]
struct Host([Vec<f32>; 4]);

impl Host {
    /// Values of the sizes that training has, strewn with the awkward ones if asked for.
    fn new(n: usize, seed: u32, awkward: bool) -> Self {
        const AWKWARD: [f32; 12] =
            [0.0, -0.0, 1e-45, -3e-39, 1.2e-38, 1e-30, -1e-20, 1e18, -3e19, f32::MAX, f32::NEG_INFINITY, f32::NAN];
        let fill = |salt: u32, size: f32| -> Vec<f32> {
            let value = |w: u32| {
                let x = (w as f32 / u32::MAX as f32 - 0.5) * size;
                if awkward && w.is_multiple_of(23) { AWKWARD[w as usize / 23 % AWKWARD.len()] } else { x }
            };
            words(n, seed + salt).into_iter().map(value).collect()
        };
        let v = fill(4, 1e-4).iter().map(|v| v.abs()).collect();
        Host([fill(1, 2.0), fill(2, 0.1), fill(3, 0.01), v])
    }

    fn state(&mut self) -> State<'_> {
        let [params, grads, m, v] = &mut self.0;
        State { params, grads, m, v }
    }

    fn bits(&self) -> Vec<u32> {
        self.0.iter().flat_map(|x| bits_but_nan(x)).collect()
    }
}

/// The four buffers on the device, each with `before` values in front of it that no update may touch.
struct Device {
    buffers: [Buffer; 4],
    before: usize,
}

const UNTOUCHED: f32 = 17.0;

impl Device {
    fn new(queue: &Queue, host: &Host, before: usize) -> Self {
        let buffers = host.0.each_ref().map(|x| {
            let padded: Vec<f32> = std::iter::repeat_n(UNTOUCHED, before).chain(x.iter().copied()).collect();
            Buffer::from_host(queue, &[padded, vec![UNTOUCHED]].concat()).unwrap()
        });
        Device { buffers, before }
    }

    fn state(&mut self) -> CudaState<'_> {
        let before = self.before;
        let [params, grads, m, v] = self.buffers.each_mut().map(|x| {
            let n = x.len() - before - 1;
            let [view] = x.view_mut().split([(before, n)]);
            view
        });
        CudaState { params, grads, m, v }
    }

    fn to_host(&self) -> Host {
        Host(self.buffers.each_ref().map(|x| {
            let mut x = x.read().unwrap();
            assert_eq!(x.pop(), Some(UNTOUCHED));
            assert!(x.drain(..self.before).all(|x| x == UNTOUCHED));
            x
        }))
    }
}

/// One update on both, with all comparisons.
fn update(
    queue: &Queue,
    (adam, host): (&mut Adam, &mut Host),
    (cuda, device): (&mut CudaAdam, &mut Device),
    schedule: &impl Schedule,
    gradient: GradScale,
) -> Outcome {
    let words = Buffer::from_host(queue, &gradient_words(gradient.norm, gradient.scale)).unwrap();
    cuda.prepare(schedule).unwrap();
    cuda.enqueue(queue, &words.view(), gradient.after, device.state()).unwrap();
    let got = cuda.progress().unwrap();
    let want = adam.update(schedule, gradient, host.state()).unwrap();
    assert_eq!(got.updates, adam.updates());
    match (got.last.unwrap(), want) {
        (Outcome::Skipped { norm: a }, Outcome::Skipped { norm: b }) => assert_eq!(a.to_bits(), b.to_bits()),
        (a, b) => assert_eq!(a, b),
    }
    assert!(device.to_host().bits() == host.bits(), "update {}", adam.updates());
    want
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let noam = Noam::new(512, 40, 1.0).unwrap();
    let decayed = Config { beta1: 0.95, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 };
    // Lengths around a vector, a warp's vectors, a block and several; buffers that are aligned to 16 bytes and not.
    for n in [0, 1, 3, 4, 5, 127, 128, 129, 1023, 1024, 1025, 5003] {
        for (before, config, awkward) in [(0, Config::default(), false), (1, decayed, true), (4, decayed, true)] {
            let mut host = Host::new(n, 5, awkward);
            let mut device = Device::new(&queue, &host, before);
            let mut adam = Adam::resume(config, 7).unwrap();
            let mut cuda = CudaAdam::resume(&queue, config, 7).unwrap();
            for (scale, after) in [(0.75, Gradients::Keep), (1.0, Gradients::Keep), (0.3, Gradients::Clear)] {
                let gradient = GradScale { norm: 1.0, scale, after };
                let _ = update(&queue, (&mut adam, &mut host), (&mut cuda, &mut device), &noam, gradient);
            }
        }
    }
}

#[test]
fn a_skipped_update_advances_nothing_and_still_clears() {
    let queue = device();
    let noam = Noam::new(64, 4, 1.0).unwrap();
    let mut host = Host::new(1030, 9, false);
    let mut device = Device::new(&queue, &host, 0);
    let mut adam = Adam::new(Config::default()).unwrap();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    assert_eq!(cuda.progress().unwrap(), Progress { updates: 0, skipped: 0, damaged: 0, last: None });
    let norms = [1.0, f64::NAN, 0.0, f64::INFINITY, f64::NEG_INFINITY, f64::MAX];
    for after in [Gradients::Keep, Gradients::Clear] {
        for norm in norms {
            // What the scale is does not matter to a launch that is skipped.
            let scale = if norm.is_finite() { 0.5 } else { f32::NAN };
            let before = (adam.updates(), host.0[0].clone());
            let gradient = GradScale { norm, scale, after };
            let outcome = update(&queue, (&mut adam, &mut host), (&mut cuda, &mut device), &noam, gradient);
            assert_eq!(matches!(outcome, Outcome::Skipped { .. }), !norm.is_finite());
            if !norm.is_finite() {
                assert_eq!((adam.updates(), host.0[0].clone()), before);
            }
        }
    }
    let progress = cuda.progress().unwrap();
    assert_eq!((progress.updates, progress.skipped, progress.damaged), (6, 6, 0));
}

#[test]
fn damage_is_told() {
    let queue = device();
    let noam = Noam::new(64, 4, 1.0).unwrap();
    let n = 3000;
    for buffer in [0, 1, 2, 3] {
        for at in [0, 5, n / 2, n - 1] {
            let mut host = Host::new(n, 2, false);
            host.0[buffer][at] = f32::NAN;
            let mut device = Device::new(&queue, &host, 0);
            let mut adam = Adam::new(Config::default()).unwrap();
            let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
            let gradient = GradScale { norm: 1.0, scale: 1.0, after: Gradients::Keep };
            let outcome = update(&queue, (&mut adam, &mut host), (&mut cuda, &mut device), &noam, gradient);
            assert!(matches!(outcome, Outcome::Applied { finite: false, .. }), "{buffer} {at}");
            assert_eq!(cuda.progress().unwrap().damaged, 1);
        }
    }
}

#[test]
fn the_table_of_rates_goes_round() {
    // Without asking for the progress, past the table's end, with skipped launches in between.
    let queue = device();
    let noam = Noam::new(512, 300, 1.0).unwrap();
    let start = SLOTS - 3;
    let mut host = Host::new(9, 1, false);
    let mut device = Device::new(&queue, &host, 0);
    let mut adam = Adam::resume(Config::default(), start).unwrap();
    let mut cuda = CudaAdam::resume(&queue, Config::default(), start).unwrap();
    let launches = SLOTS + 40;
    for i in 0..launches {
        let norm = if i % 7 == 3 { f64::NAN } else { 1.0 };
        let gradient = GradScale { norm, scale: 1.0, after: Gradients::Keep };
        let words = Buffer::from_host(&queue, &gradient_words(norm, 1.0)).unwrap();
        cuda.prepare(&noam).unwrap();
        cuda.enqueue(&queue, &words.view(), Gradients::Keep, device.state()).unwrap();
        let _ = adam.update(&noam, gradient, host.state()).unwrap();
    }
    let progress = cuda.progress().unwrap();
    assert_eq!(progress.updates, adam.updates());
    assert_eq!(progress.updates + progress.skipped, start + launches);
    assert!(device.to_host().bits() == host.bits());
}

/// A schedule whose rates are multiplied by what was learned so far.
struct Guided(Noam, f64);

impl Schedule for Guided {
    fn rate(&self, step: Step) -> f64 {
        self.0.rate(step) * self.1
    }
}

#[test]
fn a_rate_that_follows_what_is_seen_is_the_one_that_is_used() {
    let queue = device();
    let noam = Noam::new(64, 3, 1.0).unwrap();
    let mut host = Host::new(9, 5, false);
    let mut device = Device::new(&queue, &host, 0);
    let mut adam = Adam::new(Config::default()).unwrap();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let gradient = GradScale { norm: 1.0, scale: 1.0, after: Gradients::Keep };
    let mut rates = Vec::new();
    for factor in [1.0, 1.0, 0.5, 0.5, 0.25, 1.0] {
        let schedule = Guided(noam, factor);
        match update(&queue, (&mut adam, &mut host), (&mut cuda, &mut device), &schedule, gradient) {
            Outcome::Applied { step, rate, .. } => {
                assert_eq!(rate, noam.rate(step) * factor);
                rates.push(rate);
            }
            skipped => panic!("{skipped:?}"),
        }
    }
    // Also where the host has not asked how many launches were updates.
    let words = Buffer::from_host(&queue, &gradient_words(1.0, 1.0)).unwrap();
    for factor in [2.0, 2.0, 4.0] {
        cuda.prepare(&Guided(noam, factor)).unwrap();
        cuda.enqueue(&queue, &words.view(), gradient.after, device.state()).unwrap();
        let _ = adam.update(&Guided(noam, factor), gradient, host.state()).unwrap();
    }
    assert_eq!(cuda.progress().unwrap().updates, 9);
    assert!(device.to_host().bits() == host.bits());
}

#[test]
fn a_captured_launch_replays_with_the_next_rate() {
    let queue = device();
    let noam = Noam::new(512, 5, 1.0).unwrap();
    let mut host = Host::new(2050, 3, false);
    let mut device = Device::new(&queue, &host, 0);
    let mut adam = Adam::new(Config::default()).unwrap();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let mut words = Buffer::from_host(&queue, &gradient_words(1.0, 0.5)).unwrap();
    queue.wait().unwrap();
    queue.stream().begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    cuda.enqueue(&queue, &words.view(), Gradients::Keep, device.state()).unwrap();
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = queue.stream().end_capture(flags).unwrap().unwrap();
    assert_eq!(cuda.progress().unwrap().last, None);
    for norm in [1.0, 2.0, f64::NAN, 3.0, f64::INFINITY, 4.0] {
        words.view_mut().write(&gradient_words(norm, 0.5)).unwrap();
        cuda.prepare(&noam).unwrap();
        graph.launch().unwrap();
        let gradient = GradScale { norm, scale: 0.5, after: Gradients::Keep };
        let _ = adam.update(&noam, gradient, host.state()).unwrap();
    }
    let progress = cuda.progress().unwrap();
    assert_eq!((progress.updates, progress.skipped), (4, 2));
    assert_eq!(
        progress.last,
        Some(Outcome::Applied { step: Step::new(4).unwrap(), rate: noam.rate(Step::new(4).unwrap()), finite: true })
    );
    assert!(device.to_host().bits() == host.bits());
}

#[test]
fn refused_launches_change_nothing_and_are_told() {
    let queue = device();
    let noam = Noam::new(64, 4, 1.0).unwrap();
    let host = Host::new(300, 8, false);
    for scale in [-1.0, f32::INFINITY, f32::NAN] {
        let mut device = Device::new(&queue, &host, 0);
        let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
        let words = Buffer::from_host(&queue, &gradient_words(1.0, scale)).unwrap();
        cuda.prepare(&noam).unwrap();
        cuda.enqueue(&queue, &words.view(), Gradients::Clear, device.state()).unwrap();
        assert_eq!(cuda.progress(), Err(Error::Launches { op: "adam", count: 1, why: super::BAD_SCALE_WHY }));
        assert!(device.to_host().bits() == host.bits(), "{scale}");
    }
    // Nobody has prepared.
    let mut device = Device::new(&queue, &host, 0);
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let words = Buffer::from_host(&queue, &gradient_words(1.0, 1.0)).unwrap();
    for _ in 0..2 {
        cuda.enqueue(&queue, &words.view(), Gradients::Clear, device.state()).unwrap();
    }
    assert_eq!(cuda.progress(), Err(Error::Launches { op: "adam", count: 2, why: super::NO_RATE_WHY }));
    assert!(device.to_host().bits() == host.bits());
    assert!(CudaAdam::new(&queue, Config { beta1: 1.0, ..Config::default() }).is_err());
}

/// A rate that turns negative after some steps.
struct Ends(u64);

impl Schedule for Ends {
    fn rate(&self, step: Step) -> f64 {
        if step.get() <= self.0 { 0.1 } else { -1.0 }
    }
}

#[test]
fn a_bad_rate_is_refused_at_its_step_and_not_before() {
    let queue = device();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let mut device = Device::new(&queue, &Host::new(5, 1, false), 0);
    let words = Buffer::from_host(&queue, &gradient_words(1.0, 1.0)).unwrap();
    for _ in 0..3 {
        cuda.prepare(&Ends(3)).unwrap();
        cuda.enqueue(&queue, &words.view(), Gradients::Keep, device.state()).unwrap();
    }
    for _ in 0..2 {
        let text = cuda.prepare(&Ends(3)).unwrap_err().to_string();
        assert!(text.contains("rate is -1"), "{text}");
    }
    assert_eq!(cuda.progress().unwrap().updates, 3);
    // The count's end.
    let mut cuda = CudaAdam::resume(&queue, Config::default(), u64::MAX).unwrap();
    assert!(cuda.prepare(&Ends(3)).unwrap_err().to_string().contains("count of updates"));
}

#[test]
fn lengths_that_differ_are_refused() {
    let queue = device();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let words = Buffer::from_host(&queue, &gradient_words(1.0, 1.0)).unwrap();
    let mut device = Device::new(&queue, &Host::new(5, 1, false), 0);
    for which in 0..3 {
        let CudaState { params, grads, m, v } = device.state();
        let mut lengths = [5; 4];
        lengths[which + 1] = 4;
        let mut views = [params, grads, m, v].into_iter().zip(lengths).map(|(view, len)| view.split([(0, len)]));
        let mut next = || views.next().map(|[view]| view).unwrap();
        let state = CudaState { params: next(), grads: next(), m: next(), v: next() };
        let text = cuda.enqueue(&queue, &words.view(), Gradients::Keep, state).unwrap_err().to_string();
        assert!(text.contains("holds 4 values"), "{text}");
    }
    let one = words.view().part(0, 1);
    let text = cuda.enqueue(&queue, &one, Gradients::Keep, device.state()).unwrap_err().to_string();
    assert!(text.contains("`gradient` holds 1 values"), "{text}");
}

/// Copies that begin at each alignment, after updates of all outcomes.
fn the_copy_is_the_parameters_rounded<T: Element>() {
    let queue = device();
    let noam = Noam::new(512, 40, 1.0).unwrap();
    for n in [0, 1, 5, 1024, 1027, 5003] {
        for (before, copy_before, after) in
            [(0, 0, Gradients::Keep), (4, 4, Gradients::Clear), (0, 1, Gradients::Keep), (1, 0, Gradients::Clear)]
        {
            let mut host = Host::new(n, 6, true);
            let mut device = Device::new(&queue, &host, before);
            let untouched = T::from_f32(UNTOUCHED);
            let mut copy = Buffer::from_host(&queue, &vec![untouched; copy_before + n + 1]).unwrap();
            let mut adam = Adam::new(Config::default()).unwrap();
            let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
            // The skipped launch leaves what stood there.
            let mut want = vec![UNTOUCHED; n];
            for norm in [f64::NAN, 1.0, f64::INFINITY, 2.0] {
                let words = Buffer::from_host(&queue, &gradient_words(norm, 0.5)).unwrap();
                cuda.prepare(&noam).unwrap();
                let [view] = copy.view_mut().split([(copy_before, n)]);
                cuda.enqueue_with_copy(&queue, &words.view(), after, device.state(), view).unwrap();
                let outcome = adam.update(&noam, GradScale { norm, scale: 0.5, after }, host.state()).unwrap();
                if let Outcome::Applied { .. } = outcome {
                    want = host.0[0].iter().map(|&p| T::from_f32(p).to_f32()).collect();
                }
                let mut got: Vec<f32> = copy.read().unwrap().into_iter().map(T::to_f32).collect();
                assert_eq!(got.pop(), Some(UNTOUCHED));
                assert!(got.drain(..copy_before).all(|x| x == UNTOUCHED));
                assert!(bits_but_nan(&got) == bits_but_nan(&want), "{} of {n}, norm {norm}", T::NAME);
                assert!(device.to_host().bits() == host.bits());
            }
            assert_eq!(cuda.progress().unwrap().updates, 2);
        }
    }
}

#[test]
fn copies_are_the_parameters_rounded() {
    the_copy_is_the_parameters_rounded::<f32>();
    the_copy_is_the_parameters_rounded::<Bf16>();
    the_copy_is_the_parameters_rounded::<F16>();
    let queue = device();
    let mut cuda = CudaAdam::new(&queue, Config::default()).unwrap();
    let words = Buffer::from_host(&queue, &gradient_words(1.0, 1.0)).unwrap();
    let mut device = Device::new(&queue, &Host::new(5, 1, false), 0);
    let mut copy = Buffer::<F16>::zeros(&queue, 4).unwrap();
    let keep = Gradients::Keep;
    let result = cuda.enqueue_with_copy(&queue, &words.view(), keep, device.state(), copy.view_mut());
    assert!(matches!(result, Err(Error::Length { arg: "copy", got: 4, want: 5, .. })));
}
