//! How runs end, and what can be done with them then.

use super::*;
use crate::config::Search;
use crate::run::Chosen;
use crate::storage::Disk;
use crate::trainer::End;
use crate::translate::{Select, open_run};

#[test]
fn the_best_of_last_best_and_mean_is_chosen_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.average = 3;
    let mut trainer = Trainer::start(config, &run, setup(2)).unwrap();
    let summary = trainer.run(&mut (), &never()).unwrap();
    let result = summary.result.unwrap();
    assert_eq!(summary.step, 10);
    assert!(summary.profile.passes > std::time::Duration::ZERO && summary.profile.total >= summary.profile.passes);
    // Losses of all three candidates, computed from the files.
    let losses: Vec<(Chosen, f64)> = {
        let of = |steps: &[u64], trainer: &mut Trainer<'_>| {
            let paths: Vec<_> = steps.iter().map(|s| run.join(format!("checkpoints/step-{s:08}"))).collect();
            let values = checkpoint::average(&Disk, &paths, &trainer.layout).unwrap();
            let config = trainer.training.model().config().clone();
            let model = noam_model::Model::from_values(noam_kernels::device::Cpu::new(), config, &values).unwrap();
            trainer.in_pool(move |trainer| trainer.valid_loss(Some(&model), &never())).unwrap().unwrap()
        };
        let best = trainer.state().best.unwrap().step;
        vec![
            (Chosen::Checkpoint { step: 10 }, of(&[10], &mut trainer)),
            (Chosen::Checkpoint { step: best }, of(&[best], &mut trainer)),
            (Chosen::Average { steps: vec![6, 8, 10] }, of(&[6, 8, 10], &mut trainer)),
        ]
    };
    let least = losses.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    assert_eq!(result.valid_loss, least, "{losses:?}");
    assert!(losses.contains(&(result.model.clone(), least)), "{result:?} {losses:?}");

    let report = trainer.test(&never()).unwrap().unwrap();
    assert!(report.is_test && report.sources.len() == 4 && report.translations.len() == 4);
    assert_eq!(trainer.manifest().result.as_ref().unwrap().bleu, Some(report.score.score));

    // A model opened from the folder translates as the trainer did, whatever the batches and threads.
    drop(trainer);
    let mut opened = open_run(&Disk, &run, Select::Best, Some(1)).unwrap();
    assert_eq!(opened.chosen, result.model);
    let search = Search { max_tokens: 12, ..Search::default() };
    let (score, translations) = opened.evaluate(&report.sources, &report.references, &search, None).unwrap();
    assert_eq!((score, &translations), (report.score, &report.translations));
    for (source, want) in report.sources.iter().zip(&report.translations) {
        assert_eq!(opened.translate(&[source], &search).unwrap().first(), Some(want));
    }
}

#[test]
fn runs_can_be_opened_while_they_go_on_and_at_any_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let stop = never();
    let mut trainer = Trainer::start(tiny(), &run, setup(1)).unwrap();
    trainer.run(&mut At { step: 7, in_validation: false, dies: false, stop: &stop }, &stop).unwrap();
    let best = trainer.state().best.unwrap().step;
    let chosen = |select| open_run(&Disk, &run, select, Some(1)).map(|opened| opened.chosen);
    assert_eq!(chosen(Select::Best).unwrap(), Chosen::Checkpoint { step: best });
    assert_eq!(chosen(Select::Newest).unwrap(), Chosen::Checkpoint { step: 7 });
    assert_eq!(chosen(Select::Step(4)).unwrap(), Chosen::Checkpoint { step: 4 });
    let message = chosen(Select::Step(5)).unwrap_err().to_string();
    assert!(message.contains("step 5") && message.contains("4, 6, 7"), "{message}");
    assert!(matches!(chosen_in(folder.path()), Err(Error::NotARun { .. })));
}

fn chosen_in(run: &Path) -> Result<Chosen, Error> {
    open_run(&Disk, run, Select::Best, Some(1)).map(|opened| opened.chosen)
}

#[test]
fn a_damaged_or_foreign_model_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.max_steps = Some(2);
    train(&config, &run, 1);
    let path = run.join(crate::run::MODEL_FILE);
    let whole = std::fs::read(&path).unwrap();
    let mut bytes = whole.clone();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = chosen_in(&run).unwrap_err().to_string();
    assert!(message.contains("model.safetensors") && message.contains("SHA-256"), "{message}");
    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    assert!(chosen_in(&run).unwrap_err().to_string().contains("model.safetensors"));
    std::fs::write(&path, &whole).unwrap();
    chosen_in(&run).unwrap();
}

#[test]
fn patience_and_time_end_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.training.max_steps = None;
    config.training.valid_bleu = 0;
    config.training.valid_interval = 1;
    config.training.patience = 2;
    // A rate of nothing: no validation is better than the first.
    config.schedule = noam_schedule::Constant::new(0.0).unwrap().into();
    let (outcome, summary) = train(&config, &folder.path().join("patience"), 1);
    assert_eq!((summary.end, summary.step, outcome.state.stale), (End::Patience, 3, 2));

    let mut config = tiny();
    config.training.max_steps = None;
    config.training.max_minutes = Some(1e-9);
    let mut trainer = Trainer::start(config.clone(), &folder.path().join("time"), setup(1)).unwrap();
    let summary = trainer.run(&mut (), &never()).unwrap();
    assert_eq!((summary.end, summary.step), (End::Time, 0));
}

#[test]
fn blank_lines_long_lines_and_attention() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.max_steps = Some(2);
    train(&config, &run, 1);
    let mut opened = open_run(&Disk, &run, Select::Best, Some(2)).unwrap();
    let search = Search { max_tokens: 6, ..Search::default() };
    let lines = ["He sleeps.", "", "A dog sees the old house.", "   "];
    let translations = opened.translate(&lines, &search).unwrap();
    assert_eq!((translations[1].text.as_str(), translations[3].text.as_str()), ("", ""));
    assert_eq!(translations[0], opened.translate(&lines[..1], &search).unwrap()[0]);
    let beam = Search { beam: 3, ..search };
    assert!(opened.translate(&lines, &beam).unwrap()[2].score >= translations[2].score);

    let long = "dog ".repeat(200);
    let error = opened.translate(&["a dog", &long], &search).unwrap_err();
    assert!(matches!(error, Error::TooLong { line: 2, limit: 96, .. }), "{error}");
    assert!(opened.translate(&["a dog"], &Search { beam: 0, ..search }).is_err());

    let attention = opened.attention("He sleeps.", Some("Er schläft.")).unwrap();
    assert_eq!((attention.text.as_str(), attention.maps.len()), ("Er schläft.", 3));
    assert_eq!((attention.read.len(), attention.read[0].as_str()), (attention.target.len(), "<s>"));
    let cross = attention.maps.last().unwrap();
    assert_eq!((cross.queries, cross.keys), (attention.target.len(), attention.source.len()));
    assert!(opened.attention("He sleeps.", None).is_ok());
    assert!(matches!(opened.attention(" ", None), Err(Error::NoSentence { .. })));
}

#[test]
fn files_are_trained_on_and_what_is_wrong_with_them_leaves_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let pairs: String = (0..20).map(|i| format!("the dog number {i} sleeps\tder Hund Nummer {i} schläft\n")).collect();
    write("train.tsv", &pairs);
    write("valid.tsv", "the dog sleeps\tder Hund schläft\n");
    let mut config = tiny();
    config.data.pair = None;
    config.data.train = Some(folder.path().join("train.tsv"));
    config.data.valid = Some(folder.path().join("missing.tsv"));
    config.training.max_steps = Some(2);
    let message = Trainer::start(config.clone(), &run, setup(1)).unwrap_err().to_string();
    assert!(message.contains("missing.tsv") && !run.exists(), "{message}");

    config.data.valid = Some(folder.path().join("valid.tsv"));
    write("valid.tsv", "the dog sleeps\n");
    let message = Trainer::start(config.clone(), &run, setup(1)).unwrap_err().to_string();
    assert!(message.contains("valid.tsv:1: 0 tabs") && !run.exists(), "{message}");

    write("valid.tsv", "the dog sleeps\tder Hund schläft\n");
    let mut trainer = Trainer::start(config.clone(), &run, setup(1)).unwrap();
    trainer.run(&mut (), &never()).unwrap();
    let report = trainer.test(&never()).unwrap().unwrap();
    assert!(!report.is_test && report.references == ["der Hund schläft"]);
    drop(trainer);
    // Another order of the same lines is other data.
    let mut lines: Vec<&str> = pairs.lines().collect();
    lines.swap(0, 1);
    write("train.tsv", &(lines.join("\n") + "\n"));
    assert!(matches!(resume(&run, 1).unwrap_err(), Error::DataChanged { step: 2, .. }));
    write("train.tsv", &pairs);
    std::fs::remove_file(run.join(crate::run::TOKENIZER_FILE)).unwrap();
    assert!(resume(&run, 1).unwrap_err().to_string().contains("tokenizer.json"));
}

#[test]
fn pairs_over_the_limit_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.training.max_steps = Some(1);
    config.data.max_len = 50;
    let trainer = Trainer::start(config.clone(), &folder.path().join("run"), setup(1)).unwrap();
    let notes = trainer.notes().join("\n");
    assert!(notes.contains("training pairs are longer than data.max_len (50 tokens)"), "{notes}");
    config.data.max_len = 2;
    let message = Trainer::start(config, &folder.path().join("none"), setup(1)).unwrap_err().to_string();
    assert!(message.contains("max_len"), "{message}");
}
