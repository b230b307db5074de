// Layer normalization, alone or behind a residual addition with dropout, and its backward.
//
//   s    = fma(factor, sub, x)        residual forward, rounded to T and left in `sum`; plain forward has s = x
//   mean = lane_sum(s) / C            rstd = 1 / sqrt(lane_sum((s - mean)^2) / C + eps)
//   y    = fma((s - mean) * rstd, gamma, beta)
//
//   x^   = (s - mean) * rstd          g = dy * gamma        a = lane_sum(g) / C        b = lane_sum(g * x^) / C
//   ds   = rstd * fma(x^, -b, g - a), or fma(rstd, ..., ds)                             dsub = factor * ds
//   dgamma += sum of dy * x^          dbeta += sum of dy    over rows, 32 at a time
//
// mod.rs is the contract; in f32 the bits are the CPU's.
//
// Shapes: x, sum, y, dy, dsum, dsub (N, C); gamma, beta, dgamma, dbeta (C); mean, rstd (N); partials (ceil(N / 32), 2,
// C). T for what has rows, f32 for the rest and for all arithmetic. Any alignment, any C.
//
// A lane has eight of every 256 columns (normalize.cuh). GROUPS times 256 columns, 512 or 1024, are what a warp keeps
// in registers, so that a row is read once. Wider rows, and 16-bit rows that are not aligned, are read again for each
// pass, mostly from the caches: the kernels named `wide`, whose bits are the same.
//
// Forward: blocks of 8 warps, a warp a row, grid (ceil(N / 8)). Traffic: reads x (and sum), writes y (and sum), the
// floor of 8 N C bytes in f32 (16 N C), half of that in 16 bits; gamma and beta come from L1.
//
// Backward: blocks of 8 warps, grid (ceil(N / 32)): a block takes the 32 rows of a chunk, a warp a row, 8 rows at a
// time. A warp needs sums along its row, the chunk's dgamma and dbeta need sums down the columns in the order of the
// rows: so each warp leaves dy and x^ in shared memory, 8 bytes a value, and after a barrier each thread adds the rows
// for its own columns. Neighbouring lanes write neighbouring slots, and the owners of neighbouring columns read
// different banks. The warps' next rows are on their way meanwhile. Traffic: reads dy and sum, writes dsum (and dsub;
// reads dsum to add to it), the floor of 12 N C bytes in f32 (16 to 20 N C), half of that in 16 bits; and N C / 4 bytes
// of partials.
//
// dgamma and dbeta: the block of threads that is the last of 32 chunks to finish adds the partials of these, and the
// last of those adds what came of it (`arrived` counts, an integer). Nobody waits, and no sum depends on who is last.

#include "arrive.cuh"
#include "normalize.cuh"

// Rows of a chunk, chunks of a block.
constexpr int CHUNK = 32, BLOCK = 32;

// Slots of backward's shared memory for element k of all lanes: 32, and four more where lanes have neighbouring
// columns, so that neighbouring columns too lie in different banks.
template <typename T>
constexpr int STRIDE = LEN<T> == 1 ? 32 : 36;

// Rows that a block has in flight.
constexpr int WARPS = 8, THREADS = 32 * WARPS;

template <typename T>
__device__ __forceinline__ float rounded(float x) {
    return to_float(from_float<T>(x));
}

// For aligned rows where LEN is more than 1: the launcher sees to it.
template <typename T, int GROUPS>
__device__ __forceinline__ void forward(const Norm<T>& norm) {
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= norm.n) return;
    Row<T, GROUPS> values;
    values.load(norm, row, lane);
    values.normalize(norm, row, lane);
}

template <typename T>
__device__ __forceinline__ void forward_wide(const Norm<T>& norm) {
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row < norm.n) normalize_wide(norm, row, lane);
}

template <typename T>
struct Backward {
    const T* dy;
    const T* sum;
    const float* mean;
    const float* rstd;
    const float* gamma;
    T* dsum;
    T* dsub;  // null without
    float* partials;
    float* dgamma;
    float* dbeta;
    u32* arrived;  // counters, all 0 between launches: of blocks that are done, and each block's of chunks
    int n, c;
    Dropout dropout;
    bool add;
};

template <typename T>
__device__ __forceinline__ bool vectors_of(const Backward<T>& b) {
    bool rows = aligned(b.dy) && aligned(b.sum) && aligned(b.dsum) && aligned(b.dsub);
    return rows && aligned(b.gamma) && b.c % LEN<T> == 0;
}

// ds and dsub of eight columns, from their g and x^.
template <typename T>
__device__ __forceinline__ void write_group(const float (&g)[8], const float (&x_hat)[8], float a, float b, float rstd,
                                            const Backward<T>& p, u32 step, u32 row, int group, int lane,
                                            bool vectors) {
    u64 start = (u64)row * p.c;
    int first = GROUP * group;
    float ds[8];
    if (p.add) load_group<LEN<T>>(ds, p.dsum + start, first, p.c, lane, vectors);
#pragma unroll
    for (int k = 0; k < 8; k++) {
        float t = __fmaf_rn(x_hat[k], -b, g[k] - a);
        ds[k] = rounded<T>(p.add ? __fmaf_rn(rstd, t, ds[k]) : rstd * t);
    }
    store_group<LEN<T>>(ds, p.dsum + start, first, p.c, lane, vectors);
    if (p.dsub != nullptr) {
        if (active(p.dropout)) {
            u32 bits = kept<LEN<T>>(p.dropout, step, row, group, lane);
#pragma unroll
            for (int k = 0; k < 8; k++) ds[k] = kept_factor(p.dropout, bits, k) * ds[k];
        }
        store_group<LEN<T>>(ds, p.dsub + start, first, p.c, lane, vectors);
    }
}

// A row in shared memory, by slots.
struct Shared {
    float* dy;
    float* x_hat;
};

__device__ __forceinline__ Shared shared_row(float* shared, int slots, int row) {
    float* dy = shared + 2 * slots * row;
    return Shared{dy, dy + slots};
}

template <typename T, int GROUPS>
__device__ __forceinline__ void load_row(Words<T> (&dy)[GROUPS], Words<T> (&s)[GROUPS], const Backward<T>& p, int row,
                                         int lane) {
    u64 start = (u64)row * p.c;
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        load_words<LEN<T>>(dy[g], p.dy + start, GROUP * g, p.c, lane, true);
        load_words<LEN<T>>(s[g], p.sum + start, GROUP * g, p.c, lane, true);
    }
}

// A lane's part of a row: a and b, and what the columns' owners read.
template <typename T, int GROUPS>
__device__ __forceinline__ void share_row(const Words<T> (&dy)[GROUPS], const Words<T> (&s)[GROUPS], Shared shared,
                                          float& a, float& b, const Backward<T>& p, float mean, float rstd, int lane) {
    a = b = 0.0f;
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        if (GROUP * g >= p.c) break;
        float gamma[8];
        load_group<LEN<T>>(gamma, p.gamma, GROUP * g, p.c, lane, true);
        int left = p.c - GROUP * g - LEN<T> * lane;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            int slot = STRIDE<T> * (8 * g + k) + lane;
            // From column c on dy is 0; x^ must be finite there for b.
            float x_hat = offset<LEN<T>>(k) < left ? (get(s[g], k) - mean) * rstd : 0.0f;
            float row_dy = get(dy[g], k), scaled = row_dy * gamma[k];
            shared.dy[slot] = row_dy;
            shared.x_hat[slot] = x_hat;
            a = a + scaled;
            b = __fmaf_rn(scaled, x_hat, b);
        }
    }
}

// ds and dsub of a row, from what this thread left in shared memory itself.
template <typename T>
__device__ __forceinline__ void write_row(Shared shared, float a, float b, const Backward<T>& p, float rstd, u32 step,
                                          int row, int lane) {
    a = __fdiv_rn(lane_sum(a), (float)p.c);
    b = __fdiv_rn(lane_sum(b), (float)p.c);
#pragma unroll 1
    for (int g = 0; GROUP * g < p.c; g++) {
        float scaled[8], x_hat[8];
        load_group<LEN<T>>(scaled, p.gamma, GROUP * g, p.c, lane, true);
#pragma unroll
        for (int k = 0; k < 8; k++) {
            int slot = STRIDE<T> * (8 * g + k) + lane;
            scaled[k] = shared.dy[slot] * scaled[k];
            x_hat[k] = shared.x_hat[slot];
        }
        write_group(scaled, x_hat, a, b, rstd, p, step, row, g, lane, true);
    }
}

// For aligned rows where LEN is more than 1: the launcher sees to it. Shared memory: (WARPS, 2, slots) floats, with
// 8 STRIDE slots for each group that C reaches.
template <typename T, int GROUPS>
__device__ __forceinline__ void backward(const Backward<T>& p) {
    static_assert(GROUP == THREADS, "a thread owns a column of each group");
    extern __shared__ float shared[];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, slots = (p.c + GROUP - 1) / GROUP * 8 * STRIDE<T>;
    int first_row = blockIdx.x * CHUNK, end = min(first_row + CHUNK, p.n);
    u32 step = active(p.dropout) ? *p.dropout.step : 0;
    Shared mine = shared_row(shared, slots, warp);
    // Where this thread's column of a group is.
    int owned = LEN<T> == 1 ? threadIdx.x : STRIDE<T> * (threadIdx.x % LEN<T>) + threadIdx.x / LEN<T>;

    float dgamma[GROUPS], dbeta[GROUPS];
#pragma unroll
    for (int g = 0; g < GROUPS; g++) dgamma[g] = dbeta[g] = 0.0f;
    Words<T> dy[GROUPS], s[GROUPS];
    if (first_row + warp < end) load_row(dy, s, p, first_row + warp, lane);
    for (int first = first_row; first < end; first += WARPS) {
        int row = first + warp;
        if (row < end) {
            float a, b, rstd = p.rstd[row];
            share_row(dy, s, mine, a, b, p, p.mean[row], rstd, lane);
            write_row(mine, a, b, p, rstd, step, row, lane);
            if (row + WARPS < end) load_row(dy, s, p, row + WARPS, lane);
        }
        __syncthreads();
        int rows = min(WARPS, end - first);
#pragma unroll 1
        for (int r = 0; r < rows; r++) {
            Shared from = shared_row(shared, slots, r);
#pragma unroll
            for (int g = 0; g < GROUPS; g++) {
                if (GROUP * g >= p.c) break;
                int slot = 8 * STRIDE<T> * g + owned;
                dgamma[g] = __fmaf_rn(from.dy[slot], from.x_hat[slot], dgamma[g]);
                dbeta[g] = dbeta[g] + from.dy[slot];
            }
        }
        // The next rows take the place of these.
        if (first + WARPS < end) __syncthreads();
    }
    float* partial = p.partials + (u64)blockIdx.x * 2 * p.c;
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        int column = GROUP * g + threadIdx.x;
        if (column < p.c) {
            partial[column] = dgamma[g];
            partial[p.c + column] = dbeta[g];
        }
    }
    join_partials(p);
}

// Sums of a column, `count` of them `pitch` apart, added ascending to `total`; so many are on their way at a time.
__device__ __forceinline__ float add_ascending(float total, const float* from, u64 pitch, int count) {
    constexpr int EACH = 16;
#pragma unroll 1
    for (int first = 0; first < count; first += EACH) {
        float next[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) next[i] = first + i < count ? from[(first + i) * pitch] : 0.0f;
#pragma unroll
        for (int i = 0; i < EACH; i++)
            if (first + i < count) total = total + next[i];
    }
    return total;
}

// After a chunk's partials are written: whoever writes the last of a block of chunks adds them, in the place of the
// block's first, and whoever does that last for all blocks adds these to dgamma and dbeta.
template <typename T>
__device__ __forceinline__ void join_partials(const Backward<T>& p) {
    int chunks = gridDim.x, first = blockIdx.x / BLOCK * BLOCK, columns = 2 * p.c;
    int mine = min(BLOCK, chunks - first), blocks = (chunks + BLOCK - 1) / BLOCK;
    if (!last_to_arrive(p.arrived + 1 + blockIdx.x / BLOCK, mine)) return;
    float* sums = p.partials + (u64)first * columns;
#pragma unroll 1
    for (int column = threadIdx.x; column < columns; column += THREADS)
        sums[column] = add_ascending(0.0f, sums + column, columns, mine);
    if (!last_to_arrive(p.arrived, blocks)) return;
#pragma unroll 1
    for (int column = threadIdx.x; column < columns; column += THREADS) {
        float* to = column < p.c ? p.dgamma + column : p.dbeta + (column - p.c);
        *to = add_ascending(*to, p.partials + column, (u64)BLOCK * columns, blocks);
    }
}

// Rows too wide for registers: a warp reads its row twice, and the columns' owners read all rows again.
template <typename T>
__device__ __forceinline__ void backward_wide(const Backward<T>& p) {
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int first_row = blockIdx.x * CHUNK, rows = min(CHUNK, p.n - first_row);
    bool vectors = vectors_of(p);
    u32 step = active(p.dropout) ? *p.dropout.step : 0;
    for (int row = first_row + warp; row < first_row + rows; row += WARPS) {
        u64 start = (u64)row * p.c;
        float mean = p.mean[row], rstd = p.rstd[row], a = 0.0f, b = 0.0f;
        float dy[8], s[8], gamma[8];
        auto load = [&](int first) {
            load_group<LEN<T>>(dy, p.dy + start, first, p.c, lane, vectors);
            load_group<LEN<T>>(s, p.sum + start, first, p.c, lane, vectors);
            load_group<LEN<T>>(gamma, p.gamma, first, p.c, lane, vectors);
            int left = p.c - first - LEN<T> * lane;
#pragma unroll
            for (int k = 0; k < 8; k++) {
                s[k] = offset<LEN<T>>(k) < left ? (s[k] - mean) * rstd : 0.0f;
                dy[k] = dy[k] * gamma[k];
            }
        };
        for (int first = 0; first < p.c; first += GROUP) {
            load(first);
#pragma unroll
            for (int k = 0; k < 8; k++) {
                a = a + dy[k];
                b = __fmaf_rn(dy[k], s[k], b);
            }
        }
        a = __fdiv_rn(lane_sum(a), (float)p.c);
        b = __fdiv_rn(lane_sum(b), (float)p.c);
        for (int first = 0; first < p.c; first += GROUP) {
            load(first);
            write_group(dy, s, a, b, rstd, p, step, row, first / GROUP, lane, vectors);
        }
    }
    float* partial = p.partials + (u64)blockIdx.x * 2 * p.c;
    for (int column = threadIdx.x; column < p.c; column += THREADS) {
        float dgamma = 0.0f, dbeta = 0.0f;
#pragma unroll 4
        for (int row = first_row; row < first_row + rows; row++) {
            u64 at = (u64)row * p.c + column;
            float dy = to_float(p.dy[at]), x_hat = (to_float(p.sum[at]) - p.mean[row]) * p.rstd[row];
            dgamma = __fmaf_rn(dy, x_hat, dgamma);
            dbeta = dbeta + dy;
        }
        partial[column] = dgamma;
        partial[p.c + column] = dbeta;
    }
    join_partials(p);
}

// SIZE says how many columns at most, BODY does it, BLOCKS are to fit on a multiprocessor.
#define FORWARD(T, SIZE, BLOCKS, BODY)                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                    \
        layer_norm_forward_##SIZE##_##T(Norm<T> norm) {                                                              \
        BODY(norm);                                                                                                  \
    }

#define BACKWARD(T, SIZE, BLOCKS, BODY)                                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                    \
        layer_norm_backward_##SIZE##_##T(T* dsum, T* dsub, float* partials, float* dgamma, float* dbeta,             \
                                         u32* arrived, const T* dy, const T* sum, const float* mean,                 \
                                         const float* rstd, const float* gamma, bool add, int n, int c,              \
                                         Dropout dropout) {                                                          \
        BODY(Backward<T>{dy, sum, mean, rstd, gamma, dsum, dsub, partials, dgamma, dbeta, arrived, n, c, dropout,    \
                         add});                                                                                      \
    }

using f32 = float;

FORWARD(f32, c512, 4, (forward<f32, 2>))
FORWARD(f32, c1024, 2, (forward<f32, 4>))
BACKWARD(f32, c512, 3, (backward<f32, 2>))
BACKWARD(f32, c1024, 2, (backward<f32, 4>))
FORWARD(bf16, c1024, 3, (forward<bf16, 4>))
BACKWARD(bf16, c1024, 2, (backward<bf16, 4>))
FORWARD(f16, c1024, 3, (forward<f16, 4>))
BACKWARD(f16, c1024, 2, (backward<f16, 4>))

#define WIDE(T)                             \
    FORWARD(T, wide, 4, forward_wide)       \
    BACKWARD(T, wide, 3, backward_wide)

WIDE(f32)
WIDE(bf16)
WIDE(f16)
