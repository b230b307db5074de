//! bf16 and f16 against f64, within bounds that follow from the roundings.

use super::super::bounds::{CUT, Rounding, bounds};
use super::*;
use crate::attention::reference::exact;
use crate::cuda::{Bf16, F16};

fn rounding<T: Element>() -> Rounding {
    match T::NAME {
        "bf16" => Rounding::BF16,
        "f16" => Rounding::F16,
        other => panic!("{other} has no sixteen bits"),
    }
}

/// The case with operands that T holds.
fn rounded<T: Element>(mut case: Case) -> Case {
    let x = &mut case.x;
    for x in [&mut x.q, &mut x.k, &mut x.v, &mut x.d_o] {
        x.iter_mut().for_each(|x| *x = T::from_f32(*x).to_f32());
    }
    case
}

fn in_f64(x: &Operands<f32>) -> Operands<f64> {
    let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect();
    Operands { q: wide(&x.q), k: wide(&x.k), v: wide(&x.v), d_o: wide(&x.d_o) }
}

/// Compares a run with f64; returns the largest error as a share of its bound.
#[track_caller]
fn check<T: Element>(case: &Case, got: &Results<f32>) -> f64 {
    let x = in_f64(&case.x);
    let want = exact(&case.attention(), &x);
    let bounds = bounds(&case.attention(), &x, &want, rounding::<T>(), CUT);
    let mut share: f64 = 0.0;
    for (((name, got), (_, want)), (_, bound)) in buffers(got).into_iter().zip(buffers(&want)).zip(buffers(&bounds)) {
        for (at, ((&got, &want), &bound)) in got.iter().zip(want).zip(bound).enumerate() {
            let error = (f64::from(got) - want).abs();
            let fits = f64::from(got) == want || error <= bound;
            assert!(fits, "{} {:?} {name}[{at}]: {got} {want}, bound {bound}", T::NAME, case.dims);
            if error > 0.0 {
                share = share.max(error / bound);
            }
        }
    }
    share
}

fn shapes() -> impl Iterator<Item = Case> {
    let more = [
        (1, 1, 128, 40, 40),
        (2, 1, 96, 33, 65),
        (1, 2, 48, 65, 64),
        (1, 1, 16, 130, 130),
        (1, 1, 100, 3, 129),
        (2, 1, 64, 35, 128),
    ];
    let more = more.into_iter().zip(20..).map(|((b, nh, hs, t, s), seed)| {
        let mask = if t == s { Mask::Causal } else { Mask::None };
        let mut case = Case::new(Dims { b, nh, hs, t, s }, mask, 0.2, seed);
        case.key_lengths[0] = (s - s / 7) as u32;
        case
    });
    awkward().into_iter().chain(more)
}

fn agrees_with_f64<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut share: f64 = 0.0;
    for case in shapes().map(rounded::<T>) {
        let aligned = run_in::<T>(&queue, &kernels, &case, CROSS);
        share = share.max(check::<T>(&case, &aligned));
        // Value by value, and in rows of another width: the same products.
        let packed = case.dims.t == case.dims.s;
        assert_same_bits(&run_in::<T>(&queue, &kernels, &case, Layout { packed, before: 1 }), &aligned);
    }
    // Bounds that nothing comes near would show nothing.
    assert!(share > 0.2, "{share}");
}

#[test]
fn bf16_agrees_with_f64() {
    agrees_with_f64::<Bf16>();
}

#[test]
fn f16_agrees_with_f64() {
    agrees_with_f64::<F16>();
}

#[test]
fn large_scores_do_not_overflow() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = Case::new(Dims { b: 1, nh: 2, hs: 32, t: 70, s: 70 }, Mask::Causal, 0.5, 2);
    case.x.q.iter_mut().for_each(|q| *q *= 300.0);
    let case = rounded::<F16>(case);
    let _ = check::<F16>(&case, &run_in::<F16>(&queue, &kernels, &case, PACKED));
}

fn padding_and_order<T: Element>() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // One launch backward, and two.
    for (t, mask) in [(37, Mask::None), (130, Mask::Causal)] {
        let c = 48;
        let mut case = rounded::<T>(Case::new(Dims { b: 4, nh: 2, hs: 24, t, s: t }, mask, 0.1, 6));
        case.key_lengths = vec![t as u32, 7, 0, t as u32 - 2];
        case.query_lengths = Some(vec![t as u32 - 4, t as u32, 4, 0]);
        let clean = run_in::<T>(&queue, &kernels, &case, PACKED);
        for b in 0..4 {
            let (keys, queries) = (case.key_lengths[b] as usize, case.query_lengths.as_ref().unwrap()[b] as usize);
            let queries = if keys == 0 { 0 } else { queries };
            let x = &mut case.x;
            for (x, first_padding) in [(&mut x.q, queries), (&mut x.d_o, queries), (&mut x.k, keys), (&mut x.v, keys)] {
                for j in first_padding..t {
                    x[(b * t + j) * c..][..c].fill(if j % 2 == 0 { f32::NAN } else { f32::INFINITY });
                }
            }
        }
        for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(5)] {
            set_block_order(order);
            let got = run_in::<T>(&queue, &kernels, &case, PACKED);
            set_block_order(BlockOrder::Forward);
            assert_same_bits(&got, &clean);
        }
        assert!(clean.o[2 * t * c..].iter().all(|&o| o == 0.0));
        assert!(clean.lse[2 * 2 * t..].iter().all(|&lse| lse == f32::NEG_INFINITY));
        assert!(clean.dk[2 * t * c..].iter().chain(&clean.dv[2 * t * c..]).all(|&d| d == 0.0));
        assert!(clean.dq[2 * t * c..].iter().all(|&d| d == 0.0));
    }
}

#[test]
fn padding_is_not_read_and_the_order_of_blocks_changes_no_bit() {
    padding_and_order::<Bf16>();
    padding_and_order::<F16>();
}

#[test]
fn a_causal_mask_hides_later_keys() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let (t, c) = (70, 32);
    let mut case = rounded::<Bf16>(Case::new(Dims { b: 1, nh: 1, hs: c, t, s: t }, Mask::Causal, 0.1, 4));
    let before = run_in::<Bf16>(&queue, &kernels, &case, PACKED);
    case.x.k[40 * c..].fill(100.0);
    case.x.v[40 * c..].fill(-7.0);
    let after = run_in::<Bf16>(&queue, &kernels, &case, PACKED);
    assert_eq!(before.o[..40 * c], after.o[..40 * c]);
    assert_ne!(before.o[40 * c..], after.o[40 * c..]);
    assert_eq!(before.dq[..40 * c], after.dq[..40 * c]);
}

#[test]
fn a_captured_launch_replays_with_other_lengths_and_the_next_step() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = rounded::<F16>(Case::new(Dims { b: 2, nh: 1, hs: 16, t: 34, s: 34 }, Mask::Causal, 0.3, 5));
    case.query_lengths = Some(vec![34, 34]);
    let mut device = OnDevice::<F16>::new(&queue, &case, CROSS);
    queue.set_step(3).unwrap();
    // The first launch loads the kernels, which a capture cannot hold.
    device.launch(&queue, &kernels, &case);
    queue.wait().unwrap();
    queue.stream().begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    device.launch(&queue, &kernels, &case);
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = queue.stream().end_capture(flags).unwrap().unwrap();
    for (step, keys, queries) in [(4, [34, 2], [1, 34]), (9, [0, 33], [34, 20])] {
        case.dropout = Dropout::new(0.3, 5, step, 5).unwrap();
        case.key_lengths = keys.to_vec();
        case.query_lengths = Some(queries.to_vec());
        device.key_lengths.set(&queue, &keys).unwrap();
        device.query_lengths.as_mut().unwrap().set(&queue, &queries).unwrap();
        queue.set_step(step).unwrap();
        graph.launch().unwrap();
        let _ = check::<F16>(&case, &device.results(16));
    }
}

#[test]
fn shared_memory_has_no_conflicts_and_global_memory_no_waste() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // One launch backward, and two; several strips forward; each number of columns.
    for (hs, t) in [(64, 64), (32, 40), (128, 32), (128, 112), (64, 136), (16, 24)] {
        let case = rounded::<Bf16>(Case::new(Dims { b: 1, nh: 2, hs, t, s: t }, Mask::Causal, 0.1, 2));
        let run = || drop(run_in::<Bf16>(&queue, &kernels, &case, PACKED));
        let Some(launches) = counted_all(run) else { return };
        assert_eq!(launches.len(), if t > 128 { 4 } else { 3 });
        for launch in launches {
            let memory = &launch.counters.memory;
            assert_eq!(memory.shared().excessive_wavefronts(), 0, "HS {hs}: {launch}");
            assert_eq!(memory.local().requests, 0, "HS {hs}: {launch}");
            assert_eq!(memory.global().excessive_sectors(), 0, "HS {hs}: {launch}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_agrees_with_f64((case, layout) in any_case(), half: bool) {
        let queue = device();
        let kernels = Kernels::load(&queue).unwrap();
        let _ = if half {
            let case = rounded::<F16>(case);
            check::<F16>(&case, &run_in::<F16>(&queue, &kernels, &case, layout))
        } else {
            let case = rounded::<Bf16>(case);
            check::<Bf16>(&case, &run_in::<Bf16>(&queue, &kernels, &case, layout))
        };
    }
}
