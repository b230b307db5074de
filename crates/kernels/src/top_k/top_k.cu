// The k largest of each row with their places: one block a row.
//
// Values are ranked by a key of 64 bits: the value's order in its upper half (NaN above all, 0 and -0 equal), the index's
// complement in the lower. No two keys of a row are equal, so what is largest is never in doubt, whatever the order of
// looking; no key is 0.
//
// Shapes: scores (N, V), any alignment; values, indices (N, k); 1 <= k <= V.
//
// Launch: grid (N), block (32 W), W from 1 to 32 by V, no dynamic shared memory; set in cuda.rs. Requires N, V < 2^31.
//
// A thread has every blockDim.x-th value of the row, and remembers the largest of them that is not out yet. A round takes
// the largest of all threads, two barriers; the thread that had it looks through its values again for the next one. So a row
// costs one pass and k rounds of a few hundred cycles, where k passes would cost the row's length k times.
//
// Traffic: a row is read from memory once, coalesced, eight loads of a thread at a time, the floor of 4 N V bytes (and 8 N k).
// Looking again finds the row in the first-level cache, up to some V = 32000.

#include "element.cuh"
#include "lanes.cuh"

// Above every key.
constexpr u64 NO_LIMIT = ~0ull;

// As float's own order; NaN above infinity, and below the upper half of NO_LIMIT.
__device__ __forceinline__ u32 order(float x) {
    if (x != x) return 0xfffffffeu;
    u32 bits = __float_as_uint(x);
    if (bits == 0x80000000u) bits = 0;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

__device__ __forceinline__ u64 key(float x, int v) { return (u64)order(x) << 32 | ~(u32)v; }

// The largest key below `limit` of this thread's values; 0 if there is none.
template <typename T>
__device__ __forceinline__ u64 largest_below(const T* row, int V, u64 limit) {
    constexpr int AT_ONCE = 8;
    u64 largest = 0;
    for (int start = threadIdx.x; start < V; start += AT_ONCE * blockDim.x) {
        T x[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            int v = start + i * blockDim.x;
            if (v < V) x[i] = row[v];
        }
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) {
            int v = start + i * blockDim.x;
            if (v < V) {
                u64 mine = key(to_float(x[i]), v);
                if (mine < limit && mine > largest) largest = mine;
            }
        }
    }
    return largest;
}

// The largest of the warp's keys, to every lane.
__device__ __forceinline__ u64 warp_max(u64 mine) {
    u32 high = __reduce_max_sync(ALL_LANES, (u32)(mine >> 32));
    u32 low = __reduce_max_sync(ALL_LANES, (u32)(mine >> 32) == high ? (u32)mine : 0);
    return (u64)high << 32 | low;
}

template <typename T>
__device__ __forceinline__ void top_k(float* values, u32* indices, const T* scores, int V, int k) {
    __shared__ u64 best[32];
    const T* row = scores + (u64)blockIdx.x * V;
    values += (u64)blockIdx.x * k;
    indices += (u64)blockIdx.x * k;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    u64 mine = largest_below(row, V, NO_LIMIT);
    for (int place = 0; place < k; place++) {
        u64 of_warp = warp_max(mine);
        if (lane == 0) best[warp] = of_warp;
        __syncthreads();
        u64 winner = warp_max(lane < warps ? best[lane] : 0);
        // All have read before the next round writes.
        __syncthreads();
        if (mine == winner) {
            u32 v = ~(u32)winner;
            values[place] = to_float(row[v]);
            indices[place] = v;
            if (place + 1 < k) mine = largest_below(row, V, winner);
        }
    }
}

extern "C" __global__ void __launch_bounds__(1024)
    top_k_f32(float* values, u32* indices, const float* scores, int V, int k) {
    top_k(values, indices, scores, V, k);
}
