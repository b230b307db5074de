//! What CUDA devices there are, or why there are none.

use super::driver;
use crate::Error;
use cudarc::driver::sys::CUdevice_attribute::{
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR,
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT,
};
use cudarc::driver::sys::{self, CUresult};
use cudarc::driver::{CudaContext, DriverError, result};
use std::fmt;

const OP: &str = "cuda";

/// A version of CUDA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 12 of 12.4.
    pub major: u32,
    /// 4 of 12.4.
    pub minor: u32,
}

impl Version {
    /// The oldest whose driver takes our PTX, of ISA 8.0. It is that of NVIDIA's drivers 525.
    pub const OLDEST: Version = Version { major: 12, minor: 0 };

    /// From the number that the driver gives: 12040 for 12.4.
    fn of_driver(number: i32) -> Self {
        let number = number.max(0) as u32;
        Version { major: number / 1000, minor: number % 1000 / 10 }
    }

    /// Refuses a version before [`Version::OLDEST`].
    fn check(self) -> Result<Self, Error> {
        if self < Self::OLDEST { Err(Error::OldDriver { got: self }) } else { Ok(self) }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The driver and its devices: at least one.
#[derive(Clone, Debug, PartialEq)]
pub struct Devices {
    /// The newest version of CUDA that the driver knows.
    pub driver: Version,
    /// In the driver's order: a device's place is what [`Queue::new`](super::Queue::new) takes.
    pub devices: Vec<Device>,
}

/// A CUDA device.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// As the driver names it.
    pub name: String,
    /// Compute capability, major and minor: (8, 0) is sm_80.
    pub compute: (u32, u32),
    /// Multiprocessors.
    pub multiprocessors: u32,
    /// Bytes of memory.
    pub total_bytes: u64,
    /// Bytes of memory that are free, or why the device does not say: it may be another process's alone, or full.
    pub free_bytes: Result<u64, DriverError>,
}

/// Asks the driver for its devices. Each is opened to see how much of its memory is free, which takes it some hundred
/// milliseconds.
///
/// Where the emulator is [installed](https://docs.rs/noam-emulator) in this process, it is the driver.
///
/// # Errors
/// [`Error::NoDriver`], [`Error::OldDriver`] and [`Error::NoDevice`] say why there is none; [`Error::Driver`] if the
/// driver does not work.
pub fn list() -> Result<Devices, Error> {
    // SAFETY: this opens and closes the driver's library, as everything below does for good.
    if !unsafe { sys::is_culib_present() } {
        return Err(Error::NoDriver);
    }
    let mut number = 0;
    // SAFETY: the function writes one number where it is told to. Every driver has it.
    let version = unsafe { sys::cuDriverGetVersion(&raw mut number) }.result();
    version.map_err(driver(OP, "asking the driver for its version"))?;
    let version = Version::of_driver(number).check()?;
    result::init().map_err(no_device(version, "starting the driver"))?;
    let count = result::device::get_count().map_err(no_device(version, "counting the devices"))?;
    if count <= 0 {
        return Err(Error::NoDevice { driver: version });
    }
    Ok(Devices { driver: version, devices: (0..count).map(device).collect::<Result<_, _>>()? })
}

/// The error of a call that a driver without devices refuses too.
fn no_device(version: Version, doing: &'static str) -> impl FnOnce(DriverError) -> Error {
    move |error| match error.0 {
        CUresult::CUDA_ERROR_NO_DEVICE => Error::NoDevice { driver: version },
        _ => driver(OP, doing)(error),
    }
}

fn device(ordinal: i32) -> Result<Device, Error> {
    let describe = || {
        let handle = result::device::get(ordinal)?;
        // SAFETY: `handle` is a device that the driver has given.
        let attribute =
            |which| unsafe { result::device::get_attribute(handle, which) }.map(|value| value.max(0) as u32);
        Ok(Device {
            name: result::device::get_name(handle)?,
            compute: (
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
                attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            ),
            multiprocessors: attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            // SAFETY: as above.
            total_bytes: unsafe { result::device::total_mem(handle) }? as u64,
            free_bytes: CudaContext::new(ordinal as usize)
                .and_then(|context| context.mem_get_info())
                .map(|(free, _)| free as u64),
        })
    };
    describe().map_err(driver(OP, "describing a device"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::cuda;

    #[test]
    fn the_device_that_tests_run_on_is_listed() {
        let queue = cuda::device();
        let found = list().expect("there is one");
        assert!(found.driver >= Version::OLDEST);
        let device = &found.devices[0];
        assert_eq!(device.multiprocessors, queue.multiprocessors());
        assert!(!device.name.is_empty() && device.compute >= (8, 0), "{device:?}");
        let free = device.free_bytes.as_ref().copied().expect("it is open already");
        assert!(0 < free && free <= device.total_bytes, "{device:?}");
    }

    #[test]
    fn versions_are_read_and_compared() {
        let version = |major, minor| Version { major, minor };
        assert_eq!(Version::of_driver(12040), version(12, 4));
        assert_eq!(Version::of_driver(13050), version(13, 5));
        assert_eq!(version(12, 0).check(), Ok(version(12, 0)));
        assert_eq!(version(13, 0).check(), Ok(version(13, 0)));
        let refused = Version::of_driver(11080).check().unwrap_err();
        assert_eq!(refused, Error::OldDriver { got: version(11, 8) });
        assert_eq!(
            refused.to_string(),
            "the CUDA driver here is for CUDA 11.8 at most, must be for 12.0 or newer; install NVIDIA's driver 525 or \
             newer, or use the CPU or the emulated device"
        );
    }

    #[test]
    fn a_driver_without_devices_is_told_from_one_that_fails() {
        let refusal = |code| no_device(Version::OLDEST, "starting the driver")(DriverError(code));
        assert_eq!(refusal(CUresult::CUDA_ERROR_NO_DEVICE), Error::NoDevice { driver: Version::OLDEST });
        let source = DriverError(CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH);
        assert_eq!(refusal(source.0), Error::Driver { op: OP, doing: "starting the driver", source });
    }
}
