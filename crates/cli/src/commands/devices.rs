//! `noam devices`: the processor, the CUDA devices, and the emulated one.

use std::io::Write;

use anyhow::Result;
use noam_kernels::isa;
use serde::Serialize;

use crate::args::DevicesArgs;
use crate::output::write_to;

/// What there is to compute on.
#[derive(Debug, Serialize)]
struct Report {
    cpu: Cpu,
    cuda: cuda::Cuda,
    emulator: Option<emulator::Emulator>,
}

#[derive(Debug, Serialize)]
struct Cpu {
    threads: usize,
    isa: &'static str,
    isa_detected: &'static str,
}

/// A line of the table: what, and its value.
type Line = (&'static str, String);

/// Carries out `noam devices`.
///
/// # Errors
/// An error in writing. What is not there is no error.
pub fn run(args: &DevicesArgs) -> Result<()> {
    let cpu =
        Cpu { threads: rayon::current_num_threads(), isa: isa::active().name(), isa_detected: isa::detected().name() };
    // The emulator is asked as a library and not as a driver, so that a real one is found.
    let report = Report { cpu, cuda: cuda::find(), emulator: emulator::find() };
    write_to(None, |out| {
        if args.json {
            serde_json::to_writer(&mut *out, &report)?;
            return Ok(writeln!(out)?);
        }
        section(out, "CPU", report.cpu.lines())?;
        report.cuda.write(out)?;
        emulator::write(report.emulator.as_ref(), out)
    })
}

impl Cpu {
    fn lines(&self) -> Vec<Line> {
        let limited = if self.isa == self.isa_detected {
            String::new()
        } else {
            format!(", limited by NOAM_ISA; the processor has {}", self.isa_detected)
        };
        vec![("threads", self.threads.to_string()), ("instructions", format!("{}{limited}", self.isa))]
    }
}

fn section(out: &mut dyn Write, title: &str, lines: Vec<Line>) -> Result<()> {
    writeln!(out, "{title}")?;
    for (name, value) in lines {
        writeln!(out, "  {name:<15} {value}")?;
    }
    Ok(())
}

#[cfg(feature = "cuda")]
mod cuda {
    use super::*;
    use crate::output::mebibytes;
    use noam_kernels::cuda::devices::{self, Device, Devices};
    use serde_json::json;

    /// The driver's devices, or why there are none.
    #[derive(Debug)]
    pub struct Cuda(Result<Devices, anyhow::Error>);

    pub fn find() -> Cuda {
        Cuda(devices::list().map_err(anyhow::Error::from))
    }

    impl Serialize for Cuda {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match &self.0 {
                Err(error) => json!({ "driver": null, "devices": [], "error": format!("{error:#}") }),
                Ok(found) => json!({
                    "driver": found.driver.to_string(),
                    "devices": found.devices.iter().map(object).collect::<Vec<_>>(),
                    "error": null,
                }),
            }
            .serialize(serializer)
        }
    }

    fn object(device: &Device) -> serde_json::Value {
        json!({
            "name": device.name,
            "compute_capability": format!("{}.{}", device.compute.0, device.compute.1),
            "multiprocessors": device.multiprocessors,
            "memory_bytes": device.total_bytes,
            "memory_free_bytes": device.free_bytes.as_ref().ok(),
        })
    }

    impl Cuda {
        pub fn write(&self, out: &mut dyn Write) -> Result<()> {
            let found = match &self.0 {
                Ok(found) => found,
                Err(error) => return section(out, "CUDA", vec![("none", format!("{error:#}"))]),
            };
            section(out, "CUDA", vec![("driver", format!("for CUDA {} and older", found.driver))])?;
            for (ordinal, device) in found.devices.iter().enumerate() {
                let free = match &device.free_bytes {
                    Ok(free) => format!("{} free", mebibytes(*free)),
                    Err(error) => format!("how much is free it does not say: {error}"),
                };
                let lines = vec![
                    ("name", device.name.clone()),
                    ("capability", format!("{}.{}", device.compute.0, device.compute.1)),
                    ("multiprocessors", device.multiprocessors.to_string()),
                    ("memory", format!("{}, {free}", mebibytes(device.total_bytes))),
                ];
                section(out, &format!("CUDA device {ordinal}"), lines)?;
            }
            Ok(())
        }
    }
}

#[cfg(not(feature = "cuda"))]
mod cuda {
    use super::*;

    /// This program knows nothing of CUDA.
    #[derive(Debug, Serialize)]
    pub struct Cuda {
        error: &'static str,
    }

    pub fn find() -> Cuda {
        Cuda { error: "this program was built without the feature `cuda`" }
    }

    impl Cuda {
        pub fn write(&self, out: &mut dyn Write) -> Result<()> {
            section(out, "CUDA", vec![("none", self.error.to_owned())])
        }
    }
}

#[cfg(feature = "emulator")]
mod emulator {
    use super::*;
    use crate::output::mebibytes;
    use noam_emulator::driver::settings::Settings;
    use noam_emulator::exec::BlockOrder;
    use noam_emulator::finding::Checks;
    use noam_emulator::install;

    /// The emulated device, as the environment makes it.
    #[derive(Debug, Serialize)]
    pub struct Emulator {
        model: &'static str,
        name: &'static str,
        compute_capability: String,
        multiprocessors: u32,
        memory_bytes: u64,
        devices: u32,
        checks: Vec<&'static str>,
        block_order: String,
        threads: usize,
        step_budget: Option<u64>,
        /// Variables that make no sense.
        ignored: Vec<String>,
    }

    pub fn find() -> Option<Emulator> {
        install::is_supported().then(|| {
            let (settings, wrong) = Settings::from_environment();
            let model = settings.model;
            Emulator {
                model: model.key,
                name: model.name,
                compute_capability: format!("{}.{}", model.compute.0, model.compute.1),
                multiprocessors: model.multiprocessors,
                memory_bytes: settings.memory_bytes,
                devices: settings.devices,
                checks: checks(settings.checks),
                block_order: match settings.block_order {
                    BlockOrder::Forward => "forward".to_owned(),
                    BlockOrder::Backward => "backward".to_owned(),
                    BlockOrder::Shuffled(seed) => format!("shuffled by {seed}"),
                },
                threads: settings.threads,
                step_budget: settings.step_budget,
                ignored: wrong.iter().map(ToString::to_string).collect(),
            }
        })
    }

    fn checks(checks: Checks) -> Vec<&'static str> {
        let Checks { memory, initialization, race, synchronization, leak } = checks;
        let all = [
            ("memory", memory),
            ("initialization", initialization),
            ("race", race),
            ("synchronization", synchronization),
            ("leak", leak),
        ];
        all.into_iter().filter(|(_, made)| *made).map(|(name, _)| name).collect()
    }

    pub fn write(emulator: Option<&Emulator>, out: &mut dyn Write) -> Result<()> {
        let Some(emulator) = emulator else {
            return section(out, "Emulator", vec![("none", "for Linux on x86-64 and 64-bit Arm only".to_owned())]);
        };
        let list = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let mut lines = vec![
            ("name", emulator.name.to_owned()),
            ("capability", emulator.compute_capability.clone()),
            ("multiprocessors", emulator.multiprocessors.to_string()),
            ("memory", mebibytes(emulator.memory_bytes)),
            ("devices", emulator.devices.to_string()),
            ("checks", list(&emulator.checks)),
            ("order of blocks", emulator.block_order.clone()),
            ("threads", if emulator.threads == 0 { "all".to_owned() } else { emulator.threads.to_string() }),
        ];
        lines.extend(emulator.step_budget.map(|steps| ("instructions", format!("at most {steps} of a warp's"))));
        lines.extend(emulator.ignored.iter().map(|why| ("ignored", why.clone())));
        section(out, "Emulator", lines)
    }
}

#[cfg(not(feature = "emulator"))]
mod emulator {
    use super::*;

    /// This program has no emulator.
    #[derive(Debug, Serialize)]
    pub enum Emulator {}

    pub fn find() -> Option<Emulator> {
        None
    }

    pub fn write(_: Option<&Emulator>, out: &mut dyn Write) -> Result<()> {
        section(out, "Emulator", vec![("none", "this program was built without the feature `emulator`".to_owned())])
    }
}
