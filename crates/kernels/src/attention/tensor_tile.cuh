// Tiles of 16-bit rows in shared memory, and what tensor cores take from them.
#pragma once

#include "attention.cuh"
#include "tensor.cuh"

using u16 = unsigned short;

// Two numbers in one register, the first in the lower half.
template <typename T>
__device__ __forceinline__ u32 packed(float low, float high);

template <>
__device__ __forceinline__ u32 packed<bf16>(float low, float high) {
    u32 bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

template <>
__device__ __forceinline__ u32 packed<f16>(float low, float high) {
    u32 bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

// A tile of rows of COLUMNS values, a power of two from 32 to 128, in chunks of 8. The same chunk of eight rows in a
// row, as ldmatrix reads them, lies in all 32 banks, and so do eight chunks in a row, as copies write them.
template <int COLUMNS>
__device__ __forceinline__ int chunk_turn(int row) {
    constexpr int CHUNKS = COLUMNS / 8, GROUP = CHUNKS < 8 ? CHUNKS : 8;
    return row / (8 / GROUP) % GROUP;
}

template <int COLUMNS>
__device__ __forceinline__ int chunk_place(int row, int chunk) {
    return row * COLUMNS + (chunk ^ chunk_turn<COLUMNS>(row)) * 8;
}

// The same for a lane's row and chunk, seen from a row that is a multiple of 8, which turns nothing, and an even chunk:
// what does not change from place to place is worked out once.
template <int COLUMNS>
struct Place {
    int row, chunk;  // in values

    __device__ __forceinline__ Place(int row, int chunk)
        : row(row * COLUMNS), chunk((chunk ^ chunk_turn<COLUMNS>(row)) * 8) {}

    __device__ __forceinline__ int from(int first_row, int first_chunk) const {
        return row + first_row * COLUMNS + (chunk ^ first_chunk * 8);
    }
};

// Where a lane finds what it has of matrices.
template <int COLUMNS>
struct Places {
    Place<COLUMNS> by_rows, by_columns;  // the four matrices of a 16 x 16 tile: first down, or first across
    Place<COLUMNS> pair;                 // of an accumulator: columns 2 c and 2 c + 1 of row g

    __device__ __forceinline__ Places(int lane)
        : by_rows(lane % 16, lane / 16), by_columns(lane / 16 * 8 + lane % 8, lane / 8 % 2), pair(lane / 4, 0) {
        pair.row += lane % 4 * 2;
    }
};

// `all` rows of `hs` values, `stride` apart, to a tile of COLUMNS, of which `rows` are there; the others, and the
// columns from `hs` on, become zeros. `aligned`: whole chunks, aligned to 16 bytes; they arrive with the next committed
// group.
template <int COLUMNS, typename T>
__device__ __forceinline__ void fetch(T* tile, int all, const T* from, int stride, int rows, int hs, bool aligned) {
    constexpr int CHUNKS = COLUMNS / 8;
    if (aligned) {
#pragma unroll 1
        for (int i = threadIdx.x; i < all * CHUNKS; i += blockDim.x) {
            int row = i / CHUNKS, chunk = i % CHUNKS;
            bool there = row < rows && chunk * 8 < hs;
            const T* at = there ? from + (size_t)row * stride + chunk * 8 : from;
            copy_async<16>(shared_address(tile + chunk_place<COLUMNS>(row, chunk)), at, there);
        }
    } else {
#pragma unroll 1
        for (int i = threadIdx.x; i < all * COLUMNS; i += blockDim.x) {
            int row = i / COLUMNS, column = i % COLUMNS;
            T x = from_float<T>(0.0f);
            if (row < rows && column < hs) x = from[(size_t)row * stride + column];
            tile[chunk_place<COLUMNS>(row, column / 8) + column % 8] = x;
        }
    }
}

// `rows` rows of a tile to memory, by one warp or more: this thread is number `thread` of `threads`.
template <int COLUMNS, typename T>
__device__ __forceinline__ void store_rows(T* to, const T* tile, int first, int stride, int rows, int hs, bool aligned,
                                           int thread, int threads) {
    constexpr int CHUNKS = COLUMNS / 8;
    if (aligned) {
#pragma unroll 1
        for (int i = thread; i < rows * CHUNKS; i += threads) {
            int row = i / CHUNKS, chunk = i % CHUNKS;
            if (chunk * 8 < hs)
                *(uint4*)(to + (size_t)row * stride + chunk * 8) =
                    *(const uint4*)(tile + chunk_place<COLUMNS>(first + row, chunk));
        }
    } else {
#pragma unroll 1
        for (int i = thread; i < rows * COLUMNS; i += threads) {
            int row = i / COLUMNS, column = i % COLUMNS;
            if (column < hs)
                to[(size_t)row * stride + column] = tile[chunk_place<COLUMNS>(first + row, column / 8) + column % 8];
        }
    }
}

template <int COLUMNS, typename T>
__device__ __forceinline__ void zero_rows(T* to, int stride, int rows, int hs, bool aligned) {
    constexpr int CHUNKS = COLUMNS / 8;
#pragma unroll 1
    for (size_t i = threadIdx.x; i < (size_t)rows * CHUNKS; i += blockDim.x) {
        int column = (int)(i % CHUNKS) * 8, here = hs - column;
        T* chunk = to + i / CHUNKS * stride + column;
        if (aligned && here > 0) *(uint4*)chunk = uint4{0, 0, 0, 0};
        if (!aligned)
#pragma unroll 1
            for (int e = 0; e < min(here, 8); e++) chunk[e] = from_float<T>(0.0f);
    }
}

// The left factor of 16 rows from `row` on and the 16 columns of chunks `chunk` and `chunk + 1`. Here and below `row`
// is a multiple of 8, `chunk` even.
template <int COLUMNS, typename T>
__device__ __forceinline__ void load_left(u32 (&a)[4], const T* tile, int row, int chunk, const Places<COLUMNS>& at) {
    load_matrices<false>(a, shared_address(tile + at.by_rows.from(row, chunk)));
}

// The left factor of 16 columns (chunks `chunk` and `chunk + 1`) by 16 rows from `row` on: the tile's transpose.
template <int COLUMNS, typename T>
__device__ __forceinline__ void load_left_transposed(u32 (&a)[4], const T* tile, int row, int chunk,
                                                     const Places<COLUMNS>& at) {
    load_matrices<true>(a, shared_address(tile + at.by_columns.from(row, chunk)));
}

// Right factors of a product with the tile's transpose: 16 rows from `row` on are its columns. b[0] and b[1] make the
// first eight of them, b[2] and b[3] the others.
template <int COLUMNS, typename T>
__device__ __forceinline__ void load_right_transposed(u32 (&b)[4], const T* tile, int row, int chunk,
                                                      const Places<COLUMNS>& at) {
    load_matrices<false>(b, shared_address(tile + at.by_columns.from(row, chunk)));
}

// Right factors of a product with the tile: 16 rows from `row` on, and the 16 columns of chunks `chunk` and `chunk +
// 1`.
template <int COLUMNS, typename T>
__device__ __forceinline__ void load_right(u32 (&b)[4], const T* tile, int row, int chunk, const Places<COLUMNS>& at) {
    load_matrices<true>(b, shared_address(tile + at.by_rows.from(row, chunk)));
}

// Whether rows at `from`, `stride` apart, are whole chunks of 16 bytes.
template <typename T>
__device__ __forceinline__ bool in_chunks(const T* from, int stride, int hs) {
    return ((u64)from % 16 | (u32)stride % 8 | (u32)hs % 8) == 0;
}

constexpr float LOG2_E = 1.44269504f;
constexpr float LN_2 = 0.693147181f;

// 2^x by the approximate instruction: at most 2 units in the last place off, subnormal results flushed; 0 for minus
// infinity.
__device__ __forceinline__ float exp2_approximate(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
