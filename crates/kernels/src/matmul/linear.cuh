// What may follow a linear layer, y = x W^T + b, in the same launch: `After` of a product.
//
//   Dropped     y = factor * max(y, 0)                               behind the ReLU, the paper's equation 2
//   Normalized  sum = fma(factor, y, x), out = LN(sum)               the end of a sublayer; y becomes sum
//
// dropout.rs and layer_norm/mod.rs are the contracts; in f32 the bits are those of one operation after the other. In 16
// bits Dropped rounds once, not between; Normalized reads y as it was rounded.
#pragma once

#include "arrive.cuh"
#include "normalize.cuh"
#include "product.cuh"

// Which of 16 rows of up to 64 neighbouring columns stay: a bit a column, 32 of a row in a lane's word. A block of
// Philox has pieces for columns 32 apart: one is made for each row and each two columns, or each column where the strip
// is 32 wide, and a ballot puts the pieces in order.
template <int WIDTH>
struct Mask {
    static constexpr int ROWS = 16;
    static_assert(ROWS * WIDTH <= 32 * 32, "a word a lane");

    u32 word;  // of row lane % 16, and the columns from lane / 16 * 32 on
    float scale;

    __device__ __forceinline__ Mask(const Dropout& dropout, int row, int col) : word(0), scale(dropout.scale) {
        int lane = threadIdx.x % 32, first = col / 32;
        u32 step = *dropout.step;
#pragma unroll 1
        for (int r = 0; r < ROWS; r++) {
            Pieces block = pieces(dropout, step, row + r, first / 8 * 32 + lane);
#pragma unroll
            for (int i = 0; i < WIDTH / 32; i++) {
                u32 stay = __ballot_sync(ALL_LANES, factor(dropout, block, (first + i) % 8) > 0.0f);
                if (lane == i * ROWS + r) word = stay;
            }
        }
    }

    // Bits of the neighbours from `place` on, row by row; the first is the lowest.
    __device__ __forceinline__ u32 at(int place) const {
        int row = place / WIDTH, col = place % WIDTH;
        return __shfl_sync(ALL_LANES, word, col / 32 * ROWS + row) >> col % 32;
    }

    template <int COUNT>
    __device__ __forceinline__ void apply(float (&values)[COUNT], u32 kept) const {
#pragma unroll
        for (int j = 0; j < COUNT; j++) values[j] = (kept >> j & 1 ? scale : 0.0f) * values[j];
    }
};

struct Dropped {
    Dropout dropout;

    template <int WIDTH>
    __device__ __forceinline__ Mask<WIDTH> strip(int row, int col) const {
        return Mask<WIDTH>(dropout, row, col);
    }

    __device__ __forceinline__ void finish(const Place&, int, int) const {}
};

// The block that finishes the last tile of a row of tiles normalizes C's rows that these have, a warp a row, while other
// blocks go on with theirs. Nobody waits: a launch and its reading of C from memory are saved, for C is still in the
// second-level cache. GROUPS: rows of up to 256 GROUPS columns are kept in registers, the next one ahead.
template <typename T, int GROUPS>
struct Normalized {
    Norm<T> norm;  // its `sum` is C
    u32* arrived;  // a counter of tiles for each row of tiles, all 0 between launches

    template <int WIDTH>
    __device__ __forceinline__ Nothing strip(int, int) const {
        return {};
    }

    __device__ __forceinline__ void finish(const Place& place, int tile_m, int tile_n) const {
        if (!last_to_arrive(arrived + place.row / tile_m, (norm.c - 1) / tile_n + 1)) return;
        int end = min(place.row + tile_m, norm.n), warps = blockDim.x / 32, lane = threadIdx.x % 32;
        int row = place.row + threadIdx.x / 32;
        if (norm.c <= GROUPS * GROUP && (LEN<T> == 1 || vectors_of(norm))) {
            Row<T, GROUPS> now, next;
            if (row < end) now.load(norm, row, lane);
#pragma unroll 1
            for (; row < end; row += warps) {
                if (row + warps < end) next.load(norm, row + warps, lane);
                now.normalize(norm, row, lane);
                now = next;
            }
        } else {
#pragma unroll 1
            for (; row < end; row += warps) normalize_wide(norm, row, lane);
        }
    }
};
