//! The rules again, as plainly as they can be put: every access is kept, every thread has a clock for every thread.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Op, Scope, Strength, To};
use crate::lanes::{LANES, Mask, lanes};

/// What a thread knows: how far each thread had come, and single strong writes beside that.
#[derive(Clone, Default, PartialEq)]
struct Knowledge {
    clocks: Vec<u32>,
    writes: BTreeSet<usize>,
}

impl Knowledge {
    fn join(&mut self, other: &Self) {
        for (mine, theirs) in self.clocks.iter_mut().zip(&other.clocks) {
            *mine = (*mine).max(*theirs);
        }
        self.writes.extend(&other.writes);
    }
}

struct Event {
    thread: usize,
    index: u32,
    instruction: u32,
    writes: bool,
    strong: bool,
    narrow: bool,
}

#[derive(Default)]
struct Thread {
    knows: Knowledge,
    /// What it knew at its last fences, by scope.
    fenced: [Option<Knowledge>; 2],
    done: u32,
    ended: bool,
}

/// A place: the block whose shared memory it is in, or none, and the byte.
type Place = (Option<usize>, u64);

#[derive(Default)]
struct Arrivals {
    joined: Knowledge,
    waiting: Vec<usize>,
}

pub(super) struct Model {
    per_block: usize,
    threads: Vec<Thread>,
    events: Vec<Event>,
    touched: HashMap<Place, Vec<usize>>,
    /// By word; what threads of a block, or of any block, learn.
    flags: HashMap<(Option<usize>, Place), Knowledge>,
    barriers: HashMap<(usize, u32), Arrivals>,
    copies: Vec<Copy>,
    /// Groups of copies that each thread committed.
    groups: HashMap<usize, u32>,
}

/// An asynchronous copy by one thread, not waited for.
struct Copy {
    block: usize,
    thread: usize,
    instruction: u32,
    bytes: std::ops::Range<u64>,
    /// Groups that its thread had committed before.
    group: u32,
}

impl Model {
    pub fn new(blocks: usize, warps: usize) -> Self {
        let count = blocks * warps * LANES;
        let thread =
            || Thread { knows: Knowledge { clocks: vec![0; count], ..Knowledge::default() }, ..Thread::default() };
        Self {
            per_block: warps * LANES,
            threads: (0..count).map(|_| thread()).collect(),
            events: Vec::new(),
            touched: HashMap::new(),
            flags: HashMap::new(),
            barriers: HashMap::new(),
            copies: Vec::new(),
            groups: HashMap::new(),
        }
    }

    pub fn thread(&self, block: usize, warp: u32, lane: usize) -> usize {
        block * self.per_block + warp as usize * LANES + lane
    }

    fn nothing(&self) -> Knowledge {
        Knowledge { clocks: vec![0; self.threads.len()], writes: BTreeSet::new() }
    }

    /// Races an access would have: bytes, and pairs of threads, the earlier first.
    pub fn races(&self, block: usize, space: Option<usize>, to: &To) -> (HashSet<u64>, HashSet<(usize, usize)>) {
        let strong = to.strength != Strength::Weak || to.op == Op::Atomic;
        let (writes, narrow) = (to.op != Op::Read, strong && to.scope == Scope::Block);
        let (mut bytes, mut pairs) = (HashSet::new(), HashSet::new());
        for lane in lanes(to.mask) {
            let thread = self.thread(block, to.warp, lane);
            let mut knows = self.threads[thread].knows.clone();
            if strong && to.op != Op::Write {
                for word in words(to, lane) {
                    self.flags_seen(block, (space, word)).for_each(|carried| knows.join(carried));
                }
            }
            for byte in to.offsets[lane]..to.offsets[lane] + u64::from(to.bytes) {
                for &at in self.touched.get(&(space, byte)).into_iter().flatten() {
                    let old = &self.events[at];
                    let apart = old.thread / self.per_block != block;
                    let both_strong = old.strong && strong && !(apart && (old.narrow || narrow));
                    let ordered = knows.clocks[old.thread] >= old.index || knows.writes.contains(&at);
                    if old.instruction != to.pc
                        && (old.writes || writes)
                        && !both_strong
                        && old.thread != thread
                        && !ordered
                    {
                        bytes.insert(byte);
                        pairs.insert((old.thread, thread));
                    }
                }
            }
        }
        (bytes, pairs)
    }

    fn flags_seen(&self, block: usize, place: Place) -> impl Iterator<Item = &Knowledge> {
        [Some(block), None].into_iter().filter_map(move |reach| self.flags.get(&(reach, place)))
    }

    pub fn access(&mut self, block: usize, space: Option<usize>, to: &To) {
        let strong = to.strength != Strength::Weak || to.op == Op::Atomic;
        let (reads, writes) = (to.op != Op::Write, to.op != Op::Read);
        if writes && matches!(to.strength, Strength::Release | Strength::AcquireRelease) {
            self.fence(block, to.warp, to.mask, to.scope);
        }
        for lane in lanes(to.mask) {
            let thread = self.thread(block, to.warp, lane);
            if strong && reads {
                for word in words(to, lane) {
                    let carried: Vec<Knowledge> = self.flags_seen(block, (space, word)).cloned().collect();
                    carried.iter().for_each(|carried| self.threads[thread].knows.join(carried));
                }
            }
        }
        let mut events = Vec::new();
        for lane in lanes(to.mask) {
            let thread = self.thread(block, to.warp, lane);
            let own = &mut self.threads[thread];
            own.done += 1;
            own.knows.clocks[thread] = own.done;
            events.push((lane, self.events.len()));
            for byte in to.offsets[lane]..to.offsets[lane] + u64::from(to.bytes) {
                self.touched.entry((space, byte)).or_default().push(self.events.len());
            }
            let narrow = strong && to.scope == Scope::Block;
            let index = self.threads[thread].done;
            self.events.push(Event { thread, index, instruction: to.pc, writes, strong, narrow });
        }
        if !strong || !writes {
            return;
        }
        for &(lane, event) in &events {
            let thread = self.thread(block, to.warp, lane);
            for scope in [Scope::Block, Scope::Device] {
                if scope > to.scope {
                    continue;
                }
                let Some(mut released) = self.released(block, thread, scope) else { continue };
                released.writes.insert(event);
                let reach = if scope == Scope::Block { Some(block) } else { None };
                // Other blocks cannot see shared memory, but its flags need no reach of their own for that.
                for word in words(to, lane) {
                    let nothing = self.nothing();
                    self.flags.entry((reach, (space, word))).or_insert(nothing).join(&released);
                }
            }
        }
    }

    /// What a strong write of a thread releases: what it knew at its fence, and of what others did, as much as it knows
    /// and they fenced.
    fn released(&self, block: usize, thread: usize, scope: Scope) -> Option<Knowledge> {
        let own = &self.threads[thread];
        let block = block * self.per_block..(block + 1) * self.per_block;
        if self.threads[block.clone()].iter().all(|other| other.fenced[scope as usize].is_none()) {
            return None;
        }
        let mut released = own.fenced[scope as usize].clone().unwrap_or_else(|| self.nothing());
        for other in block {
            if let Some(fenced) = &self.threads[other].fenced[scope as usize] {
                let both = fenced.clocks[other].min(own.knows.clocks[other]);
                released.clocks[other] = released.clocks[other].max(both);
            }
        }
        Some(released)
    }

    pub fn fence(&mut self, block: usize, warp: u32, mask: Mask, scope: Scope) {
        for lane in lanes(mask) {
            let thread = self.thread(block, warp, lane);
            let own = &mut self.threads[thread];
            for fenced in &mut own.fenced[..=scope as usize] {
                *fenced = Some(own.knows.clone());
            }
        }
    }

    /// Whether an access falls on bytes of a copy that was not waited for.
    pub fn is_pending(&self, block: usize, to: &To) -> bool {
        lanes(to.mask).any(|lane| {
            let (start, end) = (to.offsets[lane], to.offsets[lane] + u64::from(to.bytes));
            self.copies.iter().any(|copy| copy.block == block && copy.bytes.start < end && start < copy.bytes.end)
        })
    }

    pub fn copy(&mut self, block: usize, to: &To) {
        self.access(block, Some(block), to);
        for lane in lanes(to.mask) {
            let thread = self.thread(block, to.warp, lane);
            let bytes = to.offsets[lane]..to.offsets[lane] + u64::from(to.bytes);
            let group = self.groups.get(&thread).copied().unwrap_or(0);
            self.copies.push(Copy { block, thread, instruction: to.pc, bytes, group });
        }
    }

    pub fn commit(&mut self, block: usize, warp: u32, mask: Mask) {
        for lane in lanes(mask) {
            *self.groups.entry(self.thread(block, warp, lane)).or_default() += 1;
        }
    }

    /// Waits for all but the newest groups, or for all.
    pub fn wait(&mut self, block: usize, warp: u32, mask: Mask, newest: Option<u32>) {
        let threads: Vec<usize> = lanes(mask).map(|lane| self.thread(block, warp, lane)).collect();
        let groups = &self.groups;
        let is_over = |copy: &Copy| {
            let committed = groups.get(&copy.thread).copied().unwrap_or(0);
            threads.contains(&copy.thread) && newest.is_none_or(|newest| copy.group + newest < committed)
        };
        let (over, left): (Vec<Copy>, Vec<Copy>) = std::mem::take(&mut self.copies).into_iter().partition(is_over);
        self.copies = left;
        for Copy { thread, instruction, bytes, .. } in over {
            let own = &mut self.threads[thread];
            own.done += 1;
            own.knows.clocks[thread] = own.done;
            for byte in bytes {
                self.touched.entry((Some(block), byte)).or_default().push(self.events.len());
            }
            let index = self.threads[thread].done;
            self.events.push(Event { thread, index, instruction, writes: true, strong: false, narrow: false });
        }
    }

    pub fn sync_warp(&mut self, block: usize, warp: u32, mask: Mask) {
        let mut joined = self.nothing();
        let threads: Vec<usize> = lanes(mask).map(|lane| self.thread(block, warp, lane)).collect();
        threads.iter().for_each(|&thread| joined.join(&self.threads[thread].knows));
        threads.iter().for_each(|&thread| self.threads[thread].knows = joined.clone());
    }

    pub fn arrive(&mut self, block: usize, warp: u32, mask: Mask, barrier: u32, waits: bool) {
        let nothing = self.nothing();
        for lane in lanes(mask) {
            let thread = self.thread(block, warp, lane);
            let arrivals = self.barriers.entry((block, barrier)).or_default();
            if arrivals.joined.clocks.is_empty() {
                arrivals.joined = nothing.clone();
            }
            arrivals.joined.join(&self.threads[thread].knows);
            if waits {
                arrivals.waiting.push(thread);
            }
        }
    }

    pub fn complete(&mut self, block: usize, barrier: u32) {
        let Some(mut arrivals) = self.barriers.remove(&(block, barrier)) else { return };
        for thread in block * self.per_block..(block + 1) * self.per_block {
            if self.threads[thread].ended {
                arrivals.joined.join(&self.threads[thread].knows);
            }
        }
        for thread in arrivals.waiting {
            self.threads[thread].knows.join(&arrivals.joined);
        }
    }

    pub fn end(&mut self, block: usize, warp: u32, mask: Mask) {
        for lane in lanes(mask) {
            let thread = self.thread(block, warp, lane);
            self.threads[thread].ended = true;
        }
    }

    pub fn live(&self, block: usize, warp: u32) -> Mask {
        (0..LANES)
            .filter(|&lane| !self.threads[self.thread(block, warp, lane)].ended)
            .fold(0, |mask, lane| mask | 1 << lane)
    }
}

fn words(to: &To, lane: usize) -> impl Iterator<Item = u64> + use<> {
    let start = to.offsets[lane];
    start / 4..(start + u64::from(to.bytes)).div_ceil(4)
}
