//! One step of incremental decoding: the newest token of every row through the decoder, with cached keys and values.

use super::Translator;
use crate::batch::BOS;
use crate::engine::{Around, Engine, Noise, Tokens};
use crate::model::Model;
use crate::params::Linear;
use crate::plan::{Arena, EndActs, NormActs, Plan};
use crate::{Error, Norm};
use noam_kernels::attention::{Dims, Mask};
use noam_kernels::device::{Attention, Cache, Device, Embedding, Span};
use noam_kernels::dropout::Dropout;
use noam_kernels::embedding;
use noam_kernels::matmul::{Epilogue, Lhs, Rhs, Shape, Start};

/// Where a decoding step's values stand in the arena, after the encoder's plan. One set serves all layers.
#[derive(Debug)]
struct Places {
    /// A sublayer's input and its residual sum, and the next ones: they trade places.
    x: [Span; 2],
    sum: [Span; 2],
    mean: Span,
    rstd: Span,
    qkv: Span,
    heads: Span,
    lse: Span,
    hidden: Span,
    logits: Span,
    /// Keys and values of the encoder's output, a layer each.
    memory: Vec<Span>,
    /// Keys and values of past positions, a layer each; and the same again, to reorder into.
    cache: [Vec<Span>; 2],
    len: usize,
    /// Statistics: `mean`, `rstd` and `lse` are some.
    stats_len: usize,
}

/// Incremental decoding of one batch of source sentences, `beam` rows each.
#[derive(Debug)]
pub(super) struct Steps<'m, D: Device> {
    translator: &'m Translator<'m, D>,
    plan: Plan,
    places: Places,
    arena: D::Activations,
    stats: D::Buffer,
    tokens: Tokens<D::Indices>,
    /// One for every row: rows are sequences of one token.
    ones: D::Indices,
    parents: D::Indices,
    b: usize,
    beam: usize,
    max_len: usize,
    /// Positions decoded so far.
    at: usize,
}

impl<'m, D: Device> Steps<'m, D> {
    /// Encodes the sources, rows of ids padded to `s`, and gets ready for at most `max_len` tokens a row.
    pub(super) fn new(
        translator: &'m Translator<'m, D>,
        (src, src_lengths, s): (&[u32], &[u32], usize),
        beam: usize,
        max_len: usize,
    ) -> Result<Self, Error> {
        let model = translator.model;
        let (d, config) = (&model.device, &model.config);
        let b = src_lengths.len();
        let plan = Plan::new(config, b, s, 1);
        let places = Places::new(model, &plan, (b, s), b * beam, max_len);
        let mut tokens = Tokens {
            src: d.indices(src.len())?,
            src_lengths: d.indices(b)?,
            tgt_in: d.indices(b * beam)?,
            tgt_out: d.indices(0)?,
            tgt_lengths: d.indices(0)?,
        };
        d.set_indices(src, &mut tokens.src)?;
        d.set_indices(src_lengths, &mut tokens.src_lengths)?;
        d.set_indices(&vec![BOS; b * beam], &mut tokens.tgt_in)?;
        let mut ones = d.indices(b * beam)?;
        d.set_indices(&vec![1; b * beam], &mut ones)?;
        let (arena, stats, parents) = (d.activations(places.len)?, d.zeros(places.stats_len)?, d.indices(b * beam)?);
        let mut steps =
            Steps { translator, plan, places, arena, stats, tokens, ones, parents, b, beam, max_len, at: 0 };
        steps.encode()?;
        Ok(steps)
    }

    fn engine<'a>(&'a mut self) -> (Engine<'a, D>, &'a Places, &'a D::Indices) {
        let Translator { model, packed, .. } = self.translator;
        let engine = Engine {
            device: &model.device,
            config: &model.config,
            layout: &model.layout,
            params: &model.params,
            positions: &model.positions,
            packed: Some(packed),
            plan: &self.plan,
            tokens: &self.tokens,
            arena: &mut self.arena,
            stats: &mut self.stats,
            noise: Noise { seed: 0, step: 0, micro_batch: 0, active: false },
        };
        (engine, &self.places, &self.ones)
    }

    fn encode(&mut self) -> Result<(), Error> {
        let ns = self.plan.b * self.plan.s;
        let (mut engine, places, ..) = self.engine();
        engine.encode()?;
        let memory = engine.plan.memory();
        for (layer, &kv) in engine.layout.decoder.iter().zip(&places.memory) {
            engine.linear(memory, layer.cross.kv, ns, kv)?;
        }
        Ok(())
    }

    /// Takes the newest token of every row; returns, of the log-probabilities of the next ones (-infinity for PAD and
    /// BOS), the `k` best of each row: values and ids, (rows, k).
    pub(super) fn step(&mut self, ids: &[u32], k: usize, best: (&mut [f32], &mut [u32])) -> Result<(), Error> {
        let Translator { model, table, suppress, .. } = self.translator;
        model.device.set_indices(ids, &mut self.tokens.tgt_in)?;
        let (at, beam, n, max_len) = (self.at, self.beam, self.b * self.beam, self.max_len);
        let (mut e, places, ones) = self.engine();
        let (d, config) = (e.device, e.config);
        let (c, nh, hs, v) = (config.d_model, config.n_heads, config.head_size(), config.vocab_size);
        let pre = config.norm == Norm::Pre;
        let mut at_work = AtWork::new(places);
        {
            let input = Embedding {
                dims: embedding::Dims { b: n, t: 1, c },
                ids: &e.tokens.tgt_in,
                lengths: ones,
                table: d.parameter(e.params, e.layout.target),
                positions: d.view(e.positions, Span { offset: 0, len: d.len(e.positions) }),
                offset: at,
                scale: e.embedding_scale(),
            };
            let [y] = d.split_acts(e.arena, [if pre { at_work.stream } else { at_work.x }]);
            d.embedding_forward(input, Dropout::NONE, y)?;
        }
        if pre {
            e.norm(at_work.stream, e.layout.decoder[0].attention.norm, at_work.acts(at_work.x))?;
        }
        let cache_dims = Cache { rows: n, max_len, c };
        for (i, layer) in e.layout.decoder.iter().enumerate() {
            e.linear(at_work.x, layer.attention.qkv, n, places.qkv)?;
            {
                let spans = [places.qkv, places.cache[0][i], places.heads];
                let [qkv, cache, heads] = d.split_acts(e.arena, spans);
                d.cached_attention(cache_dims, nh, at, d.read_act(qkv), cache, heads)?;
            }
            let like = e.decoder_around(i, 0);
            at_work.end(&mut e, places.heads, layer.attention.out, like, n)?;

            let q = places.qkv.first(n * c);
            e.linear(at_work.x, layer.cross.q, n, q)?;
            {
                // The beams of a sentence are queries of one sequence: they share its keys.
                let dims = Dims { b: n / beam, nh, hs, t: beam, s: e.plan.s };
                let key_lengths = &e.tokens.src_lengths;
                let attention =
                    Attention { dims, mask: Mask::None, key_lengths, query_lengths: None, dropout: Dropout::NONE };
                let [q, kv, heads] = d.split_acts(e.arena, [q, places.memory[i], places.heads]);
                let [lse] = d.split(e.stats, [places.lse]);
                d.cross_attention(attention, d.read_act(q), d.read_act(kv), heads, lse)?;
            }
            let like = e.decoder_around(i, 1);
            at_work.end(&mut e, places.heads, layer.cross.out, like, n)?;

            e.linear_relu_dropout(at_work.x, layer.feed_forward.up, n, Dropout::NONE, places.hidden)?;
            let like = e.decoder_around(i, 2);
            at_work.end(&mut e, places.hidden, layer.feed_forward.down, like, n)?;
        }
        {
            let [x, logits] = d.split_acts(e.arena, [at_work.x, places.logits]);
            let shape = Shape { m: n, n: v, k: c };
            let epilogue = Epilogue::Bias(d.view(suppress, Span { offset: 0, len: v }));
            d.matmul(shape, Lhs::Rows(d.read_act(x)), Rhs::Packed(table), Start::Zero, epilogue, logits)?;
        }
        let [logits] = d.split_acts(e.arena, [places.logits]);
        d.top_k_log_softmax(logits, v, k, best.0, best.1)?;
        self.at += 1;
        Ok(())
    }

    /// Row r goes on from what row `parents[r]` has seen.
    pub(super) fn reorder(&mut self, parents: &[u32]) -> Result<(), Error> {
        if parents.iter().enumerate().all(|(r, &p)| r == p as usize) {
            return Ok(());
        }
        let Model { device: d, config, .. } = self.translator.model;
        d.set_indices(parents, &mut self.parents)?;
        let dims = Cache { rows: self.b * self.beam, max_len: self.max_len, c: config.d_model };
        for (&from, &to) in self.places.cache[0].iter().zip(&self.places.cache[1]) {
            let [from, to] = d.split_acts(&mut self.arena, [from, to]);
            d.reorder_cache(dims, self.at, &self.parents, d.read_act(from), to)?;
        }
        self.places.cache.swap(0, 1);
        Ok(())
    }
}

/// The two pairs of places that a sublayer works between: what it reads and what it ends with.
struct AtWork {
    x: Span,
    y: Span,
    /// The residual stream, with pre-norm.
    stream: Span,
    sum: Span,
    mean: Span,
    rstd: Span,
}

impl AtWork {
    fn new(places: &Places) -> Self {
        let ([x, y], [stream, sum]) = (places.x, places.sum);
        AtWork { x, y, stream, sum, mean: places.mean, rstd: places.rstd }
    }

    fn acts(&self, y: Span) -> NormActs {
        NormActs { y, mean: self.mean, rstd: self.rstd }
    }

    /// The end of a sublayer: its last linear layer, which reads `inner`, and a norm; `like` says which in training.
    fn end<D: Device>(
        &mut self,
        e: &mut Engine<'_, D>,
        inner: Span,
        layer: Linear,
        like: Around,
        n: usize,
    ) -> Result<(), Error> {
        let around = Around { x: self.x, stream: self.stream, n, ..like };
        e.end(inner, layer, around, EndActs { sum: self.sum, norm: self.acts(self.y) })?;
        std::mem::swap(&mut self.x, &mut self.y);
        std::mem::swap(&mut self.stream, &mut self.sum);
        Ok(())
    }
}

impl Places {
    fn new<D: Device>(model: &Model<D>, plan: &Plan, (b, s): (usize, usize), n: usize, max_len: usize) -> Self {
        let config = &model.config;
        let c = config.d_model;
        let (mut acts, mut stats) = (Arena { len: plan.len }, Arena { len: plan.stats_len });
        let mut take = |values: usize| acts.take(values);
        let layers = config.decoder_layers;
        let mut places = Places {
            x: [take(n * c), take(n * c)],
            sum: [take(n * c), take(n * c)],
            mean: stats.take(n),
            rstd: stats.take(n),
            qkv: take(n * 3 * c),
            heads: take(n * c),
            lse: stats.take(n * config.n_heads),
            hidden: take(n * config.d_ff),
            logits: take(n * config.vocab_size),
            memory: (0..layers).map(|_| take(b * s * 2 * c)).collect(),
            cache: [0, 1].map(|_| (0..layers).map(|_| take(n * max_len * 2 * c)).collect()),
            len: 0,
            stats_len: stats.len,
        };
        places.len = acts.len;
        places
    }
}
