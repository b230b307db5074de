// C = A B on tensor cores: cp.async in two stages, swizzled shared memory, ldmatrix, mma.sync; sums in f32.
// Launch: (ceil(N / 64), ceil(M / 64)) blocks of 128 threads; each of the four warps makes 32 x 32 of C.

#include "tensor.cuh"

constexpr int TILE = 64;
constexpr int STAGES = 2;

// Where a warp's 32 x 32 sums go. Lane 4 g + t holds rows g and g + 8, columns 2 t and 2 t + 1 of a 16 x 8 tile.
__device__ __forceinline__ void store(const float (&sum)[2][4][4], float* c, int m, int n, int row0, int col0) {
    int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int row = row0 + i * 16 + half * 8 + lane / 4, col = col0 + j * 8 + lane % 4 * 2;
                if (row < m && col < n) {
                    float2 pair = {sum[i][j][half * 2], sum[i][j][half * 2 + 1]};
                    *(float2*)&c[(size_t)row * n + col] = pair;
                }
            }
}

// A (M, K) and B (K, N) of 16-bit numbers, C (M, N) f32, row-major; N and K multiples of 8.
// A tile row holds 32 numbers of A (64 bytes, 4 chunks) or 64 of B (128 bytes, 8 chunks). Chunk i of row r lies in
// place i ^ (r / 2 % 4), or i ^ (r % 8): then the eight rows of a matrix lie in 32 different banks.
template <class Type>
__device__ __forceinline__ void gemm_16(const u16* a, const u16* b, float* c, int m, int n, int k) {
    constexpr int DEPTH = 32;
    __shared__ __align__(128) u16 at[STAGES][TILE * DEPTH];
    __shared__ __align__(128) u16 bt[STAGES][DEPTH * TILE];
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    int row0 = blockIdx.y * TILE, col0 = blockIdx.x * TILE;

    auto fetch = [&](int stage, int k0) {
        for (int i = thread; i < TILE * DEPTH / 8; i += 128) {
            int row = i / 4, chunk = i % 4;
            bool keep = row0 + row < m && k0 + chunk * 8 < k;
            const u16* from = keep ? a + (size_t)(row0 + row) * k + k0 + chunk * 8 : a;
            copy_async(&at[stage][row * DEPTH + (chunk ^ (row / 2 % 4)) * 8], from, keep);
        }
        for (int i = thread; i < DEPTH * TILE / 8; i += 128) {
            int row = i / 8, chunk = i % 8;
            bool keep = k0 + row < k && col0 + chunk * 8 < n;
            const u16* from = keep ? b + (size_t)(k0 + row) * n + col0 + chunk * 8 : b;
            copy_async(&bt[stage][row * TILE + (chunk ^ (row % 8)) * 8], from, keep);
        }
        copy_commit();
    };

    int warp_row = warp / 2 * 32, warp_col = warp % 2 * 32;
    float sum[2][4][4] = {};
    int steps = (k + DEPTH - 1) / DEPTH;
    fetch(0, 0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) {
            fetch((step + 1) % STAGES, (step + 1) * DEPTH);
            copy_wait<1>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        const u16* as = at[step % STAGES];
        const u16* bs = bt[step % STAGES];
#pragma unroll
        for (int kk = 0; kk < DEPTH; kk += 16) {
            u32 af[2][4], bf[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int row = warp_row + i * 16 + lane % 16, chunk = kk / 8 + lane / 16;
                load_matrices(af[i], &as[row * DEPTH + (chunk ^ (row / 2 % 4)) * 8]);
            }
#pragma unroll
            for (int j = 0; j < 2; j++) {
                int row = kk + lane % 16, chunk = warp_col / 8 + j * 2 + lane / 16;
                load_matrices_transposed(bf[j], &bs[row * TILE + (chunk ^ (row % 8)) * 8]);
            }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    Type::multiply(sum[i][j], af[i], bf[j / 2][j % 2 * 2], bf[j / 2][j % 2 * 2 + 1]);
        }
        // The next step's fetch overwrites what this one has read.
        __syncthreads();
    }
    store(sum, c, m, n, row0 + warp_row, col0 + warp_col);
}

extern "C" __global__ void __launch_bounds__(128) gemm_bf16(const u16* a, const u16* b, float* c, int m, int n, int k) {
    gemm_16<Bf16>(a, b, c, m, n, k);
}

extern "C" __global__ void __launch_bounds__(128) gemm_f16(const u16* a, const u16* b, float* c, int m, int n, int k) {
    gemm_16<F16>(a, b, c, m, n, k);
}

// A (M, K), B (N, K), C = A B^T (M, N), f32 rounded to tf32 (ties away); N even, K a multiple of 4.
// B lies with k innermost because ldmatrix cannot transpose 32-bit numbers. A tile row is 16 numbers in 4 chunks.
extern "C" __global__ void __launch_bounds__(128)
    gemm_tf32(const float* a, const float* b, float* c, int m, int n, int k) {
    constexpr int DEPTH = 16;
    __shared__ __align__(128) float at[STAGES][TILE * DEPTH];
    __shared__ __align__(128) float bt[STAGES][TILE * DEPTH];
    int thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    int row0 = blockIdx.y * TILE, col0 = blockIdx.x * TILE;

    auto fetch_from = [&](float* tile, const float* from, int first, int rows, int k0) {
        for (int i = thread; i < TILE * DEPTH / 4; i += 128) {
            int row = i / 4, chunk = i % 4;
            bool keep = first + row < rows && k0 + chunk * 4 < k;
            const float* source = keep ? from + (size_t)(first + row) * k + k0 + chunk * 4 : from;
            copy_async(&tile[row * DEPTH + (chunk ^ (row / 2 % 4)) * 4], source, keep);
        }
    };
    auto fetch = [&](int stage, int k0) {
        fetch_from(at[stage], a, row0, m, k0);
        fetch_from(bt[stage], b, col0, n, k0);
        copy_commit();
    };

    int warp_row = warp / 2 * 32, warp_col = warp % 2 * 32;
    float sum[2][4][4] = {};
    int steps = (k + DEPTH - 1) / DEPTH;
    fetch(0, 0);
    for (int step = 0; step < steps; step++) {
        if (step + 1 < steps) {
            fetch((step + 1) % STAGES, (step + 1) * DEPTH);
            copy_wait<1>();
        } else {
            copy_wait<0>();
        }
        __syncthreads();
        const float* as = at[step % STAGES];
        const float* bs = bt[step % STAGES];
#pragma unroll
        for (int kk = 0; kk < DEPTH; kk += 8) {
            u32 af[2][4], bf[2][4];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int row = warp_row + i * 16 + lane % 16, chunk = kk / 4 + lane / 16;
                load_matrices(af[i], &as[row * DEPTH + (chunk ^ (row / 2 % 4)) * 4]);
            }
            // Columns 0..8 with k 0..4 and 4..8, then columns 8..16 likewise.
#pragma unroll
            for (int j = 0; j < 2; j++) {
                int row = warp_col + j * 16 + lane / 16 * 8 + lane % 8, chunk = kk / 4 + lane / 8 % 2;
                load_matrices(bf[j], &bs[row * DEPTH + (chunk ^ (row / 2 % 4)) * 4]);
            }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    af[i][e] = tf32_of(af[i][e]);
                    bf[i][e] = tf32_of(bf[i][e]);
                }
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++)
                    Tf32::multiply(sum[i][j], af[i], bf[j / 2][j % 2 * 2], bf[j / 2][j % 2 * 2 + 1]);
        }
        __syncthreads();
    }
    store(sum, c, m, n, row0 + warp_row, col0 + warp_col);
}
