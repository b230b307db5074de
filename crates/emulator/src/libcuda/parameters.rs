//! A launch's parameters: from where the program has them into one block, laid out as the kernel reads it.

use std::sync::Arc;

use super::pointer::Plain;
use crate::driver::{
    engine::KernelInfo,
    error::{Code, Result},
    launch::Params,
};

/// `void **kernelParams`: for each parameter a pointer to it. Null, or valid for the kernel that it is given with.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct KernelParams(*const *const u8);

/// `void **extra`: pairs of keys and values that name a buffer with all parameters. Null, or valid.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Extra(*const *const u8);

// SAFETY: these are pointers, of which every pattern of bits is a value. They come from callers of the API only, who
// vouch for them.
unsafe impl Plain for KernelParams {}
// SAFETY: as above.
unsafe impl Plain for Extra {}

/// The keys in `extra`.
const END: usize = 0;
const BUFFER_POINTER: usize = 1;
const BUFFER_SIZE: usize = 2;
/// No more pairs than there are keys, and the end.
const MOST_PAIRS: usize = 3;

impl KernelParams {
    /// None.
    pub const NULL: Self = Self(std::ptr::null());

    /// Pointers to a kernel's parameters.
    ///
    /// # Safety
    /// There must be one for each of the kernel's parameters, valid for reads of its size, for as long as `Self`.
    pub unsafe fn new(pointers: *const *const u8) -> Self {
        Self(pointers)
    }

    /// Copies a kernel's parameters into one block.
    ///
    /// # Errors
    /// Where they are missing, or given twice.
    pub fn collect(self, extra: Extra, info: &KernelInfo) -> Result<Arc<Params>> {
        let mut block = vec![0; info.param_bytes as usize];
        match (self.0.is_null(), extra.0.is_null()) {
            (true, true) if info.params.is_empty() => {}
            (true, true) => {
                let (name, count) = (&info.name, info.params.len());
                return Err(Code::InvalidValue.because(format!("{name} has {count} parameters, none are given")));
            }
            (false, true) => self.gather(info, &mut block)?,
            (true, false) => extra.read(&mut block)?,
            (false, false) => return Err(Code::InvalidValue.because("parameters are given in two ways")),
        }
        Ok(Params::new(block))
    }

    fn gather(self, info: &KernelInfo, block: &mut [u8]) -> Result<()> {
        for (at, param) in info.params.iter().enumerate() {
            // SAFETY: the caller has given a pointer for each of the kernel's parameters.
            let from = unsafe { self.0.add(at).read() };
            if from.is_null() {
                return Err(Code::InvalidValue.because(format!("the pointer to parameter {at} is null")));
            }
            let range = param.offset as usize..(param.offset + param.bytes) as usize;
            let to = block.get_mut(range).ok_or(Code::InvalidValue)?;
            // SAFETY: the caller has vouched for reads of the parameter's size, and `block` is a buffer of our own.
            unsafe { std::ptr::copy_nonoverlapping(from, to.as_mut_ptr(), to.len()) };
        }
        Ok(())
    }
}

impl Extra {
    /// None.
    pub const NULL: Self = Self(std::ptr::null());

    /// Pairs of keys and values.
    ///
    /// # Safety
    /// They must be as the API says, and end.
    pub unsafe fn new(pairs: *const *const u8) -> Self {
        Self(pairs)
    }

    fn read(self, block: &mut [u8]) -> Result<()> {
        let (mut buffer, mut size) = (std::ptr::null::<u8>(), None);
        for pair in 0..MOST_PAIRS {
            // SAFETY: the caller has vouched for the pairs up to their end, which has not come yet.
            let key = unsafe { self.0.add(2 * pair).read() }.addr();
            if key == END {
                break;
            }
            // SAFETY: as above: a key that is not the end has a value.
            let value = unsafe { self.0.add(2 * pair + 1).read() };
            match key {
                BUFFER_POINTER => buffer = value,
                // SAFETY: the value of this key points to a size.
                BUFFER_SIZE if !value.is_null() => size = Some(unsafe { value.cast::<usize>().read_unaligned() }),
                _ => return Err(Code::InvalidValue.because(format!("extra has a key {key}"))),
            }
        }
        match size {
            // Kernels whose parameters end with padding are given the block with it, or without.
            Some(size) if !buffer.is_null() && size <= block.len().next_multiple_of(16) => {
                let bytes = size.min(block.len());
                // SAFETY: the caller has vouched for `size` bytes, and `block` has `bytes` at least.
                unsafe { std::ptr::copy_nonoverlapping(buffer, block.as_mut_ptr(), bytes) };
                Ok(())
            }
            Some(size) => Err(Code::InvalidValue
                .because(format!("{size} bytes of parameters are given, the kernel has {}", block.len()))),
            None => Err(Code::InvalidValue.because("extra names no buffer and size")),
        }
    }
}
