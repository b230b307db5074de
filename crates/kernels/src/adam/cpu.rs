//! The update on the CPU: one pass over the four buffers, in chunks spread over the threads.

use super::{Scalars, State};
use crate::isa::multi_isa;
use rayon::prelude::*;

/// Parameters a task: 256 KiB of the four buffers, which a core's second cache holds.
const CHUNK: usize = 16 * 1024;

/// Exponent bits of an f32; all of them set means infinite or NaN.
const EXPONENT: u32 = 0x7f80_0000;

/// Zero for subnormal numbers; NaN stays.
#[inline(always)]
fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

/// One parameter, as the contract says: the new parameter, first and second moment.
#[inline(always)]
fn element(p: f32, g: f32, m: f32, v: f32, scale: f32, s: &Scalars) -> (f32, f32, f32) {
    let g = scale * g;
    let m = flush(s.w1.mul_add(g - m, m));
    let v = flush(s.w2.mul_add(g.mul_add(g, -v), v));
    let d = v.sqrt().mul_add(s.root_correction, s.epsilon);
    let u = s.decay.mul_add(p, s.step_size * (m / d));
    (p - u, m, v)
}

multi_isa! {
    /// Updates one chunk; true if everything written is finite. The slices have one length.
    fn chunk<const CLEAR: bool>(
        p: &mut [f32],
        g: &mut [f32],
        m: &mut [f32],
        v: &mut [f32],
        scale: f32,
        scalars: &Scalars,
    ) -> bool {
        // A copy that no store below can alias.
        let s = *scalars;
        let mut largest = 0;
        for (((p, g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
            (*p, *m, *v) = element(*p, *g, *m, *v, scale, &s);
            // Without its sign, a float's bits order as an integer: the largest exponent tells of every infinity and
            // NaN.
            let bits = (p.to_bits() & EXPONENT).max(m.to_bits() & EXPONENT).max(v.to_bits() & EXPONENT);
            largest = bits.max(largest);
            if CLEAR {
                *g = 0.0;
            }
        }
        largest < EXPONENT
    }
}

/// Updates everything; true if everything written is finite. The lengths have been checked.
pub(super) fn update<const CLEAR: bool>(state: State<'_>, scalars: &Scalars, scale: f32) -> bool {
    let State { params, grads, m, v } = state;
    params
        .par_chunks_mut(CHUNK)
        .zip(grads.par_chunks_mut(CHUNK))
        .zip(m.par_chunks_mut(CHUNK))
        .zip(v.par_chunks_mut(CHUNK))
        .map(|(((p, g), m), v)| chunk::<CLEAR>(p, g, m, v, scale, scalars))
        .reduce(|| true, |a, b| a & b)
}

/// Sets the gradients to zero.
pub(super) fn clear(grads: &mut [f32]) {
    grads.par_chunks_mut(CHUNK).for_each(|g| g.fill(0.0));
}
