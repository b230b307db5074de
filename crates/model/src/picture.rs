//! The attention weights of one sentence and its translation, to look at.

use crate::batch::Batch;
use crate::model::Model;
use crate::training::Inference;
use crate::{BOS, Error};
use noam_kernels::attention::Mask;
use noam_kernels::device::{Device, Span};

/// The weights of one attention: every head's, row by row.
#[derive(Clone, Debug, PartialEq)]
pub struct AttentionMap {
    /// Which of the three attentions.
    pub kind: AttentionKind,
    /// The layer, from 0.
    pub layer: usize,
    /// Heads.
    pub heads: usize,
    /// Queries: rows of each head's picture.
    pub queries: usize,
    /// Keys: columns.
    pub keys: usize,
    /// (heads, queries, keys); a row sums to 1.
    pub weights: Vec<f32>,
}

/// The attentions of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttentionKind {
    /// The source on itself.
    Encoder,
    /// The target on itself, up to each position.
    Decoder,
    /// The target on the source.
    Cross,
}

/// The weights of every attention in a pass over one pair of sentences: the encoder's, then layer by layer the decoder's own
/// and on the encoder.
///
/// `src`: the source's tokens and EOS. `tgt`: the translation's tokens and EOS; the decoder reads BOS and all but the last.
///
/// # Errors
/// [`Error::Batch`] if either is empty or too long; [`Error::Kernel`] if a token is beyond the vocabulary.
pub fn attention_maps<D: Device>(model: &Model<D>, src: &[u32], tgt: &[u32]) -> Result<Vec<AttentionMap>, Error> {
    let tgt_in: Vec<u32> = std::iter::once(BOS).chain(tgt.iter().copied()).take(tgt.len()).collect();
    let (src_lengths, tgt_lengths) = ([src.len() as u32], [tgt.len() as u32]);
    let batch = Batch {
        src,
        src_lengths: &src_lengths,
        tgt_in: &tgt_in,
        tgt_out: tgt,
        tgt_lengths: &tgt_lengths,
        s: src.len(),
        t: tgt.len(),
    };
    let (s, t, heads) = (src.len(), tgt.len(), model.config.n_heads);
    let mut maps = Vec::new();
    Inference::new(&model.device)?.with_engine(model, &batch, |engine| {
        engine.forward()?;
        let d = engine.device;
        let mut out = d.zeros(heads * s.max(t) * s.max(t))?;
        let mut take = |kind, layer, queries: usize, keys: usize, out: &D::Buffer| -> Result<(), Error> {
            let mut weights = vec![0.0; heads * queries * keys];
            d.download(out, Span { offset: 0, len: weights.len() }, &mut weights)?;
            maps.push(AttentionMap { kind, layer, heads, queries, keys, weights });
            Ok(())
        };
        let place = |queries: usize, keys: usize| Span { offset: 0, len: heads * queries * keys };
        for (layer, acts) in engine.plan.encoder.iter().enumerate() {
            let attention = engine.own_attention(Mask::None, engine.encoder_around(layer, 0).place)?;
            let (qkv, lse) = (d.act(engine.arena, acts.attention.qkv), d.view(engine.stats, acts.attention.lse));
            let [to] = d.split(&mut out, [place(s, s)]);
            d.self_attention_weights(attention, qkv, lse, to)?;
            take(AttentionKind::Encoder, layer, s, s, &out)?;
        }
        for (layer, acts) in engine.plan.decoder.iter().enumerate() {
            let attention = engine.own_attention(Mask::Causal, engine.decoder_around(layer, 0).place)?;
            let (qkv, lse) = (d.act(engine.arena, acts.attention.qkv), d.view(engine.stats, acts.attention.lse));
            let [to] = d.split(&mut out, [place(t, t)]);
            d.self_attention_weights(attention, qkv, lse, to)?;
            take(AttentionKind::Decoder, layer, t, t, &out)?;
            let attention = engine.attention_on_memory(engine.decoder_around(layer, 1).place)?;
            let (q, kv) = (d.act(engine.arena, acts.cross.q), d.act(engine.arena, acts.cross.kv));
            let [to] = d.split(&mut out, [place(t, s)]);
            d.cross_attention_weights(attention, q, kv, d.view(engine.stats, acts.cross.lse), to)?;
            take(AttentionKind::Cross, layer, t, s, &out)?;
        }
        Ok(())
    })?;
    Ok(maps)
}
