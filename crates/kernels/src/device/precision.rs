//! What activations are stored in, and what products read of them.

use std::fmt;
use std::str::FromStr;

/// The type that a device stores activations, their gradients and what products read of the weights in. Sums, statistics,
/// parameters, their gradients and the moments are f32 with each of them.
///
/// Tf32 is f32 in memory: the products of linear layers round both factors, activations, weights or gradients, as they
/// multiply, forward and backward. Sums are f32, and all other operations those of f32; attention's products too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 binary32: 24 bits of precision. The only one that every device has, and the same bits on each.
    #[default]
    F32,
    /// f32 whose products run on tensor cores: factors of 11 bits of precision, the range of f32.
    Tf32,
    /// bfloat16: 8 bits of precision, the range of f32.
    Bf16,
    /// IEEE 754 binary16: 11 bits of precision, from 6e-8 to 65,504. Gradients fall below that unless the loss is scaled.
    F16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::Bf16, Precision::F16];

    /// `f32`, `tf32`, `bf16` or `f16`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no precision's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown precision `{0}`; there are f32, tf32, bf16 and f16")]
pub struct UnknownPrecision(pub String);

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(name: &str) -> Result<Self, UnknownPrecision> {
        Precision::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| UnknownPrecision(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        assert_eq!("F32".parse::<Precision>(), Err(UnknownPrecision("F32".into())));
    }
}
