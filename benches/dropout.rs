//! Dropout in place, where it is not part of another operation: after the feed-forward layers' ReLU.
//!
//! Throughput: bytes, each value in and out. The mask is computed, not read: Philox's multiplications are the work.

use noam_benches::{bytes_of, check, criterion, sizes, time};
use noam_kernels::Error;
use noam_kernels::dropout::{self, Dropout};

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        let (n, f) = (s.n(), s.f);
        let dropout = Dropout::new(0.1, 1, 1, 1)?;
        let mut x = vec![1.0; n * f];
        dropout::apply(&mut x, f, dropout)?;
        assert!(x.iter().all(|&x| x == 0.0 || x == dropout.scale()));
        // Standard deviation of the share kept: sqrt(0.09 / (n f)) < 5e-4.
        let kept = x.iter().filter(|&&x| x != 0.0).count() as f32 / x.len() as f32;
        check("dropout", kept, 0.9, 2.5e-3);
        // Kept values grow by a ninth a call, to infinity and no further; that costs no more time.
        time(&mut criterion, "dropout", &format!("N{n}_C{f}"), bytes_of(2 * n * f), || {
            dropout::apply(&mut x, f, dropout)
        });
    }
    criterion.final_summary();
    Ok(())
}
