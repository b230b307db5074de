//! Opens a file as a stream of text bytes, decompressing what is compressed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Error, Limits};
use crate::{Stopped, stop};

/// What a file is, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain,
    Gzip,
    Zstd,
}

impl Format {
    /// A single 0x1f, or a single byte of zstd's magic number, is a compressed file cut after one byte: 0x1f is no
    /// text, and a whole corpus of `(` without even a newline is none either.
    fn of(head: &[u8]) -> Self {
        match head {
            [0x1f] | [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28] | [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            // A skippable frame may come first.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            _ => Self::Plain,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A file opened for reading, and how far it has been read.
pub(super) struct Input<'a> {
    pub(super) text: BufReader<Box<dyn Read + 'a>>,
    pub(super) format: Format,
    pub(super) raw: Rc<Raw>,
}

/// What has become of reading the file itself.
#[derive(Default)]
pub(super) struct Raw {
    /// Bytes taken, a buffer ahead of what was decompressed.
    pub(super) bytes: Cell<u64>,
    /// Whether it ended because it was told to stop. The decompressors wrap the error that says so, each in its own way.
    pub(super) stopped: Cell<bool>,
}

/// The read-ahead of the compressed side: small, since the expansion limit counts it as consumed.
const RAW_BUFFER: usize = 8 * 1024;

impl<'a> Input<'a> {
    pub(super) fn open(path: &Path, limits: &Limits, stop: &'a AtomicBool) -> Result<Self, Error> {
        let open = |source| Error::Open { path: path.to_owned(), source };
        let file = File::open(path).map_err(open)?;
        // Opening a folder succeeds on Unix; reading it is what fails, with a worse message.
        if file.metadata().map_err(open)?.is_dir() {
            return Err(open(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let raw = Rc::new(Raw::default());
        let watched = Watched { inner: file, raw: Rc::clone(&raw), stop };
        let mut input = BufReader::with_capacity(RAW_BUFFER, watched);
        let head = input.fill_buf().map_err(|source| match raw.stopped.get() {
            true => Stopped.into(),
            false => Error::Read { path: path.to_owned(), line: 0, source },
        })?;
        let format = Format::of(head);
        let text: Box<dyn Read + 'a> = match format {
            Format::Plain => Box::new(input),
            Format::Gzip => Box::new(MultiGzDecoder::new(input)),
            Format::Zstd => Box::new(ZstdFrames::new(input, limits.max_window_bytes)),
        };
        Ok(Self { text: BufReader::new(text), format, raw })
    }
}

/// A file, how much of it was read, and whether to go on: whatever is read of a text comes through here, a buffer at a time.
struct Watched<'a> {
    inner: File,
    raw: Rc<Raw>,
    stop: &'a AtomicBool,
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Err(stopped) = stop::check(self.stop) {
            self.raw.stopped.set(true);
            return Err(io::Error::other(stopped));
        }
        let n = self.inner.read(buf)?;
        self.raw.bytes.set(self.raw.bytes.get() + n as u64);
        Ok(n)
    }
}

/// Carried inside an `io::Error` so that the reader of lines can name the limit.
#[derive(Debug, thiserror::Error)]
#[error("a frame needs a window of {requested} bytes")]
pub(super) struct WindowTooBig {
    pub(super) requested: u64,
}

/// All frames of a zstd file, one after another, each checked against its declared size and checksum. The decoder
/// below checks neither, and takes the end of the first frame for the end of the file.
struct ZstdFrames<R> {
    input: R,
    decoder: FrameDecoder,
    in_frame: bool,
    frame_bytes: u64,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(input: R, max_window_bytes: u64) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(max_window_bytes);
        Self { input, decoder, in_frame: false, frame_bytes: 0 }
    }

    /// Reads a frame's header, or skips a skippable frame. False at the end of the file.
    fn start_frame(&mut self) -> io::Result<bool> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match self.decoder.reset(&mut self.input) {
            Ok(()) => {
                self.in_frame = true;
                self.frame_bytes = 0;
                Ok(true)
            }
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                let skipped = io::copy(&mut (&mut self.input).take(length.into()), &mut io::sink())?;
                if skipped < u64::from(length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(true)
            }
            Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => {
                Err(io::Error::other(WindowTooBig { requested }))
            }
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn check_frame(&self) -> io::Result<()> {
        let declared = self.decoder.content_size();
        // The decoder reports 0 for a frame that declares no size.
        if declared != 0 && declared != self.frame_bytes {
            return Err(io::Error::other(format!("a frame declares {declared} bytes and has {}", self.frame_bytes)));
        }
        match self.decoder.get_checksum_from_data() {
            Some(stored) if self.decoder.get_calculated_checksum() != Some(stored) => {
                Err(io::Error::other("a frame's checksum does not match its content"))
            }
            _ => Ok(()),
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.in_frame {
                if !self.start_frame()? {
                    return Ok(0);
                }
                continue;
            }
            if self.decoder.can_collect() == 0 {
                if self.decoder.is_finished() {
                    self.check_frame()?;
                    self.in_frame = false;
                } else {
                    self.decoder
                        .decode_blocks(&mut self.input, BlockDecodingStrategy::UptoBlocks(1))
                        .map_err(io::Error::other)?;
                }
                continue;
            }
            let n = self.decoder.read(buf)?;
            self.frame_bytes += n as u64;
            return Ok(n);
        }
    }
}
