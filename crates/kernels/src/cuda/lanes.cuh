// Sums over a row in the order of lanes.rs: lane l of a warp has added elements l, l + 32, ... in order; then the butterfly.
#pragma once

using u32 = unsigned int;
using u64 = unsigned long long;

constexpr u32 ALL_LANES = 0xffffffffu;

// Every lane gets the sum. Lane l takes lane l ^ 16 in, then l ^ 8, 4, 2, 1: since addition commutes, both lanes of a pair
// have the same bits, those of the CPU's lane 0 in the end.
template <typename T>
__device__ __forceinline__ T lane_sum(T x) {
#pragma unroll
    for (int width = 16; width > 0; width /= 2) x = x + __shfl_xor_sync(ALL_LANES, x, width);
    return x;
}

// Every lane gets the largest. Not for NaN.
__device__ __forceinline__ float lane_max(float x) {
#pragma unroll
    for (int width = 16; width > 0; width /= 2) {
        float other = __shfl_xor_sync(ALL_LANES, x, width);
        x = other > x ? other : x;
    }
    return x;
}
