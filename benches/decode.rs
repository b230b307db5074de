//! Decoding: a step's attention over the cache, and whole translations by greedy and beam search.
//!
//! Throughput of `attention_decode`: bytes of the keys and values that are visible, of queries and results. Throughput of the
//! translations: tokens put out (criterion's elements); weights are random, so sentences end at the limit, which stands in
//! for their length.

use criterion::{BenchmarkId, Throughput};
use noam_benches::{MadeUp, batch_shape, bytes_of, check, criterion, measures, pool, sizes, time, values};
use noam_kernels::attention::{self, Decode, Rows};
use noam_kernels::device::Cpu;
use noam_model::{Config, Model, Preset, Search, Translator};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = criterion();
    for s in sizes() {
        for beam in [1, 4] {
            let (r, c, t) = (s.b * beam, s.c, s.t);
            let (q, k, v) = (values(r * c, 1), values(r * t * c, 2), values(r * t * c, 3));
            let lengths = vec![t as u32; r];
            let rows = |data| Rows { data, offset: 0, stride: c };
            let step = Decode {
                nh: s.nh,
                hs: s.hs(),
                q: rows(&q),
                k: rows(&k),
                v: rows(&v),
                capacity: t,
                lengths: &lengths,
                sequences: None,
            };
            let mut scratch = vec![0.0; attention::decode_scratch_len(t, s.hs(), pool().current_num_threads())];
            let mut o = vec![0.0; r * c];
            attention::decode(&step, &mut scratch, &mut o)?;
            let at = |x: &[f32], row: usize, i: usize| f64::from(x[row * c + i]);
            let score = |row: usize| {
                (c - s.hs()..c).map(|i| at(&q, r - 1, i) * at(&k, row, i)).sum::<f64>() / (s.hs() as f64).sqrt()
            };
            let (sum, total) = ((r - 1) * t..r * t)
                .fold((0.0, 0.0), |(o, l), row| (o + score(row).exp() * at(&v, row, c - 1), l + score(row).exp()));
            check("attention_decode", o[r * c - 1], sum / total, 1e-5);
            let name = format!("R{r}_T{t}_NH{}_HS{}", s.nh, s.hs());
            time(&mut criterion, "attention_decode", &name, bytes_of(2 * r * t * c + 2 * r * c), || {
                attention::decode(&step, &mut scratch, &mut o)
            });
        }
    }
    let presets = if measures() { &[Preset::Tiny, Preset::Base][..] } else { &[Preset::Tiny] };
    for &preset in presets {
        let (b, t) = batch_shape(preset);
        let config = Config { max_len: t, ..preset.config() };
        let made_up = MadeUp::new(b, t, config.vocab_size, 1);
        for (operation, beam) in [("translate_greedy", 1), ("translate_beam4", 4)] {
            let search = Search { beam, max_tokens: t, length_penalty: 1.0 };
            let mut group = criterion.benchmark_group(operation);
            group.throughput(Throughput::Elements((b * t) as u64)).sample_size(10);
            let id = BenchmarkId::from_parameter(format!("{preset}_B{b}_S{t}_T{t}/f32/cpu"));
            let config = config.clone();
            group.bench_function(id, |bencher| {
                let config = config.clone();
                // The model belongs to one thread, which is one of the pool's.
                pool().install(|| {
                    let model = Model::new(Cpu::new(), config, 1).unwrap_or_else(|e| panic!("{e}"));
                    let mut translator = Translator::new(&model).unwrap_or_else(|e| panic!("{e}"));
                    let sources = made_up.sources();
                    let mut translate = || translator.translate(&sources, &search).unwrap_or_else(|e| panic!("{e}"));
                    let found = translate();
                    assert!(found.len() == b && found.iter().all(|h| h.score.is_finite() && h.score < 0.0));
                    bencher.iter(translate);
                });
            });
            group.finish();
        }
    }
    criterion.final_summary();
    Ok(())
}
