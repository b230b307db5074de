// A step of incremental decoding: attention of one new query a row over the row's cache, and caches that go on as
// others.
//
//   cache[r,at] = (k[r], v[r]);  s[j] = scale * chain_d(q[d], k[j,d]) for j = 0 .. at
//   m = max_j s;  p[j] = exp(s[j] - m);  l = lane_sum(p);  out[d] = chain_j(p[j], v[j,d]) * (1 / l)
//
// mod.rs is the contract: every operation is rounded as IEEE 754 says and none is contracted, so the bits are the
// CPU's. 16-bit queries, keys and values are widened first, and `out` is rounded once, at the end.
//
// Shapes: qkv (R, 3C), a row being q, k, v; cache (R, max_len, 2C), a position being k, v; out (R, C); C = NH * HS;
// head h has the columns h * HS .. (h + 1) * HS. Any sizes and alignment.
// Types: T for all of them; float for scores, weights and sums.
//
// Launch: grid (R * NH), block (128), dynamic shared memory for q and the scores, HS + max_len floats; set in
// decode_cuda.rs.
//
// Traffic: the positions' keys and values are read once, the floor of 2 (at + 1) HS sizeof(T) bytes a head.
//
// Keys: a warp takes 32 of them, 32 columns at a time, through a tile in shared memory. It reads a key's columns side
// by side, four sectors of f32 a request, 16 requests before it waits; a thread then goes along its own key's row of
// the tile. Rows of 33 floats: neither way has a bank conflict.
// Values: a thread has a column and reads it from position to position; its neighbours read the neighbouring columns.
//
// Order: chains over d and over j are one thread's; l is taken by every warp for itself in lane order.

#include "element.cuh"
#include "lanes.cuh"
#include "math.cuh"

constexpr int WARPS = 4;
constexpr int THREADS = 32 * WARPS;
// Values of a column read before the first is used.
constexpr int AT_ONCE = 16;

extern __shared__ float shared[];

// This lane's score of key `lane` of n, without the scale. `k` is the head's first column of the first of them.
template <typename T>
__device__ __forceinline__ float score(const T* k, u64 stride, int n, const float* q, int HS, float (*tile)[33]) {
    int lane = threadIdx.x % 32;
    float sum = 0.0f;
    for (int d0 = 0; d0 < HS; d0 += 32) {
        int width = min(32, HS - d0);
        if (lane < width) {
            const T* column = k + d0 + lane;
            int r = 0;
            for (; r + AT_ONCE <= n; r += AT_ONCE) {
                T x[AT_ONCE];
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++, column += stride) x[i] = *column;
#pragma unroll
                for (int i = 0; i < AT_ONCE; i++) tile[r + i][lane] = to_float(x[i]);
            }
            for (; r < n; r++, column += stride) tile[r][lane] = to_float(*column);
        }
        __syncwarp();
        if (lane < n) {
            if (width == 32) {
#pragma unroll
                for (int d = 0; d < 32; d++) sum = __fmaf_rn(q[d0 + d], tile[lane][d], sum);
            } else {
                for (int d = 0; d < width; d++) sum = __fmaf_rn(q[d0 + d], tile[lane][d], sum);
            }
        }
        // The tile is read before it is filled again.
        __syncwarp();
    }
    return sum;
}

// p into the place of the scores; returns 1 / l.
__device__ __forceinline__ float softmax(float* scores, int n) {
    int lane = threadIdx.x % 32;
    float m = __int_as_float(0xff800000);
    for (int j = lane; j < n; j += 32) {
        float s = scores[j];
        m = s > m ? s : m;
    }
    m = lane_max(m);
    // Every warp has read all scores.
    __syncthreads();
    for (int j = threadIdx.x; j < n; j += THREADS) scores[j] = exp_nonpositive(__fsub_rn(scores[j], m));
    __syncthreads();
    float l = 0.0f;
    for (int j = lane; j < n; j += 32) l = __fadd_rn(l, scores[j]);
    return __fdiv_rn(1.0f, lane_sum(l));
}

// chain_j(p[j], v[j]) of one column.
template <typename T>
__device__ __forceinline__ float weigh(const T* v, u64 stride, int n, const float* p) {
    float sum = 0.0f;
    int j = 0;
    for (; j + AT_ONCE <= n; j += AT_ONCE) {
        T x[AT_ONCE];
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++, v += stride) x[i] = *v;
#pragma unroll
        for (int i = 0; i < AT_ONCE; i++) sum = __fmaf_rn(p[j + i], to_float(x[i]), sum);
    }
    for (; j < n; j++, v += stride) sum = __fmaf_rn(p[j], to_float(*v), sum);
    return sum;
}

template <typename T>
__device__ __forceinline__ void cached_attention(T* out, T* cache, const T* qkv, int NH, int HS, int max_len, int at,
                                                 float scale) {
    __shared__ float tiles[WARPS][32][33];
    float *q = shared, *scores = shared + HS;
    int row = blockIdx.x / NH, head = blockIdx.x % NH, C = NH * HS, n = at + 1;
    qkv += (u64)row * 3 * C + head * HS;
    u64 stride = 2 * (u64)C;
    T* k = cache + (u64)row * max_len * stride + head * HS;
    for (int d = threadIdx.x; d < HS; d += THREADS) {
        q[d] = to_float(qkv[d]);
        k[at * stride + d] = qkv[C + d];
        k[at * stride + C + d] = qkv[2 * C + d];
    }
    // q is there, and so is the newest key, which is read like the others.
    __syncthreads();
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    for (int j = 32 * warp; j < n; j += THREADS) {
        int keys = min(32, n - j);
        float s = score(k + j * stride, stride, keys, q, HS, tiles[warp]);
        if (lane < keys) scores[j + lane] = __fmul_rn(s, scale);
    }
    __syncthreads();
    float over = softmax(scores, n);
    out += (u64)row * C + head * HS;
    for (int d = threadIdx.x; d < HS; d += THREADS) {
        out[d] = from_float<T>(__fmul_rn(weigh(k + C + d, stride, n, scores), over));
    }
}

#define ENTRY(NAME, T)                                                                                            \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                         \
        cached_attention_##NAME(T* out, T* cache, const T* qkv, int NH, int HS, int max_len, int at, float scale) { \
        cached_attention(out, cache, qkv, NH, HS, max_len, at, scale);                                            \
    }

ENTRY(f32, float)
ENTRY(bf16, bf16)
ENTRY(f16, f16)

// Row r of `to` becomes the first n values of row parents[r] of `from`, or of the last row if there is no such row.
//
// Shapes: from, to (R, row), apart from each other; parents (R); n <= row. Any alignment. Bits is as long as a value.
//
// Launch: grid (R * parts), block (256): a block copies a part of 16 KiB. Traffic: 2 n sizeof(Bits) bytes a row, the
// floor; 16 bytes an access where everything is aligned to them, and four accesses before the first is waited for.
template <typename Bits>
__device__ __forceinline__ void reorder(Bits* to, const Bits* from, const u32* parents, int row, int n, int parts) {
    constexpr int THREADS = 256, EACH = 4, WIDE = 16 / sizeof(Bits), PART = THREADS * EACH * WIDE;
    int r = blockIdx.x / parts, start = blockIdx.x % parts * PART, count = min(PART, n - start);
    // The launcher has checked the parents. A replayed graph may find others, which must not lead out of `from`.
    u32 parent = min(parents[r], gridDim.x / parts - 1);
    to += (u64)r * row + start;
    from += (u64)parent * row + start;
    int wide = (((u64)to | (u64)from) & 15) == 0 ? count / WIDE : 0;
    uint4 x[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int at = i * THREADS + threadIdx.x;
        if (at < wide) x[i] = ((const uint4*)from)[at];
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
        int at = i * THREADS + threadIdx.x;
        if (at < wide) ((uint4*)to)[at] = x[i];
    }
    for (int i = WIDE * wide + threadIdx.x; i < count; i += THREADS) to[i] = from[i];
}

extern "C" __global__ void __launch_bounds__(256)
    reorder_cache_32(u32* to, const u32* from, const u32* parents, int row, int n, int parts) {
    reorder(to, from, parents, row, n, parts);
}

extern "C" __global__ void __launch_bounds__(256)
    reorder_cache_16(unsigned short* to, const unsigned short* from, const u32* parents, int row, int n, int parts) {
    reorder(to, from, parents, row, n, parts);
}
