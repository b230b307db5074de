//! Local memory: each thread's own, made as it is touched.

use std::ptr::null_mut;

use super::{
    block::{GARBAGE, Line, exposed, fill},
    span::Span,
    written::Written,
};
use crate::lanes::{LANES, Mask, Row, lanes};

/// Bytes of a thread that lie together.
const PIECE: usize = 256;

/// A piece of each of a warp's lanes, one lane after the other.
#[derive(Debug)]
struct Chunk {
    /// The block it was last cleared for.
    epoch: u64,
    bytes: Box<[Line]>,
    written: Option<Written>,
}

impl Chunk {
    fn pointer(&mut self) -> *mut u8 {
        exposed(&mut self.bytes)
    }
}

/// The local memory of a block's threads.
#[derive(Debug)]
pub(super) struct Local {
    /// By warp, then by offset over [`PIECE`].
    warps: Vec<Vec<Option<Chunk>>>,
    /// Counts blocks: a chunk of an earlier one is cleared when it is touched.
    epoch: u64,
    /// Whether to keep what was written.
    track: bool,
}

impl Local {
    pub(super) fn new(track: bool) -> Self {
        Self { warps: Vec::new(), epoch: 0, track }
    }

    /// Forgets what the last block wrote.
    pub(super) fn begin_block(&mut self) {
        self.epoch += 1;
    }

    /// The chunk of a warp, as this block has it.
    fn chunk(&mut self, warp: usize, index: usize) -> &mut Chunk {
        if self.warps.len() <= warp {
            self.warps.resize_with(warp + 1, Vec::new);
        }
        let chunks = &mut self.warps[warp];
        if chunks.len() <= index {
            chunks.resize_with(index + 1, || None);
        }
        let chunk = chunks[index].get_or_insert_with(|| Chunk {
            epoch: 0,
            bytes: vec![Line::GARBAGE; PIECE * LANES / size_of::<Line>()].into(),
            written: self.track.then(|| Written::new((PIECE * LANES) as u64)).flatten(),
        });
        if chunk.epoch != self.epoch {
            if chunk.epoch != 0 {
                fill(&mut chunk.bytes, GARBAGE);
                if let Some(written) = &chunk.written {
                    written.clear((PIECE * LANES) as u64);
                }
            }
            chunk.epoch = self.epoch;
        }
        chunk
    }

    /// Makes pointers of offsets, all of which must be multiples of `bytes` and end within `top`; `false` where one is
    /// not. Lanes outside of `mask` get the pointer of the first lane in it; there must be one.
    pub(super) fn resolve(
        &mut self,
        warp: u32,
        offsets: &Row<u64>,
        mask: Mask,
        bytes: u32,
        top: u32,
        to: &mut Row<*mut u8>,
    ) -> bool {
        let span = Span { base: 0, bytes: u64::from(top), pointer: null_mut() };
        if !span.pointers(offsets, mask, bytes, to) {
            return false;
        }
        // Now `to` holds the offsets, good ones in all lanes.
        let first = to.0[mask.trailing_zeros() as usize].addr();
        let (piece, at) = (first / PIECE, first % PIECE);
        let base = self.chunk(warp as usize, piece).pointer();
        if to.0.iter().fold(0, |apart, offset| apart | offset.addr() ^ first) == 0 {
            let lane_of = |lane: usize| if mask >> lane & 1 == 1 { lane } else { mask.trailing_zeros() as usize };
            // Within the chunk: a lane has PIECE bytes, and an aligned access of at most 32 does not leave them.
            to.0 = std::array::from_fn(|lane| base.wrapping_add(lane_of(lane) * PIECE + at));
            return true;
        }
        for lane in lanes(mask) {
            let offset = to.0[lane].addr();
            let base = if offset / PIECE == piece { base } else { self.chunk(warp as usize, offset / PIECE).pointer() };
            to.0[lane] = base.wrapping_add(lane * PIECE + offset % PIECE);
        }
        let first = to.0[mask.trailing_zeros() as usize];
        lanes(!mask).for_each(|lane| to.0[lane] = first);
        true
    }

    /// The pointer of one lane's offset; `None` where it is no multiple of `bytes` or ends past `top`.
    pub(super) fn resolve_one(&mut self, warp: u32, lane: usize, offset: u64, bytes: u32, top: u32) -> Option<*mut u8> {
        let span = Span { base: 0, bytes: u64::from(top), pointer: null_mut() };
        let offset = span.pointer(offset, bytes)?.addr();
        let base = self.chunk(warp as usize, offset / PIECE).pointer();
        Some(base.wrapping_add(lane * PIECE + offset % PIECE))
    }

    /// Moves bytes of each lane of `mask`, and whether they were written, from one offset to another.
    pub(super) fn copy(&mut self, warp: u32, mask: Mask, to: u32, from: u32, bytes: u32) {
        for lane in lanes(mask) {
            let mut done = 0;
            while done < bytes {
                let (to, from) = ((to + done) as usize, (from + done) as usize);
                let part = (PIECE - to % PIECE).min(PIECE - from % PIECE).min((bytes - done) as usize);
                let (to_at, from_at) = (lane * PIECE + to % PIECE, lane * PIECE + from % PIECE);
                let source = self.chunk(warp as usize, from / PIECE).pointer();
                let target = self.chunk(warp as usize, to / PIECE).pointer();
                // SAFETY: both chunks hold PIECE bytes for each of 32 lanes, `part` bytes stay within the lane's, and
                // making the second chunk does not move the first's bytes.
                unsafe { std::ptr::copy(source.add(from_at), target.add(to_at), part) };
                let chunks = &self.warps[warp as usize];
                let written = |index: usize| chunks[index].as_ref().and_then(|chunk| chunk.written.as_ref());
                if let (Some(target), Some(source)) = (written(to / PIECE), written(from / PIECE)) {
                    target.copy(to_at as u64, source, from_at as u64, part as u64);
                }
                done += part as u32;
            }
        }
    }

    /// The bits of a lane's offset, which [`resolve`](Self::resolve) has found good, and the place among them.
    pub(super) fn written(&self, warp: u32, lane: usize, offset: u64) -> Option<(&Written, u64)> {
        let (piece, at) = (offset as usize / PIECE, offset as usize % PIECE);
        let chunk = self.warps.get(warp as usize)?.get(piece)?.as_ref()?;
        Some((chunk.written.as_ref()?, (lane * PIECE + at) as u64))
    }
}
