//! The types that a tensor's values have on a device: f32, bf16, f16.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A value of a tensor on the device. Sealed: kernels exist for these three types, and are found by `NAME`.
pub trait Element:
    Sealed + DeviceRepr + ValidAsZeroBits + Copy + Default + PartialEq + Debug + Send + Sync + 'static
{
    /// How kernels of this type end: `layer_norm_forward_` and this.
    const NAME: &'static str;
    /// The nearest value, ties to even.
    fn from_f32(x: f32) -> Self;
    /// Its value, exactly.
    fn to_f32(self) -> f32;
    /// Its bits, the lower 16 for a type of 16.
    fn bits(self) -> u32;
}

impl Sealed for f32 {}

impl Element for f32 {
    const NAME: &'static str = "f32";
    fn from_f32(x: f32) -> Self {
        x
    }
    fn to_f32(self) -> f32 {
        self
    }
    fn bits(self) -> u32 {
        self.to_bits()
    }
}

/// A bf16 as its bits: eight bits of exponent, as f32 has, and eight of precision.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

/// An f16 (IEEE 754 binary16) as its bits: eleven bits of precision, up to 65,504.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct F16(pub u16);

macro_rules! sixteen_bits {
    ($type:ident, $half:ident) => {
        // SAFETY: a 16-bit word, as `$half` of element.cuh.
        unsafe impl DeviceRepr for $type {}
        // SAFETY: zero bits are 0.
        unsafe impl ValidAsZeroBits for $type {}

        impl Sealed for $type {}

        impl Element for $type {
            const NAME: &'static str = stringify!($half);
            fn from_f32(x: f32) -> Self {
                $type(half::$half::from_f32(x).to_bits())
            }
            fn to_f32(self) -> f32 {
                half::$half::from_bits(self.0).to_f32()
            }
            fn bits(self) -> u32 {
                u32::from(self.0)
            }
        }
    };
}

sixteen_bits!(Bf16, bf16);
sixteen_bits!(F16, f16);
