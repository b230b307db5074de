//! What a run says at its end.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use noam_train::config::RunConfig;
use noam_train::run::{self, Manifest};
use noam_train::trainer::{End, Report, Summary};
use serde_json::{Value, json};

use super::times::Times;
use crate::args::{DeviceName, TrainArgs};
use crate::output::write_to;
use crate::pictures::{ATTENTION_FILE, LOSS_FILE, RATE_FILE};
use crate::progress::duration;
use crate::shell;
use crate::svg::readable;

/// How many translations are shown.
const SHOWN: usize = 10;

/// The files of a run folder, and what they are.
const FILES: [(&str, &str); 8] = [
    (LOSS_FILE, "the losses, drawn"),
    (RATE_FILE, "the learning rate, drawn"),
    (ATTENTION_FILE, "what every head looks at, drawn"),
    (run::METRICS_FILE, "every step and validation, a JSON object a line"),
    (run::MANIFEST_FILE, "what was run, on what, with which result"),
    (run::CONFIG_FILE, "the configuration, complete: --config takes it"),
    (run::TOKENIZER_FILE, "the subwords"),
    (run::MODEL_FILE, "the weights to use"),
];

/// What has come out of a call of [`noam_train::Trainer::run`].
pub(super) struct Outcome<'a> {
    pub(super) run: &'a Path,
    pub(super) config: &'a RunConfig,
    pub(super) summary: &'a Summary,
    /// None if the run was stopped before its score was known.
    pub(super) tested: Option<&'a Report>,
    /// Whether it was told to stop before its end.
    pub(super) stopped: bool,
    /// The command that goes on with it.
    pub(super) resume: String,
    pub(super) times: Option<Times>,
}

impl Outcome<'_> {
    /// Writes all of it to standard output, for people or for programs.
    pub(super) fn write(&self, as_json: bool) -> Result<()> {
        write_to(None, |out| {
            if as_json {
                serde_json::to_writer(&mut *out, &self.json())?;
                return Ok(writeln!(out)?);
            }
            match self.tested {
                _ if self.stopped => self.stopped(out)?,
                Some(tested) => self.ended(out, tested)?,
                None => {}
            }
            match &self.times {
                Some(times) => {
                    writeln!(out)?;
                    times.write(out)
                }
                None => Ok(()),
            }
        })
    }

    fn stopped(&self, out: &mut dyn Write) -> Result<()> {
        let step = self.summary.step;
        match step {
            0 => writeln!(out, "stopped before the first step; start with")?,
            _ => writeln!(out, "stopped after step {step}, which is saved; go on with")?,
        }
        Ok(writeln!(out, "  {}", self.resume)?)
    }

    fn ended(&self, out: &mut dyn Write, tested: &Report) -> Result<()> {
        let Summary { step, tokens, elapsed, end, .. } = self.summary;
        let set = if tested.is_test { "test" } else { "validation" };
        writeln!(out)?;
        writeln!(
            out,
            "ended after step {step}, {} target tokens and {}: {}",
            readable(*tokens as f64, 20),
            duration(*elapsed),
            end_of(*end, self.config)
        )?;
        if let Some(result) = &self.summary.result {
            writeln!(out, "weights: {}, validation loss {:.4}", result.model, result.valid_loss)?;
        }
        writeln!(out, "{set} set, {} sentences:", tested.sources.len())?;
        writeln!(out, "{}", tested.score)?;
        writeln!(out)?;
        for ((source, translation), reference) in shown(tested) {
            writeln!(out, "  source       {source}")?;
            writeln!(out, "  translation  {translation}")?;
            let same = if translation == reference { "the same" } else { reference };
            writeln!(out, "  reference    {same}\n")?;
        }
        writeln!(out, "files in {}", self.run.display())?;
        for (name, what) in FILES {
            writeln!(out, "  {name:<18} {what}")?;
        }
        let (noam, run) = (shell::program(), shell::path(self.run));
        let shortest = shown(tested).map(|((source, _), _)| source).min_by_key(|source| source.len());
        let sentence = shell::quote(shortest.unwrap_or("A dog sleeps."));
        writeln!(out, "\nwhat next")?;
        writeln!(out, "  {noam} translate {run} {sentence}")?;
        writeln!(out, "  {noam} attention {run} {sentence} --out attention.svg")?;
        let more = self.config.training.max_steps.map_or(step * 2, |steps| steps * 2).max(step + 1);
        writeln!(out, "  {} --max-steps {more}", self.resume)?;
        Ok(())
    }

    fn json(&self) -> Value {
        let summary = self.summary;
        let mut value = json!({
            "run": self.run.to_string_lossy(),
            "end": match summary.end {
                _ if self.stopped => "stopped",
                End::Stopped => "stopped",
                End::Steps => "steps",
                End::Time => "time",
                End::Patience => "patience",
            },
            "step": summary.step,
            "tokens": summary.tokens,
            "seconds": summary.elapsed.as_secs_f64(),
        });
        if self.stopped {
            value["resume"] = json!(self.resume);
        }
        if let Some(result) = &summary.result {
            value["model"] = json!(result.model.to_string());
            value["valid_loss"] = json!(result.valid_loss);
        }
        if let Some(tested) = self.tested {
            value["set"] = json!(if tested.is_test { "test" } else { "validation" });
            value["bleu"] = json!(tested.score.score);
            value["signature"] = json!(tested.score.signature());
            let one = |((source, translation), reference): ((&str, &str), &str)| json!({ "source": source, "translation": translation, "reference": reference });
            value["translations"] = shown(tested).map(one).collect();
        }
        if let Some(times) = &self.times {
            value["profile"] = json!(times);
        }
        value
    }
}

/// The first translations, with sources and references.
fn shown(tested: &Report) -> impl Iterator<Item = ((&str, &str), &str)> {
    let texts = tested.translations.iter().map(|translation| translation.text.as_str());
    let sources = tested.sources.iter().map(String::as_str);
    sources.zip(texts).zip(tested.references.iter().map(String::as_str)).take(SHOWN)
}

/// How a run ended, in words.
fn end_of(end: End, config: &RunConfig) -> String {
    match end {
        End::Steps => "that was the last step".to_owned(),
        End::Time => "the time was up".to_owned(),
        End::Patience => format!("{} validations in a row brought nothing better", config.training.patience),
        End::Stopped => "it was told to stop".to_owned(),
    }
}

/// The command that goes on with a run.
pub(super) fn resume_command(args: &TrainArgs, run: &Path) -> String {
    let mut command = format!("{} train --run {} --resume", shell::program(), shell::path(run));
    // Limits are in the run's configuration by now; these are not.
    if let Some(threads) = args.threads {
        command.push_str(&format!(" --threads {threads}"));
    }
    if args.device != DeviceName::Cpu {
        command.push_str(&format!(" --device {}", args.device));
    }
    #[cfg(feature = "cublaslt")]
    if args.products == crate::args::Products::Cublaslt {
        command.push_str(" --products cublaslt");
    }
    for (given, flag) in [(args.profile, " --profile"), (args.json, " --json")] {
        if given {
            command.push_str(flag);
        }
    }
    command
}

/// Says that a run was stopped while its data were prepared: nothing has changed, and the same command makes or continues it.
pub(super) fn stopped_early(args: &TrainArgs) -> Result<()> {
    let command = shell::command_line();
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer(&mut *out, &json!({ "run": args.run, "end": "stopped", "resume": command }))?;
            return Ok(writeln!(out)?);
        }
        writeln!(out, "stopped before the run was ready, with nothing changed; the same again:")?;
        Ok(writeln!(out, "  {command}")?)
    })
}

/// What to say when there is nothing to resume.
pub(super) fn already_ended(args: &TrainArgs, run: &Path, manifest: &Manifest) -> String {
    let (noam, folder) = (shell::program(), shell::path(run));
    let Some(result) = &manifest.result else { return format!("{} has ended", run.display()) };
    format!(
        "{} has ended after step {} and {}; there is nothing to resume\n  to train on:   {} \
         --max-steps {}\n  to translate:  {noam} translate {folder}",
        run.display(),
        result.step,
        duration(Duration::try_from_secs_f64(result.seconds).unwrap_or_default()),
        resume_command(args, run),
        result.step.saturating_mul(2)
    )
}

/// What a run is, for its pictures.
pub(super) fn about(config: &RunConfig) -> String {
    let data = config.data.pair.map_or_else(|| "files".to_owned(), |pair| format!("embedded {pair}"));
    let schedule = &config.schedule;
    format!("{} on {data}, {} schedule, warm-up {} steps", config.preset.name(), schedule.kind(), schedule.warmup())
}

#[cfg(all(test, feature = "cublaslt"))]
mod tests {
    use super::*;
    use crate::args::{Cli, Command};
    use clap::Parser;

    #[test]
    fn the_command_that_goes_on_keeps_the_products() {
        for flags in ["", " --device cuda:0 --products cublaslt"] {
            let line = format!("noam train --run there{flags}");
            let Command::Train(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else { panic!("{line}") };
            let command = resume_command(&args, Path::new("there"));
            assert!(command.ends_with(&format!(" train --run there --resume{flags}")), "{command}");
        }
    }
}
