//! The headers against the CPU's functions, and memory under Rust's rules.

use super::{Bf16, Buffer, Element, F16, Indices, Queue};
use crate::dropout::Dropout;
use crate::lanes::{self, LANES};
use crate::testing::{bits_but_nan, cuda::device, values};
use crate::{Error, math};
use cudarc::driver::{LaunchConfig, PushKernelArg};

/// Exponents, mantissas and signs of all kinds: every 65,537th f32, and those near what the functions treat apart.
fn operands() -> Vec<f32> {
    let near = [0.0, 1.0, math::EXP_MIN, math::EXP_MAX, f32::MIN_POSITIVE, f32::MAX, f32::INFINITY];
    let near = near.into_iter().flat_map(|x: f32| [x, -x, x.next_up(), x.next_down(), -x.next_up(), -x.next_down()]);
    (0..=u32::MAX).step_by(65_537).map(f32::from_bits).chain(near).collect()
}

#[test]
fn the_functions_have_the_cpus_bits() {
    let queue = device();
    let kernel = queue.load("shared", include_str!("shared.ptx")).unwrap().function("functions_f32").unwrap();
    let host = operands();
    let x = Buffer::from_host(&queue, &host).unwrap();
    let mut out = [(); 3].map(|()| Buffer::<f32>::zeros(&queue, host.len()).unwrap());
    let n = host.len() as i32;
    {
        let [a, b, c] = &mut out;
        let (x, mut a, mut b, mut c) = (x.view(), a.view_mut(), b.view_mut(), c.view_mut());
        let mut args = queue.launch(&kernel).unwrap();
        args.arg(x.pointer()).arg(a.pointer()).arg(b.pointer()).arg(c.pointer()).arg(&n);
        // SAFETY: the kernel's parameters in number, order and type; it reads and writes n values of four buffers that
        // hold n each and are borrowed here.
        unsafe { args.launch(LaunchConfig::for_num_elems(n as u32)) }.unwrap();
    }
    let [exp, exp_minus, ln] = out.map(|out| out.read().unwrap());
    let want = |f: &dyn Fn(f32) -> f32| host.iter().map(|&x| f(x)).collect::<Vec<_>>();
    for (name, got, want) in [
        ("exp", exp, want(&math::exp)),
        ("exp_nonpositive", exp_minus, want(&|x| math::exp_nonpositive(-x.abs()))),
        ("ln", ln, want(&math::ln)),
    ] {
        let at = bits_but_nan(&got).iter().zip(bits_but_nan(&want)).position(|(a, b)| *a != b);
        assert!(at.is_none(), "{name} of {:?}", at.map(|at| (host[at], got[at], want[at])));
    }
}

#[test]
fn lanes_and_dropout_have_the_cpus_bits() {
    let queue = device();
    let kernel = queue.load("shared", include_str!("shared.ptx")).unwrap().function("lanes_f32").unwrap();
    let rows = 9;
    let host = values(rows * LANES, 3, 0.0);
    let x = Buffer::from_host(&queue, &host).unwrap();
    let mut out = [1, 1, 8].map(|k| Buffer::<f32>::zeros(&queue, k * host.len()).unwrap());
    // Two steps: the second launch reads the new one.
    for step in [7, 8] {
        let dropout = Dropout::new(0.3, 0x1234_5678_9abc, step, 11).unwrap();
        let words = queue.dropout(dropout).unwrap();
        {
            let [a, b, c] = &mut out;
            let (x, mut a, mut b, mut c) = (x.view(), a.view_mut(), b.view_mut(), c.view_mut());
            let mut args = queue.launch(&kernel).unwrap();
            args.arg(x.pointer()).arg(a.pointer()).arg(b.pointer()).arg(c.pointer()).arg(&words);
            let launch = LaunchConfig { grid_dim: (rows as u32, 1, 1), block_dim: (32, 1, 1), shared_mem_bytes: 0 };
            // SAFETY: the kernel's parameters in number, order and type; nine rows of 32 values, and eight times as many
            // factors, are what the buffers hold.
            unsafe { args.launch(launch) }.unwrap();
        }
        let [sum, largest, factors] = out.each_ref().map(|out| out.read().unwrap());
        for (row, x) in host.chunks_exact(LANES).enumerate() {
            let x: &lanes::Lanes = x.try_into().unwrap();
            for lane in 0..LANES {
                assert_eq!(sum[row * LANES + lane].to_bits(), lanes::butterfly(*x).to_bits());
                assert_eq!(largest[row * LANES + lane].to_bits(), lanes::max(*x).to_bits());
            }
            let want = dropout.factors(row as u32, 0);
            assert_eq!(factors[row * 8 * LANES..][..8 * LANES], *want.as_flattened());
        }
    }
}

fn round_trip<T: Element>() {
    let queue = device();
    let kernel = queue.load("shared", include_str!("shared.ptx")).unwrap();
    let kernel = kernel.function(&format!("round_trip_{}", T::NAME)).unwrap();
    let host = operands();
    let x = Buffer::from_host(&queue, &host).unwrap();
    let mut rounded = Buffer::<T>::zeros(&queue, host.len()).unwrap();
    let mut back = Buffer::<f32>::zeros(&queue, host.len()).unwrap();
    let n = host.len() as i32;
    {
        let (x, mut rounded, mut back) = (x.view(), rounded.view_mut(), back.view_mut());
        let mut args = queue.launch(&kernel).unwrap();
        args.arg(x.pointer()).arg(rounded.pointer()).arg(back.pointer()).arg(&n);
        // SAFETY: the kernel's parameters in number, order and type; it reads and writes n values of three buffers that
        // hold n each and are borrowed here.
        unsafe { args.launch(LaunchConfig::for_num_elems(n as u32)) }.unwrap();
    }
    let (rounded, back) = (rounded.read().unwrap(), back.read().unwrap());
    for ((&x, &rounded), &back) in host.iter().zip(&rounded).zip(&back) {
        assert_eq!(bits_but_nan(&[rounded.to_f32()]), bits_but_nan(&[T::from_f32(x).to_f32()]), "{} of {x}", T::NAME);
        assert_eq!(bits_but_nan(&[back]), bits_but_nan(&[rounded.to_f32()]), "{} of {x}, back", T::NAME);
    }
}

#[test]
fn sixteen_bits_are_rounded_as_on_the_host() {
    round_trip::<Bf16>();
    round_trip::<F16>();
}

#[test]
fn memory_is_copied_split_and_read() {
    let queue = device();
    let mut buffer = Buffer::from_host(&queue, &[1.0f32, 2.0, 3.0, 4.0]).unwrap();
    let [mut end, mut start] = buffer.view_mut().split([(2, 2), (0, 1)]);
    start.write(&[10.0]).unwrap();
    end.write(&[30.0, 40.0]).unwrap();
    assert!(matches!(end.write(&[1.0]), Err(Error::Length { got: 1, want: 2, .. })));
    assert_eq!(buffer.read().unwrap(), [10.0, 2.0, 30.0, 40.0]);
    let mut one = [0.0];
    buffer.view().part(1, 1).read(&mut one).unwrap();
    assert_eq!(one, [2.0]);
    assert!(Buffer::<f32>::zeros(&queue, 0).unwrap().read().unwrap().is_empty());

    let mut indices = Indices::new(&queue, 1).unwrap();
    for values in [&[5][..], &[1, 2, 3], &[7, 8], &[]] {
        indices.set(&queue, values).unwrap();
        let mut device = vec![0; values.len()];
        indices.view().read(&mut device).unwrap();
        assert_eq!((indices.host(), &device[..]), (values, values));
    }
    // Several in a row: each waits for its place in pinned memory.
    for count in 0..9 {
        indices.set(&queue, &vec![count; count as usize]).unwrap();
    }
    let mut last = [0; 8];
    indices.view().read(&mut last).unwrap();
    assert_eq!(last, [8; 8]);
    let error = indices.set(&Queue::new(0).unwrap(), &[1]).unwrap_err();
    assert!(matches!(error, Error::Queue { arg: "indices", .. }), "{error}");
    assert_eq!(indices.host(), [8; 8]);
}

#[test]
#[should_panic(expected = "overlap")]
fn parts_that_overlap_are_a_mistake() {
    let queue = device();
    let mut buffer = Buffer::<f32>::zeros(&queue, 4).unwrap();
    let _ = buffer.view_mut().split([(0, 2), (1, 2)]);
}

#[test]
fn kernels_of_another_queue_are_refused() {
    // A graph of the queue that runs them would not keep them.
    let queue = device();
    let other = Queue::new(0).unwrap();
    let mut buffer = Buffer::from_host(&other, &[9.0f32]).unwrap();
    let (own, foreign) = (super::Fill::load(&other).unwrap(), super::Fill::load(&queue).unwrap());
    let error = foreign.fill(&other, buffer.view_mut(), 1.0).unwrap_err();
    assert!(matches!(error, Error::Loaded { .. }) && error.to_string().contains("another queue"), "{error}");
    assert_eq!(buffer.read().unwrap(), [9.0]);
    own.fill(&other, buffer.view_mut(), 1.0).unwrap();
    assert_eq!(buffer.read().unwrap(), [1.0]);
}

#[test]
fn memory_of_another_queue_is_refused() {
    let queue = device();
    let other = Queue::new(0).unwrap();
    let buffer = Buffer::<f32>::zeros(&other, 4).unwrap();
    let text = buffer.view().check_queue("adam", "params", &queue).unwrap_err().to_string();
    assert!(text.contains("params") && text.contains("another queue"), "{text}");
    assert!(matches!(Queue::new(99), Err(Error::Driver { .. })));
    // The emulator says so too, if it is the device.
    noam_emulator::driver::control::take_reports();
}
