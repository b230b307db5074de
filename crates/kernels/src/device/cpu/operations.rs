//! The operations of the [`Cpu`]: each takes its scratch and calls its function.

use super::Cpu;
use crate::adam::{self, Adam, GradScale, Gradients as Cleared, Outcome};
use crate::attention::{self, Decode, Gradients, Inputs, Rows, Saved};
use crate::buffer::Buffer;
use crate::device::profile::{Op, OpTime};
use crate::device::{
    Attention, Cache, Device, Embedding, Linear, LinearSizes, Moving, Norm, NormGradients, NormInput, NormOutput,
    Optimized, Precision, Scaling, Span, SublayerEnd, Targets,
};
use crate::dropout::{self, Dropout};
use crate::error::{check_len, product};
use crate::layer_norm::{self, Affine, Write};
use crate::matmul::{Epilogue, Lhs, Packed, Rhs, Shape, Start, matmul};
use crate::{Error, column_sum, cross_entropy, embedding, grad_norm, top_k};
use noam_schedule::Schedule;

fn affine<'a>(norm: &Norm<&'a [f32]>) -> Affine<'a> {
    Affine { gamma: norm.gamma, beta: norm.beta }
}

fn norm_input<'a>(input: &NormInput<&'a [f32], &'a [f32]>) -> layer_norm::Backward<'a> {
    let NormInput { dy, sum, mean, rstd, gamma } = *input;
    layer_norm::Backward { dy, sum, mean, rstd, gamma }
}

impl Cpu {
    fn linear(
        &self,
        Linear { sizes: LinearSizes { rows, d_out, d_in }, x, w, packed, .. }: Linear<&[f32], &[f32], &Packed, &[f32]>,
        epilogue: Epilogue<&[f32]>,
        y: &mut [f32],
    ) -> Result<(), Error> {
        let w = packed.map_or(Rhs::Transposed(w), Rhs::Packed);
        self.matmul(Shape { m: rows, n: d_out, k: d_in }, Lhs::Rows(x), w, Start::Zero, epilogue, y)
    }
}

impl Device for Cpu {
    type Buffer = Buffer;
    type Activations = Buffer;
    type Parameters = Buffer;
    type Indices = Vec<u32>;
    type Totals = Vec<f64>;
    type Packed = Packed;
    type View<'a> = &'a [f32];
    type ViewMut<'a> = &'a mut [f32];
    type Act<'a> = &'a [f32];
    type ActMut<'a> = &'a mut [f32];
    type Adam = Adam;
    type Graphs = ();
    /// It is done.
    type Underway = (f64, Outcome);

    fn another(&self) -> Self {
        Cpu::new()
    }

    fn precision(&self) -> Precision {
        Precision::F32
    }

    /// Since the last call of [`Cpu::reset_profile`].
    fn profile(&self) -> Vec<(&'static str, OpTime)> {
        let times = self.times.borrow();
        Op::ALL.iter().map(|op| (op.name(), times[*op as usize])).filter(|(_, time)| time.calls > 0).collect()
    }

    fn replay<E: From<Error>>(
        &self,
        (): &mut (),
        _: &[u64],
        _: Moving,
        work: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        work()
    }

    fn zeros(&self, len: usize) -> Result<Buffer, Error> {
        product("buffer", "its length", &[len])?;
        Ok(Buffer::zeros(len))
    }

    fn len(&self, buffer: &Buffer) -> usize {
        buffer.len()
    }

    fn upload(&self, values: &[f32], buffer: &mut Buffer, span: Span) -> Result<(), Error> {
        check_len("upload", "values", "(span)", values.len(), span.len)?;
        let [to] = self.split(buffer, [span]);
        to.copy_from_slice(values);
        Ok(())
    }

    fn download(&self, buffer: &Buffer, span: Span, values: &mut [f32]) -> Result<(), Error> {
        check_len("download", "values", "(span)", values.len(), span.len)?;
        values.copy_from_slice(self.view(buffer, span));
        Ok(())
    }

    fn activations(&self, len: usize) -> Result<Buffer, Error> {
        self.zeros(len)
    }

    fn totals(&self, count: usize) -> Result<Vec<f64>, Error> {
        Ok(vec![0.0; count])
    }

    fn parameters(&self, values: &[f32]) -> Result<Buffer, Error> {
        let mut parameters = self.zeros(values.len())?;
        parameters.copy_from_slice(values);
        Ok(parameters)
    }

    fn set_parameters(&self, values: &[f32], parameters: &mut Buffer, span: Span) -> Result<(), Error> {
        self.upload(values, parameters, span)
    }

    fn read_parameters(&self, parameters: &Buffer, span: Span, values: &mut [f32]) -> Result<(), Error> {
        self.download(parameters, span, values)
    }

    fn indices(&self, len: usize) -> Result<Vec<u32>, Error> {
        Ok(Vec::with_capacity(len))
    }

    fn set_indices(&self, values: &[u32], indices: &mut Vec<u32>) -> Result<(), Error> {
        indices.clear();
        indices.extend_from_slice(values);
        Ok(())
    }

    fn pack(&self, w: &[f32], k: usize, n: usize) -> Result<Packed, Error> {
        product("matmul", "K·N", &[k, n])?;
        let mut packed = Packed::zeros(k, n);
        packed.pack_transposed(w)?;
        Ok(packed)
    }

    fn view<'a>(&'a self, buffer: &'a Buffer, span: Span) -> &'a [f32] {
        &buffer[span.offset..span.offset + span.len]
    }

    fn split<'a, const N: usize>(&'a self, buffer: &'a mut Buffer, spans: [Span; N]) -> [&'a mut [f32]; N] {
        let ranges = spans.map(|s| s.offset..s.offset + s.len);
        match buffer.get_disjoint_mut(ranges) {
            Ok(parts) => parts,
            Err(error) => panic!("{error}: {spans:?}"),
        }
    }

    fn read<'a>(&'a self, view: &'a mut [f32]) -> &'a [f32] {
        view
    }

    fn act<'a>(&'a self, activations: &'a Buffer, span: Span) -> &'a [f32] {
        self.view(activations, span)
    }

    fn split_acts<'a, const N: usize>(&'a self, activations: &'a mut Buffer, spans: [Span; N]) -> [&'a mut [f32]; N] {
        self.split(activations, spans)
    }

    fn read_act<'a>(&'a self, act: &'a mut [f32]) -> &'a [f32] {
        act
    }

    fn parameter<'a>(&'a self, parameters: &'a Buffer, span: Span) -> &'a [f32] {
        self.view(parameters, span)
    }

    fn weight<'a>(&'a self, parameters: &'a Buffer, span: Span) -> &'a [f32] {
        self.view(parameters, span)
    }

    fn fill(&self, view: &mut [f32], value: f32) -> Result<(), Error> {
        view.fill(value);
        Ok(())
    }

    fn matmul(
        &self,
        shape: Shape,
        a: Lhs<&[f32]>,
        b: Rhs<&[f32], &Packed>,
        start: Start,
        epilogue: Epilogue<&[f32]>,
        c: &mut [f32],
    ) -> Result<(), Error> {
        let op = match (&a, &b) {
            (Lhs::Transposed(_), _) => Op::MatmulWeights,
            (_, Rhs::Rows(_)) => Op::MatmulInputs,
            _ => Op::MatmulForward,
        };
        self.timed(op, || matmul(shape, a, b, start, epilogue, c))
    }

    fn matmul_to_f32(
        &self,
        shape: Shape,
        a: Lhs<&[f32]>,
        b: Rhs<&[f32], &Packed>,
        start: Start,
        c: &mut [f32],
    ) -> Result<(), Error> {
        self.matmul(shape, a, b, start, Epilogue::None, c)
    }

    fn linear_gradients(
        &self,
        LinearSizes { rows, d_out, d_in }: LinearSizes,
        dy: &[f32],
        x: &[f32],
        dw: &mut [f32],
        db: &mut [f32],
    ) -> Result<(), Error> {
        check_len("matmul", "db", "(M)", db.len(), d_out)?;
        let shape = Shape { m: d_out, n: d_in, k: rows };
        self.matmul_to_f32(shape, Lhs::Transposed(dy), Rhs::Rows(x), Start::Accumulate, dw)?;
        self.timed(Op::ColumnSum, || {
            let len = column_sum::scratch_len(rows, d_out)?;
            self.with_floats(len, |scratch| column_sum::column_sum(dy, scratch, db))
        })
    }

    fn linear_relu_dropout(
        &self,
        linear: Linear<&[f32], &[f32], &Packed, &[f32]>,
        dropout: Dropout,
        y: &mut [f32],
    ) -> Result<(), Error> {
        self.linear(linear, Epilogue::BiasRelu(linear.bias), y)?;
        if !dropout.is_active() {
            return Ok(());
        }
        self.timed(Op::Dropout, || dropout::apply(y, linear.sizes.d_out, dropout))
    }

    fn linear_norm(
        &self,
        linear: Linear<&[f32], &[f32], &Packed, &[f32]>,
        end: SublayerEnd<&[f32], &mut [f32], &[f32], &mut [f32]>,
    ) -> Result<(), Error> {
        let SublayerEnd { residual, sum, dropout, norm, out: NormOutput { y, mean, rstd } } = end;
        self.linear(linear, Epilogue::Bias(linear.bias), sum)?;
        self.timed(Op::LayerNormForward, || {
            let out = layer_norm::Output { y, mean, rstd };
            layer_norm::residual_forward(residual, sum, dropout, affine(&norm), norm.eps, out)
        })
    }

    fn embedding_forward(
        &self,
        input: Embedding<'_, &[f32], Vec<u32>>,
        dropout: Dropout,
        y: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::EmbeddingForward, || {
            let tokens = embedding::Tokens { ids: input.ids, lengths: input.lengths };
            let Embedding { table, positions, offset, scale, .. } = input;
            embedding::forward(input.dims, tokens, embedding::Tables { table, positions, offset, scale }, dropout, y)
        })
    }

    fn embedding_backward(
        &self,
        dims: embedding::Dims,
        ids: &Vec<u32>,
        lengths: &Vec<u32>,
        dy: &[f32],
        scale: f32,
        dropout: Dropout,
        dtable: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::EmbeddingBackward, || {
            let len = embedding::scratch_len(ids.len(), dtable.len() / dims.c.max(1));
            let tokens = embedding::Tokens { ids, lengths };
            self.with_integers(len, |scratch| embedding::backward(dims, tokens, dy, scale, dropout, dtable, scratch))
        })
    }

    fn layer_norm(&self, x: &[f32], norm: Norm<&[f32]>, out: NormOutput<&mut [f32], &mut [f32]>) -> Result<(), Error> {
        self.timed(Op::LayerNormForward, || {
            let NormOutput { y, mean, rstd } = out;
            layer_norm::forward(x, affine(&norm), norm.eps, layer_norm::Output { y, mean, rstd })
        })
    }

    fn layer_norm_backward(
        &self,
        input: NormInput<&[f32], &[f32]>,
        write: Write,
        out: NormGradients<&mut [f32], &mut [f32]>,
    ) -> Result<(), Error> {
        self.timed(Op::LayerNormBackward, || {
            let NormGradients { dsum, dgamma, dbeta } = out;
            let out = layer_norm::Gradients { dsum, dgamma, dbeta };
            self.with_floats(layer_norm::scratch_len(input.mean.len(), input.gamma.len()), |scratch| {
                layer_norm::backward(norm_input(&input), write, out, scratch)
            })
        })
    }

    fn residual_layer_norm_backward(
        &self,
        input: NormInput<&[f32], &[f32]>,
        dropout: Dropout,
        write: Write,
        out: NormGradients<&mut [f32], &mut [f32]>,
        dsub: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::LayerNormBackward, || {
            let NormGradients { dsum, dgamma, dbeta } = out;
            let out = layer_norm::Gradients { dsum, dgamma, dbeta };
            self.with_floats(layer_norm::scratch_len(input.mean.len(), input.gamma.len()), |scratch| {
                layer_norm::residual_backward(norm_input(&input), dropout, write, out, dsub, scratch)
            })
        })
    }

    fn self_attention(
        &self,
        attention: Attention<'_, Vec<u32>>,
        qkv: &[f32],
        out: &mut [f32],
        lse: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::AttentionForward, || {
            self.with_attention(&attention, |attention, scratch| {
                attention::forward(attention, Inputs::Packed { qkv }, scratch, attention::Output { o: out, lse })
            })
        })
    }

    fn self_attention_backward(
        &self,
        attention: Attention<'_, Vec<u32>>,
        dout: &[f32],
        qkv: &[f32],
        out: &[f32],
        lse: &[f32],
        dqkv: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::AttentionBackward, || {
            self.with_attention(&attention, |attention, scratch| {
                let saved = Saved { o: out, lse, d_o: dout };
                attention::backward(attention, Inputs::Packed { qkv }, saved, scratch, Gradients::Packed { dqkv })
            })
        })
    }

    fn cross_attention(
        &self,
        attention: Attention<'_, Vec<u32>>,
        q: &[f32],
        kv: &[f32],
        out: &mut [f32],
        lse: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::AttentionForward, || {
            self.with_attention(&attention, |attention, scratch| {
                attention::forward(attention, Inputs::Cross { q, kv }, scratch, attention::Output { o: out, lse })
            })
        })
    }

    fn cross_attention_backward(
        &self,
        attention: Attention<'_, Vec<u32>>,
        dout: &[f32],
        q: &[f32],
        kv: &[f32],
        out: &[f32],
        lse: &[f32],
        dq: &mut [f32],
        dkv: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::AttentionBackward, || {
            self.with_attention(&attention, |attention, scratch| {
                let saved = Saved { o: out, lse, d_o: dout };
                attention::backward(attention, Inputs::Cross { q, kv }, saved, scratch, Gradients::Cross { dq, dkv })
            })
        })
    }

    fn self_attention_weights(
        &self,
        attention: Attention<'_, Vec<u32>>,
        qkv: &[f32],
        lse: &[f32],
        weights: &mut [f32],
    ) -> Result<(), Error> {
        self.with_attention(&attention, |attention, scratch| {
            attention::weights(attention, Inputs::Packed { qkv }, lse, scratch, weights)
        })
    }

    fn cross_attention_weights(
        &self,
        attention: Attention<'_, Vec<u32>>,
        q: &[f32],
        kv: &[f32],
        lse: &[f32],
        weights: &mut [f32],
    ) -> Result<(), Error> {
        self.with_attention(&attention, |attention, scratch| {
            attention::weights(attention, Inputs::Cross { q, kv }, lse, scratch, weights)
        })
    }

    fn cached_attention(
        &self,
        cache_dims: Cache,
        n_heads: usize,
        at: usize,
        qkv: &[f32],
        cache: &mut [f32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::CachedAttention, || {
            let Cache { rows, max_len, c } = cache_dims;
            let hs = cache_dims.check_attention(n_heads, at, qkv.len(), cache.len(), out.len())?;
            for (row, qkv) in qkv.chunks_exact(3 * c).enumerate() {
                cache[(row * max_len + at) * 2 * c..][..2 * c].copy_from_slice(&qkv[c..]);
            }
            let scratch = attention::decode_scratch_len(max_len, hs, rayon::current_num_threads());
            self.with_floats(scratch, |scratch| {
                self.with_integers(rows, |lengths| {
                    lengths.fill(at as u32 + 1);
                    let step = Decode {
                        nh: n_heads,
                        hs,
                        q: Rows { data: qkv, offset: 0, stride: 3 * c },
                        k: Rows { data: cache, offset: 0, stride: 2 * c },
                        v: Rows { data: cache, offset: c, stride: 2 * c },
                        capacity: max_len,
                        lengths,
                        sequences: None,
                    };
                    attention::decode(&step, scratch, out)
                })
            })
        })
    }

    fn reorder_cache(
        &self,
        cache_dims: Cache,
        len: usize,
        parents: &Vec<u32>,
        from: &[f32],
        to: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::ReorderCache, || {
            let row = cache_dims.check_reorder(len, parents, from.len(), to.len())?;
            let len = len * 2 * cache_dims.c;
            if row > 0 {
                for (to, &parent) in to.chunks_exact_mut(row).zip(parents) {
                    to[..len].copy_from_slice(&from[parent as usize * row..][..len]);
                }
            }
            Ok(())
        })
    }

    fn cross_entropy(
        &self,
        logits: &mut [f32],
        v: usize,
        of: Targets<'_, Vec<u32>>,
        grad_scale: f32,
        loss: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::CrossEntropy, || {
            let targets = of.rows(of.ids, loss.len())?;
            cross_entropy::forward_backward(logits, v, targets, grad_scale, loss)
        })
    }

    fn cross_entropy_evaluate(
        &self,
        logits: &[f32],
        v: usize,
        of: Targets<'_, Vec<u32>>,
        loss: &mut [f32],
        nll: &mut [f32],
    ) -> Result<(), Error> {
        self.timed(Op::CrossEntropy, || {
            let targets = of.rows(of.ids, loss.len())?;
            self.with_integers(loss.len(), |hit| {
                cross_entropy::evaluate(logits, v, targets, cross_entropy::Scores { loss, nll, hit })
            })
        })
    }

    fn total_loss(&self, loss: &[f32], totals: &mut Vec<f64>, at: usize) -> Result<(), Error> {
        totals[at] = cross_entropy::total_loss(loss);
        Ok(())
    }

    fn read_totals(&self, totals: &Vec<f64>, values: &mut [f64]) -> Result<(), Error> {
        values.copy_from_slice(&totals[..values.len()]);
        Ok(())
    }

    fn top_k_log_softmax(
        &self,
        logits: &mut [f32],
        v: usize,
        k: usize,
        values: &mut [f32],
        indices: &mut [u32],
    ) -> Result<(), Error> {
        self.timed(Op::LogSoftmax, || cross_entropy::log_softmax_rows(logits, v))?;
        self.timed(Op::TopK, || top_k::top_k(logits, v, k, top_k::Output { values, indices }))
    }

    fn adam(&self, config: adam::Config, updates: u64) -> Result<Adam, Error> {
        Adam::resume(config, updates)
    }

    fn updates(&self, adam: &Adam) -> u64 {
        adam.updates()
    }

    fn adam_update<S: Schedule + ?Sized>(
        &self,
        _: &mut (),
        adam: &mut Adam,
        schedule: &S,
        scaling: Scaling,
        state: Optimized<'_, Buffer, Buffer>,
    ) -> Result<(f64, Outcome), Error> {
        let Optimized { params, grads, m, v } = state;
        let Scaling { unscale, max_norm } = scaling;
        let norm = self.timed(Op::GradNorm, || grad_norm::grad_norm(grads)) * f64::from(unscale);
        let scale = if norm.is_finite() { grad_norm::clip_factor(norm, max_norm)? } else { 1.0 };
        let gradient = GradScale { norm, scale: scale * unscale, after: Cleared::Clear };
        let outcome = self.timed(Op::Adam, || adam.update(schedule, gradient, adam::State { params, grads, m, v }))?;
        Ok((norm, outcome))
    }

    fn adam_outcome(&self, _: &mut Adam, update: (f64, Outcome)) -> Result<(f64, Outcome), Error> {
        Ok(update)
    }
}
