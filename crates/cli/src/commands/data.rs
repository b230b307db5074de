//! `noam data`: writing out the embedded corpus, and examining text.

use std::path::Path;

use anyhow::{Result, bail};
use noam_train::corpus::{Corpus, Pair};
use noam_train::text::{self, Limits, Lines};

use super::inspect::{Report, Side};
use crate::Usage;
use crate::args::{DataArgs, DataCommand, EmbeddedArgs, GenerateArgs, InspectArgs};
use crate::output::write_to;

/// Carries out `noam data`.
///
/// # Errors
/// Files that cannot be read or written; [`Usage`] if both outputs are one file.
pub fn run(args: DataArgs) -> Result<()> {
    match args.command {
        DataCommand::Generate(args) => generate(&args),
        DataCommand::Inspect(args) => inspect(&args),
    }
}

/// Calls `each` with the sentences asked for, in order.
fn embedded(args: &EmbeddedArgs, each: &mut dyn FnMut(&str, &str) -> Result<()>) -> Result<()> {
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let mut found = 0;
    for (source, target) in Corpus::new(args.seed).pairs(args.pair, args.split, count) {
        each(&source, &target)?;
        found += 1;
    }
    if found < count {
        bail!("the {} part has only about {found} different sentences, fewer than {count}; lower --count", args.split);
    }
    Ok(())
}

fn generate(args: &GenerateArgs) -> Result<()> {
    match (&args.out_src, &args.out_tgt) {
        (Some(src), Some(tgt)) if src == tgt => {
            let message = format!("--out-src and --out-tgt are both {}; give two names, or use --tsv", src.display());
            bail!(Usage(message))
        }
        // One inside the other: if either fails before its end, neither file appears.
        (Some(src), Some(tgt)) => write_to(Some(src), |sources| {
            write_to(Some(tgt), |targets| {
                embedded(&args.corpus, &mut |source, target| {
                    writeln!(sources, "{source}")?;
                    Ok(writeln!(targets, "{target}")?)
                })
            })
        }),
        _ => write_to(args.tsv.as_deref(), |out| {
            embedded(&args.corpus, &mut |source, target| Ok(writeln!(out, "{source}\t{target}")?))
        }),
    }
}

fn inspect(args: &InspectArgs) -> Result<()> {
    // Nothing is filtered by length: what a filter would drop is what one wants to see.
    let limits = Limits::unfiltered();
    let report = match (&args.tsv, args.files.as_slice()) {
        (Some(path), _) => {
            let pairs = text::read_tsv(path, &limits)?;
            Report::of_pair([&name(path, "source"), &name(path, "target")], &pairs)
        }
        (None, [src, tgt, ..]) => {
            Report::of_pair([&name(src, "source"), &name(tgt, "target")], &text::read_parallel(src, tgt, &limits)?)
        }
        (None, [path]) => Report {
            sides: vec![Side::new(&path.display().to_string(), &text::read_lines(path, &limits)?)],
            pairs: None,
        },
        (None, []) => {
            let mut pairs = text::Parallel { src: Lines::new(), tgt: Lines::new(), report: text::Report::default() };
            embedded(&args.corpus, &mut |source, target| {
                pairs.src.push(source);
                pairs.tgt.push(target);
                pairs.report.pairs += 1;
                Ok(())
            })?;
            let language = |pair: Pair| [pair.source().to_string(), pair.target().to_string()];
            let [source, target] = language(args.corpus.pair);
            let origin = format!("embedded {} {}, seed {}", args.corpus.pair, args.corpus.split, args.corpus.seed);
            Report::of_pair([&format!("{source} ({origin})"), &format!("{target} ({origin})")], &pairs)
        }
    };
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer_pretty(&mut *out, &report)?;
            Ok(writeln!(out)?)
        } else {
            report.write(out)
        }
    })
}

fn name(path: &Path, side: &str) -> String {
    format!("{} ({side})", path.display())
}
