// Matrix products in bf16 and f16 on tensor cores: a tile of C a block, sums in f32.
//
//   C[i,j] = epilogue( start[i,j] + sum_p A[i,p] B[p,j] )
//
// Shapes    c (M, N) of T or of float; a (M, K), or (K, M) if transposed; b (K, N), or (N, K) if transposed; of T;
//           all row-major. other: bias (N) of float, activations (M, N) of T or, where A alone is transposed, column
//           sums (M) of float, as `epilogue` says.
// Launch    one block a tile of C, in one dimension; cuda.rs picks the tile: 128 x 128 by 128 threads, or 64 x 64 by
//           256. 64 KiB of dynamic shared memory.
// Requires  M, N >= 1, K >= 0, each below 2^31 - 128; c apart from the others. Any alignment.
// Traffic   a block reads 2 TILE K values: of device memory the floor, (M K + K N) sizeof(T) + M N sizeof(C), as far
//           as what it shares with its neighbours stays in the second-level cache (`Place`).
//
// Both operands come in tiles of 32 terms, or 64, as they lie in global memory, four tiles in flight by cp.async and
// one barrier a tile. A tile is lines of values that are neighbours in global memory too: a row's terms, or a term's
// values. Lines are cut into chunks of 16 bytes, ldmatrix reads one chunk of each of eight lines, and `Layout` puts
// these into eight different groups of four banks; so neither the copies nor ldmatrix have bank conflicts. mma wants
// a row's terms side by side: where lines are the other way, ldmatrix transposes.
//
// Four warps have a quarter each of C's tile, 64 x 64 or 32 x 32. For 16 terms a warp loads 8 (4) times four
// matrices, 128 bytes a cycle, and multiplies 32 (8) times 16 x 8 sums: at 1024 multiply-adds a cycle, as on sm_80,
// shared memory is busy half (all) of the time. The addresses stay in registers, so that a round is little else than
// these instructions.
//
// The smaller tiles are for C's that would leave multiprocessors idle, as gradients of weights, whose K is large.
// There a second group of four warps takes 32 of a tile's 64 terms, which halves the rounds; at the end the groups
// add up.
//
// Where base or pitch of an operand is not aligned to 16 bytes it is copied by single values through registers, 16
// bytes of shared memory at a time. C goes through shared memory as in product_f32.cuh, four values an access where
// aligned.
//
// Numerics  Products are exact in f32. Their sums' order is the hardware's, which may truncate instead of rounding:
//           |error| <= K 2^-23 sum |a b|. `start` is added to the finished sum; the epilogue is f32; then one
//           rounding.
#pragma once

#include "product.cuh"

// Terms that a group of four warps takes of a tile, and that it multiplies at a time.
constexpr int DEPTH = 32, STEP = 16;
constexpr int STAGES = 4;
constexpr int CHUNK = 8;

extern __shared__ __align__(128) unsigned char shared[];

// How an operand of (count, K) lies in tiles: SIZE rows of A, or columns of B, of TERMS terms. TERMS_INNER: a line is
// a row's terms, else a term's values.
template <bool TERMS_INNER_, int SIZE, int TERMS>
struct Layout {
    static constexpr bool TERMS_INNER = TERMS_INNER_;
    static constexpr int LINES = TERMS_INNER ? SIZE : TERMS, ALONG = TERMS_INNER ? TERMS : SIZE;
    static constexpr int LINE_BYTES = 2 * ALONG, DEPTH = TERMS;

    // Where a chunk of a line lies, in bytes. Chunk i of eight neighbouring lines lies in all eight places of 128
    // bytes: these are two lines of 32 values, or a part of one that is longer.
    static __device__ __forceinline__ u32 place(int line, int chunk) {
        return line * LINE_BYTES + (chunk ^ (ALONG == 32 ? line / 2 % 4 : line % 8)) * 16;
    }
};

// What one of THREADS threads copies of an operand, tile after tile.
template <typename T, class Layout, int THREADS>
struct Copies {
    static constexpr int CHUNKS = Layout::ALONG / CHUNK, PASS = THREADS / CHUNKS;
    static_assert(PASS % 8 == 0, "the chunks of all passes lie as those of the first");

    const T* from;     // the next chunk to copy
    int pitch;         // of the operand's lines
    int lines, along;  // how many lines and values of a line there are from there on; none if not positive
    u32 to;            // its place in the first tile
    bool whole;        // chunks are aligned, and all there or not at all

    // From row `first` on, to tiles from address `tiles` on.
    __device__ __forceinline__ Copies(const T* values, int count, int k, int first, u32 tiles) {
        constexpr bool TERMS_INNER = Layout::TERMS_INNER;
        int line = threadIdx.x / CHUNKS, chunk = threadIdx.x % CHUNKS;
        pitch = TERMS_INNER ? k : count;
        from = values + (TERMS_INNER ? (size_t)(first + line) * k : (size_t)line * count + first) + chunk * CHUNK;
        lines = (TERMS_INNER ? count - first : k) - line;
        along = (TERMS_INNER ? k : count - first) - chunk * CHUNK;
        to = tiles + Layout::place(line, chunk);
        keep(to);
        whole = aligned(values, 16) && pitch % CHUNK == 0;
    }

    // Copies the next terms to the tile that lies `stage` bytes behind the first; zeros for what is not there.
    __device__ __forceinline__ void fetch(u32 stage) {
        const T* next = from;
        if (whole) {
#pragma unroll
            for (int line = 0; line < Layout::LINES; line += PASS) {
                copy_async<16>(to + stage + line * Layout::LINE_BYTES, next, line < lines && along > 0);
                next += (size_t)pitch * PASS;
            }
        } else {
#pragma unroll 1
            for (int line = 0; line < Layout::LINES; line += PASS) {
                u32 pairs[CHUNK / 2];
#pragma unroll
                for (int i = 0; i < CHUNK; i += 2) {
                    T low = line < lines && i < along ? next[i] : T{0};
                    T high = line < lines && i + 1 < along ? next[i + 1] : T{0};
                    pairs[i / 2] = low.bits | (u32)high.bits << 16;
                }
                store_shared(to + stage + line * Layout::LINE_BYTES, uint4{pairs[0], pairs[1], pairs[2], pairs[3]});
                next += (size_t)pitch * PASS;
            }
        }
        if (Layout::TERMS_INNER) {
            from += Layout::DEPTH;
            along -= Layout::DEPTH;
        } else {
            from += (size_t)pitch * Layout::DEPTH;
            lines -= Layout::DEPTH;
        }
    }
};

// What one lane asks ldmatrix for, of COUNT times 16 rows: four matrices, which are 16 terms of 16 rows. multiply_add
// wants A's as 8 rows, the next 8, then both 8 terms on; B's as 8 terms, the next 8, then both 8 rows on.
template <class Layout, bool IS_B, int COUNT>
struct Matrices {
    // Swizzling keeps 16 lines together, but not 16 values of a line: an address for each of those.
    static constexpr int ADDRESSES = Layout::TERMS_INNER ? DEPTH / STEP : COUNT;
    u32 addresses[ADDRESSES];

    // From row `row` and term `term` on of the tiles that begin at address `tiles`.
    __device__ __forceinline__ Matrices(u32 tiles, int row, int term) {
        constexpr bool LINES_FIRST = Layout::TERMS_INNER != IS_B;
        int lane = threadIdx.x % 32;
        int line = LINES_FIRST ? lane % 16 : lane / 16 * 8 + lane % 8, chunk = LINES_FIRST ? lane / 16 : lane / 8 % 2;
        line += Layout::TERMS_INNER ? row : term;
        chunk += (Layout::TERMS_INNER ? term : row) / CHUNK;
#pragma unroll
        for (int i = 0; i < ADDRESSES; i++) {
            addresses[i] = tiles + Layout::place(line, chunk + i * 16 / CHUNK);
            keep(addresses[i]);
        }
    }

    // Of 16 rows, number `rows`, the 16 terms, number `terms`, of the tile that lies `stage` bytes behind the first.
    __device__ __forceinline__ void load(u32 (&r)[4], u32 stage, int rows, int terms) const {
        int which = Layout::TERMS_INNER ? terms : rows, lines = Layout::TERMS_INNER ? rows : terms;
        load_matrices<!Layout::TERMS_INNER>(r, addresses[which] + stage + lines * 16 * Layout::LINE_BYTES);
    }
};

#include "product_tensor.cuh"
