//! Sums over rows, added to what is there: the gradient of a bias.
//!
//! ```text
//! db[c] += sum_n dy[n,c]
//! ```
//!
//! # Arithmetic
//! f32. Chunks of [`ROWS`] rows: a chunk's partial sum of a column starts from zero and adds its rows ascending. Then
//! the partial sums are added to `db[c]`, ascending. Columns are independent.
//!
//! The rounding error of an element is at most (32 + N / 32) 2^-24 times the sum of magnitudes, to first order.
//!
//! Least traffic: 4 N C + 8 C bytes.

mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use crate::{
    Error,
    error::{check_len, product},
};

const OP: &str = "column_sum";

/// Rows a chunk, the unit of the order of addition.
pub const ROWS: usize = 32;

/// How many values of scratch [`column_sum`] needs for (`n`, `c`): the partial sums, (ceil(N / 32), C).
///
/// # Errors
/// [`Error::Size`] if that is more than memory can hold.
pub fn scratch_len(n: usize, c: usize) -> Result<usize, Error> {
    product(OP, "ceil(N / 32) * C", &[n.div_ceil(ROWS), c])
}

/// Adds the sum of the rows of `dy` to `db`.
///
/// # Shapes
/// `dy`: `(N, C)`, row-major, with `C = db.len()`; N may be 0. `db`: `(C)`. `scratch`: at least [`scratch_len`]
/// values; what it holds before does not matter.
///
/// # Errors
/// [`Error::Size`] if `db` is empty, [`Error::Length`] if `dy` is not whole rows or `scratch` is too short. On error
/// `db` is untouched.
///
/// # Example
/// ```
/// use noam_kernels::column_sum::{column_sum, scratch_len};
/// let mut db = [10.0, 20.0];
/// let mut scratch = vec![0.0; scratch_len(3, 2)?];
/// column_sum(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut scratch, &mut db)?;
/// assert_eq!(db, [19.0, 32.0]);
/// # Ok::<(), noam_kernels::Error>(())
/// ```
pub fn column_sum(dy: &[f32], scratch: &mut [f32], db: &mut [f32]) -> Result<(), Error> {
    let (n, c) = check(dy.len(), scratch.len(), db.len())?;
    cpu::column_sum(dy, &mut scratch[..n.div_ceil(ROWS) * c], db);
    Ok(())
}

/// N and C of such lengths.
fn check(dy: usize, scratch: usize, db: usize) -> Result<(usize, usize), Error> {
    if db == 0 {
        return Err(Error::Size { op: OP, what: "C", got: db, limit: "at least 1" });
    }
    let n = dy / db;
    check_len(OP, "dy", "(N, C)", dy, n * db)?;
    let want = scratch_len(n, db)?;
    if scratch < want {
        return Err(Error::Length { op: OP, arg: "scratch", shape: "(ceil(N / 32), C)", got: scratch, want });
    }
    Ok((n, db))
}
