//! `noam evaluate`: BLEU of a run on two files.

use anyhow::{Result, bail};
use noam_train::text::{self, Limits};
use serde_json::json;

use super::translate::open;
use crate::args::EvaluateArgs;
use crate::output::write_to;

/// Carries out `noam evaluate`.
///
/// # Errors
/// A run that cannot be opened; files that cannot be read or have different numbers of lines; an error in writing.
pub fn run(args: &EvaluateArgs) -> Result<()> {
    // Files first: a mistake in them is found before a large model is read.
    let limits = Limits::unfiltered();
    let (sources, references) = (text::read_lines(&args.src, &limits)?, text::read_lines(&args.reference, &limits)?);
    let (n, m) = (sources.len(), references.len());
    if n != m {
        let (src, reference) = (args.src.display(), args.reference.display());
        bail!("{src} has {n} lines and {reference} has {m}; line by line they must be translations of each other");
    }
    let (mut opened, search) = open(&args.run, &args.decoding)?;
    let (sources, references): (Vec<&str>, Vec<&str>) = (sources.iter().collect(), references.iter().collect());
    let (score, translations) = opened.evaluate(&sources, &references, &search, None)?;
    if let Some(path) = &args.out {
        write_to(Some(path), |out| {
            translations.iter().try_for_each(|translation| Ok(writeln!(out, "{}", translation.text)?))
        })?;
    }
    write_to(None, |out| {
        if args.json {
            let value = json!({
                "run": args.run.to_string_lossy(),
                "weights": opened.chosen.to_string(),
                "beam": search.beam,
                "sentences": n,
                "bleu": score.score,
                "signature": score.signature(),
                "score": score,
            });
            serde_json::to_writer(&mut *out, &value)?;
            return Ok(writeln!(out)?);
        }
        let how = if search.beam == 1 { "greedily".to_owned() } else { format!("with beam {}", search.beam) };
        writeln!(out, "{n} sentences translated {how} by the weights of {}", opened.chosen)?;
        Ok(writeln!(out, "{score}")?)
    })
}
