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
// bytes of shared memory at a time. C goes through shared memory as in matmul.cu, four values an access where
// aligned.
//
// Numerics  Products are exact in f32. Their sums' order is the hardware's, which may truncate instead of rounding:
//           |error| <= K 2^-23 sum |a b|. `start` is added to the finished sum; the epilogue is f32; then one
//           rounding.
#pragma once

#include "product.cuh"

// Terms that a group of four warps takes of a tile.
constexpr int DEPTH = 32;
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
    static constexpr int ADDRESSES = Layout::TERMS_INNER ? DEPTH / 16 : COUNT;
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

// 16 rows of a warp's sums on their way to C, through shared memory. A pitch of 8 more than a multiple of 32 lays the
// pairs that four rows of lanes write into different banks.
template <int WARP>
struct Strip {
    static constexpr int ROWS = 16, PITCH = WARP + 8;

    float* values;  // (ROWS, PITCH)
    int row, col;   // of C, where they begin
    int m, n;

    __device__ __forceinline__ void put(const float (&sum)[WARP / 8][4]) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int j = 0; j < WARP / 8; j++) {
            float* to = &values[lane / 4 * PITCH + j * 8 + lane % 4 * 2];
            *(float2*)to = float2{sum[j][0], sum[j][1]};
            *(float2*)(to + 8 * PITCH) = float2{sum[j][2], sum[j][3]};
        }
    }

    template <int COUNT, typename C, typename T, class Follows>
    __device__ __forceinline__ void write(C* c, bool accumulate, const Epilogue<T>& epilogue, const Follows& follows) {
#pragma unroll 1
        for (int at = COUNT * (threadIdx.x % 32); at < ROWS * WARP; at += COUNT * 32) {
            int r = row + at / WARP, column = col + at % WARP;
            u32 known = follows.at(at);
            if (r >= m || column >= n) continue;
            Pack<float, COUNT> sum = *(const Pack<float, COUNT>*)&values[at / WARP * PITCH + at % WARP];
            size_t place = (size_t)r * n + column;
            if (accumulate) {
                Pack<C, COUNT> start = *(const Pack<C, COUNT>*)(c + place);
#pragma unroll
                for (int j = 0; j < COUNT; j++) sum.values[j] = to_float(start.values[j]) + sum.values[j];
            }
            epilogue.apply(sum.values, place, column);
            follows.apply(sum.values, known);
            Pack<C, COUNT> out;
#pragma unroll
            for (int j = 0; j < COUNT; j++) out.values[j] = from_float<C>(sum.values[j]);
            *(Pack<C, COUNT>*)(c + place) = out;
        }
    }

    template <typename C, typename T, class Follows>
    __device__ __forceinline__ void write(void* c, bool accumulate, const Epilogue<T>& epilogue, const Follows& follows) {
        if (aligned(c, 4 * sizeof(C)) && n % 4 == 0 && epilogue.template takes<4>()) {
            write<4>((C*)c, accumulate, epilogue, follows);
        } else {
            write<1>((C*)c, accumulate, epilogue, follows);
        }
    }
};

// The sums of 16 rows, for the thread of the other group that has the same elements.
template <int COUNT>
__device__ __forceinline__ void give(const float (&sum)[COUNT][4], float4* values) {
#pragma unroll
    for (int j = 0; j < COUNT; j++) values[j * 128] = float4{sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
}

// Adds what that thread gave.
template <int COUNT>
__device__ __forceinline__ void take(float (&sum)[COUNT][4], const float4* values) {
#pragma unroll
    for (int j = 0; j < COUNT; j++) {
        float4 given = values[j * 128];
        sum[j][0] += given.x, sum[j][1] += given.y, sum[j][2] += given.z, sum[j][3] += given.w;
    }
}

// Adds what two groups have for the same 32 rows: the first group the first 16 rows, the second the others. The
// branches keep the sums in registers.
template <int COUNT>
__device__ __forceinline__ void exchange(float (&sum)[2][COUNT][4], float4* values) {
    bool first = threadIdx.x < 128;
    float4 *upper = values + threadIdx.x % 128, *lower = upper + COUNT * 128;
    if (first) {
        give(sum[1], lower);
    } else {
        give(sum[0], upper);
    }
    __syncthreads();
    if (first) {
        take(sum[0], upper);
    } else {
        take(sum[1], lower);
    }
}

template <typename T, bool A_TRANSPOSED, bool B_TRANSPOSED, int TILE, int GROUPS, class After>
__device__ __forceinline__ void product(void* c, const T* a, const T* b, void* other, int m, int n, int k,
                                        bool c_is_float, bool accumulate, int epilogue, float scale,
                                        const After& after) {
    constexpr int WARP = TILE / 2, SIXTEENS = WARP / 16;
    // Bytes of a tile of one operand, and of a stage.
    constexpr u32 BYTES = TILE * GROUPS * DEPTH * sizeof(T), STAGE = 2 * BYTES;
    using A = Layout<!A_TRANSPOSED, TILE, GROUPS * DEPTH>;
    using B = Layout<B_TRANSPOSED, TILE, GROUPS * DEPTH>;
    using Strip = Strip<WARP>;
    constexpr int STRIPS = 4 * GROUPS * Strip::ROWS * Strip::PITCH, EXCHANGED = GROUPS == 1 ? 0 : TILE * TILE;
    static_assert(STAGES * STAGE >= (STRIPS + EXCHANGED) * sizeof(float), "they lie where tiles were");

    Place place(m, n, TILE, TILE);
    int warp = threadIdx.x / 32, group = warp / 4, row = warp / 2 % 2 * WARP, col = warp % 2 * WARP;
    u32 tiles = shared_address(shared);
    Copies<T, A, 128 * GROUPS> a_copies(a, m, k, place.row, tiles);
    Copies<T, B, 128 * GROUPS> b_copies(b, n, k, place.col, tiles + BYTES);
    Matrices<A, false, SIXTEENS> a_matrices(tiles, row, group * DEPTH);
    Matrices<B, true, SIXTEENS> b_matrices(tiles + BYTES, col, group * DEPTH);

    // Of a transposed A alone is a term's values what is stored side by side.
    constexpr bool SUMS = A_TRANSPOSED && !B_TRANSPOSED;
    using Columns = ColumnSums<TILE>;
    __shared__ float column_values[SUMS ? Columns::VALUES : 1];
    Columns columns = {column_values};
    if constexpr (SUMS) columns.begin(epilogue == COLUMN_SUMS, place, (const float*)other, m);

    float sum[SIXTEENS][2 * SIXTEENS][4] = {};
    int count = k / (GROUPS * DEPTH) + (k % (GROUPS * DEPTH) != 0);
    // The first rounds only fetch.
#pragma unroll 1
    for (int fetched = 0; fetched < count + STAGES - 1; fetched++) {
        bool multiply = fetched >= STAGES - 1;
        if (multiply) {
            copy_wait<STAGES - 2>();
            // All threads' copies of this tile have arrived, and all are done with the tile before it, whose place
            // the next copies take.
            __syncthreads();
        }
        if (fetched < count) {
            u32 stage = (u32)fetched % STAGES * STAGE;
            a_copies.fetch(stage);
            b_copies.fetch(stage);
        }
        // A group for every round, if an empty one, so that their count says which tile has arrived.
        copy_commit();
        if (!multiply) continue;

        u32 stage = (u32)(fetched + 1) % STAGES * STAGE;
#pragma unroll
        for (int terms = 0; terms < DEPTH / 16; terms++) {
            u32 x[SIXTEENS][4], y[SIXTEENS][4];
#pragma unroll
            for (int i = 0; i < SIXTEENS; i++) a_matrices.load(x[i], stage, i, terms);
#pragma unroll
            for (int j = 0; j < SIXTEENS; j++) b_matrices.load(y[j], stage, j, terms);
#pragma unroll
            for (int i = 0; i < SIXTEENS; i++)
#pragma unroll
                for (int j = 0; j < 2 * SIXTEENS; j++)
                    multiply_add<T>(sum[i][j], x[i], y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
        }
        if constexpr (SUMS) {
            constexpr int TERMS = GROUPS * DEPTH;
            int first = (fetched - (STAGES - 1)) * TERMS, column = threadIdx.x % TILE;
            const unsigned char* values = shared + stage + column % CHUNK * sizeof(T);
            columns.add(first, min(k - first, TERMS),
                        [&](int term) { return to_float(*(const T*)(values + A::place(term, column / CHUNK))); });
        }
    }

    // What follows lies where the tiles were.
    __syncthreads();
    if constexpr (SUMS) columns.write(place, (float*)other, m, k);
    float* strips = (float*)shared;
    if constexpr (GROUPS == 2) exchange(sum, (float4*)(strips + STRIPS));
    Epilogue<T> finish = {other, SUMS && epilogue == COLUMN_SUMS ? NONE : epilogue, scale};
    // One loop body for all strips; which sums it takes is a branch, so that they stay in registers.
#pragma unroll 1
    for (int i = GROUPS == 2 ? group : 0; i < (GROUPS == 2 ? group + 1 : SIXTEENS); i++) {
        Strip strip = {strips + warp * Strip::ROWS * Strip::PITCH, place.row + row + i * 16, place.col + col, m, n};
        __syncwarp();
#pragma unroll
        for (int which = 0; which < SIXTEENS; which++)
            if (which == i) strip.put(sum[which]);
        __syncwarp();
        auto follows = after.template strip<WARP>(strip.row, strip.col);
        if (c_is_float) {
            strip.template write<float>(c, accumulate, finish, follows);
        } else {
            strip.template write<T>(c, accumulate, finish, follows);
        }
    }
    after.finish(place, TILE, TILE);
}
