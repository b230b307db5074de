//! What the benches share: shapes of real models, made-up numbers, least traffic in bytes, and how a case is timed.

use criterion::{BenchmarkId, Criterion, Throughput};
use noam_kernels::philox;
use noam_model::{BOS, Batch, Preset};
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

/// The sizes of a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Sentences.
    pub b: usize,
    /// Positions of each, on both sides.
    pub t: usize,
    /// Channels.
    pub c: usize,
    /// Heads.
    pub nh: usize,
    /// Feed-forward width.
    pub f: usize,
    /// Vocabulary.
    pub v: usize,
}

/// The preset `tiny` with 32 sentences of 24 tokens.
pub const TINY: Sizes = Sizes { b: 32, t: 24, c: 128, nh: 4, f: 512, v: 4000 };

/// The preset `base` with 16 sentences of 32 tokens.
pub const BASE: Sizes = Sizes { b: 16, t: 32, c: 512, nh: 8, f: 2048, v: 32000 };

impl Sizes {
    /// Rows: sentences times positions.
    pub fn n(self) -> usize {
        self.b * self.t
    }

    /// Columns of a head.
    pub fn hs(self) -> usize {
        self.c / self.nh
    }
}

/// Whether this run measures (`cargo bench`) or only tries everything once (`cargo test --benches`).
pub fn measures() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// The sizes to bench: those of `base` only when it is measured, because one pass in a debug build takes long.
pub fn sizes() -> &'static [Sizes] {
    if measures() { &[TINY, BASE] } else { &[TINY] }
}

/// Criterion with the arguments of the command line: a second to warm up, three to measure.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .sample_size(20)
        .configure_from_args()
}

/// The pool that everything is timed in: as many threads as the machine has, or as `RAYON_NUM_THREADS` says.
pub fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| match rayon::ThreadPoolBuilder::new().build() {
        Ok(pool) => pool,
        Err(error) => panic!("no threads to measure with: {error}"),
    })
}

/// Times `once` inside the pool under the id `operation/shape/f32/cpu`.
///
/// `throughput` is the least traffic in bytes, or what the bench's file says. Data stay where they are from one call to the
/// next, so small shapes are measured with warm caches, as a training step finds them.
///
/// # Panics
/// If the operation refuses its arguments.
pub fn time<E: Display>(
    criterion: &mut Criterion,
    operation: &str,
    shape: &str,
    throughput: Throughput,
    mut once: impl FnMut() -> Result<(), E> + Send,
) {
    let mut once = || match once() {
        Ok(()) => {}
        Err(error) => panic!("{error}"),
    };
    let mut group = criterion.benchmark_group(operation);
    group.throughput(throughput);
    group.bench_function(BenchmarkId::from_parameter(format!("{shape}/f32/cpu")), |bencher| {
        pool().install(|| bencher.iter(&mut once));
    });
    group.finish();
}

/// A throughput of `values` f32 values or indices read or written.
pub fn bytes_of(values: usize) -> Throughput {
    Throughput::Bytes(4 * values as u64)
}

/// A throughput of floating-point operations: criterion's "elements".
pub fn flops(flops: usize) -> Throughput {
    Throughput::Elements(flops as u64)
}

/// `n` values in (-1, 1), a function of `seed`.
pub fn values(n: usize, seed: u32) -> Vec<f32> {
    let mut out = vec![0.0; n];
    for (block, out) in out.chunks_mut(4).enumerate() {
        let words = philox::block([block as u32, 0, 0, 0], [seed, 0]);
        for (out, word) in out.iter_mut().zip(words) {
            // 24 bits: exact.
            *out = (word >> 8) as f32 / (1 << 23) as f32 - 1.0;
        }
    }
    out
}

/// `n` words of a vocabulary of `v`, none of the three special ones.
pub fn words(n: usize, v: usize, seed: u32) -> Vec<u32> {
    (0..n).map(|i| 3 + philox::block([i as u32, 1, 0, 0], [seed, 0])[0] % (v as u32 - 3)).collect()
}

/// Checks a result against its f64 value before anything is timed.
///
/// # Panics
/// If they differ by more than `tolerance` or either is NaN: a wrong result is not worth timing.
pub fn check(operation: &str, got: f32, want: f64, tolerance: f64) {
    assert!((f64::from(got) - want).abs() <= tolerance, "{operation}: {got}, want {want} ± {tolerance:e}");
}

/// A made-up batch: random words, every sentence full.
#[derive(Clone, Debug)]
pub struct MadeUp {
    src: Vec<u32>,
    tgt_in: Vec<u32>,
    tgt_out: Vec<u32>,
    lengths: Vec<u32>,
    t: usize,
}

impl MadeUp {
    /// `b` pairs of sentences of `t` words of a vocabulary of `v`.
    pub fn new(b: usize, t: usize, v: usize, seed: u32) -> Self {
        let (src, tgt_out) = (words(b * t, v, 2 * seed), words(b * t, v, 2 * seed + 1));
        let tgt_in = (0..b * t).map(|i| if i.is_multiple_of(t) { BOS } else { tgt_out[i - 1] }).collect();
        MadeUp { src, tgt_in, tgt_out, lengths: vec![t as u32; b], t }
    }

    /// The batch.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            src: &self.src,
            src_lengths: &self.lengths,
            tgt_in: &self.tgt_in,
            tgt_out: &self.tgt_out,
            tgt_lengths: &self.lengths,
            s: self.t,
            t: self.t,
        }
    }

    /// The source sentences.
    pub fn sources(&self) -> Vec<&[u32]> {
        self.src.chunks(self.t).collect()
    }
}

/// Sentences and positions of a preset's training step.
pub fn batch_shape(preset: Preset) -> (usize, usize) {
    match preset {
        Preset::Micro => (32, 16),
        Preset::Tiny => (TINY.b, TINY.t),
        Preset::Small => (32, 32),
        Preset::Base | Preset::Big => (BASE.b, BASE.t),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_presets() {
        for (preset, sizes) in [(Preset::Tiny, TINY), (Preset::Base, BASE)] {
            let config = preset.config();
            let Sizes { c, nh, f, v, .. } = sizes;
            assert_eq!((config.d_model, config.n_heads, config.d_ff, config.vocab_size), (c, nh, f, v));
            assert_eq!(batch_shape(preset), (sizes.b, sizes.t));
            assert_eq!(sizes.hs() * nh, c);
        }
    }

    #[test]
    fn numbers_are_in_range_and_depend_on_the_seed() {
        let x = values(1000, 1);
        assert!(x.iter().all(|x| x.abs() <= 1.0) && x.iter().any(|&x| x > 0.9) && x.iter().any(|&x| x < -0.9));
        assert_eq!(x[..10], values(10, 1)[..]);
        assert_ne!(x, values(1000, 2));
        assert!(words(1000, 50, 3).iter().all(|id| (3..50).contains(id)));
    }

    #[test]
    fn a_made_up_batch_can_be_trained_on() {
        let made_up = MadeUp::new(3, 4, 20, 5);
        let batch = made_up.batch();
        assert_eq!((batch.b(), batch.target_tokens()), (3, 12));
        assert_eq!(batch.tgt_in[5], batch.tgt_out[4]);
        assert_eq!(made_up.sources().len(), 3);
    }

    #[test]
    #[should_panic(expected = "sum: NaN")]
    fn a_nan_fails_the_check() {
        check("sum", f32::NAN, 0.0, 1.0);
    }
}
