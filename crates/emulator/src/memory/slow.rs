//! Addresses that are not where their instruction's last ones were: found one by one.

use std::ptr::null_mut;

use super::{
    block::BlockMemory,
    region::{Region, Target},
    request::{Request, Sharing, Space},
    span::Span,
    window::{self, LOCAL, PARAM, SHARED},
};
use crate::{
    finding::Finding,
    lanes::{LANES, Mask, Row, lanes},
};

impl BlockMemory<'_> {
    /// The region that holds an address; local memory is none.
    fn region(&self, space: Space, address: u64) -> Option<Region> {
        match (space, window::base(address)) {
            (Space::Shared, _) => Some(self.shared_region),
            (Space::Param, _) => Some(self.param_region),
            (Space::Generic, Some(SHARED)) => Some(self.shared_region.at(SHARED)),
            (Space::Generic, Some(PARAM)) => Some(self.param_region.at(PARAM)),
            (Space::Local, _) | (_, Some(_)) => None,
            (Space::Generic | Space::Global | Space::Const, None) => {
                let index = self.map.find(address)?;
                let entry = &self.map.entries()[index];
                Some(Region {
                    span: Span { base: entry.base, bytes: entry.bytes, pointer: entry.pointer() },
                    writable: entry.writable(),
                    target: Target::Global(index as u32),
                })
            }
        }
    }

    /// Local memory, and all that is not in the likely region.
    #[inline(never)]
    pub(super) fn resolve_slowly(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        to: &mut Row<*mut u8>,
    ) -> Result<(), Box<Finding>> {
        let &Request { space, bytes, addresses, mask, .. } = request;
        if mask == 0 {
            *to = Row([null_mut(); LANES]);
            return Ok(());
        }
        if space == Space::Local {
            let top = request.local_top.min(self.config.stack_limit);
            if self.local.resolve(request.warp, addresses, mask, bytes, top, to) {
                if self.watched {
                    self.observe(request, sharing, Target::Local, 0);
                }
                return Ok(());
            }
        }
        let first = addresses.0[mask.trailing_zeros() as usize];
        if let Some(region) = self.region(space, first)
            && region.allows(request)
            && region.span.pointers(addresses, mask, bytes, to)
        {
            self.remember(request, region);
            if self.watched {
                self.observe(request, sharing, region.target, region.span.base);
            }
            return Ok(());
        }
        self.resolve_each(request, sharing, to)
    }

    /// Lane by lane: addresses in several allocations or windows, and those that are wrong.
    fn resolve_each(
        &mut self,
        request: &Request<'_>,
        sharing: &Sharing<'_>,
        to: &mut Row<*mut u8>,
    ) -> Result<(), Box<Finding>> {
        let &Request { space, bytes, addresses, mask, .. } = request;
        let mut bases = Row::splat(0);
        let mut targets = [Target::Param; LANES];
        let mut wrong: Mask = 0;
        let mut regions = [Region::NONE; 2];
        for lane in lanes(mask) {
            let address = addresses.0[lane];
            let found = if space == Space::Local || space == Space::Generic && window::is_local(address) {
                bases.0[lane] = if space == Space::Local { 0 } else { LOCAL };
                targets[lane] = Target::Local;
                let top = request.local_top.min(self.config.stack_limit);
                self.local.resolve_one(request.warp, lane, address - bases.0[lane], bytes, top)
            } else {
                // Mostly they are in one of two places.
                let [latest, other] = regions;
                if !latest.span.holds(address) {
                    let region = if other.span.holds(address) { Some(other) } else { self.region(space, address) };
                    regions = [region.unwrap_or(Region::NONE), latest];
                }
                let [region, _] = regions;
                bases.0[lane] = region.span.base;
                targets[lane] = region.target;
                region.span.pointer(address, bytes).filter(|_| region.allows(request))
            };
            match found {
                Some(pointer) => to.0[lane] = pointer,
                None => wrong |= 1 << lane,
            }
        }
        if wrong != 0 {
            return Err(self.describe(request, wrong));
        }
        let first = to.0[mask.trailing_zeros() as usize];
        lanes(!mask).for_each(|lane| to.0[lane] = first);
        if self.watched {
            self.observe_each(request, sharing, &targets, &bases);
        }
        Ok(())
    }
}
