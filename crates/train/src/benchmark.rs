//! Timing of a whole training step on made-up data: what `noam bench step` prints.
//!
//! The work and the counting are those of the usual PyTorch comparison: post-norm, shared embeddings, dropout 0.1 everywhere,
//! label smoothing 0.1, Adam at the Noam rate; random tokens, sources padded by 0 to 3; a step is forward, backward and
//! update; its tokens are source and target positions, padding included; its FLOPs are those of the matrix products.

use noam_kernels::adam;
use noam_kernels::device::Cpu;
use noam_kernels::philox;
use noam_model::{BOS, Batch, Config, Model, PAD, Pass, Preset, Training};
use noam_schedule::Noam;
use serde::Serialize;
use std::time::{Duration, Instant};

/// One measurement.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Who was measured.
    pub peer: String,
    /// The preset.
    pub case: &'static str,
    /// Number of parameters.
    pub params: usize,
    /// Threads of the pool.
    pub threads: usize,
    /// Median seconds a step.
    pub median_s: f64,
    /// The fastest step's seconds.
    pub min_s: f64,
    /// Steps timed.
    pub runs: usize,
    /// Source and target tokens a second, at the median.
    pub tokens_per_s: f64,
    /// 10^9 floating-point operations of matrix products a second, at the median.
    pub gflops: f64,
    /// The most memory the process has held, in MiB, where the system tells.
    pub peak_rss_mb: Option<u64>,
}

/// The shape of a preset's batch: sentences, positions of each side.
pub fn batch_shape(preset: Preset) -> (usize, usize) {
    match preset {
        Preset::Micro => (32, 16),
        Preset::Tiny => (32, 24),
        Preset::Small => (32, 32),
        Preset::Base | Preset::Big => (16, 32),
    }
}

/// The preset with the dropout and smoothing of the comparison.
pub fn config(preset: Preset) -> Config {
    Config { dropout: 0.1, attention_dropout: 0.1, activation_dropout: 0.1, ..preset.config() }
}

/// FLOPs of the matrix products of a step, forward and backward: 2 for a multiply-add.
pub fn matmul_flops(config: &Config, b: usize, t: usize) -> f64 {
    let (d, ff, v) = (config.d_model as f64, config.d_ff as f64, config.vocab_size as f64);
    let (e, l, n, t) = (config.encoder_layers as f64, config.decoder_layers as f64, (b * t) as f64, t as f64);
    let linear = e * (4.0 * d * d + 2.0 * d * ff) + l * (8.0 * d * d + 2.0 * d * ff) + d * v;
    6.0 * n * linear + 12.0 * n * t * d * (e + 2.0 * l)
}

/// Token arrays of a made-up batch.
#[derive(Clone, Debug)]
pub struct MadeUp {
    src: Vec<u32>,
    src_lengths: Vec<u32>,
    tgt_in: Vec<u32>,
    tgt_out: Vec<u32>,
    tgt_lengths: Vec<u32>,
    t: usize,
}

impl MadeUp {
    /// Batch `number` of `b` sentences of `t` tokens below `vocab_size`; source i is padded by `i % 4`.
    pub fn new(vocab_size: usize, (b, t): (usize, usize), number: u32) -> Self {
        let id =
            |i: usize, side: u32| 3 + philox::block([i as u32, side, number, 0], [0; 2])[0] % (vocab_size as u32 - 3);
        let src_lengths: Vec<u32> = (0..b).map(|i| (t - (i % 4).min(t - 1)) as u32).collect();
        let src = (0..b * t).map(|i| if (i % t) < src_lengths[i / t] as usize { id(i, 0) } else { PAD }).collect();
        let tgt_out: Vec<u32> = (0..b * t).map(|i| id(i, 1)).collect();
        let tgt_in = (0..b * t).map(|i| if i.is_multiple_of(t) { BOS } else { tgt_out[i - 1] }).collect();
        MadeUp { src, src_lengths, tgt_in, tgt_out, tgt_lengths: vec![t as u32; b], t }
    }

    /// The batch.
    pub fn batch(&self) -> Batch<'_> {
        Batch {
            src: &self.src,
            src_lengths: &self.src_lengths,
            tgt_in: &self.tgt_in,
            tgt_out: &self.tgt_out,
            tgt_lengths: &self.tgt_lengths,
            s: self.t,
            t: self.t,
        }
    }
}

/// Times training steps for `seconds`, at least five of them, after three that are not counted; on the ambient rayon pool.
///
/// # Errors
/// [`crate::Error`] if the model cannot be built; not for a preset.
pub fn step(preset: Preset, seconds: f64) -> Result<StepReport, crate::Error> {
    let config = config(preset);
    let (b, t) = batch_shape(preset);
    let batches: Vec<MadeUp> = (0..8).map(|i| MadeUp::new(config.vocab_size, (b, t), i)).collect();
    let schedule = Noam::new(config.d_model as u64, 4000, 1.0)?;
    let flops = matmul_flops(&config, b, t);
    let mut training = Training::new(Model::new(Cpu::new(), config, 0)?, adam::Config::default())?;
    let mut one = |i: usize| -> Result<(), crate::Error> {
        let pass = Pass { seed: 0, micro_batch: 0, label_smoothing: 0.1, update_tokens: b * t };
        training.enqueue(&batches[i % 8].batch(), pass)?;
        let update = training.update(&schedule, f64::INFINITY)?;
        debug_assert!(update.grad_norm.is_finite());
        Ok(())
    };
    for i in 0..3 {
        one(i)?;
    }
    let (mut times, start) = (Vec::new(), Instant::now());
    while times.len() < 5 || start.elapsed() < Duration::from_secs_f64(seconds) {
        let before = Instant::now();
        one(times.len())?;
        times.push(before.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let median_s = times[times.len() / 2];
    Ok(StepReport {
        peer: format!("noam-{}", env!("CARGO_PKG_VERSION")),
        case: preset.name(),
        params: training.layout().len(),
        threads: rayon::current_num_threads(),
        median_s,
        min_s: times[0],
        runs: times.len(),
        tokens_per_s: (2 * b * t) as f64 / median_s,
        gflops: flops / median_s / 1e9,
        peak_rss_mb: peak_rss_mb(),
    })
}

/// The process's peak resident memory in MiB, from Linux's `/proc`.
fn peak_rss_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}
