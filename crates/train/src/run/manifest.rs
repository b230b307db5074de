//! manifest.json: what was run, and what differs between two runs.

use super::{CONFIG_FILE, MANIFEST_FILE, Machine};
use crate::Error;
use crate::as_text;
use crate::config::RunConfig;
use crate::data::DataInfo;
use crate::storage::{self, Storage};
use noam_kernels::device::Precision;
use noam_schedule::{Schedule, Step};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Most bytes of a manifest that are read.
const LIMIT: u64 = 16 << 20;

/// The steps whose rates are noted: two runs with equal rates there and equal settings have equal rates.
const SAMPLE_STEPS: [u64; 13] = [1, 10, 100, 200, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 100_000, 300_000];

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this crate that started the run.
    pub version: String,
    /// The configuration.
    pub config: RunConfig,
    /// The model's vocabulary: that of the tokenizer.
    pub vocab_size: usize,
    /// The model's parameters.
    pub parameters: usize,
    /// The data.
    pub data: DataInfo,
    /// The schedule's rates at some steps.
    pub rates: Vec<Rate>,
    /// Every process that has worked on the run, oldest first.
    pub sessions: Vec<Session>,
    /// The result, once the run has ended.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub result: Option<RunResult>,
}

/// The schedule's rate at a step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// The step.
    pub step: u64,
    /// The rate.
    pub rate: f64,
}

/// A process that worked on a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// When it began: UTC, as in `2026-01-31T23:59:59Z`.
    pub began: String,
    /// The step it began after.
    pub step: u64,
    /// Version of this crate.
    pub version: String,
    /// Threads.
    pub threads: usize,
    /// What the activations were stored in.
    #[serde(with = "as_text", default)]
    pub precision: Precision,
    /// The machine.
    pub machine: Machine,
}

/// Which weights are the ones to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Chosen {
    /// Those of one checkpoint.
    Checkpoint {
        /// Its step.
        step: u64,
    },
    /// The mean of those of several.
    Average {
        /// Their steps.
        steps: Vec<u64>,
    },
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Chosen::Checkpoint { step } => write!(f, "step {step}"),
            Chosen::Average { steps } => {
                let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
                write!(f, "mean of steps {}", steps.join(", "))
            }
        }
    }
}

/// What came out of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The last step.
    pub step: u64,
    /// Target tokens trained on.
    pub tokens: u64,
    /// Seconds of training, all processes together.
    pub seconds: f64,
    /// What model.safetensors holds.
    pub model: Chosen,
    /// SHA-256 of its values.
    pub model_sha256: String,
    /// Their validation loss, in nats a token.
    pub valid_loss: f64,
    /// BLEU on the test set, or without one on the validation set, as [`crate::bleu::Score`] prints it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub score: Option<String>,
    /// The same as a number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bleu: Option<f64>,
}

impl Manifest {
    /// The manifest of a run that begins now.
    pub fn new(config: &RunConfig, vocab_size: usize, parameters: usize, data: DataInfo) -> Self {
        let last = config.training.max_steps;
        let mut steps: Vec<u64> = SAMPLE_STEPS.into_iter().chain(last).chain([config.schedule.warmup()]).collect();
        steps.sort_unstable();
        steps.dedup();
        let rate = |step: u64| Step::new(step).ok().map(|n| Rate { step, rate: config.schedule.rate(n) });
        Manifest {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            config: config.clone(),
            vocab_size,
            parameters,
            data,
            rates: steps.into_iter().filter_map(rate).collect(),
            sessions: Vec::new(),
            result: None,
        }
    }

    /// Notes the process that goes on now from `step`.
    pub fn begin_session(&mut self, step: u64, threads: usize, precision: Precision) {
        let began = utc(SystemTime::now());
        let version = env!("CARGO_PKG_VERSION").to_owned();
        self.sessions.push(Session { began, step, version, threads, precision, machine: Machine::this() });
    }

    /// Writes it into a run folder, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Storage`].
    pub fn write(&self, storage: &dyn Storage, run: &Path) -> Result<(), Error> {
        let path = run.join(MANIFEST_FILE);
        let problem = |error| Error::RunFile { path: path.clone(), problem: format!("it cannot be written: {error}") };
        let mut bytes = serde_json::to_vec_pretty(self).map_err(problem)?;
        bytes.push(b'\n');
        Ok(storage::write_atomic(storage, &path, &bytes)?)
    }
}

/// Reads the manifest of a run folder.
///
/// # Errors
/// [`Error::NotARun`] if there is no run, [`Error::RunFile`] for one that cannot be read, [`Error::Storage`].
pub fn read_manifest(storage: &dyn Storage, run: &Path) -> Result<Manifest, Error> {
    if !super::exists(storage, run)? {
        return Err(Error::NotARun { path: run.to_path_buf() });
    }
    let path = run.join(MANIFEST_FILE);
    let bytes = storage::read(storage, &path, LIMIT)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::RunFile { path, problem: format!("{error}; it was damaged or edited: restore it") })
}

/// A run folder, and its manifest if that can be read.
pub type Listed = (PathBuf, Result<Manifest, Error>);

/// The runs in a folder, by name: those folders in it that hold one.
///
/// # Errors
/// [`Error::Storage`] if the folder cannot be listed.
pub fn list(storage: &dyn Storage, folder: &Path) -> Result<Vec<Listed>, Error> {
    let mut runs = Vec::new();
    for item in storage::list_or_empty(storage, folder)? {
        let path = folder.join(&item.name);
        if item.kind == storage::Kind::Folder && storage.kind(&path.join(CONFIG_FILE)).is_ok_and(|k| k.is_some()) {
            let manifest = read_manifest(storage, &path);
            runs.push((path, manifest));
        }
    }
    Ok(runs)
}

/// One thing in which two manifests differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where, as in `config.training.seed` or `rate at step 100`.
    pub what: String,
    /// The first manifest's value; none if it does not have it.
    pub a: Option<String>,
    /// The second's.
    pub b: Option<String>,
}

/// All that differs between two manifests, rates and results included, by place.
pub fn compare(a: &Manifest, b: &Manifest) -> Vec<Difference> {
    let (a, b) = (flat(a), flat(b));
    let mut keys: Vec<&String> = a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))).collect();
    keys.sort_by_key(|key| (order(key), key.as_str()));
    let differ = keys.into_iter().filter(|key| a.get(*key) != b.get(*key));
    differ.map(|key| Difference { what: key.clone(), a: a.get(key).cloned(), b: b.get(key).cloned() }).collect()
}

/// Settings first, then rates in order of steps, then the rest.
fn order(key: &str) -> (u8, u64) {
    if key.starts_with("config.") {
        (0, 0)
    } else if let Some(step) = key.strip_prefix("rate at step ") {
        (1, step.parse().unwrap_or(0))
    } else {
        (2, 0)
    }
}

fn flat(manifest: &Manifest) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for Rate { step, rate } in &manifest.rates {
        values.insert(format!("rate at step {step}"), format!("{rate:?}"));
    }
    let mut json = serde_json::to_value(manifest).unwrap_or(Value::Null);
    if let Value::Object(object) = &mut json {
        object.remove("rates");
        // Of the processes only how many there were, and the last.
        let last = object.remove("sessions").and_then(|sessions| sessions.as_array()?.last().cloned());
        object.insert("last session".into(), last.unwrap_or(Value::Null));
        object.insert("sessions".into(), manifest.sessions.len().into());
    }
    flatten(&json, String::new(), &mut values);
    values
}

fn flatten(value: &Value, path: String, values: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                flatten(value, if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, values);
            }
        }
        Value::String(text) => drop(values.insert(path, text.clone())),
        other => drop(values.insert(path, other.to_string())),
    }
}

/// A time as `2026-01-31T23:59:59Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}Z")
}

/// Year, month and day of a number of days after 1 January 1970, in the Gregorian calendar.
pub(super) fn civil(mut days: u64) -> (u64, u64, u64) {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}
