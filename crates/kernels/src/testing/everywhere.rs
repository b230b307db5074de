//! Every instruction set and several numbers of threads: no result may depend on either.

use crate::isa::{self, Isa};

/// Calls `check` on every instruction set, each with 1, 2 and 4 threads, with words that say which.
pub(crate) fn everywhere(check: impl Fn(&str) + Sync) {
    for isa in Isa::ALL {
        isa::limit(isa);
        for threads in [1, 2, 4] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| check(&format!("{isa:?}, {threads} threads")));
        }
    }
}
