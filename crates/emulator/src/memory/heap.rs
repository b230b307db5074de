//! A device's memory as its driver uses it: allocate, free, register, copy, fill.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    allocation::{Allocation, AllocationInfo, AllocationKind},
    error::{AllocateError, FreeError, MemoryError, RegisterError},
    map::{Map, Tombstones},
    transfer,
};

/// Where device addresses begin: above everything that can be a pointer of the host.
const FIRST: u64 = 0x0001_0000_0000_0000;
/// Where they end: where the windows begin.
const END: u64 = super::window::SHARED;
/// Alignment of device addresses, and the least gap between two allocations.
const GRANULE: u64 = 512;

/// A device's memory.
#[derive(Debug)]
pub struct Memory {
    total: u64,
    state: Mutex<State>,
    tombstones: Arc<Tombstones>,
}

#[derive(Debug)]
struct State {
    live: BTreeMap<u64, Arc<Allocation>>,
    /// Bytes of the device's memory in use.
    used: u64,
    /// Allocations made so far.
    count: u64,
    /// Where the next device address is tried.
    next: u64,
    /// The map of `live`, once a launch asked for it.
    map: Option<Arc<Map>>,
}

impl State {
    fn holding(&self, address: u64) -> Option<&Arc<Allocation>> {
        let (_, allocation) = self.live.range(..=address).next_back()?;
        (address - allocation.base < allocation.bytes).then_some(allocation)
    }

    /// Some allocation that overlaps a range.
    fn overlapping(&self, base: u64, end: u64) -> Option<&Arc<Allocation>> {
        self.live
            .range(..end)
            .next_back()
            .map(|(_, allocation)| allocation)
            .filter(|allocation| allocation.end() > base)
    }

    /// A device address with a gap on both sides. Addresses rise and are used again only after all 2^48 were.
    fn place(&mut self, bytes: u64) -> Option<u64> {
        let taken = bytes.checked_next_multiple_of(GRANULE)?.checked_add(GRANULE)?;
        for _ in 0..2 {
            let mut base = self.next;
            while base.checked_add(taken)? <= END {
                match self.overlapping(base, base + taken) {
                    None => {
                        self.next = base + taken;
                        return Some(base);
                    }
                    Some(other) => base = other.end().next_multiple_of(GRANULE) + GRANULE,
                }
            }
            self.next = FIRST;
        }
        None
    }

    fn add(&mut self, allocation: Allocation) -> u64 {
        let base = allocation.base;
        self.count += 1;
        self.live.insert(base, Arc::new(allocation));
        self.map = None;
        base
    }
}

impl Memory {
    /// A device with that many bytes.
    pub fn new(total: u64) -> Self {
        let state = State { live: BTreeMap::new(), used: 0, count: 0, next: FIRST, map: None };
        Self { total, state: Mutex::new(state), tombstones: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is whole between any two statements that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Allocates; gives the address of the first byte. The bytes are zero. They count as unwritten, but for those of
    /// variables, which are zero by right, and those that the host can write by itself.
    pub fn allocate(&self, bytes: u64, kind: AllocationKind) -> Result<u64, AllocateError> {
        if bytes == 0 {
            return Err(AllocateError::Zero);
        }
        let mut state = self.lock();
        let free = self.total - state.used;
        let refused = AllocateError::OutOfMemory { bytes, free };
        if kind.is_counted() && bytes > free {
            return Err(refused);
        }
        let id = state.count + 1;
        let allocation = Allocation::new(bytes, kind, id, |pointer| {
            if !kind.is_host() {
                return state.place(bytes);
            }
            let base = pointer.expose_provenance() as u64;
            (base.checked_add(bytes)? <= FIRST).then_some(base)
        });
        let base = state.add(allocation.ok_or(refused)?);
        if kind.is_counted() {
            state.used += bytes;
        }
        Ok(base)
    }

    /// Frees the allocation that begins at an address.
    pub fn free(&self, address: u64) -> Result<(), FreeError> {
        self.remove(address, |kind| kind != AllocationKind::Registered)
    }

    fn remove(&self, address: u64, fits: impl FnOnce(AllocationKind) -> bool) -> Result<(), FreeError> {
        let mut state = self.lock();
        let Some(allocation) = state.holding(address).cloned() else {
            return Err(match self.tombstones.find(address) {
                Some(info) if info.base == address => FreeError::Double(info),
                _ => FreeError::Unknown(address),
            });
        };
        if allocation.base != address {
            return Err(FreeError::Inside { address, allocation: allocation.info() });
        }
        if !fits(allocation.kind) {
            return Err(FreeError::Kind(allocation.info()));
        }
        state.live.remove(&address);
        if allocation.kind.is_counted() {
            state.used -= allocation.bytes;
        }
        state.map = None;
        self.tombstones.add(allocation.info());
        Ok(())
    }

    /// Lets the device reach the program's own memory; its address is the pointer's.
    ///
    /// # Safety
    /// The range must be valid for reads and writes by any thread until it is unregistered and every [`Map`] taken
    /// in between is dropped.
    pub unsafe fn register(&self, host: *mut u8, bytes: u64) -> Result<u64, RegisterError> {
        let base = host.addr() as u64;
        let range = RegisterError::Range { address: base, bytes };
        let end = base.checked_add(bytes).filter(|&end| base != 0 && bytes != 0 && end <= FIRST).ok_or(range)?;
        let mut state = self.lock();
        if let Some(other) = state.overlapping(base, end) {
            return Err(RegisterError::Overlap(other.info()));
        }
        let id = state.count + 1;
        Ok(state.add(Allocation::registered(host, bytes, id)))
    }

    /// Ends what [`register`](Self::register) began.
    pub fn unregister(&self, address: u64) -> Result<(), FreeError> {
        self.remove(address, |kind| kind == AllocationKind::Registered)
    }

    /// The allocation that holds an address.
    pub fn find(&self, address: u64) -> Option<AllocationInfo> {
        self.lock().holding(address).map(|allocation| allocation.info())
    }

    /// The allocation that holds a whole range.
    fn range(&self, address: u64, bytes: u64) -> Result<Arc<Allocation>, MemoryError> {
        let Some(allocation) = self.lock().holding(address).cloned() else {
            return Err(match self.tombstones.find(address) {
                Some(allocation) => MemoryError::Freed { address, allocation },
                None => MemoryError::Unknown { address, bytes },
            });
        };
        if bytes > allocation.end() - address {
            return Err(MemoryError::Past { address, bytes, allocation: allocation.info() });
        }
        Ok(allocation)
    }

    /// Copies to the host.
    pub fn read(&self, address: u64, to: &mut [u8]) -> Result<(), MemoryError> {
        if to.is_empty() {
            return Ok(());
        }
        let allocation = self.range(address, to.len() as u64)?;
        // SAFETY: `range` found these bytes within the allocation, which `allocation` keeps alive; kernels and copies
        // access it atomically.
        unsafe { transfer::read(allocation.pointer().add((address - allocation.base) as usize), to) };
        Ok(())
    }

    /// Copies from the host.
    pub fn write(&self, address: u64, from: &[u8]) -> Result<(), MemoryError> {
        if from.is_empty() {
            return Ok(());
        }
        let allocation = self.range(address, from.len() as u64)?;
        let offset = address - allocation.base;
        if let Some(written) = allocation.written() {
            written.mark(offset, from.len() as u64);
        }
        // SAFETY: as in `read`.
        unsafe { transfer::write(allocation.pointer().add(offset as usize), from) };
        Ok(())
    }

    /// Writes a pattern `count` times on end.
    pub fn fill(&self, address: u64, pattern: &[u8], count: u64) -> Result<(), MemoryError> {
        if pattern.is_empty() || count == 0 {
            return Ok(());
        }
        // More bytes than there are addresses are past any allocation's end.
        let bytes = (pattern.len() as u64).saturating_mul(count);
        let allocation = self.range(address, bytes)?;
        let offset = address - allocation.base;
        if let Some(written) = allocation.written() {
            written.mark(offset, bytes);
        }
        let piece = pattern.repeat((4096 / pattern.len()).clamp(1, count.min(4096) as usize));
        let mut done = 0;
        while done < bytes {
            let part = (bytes - done).min(piece.len() as u64);
            // SAFETY: as in `read`: `offset + done + part` is at most `offset + bytes`.
            unsafe { transfer::write(allocation.pointer().add((offset + done) as usize), &piece[..part as usize]) };
            done += part;
        }
        Ok(())
    }

    /// Moves bytes, and whether they were written, from one range to another, which may overlap.
    pub fn copy(&self, to: u64, from: u64, bytes: u64) -> Result<(), MemoryError> {
        if bytes == 0 {
            return Ok(());
        }
        let source = self.range(from, bytes)?;
        let target = self.range(to, bytes)?;
        let (from, to) = (from - source.base, to - target.base);
        if let Some(written) = target.written() {
            match source.written() {
                Some(source) => written.copy(to, source, from, bytes),
                None => written.mark(to, bytes),
            }
        }
        // SAFETY: `range` found both ranges within allocations that `source` and `target` keep alive; kernels and
        // copies access them atomically.
        unsafe {
            transfer::copy(target.pointer().add(to as usize), source.pointer().add(from as usize), bytes as usize)
        };
        Ok(())
    }

    /// The first address of a range that nothing wrote.
    pub fn unwritten(&self, address: u64, bytes: u64) -> Result<Option<u64>, MemoryError> {
        if bytes == 0 {
            return Ok(None);
        }
        let allocation = self.range(address, bytes)?;
        let missing = allocation.written().and_then(|written| written.missing(address - allocation.base, bytes));
        Ok(missing.map(|offset| allocation.base + offset))
    }

    /// Bytes free, and bytes in all.
    pub fn capacity(&self) -> (u64, u64) {
        (self.total - self.lock().used, self.total)
    }

    /// What the program has not freed, oldest first. Modules' variables and registered memory are not among it.
    pub fn leaks(&self) -> Vec<AllocationInfo> {
        let state = self.lock();
        let mut list: Vec<_> =
            state.live.values().filter(|it| it.kind.can_leak()).map(|allocation| allocation.info()).collect();
        list.sort_by_key(|info| info.id);
        list
    }

    /// Names the allocation that holds an address, for reports: "module variable `table`".
    pub fn label(&self, address: u64, label: &str) {
        if let Some(allocation) = self.lock().holding(address) {
            allocation.set_label(label);
        }
    }

    /// What a launch that begins now sees.
    pub fn map(&self) -> Arc<Map> {
        let mut state = self.lock();
        if let Some(map) = &state.map {
            return map.clone();
        }
        let map = Arc::new(Map::new(state.live.values().cloned().collect(), self.tombstones.clone()));
        state.map = Some(map.clone());
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_used_again_only_after_all_others() {
        let memory = Memory::new(1 << 40);
        let first = memory.allocate(1000, AllocationKind::Device).unwrap();
        let second = memory.allocate(1000, AllocationKind::Device).unwrap();
        let third = memory.allocate(1000, AllocationKind::Device).unwrap();
        assert_eq!((first, second, third), (FIRST, FIRST + 1536, FIRST + 3072));
        memory.free(second).unwrap();
        // What is freed is not given again while there is more above.
        assert_eq!(memory.allocate(1000, AllocationKind::Device).unwrap(), FIRST + 4608);
        memory.lock().next = END - 2048;
        // 1536 + 512 bytes just fit; then addresses begin anew, in the first gap wide enough.
        assert_eq!(memory.allocate(1025, AllocationKind::Device).unwrap(), END - 2048);
        assert_eq!(memory.allocate(1000, AllocationKind::Device).unwrap(), FIRST + 1536);
        memory.lock().next = END;
        assert_eq!(memory.allocate(1, AllocationKind::Device).unwrap(), FIRST + 6144);
        memory.free(first).unwrap();
        memory.lock().next = END;
        assert_eq!(memory.allocate(1024, AllocationKind::Device).unwrap(), FIRST);
        assert_eq!(memory.allocate(512, AllocationKind::Device).unwrap(), FIRST + 7168);
    }
}
