//! Checks that every device makes before it reads or writes: those that no operation's own module makes.

use super::{Cache, Targets};
use crate::error::{check_len, product};
use crate::{Error, cross_entropy};

pub(crate) const CACHED_ATTENTION: &str = "cached_attention";
pub(crate) const REORDER_CACHE: &str = "reorder_cache";

impl<I> Targets<'_, I> {
    /// The targets of so many rows of logits, out of these ids.
    ///
    /// # Errors
    /// [`Error::Length`] if there are not so many from `first` on.
    pub(crate) fn rows<'b>(&self, ids: &'b [u32], rows: usize) -> Result<cross_entropy::Targets<'b>, Error> {
        let ids = ids.get(self.first..).and_then(|ids| ids.get(..rows)).ok_or(Error::Length {
            op: "cross_entropy",
            arg: "ids",
            shape: "(first + N) or more",
            got: ids.len(),
            want: self.first.saturating_add(rows),
        })?;
        Ok(cross_entropy::Targets { ids, ignore: self.ignore, smoothing: self.smoothing })
    }
}

impl Cache {
    /// Checks the position `at`, and the lengths of `qkv`, the cache and `out`; returns HS.
    ///
    /// # Errors
    /// [`Error::Length`] names the buffer; [`Error::Index`] if there is no room for position `at`; [`Error::Size`] if
    /// there are no columns, or not as many for each head.
    pub(crate) fn check_attention(
        self,
        n_heads: usize,
        at: usize,
        qkv: usize,
        cache: usize,
        out: usize,
    ) -> Result<usize, Error> {
        const OP: &str = CACHED_ATTENTION;
        let Cache { rows, max_len, c } = self;
        check_len(OP, "qkv", "(R, 3C)", qkv, product(OP, "R·3C", &[rows, 3, c])?)?;
        check_len(OP, "cache", "(R, max_len, 2C)", cache, product(OP, "R·max_len·2C", &[rows, max_len, 2, c])?)?;
        check_len(OP, "out", "(R, C)", out, rows * c)?;
        if at >= max_len {
            return Err(Error::Index { op: OP, arg: "at", at: 0, got: at, limit: max_len });
        }
        if c == 0 {
            return Err(Error::Size { op: OP, what: "C", got: c, limit: "at least 1" });
        }
        if n_heads == 0 || !c.is_multiple_of(n_heads) {
            return Err(Error::Size { op: OP, what: "the number of heads", got: n_heads, limit: "a divisor of C" });
        }
        Ok(c / n_heads)
    }

    /// Checks the parents, the number of positions, and the lengths of both caches; returns that of a row.
    ///
    /// # Errors
    /// [`Error::Length`] names the buffer; [`Error::Size`] if there are not `len` positions; [`Error::Index`] for a
    /// parent that is no row.
    pub(crate) fn check_reorder(self, len: usize, parents: &[u32], from: usize, to: usize) -> Result<usize, Error> {
        const OP: &str = REORDER_CACHE;
        let Cache { rows, max_len, c } = self;
        let row = product(OP, "max_len·2C", &[max_len, 2, c])?;
        check_len(OP, "from", "(R, max_len, 2C)", from, product(OP, "R·max_len·2C", &[rows, row])?)?;
        check_len(OP, "to", "(R, max_len, 2C)", to, from)?;
        check_len(OP, "parents", "(R)", parents.len(), rows)?;
        if len > max_len {
            return Err(Error::Size { op: OP, what: "len", got: len, limit: "at most max_len" });
        }
        match parents.iter().enumerate().find(|&(_, &parent)| parent as usize >= rows) {
            Some((at, &got)) => Err(Error::Index { op: OP, arg: "parents", at, got: got as usize, limit: rows }),
            None => Ok(row),
        }
    }
}
