//! `noam runs`: what runs there are, and how two of them differ.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use noam_schedule::{Schedule, Step};
use noam_train::checkpoint;
use noam_train::config::RunConfig;
use noam_train::run::{self, Difference, Manifest, Rate};
use noam_train::storage::Disk;
use serde::Serialize;

use crate::args::{CompareArgs, ListArgs, RunsArgs, RunsCommand};
use crate::output::{shortest, write_to};
use crate::svg::em_width;

/// Carries out `noam runs`.
///
/// # Errors
/// Folders that cannot be read; an error in writing.
pub fn run(args: &RunsArgs) -> Result<()> {
    match &args.command {
        RunsCommand::List(args) => list(args),
        RunsCommand::Compare(args) => compare(args),
    }
}

/// What the list says of a run.
#[derive(Debug, Default, Serialize)]
struct Line {
    run: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    began: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preset: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<String>,
    /// The last step, or that of the newest checkpoint.
    step: u64,
    ended: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bleu: Option<f64>,
    /// Why nothing more is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Line {
    fn new(path: &Path, manifest: Result<Manifest, noam_train::Error>) -> Self {
        let run = path.display().to_string();
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(error) => return Self { run, problem: Some(error.to_string()), ..Self::default() },
        };
        let saved = || checkpoint::list(&Disk, path).ok()?.into_iter().map(|(step, _)| step).max();
        let result = manifest.result.as_ref();
        Self {
            run,
            began: manifest.sessions.first().map(|session| session.began.clone()),
            preset: Some(manifest.config.preset.name()),
            data: Some(manifest.data.source.clone()),
            step: result.map(|result| result.step).or_else(saved).unwrap_or(0),
            ended: result.is_some(),
            valid_loss: result.map(|result| result.valid_loss),
            bleu: result.and_then(|result| result.bleu),
            problem: None,
        }
    }
}

fn list(args: &ListArgs) -> Result<()> {
    // An empty list would hide a folder that is misspelt.
    std::fs::read_dir(&args.folder).with_context(|| format!("cannot list the runs in {}", args.folder.display()))?;
    let runs = run::list(&Disk, &args.folder)?;
    let lines: Vec<Line> = runs.into_iter().map(|(path, manifest)| Line::new(&path, manifest)).collect();
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &lines)?;
            return Ok(writeln!(out)?);
        }
        if lines.is_empty() {
            return Ok(writeln!(out, "no run in {}", args.folder.display())?);
        }
        let number = |value: Option<f64>, digits| value.map_or_else(String::new, |value| format!("{value:.digits$}"));
        let header = ["run", "began (UTC)", "preset", "step", "valid loss", "BLEU", "data"].map(str::to_owned).to_vec();
        let rows = lines.iter().map(|line| match &line.problem {
            Some(problem) => vec![line.run.clone(), problem.clone()],
            None => vec![
                line.run.clone(),
                line.began.clone().unwrap_or_default().replace('T', " ").replace('Z', ""),
                line.preset.unwrap_or_default().to_owned(),
                format!("{}{}", line.step, if line.ended { "" } else { " so far" }),
                number(line.valid_loss, 4),
                number(line.bleu, 2),
                line.data.clone().unwrap_or_default(),
            ],
        });
        table(out, &std::iter::once(header).chain(rows).collect::<Vec<_>>())
    })
}

fn compare(args: &CompareArgs) -> Result<()> {
    let mut manifests = [run::read_manifest(&Disk, &args.a)?, run::read_manifest(&Disk, &args.b)?];
    let mut steps: Vec<u64> =
        manifests.iter().flat_map(|manifest| manifest.rates.iter().map(|rate| rate.step)).collect();
    steps.sort_unstable();
    steps.dedup();
    for manifest in &mut manifests {
        manifest.rates = rates(&manifest.config, &steps);
    }
    let [a, b] = &manifests;
    let differences = run::compare(a, b);
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &differences)?;
            return Ok(writeln!(out)?);
        }
        if differences.is_empty() {
            return Ok(writeln!(out, "nothing differs")?);
        }
        let names = vec![String::new(), args.a.display().to_string(), args.b.display().to_string()];
        let rows = differences.iter().map(|Difference { what, a, b }| vec![what.clone(), show(a), show(b)]);
        table(out, &std::iter::once(names).chain(rows).collect::<Vec<_>>())
    })
}

/// The rates of a configuration's schedule at some steps.
fn rates(config: &RunConfig, steps: &[u64]) -> Vec<Rate> {
    let rate = |&step: &u64| Step::new(step).ok().map(|n| Rate { step, rate: config.schedule.rate(n) });
    steps.iter().filter_map(rate).collect()
}

/// A value, numbers as short as they can be.
fn show(value: &Option<String>) -> String {
    match value {
        None => "-".to_owned(),
        Some(text) => match text.parse::<f64>() {
            Ok(number) if text.contains(['.', 'e']) && number.is_finite() => shortest(number),
            _ => text.clone(),
        },
    }
}

/// Columns side by side, each as wide as its widest text; the last one as it is.
fn table(out: &mut dyn Write, rows: &[Vec<String>]) -> Result<()> {
    let width = |text: &str| text.chars().map(columns).sum::<usize>();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|i| rows.iter().filter(|row| row.len() > i + 1).map(|row| width(&row[i])).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().enumerate().map(|(i, text)| {
            let padding = if i + 1 < row.len() { widths[i].saturating_sub(width(text)) } else { 0 };
            format!("{text}{}", " ".repeat(padding))
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Columns of a terminal that a character takes: East Asian ones take two.
fn columns(c: char) -> usize {
    if em_width(c.encode_utf8(&mut [0; 4])) > 0.95 && !c.is_ascii() { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_end_ragged() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let mut text = Vec::new();
        table(&mut text, &[row(&["", "a", "b"]), row(&["长长", "1", "2"]), row(&["x", "a long remark"])]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "      a  b\n长长  1  2\nx     a long remark\n");
    }

    #[test]
    fn rates_are_shown_short_and_names_as_they_are() {
        let show = |text: &str| show(&Some(text.to_owned()));
        assert_eq!(["0.0006987712", "4000", "noam", "1.5", "e"].map(show), ["6.987712e-4", "4000", "noam", "1.5", "e"]);
    }
}
