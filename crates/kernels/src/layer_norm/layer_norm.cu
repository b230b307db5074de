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
// A lane has eight of every 256 columns (group.cuh). In f32 they are 32 apart, the order of the contract's sums: a
// warp's access is 128 bytes in a row, four whole sectors. In 16 bits they are neighbours, one access of 16 bytes, and
// a lane adds them ascending. GROUPS times 256 columns, 512 or 1024, are what a warp keeps in registers, so that a row
// is read once. Wider rows, and 16-bit rows that are not aligned, are read again for each pass, mostly from the caches:
// the kernels named `wide`, whose bits are the same.
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
// dgamma and dbeta: where there are few partials, the block that finishes last adds them (`arrived` counts blocks, an
// integer), which takes about as long as a launch. Where there are many, a launch of its own does, on many
// multiprocessors: blocks of 8 warps, grid (ceil(2 C / 32)); a block takes 32 columns, its warps fetch 128 chunks at a
// time, one thread a column adds them in order. The sums are the same.

#include "group.cuh"

constexpr int CHUNK = 32;

// Columns of an access: single ones in the order of the lanes, or 16 bytes.
template <typename T>
constexpr int LEN = 8;
template <>
constexpr int LEN<float> = 1;

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

template <typename T>
struct Forward {
    const T* x;
    T* sum;  // null in the plain form
    const float* gamma;
    const float* beta;
    T* y;
    float* mean;
    float* rstd;
    float eps;
    int n, c;
    Dropout dropout;
};

// s of eight columns, where the bits of `kept` stay; the residual form leaves it in `sum`.
template <typename T>
__device__ __forceinline__ void residual_group(Words<T>& s, const Words<T>& x, const Forward<T>& f, u32 bits,
                                               u64 start, int first, int lane, bool vectors) {
    float sum[8];
#pragma unroll
    for (int k = 0; k < 8; k++) sum[k] = __fmaf_rn(kept_factor(f.dropout, bits, k), get(s, k), get(x, k));
#pragma unroll
    for (int k = 0; k < 8; k++) set(s, k, from_float<T>(sum[k]));
    store_group<LEN<T>>(sum, f.sum + start, first, f.c, lane, vectors);
}

// A lane's sum of squares over its columns of a group, going on from `squares`; 0 from column c on changes no sum.
template <int LEN, typename T>
__device__ __forceinline__ float add_squares(float squares, const Words<T>& s, float mean, int first, int c,
                                             int lane) {
    int left = c - first - LEN * lane;
#pragma unroll
    for (int k = 0; k < 8; k++) {
        float d = offset<LEN>(k) < left ? get(s, k) - mean : 0.0f;
        squares = __fmaf_rn(d, d, squares);
    }
    return squares;
}

template <typename T>
__device__ __forceinline__ void normalize_group(const Words<T>& s, float mean, float rstd, const Forward<T>& f,
                                                T* y, int first, int lane, bool vectors) {
    float gamma[8], beta[8], out[8];
    load_group<LEN<T>>(gamma, f.gamma, first, f.c, lane, vectors);
    load_group<LEN<T>>(beta, f.beta, first, f.c, lane, vectors);
#pragma unroll
    for (int k = 0; k < 8; k++) out[k] = __fmaf_rn((get(s, k) - mean) * rstd, gamma[k], beta[k]);
    store_group<LEN<T>>(out, y, first, f.c, lane, vectors);
}

template <typename T>
__device__ __forceinline__ float write_stats(float mean, float squares, const Forward<T>& f, int row, int lane) {
    float variance = __fdiv_rn(lane_sum(squares), (float)f.c);
    float rstd = __fdiv_rn(1.0f, __fsqrt_rn(variance + f.eps));
    if (lane == 0) {
        f.mean[row] = mean;
        f.rstd[row] = rstd;
    }
    return rstd;
}

template <typename T>
__device__ __forceinline__ bool vectors_of(const Forward<T>& f) {
    bool rows = aligned(f.x) && aligned(f.y) && aligned(f.sum);
    return rows && aligned(f.gamma) && aligned(f.beta) && f.c % LEN<T> == 0;
}

// For aligned rows where LEN is more than 1: the launcher sees to it.
template <typename T, int GROUPS>
__device__ __forceinline__ void forward(const Forward<T>& f) {
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= f.n) return;
    u64 start = (u64)row * f.c;
    float total = 0.0f, squares = 0.0f;
    Words<T> sums[GROUPS];
    if (f.sum != nullptr) {
        Words<T> x[GROUPS];
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            load_words<LEN<T>>(x[g], f.x + start, GROUP * g, f.c, lane, true);
            load_words<LEN<T>>(sums[g], f.sum + start, GROUP * g, f.c, lane, true);
        }
        // Eight bits a group; while they are made, the loads are under way.
        u32 bits = ~0u;
        if (active(f.dropout)) {
            u32 step = *f.dropout.step;
            bits = 0;
#pragma unroll 1
            for (int g = 0; GROUP * g < f.c; g++) bits |= kept<LEN<T>>(f.dropout, step, row, g, lane) << 8 * g;
        }
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (GROUP * g >= f.c) break;
            residual_group(sums[g], x[g], f, bits >> 8 * g, start, GROUP * g, lane, true);
        }
    } else {
#pragma unroll
        for (int g = 0; g < GROUPS; g++) load_words<LEN<T>>(sums[g], f.x + start, GROUP * g, f.c, lane, true);
    }
    // From column c on s is zero, and a lane's sum is never -0: adding it changes nothing.
#pragma unroll
    for (int g = 0; g < GROUPS; g++)
#pragma unroll
        for (int k = 0; k < 8; k++) total = total + get(sums[g], k);
    float mean = __fdiv_rn(lane_sum(total), (float)f.c);
#pragma unroll
    for (int g = 0; g < GROUPS; g++) squares = add_squares<LEN<T>>(squares, sums[g], mean, GROUP * g, f.c, lane);
    float rstd = write_stats(mean, squares, f, row, lane);
#pragma unroll
    for (int g = 0; g < GROUPS; g++) {
        if (GROUP * g >= f.c) break;
        normalize_group(sums[g], mean, rstd, f, f.y + start, GROUP * g, lane, true);
    }
}

// A thread reads back from `sum` what it wrote itself, so its passes need no barrier.
template <typename T>
__device__ __forceinline__ void forward_wide(const Forward<T>& f) {
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= f.n) return;
    bool vectors = vectors_of(f);
    u64 start = (u64)row * f.c;
    u32 step = active(f.dropout) ? *f.dropout.step : 0;
    bool residual = f.sum != nullptr;
    const T* in = residual ? f.sum + start : f.x + start;
    Words<T> s;
    float total = 0.0f, squares = 0.0f;
    for (int first = 0; first < f.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, f.c, lane, vectors);
        if (residual) {
            Words<T> x;
            load_words<LEN<T>>(x, f.x + start, first, f.c, lane, vectors);
            u32 bits = active(f.dropout) ? kept<LEN<T>>(f.dropout, step, row, first / GROUP, lane) : 0xffu;
            residual_group(s, x, f, bits, start, first, lane, vectors);
        }
#pragma unroll
        for (int k = 0; k < 8; k++) total = total + get(s, k);
    }
    float mean = __fdiv_rn(lane_sum(total), (float)f.c);
    for (int first = 0; first < f.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, f.c, lane, vectors);
        squares = add_squares<LEN<T>>(squares, s, mean, first, f.c, lane);
    }
    float rstd = write_stats(mean, squares, f, row, lane);
    for (int first = 0; first < f.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, f.c, lane, vectors);
        normalize_group(s, mean, rstd, f, f.y + start, first, lane, vectors);
    }
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
    u32* arrived;  // 0 between launches; null if another launch adds the partials
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
    add_partials_if_last(p);
}

// The block that is the last to have written its partials adds all of them, chunk after chunk: dgamma and dbeta as
// layer_norm_add_partials makes them, without its launch.
template <typename T>
__device__ __forceinline__ void add_partials_if_last(const Backward<T>& p) {
    constexpr int EACH = 16;
    if (p.arrived == nullptr) return;
    // A block's partials come before it is seen to have arrived.
    __threadfence();
    __syncthreads();
    __shared__ bool last;
    if (threadIdx.x == 0) last = atomicAdd(p.arrived, 1u) == gridDim.x - 1;
    __syncthreads();
    if (!last) return;
    __threadfence();
    if (threadIdx.x == 0) *p.arrived = 0;
    int chunks = gridDim.x;
#pragma unroll 1
    for (int column = threadIdx.x; column < 2 * p.c; column += THREADS) {
        float* to = column < p.c ? p.dgamma + column : p.dbeta + (column - p.c);
        float total = *to;
#pragma unroll 1
        for (int first = 0; first < chunks; first += EACH) {
            const float* from = p.partials + (u64)first * 2 * p.c + column;
            float next[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) next[i] = first + i < chunks ? from[(u64)i * 2 * p.c] : 0.0f;
#pragma unroll
            for (int i = 0; i < EACH; i++)
                if (first + i < chunks) total = total + next[i];
        }
        *to = total;
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
    add_partials_if_last(p);
}

// dgamma and dbeta, (C) each, take in the partials of all chunks, ascending. Blocks of 256 threads for 32 of the 2 C
// columns.
extern "C" __global__ void __launch_bounds__(THREADS)
    layer_norm_add_partials(const float* partials, float* dgamma, float* dbeta, int chunks, int c) {
    constexpr int EACH = 16, TILE = WARPS * EACH;
    __shared__ float tile[TILE][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = blockIdx.x * 32 + lane;
    bool inside = column < 2 * c;
    float* to = column < c ? dgamma + column : dbeta + (column - c);
    float total = warp == 0 && inside ? *to : 0.0f;
    float next[EACH];
    auto load = [&](int first) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int chunk = first + WARPS * i + warp;
            next[i] = inside && chunk < chunks ? partials[(u64)chunk * 2 * c + column] : 0.0f;
        }
    };
    load(0);
    for (int first = 0; first < chunks; first += TILE) {
#pragma unroll
        for (int i = 0; i < EACH; i++) tile[WARPS * i + warp][lane] = next[i];
        __syncthreads();
        load(first + TILE);
        if (warp == 0) {
            int count = min(TILE, chunks - first);
#pragma unroll 8
            for (int chunk = 0; chunk < count; chunk++) total = total + tile[chunk][lane];
        }
        __syncthreads();
    }
    if (warp == 0 && inside) *to = total;
}

// SIZE says how many columns at most, BODY does it, BLOCKS are to fit on a multiprocessor.
#define FORWARD(T, SIZE, BLOCKS, BODY)                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                    \
        layer_norm_forward_##SIZE##_##T(T* sum, T* y, float* mean, float* rstd, const T* x, const float* gamma,      \
                                        const float* beta, float eps, int n, int c, Dropout dropout) {               \
        BODY(Forward<T>{x, sum, gamma, beta, y, mean, rstd, eps, n, c, dropout});                                    \
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
