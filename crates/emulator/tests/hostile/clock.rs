//! How long something takes, on a machine that may be busy with other things.

use std::{
    fs,
    time::{Duration, Instant},
};

/// Time that this thread has had of a processor; `None` where the system does not say.
fn processor_time() -> Option<Duration> {
    let spent = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    spent.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Whether `body` takes less than `limit` of this thread, in one of five tries.
pub fn within(limit: Duration, mut body: impl FnMut()) -> bool {
    (0..5).any(|_| {
        let (began, spent) = (Instant::now(), processor_time());
        body();
        let elapsed = began.elapsed();
        let taken = spent.zip(processor_time()).map_or(elapsed, |(before, after)| after.saturating_sub(before));
        taken.min(elapsed) < limit
    })
}
