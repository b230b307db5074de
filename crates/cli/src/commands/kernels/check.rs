//! `noam kernels check`: the kernels' results against the processor's.

use std::io::Write;

use anyhow::{Result, bail};
use noam_kernels::catalogue::{Case, Grid, Verdict, cases};

use super::{Place, filtered};
use crate::args::KernelsCheckArgs;
use crate::output::{write_text, write_to};
use crate::progress::say;

/// What came of a case.
#[derive(Debug)]
struct Checked {
    operation: &'static str,
    element: &'static str,
    shape: String,
    verdict: Verdict,
    /// What is wrong, in words; nothing if all is well.
    wrong: Vec<String>,
}

impl Checked {
    fn new(case: &Case, verdict: Verdict, more: Vec<String>) -> Self {
        let wrong = verdict.differences.iter().map(ToString::to_string).chain(more).collect();
        Checked { operation: case.operation, element: case.element, shape: case.shape.clone(), verdict, wrong }
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.operation, self.shape, self.element)
    }

    fn line(&self) -> String {
        match self.wrong.first() {
            None => format!("ok    {}", self.name()),
            Some(wrong) => format!("FAIL  {}: {wrong}", self.name()),
        }
    }
}

/// All of them, those that were not tried included.
#[derive(Debug, Default)]
struct Results {
    checked: Vec<Checked>,
    /// Cases that were left out because the device could not be used any more.
    left: usize,
}

impl Results {
    fn failed(&self) -> impl Iterator<Item = &Checked> {
        self.checked.iter().filter(|checked| !checked.wrong.is_empty())
    }

    fn summary(&self) -> String {
        let values: usize = self.checked.iter().map(|checked| checked.verdict.values).sum();
        let worst = self.checked.iter().filter_map(|checked| checked.verdict.worst).fold(0.0, f64::max);
        let exact = self.checked.iter().filter(|checked| checked.verdict.worst.is_none()).count();
        let left = match self.left {
            0 => String::new(),
            left => format!("; {left} more were not tried, because the device could not be used any more"),
        };
        format!(
            "{} of {} cases passed, {values} values compared{left}. {exact} cases have fixed bits; in the others the \
             largest error is {worst:.3} of its bound.",
            self.checked.len() - self.failed().count(),
            self.checked.len(),
        )
    }

    fn write(&self, out: &mut dyn Write) -> Result<()> {
        writeln!(out, "\n{}", self.summary())?;
        if self.failed().count() > 0 {
            writeln!(out, "\n## What is wrong\n")?;
        }
        for checked in self.failed() {
            writeln!(out, "- {}", checked.name())?;
            for wrong in &checked.wrong {
                writeln!(out, "  - {}", wrong.replace('\n', " "))?;
            }
        }
        writeln!(out, "\n## Cases\n")?;
        writeln!(
            out,
            "A case without a largest error has fixed bits: those of the processor's f32, or these rounded once.\n"
        )?;
        writeln!(out, "| operation | shape | type | result | values | largest error / bound |")?;
        writeln!(out, "| --- | --- | --- | --- | ---: | ---: |")?;
        for Checked { operation, element, shape, verdict, wrong } in &self.checked {
            let result = if wrong.is_empty() { "pass" } else { "**FAIL**" };
            let worst = verdict.worst.map(|worst| format!("{worst:.3}")).unwrap_or_default();
            writeln!(out, "| {operation} | {shape} | {element} | {result} | {} | {worst} |", verdict.values)?;
        }
        Ok(())
    }

    /// # Errors
    /// If a case failed.
    fn end(&self) -> Result<()> {
        let failed = self.failed().count();
        if failed + self.left > 0 {
            bail!("{failed} of {} cases failed, {} were not tried", self.checked.len(), self.left);
        }
        Ok(())
    }
}

pub(super) fn run(args: &KernelsCheckArgs) -> Result<()> {
    let place = Place::open(args.device)?;
    let mut all = cases(Grid::Awkward);
    all.extend(cases(if place.emulated { Grid::Small } else { Grid::Base }));
    let all = filtered(all, args.cases.filter.as_deref())?;
    let mut results = Results::default();
    for (at, case) in all.iter().enumerate() {
        let (verdict, error) = match case.check(&place.queue) {
            Ok(verdict) => (verdict, None),
            Err(error) => (Verdict::default(), Some(in_a_line(error))),
        };
        let failed = error.is_some();
        let checked = Checked::new(case, verdict, error.into_iter().chain(findings()).collect());
        say(&checked.line());
        results.checked.push(checked);
        // A kernel that has failed takes its context with it.
        if failed && place.queue.wait().is_err() {
            results.left = all.len() - at - 1;
            break;
        }
    }
    write_to(args.cases.output.as_deref(), |out| {
        place.write(out, "The CUDA kernels, checked")?;
        results.write(out)
    })?;
    if let Some(path) = &args.cases.output {
        write_text(None, &format!("{}\n{}: the report\n", results.summary(), path.display()))?;
    }
    results.end()
}

/// An error with its causes.
fn in_a_line(error: noam_kernels::Error) -> String {
    format!("{:#}", anyhow::Error::from(error))
}

/// What the emulated device has found since it was last asked.
#[cfg(feature = "emulator")]
fn findings() -> Vec<String> {
    noam_emulator::driver::control::take_all_reports().iter().map(ToString::to_string).collect()
}

#[cfg(not(feature = "emulator"))]
fn findings() -> Vec<String> {
    Vec::new()
}
