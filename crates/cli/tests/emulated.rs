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
fn a_rate_that_is_learned_is_learned_alike() {
    let place = Place::new();
    let rule = "--set training.feedback.rule=hypergradient --set training.feedback.form=multiplicative \
                --set training.feedback.step_size=0.3 --set training.feedback.max_rate=10.0";
    for (run, device) in [("cpu", "cpu"), ("emulated", "emulated")] {
        place.done(&format!("train --config micro.toml --run {run} --max-steps 4 {SHORT} {rule} --device {device}"));
    }
    assert_eq!(result(&place.path("cpu")), result(&place.path("emulated")));
    let metrics = std::fs::read_to_string(place.path("cpu").join("metrics.jsonl")).unwrap();
    let records = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let factors: Vec<f64> = records.filter_map(|record| record["factor"].as_f64()).collect();
    assert!(factors.len() == 4 && factors[1..].iter().all(|&factor| factor != 1.0), "{factors:?}");
}

#[test]
fn a_run_in_another_precision_goes_on_from_its_checkpoint_and_may_change_it() {
    let place = Place::new();
    let steps = |n| format!("--max-steps {n}");
    for (run, precision) in [("bf16", "bf16"), ("f16", "f16"), ("tf32", "tf32")] {
        let start = format!("train --config micro.toml {SHORT} --device emulated --precision {precision}");
        place.done(&format!("{start} --run {run}-whole {}", steps(6)));
        place.done(&format!("{start} --run {run} {}", steps(3)));
        // The precision is the run's: it need not be said again.
        place.done(&format!("train --run {run} --resume --device emulated {}", steps(6)));
        assert_eq!(result(&place.path(run)), result(&place.path(&format!("{run}-whole"))), "{precision}");
    }
    // What is printed at the end goes on where the run was.
    let (next, _) = place.done("train --run f16 --resume --device emulated --max-steps 7");
    assert!(next.contains("train --run f16 --resume --device emulated --max-steps 14"), "{next}");
    let (_, ended) = place.done("train --run f16 --resume --device emulated");
    assert!(ended.contains("--resume --device emulated --max-steps"), "{ended}");
    let stderr = place.fails("train --run bf16 --resume --max-steps 8", 1);
    assert!(stderr.contains("the CPU computes in f32 only, and bf16 is asked for"), "{stderr}");
    place.done("train --run bf16 --resume --max-steps 8 --precision f32");
    let manifest = std::fs::read_to_string(place.path("bf16").join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let sessions = manifest["sessions"].as_array().unwrap();
    let precisions: Vec<_> = sessions.iter().map(|session| session["precision"].as_str().unwrap()).collect();
    assert_eq!(precisions, ["bf16", "bf16", "f32"]);

    let stderr = place.fails("train --config micro.toml --run none --precision bf16", 1);
    assert!(stderr.contains("--precision f32") && !place.path("none").exists(), "{stderr}");
    let stderr = place.fails("train --config micro.toml --run none --precision fp8", 2);
    assert!(stderr.contains("there are f32, tf32, bf16 and f16"), "{stderr}");
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

#[cfg(feature = "cublaslt")]
#[test]
fn cublaslt_is_for_gpus() {
    let place = Place::new();
    let train = "train --config micro.toml --run run --products cublaslt";
    let stderr = place.fails(train, 2);
    assert!(stderr.contains("--device cuda"), "{stderr}");
    let stderr = place.fails(&format!("{train} --device emulated"), 1);
    assert!(stderr.contains("cuBLASLt runs on GPUs only") && stderr.contains("noam emulator"), "{stderr}");
    assert!(!place.path("run").exists());
}
