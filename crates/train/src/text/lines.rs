//! Lines of a file one by one, within the limits, and their compact storage.

use std::io::{self, BufRead, Read};
use std::ops::Index;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::input::{Format, Input, WindowTooBig};
use super::{Error, Limits};
use crate::Stopped;

/// Text below this never counts as a bomb, whatever its compression: a tiny file of one repeated line may well shrink
/// a thousandfold.
pub(super) const EXPANSION_FLOOR: u64 = 1 << 20;

/// What a line costs besides its text, in bytes.
const LINE_BYTES: u64 = 128;

/// Reads a file line by line. Memory: one line and the decompressor's window.
pub(super) struct LineReader<'a> {
    path: PathBuf,
    input: Input<'a>,
    limits: Limits,
    buffer: Vec<u8>,
    /// Lines returned so far; the number of the current one.
    line: u64,
    /// Offset of the current line in the decompressed text.
    line_start: u64,
    /// Decompressed bytes read so far.
    offset: u64,
}

impl<'a> LineReader<'a> {
    /// Opens a file; once `stop` is set, the next read of it fails.
    pub(super) fn open(path: &Path, limits: &Limits, stop: &'a AtomicBool) -> Result<Self, Error> {
        let input = Input::open(path, limits, stop)?;
        Ok(Self {
            path: path.to_owned(),
            input,
            limits: limits.clone(),
            buffer: Vec::new(),
            line: 0,
            line_start: 0,
            offset: 0,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the current line, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Counts the lines that are left, reading to the end. The whole text is held to the limits and to UTF-8.
    pub(super) fn count_all(&mut self) -> Result<u64, Error> {
        while self.next_line()?.is_some() {}
        Ok(self.line)
    }

    /// The next line without its line end (`\n` or `\r\n`) and, on the first line, without a byte order mark.
    /// `None` at the end; an error if the file held nothing at all.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, Error> {
        self.buffer.clear();
        self.line_start = self.offset;
        // Two more than the limit: room for a line end and one byte that shows the line to be too long.
        let most = (self.limits.max_line_bytes as u64).saturating_add(2);
        let n = match (&mut self.input.text).take(most).read_until(b'\n', &mut self.buffer) {
            Ok(n) => n as u64,
            Err(source) => return Err(self.read_error(source)),
        };
        self.offset += n;
        if n == 0 {
            return if self.line == 0 { Err(Error::Empty { path: self.path.clone() }) } else { Ok(None) };
        }
        self.check_limits()?;
        self.line += 1;

        let mut skip = 0;
        if self.line == 1 && self.buffer.starts_with("\u{feff}".as_bytes()) {
            skip = 3;
            if self.buffer.len() == 3 {
                return Err(Error::Empty { path: self.path.clone() });
            }
        }
        let line = &self.buffer[skip..];
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.limits.max_line_bytes {
            return Err(Error::LineTooLong {
                path: self.path.clone(),
                line: self.line,
                limit: self.limits.max_line_bytes,
            });
        }
        match std::str::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(error) => Err(Error::Utf8 {
                path: self.path.clone(),
                line: self.line,
                byte: self.line_start + (skip + error.valid_up_to()) as u64,
            }),
        }
    }

    fn check_limits(&self) -> Result<(), Error> {
        if self.offset > self.limits.max_bytes {
            return Err(Error::TooLarge { path: self.path.clone(), line: self.line, limit: self.limits.max_bytes });
        }
        let allowed = self.input.raw.bytes.get().saturating_mul(self.limits.max_expansion);
        let cost = self.offset.saturating_add(self.line.saturating_mul(LINE_BYTES));
        if self.input.format != Format::Plain && self.offset > EXPANSION_FLOOR && cost > allowed {
            return Err(Error::Expansion {
                path: self.path.clone(),
                line: self.line,
                limit: self.limits.max_expansion,
            });
        }
        Ok(())
    }

    fn read_error(&self, source: io::Error) -> Error {
        if self.input.raw.stopped.get() {
            return Stopped.into();
        }
        if let Some(window) = source.get_ref().and_then(|e| e.downcast_ref::<WindowTooBig>()) {
            return Error::Window {
                path: self.path.clone(),
                requested: window.requested,
                limit: self.limits.max_window_bytes,
            };
        }
        let (path, line) = (self.path.clone(), self.line);
        match self.input.format {
            Format::Plain => Error::Read { path, line, source },
            format => Error::Damaged { path, format: format.name(), line, source },
        }
    }
}

/// Many lines in one buffer: 8 bytes a line besides the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines {
    text: String,
    ends: Vec<usize>,
}

impl Lines {
    /// No lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Bytes of text.
    pub fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Line `i`, from 0.
    pub fn get(&self, i: usize) -> Option<&str> {
        let end = *self.ends.get(i)?;
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        Some(&self.text[start..end])
    }

    /// All lines in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone + '_ {
        (0..self.len()).map(|i| &self[i])
    }

    /// Appends a line trimmed and in Unicode's normalisation form C, and returns it.
    pub fn push(&mut self, line: &str) -> &str {
        let start = self.text.len();
        let line = line.trim();
        if is_nfc_quick(line.chars()) == IsNormalized::Yes {
            self.text.push_str(line);
        } else {
            self.text.extend(line.nfc());
        }
        self.ends.push(self.text.len());
        &self.text[start..]
    }

    /// Drops the last line, if there is one.
    pub(super) fn pop(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().copied().unwrap_or(0));
    }
}

impl Index<usize> for Lines {
    type Output = str;

    fn index(&self, i: usize) -> &str {
        self.get(i).expect("line number below Lines::len")
    }
}

impl<S: AsRef<str>> FromIterator<S> for Lines {
    fn from_iter<I: IntoIterator<Item = S>>(lines: I) -> Self {
        let mut all = Self::new();
        for line in lines {
            all.push(line.as_ref());
        }
        all
    }
}
