//! Parallel text from files: plain, gzip or zstd, told apart by their first bytes and never by name.
//!
//! Every line is trimmed and brought to Unicode's normalisation form C, so that a letter with an accent is the same
//! whichever way it was typed. Lines end with `\n` or `\r\n`; a byte order mark at the start of a file is dropped.
//!
//! A compressed file is read to its very end: all members of a gzip file and all frames of a zstd file, checksums
//! included, and nothing may follow them. So a download that was cut short is an error, not a smaller corpus. Reading is
//! streaming and bounded by [`Limits`]: a small file that expands to gigabytes is refused while it is still small.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use noam_train::text::{self, Limits};
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("pairs.tsv");
//! std::fs::write(&path, "A dog sleeps.\tEin Hund schläft.\n\tohne Quelle\n")?;
//! let pairs = text::read_tsv(&path, &Limits::default())?;
//! assert_eq!(&pairs.tgt[0], "Ein Hund schläft.");
//! assert_eq!((pairs.report.pairs, pairs.report.dropped_empty), (1, 1));
//! # Ok(())
//! # }
//! ```

mod error;
mod input;
mod lines;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::atomic::AtomicBool;

use crate::stop::NEVER;
pub use error::Error;
use lines::LineReader;
pub use lines::Lines;

/// How much a file may hold. Exceeding a limit in bytes is an error; a pair over the limits in words or characters is
/// dropped and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of text in a file, after decompression. Default 8 GiB.
    pub max_bytes: u64,
    /// Bytes in a line, without its line end. Default 1 MiB.
    pub max_line_bytes: usize,
    /// Bytes for each byte of a compressed file, checked once there is more than 1 MiB of text: those of the text, and 128
    /// for each line, since lines are kept with their tokens. Default 50: real text of short lines reaches 20, a gzip bomb a
    /// thousand.
    pub max_expansion: u64,
    /// Window of a zstd frame, in bytes; the decompressor may use about twice as much memory. Default 8 MiB, enough for
    /// every level up to 19.
    pub max_window_bytes: u64,
    /// Words (separated by white space) on either side of a pair. Default 256.
    pub max_words: usize,
    /// Characters on either side of a pair; what bounds languages written without spaces. Default 2048.
    pub max_chars: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 8 << 30,
            max_line_bytes: 1 << 20,
            max_expansion: 50,
            max_window_bytes: 8 << 20,
            max_words: 256,
            max_chars: 2048,
        }
    }
}

impl Limits {
    /// The default limits in bytes, but no pair is dropped for its length: for validation and test sets.
    pub fn unfiltered() -> Self {
        Self { max_words: usize::MAX, max_chars: usize::MAX, ..Self::default() }
    }

    fn too_long(&self, sentence: &str) -> bool {
        // A character is at least one byte, and a word one byte and a space: most sentences need no counting.
        (sentence.len() > self.max_chars && sentence.chars().count() > self.max_chars)
            || (sentence.len() / 2 >= self.max_words && sentence.split_whitespace().count() > self.max_words)
    }
}

/// What became of the pairs that were read; the three add up to them all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Pairs kept.
    pub pairs: u64,
    /// Pairs dropped because at least one side was empty.
    pub dropped_empty: u64,
    /// Pairs dropped because a side was over [`Limits::max_words`] or [`Limits::max_chars`].
    pub dropped_long: u64,
}

/// Sentences and their translations: `src[i]` means the same as `tgt[i]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parallel {
    /// Source sentences.
    pub src: Lines,
    /// Target sentences, as many.
    pub tgt: Lines,
    /// What was kept and dropped.
    pub report: Report,
}

impl Parallel {
    fn push(&mut self, src: &str, tgt: &str, limits: &Limits) {
        let (src, tgt) = (self.src.push(src), self.tgt.push(tgt));
        let dropped = if src.is_empty() || tgt.is_empty() {
            &mut self.report.dropped_empty
        } else if limits.too_long(src) || limits.too_long(tgt) {
            &mut self.report.dropped_long
        } else {
            self.report.pairs += 1;
            return;
        };
        *dropped += 1;
        self.src.pop();
        self.tgt.pop();
    }

    fn finish(self, path: &Path, limits: &Limits) -> Result<Self, Error> {
        if self.report.pairs == 0 {
            return Err(Error::NoPairs {
                path: path.to_owned(),
                dropped_empty: self.report.dropped_empty,
                dropped_long: self.report.dropped_long,
                max_words: limits.max_words,
                max_chars: limits.max_chars,
            });
        }
        Ok(self)
    }
}

/// Reads two files in which line `i` of one translates line `i` of the other.
///
/// # Errors
/// As [`Error`] lists them: a file that is missing, empty, damaged, not UTF-8 or over a limit; unequal numbers of lines;
/// no pair left after dropping empty and long ones.
pub fn read_parallel(src: &Path, tgt: &Path, limits: &Limits) -> Result<Parallel, Error> {
    parallel_until(src, tgt, limits, &NEVER)
}

/// [`read_parallel`], or [`Error::Stopped`] once `stop` is set.
pub(crate) fn parallel_until(src: &Path, tgt: &Path, limits: &Limits, stop: &AtomicBool) -> Result<Parallel, Error> {
    let mut src = LineReader::open(src, limits, stop)?;
    let mut tgt = LineReader::open(tgt, limits, stop)?;
    let mut all = Parallel::default();
    loop {
        match (src.next_line()?, tgt.next_line()?) {
            (Some(s), Some(t)) => all.push(s, t, limits),
            (None, None) => return all.finish(src.path(), limits),
            _ => {
                let (src_lines, tgt_lines) = (src.count_all()?, tgt.count_all()?);
                return Err(Error::LineCount {
                    src: src.path().to_owned(),
                    src_lines,
                    tgt: tgt.path().to_owned(),
                    tgt_lines,
                });
            }
        }
    }
}

/// Reads a file of `source TAB target` lines. Blank lines count as dropped empty pairs.
///
/// # Errors
/// As [`read_parallel`], and [`Error::Columns`] for a line without exactly one tab.
pub fn read_tsv(path: &Path, limits: &Limits) -> Result<Parallel, Error> {
    tsv_until(path, limits, &NEVER)
}

/// [`read_tsv`], or [`Error::Stopped`] once `stop` is set.
pub(crate) fn tsv_until(path: &Path, limits: &Limits, stop: &AtomicBool) -> Result<Parallel, Error> {
    let mut reader = LineReader::open(path, limits, stop)?;
    let mut all = Parallel::default();
    while let Some(line) = reader.next_line()? {
        let mut columns = line.split('\t');
        match (columns.next(), columns.next(), columns.next()) {
            (Some(src), Some(tgt), None) => all.push(src, tgt, limits),
            _ if line.trim().is_empty() => all.report.dropped_empty += 1,
            _ => {
                let tabs = line.matches('\t').count();
                return Err(Error::Columns { path: path.to_owned(), line: reader.line(), tabs });
            }
        }
    }
    all.finish(path, limits)
}

/// Reads every line of a file, empty ones too, so that line numbers stay what they are: for evaluation and translation.
///
/// # Errors
/// As [`Error`] lists them: a file that is missing, empty, damaged, not UTF-8 or over a limit in bytes.
pub fn read_lines(path: &Path, limits: &Limits) -> Result<Lines, Error> {
    let mut reader = LineReader::open(path, limits, &NEVER)?;
    let mut lines = Lines::new();
    while let Some(line) = reader.next_line()? {
        lines.push(line);
    }
    Ok(lines)
}
