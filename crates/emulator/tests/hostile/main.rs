//! Texts that are nearly right, loaded and run with every check on: no panic, no hang, always a result code.
//!
//! `NOAM_FULL_TESTS=1` tries 10 million through the C interface instead of some thousands; a release build does it in
//! an hour. The targets of `fuzz/` run the same code on what libFuzzer makes.

mod bytes;
mod clock;
mod direct;
mod driver;
mod limits;
mod mutate;

use std::{
    ops::AddAssign,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    time::{Duration, Instant},
};

use rayon::prelude::*;

use driver::{Outcome, Program};
use mutate::{Random, Seeds, mutate};

/// How long a text may take: to be loaded, its kernels to be run or stopped.
const LIMIT: Duration = Duration::from_millis(50);
/// Texts that one thread makes of one random state.
const ROUND: u64 = 500;

/// Runs `body` on so many texts with bytes for parameters, on all threads. A panic's text is printed.
fn on_mutated<S>(rounds: u64, start: impl Fn() -> S + Sync, body: impl Fn(&mut S, &str, &[u8]) + Sync) {
    let seeds = Seeds::read();
    assert!(seeds.modules.len() > 100, "{}", seeds.modules.len());
    (0..rounds).into_par_iter().for_each_init(&start, |state, round| {
        // Some of the many rounds of a full test, to see it go on.
        if round % 1000 == 999 {
            println!("round {round} of {rounds}");
        }
        let mut random = Random(round);
        for _ in 0..ROUND {
            let mut text = random.of(&seeds.modules).clone();
            text = mutate(&text, &seeds, &mut random);
            // Changes to what has been changed go further.
            if random.below(4) == 0 {
                text = mutate(&text, &seeds, &mut random);
            }
            let bytes: Vec<u8> = (0..4).flat_map(|_| random.next().to_le_bytes()).collect();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| body(state, &text, &bytes))) {
                println!("seed {round}, bytes {bytes:?}, text:\n{text}");
                resume_unwind(panic);
            }
        }
    });
}

#[derive(Clone, Copy, Debug, Default)]
struct Total {
    texts: u64,
    loaded: u64,
    ended: u64,
    failed: u64,
}

impl AddAssign<Outcome> for Total {
    fn add_assign(&mut self, outcome: Outcome) {
        self.texts += 1;
        self.loaded += u64::from(outcome.loaded);
        self.ended += u64::from(outcome.ended);
        self.failed += u64::from(outcome.failed);
    }
}

#[test]
fn changed_modules_run_or_are_refused() {
    let full = std::env::var("NOAM_FULL_TESTS").is_ok_and(|value| value == "1");
    let rounds = if full { 10_000_000 / ROUND } else { 6 };
    let total = std::sync::Mutex::new(Total::default());
    on_mutated(rounds, Program::new, |program, text, bytes| {
        let start = Instant::now();
        let outcome = program.run(text, bytes);
        // A slow text is slow each time; a busy machine is not.
        if start.elapsed() > LIMIT {
            let again = || {
                program.run(text, bytes);
            };
            assert!(clock::within(LIMIT, again), "took over {LIMIT:?} each time");
        }
        *total.lock().unwrap() += outcome;
    });
    let total = *total.lock().unwrap();
    println!("{total:?}");
    // No outcome is rare, or the changes test nothing.
    assert!(total.loaded * 5 > total.texts, "{total:?}");
    assert!(total.ended * 10 > total.loaded && total.failed * 10 > total.loaded, "{total:?}");
}

#[test]
fn execution_functions_agree_on_changed_modules() {
    let full = std::env::var("NOAM_FULL_TESTS").is_ok_and(|value| value == "1");
    on_mutated(
        if full { 2_000 } else { 4 },
        || (),
        |(), text, bytes| {
            direct::run(text, bytes);
        },
    );
}
