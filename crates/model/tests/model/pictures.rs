//! The attention weights that a sentence's picture shows.

use crate::sentences::{model, pairs, small};
use noam_model::{AttentionKind, AttentionMap, Config, EOS, Embeddings, Error, Norm, attention_maps};

const SRC: [u32; 5] = [4, 9, 16, 3, EOS];
const TGT: [u32; 3] = [7, 8, EOS];

fn maps(norm: Norm) -> Vec<AttentionMap> {
    let config = Config { encoder_layers: 3, dropout: 0.5, attention_dropout: 0.5, ..small(norm, Embeddings::Shared) };
    attention_maps(&model(&config, 1), &SRC, &TGT).unwrap()
}

#[test]
fn every_attention_of_every_layer_is_there_in_order_and_size() {
    for norm in [Norm::Post, Norm::Pre] {
        use AttentionKind::{Cross, Decoder, Encoder};
        let got: Vec<_> = maps(norm).iter().map(|m| (m.kind, m.layer, m.heads, m.queries, m.keys)).collect();
        let mut want: Vec<_> = (0..3).map(|layer| (Encoder, layer, 3, 5, 5)).collect();
        for layer in 0..2 {
            want.extend([(Decoder, layer, 3, 3, 3), (Cross, layer, 3, 3, 5)]);
        }
        assert_eq!(got, want);
        assert!(maps(norm).iter().all(|m| m.weights.len() == m.heads * m.queries * m.keys));
    }
}

#[test]
fn rows_are_distributions_and_the_decoder_does_not_look_ahead() {
    for norm in [Norm::Post, Norm::Pre] {
        for map in maps(norm) {
            for (row, weights) in map.weights.chunks(map.keys).enumerate() {
                let query = row % map.queries;
                let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
                // exp(s - lse): the score, the log-sum-exp and exp each round, a few 2^-24 of numbers of size 4 or less.
                assert!((sum - 1.0).abs() < 2e-6, "{map:?}");
                for (key, &weight) in weights.iter().enumerate() {
                    let seen = map.kind != AttentionKind::Decoder || key <= query;
                    assert!(if seen { weight > 0.0 && weight <= 1.0 } else { weight == 0.0 }, "{map:?}");
                }
            }
        }
    }
}

#[test]
fn heads_and_layers_differ_and_dropout_plays_no_part() {
    let maps = maps(Norm::Post);
    assert_eq!(maps, self::maps(Norm::Post));
    for map in &maps {
        let mut heads = map.weights.chunks(map.queries * map.keys);
        let first = heads.next().unwrap();
        assert!(heads.all(|head| head != first));
    }
    assert_ne!(maps[0].weights, maps[1].weights);
}

#[test]
fn a_later_target_token_changes_no_earlier_row() {
    let model = model(&small(Norm::Post, Embeddings::Shared), 2);
    let [a, b] = [[7, 8, 5, EOS], [7, 8, 6, EOS]].map(|tgt| attention_maps(&model, &SRC, &tgt).unwrap());
    for (a, b) in a.iter().zip(&b) {
        for head in 0..a.heads {
            for query in 0..a.queries {
                let at = (head * a.queries + query) * a.keys..(head * a.queries + query + 1) * a.keys;
                // The decoder reads BOS, 7, 8, 5: the change is its row 3.
                let same = a.weights[at.clone()] == b.weights[at];
                assert_eq!(same, a.kind == AttentionKind::Encoder || query < 3, "{:?} {head} {query}", a.kind);
            }
        }
    }
}

#[test]
fn a_sentence_of_one_token_and_bad_ones() {
    let model = model(&small(Norm::Pre, Embeddings::TiedOutput), 3);
    let maps = attention_maps(&model, &[EOS], &[EOS]).unwrap();
    assert!(maps.iter().all(|m| m.weights.iter().all(|&w| (w - 1.0).abs() < 1e-6)));
    let long = pairs(17, &[(25, 25)], 0).remove(0).0;
    for (src, tgt) in [(&[][..], &TGT[..]), (&SRC, &[]), (&long, &TGT), (&SRC, &long)] {
        assert!(matches!(attention_maps(&model, src, tgt), Err(Error::Batch { .. })));
    }
    for (src, tgt) in [(&[17, EOS][..], &TGT[..]), (&SRC, &[u32::MAX, EOS])] {
        assert!(matches!(attention_maps(&model, src, tgt), Err(Error::Kernel(_))));
    }
}
