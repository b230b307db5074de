//! Every example once, in reproducible order, within the budget.

use proptest::prelude::*;

use super::*;
use crate::tokenizer::{BOS, EOS, PAD};

fn examples(lengths: &[(usize, usize)]) -> Vec<Example> {
    let tokens = |n: usize, i: usize| (0..n).map(|k| (4 + i * 31 + k) as u32).collect();
    lengths.iter().enumerate().map(|(i, &(s, t))| Example { src: tokens(s, i), tgt: tokens(t, i + 1000) }).collect()
}

/// Lengths like those of real captions: a hump around 15, translations of similar length.
fn captions(n: usize) -> Vec<(usize, usize)> {
    let mut rng = rng::Rng::new(3, 4);
    let mut sum = |k: u64| (0..4).map(|_| rng.below(k)).sum::<u64>() as usize;
    (0..n)
        .map(|_| {
            let s = 4 + sum(7);
            (s, (s + sum(4)).saturating_sub(5).max(2))
        })
        .collect()
}

fn sorted(epoch: &Epoch) -> Vec<u32> {
    let mut all: Vec<u32> = epoch.iter().flatten().copied().collect();
    all.sort_unstable();
    all
}

#[test]
fn a_batch_is_padded_and_ended() {
    let examples = [
        Example { src: vec![10, 11, 12], tgt: vec![20] },
        Example { src: vec![], tgt: vec![30, 31] },
        Example { src: vec![99], tgt: vec![99] },
    ];
    let mut batch = Batch::default();
    batch.fill(&examples, &[1, 0], 1);
    assert_eq!((batch.b, batch.s, batch.t), (2, 4, 3));
    assert_eq!(batch.src, [EOS, PAD, PAD, PAD, 10, 11, 12, EOS]);
    assert_eq!(batch.tgt_in, [BOS, 30, 31, BOS, 20, PAD]);
    assert_eq!(batch.tgt_out, [30, 31, EOS, 20, EOS, PAD]);
    assert_eq!((batch.src_lengths.as_slice(), batch.tgt_lengths.as_slice()), (&[1, 4][..], &[3, 2][..]));
    assert_eq!(batch.target_tokens, 5);

    batch.fill(&examples, &[1, 0], 4);
    assert_eq!((batch.s, batch.t), (4, 4));
    assert_eq!(batch.tgt_out, [30, 31, EOS, PAD, 20, EOS, PAD, PAD]);

    batch.fill_sources([&[5, 6][..], &[7]].into_iter(), 1);
    assert_eq!((batch.b, batch.s, batch.t, batch.target_tokens), (2, 3, 0, 0));
    assert_eq!(batch.src, [5, 6, EOS, 7, EOS, PAD]);
    assert!(batch.tgt_in.is_empty() && batch.tgt_out.is_empty() && batch.tgt_lengths.is_empty());
}

#[test]
fn filling_again_leaves_no_trace_and_allocates_nothing() {
    let examples = examples(&[(9, 8), (1, 2), (4, 4), (3, 7)]);
    let mut batch = Batch::default();
    batch.fill(&examples, &[0, 1, 2, 3], 1);
    let buffers = |b: &Batch| [b.src.as_ptr(), b.tgt_in.as_ptr(), b.tgt_out.as_ptr(), b.src_lengths.as_ptr()];
    let before = buffers(&batch);
    for indices in [&[1][..], &[2, 3], &[3, 2, 1, 0]] {
        let mut fresh = Batch::default();
        fresh.fill(&examples, indices, 1);
        batch.fill(&examples, indices, 1);
        assert_eq!(batch, fresh);
        assert_eq!(buffers(&batch), before);
    }
}

#[test]
fn order_depends_on_seed_and_epoch_and_on_nothing_else() {
    let examples = examples(&captions(500));
    let make = |seed| Batches::new(&examples, &Options { max_tokens: 200, seed, ..Options::default() }).unwrap();
    let (one, two) = (make(1), make(2));
    assert_eq!(one.epoch(5), make(1).epoch(5));
    let orders = [one.epoch(0), one.epoch(1), one.epoch(2), two.epoch(0), two.epoch(1)];
    for (i, a) in orders.iter().enumerate() {
        assert!(orders[..i].iter().all(|b| a != b));
        assert_eq!(sorted(a), sorted(&orders[0]));
    }
    // Not only the order of the batches changes, but who is with whom.
    let groups = |epoch: &Epoch| {
        let mut groups: Vec<Vec<u32>> = epoch
            .iter()
            .map(|b| {
                let mut b = b.to_vec();
                b.sort_unstable();
                b
            })
            .collect();
        groups.sort();
        groups
    };
    assert_ne!(groups(&orders[0]), groups(&orders[1]));
    // Without shuffling: the same every time, and short ones first.
    assert_eq!(one.in_order(), two.in_order());
    let longest = |indices: &[u32]| indices.iter().map(|&i| examples[i as usize].src.len()).max().unwrap();
    let in_order = one.in_order();
    assert!(longest(in_order.get(0).unwrap()) + 8 < longest(in_order.iter().last().unwrap()));
    assert_eq!(sorted(&one.in_order()), sorted(&orders[0]));
}

#[test]
fn an_epoch_is_pinned() {
    // A change of the order would make old checkpoints resume with other data, unnoticed.
    let examples = examples(&captions(40));
    let batches = Batches::new(&examples, &Options { max_tokens: 128, seed: 42, ..Options::default() }).unwrap();
    let first: Vec<Vec<u32>> = batches.epoch(1).iter().take(3).map(<[u32]>::to_vec).collect();
    assert_eq!(first, PINNED);
}

const PINNED: [&[u32]; 3] = [&[25, 33, 14, 13, 28, 34, 9, 5], &[17, 15, 16, 0, 26, 37, 38], &[19, 35, 21]];

#[test]
fn little_is_padded() {
    let examples = examples(&captions(20_000));
    for (max_tokens, multiple, most) in [(768, 1, 0.04), (4096, 1, 0.06), (768, 4, 0.09)] {
        let options = Options { max_tokens, multiple, ..Options::default() };
        let batches = Batches::new(&examples, &options).unwrap();
        let (mut padded, mut real) = (0, 0);
        let mut batch = Batch::default();
        for indices in batches.epoch(0).iter() {
            batch.fill(&examples, indices, multiple);
            padded += batch.src.len() + batch.tgt_in.len();
            real += batch.src_lengths.iter().chain(&batch.tgt_lengths).map(|&n| n as usize).sum::<usize>();
        }
        let waste = 1.0 - real as f64 / padded as f64;
        assert!(waste < most, "{max_tokens} {multiple}: {waste}");
    }
}

#[test]
fn long_examples_are_dropped_and_counted() {
    let examples = examples(&[(3, 3), (9, 2), (2, 10), (2, 9)]);
    let make = |max_len| Batches::new(&examples, &Options { max_len, ..Options::default() });
    let batches = make(10).unwrap();
    assert_eq!((batches.examples(), batches.dropped(), batches.target_tokens()), (3, 1, 4 + 3 + 10));
    assert_eq!(batches.longest(), (10, 10));
    assert_eq!(sorted(&batches.epoch(0)), [0, 1, 3]);
    assert_eq!(make(3).unwrap_err(), Error::AllTooLong { dropped: 4, max_len: 3, longest: 11 });
    assert_eq!(Batches::new(&[], &Options::default()).unwrap_err(), Error::NoExamples);
}

#[test]
fn options_of_zero_are_refused() {
    let examples = examples(&[(3, 3)]);
    let good = Options::default();
    for (name, options) in [
        ("max_tokens", Options { max_tokens: 0, ..good }),
        ("max_len", Options { max_len: 0, ..good }),
        ("multiple", Options { multiple: 0, ..good }),
    ] {
        assert_eq!(Batches::new(&examples, &options).unwrap_err(), Error::Zero { name });
    }
}

#[test]
fn a_position_beyond_the_epoch_is_refused() {
    let examples = examples(&[(3, 3); 10]);
    let batches = Batches::new(&examples, &Options { max_tokens: 8, ..Options::default() }).unwrap();
    assert_eq!(batches.epoch(7).len(), 5);
    for index in [6, u64::MAX] {
        let error = batches.stream(Position { epoch: 7, index }).unwrap_err();
        assert_eq!(error, Error::Position { epoch: 7, index, batches: 5 });
    }
    let mut at_end = batches.stream(Position { epoch: 7, index: 5 }).unwrap();
    assert_eq!(at_end.next_batch(), batches.epoch(8).get(0).unwrap());
    assert_eq!(at_end.position(), Position { epoch: 8, index: 1 });
    let mut last = batches.stream(Position { epoch: u64::MAX, index: 5 }).unwrap();
    assert_eq!(last.next_batch(), batches.epoch(0).get(0).unwrap());
}

#[test]
fn a_position_survives_json() {
    let position = Position { epoch: u64::MAX, index: 3 };
    let json = serde_json::to_string(&position).unwrap();
    assert_eq!(json, r#"{"epoch":18446744073709551615,"index":3}"#);
    assert_eq!(serde_json::from_str::<Position>(&json).unwrap(), position);
    assert!(serde_json::from_str::<Position>(r#"{"epoch":1,"index":3,"more":1}"#).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn every_example_once_and_within_the_budget(
        lengths in prop::collection::vec((0usize..30, 0usize..30), 1..200),
        (max_tokens, max_len, multiple) in (1usize..300, 31usize..40, 1usize..9),
        (seed, epoch) in any::<(u64, u64)>(),
    ) {
        let examples = examples(&lengths);
        let batches = Batches::new(&examples, &Options { max_tokens, max_len, multiple, seed }).unwrap();
        let mut batch = Batch::default();
        for plan in [batches.epoch(epoch), batches.in_order()] {
            prop_assert_eq!(sorted(&plan), (0..lengths.len() as u32).collect::<Vec<_>>());
            let mut target_tokens = 0;
            for indices in plan.iter() {
                batch.fill(&examples, indices, multiple);
                prop_assert!(batch.b == 1 || batch.b * batch.s.max(batch.t) <= max_tokens);
                prop_assert!(batch.s <= batches.longest().0 && batch.t <= batches.longest().1);
                target_tokens += batch.target_tokens;
                for (row, &i) in indices.iter().enumerate() {
                    let Example { src, tgt } = &examples[i as usize];
                    let of = |matrix: &[u32], columns| matrix[row * columns..(row + 1) * columns].to_vec();
                    let pad = |n| std::iter::repeat_n(PAD, n);
                    let want: Vec<u32> = src.iter().copied().chain([EOS]).chain(pad(batch.s - src.len() - 1)).collect();
                    prop_assert_eq!(of(&batch.src, batch.s), want);
                    let want: Vec<u32> = tgt.iter().copied().chain([EOS]).chain(pad(batch.t - tgt.len() - 1)).collect();
                    prop_assert_eq!(of(&batch.tgt_out, batch.t), want);
                    let want: Vec<u32> = [BOS].into_iter().chain(tgt.iter().copied()).chain(pad(batch.t - tgt.len() - 1)).collect();
                    prop_assert_eq!(of(&batch.tgt_in, batch.t), want);
                }
            }
            prop_assert_eq!(target_tokens, batches.target_tokens());
        }
    }

    #[test]
    fn a_stream_resumes_anywhere(
        lengths in prop::collection::vec((0usize..12, 0usize..12), 1..60),
        max_tokens in 12usize..100,
        skip in 0usize..100,
    ) {
        let examples = examples(&lengths);
        let batches = Batches::new(&examples, &Options { max_tokens, seed: 9, ..Options::default() }).unwrap();
        let mut whole = batches.stream(Position::default()).unwrap();
        for _ in 0..skip {
            whole.next_batch();
        }
        let mut resumed = batches.stream(whole.position()).unwrap();
        for _ in 0..60 {
            prop_assert_eq!(resumed.next_batch().to_vec(), whole.next_batch());
            prop_assert_eq!(resumed.position(), whole.position());
        }
        let mut by_epoch = (0..).flat_map(|e| batches.epoch(e).iter().map(<[u32]>::to_vec).collect::<Vec<_>>());
        prop_assert_eq!(by_epoch.nth(skip + 60).unwrap(), whole.next_batch());
    }
}
