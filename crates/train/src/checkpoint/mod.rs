//! Checkpoints: the whole state of a run, in a folder that appears whole or not at all.
//!
//! `RUN/checkpoints/step-00001234/` holds
//! - `model.safetensors`: the weights, readable by anything that reads safetensors;
//! - `optimizer.safetensors`: Adam's moments, under the weights' names with `m.` and `v.` in front;
//! - `state.json`: the step, the caller's state, and the lengths and SHA-256 of the other two and of itself.
//!
//! # Promises
//! - A crash, a full disk or an error of the disk at any moment of [`save`] leaves the old checkpoints, or these and the
//!   new one. What is left over is removed by [`clean`] at the next start.
//! - A flipped bit, a missing byte, a file of another checkpoint or of another model is refused, and the file is named.
//!   [`load_latest`] then takes the newest checkpoint that is whole and says which it refused and why.
//! - Weights or moments that are not finite are never saved.
//! - Equal states give equal bytes.
//! - A hostile file costs no more memory than its own size, a header of at most 4 MiB (state: 16 MiB) and a block of
//!   1 MiB: buffers are taken only after the file's length and header have turned out to be the model's.
//!
//! The caller's state `S` is anything that serde can write and read. It must be written in a fixed order (no hash maps)
//! and come back as it was: [`save`] checks this each time, which also catches NaN in it, and [`load`] refuses a state
//! that this program would write in other bytes.
//!
//! # Full tests
//! `NOAM_FULL_TESTS=1 cargo test --release -p noam-train checkpoint` runs the tests of this module with their full
//! counts (10,000 schedules of lost writes, 10 million mutated files) instead of the quick ones.

mod error;
mod header;
mod layout;
mod state;
mod tensors;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

pub use error::{Error, LayoutError, Problem, chain};
pub use layout::{Entry, Layout};
use state::Record;
use tensors::{Contents, MODEL, MOMENTS};

use crate::storage::{self, Storage};

/// The folder in a run folder that holds its checkpoints.
pub const FOLDER: &str = "checkpoints";
/// The file of the weights.
pub const MODEL_FILE: &str = "model.safetensors";
/// The file of Adam's moments.
pub const OPTIMIZER_FILE: &str = "optimizer.safetensors";
/// The file of everything else.
pub const STATE_FILE: &str = "state.json";

/// Most bytes of state.json that are read.
const STATE_LIMIT: u64 = 16 << 20;

/// What [`save`] writes.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a, S> {
    /// Updates done so far.
    pub step: u64,
    /// The parameters' names and shapes.
    pub layout: &'a Layout,
    /// The weights, `(layout.len())`.
    pub params: &'a [f32],
    /// Adam's first moments, `(layout.len())`.
    pub m: &'a [f32],
    /// Adam's second moments, `(layout.len())`.
    pub v: &'a [f32],
    /// The rest of the run's state: schedule and feedback, data position, random state.
    pub state: &'a S,
}

/// Which checkpoints stay when a new one is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// How many of the newest, the one just saved included; that one stays even for 0.
    pub last: usize,
    /// Steps that stay in any case, such as the best by validation.
    pub also: Vec<u64>,
}

/// What [`load`] and [`load_latest`] read.
#[derive(Clone, Debug)]
pub struct Loaded<S> {
    /// Updates done so far.
    pub step: u64,
    /// The weights.
    pub params: Vec<f32>,
    /// Adam's first moments.
    pub m: Vec<f32>,
    /// Adam's second moments.
    pub v: Vec<f32>,
    /// The rest of the run's state.
    pub state: S,
}

/// The weights of a checkpoint, without what only training needs.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Updates done so far.
    pub step: u64,
    /// The weights.
    pub params: Vec<f32>,
}

/// The newest checkpoint that could be used.
#[derive(Debug)]
pub struct Latest<T> {
    /// What it holds.
    pub checkpoint: T,
    /// Its folder.
    pub path: PathBuf,
    /// Newer ones that were refused, newest first, and why. Say it aloud: they are progress lost.
    pub refused: Vec<(PathBuf, Error)>,
}

fn folder_name(step: u64) -> String {
    format!("step-{step:08}")
}

/// The step in the name of a checkpoint's folder. Only names that this program would give count: a folder does not
/// become a checkpoint by having a number in its name.
fn step_of(name: &str) -> Option<u64> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (folder_name(step) == name).then_some(step)
}

fn folder(run: &Path) -> PathBuf {
    run.join(FOLDER)
}

/// Settles what a killed process left in a run folder; returns the paths it removed or put back. Call it once at the
/// start of a process that writes there, under [`storage::Lock`].
///
/// # Errors
/// [`Error::Storage`].
pub fn clean(storage: &dyn Storage, run: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut settled = storage::clean(storage, run)?;
    settled.append(&mut storage::clean(storage, &folder(run))?);
    Ok(settled)
}

/// Finds out before the first step whether `copies` checkpoints fit on the disk, by writing as many bytes and removing
/// them. While one is saved, [`Keep::last`] + 1 of them exist, and those of [`Keep::also`]. Once `stop` is set nothing is found
/// out, and that is no error.
///
/// # Errors
/// [`Error::Storage`] with [`storage::Error::Full`], which says how many bytes were wanted.
pub fn reserve(
    storage: &dyn Storage,
    run: &Path,
    layout: &Layout,
    copies: u64,
    stop: &AtomicBool,
) -> Result<(), Error> {
    let files = Contents { layout, prefixes: MODEL }.file_bytes() + Contents { layout, prefixes: MOMENTS }.file_bytes();
    storage::create_dirs(storage, &folder(run))?;
    // 64 KiB for the state and the folder itself.
    Ok(storage::reserve(storage, &folder(run), (files + (64 << 10)).saturating_mul(copies), stop)?)
}

/// Writes `RUN/checkpoints/step-N`, then removes the checkpoints that `keep` does not name; returns the new folder.
/// A checkpoint of the same step is replaced. Older ones go only once the new one would survive a power cut, and
/// newer ones, which an earlier [`load_latest`] must have refused, stay.
///
/// # Errors
/// Before anything is written: [`Error::Buffer`], [`Error::NotFinite`], [`Error::State`], [`Error::StateLost`].
/// While writing: [`Error::Storage`]; the old checkpoints are then all there. After it: [`Error::Retention`]; the new
/// checkpoint is then in place.
pub fn save<S: Serialize + DeserializeOwned>(
    storage: &dyn Storage,
    run: &Path,
    snapshot: &Snapshot<'_, S>,
    keep: &Keep,
) -> Result<PathBuf, Error> {
    let Snapshot { step, layout, params, m, v, state } = *snapshot;
    for (name, buffer) in [("params", params), ("m", m), ("v", v)] {
        check(layout, name, buffer)?;
    }
    check_state(state)?;
    let folder = folder(run);
    storage::create_dirs(storage, &folder)?;
    let path = folder.join(folder_name(step));
    storage::write_folder_atomic(storage, &path, |folder| -> Result<(), Error> {
        let contents = Contents { layout, prefixes: MODEL };
        let model = folder.write_file(MODEL_FILE, contents.file_bytes(), |out| contents.write(out, &[params]))?;
        let contents = Contents { layout, prefixes: MOMENTS };
        let moments = folder.write_file(OPTIMIZER_FILE, contents.file_bytes(), |out| contents.write(out, &[m, v]))?;
        let record = Record::new(step, layout.digest(), model, moments, state);
        let bytes = record.encode().map_err(|source| Error::State { source })?;
        Ok(folder.write_file(STATE_FILE, bytes.len() as u64, |out| out.write(&bytes))?)
    })?;
    retain(storage, &folder, step, keep).map_err(|source| Error::Retention { saved: path.clone(), source })?;
    Ok(path)
}

fn check(layout: &Layout, name: &'static str, buffer: &[f32]) -> Result<(), Error> {
    if buffer.len() != layout.len() {
        return Err(Error::Buffer { buffer: name, got: buffer.len(), want: layout.len() });
    }
    match buffer.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => {
            let (parameter, index) = layout.locate(at);
            Err(Error::NotFinite { buffer: name, name: parameter.to_owned(), index, value: buffer[at] })
        }
    }
}

fn check_state<S: Serialize + DeserializeOwned>(state: &S) -> Result<(), Error> {
    let written = serde_json::to_vec(state).map_err(|source| Error::State { source })?;
    let again = serde_json::from_slice::<S>(&written).ok().and_then(|state| serde_json::to_vec(&state).ok());
    if again.as_ref() == Some(&written) { Ok(()) } else { Err(Error::StateLost) }
}

fn retain(storage: &dyn Storage, folder: &Path, saved: u64, keep: &Keep) -> Result<(), storage::Error> {
    let items = storage::list_or_empty(storage, folder)?;
    let mut steps: Vec<_> = items.iter().filter_map(|item| step_of(item.name.to_str()?)).collect();
    steps.retain(|&step| step < saved);
    steps.sort_unstable_by(|a, b| b.cmp(a));
    for step in steps.into_iter().skip(keep.last.saturating_sub(1)) {
        if !keep.also.contains(&step) {
            storage::remove_folder(storage, &folder.join(folder_name(step)))?;
        }
    }
    Ok(())
}

/// The checkpoints of a run, oldest first: step and folder, not looked into.
///
/// # Errors
/// [`Error::Storage`]. A run without checkpoints has none; that is no error.
pub fn list(storage: &dyn Storage, run: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let folder = folder(run);
    let mut found = BTreeMap::new();
    // Sorted, so `.old-step-N` comes first; it counts only while no `step-N` has taken its place.
    for item in storage::list_or_empty(storage, &folder)? {
        let name = storage::replaced_name(&item.name).or(item.name.to_str());
        if let Some(step) = name.and_then(step_of) {
            found.insert(step, folder.join(&item.name));
        }
    }
    Ok(found.into_iter().collect())
}

/// Reads the checkpoint in the folder `path`, which must be one of `layout`.
///
/// # Errors
/// [`Error::NotACheckpoint`] for another name of folder, [`Error::File`] naming the file and what is wrong with it,
/// [`Error::Storage`], [`Error::Memory`].
pub fn load<S: Serialize + DeserializeOwned>(
    storage: &dyn Storage,
    path: &Path,
    layout: &Layout,
) -> Result<Loaded<S>, Error> {
    let (bytes, record) = record::<S>(storage, path)?;
    if record.encode().ok() != Some(bytes) {
        return Err(Error::File { path: path.join(STATE_FILE), problem: Problem::NotCanonical });
    }
    let params = weights(storage, path, layout, &record)?;
    let contents = Contents { layout, prefixes: MOMENTS };
    let mut moments = contents.read(storage, &path.join(OPTIMIZER_FILE), Some(&record.optimizer))?.into_iter();
    let (m, v) = (moments.next().unwrap_or_default(), moments.next().unwrap_or_default());
    Ok(Loaded { step: record.step, params, m, v, state: record.state })
}

/// Reads only the weights of the checkpoint in the folder `path`; its moments are not looked at.
///
/// # Errors
/// As [`load`].
pub fn load_weights(storage: &dyn Storage, path: &Path, layout: &Layout) -> Result<Weights, Error> {
    let (_, record) = record::<IgnoredAny>(storage, path)?;
    Ok(Weights { step: record.step, params: weights(storage, path, layout, &record)? })
}

fn record<S: DeserializeOwned>(storage: &dyn Storage, path: &Path) -> Result<(Vec<u8>, Record<S>), Error> {
    let name = path.file_name().unwrap_or_default();
    let step = storage::replaced_name(name).or(name.to_str()).and_then(step_of);
    let step = step.ok_or_else(|| Error::NotACheckpoint { path: path.to_path_buf() })?;
    let file = path.join(STATE_FILE);
    let bytes = storage::read(storage, &file, STATE_LIMIT)?;
    let record = Record::<S>::decode(&bytes).and_then(|record| {
        if record.step == step { Ok(record) } else { Err(Problem::Step { inside: record.step, name: step }) }
    });
    match record {
        Ok(record) => Ok((bytes, record)),
        Err(problem) => Err(Error::File { path: file, problem }),
    }
}

fn weights<S>(storage: &dyn Storage, path: &Path, layout: &Layout, record: &Record<S>) -> Result<Vec<f32>, Error> {
    let contents = Contents { layout, prefixes: MODEL };
    let params = contents.read(storage, &path.join(MODEL_FILE), Some(&record.model))?.pop().unwrap_or_default();
    // Asked last: the file's header tells what differs, this only that something does.
    if record.layout != layout.digest() {
        return Err(Error::File { path: path.join(STATE_FILE), problem: Problem::Layout });
    }
    Ok(params)
}

/// Reads the newest checkpoint of a run that is whole, and tells which newer ones were not.
///
/// # Errors
/// [`Error::None`] if there is no checkpoint, [`Error::NoneValid`] with the reason for each if all were refused,
/// [`Error::Storage`] if the folder cannot be listed.
pub fn load_latest<S: Serialize + DeserializeOwned>(
    storage: &dyn Storage,
    run: &Path,
    layout: &Layout,
) -> Result<Latest<Loaded<S>>, Error> {
    latest(storage, run, |path| load(storage, path, layout))
}

/// As [`load_latest`] for the weights alone.
///
/// # Errors
/// As [`load_latest`].
pub fn load_latest_weights(storage: &dyn Storage, run: &Path, layout: &Layout) -> Result<Latest<Weights>, Error> {
    latest(storage, run, |path| load_weights(storage, path, layout))
}

fn latest<T>(storage: &dyn Storage, run: &Path, load: impl Fn(&Path) -> Result<T, Error>) -> Result<Latest<T>, Error> {
    let mut refused = Vec::new();
    for (_, path) in list(storage, run)?.into_iter().rev() {
        match load(&path) {
            Ok(checkpoint) => return Ok(Latest { checkpoint, path, refused }),
            Err(error) => refused.push((path, error)),
        }
    }
    let folder = folder(run);
    Err(if refused.is_empty() { Error::None { folder } } else { Error::NoneValid { folder, refused } })
}

/// Writes weights alone, as a safetensors file that appears whole or not at all.
///
/// # Errors
/// [`Error::Buffer`], [`Error::NotFinite`], [`Error::Storage`].
pub fn save_model(storage: &dyn Storage, path: &Path, layout: &Layout, params: &[f32]) -> Result<(), Error> {
    check(layout, "params", params)?;
    let contents = Contents { layout, prefixes: MODEL };
    storage::write_atomic_with(storage, path, contents.file_bytes(), |output| {
        contents.write(output, &[params]).map(|_| ()).map_err(Error::from)
    })
}

/// Reads weights from a safetensors file, ours or another program's: tensors in any order, any metadata, but exactly
/// the names and shapes of `layout`, in F32.
///
/// # Errors
/// [`Error::File`] with a [`Problem`] that names the tensor, [`Error::Storage`], [`Error::Memory`].
pub fn load_model(storage: &dyn Storage, path: &Path, layout: &Layout) -> Result<Vec<f32>, Error> {
    Ok(Contents { layout, prefixes: MODEL }.read(storage, path, None)?.pop().unwrap_or_default())
}

/// The mean of the weights of several checkpoints (their folders), added in `f64` in the order given and rounded once.
///
/// # Errors
/// [`Error::NothingToAverage`] for no path, else as [`load_weights`].
pub fn average(storage: &dyn Storage, paths: &[PathBuf], layout: &Layout) -> Result<Vec<f32>, Error> {
    let (first, rest) = paths.split_first().ok_or(Error::NothingToAverage)?;
    let mut sums = Vec::new();
    sums.try_reserve_exact(layout.len()).map_err(|_| Error::Memory { values: 2 * layout.len() })?;
    sums.extend(load_weights(storage, first, layout)?.params.into_iter().map(f64::from));
    for path in rest {
        let params = load_weights(storage, path, layout)?.params;
        sums.iter_mut().zip(&params).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    let mut mean = tensors::zeros(layout.len())?;
    let count = paths.len() as f64;
    mean.iter_mut().zip(&sums).for_each(|(value, sum)| *value = (sum / count) as f32);
    Ok(mean)
}
