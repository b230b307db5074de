//! Runs on the emulated CUDA device: the CPU's results, also where a run goes on on another device.
#![cfg(all(feature = "emulator", target_os = "linux"))]

mod common;

use common::{Place, result};

/// Settings of a run that is short: the device is slow.
const SHORT: &str =
    "--set training.batch_tokens=60 --set training.checkpoint_interval=4 --set training.valid_interval=6";

#[test]
fn a_run_may_change_devices_and_ends_with_the_same_bits() {
    let place = Place::new();
    place.done(&format!("train --config micro.toml --run whole --max-steps 12 {SHORT}"));
    let whole = result(&place.path("whole"));
    for (run, first, second) in [("there", "emulated", "cpu"), ("back", "cpu", "emulated")] {
        place.done(&format!("train --config micro.toml --run {run} --max-steps 6 {SHORT} --device {first}"));
        place.done(&format!("train --run {run} --resume --max-steps 12 --device {second}"));
        assert_eq!(result(&place.path(run)), whole, "{first}, then {second}");
    }
}

#[test]
fn a_run_that_is_stopped_says_on_which_device_to_go_on() {
    let place = Place::new();
    let mut running = place.spawn("run", &format!("--device emulated {SHORT}"));
    assert!(running.wait_for("training "));
    running.signal("TERM");
    let (code, stdout, stderr) = running.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains("--resume --device emulated"), "{stdout}");
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let place = Place::new();
    let stderr = place.fails("train --config micro.toml --run run --device gpu", 2);
    assert!(stderr.contains("cpu, cuda, cuda:N"), "{stderr}");
    // Where there is a driver, it has no such device.
    let stderr = place.fails("train --config micro.toml --run run --device cuda:77", 1);
    assert!(stderr.contains("no CUDA driver") || stderr.contains("opening the device"), "{stderr}");
    assert!(!place.path("run").exists());
}
