//! A run that was stopped or killed and resumed is the run that was not.

use super::*;
use crate::config::Feedback;
use crate::trainer::End;
use noam_schedule::feedback::{Form, HypergradientConfig, PlateauConfig, Threshold};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Starts, stops or dies where `at` says, resumes and finishes.
fn interrupted(
    config: &RunConfig,
    run: &Path,
    threads: [usize; 2],
    step: u64,
    in_validation: bool,
    dies: bool,
) -> Outcome {
    let stop = never();
    let mut at = At { step, in_validation, dies, stop: &stop };
    let mut trainer = Trainer::start(config.clone(), run, setup(threads[0])).unwrap();
    let first = catch_unwind(AssertUnwindSafe(|| trainer.run(&mut at, &stop)));
    match first {
        Ok(summary) => {
            let summary = summary.unwrap();
            assert_eq!((summary.end, summary.result), (End::Stopped, None));
            assert!(summary.step >= step && (in_validation || summary.step == step));
        }
        Err(_) => assert!(dies),
    }
    drop(trainer);
    let mut trainer = resume(run, threads[1]).unwrap();
    let summary = trainer.run(&mut (), &never()).unwrap();
    assert_eq!((summary.end, Some(summary.step)), (End::Steps, config.training.max_steps));
    outcome(&trainer)
}

#[test]
fn stopped_or_killed_at_any_step_and_resumed_is_the_uninterrupted_run() {
    let mut config = tiny();
    let last = if full() { 200 } else { 10 };
    config.training.max_steps = Some(last);
    let folder = tempfile::tempdir().unwrap();
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    assert!(want.state.position.epoch >= 2, "{:?}", want.state.position);
    let ways = [(false, false, [1, 1]), (true, false, [1, 2]), (false, true, [2, 1]), (true, true, [2, 2])];
    for step in 1..last {
        for (way, (dies, in_validation, threads)) in ways.into_iter().enumerate() {
            // One way for each step, and with the full counts all of them for the first.
            if step % 4 != way as u64 && !(full() && step < 10) {
                continue;
            }
            // There is no validation left to stop in.
            if in_validation && step.next_multiple_of(config.training.valid_interval) > last {
                continue;
            }
            let run = folder.path().join("stopped");
            let got = interrupted(&config, &run, threads, step, in_validation, dies);
            assert_eq!(got, want, "step {step}, dies: {dies}, in validation: {in_validation}, threads {threads:?}");
            std::fs::remove_dir_all(&run).unwrap();
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let config = tiny();
    let folder = tempfile::tempdir().unwrap();
    let (want, _) = train(&config, &folder.path().join("1"), 1);
    for threads in [2, 4] {
        let (got, _) = train(&config, &folder.path().join(threads.to_string()), threads);
        assert_eq!(got, want, "{threads} threads");
    }
}

#[test]
fn another_seed_is_another_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.training.max_steps = Some(2);
    let (a, _) = train(&config, &folder.path().join("a"), 1);
    config.training.seed += 1;
    let (b, _) = train(&config, &folder.path().join("b"), 1);
    assert_ne!(a.values, b.values);
    assert_ne!(a.lines, b.lines);
}

#[test]
fn feedback_rules_go_on_where_they_were() {
    let plateau = PlateauConfig {
        patience: 0,
        factor: 0.7,
        threshold: 0.9,
        threshold_mode: Threshold::Absolute,
        ..PlateauConfig::default()
    };
    let hypergradient =
        HypergradientConfig { form: Form::Multiplicative, step_size: 0.02, min_rate: 0.0, max_rate: 10.0 };
    let folder = tempfile::tempdir().unwrap();
    for (name, rule) in [("plateau", Feedback::Plateau(plateau)), ("hyper", Feedback::Hypergradient(hypergradient))] {
        let mut config = tiny();
        config.training.feedback = Some(rule);
        let (want, _) = train(&config, &folder.path().join(name), 2);
        let factor = want.state.feedback.unwrap().factor();
        assert!(factor != 1.0 && factor.is_finite(), "{name} learned {factor}");
        assert!(want.lines.iter().any(|line| line.contains("\"factor\"")), "{name}");
        for (step, dies) in [(4, true), (7, false)] {
            let run = folder.path().join(format!("{name}-{step}"));
            assert_eq!(interrupted(&config, &run, [1, 2], step, false, dies), want, "{name} at {step}");
        }
    }
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let config = tiny();
    let folder = tempfile::tempdir().unwrap();
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    let run = folder.path().join("killed");
    drop(Trainer::start(config.clone(), &run, setup(1)).unwrap());
    std::fs::remove_file(run.join(crate::run::MANIFEST_FILE)).unwrap();
    let mut trainer = resume(&run, 1).unwrap();
    assert!(trainer.notes().iter().any(|note| note.contains("no checkpoint yet")), "{:?}", trainer.notes());
    trainer.run(&mut (), &never()).unwrap();
    assert_eq!(outcome(&trainer), want);
}

#[test]
fn a_longer_run_can_be_made_of_a_shorter_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    // Step 5 is no checkpoint of the interval and no validation.
    config.training.max_steps = Some(5);
    let run = folder.path().join("longer");
    let (short, summary) = train(&config, &run, 1);
    assert_eq!(summary.end, End::Steps);
    assert!(short.chosen.is_some());
    let extension = Extension { max_steps: Some(10), ..Extension::default() };
    let mut trainer = Trainer::resume(&run, extension, setup(1)).unwrap();
    trainer.run(&mut (), &never()).unwrap();
    assert_eq!(outcome(&trainer), want);
    assert_eq!(crate::run::read_config(trainer.storage, &run).unwrap().training.max_steps, Some(10));
    assert_eq!(trainer.manifest().sessions.len(), 2);
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_used() {
    let config = tiny();
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let (want, _) = train(&config, &run, 1);
    let newest = run.join("checkpoints/step-00000010/optimizer.safetensors");
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();
    let mut trainer = resume(&run, 1).unwrap();
    assert_eq!(trainer.step(), 8);
    let notes = trainer.notes().join("\n");
    assert!(notes.contains("step-00000010 was refused") && notes.contains("SHA-256"), "{notes}");
    assert!(notes.contains("going on from") && notes.contains("step-00000008"), "{notes}");
    trainer.run(&mut (), &never()).unwrap();
    assert_eq!(outcome(&trainer), want);
}

#[test]
fn other_data_and_settings_are_refused_on_resume() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.max_steps = Some(2);
    train(&config, &run, 1);
    let path = run.join(crate::run::CONFIG_FILE);
    let text = std::fs::read_to_string(&path).unwrap();

    std::fs::write(&path, text.replace("corpus_seed = 1", "corpus_seed = 2")).unwrap();
    let error = resume(&run, 1).unwrap_err();
    let Error::DataChanged { step: 2, got, want } = &error else { panic!("{error:?}") };
    let message = error.to_string();
    assert!(got != want && message.contains(got.as_str()) && message.contains(want.as_str()), "{message}");

    std::fs::write(&path, text.replace("factor = 1.0", "factor = 1.5")).unwrap();
    assert!(matches!(resume(&run, 1).unwrap_err(), Error::ConfigChanged { step: 2, .. }));

    std::fs::write(&path, text.replace("keep = 2", "keep = 1")).unwrap();
    assert!(resume(&run, 1).is_ok());

    std::fs::write(&path, text.replace("[adam]", "[adm]")).unwrap();
    let message = resume(&run, 1).unwrap_err().to_string();
    assert!(message.contains("config.toml") && message.contains("line") && message.contains("adm"), "{message}");
}

#[test]
fn a_folder_is_started_once_and_resumed_only_if_it_holds_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.max_steps = Some(1);
    let mut trainer = Trainer::start(config.clone(), &run, setup(1)).unwrap();
    let message = Trainer::start(config.clone(), &run, setup(1)).unwrap_err().to_string();
    assert!(message.contains("holds a run already") && message.contains("--resume"), "{message}");
    // While one process has it, no other may write.
    assert!(matches!(resume(&run, 1).unwrap_err(), Error::Storage(crate::storage::Error::Locked { .. })));
    trainer.run(&mut (), &never()).unwrap();
    drop(trainer);
    assert!(matches!(resume(folder.path(), 1).unwrap_err(), Error::NotARun { .. }));
    assert!(matches!(resume(&folder.path().join("none"), 1).unwrap_err(), Error::NotARun { .. }));
}
