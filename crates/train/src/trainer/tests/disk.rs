//! Disks that fail: an error, no file lost or half-written, and a run that can go on.

use super::*;
use crate::storage::{Disk, Item, Kind, Storage, WriteFile};
use std::io::{self, Read, Write};
use std::sync::atomic::AtomicU64;

/// The disk, but from the given call on every call that changes it fails.
struct Failing {
    left: AtomicU64,
    kind: io::ErrorKind,
}

impl Failing {
    fn spend(&self) -> io::Result<()> {
        let spent = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        spent.map(|_| ()).map_err(|_| io::Error::from(self.kind))
    }
}

struct FailingFile<'a>(Box<dyn WriteFile + 'a>, &'a Failing);

impl Write for FailingFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.1.spend()?;
        // A short write is no error: the caller goes on.
        self.0.write(&bytes[..bytes.len().div_ceil(2)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl WriteFile for FailingFile<'_> {
    fn sync(&mut self) -> io::Result<()> {
        self.1.spend()?;
        self.0.sync()
    }
}

impl Storage for Failing {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>> {
        self.spend()?;
        Ok(Box::new(FailingFile(Disk.create(path)?, self)))
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn WriteFile + '_>> {
        self.spend()?;
        Ok(Box::new(FailingFile(Disk.append(path)?, self)))
    }
    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + '_>, u64)> {
        Disk.open(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.spend()?;
        Disk.create_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.spend()?;
        Disk.sync_dir(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.spend()?;
        Disk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        Disk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Disk.remove_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<Item>> {
        Disk.list(path)
    }
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        Disk.kind(path)
    }
}

#[test]
fn a_full_disk_ends_the_run_with_an_error_and_what_was_saved_goes_on() {
    let mut config = tiny();
    config.training.max_steps = Some(4);
    let folder = tempfile::tempdir().unwrap();
    let (want, _) = train(&config, &folder.path().join("whole"), 1);
    let stride = if full() { 1 } else { 29 };
    let (mut started, mut at) = (0, 0);
    loop {
        let run = folder.path().join(at.to_string());
        let kind = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::Other][at as usize % 3];
        let storage = Failing { left: AtomicU64::new(at), kind };
        let mut trainer = Trainer::start(config.clone(), &run, Setup { storage: &storage, ..setup(1) });
        let ended = match &mut trainer {
            Ok(trainer) => trainer.run(&mut (), &never()).map(|_| ()),
            Err(_) => Err(Error::NotARun { path: run.clone() }),
        };
        let error = match (&trainer, ended) {
            (Err(_), _) => trainer.as_ref().err().map(ToString::to_string),
            (Ok(_), Err(error)) => Some(error.to_string()),
            (Ok(_), Ok(())) => None,
        };
        drop(trainer);
        let Some(error) = error else { break };
        if kind != io::ErrorKind::Other {
            assert!(error.contains("no space left") || error.contains("could not be removed"), "call {at}: {error}");
        }
        match resume(&run, 1) {
            Ok(mut trainer) => {
                started += 1;
                whole_checkpoints(&trainer);
                trainer.run(&mut (), &never()).unwrap();
                assert_eq!(outcome(&trainer), want, "call {at}");
            }
            Err(Error::NotARun { .. }) => {
                // It had not got as far as a run: the same folder can be started in.
                let mut trainer = Trainer::start(config.clone(), &run, setup(1)).unwrap();
                trainer.run(&mut (), &never()).unwrap();
                assert_eq!(outcome(&trainer), want, "call {at}");
            }
            Err(other) => panic!("call {at}: {other}"),
        }
        at += stride;
    }
    assert!(started > 1 && at > 50, "{started} of {at}");
}

#[test]
fn room_for_the_checkpoints_is_looked_for_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let mut config = tiny();
    config.training.keep = 50;
    // Enough calls for all that comes before, not for a trial of 53 checkpoints.
    let storage = Failing { left: AtomicU64::new(12), kind: io::ErrorKind::StorageFull };
    let error = Trainer::start(config, &run, Setup { storage: &storage, ..setup(1) }).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no space left for the") && message.contains("bytes"), "{message}");
    let left: Vec<_> = std::fs::read_dir(run.join("checkpoints")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
