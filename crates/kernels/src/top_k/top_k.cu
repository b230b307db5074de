// The k largest of each row with their places: one block a row.
//
// Values are ranked by a key of two words: the value's order (NaN above all, 0 and -0 equal), then the index's
// complement. No two keys of a row are equal, so what is largest is never in doubt, whatever the order of looking.
//
// Shapes: scores (N, V), any alignment; values, indices (N, k); 1 <= k <= V.
// Types: T for scores, widened exactly; float for values.
//
// Launch: grid (N), block (32 W), W from 1 to 32 by V, no dynamic shared memory; set in cuda.rs. Requires N, V < 2^31.
//
// A thread has every blockDim.x-th value of the row, and remembers the largest of them that is not out yet. A round
// takes the largest of all threads, two barriers; the thread that had it looks through its values again for the next
// one. So a row costs one pass and k rounds of a few hundred cycles, where k passes would cost the row's length k
// times.
//
// Traffic: a row is read from memory once, coalesced, eight loads of a thread at a time, the floor of N V sizeof(T)
// bytes (and 8 N k). Looking again finds the row in the first-level cache, up to some V = 32000.

#include "element.cuh"
#include "lanes.cuh"

// As float's own order, 0 and -0 equal; NaN above infinity. Never 0.
__device__ __forceinline__ u32 order(float x) {
    int bits = __float_as_int(__fadd_rn(x, 0.0f));
    u32 number = bits ^ (bits >> 31 | (int)0x80000000);
    return x != x ? 0xffffffffu : number;
}

// A value's key; the higher, the earlier it comes out.
struct __align__(8) Key {
    u32 order, place;

    __device__ __forceinline__ bool operator==(Key other) const {
        return order == other.order && place == other.place;
    }
};

// The index's complement, and back.
__device__ __forceinline__ u32 place_of(int v) { return ~(u32)v; }

// The largest key of this thread's values, of those below `limit` if there is a limit; order 0 if there is none.
template <bool LIMIT, typename T>
__device__ __forceinline__ Key largest(const T* row, int V, Key limit) {
    constexpr int AT_ONCE = 8;
    Key best{0, 0};
    auto take_in = [&](T x, int v) {
        u32 mine = order(to_float(x));
        bool below = !LIMIT || mine < limit.order || (mine == limit.order && place_of(v) < limit.place);
        // Indices ascend: an equal that comes later ranks lower.
        if (below && mine > best.order) best = Key{mine, place_of(v)};
    };
    int v = threadIdx.x, stride = blockDim.x;
    for (; v + (AT_ONCE - 1) * stride < V; v += AT_ONCE * stride) {
        T x[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) x[i] = row[v + i * stride];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) take_in(x[i], v + i * stride);
    }
    for (; v < V; v += stride) take_in(row[v], v);
    return best;
}

// The largest of the warp's keys, to every lane.
__device__ __forceinline__ Key warp_max(Key mine) {
    u32 order = __reduce_max_sync(ALL_LANES, mine.order);
    return Key{order, __reduce_max_sync(ALL_LANES, mine.order == order ? mine.place : 0)};
}

template <typename T>
__device__ __forceinline__ void top_k(float* values, u32* indices, const T* scores, int V, int k) {
    __shared__ Key best[32];
    const T* row = scores + (u64)blockIdx.x * V;
    values += (u64)blockIdx.x * k;
    indices += (u64)blockIdx.x * k;
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warps = blockDim.x / 32;
    Key mine = largest<false>(row, V, Key{});
    for (int place = 0; place < k; place++) {
        Key of_warp = warp_max(mine);
        if (lane == 0) best[warp] = of_warp;
        __syncthreads();
        Key winner = warp_max(lane < warps ? best[lane] : Key{0, 0});
        // All have read before the next round writes.
        __syncthreads();
        if (mine == winner) {
            u32 v = ~winner.place;
            values[place] = to_float(row[v]);
            indices[place] = v;
            if (place + 1 < k) mine = largest<true>(row, V, winner);
        }
    }
}

#define ENTRY(T, TYPE)                                                                                \
    extern "C" __global__ void __launch_bounds__(1024)                                                \
        top_k_##T(float* values, u32* indices, const TYPE* scores, int V, int k) {                    \
        top_k(values, indices, scores, V, k);                                                         \
    }

ENTRY(f32, float)
ENTRY(bf16, bf16)
ENTRY(f16, f16)
