//! Structured mutations of a checkpoint, checksums put right again so that they get past them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::*;
use crate::checkpoint::state::seal;
use crate::checkpoint::tensors::hex;
use sha2::{Digest, Sha256};

/// Texts that headers and states are made of, and some that they should not be made of.
const WORDS: &[&str] = &[
    "embed.weight",
    "norm",
    "out.bias",
    "m.norm",
    "v.norm",
    "__metadata__",
    "F32",
    "F16",
    "F8_E4M3",
    "dtype",
    "shape",
    "data_offsets",
    "format",
    "state",
    "sha256",
    "bytes",
    "null",
    "true",
    "0",
    "1",
    "-1",
    "4",
    "24",
    "28",
    "44",
    "88",
    "1.0",
    "1e999",
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "[",
    "]",
    "{",
    "}",
    "[]",
    "{}",
    "\"",
    ",",
    ":",
    " ",
    "\\",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "[[[[[[[[",
    "[3,2]",
    "[0,24]",
    "[24,28]",
];

/// Records the tensor files anew in the state, whose own checksum is put right too.
pub(super) fn reseal(files: &mut [Vec<u8>; 3]) {
    let text = String::from_utf8_lossy(&files[2]).into_owned();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut part = None;
    for line in &mut lines {
        if line.contains("\"model\": {") {
            part = Some(0);
        } else if line.contains("\"optimizer\": {") {
            part = Some(1);
        } else if line.starts_with("  }") {
            part = None;
        } else if let Some(part) = part {
            let digest = hex(&Sha256::digest(&files[part]));
            if line.contains("\"bytes\": ") {
                *line = format!("    \"bytes\": {},", files[part].len());
            } else if line.contains("\"sha256\": ") {
                *line = format!("    \"sha256\": \"{digest}\"");
            }
        }
    }
    let text = lines.join("\n");
    let body = text.rfind(",\n  \"sha256\": \"").map_or(text.as_str(), |end| &text[..end]);
    files[2] = seal(body.as_bytes().to_vec());
}

/// Changes `bytes` in one way.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        bytes.push(random.next() as u8);
        return;
    }
    let at = random.below(bytes.len());
    let end = at + random.below((bytes.len() - at).min(40) + 1);
    match random.below(11) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = random.next() as u8,
        2 => drop(bytes.drain(at..end)),
        3 => {
            let copy = bytes[at..end].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, copy);
        }
        4 => bytes.truncate(at),
        5 | 6 => {
            let word = WORDS[random.below(WORDS.len())];
            bytes.splice(at..at, word.bytes());
        }
        7 => {
            // One number or name for another.
            let kind = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'_';
            let start = (0..at).rev().find(|&i| !kind(bytes[i])).map_or(0, |i| i + 1);
            let end = (start..bytes.len()).find(|&i| !kind(bytes[i])).unwrap_or(bytes.len());
            let word = WORDS[random.below(WORDS.len())];
            bytes.splice(start..end, word.bytes());
        }
        8 => {
            let value = [f32::NAN, f32::INFINITY, -0.0, 1e-45, f32::MAX][random.below(5)];
            let at = at.min(bytes.len().saturating_sub(4));
            let end = bytes.len().min(at + 4);
            bytes[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
        }
        9 => {
            let other = random.below(bytes.len());
            bytes.swap(at, other);
        }
        _ => {
            // The length of the header, or whatever stands in its place.
            let len = [0, 1, 7, 8, 44, 1 << 20, 1 << 32, u64::MAX][random.below(8)];
            let end = bytes.len().min(8);
            bytes[..end].copy_from_slice(&len.to_le_bytes()[..end]);
        }
    }
}

/// Makes the first eight bytes tell where the header ends, if one can be seen.
fn repair_length(bytes: &mut [u8]) {
    if let Some(end) = bytes.windows(3).rposition(|window| window == b"}}\x20" || window == b"}}}") {
        let mut end = end + 2;
        while bytes.get(end) == Some(&b' ') {
            end += 1;
        }
        if end > 8 {
            bytes[..8].copy_from_slice(&(end as u64 - 8).to_le_bytes());
        }
    }
}

struct Fuzzer {
    disk: FaultyDisk,
    original: [Vec<u8>; 3],
    accepted: u64,
    deep: u64,
    slow: Vec<u64>,
}

impl Fuzzer {
    fn new() -> Self {
        let disk = disk();
        Whole::new(1, 1).save(&disk, 1).unwrap();
        let original = files(&disk, 1);
        Self { disk, original, accepted: 0, deep: 0, slow: Vec::new() }
    }

    fn try_seed(&mut self, seed: u64) {
        let mut random = Random(seed);
        let mut files = self.original.clone();
        let part = random.below(3);
        for _ in 0..=random.below(3) {
            mutate(&mut files[part], &mut random);
        }
        if part < 2 && random.below(3) > 0 {
            repair_length(&mut files[part]);
        }
        let resealed = random.below(8) > 0;
        if resealed {
            reseal(&mut files);
        }
        let changed = files != self.original;
        for (file, bytes) in FILES.iter().zip(&files) {
            self.disk.put(&folder_of(1).join(file), bytes);
        }
        let start = Instant::now();
        let result = Whole::load(&self.disk, &folder_of(1));
        if start.elapsed() > Duration::from_millis(100) {
            self.slow.push(seed);
        }
        match result {
            Ok(whole) => {
                assert!(resealed || !changed, "a changed checkpoint was accepted");
                self.accepted += u64::from(changed);
                let again = disk();
                whole.save(&again, 1).unwrap();
                assert!(super::files(&again, 1) == files, "an accepted checkpoint is written differently");
            }
            Err(Error::File {
                problem: Problem::Checksum { .. } | Problem::NoChecksum | Problem::Length { .. },
                ..
            }) => {}
            Err(_) => self.deep += 1,
        }
        // The same weights as a file of its own, which has no checksum to hide behind.
        if part == 0
            && let Ok(params) = load_model(&self.disk, &folder_of(1).join(MODEL_FILE), &layout())
        {
            let again = Path::new("run/again");
            save_model(&self.disk, again, &layout(), &params).unwrap();
            let params_again = load_model(&self.disk, again, &layout()).unwrap();
            assert_eq!(bits(&params), bits(&params_again));
        }
    }
}

#[test]
fn mutated_checkpoints_never_panic_and_accepted_ones_are_written_the_same() {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8) as u64;
    let total = count(20_000, 10_000_000);
    let run = |thread: u64| {
        let mut fuzzer = Fuzzer::new();
        for seed in (thread..total).step_by(threads as usize) {
            if catch_unwind(AssertUnwindSafe(|| fuzzer.try_seed(seed))).is_err() {
                panic!("seed {seed}");
            }
            if seed % 4096 < threads {
                // The disk in memory forgets nothing; start it anew.
                fuzzer.disk = disk();
                Whole::new(1, 1).save(&fuzzer.disk, 1).unwrap();
            }
        }
        // A slow load counts only if it is slow again: another process may have had the processor.
        for seed in std::mem::take(&mut fuzzer.slow) {
            fuzzer.try_seed(seed);
        }
        fuzzer
    };
    let fuzzers: Vec<Fuzzer> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|thread| scope.spawn(move || run(thread))).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    });
    let sum = |get: fn(&Fuzzer) -> u64| fuzzers.iter().map(get).sum::<u64>();
    let (accepted, deep) = (sum(|f| f.accepted), sum(|f| f.deep));
    assert!(fuzzers.iter().all(|f| f.slow.is_empty()), "loads over 100 ms, seeds {:?}", fuzzers[0].slow);
    // The mutations reach past the checksums, and some are harmless (another weight, another number in the state).
    assert!(deep > total / 4 && accepted > total / 100, "{accepted} accepted, {deep} refused by content, of {total}");
}
