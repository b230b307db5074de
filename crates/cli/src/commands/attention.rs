//! `noam attention`: a picture of what every head looks at.

use anyhow::Result;

use super::translate::open;
use crate::args::{AttentionArgs, DecodingArgs};
use crate::output::write_text;
use crate::pictures::attention_svg;
use crate::progress::say;

/// Carries out `noam attention`.
///
/// # Errors
/// A run that cannot be opened; a sentence that is blank or too long for the model; an error in writing.
pub fn run(args: &AttentionArgs) -> Result<()> {
    let decoding = DecodingArgs { beam: None, checkpoint: args.checkpoint, threads: None };
    let (mut opened, _) = open(&args.run, &decoding)?;
    let attention = opened.attention(&args.text, args.target.as_deref())?;
    write_text(Some(&args.out), &attention_svg(&attention, &opened.chosen.to_string())?)?;
    say(&format!("{} → {}\nwritten: {}", args.text.trim(), attention.text, args.out.display()));
    Ok(())
}
