// The attention weights, on request; q and k may be bf16 or f16.
//
//   a[i,j] = exp(s[i,j] - lse[i])                        s made again as in attention_forward.cu, lse from there
//
// mod.rs is the contract: without dropout, and 0 where key j is not visible to query i. In f32 the bits are the CPU's.
//
// Shapes    q (B, T, C), k (B, S, C) of T with rows q_row_stride and kv_row_stride apart; lse (B, NH, T); key_lengths,
//           query_lengths (B), the latter may be null: all T. out (B, NH, T, S).
// Launch    128 threads; B NH ceil(T / 32) blocks, one a strip of 32 queries of a head, those of a head side by side;
//           dynamic shared memory: 96 rows of row_pitch(HS) floats, set in cuda/typed.rs.
// Requires  lengths at most S and T.
// Traffic   reads a head's k once a strip, from DRAM once while its strips' blocks run side by side, q once; writes out:
//           the floor, (B T + B S) C sizeof(T) and 4 B NH T (S + 1) bytes. 128-bit accesses to q and k where rows are
//           aligned; out by neighbours in a row.

#include "attention.cuh"
#include "math.cuh"

constexpr int TILE = 64;

template <typename T>
__device__ __forceinline__ void weights(float* out, const T* q, const T* k, const float* lse, const u32* key_lengths,
                                        const u32* query_lengths, const Sizes& z) {
    extern __shared__ __align__(16) float shared[];
    __shared__ float lse_of[STRIP];
    int pitch = row_pitch(z.hs);
    float* qs = shared;
    float* ks = qs + STRIP * pitch;

    int strips = (z.t + STRIP - 1) / STRIP;
    Head head(blockIdx.x / strips, z, key_lengths, query_lengths);
    int start = blockIdx.x % strips * STRIP;
    Part part;
    q += ((size_t)head.b * z.t + start) * z.q_row_stride + head.column;
    k += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    lse += (size_t)head.number * z.t + start;
    out += ((size_t)head.number * z.t + start) * z.s;

    int seeing = min(head.queries - start, STRIP);
    int keys = seeing > 0 ? head.visible(start + STRIP - 1) : 0;
    int rows = min(z.t - start, STRIP);
    float scale = 1.0f / __fsqrt_rn((float)z.hs);
    if (seeing > 0) load_rows<STRIP>(qs, q, z.q_row_stride, seeing, z.hs);
    if (threadIdx.x < STRIP) lse_of[threadIdx.x] = (int)threadIdx.x < seeing ? lse[threadIdx.x] : 0.0f;
    __syncthreads();
    for (int j0 = 0; j0 < z.s; j0 += TILE) {
        float sum[4][TILE / 16] = {};
        if (j0 < keys) {
            load_rows<TILE>(ks, k + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
            __syncthreads();
            products(sum, qs + part.row * pitch, ks + part.key<TILE>(0) * pitch, z.hs, pitch);
            __syncthreads();
        }
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = part.row + i;
            if (row >= rows) break;
            int count = row < seeing ? head.visible(start + row) : 0;
#pragma unroll
            for (int n = 0; n < TILE / 16; n++) {
                int j = j0 + part.key<TILE>(n);
                float a = exp_rn(sum[i][n] * scale - lse_of[row]);
                if (j < z.s) out[(size_t)row * z.s + j] = j < count ? a : 0.0f;
            }
        }
    }
}

#define WEIGHTS(NAME, T)                                                                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, 4)                                                          \
        NAME(float* out, const T* q, const T* k, const float* lse, const u32* key_lengths, const u32* query_lengths,  \
             Sizes sizes) {                                                                                           \
        weights<T>(out, q, k, lse, key_lengths, query_lengths, sizes);                                                \
    }

WEIGHTS(attention_weights_f32, float)
WEIGHTS(attention_weights_bf16, bf16)
WEIGHTS(attention_weights_f16, f16)
