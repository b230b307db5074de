//! Validation: the loss, BLEU of greedy translations, and what follows from them.

use super::state::{Best, Rule};
use super::step::view;
use super::{Trainer, observer::Observer};
use crate::config::Search;
use crate::run::{Number, Record, ValidRecord};
use crate::translate::{score, sources, translate};
use crate::{Error, batch};
use noam_kernels::device::Device;
use noam_model::{Inference, Model};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

impl<D: Device> Trainer<'_, D> {
    /// Validates, unless `stop` is set on the way: then nothing has changed, and the result is false.
    pub(super) fn validate(&mut self, observer: &mut dyn Observer, stop: &AtomicBool) -> Result<bool, Error> {
        let began = Instant::now();
        let step = self.step();
        observer.on_valid_start(step);
        let Some(loss) = self.valid_loss(None, stop)? else { return Ok(false) };
        if !loss.is_finite() {
            self.diverged(step, loss, None)?;
            return Err(Error::Diverged { step, loss });
        }
        let Some(bleu) = self.valid_bleu(stop)? else { return Ok(false) };

        let best = self.state.best.is_none_or(|best| loss < best.loss);
        if best {
            self.state.best = Some(Best { step, loss });
            self.state.stale = 0;
        } else {
            self.state.stale += 1;
        }
        if let Some(Rule::Plateau(rule)) = &mut self.state.feedback {
            rule.observe(loss)?;
        }
        self.state.validated = step;
        self.last_valid = Some((step, loss));
        self.profile.validations += began.elapsed();
        let record = ValidRecord {
            step,
            loss: Number(loss),
            ppl: Number(loss.exp()),
            bleu: bleu.map(Number),
            best,
            seconds: began.elapsed().as_secs_f64(),
        };
        observer.on_valid(&record);
        self.metrics.write(self.storage, &Record::Valid(record))?;
        Ok(true)
    }

    /// Cross-entropy of the validation set, without label smoothing, in nats a token; by another model's weights if one is
    /// given. None if `stop` was set.
    pub(super) fn valid_loss(&mut self, model: Option<&Model<D>>, stop: &AtomicBool) -> Result<Option<f64>, Error> {
        let model = model.unwrap_or(self.training.model());
        let mut inference = Inference::new(model.device())?;
        let (mut sum, mut tokens) = (0.0, 0);
        let smoothing = self.config.training.label_smoothing as f32;
        for indices in self.valid_batches.in_order().iter() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let batch: &mut batch::Batch = &mut self.valid_batch;
            batch.fill(&self.data.valid.examples, indices, 1);
            let loss = inference.evaluate(model, &view(batch), smoothing)?;
            sum += loss.nll;
            tokens += loss.tokens;
        }
        Ok(Some(sum / tokens as f64))
    }

    /// BLEU of the first sentences; the inner option is none if no sentences are asked for, the outer if `stop` was set.
    fn valid_bleu(&self, stop: &AtomicBool) -> Result<Option<Option<f64>>, Error> {
        let valid = &self.data.valid;
        let count = self.config.training.valid_bleu.min(valid.examples.len());
        if count == 0 {
            return Ok(Some(None));
        }
        let greedy = Search { beam: 1, ..Search::default() };
        let sources = sources(&valid.examples[..count]);
        let translated = translate(self.training.model(), &self.data.tokenizer, &sources, &greedy, stop)?;
        let Some(translations) = translated else { return Ok(None) };
        let references: Vec<&str> = valid.text.tgt.iter().take(count).collect();
        Ok(Some(Some(score(&translations, &references, self.config.tokenization())?.score)))
    }
}
