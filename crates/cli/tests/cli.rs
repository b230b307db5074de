//! The program from outside: what it prints, what it refuses, how it exits.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program, so that neither the terminal nor the environment changes its words.
fn noam(arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_noam"));
    command.args(arguments.split_whitespace()).stdin(Stdio::null()).env("COLUMNS", "100").env_remove("RUST_BACKTRACE");
    command
}

fn run(arguments: &str) -> Output {
    noam(arguments).output().expect("the program starts")
}

/// Standard output of a run that must succeed in silence.
fn stdout(arguments: &str) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "noam {arguments}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// Standard error of a run that must fail with this code and print nothing else.
fn stderr(arguments: &str, code: i32) -> String {
    let output = run(arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(code), "noam {arguments}\n{stderr}");
    assert!(output.stdout.is_empty(), "noam {arguments} prints results beside its error");
    stderr
}

#[test]
fn help_texts() {
    // The list of commands with all features.
    #[cfg(feature = "emulator")]
    insta::assert_snapshot!("help", stdout("--help"));
    // The feature adds a flag.
    if !cfg!(feature = "cublaslt") {
        insta::assert_snapshot!("help_train", stdout("train -h"));
    }
    insta::assert_snapshot!("help_translate", stdout("translate -h"));
    insta::assert_snapshot!("help_evaluate", stdout("evaluate -h"));
    insta::assert_snapshot!("help_attention", stdout("attention -h"));
    insta::assert_snapshot!("help_runs_compare", stdout("runs compare -h"));
    insta::assert_snapshot!("help_bench_step", stdout("bench step -h"));
    insta::assert_snapshot!("help_devices", stdout("devices -h"));
    #[cfg(feature = "cuda")]
    insta::assert_snapshot!("help_kernels_check", stdout("kernels check -h"));
    #[cfg(feature = "cuda")]
    insta::assert_snapshot!("help_kernels_bench", stdout("kernels bench -h"));
    #[cfg(feature = "emulator")]
    insta::assert_snapshot!("help_kernels_report", stdout("kernels report -h"));
    #[cfg(feature = "emulator")]
    insta::assert_snapshot!("help_emulator_export", stdout("emulator export -h"));
    insta::assert_snapshot!("help_schedule", stdout("schedule --help"));
    insta::assert_snapshot!("help_schedule_noam", stdout("schedule noam -h"));
    insta::assert_snapshot!("help_schedule_advise", stdout("schedule advise -h"));
    insta::assert_snapshot!("help_data_generate", stdout("data generate -h"));
    insta::assert_snapshot!("help_data_inspect", stdout("data inspect -h"));
}

#[test]
fn a_schedule_as_a_table() {
    insta::assert_snapshot!("schedule_noam", stdout("schedule noam --d-model 512 --warmup 4000 --at 1,4000,100000"));
    insta::assert_snapshot!(
        "schedule_wsd",
        stdout("schedule wsd --peak 1e-3 --warmup 50 --stable 800 --decay-steps 150")
    );
    insta::assert_snapshot!(
        "schedule_advise",
        stdout("schedule advise --samples 29000 --layers 24 --total-steps 50000")
    );
}

#[test]
fn csv_has_every_step_and_reads_back_exactly() {
    let csv = stdout("schedule noam --d-model 512 --warmup 40 --steps 1000 --format csv");
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("step,rate"));
    let json = stdout("schedule noam --d-model 512 --warmup 40 --steps 1000 --json");
    let parsed: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(parsed["rates"].as_array().map(Vec::len), Some(1000));
    // serde_json rounds what it reads; the standard library reads exactly.
    let rates: Vec<&str> = json.lines().filter_map(|line| line.strip_prefix("{\"step\":")).collect();
    assert_eq!(rates.len(), 1000);
    for (i, (line, rate)) in lines.zip(rates).enumerate() {
        let (step, text) = line.split_once(',').expect("two columns");
        assert_eq!(step.parse(), Ok(i + 1));
        let value: f64 = text.parse().expect("a number");
        let rest = rate.strip_prefix(&format!("{step},\"rate\":")).expect("the same step");
        assert_eq!(rest.trim_end_matches([',', '}']).parse(), Ok(value));
        // The shortest: one digit less is another number.
        let digits =
            text.trim_start_matches(['0', '.']).chars().take_while(|&c| c != 'e').filter(char::is_ascii_digit).count();
        let shorter: f64 = format!("{value:.*e}", digits.saturating_sub(2)).parse().expect("a number");
        assert!(digits == 1 || shorter != value, "{text} could be shorter");
    }
    let peak = stdout("schedule noam --d-model 512 --warmup 4000 --at 4000 --format csv");
    let peak: f64 = peak.trim_end().rsplit(',').next().expect("a rate").parse().expect("a number");
    assert!((peak - 6.987_712_429_686_843e-4).abs() < 1e-18, "{peak:e}");
}

#[test]
fn a_schedule_as_a_picture() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("rate.svg");
    let arguments = "schedule noam --d-model 512 --warmup 4000 --steps 100000 --format svg";
    assert_eq!(stdout(&format!("{arguments} --out {}", path.display())), "");
    let svg = std::fs::read_to_string(&path).expect("the picture");
    assert!(svg.starts_with("<svg ") && svg.contains("peak 6.988e-4 at step 4000"));
    assert_eq!(svg, stdout(arguments), "the same bytes each time");
}

#[test]
fn wrong_usage_is_code_2_and_says_what_is_wrong() {
    for (arguments, part) in [
        ("", "Usage: noam <COMMAND>"),
        ("scedule", "'schedule'"),
        ("schedule noon --d-model 512", "unrecognized subcommand 'noon'"),
        ("schedule noam --d-model 512", "--warmup <N>"),
        ("schedule noam --d-model 0 --warmup 10", "`d_model` is 0, must be at least 1"),
        ("schedule noam --d-model 8 --warmup 0", "`warmup` is 0, must be at least 1"),
        ("schedule noam --d-model 8 --warmup 10 --factor NaN", "`factor` is NaN"),
        ("schedule noam --d-model 8 --warmup 10 --factor -1", "`factor` is -1"),
        ("schedule noam --d-model 8 --warmup 10 --at 5,0", "must be at least 1"),
        ("schedule noam --d-model 8 --warmup 10 --steps 5 --at 5", "cannot be used with"),
        ("schedule constant --rate 1e-4 --d-model 8", "unexpected argument '--d-model'"),
        ("schedule piecewise --rates 1,2 --boundaries 5,9", "one rate more than boundaries"),
        ("data generate --pair en-fr", "en-de, de-en, en-zh, zh-en"),
        ("data generate --out-src a.txt", "--out-tgt <FILE>"),
        ("data generate --out-src same.txt --out-tgt same.txt", "same.txt; give two names"),
        ("data inspect a b c", "unexpected value 'c'"),
    ] {
        let message = stderr(arguments, 2);
        assert!(message.contains(part), "noam {arguments}: {part:?} is not in\n{message}");
    }
}

#[test]
fn failed_work_is_code_1_with_its_cause() {
    let missing = stderr("data inspect no/such/file.txt", 1);
    assert!(missing.starts_with("error: cannot open no/such/file.txt"), "{missing}");
    assert!(missing.contains("\n  because: "), "{missing}");
    let no_folder = stderr("data generate --count 3 --tsv no/such/folder/pairs.tsv", 1);
    assert!(no_folder.contains("no/such/folder"), "{no_folder}");
}

#[test]
fn a_reader_that_stops_reading_ends_the_program_quietly() {
    let arguments = "schedule noam --d-model 512 --warmup 4000 --steps 100000000 --format csv";
    let mut child = noam(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut first = [0; 10];
    child.stdout.take().expect("piped").read_exact(&mut first).expect("the first line");
    assert_eq!(&first, b"step,rate\n");
    // The pipe is closed by now; a hundred million lines would take minutes.
    let output = child.wait_with_output().expect("the program ends");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output = noam("data generate --count 3").stdout(full).output().expect("the program starts");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.starts_with("error: cannot write to standard output\n  because: "), "{message}");
}

fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).expect("a text file").lines().map(str::to_owned).collect()
}

#[test]
fn generated_files_are_parallel_repeatable_and_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (src, tgt, tsv) = (folder.path().join("a.en"), folder.path().join("a.de"), folder.path().join("a.tsv"));
    let files = format!("--out-src {} --out-tgt {}", src.display(), tgt.display());
    assert_eq!(stdout(&format!("data generate --count 50 --seed 9 {files}")), "");
    assert_eq!(stdout(&format!("data generate --count 50 --seed 9 --tsv {}", tsv.display())), "");
    let pairs: Vec<String> = lines(&src).iter().zip(lines(&tgt)).map(|(s, t)| format!("{s}\t{t}")).collect();
    assert_eq!(pairs.len(), 50);
    assert_eq!(lines(&tsv), pairs);
    assert_eq!(stdout("data generate --count 50 --seed 9").lines().collect::<Vec<_>>(), pairs);
    assert_ne!(stdout("data generate --count 50 --seed 10").lines().collect::<Vec<_>>(), pairs);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 3, "nothing else is left there");
}

#[test]
fn inspect_reads_gzip_and_agrees_with_itself_in_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let (src, tgt) = (folder.path().join("x.en.gz"), folder.path().join("x.zh"));
    let file = std::fs::File::create(&src).expect("a file");
    let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    std::io::Write::write_all(&mut packed, b"A dog sleeps.\nA cat sees a dog.\nA dog sleeps.\n").expect("written");
    packed.finish().expect("written");
    std::fs::write(&tgt, "狗在睡觉。\n猫看见狗。\n狗在睡觉。\n").expect("written");
    let files = format!("{} {}", src.display(), tgt.display());
    let json: serde_json::Value = serde_json::from_str(&stdout(&format!("data inspect {files} --json"))).expect("JSON");
    assert_eq!(json["pairs"]["count"], 3);
    assert_eq!(json["pairs"]["repeated"], 1);
    assert_eq!(json["sides"][0]["words"]["total"], 11);
    assert_eq!((&json["sides"][1]["unit"], &json["sides"][1]["characters"]["max"]), (&"characters".into(), &5.into()));
    let text = stdout(&format!("data inspect {files}")).replace(&format!("{}/", folder.path().display()), "");
    insta::assert_snapshot!("inspect", text);
}

#[test]
fn inspect_of_unequal_files_names_both_counts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    std::fs::write(&a, "one\ntwo\n").expect("written");
    std::fs::write(&b, "eins\n").expect("written");
    let message = stderr(&format!("data inspect {} {}", a.display(), b.display()), 1);
    assert!(message.contains("has 2 lines") && message.contains("has 1"), "{message}");
}
