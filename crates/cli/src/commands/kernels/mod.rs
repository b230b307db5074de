//! `noam kernels`: the kernels' catalogue, checked, timed and counted.

mod bench;
mod check;
#[cfg(feature = "emulator")]
mod report;

use std::io::Write;

use anyhow::{Context, Result};
use noam_kernels::catalogue::Case;
use noam_kernels::cuda::{Queue, devices};
use noam_kernels::isa;

use crate::Usage;
use crate::args::{DeviceName, KernelsArgs, KernelsCommand};
use crate::output::mebibytes;

/// Carries out `noam kernels`.
///
/// # Errors
/// A device that is not there; cases that fail; a filter that no case passes; an error in writing.
pub fn run(args: &KernelsArgs) -> Result<()> {
    match &args.command {
        KernelsCommand::Check(args) => check::run(args),
        KernelsCommand::Bench(args) => bench::run(args),
        #[cfg(feature = "emulator")]
        KernelsCommand::Report(args) => report::run(args),
    }
}

/// A device, and what reports say of it.
struct Place {
    queue: Queue,
    emulated: bool,
    about: Vec<String>,
}

impl Place {
    fn open(device: DeviceName) -> Result<Self> {
        match device {
            DeviceName::Cpu => Err(Usage(
                "kernels run on CUDA devices; give --device cuda, cuda:N (the device of that number) or emulated"
                    .to_owned(),
            )
            .into()),
            DeviceName::Cuda(ordinal) => Self::of(ordinal, false),
            DeviceName::Emulated => emulated(),
        }
    }

    fn of(ordinal: usize, emulated: bool) -> Result<Self> {
        let queue = Queue::new(ordinal)?;
        let found = devices::list()?;
        let device = found.devices.get(ordinal).context("the device has gone")?;
        let mut about = vec![
            format!("noam {}", env!("CARGO_PKG_VERSION")),
            format!(
                "{}, compute capability {}.{}, {} multiprocessors, {}",
                device.name,
                device.compute.0,
                device.compute.1,
                device.multiprocessors,
                mebibytes(device.total_bytes)
            ),
            format!("driver for CUDA {} and older", found.driver),
        ];
        // The module's own version, which the driver's interface does not tell.
        let module = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
        about.extend(module.lines().next().filter(|_| !emulated).map(|line| line.trim().to_owned()));
        about.push(format!(
            "processor: {} instructions, {} threads",
            isa::active().name(),
            rayon::current_num_threads()
        ));
        Ok(Place { queue, emulated, about })
    }

    /// The head of a report.
    fn write(&self, out: &mut dyn Write, title: &str) -> Result<()> {
        writeln!(out, "# {title}\n")?;
        for line in &self.about {
            writeln!(out, "- {line}")?;
        }
        Ok(())
    }
}

/// With all checks but that for leaks, which is made when a context ends.
#[cfg(feature = "emulator")]
fn emulated() -> Result<Place> {
    use noam_emulator::driver::settings::{Settings, Sink};
    use noam_emulator::finding::Checks;
    let (settings, _) = Settings::from_environment();
    // What is found is taken case by case, and not printed besides.
    install(Settings { checks: Checks { leak: false, ..Checks::ALL }, report: Sink::None, ..settings })?;
    let mut place = Place::of(0, true)?;
    place.about.push("the emulator's checks are on: memory, initialization, races, synchronization".to_owned());
    Ok(place)
}

#[cfg(feature = "emulator")]
fn install(settings: noam_emulator::driver::settings::Settings) -> Result<()> {
    noam_emulator::driver::configure(settings).ok().context("the emulator is in use already")?;
    noam_emulator::install::install().context("the emulated device cannot be used")
}

#[cfg(not(feature = "emulator"))]
fn emulated() -> Result<Place> {
    anyhow::bail!(
        "this program was built without the emulator; build it with the feature `emulator`, or use --device cuda"
    )
}

/// The cases whose names contain the filter's text.
fn filtered(mut cases: Vec<Case>, filter: Option<&str>) -> Result<Vec<Case>> {
    let example = cases.first().map(Case::name).unwrap_or_default();
    if let Some(text) = filter {
        cases.retain(|case| case.name().contains(text));
        if cases.is_empty() {
            return Err(Usage(format!(
                "no case's name contains `{text}`; names are operation/shape/type, as {example}"
            ))
            .into());
        }
    }
    Ok(cases)
}

#[cfg(test)]
mod tests {
    use super::*;
    use noam_kernels::catalogue::{Grid, cases};

    #[test]
    fn a_filter_keeps_the_cases_that_contain_it() {
        let all = cases(Grid::Small);
        let of = |filter| filtered(cases(Grid::Small), filter);
        assert_eq!(of(None).unwrap().len(), all.len());
        let bf16 = of(Some("/bf16")).unwrap();
        assert!(bf16.iter().all(|case| case.element == "bf16") && bf16.len() > 20);
        let error = of(Some("no such")).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains("`no such`"), "{error}");
    }
}
