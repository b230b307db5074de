//! A training step: forward, backward and update, with dropout 0.1 everywhere and label smoothing 0.1.
//!
//! Throughput: source and target tokens (criterion's elements). `noam bench step` times the same work without criterion.

use criterion::{BenchmarkId, Throughput};
use noam_benches::{MadeUp, batch_shape, criterion, measures, pool};
use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::Cpu;
use noam_model::{Error, Model, Pass, Preset, Training};
use noam_schedule::Noam;

/// One step; the mean loss of its targets.
fn step(training: &mut Training<Cpu>, schedule: &Noam, made_up: &MadeUp) -> Result<f64, Error> {
    let batch = made_up.batch();
    let update_tokens = batch.target_tokens();
    let loss = training.accumulate(&batch, Pass { seed: 1, micro_batch: 0, label_smoothing: 0.1, update_tokens })?;
    match training.update(schedule, f64::INFINITY)?.outcome {
        Outcome::Applied { finite: true, .. } => Ok(loss.sum / loss.tokens as f64),
        outcome => panic!("{outcome:?}"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = criterion();
    let all = [Preset::Micro, Preset::Tiny, Preset::Small, Preset::Base];
    for &preset in if measures() { &all[..] } else { &all[..2] } {
        let (b, t) = batch_shape(preset);
        let config = preset.config();
        let schedule = Noam::new(config.d_model as u64, 4000, 1.0)?;
        let batches: Vec<MadeUp> = (0..4).map(|seed| MadeUp::new(b, t, config.vocab_size, seed)).collect();
        let mut group = criterion.benchmark_group("training_step");
        group.throughput(Throughput::Elements((2 * b * t) as u64)).sample_size(10);
        let id = BenchmarkId::from_parameter(format!("{preset}_B{b}_S{t}_T{t}/f32/cpu"));
        group.bench_function(id, |bencher| {
            let mut training = Model::new(Cpu::new(), config.clone(), 1)
                .and_then(|model| Training::new(model, adam::Config::default()))
                .unwrap_or_else(|e| panic!("{e}"));
            pool().install(|| {
                let mut next = (0..4).cycle();
                let mut step = || {
                    let made_up = &batches[next.next().unwrap_or(0)];
                    step(&mut training, &schedule, made_up).unwrap_or_else(|e| panic!("{e}"))
                };
                // Before it has learned anything, a model is about as good as guessing.
                let (loss, guess) = (step(), (config.vocab_size as f64).ln());
                assert!((loss - guess).abs() < 0.2 * guess, "loss {loss}, guessing {guess}");
                bencher.iter(step);
            });
        });
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}
