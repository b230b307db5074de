//! Bad input ends a run with a clear error, and leaves nothing half-made.

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::{Place, manifest, metrics, newest_checkpoint, result};

/// Forty pairs that can be trained on, twenty to validate with.
fn place_with_text() -> Place {
    let place = Place::new();
    place.done("data generate --count 40 --out-src train.en --out-tgt train.de");
    place.done("data generate --split valid --count 20 --out-src valid.en --out-tgt valid.de");
    place.done("data generate --count 40 --tsv train.tsv");
    place.done("data generate --split valid --count 20 --tsv valid.tsv");
    // The configuration without its data.
    let (head, _) = common::CONFIG.split_once("[data]").expect("a section");
    place.write("files.toml", format!("{head}[search]\nmax_tokens = 20\n"));
    place
}

const FILES: &str = "train --config files.toml --max-steps 5 --run run";

#[test]
fn good_files_train() {
    let place = place_with_text();
    let (stdout, _) = place
        .done(&format!("{FILES} --train-src train.en --train-tgt train.de --valid-src valid.en --valid-tgt valid.de"));
    assert!(stdout.contains("validation set, 20 sentences"), "{stdout}");
    let (stdout, _) = place.done(
        "train --config files.toml --max-steps 5 --run tsv --train train.tsv --valid valid.tsv --test valid.tsv --threads 1",
    );
    assert!(stdout.contains("test set, 20 sentences"), "{stdout}");
    assert_eq!(manifest(&place.path("run"))["result"]["step"], 5);
}

#[test]
fn bad_text_files_are_named() {
    let place = place_with_text();
    place.write("empty", "");
    place.write("short", "eins\nzwei\n");
    place.write("latin1", b"ein H\xe4schen\n".repeat(40));
    place.write("bad.tsv", "one\teins\ntwo zwei\n");
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&fs::read(place.path("train.de")).expect("text")).expect("packed");
    let packed = packer.finish().expect("packed");
    place.write("cut.gz", &packed[..packed.len() - 9]);
    let rest = "--train-src train.en --valid-src valid.en --valid-tgt valid.de";
    for (file, parts) in [
        ("missing", &["missing"][..]),
        ("empty", &["empty"]),
        ("latin1", &["latin1:1: not UTF-8"]),
        ("short", &["train.en", "short", "40", "2"]),
        ("cut.gz", &["cut.gz"]),
    ] {
        let error = place.fails(&format!("{FILES} {rest} --train-tgt {file}"), 1);
        let last = error.split("error: ").nth(1).unwrap_or_else(|| panic!("{error}"));
        assert!(parts.iter().all(|part| last.contains(part)), "{file}: {error}");
        assert!(!place.path("run").exists(), "{file} leaves a run behind");
    }
    let error = place.fails(&format!("{FILES} --train bad.tsv --valid valid.tsv"), 1);
    assert!(error.contains("bad.tsv:2"), "{error}");
    let error = place.fails("train --config files.toml --train missing --valid valid.tsv", 1);
    assert!(error.contains("missing"), "{error}");
    assert_eq!(fs::read_dir(place.path("runs")).expect("a folder").count(), 0, "no empty run folder stays");
}

#[test]
fn bad_settings_are_named() {
    let place = Place::new();
    place.write("unknown.toml", "preset = \"micro\"\n\n[training]\nmax_stepps = 5\n");
    place.write("schedule.toml", "[schedule]\nkind = \"noam\"\nd_model = 16\nwarmup = 0\n");
    place.write("broken.toml", "[training\n");
    for (arguments, code, parts) in [
        ("--config unknown.toml", 1, &["unknown.toml", "line 4", "max_stepps", "max_steps"][..]),
        ("--config broken.toml", 1, &["broken.toml", "line 1"]),
        ("--config schedule.toml", 1, &["schedule", "warmup", "must be at least 1"]),
        ("--config missing.toml", 1, &["missing.toml"]),
        ("--set training.max_stepps=5", 1, &["max_stepps"]),
        ("--set nonsense", 1, &["nonsense", "key=value"]),
        ("--set training.batch_tokens=0", 1, &["training.batch_tokens is 0"]),
        ("--set model.n_heads=3", 1, &["3"]),
        ("--set preset=nano", 1, &["nano"]),
        ("--preset nano", 2, &["nano", "micro, tiny, small, base, big"]),
        ("--pair en-fr", 2, &["en-fr", "en-de, de-en, en-zh, zh-en"]),
        ("--max-steps 0", 2, &["0 is not in 1.."]),
        ("--max-minutes -1", 2, &["-1"]),
        ("--train-src a --train-tgt b", 2, &["--valid-src"]),
        ("--pair en-de --train a --valid b", 2, &["--pair", "--train"]),
        ("--resume", 2, &["--run"]),
        ("--resume --run r --preset tiny", 2, &["--preset"]),
        ("--resume --run r", 1, &["r is not a run folder"]),
    ] {
        let error = place.fails(&format!("train {arguments}"), code);
        assert!(parts.iter().all(|part| error.contains(part)), "{arguments}: {error}");
    }
    assert!(!place.path("runs").exists(), "nothing was begun");
}

#[test]
fn a_folder_in_use_is_not_written_over() {
    let place = Place::new();
    place.done("train --config micro.toml --run run --max-steps 3");
    let before = fs::read(place.path("run/manifest.json")).expect("a manifest");
    let error = place.fails("train --config micro.toml --run run", 1);
    assert!(error.contains("run holds a run already") && error.contains("--resume"), "{error}");
    assert_eq!(fs::read(place.path("run/manifest.json")).expect("a manifest"), before);

    let mut running = place.spawn("busy", "--max-steps 100000");
    assert!(running.wait_for("step-00000020"));
    let error = place.fails("train --run busy --resume", 1);
    assert!(error.contains("busy") && error.contains("another process"), "{error}");
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// Stops a run of the micro model after step 60.
fn stopped(place: &Place, run: &str) {
    let mut running = place.spawn(run, "");
    assert!(running.wait_for("step-00000060"));
    running.signal("TERM");
    assert_eq!(running.end().0, Some(0));
}

/// Changes a bit in the middle of a file.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(path, bytes).expect("written");
}

#[test]
fn damaged_checkpoints_are_refused_and_older_ones_used() {
    let place = Place::new();
    place.train("whole");
    stopped(&place, "run");
    let newest = newest_checkpoint(&place.path("run"));
    damage(&newest.join("model.safetensors"));
    let (code, _, stderr) = place.spawn("run", "").end();
    assert_eq!(code, Some(0), "{stderr}");
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(stderr.contains(&name) && stderr.contains("was refused") && stderr.contains("SHA-256"), "{stderr}");
    assert_eq!(result(&place.path("run")), result(&place.path("whole")), "an older one leads to the same end");

    stopped(&place, "lost");
    for item in fs::read_dir(place.path("lost/checkpoints")).expect("checkpoints") {
        damage(&item.expect("an item").path().join("optimizer.safetensors"));
    }
    let error = place.fails("train --run lost --resume", 1);
    assert!(error.contains("none of the checkpoints in lost") && error.contains("damaged"), "{error}");

    damage(&place.path("whole/model.safetensors"));
    let error = place.fails("translate whole hello", 1);
    assert!(error.contains("whole/model.safetensors"), "{error}");
}

#[test]
fn checkpoints_of_another_run_are_refused() {
    let place = Place::new();
    stopped(&place, "run");
    place.done("train --config micro.toml --run wider --max-steps 20 --set model.d_ff=48");
    place.done("train --config micro.toml --run other --max-steps 20 --seed 5");
    for (foreign, part) in [("wider", "the model's has"), ("other", "digest")] {
        fs::remove_dir_all(place.path("run/checkpoints")).expect("removed");
        fs::create_dir(place.path("run/checkpoints")).expect("made");
        let from = newest_checkpoint(&place.path(foreign));
        let to = place.path("run/checkpoints").join(from.file_name().expect("a name"));
        fs::create_dir(&to).expect("made");
        for item in fs::read_dir(&from).expect("a checkpoint") {
            let path = item.expect("an item").path();
            fs::copy(&path, to.join(path.file_name().expect("a name"))).expect("copied");
        }
        let error = place.fails("train --run run --resume", 1);
        assert!(error.contains(part), "{foreign}: {error}");
    }
}

#[test]
fn a_loss_that_is_not_finite_ends_the_run_and_is_written_down() {
    let place = Place::new();
    let error = place.fails(
        "train --config micro.toml --run run --set schedule.factor=1e30 --set training.checkpoint_interval=1",
        1,
    );
    let last = error.split("error: ").nth(1).unwrap_or_else(|| panic!("{error}"));
    assert!(last.contains("lower rate") || last.contains("beyond f32"), "{error}");
    let lines = metrics(&place.path("run"));
    let said = |line: &&serde_json::Value| ["diverged", "skipped"].iter().any(|event| line["event"] == *event);
    let spoilt = lines.iter().find(said).unwrap_or_else(|| panic!("{lines:?}"));
    let values: Vec<String> = ["loss", "grad_norm"].iter().map(|key| spoilt[*key].to_string()).collect();
    assert!(
        values.iter().any(|value| value.contains("NaN") || value.contains("inf")) || last.contains("beyond f32"),
        "{spoilt}"
    );
    if let Ok(checkpoints) = fs::read_dir(place.path("run/checkpoints")) {
        for path in checkpoints.map(|item| item.expect("an item").path()).filter(|path| path.is_dir()) {
            let bytes = fs::read(path.join("model.safetensors")).expect("weights");
            let header = u64::from_le_bytes(bytes[..8].try_into().expect("8 bytes")) as usize;
            let values =
                bytes[8 + header..].chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")));
            assert!(values.into_iter().all(f32::is_finite), "{} is poisoned", path.display());
        }
    }
}

/// A limit on the size of files does as a full disk does: a write is cut short, and the next one fails.
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_found_before_the_first_step() {
    let place = Place::new();
    let script = "ulimit -f 100; exec \"$NOAM\" train --config micro.toml --run run";
    let (code, stdout, stderr) = common::Running::new(&mut place.shell(script)).end();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stdout.is_empty() && stderr.contains("error: ") && stderr.contains("run"), "{stderr}");
    assert!(!stderr.contains("step 1/160"), "{stderr}");
    let (code, _, stderr) = place.spawn("run", "").end();
    assert_eq!(code, Some(0), "with room it works: {stderr}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_disk_that_fills_up_leaves_the_last_checkpoint() {
    let place = Place::new();
    let small = "--set model.d_model=8 --set model.d_ff=8 --set model.vocab_size=100 --set training.keep=0 \
                 --set training.average=0 --set training.valid_interval=100000 --set training.batch_tokens=150";
    // The metrics are the only file that grows, past the limit after some thousand steps.
    let script =
        format!("ulimit -f 800; exec \"$NOAM\" train --config micro.toml --run run --max-steps 100000 {small}");
    let (code, _, stderr) = common::Running::new(&mut place.shell(&script)).end();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("metrics.jsonl") && stderr.contains("is safe"), "{stderr}");
    let step = metrics_step(&place.path("run"));
    let (stdout, _) = place.done(&format!("train --run run --resume --max-steps {}", step + 50));
    assert!(stdout.contains(&format!("ended after step {}", step + 50)), "{stdout}");
}

/// The step of the newest checkpoint.
#[cfg(target_os = "linux")]
fn metrics_step(run: &Path) -> u64 {
    let newest = newest_checkpoint(run);
    let name = newest.file_name().expect("a name").to_string_lossy().into_owned();
    name.trim_start_matches("step-").parse().expect("a step")
}
