//! The kernels' catalogue from outside: what is checked and counted on the emulated device, and how that ends.
#![cfg(all(feature = "emulator", target_os = "linux"))]

mod common;

use std::fs;

use common::{Place, succeeded, texts};

#[test]
fn cases_that_pass_are_reported_and_end_with_0() {
    let place = Place::new();
    let (stdout, stderr) =
        place.done("kernels check --device emulated --filter layer_norm_forward/N9_C513 --output check.md");
    assert!(stdout.starts_with("3 of 3 cases passed") && stdout.ends_with("check.md: the report\n"), "{stdout}");
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{stderr}");
    assert_eq!(lines[0], "ok    layer_norm_forward/N9_C513/f32");
    let report = fs::read_to_string(place.path("check.md")).expect("written");
    assert!(report.contains("noam emulator (A100-like, software), compute capability 8.0"), "{report}");
    assert!(report.contains("\n| layer_norm_forward | N9_C513 | f32 | pass | 4635 |  |\n"), "{report}");
    // In 16 bits y has a bound.
    let bf16 = report.lines().find(|line| line.starts_with("| layer_norm_forward | N9_C513 | bf16 | pass | 4635 | 0."));
    assert!(bf16.is_some() && !report.contains("What is wrong"), "{report}");
}

#[test]
fn without_a_file_the_report_goes_to_standard_output() {
    let (stdout, _) = Place::new().done("kernels check --device emulated --filter fill/N15/f16");
    assert!(stdout.starts_with("# The CUDA kernels, checked\n") && stdout.contains("1 of 1 cases passed"), "{stdout}");
}

#[test]
fn a_kernel_that_fails_is_reported_and_ends_with_1() {
    let place = Place::new();
    // A kernel is stopped before its end: after ten instructions of warps.
    let mut command = place.noam("kernels check --device emulated --filter adam/ --output check.md");
    let output = command.env("NOAM_EMULATOR_STEPS", "10").output().expect("the program starts");
    let (stdout, stderr) = texts(&output);
    assert_eq!(output.status.code(), Some(1), "{stdout}\n{stderr}");
    assert!(stderr.contains("FAIL  adam/N0/f32: "), "{stderr}");
    assert!(stderr.contains("error: 1 of 1 cases failed, 5 were not tried"), "{stderr}");
    assert!(stdout.starts_with("0 of 1 cases passed"), "{stdout}");
    let report = fs::read_to_string(place.path("check.md")).expect("written");
    assert!(report.contains("| adam | N0 | f32 | **FAIL** | 0 |  |"), "{report}");
    assert!(report.contains("- adam/N0/f32\n") && report.contains("step budget"), "{report}");
}

#[test]
fn counts_are_the_same_whatever_the_environment_says() {
    let place = Place::new();
    place.done("kernels report --filter top_k --output one.md");
    let mut again = place.noam("kernels report --filter top_k");
    again.env("NOAM_EMULATOR_DEVICE", "h100").env("NOAM_EMULATOR_CHECKS", "all").env("NOAM_EMULATOR_ORDER", "5");
    let (two, _) = succeeded(again.env("NOAM_EMULATOR_THREADS", "1").env("RAYON_NUM_THREADS", "1"));
    assert_eq!(fs::read_to_string(place.path("one.md")).expect("written"), two);
    assert!(two.contains("| f32 | N64_V2048_K8 | `top_k_f32` | "), "{two}");
    assert_eq!(two.lines().filter(|line| line.contains("| `top_k_")).count(), 3);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = Place::new();
    for (arguments, says) in [
        ("kernels bench --device emulated", "`noam kernels report` counts there"),
        ("kernels bench --samples 0", "0 is not in 1..=100000"),
        ("kernels check --device cpu", "give --device cuda, cuda:N"),
        ("kernels check --device emulated --filter nothing", "no case's name contains `nothing`"),
        ("kernels report --filter nothing", "names are operation/shape/type, as matmul/"),
    ] {
        let stderr = place.fails(arguments, 2);
        assert!(stderr.contains(says), "noam {arguments}\n{stderr}");
    }
}
