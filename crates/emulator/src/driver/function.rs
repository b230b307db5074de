//! Kernels as programs hold them.

use std::{
    ffi::{CStr, CString},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use super::{
    engine::KernelInfo,
    error::{Code, Result},
    handle::{Handle, Table},
    image::Image,
    launch::default_dynamic_shared,
    model::Model,
};
use crate::program::Kernel;

/// A kernel of a loaded image.
#[derive(Debug)]
pub struct Function {
    /// Its handle.
    pub handle: Handle<Function>,
    /// Its image.
    pub image: Arc<Image>,
    /// Its number there.
    pub kernel: usize,
    name: CString,
    /// Bytes of dynamic shared memory that launches may use.
    dynamic_shared: AtomicU32,
    /// What the program prefers of shared memory: kept, and without effect.
    carveout: AtomicU32,
    /// What the program prefers of caches: kept, and without effect.
    pub cache_preference: AtomicU32,
}

/// Numbers of attributes in the API.
mod attribute {
    pub const MAX_THREADS: u32 = 0;
    pub const SHARED: u32 = 1;
    pub const CONSTANT: u32 = 2;
    pub const LOCAL: u32 = 3;
    pub const REGISTERS: u32 = 4;
    pub const PTX_VERSION: u32 = 5;
    pub const BINARY_VERSION: u32 = 6;
    pub const CACHE_MODE: u32 = 7;
    pub const MAX_DYNAMIC_SHARED: u32 = 8;
    pub const CARVEOUT: u32 = 9;
    pub const COUNT: u32 = 18;
}

/// A carve-out without a preference: -1.
const NO_PREFERENCE: u32 = u32::MAX;

impl Function {
    /// A kernel of an image, by its number.
    pub fn new(image: Arc<Image>, kernel: usize) -> Self {
        let dynamic_shared = default_dynamic_shared(image.module.info(kernel).shared_static);
        Self {
            handle: Table::reserve(),
            // A name is a PTX identifier, which has no zero byte.
            name: CString::new(image.module.info(kernel).name.as_str()).unwrap_or_default(),
            image,
            kernel,
            dynamic_shared: AtomicU32::new(dynamic_shared),
            carveout: AtomicU32::new(NO_PREFERENCE),
            cache_preference: AtomicU32::new(0),
        }
    }

    /// What is known of it.
    pub fn info(&self) -> &KernelInfo {
        self.image.module.info(self.kernel)
    }

    /// Its name, ended by a zero byte.
    pub fn name_c(&self) -> &CStr {
        &self.name
    }

    /// Its code.
    pub fn code(&self) -> &Kernel {
        self.image.module.code(self.kernel)
    }

    /// The block that it must be launched with, if it says.
    pub fn required_block(&self) -> Option<[u32; 3]> {
        self.code().required_threads
    }

    /// Bytes of shared memory, static and dynamic, that a launch may have.
    pub fn shared_limit(&self, model: &Model) -> u32 {
        let dynamic = self.dynamic_shared.load(Ordering::Relaxed);
        self.info().shared_static.saturating_add(dynamic).min(model.shared_optin)
    }

    /// An attribute, by its number in the API.
    pub fn attribute(&self, number: u32) -> Result<u32> {
        let info = self.info();
        Ok(match number {
            attribute::MAX_THREADS => info.max_threads,
            attribute::SHARED => info.shared_static,
            attribute::CONSTANT => info.const_bytes,
            attribute::LOCAL => info.local_bytes,
            attribute::REGISTERS => info.registers,
            attribute::PTX_VERSION => info.ptx_version,
            attribute::BINARY_VERSION => info.binary_version,
            attribute::CACHE_MODE => 0,
            attribute::MAX_DYNAMIC_SHARED => self.dynamic_shared.load(Ordering::Relaxed),
            attribute::CARVEOUT => self.carveout.load(Ordering::Relaxed),
            // Clusters and the like: none.
            number if number < attribute::COUNT => 0,
            _ => return Err(Code::InvalidValue.into()),
        })
    }

    /// Sets an attribute, by its number in the API.
    ///
    /// # Errors
    /// Where it can't be set, or not to this.
    pub fn set_attribute(&self, number: u32, value: i32, model: &Model) -> Result<()> {
        match number {
            attribute::MAX_DYNAMIC_SHARED => {
                let most = model.shared_optin.saturating_sub(self.info().shared_static);
                let value = u32::try_from(value).ok().filter(|&value| value <= most).ok_or_else(|| {
                    Code::InvalidValue.because(format!("{value} bytes of dynamic shared memory, from 0 to {most}"))
                })?;
                self.dynamic_shared.store(value, Ordering::Relaxed);
            }
            attribute::CARVEOUT if (-1..=100).contains(&value) => {
                self.carveout.store(value as u32, Ordering::Relaxed);
            }
            10..attribute::COUNT => return Err(Code::NotSupported.because("there are no clusters")),
            _ => return Err(Code::InvalidValue.into()),
        }
        Ok(())
    }
}
