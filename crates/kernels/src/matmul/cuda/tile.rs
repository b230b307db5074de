//! Which tile of C a block makes.

use super::Shape;

/// A tile that kernels are compiled for.
#[derive(Debug)]
pub(super) struct Tile {
    /// How entries name it.
    pub name: &'static str,
    /// Rows, and as many columns.
    pub side: usize,
    /// Threads of its block.
    pub threads: u32,
    /// Dynamic shared memory of its block.
    pub shared_bytes: u32,
    /// What a multiply-add takes, in tenths of the largest tile's: the smaller the tile, the more instructions and
    /// traffic there are for each.
    tenths: usize,
    /// How many blocks a multiprocessor needs at least to be busy.
    blocks: usize,
}

/// Those of `matmul.cu`. Four warps keep the four schedulers of a multiprocessor busy. Beside 64 multiply-adds stand
/// 4 loads of shared memory and 5, or 10, instructions of copies; beside the 16 of the smallest tile 2 and 5.
pub(super) const WHOLE: [Tile; 3] = [
    Tile { name: "large", side: 128, threads: 256, shared_bytes: 0, tenths: 10, blocks: 1 },
    Tile { name: "medium", side: 64, threads: 64, shared_bytes: 0, tenths: 11, blocks: 2 },
    Tile { name: "small", side: 32, threads: 64, shared_bytes: 0, tenths: 14, blocks: 2 },
];

/// Those of `product_16.cuh`: four stages of two operands' 32 or 64 terms of 16 bits. Of the smaller tile, shared
/// memory is read as long as tensor cores compute; of the larger one, half as long.
pub(super) const HALF: [Tile; 2] = [
    Tile { name: "large", side: 128, threads: 128, shared_bytes: 4 * 2 * 128 * 32 * 2, tenths: 10, blocks: 1 },
    Tile { name: "medium", side: 64, threads: 256, shared_bytes: 4 * 2 * 64 * 64 * 2, tenths: 14, blocks: 1 },
];

/// Those of `matmul_tf32.cu`: half as many terms of twice the size, and half as many multiply-adds a cycle.
pub(super) const TF32: [Tile; 2] = HALF;

impl Tile {
    /// Those that there are for a type.
    pub fn all(name: &str) -> &'static [Tile] {
        match name {
            "f32" => &WHOLE,
            "tf32" => &TF32,
            _ => &HALF,
        }
    }

    /// How many rows and columns of tiles C is cut into.
    pub fn counts(&self, Shape { m, n, .. }: Shape) -> (usize, usize) {
        (m.div_ceil(self.side), n.div_ceil(self.side))
    }

    /// The index of the tile by which the busiest multiprocessor is done first.
    pub fn of(tiles: &[Tile], shape: Shape, multiprocessors: usize) -> usize {
        let cost = |tile: &Tile| {
            let (rows, columns) = tile.counts(shape);
            let blocks = rows.saturating_mul(columns).div_ceil(multiprocessors).max(tile.blocks);
            blocks.saturating_mul(tile.side * tile.side * tile.tenths)
        };
        (0..tiles.len()).min_by_key(|&i| cost(&tiles[i])).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_as_large_as_the_multiprocessors_can_be_busy() {
        let of = |tiles: &'static [Tile], m, n| tiles[Tile::of(tiles, Shape { m, n, k: 512 }, 108)].name;
        for tiles in [&WHOLE[..], &HALF] {
            assert_eq!(of(tiles, 4096, 32000), "large");
            assert_eq!(of(tiles, 4096, 2048), "large");
            assert_eq!(of(tiles, usize::MAX, usize::MAX), "large");
            // 448 medium tiles are four for each and some over; 112 large ones would be two for some.
            assert_eq!(of(tiles, 28 * 64, 16 * 64), "medium");
        }
        // 32 large tiles, or 128 medium ones: both leave many idle.
        for m in [1024, 32, 1] {
            assert_eq!((of(&WHOLE, m, 512), of(&HALF, m, 512)), ("small", "medium"));
        }
    }
}
