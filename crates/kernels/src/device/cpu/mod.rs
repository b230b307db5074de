//! The CPU: buffers are host memory, operations run on the ambient rayon pool.

mod operations;

use super::Attention;
use super::profile::{Op, OpTime};
use crate::attention;
use crate::buffer::Buffer;
use std::cell::RefCell;
use std::time::Instant;

/// The processor's cores, as many as the ambient rayon pool has threads. Run a whole step inside
/// `rayon::ThreadPool::install`: then the calling thread is one of them.
#[derive(Debug, Default)]
pub struct Cpu {
    /// What operations work in; grown at the first use of a size, then kept.
    floats: RefCell<Buffer>,
    integers: RefCell<Vec<u32>>,
    times: RefCell<[OpTime; Op::ALL.len()]>,
}

impl Cpu {
    /// The processor.
    pub fn new() -> Self {
        Cpu::default()
    }

    /// Forgets the times so far.
    pub fn reset_profile(&self) {
        *self.times.borrow_mut() = Default::default();
    }

    /// Runs an operation and notes its time. Reading the clock costs some tens of nanoseconds, an operation microseconds.
    fn timed<R>(&self, op: Op, f: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = f();
        let time = &mut self.times.borrow_mut()[op as usize];
        time.calls += 1;
        time.time += start.elapsed();
        result
    }

    /// Calls `f` with `len` values of scratch.
    fn with_floats<R>(&self, len: usize, f: impl FnOnce(&mut [f32]) -> R) -> R {
        let mut scratch = self.floats.borrow_mut();
        scratch.grow(len);
        f(&mut scratch[..len])
    }

    /// Calls `f` with `len` indices of scratch.
    fn with_integers<R>(&self, len: usize, f: impl FnOnce(&mut [u32]) -> R) -> R {
        let mut scratch = self.integers.borrow_mut();
        if scratch.len() < len {
            scratch.resize(len, 0);
        }
        f(&mut scratch[..len])
    }

    fn with_attention<R>(
        &self,
        attention: &Attention<'_, Vec<u32>>,
        f: impl FnOnce(&attention::Attention<'_>, &mut [f32]) -> R,
    ) -> R {
        let len = attention::scratch_len(&attention.dims, rayon::current_num_threads());
        let attention = attention::Attention {
            dims: attention.dims,
            mask: attention.mask,
            key_lengths: attention.key_lengths,
            query_lengths: attention.query_lengths.map(Vec::as_slice),
            dropout: attention.dropout,
        };
        self.with_floats(len, |scratch| f(&attention, scratch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adam;
    use crate::device::{Device, Optimized, Scaling, Span};
    use noam_schedule::Constant;

    /// Parameters and moments after an update by `grads`, scaled so.
    fn updated(grads: &[f32], scaling: Scaling) -> (f64, [Vec<f32>; 3]) {
        let d = Cpu::new();
        let mut params = d.parameters(&[0.5, -0.25, 1.0]).unwrap();
        let [mut g, mut m, mut v] = [(); 3].map(|()| d.zeros(3).unwrap());
        d.upload(grads, &mut g, Span { offset: 0, len: 3 }).unwrap();
        let mut adam = d.adam(adam::Config::default(), 0).unwrap();
        let state = Optimized { params: &mut params, grads: &mut g, m: &mut m, v: &mut v };
        let update = d.adam_update(&mut (), &mut adam, &Constant::new(0.1).unwrap(), scaling, state).unwrap();
        let (norm, _) = d.adam_outcome(&mut adam, update).unwrap();
        (norm, [params.to_vec(), m.to_vec(), v.to_vec()])
    }

    #[test]
    fn a_losss_scale_is_undone_without_a_trace() {
        let grads = [0.3, -4.0, 0.007];
        for max_norm in [1.0, f64::INFINITY] {
            let want = updated(&grads, Scaling { unscale: 1.0, max_norm });
            let scaled = grads.map(|g| g * 1024.0);
            assert_eq!(updated(&scaled, Scaling { unscale: 1.0 / 1024.0, max_norm }), want);
        }
    }
}
