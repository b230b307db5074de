//! The pictures in a run folder: loss.svg, rate.svg and attention.svg.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Result;
use noam_kernels::device::Device;
use noam_model::AttentionKind;
use noam_train::Trainer;
use noam_train::config::Search;
use noam_train::run::{METRICS_FILE, Record, StepRecord, ValidRecord, read_metrics};
use noam_train::storage::Disk;
use noam_train::translate::{self, Attention, Select, Translation, open_run};

use crate::figures;
use crate::output::write_text;
use crate::svg::{Section, readable};

/// The picture of the losses.
pub const LOSS_FILE: &str = "loss.svg";
/// The picture of the rates.
pub const RATE_FILE: &str = "rate.svg";
/// The picture of the attention weights.
pub const ATTENTION_FILE: &str = "attention.svg";

/// With more parameters than this, attention.svg is drawn at the end only: reading a checkpoint for it would take longer
/// than a few steps, and as much memory as the model once more.
const DRAWN_IN_TRAINING: usize = 20_000_000;

/// Losses and rates of a run so far.
#[derive(Debug, Default)]
pub struct Curves {
    run: PathBuf,
    /// What the run is, for under the titles.
    about: String,
    /// The label smoothing of the training loss; the validation loss has none.
    smoothing: f64,
    train: Vec<(f64, f64)>,
    rates: Vec<(f64, f64)>,
    valid: Vec<(f64, f64)>,
}

impl Curves {
    /// Those of a run folder up to `step`, from its metrics.
    ///
    /// # Errors
    /// If there are metrics and they cannot be read.
    pub fn of_run(run: &Path, about: String, smoothing: f64, step: u64) -> Result<Self> {
        let mut curves = Self { run: run.to_path_buf(), about, smoothing, ..Self::default() };
        if step > 0 && run.join(METRICS_FILE).exists() {
            for record in read_metrics(&Disk, run)?.into_iter().filter(|record| record.step() <= step) {
                match record {
                    Record::Step(record) => curves.step(&record),
                    Record::Valid(record) => curves.validation(&record),
                    _ => {}
                }
            }
        }
        Ok(curves)
    }

    /// Adds an update.
    pub fn step(&mut self, record: &StepRecord) {
        self.train.push((record.step as f64, record.loss.0));
        self.rates.push((record.step as f64, record.rate));
    }

    /// Adds a validation. One that is made again after a resume takes the old one's place.
    pub fn validation(&mut self, record: &ValidRecord) {
        let step = record.step as f64;
        self.valid.retain(|&(known, _)| known != step);
        self.valid.push((step, record.loss.0));
    }

    /// Writes loss.svg and rate.svg; nothing before the first step.
    ///
    /// # Errors
    /// An error in writing.
    pub fn write(&self) -> Result<()> {
        let Some(&(last, _)) = self.train.last() else { return Ok(()) };
        let subtitle = format!("{}, step {}", self.about, readable(last, 20));
        let smoothed = match self.smoothing {
            0.0 => String::new(),
            smoothing => format!("; training with label smoothing {smoothing}, validation without"),
        };
        let loss = figures::loss("Loss", &format!("{subtitle}{smoothed}"), &self.train, &self.valid);
        write_text(Some(&self.run.join(LOSS_FILE)), &loss)?;
        write_text(Some(&self.run.join(RATE_FILE)), &figures::rate("Learning rate", &subtitle, &self.rates))
    }
}

/// Draws the attention of a run to its first test sentence.
#[derive(Debug)]
pub struct Viewer {
    run: PathBuf,
    sentence: Option<String>,
    in_training: bool,
}

impl Viewer {
    /// For a run; its test sentences are those to validate with if it has no others.
    pub fn new<D: Device>(trainer: &Trainer<'_, D>) -> Self {
        let set = trainer.data().test.as_ref().unwrap_or(&trainer.data().valid);
        Self {
            run: trainer.run_dir().to_path_buf(),
            sentence: set.text.src.get(0).map(str::to_owned),
            in_training: trainer.manifest().parameters <= DRAWN_IN_TRAINING,
        }
    }

    /// Writes attention.svg by the weights of a checkpoint; nothing for a large model.
    ///
    /// # Errors
    /// A checkpoint that cannot be read; an error in writing.
    pub fn draw_checkpoint(&self, step: u64) -> Result<()> {
        let Some(sentence) = self.sentence.as_ref().filter(|_| self.in_training) else { return Ok(()) };
        // One thread: the others belong to the training.
        let mut opened = open_run(&Disk, &self.run, Select::Step(step), Some(1))?;
        let attention = opened.attention(sentence, None)?;
        self.write(&attention, &format!("step {}", readable(step as f64, 20)))
    }

    /// Writes attention.svg by the weights of the run as they are now: those chosen at the end, or those in training;
    /// nothing before the first step.
    ///
    /// # Errors
    /// [`noam_train::Error`] for a sentence that the model has no positions for; an error in writing.
    pub fn draw<D: Device>(&self, trainer: &Trainer<'_, D>) -> Result<()> {
        let Some(sentence) = self.sentence.as_ref().filter(|_| trainer.step() > 0) else { return Ok(()) };
        let (model, tokenizer) = (trainer.model(), trainer.tokenizer());
        let mut source = tokenizer.encode(sentence)?;
        // One position is for the end.
        source.truncate(model.config().max_len - 1);
        let greedy = Search { beam: 1, ..trainer.config().search };
        let never = AtomicBool::new(false);
        let translated = translate::translate(model, tokenizer, &[&source], &greedy, &never)?;
        let Translation { mut tokens, .. } = translated.and_then(|mut all| all.pop()).unwrap_or_default();
        tokens.truncate(model.config().max_len - 1);
        let attention = translate::attention(model, tokenizer, source, tokens)?;
        let weights = match &trainer.manifest().result {
            Some(result) => result.model.to_string(),
            None => format!("step {}", readable(trainer.step() as f64, 20)),
        };
        self.write(&attention, &weights)
    }

    fn write(&self, attention: &Attention, weights: &str) -> Result<()> {
        write_text(Some(&self.run.join(ATTENTION_FILE)), &attention_svg(attention, weights)?)
    }
}

/// The picture of a sentence's attention weights: three sections, one panel a head, one line a layer.
///
/// # Errors
/// None is known for what [`translate::attention`] returns.
pub fn attention_svg(attention: &Attention, weights: &str) -> Result<String> {
    let (source, target, read) = (labels(&attention.source), labels(&attention.target), labels(&attention.read));
    let sections = [
        (AttentionKind::Encoder, "Encoder: source looks at source", &source, &source),
        (
            AttentionKind::Decoder,
            "Decoder: what is predicted (rows) looks at what was written (columns)",
            &target,
            &read,
        ),
        (AttentionKind::Cross, "Cross: what is predicted (rows) looks at the source (columns)", &target, &source),
    ];
    let sections = sections.into_iter().map(|(kind, title, rows, columns)| {
        let maps = || attention.maps.iter().filter(move |map| map.kind == kind);
        let panels = maps().flat_map(|map| {
            let heads = map.weights.chunks(map.queries * map.keys).enumerate();
            heads.map(|(head, weights)| crate::svg::Panel {
                name: format!("layer {}, head {}", map.layer + 1, head + 1),
                weights: weights.to_vec(),
            })
        });
        Section {
            title: title.to_owned(),
            rows: rows.clone(),
            columns: columns.clone(),
            per_line: maps().next().map_or(1, |map| map.heads),
            panels: panels.collect(),
        }
    });
    let sentence: String = attention.source[..attention.source.len() - 1].concat();
    let subtitle = format!("{} → {} ({weights})", sentence.replace('▁', " ").trim(), attention.text);
    figures::attention("Attention", &subtitle, sections.collect())
}

/// Subwords for people: a word begins as it is written, and what goes on within a word has a middle dot before it. Marks
/// and the scripts from U+2E80 on, which are written without spaces, need none.
fn labels(tokens: &[String]) -> Vec<String> {
    tokens.iter().map(|token| label(token)).collect()
}

fn label(token: &str) -> String {
    match token.strip_prefix('▁') {
        Some("") => "␣".to_owned(),
        Some(word) => word.to_owned(),
        None if token.starts_with(|c: char| c.is_alphanumeric() && c < '\u{2e80}') => format!("·{token}"),
        None => token.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subwords_are_shown_readably() {
        let shown = |token: &str| label(token);
        assert_eq!(
            ["▁Haus", "tür", "▁", "</s>", ".", "狗", "7"].map(shown),
            ["Haus", "·tür", "␣", "</s>", ".", "狗", "·7"]
        );
    }
}
