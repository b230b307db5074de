//! What is emulated, what is checked, and where the results go: from environment variables or from the program.
//!
//! | variable | meaning | unset |
//! | --- | --- | --- |
//! | `NOAM_EMULATOR_DEVICE` | the model: `v100`, `t4`, `a100`, `l4`, `h100` | `a100` |
//! | `NOAM_EMULATOR_DEVICES` | how many devices, 1 to 16 | 1 |
//! | `NOAM_EMULATOR_MEMORY` | a device's memory in bytes, or with K, M, G | 4G |
//! | `NOAM_EMULATOR_CHECKS` | `all`, `none`, or some of `memory,initialization,race,synchronization,leak` | `none` |
//! | `NOAM_EMULATOR_REPORT` | a file that reports are appended to; `-` is standard error | `-` |
//! | `NOAM_EMULATOR_COUNTERS` | a file that gets a line of JSON for every launch | none |
//! | `NOAM_EMULATOR_LINES` | 1: launches are counted by source line too | 0 |
//! | `NOAM_EMULATOR_THREADS` | threads of the machine that run blocks; 0 for all | 0 |
//! | `NOAM_EMULATOR_STEPS` | instructions of warps after which a kernel is stopped | no limit |
//! | `NOAM_EMULATOR_ORDER` | how blocks start: `forward`, `backward`, or a number that shuffles | `forward` |
//! | `CUDA_LAUNCH_BLOCKING` | 1: a launch returns its kernel's error itself, instead of the next call | 0 |

use std::{fmt, path::PathBuf};

use super::model::Model;
use crate::{exec::BlockOrder, finding::Checks};

/// The variables that [`Settings::from_environment`] reads: name, meaning, and what holds where it is unset.
pub const VARIABLES: &[[&str; 3]] = &[
    ["NOAM_EMULATOR_DEVICE", "the model: `v100`, `t4`, `a100`, `l4`, `h100`", "`a100`"],
    ["NOAM_EMULATOR_DEVICES", "how many devices, 1 to 16", "1"],
    ["NOAM_EMULATOR_MEMORY", "a device's memory in bytes, or with K, M, G", "4G"],
    ["NOAM_EMULATOR_CHECKS", "`all`, `none`, or some of `memory,initialization,race,synchronization,leak`", "`none`"],
    ["NOAM_EMULATOR_REPORT", "a file that reports are appended to; `-` is standard error", "`-`"],
    ["NOAM_EMULATOR_COUNTERS", "a file that gets a line of JSON for every launch", "none"],
    ["NOAM_EMULATOR_LINES", "1: launches are counted by source line too", "0"],
    ["NOAM_EMULATOR_THREADS", "threads of the machine that run blocks; 0 for all", "0"],
    ["NOAM_EMULATOR_STEPS", "instructions of warps after which a kernel is stopped", "no limit"],
    ["NOAM_EMULATOR_ORDER", "how blocks start: `forward`, `backward`, or a number that shuffles", "`forward`"],
    ["CUDA_LAUNCH_BLOCKING", "1: a launch returns its kernel's error itself, instead of the next call", "0"],
];

/// Where reports go, beside the list that the program can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Nowhere.
    None,
    /// Standard error.
    Stderr,
    /// The end of a file.
    File(PathBuf),
}

/// All settings. See the module's table. By default they are those of an empty environment, except that reports go
/// nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the devices are like.
    pub model: Model,
    /// How many devices.
    pub devices: u32,
    /// Bytes of a device's memory.
    pub memory_bytes: u64,
    /// What to check.
    pub checks: Checks,
    /// Where reports go.
    pub report: Sink,
    /// The file that gets a line for every launch.
    pub counters: Option<PathBuf>,
    /// Whether launches are counted for the program to read, even without a file.
    pub count: bool,
    /// Whether launches are counted by source line too.
    pub lines: bool,
    /// Threads of the machine that run blocks; 0 for all.
    pub threads: usize,
    /// Instructions of warps after which a kernel is stopped.
    pub step_budget: Option<u64>,
    /// In which order blocks start.
    pub block_order: BlockOrder,
    /// Whether a launch returns its kernel's error itself.
    pub launch_blocking: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: Model::A100,
            devices: 1,
            memory_bytes: 4 << 30,
            checks: Checks::NONE,
            report: Sink::None,
            counters: None,
            count: false,
            lines: false,
            threads: 0,
            step_budget: None,
            block_order: BlockOrder::Forward,
            launch_blocking: false,
        }
    }
}

/// A variable whose value makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    /// The variable.
    pub variable: &'static str,
    /// Its value.
    pub value: String,
    /// What it can be.
    pub expected: &'static str,
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is `{}`, must be {}", self.variable, self.value, self.expected)
    }
}

impl std::error::Error for SettingError {}

impl Settings {
    /// What the environment says, and what was wrong with it: a setting that makes no sense is left as it is by
    /// default.
    pub fn from_environment() -> (Self, Vec<SettingError>) {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same from any source of variables.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> (Self, Vec<SettingError>) {
        let mut settings = Self { report: Sink::Stderr, ..Self::default() };
        let mut wrong = Vec::new();
        let mut set = |variable: &'static str, expected: &'static str, take: &mut dyn FnMut(&str) -> Option<()>| {
            if let Some(value) = get(variable).filter(|value| !value.is_empty())
                && take(value.trim()).is_none()
            {
                wrong.push(SettingError { variable, value, expected });
            }
        };
        set("NOAM_EMULATOR_DEVICE", "v100, t4, a100, l4 or h100", &mut |value| {
            settings.model = Model::named(value)?;
            Some(())
        });
        set("NOAM_EMULATOR_DEVICES", "a number from 1 to 16", &mut |value| {
            settings.devices = value.parse().ok().filter(|count| (1..=16).contains(count))?;
            Some(())
        });
        set("NOAM_EMULATOR_MEMORY", "a number of bytes, at least 1M, as 4G or 512M", &mut |value| {
            settings.memory_bytes = bytes(value).filter(|&bytes| (1 << 20..=1 << 44).contains(&bytes))?;
            Some(())
        });
        set(
            "NOAM_EMULATOR_CHECKS",
            "all, none, or some of memory, initialization, race, synchronization, leak, with commas between",
            &mut |value| {
                settings.checks = checks(value)?;
                Some(())
            },
        );
        set("NOAM_EMULATOR_REPORT", "a file name or -", &mut |value| {
            settings.report = if value == "-" { Sink::Stderr } else { Sink::File(value.into()) };
            Some(())
        });
        set("NOAM_EMULATOR_COUNTERS", "a file name", &mut |value| {
            settings.counters = Some(value.into());
            Some(())
        });
        set("NOAM_EMULATOR_LINES", "0 or 1", &mut |value| {
            settings.lines = flag(value)?;
            Some(())
        });
        set("NOAM_EMULATOR_THREADS", "a number of threads, or 0 for all", &mut |value| {
            settings.threads = value.parse().ok().filter(|&threads: &usize| threads <= 4096)?;
            Some(())
        });
        set("NOAM_EMULATOR_STEPS", "a number of instructions", &mut |value| {
            settings.step_budget = Some(value.parse().ok().filter(|&steps| steps > 0)?);
            Some(())
        });
        set("NOAM_EMULATOR_ORDER", "forward, backward, or a number that shuffles", &mut |value| {
            settings.block_order = match value {
                "forward" => BlockOrder::Forward,
                "backward" => BlockOrder::Backward,
                _ => BlockOrder::Shuffled(value.parse().ok()?),
            };
            Some(())
        });
        set("CUDA_LAUNCH_BLOCKING", "0 or 1", &mut |value| {
            settings.launch_blocking = flag(value)?;
            Some(())
        });
        (settings, wrong)
    }
}

fn flag(value: &str) -> Option<bool> {
    match value {
        "0" => Some(false),
        "1" => Some(true),
        _ => None,
    }
}

fn bytes(value: &str) -> Option<u64> {
    let (digits, shift) = match value.char_indices().next_back()? {
        (at, 'K' | 'k') => (&value[..at], 10),
        (at, 'M' | 'm') => (&value[..at], 20),
        (at, 'G' | 'g') => (&value[..at], 30),
        _ => (value, 0),
    };
    digits.trim().parse::<u64>().ok()?.checked_mul(1 << shift)
}

fn checks(value: &str) -> Option<Checks> {
    let mut checks = Checks::NONE;
    for name in value.split(',') {
        match name.trim() {
            "all" => checks = Checks::ALL,
            "none" => checks = Checks::NONE,
            "memory" => checks.memory = true,
            "initialization" => checks.initialization = true,
            "race" => checks.race = true,
            "synchronization" => checks.synchronization = true,
            "leak" => checks.leak = true,
            _ => return None,
        }
    }
    Some(checks)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> (Settings, Vec<SettingError>) {
        Settings::from_variables(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_variables_give_an_a100_without_checks() {
        let (settings, wrong) = with(&[]);
        assert_eq!(wrong, []);
        assert_eq!((settings.model, settings.checks, settings.report), (Model::A100, Checks::NONE, Sink::Stderr));
    }

    #[test]
    fn every_variable_is_read() {
        let (settings, wrong) = with(&[
            ("NOAM_EMULATOR_DEVICE", "H100"),
            ("NOAM_EMULATOR_DEVICES", "2"),
            ("NOAM_EMULATOR_MEMORY", "512M"),
            ("NOAM_EMULATOR_CHECKS", "memory, race"),
            ("NOAM_EMULATOR_REPORT", "/some/report"),
            ("NOAM_EMULATOR_COUNTERS", "counts.jsonl"),
            ("NOAM_EMULATOR_LINES", "1"),
            ("NOAM_EMULATOR_THREADS", "3"),
            ("NOAM_EMULATOR_STEPS", "1000"),
            ("NOAM_EMULATOR_ORDER", "7"),
            ("CUDA_LAUNCH_BLOCKING", "1"),
        ]);
        assert_eq!(wrong, []);
        let expected = Settings {
            model: Model::H100,
            devices: 2,
            memory_bytes: 536_870_912,
            checks: Checks { memory: true, race: true, ..Checks::NONE },
            report: Sink::File("/some/report".into()),
            counters: Some("counts.jsonl".into()),
            count: false,
            lines: true,
            threads: 3,
            step_budget: Some(1000),
            block_order: BlockOrder::Shuffled(7),
            launch_blocking: true,
        };
        assert_eq!(settings, expected);
    }

    #[test]
    fn the_variables_are_listed_as_they_are_read_and_documented() {
        let asked = std::cell::RefCell::new(Vec::new());
        Settings::from_variables(|name| {
            asked.borrow_mut().push(name.to_owned());
            None
        });
        let listed: Vec<_> = VARIABLES.iter().map(|[name, ..]| *name).collect();
        assert_eq!(asked.into_inner(), listed);
        for [name, meaning, unset] in VARIABLES {
            let row = format!("| `{name}` | {meaning} | {unset} |");
            for (document, text) in [
                ("the module's documentation", include_str!("settings.rs")),
                ("README.md", include_str!("../../README.md")),
            ] {
                assert!(text.contains(&row), "{document} has no line {row}");
            }
        }
    }

    #[test]
    fn nonsense_is_named_and_left_out() {
        let (settings, wrong) = with(&[
            ("NOAM_EMULATOR_DEVICE", "voodoo"),
            ("NOAM_EMULATOR_MEMORY", "99999999999999999999G"),
            ("NOAM_EMULATOR_CHECKS", "memory,mammary"),
            ("NOAM_EMULATOR_THREADS", "-1"),
        ]);
        assert_eq!(settings, with(&[]).0);
        let names: Vec<_> = wrong.iter().map(|error| error.variable).collect();
        assert_eq!(
            names,
            ["NOAM_EMULATOR_DEVICE", "NOAM_EMULATOR_MEMORY", "NOAM_EMULATOR_CHECKS", "NOAM_EMULATOR_THREADS"]
        );
        assert_eq!(wrong[0].to_string(), "NOAM_EMULATOR_DEVICE is `voodoo`, must be v100, t4, a100, l4 or h100");
    }
}
