//! Opening the place that `--device` names.

use anyhow::Result;
use noam_kernels::device::{Cpu, Precision};

use crate::args::DeviceName;
#[cfg(feature = "cublaslt")]
use crate::{Usage, args::Products};

/// A device, ready to compute.
#[derive(Debug)]
pub(super) enum Opened {
    Cpu(Box<Cpu>),
    #[cfg(feature = "cuda")]
    Cuda(noam_kernels::device::Cuda),
}

#[cfg(feature = "cublaslt")]
impl Opened {
    /// The same with these matrix products.
    ///
    /// # Errors
    /// If they are not there, or not for this device.
    pub(super) fn with_products(self, products: Products) -> Result<Self> {
        match (self, products) {
            (opened, Products::Own) => Ok(opened),
            (Opened::Cuda(device), Products::Cublaslt) => Ok(Opened::Cuda(device.with_cublaslt()?)),
            (Opened::Cpu(_), Products::Cublaslt) => {
                Err(Usage("cuBLASLt runs on GPUs only; give --device cuda, or leave --products out".to_owned()).into())
            }
        }
    }
}

/// Opens a device, to compute in this precision.
///
/// # Errors
/// If it is not there, cannot compute so, or this program was built without it.
pub(super) fn open(device: DeviceName, precision: Precision) -> Result<Opened> {
    match device {
        DeviceName::Cpu if precision == Precision::F32 => Ok(Opened::Cpu(Box::default())),
        DeviceName::Cpu => anyhow::bail!(
            "the CPU computes in f32 only, and {precision} is asked for; train with --device cuda, or with --precision f32"
        ),
        DeviceName::Cuda(number) => cuda(number, precision),
        DeviceName::Emulated => emulated(precision),
    }
}

#[cfg(feature = "cuda")]
fn cuda(number: usize, precision: Precision) -> Result<Opened> {
    Ok(Opened::Cuda(noam_kernels::device::Cuda::new(number)?.with_precision(precision)))
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize, _: Precision) -> Result<Opened> {
    anyhow::bail!("this program was built without CUDA; build it with the feature `cuda`, or use --device cpu")
}

#[cfg(feature = "emulator")]
fn emulated(precision: Precision) -> Result<Opened> {
    use anyhow::Context;
    noam_emulator::install::install().context("the emulated device cannot be used")?;
    cuda(0, precision)
}

#[cfg(not(feature = "emulator"))]
fn emulated(_: Precision) -> Result<Opened> {
    anyhow::bail!(
        "this program was built without the emulator; build it with the feature `emulator`, or use --device cpu"
    )
}
