//! The device's bits are the CPU's, and in 16 bits those of the CPU's products, rounded.

use super::Kernels;
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Queue};
use crate::dropout::{Dropout, apply};
use crate::testing::cuda::{Padded, device};
use crate::testing::{bits_but_nan, values};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

fn products_have_the_cpus_bits<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let round = |x: &f32| T::from_f32(*x);
    for c in [1, 3, 4, 8, 31, 32, 33, 255, 256, 257, 264, 1000] {
        for (n, p, before) in [(0, 0.3, 0), (1, 0.5, 8), (9, 0.1, 1), (17, 0.3, 0), (5, 0.0, 0)] {
            let dropout = Dropout::new(p, 0x1234_5678_9abc, 7, 11).unwrap();
            let mut host = values(n * c, 1, 0.0);
            for (x, awkward) in host.iter_mut().step_by(5).zip([f32::NAN, f32::INFINITY, -0.0, 1e-45, -1e-39, 1e-7]) {
                *x = awkward;
            }
            let mut device = Padded::<T>::new(&queue, &host, before);
            kernels.apply(&queue, device.view_mut(), c, dropout).unwrap();
            host.iter_mut().for_each(|x| *x = round(x).to_f32());
            apply(&mut host, c, dropout).unwrap();
            let want: Vec<f32> = host.iter().map(|x| round(x).to_f32()).collect();
            assert_eq!(device.bits(), bits_but_nan(&want), "{}, N {n}, C {c}, p {p}", T::NAME);
        }
    }
}

#[test]
fn the_devices_bits_are_the_cpus() {
    products_have_the_cpus_bits::<f32>();
    products_have_the_cpus_bits::<Bf16>();
    products_have_the_cpus_bits::<F16>();
}

#[test]
fn a_captured_launch_replays_with_the_next_step() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let host = values(5 * 70, 3, 0.0);
    let mut device = Buffer::from_host(&queue, &host).unwrap();
    let at = |step| Dropout::new(0.4, 5, step, 2).unwrap();
    queue.set_step(0).unwrap();
    queue.wait().unwrap();
    queue.stream().begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    kernels.apply(&queue, device.view_mut(), 70, at(0)).unwrap();
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = queue.stream().end_capture(flags).unwrap().unwrap();
    for step in [3, 4, 4, u32::MAX] {
        device.view_mut().write(&host).unwrap();
        queue.set_step(step).unwrap();
        graph.launch().unwrap();
        let mut want = host.clone();
        apply(&mut want, 70, at(step)).unwrap();
        assert_eq!(device.read().unwrap(), want, "step {step}");
    }
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let half = Dropout::new(0.5, 1, 1, 1).unwrap();
    let host = values(5, 1, 0.0);
    let mut x = Buffer::from_host(&queue, &host).unwrap();
    let error = kernels.apply(&queue, x.view_mut(), 2, half).unwrap_err();
    assert!(matches!(error, Error::Length { arg: "x", got: 5, want: 4, .. }));
    let error = kernels.apply(&queue, x.view_mut(), 0, half).unwrap_err();
    assert!(matches!(error, Error::Size { what: "C", .. }));
    let other = Queue::new(0).unwrap();
    let error = kernels.apply(&other, x.view_mut(), 5, half).unwrap_err();
    assert!(matches!(error, Error::Queue { arg: "x", .. }));
    assert_eq!(x.read().unwrap(), host);
}
