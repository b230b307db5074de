//! The end of a run: which weights to use, and how well they translate.

use super::{Trainer, observer::Observer};
use crate::bleu::Score;
use crate::data::Set;
use crate::run::{self, Chosen, Number, Record, RunResult};
use crate::translate::{Translation, digest, score, sources, translate};
use crate::{Error, checkpoint};
use noam_kernels::device::Device;
use noam_model::Model;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// How well the chosen weights translate the test set.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether it is the test set; else there is none and it is the validation set.
    pub is_test: bool,
    /// BLEU.
    pub score: Score,
    /// Sources, in order.
    pub sources: Vec<String>,
    /// References.
    pub references: Vec<String>,
    /// Translations.
    pub translations: Vec<Translation>,
}

impl<D: Device> Trainer<'_, D> {
    /// Chooses among the best checkpoint, the last and the mean of the last ones by validation loss, and writes the weights
    /// to use. None if `stop` was set on the way.
    pub(super) fn finish(
        &mut self,
        observer: &mut dyn Observer,
        stop: &AtomicBool,
    ) -> Result<Option<RunResult>, Error> {
        let began = Instant::now();
        let step = self.step();
        let mut candidates = Vec::new();
        let last = match self.last_valid {
            Some((validated, loss)) if validated == step => Some(loss),
            _ => self.valid_loss(None, stop)?,
        };
        let Some(last) = last else { return Ok(None) };
        candidates.push((last, Chosen::Checkpoint { step }, None));
        let saved = checkpoint::list(self.storage, &self.run)?;
        let of_step = |step: u64| saved.iter().find(|(s, _)| *s == step).map(|(_, path)| path.clone());
        if let Some(best) = self.state.best.filter(|best| best.step != step)
            && let Some(path) = of_step(best.step)
        {
            candidates.push((best.loss, Chosen::Checkpoint { step: best.step }, Some(path)));
        }
        let mut average = None;
        let steps = self.steps_to_average();
        let paths: Vec<PathBuf> = steps.iter().filter_map(|&step| of_step(step)).collect();
        if paths.len() == steps.len() && steps.len() > 1 {
            let values = checkpoint::average(self.storage, &paths, &self.layout)?;
            let model = self.model_of(&values)?;
            let Some(loss) = self.valid_loss(Some(&model), stop)? else { return Ok(None) };
            candidates.push((loss, Chosen::Average { steps }, None));
            average = Some(values);
        }
        // The earlier of equals: the last checkpoint rather than the best.
        let mut chosen = candidates.remove(0);
        for candidate in candidates {
            if candidate.0 < chosen.0 {
                chosen = candidate;
            }
        }
        let (valid_loss, what, path) = chosen;
        let values = match (&what, path, average) {
            (Chosen::Average { .. }, _, Some(values)) => values,
            (_, Some(path), _) => checkpoint::load_weights(self.storage, &path, &self.layout)?.params,
            _ => {
                let mut values = vec![0.0; self.layout.len()];
                self.training.model().read_values(&mut values)?;
                values
            }
        };
        checkpoint::save_model(self.storage, &self.run.join(run::MODEL_FILE), &self.layout, &values)?;
        self.chosen = Some(self.model_of(&values)?);
        let result = RunResult {
            step,
            tokens: self.state.tokens,
            seconds: self.clock.elapsed().as_secs_f64(),
            model: what,
            model_sha256: digest(&values),
            valid_loss,
            score: None,
            bleu: None,
        };
        self.manifest.result = Some(result.clone());
        self.manifest.write(self.storage, &self.run)?;
        self.profile.validations += began.elapsed();
        observer.on_message(&format!("model.safetensors: {}, validation loss {valid_loss:.4}", result.model));
        Ok(Some(result))
    }

    /// The last checkpoints made at intervals, and the current step's, oldest first.
    fn steps_to_average(&self) -> Vec<u64> {
        let (interval, step) = (self.config.training.checkpoint_interval, self.step());
        let before = (1..=step.saturating_sub(1) / interval).rev().map(|n| n * interval);
        let mut steps: Vec<u64> = std::iter::once(step).chain(before).take(self.config.training.average).collect();
        steps.reverse();
        steps
    }

    fn model_of(&self, values: &[f32]) -> Result<Model<D>, Error> {
        let model = self.training.model();
        Ok(Model::from_values(model.device().another(), model.config().clone(), values)?)
    }

    /// Translates the test set (without one, the validation set) with the chosen weights and scores it; the score goes into
    /// manifest and metrics. None if `stop` was set on the way.
    ///
    /// # Errors
    /// [`Error::Model`] for settings of `[search]` that the model cannot search with; [`Error::Storage`].
    pub fn test(&mut self, stop: &AtomicBool) -> Result<Option<Report>, Error> {
        let translated = self.in_pool(|trainer| {
            let set = trainer.test_set();
            let model = trainer.chosen.as_ref().unwrap_or(trainer.training.model());
            translate(model, &trainer.data.tokenizer, &sources(&set.examples), &trainer.config.search, stop)
        })?;
        let Some(translations) = translated else { return Ok(None) };
        let set = self.test_set();
        let references: Vec<String> = set.text.tgt.iter().map(str::to_owned).collect();
        let score = score(&translations, &references, self.config.tokenization())?;
        let sources = set.text.src.iter().map(str::to_owned).collect();
        let step = self.step();
        if let Some(result) = &mut self.manifest.result {
            result.score = Some(score.to_string());
            result.bleu = Some(score.score);
            self.manifest.write(self.storage, &self.run)?;
            self.metrics.write(self.storage, &Record::End { step, bleu: Some(Number(score.score)) })?;
            self.metrics.flush(self.storage, true)?;
        }
        Ok(Some(Report { is_test: self.data.test.is_some(), score, sources, references, translations }))
    }

    fn test_set(&self) -> &Set {
        self.data.test.as_ref().unwrap_or(&self.data.valid)
    }
}
