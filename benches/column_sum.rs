//! Sums over rows: the gradients of the biases.
//!
//! Throughput: bytes, the rows and the sums in and out.

use noam_benches::{bytes_of, check, criterion, sizes, time, values};
use noam_kernels::Error;
use noam_kernels::column_sum::{column_sum, scratch_len};

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        for c in [s.c, 3 * s.c, s.f] {
            let n = s.n();
            let dy = values(n * c, 1);
            let mut scratch = vec![0.0; scratch_len(n, c)?];
            let mut db = vec![0.0; c];
            column_sum(&dy, &mut scratch, &mut db)?;
            check("column_sum", db[c - 1], (0..n).map(|row| f64::from(dy[row * c + c - 1])).sum(), 1e-4);
            let name = format!("N{n}_C{c}");
            let bytes = bytes_of(n * c + 2 * c);
            time(&mut criterion, "column_sum", &name, bytes, || column_sum(&dy, &mut scratch, &mut db));
        }
    }
    criterion.final_summary();
    Ok(())
}
