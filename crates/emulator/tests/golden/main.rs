//! Golden PTX: every kernel of `tests/kernels`, as NVRTC 12.0, 12.9 and 13.5 compile it, with every check on.
//!
//! One body a kernel runs for all three compilers, and in several ways each: the result is compared with one computed
//! here, and the ways with each other, bit for bit. Results are exact in integers, and in floating point where the
//! kernel fixes every rounding; elsewhere the reference is in f64 and the tolerance is derived beside it.

#[path = "../common/mod.rs"]
mod common;

mod exact;
mod format;
mod ways;

mod attention;
mod calls;
mod copies;
mod cross_entropy;
mod gemm;
mod gemm_tensor;
mod grid_barrier;
mod histogram;
mod hopper;
mod language;
mod layer_norm;
mod math;
mod mma_shapes;
mod named_barriers;
mod printf;
mod reduction;
mod scan;
mod transpose;
mod warp_level;
