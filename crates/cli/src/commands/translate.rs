//! `noam translate`: sentences of the command line, or of standard input as they come.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use noam_train::Error;
use noam_train::config::Search;
use noam_train::storage::Disk;
use noam_train::translate::{Opened, Select, open_run};
use serde_json::json;

use crate::args::{DecodingArgs, TranslateArgs};
use crate::output::write_to;
use crate::progress::say;

/// Lines translated together at most, if they are there already.
const TOGETHER: usize = 256;

/// Bytes of a line at most, as in files.
const LONGEST: u64 = 1 << 20;

/// Carries out `noam translate`.
///
/// # Errors
/// A run that cannot be opened; a line that is not UTF-8 or too long for the model; an error in reading or writing.
pub fn run(args: &TranslateArgs) -> Result<()> {
    let (mut opened, search) = open(&args.run, &args.decoding)?;
    write_to(None, |out| {
        if !args.text.is_empty() {
            return answer(&mut opened, &search, &args.text, 0, args.json, out);
        }
        let mut input = BufReader::with_capacity(1 << 18, io::stdin().lock());
        let mut done = 0;
        loop {
            let lines = read_lines(&mut input, done)?;
            if lines.is_empty() {
                return Ok(());
            }
            answer(&mut opened, &search, &lines, done, args.json, out)?;
            // Whoever writes a line and waits for its translation must get it.
            out.flush()?;
            done += lines.len();
        }
    })
}

/// Opens a run, says what is to be known about it, and decides how to search.
pub(super) fn open(run: &Path, decoding: &DecodingArgs) -> Result<(Opened, Search)> {
    let select = decoding.checkpoint.map_or(Select::Best, Select::Step);
    let threads = decoding.threads.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let opened = open_run(&Disk, run, select, threads)?;
    opened.notes.iter().for_each(|note| say(&format!("note: {note}")));
    let beam = decoding.beam.map_or(opened.config.search.beam, |beam| beam as usize);
    let search = Search { beam, ..opened.config.search };
    Ok((opened, search))
}

/// Waits for a line, and takes those that have come with it; none at the end. `done` lines were read before.
fn read_lines(input: &mut BufReader<impl Read>, done: usize) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    while lines.is_empty() || (lines.len() < TOGETHER && input.buffer().contains(&b'\n')) {
        let mut line = Vec::new();
        let mut limited = (&mut *input).take(LONGEST + 2);
        if limited.read_until(b'\n', &mut line).context("cannot read standard input")? == 0 {
            break;
        }
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        let number = done + lines.len() + 1;
        if line.len() as u64 > LONGEST {
            bail!("standard input, line {number}: longer than {LONGEST} bytes; put one sentence on a line");
        }
        let text = String::from_utf8(line).map_err(|error| {
            let at = error.utf8_error().valid_up_to() + 1;
            anyhow!("standard input, line {number}: not UTF-8 at byte {at}; convert it to UTF-8")
        })?;
        lines.push(text);
    }
    Ok(lines)
}

/// Translates lines and writes the translations; `before` lines came before.
fn answer(
    opened: &mut Opened,
    search: &Search,
    lines: &[String],
    before: usize,
    as_json: bool,
    out: &mut dyn Write,
) -> Result<()> {
    match opened.translate(lines, search) {
        Ok(translations) => {
            for (line, translation) in lines.iter().zip(translations) {
                if as_json {
                    let value = json!({
                        "source": line,
                        "translation": translation.text,
                        "score": translation.score,
                        "tokens": translation.tokens.len(),
                    });
                    serde_json::to_writer(&mut *out, &value)?;
                    writeln!(out)?;
                } else {
                    writeln!(out, "{}", translation.text)?;
                }
            }
            Ok(())
        }
        // Those before it are not to blame.
        Err(Error::TooLong { line, tokens, limit }) => {
            if line > 1 {
                answer(opened, search, &lines[..line - 1], before, as_json, out)?;
                out.flush()?;
            }
            Err(Error::TooLong { line: before + line, tokens, limit }.into())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_they_are_there_and_numbers_go_on() {
        let text = b"one\r\ntwo\n\nno end";
        let mut input = BufReader::new(&text[..]);
        assert_eq!(read_lines(&mut input, 0).unwrap(), ["one", "two", ""], "what may still go on is not waited for");
        assert_eq!(read_lines(&mut input, 3).unwrap(), ["no end"]);
        assert_eq!(read_lines(&mut input, 4).unwrap(), [""; 0]);
        let mut wrong = BufReader::new(&b"a\nb\xff\n"[..]);
        let error = read_lines(&mut wrong, 7).unwrap_err();
        assert_eq!(error.to_string(), "standard input, line 9: not UTF-8 at byte 2; convert it to UTF-8");
        let endless = "x".repeat(LONGEST as usize + 1) + "\nshort\n";
        let error = read_lines(&mut BufReader::new(endless.as_bytes()), 0).unwrap_err().to_string();
        assert!(error.contains("line 1: longer than 1048576 bytes"), "{error}");
        let longest = &endless[1..];
        assert_eq!(read_lines(&mut BufReader::new(longest.as_bytes()), 0).unwrap()[0], longest[..LONGEST as usize]);
    }
}
