use super::manifest::civil;
use super::*;
use crate::data::DataInfo;
use crate::stop::NEVER;
use crate::storage::Disk;
use noam_kernels::device::Precision;
use noam_schedule::{Noam, Schedule, Step};

fn step(step: u64, loss: f64) -> Record {
    Record::Step(StepRecord {
        step,
        loss: Number(loss),
        rate: 1e-3,
        grad_norm: Number(0.5),
        tokens: 10,
        total_tokens: 10 * step,
        tokens_per_s: 100.0,
        seconds: 1.0,
        epoch: 0,
        factor: None,
    })
}

fn write(run: &Path, records: &[Record]) {
    let mut metrics = Metrics::new(run);
    records.iter().for_each(|record| metrics.write(&Disk, record).unwrap());
    metrics.flush(&Disk, true).unwrap();
}

#[test]
fn numbers_that_json_does_not_have_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let records = [
        step(1, f64::NAN),
        Record::Skipped { step: 2, loss: Number(1.5), grad_norm: Number(f64::INFINITY) },
        Record::Diverged { step: 2, loss: Number(f64::NEG_INFINITY), grad_norm: None },
        Record::End { step: 2, bleu: Some(Number(31.25)) },
    ];
    write(folder.path(), &records);
    let text = std::fs::read_to_string(folder.path().join(METRICS_FILE)).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains(r#""event":"step","step":1,"loss":"NaN","rate":0.001"#), "{text}");
    assert_eq!(lines[1], r#"{"event":"skipped","step":2,"loss":1.5,"grad_norm":"inf"}"#);
    assert_eq!(lines[2], r#"{"event":"diverged","step":2,"loss":"-inf"}"#);
    assert_eq!(lines[3], r#"{"event":"end","step":2,"bleu":31.25}"#);
    let read = read_metrics(&Disk, folder.path()).unwrap();
    assert!(matches!(&read[0], Record::Step(r) if r.loss.0.is_nan()));
    assert_eq!(read[1..], records[1..]);
}

#[test]
fn metrics_are_cut_behind_their_checkpoint() {
    let records = [
        step(1, 3.0),
        step(2, 2.0),
        Record::Checkpoint { step: 2 },
        Record::Skipped { step: 3, loss: Number(1.0), grad_norm: Number(f64::INFINITY) },
        step(3, 1.0),
        Record::Checkpoint { step: 3 },
        Record::End { step: 3, bleu: None },
    ];
    for (at, kept) in [(0, 0), (2, 3), (3, 6), (1, 1), (9, 7)] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &records);
        Metrics::new(folder.path()).cut(&Disk, at, &NEVER).unwrap();
        assert_eq!(read_metrics(&Disk, folder.path()).unwrap(), records[..kept], "cut at {at}");
    }
    // A line that was being written when the process died, and a folder without metrics.
    let folder = tempfile::tempdir().unwrap();
    Metrics::new(folder.path()).cut(&Disk, 5, &NEVER).unwrap();
    write(folder.path(), &records[..3]);
    let path = folder.path().join(METRICS_FILE);
    let mut torn = std::fs::read(&path).unwrap();
    torn.extend_from_slice(br#"{"event":"step","st"#);
    std::fs::write(&path, torn).unwrap();
    assert_eq!(read_metrics(&Disk, folder.path()).unwrap(), records[..3]);
    Metrics::new(folder.path()).cut(&Disk, 2, &NEVER).unwrap();
    write(folder.path(), &records[4..5]);
    assert_eq!(read_metrics(&Disk, folder.path()).unwrap(), [&records[..3], &records[4..5]].concat());
}

fn manifest(config: &RunConfig) -> Manifest {
    let data = DataInfo {
        source: "embedded corpus 1, en-de".into(),
        train: 10,
        dropped_empty: 0,
        dropped_long: 0,
        valid: 2,
        test: 2,
        vocab_size: 50,
        digest: "00".into(),
    };
    let mut manifest = Manifest::new(config, 50, 1234, data);
    manifest.begin_session(0, 2, Precision::F32);
    manifest
}

#[test]
fn manifests_come_back_and_differ_where_they_differ() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig::default();
    let a = manifest(&config);
    assert!(matches!(read_manifest(&Disk, folder.path()), Err(Error::NotARun { .. })));
    write_config(&Disk, folder.path(), &config).unwrap();
    a.write(&Disk, folder.path()).unwrap();
    assert_eq!(read_manifest(&Disk, folder.path()).unwrap(), a);
    assert_eq!(read_config(&Disk, folder.path()).unwrap(), config);
    assert_eq!(compare(&a, &a), []);

    let mut other = config.clone();
    other.training.seed = 7;
    other.schedule = Noam::new(config.model.d_model as u64, config.schedule.warmup(), 0.5).unwrap().into();
    let mut b = manifest(&other);
    b.sessions[0].threads = 1;
    b.sessions[0].began = a.sessions[0].began.clone();
    let differences = compare(&a, &b);
    let of =
        |what: &str| differences.iter().find(|d| d.what == what).unwrap_or_else(|| panic!("{what}: {differences:?}"));
    assert_eq!(
        (of("config.training.seed").a.as_deref(), of("config.training.seed").b.as_deref()),
        (Some("0"), Some("7"))
    );
    assert_eq!(of("last session.threads").b.as_deref(), Some("1"));
    let first = of("rate at step 1");
    let rate = |config: &RunConfig| format!("{:?}", config.schedule.rate(Step::FIRST));
    assert_eq!((&first.a, &first.b), (&Some(rate(&config)), &Some(rate(&other))));
    let places: Vec<&str> = differences.iter().map(|d| d.what.as_str()).collect();
    let at = |what: &str| places.iter().position(|place| *place == what).unwrap();
    assert!(at("config.training.seed") < at("rate at step 1") && at("rate at step 200") < at("rate at step 1000"));

    std::fs::write(folder.path().join(MANIFEST_FILE), "{").unwrap();
    let message = read_manifest(&Disk, folder.path()).unwrap_err().to_string();
    assert!(message.contains("manifest.json") && message.contains("line 1"), "{message}");
    std::fs::write(folder.path().join(CONFIG_FILE), [0xff]).unwrap();
    assert!(read_config(&Disk, folder.path()).unwrap_err().to_string().contains("not UTF-8"));
}

#[test]
fn runs_are_listed_and_other_folders_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = RunConfig::default();
    for name in ["b", "a", "broken", "empty"] {
        let run = folder.path().join(name);
        std::fs::create_dir(&run).unwrap();
        if name != "empty" {
            write_config(&Disk, &run, &config).unwrap();
        }
        if name.len() == 1 {
            manifest(&config).write(&Disk, &run).unwrap();
        }
    }
    let listed = list(&Disk, folder.path()).unwrap();
    let names: Vec<_> =
        listed.iter().map(|(path, m)| (path.file_name().unwrap().to_str().unwrap(), m.is_ok())).collect();
    assert_eq!(names, [("a", true), ("b", true), ("broken", false)]);
}

#[test]
fn days_become_dates() {
    assert_eq!(civil(0), (1970, 1, 1));
    assert_eq!(civil(58), (1970, 2, 28));
    assert_eq!(civil(11_016), (2000, 2, 29));
    assert_eq!(civil(11_017), (2000, 3, 1));
    assert_eq!(civil(20_453), (2025, 12, 31));
    assert_eq!(civil(47_540), (2100, 2, 28));
    assert_eq!(civil(47_541), (2100, 3, 1));
}
