//! What the tests of whole runs share: a model of some thousand parameters, and the program that trains it.
#![allow(dead_code, reason = "no test file uses all of it")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// A model that learns something in a second: one layer, two heads, on three hundred sentences.
pub const CONFIG: &str = r#"
preset = "micro"
[model]
vocab_size = 200
d_model = 16
n_heads = 2
d_ff = 32
encoder_layers = 1
decoder_layers = 1
dropout = 0.1
[schedule]
warmup = 40
factor = 2.0
[training]
max_steps = 160
batch_tokens = 300
valid_interval = 40
valid_bleu = 4
checkpoint_interval = 20
keep = 2
average = 2
[data]
train_sentences = 300
valid_sentences = 12
test_sentences = 12
[search]
max_tokens = 20
"#;

/// A folder to work in, gone when dropped.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// With [`CONFIG`] in `micro.toml`.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("micro.toml"), CONFIG).expect("written");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("written");
    }

    /// The program in this folder, with these arguments, split at spaces.
    pub fn noam(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_noam"));
        command.args(arguments.split_whitespace());
        self.here(&mut command);
        command
    }

    /// A shell script in this folder; `$NOAM` is the program.
    pub fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("NOAM", env!("CARGO_BIN_EXE_noam"));
        self.here(&mut command);
        command
    }

    fn here(&self, command: &mut Command) {
        command.current_dir(self.folder.path()).env("COLUMNS", "100").stdin(Stdio::null());
    }

    /// Standard output and standard error of a command that must end with 0.
    pub fn done(&self, arguments: &str) -> (String, String) {
        succeeded(&mut self.noam(arguments))
    }

    /// Standard error of a command that must end with this code.
    pub fn fails(&self, arguments: &str, code: i32) -> String {
        let output = self.noam(arguments).output().expect("the program starts");
        let (_, stderr) = texts(&output);
        assert_eq!(output.status.code(), Some(code), "noam {arguments}\n{stderr}");
        stderr
    }

    /// Trains the micro model into `run` to its end.
    pub fn train(&self, run: &str) -> (String, String) {
        self.done(&format!("train --config micro.toml --run {run}"))
    }

    /// Begins or goes on with a run: its output comes through pipes.
    pub fn spawn(&self, run: &str, more: &str) -> Running {
        let first = if self.path(run).join("config.toml").exists() { "--resume" } else { "--config micro.toml" };
        let mut command = self.noam("train --run");
        command.arg(run).args(first.split_whitespace()).args(more.split_whitespace());
        Running::new(&mut command)
    }
}

/// Runs a command that must end with 0.
pub fn succeeded(command: &mut Command) -> (String, String) {
    let output = command.output().expect("the program starts");
    let (stdout, stderr) = texts(&output);
    assert!(output.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", output.status);
    (stdout, stderr)
}

pub fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (text(&output.stdout), text(&output.stderr))
}

/// A process that is killed when dropped, so that no failing test leaves one behind.
pub struct Running {
    pub child: Child,
    lines: Option<BufReader<ChildStderr>>,
    seen: String,
}

impl Running {
    pub fn new(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let lines = child.stderr.take().map(BufReader::new);
        Self { child, lines, seen: String::new() }
    }

    /// Reads standard error up to a line that contains `part`; false if it ends without one.
    pub fn wait_for(&mut self, part: &str) -> bool {
        let mut line = String::new();
        let lines = self.lines.as_mut().expect("open");
        while lines.read_line(&mut line).expect("readable") > 0 {
            self.seen.push_str(&line);
            if line.contains(part) {
                return true;
            }
            line.clear();
        }
        false
    }

    /// Stops listening: standard output and standard error are closed, and the process goes on.
    pub fn close(&mut self) {
        self.lines = None;
        self.child.stdout = None;
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(status.expect("kill starts").success(), "cannot send {name}");
    }

    /// Waits for the end: the exit code (none after a signal), standard output, standard error.
    pub fn end(mut self) -> (Option<i32>, String, String) {
        let mut stdout = String::new();
        self.child.stdout.take().expect("piped").read_to_string(&mut stdout).expect("UTF-8");
        self.lines.take().expect("open").read_to_string(&mut self.seen).expect("UTF-8");
        let status = self.child.wait().expect("it ends");
        (status.code(), stdout, std::mem::take(&mut self.seen))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The manifest of a run.
pub fn manifest(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("manifest.json")).expect("a manifest")).expect("JSON")
}

/// All that must be equal between two runs of one configuration: SHA-256 of the weights chosen, and of weights and moments
/// of the last checkpoint; the losses logged.
pub fn result(run: &Path) -> (String, String, String, Vec<String>) {
    let checkpoint = newest_checkpoint(run);
    let state = fs::read(checkpoint.join("state.json")).expect("a checkpoint");
    let state: serde_json::Value = serde_json::from_slice(&state).expect("JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a digest").to_owned();
    let losses = metrics(run).into_iter().filter(|line| line["event"] == "step" || line["event"] == "valid");
    (
        text(&manifest(run)["result"]["model_sha256"]),
        text(&state["model"]["sha256"]),
        text(&state["optimizer"]["sha256"]),
        losses.map(|line| format!("{} {} {}", line["event"], line["step"], line["loss"])).collect(),
    )
}

pub fn newest_checkpoint(run: &Path) -> PathBuf {
    let items = fs::read_dir(run.join("checkpoints")).expect("checkpoints").map(|item| item.expect("an item").path());
    items.max().expect("at least one")
}

/// The lines of metrics.jsonl.
pub fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Whether to try every case instead of some.
pub fn full() -> bool {
    std::env::var_os("NOAM_FULL_TESTS").is_some()
}

/// Checks that an SVG is one element, its tags closed in order, without a number that is none.
pub fn check_svg(path: &Path) {
    let svg = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"), "{} is cut", path.display());
    assert!(!svg.contains("NaN") && !svg.contains("inf\""), "{} has a coordinate that is none", path.display());
    let mut open: Vec<&str> = Vec::new();
    for tag in svg.split('<').skip(1) {
        let tag = tag.split_once('>').expect("tags are closed").0;
        let name = tag.split_whitespace().next().expect("tags have names").trim_end_matches('/');
        match name.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{}", path.display()),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{}: {open:?} stay open", path.display());
}
