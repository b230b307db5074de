//! From a preset, a file and single settings to one configuration.

use super::{DataKind, FILE_LIMIT, RunConfig};
use crate::Error;
use noam_model::Preset;
use noam_schedule::{Kind, Spec};
use serde::Deserialize;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use toml::{Spanned, Table, Value};

/// What to make a configuration from; later parts go over earlier ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Whose defaults to start from; without it, the file's `preset`, else `tiny`.
    pub preset: Option<Preset>,
    /// A TOML file with any of the settings of [`RunConfig`].
    pub file: Option<PathBuf>,
    /// Single settings, `key=value`, the key with its section, as in `training.max_steps=1000`. The value is TOML; what is
    /// not TOML is a string.
    pub settings: Vec<String>,
}

/// A file's own shape, for errors that point into it. The schedule may be given in part, so it is kept as it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read to be checked, and then merged as a table")]
struct FileShape {
    preset: Option<Preset>,
    model: Option<noam_model::Config>,
    schedule: Option<Spanned<Table>>,
    adam: Option<super::Adam>,
    training: Option<super::Training>,
    data: Option<super::Data>,
    search: Option<super::Search>,
}

impl Request {
    /// The configuration, checked.
    ///
    /// # Errors
    /// [`Error::Text`] if the file cannot be read; [`Error::Toml`] with file, line and column for one that is not TOML or has
    /// an unknown key; [`Error::Assignment`]; [`Error::ScheduleSection`]; those of [`RunConfig::validate`].
    pub fn resolve(&self) -> Result<RunConfig, Error> {
        let mut over = Table::new();
        let mut schedule_line = None;
        if let Some(path) = &self.file {
            let open = |source| Error::Text(crate::text::Error::Open { path: path.clone(), source });
            let mut text = String::new();
            // One byte over the limit tells a file that is too large without reading it whole.
            let mut file = File::open(path).map_err(open)?.take(FILE_LIMIT + 1);
            let read = file.read_to_string(&mut text);
            if file.limit() == 0 {
                let message = format!("it has more than {FILE_LIMIT} bytes, far more than a configuration; is it one?");
                return Err(Error::Toml { path: Some(path.clone()), message });
            }
            read.map_err(open)?;
            let refuse = |error: toml::de::Error| Error::Toml { path: Some(path.clone()), message: error.to_string() };
            let shape: FileShape = toml::from_str(&text).map_err(refuse)?;
            schedule_line = shape.schedule.map(|s| text[..s.span().start].matches('\n').count() + 1);
            over = text.parse().map_err(refuse)?;
        }
        for setting in &self.settings {
            let (keys, value) = parse_setting(setting)?;
            insert(&mut over, &keys, value, setting)?;
        }
        if let Some(preset) = self.preset {
            over.insert("preset".into(), Value::String(preset.name().into()));
        }
        let preset = match over.get("preset") {
            None => Preset::Tiny,
            Some(Value::String(name)) => name.parse()?,
            Some(other) => other.to_string().parse()?,
        };
        let kind = data_kind(&over);
        let mut base = to_table(&RunConfig::defaults(preset, kind))?;
        let own_width = over.get("schedule").is_some_and(|s| s.get("d_model").is_some());
        merge_schedule(&mut base, &over);
        merge(&mut base, over);
        if !own_width {
            follow_the_width(&mut base);
        }

        let path = self.file.clone().filter(|_| schedule_line.is_some());
        let section = |source| Error::ScheduleSection { path: path.clone(), line: schedule_line, source };
        let schedule = base.remove("schedule").unwrap_or(Value::Table(Table::new()));
        let fields: noam_schedule::Fields = schedule.try_into().map_err(|e| refused(&e))?;
        let schedule = Spec::try_from(fields).map_err(section)?;
        let mut config: RunConfig = Value::Table(base).try_into().map_err(|e| refused(&e))?;
        config.schedule = schedule;
        config.validate()?;
        Ok(config)
    }
}

fn refused(error: &toml::de::Error) -> Error {
    Error::Toml { path: None, message: error.to_string().trim_end().to_owned() }
}

impl RunConfig {
    /// Reads what [`RunConfig::to_toml`] wrote.
    ///
    /// # Errors
    /// [`Error::Toml`] with line and column; those of [`RunConfig::validate`].
    pub fn from_toml(text: &str, path: Option<&std::path::Path>) -> Result<Self, Error> {
        let refuse = |error: toml::de::Error| Error::Toml {
            path: path.map(PathBuf::from),
            message: error.to_string().trim_end().to_owned(),
        };
        let config: RunConfig = toml::from_str(text).map_err(refuse)?;
        config.validate()?;
        Ok(config)
    }
}

fn parse_setting(setting: &str) -> Result<(Vec<&str>, Value), Error> {
    let assignment = || Error::Assignment { text: setting.to_owned() };
    let (key, value) = setting.split_once('=').ok_or_else(assignment)?;
    let keys: Vec<&str> = key.trim().split('.').map(str::trim).collect();
    if keys.iter().any(|k| k.is_empty()) {
        return Err(assignment());
    }
    let value = value.trim();
    let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    Ok((keys, parsed.unwrap_or_else(|| Value::String(value.to_owned()))))
}

fn insert(table: &mut Table, keys: &[&str], value: Value, setting: &str) -> Result<(), Error> {
    match keys {
        [] => Err(Error::Assignment { text: setting.to_owned() }),
        [key] => {
            table.insert((*key).to_owned(), value);
            Ok(())
        }
        [key, rest @ ..] => match table.entry((*key).to_owned()).or_insert_with(|| Value::Table(Table::new())) {
            Value::Table(inner) => insert(inner, rest, value, setting),
            _ => Err(Error::Assignment { text: setting.to_owned() }),
        },
    }
}

/// Whether any of the settings names a file with data.
fn data_kind(over: &Table) -> DataKind {
    const FILES: [&str; 9] =
        ["train_src", "train_tgt", "valid_src", "valid_tgt", "test_src", "test_tgt", "train", "valid", "test"];
    match over.get("data") {
        Some(Value::Table(data)) if FILES.iter().any(|name| data.contains_key(*name)) => DataKind::Files,
        _ => DataKind::Embedded,
    }
}

/// A schedule of another kind takes nothing over from the default's.
fn merge_schedule(base: &mut Table, over: &Table) {
    let kind = |table: &Table| match table.get("schedule") {
        Some(Value::Table(s)) => s.get("kind").cloned(),
        _ => None,
    };
    let given = kind(over);
    if given.is_some() && given != kind(base) {
        base.remove("schedule");
    }
}

fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) if key != "feedback" => merge(base, over),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The width in Noam's formula is the model's, unless another is asked for.
fn follow_the_width(base: &mut Table) {
    let width = base.get("model").and_then(|m| m.get("d_model")).cloned();
    if let (Some(width), Some(Value::Table(schedule))) = (width, base.get_mut("schedule"))
        && schedule.get("kind").and_then(Value::as_str) == Some(Kind::Noam.name())
    {
        schedule.insert("d_model".into(), width);
    }
}

pub(super) fn to_toml(config: &RunConfig) -> Result<String, Error> {
    toml::to_string(&to_table(config)?).map_err(unwritable)
}

/// The configuration as a table. An f32 is written as the shortest decimal that reads back as it, not as that of the f64.
fn to_table(config: &RunConfig) -> Result<Table, Error> {
    let mut table = Table::try_from(config).map_err(unwritable)?;
    if let Some(Value::Table(model)) = table.get_mut("model") {
        for value in model.iter_mut().map(|(_, value)| value) {
            if let Value::Float(float) = value {
                *float = (*float as f32).to_string().parse().unwrap_or(*float);
            }
        }
    }
    Ok(table)
}

/// A whole number beyond 2^63 - 1, which TOML does not have.
fn unwritable(error: toml::ser::Error) -> Error {
    Error::Toml { path: None, message: error.to_string() }
}
