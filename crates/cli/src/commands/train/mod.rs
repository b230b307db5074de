//! `noam train`: a run from its configuration to its pictures.

mod report;
mod request;
mod times;
mod watch;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use noam_kernels::device::Device;
use noam_train::run::{self, Manifest};
use noam_train::storage::Disk;
use noam_train::trainer::{End, Extension, Report, Setup, Summary};
use noam_train::{Error, RunConfig, Trainer, checkpoint};

use super::device::{self, Opened};
use crate::args::TrainArgs;
use crate::pictures::{Curves, Viewer};
use crate::progress::{Goal, Progress, say};
use crate::signals;
use crate::svg::readable;
use report::Outcome;
use watch::Watch;

/// Where a line is logged when there is no terminal: often enough to see that a run is alive.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Carries out `noam train`.
///
/// # Errors
/// Those of [`noam_train::Trainer`]; an error in writing the pictures or the result.
pub fn run(args: &TrainArgs) -> Result<()> {
    let stop = signals::watch().context("cannot watch for signals")?;
    let threads = args.threads.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let setup = Setup { threads, stop: &stop, ..Setup::default() };
    // The configuration says in which precision; a new one is checked before anything is opened.
    let plan = match &args.run {
        Some(run) if args.resume => Plan::Resume(run, run::read_config(&Disk, run)?),
        _ => Plan::Start(request::config(args)?),
    };
    let precision = match &plan {
        Plan::Resume(_, config) => args.precision.unwrap_or(config.training.precision),
        Plan::Start(config) => config.training.precision,
    };
    let opened = device::open(args.device, precision)?;
    #[cfg(feature = "cublaslt")]
    let opened = opened.with_products(args.products)?;
    let ended = match opened {
        Opened::Cpu(device) => run_on(*device, args, plan, setup),
        #[cfg(feature = "cuda")]
        Opened::Cuda(device) => run_on(device, args, plan, setup),
    };
    match ended {
        Err(error) if matches!(error.downcast_ref(), Some(Error::Stopped(_))) => report::stopped_early(args),
        ended => ended,
    }
}

/// A new run, or one that goes on.
enum Plan<'a> {
    Start(RunConfig),
    Resume(&'a Path, RunConfig),
}

fn run_on<D: Device>(device: D, args: &TrainArgs, plan: Plan<'_>, setup: Setup<'_>) -> Result<()> {
    match plan {
        Plan::Start(config) => start(device, args, config, setup),
        Plan::Resume(run, config) => resume(device, args, run, &config, setup),
    }
}

fn start<D: Device>(device: D, args: &TrainArgs, config: RunConfig, setup: Setup<'_>) -> Result<()> {
    if let Some(run) = args.run.as_ref().filter(|run| run::exists(&Disk, run).unwrap_or(false)) {
        return Err(Error::RunExists { path: run.clone() }.into());
    }
    say(&format!("preparing {}", request::describe_data(&config.data)));
    match &args.run {
        Some(run) => train(args, Trainer::start_on(device, config, run, setup)?, setup.stop),
        None => {
            let run = request::fresh_folder(&config)?;
            match Trainer::start_on(device, config, &run, setup) {
                Ok(trainer) => train(args, trainer, setup.stop),
                Err(error) => {
                    // The empty folder is of no use; one that is not empty stays.
                    let _ = std::fs::remove_dir(&run);
                    Err(error.into())
                }
            }
        }
    }
}

fn resume<D: Device>(device: D, args: &TrainArgs, run: &Path, config: &RunConfig, setup: Setup<'_>) -> Result<()> {
    if let Some(manifest) = run::read_manifest(&Disk, run).ok().filter(|manifest| has_ended(args, manifest)) {
        say(&report::already_ended(args, run, &manifest));
        return Ok(());
    }
    say(&format!("preparing {}", request::describe_data(&config.data)));
    let extension = Extension { max_steps: args.max_steps, max_minutes: args.max_minutes, precision: args.precision };
    train(args, Trainer::resume_on(device, run, extension, setup)?, setup.stop)
}

/// Whether the run has its score and no new limit reaches beyond its end.
fn has_ended(args: &TrainArgs, manifest: &Manifest) -> bool {
    let Some(result) = manifest.result.as_ref().filter(|result| result.score.is_some()) else { return false };
    let longer = args.max_minutes.is_some_and(|minutes| minutes * 60.0 > result.seconds);
    let further = args.max_steps.is_some_and(|steps| steps > result.step);
    !longer && !further
}

fn train<D: Device>(args: &TrainArgs, mut trainer: Trainer<'_, D>, stop: &AtomicBool) -> Result<()> {
    introduce(&trainer);
    let run = trainer.run_dir().to_path_buf();
    let first = trainer.step();
    let training = &trainer.config().training;
    let before = Duration::from_millis(trainer.state().elapsed_ms);
    let limit = |minutes: f64| Duration::try_from_secs_f64(minutes * 60.0).unwrap_or(Duration::MAX);
    let time = training.max_minutes.map(|minutes| limit(minutes).saturating_sub(before));
    let goal = Goal { steps: training.max_steps, time };
    let viewer = Viewer::new(&trainer);
    let curves = Curves::of_run(&run, report::about(trainer.config()), training.label_smoothing, first)?;
    let mut watch = Watch::new(Progress::new(goal, first, LOG_EVERY), curves, viewer, stop);

    let ended = trainer.run(&mut watch, stop);
    let Watch { progress, curves, viewer, .. } = watch;
    progress.finish();
    // Pictures of a run that failed are wanted most; its error comes first, though.
    let drawn = curves.write().and_then(|()| viewer.draw(&trainer));
    let summary = match ended {
        Ok(summary) => summary,
        Err(error) => return Err(explain(args, error, &run)),
    };
    let tested = match &summary.result {
        None => None,
        Some(_) => {
            say("translating the test set");
            trainer.test(stop).map_err(|error| explain(args, error, &run))?
        }
    };
    let times = args.profile.then(|| times::Times::new(&summary.profile, &trainer, summary.step - first));
    finish(args, &trainer, &summary, tested.as_ref(), times)?;
    drawn.context("the run is saved, but not all of its pictures")
}

/// Writes what has come out. When nobody reads it any more, the run has done its work all the same.
fn finish<D: Device>(
    args: &TrainArgs,
    trainer: &Trainer<'_, D>,
    summary: &Summary,
    tested: Option<&Report>,
    times: Option<times::Times>,
) -> Result<()> {
    let stopped = summary.end == End::Stopped || tested.is_none();
    let outcome = Outcome {
        run: trainer.run_dir(),
        config: trainer.config(),
        summary,
        tested,
        stopped,
        resume: report::resume_command(args, trainer.run_dir()),
        times,
    };
    outcome.write(args.json)
}

/// What is about to be trained, on what.
fn introduce<D: Device>(trainer: &Trainer<'_, D>) {
    let (manifest, training) = (trainer.manifest(), &trainer.config().training);
    let count = |n: u64| readable(n as f64, 20);
    let threads = manifest.sessions.last().map_or(1, |session| session.threads);
    let data = &manifest.data;
    say(&format!("run folder  {}", trainer.run_dir().display()));
    say(&format!(
        "model       {}, {} parameters, {} subwords",
        trainer.config().preset.name(),
        count(manifest.parameters as u64),
        count(manifest.vocab_size as u64)
    ));
    say(&format!(
        "data        {}: {} pairs to train on, {} to validate with, {} to test with",
        data.source,
        count(data.train),
        count(data.valid),
        count(data.test)
    ));
    let dropped = data.dropped_empty + data.dropped_long;
    if dropped > 0 {
        let (empty, long) = (count(data.dropped_empty), count(data.dropped_long));
        say(&format!("            {} pairs left out: {empty} with an empty side, {long} too long", count(dropped)));
    }
    let end = match (training.max_steps, training.max_minutes) {
        (Some(steps), None) => format!("until step {}", count(steps)),
        (None, Some(minutes)) => format!("for {minutes} minutes"),
        (Some(steps), Some(minutes)) => format!("until step {} or for {minutes} minutes", count(steps)),
        (None, None) if training.patience > 0 => {
            format!("until {} validations bring nothing better", training.patience)
        }
        (None, None) => "until it is stopped".to_owned(),
    };
    let from = match trainer.step() {
        0 => String::new(),
        step => format!("from step {} ", count(step)),
    };
    say(&format!(
        "training    {from}{end}, a pass over the data is about {} steps, {threads} {}",
        count(trainer.steps_per_epoch()),
        if threads == 1 { "thread" } else { "threads" }
    ));
    for note in trainer.notes() {
        say(&format!("note: {note}"));
    }
    let warmup = trainer.config().schedule.warmup();
    if let Some(steps) = training.max_steps.filter(|&steps| warmup >= steps) {
        say(&format!(
            "note: the warm-up ends at step {warmup} and the run at step {steps}: the rate only rises; try \
             --set schedule.warmup={}",
            (steps / 5).max(1)
        ));
    }
}

/// An error of the run, with the way on if there is one.
fn explain(args: &TrainArgs, error: Error, run: &Path) -> anyhow::Error {
    // What has diverged once diverges again from the same checkpoint: the message itself says what to change.
    let again = !matches!(error, Error::Diverged { .. } | Error::Skipped { .. });
    if let Some(step) = newest(run).filter(|_| again) {
        let command = report::resume_command(args, run);
        say(&format!("the checkpoint of step {step} is safe; once the cause is gone, go on with\n  {command}"));
    }
    error.into()
}

/// The step of the newest checkpoint.
fn newest(run: &Path) -> Option<u64> {
    checkpoint::list(&Disk, run).ok()?.into_iter().map(|(step, _)| step).max()
}

/// Whether the flag is up.
fn is_set(stop: &AtomicBool) -> bool {
    stop.load(Ordering::Relaxed)
}
