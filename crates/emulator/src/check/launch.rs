//! What the blocks of a launch share.

use std::{
    collections::HashMap,
    sync::{
        Condvar, Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU32,
            Ordering::{Acquire, Relaxed, Release},
            fence,
        },
    },
};

use super::tree::{Foreign, levels};

/// Maps of flags, each with a lock of its own.
const STRIPES: usize = 64;

/// A launch, as its blocks' threads share it.
#[derive(Debug)]
pub struct RaceLaunch {
    /// Tells what a shadow remembers of this launch from what it does of others.
    pub(super) id: u32,
    pub(super) grid: [u32; 3],
    pub(super) threads: [u32; 3],
    pub(super) levels: u32,
    /// Whether the blocks can be told apart by 32 bits.
    pub(super) countable: bool,
    /// Whether any block released anything to others.
    released: AtomicBool,
    /// What was released with a flag in global memory, by its address in words.
    flags: [Mutex<HashMap<u64, Foreign>>; STRIPES],
    turn: Turn,
}

/// Whose turn it is to tell of an atomic access and to make it, so that all are told in the order they are made.
#[derive(Debug, Default)]
struct Turn {
    taken: Mutex<bool>,
    given_back: Condvar,
}

impl RaceLaunch {
    /// Of a grid of so many blocks, of so many threads each.
    pub fn new(grid: [u32; 3], threads: [u32; 3]) -> Self {
        static LAUNCHES: AtomicU32 = AtomicU32::new(1);
        let blocks = grid.iter().fold(1u64, |product, &size| product.saturating_mul(u64::from(size)));
        Self {
            id: LAUNCHES.fetch_add(1, Relaxed),
            grid,
            threads,
            levels: levels(blocks.min(1 << 32)),
            countable: blocks <= 1 << 32,
            released: AtomicBool::new(false),
            flags: std::array::from_fn(|_| Mutex::default()),
            turn: Turn::default(),
        }
    }

    /// Waits until nobody has the turn, and takes it.
    pub(super) fn take_turn(&self) {
        // A panic while the lock was held left a good value.
        let taken = self.turn.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = self.turn.given_back.wait_while(taken, |taken| *taken).unwrap_or_else(PoisonError::into_inner);
        *taken = true;
    }

    /// Gives the turn back, by who has it.
    pub(super) fn give_turn_back(&self) {
        *self.turn.taken.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.turn.given_back.notify_one();
    }

    /// Whether any block released anything to others. Asked after a flag was read, it does not miss who wrote it.
    #[inline]
    pub(super) fn has_flags(&self) -> bool {
        fence(Acquire);
        self.released.load(Relaxed)
    }

    fn stripe(&self, flag: u64) -> std::sync::MutexGuard<'_, HashMap<u64, Foreign>> {
        let hash = flag.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58;
        // A panic while the lock was held left a map that is as good as before.
        self.flags[hash as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to what a flag carries, before it is written.
    pub(super) fn raise_flag(&self, flag: u64, released: &Foreign) {
        self.released.store(true, Relaxed);
        self.stripe(flag).entry(flag).or_default().join(released);
        // With the fence of who reads it: the write of the flag itself is relaxed.
        fence(Release);
    }

    /// What a flag carries.
    pub(super) fn read_flag(&self, flag: u64) -> Option<Foreign> {
        self.stripe(flag).get(&flag).cloned()
    }
}
