//! One allocation: where it is, what kind it is, and its backing.

use std::{
    fmt,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use super::{written::Written, zeroed::Zeroed};
use crate::check::RaceShadow;

/// What an allocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AllocationKind {
    /// `cuMemAlloc`.
    Device,
    /// `cuMemAllocAsync`, from a pool.
    Pool,
    /// A `.global` variable of a module, which owns it: no leak.
    Global,
    /// A `.const` variable of a module: kernels may only read it. No leak.
    Constant,
    /// `cuMemAllocManaged`: on host and device at the same address.
    Managed,
    /// `cuMemHostAlloc`.
    HostPinned,
    /// The program's own memory, by `cuMemHostRegister`.
    Registered,
}

impl AllocationKind {
    /// Whether its address is a pointer of the host.
    pub fn is_host(self) -> bool {
        matches!(self, Self::Managed | Self::HostPinned | Self::Registered)
    }

    /// Whether it takes of the device's memory.
    pub fn is_counted(self) -> bool {
        !matches!(self, Self::HostPinned | Self::Registered)
    }

    /// Whether it is a module's variable: what has no initial value is zero, so that all of it is written.
    fn is_variable(self) -> bool {
        matches!(self, Self::Global | Self::Constant)
    }

    /// Whether the program must free it.
    pub(super) fn can_leak(self) -> bool {
        matches!(self, Self::Device | Self::Pool | Self::Managed | Self::HostPinned)
    }
}

/// An allocation as reports and queries name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllocationInfo {
    /// Its first address.
    pub base: u64,
    /// Its size.
    pub bytes: u64,
    /// What it is.
    pub kind: AllocationKind,
    /// Its number, from 1 in the order of allocation.
    pub id: u64,
    /// Its name, where it was given one.
    pub label: Option<String>,
}

impl fmt::Display for AllocationInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.label {
            Some(label) => write!(f, "{label} of {} bytes", self.bytes),
            None => write!(f, "allocation #{} of {} bytes", self.id, self.bytes),
        }
    }
}

/// An allocation. It stays valid for as long as a [`Map`](super::Map) holds it, freed or not.
#[derive(Debug)]
pub(super) struct Allocation {
    pub(super) base: u64,
    pub(super) bytes: u64,
    pub(super) kind: AllocationKind,
    pub(super) id: u64,
    /// Where its bytes are on the host.
    pointer: *mut u8,
    /// Owns them; none where the program does.
    _backing: Option<Zeroed>,
    /// Which bytes were written; none where the host can write them by itself, or all are.
    written: Option<Written>,
    /// Set once something wrote it without keeping `written`.
    untracked: AtomicBool,
    /// What the race checks remember of it, once they are used.
    races: OnceLock<RaceShadow>,
    label: Mutex<Option<String>>,
}

// SAFETY: `pointer` is to memory that `_backing` owns, which may be sent, or to the program's own, which
// `Memory::register` was promised to stay valid and usable by any thread until it is unregistered. All accesses to it
// are atomic.
unsafe impl Send for Allocation {}
// SAFETY: as above; the other fields are Sync.
unsafe impl Sync for Allocation {}

/// The host's pages: what pinned and managed memory is aligned to.
const PAGE: usize = 4096;

impl Allocation {
    /// With backing of its own, for a base that is chosen once the host's pointer is known. `None` where the machine
    /// does not have the memory.
    pub(super) fn new(
        bytes: u64,
        kind: AllocationKind,
        id: u64,
        place: impl FnOnce(*mut u8) -> Option<u64>,
    ) -> Option<Self> {
        let padding = if kind.is_host() { PAGE as u64 - 1 } else { 0 };
        let backing = Zeroed::new(bytes.checked_add(padding)?)?;
        let mut pointer = backing.pointer();
        if kind.is_host() {
            pointer = pointer.wrapping_add(pointer.align_offset(PAGE));
        }
        let written = if kind.is_host() || kind.is_variable() { None } else { Some(Written::new(bytes)?) };
        pointer.expose_provenance();
        let base = place(pointer)?;
        Some(Self {
            base,
            bytes,
            kind,
            id,
            pointer,
            _backing: Some(backing),
            written,
            untracked: AtomicBool::new(false),
            races: OnceLock::new(),
            label: Mutex::default(),
        })
    }

    /// The program's own memory.
    pub(super) fn registered(host: *mut u8, bytes: u64, id: u64) -> Self {
        Self {
            base: host.expose_provenance() as u64,
            bytes,
            kind: AllocationKind::Registered,
            id,
            pointer: host,
            _backing: None,
            written: None,
            untracked: AtomicBool::new(false),
            races: OnceLock::new(),
            label: Mutex::default(),
        }
    }

    /// The host's pointer to its first byte; `bytes` are valid.
    #[inline(always)]
    pub(super) fn pointer(&self) -> *mut u8 {
        self.pointer
    }

    /// Whether kernels may write it.
    pub(super) fn writable(&self) -> bool {
        self.kind != AllocationKind::Constant
    }

    /// Which bytes were written, where that is known.
    #[inline]
    pub(super) fn written(&self) -> Option<&Written> {
        self.written.as_ref().filter(|_| !self.untracked.load(Relaxed))
    }

    /// Says that it may be written without a trace, so that what it holds counts as written from now on.
    pub(super) fn forget_written(&self) {
        if !self.untracked.load(Relaxed) {
            self.untracked.store(true, Relaxed);
        }
    }

    /// What the race checks remember of it.
    pub(super) fn races(&self) -> &RaceShadow {
        self.races.get_or_init(|| RaceShadow::new(self.bytes))
    }

    pub(super) fn end(&self) -> u64 {
        self.base + self.bytes
    }

    pub(super) fn set_label(&self, label: &str) {
        *self.label.lock().unwrap_or_else(PoisonError::into_inner) = Some(label.to_owned());
    }

    pub(super) fn info(&self) -> AllocationInfo {
        AllocationInfo {
            base: self.base,
            bytes: self.bytes,
            kind: self.kind,
            id: self.id,
            label: self.label.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
