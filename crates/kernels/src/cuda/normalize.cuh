// Layer norm forward of a warp's rows, alone or behind a residual addition with dropout: what layer_norm.cu's forward
// kernels do, and products' last blocks (product.cuh). layer_norm/mod.rs is the contract.
//
//   s    = fma(factor, sub, x)        residual forward, rounded to T and left in `sum`; plain forward has s = x
//   mean = lane_sum(s) / C            rstd = 1 / sqrt(lane_sum((s - mean)^2) / C + eps)
//   y    = fma((s - mean) * rstd, gamma, beta)
//
// A lane has eight of every 256 columns (group.cuh). In f32 they are 32 apart, the order of the contract's sums: a
// warp's access is 128 bytes in a row, four whole sectors. In 16 bits they are neighbours, one access of 16 bytes, and
// a lane adds them ascending.
#pragma once

#include "group.cuh"

// Columns of an access: single ones in the order of the lanes, or 16 bytes.
template <typename T>
constexpr int LEN = 8;
template <>
constexpr int LEN<float> = 1;

// Shapes: x, sum, y (N, C) of T; gamma, beta (C); mean, rstd (N). Laid out as `NormWords` of layer_norm/cuda.rs.
template <typename T>
struct Norm {
    const T* x;
    T* sum;  // null in the plain form
    T* y;
    const float* gamma;
    const float* beta;
    float* mean;
    float* rstd;
    Dropout dropout;
    float eps;
    int n, c, unused;
};

template <typename T>
__device__ __forceinline__ bool vectors_of(const Norm<T>& norm) {
    bool rows = aligned(norm.x) && aligned(norm.y) && aligned(norm.sum);
    return rows && aligned(norm.gamma) && aligned(norm.beta) && norm.c % LEN<T> == 0;
}

// s of eight columns, where the bits of `kept` stay; the residual form leaves it in `sum`.
template <typename T>
__device__ __forceinline__ void residual_group(Words<T>& s, const Words<T>& x, const Norm<T>& norm, u32 bits,
                                               u64 start, int first, int lane, bool vectors) {
    float sum[8];
#pragma unroll
    for (int k = 0; k < 8; k++) sum[k] = __fmaf_rn(kept_factor(norm.dropout, bits, k), get(s, k), get(x, k));
#pragma unroll
    for (int k = 0; k < 8; k++) set(s, k, from_float<T>(sum[k]));
    store_group<LEN<T>>(sum, norm.sum + start, first, norm.c, lane, vectors);
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
__device__ __forceinline__ void normalize_group(const Words<T>& s, float mean, float rstd, const Norm<T>& norm,
                                                T* y, int first, int lane, bool vectors) {
    float gamma[8], beta[8], out[8];
    load_group<LEN<T>>(gamma, norm.gamma, first, norm.c, lane, vectors);
    load_group<LEN<T>>(beta, norm.beta, first, norm.c, lane, vectors);
#pragma unroll
    for (int k = 0; k < 8; k++) out[k] = __fmaf_rn((get(s, k) - mean) * rstd, gamma[k], beta[k]);
    store_group<LEN<T>>(out, y, first, norm.c, lane, vectors);
}

template <typename T>
__device__ __forceinline__ float write_stats(float mean, float squares, const Norm<T>& norm, int row, int lane) {
    float variance = __fdiv_rn(lane_sum(squares), (float)norm.c);
    float rstd = __fdiv_rn(1.0f, __fsqrt_rn(variance + norm.eps));
    if (lane == 0) {
        norm.mean[row] = mean;
        norm.rstd[row] = rstd;
    }
    return rstd;
}

// A row of up to 256 GROUPS columns in registers: it is read once. In 16 bits rows must be aligned.
template <typename T, int GROUPS>
struct Row {
    Words<T> x[GROUPS], s[GROUPS];

    __device__ __forceinline__ void load(const Norm<T>& norm, int row, int lane) {
        u64 start = (u64)row * norm.c;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            load_words<LEN<T>>(x[g], norm.x + start, GROUP * g, norm.c, lane, true);
            if (norm.sum != nullptr) load_words<LEN<T>>(s[g], norm.sum + start, GROUP * g, norm.c, lane, true);
        }
    }

    __device__ __forceinline__ void normalize(const Norm<T>& norm, int row, int lane) {
        u64 start = (u64)row * norm.c;
        if (norm.sum != nullptr) {
            // Eight bits a group; while they are made, the loads are under way.
            u32 bits = ~0u;
            if (active(norm.dropout)) {
                u32 step = *norm.dropout.step;
                bits = 0;
#pragma unroll 1
                for (int g = 0; GROUP * g < norm.c; g++) bits |= kept<LEN<T>>(norm.dropout, step, row, g, lane) << 8 * g;
            }
#pragma unroll
            for (int g = 0; g < GROUPS; g++) {
                if (GROUP * g >= norm.c) break;
                residual_group(s[g], x[g], norm, bits >> 8 * g, start, GROUP * g, lane, true);
            }
        } else {
#pragma unroll
            for (int g = 0; g < GROUPS; g++) s[g] = x[g];
        }
        // From column c on s is zero, and a lane's sum is never -0: adding it changes nothing.
        float total = 0.0f, squares = 0.0f;
#pragma unroll
        for (int g = 0; g < GROUPS; g++)
#pragma unroll
            for (int k = 0; k < 8; k++) total = total + get(s[g], k);
        float mean = __fdiv_rn(lane_sum(total), (float)norm.c);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) squares = add_squares<LEN<T>>(squares, s[g], mean, GROUP * g, norm.c, lane);
        float rstd = write_stats(mean, squares, norm, row, lane);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (GROUP * g >= norm.c) break;
            normalize_group(s[g], mean, rstd, norm, norm.y + start, GROUP * g, lane, true);
        }
    }
};

// A row of any width and alignment, which is read again for each pass. A thread reads back from `sum` what it wrote
// itself, so its passes need no barrier.
template <typename T>
__device__ __forceinline__ void normalize_wide(const Norm<T>& norm, int row, int lane) {
    bool vectors = vectors_of(norm);
    u64 start = (u64)row * norm.c;
    u32 step = active(norm.dropout) ? *norm.dropout.step : 0;
    bool residual = norm.sum != nullptr;
    const T* in = residual ? norm.sum + start : norm.x + start;
    Words<T> s;
    float total = 0.0f, squares = 0.0f;
    for (int first = 0; first < norm.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, norm.c, lane, vectors);
        if (residual) {
            Words<T> x;
            load_words<LEN<T>>(x, norm.x + start, first, norm.c, lane, vectors);
            u32 bits = active(norm.dropout) ? kept<LEN<T>>(norm.dropout, step, row, first / GROUP, lane) : 0xffu;
            residual_group(s, x, norm, bits, start, first, lane, vectors);
        }
#pragma unroll
        for (int k = 0; k < 8; k++) total = total + get(s, k);
    }
    float mean = __fdiv_rn(lane_sum(total), (float)norm.c);
    for (int first = 0; first < norm.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, norm.c, lane, vectors);
        squares = add_squares<LEN<T>>(squares, s, mean, first, norm.c, lane);
    }
    float rstd = write_stats(mean, squares, norm, row, lane);
    for (int first = 0; first < norm.c; first += GROUP) {
        load_words<LEN<T>>(s, in, first, norm.c, lane, vectors);
        normalize_group(s, mean, rstd, norm, norm.y + start, first, lane, vectors);
    }
}
