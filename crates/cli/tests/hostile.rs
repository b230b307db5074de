//! Hostile files of at most 1 MiB in every place where the program reads one. In 256 MiB of address space each of them gives
//! an exit code of the program's own, with a message where it is refused: never an abort, a signal or a panic.
//!
//! How much memory a refusal takes cannot be read from outside without a race, so it is limited instead: a file that is refused
//! is refused with the same words in as much address space as the program needs to refuse anything, the file's size, and
//! 64 MiB. Address space is an upper bound of memory in use.
#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use common::{CONFIG, Place, newest_checkpoint};
use sha2::{Digest, Sha256};

/// The most that a hostile file has.
const MIB: usize = 1 << 20;
/// The limit that nothing may abort under, in KiB.
const LIMIT: u64 = 256 << 10;
/// No command here may take longer, on a machine that has other work to do.
const SLOW: Duration = Duration::from_secs(120);
/// What a refusal may take besides the file, in KiB.
const ALLOWED: u64 = 64 << 10;

/// Runs the program in so many KiB of address space: the exit code (none after a signal), standard output, standard error.
/// What takes minutes is as bad as what aborts.
///
/// The allocator of glibc wants 64 MiB of address space for each thread, and a thread for which there is none pays for it at
/// every allocation; so below [`LIMIT`] all share one area.
fn limited(place: &Place, kib: u64, arguments: &str) -> (Option<i32>, String, String) {
    let (out, err) = (place.path("stdout"), place.path("stderr"));
    let file = |path: &Path| fs::File::create(path).expect("a file");
    let script = format!("ulimit -v {kib}; exec \"$NOAM\" {arguments}");
    let mut command = place.shell(&script);
    command.stdout(file(&out)).stderr(file(&err));
    if kib < LIMIT {
        command.env("MALLOC_ARENA_MAX", "1");
    }
    let mut child = command.spawn().expect("the program starts");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("known") {
            break status;
        }
        if began.elapsed() > SLOW {
            child.kill().expect("killed");
            child.wait().expect("it ends");
            panic!("{arguments} takes longer than {SLOW:?}: {}", text(&err));
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    (status.code(), text(&out), text(&err))
}

/// What is in a file, as far as it is UTF-8.
fn text(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).expect("a file")).into_owned()
}

/// The least address space in KiB in which the program refuses a folder that is none.
fn baseline(place: &Place) -> u64 {
    static BASELINE: OnceLock<u64> = OnceLock::new();
    let refuses = |kib| {
        let (code, _, stderr) = limited(place, kib, "train --run nowhere --resume");
        code == Some(1) && stderr.contains("nowhere is not a run folder")
    };
    *BASELINE.get_or_init(|| {
        let (mut less, mut enough) = (0, LIMIT);
        assert!(refuses(enough), "{LIMIT} KiB are too few for anything");
        while enough - less > 256 {
            let middle = (less + enough) / 2;
            *(if refuses(middle) { &mut enough } else { &mut less }) = middle;
        }
        enough
    })
}

/// Carries out a command that reads a hostile file, which lies at `path` already. A refusal names `part`; without one, the
/// file may also be taken for what it is.
fn check(place: &Place, path: &Path, arguments: &str, part: Option<&str>) {
    let bytes = fs::metadata(path).expect("a file").len();
    assert!(bytes <= MIB as u64, "{} is not one of the small ones", path.display());
    let (code, stdout, stderr) = limited(place, LIMIT, arguments);
    let what = format!("{arguments} with {}: {code:?}\n{stdout}\n{stderr}", path.display());
    match (code, part) {
        (Some(0), None) => return,
        (Some(1), _) => {}
        _ => panic!("{what}"),
    }
    let (_, error) = stderr.split_once("error: ").unwrap_or_else(|| panic!("no message: {what}"));
    assert!(error.len() < 5000, "a message for nobody: {} bytes", error.len());
    if let Some(part) = part {
        assert!(error.contains(part), "{what}");
        let kib = baseline(place) + bytes / 1024 + ALLOWED;
        let (code, _, again) = limited(place, kib, arguments);
        assert_eq!((code, again), (Some(1), stderr), "{arguments} with {} in {kib} KiB", path.display());
    }
}

/// A run of some steps.
struct Run {
    place: Place,
    /// The name of its checkpoint's folder, in that of the run.
    checkpoint: String,
}

impl Run {
    fn new() -> Self {
        let place = Place::new();
        place.done("train --config micro.toml --run good --max-steps 20 --threads 1");
        let checkpoint = newest_checkpoint(&place.path("good"));
        let name = checkpoint.file_name().expect("a name").to_string_lossy();
        Self { checkpoint: format!("checkpoints/{name}"), place }
    }

    /// A file of the run as it was written.
    fn good(&self, name: &str) -> String {
        fs::read_to_string(self.place.path("good").join(name)).expect("a file of the run")
    }

    /// Carries out each command on a copy of the run that has `bytes` in the place of a file.
    fn with(&self, name: &str, bytes: &[u8], commands: &[&str], part: Option<&str>) {
        self.with_files(&[(name, bytes)], commands, part);
    }

    /// As [`Run::with`] for several files; the last of them is the hostile one.
    fn with_files(&self, files: &[(&str, &[u8])], commands: &[&str], part: Option<&str>) {
        let run = self.place.path("run");
        for command in commands {
            let _ = fs::remove_dir_all(&run);
            copy(&self.place.path("good"), &run);
            for (name, bytes) in files {
                fs::write(run.join(name), bytes).expect("written");
            }
            let hostile = files.last().expect("a file").0;
            check(&self.place, &run.join(hostile), command, part);
        }
    }

    /// As [`Run::with`] for a file of the checkpoint, whose state vouches for it.
    fn with_sealed(&self, name: &str, bytes: &[u8], part: &str) {
        let state_name = format!("{}/state.json", self.checkpoint);
        let text = self.good(&state_name);
        let state: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let entry = &state[if name.starts_with("model") { "model" } else { "optimizer" }];
        let seal = |bytes: String, sha256: &str| format!("\"bytes\": {bytes},\n    \"sha256\": \"{sha256}\"");
        let old = seal(entry["bytes"].to_string(), entry["sha256"].as_str().expect("a digest"));
        assert!(text.contains(&old), "{text}");
        let new = seal(bytes.len().to_string(), &hex(&Sha256::digest(bytes)));
        let state = reseal(&text.replace(&old, &new));
        let hostile = format!("{}/{name}", self.checkpoint);
        self.with_files(&[(&state_name, state.as_bytes()), (&hostile, bytes)], &[RESUME], Some(part));
    }
}

/// Copies a folder and what is in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for item in fs::read_dir(from).expect("a folder") {
        let path = item.expect("an item").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

const RESUME: &str = "train --run run --resume --max-steps 22 --threads 1";
const TRANSLATE: &str = "translate run 'a dog' --threads 1";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a state.json with the checksum at its end put right.
fn reseal(text: &str) -> String {
    let (body, _) = text.rsplit_once(",\n  \"sha256\": \"").expect("a checksum");
    format!("{body},\n  \"sha256\": \"{}\"\n}}\n", hex(&Sha256::digest(body)))
}

/// A safetensors file with this header, and with `length` in front if it is not the header's own.
fn safetensors(header: &str, length: Option<u64>, data: usize) -> Vec<u8> {
    let mut bytes = length.unwrap_or(header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

/// `count` texts, one after the other with commas between.
fn list(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().join(",")
}

/// `[[[[...`, closed or not.
fn deep(open: &str, close: &str, bytes: usize) -> String {
    let depth = bytes / (open.len() + close.len());
    open.repeat(depth) + &close.repeat(depth)
}

/// Files that are no safetensors file of any model, and what is said of them.
fn tensors() -> Vec<(Vec<u8>, &'static str)> {
    let header = |json: String| safetensors(&json, None, 64);
    let tensor = |name: &str, shape: &str, end: &str| {
        format!("\"{name}\":{{\"dtype\":\"F32\",\"shape\":[{shape}],\"data_offsets\":[0,{end}]}}")
    };
    let shared = "model.shared.weight";
    vec![
        (Vec::new(), "safetensors"),
        (vec![0; MIB], "safetensors"),
        (vec![0xff; MIB], "header"),
        (safetensors("{}", Some(u64::MAX), 1000), "header"),
        (safetensors("{}", Some(1 << 40), 1000), "header"),
        (safetensors("", Some(MIB as u64 - 8), MIB - 8), "safetensors"),
        (header(format!("{{{}}}", list(60_000, |i| format!("\"n{i:05}\":{{}}")))), "n00000"),
        (header(format!("{{{}}}", list(100_000, |i| format!("\"{i}\":0")))), "0"),
        (header(format!("{{\"__metadata__\":{{{}}}}}", list(60_000, |i| format!("\"n{i:05}\":\"\"")))), "metadata"),
        (header(format!("{{\"{shared}\":{}", deep("[", "]", 1_000_000))), "JSON"),
        (header(format!("{{\"{shared}\":{}", deep("{\"a\":", "}", 1_000_000))), "JSON"),
        (header(format!("{{\"{}\":0}}", "n".repeat(1_000_000))), "nnnn"),
        (header(format!("{{{}}}", tensor(shared, &u64::MAX.to_string(), "64"))), shared),
        (header(format!("{{{}}}", tensor(shared, &"4294967296,".repeat(7), "64").replace(",]", "]"))), shared),
        (header(format!("{{{}}}", tensor(shared, &list(90_000, |_| "1".into()), "64"))), "JSON"),
        (header(format!("{{{}}}", tensor(shared, "1", &u64::MAX.to_string()))), shared),
        (header(format!("{{{}}}", tensor(shared, "1", &"9".repeat(100_000)))), "JSON"),
    ]
}

#[test]
fn weights() {
    let run = Run::new();
    for (bytes, part) in tensors() {
        run.with("model.safetensors", &bytes, &[TRANSLATE], Some(part));
    }
}

#[test]
fn parts_of_a_checkpoint() {
    let run = Run::new();
    for name in ["model.safetensors", "optimizer.safetensors"] {
        for (bytes, part) in tensors() {
            // What the state does not vouch for is not looked into.
            run.with(&format!("{}/{name}", run.checkpoint), &bytes, &[RESUME], Some(name));
            run.with_sealed(name, &bytes, if name.starts_with("model") { part } else { name });
        }
    }
    let file = format!("{}/state.json", run.checkpoint);
    let good = run.good(&file);
    let state = |from: &str, to: String| {
        assert!(good.contains(from), "{from}: {good}");
        reseal(&good.replacen(from, &to, 1))
    };
    let (field, number) = ("\"seed\":", "\"tokens\":");
    for text in [
        String::new(),
        "[".repeat(MIB),
        "{\"a\":".repeat(MIB / 5),
        "\0".repeat(MIB),
        reseal(&format!("{},\n  \"sha256\": \"", deep("[", "]", 900_000))),
        state(field, format!("\"deep\": {},\n    {field}", deep("[", "]", 900_000))),
        state(field, format!("\"long\": \"{}\",\n    {field}", "x".repeat(1_000_000))),
        state(field, format!("{},\n    {field}", list(60_000, |i| format!("\"n{i:05}\":0")))),
        state(number, format!("{number} {},\n    {number}", "9".repeat(900_000))),
    ] {
        run.with(&file, text.as_bytes(), &[RESUME], Some("state.json"));
    }
    let text = state("\"bytes\": ", format!("\"bytes\": {}", "9".repeat(9)));
    run.with(&file, text.as_bytes(), &[RESUME], Some("model.safetensors"));
    run.with(&file, &vec![0xff; MIB], &[RESUME], Some("state.json"));
}

#[test]
fn tokenizers() {
    let run = Run::new();
    let file = "tokenizer.json";
    let good = run.good(file);
    let model = |vocab: String, merges: String| {
        let mut value: serde_json::Value = serde_json::from_str(&good).expect("JSON");
        value["model"]["vocab"] = serde_json::Value::Null;
        value["model"]["merges"] = serde_json::Value::Null;
        let text = value.to_string();
        text.replace("\"vocab\":null", &format!("\"vocab\":{vocab}"))
            .replace("\"merges\":null", &format!("\"merges\":{merges}"))
    };
    let specials = "\"<pad>\":0,\"<s>\":1,\"</s>\":2,\"<unk>\":3";
    let commands = [RESUME, TRANSLATE];
    for text in [
        String::new(),
        "[".repeat(MIB),
        "{\"model\":".repeat(MIB / 9),
        deep("[", "]", MIB),
        "\0".repeat(MIB),
        format!("\"{}\"", "x".repeat(MIB - 2)),
        format!("[{}]", list(MIB / 2 - 1, |_| "0".into())),
        format!("{{{}}}", list(90_000, |i| format!("\"{i:05}\":0"))),
        model("{}".into(), "[]".into()),
        model(format!("{{{specials},{}}}", list(60_000, |i| format!("\"n{i:05}\":4"))), "[]".into()),
        model(format!("{{{specials},\"a\":{}}}", u64::MAX), "[]".into()),
        model(format!("{{{specials},\"a\":{}}}", "9".repeat(900_000)), "[]".into()),
        model(
            format!("{{{specials},\"a\":4}}"),
            format!("[{}]", list(100_000, |_| "[\"a\",\"a\"]".into()))[..1_000_000].into(),
        ),
        model(format!("{{{specials},\"a\":4,\"aa\":5}}"), format!("[{}]", list(90_000, |_| "[\"a\",\"a\"]".into()))),
        model(format!("{{{specials},\"a\":4}}"), deep("[", "]", 900_000)),
    ] {
        run.with(file, text.as_bytes(), &commands, Some("tokenizer"));
    }
    run.with(file, &vec![0xff; MIB], &commands, Some("tokenizer"));
    // A good tokenizer, but of many more subwords than the weights have.
    let many = model(format!("{{{specials},{}}}", list(60_000, |i| format!("\"n{i:05}\":{}", i + 4))), "[]".into());
    run.with(file, many.as_bytes(), &commands, Some(""));
    let long = model(format!("{{{specials},\"{}\":4}}", "x".repeat(1_000_000)), "[]".into());
    run.with(file, long.as_bytes(), &commands, Some(""));
}

/// Texts that are no configuration, whatever they are read as.
fn not_toml() -> Vec<Vec<u8>> {
    let mut texts: Vec<Vec<u8>> = [
        "a = ".to_owned() + &"[".repeat(MIB - 4),
        "a = ".to_owned() + &deep("[", "]", MIB - 4),
        "a = ".to_owned() + &"{a=".repeat(MIB / 3 - 2),
        "a = ".to_owned() + &deep("{a=", "}", MIB - 8) + "1",
        format!("a{} = 1", ".a".repeat(MIB / 2 - 4)),
        format!("[a{}]", ".a".repeat(MIB / 2 - 4)),
        format!("[[a{}]]", ".a".repeat(MIB / 2 - 4)),
        "[a]\n".repeat(MIB / 4),
        (0..90_000).map(|i| format!("k{i} = 1\n")).collect(),
        (0..60_000).map(|i| format!("[t{i}.a]\n")).collect(),
        "\0".repeat(MIB),
        format!("preset = \"{}\"", "x".repeat(MIB - 20)),
        format!("preset = {}", "9".repeat(MIB - 20)),
        format!("preset = '''{}", "'".repeat(MIB - 20)),
        "\"".repeat(MIB),
    ]
    .map(String::into_bytes)
    .into();
    texts.push(vec![0xff; MIB]);
    texts
}

/// Settings that are allowed one by one and make a model or data for a larger machine.
const TOO_MUCH: [&str; 12] = [
    "model.d_model=1048576",
    "model.d_ff=1048576",
    "model.max_len=1048576",
    "model.encoder_layers=1000",
    "model.decoder_layers=400",
    "model.vocab_size=1048576",
    "training.batch_tokens=16777216",
    "training.accumulation=65536",
    "data.train_sentences=10000000",
    "data.valid_sentences=10000000",
    "data.test_sentences=10000000",
    "search.beam=1024",
];

#[test]
fn configurations() {
    let run = Run::new();
    let file = "config.toml";
    let given = "train --config hostile.toml --run given --max-steps 2 --threads 1";
    for text in not_toml() {
        run.with(file, &text, &[RESUME, TRANSLATE], Some("config.toml"));
        run.place.write("hostile.toml", &text);
        check(&run.place, &run.place.path("hostile.toml"), given, Some("hostile.toml"));
        assert!(!run.place.path("given").exists());
    }
    let good = run.good(file);
    for setting in TOO_MUCH {
        let (key, value) = setting.split_once('=').expect("a setting");
        let (section, name) = key.split_once('.').expect("a section");
        let table: toml::Table = good.parse().expect("TOML");
        let old = &table[section][name];
        let text = good.replacen(&format!("{name} = {old}"), &format!("{name} = {value}"), 1);
        assert_ne!(text, good, "{setting}");
        run.with(file, text.as_bytes(), &[RESUME, TRANSLATE], None);
        run.place.write("hostile.toml", CONFIG);
        let command = format!("{given} --set {setting} --set model.n_heads=1");
        check(&run.place, &run.place.path("hostile.toml"), &command, None);
        let _ = fs::remove_dir_all(run.place.path("given"));
    }
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(text).expect("packed");
    packer.finish().expect("packed")
}

/// A zstd frame of `blocks` blocks of 128 KiB, each one byte repeated; `window` is the byte that declares the window.
fn zstd(blocks: usize, window: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    for i in 1..=blocks {
        let header: u32 = u32::from(i == blocks) | 1 << 1 | (128 * 1024) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(b'x');
    }
    frame
}

/// Bytes that are no text to train on.
fn not_text() -> Vec<(&'static str, Vec<u8>)> {
    let bomb = |line: &str| {
        let member = gzip(line.repeat((16 << 20) / line.len()).as_bytes());
        member.repeat(MIB / member.len())
    };
    // A gzip header with an endless name, and with the largest of fields.
    let named = [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0][..], &vec![b'n'; MIB - 10]].concat();
    let field = [&[0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff][..], &vec![0; MIB - 12]].concat();
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff][..], &vec![0; MIB - 8]].concat();
    vec![
        ("empty", Vec::new()),
        ("bytes", vec![0xff; MIB]),
        ("cut", "ä".repeat(MIB / 2).into_bytes()[..MIB - 1].to_vec()),
        ("bomb.gz", bomb("x")),
        ("lines.gz", bomb("a\n")),
        ("words.gz", bomb("a dog sleeps\n")),
        ("empty.gz", bomb("\n")),
        ("members.gz", gzip(b"").repeat(MIB / gzip(b"").len())),
        ("named.gz", named),
        ("field.gz", field),
        ("bomb.zst", zstd(200_000, 0)),
        ("window.zst", zstd(1, 0xff)),
        ("skipped.zst", skipped),
        ("frames.zst", zstd(1, 0).repeat(MIB / zstd(1, 0).len())),
    ]
}

/// Bytes that may be taken for text, if nothing else.
fn odd_text() -> Vec<(&'static str, Vec<u8>)> {
    let repeated = |text: &str, bytes: usize| text.repeat(bytes / text.len()).into_bytes();
    let every: String = ('\u{a0}'..='\u{2ffff}').filter(|c| !c.is_whitespace()).collect();
    let each: String = every.chars().take(MIB / 4).collect();
    vec![
        ("word", repeated("x", MIB)),
        ("letters", (0..MIB).map(|i| b'a' + (i * i / 7 % 26) as u8).collect()),
        ("han", repeated("我", MIB)),
        ("spaces", repeated(" ", MIB)),
        ("nul", vec![0; MIB]),
        ("words", repeated("a dog sleeps ", MIB)),
        ("marks", [&b"a"[..], &repeated("\u{301}\u{323}", MIB - 1)].concat()),
        ("expands", repeated("\u{1d160}", MIB)),
        ("points", repeated(".,;:!?", MIB)),
        ("each", each.into_bytes()),
        ("short", repeated("a\n", MIB)),
        ("blank", repeated("\n", MIB)),
        ("tens", (0..5_000).map(|i| format!("{i:06}\n")).collect::<String>().into_bytes()),
    ]
}

#[test]
fn texts() {
    let run = Run::new();
    let place = &run.place;
    place.write("harmless", "a dog sleeps\n".repeat(20));
    place.write("files.toml", CONFIG.replace("train_sentences = 300\nvalid_sentences = 12\ntest_sentences = 12\n", ""));
    let train = "train --config files.toml --run new --max-steps 2 --threads 1";
    let commands = |file: &str| {
        [
            format!("{train} --train-src {file} --train-tgt {file} --valid-src harmless --valid-tgt harmless"),
            format!("{train} --train-src harmless --train-tgt harmless --valid-src {file} --valid-tgt {file}"),
            format!("{train} --train {file} --valid {file}"),
            format!("data inspect {file}"),
        ]
    };
    let files = not_text().into_iter().map(|file| (file, true)).chain(odd_text().into_iter().map(|file| (file, false)));
    for ((name, bytes), refused) in files {
        place.write(name, &bytes);
        for command in commands(name) {
            check(place, &place.path(name), &command, refused.then_some(name));
            let _ = fs::remove_dir_all(place.path("new"));
        }
        // Half a million sentences are no attack, just work.
        if name != "short" {
            check(place, &place.path(name), &format!("translate good --threads 1 < {name}"), None);
            let command = format!("evaluate good --src {name} --ref {name} --threads 1");
            check(place, &place.path(name), &command, refused.then_some(name));
        }
    }
}

#[test]
fn metrics_and_manifests() {
    let run = Run::new();
    let step = "{\"event\":\"step\",\"step\":";
    let metrics = [
        "[".repeat(MIB),
        deep("[", "]", MIB),
        "{\"event\":".repeat(MIB / 9),
        format!("{{\"event\":\"step\",\"deep\":{}}}\n", deep("[", "]", 900_000)),
        format!("{{\"event\":\"{}\"}}\n", "x".repeat(1_000_000)),
        "\0".repeat(MIB),
        "\n".repeat(MIB),
        format!("{step}{}}}\n", "9".repeat(1_000_000)),
        "{\"event\":\"checkpoint\",\"step\":20}\n".repeat(30_000),
        "{\"event\":\"checkpoint\",\"step\":18446744073709551615}\n".repeat(19_000),
    ];
    let file = "metrics.jsonl";
    for text in metrics {
        run.with(file, text.as_bytes(), &[RESUME], None);
    }
    run.with(file, &vec![0xff; MIB], &[RESUME], None);

    let file = "manifest.json";
    let good: serde_json::Value = serde_json::from_str(&run.good(file)).expect("JSON");
    for text in [
        String::new(),
        "[".repeat(MIB),
        deep("[", "]", MIB),
        "{\"config\":".repeat(MIB / 10),
        "\0".repeat(MIB),
        format!("[{}]", list(MIB / 2 - 1, |_| "0".into())),
        format!("{{{}}}", list(90_000, |i| format!("\"{i:05}\":0"))),
        good.to_string().replacen("\"sessions\":[", &format!("\"sessions\":[{},", list(400_000, |_| "0".into())), 1),
        good.to_string().replacen("\"config\":{", &format!("\"config\":{{\"x\":{},", deep("[", "]", 900_000)), 1),
    ] {
        run.with(file, text.as_bytes(), &[TRANSLATE], Some("manifest.json"));
        run.with(file, text.as_bytes(), &[RESUME, "runs list ."], None);
    }
    let mut long = good;
    long["version"] = "x".repeat(1_000_000).into();
    run.with(file, long.to_string().as_bytes(), &[RESUME, TRANSLATE, "runs list ."], None);
}
