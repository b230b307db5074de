//! The best continuations of every row of a search: the 2·beam largest log-probabilities, and the largest alone.
//!
//! Throughput: bytes of the scores.

use noam_benches::{bytes_of, check, criterion, sizes, time, values};
use noam_kernels::Error;
use noam_kernels::top_k::{Output, argmax, top_k};

fn main() -> Result<(), Error> {
    let mut criterion = criterion();
    for s in sizes() {
        for beam in [1, 4] {
            let (n, v, k) = (s.b * beam, s.v, 2 * beam);
            let scores = values(n * v, 1);
            let (mut best, mut indices) = (vec![0.0; n * k], vec![0; n * k]);
            top_k(&scores, v, k, Output { values: &mut best, indices: &mut indices })?;
            let mut row = scores[(n - 1) * v..].to_vec();
            row.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(best[(n - 1) * k..], row[..k], "top_k");
            let name = format!("N{n}_V{v}_K{k}");
            time(&mut criterion, "top_k", &name, bytes_of(n * v), || {
                top_k(&scores, v, k, Output { values: &mut best, indices: &mut indices })
            });
            let mut first = vec![0; n];
            argmax(&scores, v, &mut first)?;
            check("argmax", scores[(n - 1) * v + first[n - 1] as usize], f64::from(row[0]), 0.0);
            let name = format!("N{n}_V{v}");
            time(&mut criterion, "argmax", &name, bytes_of(n * v), || argmax(&scores, v, &mut first));
        }
    }
    criterion.final_summary();
    Ok(())
}
