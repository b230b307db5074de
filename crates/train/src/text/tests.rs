//! Whole files, damaged files, hostile files.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::lines::EXPANSION_FLOOR;
use super::*;

const SAMPLE: &str = include_str!("testdata/sample.txt");

/// The sample as `zstd -19 --check` 1.5.4 writes it: it declares its size and carries a checksum.
const SAMPLE_ZST: &[u8] = include_bytes!("testdata/sample.zst");

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(path: &Path) -> Result<Vec<String>, Error> {
    read_lines(path, &Limits::default()).map(|lines| lines.iter().map(str::to_owned).collect())
}

fn sample_lines() -> Vec<String> {
    SAMPLE.lines().map(str::to_owned).collect()
}

/// A zstd frame of `blocks` run-length blocks of 128 KiB of `byte` each, with a window of `2^window_log`.
fn zstd_runs(byte: u8, blocks: usize, window_log: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, (window_log - 10) << 3];
    for i in 1..=blocks {
        let header: u32 = u32::from(i == blocks) | 1 << 1 | (128 * 1024) << 3;
        frame.extend_from_slice(&header.to_le_bytes()[..3]);
        frame.push(byte);
    }
    frame
}

#[test]
fn plain_gzip_and_zstd_read_alike_whatever_their_names() {
    let folder = Folder::new();
    for (name, bytes) in
        [("a.zst", SAMPLE.as_bytes().to_vec()), ("b", gzip(SAMPLE.as_bytes())), ("c.txt", SAMPLE_ZST.into())]
    {
        assert_eq!(read(&folder.file(name, bytes)).unwrap(), sample_lines(), "{name}");
    }
}

#[test]
fn all_members_and_frames_are_read() {
    let folder = Folder::new();
    let twice = [sample_lines(), sample_lines()].concat();
    assert_eq!(read(&folder.file("gz", gzip(SAMPLE.as_bytes()).repeat(2))).unwrap(), twice);
    assert_eq!(read(&folder.file("zst", SAMPLE_ZST.repeat(2))).unwrap(), twice);
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3], SAMPLE_ZST].concat();
    assert_eq!(read(&folder.file("skip", &skippable)).unwrap(), sample_lines());
    // Fewer than four bytes of a skippable frame can't be told from text.
    for cut in 4..11 {
        let error = read(&folder.file("cut", &skippable[..cut])).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{cut}: {error}");
    }
}

#[test]
fn truncation_at_every_byte_is_an_error() {
    let folder = Folder::new();
    for (name, whole) in [("gz", gzip(SAMPLE.as_bytes())), ("zst", SAMPLE_ZST.to_vec())] {
        for cut in 0..whole.len() {
            let error = read(&folder.file(name, &whole[..cut])).unwrap_err();
            match error {
                Error::Empty { .. } => assert_eq!(cut, 0),
                // A part of zstd's magic number is taken for text; its second byte is no UTF-8.
                Error::Utf8 { .. } => assert!(name == "zst" && (2..4).contains(&cut), "{name} {cut}"),
                Error::Damaged { .. } => {}
                other => panic!("{name} cut at {cut}: {other}"),
            }
        }
    }
}

#[test]
fn a_frame_must_have_the_size_that_it_declares() {
    let folder = Folder::new();
    // One raw block of three bytes in a frame without a checksum.
    let frame = |declared: u8| [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, declared, 3 << 3 | 1, 0, 0][..], b"abc"].concat();
    assert_eq!(read(&folder.file("zst", frame(3))).unwrap(), ["abc"]);
    for declared in [2, 4] {
        assert!(matches!(read(&folder.file("zst", frame(declared))).unwrap_err(), Error::Damaged { .. }), "{declared}");
    }
}

#[test]
fn every_bit_flip_is_an_error_or_harmless() {
    let folder = Folder::new();
    for (name, whole) in [("gz", gzip(SAMPLE.as_bytes())), ("zst", SAMPLE_ZST.to_vec())] {
        let mut harmless = 0;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            if let Ok(lines) = read(&folder.file(name, &flipped)) {
                assert_eq!(lines, sample_lines(), "{name}: bit {bit}");
                harmless += 1;
            }
        }
        // The time stamp, the operating system and the like in a header carry no text.
        assert!(harmless < 80, "{name}: {harmless}");
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    let folder = Folder::new();
    for (name, whole) in [("gz", gzip(SAMPLE.as_bytes())), ("zst", SAMPLE_ZST.to_vec())] {
        for tail in [&b"\0"[..], b"\0\0\0\0\0\0\0\0", b"x", b"one more line\n"] {
            let error = read(&folder.file(name, [&whole[..], tail].concat())).unwrap_err();
            assert!(matches!(error, Error::Damaged { line, .. } if line <= 20), "{name}: {error}");
        }
    }
}

#[test]
fn random_damage_never_panics() {
    let folder = Folder::new();
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for (name, whole) in [("gz", gzip(SAMPLE.as_bytes())), ("zst", SAMPLE_ZST.to_vec())] {
        for _ in 0..3000 {
            let mut bytes = whole.clone();
            for _ in 0..1 + next(6) {
                let at = next(bytes.len());
                match next(3) {
                    0 => bytes[at] = next(256) as u8,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, next(256) as u8),
                }
            }
            if let Ok(lines) = read(&folder.file(name, &bytes)) {
                assert!(bytes[0] != whole[0] || bytes[1] != whole[1] || lines == sample_lines(), "{name}");
            }
        }
    }
}

#[test]
fn line_ends_marks_and_accents_are_normalised() {
    let folder = Folder::new();
    let path = folder.file("text", "\u{feff}eins \r\n zwei\u{3000}\n\nMa\u{308}dchen\r\nlast");
    assert_eq!(read(&path).unwrap(), ["eins", "zwei", "", "Mädchen", "last"]);
    // Only the first line's mark is one.
    assert_eq!(read(&folder.file("text", "a\n\u{feff}b\n")).unwrap(), ["a", "\u{feff}b"]);
}

#[test]
fn missing_and_empty_files_are_named() {
    let folder = Folder::new();
    let missing = folder.0.path().join("missing.en");
    let error = read(&missing).unwrap_err();
    assert!(matches!(error, Error::Open { .. }) && error.to_string().contains("missing.en"), "{error}");
    assert!(matches!(read(folder.0.path()).unwrap_err(), Error::Open { .. }));
    for (name, bytes) in [("plain", vec![]), ("gz", gzip(b"")), ("mark", "\u{feff}".into())] {
        let error = read(&folder.file(name, bytes)).unwrap_err();
        assert!(matches!(error, Error::Empty { .. }) && error.to_string().contains(name), "{error}");
    }
}

#[test]
fn a_line_that_is_not_utf8_is_located() {
    let folder = Folder::new();
    for (name, bytes) in [("plain", b"good\nb\xe4d\n".to_vec()), ("gz", gzip(b"good\nb\xe4d\n"))] {
        let error = read(&folder.file(name, bytes)).unwrap_err();
        assert!(matches!(error, Error::Utf8 { line: 2, byte: 6, .. }), "{error}");
        assert!(error.to_string().contains(":2:"), "{error}");
    }
}

#[test]
fn unequal_line_counts_give_both() {
    let folder = Folder::new();
    let (five, two) = (folder.file("five", "a\n".repeat(5)), folder.file("two", "b\n\n"));
    let error = read_parallel(&five, &two, &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::LineCount { src_lines: 5, tgt_lines: 2, .. }), "{error}");
    let error = read_parallel(&two, &five, &Limits::default()).unwrap_err();
    assert!(matches!(error, Error::LineCount { src_lines: 2, tgt_lines: 5, .. }), "{error}");
}

#[test]
fn pairs_are_kept_dropped_and_counted() {
    let folder = Folder::new();
    let src = folder.file("src", gzip("one\n\ntwo\nthree\nlong long long\n".as_bytes()));
    let tgt = folder.file("tgt", "eins\nleer\n \ndrei\nlang\n");
    let limits = Limits { max_words: 2, ..Limits::default() };
    let pairs = read_parallel(&src, &tgt, &limits).unwrap();
    assert_eq!(pairs.src.iter().collect::<Vec<_>>(), ["one", "three"]);
    assert_eq!(pairs.tgt.iter().collect::<Vec<_>>(), ["eins", "drei"]);
    assert_eq!(pairs.report, Report { pairs: 2, dropped_empty: 2, dropped_long: 1 });

    let limits = Limits { max_chars: 4, ..Limits::default() };
    let pairs = read_parallel(&src, &tgt, &limits).unwrap();
    assert_eq!(pairs.report, Report { pairs: 1, dropped_empty: 2, dropped_long: 2 });
    assert_eq!(read_parallel(&src, &tgt, &Limits::unfiltered()).unwrap().report.dropped_long, 0);

    let error = read_parallel(&src, &tgt, &Limits { max_chars: 1, ..Limits::default() }).unwrap_err();
    assert!(matches!(error, Error::NoPairs { dropped_empty: 2, dropped_long: 3, .. }), "{error}");
}

#[test]
fn limits_in_characters_count_characters_and_not_bytes() {
    let folder = Folder::new();
    let path = folder.file("tsv", "我们去看\tvier\n");
    assert_eq!(read_tsv(&path, &Limits { max_chars: 4, ..Limits::default() }).unwrap().report.pairs, 1);
    assert!(read_tsv(&path, &Limits { max_chars: 3, ..Limits::default() }).is_err());
    let path = folder.file("tsv", "a b c\td\n");
    assert_eq!(read_tsv(&path, &Limits { max_words: 3, ..Limits::default() }).unwrap().report.pairs, 1);
    assert!(read_tsv(&path, &Limits { max_words: 2, ..Limits::default() }).is_err());
}

#[test]
fn tsv_needs_exactly_one_tab() {
    let folder = Folder::new();
    let pairs = read_tsv(&folder.file("tsv", "a b\tc d\r\n\n \t \n\te\nf\t g \n"), &Limits::default()).unwrap();
    assert_eq!(pairs.tgt.iter().collect::<Vec<_>>(), ["c d", "g"]);
    assert_eq!(pairs.report.dropped_empty, 3);
    for (text, want) in [("a\tb\nno tab\n", 0), ("a\tb\nc\td\te\n", 2)] {
        let error = read_tsv(&folder.file("tsv", text), &Limits::default()).unwrap_err();
        assert!(matches!(error, Error::Columns { line: 2, tabs, .. } if tabs == want), "{error}");
    }
}

#[test]
fn limits_in_bytes_are_kept() {
    let folder = Folder::new();
    let path = folder.file("text", "12345\n123456\n");
    let line = |max_line_bytes| read_lines(&path, &Limits { max_line_bytes, ..Limits::default() });
    assert_eq!(line(6).unwrap().len(), 2);
    assert!(matches!(line(5).unwrap_err(), Error::LineTooLong { line: 2, limit: 5, .. }));
    assert!(matches!(line(2).unwrap_err(), Error::LineTooLong { line: 1, .. }));
    let total = |max_bytes| read_lines(&path, &Limits { max_bytes, ..Limits::default() });
    assert_eq!(total(13).unwrap().len(), 2);
    assert!(matches!(total(12).unwrap_err(), Error::TooLarge { line: 1, limit: 12, .. }));
}

#[test]
fn a_small_file_may_repeat_itself() {
    let folder = Folder::new();
    let text = "the same line again\n".repeat(50_000);
    assert!(text.len() as u64 <= EXPANSION_FLOOR);
    assert_eq!(read(&folder.file("gz", gzip(text.as_bytes()))).unwrap().len(), 50_000);
}

/// Bombs meant for 10 GiB: one endless line, very many short lines, very many empty lines; in gzip and in zstd.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let member = |line: &str| gzip(&line.repeat((10 << 20) / line.len()).into_bytes()).repeat(1024);
    vec![
        ("endless.gz", member("x")),
        ("short.gz", member("a\n")),
        ("empty.gz", member("\n")),
        ("endless.zst", zstd_runs(b'x', 81_920, 20)),
        ("empty.zst", zstd_runs(b'\n', 81_920, 20)),
        ("frames.zst", zstd_runs(b'\n', 8, 20).repeat(10_240)),
    ]
}

#[test]
fn bombs_are_refused_early() {
    let folder = Folder::new();
    for (name, bytes) in bombs() {
        let path = folder.file(name, bytes);
        let error = read(&path).unwrap_err();
        match error {
            Error::Expansion { line, .. } | Error::LineTooLong { line, .. } => {
                assert!(line < 3 << 20, "{name}: {line}")
            }
            other => panic!("{name}: {other}"),
        }
        assert!(read_tsv(&path, &Limits::default()).is_err());
        assert!(read_parallel(&path, &path, &Limits::default()).is_err());
    }
}

#[test]
fn a_large_zstd_window_is_refused_before_it_is_filled() {
    let folder = Folder::new();
    let path = folder.file("window", zstd_runs(b'\n', 4, 27));
    let error = read(&path).unwrap_err();
    assert!(matches!(error, Error::Window { requested: 0x800_0000, limit: 0x80_0000, .. }), "{error}");
    let limits = Limits { max_window_bytes: 1 << 27, ..Limits::default() };
    assert_eq!(read_lines(&path, &limits).unwrap().len(), 4 * 128 * 1024);
}

/// Peak memory is that of a process, so the bombs are read in one of their own: this test binary, run again.
#[cfg(target_os = "linux")]
#[test]
fn bombs_are_refused_in_little_memory() {
    const VARIABLE: &str = "NOAM_TEST_BOMB";
    if let Some(path) = std::env::var_os(VARIABLE) {
        assert!(read_lines(Path::new(&path), &Limits::default()).is_err());
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        println!("{}", status.lines().find(|line| line.starts_with("VmHWM:")).unwrap());
        return;
    }
    let folder = Folder::new();
    for (name, bytes) in bombs() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "text::tests::bombs_are_refused_in_little_memory", "--nocapture", "--test-threads=1"])
            .env(VARIABLE, folder.file(name, bytes))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}: {text}");
        let peak = text.lines().find_map(|line| line.split_once("VmHWM:")).expect("a peak");
        let kib: u64 = peak.1.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 32 * 1024, "{name}: peak {kib} KiB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_is_written_is_read(lines in prop::collection::vec("[ a-zäß我\u{308}\u{e9}.]{0,20}", 1..30)) {
        let folder = Folder::new();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let want: Lines = lines.iter().collect();
        let bytes = text.as_bytes();
        for file in [bytes.to_vec(), gzip(bytes), text.replace('\n', "\r\n").into_bytes()] {
            prop_assert_eq!(&read_lines(&folder.file("text", file), &Limits::default()).unwrap(), &want);
        }
        for (i, line) in want.iter().enumerate() {
            prop_assert_eq!(want.get(i), Some(line));
            prop_assert!(unicode_normalization::is_nfc(line) && line == line.trim());
        }
        prop_assert_eq!(want.get(lines.len()), None);
    }

    #[test]
    fn any_bytes_give_lines_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), magic in 0usize..3) {
        let folder = Folder::new();
        let head: &[u8] = [&b""[..], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd]][magic];
        let path = folder.file("any", [head, &bytes].concat());
        let _ = (read(&path), read_tsv(&path, &Limits::default()));
    }
}
