//! In f32 the device's bits are the CPU's, for every shape, layout and alignment; [`sixteen`] tests bf16 and f16.

mod sixteen;

use super::typed::KEPT_SCORES;
use super::*;
use crate::attention::reference::{Operands, Results};
use crate::attention::tests::{Case, assert_same_bits, awkward, buffers, interleave, values};
use crate::cuda::{Bf16, Buffer, F16, Tf32};
use crate::dropout::Dropout;
use crate::testing::cuda::{Padded, UNTOUCHED, counted_all, device};
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};
use noam_emulator::driver::control::set_block_order;
use noam_emulator::exec::BlockOrder;
use proptest::prelude::*;

/// One of the operands, to be changed.
type Field = fn(&mut Operands<f32>) -> &mut Vec<f32>;

/// Which of the two layouts, and how many values lie before each buffer: with one, nothing is aligned.
#[derive(Clone, Copy, Debug)]
struct Layout {
    packed: bool,
    before: usize,
}

const CROSS: Layout = Layout { packed: false, before: 0 };
const PACKED: Layout = Layout { packed: true, before: 0 };

/// A case's operands and results in device memory.
struct OnDevice<T> {
    layout: Layout,
    inputs: Vec<Padded<T>>,
    gradients: Vec<Padded<T>>,
    d_o: Padded<T>,
    o: Padded<T>,
    lse: Padded,
    weights: Padded,
    scratch: Padded,
    key_lengths: Indices,
    query_lengths: Option<Indices>,
}

impl<T: Element> OnDevice<T> {
    fn new(queue: &Queue, case: &Case, layout: Layout) -> Self {
        let Dims { b, nh, hs, t, s } = case.dims;
        let (c, x) = (nh * hs, &case.x);
        let inputs = if layout.packed {
            vec![interleave(&[&x.q, &x.k, &x.v], c)]
        } else {
            vec![x.q.clone(), interleave(&[&x.k, &x.v], c)]
        };
        let before = layout.before;
        // NaN everywhere: whatever is not written, or read before it is written, shows.
        let nan = |n: usize| vec![f32::NAN; n];
        OnDevice {
            layout,
            gradients: inputs.iter().map(|x| Padded::new(queue, &nan(x.len()), before)).collect(),
            inputs: inputs.iter().map(|x| Padded::new(queue, x, before)).collect(),
            d_o: Padded::new(queue, &x.d_o, before),
            o: Padded::new(queue, &nan(x.q.len()), before),
            lse: Padded::new(queue, &nan(b * nh * t), before),
            weights: Padded::new(queue, &nan(b * nh * t * s), before),
            scratch: Padded::new(queue, &nan(backward_scratch_len(&case.dims)), before),
            key_lengths: Indices::from_host(queue, &case.key_lengths).unwrap(),
            query_lengths: case.query_lengths.as_ref().map(|n| Indices::from_host(queue, n).unwrap()),
        }
    }

    /// Forward, weights and backward.
    fn launch(&mut self, queue: &Queue, kernels: &Kernels, case: &Case) {
        let attention = Attention {
            dims: case.dims,
            mask: case.mask,
            key_lengths: &self.key_lengths,
            query_lengths: self.query_lengths.as_ref(),
            dropout: case.dropout,
        };
        let inputs = match &self.inputs[..] {
            [qkv] => Inputs::Packed { qkv: qkv.view() },
            [q, kv] => Inputs::Cross { q: q.view(), kv: kv.view() },
            _ => unreachable!("one buffer or two"),
        };
        let out = Output { o: self.o.view_mut(), lse: self.lse.view_mut() };
        kernels.forward(queue, &attention, inputs, out).unwrap();
        kernels.weights(queue, &attention, inputs, self.lse.view(), self.weights.view_mut()).unwrap();
        let saved = Saved { o: self.o.view(), lse: self.lse.view(), d_o: self.d_o.view() };
        let gradients = match &mut self.gradients[..] {
            [dqkv] => Gradients::Packed { dqkv: dqkv.view_mut() },
            [dq, dkv] => Gradients::Cross { dq: dq.view_mut(), dkv: dkv.view_mut() },
            _ => unreachable!("one buffer or two"),
        };
        kernels.backward(queue, &attention, inputs, saved, self.scratch.view_mut(), gradients).unwrap();
    }

    fn results(&self, c: usize) -> Results<f32> {
        let gradients: Vec<_> = self.gradients.iter().map(Padded::read).collect();
        let columns = |x: &[f32], of: usize, part: usize| {
            x.chunks_exact(of * c).flat_map(|row| row[part * c..][..c].to_vec()).collect::<Vec<f32>>()
        };
        let [dq, dk, dv] = match (&gradients[..], self.layout.packed) {
            ([dqkv], true) => [0, 1, 2].map(|part| columns(dqkv, 3, part)),
            ([dq, dkv], false) => [dq.clone(), columns(dkv, 2, 0), columns(dkv, 2, 1)],
            _ => unreachable!("as `new` made them"),
        };
        for input in self.inputs.iter().chain([&self.d_o]) {
            let _ = input.read();
        }
        let _ = self.scratch.read();
        Results { o: self.o.read(), lse: self.lse.read(), weights: self.weights.read(), dq, dk, dv }
    }
}

fn run_in<T: Element>(queue: &Queue, kernels: &Kernels, case: &Case, layout: Layout) -> Results<f32> {
    let mut device = OnDevice::<T>::new(queue, case, layout);
    device.launch(queue, kernels, case);
    device.results(case.dims.nh * case.dims.hs)
}

fn run(queue: &Queue, kernels: &Kernels, case: &Case, layout: Layout) -> Results<f32> {
    run_in::<f32>(queue, kernels, case, layout)
}

#[test]
fn the_devices_bits_are_the_cpus() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for case in awkward() {
        let want = case.run();
        assert_same_bits(&run(&queue, &kernels, &case, CROSS), &want);
        // Rows of another width, and nothing aligned.
        let packed = case.dims.t == case.dims.s;
        assert_same_bits(&run(&queue, &kernels, &case, Layout { packed, before: 1 }), &want);
    }
}

#[test]
fn every_head_size_has_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    // Around a vector, the columns of one warp and of one group, and the largest.
    for hs in [1, 2, 3, 4, 7, 12, 31, 36, 63, 65, 68, 100, 127, 128] {
        let mut case = Case::new(Dims { b: 1, nh: 2, hs, t: 5, s: 5 }, Mask::Causal, 0.2, hs as u64);
        case.key_lengths[0] = 4;
        assert_same_bits(&run(&queue, &kernels, &case, PACKED), &case.run());
    }
}

#[test]
fn rows_of_scores_that_are_made_twice_have_the_same_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let longest = KEPT_SCORES;
    for (t, s, mask) in
        [(2, longest - 1, Mask::None), (2, longest + 1, Mask::None), (longest + 3, longest + 3, Mask::Causal)]
    {
        let case = Case::new(Dims { b: 1, nh: 1, hs: 5, t, s }, mask, 0.1, 3);
        assert_same_bits(&run(&queue, &kernels, &case, CROSS), &case.run());
    }
    // A buffer longer than what is kept, of which so little is visible that it is.
    let mut case = Case::new(Dims { b: 1, nh: 1, hs: 5, t: 2, s: longest + 70 }, Mask::None, 0.1, 3);
    case.key_lengths = vec![longest as u32];
    assert_same_bits(&run(&queue, &kernels, &case, CROSS), &case.run());
}

#[test]
fn padding_is_not_read_and_seeing_nothing_is_zero() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for mask in [Mask::None, Mask::Causal] {
        let (t, c) = (37, 24);
        let mut case = Case::new(Dims { b: 4, nh: 2, hs: 12, t, s: t }, mask, 0.1, 6);
        case.key_lengths = vec![37, 7, 0, 35];
        case.query_lengths = Some(vec![33, 37, 4, 0]);
        let clean = case.run();
        for b in 0..4 {
            let (keys, queries) = (case.key_lengths[b] as usize, case.query_lengths.as_ref().unwrap()[b] as usize);
            let queries = if keys == 0 { 0 } else { queries };
            for j in 0..t {
                let x = &mut case.x;
                for (x, first_padding) in
                    [(&mut x.q, queries), (&mut x.d_o, queries), (&mut x.k, keys), (&mut x.v, keys)]
                {
                    if j >= first_padding {
                        x[(b * t + j) * c..][..c].fill(if j % 2 == 0 { f32::NAN } else { f32::INFINITY });
                    }
                }
            }
        }
        let got = run(&queue, &kernels, &case, PACKED);
        assert_same_bits(&got, &clean);
        assert!(got.o[2 * t * c..].iter().all(|&o| o == 0.0));
        assert!(got.lse[2 * 2 * t..].iter().all(|&lse| lse == f32::NEG_INFINITY));
        assert!(got.dk[2 * t * c..].iter().chain(&got.dv[2 * t * c..]).all(|&d| d == 0.0));
    }
}

#[test]
fn awkward_values_have_the_cpus_bits() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    const AWKWARD: [f32; 10] =
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-45, -3e-39, 1.2e-38, -0.0, 1e4, -3e19, f32::MAX];
    let fields: [Field; 4] = [|x| &mut x.q, |x| &mut x.k, |x| &mut x.v, |x| &mut x.d_o];
    for (n, value) in AWKWARD.into_iter().enumerate() {
        for (which, field) in fields.into_iter().enumerate() {
            let mask = if n % 2 == 0 { Mask::Causal } else { Mask::None };
            let mut case = Case::new(Dims { b: 1, nh: 1, hs: 6, t: 40, s: 40 }, mask, 0.25, n as u64);
            let x = field(&mut case.x);
            // One, which the others must not catch, in a row that some see; then a whole row.
            x[19 * 6 + n % 6] = value;
            if which % 2 == 1 {
                x[33 * 6..34 * 6].fill(value);
            }
            assert_same_bits(&run(&queue, &kernels, &case, CROSS), &case.run());
        }
    }
    // Scores so large that weights are 0 and 1, and operands that are subnormal throughout.
    for scale in [1e4, 1e-38] {
        let mut case = Case::new(Dims { b: 1, nh: 1, hs: 6, t: 40, s: 40 }, Mask::None, 0.0, 1);
        for field in fields {
            field(&mut case.x).iter_mut().for_each(|x| *x *= scale);
        }
        assert_same_bits(&run(&queue, &kernels, &case, CROSS), &case.run());
    }
}

#[test]
fn the_order_of_blocks_and_a_second_run_change_no_bit() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = Case::new(Dims { b: 2, nh: 2, hs: 8, t: 70, s: 70 }, Mask::Causal, 0.1, 9);
    case.key_lengths[0] = 37;
    let want = run(&queue, &kernels, &case, PACKED);
    for order in [BlockOrder::Forward, BlockOrder::Backward, BlockOrder::Shuffled(3)] {
        set_block_order(order);
        let got = run(&queue, &kernels, &case, PACKED);
        set_block_order(BlockOrder::Forward);
        assert_same_bits(&got, &want);
    }
}

#[test]
fn a_captured_launch_replays_with_other_lengths_and_the_next_step() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut case = Case::new(Dims { b: 2, nh: 1, hs: 8, t: 34, s: 34 }, Mask::Causal, 0.3, 5);
    case.query_lengths = Some(vec![34, 34]);
    let mut device = OnDevice::<f32>::new(&queue, &case, CROSS);
    queue.set_step(3).unwrap();
    // The first launch loads the kernels, which a capture cannot hold.
    device.launch(&queue, &kernels, &case);
    queue.wait().unwrap();
    queue.stream().begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).unwrap();
    device.launch(&queue, &kernels, &case);
    let flags = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
    let graph = queue.stream().end_capture(flags).unwrap().unwrap();
    for (step, keys, queries) in [(3, [34, 34], [34, 34]), (4, [34, 2], [1, 34]), (9, [0, 33], [34, 20])] {
        case.dropout = Dropout::new(0.3, 5, step, 5).unwrap();
        case.key_lengths = keys.to_vec();
        case.query_lengths = Some(queries.to_vec());
        device.key_lengths.set(&queue, &keys).unwrap();
        device.query_lengths.as_mut().unwrap().set(&queue, &queries).unwrap();
        queue.set_step(step).unwrap();
        graph.launch().unwrap();
        assert_same_bits(&device.results(8), &case.run());
    }
}

#[test]
fn what_is_not_launched_is_not_loaded() {
    fn forward<T: Element>(queue: &Queue, kernels: &Kernels) -> Result<(), Error> {
        let qkv = Buffer::from_host(queue, &[1.0, 2.0, 3.0].map(T::from_f32))?;
        let (mut o, mut lse) = (Buffer::<T>::zeros(queue, 1)?, Buffer::zeros(queue, 1)?);
        let one = Indices::from_host(queue, &[1])?;
        let dims = Dims { b: 1, nh: 1, hs: 1, t: 1, s: 1 };
        let attention =
            Attention { dims, mask: Mask::None, key_lengths: &one, query_lengths: None, dropout: Dropout::NONE };
        kernels.forward(
            queue,
            &attention,
            Inputs::Packed { qkv: qkv.view() },
            Output { o: o.view_mut(), lse: lse.view_mut() },
        )?;
        assert_eq!(o.read()?, [T::from_f32(3.0)]);
        Ok(())
    }
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let mut loaded = vec![queue.loaded()];
    for launch in [forward::<f32>, forward::<Tf32>, forward::<F16>, forward::<F16>, forward::<Bf16>] {
        launch(&queue, &kernels).unwrap();
        loaded.push(queue.loaded());
    }
    // Forward alone; what is tf32 elsewhere is f32 here.
    assert_eq!(loaded, [0, 1, 1, 2, 2, 3]);
}

#[test]
fn bad_input_is_refused_and_nothing_is_launched() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    let dims = Dims { b: 2, nh: 2, hs: 4, t: 3, s: 5 };
    let x = Buffer::from_host(&queue, &values(1000, 1)).unwrap();
    let indices = |values: &[u32]| Indices::from_host(&queue, values).unwrap();
    let (fives, threes, sixes, one) = (indices(&[5, 5]), indices(&[3, 3]), indices(&[5, 6]), indices(&[5]));
    let attention = |dims, mask, key_lengths, query_lengths| Attention {
        dims,
        mask,
        key_lengths,
        query_lengths,
        dropout: Dropout::NONE,
    };
    let good = || attention(dims, Mask::None, &fives, Some(&threes));
    let untouched = vec![UNTOUCHED; 1000];
    // Each of the three with buffers of these lengths: q and kv; then o, lse and weights; d_o, scratch, dq and dkv.
    let run = |attention: &Attention<'_>, lens: [usize; 9]| {
        let [q, kv, o, lse, weights, d_o, scratch, dq, dkv] = lens;
        let part = |len| x.view().part(0, len);
        let inputs = Inputs::Cross { q: part(q), kv: part(kv) };
        let saved = Saved { o: part(o), lse: part(lse), d_o: part(d_o) };
        let fresh = || Buffer::from_host(&queue, &untouched).unwrap();
        let mut y = [fresh(), fresh(), fresh()];
        let [forward, backward, out] = y.each_mut().map(|y| y.view_mut());
        let [y0, y1] = forward.split([(0, o), (500, lse)]);
        let forward = kernels.forward(&queue, attention, inputs, Output { o: y0, lse: y1 });
        let [y0, y1, y2] = backward.split([(0, dq), (300, dkv), (700, scratch)]);
        let backward = kernels.backward(&queue, attention, inputs, saved, y2, Gradients::Cross { dq: y0, dkv: y1 });
        let [out] = out.split([(0, weights)]);
        let weights = kernels.weights(&queue, attention, inputs, part(lse), out);
        [forward, backward, weights].into_iter().zip(y).map(|(result, y)| {
            assert!(result.is_ok() || y.read().unwrap() == untouched);
            result.map_err(|error| error.to_string())
        })
    };
    let lens = [48, 160, 48, 12, 60, 48, 12, 48, 160];
    assert!(run(&good(), lens).all(|result| result.is_ok()));
    for (at, fails) in [
        [true, true, true],
        [true, true, true],
        [true, true, false],
        [true, true, true],
        [false, false, true],
        [false, true, false],
        [false, true, false],
        [false, true, false],
        [false, true, false],
    ]
    .into_iter()
    .enumerate()
    {
        let mut lens = lens;
        lens[at] -= 1;
        assert!(run(&good(), lens).map(|result| result.is_err()).eq(fails), "{at}");
    }
    for (bad, says) in [
        (attention(dims, Mask::Causal, &fives, None), "causal"),
        (attention(dims, Mask::None, &sixes, None), "key length is 6"),
        (attention(dims, Mask::None, &one, None), "key_lengths"),
        (attention(dims, Mask::None, &fives, Some(&fives)), "query length is 5"),
        (attention(Dims { hs: 0, ..dims }, Mask::None, &fives, None), "HS"),
        (attention(Dims { t: usize::MAX, ..dims }, Mask::None, &fives, None), "fits in memory"),
        (attention(Dims { hs: HEAD_SIZE_MAX + 1, ..dims }, Mask::None, &fives, None), "at most 128"),
    ] {
        assert!(run(&bad, lens).all(|result| result.is_err_and(|text| text.contains(says))), "{says}");
    }

    // Packed buffers share rows; gradients are laid out as inputs are; memory is this queue's.
    let mut y = Buffer::from_host(&queue, &untouched).unwrap();
    let mut error = |attention: &Attention<'_>, inputs: Inputs<'_>, saved: Saved<'_>| {
        let [y0, y1, y2] = y.view_mut().split([(0, 48), (300, 160), (700, 12)]);
        let gradients = Gradients::Cross { dq: y0, dkv: y1 };
        let result = kernels.backward(&queue, attention, inputs, saved, y2, gradients);
        assert!(y.read().unwrap() == untouched);
        result.unwrap_err().to_string()
    };
    let part = |len| x.view().part(0, len);
    let saved = Saved { o: part(48), lse: part(12), d_o: part(48) };
    let packed = Inputs::Packed { qkv: part(144) };
    assert!(error(&good(), packed, saved).contains("equal to T"));
    let square = attention(Dims { s: 3, ..dims }, Mask::None, &threes, None);
    let error_of_lengths = error(&square, packed, saved);
    assert!(error_of_lengths.contains("dkv") || error_of_lengths.contains("row stride"), "{error_of_lengths}");
    let other = Queue::new(0).unwrap();
    let elsewhere = Buffer::from_host(&other, &values(48, 1)).unwrap();
    let inputs = Inputs::Cross { q: elsewhere.view(), kv: part(160) };
    assert!(error(&good(), inputs, saved).contains("another queue"));
    let inputs = Inputs::Cross { q: part(48), kv: part(160) };
    let saved = Saved { d_o: elsewhere.view(), ..saved };
    assert!(error(&good(), inputs, saved).contains("another queue"));
}

#[test]
fn shared_memory_has_no_conflicts_and_global_memory_no_waste() {
    let queue = device();
    let kernels = Kernels::load(&queue).unwrap();
    for (hs, t) in [(64, 64), (32, 40), (128, 32), (8, 33)] {
        let case = Case::new(Dims { b: 1, nh: 2, hs, t, s: t }, Mask::Causal, 0.1, 2);
        let Some(launches) = counted_all(|| drop(run(&queue, &kernels, &case, PACKED))) else { return };
        // Up to 32 keys, backward is one launch.
        assert_eq!(launches.len(), if t > 32 { 4 } else { 3 });
        for launch in launches {
            let memory = &launch.counters.memory;
            assert_eq!(memory.shared().excessive_wavefronts(), 0, "HS {hs}: {launch}");
            assert_eq!(memory.local().requests, 0, "HS {hs}: {launch}");
            // Rows of scores that begin within a sector share one.
            if t % 8 == 0 {
                assert_eq!(memory.global().excessive_sectors(), 0, "HS {hs}: {launch}");
            }
        }
    }
}

prop_compose! {
    /// A case of any shape and visibility, with the values that lie before its buffers.
    fn any_case()(
        (b, nh, hs, t, s) in (1usize..3, 1usize..3, 1usize..40, 1usize..45, 1usize..75),
        lengths in prop::collection::vec((0.0..1.3f64, 0.0..1.3f64), 2),
        causal: bool,
        pad_queries: bool,
        drop: bool,
        before in 0usize..2,
        seed in 0u64..1 << 40,
    ) -> (Case, Layout) {
        let dims = Dims { b, nh, hs, t, s: if causal { t } else { s } };
        let mask = if causal { Mask::Causal } else { Mask::None };
        let mut case = Case::new(dims, mask, if drop { 0.25 } else { 0.0 }, seed);
        let length = |share: f64, n: usize| (share.min(1.0) * n as f64) as u32;
        case.key_lengths = lengths[..b].iter().map(|l| length(l.0, dims.s)).collect();
        case.query_lengths = pad_queries.then(|| lengths[..b].iter().map(|l| length(l.1, t)).collect());
        (case, Layout { packed: causal, before })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_shape_has_the_cpus_bits((case, layout) in any_case()) {
        let queue = device();
        let kernels = Kernels::load(&queue).unwrap();
        assert_same_bits(&run(&queue, &kernels, &case, layout), &case.run());
    }
}
