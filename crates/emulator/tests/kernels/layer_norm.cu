// Layer norm of rows, one warp a row.
//   mean = sum(x) / C,  rstd = 1 / sqrt(sum((x - mean)^2) / C + eps),  y = (x - mean) rstd gamma + beta
// x, y (N, C); gamma, beta (C); mean, rstd (N). Launch: ceil(N / 4) blocks of 128 threads.

constexpr unsigned FULL = 0xffffffffu;

__device__ __forceinline__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(FULL, x, offset);
    return x;
}

// Any C; x is read three times.
extern "C" __global__ void layer_norm(const float* x, const float* gamma, const float* beta, float* y, float* mean,
                                      float* rstd, int n, int c, float eps) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= n) return;
    x += (size_t)row * c;
    y += (size_t)row * c;
    float sum = 0.0f;
    for (int i = lane; i < c; i += 32) sum += x[i];
    float mu = warp_sum(sum) / c;
    float squares = 0.0f;
    for (int i = lane; i < c; i += 32) {
        float d = x[i] - mu;
        squares = __fmaf_rn(d, d, squares);
    }
    float r = 1.0f / sqrtf(warp_sum(squares) / c + eps);
    for (int i = lane; i < c; i += 32) y[i] = __fmaf_rn((x[i] - mu) * r, gamma[i], beta[i]);
    if (lane == 0) {
        mean[row] = mu;
        rstd[row] = r;
    }
}

// C a multiple of 128, at most 128 VECTORS; the row stays in registers and is read and written by 128-bit accesses.
template <int VECTORS>
__device__ __forceinline__ void in_registers(const float4* x, const float4* gamma, const float4* beta, float4* y,
                                             float* mean, float* rstd, int n, float eps) {
    constexpr int C = VECTORS * 128;
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
    int lane = threadIdx.x % 32;
    if (row >= n) return;
    float4 v[VECTORS];
    float sum = 0.0f;
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        v[i] = x[(size_t)row * (C / 4) + i * 32 + lane];
        sum += (v[i].x + v[i].y) + (v[i].z + v[i].w);
    }
    float mu = warp_sum(sum) * (1.0f / C);
    float squares = 0.0f;
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        float4 d = {v[i].x - mu, v[i].y - mu, v[i].z - mu, v[i].w - mu};
        squares += (d.x * d.x + d.y * d.y) + (d.z * d.z + d.w * d.w);
    }
    float r = 1.0f / sqrtf(warp_sum(squares) * (1.0f / C) + eps);
#pragma unroll
    for (int i = 0; i < VECTORS; i++) {
        float4 g = gamma[i * 32 + lane], b = beta[i * 32 + lane], out;
        out.x = __fmaf_rn((v[i].x - mu) * r, g.x, b.x);
        out.y = __fmaf_rn((v[i].y - mu) * r, g.y, b.y);
        out.z = __fmaf_rn((v[i].z - mu) * r, g.z, b.z);
        out.w = __fmaf_rn((v[i].w - mu) * r, g.w, b.w);
        y[(size_t)row * (C / 4) + i * 32 + lane] = out;
    }
    if (lane == 0) {
        mean[row] = mu;
        rstd[row] = r;
    }
}

extern "C" __global__ void layer_norm_512(const float4* x, const float4* gamma, const float4* beta, float4* y,
                                          float* mean, float* rstd, int n, float eps) {
    in_registers<4>(x, gamma, beta, y, mean, rstd, n, eps);
}
