//! The run folder: what a run leaves behind, and what can be read from it while it goes on.
//!
//! ```text
//! config.toml        the configuration, complete (crate::config)
//! manifest.json      what was run, where, on which data, with which rates; at the end, the result
//! metrics.jsonl      one JSON object a line: steps, validations, checkpoints and other events
//! tokenizer.json     learnt at the first start
//! checkpoints/       step-00001234/ and so on (crate::checkpoint)
//! model.safetensors  the weights to use, once the run has ended
//! ```
//!
//! `config.toml` is written first: a folder that has it holds a run. Everything but the metrics is replaced whole. The
//! metrics grow; a resumed run first cuts off what came after its checkpoint.

mod machine;
mod manifest;
mod metrics;
#[cfg(test)]
mod tests;

pub use machine::Machine;
pub use manifest::{Chosen, Difference, Listed, Manifest, Rate, RunResult, Session, compare, list, read_manifest};
pub use metrics::{Metrics, Number, Record, StepRecord, ValidRecord, read_metrics};

use crate::Error;
use crate::config::{self, RunConfig};
use crate::storage::{self, Storage};
use std::path::Path;

/// The configuration's file.
pub const CONFIG_FILE: &str = "config.toml";
/// The manifest's file.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The metrics' file.
pub const METRICS_FILE: &str = "metrics.jsonl";
/// The tokenizer's file.
pub const TOKENIZER_FILE: &str = "tokenizer.json";
/// The file of the weights to use, once the run has ended.
pub const MODEL_FILE: &str = "model.safetensors";

/// Whether a folder holds a run.
///
/// # Errors
/// [`Error::Storage`].
pub fn exists(storage: &dyn Storage, run: &Path) -> Result<bool, Error> {
    let items = storage::list_or_empty(storage, run)?;
    Ok(items.iter().any(|item| item.name == CONFIG_FILE))
}

/// Reads the configuration of a run folder.
///
/// # Errors
/// [`Error::NotARun`] if there is none, [`Error::Toml`] with line and column, those of [`RunConfig::validate`].
pub fn read_config(storage: &dyn Storage, run: &Path) -> Result<RunConfig, Error> {
    if !exists(storage, run)? {
        return Err(Error::NotARun { path: run.to_path_buf() });
    }
    let path = run.join(CONFIG_FILE);
    let bytes = storage::read(storage, &path, config::FILE_LIMIT)?;
    let text = String::from_utf8(bytes).map_err(|error| Error::RunFile {
        path: path.clone(),
        problem: format!("not UTF-8 at byte {}; restore it", error.utf8_error().valid_up_to()),
    })?;
    RunConfig::from_toml(&text, Some(&path))
}

/// Writes the configuration of a run folder.
///
/// # Errors
/// [`Error::Storage`]; [`Error::Toml`] for numbers that TOML does not have.
pub fn write_config(storage: &dyn Storage, run: &Path, config: &RunConfig) -> Result<(), Error> {
    Ok(storage::write_atomic(storage, &run.join(CONFIG_FILE), config.to_toml()?.as_bytes())?)
}
