//! The L2 norm of all the gradients of a preset.
//!
//! Throughput: bytes, 4 a gradient.

use noam_benches::{bytes_of, criterion, measures, time, values};
use noam_kernels::Error;
use noam_kernels::grad_norm::grad_norm;
use noam_model::{Layout, Preset};
use std::hint::black_box;

fn main() {
    let mut criterion = criterion();
    let presets = if measures() { &[Preset::Tiny, Preset::Base][..] } else { &[Preset::Tiny] };
    for preset in presets {
        let n = Layout::new(&preset.config()).len();
        let grads = values(n, 1);
        let want = grads.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>().sqrt();
        let got = grad_norm(&grads);
        assert!((got - want).abs() <= 1e-11 * want, "grad_norm: {got}, want {want}");
        time(&mut criterion, "grad_norm", &format!("N{n}"), bytes_of(n), || {
            black_box(grad_norm(black_box(&grads)));
            Ok::<(), Error>(())
        });
    }
    criterion.final_summary();
}
