//! Why a device's memory refuses what its driver asks for.

use std::fmt;

use super::allocation::{AllocationInfo, AllocationKind};

/// Why memory was not allocated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AllocateError {
    /// No bytes were asked for.
    Zero,
    /// The device, or the machine, does not have that much.
    OutOfMemory {
        /// Bytes asked for.
        bytes: u64,
        /// Bytes of the device's memory that are free.
        free: u64,
    },
}

impl fmt::Display for AllocateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => write!(f, "an allocation of 0 bytes was asked for; at least 1 is needed"),
            Self::OutOfMemory { bytes, free } => {
                write!(
                    f,
                    "{bytes} bytes were asked for, the device has {free} free, and the machine must have them too"
                )
            }
        }
    }
}

impl std::error::Error for AllocateError {}

/// Why memory was not freed, or not unregistered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FreeError {
    /// It was freed before.
    Double(AllocationInfo),
    /// The address is within an allocation, not its first.
    Inside {
        /// The address.
        address: u64,
        /// What holds it.
        allocation: AllocationInfo,
    },
    /// The allocation is of a kind that is given back otherwise: registered memory is unregistered, the rest freed.
    Kind(AllocationInfo),
    /// Nothing was ever there.
    Unknown(u64),
}

impl fmt::Display for FreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Double(info) => write!(f, "{info} at {:#x} was freed already", info.base),
            Self::Inside { address, allocation } => write!(
                f,
                "{address:#x} is {} bytes inside of {allocation}; free its first address, {:#x}",
                address - allocation.base,
                allocation.base
            ),
            Self::Kind(info) if info.kind == AllocationKind::Registered => {
                write!(f, "{info} at {:#x} is the program's own memory: unregister it instead", info.base)
            }
            Self::Kind(info) => write!(f, "{info} at {:#x} was allocated, not registered: free it instead", info.base),
            Self::Unknown(address) => write!(f, "no allocation begins at {address:#x}"),
        }
    }
}

impl std::error::Error for FreeError {}

/// Why the program's memory was not registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// A null pointer, no bytes, or a range that is no host memory.
    Range {
        /// The pointer.
        address: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// Some of it is known already.
    Overlap(AllocationInfo),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { address, bytes } => write!(f, "{bytes} bytes at {address:#x} are not a range of host memory"),
            Self::Overlap(info) => write!(f, "the range overlaps {info} at {:#x}", info.base),
        }
    }
}

impl std::error::Error for RegisterError {}

/// Why the host's access was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// No allocation is there.
    Unknown {
        /// The first address of the access.
        address: u64,
        /// Its bytes.
        bytes: u64,
    },
    /// What was there is freed.
    Freed {
        /// The first address of the access.
        address: u64,
        /// What was there.
        allocation: AllocationInfo,
    },
    /// The access ends past its allocation's end.
    Past {
        /// The first address of the access.
        address: u64,
        /// Its bytes.
        bytes: u64,
        /// What it begins in.
        allocation: AllocationInfo,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { address, bytes } => write!(f, "{bytes} bytes at {address:#x}: no allocation is there"),
            Self::Freed { address, allocation } => {
                write!(f, "{address:#x} is {} bytes inside of the freed {allocation}", address - allocation.base)
            }
            Self::Past { address, bytes, allocation } => {
                let offset = address - allocation.base;
                let past = bytes - (allocation.bytes - offset);
                write!(
                    f,
                    "{bytes} bytes at {address:#x}, {offset} bytes inside of {allocation}, end {past} bytes past it"
                )
            }
        }
    }
}

impl std::error::Error for MemoryError {}
