// What the attention kernels share: who sees what, tiles of rows in shared memory, and their products.
//
// A block has four warps and works on 32 query rows, a strip, and on tiles of key rows. Of a matrix of 32 rows and N
// columns, be it scores or results, warp w has rows 16 (w / 2) .. and one half of the columns; lane 8 y + x has the
// four rows 4 y .. 4 y + 3 of those. Each value is one ascending chain of fused multiply-adds, so how values are spread
// over threads and tiles changes no bit.
//
// Bank conflicts: rows of q, k, v and do are `pitch` floats apart, an odd number of 16-byte units, so that the same
// unit of eight consecutive rows lies in all 32 banks. Scores are written by 4 x 8 lanes, rows 4 apart: `place` turns
// each group of four rows by eight more columns.
#pragma once

#include "dropout.cuh"
#include "element.cuh"
#include "lanes.cuh"

constexpr int THREADS = 128;
constexpr int STRIP = 32;

// What all kernels are told. Strides are in values, from one row to the next.
struct Sizes {
    int nh, hs, t, s;
    int causal;
    int q_row_stride, kv_row_stride;  // of q, k and v, and of their gradients
    int width;                        // forward: columns of the strip of scores in shared memory
};

// Visibility in one head of one sentence: query i sees the first `visible(i)` keys.
struct Head {
    int number, b, column;
    int queries;  // how many queries see anything: the first ones
    int keys;
    bool causal;

    __device__ __forceinline__ Head(int number, const Sizes& z, const u32* key_lengths, const u32* query_lengths)
        : number(number), b(number / z.nh), column(number % z.nh * z.hs), causal(z.causal) {
        // The launcher has checked the lengths. A replayed graph may find longer ones, which must not lead out of
        // bounds.
        keys = (int)min(key_lengths[b], (u32)z.s);
        queries = query_lengths == nullptr ? z.t : (int)min(query_lengths[b], (u32)z.t);
        if (keys == 0) queries = 0;
    }

    // Rows behind the last query that sees something count as that one; nobody looks at what comes of them.
    __device__ __forceinline__ int visible(int i) const {
        i = min(i, queries - 1);
        return causal ? min(keys, i + 1) : keys;
    }
};

__device__ __forceinline__ int row_pitch(int hs) { return 4 * ((hs + 3) / 4 | 1); }

// Where column `column` of row `row` lies in a strip of rows of `width` values, a multiple of 32. Groups of 4 columns
// stay together.
__device__ __forceinline__ int place(int row, int column, int width) {
    return row * width + (column ^ (row >> 2 & 3) << 3);
}

// Whether rows at `from`, `stride` apart, can be read and written four values at a time.
template <typename T>
__device__ __forceinline__ bool in_fours(const T* from, int stride, int hs) {
    return ((u64)from % (4 * sizeof(T)) | (u32)stride % 4 | (u32)hs % 4) == 0;
}

__device__ __forceinline__ float4 read4(const float* from) { return *(const float4*)from; }

template <typename T>
__device__ __forceinline__ float4 read4(const T* from) {
    struct alignas(8) Four {
        T x, y, z, w;
    };
    Four four = *(const Four*)from;
    return float4{to_float(four.x), to_float(four.y), to_float(four.z), to_float(four.w)};
}

__device__ __forceinline__ float4 scaled(const float (&x)[4], float scale) {
    return float4{x[0] * scale, x[1] * scale, x[2] * scale, x[3] * scale};
}

// Up to four values of a row of `hs`, from column `column` on.
__device__ __forceinline__ void write_part(float* to, float4 x, int column, int hs, bool vector) {
    if (vector) {
        *(float4*)(to + column) = x;
        return;
    }
    to[column] = x.x;
    if (column + 1 < hs) to[column + 1] = x.y;
    if (column + 2 < hs) to[column + 2] = x.z;
    if (column + 3 < hs) to[column + 3] = x.w;
}

// ROWS rows of `hs` values to a tile, of which `rows` are there; the others, and columns up to a multiple of 4, become
// zeros. A row takes the next power of two of `hs / 4` lanes.
template <int ROWS, typename T>
__device__ __forceinline__ void load_rows(float* tile, const T* from, int stride, int rows, int hs) {
    int quads = (hs + 3) / 4, pitch = row_pitch(hs);
    bool vector = in_fours(from, stride, hs);
    int log = quads > 1 ? 32 - __clz(quads - 1) : 0;
    // Eight lanes that store at a time must lie in different banks: a row's, or the same part of eight rows.
    int lane = threadIdx.x % 32;
    bool short_rows = log < 3;
    int quad = short_rows ? lane >> 5 - log : lane & (1 << log) - 1;
    if (quad >= quads) return;
    int first = (threadIdx.x / 32 << 5 - log) + (short_rows ? lane & (32 >> log) - 1 : lane >> log);
    int step = THREADS >> log;
    from += 4 * quad;
    tile += 4 * quad;
    if (vector) {
#pragma unroll 4
        for (int row = first; row < ROWS; row += step) {
            float4 x = {0.0f, 0.0f, 0.0f, 0.0f};
            if (row < rows) x = read4(from + (size_t)row * stride);
            *(float4*)(tile + row * pitch) = x;
        }
    } else {
        int here = hs - 4 * quad;
#pragma unroll 1
        for (int row = first; row < ROWS; row += step)
#pragma unroll
            for (int e = 0; e < 4; e++)
                tile[row * pitch + e] = row < rows && e < here ? to_float(from[(size_t)row * stride + e]) : 0.0f;
    }
}

// Which rows and columns of a 32-row matrix a thread has.
struct Part {
    int lane, warp;
    int row;  // its first row of four

    __device__ __forceinline__ Part() : lane(threadIdx.x % 32), warp(threadIdx.x / 32) {
        row = warp / 2 * 16 + lane / 8 * 4;
    }

    // Of scores: column n of COLUMNS / 16 of a tile of COLUMNS keys.
    template <int COLUMNS>
    __device__ __forceinline__ int key(int n) const {
        return warp % 2 * (COLUMNS / 2) + lane % 8 + 8 * n;
    }

    // Of rows of head-size values: the first of the four columns of group c.
    __device__ __forceinline__ int column(int c) const { return warp % 2 * 32 + lane % 8 * 4 + 64 * c; }
};

// Four floats of shared memory. As PTX, because the compiler, left to share loads among loops, shares them in one way or
// another from run to run: the committed PTX could not be compared with a new compilation.
__device__ __forceinline__ float4 load4(u32 address) {
    float4 x;
    asm volatile("ld.shared.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(x.x), "=f"(x.y), "=f"(x.z), "=f"(x.w)
                 : "r"(address)
                 : "memory");
    return x;
}

// sum[i][n] = the chain over d of a's row i and b's row 8 n, `pitch` apart.
template <int N>
__device__ __forceinline__ void products(float (&sum)[4][N], const float* a, const float* b, int hs, int pitch) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < N; n++) sum[i][n] = 0.0f;
    u32 a_row = (u32)__cvta_generic_to_shared(a), b_row = (u32)__cvta_generic_to_shared(b);
    int d = 0;
#pragma unroll 1
    for (; d + 4 <= hs; d += 4) {
        float4 y[N];
#pragma unroll
        for (int n = 0; n < N; n++) y[n] = load4(b_row + 4 * (8 * n * pitch + d));
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float4 x = load4(a_row + 4 * (i * pitch + d));
#pragma unroll
            for (int n = 0; n < N; n++) {
                sum[i][n] = __fmaf_rn(x.x, y[n].x, sum[i][n]);
                sum[i][n] = __fmaf_rn(x.y, y[n].y, sum[i][n]);
                sum[i][n] = __fmaf_rn(x.z, y[n].z, sum[i][n]);
                sum[i][n] = __fmaf_rn(x.w, y[n].w, sum[i][n]);
            }
        }
    }
#pragma unroll 1
    for (; d < hs; d++)
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
            for (int n = 0; n < N; n++) sum[i][n] = __fmaf_rn(a[i * pitch + d], b[8 * n * pitch + d], sum[i][n]);
}

// sum[e] += weight * row[e] of four columns.
__device__ __forceinline__ void add_row(float (&sum)[4], float weight, float4 row) {
    sum[0] = __fmaf_rn(weight, row.x, sum[0]);
    sum[1] = __fmaf_rn(weight, row.y, sum[1]);
    sum[2] = __fmaf_rn(weight, row.z, sum[2]);
    sum[3] = __fmaf_rn(weight, row.w, sum[3]);
}

// The chains over keys go on by a tile: sum[c][i] += the sum over j of weights[row i][first + j] * tile[j], over the
// keys j < count[i] of the tile's TILE. `count` ascends.
template <int TILE, int GROUPS>
__device__ __forceinline__ void weigh(float (&sum)[GROUPS][4][4], const float* weights, int width, int first,
                                      const float* tile, const int (&count)[4], int hs, const Part& part) {
    int pitch = row_pitch(hs);
    int all = min(count[0], TILE), some = min(count[3], TILE);
    int j = 0;
#pragma unroll 1
    for (; j + 4 <= all; j += 4) {
        float4 w[4];
#pragma unroll
        for (int i = 0; i < 4; i++) w[i] = *(const float4*)(weights + place(part.row + i, first + j, width));
#pragma unroll
        for (int c = 0; c < GROUPS; c++) {
            if (part.column(c) >= hs) continue;
            const float* row = tile + j * pitch + part.column(c);
            float4 x[4];
#pragma unroll
            for (int n = 0; n < 4; n++) x[n] = *(const float4*)(row + n * pitch);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                add_row(sum[c][i], w[i].x, x[0]);
                add_row(sum[c][i], w[i].y, x[1]);
                add_row(sum[c][i], w[i].z, x[2]);
                add_row(sum[c][i], w[i].w, x[3]);
            }
        }
    }
    // The last keys, and the ragged edge of a causal mask: a row must not meet keys that it does not see, not even with
    // a weight of 0, since they may be NaN.
#pragma unroll 1
    for (; j < some; j++)
#pragma unroll
        for (int c = 0; c < GROUPS; c++) {
            if (part.column(c) >= hs) continue;
            float4 x = *(const float4*)(tile + j * pitch + part.column(c));
#pragma unroll
            for (int i = 0; i < 4; i++)
                if (j < count[i]) add_row(sum[c][i], weights[place(part.row + i, first + j, width)], x);
        }
}
