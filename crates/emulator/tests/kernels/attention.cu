// Flash attention forward: O = softmax(Q K^T / sqrt(D)) V without ever storing the scores, D = 64.
// q (H, T, D); k, v (H, S, D); o (H, T, D); lse (H, T), where h counts (sentence, head) pairs and lse is the natural
// logarithm of the sum of exp(scores). lengths (H): only keys below lengths[h] count. causal: key j counts for query i
// only if j <= i. A query for which no key counts gets zeros and an lse of minus infinity.

#include "tensor.cuh"

constexpr unsigned FULL = 0xffffffffu;
constexpr int D = 64;
constexpr float LOG2_E = 1.44269504f;
constexpr float LN_2 = 0.693147181f;

__device__ __forceinline__ float minus_infinity() { return __uint_as_float(0xff800000u); }

// 2^x by the approximate instruction, which gives 0 for minus infinity.
__device__ __forceinline__ float exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

__device__ __forceinline__ float warp_max(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x = fmaxf(x, __shfl_xor_sync(FULL, x, offset));
    return x;
}

__device__ __forceinline__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(FULL, x, offset);
    return x;
}

// In f32. Launch: (ceil(T / 16), H) blocks of 128 threads; each of the four warps has four queries. A lane computes the
// score of one key of 32, then two columns of the output.
extern "C" __global__ void __launch_bounds__(128)
    attention_f32(const float* q, const float* k, const float* v, float* o, float* lse, const int* lengths, int t, int s,
                  int causal) {
    constexpr int KEYS = 32, QUERIES = 4;
    __shared__ float qs[4 * QUERIES][D];
    __shared__ float ks[KEYS][D + 1];
    __shared__ float vs[KEYS][D];
    int head = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int first = blockIdx.x * 4 * QUERIES;
    q += (size_t)head * t * D;
    k += (size_t)head * s * D;
    v += (size_t)head * s * D;
    const float scale = LOG2_E * 0.125f;
    for (int i = threadIdx.x; i < 4 * QUERIES * D; i += 128)
        qs[i / D][i % D] = first + i / D < t ? q[(size_t)first * D + i] * scale : 0.0f;

    float top[QUERIES], total[QUERIES], out[QUERIES][2];
    for (int i = 0; i < QUERIES; i++) {
        top[i] = minus_infinity();
        total[i] = out[i][0] = out[i][1] = 0.0f;
    }
    int keys = min(s, lengths[head]);
    if (causal) keys = min(keys, first + 4 * QUERIES);
    for (int j0 = 0; j0 < keys; j0 += KEYS) {
        __syncthreads();
        for (int i = threadIdx.x; i < KEYS * D; i += 128) {
            bool inside = j0 + i / D < keys;
            ks[i / D][i % D] = inside ? k[(size_t)j0 * D + i] : 0.0f;
            vs[i / D][i % D] = inside ? v[(size_t)j0 * D + i] : 0.0f;
        }
        __syncthreads();
#pragma unroll
        for (int i = 0; i < QUERIES; i++) {
            int row = warp * QUERIES + i;
            float score = 0.0f;
            for (int d = 0; d < D; d++) score = __fmaf_rn(qs[row][d], ks[lane][d], score);
            bool counts = j0 + lane < keys && (!causal || j0 + lane <= first + row);
            if (!counts) score = minus_infinity();
            float new_top = fmaxf(top[i], warp_max(score));
            // Before the first key that counts both are minus infinity, whose difference would be NaN.
            float base = new_top == minus_infinity() ? 0.0f : new_top;
            float weight = exp2_fast(score - base);
            float shrink = exp2_fast(top[i] - base);
            top[i] = new_top;
            total[i] = __fmaf_rn(total[i], shrink, warp_sum(weight));
            out[i][0] *= shrink;
            out[i][1] *= shrink;
            for (int j = 0; j < KEYS; j++) {
                float w = __shfl_sync(FULL, weight, j);
                out[i][0] = __fmaf_rn(w, vs[j][lane], out[i][0]);
                out[i][1] = __fmaf_rn(w, vs[j][lane + 32], out[i][1]);
            }
        }
    }
    for (int i = 0; i < QUERIES; i++) {
        int row = first + warp * QUERIES + i;
        if (row >= t) break;
        float inverse = total[i] > 0.0f ? 1.0f / total[i] : 0.0f;
        o[((size_t)head * t + row) * D + lane] = out[i][0] * inverse;
        o[((size_t)head * t + row) * D + lane + 32] = out[i][1] * inverse;
        if (lane == 0) lse[head * t + row] = total[i] > 0.0f ? (top[i] + log2f(total[i])) * LN_2 : minus_infinity();
    }
}

// A tile of 64 rows of 64 16-bit numbers, rows of 8 chunks of 16 bytes; chunk i of row r lies in place i ^ (r % 8).
__device__ __forceinline__ int place(int row, int chunk) { return row * D + (chunk ^ (row % 8)) * 8; }

__device__ __forceinline__ void fetch(u16* tile, const u16* from, int first, int rows) {
    for (int i = threadIdx.x; i < 64 * D / 8; i += 128) {
        int row = i / 8, chunk = i % 8;
        bool keep = first + row < rows;
        copy_async(&tile[place(row, chunk)], keep ? from + (size_t)(first + row) * D + chunk * 8 : from, keep);
    }
}

// In bf16 with f32 scores, sums and outputs rounded once. Launch: (ceil(T / 64), H) blocks of 128 threads, 40960 bytes
// of dynamic shared memory; each of the four warps has 16 queries, keys come in tiles of 64, two in flight.
extern "C" __global__ void __launch_bounds__(128)
    attention_bf16(const u16* q, const u16* k, const u16* v, u16* o, float* lse, const int* lengths, int t, int s,
                   int causal) {
    constexpr int TILE = 64, SIZE = TILE * D;
    extern __shared__ __align__(128) u16 tiles[];
    u16* qs = tiles;
    u16* ks = tiles + SIZE;      // two stages
    u16* vs = tiles + 3 * SIZE;  // two stages
    int head = blockIdx.y, warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    int first = blockIdx.x * TILE;
    q += (size_t)head * t * D;
    k += (size_t)head * s * D;
    v += (size_t)head * s * D;
    int keys = min(s, lengths[head]);
    if (causal) keys = min(keys, first + TILE);
    int steps = (keys + TILE - 1) / TILE;

    fetch(qs, q, first, t);
    fetch(ks, k, 0, keys);
    fetch(vs, v, 0, keys);
    copy_commit();

    // Lane 4 g + c holds rows g and g + 8 of the warp's 16, and of each 16 x 8 tile columns 2 c and 2 c + 1.
    int row[2] = {first + warp * 16 + lane / 4, first + warp * 16 + lane / 4 + 8};
    u32 qf[D / 16][4];
    float out[D / 8][4] = {};
    float top[2] = {minus_infinity(), minus_infinity()}, total[2] = {};
    for (int step = 0; step < steps; step++) {
        int stage = step % 2, j0 = step * TILE;
        if (step + 1 < steps) {
            fetch(ks + (1 - stage) * SIZE, k, j0 + TILE, keys);
            fetch(vs + (1 - stage) * SIZE, v, j0 + TILE, keys);
            copy_commit();
            copy_wait<1>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        if (step == 0) {
#pragma unroll
            for (int i = 0; i < D / 16; i++)
                load_matrices(qf[i], &qs[place(warp * 16 + lane % 16, i * 2 + lane / 16)]);
        }
        const u16* kt = ks + stage * SIZE;
        const u16* vt = vs + stage * SIZE;

        float score[TILE / 8][4] = {};
#pragma unroll
        for (int i = 0; i < D / 16; i++)
#pragma unroll
            for (int j = 0; j < TILE / 16; j++) {
                // Keys 0..8 with columns 0..8 and 8..16, then keys 8..16 likewise.
                u32 kf[4];
                load_matrices(kf, &kt[place(j * 16 + lane / 16 * 8 + lane % 8, i * 2 + lane / 8 % 2)]);
                Bf16::multiply(score[j * 2], qf[i], kf[0], kf[1]);
                Bf16::multiply(score[j * 2 + 1], qf[i], kf[2], kf[3]);
            }

        float tile_top[2] = {minus_infinity(), minus_infinity()};
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int key = j0 + j * 8 + lane % 4 * 2 + e % 2;
                bool counts = key < keys && (!causal || key <= row[e / 2]);
                score[j][e] = counts ? score[j][e] * (LOG2_E * 0.125f) : minus_infinity();
                tile_top[e / 2] = fmaxf(tile_top[e / 2], score[j][e]);
            }
        float base[2], shrink[2], sum[2] = {};
#pragma unroll
        for (int h = 0; h < 2; h++) {
            tile_top[h] = fmaxf(tile_top[h], __shfl_xor_sync(FULL, tile_top[h], 1));
            tile_top[h] = fmaxf(tile_top[h], __shfl_xor_sync(FULL, tile_top[h], 2));
            float new_top = fmaxf(top[h], tile_top[h]);
            base[h] = new_top == minus_infinity() ? 0.0f : new_top;
            shrink[h] = exp2_fast(top[h] - base[h]);
            top[h] = new_top;
        }
#pragma unroll
        for (int j = 0; j < TILE / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                score[j][e] = exp2_fast(score[j][e] - base[e / 2]);
                sum[e / 2] += score[j][e];
            }
#pragma unroll
        for (int h = 0; h < 2; h++) total[h] = __fmaf_rn(total[h], shrink[h], sum[h]);
#pragma unroll
        for (int j = 0; j < D / 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) out[j][e] *= shrink[e / 2];

        // The sums of a 16 x 16 tile of scores lie in the lanes as the left factor of the next product wants them.
#pragma unroll
        for (int i = 0; i < TILE / 16; i++) {
            u32 pf[4] = {bf16x2_of(score[2 * i][0], score[2 * i][1]), bf16x2_of(score[2 * i][2], score[2 * i][3]),
                         bf16x2_of(score[2 * i + 1][0], score[2 * i + 1][1]),
                         bf16x2_of(score[2 * i + 1][2], score[2 * i + 1][3])};
#pragma unroll
            for (int j = 0; j < D / 16; j++) {
                u32 vf[4];
                load_matrices_transposed(vf, &vt[place(i * 16 + lane % 16, j * 2 + lane / 16)]);
                Bf16::multiply(out[j * 2], pf, vf[0], vf[1]);
                Bf16::multiply(out[j * 2 + 1], pf, vf[2], vf[3]);
            }
        }
        // The next step's fetch overwrites this stage.
        __syncthreads();
    }
    copy_wait<0>();

#pragma unroll
    for (int h = 0; h < 2; h++) {
        total[h] += __shfl_xor_sync(FULL, total[h], 1);
        total[h] += __shfl_xor_sync(FULL, total[h], 2);
        if (row[h] >= t) continue;
        float inverse = total[h] > 0.0f ? 1.0f / total[h] : 0.0f;
        u32* to = (u32*)(o + ((size_t)head * t + row[h]) * D);
#pragma unroll
        for (int j = 0; j < D / 8; j++)
            to[j * 4 + lane % 4] = bf16x2_of(out[j][h * 2] * inverse, out[j][h * 2 + 1] * inverse);
        if (lane % 4 == 0)
            lse[head * t + row[h]] = total[h] > 0.0f ? (top[h] + log2f(total[h])) * LN_2 : minus_infinity();
    }
}
