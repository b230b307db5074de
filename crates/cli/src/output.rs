//! Where a command's result goes: standard output, or a file that appears whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use noam_train::storage::{self, Disk, Output};

use crate::svg::readable;

/// Calls `fill` with a buffered writer to `path`, or to standard output if there is none.
///
/// A file is written aside, synced and renamed: after an error the old file, if there was one, is still there. A path
/// that names a pipe or a device (`/dev/stderr`) is written to as it is.
///
/// # Errors
/// What `fill` returns, and any error in writing. One of kind [`io::ErrorKind::BrokenPipe`] keeps that kind.
pub fn write_to(path: Option<&Path>, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    match path {
        None => {
            let mut out = BufWriter::new(io::stdout().lock());
            fill(&mut out).and_then(|()| Ok(out.flush()?)).map_err(|error| blame(error, "standard output"))
        }
        // A rename would put a file in the place of the device.
        Some(path) if fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir()) => {
            let failed = |error| blame(error, &path.display().to_string());
            let mut out = BufWriter::new(OpenOptions::new().write(true).open(path).map_err(|e| failed(e.into()))?);
            fill(&mut out).and_then(|()| Ok(out.flush()?)).map_err(failed)
        }
        Some(path) => storage::write_atomic_with(&Disk, path, 0, |output| {
            let mut out = BufWriter::new(File(output));
            fill(&mut out)?;
            out.flush()?;
            Ok(())
        }),
    }
}

/// An error in writing says what was written to. What fails while there is something to write, such as reading, has its
/// own words already.
fn blame(error: anyhow::Error, target: &str) -> anyhow::Error {
    let outermost = error.chain().next();
    let bare = outermost.is_some_and(|error| error.is::<io::Error>() || error.is::<serde_json::Error>());
    if bare { error.context(format!("cannot write to {target}")) } else { error }
}

/// As [`write_to`] for a text that is there already.
///
/// # Errors
/// As [`write_to`].
pub fn write_text(path: Option<&Path>, text: &str) -> Result<()> {
    write_to(path, |out| Ok(out.write_all(text.as_bytes())?))
}

/// Text for people that may quote what was found in a file: no line over 1000 characters, and no control characters, which
/// could make a terminal do what the file wants.
pub fn readable_lines(text: &str) -> String {
    const LONGEST: usize = 1000;
    let mut shown = String::with_capacity(text.len().min(1 << 16));
    for line in text.split_inclusive('\n') {
        let (line, end) = line.strip_suffix('\n').map_or((line, ""), |line| (line, "\n"));
        for c in line.chars().take(LONGEST) {
            if c.is_control() && c != '\t' { shown.extend(c.escape_default()) } else { shown.push(c) }
        }
        let more = line.chars().skip(LONGEST).count();
        if more > 0 {
            shown.push_str(&format!(" ... and {more} characters more"));
        }
        shown.push_str(end);
    }
    shown
}

/// A storage output as a standard writer.
struct File<'a, 'b>(&'a mut Output<'b>);

impl Write for File<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The shortest decimal that reads back as exactly this `f64`, with an exponent where that is shorter.
///
/// ```
/// use noam::output::shortest;
/// assert_eq!(shortest(6.987712429686843e-4), "6.987712429686843e-4");
/// assert_eq!(shortest(0.001), "1e-3");
/// assert_eq!(shortest(0.25), "0.25");
/// assert_eq!(shortest(0.0), "0");
/// ```
pub fn shortest(value: f64) -> String {
    let (plain, scientific) = (value.to_string(), format!("{value:e}"));
    if scientific.len() < plain.len() { scientific } else { plain }
}

/// Bytes in MiB, for people.
///
/// ```
/// use noam::output::mebibytes;
/// assert_eq!(mebibytes(85_520_809_984), "81,559 MiB");
/// assert_eq!(mebibytes(3 << 19), "1.5 MiB");
/// ```
pub fn mebibytes(bytes: u64) -> String {
    let mib = bytes as f64 / f64::from(1 << 20);
    // Digits after the point say something of a few only.
    let number = if mib < 100.0 { readable(mib, 3) } else { readable(mib.round(), 12) };
    format!("{number} MiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_reads_back_as_the_same_bits() {
        let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut tried = 0;
        while tried < 20_000 {
            bits = bits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let text = shortest(value);
                assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits, "{text}");
                assert!(text.len() <= 25, "{text}");
                tried += 1;
            }
        }
        for value in [5e-324, f64::MAX, f64::MIN_POSITIVE, 1e21, 123_456.0, 0.1] {
            assert_eq!(shortest(value).parse::<f64>().unwrap(), value);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_device_is_written_to_and_stays() {
        write_text(Some(Path::new("/dev/null")), "gone\n").unwrap();
        assert!(!fs::metadata("/dev/null").unwrap().is_file());
        let full = write_text(Some(Path::new("/dev/full")), "too much\n").unwrap_err();
        assert_eq!(full.to_string(), "cannot write to /dev/full");
        assert!(!fs::metadata("/dev/full").unwrap().is_file());
    }

    #[test]
    fn what_a_file_holds_is_shown_to_people_and_not_to_their_terminal() {
        assert_eq!(readable_lines("ä\t\u{1b}[2Jb\r\n\nend"), "ä\t\\u{1b}[2Jb\\r\n\nend");
        let shown = readable_lines(&format!("{}\nb\n", "ä".repeat(1002)));
        assert_eq!(shown, format!("{} ... and 2 characters more\nb\n", "ä".repeat(1000)));
        assert_eq!(readable_lines(&"a".repeat(1000)), "a".repeat(1000));
    }

    #[test]
    fn a_failed_write_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.csv");
        write_text(Some(&path), "old\n").unwrap();
        let failed = write_to(Some(&path), |out| {
            out.write_all(&[b'x'; 100_000])?;
            anyhow::bail!("no more")
        });
        assert_eq!(failed.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
        write_text(Some(&path), "new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }
}
