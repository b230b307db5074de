//! The order of a block's threads: who knows of whose accesses.
//!
//! Knowledge passes at barriers, at `bar.warp.sync`, and where a thread that fenced what it knows writes a flag that
//! another one reads. It belongs to warps; what only some lanes of a warp have learnt is kept aside until the warp
//! meets again.

use std::{collections::HashMap, sync::Arc};

use super::{
    Scope,
    clocks::{Clocks, Known},
    tree::{Foreign, Snapshot},
};
use crate::lanes::{LANES, Mask, lanes};

/// What a lane knows of the other lanes of its warp, beyond what all know: `matrix[lane][other]` is a clock.
type Matrix = [[u32; LANES]; LANES];

/// What only some lanes of a warp know.
#[derive(Clone, Debug)]
struct Extra {
    lanes: Mask,
    clocks: Clocks,
}

#[derive(Debug, Default)]
struct Warp {
    /// What its accesses are stamped with.
    clock: u32,
    /// Whether an access bears the present clock.
    stamped: bool,
    /// Lanes that have not ended.
    live: Mask,
    /// What lanes that ended had done, and knew.
    ended: Option<Box<Clocks>>,
    /// What all lanes know; of their own warp, what the last meeting of all of them made known.
    knows: Clocks,
    extra: Option<Box<Extra>>,
    matrix: Option<Box<Matrix>>,
    /// What a strong write may release, by the scope of the fence before it.
    fenced: [Option<Box<Clocks>>; 2],
}

/// An arrival at a barrier.
#[derive(Debug)]
struct Arrival {
    warp: u32,
    lanes: Mask,
    /// Accesses up to it are before the barrier.
    clock: u32,
    /// `None`: the warp waits, so what it knows when the barrier completes is what it knew when it arrived.
    announced: Option<Box<Clocks>>,
}

/// How far a synchronisation reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything any thread of the block did is now before everything it will do.
    Block,
    /// The same for one warp.
    Warp,
    /// Less.
    Part,
}

/// What a warp knows of a warp, of its own block or another.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<'a> {
    pub known: Known,
    /// Those who know more, and what.
    pub extra_lanes: Mask,
    pub extra: Known,
    /// The two are one warp: each lane knows what it did itself.
    pub same: bool,
    matrix: Option<&'a Matrix>,
}

impl View<'_> {
    /// The lanes of the other warp whose accesses at `clock` `lane` knows.
    #[inline]
    pub fn lanes_at(&self, clock: u32, lane: usize) -> Mask {
        let mut known = self.known.lanes_at(clock) | Mask::from(self.same) << lane;
        if self.extra_lanes >> lane & 1 == 1 {
            known |= self.extra.lanes_at(clock);
        }
        if let Some(matrix) = self.matrix {
            known |= (0..LANES).filter(|&other| clock <= matrix[lane][other]).fold(0, |mask, other| mask | 1 << other);
        }
        known
    }

    /// Whether all lanes know the same, but for what they did themselves.
    #[inline]
    pub fn is_uniform(&self) -> bool {
        self.extra_lanes == 0 && self.matrix.is_none() && !self.same
    }
}

/// The order within a block.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The block's number in its grid.
    pub block: u32,
    levels: u32,
    warps: Vec<Warp>,
    barriers: Vec<(u32, Vec<Arrival>)>,
    /// Used again at each barrier.
    joined: Clocks,
    /// Since the last time that all threads met, some have met without the others: what is ordered can no longer be
    /// told from when it happened alone.
    pub partial: bool,
    /// Since then, someone learnt of other blocks.
    foreign_news: bool,
    /// The clocks after that time.
    pub since: Vec<u32>,
    /// Whether any thread fenced, by scope.
    fenced: [bool; 2],
    /// What was released with a flag, by the flag's place.
    flags: HashMap<u64, Clocks>,
    /// What the block released to others.
    released: Option<Arc<Snapshot>>,
}

impl Order {
    /// Begins a block of `threads` threads.
    pub fn begin(&mut self, block: u32, levels: u32, threads: u32) {
        let count = threads.div_ceil(LANES as u32) as usize;
        (self.block, self.levels) = (block, levels);
        (self.partial, self.foreign_news, self.fenced, self.released) = (false, false, [false; 2], None);
        self.flags.clear();
        self.barriers.iter_mut().for_each(|(_, arrivals)| arrivals.clear());
        if self.warps.len() != count {
            let nothing = Clocks::nothing(count);
            self.warps.clear();
            self.warps.resize_with(count, || Warp { knows: nothing.clone(), ..Warp::default() });
            self.joined = nothing;
            self.since = vec![1; count];
        }
        self.since.fill(1);
        for (index, warp) in self.warps.iter_mut().enumerate() {
            let left = threads - (index * LANES) as u32;
            let live = if left >= LANES as u32 { Mask::MAX } else { (1 << left) - 1 };
            let mut knows = std::mem::take(&mut warp.knows);
            knows.forget();
            *warp = Warp { clock: 1, live, knows, ..Warp::default() };
        }
    }

    pub fn warps(&self) -> usize {
        self.warps.len()
    }

    /// The lanes of a warp that have not ended.
    pub fn live(&self, warp: u32) -> Mask {
        self.warps[warp as usize].live
    }

    /// The clock that an access of a warp now bears.
    #[inline]
    pub fn stamp(&mut self, warp: u32) -> u32 {
        let warp = &mut self.warps[warp as usize];
        warp.stamped = true;
        warp.clock
    }

    pub fn view(&self, observer: u32, block: u32, warp: u32) -> View<'_> {
        let own = &self.warps[observer as usize];
        let of = |clocks: &Clocks| {
            if block == self.block {
                clocks.warps[warp as usize]
            } else {
                clocks.foreign.get(block, self.levels).map_or(Known::default(), |found| found.warps[warp as usize])
            }
        };
        let same = block == self.block && warp == observer;
        let (extra_lanes, extra) = match &own.extra {
            Some(extra) => (extra.lanes, of(&extra.clocks)),
            None => (0, Known::default()),
        };
        View { known: of(&own.knows), extra_lanes, extra, same, matrix: own.matrix.as_deref().filter(|_| same) }
    }

    /// Whether it is seen at a glance that no lane of a warp knows what any lane of another one did at a clock.
    #[inline]
    pub fn is_plainly_unknown(&self, observer: u32, block: u32, warp: u32, clock: u32) -> bool {
        let own = &self.warps[observer as usize];
        if own.extra.is_some() {
            return false;
        }
        if block != self.block {
            return own.knows.foreign.is_empty();
        }
        let known = &own.knows.warps[warp as usize];
        clock > known.all.max(known.some)
    }

    /// `bar.warp.sync` of the lanes of `mask`.
    pub fn meet_in_warp(&mut self, warp: u32, mask: Mask) -> Reach {
        let index = warp as usize;
        let alone = self.warps.len() == 1;
        let own = &mut self.warps[index];
        let clock = own.release();
        if mask & own.live == own.live {
            own.knows.warps[index].join(&Known::all(clock));
            own.meet();
            if alone {
                (self.partial, self.foreign_news) = (false, false);
                self.since[0] = self.warps[0].clock;
                return Reach::Block;
            }
            return Reach::Warp;
        }
        if mask.count_ones() < 2 {
            return Reach::Part;
        }
        self.partial = true;
        let matrix = own.matrix.get_or_insert_with(|| Box::new([[0; LANES]; LANES]));
        let mut joined = [0; LANES];
        for lane in lanes(mask) {
            for other in 0..LANES {
                joined[other] = joined[other].max(matrix[lane][other]);
            }
        }
        lanes(mask).for_each(|lane| joined[lane] = clock);
        lanes(mask).for_each(|lane| matrix[lane] = joined);
        if let Some(extra) = &mut own.extra
            && extra.lanes & mask != 0
        {
            extra.lanes |= mask;
        }
        Reach::Part
    }

    /// Lanes of a warp arrive at a barrier; unless they wait, they only announce it.
    pub fn arrive(&mut self, warp: u32, lanes: Mask, barrier: u32, waits: bool) {
        let own = &mut self.warps[warp as usize];
        let clock = own.release();
        let announced = (!waits).then(|| {
            let mut clocks = own.knows.clone();
            if let Some(extra) = &own.extra {
                clocks.join(&extra.clocks);
            }
            Box::new(clocks)
        });
        let arrival = Arrival { warp, lanes, clock, announced };
        match self.barriers.iter_mut().find(|(id, _)| *id == barrier) {
            Some((_, arrivals)) => arrivals.push(arrival),
            None => self.barriers.push((barrier, vec![arrival])),
        }
    }

    /// A barrier lets those who wait at it go on.
    pub fn complete(&mut self, barrier: u32) -> Reach {
        let Some(at) = self.barriers.iter().position(|(id, _)| *id == barrier) else { return Reach::Part };
        let mut arrivals = std::mem::take(&mut self.barriers[at].1);
        let mut waiting = [0; LANES];
        for arrival in arrivals.iter().filter(|arrival| arrival.announced.is_none()) {
            waiting[arrival.warp as usize] |= arrival.lanes;
        }
        let reach = if self.warps.iter().zip(&waiting).all(|(warp, &lanes)| warp.live & !lanes == 0) {
            Reach::Block
        } else {
            Reach::Part
        };
        let mut joined = std::mem::take(&mut self.joined);
        joined.forget();
        // All know the same but for what each did since, where nothing passed between two since they last met.
        let simple = reach == Reach::Block && !self.partial && !self.foreign_news;
        for arrival in &arrivals {
            if !simple {
                let own = &self.warps[arrival.warp as usize];
                joined.join(arrival.announced.as_deref().unwrap_or(&own.knows));
                if let Some(extra) = own.extra.as_ref().filter(|_| arrival.announced.is_none()) {
                    joined.join(&extra.clocks);
                }
            }
            joined.warps[arrival.warp as usize].join(&Known::all(arrival.clock));
        }
        for (index, warp) in self.warps.iter().enumerate() {
            // Nothing says that an end is before a barrier, but hardware counts it as an arrival, and so do programs.
            if let Some(ended) = &warp.ended {
                if simple {
                    joined.warps[index].join(&ended.warps[index]);
                } else {
                    joined.join(ended);
                }
            }
        }
        for (warp, &lanes) in self.warps.iter_mut().zip(&waiting).filter(|(_, lanes)| **lanes != 0) {
            if simple {
                warp.knows.warps.copy_from_slice(&joined.warps);
            } else {
                warp.knows.join(&joined);
                if let Some(extra) = warp.extra.take() {
                    warp.knows.join(&extra.clocks);
                }
                if warp.live & !lanes == 0 {
                    warp.matrix = None;
                }
            }
        }
        if reach == Reach::Block {
            (self.partial, self.foreign_news) = (false, false);
            self.since.iter_mut().zip(&self.warps).for_each(|(since, warp)| *since = warp.clock);
        } else {
            self.partial = true;
        }
        self.joined = joined;
        arrivals.clear();
        self.barriers[at].1 = arrivals;
        reach
    }

    /// Lanes end.
    pub fn end(&mut self, warp: u32, lanes: Mask) {
        let index = warp as usize;
        let own = &mut self.warps[index];
        let clock = own.release();
        own.live &= !lanes;
        let did = if own.live == 0 { Known::all(clock) } else { Known::some(clock, own.aware(index, lanes)) };
        let mut ended = own.ended.take().unwrap_or_else(|| Box::new(own.knows.clone()));
        ended.join(&own.knows);
        if let Some(extra) = own.extra.as_ref().filter(|extra| extra.lanes & lanes != 0) {
            ended.join(&extra.clocks);
        }
        ended.warps[index].join(&did);
        own.ended = Some(ended);
    }

    /// A fence: what the lanes know, and did themselves, may be released by a later strong write.
    pub fn fence(&mut self, warp: u32, mask: Mask, scope: Scope) {
        let index = warp as usize;
        self.fenced[..=scope as usize].fill(true);
        let own = &mut self.warps[index];
        let clock = own.release();
        let whole = mask & own.live == own.live;
        let did = if whole { Known::all(clock) } else { Known::some(clock, own.aware(index, mask)) };
        for fenced in &mut own.fenced[..=scope as usize] {
            match fenced {
                Some(fenced) => fenced.join(&own.knows),
                None => *fenced = Some(Box::new(own.knows.clone())),
            }
            let fenced = fenced.as_mut().expect("just made");
            if let Some(extra) = own.extra.as_ref().filter(|extra| extra.lanes & mask != 0) {
                fenced.join(&extra.clocks);
            }
            fenced.warps[index].join(&did);
        }
    }

    /// Whether a strong write may release anything to threads in a scope.
    #[inline]
    pub fn has_fenced(&self, scope: Scope) -> bool {
        self.fenced[scope as usize]
    }

    /// What a strong write by these lanes releases: what is known to them, and was fenced by those who did it or since
    /// they learnt of it.
    pub fn releases(&self, warp: u32, mask: Mask, scope: Scope) -> Clocks {
        let index = warp as usize;
        let own = &self.warps[index];
        let mut knows = own.knows.clone();
        if let Some(extra) = own.extra.as_ref().filter(|extra| extra.lanes & mask != 0) {
            knows.join(&extra.clocks);
        }
        knows.warps[index].join(&Known::some(own.clock, own.aware(index, mask)));
        let mut released = Clocks { foreign: knows.foreign, ..Clocks::nothing(self.warps.len()) };
        let fenced = own.fenced[scope as usize].as_deref();
        for (other, warp) in self.warps.iter().enumerate() {
            let part = &mut released.warps[other];
            if let Some(fenced) = fenced.filter(|_| other != index) {
                part.join(&fenced.warps[other]);
            }
            if let Some(fenced) = &warp.fenced[scope as usize] {
                part.join(&knows.warps[other].meet(&fenced.warps[other]));
            }
        }
        released
    }

    /// Lanes learn what was released.
    pub fn learn(&mut self, warp: u32, mask: Mask, released: &Clocks) {
        let index = warp as usize;
        let own = &mut self.warps[index];
        let one = if mask.count_ones() == 1 { mask } else { 0 };
        let known = |other: usize, news: &Known| {
            own.knows.warps[other].includes(news)
                || own.extra.as_ref().is_some_and(|extra| {
                    extra.lanes & mask == mask && extra.clocks.warps[other].includes(news)
                })
                // A single lane learns nothing by hearing of what it did itself.
                || other == index && news.lanes & !one == 0 && news.all <= own.knows.warps[index].all
        };
        let news = released.warps.iter().enumerate().any(|(other, news)| !known(other, news));
        let foreign_news = !released.foreign.is_empty() && !released.foreign.is_same(&own.knows.foreign);
        if !news && !foreign_news {
            return;
        }
        self.partial |= news;
        self.foreign_news |= foreign_news;
        if own.live & !mask == 0 {
            own.knows.join(released);
        } else {
            let count = released.warps.len();
            let extra = own.extra.get_or_insert_with(|| Box::new(Extra { lanes: 0, clocks: Clocks::nothing(count) }));
            extra.lanes |= mask;
            extra.clocks.join(released);
        }
    }

    /// Adds to what a flag of this block carries.
    pub fn raise_flag(&mut self, flag: u64, released: &Clocks) {
        match self.flags.get_mut(&flag) {
            Some(carried) => carried.join(released),
            None => {
                self.flags.insert(flag, released.clone());
            }
        }
    }

    /// Lanes read a flag of this block.
    pub fn read_flag(&mut self, warp: u32, mask: Mask, flag: u64) {
        if let Some(carried) = self.flags.remove(&flag) {
            self.learn(warp, mask, &carried);
            self.flags.insert(flag, carried);
        }
    }

    /// Whether any flag was ever raised.
    #[inline]
    pub fn has_flags(&self) -> bool {
        !self.flags.is_empty()
    }

    /// What other blocks may learn from `released`.
    pub fn for_others(&mut self, released: &Clocks) -> Foreign {
        let mut warps = released.warps.clone();
        let mut version = 0;
        let mut same = false;
        if let Some(before) = &self.released {
            // Later snapshots include earlier ones, or a map could not keep only the latest.
            warps.iter_mut().zip(&before.warps).for_each(|(known, before)| known.join(before));
            version = before.version + 1;
            same = *warps == *before.warps;
        }
        if !same {
            self.released = Some(Arc::new(Snapshot { version, warps: warps.into() }));
        }
        let mut foreign = released.foreign.clone();
        if let Some(snapshot) = &self.released {
            foreign.insert(self.block, self.levels, snapshot.clone());
        }
        foreign
    }

    /// Lanes learn what a flag that other blocks share carries.
    pub fn learn_from_others(&mut self, warp: u32, mask: Mask, foreign: &Foreign) {
        let own = foreign.get(self.block, self.levels).map_or(Vec::new(), |snapshot| snapshot.warps.to_vec());
        let mut released = Clocks { warps: own, foreign: foreign.clone() };
        released.warps.resize(self.warps.len(), Known::default());
        self.learn(warp, mask, &released);
    }
}

impl Warp {
    /// The clock up to which everything was done by now; what follows bears a later one.
    fn release(&mut self) -> u32 {
        if !self.stamped {
            return self.clock - 1;
        }
        self.stamped = false;
        let clock = self.clock;
        // At the end of the range later accesses count as released: races may be missed then.
        self.clock = clock.saturating_add(1);
        clock
    }

    /// The lanes of `mask`, and those they have met in part since all lanes did.
    fn aware(&self, index: usize, mask: Mask) -> Mask {
        let Some(matrix) = &self.matrix else { return mask };
        let all = self.knows.warps[index].all;
        let met = |lane: usize, other: usize| matrix[lane][other] > all;
        (0..LANES).filter(|&other| lanes(mask).any(|lane| met(lane, other))).fold(mask, |mask, other| mask | 1 << other)
    }

    /// All lanes meet: they know the same.
    fn meet(&mut self) {
        self.matrix = None;
        if let Some(extra) = self.extra.take() {
            self.knows.join(&extra.clocks);
        }
    }
}
