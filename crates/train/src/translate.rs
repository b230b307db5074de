//! Translations with a trained model: of lines, of test sets, and what the model looked at.

use crate::batch::Example;
use crate::bleu::{self, Score, Tokenization};
use crate::checkpoint;
use crate::config::{RunConfig, Search};
use crate::data::hex;
use crate::run::{self, Chosen, Manifest};
use crate::storage::Storage;
use crate::tokenizer::{EOS, Tokenizer};
use crate::{Error, memory, threads};
use noam_kernels::device::{Cpu, Device};
use noam_model::{AttentionMap, Model, Translator, attention_maps};
use rayon::ThreadPool;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Source tokens of a batch of translations, padding included, and rows of it: hypotheses of all its sentences.
const BATCH_TOKENS: usize = 4096;
const BATCH_ROWS: usize = 256;

/// What a sentence takes while it is translated and scored, besides its text and tokens, rather too much than too little.
const SENTENCE_BYTES: u64 = 400;

/// Which weights of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Select {
    /// Those that the run chose at its end; while it goes on, those of its best checkpoint so far.
    #[default]
    Best,
    /// Those of the newest checkpoint.
    Newest,
    /// Those of the checkpoint of this step.
    Step(u64),
}

/// A run opened for use.
#[derive(Debug)]
pub struct Opened {
    /// Its configuration.
    pub config: RunConfig,
    /// Its manifest.
    pub manifest: Manifest,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its model.
    pub model: Model<Cpu>,
    /// Which weights these are.
    pub chosen: Chosen,
    /// What the user should know: checkpoints that were refused, and why.
    pub notes: Vec<String>,
    pool: ThreadPool,
}

/// A translated sentence, as text and as tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translation {
    /// The text.
    pub text: String,
    /// Source tokens, with their end; cut if the source was too long for the model.
    pub source: Vec<u32>,
    /// The translation's tokens, without an end.
    pub tokens: Vec<u32>,
    /// The search's score.
    pub score: f64,
}

/// The attention weights of a sentence, with the words for its axes.
#[derive(Clone, Debug)]
pub struct Attention {
    /// Source subwords and the end, as they are written in the vocabulary.
    pub source: Vec<String>,
    /// Target subwords and the end: what each row predicts.
    pub target: Vec<String>,
    /// What the decoder read in each row: the beginning, then the target without its end.
    pub read: Vec<String>,
    /// The translation that the target spells.
    pub text: String,
    /// Every attention of every layer.
    pub maps: Vec<AttentionMap>,
}

/// Opens a run folder for translating, on `threads` threads (none: as many as there are processors). Nothing in the folder
/// changes; a run that is going on may be opened.
///
/// # Errors
/// [`Error::NotARun`]; [`Error::RunFile`], [`Error::Tokenizer`], [`Error::Checkpoint`] for files that are missing or damaged;
/// [`Error::Memory`].
pub fn open_run(
    storage: &dyn Storage,
    run: &Path,
    select: Select,
    thread_count: Option<usize>,
) -> Result<Opened, Error> {
    let config = run::read_config(storage, run)?;
    let manifest = run::read_manifest(storage, run)?;
    let tokenizer = Tokenizer::load(&run.join(run::TOKENIZER_FILE))?;
    let model_config = noam_model::Config { vocab_size: tokenizer.vocab_size(), ..config.model.clone() };
    let layout = layout(&model_config)?;
    let values = 4 * layout.len() as u64 + 3 * (model_config.max_len * model_config.d_model) as u64;
    memory::ask("this model", 4 * values)?;
    let mut notes = Vec::new();
    let (values, chosen) = match (select, &manifest.result) {
        (Select::Best, Some(result)) => {
            let path = run.join(run::MODEL_FILE);
            let values = checkpoint::load_model(storage, &path, &layout)?;
            if digest(&values) != result.model_sha256 {
                let problem = "its SHA-256 is not the one in manifest.json: it is damaged or from another run; use a \
                               checkpoint instead";
                return Err(Error::RunFile { path, problem: problem.into() });
            }
            (values, result.model.clone())
        }
        (Select::Step(step), _) => {
            let all = checkpoint::list(storage, run)?;
            let path = all.iter().find(|(s, _)| *s == step).map(|(_, path)| path.clone());
            let path = path.ok_or_else(|| {
                let steps: Vec<String> = all.iter().map(|(step, _)| step.to_string()).collect();
                let problem = format!("there is no checkpoint of step {step}; there are: {}", steps.join(", "));
                Error::RunFile { path: run.join(checkpoint::FOLDER), problem }
            })?;
            (checkpoint::load_weights(storage, &path, &layout)?.params, Chosen::Checkpoint { step })
        }
        (Select::Best | Select::Newest, _) => {
            let latest = checkpoint::load_latest::<crate::trainer::State>(storage, run, &layout)?;
            notes.extend(refusals(&latest.refused));
            let newest = latest.checkpoint;
            let best = newest.state.best.filter(|best| select == Select::Best && best.step != newest.step);
            let all = checkpoint::list(storage, run)?;
            match best.and_then(|best| all.into_iter().find(|(step, _)| *step == best.step)) {
                Some((step, path)) => {
                    (checkpoint::load_weights(storage, &path, &layout)?.params, Chosen::Checkpoint { step })
                }
                None => (newest.params, Chosen::Checkpoint { step: newest.step }),
            }
        }
    };
    let model = Model::from_values(Cpu::new(), model_config, &values)?;
    Ok(Opened { config, manifest, tokenizer, model, chosen, notes, pool: threads(thread_count)? })
}

/// What to say of checkpoints that were refused.
pub(crate) fn refusals(refused: &[(std::path::PathBuf, checkpoint::Error)]) -> Vec<String> {
    refused
        .iter()
        .map(|(path, error)| format!("{} was refused: {}", path.display(), checkpoint::chain(error)))
        .collect()
}

/// A model's parameters as checkpoints name them.
pub(crate) fn layout(config: &noam_model::Config) -> Result<checkpoint::Layout, Error> {
    config.validate()?;
    let layout = noam_model::Layout::new(config);
    let entries = layout.entries().iter().map(|entry| {
        let noam_model::Entry { name, shape, offset } = entry.clone();
        checkpoint::Entry { name, shape, offset }
    });
    Ok(checkpoint::Layout::new(entries.collect())?)
}

/// SHA-256 of values as they lie in files.
pub(crate) fn digest(values: &[f32]) -> String {
    let mut sha = Sha256::new();
    let mut bytes = Vec::new();
    for chunk in values.chunks(4096) {
        bytes.clear();
        chunk.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        sha.update(&bytes);
    }
    hex(&sha.finalize())
}

impl Opened {
    /// Translates lines, each a sentence; blank ones stay blank.
    ///
    /// # Errors
    /// [`Error::TooLong`] for a line that the model has no positions for, [`Error::Model`] for settings it cannot search with.
    pub fn translate<S: AsRef<str>>(&mut self, lines: &[S], search: &Search) -> Result<Vec<Translation>, Error> {
        let sources = lines.iter().map(|line| self.tokenizer.encode(line.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let limit = self.model.config().max_len;
        if let Some(line) = sources.iter().position(|source| source.len() + 1 > limit) {
            return Err(Error::TooLong { line: line + 1, tokens: sources[line].len() + 1, limit });
        }
        let sources: Vec<&[u32]> = sources.iter().map(Vec::as_slice).collect();
        let never = AtomicBool::new(false);
        self.in_pool(|model, tokenizer| Ok(translate(model, tokenizer, &sources, search, &never)?.unwrap_or_default()))
    }

    /// Translates sentences and scores them against their references. Sources that are too long for the model are cut.
    ///
    /// # Errors
    /// [`Error::Bleu`] for unequal numbers; [`Error::Memory`]; those of [`Opened::translate`] but [`Error::TooLong`].
    pub fn evaluate<S: AsRef<str>, R: AsRef<str>>(
        &mut self,
        sources: &[S],
        references: &[R],
        search: &Search,
        tokenization: Option<Tokenization>,
    ) -> Result<(Score, Vec<Translation>), Error> {
        memory::ask("this many translations", sources.len() as u64 * SENTENCE_BYTES)?;
        let encoded = sources.iter().map(|line| self.tokenizer.encode(line.as_ref())).collect::<Result<Vec<_>, _>>()?;
        let encoded: Vec<&[u32]> = encoded.iter().map(Vec::as_slice).collect();
        let never = AtomicBool::new(false);
        let translated = self.in_pool(|model, tokenizer| translate(model, tokenizer, &encoded, search, &never))?;
        let translations = translated.unwrap_or_default();
        let tokenization = tokenization.unwrap_or_else(|| self.config.tokenization());
        Ok((score(&translations, references, tokenization)?, translations))
    }

    /// The attention weights of a sentence and a target, by default the model's greedy translation.
    ///
    /// # Errors
    /// As [`Opened::translate`]; [`Error::NoSentence`] for a blank sentence.
    pub fn attention(&mut self, text: &str, target: Option<&str>) -> Result<Attention, Error> {
        let target = match target {
            Some(target) => self.tokenizer.encode(target)?,
            None => {
                let greedy = Search { beam: 1, ..self.config.search };
                self.translate(&[text], &greedy)?.pop().unwrap_or_default().tokens
            }
        };
        let source = self.tokenizer.encode(text)?;
        self.in_pool(|model, tokenizer| attention(model, tokenizer, source, target))
    }

    /// Runs `f` on the threads that were asked for. A model may change threads, but not be shared between them.
    fn in_pool<R: Send>(&mut self, f: impl FnOnce(&Model<Cpu>, &Tokenizer) -> R + Send) -> R {
        let Opened { model, tokenizer, pool, .. } = self;
        let model: &mut Model<Cpu> = model;
        pool.install(move || f(model, tokenizer))
    }
}

/// The attention weights of a pair of sentences, both as tokens without an end. On the ambient rayon pool.
///
/// # Errors
/// [`Error::NoSentence`] for an empty source, [`Error::Model`] for one that is too long.
pub fn attention<D: Device>(
    model: &Model<D>,
    tokenizer: &Tokenizer,
    mut source: Vec<u32>,
    mut target: Vec<u32>,
) -> Result<Attention, Error> {
    if source.is_empty() {
        return Err(Error::NoSentence { what: "attention" });
    }
    let text = tokenizer.decode(&target);
    source.push(EOS);
    target.push(EOS);
    let maps = attention_maps(model, &source, &target)?;
    let names = |ids: &[u32]| ids.iter().map(|&id| tokenizer.token(id).to_owned()).collect::<Vec<_>>();
    let (source, target) = (names(&source), names(&target));
    let begin = tokenizer.token(crate::tokenizer::BOS).to_owned();
    let read = std::iter::once(begin).chain(target[..target.len() - 1].iter().cloned()).collect();
    Ok(Attention { source, target, read, text, maps })
}

/// BLEU of translations.
///
/// # Errors
/// [`Error::Bleu`].
pub fn score<R: AsRef<str>>(
    translations: &[Translation],
    references: &[R],
    tokenization: Tokenization,
) -> Result<Score, Error> {
    let options = bleu::Options { tokenization, ..bleu::Options::default() };
    let texts: Vec<&str> = translations.iter().map(|translation| translation.text.as_str()).collect();
    Ok(bleu::corpus(&texts, references, &options)?)
}

/// Translates tokenised sentences, without their ends, in batches of like length; none if `stop` was set on the way. On the
/// ambient rayon pool.
///
/// A source that is too long for the model is cut. A translation has at most twice as many tokens as its source and ten,
/// and at most [`Search::max_tokens`].
///
/// # Errors
/// [`Error::Model`] for settings that cannot be searched with, or weights that make NaN.
pub fn translate<D: Device>(
    model: &Model<D>,
    tokenizer: &Tokenizer,
    sources: &[&[u32]],
    search: &Search,
    stop: &AtomicBool,
) -> Result<Option<Vec<Translation>>, Error> {
    let max_len = model.config().max_len;
    let mut results = vec![Translation::default(); sources.len()];
    for (result, source) in results.iter_mut().zip(sources) {
        result.source = source[..source.len().min(max_len - 1)].to_vec();
        result.source.push(EOS);
    }
    let mut order: Vec<usize> = (0..sources.len()).filter(|&i| !sources[i].is_empty()).collect();
    order.sort_by_key(|&i| results[i].source.len());
    let mut translator = Translator::new(model)?;
    let mut rest = order.as_slice();
    while let Some(&first) = rest.first() {
        if stop.load(Ordering::Relaxed) {
            return Ok(None);
        }
        // As the sentences are sorted, only the last one's length counts.
        let fits = |n: usize| n * results[rest[n - 1]].source.len() <= BATCH_TOKENS && n * search.beam <= BATCH_ROWS;
        let count = (1..=rest.len()).take_while(|&n| n == 1 || fits(n)).last().unwrap_or(1);
        let (now, later) = rest.split_at(count);
        rest = later;
        let longest = now.last().map_or(results[first].source.len(), |&i| results[i].source.len());
        let settings = noam_model::Search {
            beam: search.beam,
            max_tokens: most_tokens(longest, search, max_len),
            length_penalty: search.length_penalty,
        };
        let batch: Vec<&[u32]> = now.iter().map(|&i| results[i].source.as_slice()).collect();
        let hypotheses = translator.translate(&batch, &settings)?;
        for (&i, hypothesis) in now.iter().zip(hypotheses) {
            let result = &mut results[i];
            (result.tokens, result.score) = (hypothesis.tokens, hypothesis.score);
            result.tokens.truncate(most_tokens(result.source.len(), search, max_len));
            result.text = tokenizer.decode(&result.tokens);
        }
    }
    Ok(Some(results))
}

fn most_tokens(source: usize, search: &Search, max_len: usize) -> usize {
    (2 * source + 10).min(search.max_tokens).min(max_len)
}

/// The sources of examples.
pub(crate) fn sources(examples: &[Example]) -> Vec<&[u32]> {
    examples.iter().map(|example| example.src.as_slice()).collect()
}
