//! A warp's 32 lanes side by side: registers are rows of 32 values, so that one instruction is one loop over a row
//! and the compiler turns it into vector instructions.

/// Lanes in a warp.
pub const LANES: usize = 32;

/// A set of lanes: bit `l` is lane `l`.
pub type Mask = u32;

/// All 32 lanes.
pub const ALL: Mask = u32::MAX;

/// One value a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Row<T>(pub [T; LANES]);

impl<T: Copy + Default> Default for Row<T> {
    fn default() -> Self {
        Self([T::default(); LANES])
    }
}

impl<T: Copy> Row<T> {
    /// The same value in every lane.
    #[inline(always)]
    pub fn splat(value: T) -> Self {
        Self([value; LANES])
    }

    /// Takes the lanes of `mask` from `other`.
    #[inline(always)]
    pub fn merge(&mut self, other: &Self, mask: Mask) {
        if mask == ALL {
            *self = *other;
        } else {
            for lane in 0..LANES {
                self.0[lane] = if mask >> lane & 1 == 1 { other.0[lane] } else { self.0[lane] };
            }
        }
    }
}

/// The lanes of a mask, lowest first.
#[inline(always)]
pub fn lanes(mask: Mask) -> impl Iterator<Item = usize> {
    let mut rest = mask;
    std::iter::from_fn(move || {
        if rest == 0 {
            return None;
        }
        let lane = rest.trailing_zeros() as usize;
        rest &= rest - 1;
        Some(lane)
    })
}
