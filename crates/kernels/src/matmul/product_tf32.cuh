// Matrix products in tf32 on tensor cores: f32 in memory, factors rounded as they are multiplied, sums in f32.
//
//   C[i,j] = epilogue( start[i,j] + sum_p round(A[i,p]) round(B[p,j]) )
//
// round: to f32's exponents and 11 bits of precision, to nearest, ties away from zero.
//
// Shapes    c (M, N); a (M, K), or (K, M) if transposed; b (K, N), or (N, K) if transposed; all f32, row-major. other:
//           bias (N), activations (M, N) or, where A alone is transposed, column sums (M), as `epilogue` says.
// Launch    one block a tile of C, in one dimension; cuda.rs picks the tile: 128 x 128 by 128 threads, or 64 x 64 by
//           256. 64 KiB of dynamic shared memory.
// Requires  M, N >= 1, K >= 0, each below 2^31 - 128; c apart from the others. Any alignment.
// Traffic   a block reads 2 TILE K values: of device memory the floor, 4 (M K + K N + M N) bytes, as far as what it
//           shares with its neighbours stays in the second-level cache (`Place`).
//
// As product_16.cuh, of values twice as large, and half as many terms: tiles of 16 terms, or 32, as they lie in global
// memory, four in flight by cp.async and one barrier a tile. Four warps have a quarter each of C's tile; for 8 terms a
// warp loads 128 (64) rows, 128 bytes a cycle, and multiplies 32 (8) times 16 x 8 sums: at 512 multiply-adds a cycle,
// as on sm_80, shared memory is busy half (all) of the time. A second group of four warps takes half of the smaller
// tile's terms.
//
// A tile is lines of values that are neighbours in global memory too: a row's terms, or a term's values. mma wants of
// 8 rows, a row for four lanes, 4 terms each. Where a line is a row's terms these are 16 bytes of 8 lines, a matrix
// for ldmatrix, which moves bytes whatever they mean. It transposes 16-bit values only: where a line is a term's
// values, a lane loads its values one by one, which are 8 neighbours of 4 lines. `Layout` puts either into 32
// different banks, so that no load has a bank conflict; nor have the copies, which fill lines.
//
// Where base or pitch of an operand is not aligned to 16 bytes it is copied by single values, neighbours by
// neighbouring lanes. C goes through shared memory as in product_f32.cuh, four values an access where aligned.
//
// Numerics  Products of two 11-bit significands are exact in f32. Their sums' order is the hardware's, which may
//           truncate instead of rounding: |error| <= K 2^-23 sum |round(a) round(b)|. `start` is added to the finished
//           sum; the epilogue is f32. Column sums are of A's values as they are, in column_sum's order.

#pragma once

#include "product.cuh"

// Terms that a group of four warps takes of a tile, and that it multiplies at a time.
constexpr int DEPTH = 16, STEP = 8;
constexpr int STAGES = 4;
constexpr int CHUNK = 4;

extern __shared__ __align__(128) unsigned char shared[];

// How an operand of (count, K) lies in tiles: SIZE rows of A, or columns of B, of TERMS terms. TERMS_INNER: a line is
// a row's terms, else a term's values.
template <bool TERMS_INNER_, int SIZE, int TERMS>
struct Layout {
    static constexpr bool TERMS_INNER = TERMS_INNER_;
    static constexpr int LINES = TERMS_INNER ? SIZE : TERMS, ALONG = TERMS_INNER ? TERMS : SIZE;
    static constexpr int LINE_BYTES = 4 * ALONG, DEPTH = TERMS;

    // Where a chunk of a line lies, in bytes. Of a row's terms, chunk i of eight neighbouring lines lies in all eight
    // places of 128 bytes: these are two lines of 16 values, or a part of one that is longer. Of a term's values,
    // chunks 2 i and 2 i + 1 of four neighbouring lines do.
    static __device__ __forceinline__ u32 place(int line, int chunk) {
        int swizzle = !TERMS_INNER ? line % 4 * 2 : ALONG == 16 ? line / 2 % 4 : line % 8;
        return line * LINE_BYTES + (chunk ^ swizzle) * 16;
    }
};

// What one of THREADS threads copies of an operand, tile after tile. T is float.
template <typename T, class Layout, int THREADS>
struct Copies {
    const float* from;  // the next value to copy
    int pitch;          // of the operand's lines
    int lines, along;   // how many lines and values of a line there are from there on; none if not positive
    u32 to;             // its place in the first tile
    bool whole;         // chunks are aligned, and all there or not at all

    // From row `first` on, to tiles from address `tiles` on.
    __device__ __forceinline__ Copies(const float* values, int count, int k, int first, u32 tiles) {
        constexpr bool TERMS_INNER = Layout::TERMS_INNER;
        pitch = TERMS_INNER ? k : count;
        whole = aligned(values, 16) && pitch % CHUNK == 0;
        int at = whole ? CHUNK * threadIdx.x : threadIdx.x, line = at / Layout::ALONG, value = at % Layout::ALONG;
        from = values + (TERMS_INNER ? (size_t)(first + line) * k : (size_t)line * count + first) + value;
        lines = (TERMS_INNER ? count - first : k) - line;
        along = (TERMS_INNER ? k : count - first) - value;
        to = tiles + Layout::place(line, value / CHUNK) + value % CHUNK * sizeof(float);
        keep(to);
    }

    // Copies the next terms to the tile that lies `stage` bytes behind the first; zeros for what is not there.
    __device__ __forceinline__ void fetch(u32 stage) {
        if (whole) {
            fetch_by<CHUNK>(stage);
        } else {
            fetch_by<1>(stage);
        }
        if (Layout::TERMS_INNER) {
            from += Layout::DEPTH;
            along -= Layout::DEPTH;
        } else {
            from += (size_t)pitch * Layout::DEPTH;
            lines -= Layout::DEPTH;
        }
    }

    template <int COUNT>
    __device__ __forceinline__ void fetch_by(u32 stage) {
        constexpr int PASS = COUNT * THREADS / Layout::ALONG;
        // Lines of all passes lie as those of the first, but where a pass is a term's values: that is then number 0.
        constexpr bool ALIKE = PASS % (Layout::TERMS_INNER ? 8 : 4) == 0;
        static_assert(ALIKE || (!Layout::TERMS_INNER && PASS == 1), "as said");
        const float* next = from;
#pragma unroll
        for (int line = 0; line < Layout::LINES; line += PASS) {
            u32 place = (ALIKE ? to : to ^ (line % 4 * 32)) + line * Layout::LINE_BYTES;
            copy_async<COUNT * sizeof(float)>(place + stage, next, line < lines && along > 0);
            next += (size_t)pitch * PASS;
        }
    }
};

// A value of shared memory, as the nearest that tf32 has.
__device__ __forceinline__ void round_factor(u32& x) { asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(x) : "r"(x)); }

__device__ __forceinline__ u32 load_value(u32 from) {
    u32 x;
    asm volatile("ld.shared.u32 %0, [%1];" : "=r"(x) : "r"(from) : "memory");
    return x;
}

// What one lane loads, of COUNT times 16 rows: four matrices, which are 8 terms of 16 rows. Of each, lane 4 g + t has
// row g and term t. multiply_add wants A's as 8 rows, the next 8, then both 4 terms on; B's as 4 terms, the next 4,
// then both 8 rows on.
template <class Layout, bool IS_B, int COUNT>
struct Matrices {
    // Swizzling keeps 16 lines together, or 32 values of a line, but no fewer: an address for each step of terms, or
    // of 8 values in these.
    static constexpr int ADDRESSES = Layout::TERMS_INNER ? DEPTH / STEP : 4;
    u32 addresses[ADDRESSES];

    // From row `row` and term `term` on of the tiles that begin at address `tiles`.
    __device__ __forceinline__ Matrices(u32 tiles, int row, int term) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int i = 0; i < ADDRESSES; i++) {
            if (Layout::TERMS_INNER) {
                // ldmatrix is given lines by lanes 8 i to 8 i + 7 for matrix i.
                int line = IS_B ? lane / 16 * 8 + lane % 8 : lane % 16, chunk = IS_B ? lane / 8 % 2 : lane / 16;
                addresses[i] = tiles + Layout::place(row + line, (term + i * STEP) / CHUNK + chunk);
            } else {
                int value = row + i * 8 + lane / 4;
                addresses[i] = tiles + Layout::place(term + lane % 4, value / CHUNK) + value % CHUNK * sizeof(float);
            }
            keep(addresses[i]);
        }
    }

    // Of 16 rows, number `rows`, the 8 terms, number `step`, of the tile that lies `stage` bytes behind the first,
    // rounded.
    __device__ __forceinline__ void load(u32 (&r)[4], u32 stage, int rows, int step) const {
        if (Layout::TERMS_INNER) {
            load_matrices<false>(r, addresses[step % ADDRESSES] + stage + rows * 16 * Layout::LINE_BYTES);
        } else {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                int eight = rows * 2 + (IS_B ? i / 2 : i % 2), term = step * STEP + (IS_B ? i % 2 : i / 2) * 4;
                u32 along = eight / ADDRESSES * 8 * ADDRESSES * sizeof(float);
                r[i] = load_value(addresses[eight % ADDRESSES] + stage + term * Layout::LINE_BYTES + along);
            }
        }
#pragma unroll
        for (int i = 0; i < 4; i++) round_factor(r[i]);
    }
};

// d += a b, for a of 16 x 8 and b of 8 x 8 values of tf32; sums in f32. Lane 4 g + t has of a, in this order: row g
// and g + 8 of column t, then both of column t + 4; of b rows t and t + 4 of column g; of d row g and then g + 8 of
// columns 2 t, 2 t + 1.
template <>
__device__ __forceinline__ void multiply_add<float>(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
        "{%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

#include "product_tensor.cuh"
