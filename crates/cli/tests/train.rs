//! A run from its first step to its use.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use common::{Place, Running, check_svg, manifest, metrics, result, succeeded, texts};

#[test]
fn a_run_leaves_all_that_it_promises() {
    let place = Place::new();
    let (stdout, stderr) = place.done("train --config micro.toml --profile");
    let run = place.path("runs/001-en-de-micro");
    assert!(stderr.contains("run folder  runs/001-en-de-micro"), "{stderr}");
    for part in ["8768 parameters", "200 subwords", "300 pairs", "step 1/160  loss ", "validation at step 160: loss"] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    for part in ["ended after step 160", "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:noam-", "what next"]
    {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert_eq!(stdout.matches("\n  source       ").count(), 10);
    assert_eq!(stdout.matches("\n  translation  ").count(), 10);
    assert_eq!(stdout.matches("\n  reference    ").count(), 10);
    for part in ["phase ", "operation ", "forward and backward", "matmul"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }

    for name in ["loss.svg", "rate.svg", "attention.svg"] {
        check_svg(&run.join(name));
    }
    for name in ["config.toml", "tokenizer.json", "model.safetensors"] {
        assert!(fs::metadata(run.join(name)).expect(name).len() > 100);
    }
    let attention = fs::read_to_string(run.join("attention.svg")).expect("a picture");
    for part in ["Encoder", "Decoder", "Cross", "layer 1, head 2", "&lt;/s&gt;"] {
        assert!(attention.contains(part), "{part}");
    }
    let steps: Vec<_> = metrics(&run).into_iter().filter(|line| line["event"] == "step").collect();
    assert_eq!(steps.len(), 160);
    let mean = |lines: &[serde_json::Value]| {
        lines.iter().map(|line| line["loss"].as_f64().expect("a loss")).sum::<f64>() / lines.len() as f64
    };
    let (first, last) = (mean(&steps[..10]), mean(&steps[150..]));
    assert!(last < first - 0.5, "the loss fell only from {first} to {last}");
    for (i, line) in steps.iter().enumerate() {
        assert_eq!(line["step"], i + 1);
        assert!(["rate", "tokens_per_s", "grad_norm"].iter().all(|key| line[key].as_f64().is_some_and(|v| v > 0.0)));
    }
    let manifest = manifest(&run);
    assert_eq!(manifest["result"]["step"], 160);
    assert!(manifest["result"]["score"].as_str().expect("a score").starts_with("BLEU|nrefs:1"));

    let (_, again) = place.done("train --run runs/001-en-de-micro --resume");
    assert!(again.contains("has ended after step 160") && again.contains("--max-steps 320"), "{again}");
    let (longer, _) = place.done("train --run runs/001-en-de-micro --resume --max-steps 170 --json");
    let longer: serde_json::Value = serde_json::from_str(&longer).expect("one JSON object");
    assert_eq!((&longer["end"], &longer["step"]), (&"steps".into(), &170.into()));
    assert!(longer["bleu"].is_f64() && longer["signature"].is_string() && longer["valid_loss"].is_f64());
    assert_eq!(longer["translations"].as_array().map(Vec::len), Some(10));
    let loss = fs::read_to_string(run.join("loss.svg")).expect("a picture");
    assert!(loss.contains("step 170"), "the picture goes on");

    let (_, second) = place.done("train --config micro.toml --max-steps 1 --max-minutes 1e300");
    assert!(second.contains("run folder  runs/002-en-de-micro"), "{second}");
}

#[test]
fn threads_change_nothing_and_seeds_do() {
    let place = Place::new();
    place.done("train --config micro.toml --run one --threads 1");
    place.done("train --config micro.toml --run two --threads 2");
    place.done("train --config micro.toml --run other --threads 2 --seed 7");
    let (one, two, other) = (result(&place.path("one")), result(&place.path("two")), result(&place.path("other")));
    assert_eq!(one, two);
    assert_ne!(one.0, other.0);
}

#[test]
fn a_trained_run_can_be_used() {
    let place = Place::new();
    place.train("run");

    let (stdout, _) = succeeded(place.noam("translate run").args(["A dog sleeps.", "Her son is clever."]));
    assert_eq!(stdout.lines().count(), 2);
    let (json, _) = succeeded(place.noam("translate run --json --beam 3").args(["A dog sleeps."]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["source"], "A dog sleeps.");
    assert!(json["score"].is_f64() && json["translation"].is_string());

    // A line is answered before the next one is written.
    let mut child = place
        .noam("translate run")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut input = child.stdin.take().expect("piped");
    let mut output = BufReader::new(child.stdout.take().expect("piped"));
    for sentence in ["A dog sleeps.", "", "Her son is clever."] {
        writeln!(input, "{sentence}").expect("written");
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line.trim_end().is_empty(), sentence.is_empty(), "{line}");
    }
    input.write_all(b"no \xff text\n").expect("written");
    drop(input);
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(ended.status.code(), Some(1));
    assert!(texts(&ended).1.starts_with("error: standard input, line 4: not UTF-8 at byte 4"));

    place.done("data generate --split test --count 15 --out-src test.en --out-tgt test.de");
    let (stdout, _) = place.done("evaluate run --src test.en --ref test.de --out hypotheses.de");
    assert!(
        stdout.starts_with("15 sentences") && stdout.contains("BLEU|nrefs:1|case:mixed|eff:no|tok:13a"),
        "{stdout}"
    );
    assert_eq!(fs::read_to_string(place.path("hypotheses.de")).expect("translations").lines().count(), 15);
    let (json, _) = place.done("evaluate run --src test.en --ref test.de --beam 2 --json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["bleu"].is_f64() && json["signature"].as_str().is_some_and(|text| text.contains("tok:13a")));
    assert_eq!(json["beam"], 2);
    place.write("short.de", "eins\n");
    let error = place.fails("evaluate run --src test.en --ref short.de", 1);
    assert!(error.contains("test.en has 15 lines and short.de has 1"), "{error}");

    succeeded(place.noam("attention run --out a.svg").arg("A dog sleeps."));
    check_svg(&place.path("a.svg"));
    succeeded(place.noam("attention run --out b.svg --checkpoint 160").args(["A dog.", "--target", "Ein Hund."]));
    check_svg(&place.path("b.svg"));
    let error = place.fails("translate run --checkpoint 3 hello", 1);
    assert!(error.contains("there is no checkpoint of step 3"), "{error}");
    let error = place.fails("translate nowhere hello", 1);
    assert!(error.contains("nowhere is not a run folder"), "{error}");
    let long = "dog ".repeat(2000);
    let output = place.noam("translate run").arg(&long).output().expect("the program starts");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && error.contains("split the sentence"), "{error}");
}

#[test]
fn runs_are_listed_and_compared() {
    let place = Place::new();
    place.done("train --config micro.toml --run all/a --max-steps 45");
    place.done("train --config micro.toml --run all/b --max-steps 45 --set schedule.warmup=20");
    let (list, _) = place.done("runs list all");
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[0].starts_with("run ") && lines[1].starts_with("all/a ") && lines[2].starts_with("all/b "), "{list}");
    let (json, _) = place.done("runs list all --json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((json[0]["run"].as_str(), json[1]["step"].as_u64()), (Some("all/a"), Some(45)));

    let (text, _) = place.done("runs compare all/a all/b");
    let line =
        |what: &str| text.lines().find(|line| line.starts_with(what)).unwrap_or_else(|| panic!("{what}: {text}"));
    let words: Vec<&str> = line("config.schedule.warmup ").split_whitespace().collect();
    assert_eq!(words[1..], ["40", "20"]);
    // Noam: 2 · 16^-1/2 · n · warmup^-3/2 while it rises; 20 is one run's turn and 40 the other's.
    let rates = |step: u64| -> Vec<f64> {
        line(&format!("rate at step {step} "))
            .split_whitespace()
            .skip(4)
            .map(|rate| rate.parse().expect("a rate"))
            .collect()
    };
    for step in [1, 20, 40] {
        let want =
            [40.0, 20.0].map(|warmup: f64| 0.5 * f64::min(step as f64 * warmup.powf(-1.5), (step as f64).powf(-0.5)));
        for (got, want) in rates(step).into_iter().zip(want) {
            assert!((got / want - 1.0).abs() < 1e-12, "step {step}: {got} {want}");
        }
    }
    let (json, _) = place.done("runs compare all/a all/b --json");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(json.as_array().expect("an array").iter().any(|d| d["what"] == "config.schedule.warmup" && d["a"] == "40"));
    assert_eq!(place.done("runs compare all/a all/a").0, "nothing differs\n");
    assert!(place.fails("runs list no/such/folder", 1).contains("no/such/folder"));
}

#[test]
fn a_bench_prints_one_line_of_json() {
    let place = Place::new();
    let (stdout, _) = place.done("bench step --preset micro --seconds 0 --threads 1 --json");
    assert_eq!(stdout.lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((&json["case"], &json["threads"]), (&"micro".into(), &1.into()));
    assert!(
        ["median_s", "min_s", "tokens_per_s", "gflops"].iter().all(|key| json[key].as_f64().is_some_and(|v| v > 0.0))
    );
    let (table, _) = place.done("bench step --preset micro --seconds 0");
    assert!(table.contains("tokens/s") && table.contains("GFLOP/s"), "{table}");
}

#[test]
fn nobody_listening_is_no_reason_to_stop() {
    let place = Place::new();
    let mut running = Running::new(&mut place.noam("train --config micro.toml --run run --max-steps 60"));
    assert!(running.wait_for("preparing"));
    running.close();
    assert_eq!(running.child.wait().expect("it ends").code(), Some(0));
    assert_eq!(manifest(&place.path("run"))["result"]["step"], 60);
}
