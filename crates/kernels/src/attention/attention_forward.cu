// Attention forward in f32. forward_tensor.cuh has it in bf16 and f16.
//
//   s[i,j] = scale sum_d q[i,d] k[j,d]
//   p[i,j] = exp(s[i,j] - m[i])                          m[i] = max_j s[i,j]
//   o[i,d] = (sum_j f[i,j] p[i,j] v[j,d]) (1 / l[i])     l[i] = sum_j p[i,j]
//   lse[i] = m[i] + ln l[i]
//
// mod.rs is the contract: every operation is rounded as IEEE 754 says, each sum is one chain in its order, l is summed
// in lane order, and so the bits are the CPU's in f32.
//
// Shapes    q, o (B, T, C), k, v (B, S, C) with rows q_row_stride and kv_row_stride apart; o's rows are C apart; lse
//           (B, NH, T); key_lengths, query_lengths (B), the latter may be null: all T.
// Launch    128 threads; B NH ceil(T / 32) blocks, one a strip of 32 queries of a head, those of a head side by side;
//           dynamic shared memory: 96 rows of row_pitch(HS) floats and 32 of `width`, set in cuda/typed.rs.
// Requires  HS <= 64 GROUPS; width a multiple of 64; lengths at most S and T.
// Passes    The maximum comes first, so keys are walked twice. If `width` holds the strip's scores they are kept from
//           the first walk; else the second makes them again, to the same bits. `width` so bounds shared memory, not S.
// Traffic   reads a head's k (and v) once a strip, from DRAM once while its strips' blocks run side by side, q once;
//           writes o and lse: the floor, (2 B T + 2 B S) C values and 4 B NH T bytes. 128-bit accesses where rows are
//           aligned.
// Order     p and l: warp w has rows 8 w .. 8 w + 7 and lane l keys l, l + 32, ..., which is the lane order, and the
//           eight queries that share a block of dropout's bits.

#include "attention.cuh"
#include "math.cuh"

constexpr int TILE = 64;

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

// The strip's scores of the tile of keys in `ks`, to columns `column ..`.
__device__ __forceinline__ void score_tile(float* scores, int width, int column, const float* qs, const float* ks,
                                           const Sizes& z, float scale, const Part& part) {
    float sum[4][TILE / 16];
    int pitch = row_pitch(z.hs);
    products(sum, qs + part.row * pitch, ks + part.key<TILE>(0) * pitch, z.hs, pitch);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < TILE / 16; n++)
            scores[place(part.row + i, column + part.key<TILE>(n), width)] = sum[i][n] * scale;
}

template <int GROUPS>
__device__ __forceinline__ void forward(float* o, float* lse, const float* q, const float* k, const float* v,
                                        const u32* key_lengths, const u32* query_lengths, const Sizes& z,
                                        const Dropout& dropout) {
    extern __shared__ __align__(16) float shared[];
    __shared__ float top_of[STRIP], sum_of[STRIP];
    int pitch = row_pitch(z.hs);
    float* qs = shared;
    float* tile = qs + STRIP * pitch;
    float* scores = tile + TILE * pitch;

    int strips = (z.t + STRIP - 1) / STRIP;
    Head head(blockIdx.x / strips, z, key_lengths, query_lengths);
    int start = blockIdx.x % strips * STRIP;
    int c = z.nh * z.hs;
    Part part;
    q += ((size_t)head.b * z.t + start) * z.q_row_stride + head.column;
    k += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    v += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    o += ((size_t)head.b * z.t + start) * c + head.column;
    lse += (size_t)head.number * z.t + start;

    int seeing = min(head.queries - start, STRIP);  // not positive if none of the strip sees anything
    int keys = seeing > 0 ? head.visible(start + STRIP - 1) : 0;
    bool kept = keys <= z.width;
    float scale = 1.0f / __fsqrt_rn((float)z.hs);
    int first_row = part.warp * 8;

    float top[8];
#pragma unroll
    for (int r = 0; r < 8; r++) top[r] = minus_infinity();
    if (seeing > 0) load_rows<STRIP>(qs, q, z.q_row_stride, seeing, z.hs);
    for (int j0 = 0; j0 < keys; j0 += TILE) {
        load_rows<TILE>(tile, k + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
        __syncthreads();
        int column = kept ? j0 : 0;
        score_tile(scores, z.width, column, qs, tile, z, scale, part);
        __syncthreads();
#pragma unroll
        for (int r = 0; r < 8; r++)
#pragma unroll
            for (int g = 0; g < TILE; g += 32) {
                float s = scores[place(first_row + r, column + g + part.lane, z.width)];
                bool seen = j0 + g + part.lane < head.visible(start + first_row + r);
                top[r] = seen && s > top[r] ? s : top[r];
            }
    }
#pragma unroll
    for (int r = 0; r < 8; r++) top[r] = lane_max(top[r]);

    float sum[8] = {}, out[GROUPS][4][4] = {};
    u32 step = active(dropout) ? *dropout.step : 0;
    u32 dropout_row = (u32)head.number * (u32)((z.t + 7) / 8) + (u32)((start + first_row) / 8);
    for (int j0 = 0; j0 < keys; j0 += TILE) {
        int column = kept ? j0 : 0;
        if (!kept) {
            load_rows<TILE>(tile, k + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
            __syncthreads();
            score_tile(scores, z.width, column, qs, tile, z, scale, part);
            __syncthreads();
        }
        load_rows<TILE>(tile, v + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
#pragma unroll 1
        for (int g = 0; g < TILE; g += 32) {
            int j = j0 + g + part.lane;
            Pieces block = {};
            if (active(dropout)) block = pieces(dropout, step, dropout_row, j);
#pragma unroll
            for (int r = 0; r < 8; r++) {
                float* at = &scores[place(first_row + r, column + g + part.lane, z.width)];
                // A zero for a key that is not seen is the same as leaving it out: no partial sum is -0.
                float p = j < head.visible(start + first_row + r) ? exp_nonpositive(*at - top[r]) : 0.0f;
                sum[r] += p;
                *at = active(dropout) ? factor(dropout, block, r) * p : p;
            }
        }
        __syncthreads();
        int count[4];
#pragma unroll
        for (int i = 0; i < 4; i++) count[i] = head.visible(start + part.row + i) - j0;
        weigh<TILE>(out, scores, z.width, column, tile, count, z.hs, part);
        __syncthreads();
    }

#pragma unroll
    for (int r = 0; r < 8; r++) {
        float l = lane_sum(sum[r]);
        if (part.lane == 0) {
            top_of[first_row + r] = top[r];
            sum_of[first_row + r] = l;
        }
    }
    __syncthreads();
    int rows = min(z.t - start, STRIP);
    if (threadIdx.x < rows) {
        bool sees = (int)threadIdx.x < seeing;
        lse[threadIdx.x] = sees ? top_of[threadIdx.x] + ln_rn(sum_of[threadIdx.x]) : minus_infinity();
    }
    bool vector = in_fours(o, c, z.hs);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = part.row + i;
        if (row >= rows) break;
        float over = __fdiv_rn(1.0f, sum_of[row]);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            int column = part.column(g);
            if (column >= z.hs) continue;
            float4 x = row < seeing ? scaled(out[g][i], over) : float4{0.0f, 0.0f, 0.0f, 0.0f};
            write_part(o + (size_t)row * c, x, column, z.hs, vector);
        }
    }
}

// At least three blocks a multiprocessor; with registers for four, some would spill.
#define FORWARD(NAME, GROUPS)                                                                                         \
    extern "C" __global__ void __launch_bounds__(THREADS, 3)                                                          \
        NAME(float* o, float* lse, const float* q, const float* k, const float* v, const u32* key_lengths,            \
             const u32* query_lengths, Sizes sizes, Dropout dropout) {                                                \
        forward<GROUPS>(o, lse, q, k, v, key_lengths, query_lengths, sizes, dropout);                                 \
    }

FORWARD(attention_forward_64_f32, 1)
FORWARD(attention_forward_128_f32, 2)
