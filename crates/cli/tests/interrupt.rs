//! Runs that are killed, stopped and resumed end with the same bits as one that is left alone.
//!
//! `NOAM_FULL_TESTS=1 cargo test --release -p noam --test interrupt` kills 200 times and stops 1000 times at random moments, and
//! 250 times in each phase of a run, instead of a few.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::{Place, Running, full, metrics, newest_checkpoint, result, succeeded};

/// What stops a run.
const SIGNALS: [&str; 4] = ["TERM", "INT", "HUP", "USR1"];

/// More than a step and a save of any model here take on a machine that has other work to do, and less than any phase that is
/// waited for when nothing stops it.
const SOON: Duration = Duration::from_secs(20);

/// The next of a fixed sequence of fractions in [0, 1).
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sends one of the signals and, half of the time, a second a moment later; gives the exit code, standard output and standard
/// error. `listening` says that the program is known to have its handlers.
fn stop_by(running: Running, state: &mut u64, listening: bool) -> (Option<i32>, String, String) {
    let mut pick = || SIGNALS[(next(state) * SIGNALS.len() as f64) as usize];
    let (first, second) = (pick(), pick());
    let again = next(state) < 0.5;
    running.signal(first);
    let sent = Instant::now();
    if again {
        std::thread::sleep(Duration::from_millis(10).mul_f64(next(state)));
        // Whoever has ended by now still has its number until it is waited for.
        running.signal(second);
    }
    let (code, stdout, stderr) = running.end();
    assert!(sent.elapsed() < SOON, "{first}: it took {:?}\n{stderr}", sent.elapsed());
    match code {
        Some(0) => {}
        // A signal that comes before the program listens ends it as a kill does.
        None => assert!(!listening, "{first} killed it: {stderr}"),
        Some(code) => assert!(code == 130 && again && first == "INT" && second == "INT", "{first}: {code}: {stderr}"),
    }
    (code, stdout, stderr)
}

#[test]
fn a_run_killed_at_any_moment_ends_with_the_same_bits() {
    let place = Place::new();
    let began = Instant::now();
    place.train("whole");
    let length = began.elapsed();
    let whole = result(&place.path("whole"));

    let (mut state, mut kills, mut round) = (20_240_607, 0, 0);
    let wanted = if full() { 200 } else { 6 };
    while kills < wanted {
        let run = format!("killed-{round}");
        loop {
            let mut running = place.spawn(&run, &format!("--threads {}", 1 + kills % 2));
            std::thread::sleep(length.mul_f64(next(&mut state) * 0.6));
            if kills >= wanted || running.child.try_wait().expect("known").is_some() {
                let (code, stdout, stderr) = running.end();
                assert_eq!(code, Some(0), "{stdout}\n{stderr}");
                break;
            }
            running.child.kill().expect("killed");
            running.end();
            kills += 1;
        }
        assert_eq!(result(&place.path(&run)), whole, "{run}");
        round += 1;
    }
}

#[test]
fn a_run_stopped_at_any_moment_ends_with_the_same_bits() {
    let place = Place::new();
    let began = Instant::now();
    place.train("whole");
    let length = began.elapsed();
    let whole = result(&place.path("whole"));

    let (mut state, mut stops, mut round) = (20_240_608, 0, 0);
    let wanted = if full() { 1000 } else { 6 };
    while stops < wanted {
        let run = format!("stopped-{round}");
        loop {
            let mut running = place.spawn(&run, &format!("--threads {}", 1 + stops % 2));
            std::thread::sleep(length.mul_f64(next(&mut state) * 0.6));
            if stops >= wanted || running.child.try_wait().expect("known").is_some() {
                let (code, stdout, stderr) = running.end();
                assert_eq!(code, Some(0), "{stdout}\n{stderr}");
                break;
            }
            stop_by(running, &mut state, false);
            stops += 1;
        }
        assert_eq!(result(&place.path(&run)), whole, "{run}");
        round += 1;
    }
}

/// The command that a stopped run prints, as the shell takes it.
fn resume_command(stdout: &str) -> &str {
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("stopped "), "{stdout}");
    lines[1].trim()
}

/// Stops a run twice by a signal, each time somewhere on its way, and lets the command printed finish it.
fn stop_twice(name: &str) {
    let place = Place::new();
    place.train("whole");
    let mut running = place.spawn("my run's", "");
    for at in ["checkpoints/step-00000020", "checkpoints/step-00000100"] {
        assert!(running.wait_for(at), "it ended before {at}");
        running.signal(name);
        let sent = Instant::now();
        let (code, stdout, stderr) = running.end();
        assert!(sent.elapsed() < Duration::from_secs(20), "it took {:?}", sent.elapsed());
        assert_eq!(code, Some(0), "{stderr}");
        // One step in progress, and what was made between the line and the signal.
        let step: u64 = metrics(&place.path("my run's")).last().expect("a line")["step"].as_u64().expect("a step");
        assert!(step < 160, "it went on to step {step}");
        assert!(stdout.starts_with(&format!("stopped after step {step},")), "{stdout}");
        let command = resume_command(&stdout).to_owned();
        assert!(command.ends_with(r"train --run 'my run'\''s' --resume"), "{command}");
        // The shell makes way for the program, so that signals reach it.
        running = Running::new(&mut place.shell(&format!("exec {command}")));
    }
    let (code, _, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(result(&place.path("my run's")), result(&place.path("whole")));
}

#[test]
fn sigterm_saves_and_says_how_to_go_on() {
    stop_twice("TERM");
}

#[test]
fn sigint_saves_and_says_how_to_go_on() {
    stop_twice("INT");
}

#[test]
fn sighup_saves_and_says_how_to_go_on() {
    stop_twice("HUP");
}

#[test]
fn sigusr1_saves_and_says_how_to_go_on() {
    stop_twice("USR1");
}

/// How often a run is stopped in each phase.
fn stops() -> usize {
    if full() { 250 } else { 8 }
}

/// Stops runs of the micro model with these settings, up to `within` after `reached` has seen the phase begin (or not seen it and
/// the run end), until they have ended. Their result is that of one that was left alone.
fn stop_in_phase(settings: &str, within: Duration, mut reached: impl FnMut(&mut Running, &Path) -> bool) {
    let place = Place::new();
    place.done(&format!("train --config micro.toml --run whole --max-steps 40 {settings}"));
    let whole = result(&place.path("whole"));
    let (mut state, mut stopped, mut round) = (20_240_609, 0, 0);
    while stopped < stops() {
        let run = format!("stopped-{round}");
        loop {
            let more = if place.path(&run).join("config.toml").exists() {
                String::new()
            } else {
                format!("--max-steps 40 {settings}")
            };
            let mut running = place.spawn(&run, &more);
            if stopped >= stops() || !reached(&mut running, &place.path(&run)) {
                let (code, stdout, stderr) = running.end();
                assert_eq!(code, Some(0), "{stdout}\n{stderr}");
                break;
            }
            std::thread::sleep(within.mul_f64(next(&mut state)));
            let (code, stdout, _) = stop_by(running, &mut state, true);
            stopped += 1;
            if code == Some(0) && stdout.starts_with("stopped after") {
                // What it says is saved is saved, and nothing half-written is left.
                let newest = newest_checkpoint(&place.path(&run));
                let step: u64 = metrics(&place.path(&run)).last().expect("a line")["step"].as_u64().expect("a step");
                assert!(newest.ends_with(format!("step-{step:08}")), "{} after step {step}", newest.display());
                let names = std::fs::read_dir(newest.parent().expect("a folder")).expect("checkpoints");
                assert!(
                    names.into_iter().all(|item| !item
                        .expect("an item")
                        .file_name()
                        .to_string_lossy()
                        .starts_with('.'))
                );
            }
        }
        assert_eq!(result(&place.path(&run)), whole, "{run}");
        round += 1;
    }
}

/// Waits until a checkpoint is being written, which its folder's temporary name shows; false if the run ends without one.
fn saving(running: &mut Running, run: &Path) -> bool {
    let half_written = || {
        let items = std::fs::read_dir(run.join("checkpoints")).into_iter().flatten();
        items.flatten().any(|item| item.file_name().to_string_lossy().starts_with(".tmp-"))
    };
    // The handlers are there from this line on.
    if !running.wait_for("preparing") {
        return false;
    }
    while !half_written() {
        if running.child.try_wait().expect("known").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    true
}

#[test]
fn a_run_stopped_while_it_saves_ends_with_the_same_bits() {
    // A large model, so that writing it takes a while, and few tokens a step.
    let settings = "--set training.checkpoint_interval=1 --set training.valid_interval=1000 --set model.vocab_size=1000 \
                    --set model.d_model=128 --set training.batch_tokens=60";
    stop_in_phase(settings, Duration::from_millis(10), saving);
}

#[test]
fn a_run_stopped_while_it_validates_ends_with_the_same_bits() {
    // A hundred translations after every step: what follows the line is the next validation, but for one small step.
    let settings = "--set training.checkpoint_interval=1000 --set training.valid_interval=1 --set training.valid_bleu=100 \
                    --set data.valid_sentences=100 --set training.batch_tokens=60";
    stop_in_phase(settings, Duration::from_millis(20), |running, _| running.wait_for("validation at step"));
}

/// Nothing is there to be resumed then, and the command printed is the one that was given.
fn stop_while_preparing(place: &Place, arguments: &str) {
    let mut state = 20_240_610;
    for i in 0..stops() {
        let mut running = Running::new(&mut place.noam(&format!("train {arguments}")));
        assert!(running.wait_for("preparing"));
        std::thread::sleep(Duration::from_millis(600).mul_f64(next(&mut state)));
        let (code, stdout, stderr) = stop_by(running, &mut state, true);
        assert!(!stderr.contains("run folder"), "it was ready: {stderr}");
        assert!(!place.path("run").exists(), "a run folder stays");
        if code == Some(0) {
            assert!(stdout.starts_with("stopped before the run was ready"), "{stdout}");
            let command = resume_command(&stdout);
            assert!(command.ends_with(&format!("noam train {arguments}")), "{command}");
            if i == 0 {
                let mut running = Running::new(&mut place.shell(&format!("exec {command}")));
                assert!(running.wait_for("preparing"), "{command}");
            }
        }
    }
}

#[test]
fn a_run_stopped_while_it_loads_has_not_begun() {
    let place = Place::new();
    stop_while_preparing(&place, "--config micro.toml --run run --set data.train_sentences=10000000");
}

#[test]
fn a_run_stopped_while_it_learns_its_subwords_has_not_begun() {
    let place = Place::new();
    // Words of random letters, no two alike.
    let mut state = 20_240_611;
    let mut text = String::new();
    for _ in 0..60_000 {
        text.extend((0..60).map(|_| char::from(b'a' + (next(&mut state) * 26.0) as u8)));
        text.push_str("\ta\n");
    }
    place.write("words.tsv", text);
    let config = common::CONFIG.replace("train_sentences = 300\nvalid_sentences = 12\ntest_sentences = 12\n", "");
    place.write("words.toml", config.replace("vocab_size = 200", "vocab_size = 30000"));
    stop_while_preparing(&place, "--config words.toml --run run --train words.tsv --valid words.tsv");
}

/// Between the last line about the data and the first step lies the plan of an epoch: here, of many short pairs.
#[test]
fn a_run_stopped_while_it_plans_and_fills_its_batches_ends_with_the_same_bits() {
    let place = Place::new();
    place.write("short.tsv", "a b\tc\nd\te f g\n".repeat(100_000));
    place.write("valid.tsv", "a b\tc\n".repeat(5));
    let config = common::CONFIG.replace("train_sentences = 300\nvalid_sentences = 12\ntest_sentences = 12\n", "");
    place.write("micro.toml", config);
    let files = "--train short.tsv --valid valid.tsv --max-steps 60";
    place.done(&format!("train --config micro.toml --run whole {files}"));
    let mut state = 20_240_612;
    for i in 0..stops() {
        let run = format!("stopped-{}", i % 2);
        let begun = place.path(&run).join("config.toml").exists();
        let mut running = place.spawn(&run, if begun { "" } else { files });
        if !running.wait_for("training ") {
            // It had ended.
            continue;
        }
        std::thread::sleep(Duration::from_millis(60).mul_f64(next(&mut state)));
        stop_by(running, &mut state, true);
    }
    for run in ["stopped-0", "stopped-1"] {
        let (code, stdout, stderr) = place.spawn(run, "").end();
        assert_eq!(code, Some(0), "{stdout}\n{stderr}");
        assert_eq!(result(&place.path(run)), result(&place.path("whole")), "{run}");
    }
}

#[test]
fn signals_one_after_the_other_lose_nothing() {
    let place = Place::new();
    place.train("whole");
    for (run, signals, codes) in [
        ("machine", ["TERM", "HUP", "TERM"], [Some(0), Some(0)]),
        ("scheduler", ["USR1", "USR1", "TERM"], [Some(0), Some(0)]),
        // A second interrupt leaves at once, if the first has not ended the run by then.
        ("impatient", ["INT", "INT", "INT"], [Some(0), Some(130)]),
    ] {
        let mut running = place.spawn(run, "");
        assert!(running.wait_for("step-00000040"));
        for signal in signals {
            if running.child.try_wait().expect("known").is_none() {
                running.signal(signal);
            }
        }
        let (code, _, stderr) = running.end();
        assert!(codes.contains(&code), "{code:?}: {stderr}");
        let (code, _, stderr) = place.spawn(run, "").end();
        assert_eq!(code, Some(0), "{stderr}");
        assert_eq!(result(&place.path(run)), result(&place.path("whole")));
    }
}

#[test]
fn a_stop_before_the_first_step_can_be_resumed() {
    let place = Place::new();
    let mut running = place.spawn("run", "--json");
    assert!(running.wait_for("preparing"));
    running.signal("TERM");
    let (code, stdout, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(json["end"], "stopped");
    let command = json["resume"].as_str().expect("a command");
    let (stdout, _) = succeeded(&mut place.shell(command));
    assert!(stdout.contains("\"end\":\"steps\""), "{stdout}");
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let place = Place::new();
    let script = "trap '' HUP; exec \"$NOAM\" train --config micro.toml --run run";
    let mut running = Running::new(&mut place.shell(script));
    assert!(running.wait_for("step-00000020"));
    running.signal("HUP");
    let (code, stdout, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("ended after step 160"), "{stdout}");
}
