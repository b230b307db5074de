//! What there is to compute on, and the emulated driver for other programs, from outside.
#![cfg(all(feature = "emulator", target_os = "linux", target_env = "gnu"))]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Place, succeeded};

/// `noam devices`, whose driver is looked for in this folder first.
fn devices(place: &Place, library: &Path, arguments: &str) -> Command {
    let mut command = place.noam("devices");
    command.args(arguments.split_whitespace()).env("LD_LIBRARY_PATH", library);
    command.env("RAYON_NUM_THREADS", "3").env("NOAM_ISA", "portable");
    for variable in ["DEVICE", "DEVICES", "MEMORY", "CHECKS", "THREADS", "STEPS", "ORDER"] {
        command.env_remove(format!("NOAM_EMULATOR_{variable}"));
    }
    command
}

/// A folder where the dynamic loader finds files of the driver's names that are no libraries, and looks no further: as on a
/// machine without a driver.
fn no_driver(place: &Place) -> PathBuf {
    let folder = place.path("none");
    fs::create_dir(&folder).expect("a folder");
    for name in ["libcuda.so", "libcuda.so.1"] {
        fs::write(folder.join(name), "no library").expect("written");
    }
    folder
}

/// Without the line that depends on the processor.
fn everywhere(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("  instructions")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn another_program_runs_on_the_exported_driver() {
    let place = Place::new();
    let folder = place.path("new/emulated");
    // Twice: an older export is replaced.
    place.done("emulator export new/emulated");
    let (text, _) = place.done("emulator export new/emulated");
    assert!(text.contains(&format!("LD_LIBRARY_PATH={} PROGRAM", folder.display())), "{text}");
    assert!(text.contains("NOAM_EMULATOR_CHECKS "), "{text}");
    let mut names: Vec<_> =
        fs::read_dir(&folder).expect("made").map(|item| item.expect("an item").file_name()).collect();
    names.sort();
    assert_eq!(names, ["libcuda.so", "libcuda.so.1"], "nothing else is left there");
    assert_eq!(fs::read_link(folder.join("libcuda.so.1")).expect("a link"), Path::new("libcuda.so"));

    // The program itself is the other program: it asks the driver API for devices.
    let mut command = devices(&place, &folder, "--json");
    command.env("NOAM_EMULATOR_DEVICE", "h100").env("NOAM_EMULATOR_DEVICES", "2").env("NOAM_EMULATOR_MEMORY", "256M");
    let (json, warnings) = succeeded(&mut command);
    assert_eq!(warnings, "");
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(found["cuda"]["driver"], "13.5");
    assert_eq!(found["cuda"]["devices"].as_array().map(Vec::len), Some(2));
    for device in found["cuda"]["devices"].as_array().expect("checked above") {
        assert_eq!(device["name"], "noam emulator (H100-like, software)");
        assert_eq!(device["compute_capability"], "9.0");
        assert_eq!(device["multiprocessors"], 132);
        assert_eq!(device["memory_bytes"], 268_435_456);
        assert_eq!(device["memory_free_bytes"], 268_435_456);
    }
    assert_eq!(found["emulator"]["model"], "h100");
    let (text, _) = succeeded(&mut devices(&place, &folder, ""));
    insta::assert_snapshot!("devices_emulated", everywhere(&text));
}

#[test]
fn a_machine_without_a_driver_has_the_rest() {
    let place = Place::new();
    let folder = no_driver(&place);
    let mut command = devices(&place, &folder, "");
    command.env("NOAM_EMULATOR_CHECKS", "memory,race").env("NOAM_EMULATOR_ORDER", "7").env("NOAM_EMULATOR_DEVICE", "x");
    let (text, _) = succeeded(&mut command);
    insta::assert_snapshot!("devices_without_driver", everywhere(&text));
    let (json, _) = succeeded(&mut devices(&place, &folder, "--json"));
    let found: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&found["cpu"]["threads"], &found["cpu"]["isa"]), (&3.into(), &"portable".into()));
    assert_eq!(found["cuda"]["devices"], serde_json::json!([]));
    assert!(found["cuda"]["error"].as_str().expect("a reason").contains("libcuda.so is not found"), "{json}");
    assert_eq!(found["emulator"]["checks"], serde_json::json!([]));
}

#[test]
fn an_export_that_cannot_be_says_why() {
    let place = Place::new();
    let message = place.fails("emulator export a:b", 2);
    assert!(message.contains("a:b: LD_LIBRARY_PATH can't name a folder with `:`"), "{message}");
    assert!(!place.path("a:b").exists());
    place.write("file", "");
    let message = place.fails("emulator export file/emulated", 1);
    assert!(message.contains("/file"), "{message}");
    // A folder has the link's name: it stays, and the message names it.
    fs::create_dir_all(place.path("taken/libcuda.so.1/inside")).expect("folders");
    let message = place.fails("emulator export taken", 1);
    assert!(message.contains("taken/libcuda.so.1 a link to libcuda.so"), "{message}");
    assert!(!place.path("taken/.tmp-libcuda.so.1").exists() && place.path("taken/libcuda.so.1/inside").exists());
}
