//! The types that a tensor's values have on a device: f32, bf16, f16, and f32 that products round.

use cudarc::driver::{DeviceRepr, ValidAsZeroBits};
use std::fmt::Debug;

mod sealed {
    pub trait Sealed {}
}
use sealed::Sealed;

/// A value of a tensor on the device. Sealed: kernels exist for these types, and are found by `NAME`.
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
    /// What matrix products take it for when they multiply: its value, but for [`Tf32`].
    fn factor(self) -> f32 {
        self.to_f32()
    }
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

/// An f32 that matrix products round as they multiply, to the eleven bits of precision that tensor cores take of a tf32. To
/// all other kernels it is an f32.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(transparent)]
pub struct Tf32(pub f32);

// SAFETY: an f32.
unsafe impl DeviceRepr for Tf32 {}
// SAFETY: zero bits are 0.
unsafe impl ValidAsZeroBits for Tf32 {}

impl Sealed for Tf32 {}

impl Element for Tf32 {
    const NAME: &'static str = "tf32";
    fn from_f32(x: f32) -> Self {
        Tf32(x)
    }
    fn to_f32(self) -> f32 {
        self.0
    }
    fn bits(self) -> u32 {
        self.0.to_bits()
    }
    /// To nearest, ties away from zero: half of the last bit that is left is added to the magnitude, and what is beyond that
    /// bit cut off. A carry beyond the largest value makes infinity.
    fn factor(self) -> f32 {
        if self.0.is_finite() { f32::from_bits((self.0.to_bits() + 0x1000) & !0x1fff) } else { self.0 }
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
