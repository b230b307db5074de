// The L2 norm of the gradients and the factor that clips them, left where Adam's kernel reads them.
//
//   sums[b] = sum of grads[i]^2 over block b of 4096        norm = unscale * sqrt(sums[0] + sums[1] + ...)
//   clip    = min(1, max_norm / norm)                       scale = clip * unscale
//
// mod.rs is the contract: f64, a block's sum by 32 lanes and a butterfly, the blocks' sums one after the other. The
// bits are the CPU's. A norm that is not finite gives a clip of 0 (infinite) or NaN, which Adam does not look at.
//
// Shapes: grads (n), any alignment; sums (ceil(n / 4096)); unscale (1) or null for 1; words: Adam's `Gradient`.
//
// `grad_norm_blocks_f32`: a warp a block of 4096, 8 to a block of threads. Lane l adds elements l,
// l + 32, ...: a request is 128 bytes in a row. Sixteen loads are under way at a time. A square of an f32 is exact in
// f64, so the multiply-add may be fused. Traffic: 4 n bytes read, the floor, and n / 512 written.
//
// `grad_norm_finish`: one block of threads. Its threads fetch 2048 sums while one of them adds those before, a chain of
// ceil(n / 4096) additions that the contract makes one after the other.

#include "lanes.cuh"

constexpr int BLOCK = 4096, WARPS = 8, THREADS = 32 * WARPS;

extern "C" __global__ void __launch_bounds__(THREADS) grad_norm_blocks_f32(double* sums, const float* grads, u64 n) {
    constexpr int EACH = 16;
    int lane = threadIdx.x % 32;
    u64 block = (u64)blockIdx.x * WARPS + threadIdx.x / 32;
    if (block * BLOCK >= n) return;
    const float* from = grads + block * BLOCK;
    u64 left = n - block * BLOCK;
    double sum = 0.0;
    if (left >= BLOCK) {
#pragma unroll 1
        for (int first = 0; first < BLOCK; first += 32 * EACH) {
            float x[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) x[i] = from[first + 32 * i + lane];
#pragma unroll
            for (int i = 0; i < EACH; i++) sum = __fma_rn((double)x[i], (double)x[i], sum);
        }
    } else {
#pragma unroll 1
        for (u64 i = lane; i < left; i += 32) sum = __fma_rn((double)from[i], (double)from[i], sum);
    }
    sum = lane_sum(sum);
    if (lane == 0) sums[block] = sum;
}

// clip_factor of mod.rs.
__device__ __forceinline__ float clip_factor(double norm, double max_norm) {
    if (norm != norm) return __int_as_float(0x7fffffff);
    if (fabs(norm) == __longlong_as_double(0x7ff0000000000000ll)) return 0.0f;
    double quotient = __ddiv_rn(max_norm, norm);
    return __double2float_rn(quotient < 1.0 ? quotient : 1.0);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    grad_norm_finish(u64* words, const double* sums, const float* unscale, u64 blocks, double max_norm) {
    constexpr int EACH = 8, TILE = EACH * THREADS;
    __shared__ double tile[TILE];
    double total = 0.0, next[EACH];
    auto load = [&](u64 first) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            u64 block = first + THREADS * i + threadIdx.x;
            next[i] = block < blocks ? sums[block] : 0.0;
        }
    };
    load(0);
    for (u64 first = 0; first < blocks; first += TILE) {
#pragma unroll
        for (int i = 0; i < EACH; i++) tile[THREADS * i + threadIdx.x] = next[i];
        __syncthreads();
        load(first + TILE);
        if (threadIdx.x == 0) {
            // Up to whole sixteens there are zeros behind the last sum, which change nothing: the total is never -0.
            int count = blocks - first < TILE ? (int)(blocks - first) : TILE;
            for (int i = 0; i < count; i += 16)
#pragma unroll
                for (int k = 0; k < 16; k++) total = total + tile[i + k];
        }
        __syncthreads();
    }
    if (threadIdx.x == 0) {
        double norm = __dsqrt_rn(total);
        float scale = 1.0f;
        if (unscale != nullptr) {
            scale = *unscale;
            norm = __dmul_rn(norm, (double)scale);
        }
        words[0] = (u64)__double_as_longlong(norm);
        words[1] = __float_as_uint(__fmul_rn(clip_factor(norm, max_norm), scale));
    }
}
