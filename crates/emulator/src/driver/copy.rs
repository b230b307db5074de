//! Copies: of one range, of rows, of slices of rows, between device and host in any direction.

use super::{driver, error::Result, host::HostPointer};

/// One side of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Address {
    /// Memory that the driver must know.
    Device(u64),
    /// The program's memory; the driver may know it, as pinned memory for instance.
    Host(HostPointer),
}

impl Address {
    fn number(self) -> u64 {
        match self {
            Self::Device(address) => address,
            Self::Host(pointer) => pointer.address(),
        }
    }

    fn offset(self, bytes: u64) -> Self {
        match self {
            // Past the end of the addresses there is no memory: the copy fails.
            Self::Device(address) => Self::Device(address.saturating_add(bytes)),
            Self::Host(pointer) => Self::Host(pointer.offset(bytes)),
        }
    }

    /// What the driver must know, or knows.
    fn known(self) -> Option<u64> {
        match self {
            Self::Device(address) => Some(address),
            Self::Host(pointer) => driver().memory.find(pointer.address()).map(|_| pointer.address()),
        }
    }
}

/// One side's layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// Its first byte.
    pub address: Address,
    /// Bytes from a row to the next.
    pub pitch: u64,
    /// Bytes from a slice to the next.
    pub slice: u64,
}

/// A copy of `depth` slices of `height` rows of `width` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// Where to.
    pub to: Side,
    /// Where from.
    pub from: Side,
    /// Bytes of a row.
    pub width: u64,
    /// Rows of a slice.
    pub height: u64,
    /// Slices.
    pub depth: u64,
}

impl Copy {
    /// A copy of one range.
    pub fn flat(to: Address, from: Address, bytes: u64) -> Self {
        let side = |address| Side { address, pitch: bytes, slice: bytes };
        Self { to: side(to), from: side(from), width: bytes, height: 1, depth: 1 }
    }

    /// Copies.
    ///
    /// # Errors
    /// Where a range is not within one allocation. What was copied before it is copied.
    pub fn run(&self) -> Result<()> {
        let dense = |side: Side| side.pitch == self.width && side.slice == self.width.saturating_mul(self.height);
        if let Some(bytes) = self.width.checked_mul(self.height).and_then(|bytes| bytes.checked_mul(self.depth))
            && dense(self.to)
            && dense(self.from)
        {
            return range(self.to.address, self.from.address, bytes);
        }
        let at = |side: Side, slice: u64, row: u64| {
            side.address.offset(slice.saturating_mul(side.slice).saturating_add(row.saturating_mul(side.pitch)))
        };
        if self.width == 0 {
            return Ok(());
        }
        for slice in 0..self.depth {
            for row in 0..self.height {
                range(at(self.to, slice, row), at(self.from, slice, row), self.width)?;
            }
        }
        Ok(())
    }
}

fn range(to: Address, from: Address, bytes: u64) -> Result<()> {
    let memory = &driver().memory;
    match (to.known(), from.known()) {
        (Some(to), Some(from)) => memory.copy(to, from, bytes)?,
        (Some(to), None) => {
            if let Address::Host(from) = from {
                memory.write(to, from.source(bytes as usize))?;
            }
        }
        (None, Some(from)) => {
            if let Address::Host(mut to) = to {
                memory.read(from, to.target(bytes as usize))?;
            }
        }
        (None, None) => {
            if let (Address::Host(to), Address::Host(from)) = (to, from) {
                to.copy_from(from, bytes as usize);
            }
        }
    }
    Ok(())
}

impl std::fmt::Display for Copy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (to, from) = (self.to.address.number(), self.from.address.number());
        write!(f, "{} x {} x {} bytes from {from:#x} to {to:#x}", self.width, self.height, self.depth)
    }
}
