use super::{
    reference::{Operands, Results, contract, exact, visible},
    *,
};
use crate::{isa, isa::Isa};
use proptest::prelude::*;

/// One of the operands, to be changed.
type Field<F> = fn(&mut Operands<F>) -> &mut Vec<F>;

/// An attention with its lengths and operands.
#[derive(Debug)]
pub(super) struct Case {
    pub dims: Dims,
    pub mask: Mask,
    pub key_lengths: Vec<u32>,
    pub query_lengths: Option<Vec<u32>>,
    pub dropout: Dropout,
    pub x: Operands<f32>,
}

/// Values in [-1, 1), a multiple of 2^-12 each, from a seed.
pub(super) fn values(n: usize, seed: u64) -> Vec<f32> {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            (x >> 51) as f32 / 4096.0 - 1.0
        })
        .collect()
}

impl Case {
    pub fn new(dims: Dims, mask: Mask, p: f32, seed: u64) -> Self {
        let Dims { b, nh, hs, t, s } = dims;
        let (q, k) = (b * t * nh * hs, b * s * nh * hs);
        let x = Operands {
            q: values(q, seed + 1),
            k: values(k, seed + 2),
            v: values(k, seed + 3),
            d_o: values(q, seed + 4),
        };
        let dropout = Dropout::new(p, seed, 3, 5).unwrap();
        Case { dims, mask, key_lengths: vec![s as u32; b], query_lengths: None, dropout, x }
    }

    pub fn attention(&self) -> Attention<'_> {
        Attention {
            dims: self.dims,
            mask: self.mask,
            key_lengths: &self.key_lengths,
            query_lengths: self.query_lengths.as_deref(),
            dropout: self.dropout,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs::Separate { q: &self.x.q, k: &self.x.k, v: &self.x.v }
    }

    pub fn run(&self) -> Results<f32> {
        self.run_with(2)
    }

    /// Forward, weights and backward with scratch for so many tasks.
    fn run_with(&self, tasks: usize) -> Results<f32> {
        let Dims { b, nh, t, s, .. } = self.dims;
        let attention = self.attention();
        // NaN everywhere: whatever is not written, or read before it is written, shows.
        let nan = |n: usize| vec![f32::NAN; n];
        let mut scratch = nan(scratch_len(&self.dims, tasks));
        let mut r = Results {
            o: nan(self.x.q.len()),
            lse: nan(b * nh * t),
            weights: nan(b * nh * t * s),
            dq: nan(self.x.q.len()),
            dk: nan(self.x.k.len()),
            dv: nan(self.x.k.len()),
        };
        let out = Output { o: &mut r.o, lse: &mut r.lse };
        forward(&attention, self.inputs(), &mut scratch, out).unwrap();
        weights(&attention, self.inputs(), &r.lse, &mut scratch, &mut r.weights).unwrap();
        let saved = Saved { o: &r.o, lse: &r.lse, d_o: &self.x.d_o };
        let gradients = Gradients::Separate { dq: &mut r.dq, dk: &mut r.dk, dv: &mut r.dv };
        backward(&attention, self.inputs(), saved, &mut scratch, gradients).unwrap();
        r
    }
}

pub(super) fn buffers<F>(r: &Results<F>) -> [(&'static str, &[F]); 6] {
    [("o", &r.o), ("lse", &r.lse), ("weights", &r.weights), ("dq", &r.dq), ("dk", &r.dk), ("dv", &r.dv)]
}

#[track_caller]
pub(super) fn assert_same_bits(got: &Results<f32>, want: &Results<f32>) {
    for ((name, got), (_, want)) in buffers(got).into_iter().zip(buffers(want)) {
        assert_eq!(got.len(), want.len());
        for (at, (g, w)) in got.iter().zip(want).enumerate() {
            assert!(g.to_bits() == w.to_bits() || (g.is_nan() && w.is_nan()), "{name}[{at}]: {g} is not {w}");
        }
    }
}

fn in_f64(x: &Operands<f32>) -> Operands<f64> {
    let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect();
    Operands { q: wide(&x.q), k: wide(&x.k), v: wide(&x.v), d_o: wide(&x.d_o) }
}

/// Shapes at and around the widths of tiles, lanes and strips.
pub(super) fn awkward() -> Vec<Case> {
    let mut cases = Vec::new();
    for (seed, (b, nh, hs, t, s)) in [
        (1, 1, 1, 1, 1),
        (2, 3, 5, 1, 33),
        (1, 2, 16, 7, 7),
        (3, 2, 31, 8, 8),
        (2, 2, 32, 24, 24),
        (2, 1, 33, 33, 33),
        (1, 2, 64, 32, 32),
        (2, 2, 24, 40, 17),
        (1, 1, 8, 70, 70),
        (1, 1, 64, 9, 100),
    ]
    .into_iter()
    .enumerate()
    {
        let dims = Dims { b, nh, hs, t, s };
        for mask in [Mask::None, Mask::Causal] {
            for p in [0.0, 0.3] {
                if mask == Mask::None || t == s {
                    let mut case = Case::new(dims, mask, p, seed as u64);
                    for b in 1..b {
                        case.key_lengths[b] = (s / (2 * b)) as u32;
                    }
                    if p > 0.0 {
                        case.query_lengths = Some((0..b).map(|b| (t - b.min(t)) as u32).collect());
                    }
                    cases.push(case);
                }
            }
        }
    }
    cases
}

#[test]
fn agrees_with_f64() {
    for case in awkward() {
        let Dims { hs, t, s, .. } = case.dims;
        let (got, want) = (case.run(), exact(&case.attention(), &in_f64(&case.x)));
        // Operands are below 1. A score is off by at most HS + 2 roundings of partial sums below HS, times 1 / sqrt(HS);
        // a weight then by twice that and S + 8 roundings, relatively; the final chains add T or S more. So `relative`
        // bounds o and the weights, whose sums are below 1 / (1 - p); a gradient's terms are below 2 HS / (1 - p).
        let unit = f64::from(f32::EPSILON) / 2.0;
        let relative = unit * (2.0 * (hs + 2) as f64 * (hs as f64).sqrt() + (2 * s + t + 16) as f64);
        let kept = f64::from(case.dropout.scale());
        for ((name, got), (_, want)) in buffers(&got).into_iter().zip(buffers(&want)) {
            let size = match name {
                "o" | "weights" | "lse" => kept,
                "dq" => 2.0 * (hs as f64).sqrt() * kept,
                "dk" => 2.0 * (hs as f64).sqrt() * kept * t as f64,
                _ => kept * t as f64,
            };
            for (at, (&g, &w)) in got.iter().zip(want).enumerate() {
                let g = f64::from(g);
                assert!(
                    g == w || (g - w).abs() <= relative * (size + w.abs()),
                    "{:?} {name}[{at}]: {g} {w}",
                    case.dims
                );
            }
        }
    }
}

#[test]
fn gradients_agree_with_finite_differences() {
    // Central differences of sum(o * d_o) on the f64 reference; error about h^2 = 1e-8 and 1e-16 / h = 1e-12.
    let dims = Dims { b: 2, nh: 2, hs: 3, t: 5, s: 5 };
    for mask in [Mask::None, Mask::Causal] {
        for p in [0.0, 0.4] {
            let mut case = Case::new(dims, mask, p, 77);
            case.key_lengths = vec![5, 3];
            case.query_lengths = Some(vec![4, 5]);
            let attention = case.attention();
            let mut x = in_f64(&case.x);
            let want = exact(&attention, &x);
            let loss = |x: &Operands<f64>| exact(&attention, x).o.iter().zip(&x.d_o).map(|(o, d)| o * d).sum::<f64>();
            let field: [Field<f64>; 3] = [|x| &mut x.q, |x| &mut x.k, |x| &mut x.v];
            for (field, gradient) in field.into_iter().zip([&want.dq, &want.dk, &want.dv]) {
                for (at, &gradient) in gradient.iter().enumerate() {
                    let old = field(&mut x)[at];
                    field(&mut x)[at] = old + 1e-4;
                    let above = loss(&x);
                    field(&mut x)[at] = old - 1e-4;
                    let below = loss(&x);
                    field(&mut x)[at] = old;
                    let difference = (above - below) / 2e-4;
                    assert!((difference - gradient).abs() <= 1e-7, "{mask:?} {p} [{at}]: {difference} {gradient}");
                }
            }
        }
    }
}

#[test]
fn follows_the_contract_to_the_bit_on_every_instruction_set() {
    for case in awkward() {
        let want = contract(&case.attention(), &case.x);
        for isa in Isa::ALL {
            isa::limit(isa);
            assert_same_bits(&case.run(), &want);
        }
        isa::limit(Isa::Avx512);
    }
}

#[test]
fn threads_and_scratch_change_no_bit() {
    // Large enough to be worth threads, long enough for several strips a head.
    for (b, nh, t) in [(3, 4, 40), (1, 1, 130)] {
        let mut case = Case::new(Dims { b, nh, hs: 32, t, s: t }, Mask::Causal, 0.1, 9);
        case.key_lengths[0] = 37;
        let want = case.run_with(1);
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for tasks in [1, threads, 3 * threads] {
                assert_same_bits(&pool.install(|| case.run_with(tasks)), &want);
            }
        }
    }
}

/// Puts rows of `width` values side by side.
pub(super) fn interleave(parts: &[&[f32]], width: usize) -> Vec<f32> {
    let rows = parts[0].len() / width;
    (0..rows).flat_map(|r| parts.iter().flat_map(move |p| p[r * width..][..width].to_vec())).collect()
}

#[test]
fn layouts_give_the_same_bits() {
    let case = Case::new(Dims { b: 3, nh: 2, hs: 12, t: 11, s: 11 }, Mask::Causal, 0.2, 4);
    let c = 24;
    let want = case.run();
    let (attention, x) = (case.attention(), &case.x);
    let saved = Saved { o: &want.o, lse: &want.lse, d_o: &x.d_o };
    let mut scratch = vec![0.0; scratch_len(&case.dims, 1)];
    let qkv = interleave(&[&x.q, &x.k, &x.v], c);
    let kv = interleave(&[&x.k, &x.v], c);
    for inputs in [Inputs::Packed { qkv: &qkv }, Inputs::Cross { q: &x.q, kv: &kv }] {
        let (mut o, mut lse) = (vec![0.0; want.o.len()], vec![0.0; want.lse.len()]);
        forward(&attention, inputs, &mut scratch, Output { o: &mut o, lse: &mut lse }).unwrap();
        assert_eq!((&o, &lse), (&want.o, &want.lse));
        let mut dqkv = vec![f32::NAN; qkv.len()];
        backward(&attention, inputs, saved, &mut scratch, Gradients::Packed { dqkv: &mut dqkv }).unwrap();
        assert_eq!(dqkv, interleave(&[&want.dq, &want.dk, &want.dv], c));
        let (mut dq, mut dkv) = (vec![f32::NAN; want.dq.len()], vec![f32::NAN; kv.len()]);
        backward(&attention, inputs, saved, &mut scratch, Gradients::Cross { dq: &mut dq, dkv: &mut dkv }).unwrap();
        assert_eq!((dq, dkv), (want.dq.clone(), interleave(&[&want.dk, &want.dv], c)));
    }
}

#[test]
fn padding_may_hold_anything() {
    for mask in [Mask::None, Mask::Causal] {
        let mut case = Case::new(Dims { b: 3, nh: 2, hs: 20, t: 19, s: 19 }, mask, 0.1, 6);
        case.key_lengths = vec![19, 7, 0];
        case.query_lengths = Some(vec![13, 19, 4]);
        let want = case.run();
        let c = 40;
        for (b, (keys, queries)) in [(19, 13), (7, 19), (0, 4)].into_iter().enumerate() {
            for j in 0..19 {
                for (x, first_padding) in
                    [(&mut case.x.q, queries), (&mut case.x.d_o, queries), (&mut case.x.k, keys), (&mut case.x.v, keys)]
                {
                    if j >= first_padding {
                        x[(b * 19 + j) * c..][..c].fill(if j % 2 == 0 { f32::NAN } else { f32::INFINITY });
                    }
                }
            }
        }
        assert_same_bits(&case.run(), &want);
    }
}

#[test]
fn seeing_nothing_is_zero() {
    let mut case = Case::new(Dims { b: 2, nh: 2, hs: 9, t: 5, s: 6 }, Mask::None, 0.0, 8);
    case.key_lengths = vec![0, 6];
    case.query_lengths = Some(vec![5, 0]);
    let got = case.run();
    assert!(got.lse.iter().all(|&v| v == f32::NEG_INFINITY));
    for (name, values) in buffers(&got).into_iter().filter(|(name, _)| *name != "lse") {
        assert!(values.iter().all(|&v| v == 0.0), "{name}");
    }
}

#[test]
fn a_visible_nan_reaches_the_rows_that_see_it_alone() {
    for (t, at) in [(12, 5), (70, 40), (70, 33)] {
        let case = |poison: Option<Field<f32>>| {
            let mut case = Case::new(Dims { b: 2, nh: 2, hs: 16, t, s: t }, Mask::Causal, 0.0, 3);
            if let Some(field) = poison {
                // Sentence 1, head 1, key `at`.
                field(&mut case.x)[(t + at) * 32 + 16 + 2] = f32::NAN;
            }
            case.run().o
        };
        let clean = case(None);
        let poisons: [Field<f32>; 2] = [|x| &mut x.k, |x| &mut x.v];
        for (which, poison) in poisons.into_iter().enumerate() {
            for (n, (&got, &want)) in case(Some(poison)).iter().zip(&clean).enumerate() {
                let (row, column) = (n / 32, n % 32);
                let sees = row >= t + at && column >= 16 && (which == 0 || column == 16 + 2);
                assert_eq!(got.is_nan(), sees, "row {row}, column {column}");
                assert!(sees || got.to_bits() == want.to_bits());
            }
        }
    }
}

#[test]
fn weights_sum_to_one_and_large_scores_do_not_overflow() {
    let mut case = Case::new(Dims { b: 2, nh: 2, hs: 32, t: 21, s: 21 }, Mask::Causal, 0.5, 2);
    case.x.q.iter_mut().for_each(|q| *q *= 300.0);
    case.key_lengths = vec![21, 4];
    let got = case.run();
    for (n, row) in got.weights.chunks(21).enumerate() {
        let (b, i) = (n / 21 / 2, n % 21);
        // exp(s - lse) with s and lse off by an ulp of up to 1000: 6e-5.
        let sum: f32 = row.iter().sum();
        assert!((sum - 1.0).abs() <= 3e-4, "{sum}");
        for (j, &w) in row.iter().enumerate() {
            assert!((0.0..=1.001).contains(&w) && (visible(&case.attention(), b, i, j) || w == 0.0));
        }
    }
    assert!(got.o.iter().chain(&got.dq).all(|v| v.is_finite()));
}

#[test]
fn decoding_step_by_step_gives_the_bits_of_forward() {
    for isa in Isa::ALL {
        isa::limit(isa);
        for hs in [16, 20, 32, 64] {
            let (nh, t, b) = (2, 37, 3);
            let c = nh * hs;
            let case = Case::new(Dims { b, nh, hs, t, s: t }, Mask::Causal, 0.0, 12);
            let want = case.run().o;
            // The cache holds k and v side by side; what is not yet there is NaN.
            let mut cache = vec![f32::NAN; b * t * 2 * c];
            let mut scratch = vec![f32::NAN; decode_scratch_len(t, hs, 2)];
            for i in 0..t {
                for b in 0..b {
                    let row = b * t + i;
                    cache[row * 2 * c..][..c].copy_from_slice(&case.x.k[row * c..][..c]);
                    cache[row * 2 * c + c..][..c].copy_from_slice(&case.x.v[row * c..][..c]);
                }
                let mut o = vec![f32::NAN; b * c];
                let step = Decode {
                    nh,
                    hs,
                    q: Rows { data: &case.x.q, offset: i * c, stride: t * c },
                    k: Rows { data: &cache, offset: 0, stride: 2 * c },
                    v: Rows { data: &cache, offset: c, stride: 2 * c },
                    capacity: t,
                    lengths: &vec![i as u32 + 1; b],
                    sequences: None,
                };
                decode(&step, &mut scratch, &mut o).unwrap();
                for b in 0..b {
                    assert_eq!(o[b * c..][..c], want[(b * t + i) * c..][..c], "{isa:?} HS {hs} step {i}");
                }
            }
        }
    }
    isa::limit(Isa::Avx512);
}

#[test]
fn decoding_rows_may_share_a_sequence_and_see_nothing() {
    let (nh, hs, s) = (2, 8, 6);
    let c = nh * hs;
    let (q, k, v) = (values(4 * c, 1), values(2 * s * c, 2), values(2 * s * c, 3));
    fn rows(data: &[f32]) -> Rows<'_> {
        Rows { data, offset: 0, stride: 16 }
    }
    let mut scratch = vec![0.0; decode_scratch_len(s, hs, 1)];
    let mut run = |q: &[f32], lengths: &[u32], sequences: Option<&[u32]>| {
        let mut o = vec![f32::NAN; q.len()];
        let step = Decode { nh, hs, q: rows(q), k: rows(&k), v: rows(&v), capacity: s, lengths, sequences };
        decode(&step, &mut scratch, &mut o).map(|()| o)
    };
    let got = run(&q, &[6, 3, 0, 3], Some(&[1, 0, 9, 0])).unwrap();
    assert!(got[2 * c..3 * c].iter().all(|&v| v == 0.0));
    let one_by_one = run(&[&q[c..2 * c], &q[..c]].concat(), &[3, 6], None).unwrap();
    assert_eq!(got[..c], one_by_one[c..]);
    assert_eq!(got[c..2 * c], one_by_one[..c]);

    assert!(run(&q[..c], &[7], None).is_err(), "beyond the capacity");
    assert!(run(&q[..c], &[1], Some(&[2])).is_err(), "no such sequence");
    assert!(run(&q[..c], &[1], Some(&[u32::MAX])).is_err(), "no such sequence");
    assert!(run(&q[..c], &[1], Some(&[])).is_err(), "one sequence a row");
    assert!(run(&[], &[], None).is_ok(), "no rows, no work");
    let mut o = vec![0.0; c];
    let narrow = Rows { data: &k, offset: 0, stride: c - 1 };
    let far = Rows { data: &k, offset: usize::MAX, stride: c };
    for k in [narrow, far] {
        let step = Decode { nh, hs, q: rows(&q), k, v: rows(&v), capacity: s, lengths: &[2], sequences: None };
        assert!(decode(&step, &mut scratch, &mut o).is_err());
        let step = Decode { q: k, k: rows(&v), ..step };
        assert!(decode(&step, &mut scratch, &mut o).is_err());
    }
    let step = Decode { nh, hs, q: rows(&q), k: rows(&k), v: rows(&v), capacity: s, lengths: &[2], sequences: None };
    assert!(decode(&step, &mut [], &mut o).is_err(), "no scratch");
    assert!(decode(&Decode { hs: 0, ..step }, &mut scratch, &mut o).is_err());
    assert!(decode(&Decode { capacity: usize::MAX, ..step }, &mut scratch, &mut o).is_err());
}

#[test]
fn bad_input_is_refused_and_nothing_is_written() {
    let dims = Dims { b: 2, nh: 2, hs: 4, t: 3, s: 5 };
    let x = values(1000, 1);
    let good = Attention { dims, mask: Mask::None, key_lengths: &[5, 5], query_lengths: None, dropout: Dropout::NONE };
    let run = |attention: Attention<'_>, q: usize, k: usize, o: usize, lse: usize, scratch: usize| {
        let inputs = Inputs::Separate { q: &x[..q], k: &x[..k], v: &x[..80] };
        let (mut o, mut lse) = (vec![7.0; o], vec![7.0; lse]);
        let out = Output { o: &mut o, lse: &mut lse };
        let result = forward(&attention, inputs, &mut vec![0.0; scratch], out);
        assert!(result.is_ok() || o.iter().chain(&lse).all(|&v| v == 7.0));
        result.map_err(|error| error.to_string())
    };
    let scratch = scratch_len(&dims, 1);
    run(good, 48, 80, 48, 12, scratch).unwrap();
    for (q, k, o, lse, scratch) in [
        (47, 80, 48, 12, scratch),
        (48, 81, 48, 12, scratch),
        (48, 80, 0, 12, scratch),
        (48, 80, 48, 13, scratch),
        (48, 80, 48, 12, 9),
    ] {
        run(good, q, k, o, lse, scratch).unwrap_err();
    }
    let message = |attention| run(attention, 48, 80, 48, 12, scratch).unwrap_err();
    assert!(message(Attention { mask: Mask::Causal, ..good }).contains("causal"));
    assert!(message(Attention { key_lengths: &[5, 6], ..good }).contains("key length is 6"));
    assert!(message(Attention { key_lengths: &[5], ..good }).contains("key_lengths"));
    assert!(message(Attention { query_lengths: Some(&[3, 4]), ..good }).contains("query length is 4"));
    for dims in [
        Dims { b: 0, ..dims },
        Dims { nh: 0, ..dims },
        Dims { hs: 0, ..dims },
        Dims { t: 0, ..dims },
        Dims { s: 0, ..dims },
        Dims { t: usize::MAX, ..dims },
        Dims { s: 1 << 62, ..dims },
        Dims { b: 1 << 40, nh: 1 << 10, ..dims },
    ] {
        message(Attention { dims, ..good });
    }
    // What shares rows has as many.
    let (mut o, mut lse) = (vec![0.0; 48], vec![0.0; 12]);
    let mut scratch = vec![0.0; scratch];
    let out = Output { o: &mut o, lse: &mut lse };
    assert!(forward(&good, Inputs::Packed { qkv: &x[..144] }, &mut scratch, out).is_err());
    let saved = Saved { o: &x[..48], lse: &x[..12], d_o: &x[..48] };
    let inputs = Inputs::Separate { q: &x[..48], k: &x[..80], v: &x[..80] };
    let mut dqkv = vec![0.0; 144];
    assert!(backward(&good, inputs, saved, &mut scratch, Gradients::Packed { dqkv: &mut dqkv }).is_err());
    let short = Saved { d_o: &x[..47], ..saved };
    let (mut dq, mut dkv) = (vec![0.0; 48], vec![0.0; 160]);
    let gradients = Gradients::Cross { dq: &mut dq, dkv: &mut dkv };
    assert!(backward(&good, inputs, short, &mut scratch, gradients).is_err());
    let gradients = Gradients::Cross { dq: &mut dq, dkv: &mut dkv[..159] };
    assert!(backward(&good, inputs, saved, &mut scratch, gradients).is_err());
    assert!(weights(&good, inputs, &x[..12], &mut scratch, &mut [0.0; 59]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn follows_the_contract_at_any_shape(
        (b, nh, hs, t, s) in (1usize..4, 1usize..4, 1usize..40, 1usize..45, 1usize..75),
        lengths in prop::collection::vec((0.0..1.3f64, 0.0..1.3f64), 3),
        causal: bool,
        pad_queries: bool,
        drop: bool,
        seed in 0u64..1 << 40,
    ) {
        let dims = Dims { b, nh, hs, t, s: if causal { t } else { s } };
        let mask = if causal { Mask::Causal } else { Mask::None };
        let mut case = Case::new(dims, mask, if drop { 0.25 } else { 0.0 }, seed);
        let length = |share: f64, n: usize| (share.min(1.0) * n as f64) as u32;
        case.key_lengths = lengths[..b].iter().map(|l| length(l.0, dims.s)).collect();
        case.query_lengths = pad_queries.then(|| lengths[..b].iter().map(|l| length(l.1, t)).collect());
        assert_same_bits(&case.run(), &contract(&case.attention(), &case.x));
    }
}
