//! What happened: reports and launches, kept for the program to read and written to the files that settings name.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::ThreadId,
};

use super::{
    record::LaunchRecord,
    report::Report,
    settings::{Settings, Sink},
};

/// How many reports and launches are kept: the first reports, since later ones tend to follow from them, and the
/// latest launches.
const KEPT_REPORTS: usize = 10_000;
const KEPT_LAUNCHES: usize = 1024;

/// The record of a process.
#[derive(Debug, Default)]
pub struct Journal {
    reports: Mutex<Vec<Report>>,
    launches: Mutex<VecDeque<Arc<LaunchRecord>>>,
    files: Mutex<Vec<(PathBuf, File)>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every change is a single push, append or removal.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Journal {
    /// Keeps a report, and writes it where reports go.
    pub fn report(&self, settings: &Settings, report: Report) {
        match &settings.report {
            Sink::None => {}
            // A program whose output is closed still runs.
            Sink::Stderr => drop(writeln!(std::io::stderr(), "noam emulator: {report}")),
            Sink::File(path) => self.append(path, &format!("{report}\n")),
        }
        let mut reports = lock(&self.reports);
        if reports.len() < KEPT_REPORTS {
            reports.push(report);
        }
    }

    /// Keeps a launch, and writes it where launches go.
    pub fn launch(&self, settings: &Settings, record: LaunchRecord) {
        if let Some(path) = &settings.counters {
            self.append(path, &format!("{record}\n"));
        }
        let mut launches = lock(&self.launches);
        if launches.len() == KEPT_LAUNCHES {
            launches.pop_front();
        }
        launches.push_back(Arc::new(record));
    }

    /// A file that can't be written is no reason to fail a program's call.
    fn append(&self, path: &Path, text: &str) {
        let mut files = lock(&self.files);
        if !files.iter().any(|(known, _)| known == path) {
            match OpenOptions::new().create(true).append(true).open(path) {
                Ok(file) => files.push((path.to_owned(), file)),
                Err(error) => {
                    drop(writeln!(std::io::stderr(), "noam emulator: {}: {error}", path.display()));
                    return;
                }
            }
        }
        if let Some((_, file)) = files.iter_mut().find(|(known, _)| known == path) {
            drop(file.write_all(text.as_bytes()));
        }
    }

    /// The reports so far that fit, which are then forgotten.
    pub fn take_reports(&self, mut fits: impl FnMut(&Report) -> bool) -> Vec<Report> {
        lock(&self.reports).extract_if(.., |report| fits(report)).collect()
    }

    /// The latest launches, oldest first.
    pub fn launches(&self) -> Vec<Arc<LaunchRecord>> {
        lock(&self.launches).iter().cloned().collect()
    }

    /// The latest launches of a thread, oldest first, which are then forgotten.
    pub fn take_launches(&self, caller: ThreadId) -> Vec<Arc<LaunchRecord>> {
        let mut launches = lock(&self.launches);
        let (taken, kept) = launches.drain(..).partition(|record| record.caller == caller);
        *launches = kept;
        Vec::from(taken)
    }

    /// The latest launch of a thread.
    pub fn last_launch(&self, caller: ThreadId) -> Option<Arc<LaunchRecord>> {
        lock(&self.launches).iter().rev().find(|record| record.caller == caller).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::{engine::Counters, report::Subject};

    fn record(kernel: &str) -> LaunchRecord {
        LaunchRecord {
            kernel: kernel.to_owned(),
            grid: [1; 3],
            block: [1; 3],
            shared_bytes: 0,
            time: std::time::Duration::ZERO,
            counters: Counters::default(),
            lines: Vec::new(),
            caller: std::thread::current().id(),
        }
    }

    #[test]
    fn the_latest_launches_are_kept() {
        let journal = Journal::default();
        let settings = Settings { report: Sink::None, ..Settings::default() };
        for i in 0..KEPT_LAUNCHES + 3 {
            journal.launch(&settings, record(&i.to_string()));
        }
        let launches = journal.launches();
        assert_eq!(launches.len(), KEPT_LAUNCHES);
        assert_eq!(launches[0].kernel, "3");
        let last = journal.last_launch(std::thread::current().id()).map(|record| record.kernel.clone());
        assert_eq!(last, Some((KEPT_LAUNCHES + 2).to_string()));
        let here = std::thread::current().id();
        let other = std::thread::spawn(|| std::thread::current().id()).join().expect("the thread ends");
        assert!(journal.last_launch(other).is_none());
        journal.launch(&settings, LaunchRecord { caller: other, ..record("theirs") });
        let taken = journal.take_launches(here);
        assert_eq!((taken.len(), taken[0].kernel.as_str()), (KEPT_LAUNCHES - 1, "4"));
        assert!(journal.take_launches(here).is_empty());
        assert_eq!(journal.last_launch(other).map(|record| record.kernel.clone()), Some("theirs".to_owned()));
    }

    #[test]
    fn reports_are_appended_to_a_file_and_taken_once() {
        let path = std::env::temp_dir().join(format!("noam-emulator-journal-{}", std::process::id()));
        let settings = Settings { report: Sink::File(path.clone()), ..Settings::default() };
        let journal = Journal::default();
        for detail in ["one", "two"] {
            journal.report(&settings, Report::new(Subject::Call { function: "cuF", code: "C" }, detail));
        }
        let text = std::fs::read_to_string(&path);
        std::fs::remove_file(&path).expect("the file was made");
        assert_eq!(text.expect("the file was made"), "cuF failed with C: one\ncuF failed with C: two\n");
        let taken = journal.take_reports(|report| report.detail == "two");
        assert_eq!(taken.len(), 1);
        assert_eq!(journal.take_reports(|_| true).len(), 1);
        assert_eq!(journal.take_reports(|_| true).len(), 0);
    }
}
