// Fused Adam over one flat buffer: update t of every parameter, or nothing at all.
//
//   g  = scale grads[i]
//   m' = flush( fma(w1, g - m, m) )
//   v' = flush( fma(w2, fma(g, g, -v), v) )
//   d  = fma( sqrt(v'), root_correction, epsilon )
//   params[i] = params[i] - fma( decay, params[i], step_size (m' / d) )
//   copy[i] = params[i], rounded to T, for those who compute with that; the kernels named `_copy_`
//
// mod.rs is the contract: every operation is rounded as IEEE 754 says and none is contracted, so the bits are the CPU's.
//
// Shapes: params, grads, m, v, copy (n), any n. gradient: the norm and the scale of this launch. table (SLOTS): the
// scalars of update t lie in slot (t - 1) % SLOTS. progress: the count of updates and what became of the launches. All
// in device memory, so that a captured launch replays with the next rate.
//
// Launch: any number of blocks of 256 threads, one launch at a time for one `progress`.
//
// Traffic: reads 16 bytes a parameter and writes 12, which is the floor of 28 (32 with gradients cleared; a copy
// adds its own bytes, without being made in a pass of its own). A thread takes
// four neighbouring parameters by 128-bit accesses, so a warp's request is 512 bytes in a row, 16 sectors; the four loads
// do not depend on each other. Elements behind the last four, or all if a buffer is not aligned to 16 bytes, go one by
// one.
//
// The count: every thread reads it when it begins. A block that has finished says so by one atomic addition of an integer,
// after all its threads have read; the block that is the last to say so advances the count. So no thread of this launch
// can read the advanced count, and the next launch reads nothing else. Nothing waits, and no float is added atomically.

#include "element.cuh"

using u32 = unsigned int;
using u64 = unsigned long long;

constexpr u32 EXPONENT = 0x7f800000u;
constexpr u64 SLOTS = 1024;

struct Scalars {
    double rate;
    float step_size, root_correction, decay, epsilon, w1, w2;
};

struct Gradient {
    double norm;
    float scale;
};

struct Progress {
    u64 updates;    // updates applied
    u64 filled;     // the table holds the scalars of the updates up to this one
    u64 arrived;    // blocks of this launch that have finished; above bit 32, those that wrote an infinity or a NaN
    u64 skipped;    // launches without an update because the norm was not finite
    u64 bad_scale;  // launches refused because the scale was negative or not finite
    u64 no_rate;    // launches refused because the table did not reach so far
    u64 damaged;    // updates that left something not finite behind
    double rate;    // the last update's
    double norm;    // the last launch's
    u64 outcome;    // the last launch's: one of the below, plus 256 if its update left something not finite behind
};

enum Outcome : u32 { APPLIED = 1, SKIPPED = 2, BAD_SCALE = 3, NO_RATE = 4 };

__device__ __forceinline__ bool finite(double x) { return ((u32)__double2hiint(x) & 0x7ff00000u) != 0x7ff00000u; }

__device__ __forceinline__ float flush(float x) { return fabsf(x) < 1.17549435e-38f ? 0.0f : x; }

// One parameter; returns the largest exponent bits of what it leaves behind, from which one sees infinities and NaNs.
__device__ __forceinline__ u32 element(float& p, float g, float& m, float& v, float scale, const Scalars& s) {
    g = __fmul_rn(scale, g);
    m = flush(__fmaf_rn(s.w1, __fsub_rn(g, m), m));
    v = flush(__fmaf_rn(s.w2, __fmaf_rn(g, g, -v), v));
    float d = __fmaf_rn(__fsqrt_rn(v), s.root_correction, s.epsilon);
    p = __fsub_rn(p, __fmaf_rn(s.decay, p, __fmul_rn(s.step_size, __fdiv_rn(m, d))));
    u32 largest = max(__float_as_uint(p) & EXPONENT, __float_as_uint(m) & EXPONENT);
    return max(largest, __float_as_uint(v) & EXPONENT);
}

// What there is no copy of.
struct Nothing {};

// Four neighbouring parameters, rounded; `copy` is aligned to four of them.
template <typename T>
__device__ __forceinline__ void copy_four(T* copy, u64 i, const float4& p) {
    if constexpr (sizeof(T) == 4) {
        ((float4*)copy)[i] = p;
    } else if constexpr (sizeof(T) == 2) {
        u32 low = from_float<T>(p.x).bits | (u32)from_float<T>(p.y).bits << 16;
        u32 high = from_float<T>(p.z).bits | (u32)from_float<T>(p.w).bits << 16;
        ((uint2*)copy)[i] = uint2{low, high};
    }
}

template <typename T>
__device__ __forceinline__ void copy_one(T* copy, u64 i, float p) {
    if constexpr (sizeof(T) > 1) copy[i] = from_float<T>(p);
}

template <bool CLEAR, typename T>
__device__ __forceinline__ bool update_all(float* params, float* grads, float* m, float* v, T* copy, u64 n, u64 vectors,
                                           float scale, const Scalars& s) {
    u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x, stride = (u64)gridDim.x * blockDim.x;
    u32 largest = 0;
    for (u64 i = first; i < vectors; i += stride) {
        float4 p4 = ((const float4*)params)[i], g4 = ((const float4*)grads)[i];
        float4 m4 = ((const float4*)m)[i], v4 = ((const float4*)v)[i];
        largest = max(largest, element(p4.x, g4.x, m4.x, v4.x, scale, s));
        largest = max(largest, element(p4.y, g4.y, m4.y, v4.y, scale, s));
        largest = max(largest, element(p4.z, g4.z, m4.z, v4.z, scale, s));
        largest = max(largest, element(p4.w, g4.w, m4.w, v4.w, scale, s));
        ((float4*)params)[i] = p4;
        copy_four(copy, i, p4);
        ((float4*)m)[i] = m4;
        ((float4*)v)[i] = v4;
        if (CLEAR) ((float4*)grads)[i] = float4{0.0f, 0.0f, 0.0f, 0.0f};
    }
    for (u64 i = 4 * vectors + first; i < n; i += stride) {
        float p = params[i], mi = m[i], vi = v[i];
        largest = max(largest, element(p, grads[i], mi, vi, scale, s));
        params[i] = p;
        copy_one(copy, i, p);
        m[i] = mi;
        v[i] = vi;
        if (CLEAR) grads[i] = 0.0f;
    }
    return largest < EXPONENT;
}

__device__ __forceinline__ void clear_all(float* grads, u64 n, u64 vectors) {
    u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x, stride = (u64)gridDim.x * blockDim.x;
    for (u64 i = first; i < vectors; i += stride) ((float4*)grads)[i] = float4{0.0f, 0.0f, 0.0f, 0.0f};
    for (u64 i = 4 * vectors + first; i < n; i += stride) grads[i] = 0.0f;
}

// What this launch is to do: the same for every thread, since nothing changes what it is read from before all have read.
__device__ __forceinline__ Outcome decide(const Gradient& gradient, const Progress* progress, u64 updates) {
    if (!finite(gradient.norm)) return SKIPPED;
    bool in_range = gradient.scale >= 0.0f && (__float_as_uint(gradient.scale) & EXPONENT) != EXPONENT;
    if (!in_range) return BAD_SCALE;
    return updates < progress->filled ? APPLIED : NO_RATE;
}

// The launch's end, by one thread of its last block.
__device__ __forceinline__ void conclude(Progress* progress, Outcome outcome, bool intact, u64 updates, double rate,
                                         double norm) {
    progress->arrived = 0;
    progress->norm = norm;
    progress->outcome = outcome | (intact ? 0u : 256u);
    if (outcome == APPLIED) {
        progress->updates = updates + 1;
        progress->rate = rate;
        if (!intact) progress->damaged++;
    } else if (outcome == SKIPPED) {
        progress->skipped++;
    } else if (outcome == BAD_SCALE) {
        progress->bad_scale++;
    } else {
        progress->no_rate++;
    }
}

template <bool CLEAR, typename T>
__device__ __forceinline__ void adam(float* params, float* grads, float* m, float* v, T* copy, u64 n,
                                     const Gradient* gradient, const Scalars* table, Progress* progress) {
    u64 updates = progress->updates;
    Gradient g = *gradient;
    Outcome outcome = decide(g, progress, updates);
    bool aligned = (((u64)params | (u64)grads | (u64)m | (u64)v) & 15) == 0 && (u64)copy % (4 * sizeof(T)) == 0;
    u64 vectors = aligned ? n / 4 : 0;
    bool intact = true;
    double rate = 0.0;
    if (outcome == APPLIED) {
        Scalars s = table[updates % SLOTS];
        rate = s.rate;
        intact = update_all<CLEAR>(params, grads, m, v, copy, n, vectors, g.scale, s);
    } else if (CLEAR && outcome == SKIPPED) {
        clear_all(grads, n, vectors);
    }

    bool block_intact = __syncthreads_and(intact);
    if (threadIdx.x == 0) {
        // This block's reads of the count come before it is seen to have finished.
        __threadfence();
        u64 mine = block_intact ? 1 : 1 + (1ull << 32);
        u64 arrived = atomicAdd(&progress->arrived, mine) + mine;
        if ((u32)arrived == gridDim.x) {
            __threadfence();
            conclude(progress, outcome, arrived >> 32 == 0, updates, rate, g.norm);
        }
    }
}

// The gradients stay.
extern "C" __global__ void __launch_bounds__(256)
    adam_f32(float* params, float* grads, float* m, float* v, u64 n, const Gradient* gradient, const Scalars* table,
             Progress* progress) {
    adam<false>(params, grads, m, v, (Nothing*)nullptr, n, gradient, table, progress);
}

// The gradients are zero afterwards, also where the update was skipped; not where the launch was refused.
extern "C" __global__ void __launch_bounds__(256)
    adam_f32_clear(float* params, float* grads, float* m, float* v, u64 n, const Gradient* gradient,
                   const Scalars* table, Progress* progress) {
    adam<true>(params, grads, m, v, (Nothing*)nullptr, n, gradient, table, progress);
}

// With a copy; it stays as it is where the update was skipped or refused.
#define COPY(T)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        adam_f32_copy_##T(float* params, float* grads, float* m, float* v, T* copy, u64 n, const Gradient* gradient,  \
                          const Scalars* table, Progress* progress) {                                                 \
        adam<false>(params, grads, m, v, copy, n, gradient, table, progress);                                         \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(256)                                                                 \
        adam_f32_copy_##T##_clear(float* params, float* grads, float* m, float* v, T* copy, u64 n,                    \
                                  const Gradient* gradient, const Scalars* table, Progress* progress) {               \
        adam<true>(params, grads, m, v, copy, n, gradient, table, progress);                                          \
    }

using f32 = float;

COPY(f32)
COPY(bf16)
COPY(f16)
