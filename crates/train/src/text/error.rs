//! What can be wrong with a text file.

use std::io;
use std::path::PathBuf;

use crate::Stopped;

/// Why text could not be read. Every message names the file, the line where there is one, and the way out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is missing, is a folder, or may not be read.
    #[error("cannot open {}; check the name and that you may read it", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system failed in the middle of a plain file.
    #[error("cannot read {} beyond line {line}; check the disk or copy the file again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Lines read in full before the failure.
        line: u64,
        /// What the system said.
        source: io::Error,
    },
    /// A compressed file is cut short, fails its checksum, or is followed by foreign bytes.
    #[error(
        "{} is a damaged or truncated {format} file (the first {line} lines could be read); copy or download it again",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        format: &'static str,
        /// Lines read in full before the damage.
        line: u64,
        /// What the decompressor said.
        source: io::Error,
    },
    /// The file holds no byte, or nothing but a byte order mark.
    #[error("{} is empty; give a file with one sentence a line", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not UTF-8.
    #[error(
        "{}:{line}: not UTF-8: bad byte at offset {byte} of the text; convert the file, for example with `iconv -t UTF-8`",
        path.display()
    )]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// Offset of the first bad byte from the start of the (decompressed) text, from 0.
        byte: u64,
    },
    /// Source and target do not have the same number of lines.
    #[error(
        "{} has {src_lines} lines but {} has {tgt_lines}; parallel files need one translation for each line",
        src.display(),
        tgt.display()
    )]
    LineCount {
        /// The source file.
        src: PathBuf,
        /// Lines in the source file.
        src_lines: u64,
        /// The target file.
        tgt: PathBuf,
        /// Lines in the target file.
        tgt_lines: u64,
    },
    /// A line of a TSV file does not have exactly two columns.
    #[error("{}:{line}: {tabs} tabs, must be exactly one, between source and target", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// Tabs found.
        tabs: usize,
    },
    /// A line is longer than any sentence.
    #[error(
        "{}:{line}: longer than {limit} bytes; put one sentence on a line, or raise `max_line_bytes`",
        path.display()
    )]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// [`Limits::max_line_bytes`](super::Limits::max_line_bytes).
        limit: usize,
    },
    /// The text is larger than the budget.
    #[error(
        "{} holds more than {limit} bytes of text (reached at line {line}); split it, or raise `max_bytes`",
        path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Lines read in full so far.
        line: u64,
        /// [`Limits::max_bytes`](super::Limits::max_bytes).
        limit: u64,
    },
    /// A compressed file expands far more than text does.
    #[error(
        "{} expands more than {limit} times (reached at line {line}), as text does not; decompress it yourself if you \
         trust it, or raise `max_expansion`",
        path.display()
    )]
    Expansion {
        /// The file.
        path: PathBuf,
        /// Lines read in full so far.
        line: u64,
        /// [`Limits::max_expansion`](super::Limits::max_expansion).
        limit: u64,
    },
    /// A zstd frame asks for a larger window than is allowed.
    #[error(
        "{} needs a zstd window of {requested} bytes, the limit is {limit}; compress it with level 19 or lower and \
         without `--long`, or raise `max_window_bytes`",
        path.display()
    )]
    Window {
        /// The file.
        path: PathBuf,
        /// Window size in the frame header.
        requested: u64,
        /// [`Limits::max_window_bytes`](super::Limits::max_window_bytes).
        limit: u64,
    },
    /// No sentence pair was left.
    #[error(
        "{}: no sentence pair left: {dropped_empty} had an empty side and {dropped_long} were over {max_words} words or \
         {max_chars} characters; check the file or raise the limits",
        path.display()
    )]
    NoPairs {
        /// The source file, or the TSV.
        path: PathBuf,
        /// Pairs dropped because a side was empty.
        dropped_empty: u64,
        /// Pairs dropped because a side was too long.
        dropped_long: u64,
        /// [`Limits::max_words`](super::Limits::max_words).
        max_words: usize,
        /// [`Limits::max_chars`](super::Limits::max_chars).
        max_chars: usize,
    },
    /// Reading was told to stop.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}
