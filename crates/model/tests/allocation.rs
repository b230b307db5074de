//! A training step allocates nothing once its shape has been seen.
//!
//! Counted are the bytes asked of the global allocator, by any thread, while a step runs inside a rayon pool. What exactly
//! holds: with one thread, no step after the first of its shape allocates a byte, evaluation and shapes planned before
//! included. With more, a thread's scratch for matrix products grows when that thread first takes a block of its size, which
//! may be some steps later; that ends after a few steps and a megabyte or so a thread. (Entering a pool from outside may
//! allocate in rayon, now and then, for its queue of work from outside; a trainer enters once.)

#![allow(unsafe_code)] // a global allocator is an unsafe trait

use noam_kernels::adam::{self, Outcome};
use noam_kernels::device::Cpu;
use noam_model::{BOS, Batch, Config, Embeddings, Model, Norm, Pass, Preset, Training};
use noam_schedule::Noam;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

struct Counting;

static COUNTING: AtomicBool = AtomicBool::new(false);
static BYTES: AtomicUsize = AtomicUsize::new(0);

fn count(bytes: usize) {
    if COUNTING.load(Ordering::Relaxed) {
        BYTES.fetch_add(bytes, Ordering::Relaxed);
    }
}

// SAFETY: every method passes its arguments on to the system's allocator unchanged and returns what that returns; counting
// touches two atomics, neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise about `layout` is the one that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above; `pointer` came from `System`, since every block does.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Bytes allocated while `f` runs.
fn allocated(f: impl FnOnce()) -> usize {
    BYTES.store(0, Ordering::SeqCst);
    COUNTING.store(true, Ordering::SeqCst);
    f();
    COUNTING.store(false, Ordering::SeqCst);
    BYTES.load(Ordering::SeqCst)
}

/// A batch of `b` pairs of `n` tokens.
struct Tokens {
    ids: Vec<u32>,
    shifted: Vec<u32>,
    lengths: Vec<u32>,
    n: usize,
}

impl Tokens {
    fn new(b: usize, n: usize) -> Self {
        let ids: Vec<u32> = (0..b * n).map(|i| 3 + (i * 7919 % 900) as u32).collect();
        let shifted = (0..b * n).map(|i| if i.is_multiple_of(n) { BOS } else { ids[i - 1] }).collect();
        Tokens { ids, shifted, lengths: vec![n as u32; b], n }
    }

    fn batch(&self) -> Batch<'_> {
        let Tokens { ids, shifted, lengths, n } = self;
        Batch { src: ids, src_lengths: lengths, tgt_in: shifted, tgt_out: ids, tgt_lengths: lengths, s: *n, t: *n }
    }
}

fn steps(norm: Norm, embeddings: Embeddings) {
    let config = Config { norm, embeddings, ..Preset::Micro.config() };
    let schedule = Noam::new(config.d_model as u64, 10, 1.0).unwrap();
    let mut training = Training::new(Model::new(Cpu::new(), config, 1).unwrap(), adam::Config::default()).unwrap();
    let (large, small) = (Tokens::new(8, 16), Tokens::new(5, 9));
    let mut step = |tokens: [&Tokens; 2]| {
        for (micro_batch, tokens) in (0..).zip(tokens) {
            let pass = Pass { seed: 1, micro_batch, label_smoothing: 0.1, update_tokens: 256 };
            training.accumulate(&tokens.batch(), pass).unwrap();
        }
        let update = training.update(&schedule, 1.0).unwrap();
        assert!(matches!(update.outcome, Outcome::Applied { finite: true, .. }));
        training.evaluate(&tokens[0].batch(), 0.1).unwrap();
    };
    // The first of each shape plans, and scratch grows to what it needs.
    let first = allocated(|| step([&small, &large]));
    assert!(first > 0, "nothing was counted");
    let mut again =
        |round: usize| allocated(|| step(if round.is_multiple_of(2) { [&large, &small] } else { [&small, &small] }));
    let threads = rayon::current_num_threads();
    if threads == 1 {
        let bytes: Vec<usize> = (0..6).map(&mut again).collect();
        assert_eq!(bytes, [0; 6], "{norm:?}, {embeddings:?}");
        return;
    }
    let (mut late, mut quiet, mut round) = (0, 0, 0);
    while quiet < 8 {
        let bytes = again(round);
        late += bytes;
        quiet = if bytes == 0 { quiet + 1 } else { 0 };
        round += 1;
        assert!(round < 400, "{norm:?}, {embeddings:?}: still allocating, {late} bytes so far");
    }
    // Two buffers a thread of up to 0.3 MB; a growing one is counted at each of its sizes.
    assert!(late <= threads << 21, "{norm:?}, {embeddings:?}: {late} bytes in {round} steps");
}

// One test in this binary: others would allocate beside it.
#[test]
fn no_step_allocates_after_the_first_of_its_shape() {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            steps(Norm::Post, Embeddings::Shared);
            steps(Norm::Pre, Embeddings::Separate);
        });
    }
}
