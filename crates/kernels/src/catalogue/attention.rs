//! Attention: self, causal and cross, forward, backward, and the weights.

use super::data::{Data, as_type, made, rounded};
use super::verdict::wide;
use super::{BASE, Case, Grid, Output, Run, SMALL, Sizes, Wanted, Work, every_element};
use crate::Error;
use crate::attention::cuda::bounds::{CUT_AND_CPU, Rounding, bounds};
use crate::attention::cuda::{self, Kernels, ONE_TILE, backward_scratch_len};
use crate::attention::operands::{Operands, Results};
use crate::attention::{self, Attention, Dims, Gradients, Inputs, Mask, Output as HostOutput, Saved, scratch_len};
use crate::cuda::{Element, Indices, Queue};
use crate::dropout::Dropout;

/// Which of the launchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
    Weights,
}

/// An attention without its operands.
#[derive(Clone, Debug)]
struct Problem {
    dims: Dims,
    mask: Mask,
    /// Whether q, k and v come in one buffer, or q and kv in two.
    packed: bool,
    key_lengths: Vec<u32>,
    query_lengths: Option<Vec<u32>>,
    dropout: Dropout,
}

impl Problem {
    /// Without padding.
    fn new(dims: Dims, mask: Mask, packed: bool) -> Self {
        let dropout = Dropout::new(0.1, 3, 5, 7).expect("a tenth is a probability");
        Problem { dims, mask, packed, key_lengths: vec![dims.s as u32; dims.b], query_lengths: None, dropout }
    }

    /// With sentences of all lengths, down to none, and padded queries.
    fn padded(mut self) -> Self {
        let Dims { b, t, s, .. } = self.dims;
        let shorter = |len: usize, i: usize| (len * (b - 1 - i) / (b - 1).max(1)) as u32;
        self.key_lengths = (0..b).map(|i| shorter(s, i)).collect();
        self.query_lengths = Some((0..b).map(|i| shorter(t, (i + 1) % b)).collect());
        self
    }

    fn attention(&self) -> Attention<'_> {
        Attention {
            dims: self.dims,
            mask: self.mask,
            key_lengths: &self.key_lengths,
            query_lengths: self.query_lengths.as_deref(),
            dropout: self.dropout,
        }
    }

    fn operation(&self, direction: Direction) -> &'static str {
        match (direction, self.mask, self.packed) {
            (Direction::Forward, Mask::Causal, _) => "attention_causal_forward",
            (Direction::Forward, Mask::None, true) => "attention_self_forward",
            (Direction::Forward, Mask::None, false) => "attention_cross_forward",
            (Direction::Backward, Mask::Causal, _) => "attention_causal_backward",
            (Direction::Backward, Mask::None, true) => "attention_self_backward",
            (Direction::Backward, Mask::None, false) => "attention_cross_backward",
            (Direction::Weights, Mask::Causal, _) => "attention_causal_weights",
            (Direction::Weights, Mask::None, true) => "attention_self_weights",
            (Direction::Weights, Mask::None, false) => "attention_cross_weights",
        }
    }

    /// Rectangles of so many queries by so many keys that hold a pair of a query and a key that it sees, in all heads.
    fn rectangles(&self, by_queries: usize, by_keys: usize) -> usize {
        let Dims { b, nh, t, .. } = self.dims;
        let of_sentence = |b: usize| -> usize {
            let queries = self.query_lengths.as_ref().map_or(t, |lengths| lengths[b] as usize);
            let keys = self.key_lengths[b] as usize;
            let seen = |first: usize| match self.mask {
                Mask::None => keys,
                Mask::Causal => keys.min((first + by_queries).min(queries)),
            };
            (0..queries).step_by(by_queries).map(|first| seen(first).div_ceil(by_keys)).sum()
        };
        nh * (0..b).map(of_sentence).sum::<usize>()
    }

    /// Pairs of a query and a key that it sees, in all heads.
    fn pairs(&self) -> usize {
        self.rectangles(1, 1)
    }

    /// Products of 16 x 8 x 16 that hold a pair that is visible, of one of the five matrix products: its axes are the
    /// queries, the keys and the columns of a head, and the 8 is along one of them.
    fn whole_products(&self) -> usize {
        let hs = self.dims.hs;
        let along = [(8, 16, 16), (16, 8, 16), (16, 16, 8)];
        let products = along.map(|(queries, keys, columns)| self.rectangles(queries, keys) * hs.div_ceil(columns));
        products.into_iter().min().unwrap_or(0)
    }

    /// Of the rows that are read, not of the padding; all is written. Two products forward, five backward: scores, and
    /// the gradients of weights, queries, keys and values. The weights are written as f32, and made without tensor
    /// cores.
    fn work<T: Element>(&self, direction: Direction) -> Work {
        let Dims { b, nh, hs, t, s } = self.dims;
        let (c, e) = (nh * hs, size_of::<T>());
        let real = |lengths: Option<&Vec<u32>>, all: usize| {
            lengths.map_or(b * all, |lengths| lengths.iter().map(|&n| n as usize).sum())
        };
        let (queries, keys) = (real(self.query_lengths.as_ref(), t), real(Some(&self.key_lengths), s));
        let lengths = 4 * b * if self.query_lengths.is_some() { 2 } else { 1 };
        let (products, whole) = (self.pairs() * hs, self.whole_products());
        match direction {
            Direction::Forward => {
                // Beside the products, of 16 queries and 64 keys at a time: a score is scaled, its maximum taken, the
                // exponential made of a difference, and added up, 5 operations; sums are scaled with each 64 keys and
                // in the end; and a query has its statistics, in four lanes each.
                let tiles = self.rectangles(16, 64);
                let beside = 1024 * 5 * tiles + 16 * hs * tiles + queries * c + 128 * nh * queries;
                Work::bytes((queries + 2 * keys) * c * e + lengths, b * t * (c * e + 4 * nh)).multiply_adds::<T>(
                    2 * products,
                    2 * whole,
                    beside,
                )
            }
            Direction::Backward => {
                let read = (3 * queries + 2 * keys) * c * e + 4 * nh * queries + lengths;
                // Beside the products, of 16 queries and 16 keys at a time, by each launch: a weight and its score's
                // gradient, 6 operations; the dot products of o and its gradient; and gradients are scaled.
                let launches = if s > ONE_TILE { 2 } else { 1 };
                let beside = 256 * 6 * self.rectangles(16, 16) * launches + (3 * queries + 2 * keys) * c;
                Work::bytes(read, (b * t + 2 * b * s) * c * e).multiply_adds::<T>(5 * products, 5 * whole, beside)
            }
            Direction::Weights => {
                let read = (queries + keys) * c * e + 4 * nh * queries + lengths;
                Work { flops: 2 * products as u64, ..Work::bytes(read, 4 * b * nh * t * s) }
            }
        }
    }

    fn shape(&self) -> String {
        let Dims { b, nh, hs, t, s } = self.dims;
        let keys = if self.packed { String::new() } else { format!("_S{s}") };
        let padded = if self.query_lengths.is_some() { "_padded" } else { "" };
        format!("B{b}_T{t}{keys}_NH{nh}_HS{hs}{padded}")
    }

    /// The operands: q, k, v and d_o, as T has them.
    fn operands<T: Element>(&self) -> Operands<f32> {
        let Dims { b, nh, hs, t, s } = self.dims;
        let (q, k) = (b * t * nh * hs, b * s * nh * hs);
        Operands { q: made::<T>(q, 1), k: made::<T>(k, 2), v: made::<T>(k, 3), d_o: made::<T>(q, 4) }
    }

    /// What forward gives on the CPU.
    fn forward(&self, x: &Operands<f32>) -> Result<(Vec<f32>, Vec<f32>), Error> {
        let Dims { b, nh, t, .. } = self.dims;
        let (mut o, mut lse) = (vec![0.0; x.q.len()], vec![0.0; b * nh * t]);
        let out = HostOutput { o: &mut o, lse: &mut lse };
        attention::forward(&self.attention(), inputs(x), &mut self.scratch(), out)?;
        Ok((o, lse))
    }

    fn weights(&self, x: &Operands<f32>, lse: &[f32]) -> Result<Vec<f32>, Error> {
        let Dims { b, nh, t, s, .. } = self.dims;
        let mut weights = vec![0.0; b * nh * t * s];
        attention::weights(&self.attention(), inputs(x), lse, &mut self.scratch(), &mut weights)?;
        Ok(weights)
    }

    /// dq, dk and dv.
    fn backward(&self, x: &Operands<f32>, o: &[f32], lse: &[f32]) -> Result<[Vec<f32>; 3], Error> {
        let [mut dq, mut dk, mut dv] = [x.q.len(), x.k.len(), x.v.len()].map(|len| vec![0.0; len]);
        let saved = Saved { o, lse, d_o: &x.d_o };
        let gradients = Gradients::Separate { dq: &mut dq, dk: &mut dk, dv: &mut dv };
        attention::backward(&self.attention(), inputs(x), saved, &mut self.scratch(), gradients)?;
        Ok([dq, dk, dv])
    }

    fn scratch(&self) -> Vec<f32> {
        vec![0.0; scratch_len(&self.dims, rayon::current_num_threads())]
    }

    /// Rows of several parts as they lie on the device: of q, k and v; or q, and k and v.
    fn interleaved<V: Copy>(&self, [q, k, v]: [&[V]; 3]) -> Vec<Vec<V>> {
        let c = self.dims.nh * self.dims.hs;
        let rows = |parts: &[&[V]]| -> Vec<V> {
            let rows = parts[0].len() / c;
            (0..rows).flat_map(|row| parts.iter().flat_map(move |part| &part[row * c..][..c])).copied().collect()
        };
        if self.packed { vec![rows(&[q, k, v])] } else { vec![q.to_vec(), rows(&[k, v])] }
    }
}

fn inputs(x: &Operands<f32>) -> Inputs<'_> {
    Inputs::Separate { q: &x.q, k: &x.k, v: &x.v }
}

fn case<T: Element>(problem: &Problem, direction: Direction, offset: usize) -> Case {
    let problem = problem.clone();
    let (operation, shape, work) = (problem.operation(direction), problem.shape(), problem.work::<T>(direction));
    Case::new::<T, _>(operation, shape, work, move |queue| {
        OnDevice::<T>::new(queue, problem.clone(), direction, offset)
    })
}

struct OnDevice<T> {
    kernels: Kernels,
    problem: Problem,
    direction: Direction,
    key_lengths: Indices,
    query_lengths: Option<Indices>,
    /// One buffer, or two.
    inputs: Vec<Data<T>>,
    /// Written forward, read backward and for the weights.
    o: Data<T>,
    lse: Data,
    d_o: Data<T>,
    gradients: Vec<Data<T>>,
    weights: Data,
    scratch: Data,
}

impl<T: Element> OnDevice<T> {
    fn new(queue: &Queue, problem: Problem, direction: Direction, offset: usize) -> Result<Self, Error> {
        let x = problem.operands::<T>();
        let Dims { b, nh, t, s, .. } = problem.dims;
        let backward = direction == Direction::Backward;
        let (o, lse) = match direction {
            Direction::Forward => (Data::output(queue, x.q.len(), offset)?, Data::output(queue, b * nh * t, offset)?),
            Direction::Backward | Direction::Weights => {
                let (o, lse) = problem.forward(&x)?;
                (Data::input(queue, &as_type(&o), offset)?, Data::input(queue, &lse, offset)?)
            }
        };
        let rows = problem.interleaved([&x.q, &x.k, &x.v]);
        let gradient = |rows: &Vec<f32>| Data::output(queue, if backward { rows.len() } else { 0 }, offset);
        let weights = if direction == Direction::Weights { b * nh * t * s } else { 0 };
        Ok(OnDevice {
            kernels: Kernels::load(queue)?,
            key_lengths: Indices::from_host(queue, &problem.key_lengths)?,
            query_lengths: match &problem.query_lengths {
                Some(lengths) => Some(Indices::from_host(queue, lengths)?),
                None => None,
            },
            gradients: rows.iter().map(gradient).collect::<Result<_, _>>()?,
            inputs: rows.iter().map(|rows| Data::input(queue, &as_type(rows), offset)).collect::<Result<_, _>>()?,
            o,
            lse,
            d_o: Data::input(queue, &as_type(&x.d_o), offset)?,
            weights: Data::output(queue, weights, offset)?,
            scratch: Data::scratch(queue, backward_scratch_len(&problem.dims), offset)?,
            problem,
            direction,
        })
    }
}

impl<T: Element> Run for OnDevice<T> {
    fn reset(&mut self, _: &Queue) -> Result<(), Error> {
        self.o.reset()?;
        self.lse.reset()?;
        self.weights.reset()?;
        self.gradients.iter_mut().try_for_each(Data::reset)
    }

    fn launch(&mut self, queue: &Queue) -> Result<(), Error> {
        let attention = cuda::Attention {
            dims: self.problem.dims,
            mask: self.problem.mask,
            key_lengths: &self.key_lengths,
            query_lengths: self.query_lengths.as_ref(),
            dropout: self.problem.dropout,
        };
        let inputs = match &self.inputs[..] {
            [q, kv] => cuda::Inputs::Cross { q: q.view(), kv: kv.view() },
            packed => cuda::Inputs::Packed { qkv: packed[0].view() },
        };
        match self.direction {
            Direction::Forward => {
                let out = cuda::Output { o: self.o.view_mut(), lse: self.lse.view_mut() };
                self.kernels.forward(queue, &attention, inputs, out)
            }
            Direction::Weights => {
                self.kernels.weights(queue, &attention, inputs, self.lse.view(), self.weights.view_mut())
            }
            Direction::Backward => {
                let saved = cuda::Saved { o: self.o.view(), lse: self.lse.view(), d_o: self.d_o.view() };
                let gradients = match &mut self.gradients[..] {
                    [dq, dkv] => cuda::Gradients::Cross { dq: dq.view_mut(), dkv: dkv.view_mut() },
                    packed => cuda::Gradients::Packed { dqkv: packed[0].view_mut() },
                };
                self.kernels.backward(queue, &attention, inputs, saved, self.scratch.view_mut(), gradients)
            }
        }
    }

    fn outputs(&mut self) -> Result<Vec<Output>, Error> {
        match self.direction {
            Direction::Forward => Ok(vec![self.o.read("o")?, self.lse.read("lse")?]),
            Direction::Weights => Ok(vec![self.weights.read("weights")?]),
            Direction::Backward => {
                let names: &[&'static str] = if self.problem.packed { &["dqkv"] } else { &["dq", "dkv"] };
                self.gradients.iter().zip(names).map(|(gradient, name)| gradient.read(name)).collect()
            }
        }
    }

    fn wanted(&self) -> Result<Vec<Wanted>, Error> {
        let problem = &self.problem;
        let x = problem.operands::<T>();
        let (o, lse) = problem.forward(&x)?;
        // The weights' kernel widens q and k, and is that of f32 otherwise.
        if self.direction == Direction::Weights {
            return Ok(vec![Wanted::exactly(&problem.weights(&x, &lse)?)]);
        }
        let backward = self.direction == Direction::Backward;
        let gradients = if backward { problem.backward(&x, &rounded::<T>(&o), &lse)? } else { Default::default() };
        let [dq, dk, dv] = &gradients;
        let rounding = match T::NAME {
            "bf16" => Rounding::BF16,
            "f16" => Rounding::F16,
            _ if backward => {
                return Ok(problem.interleaved([dq, dk, dv]).iter().map(|rows| Wanted::exactly(rows)).collect());
            }
            _ => return Ok(vec![Wanted::exactly(&o), Wanted::exactly(&lse)]),
        };
        let weights = wide(&problem.weights(&x, &lse)?);
        let zeros = |x: &[f32], len: usize| if x.is_empty() { vec![0.0; len] } else { wide(x) };
        let want = Results {
            o: wide(&o),
            lse: wide(&lse),
            weights,
            dq: zeros(dq, x.q.len()),
            dk: zeros(dk, x.k.len()),
            dv: zeros(dv, x.v.len()),
        };
        let x = Operands { q: wide(&x.q), k: wide(&x.k), v: wide(&x.v), d_o: wide(&x.d_o) };
        // Backward is given o and lse here, so that it has less to be off by than this allows for.
        let bound = bounds(&problem.attention(), &x, &want, rounding, CUT_AND_CPU);
        if backward {
            let want = problem.interleaved([&want.dq, &want.dk, &want.dv]);
            let bound = problem.interleaved([&bound.dq, &bound.dk, &bound.dv]);
            return Ok(want.into_iter().zip(bound).map(|(want, bound)| Wanted::within(want, bound)).collect());
        }
        Ok(vec![Wanted::within(want.o, bound.o), Wanted::within(want.lse, bound.lse)])
    }
}

fn every_direction(problem: &Problem, offset: usize, cases: &mut Vec<Case>) {
    for direction in [Direction::Forward, Direction::Backward, Direction::Weights] {
        every_element!(cases, case(problem, direction, offset));
    }
}

pub(super) fn cases(grid: Grid, cases: &mut Vec<Case>) {
    match grid {
        Grid::Awkward => awkward(cases),
        Grid::Small => {
            layers(SMALL, cases);
            // Too long for one launch backward.
            long(1, 192, SMALL, cases);
        }
        Grid::Base => {
            layers(BASE, cases);
            long(8, 512, BASE, cases);
        }
    }
}

/// A self-attention over long sentences.
fn long(b: usize, t: usize, Sizes { c, nh, .. }: Sizes, cases: &mut Vec<Case>) {
    let problem = Problem::new(Dims { b, nh, hs: c / nh, t, s: t }, Mask::None, true);
    for direction in [Direction::Forward, Direction::Backward] {
        every_element!(cases, case(&problem, direction, 0));
    }
}

/// The encoder's attention, the decoder's, and the one between.
fn layers(Sizes { b, t, c, nh, .. }: Sizes, cases: &mut Vec<Case>) {
    let dims = Dims { b, nh, hs: c / nh, t, s: t };
    for (mask, packed) in [(Mask::None, true), (Mask::Causal, true), (Mask::None, false)] {
        every_direction(&Problem::new(dims, mask, packed), 0, cases);
    }
}

/// Around strips, tiles and vectors; one launch backward and two; sentences without a key and without a query.
fn awkward(cases: &mut Vec<Case>) {
    for (b, nh, hs, t, s, mask, packed) in [
        (1, 1, 1, 1, 1, Mask::None, true),
        (3, 2, 20, 33, 33, Mask::Causal, true),
        (3, 1, 33, 7, 65, Mask::None, false),
        (3, 1, 12, 130, 130, Mask::Causal, true),
        (2, 1, 65, 9, 131, Mask::None, false),
    ] {
        let problem = Problem::new(Dims { b, nh, hs, t, s }, mask, packed);
        let problem = if b > 2 { problem.padded() } else { problem };
        every_direction(&problem, Grid::Awkward.offset(), cases);
    }
}
