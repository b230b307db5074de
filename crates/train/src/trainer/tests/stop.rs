//! Told to stop while a run is being prepared: it gives up at once, wherever it is, and has changed nothing.

use super::*;
use crate::run::{CONFIG_FILE, Metrics};
use crate::storage::{self, Disk};
use crate::text::{self, Limits, Lines};
use crate::tokenizer::{self, Tokenizer};
use crate::{Stopped, data};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Set from the start.
static SET: AtomicBool = AtomicBool::new(true);

/// Calls `work` with a flag that is set `after` some time.
fn set_after<R>(after: Duration, work: impl FnOnce(&AtomicBool) -> R) -> R {
    let stop = never();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(after);
            stop.store(true, Ordering::Relaxed);
        });
        work(&stop)
    })
}

/// All files of a folder and what they hold.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn every_part_of_preparing_looks_at_the_flag() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "A dog sleeps.\tEin Hund schläft.\n".repeat(50);
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(lines.as_bytes()).unwrap();
    let zstd = include_bytes!("../../text/testdata/sample.zst");
    for (name, bytes) in [("plain", lines.as_bytes()), ("gzip", &packer.finish().unwrap()), ("zstd", zstd)] {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let limits = Limits::default();
        assert!(matches!(text::tsv_until(&path, &limits, &SET), Err(text::Error::Stopped(_))), "{name}");
        assert!(matches!(text::parallel_until(&path, &path, &limits, &SET), Err(text::Error::Stopped(_))), "{name}");
    }
    let lines: Lines = lines.lines().collect();
    let learnt = Tokenizer::train_until(lines.iter(), 60, &SET);
    assert!(matches!(learnt, Err(tokenizer::Error::Stopped(_))));
    let tokenizer = Tokenizer::train(lines.iter(), 60).unwrap();
    assert!(matches!(tokenizer.encode_all(&lines, &SET), Err(tokenizer::Error::Stopped(_))));
    assert!(matches!(data::load(&tiny(), None, &SET), Err(Error::Stopped(Stopped))));
    assert!(matches!(data::load(&tiny(), Some(tokenizer), &SET), Err(Error::Stopped(Stopped))));

    // Metrics are not cut, and the room for checkpoints is not tried to the end.
    let line = "{\"event\":\"checkpoint\",\"step\":7}\n";
    let path = folder.path().join(METRICS_FILE);
    std::fs::write(&path, line).unwrap();
    let cut = Metrics::new(folder.path()).cut(&Disk, 1, &SET);
    assert!(matches!(cut, Err(Error::Stopped(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
    let before = files(folder.path()).len();
    storage::reserve(&Disk, folder.path(), u64::MAX, &SET).unwrap();
    assert_eq!(files(folder.path()).len(), before);
}

/// Each of these goes on for minutes if it is let.
#[test]
fn work_in_progress_is_left_soon() {
    let mut endless = tiny();
    endless.data.train_sentences = 10_000_000;
    // Words of random letters, none like another: as slow to learn subwords from as text can be.
    let mut state = 1_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 26)
    };
    let words: Vec<String> = (0..60_000).map(|_| (0..60).map(|_| random()).collect()).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for after in [1, 40, 300].map(Duration::from_millis) {
        let began = Instant::now();
        let loaded = pool.install(|| set_after(after, |stop| data::load(&endless, None, stop)));
        assert!(matches!(loaded, Err(Error::Stopped(_))));
        let learnt = pool.install(|| {
            set_after(after, |stop| Tokenizer::train_until(words.iter().map(String::as_str), 30_000, stop))
        });
        assert!(matches!(learnt, Err(tokenizer::Error::Stopped(_))));
        assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    }
}

#[test]
fn a_run_that_was_not_ready_is_as_if_it_had_not_been_called() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = tiny();
    config.training.max_steps = Some(4);
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    let run = folder.path().join("run");
    let stopped = Setup { stop: &SET, ..setup(1) };
    assert!(matches!(Trainer::start(config.clone(), &run, stopped), Err(Error::Stopped(_))));
    assert!(!run.exists());
    train(&RunConfig { training: Training { max_steps: Some(3), ..config.training.clone() }, ..config }, &run, 1);
    let before = files(&run);
    assert!(before.contains_key(&run.join(CONFIG_FILE)));
    let longer = Extension { max_steps: Some(4), ..Extension::default() };
    assert!(matches!(Trainer::resume(&run, longer, stopped), Err(Error::Stopped(_))));
    assert_eq!(files(&run), before);
    let mut trainer = Trainer::resume(&run, longer, setup(1)).unwrap();
    trainer.run(&mut (), &never()).unwrap();
    assert_eq!(outcome(&trainer), want);
}
