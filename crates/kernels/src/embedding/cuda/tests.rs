//! The device's bits are the CPU's; in 16 bits, y is rounded once more.

use super::{Kernels, Tables, scratch_len};
use crate::Error;
use crate::cuda::{Bf16, Buffer, Element, F16, Indices, Queue};
use crate::dropout::Dropout;
use crate::embedding::tests::Case;
use crate::testing::cuda::{Padded, counted_all, device};
use crate::testing::{bits_but_nan, values, words};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;

fn forward<T: Element>(queue: &Queue, kernels: &Kernels, case: &Case, before: usize) -> Vec<f32> {
    let (table, positions) = (Padded::new(queue, &case.table, before), Padded::new(queue, &case.positions, before));
    let mut y = Padded::<T>::new(queue, &vec![7.0; case.dy.len()], before);
    let ids = Indices::from_host(queue, &case.ids).unwrap();
    let lengths = Indices::from_host(queue, &case.lengths).unwrap();
    let (offset, scale) = (case.offset, case.scale);
    let tables = Tables { table: table.view(), positions: positions.view(), offset, scale };
    kernels.forward(queue, case.dims, &ids, &lengths, tables, case.dropout, y.view_mut()).unwrap();
    y.read()
}

fn backward<T: Element>(queue: &Queue, kernels: &Kernels, case: &Case, start: &[f32], before: usize) -> Vec<f32> {
    let (dy, mut dtable) = (Padded::<T>::new(queue, &case.dy, before), Padded::<f32>::new(queue, start, before));
    let ids = Indices::from_host(queue, &case.ids).unwrap();
    let lengths = Indices::from_host(queue, &case.lengths).unwrap();
    let mut scratch = Buffer::from_host(queue, &vec![77; scratch_len(case.ids.len()) + 1]).unwrap();
    let (dims, scale, dropout) = (case.dims, case.scale, case.dropout);
    let (view, scratch_view) = (dtable.view_mut(), scratch.view_mut());
    kernels.backward(queue, dims, &ids, &lengths, dy.view(), scale, dropout, view, scratch_view).unwrap();
    assert_eq!(scratch.read().unwrap().pop(), Some(77));
    dtable.read()
}

fn check(queue: &Queue, kernels: &Kernels, case: &Case, before: usize) {
    check_type::<f32>(queue, kernels, case, before);
}

fn check_type<T: Element>(queue: &Queue, kernels: &Kernels, case: &Case, before: usize) {
    let what = format!("{}, {:?}, V {}", T::NAME, case.dims, case.v);
    let round = |x: &f32| T::from_f32(*x).to_f32();
    let got = forward::<T>(queue, kernels, case, before);
    let want: Vec<f32> = case.forward().iter().map(round).collect();
    assert_eq!(bits_but_nan(&got), bits_but_nan(&want), "{what}");
    let start = values(case.table.len(), 8, 0.0);
    let got = backward::<T>(queue, kernels, case, &start, before);
    let case = Case { dy: case.dy.iter().map(round).collect(), ..case.clone() };
    assert_eq!(bits_but_nan(&got), bits_but_nan(&case.backward(&start)), "{what}");
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for c in [1, 4, 31, 32, 33, 256, 257, 300, 516] {
        for (b, t) in [(0, 3), (2, 0), (1, 1), (3, 5), (7, 1), (2, 33)] {
            check(&queue, &kernels, &Case::new(b, t, c, 6, 0, 0.0), 0);
            check(&queue, &kernels, &Case::new(b, t, c, 3, 11, 0.3), 1);
            check(&queue, &kernels, &Case::new(b, t, c, 50, 2, 0.3), 4);
        }
    }
    let mut padding = Case::new(3, 4, 5, 6, 0, 0.1);
    padding.lengths.fill(0);
    check(&queue, &kernels, &padding, 0);
}

#[test]
fn sixteen_bits_are_the_cpus_rounded() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Aligned rows and others; short runs and long ones.
    for c in [1, 8, 33, 256, 264, 516] {
        for (b, t, v, p, before) in [(3, 5, 6, 0.0, 0), (2, 33, 3, 0.3, 8), (2, 33, 3, 0.3, 1), (3, 40, 1, 0.0, 0)] {
            let case = Case::new(b, t, c, v, 2, p);
            check_type::<Bf16>(&queue, &kernels, &case, before);
            check_type::<F16>(&queue, &kernels, &case, before);
        }
    }
}

#[test]
fn runs_of_any_length_at_any_place() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Token k has a run of lengths[k] rows: around 16 and 32, the places that blocks look at, and many batches of 32.
    let runs: [&[usize]; 6] = [
        &[1, 15, 16, 17],
        &[5, 16, 16, 1, 31, 2],
        &[14, 2, 33, 15, 15, 3],
        &[200, 1, 64, 13],
        &[3, 32, 32, 32, 29],
        &[1, 1, 1, 13, 16, 1, 14, 31],
    ];
    for (seed, runs) in runs.into_iter().enumerate() {
        for (p, c) in [(0.0, 9), (0.25, 40)] {
            let mut ids: Vec<u32> =
                runs.iter().enumerate().flat_map(|(id, &len)| std::iter::repeat_n(id as u32, len)).collect();
            // In any order in the batch.
            let keys = words(ids.len(), seed as u32);
            let mut order: Vec<usize> = (0..ids.len()).collect();
            order.sort_by_key(|&i| keys[i]);
            ids = order.into_iter().map(|i| ids[i]).collect();
            let case = Case::new(1, ids.len(), c, runs.len(), 0, p);
            let case = Case { lengths: vec![ids.len() as u32], ids, ..case };
            check(&queue, &kernels, &case, 0);
        }
    }
}

#[test]
fn more_tokens_than_a_tile_sorts() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (b, t, v) in [(32, 32, 7), (41, 25, 300), (70, 80, 2), (70, 80, 5000), (1, 6000, 100)] {
        let mut case = Case::new(b, t, 2, v, 0, 0.0);
        // Ids as words are: few frequent, many rare; 0 and the largest among them.
        for (n, id) in case.ids.iter_mut().enumerate().filter(|(_, id)| **id != u32::MAX) {
            *id = if n % 3 == 0 { *id % 4 % v as u32 } else { *id };
        }
        if case.lengths[0] > 1 {
            (case.ids[0], case.ids[1]) = (v as u32 - 1, 0);
        }
        check(&queue, &kernels, &case, 0);
    }
}

#[test]
fn no_bank_conflicts_and_no_sectors_in_vain() {
    fn check<T: Element>(queue: &Queue, kernels: &Kernels) {
        // Runs that begin anywhere, short ones and long ones; rows of whole sectors, whose last group is not whole.
        let case = Case::new(4, 32, 272, 5, 0, 0.1);
        let start = values(case.table.len(), 8, 0.0);
        let Some(launches) = counted_all(|| {
            forward::<T>(queue, kernels, &case, 0);
            backward::<T>(queue, kernels, &case, &start, 0);
        }) else {
            return;
        };
        assert_eq!(launches.len(), 4);
        for launch in launches {
            let memory = &launch.counters.memory;
            assert_eq!(memory.shared().excessive_wavefronts(), 0, "{} {}", launch.kernel, T::NAME);
            assert_eq!(memory.global().excessive_sectors(), 0, "{} {}", launch.kernel, T::NAME);
        }
    }
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    check::<f32>(&queue, &kernels);
    check::<Bf16>(&queue, &kernels);
    check::<F16>(&queue, &kernels);
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = Case::new(2, 20, 12, 5, 3, 0.4);
    let awkward = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 1e-45, -3e-39, f32::MAX];
    for values in [&mut case.table, &mut case.dy] {
        for (x, awkward) in values.iter_mut().step_by(7).zip(awkward) {
            *x = awkward;
        }
    }
    check(&queue, &kernels, &case, 0);
    case.dropout = Dropout::NONE;
    check(&queue, &kernels, &case, 0);
}

#[test]
fn no_order_of_blocks_changes_a_bit() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::new(50, 50, 5, 20, 0, 0.1);
    for order in [BlockOrder::Backward, BlockOrder::Shuffled(9), BlockOrder::Forward, BlockOrder::Forward] {
        set_block_order(order);
        check(&queue, &kernels, &case, 0);
        set_block_order(BlockOrder::Forward);
    }
}

#[test]
fn a_captured_step_replays_with_other_tokens() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let case = Case::new(4, 30, 6, 9, 0, 0.2);
    let start = values(case.table.len(), 8, 0.0);
    let (dy, mut dtable) = (Buffer::from_host(&queue, &case.dy).unwrap(), Buffer::from_host(&queue, &start).unwrap());
    let mut ids = Indices::from_host(&queue, &case.ids).unwrap();
    let mut lengths = Indices::from_host(&queue, &case.lengths).unwrap();
    let mut scratch = Buffer::zeros(&queue, scratch_len(case.ids.len())).unwrap();
    let at = |step| Dropout::new(0.2, 5, step, 7).unwrap();
    queue.set_step(1).unwrap();
    queue.wait().unwrap();
    queue.stream().begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    let (view, scratch) = (dtable.view_mut(), scratch.view_mut());
    kernels.backward(&queue, case.dims, &ids, &lengths, dy.view(), case.scale, at(1), view, scratch).unwrap();
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = queue.stream().end_capture(flags).unwrap().unwrap();
    for step in [1, 2, 3] {
        let mut case = Case { dropout: at(step), ..Case::new(4, 30, 6, 9, 0, 0.2) };
        case.lengths = vec![30, step, 0, 29];
        case.ids = words(120, step).into_iter().map(|w| w % (2 * step)).collect();
        ids.set(&queue, &case.ids).unwrap();
        lengths.set(&queue, &case.lengths).unwrap();
        queue.set_step(step).unwrap();
        dtable.view_mut().write(&start).unwrap();
        graph.launch().unwrap();
        assert_eq!(dtable.read().unwrap(), case.backward(&start), "step {step}");
    }
}

/// A replay may find ids that the launch was not checked with. Those that are no row of the table count as padding: here
/// they stand where the sentences end otherwise.
#[test]
fn a_replay_takes_ids_that_are_no_rows_for_padding() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = Case { lengths: vec![30, 8, 30], ..Case::new(3, 30, 6, 9, 0, 0.0) };
    case.ids = words(90, 3).into_iter().map(|w| w % 9).collect();
    let start = values(case.table.len(), 8, 0.0);
    let (table, positions) = (Padded::new(&queue, &case.table, 0), Padded::new(&queue, &case.positions, 0));
    let (dy, mut dtable) = (Padded::<f32>::new(&queue, &case.dy, 0), Padded::<f32>::new(&queue, &start, 0));
    let mut y = Padded::<f32>::new(&queue, &vec![7.0; case.dy.len()], 0);
    let mut ids = Indices::from_host(&queue, &case.ids).unwrap();
    let lengths = Indices::from_host(&queue, &case.lengths).unwrap();
    let mut scratch = Buffer::zeros(&queue, scratch_len(case.ids.len())).unwrap();
    let (dims, offset, scale) = (case.dims, case.offset, case.scale);
    let mut graph = queue
        .capture(|| {
            let tables = Tables { table: table.view(), positions: positions.view(), offset, scale };
            kernels.forward(&queue, dims, &ids, &lengths, tables, Dropout::NONE, y.view_mut())?;
            let (view, scratch) = (dtable.view_mut(), scratch.view_mut());
            kernels.backward(&queue, dims, &ids, &lengths, dy.view(), scale, Dropout::NONE, view, scratch)
        })
        .unwrap();
    let mut found = case.ids.clone();
    for (at, id) in [(20, 9), (21, u32::MAX), (29, 1 << 31), (60, 10), (61, u32::MAX - 1)] {
        found[at..].iter_mut().take(30 - at % 30).for_each(|found| *found = id);
    }
    case.lengths = vec![20, 8, 0];
    ids.set(&queue, &found).unwrap();
    queue.replay(&mut graph).unwrap();
    assert_eq!(y.bits(), bits_but_nan(&case.forward()));
    assert_eq!(dtable.bits(), bits_but_nan(&case.backward(&start)));
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let good = || Case { ids: vec![0, 1, 2, 3, 4, 5], lengths: vec![3, 2], ..Case::new(2, 3, 2, 6, 1, 0.0) };
    let run = |change: &dyn Fn(&mut Case), y_len: usize, scratch_len: usize| {
        let mut case = good();
        change(&mut case);
        let put = |values: &[f32]| Buffer::from_host(&queue, values).unwrap();
        let (table, positions, dy) = (put(&case.table), put(&case.positions), put(&vec![1.0; y_len]));
        let (mut y, mut dtable) = (put(&vec![7.0; y_len]), put(&vec![7.0; case.table.len()]));
        let mut scratch = Buffer::zeros(&queue, scratch_len).unwrap();
        let ids = Indices::from_host(&queue, &case.ids).unwrap();
        let lengths = Indices::from_host(&queue, &case.lengths).unwrap();
        let (dims, scale) = (case.dims, case.scale);
        let tables = Tables { table: table.view(), positions: positions.view(), offset: case.offset, scale };
        let none = Dropout::NONE;
        let forward = kernels.forward(&queue, dims, &ids, &lengths, tables, none, y.view_mut());
        assert_eq!(forward.is_err(), y.read().unwrap().iter().all(|&y| y == 7.0));
        let (view, scratch) = (dtable.view_mut(), scratch.view_mut());
        let backward = kernels.backward(&queue, dims, &ids, &lengths, dy.view(), scale, none, view, scratch);
        assert_eq!(backward.is_err(), dtable.read().unwrap().iter().all(|&d| d == 7.0));
        (forward, backward)
    };
    let (forward, backward) = run(&|_| (), 12, 24);
    assert!(forward.is_ok() && backward.is_ok());
    type Change = (fn(&mut Case), fn(&Error) -> bool);
    let both: [Change; 7] = [
        (|c| c.ids[4] = 6, |e| matches!(e, Error::Index { arg: "ids", at: 4, got: 6, limit: 6, .. })),
        (|c| c.lengths[1] = 4, |e| matches!(e, Error::Size { what: "a sentence's length", got: 4, .. })),
        (|c| c.lengths.push(0), |e| matches!(e, Error::Length { arg: "lengths", .. })),
        (|c| c.ids.truncate(5), |e| matches!(e, Error::Length { arg: "ids", got: 5, want: 6, .. })),
        (|c| c.table.truncate(11), |e| matches!(e, Error::Length { arg: "table", .. })),
        (|c| c.scale = f32::NAN, |e| matches!(e, Error::Scalar { what: "scale", .. })),
        (|c| c.dims.c = 0, |e| matches!(e, Error::Size { what: "C", .. })),
    ];
    for (i, (change, expected)) in both.iter().enumerate() {
        let (forward, backward) = run(&change, 12, 24);
        assert!(expected(&forward.unwrap_err()) && expected(&backward.unwrap_err()), "change {i}");
    }
    let (forward, backward) = run(&|_| (), 11, 24);
    assert!(matches!(forward, Err(Error::Length { arg: "y", .. })));
    assert!(matches!(backward, Err(Error::Length { arg: "dy", .. })));
    let (_, backward) = run(&|_| (), 12, 23);
    assert!(matches!(backward, Err(Error::Length { arg: "scratch", got: 23, want: 24, .. })));
    let (forward, _) = run(&|c| c.offset = 3, 12, 24);
    assert!(matches!(forward, Err(Error::Index { arg: "positions", at: 2, got: 5, limit: 5, .. })));

    let case = good();
    let other = Queue::new(0).unwrap();
    let ids = Indices::from_host(&other, &case.ids).unwrap();
    let lengths = Indices::from_host(&queue, &case.lengths).unwrap();
    let dy = Buffer::<f32>::zeros(&queue, 12).unwrap();
    let (mut dtable, mut scratch) = (Buffer::zeros(&queue, 12).unwrap(), Buffer::zeros(&queue, 24).unwrap());
    let (view, scratch) = (dtable.view_mut(), scratch.view_mut());
    let none = Dropout::NONE;
    let error = kernels.backward(&queue, case.dims, &ids, &lengths, dy.view(), 1.0, none, view, scratch).unwrap_err();
    assert!(matches!(error, Error::Queue { arg: "ids", .. }));
}
