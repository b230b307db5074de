//! What a running block sees: addresses become pointers here.

use std::ptr::null_mut;

use super::{
    counters::MemoryCounters,
    findings::Findings,
    local::Local,
    map::Map,
    region::{Region, Target},
    request::{Request, Sharing, Space},
    span::Span,
    touched::Touching,
    written::Written,
};
use crate::{
    check::RaceChecker,
    finding::{Checks, Finding, Thread},
    lanes::{LANES, Row},
};

/// What every byte of shared and local memory holds when a block begins.
pub const GARBAGE: u8 = 0xff;

/// Aligned bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(128))]
pub(super) struct Line([u8; 128]);

impl Line {
    pub(super) const GARBAGE: Self = Self([GARBAGE; 128]);
}

/// Sets every byte.
pub(super) fn fill(lines: &mut [Line], byte: u8) {
    lines.fill(Line([byte; 128]));
}

/// Their pointer, to be used through its address.
pub(super) fn exposed(lines: &mut [Line]) -> *mut u8 {
    let pointer = lines.as_mut_ptr().cast::<u8>();
    pointer.expose_provenance();
    pointer
}

/// What a launch's memory is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Config {
    /// The checks.
    pub checks: Checks,
    /// Bytes of local memory a thread may use.
    pub stack_limit: u32,
}

/// Regions remembered, by the instruction that used them last: an instruction mostly stays in one allocation.
const HITS: usize = 64;

/// The memory of a block: all that is global, and what is its own. One for each OS thread, used for one block after the
/// other.
#[derive(Debug)]
pub struct BlockMemory<'a> {
    pub(super) map: &'a Map,
    pub(super) config: Config,
    /// Whether to count accesses.
    pub(super) count: bool,
    /// Whether to count them by instruction too.
    pub(super) by_instruction: bool,
    /// By instruction; generic addresses apart, since they have more regions.
    hits: [[Region; HITS]; 2],
    /// At base 0; the window's is made of it.
    pub(super) shared_region: Region,
    pub(super) param_region: Region,
    /// Whether anything wants to know of accesses.
    pub(super) watched: bool,
    pub(super) block: [u32; 3],
    threads: [u32; 3],
    shared: Vec<Line>,
    pub(super) shared_written: Option<Written>,
    /// Keeps the parameters that `param_region` points to.
    _params: Box<[Line]>,
    pub(super) local: Local,
    pub(super) findings: Findings,
    pub(super) counters: MemoryCounters,
    pub(super) touching: Touching,
    pub(super) races: Option<Box<RaceChecker>>,
}

impl<'a> BlockMemory<'a> {
    /// For a launch with these parameters. Without [`Checks::initialization`] everything that kernels may write counts
    /// as written from now on.
    pub fn new(map: &'a Map, params: &[u8], config: Config) -> Self {
        if !config.checks.initialization {
            map.entries().iter().filter(|entry| entry.writable()).for_each(|entry| entry.forget_written());
        }
        let mut lines = vec![Line([0; 128]); params.len().div_ceil(128)].into_boxed_slice();
        for (line, bytes) in lines.iter_mut().zip(params.chunks(128)) {
            line.0[..bytes.len()].copy_from_slice(bytes);
        }
        let span = Span { base: 0, bytes: params.len() as u64, pointer: exposed(&mut lines) };
        let param_region = Region { span, ..Region::NONE };
        Self {
            map,
            config,
            count: false,
            by_instruction: false,
            hits: [[Region::NONE; HITS]; 2],
            shared_region: Region { writable: true, target: Target::Shared, ..Region::NONE },
            param_region,
            watched: config.checks.initialization,
            block: [0; 3],
            threads: [1; 3],
            shared: Vec::new(),
            shared_written: None,
            _params: lines,
            local: Local::new(config.checks.initialization),
            findings: Findings::default(),
            counters: MemoryCounters::default(),
            touching: Touching::default(),
            races: None,
        }
    }

    /// Counts accesses from now on, and by instruction too where that is asked for.
    pub fn start_counting(&mut self, by_instruction: bool) {
        (self.count, self.by_instruction) = (true, by_instruction);
        self.watched = true;
    }

    /// Begins a block: its index in the grid, the same as one number (x fastest), its size in threads, and its bytes of
    /// shared memory, static and dynamic. Shared and local memory hold [`GARBAGE`], unwritten. Pointers resolved
    /// before are no longer valid.
    pub fn begin_block(&mut self, block: [u32; 3], block_linear: u64, threads: [u32; 3], shared_bytes: u32) {
        (self.block, self.threads) = (block, threads.map(|size| size.max(1)));
        let lines = (shared_bytes as usize).div_ceil(128);
        if self.shared_region.span.bytes != u64::from(shared_bytes) {
            self.shared = vec![Line::GARBAGE; lines];
            self.shared_written =
                self.config.checks.initialization.then(|| Written::new(u64::from(shared_bytes))).flatten();
            self.shared_region.span.bytes = u64::from(shared_bytes);
            // They may hold the window of the last block's shared memory.
            self.hits = [[Region::NONE; HITS]; 2];
        } else {
            fill(&mut self.shared, GARBAGE);
            if let Some(written) = &self.shared_written {
                written.clear(u64::from(shared_bytes));
            }
        }
        self.shared_region.span.pointer = exposed(&mut self.shared);
        self.local.begin_block();
        if let Some(races) = &mut self.races {
            races.begin_block(block_linear, shared_bytes);
        }
    }

    /// The pointers of a request's lanes, each valid for the request's bytes, and aligned to them, until the next
    /// block begins. They are for the functions of this module alone. Lanes outside of the mask get the pointer of one
    /// in it; with an empty mask none means anything.
    ///
    /// # Errors
    /// The finding that ends the kernel: a lane is outside of all memory (or of the part that is the address space's),
    /// misaligned, or writes what can only be read.
    #[inline(always)]
    pub fn resolve(&mut self, request: &Request<'_>) -> Result<Row<*mut u8>, Box<Finding>> {
        let mut pointers = Row([null_mut(); LANES]);
        self.resolve_into(request, &Sharing::default(), &mut pointers)?;
        Ok(pointers)
    }

    /// The same with all that the race checks ask, and into a row that is there already, from where lanes take their
    /// pointers one by one: faster than [`resolve`](Self::resolve), whose row is copied.
    #[inline(always)]
    pub fn resolve_into(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        to: &mut Row<*mut u8>,
    ) -> Result<(), Box<Finding>> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2.
            return unsafe { self.resolve_avx2(request, sharing, to) };
        }
        self.resolve_portable(request, sharing, to)
    }

    // These are no part of the instructions that call them: one body for all stays in the cache.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    #[inline(never)]
    fn resolve_avx2(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        to: &mut Row<*mut u8>,
    ) -> Result<(), Box<Finding>> {
        let region = self.likely(request);
        if region.allows(request) && region.span.pointers_avx2(request.addresses, request.mask, request.bytes, to) {
            if self.watched {
                let (target, base) = (region.target, region.span.base);
                self.observe(request, sharing, target, base);
            }
            return Ok(());
        }
        self.resolve_slowly(request, sharing, to)
    }

    #[inline(never)]
    fn resolve_portable(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        to: &mut Row<*mut u8>,
    ) -> Result<(), Box<Finding>> {
        let region = self.likely(request);
        if region.allows(request) && region.span.pointers_portable(request.addresses, request.mask, request.bytes, to) {
            if self.watched {
                let (target, base) = (region.target, region.span.base);
                self.observe(request, sharing, target, base);
            }
            return Ok(());
        }
        self.resolve_slowly(request, sharing, to)
    }

    /// Where the addresses of a request probably are.
    #[inline(always)]
    fn likely(&self, request: &Request<'_>) -> &Region {
        match request.space {
            Space::Global | Space::Const => &self.hits[0][request.pc as usize % HITS],
            Space::Generic => &self.hits[1][request.pc as usize % HITS],
            Space::Shared => &self.shared_region,
            Space::Param => &self.param_region,
            Space::Local => const { &Region::NONE },
        }
    }

    /// Remembers where an instruction's addresses were.
    pub(super) fn remember(&mut self, request: &Request<'_>, region: Region) {
        if matches!(request.space, Space::Generic | Space::Global | Space::Const) {
            self.hits[usize::from(request.space == Space::Generic)][request.pc as usize % HITS] = region;
        }
    }

    /// Whether an address is one of `.const` memory.
    pub fn is_constant(&self, address: u64) -> bool {
        self.map.find(address).is_some_and(|index| !self.map.entries()[index].writable())
    }

    /// The thread of a lane.
    pub fn thread(&self, warp: u32, lane: usize) -> Thread {
        let linear = warp * LANES as u32 + lane as u32;
        let [x, y, _] = self.threads;
        Thread { block: self.block, thread: [linear % x, linear / x % y, linear / x / y] }
    }

    /// What the checks found so far; it begins anew.
    pub fn take_findings(&mut self) -> Findings {
        let mut findings = std::mem::take(&mut self.findings);
        for finding in self.races.iter_mut().flat_map(|races| races.take_findings()) {
            let key = (finding.kind, finding.pc, finding.other.map(|(pc, _)| pc));
            findings.record(key, finding.thread.block, 1, || finding);
        }
        findings
    }
}
