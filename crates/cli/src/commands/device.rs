//! Opening the place that `--device` names.

use anyhow::Result;
use noam_kernels::device::Cpu;

use crate::args::DeviceName;

/// A device, ready to compute.
#[derive(Debug)]
pub(super) enum Opened {
    Cpu(Box<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(noam_kernels::device::Cuda),
}

/// Opens a device.
///
/// # Errors
/// If it is not there, or this program was built without it.
pub(super) fn open(device: DeviceName) -> Result<Opened> {
    match device {
        DeviceName::Cpu => Ok(Opened::Cpu(Box::default())),
        DeviceName::Cuda(number) => cuda(number),
        DeviceName::Emulated => emulated(),
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: usize) -> Result<Opened> {
    Ok(Opened::Cuda(noam_kernels::device::Cuda::new(number)?))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<Opened> {
    anyhow::bail!("this program was built without CUDA; build it with the feature `cuda`, or use --device cpu")
}

#[cfg(feature = "emulator")]
fn emulated() -> Result<Opened> {
    use anyhow::Context;
    noam_emulator::install::install().context("the emulated device cannot be used")?;
    cuda(0)
}

#[cfg(not(feature = "emulator"))]
fn emulated() -> Result<Opened> {
    anyhow::bail!(
        "this program was built without the emulator; build it with the feature `emulator`, or use --device cpu"
    )
}
