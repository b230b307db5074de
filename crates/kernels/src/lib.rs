#![doc = include_str!("../README.md")]
// Loops over lanes and rows index several arrays at once; an iterator over one of them hides that.
#![allow(clippy::needless_range_loop)]

mod error;
#[cfg(test)]
mod testing;

pub mod buffer;
#[cfg(feature = "cuda")]
pub mod catalogue;
#[cfg(feature = "cuda")]
pub mod cuda;
pub mod device;
pub mod isa;
pub mod lanes;
pub mod math;
pub mod philox;

pub mod adam;
pub mod attention;
pub mod column_sum;
pub mod cross_entropy;
pub mod dropout;
pub mod embedding;
pub mod grad_norm;
pub mod layer_norm;
pub mod matmul;
pub mod top_k;

pub use error::Error;
