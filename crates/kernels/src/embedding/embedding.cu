// Token embedding: look up, scale, add positions, drop out; and its backward into the table, without atomics.
//
//   y[n,c]      = factor[n,c] * fma(table[ids[n],c], scale, positions[t,c])     t < lengths[b], 0 behind; n = b T + t
//   dtable[v,c] = fma(factor[n,c] * dy[n,c], scale, dtable[v,c])                over the ascending n with ids[n] = v
//
// mod.rs is the contract; the bits are the CPU's. In 16 bits y is the CPU's, rounded, and dtable that of dy as it is.
//
// Shapes: y, dy (N, C) of T with N = B T; table, dtable (V, C), positions (T, C) from the first position on, f32; ids
// (N), lengths (B). Any alignment. Ids before a sentence's end are below V, checked by the launcher; behind it,
// anything.
//
// Forward: a warp for 256 columns of a row, eight to a lane, neighbours of 16 bytes where alignment allows (group.cuh).
// Traffic: reads a row of the table and one of the positions, which stay in L2, and writes a row: 4 N C bytes and the
// distinct rows in f32.
//
// Backward needs the rows of each token together and in order. They are sorted by (id, n), padding last under an id
// that none has, in two launches whatever N:
//   - `embedding_sort_tiles`: a block sorts 1024 rows by a bitonic network over id * 2^32 + n. A warp has 64 keys in
//     registers and exchanges them by shuffles; only what is 64 or more apart, 10 of 55 steps, meets in shared memory,
//     where neighbouring lanes have neighbouring keys: no bank conflicts.
//   - `embedding_merge_tiles`: a row's place is its place in its tile plus, for each other tile, how many there come
//     before it: a binary search of 11 steps, in four tiles at a time. Among equal ids rows of earlier tiles come
//     first, so n need not be compared. For 32,768 rows that is 8 rounds of 11 dependent loads, mostly from L1.
// Then `embedding_backward`: a block looks at 16 places of the sorted rows. A run of fewer than 16 rows of one token is
// added up by the warp at whose place it begins, four rows under way at a time. A longer run, of which the few frequent
// tokens have most of the rows, is for the whole block with the first multiple of 16 in it: 32 rows at a time, each
// warp leaves the products of four rows in shared memory, and each thread then adds up a column of its own, in order.
// Places are read 16 or 32 at a time from a multiple of 16 on, whole sectors, wherever a run begins.
// Traffic: reads dy once, and reads and writes the rows of dtable that tokens name.

#include "group.cuh"

constexpr u32 NONE = 0xffffffffu;
constexpr int WARPS = 8, THREADS = 32 * WARPS;

template <typename T>
__device__ __forceinline__ void forward(T* y, const u32* ids, const u32* lengths, const float* table,
                                        const float* positions, float scale, int n, int t, int c, u32 v,
                                        const Dropout& dropout) {
    constexpr int LEN = VECTOR<T>;
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= n) return;
    int at = row % t;
    // The launcher has checked the ids. A replayed graph may find others, which must not lead out of the table.
    bool inside = at < lengths[row / t] && ids[row] < v;
    bool vectors = aligned(y) && aligned(table) && aligned(positions) && c % LEN == 0;
    u32 step = active(dropout) ? *dropout.step : 0;
    const float* embedding = table + (inside ? (u64)ids[row] * c : 0);
    for (int group = blockIdx.y; GROUP * group < c; group += gridDim.y) {
        float out[8] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
        if (inside) {
            float position[8];
            load_group<LEN>(out, embedding, GROUP * group, c, lane, vectors);
            load_group<LEN>(position, positions + (u64)at * c, GROUP * group, c, lane, vectors);
            u32 bits = active(dropout) ? kept<LEN>(dropout, step, row, group, lane) : 0xffu;
#pragma unroll
            for (int k = 0; k < 8; k++)
                out[k] = kept_factor(dropout, bits, k) * __fmaf_rn(out[k], scale, position[k]);
        }
        store_group<LEN>(out, y + (u64)row * c, GROUP * group, c, lane, vectors);
    }
}

constexpr int TILE = 1024;

extern "C" __global__ void __launch_bounds__(TILE / 2)
    embedding_sort_tiles(u32* sorted_ids, u32* sorted_rows, const u32* ids, const u32* lengths, int n, int t, u32 v) {
    __shared__ u64 keys[TILE];
    int tile = blockIdx.x * TILE, thread = threadIdx.x, lane = thread % 32, own = 2 * (thread - lane) + lane;
    // Keys `own` and `own + 32` of the tile.
    u64 mine[2];
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int row = tile + own + 32 * h;
        bool inside = row < n && row % t < lengths[row / t] && ids[row] < v;
        mine[h] = (u64)(inside ? ids[row] : NONE) << 32 | (u32)row;
    }
    // Runs of `width` that ascend and descend in turn become runs of twice the width.
#pragma unroll 1
    for (int width = 2; width <= TILE; width *= 2) {
        int step = width / 2;
        if (step >= 64) {
            keys[own] = mine[0];
            keys[own + 32] = mine[1];
#pragma unroll 1
            for (; step >= 64; step /= 2) {
                __syncthreads();
                int low = thread & (step - 1), i = 2 * (thread - low) + low, j = i + step;
                u64 a = keys[i], b = keys[j];
                bool ascending = (i & width) == 0;
                if ((a > b) == ascending) {
                    keys[i] = b;
                    keys[j] = a;
                }
            }
            __syncthreads();
            mine[0] = keys[own];
            mine[1] = keys[own + 32];
        }
        if (step == 32) {
            bool ascending = (own & width) == 0;
            if ((mine[0] > mine[1]) == ascending) {
                u64 larger = mine[0];
                mine[0] = mine[1];
                mine[1] = larger;
            }
            step = 16;
        }
#pragma unroll 1
        for (; step > 0; step /= 2)
#pragma unroll
            for (int h = 0; h < 2; h++) {
                u64 other = __shfl_xor_sync(ALL_LANES, mine[h], step);
                bool ascending = (own + 32 * h & width) == 0, first = (lane & step) == 0;
                if ((mine[h] > other) == (ascending == first)) mine[h] = other;
            }
    }
#pragma unroll
    for (int h = 0; h < 2; h++) {
        int at = tile + own + 32 * h;
        if (at < n) {
            sorted_ids[at] = (u32)(mine[h] >> 32);
            sorted_rows[at] = (u32)mine[h];
        }
    }
}

extern "C" __global__ void __launch_bounds__(THREADS)
    embedding_merge_tiles(u32* merged_ids, u32* merged_rows, const u32* sorted_ids, const u32* sorted_rows, int n) {
    constexpr int EACH = 4;
    int at = blockIdx.x * THREADS + threadIdx.x;
    if (at >= n) return;
    u32 id = sorted_ids[at];
    int own = at / TILE, tiles = (n + TILE - 1) / TILE, place = at % TILE;
#pragma unroll 1
    for (int first = 0; first < tiles; first += EACH) {
        int before[EACH] = {0, 0, 0, 0};
#pragma unroll 1
        for (int step = TILE; step > 0; step /= 2) {
#pragma unroll
            for (int i = 0; i < EACH; i++) {
                int tile = first + i, end = before[i] + step;
                if (tile < tiles && tile != own && end <= min(TILE, n - tile * TILE)) {
                    u32 other = sorted_ids[tile * TILE + end - 1];
                    if (tile < own ? other <= id : other < id) before[i] = end;
                }
            }
        }
#pragma unroll
        for (int i = 0; i < EACH; i++) place += before[i];
    }
    merged_ids[place] = id;
    merged_rows[place] = sorted_rows[at];
}

// Places that a block looks at, and how many rows make a run long.
constexpr int SPAN = 16;
// Rows of a long run that are added at a time.
constexpr int BATCH = 4 * WARPS;

template <typename T>
struct Backward {
    float* dtable;
    const T* dy;
    const u32* ids;   // sorted
    const u32* rows;  // sorted
    float scale;
    int n, c;
    Dropout dropout;
    u32 step;
    bool vectors;
};

// Places from `first` on, one to a lane: which token is there, NONE behind the last; and its row.
struct Window {
    u32 id, row;
};

template <typename T>
__device__ __forceinline__ Window window(const Backward<T>& b, int first, int lane) {
    bool there = first + lane < b.n;
    return Window{there ? b.ids[first + lane] : NONE, there ? b.rows[first + lane] : 0};
}

// How many of the bits from `from` on are ones, without a gap.
__device__ __forceinline__ int ones(u32 bits, int from) {
    u32 zeros = ~bits >> from;
    return zeros == 0 ? 32 - from : __ffs(zeros) - 1;
}

// Four rows of dy, the numbers `first` to `first + 3`, where from `begin` to below `end`, of those whose row numbers
// the lanes hold.
template <typename T>
__device__ __forceinline__ void load_rows(Words<T> (&dy)[4], const Backward<T>& b, u32 lanes_row, int first, int begin,
                                          int end, int group, int lane) {
#pragma unroll
    for (int j = 0; j < 4; j++) {
        u32 row = __shfl_sync(ALL_LANES, lanes_row, (first + j) % 32);
        if (first + j >= begin && first + j < end)
            load_words<VECTOR<T>>(dy[j], b.dy + (u64)row * b.c, GROUP * group, b.c, lane, b.vectors);
    }
}

// What stays of them, eight bits a row.
template <typename T>
__device__ __forceinline__ u32 kept_rows(const Backward<T>& b, u32 lanes_row, int first, int begin, int end, int group,
                                         int lane) {
    if (!active(b.dropout)) return ~0u;
    u32 bits = 0;
#pragma unroll 1
    for (int j = max(begin - first, 0); j < 4 && first + j < end; j++) {
        u32 row = __shfl_sync(ALL_LANES, lanes_row, first + j);
        bits |= kept<VECTOR<T>>(b.dropout, b.step, row, group, lane) << 8 * j;
    }
    return bits;
}

// A warp adds up a run of a few rows, whose numbers lanes `begin` to below `end` hold.
template <typename T>
__device__ __forceinline__ void short_run(const Backward<T>& b, u32 id, u32 lanes_row, int begin, int end, int group,
                                          int lane) {
    float* to = b.dtable + (u64)id * b.c;
    float sum[8];
    Words<T> dy[4];
    load_group<VECTOR<T>>(sum, to, GROUP * group, b.c, lane, b.vectors);
#pragma unroll 1
    for (int first = begin; first < end; first += 4) {
        load_rows(dy, b, lanes_row, first, begin, end, group, lane);
        u32 bits = kept_rows(b, lanes_row, first, begin, end, group, lane);
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (first + j < end)
#pragma unroll
                for (int k = 0; k < 8; k++) {
                    float product = kept_factor(b.dropout, bits, 8 * j + k) * get(dy[j], k);
                    sum[k] = __fmaf_rn(product, b.scale, sum[k]);
                }
    }
    store_group<VECTOR<T>>(sum, to, GROUP * group, b.c, lane, b.vectors);
}

// A row of products has element k of lane l at STRIDE k + l. Lanes write one k, different banks; and threads that read
// a column each, neighbours by neighbours, find LEN values of k and 32 / LEN lanes in different banks too.
template <typename T>
constexpr int STRIDE = 32 + 32 / VECTOR<T>;

template <typename T>
using Products = float[BATCH][8 * STRIDE<T>];

// A block adds up a run that begins at lane `begin` of the places from `place` on.
template <typename T>
__device__ __forceinline__ void long_run(const Backward<T>& b, u32 id, int place, int begin, int group,
                                         Products<T>& products) {
    constexpr int LEN = VECTOR<T>;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = GROUP * group + threadIdx.x;
    int mine = STRIDE<T> * (threadIdx.x / (32 * LEN) * LEN + threadIdx.x % LEN) + threadIdx.x / LEN % 32;
    float* to = b.dtable + (u64)id * b.c + column;
    float sum = column < b.c ? *to : 0.0f;
    Words<T> dy[4];
    u32 lanes_row = 0;
    auto load = [&]() {
        Window seen = window(b, place, lane);
        lanes_row = seen.row;
        int end = begin + ones(__ballot_sync(ALL_LANES, seen.id == id), begin);
        load_rows(dy, b, lanes_row, 4 * warp, begin, end, group, lane);
        return end;
    };
    for (int end = load(); end > 0;) {
        u32 bits = kept_rows(b, lanes_row, 4 * warp, begin, end, group, lane);
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (4 * warp + j >= begin && 4 * warp + j < end)
#pragma unroll
                for (int k = 0; k < 8; k++) {
                    float factor = kept_factor(b.dropout, bits, 8 * j + k);
                    products[4 * warp + j][STRIDE<T> * k + lane] = factor * get(dy[j], k);
                }
        // The next rows are on their way while these are added.
        int first = begin, next = 0;
        begin = 0;
        place += BATCH;
        if (end == BATCH) next = load();
        __syncthreads();
#pragma unroll 8
        for (int r = first; r < end; r++) sum = __fmaf_rn(products[r][mine], b.scale, sum);
        __syncthreads();
        end = next;
    }
    if (column < b.c) *to = sum;
}

template <typename T>
__device__ __forceinline__ void backward(Backward<T> b) {
    __shared__ Products<T> products;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, block = blockIdx.x * SPAN;
    b.step = active(b.dropout) ? *b.dropout.step : 0;
    b.vectors = aligned(b.dtable) && aligned(b.dy) && b.c % VECTOR<T> == 0;
    static_assert(2 * SPAN == 32, "a short run that begins in the first half of a warp's places ends there");
    u32 seen = window(b, block, lane).id, id = __shfl_sync(ALL_LANES, seen, 0);
    u32 before = block > 0 && lane < SPAN ? b.ids[block - SPAN + lane] : NONE;
    u32 same = __ballot_sync(ALL_LANES, lane < SPAN && before == id);
    // How many of the SPAN rows before the first place are of its run: if all, it has an earlier multiple of SPAN.
    int earlier = ones(__brev(same << 32 - SPAN), 0), length = ones(__ballot_sync(ALL_LANES, seen == id), 0);
    bool is_long = id != NONE && earlier < SPAN && earlier + length >= SPAN;
    for (int group = blockIdx.y; GROUP * group < b.c; group += gridDim.y) {
        if (is_long)
            long_run(b, id, block - (earlier > 0 ? SPAN : 0), earlier > 0 ? SPAN - earlier : 0, group, products);
        // The short runs that begin at the warp's places, which are read again rather than kept in registers.
#pragma unroll 1
        for (int at = warp; at < SPAN; at += WARPS) {
            Window seen = window(b, block, lane);
            u32 id = __shfl_sync(ALL_LANES, seen.id, at), same = __ballot_sync(ALL_LANES, seen.id == id);
            if (id == NONE || (at > 0 ? same >> at - 1 & 1 : earlier > 0)) continue;
            int count = ones(same, at);
            if (count < SPAN) short_run(b, id, seen.row, at, at + count, group, lane);
        }
    }
}

#define KERNELS(T)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                           \
        embedding_forward_##T(T* y, const u32* ids, const u32* lengths, const float* table, const float* positions, \
                              float scale, int n, int t, int c, u32 v, Dropout dropout) {                           \
        forward(y, ids, lengths, table, positions, scale, n, t, c, v, dropout);                                     \
    }                                                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                           \
        embedding_backward_##T(float* dtable, const T* dy, const u32* ids, const u32* rows, float scale, int n,     \
                               int c, Dropout dropout) {                                                            \
        backward(Backward<T>{dtable, dy, ids, rows, scale, n, c, dropout, 0, false});                               \
    }

using f32 = float;

KERNELS(f32)
KERNELS(bf16)
KERNELS(f16)
