//! From the command line to a configuration and a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use noam_train::config::{Data, Request, RunConfig};

use crate::Usage;
use crate::args::TrainArgs;

/// The folder that runs without a name go into.
const RUNS: &str = "runs";

/// The configuration: the preset, then the file, then single settings, then flags.
pub(super) fn config(args: &TrainArgs) -> Result<RunConfig> {
    let mut settings = args.settings.clone();
    let mut set = |key: &str, value: String| settings.push(format!("{key}={value}"));
    let data = &args.data;
    if let Some(pair) = data.pair {
        set("data.pair", quoted(&pair.to_string()));
    }
    let files = [
        ("train_src", &data.train_src),
        ("train_tgt", &data.train_tgt),
        ("valid_src", &data.valid_src),
        ("valid_tgt", &data.valid_tgt),
        ("test_src", &data.test_src),
        ("test_tgt", &data.test_tgt),
        ("train", &data.train),
        ("valid", &data.valid),
        ("test", &data.test),
    ];
    for (name, path) in files {
        if let Some(path) = path {
            set(&format!("data.{name}"), quoted(unicode(path)?));
        }
    }
    if let Some(steps) = args.max_steps {
        set("training.max_steps", steps.to_string());
    }
    if let Some(minutes) = args.max_minutes {
        set("training.max_minutes", format!("{minutes:?}"));
    }
    if let Some(seed) = args.seed {
        set("training.seed", seed.to_string());
    }
    if let Some(precision) = args.precision {
        set("training.precision", quoted(precision.name()));
    }
    let preset = args.preset.as_deref().map(str::parse).transpose()?;
    Ok(Request { preset, file: args.config.clone(), settings }.resolve()?)
}

/// A text as TOML has it, so that a file called `true` stays a file.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The configuration is text, so paths in it must be.
fn unicode(path: &Path) -> Result<&str> {
    let message = || Usage(format!("{} is not UTF-8, and the configuration is; rename it", path.display()));
    Ok(path.to_str().ok_or_else(message)?)
}

/// What is going to be read, for the time that it takes.
pub(super) fn describe_data(data: &Data) -> String {
    match (&data.pair, &data.train_src, &data.train_tgt, &data.train) {
        (Some(pair), ..) => format!("{} pairs of the embedded corpus, {pair}", data.train_sentences),
        (_, Some(src), Some(tgt), _) => format!("{} and {}", src.display(), tgt.display()),
        (.., Some(train)) => train.display().to_string(),
        _ => "the data".to_owned(),
    }
}

/// Makes a new folder in `runs`, numbered one higher than any there.
pub(super) fn fresh_folder(config: &RunConfig) -> Result<PathBuf> {
    let failed = || format!("cannot make a folder for the run in {RUNS}; name one with --run");
    let data = config.data.pair.map_or_else(|| "files".to_owned(), |pair| pair.to_string());
    fs::create_dir_all(RUNS).with_context(failed)?;
    let mut number = 1;
    for item in fs::read_dir(RUNS).with_context(failed)? {
        let name = item.with_context(failed)?.file_name();
        let digits: String = name.to_string_lossy().chars().take_while(char::is_ascii_digit).collect();
        number = number.max(digits.parse::<u64>().map_or(0, |n| n.saturating_add(1)));
    }
    loop {
        let run = Path::new(RUNS).join(format!("{number:03}-{data}-{}", config.preset.name()));
        match fs::create_dir(&run) {
            Ok(()) => return Ok(run),
            // Another process was faster.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error).with_context(failed),
        }
    }
}
