//! Why an access is refused, in words.

use super::{
    allocation::AllocationInfo,
    block::BlockMemory,
    request::{Request, Space},
    window::{self, LOCAL, PARAM, SHARED},
};
use crate::{
    finding::{Finding, Kind},
    lanes::Mask,
};

/// Farther from every allocation than this, an address is not called by its distance.
const NEAR: u64 = 1 << 20;
/// Addresses below are a null pointer's, with an index.
const NULL: u64 = 1 << 16;

/// Where a range lies that is not wholly within `0..size`.
fn beside(offset: u64, bytes: u64, size: u64, name: &str) -> String {
    if offset < size {
        return format!(
            "begins {} bytes before the end of {name} and ends {} after it",
            size - offset,
            bytes - (size - offset)
        );
    }
    match offset - size {
        0 => format!("right after the end of {name}"),
        past => format!("{past} bytes after the end of {name}"),
    }
}

impl BlockMemory<'_> {
    /// The finding for the first of the lanes in `wrong`, none of which could be resolved.
    pub(super) fn describe(&self, request: &Request<'_>, wrong: Mask) -> Box<Finding> {
        let lane = wrong.trailing_zeros() as usize;
        let address = request.addresses.0[lane];
        let (kind, mut detail) = self.fault(request, address);
        if wrong.count_ones() > 1 {
            detail += &format!(" ({} lanes of the warp have such an address)", wrong.count_ones());
        }
        Box::new(Finding {
            kind,
            pc: request.pc,
            thread: self.thread(request.warp, lane),
            other: None,
            address: Some((address, request.bytes)),
            detail,
        })
    }

    /// What is wrong with an address: where it is first, then its alignment, then what is done there.
    fn fault(&self, request: &Request<'_>, address: u64) -> (Kind, String) {
        let bytes = u64::from(request.bytes);
        let (space, base) = match (request.space, window::base(address)) {
            (Space::Generic, Some(SHARED)) => (Space::Shared, SHARED),
            (Space::Generic, Some(LOCAL)) => (Space::Local, LOCAL),
            (Space::Generic, Some(PARAM)) => (Space::Param, PARAM),
            (space, _) => (space, 0),
        };
        let offset = address - base;
        let inside = |size: u64| offset <= size.saturating_sub(bytes) && size >= bytes;
        let outside = match space {
            Space::Shared => {
                let size = self.shared_region.span.bytes;
                (!inside(size)).then(|| {
                    (
                        Kind::OutOfBounds,
                        beside(offset, bytes, size, &format!("the block's {size} bytes of shared memory")),
                    )
                })
            }
            Space::Param => {
                let size = self.param_region.span.bytes;
                (!inside(size)).then(|| {
                    (
                        Kind::OutOfBounds,
                        beside(offset, bytes, size, &format!("the kernel's {size} bytes of parameters")),
                    )
                })
            }
            Space::Local => {
                let (top, limit) = (u64::from(request.local_top), u64::from(self.config.stack_limit));
                if !inside(top) {
                    let name = format!("the {top} bytes of local memory that the thread's functions have");
                    Some((Kind::OutOfBounds, beside(offset, bytes, top, &name)))
                } else if !inside(limit) {
                    let name = format!("the stack's limit of {limit} bytes a thread");
                    Some((Kind::StackOverflow, beside(offset, bytes, limit, &name)))
                } else {
                    None
                }
            }
            Space::Generic | Space::Global | Space::Const => self.outside_global(address, bytes),
        };
        if let Some(fault) = outside {
            return fault;
        }
        if !address.is_multiple_of(bytes) {
            return (Kind::Misaligned, format!("an access of {bytes} bytes needs an address that is a multiple of it"));
        }
        let name = match space {
            Space::Param => "the kernel's parameters".to_owned(),
            _ => self.map.find(address).map_or_else(String::new, |index| self.map.entries()[index].info().to_string()),
        };
        (Kind::ReadOnlyWrite, format!("{name} can only be read by kernels"))
    }

    /// Why an address of global memory is outside of every allocation; `None` where it is not.
    fn outside_global(&self, address: u64, bytes: u64) -> Option<(Kind, String)> {
        if let Some(index) = self.map.find(address) {
            let info = self.map.entries()[index].info();
            let offset = address - info.base;
            return (bytes > info.bytes - offset)
                .then(|| (Kind::OutOfBounds, beside(offset, bytes, info.bytes, &info.to_string())));
        }
        if let Some(base) = window::base(address) {
            let name = match base {
                SHARED => "shared memory",
                LOCAL => "local memory",
                _ => "the parameters",
            };
            let detail = format!("a generic address of {name} in an instruction for global memory");
            return Some((Kind::OutOfBounds, detail));
        }
        if let Some(info) = self.map.freed(address) {
            let detail = format!("{} bytes inside of the freed {info}", address - info.base);
            return Some((Kind::UseAfterFree, detail));
        }
        if address < NULL {
            return Some((Kind::OutOfBounds, "a null pointer".to_owned()));
        }
        let (below, above) = self.map.around(address);
        let after = below.map(|it| (address - it.end(), it.info()));
        let before = above.map(|it| (it.base - address, it.info()));
        let near = |it: &Option<(u64, AllocationInfo)>| it.as_ref().map_or(u64::MAX, |(distance, _)| *distance);
        let detail = match (near(&after) <= near(&before), after, before) {
            (true, Some((distance, info)), _) if distance < NEAR => {
                beside(address - info.base, bytes, info.bytes, &info.to_string())
            }
            (false, _, Some((distance, info))) if distance < NEAR => {
                format!("{distance} bytes before the start of {info}")
            }
            _ => "not near any allocation".to_owned(),
        };
        Some((Kind::OutOfBounds, detail))
    }
}
