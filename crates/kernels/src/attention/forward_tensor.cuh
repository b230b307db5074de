// Attention forward in 16 bits, on tensor cores: scores never leave registers.
//
//   s[i,j] = scale sum_d q[i,d] k[j,d]
//   o[i,d] = (sum_j f[i,j] 2^(t[i,j] - m[i]) v[j,d]) / l[i]     t = s log2 e, m[i] >= max_j t[i,j]
//   lse[i] = m[i] ln 2 + ln l[i]                                l[i] = sum_j 2^(t[i,j] - m[i])
//
// Dao 2023, "FlashAttention-2", arXiv:2307.08691: keys come in tiles of 64; m is the largest score so far, and what has
// been summed is multiplied by 2^(old m - new m) when it grows. Scores, statistics and sums are f32; weights are
// rounded to T, unnormalised and before dropout's scale, for the product with v.
//
// Shapes    as attention_forward.cu. HS <= COLUMNS (32, 64 or 128); columns behind HS are zeros in shared memory.
// Launch    16 queries a warp, 32 to 128 threads; B NH ceil(T / (threads / 2)) blocks, those of a head side by side;
//           dynamic shared memory: threads / 2 rows of q and 64 of k and v, of COLUMNS values of T; the latter twice if
//           S > 64, so that a tile is on its way while one is worked on.
// Requires  lengths at most S and T. Rows that are no whole chunks of 16 bytes are copied value by value.
// Traffic   as attention_forward.cu; every access to global memory is of 16 bytes but lse's.
// Order     a query's keys in ascending tiles, by one warp: the order of blocks does not matter. Of the bits of
//           dropout's blocks a lane makes one of 32, and hands out whether elements stay, a bit each.
// NaN       a key that a query does not see weighs 0 in its tile's product; so, unlike in f32, a NaN or an infinity in
//           a visible row of v reaches all queries of the strip. Rows that nobody sees are not read.
#pragma once

#include "math.cuh"
#include "tensor_tile.cuh"

constexpr int KEYS = 64;

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

// Which of a warp's 16 rows by 64 columns stay. Of keep[h][x], bit 8 n is that of row 8 h + lane / 4 and column 16 n +
// 2 (lane % 4) + x % 2 + x / 2 * 8.
__device__ __forceinline__ void stays(u32 (&keep)[2][4], const Dropout& dropout, u32 step, u32 row, int j0, int keys,
                                      int lane) {
    // Bits 8 n ..: the eight rows of group lane / 16 in column 16 n + lane % 16.
    u32 mine = 0;
#pragma unroll 1
    for (int n = 0; n < KEYS / 16; n++) {
        if (j0 + 16 * n >= keys) break;
        Pieces block = pieces(dropout, step, row + lane / 16, j0 + 16 * n + lane % 16);
        u32 bits = 0;
#pragma unroll
        for (int k = 0; k < 8; k++) bits |= factor(dropout, block, k) != 0.0f ? 1u << k : 0u;
        mine |= bits << 8 * n;
    }
#pragma unroll
    for (int h = 0; h < 2; h++)
#pragma unroll
        for (int x = 0; x < 4; x++)
            keep[h][x] = __shfl_sync(ALL_LANES, mine, 16 * h + lane % 4 * 2 + x % 2 + x / 2 * 8) >> lane / 4;
}

template <typename T, int COLUMNS>
__device__ __forceinline__ void forward_tensor(T* o, float* lse, const T* q, const T* k, const T* v,
                                               const u32* key_lengths, const u32* query_lengths, const Sizes& z,
                                               const Dropout& dropout) {
    constexpr int TILE = KEYS * COLUMNS;
    extern __shared__ __align__(128) u16 shared[];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32, rows = blockDim.x / 2;
    Places<COLUMNS> at(lane);
    T* qs = (T*)shared;
    T* tiles = qs + rows * COLUMNS;  // k, v; k, v

    int strips = (z.t + rows - 1) / rows;
    Head head(blockIdx.x / strips, z, key_lengths, query_lengths);
    int start = blockIdx.x % strips * rows;
    int c = z.nh * z.hs;
    q += ((size_t)head.b * z.t + start) * z.q_row_stride + head.column;
    k += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    v += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    o += ((size_t)head.b * z.t + start) * c + head.column;
    lse += (size_t)head.number * z.t + start;
    bool q_aligned = in_chunks(q, z.q_row_stride, z.hs), o_aligned = in_chunks(o, c, z.hs);
    bool k_aligned = in_chunks(k, z.kv_row_stride, z.hs), v_aligned = in_chunks(v, z.kv_row_stride, z.hs);

    int seeing = min(head.queries - start, rows);
    int keys = seeing > 0 ? head.visible(start + rows - 1) : 0;
    int steps = (keys + KEYS - 1) / KEYS;
    // This warp's queries, and what the last of them sees.
    int row0 = warp * 16, warp_keys = row0 < seeing ? head.visible(start + row0 + 15) : 0;
    int row[2] = {row0 + lane / 4, row0 + lane / 4 + 8};
    int count[2] = {head.visible(start + row[0]), head.visible(start + row[1])};
    int count_of_first = head.visible(start + row0);
    float scale2 = LOG2_E / __fsqrt_rn((float)z.hs);
    u32 step_of_dropout = active(dropout) ? *dropout.step : 0;
    u32 dropout_row = (u32)head.number * (u32)((z.t + 7) / 8) + (u32)((start + row0) / 8);

    if (steps > 0) {
        fetch<COLUMNS>(qs, rows, q, z.q_row_stride, seeing, z.hs, q_aligned);
        fetch<COLUMNS>(tiles, KEYS, k, z.kv_row_stride, keys, z.hs, k_aligned);
        copy_commit();
        fetch<COLUMNS>(tiles + TILE, KEYS, v, z.kv_row_stride, keys, z.hs, v_aligned);
        copy_commit();
    }
    float out[COLUMNS / 8][4] = {};
    float top[2] = {minus_infinity(), minus_infinity()}, total[2] = {};
    for (int step = 0; step < steps; step++) {
        int j0 = step * KEYS;
        T* ks = tiles + step % 2 * 2 * TILE;
        T* vs = ks + TILE;
        if (step + 1 < steps) {
            T* next = tiles + (step + 1) % 2 * 2 * TILE;
            size_t first = (size_t)(j0 + KEYS) * z.kv_row_stride;
            fetch<COLUMNS>(next, KEYS, k + first, z.kv_row_stride, keys - j0 - KEYS, z.hs, k_aligned);
            copy_commit();
            fetch<COLUMNS>(next + TILE, KEYS, v + first, z.kv_row_stride, keys - j0 - KEYS, z.hs, v_aligned);
            copy_commit();
            copy_wait<3>();
        } else {
            copy_wait<1>();
        }
        __syncthreads();

        u32 weight[KEYS / 8][2];
        if (j0 < warp_keys) {
            float score[KEYS / 8][4] = {};
#pragma unroll
            for (int i = 0; i < COLUMNS / 16; i++) {
                u32 a[4];
                load_left(a, qs, row0, 2 * i, at);
#pragma unroll
                for (int n = 0; n < KEYS / 16; n++) {
                    if (j0 + 16 * n >= warp_keys) continue;
                    u32 b[4];
                    load_right_transposed(b, ks, 16 * n, 2 * i, at);
                    multiply_add<T>(score[2 * n], a, b[0], b[1]);
                    multiply_add<T>(score[2 * n + 1], a, b[2], b[3]);
                }
            }
            bool ragged = j0 + KEYS > count_of_first;
            float tile_top[2] = {minus_infinity(), minus_infinity()};
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    int key = j0 + 8 * n + lane % 4 * 2 + e % 2;
                    score[n][e] = ragged && key >= count[e / 2] ? minus_infinity() : score[n][e] * scale2;
                    tile_top[e / 2] = fmaxf(tile_top[e / 2], score[n][e]);
                }
            float base[2];
#pragma unroll
            for (int h = 0; h < 2; h++) {
                tile_top[h] = fmaxf(tile_top[h], __shfl_xor_sync(ALL_LANES, tile_top[h], 1));
                tile_top[h] = fmaxf(tile_top[h], __shfl_xor_sync(ALL_LANES, tile_top[h], 2));
                float larger = fmaxf(top[h], tile_top[h]);
                // While all scores are minus infinity, their difference would be NaN.
                base[h] = larger == minus_infinity() ? 0.0f : larger;
                float shrink = exp2_approximate(top[h] - base[h]);
                top[h] = larger;
                total[h] *= shrink;
#pragma unroll
                for (int n = 0; n < COLUMNS / 8; n++) {
                    out[n][2 * h] *= shrink;
                    out[n][2 * h + 1] *= shrink;
                }
            }
            u32 keep[2][4];
            if (active(dropout)) stays(keep, dropout, step_of_dropout, dropout_row, j0, warp_keys, lane);
#pragma unroll
            for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    float p[2];
#pragma unroll
                    for (int e = 0; e < 2; e++) {
                        p[e] = exp2_approximate(score[n][2 * h + e] - base[h]);
                        total[h] += p[e];
                        if (active(dropout) && (keep[h][e + n % 2 * 2] >> 8 * (n / 2) & 1) == 0) p[e] = 0.0f;
                    }
                    weight[n][h] = packed<T>(p[0], p[1]);
                }
        }
        if (step + 1 < steps) {
            copy_wait<2>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        // The sums of a 16 x 16 tile of scores lie in the lanes as the left factor of the next product wants them.
#pragma unroll
        for (int i = 0; i < KEYS / 16; i++) {
            if (j0 + 16 * i >= warp_keys) continue;
            u32 a[4] = {weight[2 * i][0], weight[2 * i][1], weight[2 * i + 1][0], weight[2 * i + 1][1]};
#pragma unroll
            for (int n = 0; n < COLUMNS / 16; n++) {
                u32 b[4];
                load_right(b, vs, 16 * i, 2 * n, at);
                multiply_add<T>(out[2 * n], a, b[0], b[1]);
                multiply_add<T>(out[2 * n + 1], a, b[2], b[3]);
            }
        }
        // The fetch of the step after next overwrites these tiles.
        __syncthreads();
    }

    // This warp's results to its rows of the queries' tile, which nobody else reads, and from there to memory in
    // chunks.
    int here = min(z.t - start - row0, 16);
    float kept = active(dropout) ? dropout.scale : 1.0f;
#pragma unroll
    for (int h = 0; h < 2; h++) {
        total[h] += __shfl_xor_sync(ALL_LANES, total[h], 1);
        total[h] += __shfl_xor_sync(ALL_LANES, total[h], 2);
        bool sees = row[h] < seeing;
        float over = __fdiv_rn(kept, total[h]);
#pragma unroll
        for (int n = 0; n < COLUMNS / 8; n++) {
            u32 pair = sees ? packed<T>(out[n][2 * h] * over, out[n][2 * h + 1] * over) : 0;
            *(u32*)(qs + at.pair.from(row0 + 8 * h, n)) = pair;
        }
        if (lane % 4 == 0 && row[h] < z.t - start)
            lse[row[h]] = sees ? __fmaf_rn(top[h], LN_2, ln_rn(total[h])) : minus_infinity();
    }
    __syncwarp();
    store_rows<COLUMNS>(o + (size_t)row0 * c, qs, row0, c, here, z.hs, o_aligned, lane, 32);
}

#define FORWARD(NAME, T, COLUMNS)                                                                                     \
    extern "C" __global__ void __launch_bounds__(THREADS)                                                             \
        NAME(T* o, float* lse, const T* q, const T* k, const T* v, const u32* key_lengths, const u32* query_lengths,  \
             Sizes sizes, Dropout dropout) {                                                                          \
        forward_tensor<T, COLUMNS>(o, lse, q, k, v, key_lengths, query_lengths, sizes, dropout);                      \
    }
