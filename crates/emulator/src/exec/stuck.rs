//! A block in which nobody can go on: who waits where.

use std::fmt::Write as _;

use super::{block::BlockRun, warp::Wait};
use crate::{
    finding::{Finding, Kind},
    program::Action,
};

impl BlockRun<'_> {
    /// Why nothing runs any more, as the finding that ends the kernel.
    pub(super) fn stuck(&self) -> Finding {
        let kernel = self.grid.kernel;
        let mut waiting = None;
        let mut detail = String::new();
        let mut listed = 0;
        for (index, warp) in self.warps.iter().enumerate() {
            for fragment in &warp.fragments {
                let what = match fragment.wait {
                    Wait::Ready => continue,
                    Wait::Lanes(wanted, _) => format!("for lanes {:#010x}", wanted & !fragment.lanes),
                    Wait::Barrier(id) => {
                        waiting.get_or_insert((Kind::Hang, index, fragment.pc, fragment.lanes));
                        format!("at barrier {id}")
                    }
                };
                listed += 1;
                if listed <= 8 {
                    let place = kernel
                        .line(fragment.pc)
                        .unwrap_or_else(|| format!("PTX line {}", kernel.places[fragment.pc as usize].ptx.line));
                    let separator = if detail.is_empty() { "" } else { "; " };
                    let _ =
                        write!(detail, "{separator}warp {index} lanes {:#010x} wait {what} in {place}", fragment.lanes);
                }
            }
        }
        if listed > 8 {
            let _ = write!(detail, "; and {} more", listed - 8);
        }
        // A part of a warp that waits for the rest explains more than those who wait for the warp.
        let by_lanes = self.warps.iter().enumerate().find_map(|(index, warp)| {
            let fragment = warp.fragments.iter().find(|fragment| matches!(fragment.wait, Wait::Lanes(..)))?;
            let kind = match kernel.code[fragment.pc as usize].action {
                Action::Barrier(_) => Kind::DivergentBarrier,
                _ => Kind::InvalidMask,
            };
            Some((kind, index, fragment.pc, fragment.lanes))
        });
        let (kind, index, pc, lanes) = by_lanes.or(waiting).unwrap_or((Kind::Hang, 0, 0, 1));
        self.finding_at(index, pc, lanes, kind, detail)
    }
}
