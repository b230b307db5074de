// C = A B in f32, tiled through shared memory; each element is one chain of fused multiply-adds over k, ascending.
// A (M, K), B (K, N), C (M, N), row-major, any M, N, K.

constexpr int TILE = 64;   // rows and columns of C a block
constexpr int DEPTH = 16;  // k a step
constexpr int EACH = 4;    // rows and columns of C a thread

// Launch: (ceil(N / 64), ceil(M / 64)) blocks of (16, 16) threads.
extern "C" __global__ void gemm_f32(const float* a, const float* b, float* c, int m, int n, int k) {
    // A transposed, so that a thread's four rows are one vector; the padding spreads the stores over the banks.
    __shared__ float at[DEPTH][TILE + 4];
    __shared__ float bt[DEPTH][TILE];
    int thread = threadIdx.y * 16 + threadIdx.x;
    int row0 = blockIdx.y * TILE, col0 = blockIdx.x * TILE;
    float sum[EACH][EACH] = {};
    for (int k0 = 0; k0 < k; k0 += DEPTH) {
        for (int i = thread; i < TILE * DEPTH; i += 256) {
            int row = i / DEPTH, depth = i % DEPTH;
            bool inside = row0 + row < m && k0 + depth < k;
            at[depth][row] = inside ? a[(size_t)(row0 + row) * k + k0 + depth] : 0.0f;
        }
        for (int i = thread; i < TILE * DEPTH; i += 256) {
            int depth = i / TILE, col = i % TILE;
            bool inside = k0 + depth < k && col0 + col < n;
            bt[depth][col] = inside ? b[(size_t)(k0 + depth) * n + col0 + col] : 0.0f;
        }
        __syncthreads();
        int depths = min(DEPTH, k - k0);
        for (int depth = 0; depth < depths; depth++) {
            float4 x = *(const float4*)&at[depth][threadIdx.y * EACH];
            float4 y = *(const float4*)&bt[depth][threadIdx.x * EACH];
            float xs[EACH] = {x.x, x.y, x.z, x.w}, ys[EACH] = {y.x, y.y, y.z, y.w};
#pragma unroll
            for (int i = 0; i < EACH; i++)
#pragma unroll
                for (int j = 0; j < EACH; j++) sum[i][j] = __fmaf_rn(xs[i], ys[j], sum[i][j]);
        }
        __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            int row = row0 + threadIdx.y * EACH + i, col = col0 + threadIdx.x * EACH + j;
            if (row < m && col < n) c[(size_t)row * n + col] = sum[i][j];
        }
}

// The same without shared memory, one thread an element. Launch: (ceil(N / 16), ceil(M / 16)) blocks of (16, 16).
extern "C" __global__ void gemm_f32_plain(const float* a, const float* b, float* c, int m, int n, int k) {
    int row = blockIdx.y * blockDim.y + threadIdx.y, col = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= m || col >= n) return;
    float sum = 0.0f;
    for (int i = 0; i < k; i++) sum = __fmaf_rn(a[(size_t)row * k + i], b[(size_t)i * n + col], sum);
    c[(size_t)row * n + col] = sum;
}
