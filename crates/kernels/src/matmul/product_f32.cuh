// Matrix products in f32: a tile of C a block, a square of it a thread, each element one chain of fused
// multiply-adds.
//
//   C[i,j] = epilogue( start[i,j] + sum_p A[i,p] B[p,j] )          p ascending, never split: the CPU's bits (mod.rs)
//
// Shapes    c (M, N); a (M, K), or (K, M) if transposed; b (K, N), or (N, K) if transposed; all row-major. other:
//           bias (N), activations (M, N) or, where A alone is transposed, column sums (M), as `epilogue` says.
// Launch    one block a tile of C, in one dimension; cuda.rs picks the tile. Tiles of 128 x 128 have 256 threads,
//           those of 64 x 64 and 32 x 32 have 64. Static shared memory only.
// Requires  M, N >= 1, K >= 0, each below 2^31 - 128; c apart from the others. Any alignment.
// Traffic   a block reads (TILE_M + TILE_N) K values: of device memory the floor, 4 (M K + K N + M N) bytes, as far
//           as what it shares with its neighbours stays in the second-level cache (`Place`).
//
// Both operands come in tiles of 8 terms, each term's values side by side in shared memory, four tiles in flight by
// cp.async and one barrier a tile. An operand whose terms lie side by side in global memory is turned on the way: a
// warp copies 8 terms (a sector of 32 bytes) of four rows, four bytes a lane. The pitch of TILE + 4 lays those into
// 32 different banks: 4 p + r. One whose values lie side by side is copied by 16 bytes where base and row allow, else
// by four. So the copies are at most 16 instructions a thread for 512 multiply-adds.
//
// A thread's 8 x 8 sums take 4 loads of 16 bytes for 64 multiply-adds. A warp is 4 x 8 threads, and a thread's rows
// and columns come in fours with the other threads' between: its loads of A are broadcasts and those of B are 128
// bytes in a row, neither with a bank conflict. C goes through shared memory, where a warp finds whole rows of it: by
// 16 bytes where C, what the epilogue reads, and their rows are aligned, else by four, neighbours by neighbouring
// lanes in both cases.
//
// Order     a term beyond K is no term: a zero would turn a sum of -0 into +0. The last tile of terms counts instead.
#pragma once

#include "product.cuh"

constexpr int DEPTH = 8;
constexpr int STAGES = 4;
constexpr int PAD = 4;

template <int M_, int N_, int SIDE_>
struct Tile {
    static constexpr int M = M_, N = N_, SIDE = SIDE_;
    static constexpr int WARP_M = 4 * SIDE, WARP_N = 8 * SIDE;
    static constexpr int THREADS = 32 * (M / WARP_M) * (N / WARP_N);
};

using Large = Tile<128, 128, 8>;
using Medium = Tile<64, 64, 8>;
using Small = Tile<32, 32, 4>;

// An operand of (count, K), rows of A or columns of B, as one thread copies it, tile after tile. TERMS_INNER: its
// terms lie side by side, else its values do.
template <bool TERMS_INNER, int SIZE, int THREADS>
struct Operand {
    static constexpr int PITCH = SIZE + PAD;

    const float* from;  // the next value to copy
    int pitch;          // of the operand
    int rows, terms;    // how many there are from that value on; none if not positive
    u32 to;             // its place in the first tile
    bool packs;

    // From row `first` on, to tiles from address `tiles` on.
    __device__ __forceinline__ Operand(const float* values, int count, int k, int first, u32 tiles) {
        packs = !TERMS_INNER && aligned(values, 16) && count % 4 == 0;
        pitch = TERMS_INNER ? k : count;
        int at = packs ? 4 * threadIdx.x : threadIdx.x;
        int term = TERMS_INNER ? at % DEPTH : at / SIZE, row = TERMS_INNER ? at / DEPTH : at % SIZE;
        from = values + (TERMS_INNER ? (size_t)(first + row) * k + term : (size_t)term * count + first + row);
        rows = count - first - row;
        terms = TERMS_INNER || rows > 0 ? k - term : 0;
        to = tiles + 4 * (term * PITCH + row);
        keep(to);
    }

    // Copies the next terms to the tile `stage` bytes behind the first; zeros for what is not there, which no sum of
    // C sees.
    __device__ __forceinline__ void fetch(u32 stage) {
        if (TERMS_INNER) {
            const float* next = from;
#pragma unroll
            for (int row = 0; row < SIZE; row += THREADS / DEPTH) {
                copy_async<4>(to + stage + 4 * row, next, row < rows && terms > 0);
                next += (size_t)pitch * (THREADS / DEPTH);
            }
            from += DEPTH;
        } else if (packs) {
            fetch_terms<4>(stage);
        } else {
            fetch_terms<1>(stage);
        }
        terms -= DEPTH;
    }

    template <int COUNT>
    __device__ __forceinline__ void fetch_terms(u32 stage) {
#pragma unroll
        for (int term = 0; term < DEPTH; term += COUNT * THREADS / SIZE) {
            copy_async<4 * COUNT>(to + stage + 4 * term * PITCH, from, term < terms);
            from += (size_t)pitch * (COUNT * THREADS / SIZE);
        }
    }
};

// SIDE values in fours, STEP apart from four to four.
template <int SIDE, int STEP>
__device__ __forceinline__ void load(float (&x)[SIDE], u32 from) {
#pragma unroll
    for (int i = 0; i < SIDE; i += 4) {
        float4 four = load_shared(from + i / 4 * STEP * 4);
        x[i] = four.x;
        x[i + 1] = four.y;
        x[i + 2] = four.z;
        x[i + 3] = four.w;
    }
}

// The products of one term, which lies at `a` and `b` in shared memory.
template <int SIDE>
__device__ __forceinline__ void add_term(float (&sum)[SIDE][SIDE], u32 a, u32 b) {
    float x[SIDE], y[SIDE];
    load<SIDE, 16>(x, a);
    load<SIDE, 32>(y, b);
#pragma unroll
    for (int i = 0; i < SIDE; i++)
#pragma unroll
        for (int j = 0; j < SIDE; j++) sum[i][j] = __fmaf_rn(x[i], y[j], sum[i][j]);
}

// C's values on their way between global memory and a warp's sums: 16 rows at a time, a thread's sums from row i on,
// through shared memory, so that a warp's accesses are to neighbours and one loop does for all.
template <class Tile>
struct Strip {
    static constexpr int ROWS = 16, WIDTH = Tile::WARP_N;

    float* values;  // (ROWS, WIDTH)
    int row, col;   // of C, where the warp's begin
    int m, n;

    // `visit(values, at, column, place, there)` for each COUNT neighbours that the strip holds at `place`, if they are
    // `there` in C.
    template <int COUNT, class Visit>
    __device__ __forceinline__ void each(int i, Visit visit) {
        __syncwarp();
#pragma unroll 1
        for (int place = COUNT * (threadIdx.x % 32); place < ROWS * WIDTH; place += COUNT * 32) {
            int r = row + i / 4 * ROWS + place / WIDTH, column = col + place % WIDTH;
            visit((Pack<float, COUNT>*)&values[place], (size_t)r * n + column, column, place, r < m && column < n);
        }
        __syncwarp();
    }

    // Where four of a thread's sums lie.
    __device__ __forceinline__ float4* own(int i, int j) {
        int lane = threadIdx.x % 32;
        return (float4*)&values[(lane / 8 * 4 + i % 4) * WIDTH + lane % 8 * 4 + j / 4 * 32];
    }

    template <int COUNT>
    __device__ __forceinline__ void read(float (&sum)[Tile::SIDE][Tile::SIDE], const float* c) {
#pragma unroll
        for (int i = 0; i < Tile::SIDE; i++) {
            if (i % 4 == 0) {
                each<COUNT>(i, [&](Pack<float, COUNT>* to, size_t at, int, int, bool there) {
                    *to = there ? *(const Pack<float, COUNT>*)(c + at) : Pack<float, COUNT>{};
                });
            }
#pragma unroll
            for (int j = 0; j < Tile::SIDE; j += 4) {
                float4 four = *own(i, j);
                sum[i][j] = four.x, sum[i][j + 1] = four.y, sum[i][j + 2] = four.z, sum[i][j + 3] = four.w;
            }
        }
    }

    template <int COUNT, class After>
    __device__ __forceinline__ void write(const float (&sum)[Tile::SIDE][Tile::SIDE], float* c,
                                          const Epilogue<float>& epilogue, const After& after) {
#pragma unroll
        for (int i = 0; i < Tile::SIDE; i++) {
#pragma unroll
            for (int j = 0; j < Tile::SIDE; j += 4)
                *own(i, j) = float4{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]};
            if (i % 4 != 3) continue;
            auto follows = after.template strip<WIDTH>(row + i / 4 * ROWS, col);
            each<COUNT>(i, [&](Pack<float, COUNT>* from, size_t at, int column, int place, bool there) {
                u32 known = follows.at(place);
                if (!there) return;
                Pack<float, COUNT> out = *from;
                epilogue.apply(out.values, at, column);
                follows.apply(out.values, known);
                *(Pack<float, COUNT>*)(c + at) = out;
            });
        }
    }
};

template <bool A_TRANSPOSED, bool B_TRANSPOSED, class Tile, class After>
__device__ __forceinline__ void product(float* c, const float* a, const float* b, void* other, int m, int n, int k,
                                        bool accumulate, int epilogue, float scale, const After& after) {
    using A = Operand<!A_TRANSPOSED, Tile::M, Tile::THREADS>;
    using B = Operand<B_TRANSPOSED, Tile::N, Tile::THREADS>;
    constexpr int A_TILE = DEPTH * A::PITCH, BOTH = A_TILE + DEPTH * B::PITCH;
    __shared__ __align__(16) float tiles[STAGES * BOTH];
    static_assert(STAGES * BOTH >= Strip<Tile>::ROWS * Strip<Tile>::WIDTH * (Tile::THREADS / 32), "for strips");

    Place place(m, n, Tile::M, Tile::N);
    A as(a, m, k, place.row, shared_address(tiles));
    B bs(b, n, k, place.col, shared_address(tiles + A_TILE));
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    constexpr int WARPS_N = Tile::N / Tile::WARP_N;
    int row = warp / WARPS_N * Tile::WARP_M, col = warp % WARPS_N * Tile::WARP_N;
    Strip<Tile> strip = {&tiles[warp * Strip<Tile>::ROWS * Strip<Tile>::WIDTH], place.row + row, place.col + col, m, n};
    // Where a thread's values of a term lie in the first tile.
    u32 a_sums = shared_address(&tiles[row + lane / 8 * 4]);
    u32 b_sums = shared_address(&tiles[A_TILE + col + lane % 8 * 4]);
    keep(a_sums);
    keep(b_sums);

    bool packs = aligned(c, 16) && n % 4 == 0;
    float sum[Tile::SIDE][Tile::SIDE] = {};
    if (accumulate) {
        if (packs) {
            strip.template read<4>(sum, c);
        } else {
            strip.template read<1>(sum, c);
        }
        // The strips lie where tiles will.
        __syncthreads();
    }

    // Of a transposed A alone is a term's values what is stored side by side.
    constexpr bool SUMS = A_TRANSPOSED && !B_TRANSPOSED;
    using Columns = ColumnSums<Tile::M>;
    __shared__ float column_values[SUMS ? Columns::VALUES : 1];
    Columns columns = {column_values};
    if constexpr (SUMS) columns.begin(epilogue == COLUMN_SUMS, place, (const float*)other, m);

    int count = k / DEPTH + (k % DEPTH != 0);
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
            u32 stage = (u32)fetched % STAGES * (BOTH * sizeof(float));
            as.fetch(stage);
            bs.fetch(stage);
        }
        // A group for every round, if an empty one, so that their count says which tile has arrived.
        copy_commit();
        if (!multiply) continue;

        u32 stage = (u32)(fetched + 1) % STAGES * (BOTH * sizeof(float));
        u32 at = a_sums + stage, bt = b_sums + stage;
        int terms = k - (fetched - (STAGES - 1)) * DEPTH;
        if (terms >= DEPTH) {
#pragma unroll
            for (int term = 0; term < DEPTH; term++) add_term(sum, at + term * 4 * A::PITCH, bt + term * 4 * B::PITCH);
        } else {
#pragma unroll 1
            for (int term = 0; term < terms; term++) add_term(sum, at + term * 4 * A::PITCH, bt + term * 4 * B::PITCH);
        }
        if constexpr (SUMS) {
            const float* values = &tiles[stage / sizeof(float) + threadIdx.x % Tile::M];
            columns.add((fetched - (STAGES - 1)) * DEPTH, min(terms, DEPTH),
                        [&](int term) { return values[term * A::PITCH]; });
        }
    }

    __syncthreads();
    if constexpr (SUMS) columns.write(place, (float*)other, m, k);
    Epilogue<float> finish = {other, SUMS && epilogue == COLUMN_SUMS ? NONE : epilogue, scale};
    if (packs && finish.takes<4>()) {
        strip.template write<4>(sum, c, finish, after);
    } else {
        strip.template write<1>(sum, c, finish, after);
    }
    after.finish(place, Tile::M, Tile::N);
}
