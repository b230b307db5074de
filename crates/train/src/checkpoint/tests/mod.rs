//! Checkpoints: what they promise, and what is tried to break the promise.

mod basics;
mod crash;
mod damage;
mod fuzz;
mod hostile;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::*;
use crate::storage::faulty::{FaultyDisk, Random};

const RUN: &str = "run";

/// `quick`, or `full` where the full counts are asked for (see the module's documentation).
fn count(quick: u64, full: u64) -> u64 {
    if std::env::var_os("NOAM_FULL_TESTS").is_some_and(|value| value == "1") { full } else { quick }
}

/// A state of every kind that a run may have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct State {
    epoch: u64,
    best: Option<f64>,
    rates: Vec<f64>,
    note: String,
}

fn entry(name: &str, shape: &[usize], offset: usize) -> Entry {
    Entry { name: name.to_owned(), shape: shape.to_vec(), offset }
}

fn layout() -> Layout {
    Layout::new(vec![entry("embed.weight", &[3, 2], 0), entry("norm", &[1], 6), entry("out.bias", &[2, 1, 2], 7)])
        .unwrap()
}

/// Everything that is saved at one step.
#[derive(Clone, Debug, PartialEq)]
struct Whole {
    step: u64,
    params: Vec<f32>,
    m: Vec<f32>,
    v: Vec<f32>,
    state: State,
}

impl Whole {
    /// A checkpoint that differs from that of every other seed in every file.
    fn new(step: u64, seed: u64) -> Self {
        let mut random = Random(seed);
        let mut buffer = || -> Vec<f32> {
            // Any finite bits: subnormals, zeros of both signs, the largest values.
            std::iter::repeat_with(|| f32::from_bits(random.next() as u32))
                .filter(|value| value.is_finite())
                .take(layout().len())
                .collect()
        };
        let (params, m, v) = (buffer(), buffer(), buffer());
        let rates = vec![0.1 + 0.2, 1.0 / 3.0, 5e-324, f64::MAX, 6.987_712_429_686_843e-4];
        let best = seed.is_multiple_of(2).then_some(1.0 / (seed + 3) as f64);
        let state = State { epoch: seed, best, rates, note: format!("{seed} äß 中 \"\\\u{1}") };
        Self { step, params, m, v, state }
    }

    fn save(&self, storage: &dyn Storage, keep: usize) -> Result<PathBuf, Error> {
        let Self { step, params, m, v, state } = self;
        let snapshot = Snapshot { step: *step, layout: &layout(), params, m, v, state };
        save(storage, Path::new(RUN), &snapshot, &Keep { last: keep, also: vec![] })
    }

    fn from(loaded: Loaded<State>) -> Self {
        let Loaded { step, params, m, v, state } = loaded;
        Self { step, params, m, v, state }
    }

    fn load(storage: &dyn Storage, path: &Path) -> Result<Self, Error> {
        load(storage, path, &layout()).map(Self::from)
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// A disk with a run folder.
fn disk() -> FaultyDisk {
    let disk = FaultyDisk::new();
    storage::create_dirs(&disk, Path::new(RUN)).unwrap();
    disk
}

fn folder_of(step: u64) -> PathBuf {
    Path::new(RUN).join(FOLDER).join(folder_name(step))
}

const FILES: [&str; 3] = [MODEL_FILE, OPTIMIZER_FILE, STATE_FILE];

/// The three files of a checkpoint, as bytes.
fn files(disk: &FaultyDisk, step: u64) -> [Vec<u8>; 3] {
    FILES.map(|file| disk.get(&folder_of(step).join(file)))
}
