//! The race checks as a running block calls them.

use std::sync::Arc;

use super::{
    Access, Op, Scope, Strength,
    copies::{Copies, lane_of},
    findings::{Findings, Side},
    global::RaceShadow,
    launch::RaceLaunch,
    order::{Order, Reach},
    pieces::{Piece, cut, cut_twins, twins},
    record::{Class, Kind as Told, LINE, Lanes, Record, Releases},
    shared::Shared,
};
use crate::{
    finding::{Finding, Kind},
    lanes::{LANES, Mask, lanes},
};

/// Whether two lanes of a store put the same value.
pub type SameValue<'a> = &'a dyn Fn(usize, usize) -> bool;

/// Finds the races of one block after the other, for one OS thread.
#[derive(Debug)]
pub struct RaceChecker {
    launch: Arc<RaceLaunch>,
    order: Order,
    shared: Shared,
    copies: Copies,
    findings: Findings,
    /// Words of global memory that the last access read as flags: what they carry is looked up once they were read.
    unread: Vec<(u32, Mask, u64)>,
    /// It has the launch's turn: an atomic access was told and not yet made.
    has_turn: bool,
    /// Of the access at hand; kept for its memory.
    pieces: Vec<Piece>,
}

/// Flags in shared memory, and those that the caller names, beside those in global memory.
const SHARED_FLAG: u64 = 1 << 63;
const NAMED_FLAG: u64 = 1 << 62;

impl RaceChecker {
    /// For blocks of a launch.
    pub fn new(launch: Arc<RaceLaunch>) -> Self {
        Self {
            launch,
            order: Order::default(),
            shared: Shared::default(),
            copies: Copies::default(),
            findings: Findings::default(),
            unread: Vec::new(),
            has_turn: false,
            pieces: Vec::new(),
        }
    }

    /// Begins a block, by its number in the grid (x fastest), with so many bytes of shared memory.
    pub fn begin_block(&mut self, block_linear: u64, shared_bytes: u32) {
        let threads = self.launch.threads.iter().fold(1u32, |product, &size| product.saturating_mul(size.max(1)));
        // A block has no more than 32 warps.
        let threads = threads.min(LANES as u32 * LANES as u32);
        self.order.begin(block_linear as u32, self.launch.levels, threads);
        self.shared.begin(shared_bytes, !self.copies.is_empty());
        self.copies.begin(self.order.warps());
        self.unread.clear();
    }

    /// What was found since the last call. Each pair of instructions is reported once in the checker's life.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        self.findings.take()
    }

    /// A warp accesses shared memory, now. `base` of the access is where shared memory begins. For a store, `same` may
    /// tell whether two lanes put the same value; without it stores to one place by one instruction are not judged.
    pub fn shared(&mut self, access: &Access<'_>, same: Option<SameValue<'_>>) {
        if access.warp as usize >= self.order.warps() {
            return;
        }
        self.settle();
        let strong = access.is_strong();
        if strong && access.reads() && self.order.has_flags() {
            flags_of(access, |word, mask| {
                self.order.read_flag(access.warp, mask, SHARED_FLAG | word);
            });
        }
        self.before_release(access);
        let twins = access.op == Op::Write && !strong && self.judge_twins(access, same, Kind::SharedRace);
        self.add_shared(access, twins, false);
        if strong && access.writes() && self.order.has_fenced(Scope::Block) {
            self.raise_flags(access, SHARED_FLAG);
        }
    }

    /// Asynchronous copies into shared memory begin (`cp.async`): a weak store of `bytes` by each lane, done when the
    /// lane has waited for it.
    pub fn shared_async(&mut self, access: &Access<'_>) {
        if (access.warp as usize) < self.order.warps() {
            let access = self.begin_copies(access);
            self.copies.issue(&access);
        }
    }

    /// The same for copies that are done when a phase of a barrier in shared memory is over (`cp.async.bulk`), and not
    /// for any lane's waiting. The caller numbers phases.
    pub fn shared_for_phase(&mut self, access: &Access<'_>, phase: u64) {
        if (access.warp as usize) < self.order.warps() {
            let access = self.begin_copies(access);
            self.copies.issue_for_phase(&access, phase);
        }
    }

    fn begin_copies<'a>(&mut self, access: &Access<'a>) -> Access<'a> {
        self.settle();
        let access = Access { op: Op::Write, strength: Strength::Weak, ..*access };
        let twins = self.judge_twins(&access, None, Kind::SharedRace);
        self.add_shared(&access, twins, false);
        self.pieces.iter().for_each(|piece| self.shared.set_pending(piece, true));
        access
    }

    /// What lanes have copied is there when a phase of a barrier in memory is over too: `cp.async.mbarrier.arrive`.
    pub fn join_phase(&mut self, warp: u32, mask: Mask, phase: u64) {
        self.copies.join_phase(warp, mask, phase);
    }

    /// A phase of a barrier in memory is over, and somebody is about to acquire what was released with its key.
    pub fn finish_phase(&mut self, key: u64, phase: u64) {
        self.settle();
        if self.copies.is_empty() {
            return;
        }
        let mut copies = std::mem::take(&mut self.copies);
        copies.finish_phase(phase, |access| {
            self.finish_copies(access);
            // The bytes are there for all who acquire. What the lane did since it began to copy is released with them,
            // though it need not be: a race may be missed by that.
            self.release(access.warp, access.mask, key);
        });
        self.copies = copies;
    }

    /// From now on copies are stores of the lanes that began them. They met others when they began.
    fn finish_copies(&mut self, access: &Access<'_>) {
        self.add_shared(access, has_twins(access), true);
        self.pieces.iter().for_each(|piece| self.shared.set_pending(piece, false));
    }

    /// `cp.async.commit_group`.
    pub fn commit(&mut self, warp: u32, mask: Mask) {
        if (warp as usize) < self.order.warps() {
            self.copies.commit(warp, mask, self.order.live(warp));
        }
    }

    /// `cp.async.wait_group newest`: what the lanes copied is there, but for their `newest` groups.
    pub fn wait_group(&mut self, warp: u32, mask: Mask, newest: u32) {
        self.wait(warp, mask, Some(newest));
    }

    /// `cp.async.wait_all`: all that the lanes copied is there.
    pub fn wait_all(&mut self, warp: u32, mask: Mask) {
        self.wait(warp, mask, None);
    }

    fn wait(&mut self, warp: u32, mask: Mask, newest: Option<u32>) {
        self.settle();
        if self.copies.is_empty() {
            return;
        }
        let mut copies = std::mem::take(&mut self.copies);
        copies.wait(warp, mask, newest, |access| self.finish_copies(access));
        self.copies = copies;
    }

    /// A warp accesses global memory: the part of it in one allocation, whose first address is the access's base. The
    /// call comes before the access is made. After an atomic one [`RaceChecker::made`] is to be called: until then other
    /// blocks wait with theirs. For `same` see [`RaceChecker::shared`].
    pub fn global(&mut self, shadow: &RaceShadow, access: &Access<'_>, same: Option<SameValue<'_>>) {
        if access.warp as usize >= self.order.warps() || !self.launch.countable {
            return;
        }
        // With the turn, this is one more part of an access that is not made yet.
        if !self.has_turn {
            self.settle();
            // One that releases nothing to others stays remembered beside later ones, in whatever order they are told.
            if access.op == Op::Atomic && access.scope == Scope::Device && self.may_release(access) {
                self.launch.take_turn();
                self.has_turn = true;
            }
        }
        let strong = access.is_strong();
        if strong && access.reads() {
            let unread = &mut self.unread;
            flags_of_global(access, |word, mask| unread.push((access.warp, mask, word)));
            if self.order.has_flags() {
                self.unread.iter().for_each(|&(warp, mask, word)| self.order.read_flag(warp, mask, word));
            }
            // What they carry by now is ordered before this access itself.
            self.read_flags();
        }
        self.before_release(access);
        let twins = access.op == Op::Write && !strong && self.judge_twins(access, same, Kind::GlobalRace);
        let record = self.record(access);
        self.cut(access, twins);
        let Self { launch, order, findings, pieces, .. } = self;
        for piece in pieces {
            shadow.add(launch, order, piece, &record, |old, _, clash| {
                let old = Side { block: old.block, pc: old.pc, warp: u32::from(old.warp), lane: clash.old_lane };
                let new = Side { block: order.block, pc: access.pc, warp: access.warp, lane: clash.new_lane };
                let address = access.base + piece.line * LINE + u64::from(clash.byte);
                findings.note(launch, Kind::GlobalRace, new, old, (address, access.bytes));
            });
        }
        if strong && access.writes() && self.order.has_fenced(Scope::Block) {
            self.raise_flags(access, 0);
        }
    }

    /// The last access that was told is made.
    #[inline]
    pub fn made(&mut self) {
        if self.has_turn {
            // Who released before this one has told so, and nobody after it has.
            self.settle();
            self.has_turn = false;
            self.launch.give_turn_back();
        }
    }

    /// Whether an access may release anything to other blocks.
    fn may_release(&self, access: &Access<'_>) -> bool {
        self.order.has_fenced(Scope::Device) || access.releases()
    }

    /// `membar`, `fence`.
    pub fn fence(&mut self, warp: u32, mask: Mask, scope: Scope) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            self.order.fence(warp, mask, scope);
        }
    }

    /// `bar.warp.sync`, once the lanes of `mask` have met.
    pub fn sync_warp(&mut self, warp: u32, mask: Mask) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            match self.order.meet_in_warp(warp, mask) {
                Reach::Block => self.shared.meet(),
                Reach::Warp => self.shared.meet_in_warp(warp),
                Reach::Part => {}
            }
        }
    }

    /// Lanes arrive at a barrier of the block; `waits` is false for `bar.arrive`.
    pub fn arrive(&mut self, warp: u32, mask: Mask, barrier: u32, waits: bool) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            self.order.arrive(warp, mask, barrier, waits);
        }
    }

    /// A barrier is complete: all that arrived at it since it last was is before all that those who waited will do.
    pub fn complete(&mut self, barrier: u32) {
        self.settle();
        if self.order.complete(barrier) == Reach::Block {
            self.shared.meet();
        }
    }

    /// Lanes end.
    pub fn end_lanes(&mut self, warp: u32, mask: Mask) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            self.order.end(warp, mask);
        }
    }

    /// Lanes release all they did and know, within their block, to who acquires the same key: an object in shared
    /// memory that is not a plain word, such as an `mbarrier`, by its address.
    pub fn release(&mut self, warp: u32, mask: Mask, key: u64) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            self.order.fence(warp, mask, Scope::Block);
            let released = self.order.releases(warp, mask, Scope::Block);
            self.order.raise_flag(NAMED_FLAG | key, &released);
        }
    }

    /// Lanes acquire what was released with a key.
    pub fn acquire(&mut self, warp: u32, mask: Mask, key: u64) {
        self.settle();
        if (warp as usize) < self.order.warps() {
            self.order.read_flag(warp, mask, NAMED_FLAG | key);
        }
    }

    /// Takes in what flags carried that were read since the last call: other blocks write theirs at any time, so only
    /// now what they carry is no less than what was read.
    #[inline]
    fn settle(&mut self) {
        if !self.unread.is_empty() {
            self.read_flags();
            self.unread.clear();
        }
    }

    #[inline(never)]
    fn read_flags(&mut self) {
        if self.launch.has_flags() {
            for &(warp, mask, word) in &self.unread {
                if let Some(carried) = self.launch.read_flag(word) {
                    self.order.learn_from_others(warp, mask, &carried);
                }
            }
        }
    }

    /// A write that releases does what a fence does first.
    fn before_release(&mut self, access: &Access<'_>) {
        if access.writes() && access.releases() {
            self.order.fence(access.warp, access.mask, access.scope);
        }
    }

    /// Cuts an access into `pieces`.
    #[inline]
    fn cut(&mut self, access: &Access<'_>, twins: bool) {
        self.pieces.clear();
        if twins {
            cut_twins(access, &mut self.pieces);
        } else {
            cut(access, &mut self.pieces);
        }
    }

    /// What an access is to those after it; its place is to be filled in.
    fn record(&mut self, access: &Access<'_>) -> Record {
        let clock = self.order.stamp(access.warp);
        let lanes = Lanes::together(0);
        let (kind, warp) = (self.told(access), access.warp as u8);
        Record { block: self.order.block, clock, pc: access.pc, lanes, start: 0, end: 0, warp, kind }
    }

    fn told(&self, access: &Access<'_>) -> Told {
        let strong = access.is_strong();
        let class = match (strong, access.writes()) {
            (false, false) => Class::Read,
            (false, true) => Class::Write,
            (true, false) => Class::StrongRead,
            (true, true) => Class::StrongWrite,
        };
        let fenced = |scope| access.scope >= scope && self.order.has_fenced(scope);
        let releases = match class {
            Class::StrongWrite if fenced(Scope::Device) => Releases::ToDevice,
            Class::StrongWrite if fenced(Scope::Block) => Releases::ToBlock,
            _ => Releases::Nothing,
        };
        let narrow = strong && access.scope == Scope::Block;
        Told { class, narrow, acquires: strong && access.reads(), releases, acquired: false }
    }

    fn add_shared(&mut self, access: &Access<'_>, twins: bool, silent: bool) {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2.
            return unsafe { self.add_shared_avx2(access, twins, silent) };
        }
        self.add_shared_portable(access, twins, silent);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn add_shared_avx2(&mut self, access: &Access<'_>, twins: bool, silent: bool) {
        self.add_shared_portable(access, twins, silent);
    }

    #[inline(always)]
    fn add_shared_portable(&mut self, access: &Access<'_>, twins: bool, silent: bool) {
        let told = self.told(access);
        let entry = self.shared.enter(&mut self.order, access.warp, access.pc, told);
        let mask = if twins || silent { access.mask } else { self.shared.add_scattered(&self.order, &entry, access) };
        if mask == 0 {
            return;
        }
        let run = access.run.filter(|_| mask == access.mask);
        self.cut(&Access { mask, run, ..*access }, twins);
        let Self { launch, order, shared, copies, findings, pieces, .. } = self;
        let block = order.block;
        let new = |lane| Side { block, pc: access.pc, warp: access.warp, lane };
        for piece in pieces {
            let address = |byte: u8| (access.base + piece.line * LINE + u64::from(byte), access.bytes);
            if !copies.is_empty() && !silent {
                let pending = shared.pending(piece);
                if pending != 0
                    && let Some((old, byte)) = copies.find(block, piece.line, pending)
                {
                    let new = new(lane_of(piece, byte));
                    findings.note(launch, Kind::AsyncCopyNotWaited, new, old, address(byte));
                    continue;
                }
            }
            shared.add(order, &entry, piece, |old, lane, byte| {
                if !silent {
                    findings.note(launch, Kind::SharedRace, new(lane), old, address(byte));
                }
            });
        }
    }

    /// Reports lanes of a store that put different values in one place. Whether any share a place.
    fn judge_twins(&mut self, access: &Access<'_>, same: Option<SameValue<'_>>, kind: Kind) -> bool {
        let mut any = false;
        twins(access, |one, other| {
            any = true;
            if same.is_some_and(|same| !same(one, other)) {
                let side =
                    |lane: usize| Side { block: self.order.block, pc: access.pc, warp: access.warp, lane: lane as u32 };
                let address = (access.addresses.0[other], access.bytes);
                self.findings.note(&self.launch, kind, side(other), side(one), address);
            }
        });
        any
    }

    #[inline(never)]
    fn raise_flags(&mut self, access: &Access<'_>, space: u64) {
        let released = self.order.releases(access.warp, access.mask, Scope::Block);
        if space == SHARED_FLAG {
            return flags_of(access, |word, _| self.order.raise_flag(space | word, &released));
        }
        flags_of_global(access, |word, _| self.order.raise_flag(word, &released));
        if access.scope == Scope::Device && self.order.has_fenced(Scope::Device) {
            let released = self.order.releases(access.warp, access.mask, Scope::Device);
            let released = self.order.for_others(&released);
            flags_of_global(access, |word, _| self.launch.raise_flag(word, &released));
        }
    }
}

impl Drop for RaceChecker {
    /// A panic may have come between telling of an access and making it.
    fn drop(&mut self) {
        if self.has_turn {
            self.launch.give_turn_back();
        }
    }
}

/// The words that an access's lanes touch as flags, each with its lanes: offsets from the base.
fn flags_of(access: &Access<'_>, each: impl FnMut(u64, Mask)) {
    flags(access, access.base, each);
}

/// The same for global memory, by address.
fn flags_of_global(access: &Access<'_>, each: impl FnMut(u64, Mask)) {
    flags(access, 0, each);
}

fn flags(access: &Access<'_>, base: u64, mut each: impl FnMut(u64, Mask)) {
    let mut tell = |address: u64, mask: Mask| {
        let start = address.wrapping_sub(base);
        (start / 4..(start + u64::from(access.bytes)).div_ceil(4)).for_each(|word| each(word, mask));
    };
    // Lanes that share a place are told as one where they are neighbours.
    let (mut place, mut together) = (0, 0);
    for lane in lanes(access.mask) {
        let address = access.addresses.0[lane];
        if address != place && together != 0 {
            tell(place, together);
            together = 0;
        }
        (place, together) = (address, together | 1 << lane);
    }
    if together != 0 {
        tell(place, together);
    }
}

fn has_twins(access: &Access<'_>) -> bool {
    let mut any = false;
    twins(access, |_, _| any = true);
    any
}
