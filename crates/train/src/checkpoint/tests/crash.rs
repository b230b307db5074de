//! Saves that are stopped or fail at every file call.

use super::*;
use crate::storage::faulty::{Fault, Loss, Plan};

/// What a run starts from when it is resumed: the newest checkpoint. Nothing is refused on the way, and none of the
/// older ones would be.
fn found(disk: &FaultyDisk) -> Option<Whole> {
    for (_, path) in list(disk, Path::new(RUN)).unwrap() {
        Whole::load(disk, &path).unwrap();
    }
    match load_latest::<State>(disk, Path::new(RUN), &layout()) {
        Ok(latest) => {
            assert!(latest.refused.is_empty(), "{:?}", latest.refused);
            Some(Whole::from(latest.checkpoint))
        }
        Err(Error::None { .. }) => None,
        Err(error) => panic!("{}", chain(&error)),
    }
}

fn no_litter(disk: &FaultyDisk) {
    let paths = disk.paths();
    assert!(paths.iter().all(|path| !path.contains("/.")), "{paths:?}");
}

/// The situations a save may meet: nothing, an older checkpoint that then goes, older ones of which one goes, the same
/// step with another state.
fn situations() -> Vec<(FaultyDisk, Option<Whole>, Whole)> {
    let start = |steps: &[u64]| {
        let disk = disk();
        for &step in steps {
            Whole::new(step, step).save(&disk, 9).unwrap();
        }
        (disk.healthy(), steps.last().map(|&step| Whole::new(step, step)), Whole::new(3, 30))
    };
    [&[][..], &[1], &[1, 2], &[3]].map(start).into()
}

#[test]
fn stopped_at_every_call_finds_exactly_the_old_or_the_new() {
    for (disk, old, new) in situations() {
        let calls = {
            let disk = disk.clone();
            new.save(&disk, 1).unwrap();
            assert_eq!(found(&disk.crash(Loss::Everything)), Some(new.clone()), "a finished save is durable");
            disk.calls()
        };
        let mut outcomes = [0; 2];
        for at in 0..calls {
            let stopped = disk.with(Plan { at, fault: Fault::Crash, for_ever: true });
            new.save(&stopped, 1).unwrap_err();
            let losses = [Loss::Nothing, Loss::Everything].into_iter();
            for loss in losses.chain((0..count(25, 500)).map(Loss::Random)) {
                let disk = stopped.crash(loss);
                let before = found(&disk);
                // Whatever is left over is not in the way of the next save, cleaned up or not.
                let uncleaned = disk.clone();
                new.save(&uncleaned, 1).unwrap();
                assert_eq!(found(&uncleaned.crash(Loss::Everything)), Some(new.clone()));
                let is_new = before.as_ref() == Some(&new);
                assert!(is_new || before == old, "stopped at {at}, {loss:?}");
                outcomes[usize::from(is_new)] += 1;
                clean(&disk, Path::new(RUN)).unwrap();
                assert_eq!(found(&disk), before, "stopped at {at}, {loss:?}: cleaning lost a checkpoint");
                no_litter(&disk);
                new.save(&disk, 1).unwrap();
                assert_eq!(found(&disk.crash(Loss::Everything)), Some(new.clone()));
                assert_eq!(list(&disk, Path::new(RUN)).unwrap().len(), 1);
            }
        }
        assert!(outcomes.iter().all(|&seen| seen > 0), "{outcomes:?}");
    }
}

#[test]
fn stopped_while_cleaning_up_loses_nothing_either() {
    for (disk, old, new) in situations() {
        for seed in 0..count(100, 5_000) {
            let mut random = Random(seed);
            let stopped = disk.with(Plan { at: random.below(40) as u64, fault: Fault::Crash, for_ever: true });
            let _ = new.save(&stopped, 1);
            let mut disk = stopped.crash(Loss::Random(random.next()));
            let before = found(&disk);
            for _ in 0..5 {
                let stopped = disk.with(Plan { at: random.below(12) as u64, fault: Fault::Crash, for_ever: true });
                let _ = clean(&stopped, Path::new(RUN));
                disk = stopped.crash(Loss::Random(random.next()));
                assert_eq!(found(&disk), before, "seed {seed}");
            }
            assert!(before == old || before.as_ref() == Some(&new), "seed {seed}");
        }
    }
}

/// A run that saves, is stopped anywhere with unsynced writes lost, torn and reordered, and goes on, many times over.
#[test]
fn seeded_schedules_never_go_back_behind_a_finished_save() {
    let (mut crashes, mut lost) = (0, 0);
    for seed in 0..count(400, 10_000) {
        let mut random = Random(seed ^ 0x5eed);
        let mut disk = disk();
        let mut finished: Option<Whole> = None;
        for life in 0..4 {
            let keep = random.below(3);
            let stopped = disk.with(Plan { at: random.below(120) as u64, fault: Fault::Crash, for_ever: true });
            let mut tried = None;
            if clean(&stopped, Path::new(RUN)).is_ok() {
                let mut step = finished.as_ref().map_or(0, |whole| whole.step);
                loop {
                    // Now and then the same step again, as after a validation.
                    step += u64::from(step == 0 || random.below(4) > 0);
                    let whole = Whole::new(step, random.next());
                    let result = whole.save(&stopped, keep);
                    tried = Some(whole);
                    if result.is_err() {
                        break;
                    }
                    finished = tried.take();
                }
            }
            crashes += 1;
            disk = stopped.crash(Loss::Random(random.next()));
            let now = found(&disk);
            assert!(now == finished || (now.is_some() && now == tried), "seed {seed}, life {life}");
            lost += u32::from(tried.is_some() && now == finished);
            finished = now;
        }
    }
    assert!(lost > 0 && lost < crashes, "{lost} of {crashes}");
}

#[test]
fn every_call_that_fails_is_an_error_and_the_old_checkpoint_loads() {
    let faults = [Fault::Full, Fault::Quota, Fault::Io, Fault::ShortWrite, Fault::WriteZero];
    let mut struck = [0; 5];
    for (disk, old, new) in situations() {
        for (kind, fault) in faults.into_iter().enumerate() {
            for for_ever in [false, true] {
                for at in 0.. {
                    let failing = disk.with(Plan { at, fault, for_ever });
                    let result = new.save(&failing, 1);
                    let harmless = failing.hits() == 0 || fault == Fault::ShortWrite;
                    assert_eq!(result.is_ok(), harmless, "{fault:?} at {at}: {result:?}");
                    if matches!(result, Err(Error::Storage(_))) && fault != Fault::Io {
                        // Removing still works on a full disk, so nothing unfinished is left even now.
                        let paths = failing.paths();
                        assert!(paths.iter().all(|path| !path.contains("/.tmp-")), "{paths:?}");
                    }
                    let next = failing.healthy();
                    let before = found(&next);
                    match &result {
                        Ok(_) | Err(Error::Retention { .. }) => assert_eq!(before.as_ref(), Some(&new)),
                        Err(Error::Storage(_)) => assert!(before == old || before.as_ref() == Some(&new)),
                        Err(error) => panic!("{error}"),
                    }
                    clean(&next, Path::new(RUN)).unwrap();
                    no_litter(&next);
                    assert_eq!(found(&next), before);
                    new.save(&next, 1).unwrap();
                    assert_eq!(list(&next, Path::new(RUN)).unwrap().len(), 1);
                    struck[kind] += failing.hits();
                    if at > failing.calls() {
                        break;
                    }
                }
            }
        }
    }
    assert!(struck.iter().all(|&hits| hits > 20), "{struck:?}");
}

#[test]
fn every_call_that_fails_while_loading_is_an_error_or_an_older_checkpoint() {
    let disk = disk();
    for step in 1..3 {
        Whole::new(step, step).save(&disk, 2).unwrap();
    }
    let calls = {
        let disk = disk.healthy();
        load_latest::<State>(&disk, Path::new(RUN), &layout()).unwrap();
        disk.calls()
    };
    assert!(calls > 10);
    for at in 0..calls {
        let once = disk.with(Plan { at, fault: Fault::Io, for_ever: false });
        match load_latest::<State>(&once, Path::new(RUN), &layout()) {
            Ok(latest) => {
                assert_eq!((latest.checkpoint.step, latest.refused.len()), (1, 1), "call {at}");
                assert_eq!(latest.refused[0].0, folder_of(2));
            }
            Err(error) => assert!(at == 0 && matches!(error, Error::Storage(_)), "call {at}: {error}"),
        }
        let for_ever = disk.with(Plan { at, fault: Fault::Io, for_ever: true });
        load_latest::<State>(&for_ever, Path::new(RUN), &layout()).unwrap_err();
    }
}

#[test]
fn a_model_file_is_old_or_new() {
    let path = Path::new("run/averaged.safetensors");
    let disk = disk();
    let [old, new] = [1, 2].map(|seed| Whole::new(1, seed).params);
    save_model(&disk, path, &layout(), &old).unwrap();
    for at in 0.. {
        let stopped = disk.with(Plan { at, fault: Fault::Crash, for_ever: true });
        let done = save_model(&stopped, path, &layout(), &new).is_ok();
        for loss in [Loss::Nothing, Loss::Everything].into_iter().chain((0..100).map(Loss::Random)) {
            let found = load_model(&stopped.crash(loss), path, &layout()).unwrap();
            assert!(bits(&found) == bits(&new) || (!done && bits(&found) == bits(&old)));
        }
        if done {
            break;
        }
    }
}
