//! The promises of this module, on the real disk and on the double that fails.

use std::fs;
use std::path::{Path, PathBuf};

use super::faulty::{Fault, FaultyDisk, Loss, Plan};
use super::*;
use crate::stop::NEVER;

/// Every fault there is, once and for ever.
fn faults() -> Vec<(Fault, bool)> {
    let kinds = [Fault::Full, Fault::Quota, Fault::Io, Fault::ShortWrite, Fault::WriteZero];
    kinds.into_iter().flat_map(|fault| [(fault, false), (fault, true)]).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write_two(folder: &Folder<'_>, text: &str) -> Result<(), Error> {
    folder.write_file("a", 9, |output| output.write(text.as_bytes()))?;
    folder.write_file("b", 9, |output| output.write(text.as_bytes()))
}

/// What a reader finds in the folder `x`: the text that both files share.
fn read_two(storage: &dyn Storage) -> Option<String> {
    let folder = ["x", ".old-x"].map(Path::new).into_iter().find(|f| storage.kind(f).unwrap().is_some())?;
    let [a, b] = ["a", "b"].map(|name| String::from_utf8(read(storage, &folder.join(name), 99).unwrap()).unwrap());
    assert_eq!(a, b, "a mixture of two folders");
    Some(a)
}

#[test]
fn real_files_are_replaced_whole_and_leave_no_litter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/deep/file");
    create_dirs(&Disk, path.parent().unwrap()).unwrap();
    write_atomic(&Disk, &path, b"one").unwrap();
    write_atomic(&Disk, &path, b"three").unwrap();
    assert_eq!(read(&Disk, &path, 5).unwrap(), b"three");
    assert_eq!(names(path.parent().unwrap()), ["file"]);
    let mut log = append(&Disk, &path).unwrap();
    log.write(b" four").unwrap();
    log.sync().unwrap();
    drop(log);
    assert_eq!(fs::read(&path).unwrap(), b"three four");
    reserve(&Disk, folder.path(), 3_000_001, &NEVER).unwrap();
    assert_eq!(names(folder.path()), ["new"]);
    remove_folder(&Disk, &folder.path().join("new")).unwrap();
    assert!(names(folder.path()).is_empty());
}

#[test]
fn real_folders_are_replaced_whole_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    for text in ["first", "second"] {
        write_folder_atomic(&Disk, &path, |f| write_two(f, text)).unwrap();
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), text);
        assert_eq!(names(folder.path()), ["x"]);
    }
    fs::create_dir(folder.path().join(".tmp-y")).unwrap();
    fs::write(folder.path().join(".tmp-y/half"), "half").unwrap();
    fs::write(folder.path().join(".tmp-z"), "half").unwrap();
    fs::create_dir(folder.path().join(".old-x")).unwrap();
    fs::rename(&path, folder.path().join(".old-w")).unwrap();
    // x is gone, so its predecessor comes back; so does w, the name that was put aside.
    assert_eq!(clean(&Disk, folder.path()).unwrap().len(), 4);
    assert_eq!(names(folder.path()), ["w", "x"]);
    assert_eq!(fs::read_to_string(folder.path().join("w/b")).unwrap(), "second");
    assert!(clean(&Disk, folder.path()).unwrap().is_empty());
    assert!(clean(&Disk, &folder.path().join("missing")).unwrap().is_empty());
}

#[test]
fn litter_is_not_in_the_way_and_stays_away_once_cleaned() {
    let disk = FaultyDisk::new();
    let path = Path::new("x");
    for aside in [".tmp-x", ".old-x"] {
        write_folder_atomic(&disk, path, |f| write_two(f, aside)).unwrap();
        disk.create_dir(Path::new(aside)).unwrap();
        disk.put(&Path::new(aside).join("half"), b"half");
        write_folder_atomic(&disk, path, |f| write_two(f, "new")).unwrap();
        assert_eq!(disk.paths(), ["/x", "/x/a", "/x/b"]);
    }
    disk.create_dir(Path::new(".tmp-x")).unwrap();
    disk.put(Path::new(".tmp-x/half"), b"half");
    disk.sync_dir(Path::new(".tmp-x")).unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    let dirty = disk.clone();
    remove_folder(&disk, path).unwrap();
    assert!(disk.paths().is_empty());
    clean(&dirty, Path::new("")).unwrap();
    assert_eq!(dirty.crash(Loss::Everything).paths(), ["/x", "/x/a", "/x/b"]);
}

#[cfg(unix)]
#[test]
fn links_are_removed_not_followed_and_pipes_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let precious = folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    fs::write(precious.join("file"), "kept").unwrap();
    fs::create_dir(folder.path().join(".tmp-x")).unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".tmp-x/link")).unwrap();
    std::os::unix::fs::symlink(&precious, folder.path().join(".tmp-link")).unwrap();
    clean(&Disk, folder.path()).unwrap();
    assert_eq!(names(folder.path()), ["precious"]);
    assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "kept");
    let error = read(&Disk, Path::new("/dev/zero"), 10).unwrap_err();
    assert!(error.to_string().contains("a regular file is needed"), "{error}");
}

#[test]
fn errors_name_path_limit_and_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(&path, "12345").unwrap();
    let error = read(&Disk, &path, 3).unwrap_err().to_string();
    assert!(error.contains("file holds 5 bytes, and at most 3"), "{error}");
    let disk = FaultyDisk::new();
    disk.put(Path::new("file"), b"grows");
    let error = read(&disk.misled(-2), Path::new("file"), 4).unwrap_err();
    assert!(matches!(error, Error::TooLarge { bytes: 5, limit: 4, .. }), "{error}");
    let error = write_atomic(&Disk, Path::new("/"), b"").unwrap_err();
    assert!(matches!(error, Error::NoName { .. }), "{error}");
    let error = write_atomic(&Disk, &folder.path().join("no/file"), b"").unwrap_err().to_string();
    assert!(error.contains("cannot create") && error.contains("check that the path exists"), "{error}");
    let error = create_dirs(&Disk, &path).unwrap_err().to_string();
    assert!(error.contains("cannot make the folder"), "{error}");
    let disk = FaultyDisk::new().with(Plan { at: 1, fault: Fault::Full, for_ever: true });
    let error = write_atomic(&disk, Path::new("file"), &[7; 1234]).unwrap_err();
    assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull));
    assert!(error.to_string().contains(".tmp-file: no space left for the 1234 bytes"), "{error}");
    assert!(disk.paths().is_empty());
}

#[test]
fn a_second_process_is_kept_out() {
    let folder = tempfile::tempdir().unwrap();
    let lock = Lock::acquire(folder.path()).unwrap();
    let error = Lock::acquire(folder.path()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    drop(lock);
    Lock::acquire(folder.path()).unwrap();
}

#[test]
fn reserve_finds_a_full_disk_at_every_call_and_leaves_nothing() {
    let calls = {
        let disk = FaultyDisk::new();
        reserve(&disk, Path::new(""), 2_500_000, &NEVER).unwrap();
        disk.calls()
    };
    assert_eq!(calls, 6, "create, three writes, sync, remove");
    for at in 0..calls - 1 {
        let disk = FaultyDisk::new().with(Plan { at, fault: Fault::Full, for_ever: true });
        let error = reserve(&disk, Path::new(""), 2_500_000, &NEVER).unwrap_err();
        assert!(error.to_string().contains("2500000 bytes"), "{error}");
        assert!(disk.paths().is_empty());
    }
}

#[test]
fn a_file_is_old_or_new_after_a_crash_at_every_call() {
    let path = Path::new("file");
    let disk = FaultyDisk::new();
    write_atomic(&disk, path, b"the old content of the file").unwrap();
    let disk = disk.healthy();
    let new = b"new content, somewhat longer than the old";
    let calls = {
        let disk = disk.clone();
        write_atomic(&disk, path, new).unwrap();
        assert_eq!(disk.crash(Loss::Everything).get(path), new, "a finished write is durable");
        disk.calls()
    };
    let mut seen = [0; 2];
    for at in 0..calls {
        let crashed = disk.with(Plan { at, fault: Fault::Crash, for_ever: true });
        write_atomic(&crashed, path, new).unwrap_err();
        let losses = [Loss::Nothing, Loss::Everything].into_iter().chain((0..200).map(Loss::Random));
        for loss in losses {
            let found = crashed.crash(loss);
            clean(&found, Path::new("")).unwrap();
            let content = found.get(path);
            assert!(content == new || content == b"the old content of the file", "{at} {loss:?}: {content:?}");
            seen[usize::from(content == new)] += 1;
            assert_eq!(found.paths(), ["/file"]);
        }
    }
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
}

#[test]
fn a_folder_is_old_or_new_after_a_crash_at_every_call() {
    let path = Path::new("x");
    for start in [None, Some("old")] {
        let disk = FaultyDisk::new();
        if let Some(old) = start {
            write_folder_atomic(&disk, path, |f| write_two(f, old)).unwrap();
        }
        let disk = disk.healthy();
        let calls = {
            let disk = disk.clone();
            write_folder_atomic(&disk, path, |f| write_two(f, "new")).unwrap();
            assert_eq!(read_two(&disk.crash(Loss::Everything)).as_deref(), Some("new"));
            disk.calls()
        };
        let mut seen = [0; 2];
        for at in 0..calls {
            let crashed = disk.with(Plan { at, fault: Fault::Crash, for_ever: true });
            write_folder_atomic(&crashed, path, |f| write_two(f, "new")).unwrap_err();
            for loss in [Loss::Nothing, Loss::Everything].into_iter().chain((0..200).map(Loss::Random)) {
                let found = crashed.crash(loss);
                let before = read_two(&found);
                assert!(before.as_deref() == start || before.as_deref() == Some("new"), "{at} {loss:?}: {before:?}");
                clean(&found, Path::new("")).unwrap();
                assert_eq!(read_two(&found), before, "{at} {loss:?}: cleaning changed what is found");
                assert!(found.paths().iter().all(|p| !p.contains(".tmp-") && !p.contains(".old-")));
                seen[usize::from(before.as_deref() == Some("new"))] += 1;
            }
        }
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    }
}

#[test]
fn every_call_that_fails_is_an_error_and_keeps_the_old_folder() {
    let path = Path::new("x");
    let disk = FaultyDisk::new();
    write_folder_atomic(&disk, path, |f| write_two(f, "old")).unwrap();
    let disk = disk.healthy();
    let mut struck = 0;
    for (fault, for_ever) in faults() {
        for at in 0.. {
            let failing = disk.with(Plan { at, fault, for_ever });
            let result = write_folder_atomic(&failing, path, |f| write_two(f, "new"));
            let found = read_two(&failing.healthy()).unwrap();
            match &result {
                Ok(()) => assert_eq!(found, "new"),
                Err(error) => {
                    assert!(found == "old" || found == "new", "{found}");
                    assert!(error.io_kind().is_some());
                    // After a passing fault the folder is back under its own name at once.
                    assert!(for_ever || failing.paths().contains(&"/x".to_owned()), "{fault:?} at {at}");
                }
            }
            let harmless = failing.hits() == 0 || fault == Fault::ShortWrite;
            assert_eq!(result.is_ok(), harmless, "{fault:?} at {at}: {result:?}");
            let next = failing.healthy();
            clean(&next, Path::new("")).unwrap();
            assert_eq!(next.paths(), ["/x", "/x/a", "/x/b"], "{fault:?} at {at}");
            assert_eq!(read_two(&next).unwrap(), found);
            struck += failing.hits();
            if at > failing.calls() {
                break;
            }
        }
    }
    assert!(struck > 100, "{struck}");
}

#[test]
fn the_double_loses_what_was_not_synced() {
    let disk = FaultyDisk::new();
    let path = PathBuf::from("file");
    let mut file = disk.create(&path).unwrap();
    Write::write_all(&mut file, &[1; 100]).unwrap();
    drop(file);
    assert!(disk.crash(Loss::Everything).paths().is_empty(), "a name that was not synced");
    disk.sync_dir(Path::new("")).unwrap();
    assert!(disk.crash(Loss::Everything).get(&path).is_empty(), "content that was not synced");
    let mut different: Vec<_> = (0..200).map(|seed| disk.crash(Loss::Random(seed)).get(&path)).collect();
    different.sort();
    different.dedup();
    assert!(different.len() > 50, "{} kinds of damage", different.len());
}

#[test]
fn the_double_convicts_writers_that_skip_a_step() {
    let path = Path::new("file");
    let disk = FaultyDisk::new();
    write_atomic(&disk, path, b"the old content").unwrap();
    // In place, or aside but without a sync before the rename.
    for aside in [false, true] {
        let careless = disk.healthy();
        let mut file = careless.create(if aside { Path::new("aside") } else { path }).unwrap();
        Write::write_all(&mut file, b"the new content").unwrap();
        drop(file);
        if aside {
            careless.rename(Path::new("aside"), path).unwrap();
        }
        let mixtures = (0..300)
            .map(|seed| careless.crash(Loss::Random(seed)).get(path))
            .filter(|content| content != b"the old content" && content != b"the new content")
            .count();
        assert!(mixtures > 20, "only {mixtures} of 300 crashes show that nothing was synced");
    }
}
