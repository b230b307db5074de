//! One update.

use super::state::{Guided, Rule};
use super::{MAX_SKIPPED, Trainer, observer::Observer};
use crate::Error;
use crate::batch::{Batch, Stream};
use crate::run::{Number, Record, StepRecord};
use noam_kernels::adam::Outcome;
use noam_kernels::device::Device;
use noam_model::Pass;
use noam_schedule::feedback::Signal;
use noam_schedule::{Schedule, Step};
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// A batch as the model takes it.
pub(super) fn view(batch: &Batch) -> noam_model::Batch<'_> {
    noam_model::Batch {
        src: &batch.src,
        src_lengths: &batch.src_lengths,
        tgt_in: &batch.tgt_in,
        tgt_out: &batch.tgt_out,
        tgt_lengths: &batch.tgt_lengths,
        s: batch.s,
        t: batch.t,
    }
}

impl<D: Device> Trainer<'_, D> {
    /// Takes the next batches and makes one update, or skips it if the gradients are not finite.
    pub(super) fn step_once(&mut self, stream: &mut Stream<'_>, observer: &mut dyn Observer) -> Result<(), Error> {
        let began = Instant::now();
        if self.manifest.result.take().is_some() {
            // The run goes on after its end: what was chosen then is no longer the result.
            self.manifest.write(self.storage, &self.run)?;
        }
        // Filled while the last update was under way, but for the first.
        if !std::mem::take(&mut self.filled) {
            self.fill(stream);
        }
        let batched = Instant::now();
        let attempt = self.training.updates() + 1;
        let tokens: usize = self.micro.iter().map(|batch| batch.target_tokens).sum();
        #[cfg(test)]
        if let Some(fault) = &mut self.fault {
            fault.before_passes(attempt, &mut self.training);
        }
        for (i, batch) in self.micro.iter().enumerate() {
            let pass = Pass {
                seed: self.config.training.seed,
                micro_batch: i as u16,
                label_smoothing: self.config.training.label_smoothing as f32,
                update_tokens: tokens,
            };
            self.training.enqueue(&view(batch), pass)?;
        }
        let passed = Instant::now();
        self.profile.passes += passed - batched;
        #[cfg(test)]
        if let Some(fault) = &mut self.fault {
            fault.before_update(attempt, &mut self.training);
        }
        #[cfg(test)]
        if let Some(sweep) = &mut self.sweep {
            sweep.before_update(attempt, &mut self.training);
        }
        self.learn_rate()?;
        let guided =
            Guided { schedule: self.config.schedule, factor: self.state.feedback.as_ref().map_or(1.0, Rule::factor) };
        let clip = match self.config.training.clip_norm {
            0.0 => f64::INFINITY,
            norm => norm,
        };
        // Too large a scale of the loss may be all that is wrong with the gradients; it falls by skipped updates.
        let falls = self.training.loss_scale().is_some_and(|scale| scale.can_fall());
        let update = self.training.enqueue_update(&guided, clip)?;
        let position = stream.position();
        let filling = self.fill(stream);
        self.filled = true;
        let update = self.training.finish_update(update)?;
        self.profile.updates += passed.elapsed() - filling;
        let loss = update.loss / tokens as f64;
        #[cfg(test)]
        let loss = self.fault.as_ref().map_or(loss, |fault| fault.loss(attempt, loss));
        if !loss.is_finite() {
            self.diverged(attempt, loss, None)?;
            return Err(Error::Diverged { step: attempt, loss });
        }
        self.state.position = position;
        let grad_norm = Number(update.grad_norm);
        match update.outcome {
            Outcome::Applied { step, rate, finite: true } => {
                self.state.skipped = 0;
                self.state.tokens += tokens as u64;
                let record = StepRecord {
                    step: step.get(),
                    loss: Number(loss),
                    rate,
                    grad_norm,
                    tokens,
                    total_tokens: self.state.tokens,
                    tokens_per_s: tokens as f64 / began.elapsed().as_secs_f64(),
                    seconds: self.clock.elapsed().as_secs_f64(),
                    epoch: self.state.position.epoch,
                    factor: self.state.feedback.as_ref().map(Rule::factor),
                };
                observer.on_step(&record);
                self.metrics.write(self.storage, &Record::Step(record))
            }
            Outcome::Applied { step, .. } => {
                self.diverged(step.get(), loss, Some(update.grad_norm))?;
                Err(Error::Poisoned { step: step.get(), what: self.first_not_finite()? })
            }
            Outcome::Skipped { norm } => {
                self.state.skipped += u64::from(!falls);
                let record = Record::Skipped { step: attempt, loss: Number(loss), grad_norm: Number(norm) };
                self.metrics.write(self.storage, &record)?;
                let count = self.state.skipped;
                let then = match self.training.loss_scale() {
                    Some(scale) if falls => format!("the loss is scaled by {} from now on", scale.scale()),
                    _ => format!("{count} in a row; the run ends at {MAX_SKIPPED}"),
                };
                observer.on_message(&format!("step {attempt}: skipped, the gradients' norm is {norm} ({then})"));
                if count >= MAX_SKIPPED {
                    self.metrics.flush(self.storage, true)?;
                    return Err(Error::Skipped { count, norm, step: attempt });
                }
                Ok(())
            }
        }
    }

    /// Makes the batches of an update, those that the stream has next; returns the time that it took.
    fn fill(&mut self, stream: &mut Stream<'_>) -> Duration {
        let began = Instant::now();
        for batch in &mut self.micro {
            batch.fill(&self.data.train, stream.next_batch(), 1);
        }
        let took = began.elapsed();
        self.profile.batches += took;
        took
    }

    /// Writes down the true values of a step that ends the run.
    pub(super) fn diverged(&mut self, step: u64, loss: f64, grad_norm: Option<f64>) -> Result<(), Error> {
        let record = Record::Diverged { step, loss: Number(loss), grad_norm: grad_norm.map(Number) };
        self.metrics.write(self.storage, &record)?;
        self.metrics.flush(self.storage, true)
    }

    /// Names the first value that is not finite.
    fn first_not_finite(&self) -> Result<String, Error> {
        let values = self.values()?;
        for (values, kind) in values.iter().zip(["weight", "1st moment", "2nd moment"]) {
            if let Some(at) = values.iter().position(|value| !value.is_finite()) {
                let entries = self.layout.entries();
                let entry = &entries[entries.partition_point(|entry| entry.offset <= at).saturating_sub(1)];
                return Ok(format!("value {} of {} ({kind}, {})", at - entry.offset, entry.name, values[at]));
            }
        }
        Ok("a value".into())
    }

    /// Shows the gradient to the hypergradient rule, if there is one. The first update has no direction before it, and a
    /// gradient that is not finite teaches nothing: its update will be skipped.
    fn learn_rate(&mut self) -> Result<(), Error> {
        let Some(Rule::Hypergradient(mut rule)) = self.state.feedback else { return Ok(()) };
        let Ok(last) = Step::new(self.training.updates()) else { return Ok(()) };
        let rate = self.config.schedule.rate(last);
        let signal = self.signal(last, rate)?;
        if signal.dot.is_finite() && signal.gradient_norm.is_finite() {
            rule.observe(signal)?;
            self.state.feedback = Some(Rule::Hypergradient(rule));
        }
        Ok(())
    }

    /// The gradient against the last update's direction, that times the schedule's rate, as [`Hypergradient`](noam_schedule::feedback::Hypergradient) asks for when
    /// it learns a factor. Sums in f64 over chunks of 4096 values, and over the chunks in order.
    fn signal(&mut self, last: Step, rate: f64) -> Result<Signal, Error> {
        const CHUNK: usize = 4096;
        let adam = self.config.adam();
        let [g, m, v] = &mut self.buffers;
        self.training.read_gradients(g)?;
        self.training.read_moments(m, v)?;
        let (c1, c2) = (correction(adam.beta1, last), correction(adam.beta2, last));
        let sums: Vec<[f64; 3]> = g
            .par_chunks(CHUNK)
            .zip(m.par_chunks(CHUNK).zip(v.par_chunks(CHUNK)))
            .map(|(g, (m, v))| {
                let mut sums = [0.0; 3];
                for ((&g, &m), &v) in g.iter().zip(m).zip(v) {
                    let g = f64::from(g);
                    let direction = f64::from(m) / c1 / ((f64::from(v) / c2).sqrt() + adam.epsilon);
                    sums[0] += g * direction;
                    sums[1] += g * g;
                    sums[2] += direction * direction;
                }
                sums
            })
            .collect();
        let [dot, gradient, direction] =
            sums.iter().fold([0.0; 3], |total, sums| [0, 1, 2].map(|i| total[i] + sums[i]));
        Ok(Signal { dot: rate * dot, gradient_norm: gradient.sqrt(), direction_norm: rate * direction.sqrt() })
    }
}

/// `1 - beta^step`, the power by squaring.
fn correction(beta: f64, step: Step) -> f64 {
    let (mut power, mut square, mut n) = (1.0, beta, step.get());
    while n > 0 {
        if n & 1 == 1 {
            power *= square;
        }
        square *= square;
        n >>= 1;
    }
    1.0 - power
}
