//! Runs that are killed, stopped and resumed end with the same bits as one that is left alone.
//!
//! `NOAM_FULL_TESTS=1 cargo test --release -p noam --test interrupt` kills 200 times and stops 1000 times instead of a few.
#![cfg(unix)]

mod common;

use std::time::{Duration, Instant};

use common::{Place, Running, full, metrics, result, succeeded};

/// The next of a fixed sequence of fractions in [0, 1).
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 11) as f64 / (1_u64 << 53) as f64
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
            let over = stops >= wanted || running.child.try_wait().expect("known").is_some();
            if !over {
                running.signal(["TERM", "INT", "HUP"][(next(&mut state) * 3.0) as usize]);
                stops += 1;
            }
            let (code, stdout, stderr) = running.end();
            // A signal that comes before the program listens ends it as a kill does.
            assert!(code == Some(0) || (!over && code.is_none()), "{code:?}: {stdout}\n{stderr}");
            if over {
                break;
            }
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
fn signals_one_after_the_other_lose_nothing() {
    let place = Place::new();
    place.train("whole");
    for (run, signals, codes) in [
        ("machine", ["TERM", "HUP", "TERM"], [Some(0), Some(0)]),
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
