// Sums of rows and of a whole buffer, by shuffles within a warp and shared memory between warps.

constexpr unsigned FULL = 0xffffffffu;

__device__ __forceinline__ float warp_sum(float x) {
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(FULL, x, offset);
    return x;
}

// y[r] = sum over c of x[r][c]: x (rows, cols), y (rows).
// Lane l adds elements l, l + 32, ... in order, then a butterfly 16, 8, 4, 2, 1.
// Launch: any grid, 128 threads (one warp a row, four rows a block).
extern "C" __global__ void row_sum(const float* x, float* y, int rows, int cols) {
    int row = (blockIdx.x * blockDim.x + threadIdx.x) / 32;
    int lane = threadIdx.x % 32;
    if (row >= rows) return;
    float sum = 0.0f;
    for (int c = lane; c < cols; c += 32) sum += x[(size_t)row * cols + c];
    sum = warp_sum(sum);
    if (lane == 0) y[row] = sum;
}

// partial[b] = sum of x over block b's share (grid-stride), one launch of two.
// Each warp adds by shfl.down, then the first warp adds the warps' sums.
// Launch: any grid, blocks of a multiple of 32 up to 1024 threads.
extern "C" __global__ void block_sum(const float* x, float* partial, int n) {
    __shared__ float warps[32];
    float sum = 0.0f;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(FULL, sum, offset);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        sum = threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0.0f;
        for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(FULL, sum, offset);
        if (threadIdx.x == 0) partial[blockIdx.x] = sum;
    }
}

// Inclusive prefix maximum within each warp by shfl.up, of 64-bit keys: the maximum of a warp's x[..=i].
// x, y (n), n a multiple of 32. Launch: n threads in all, blocks of a multiple of 32.
extern "C" __global__ void warp_running_max(const long long* x, long long* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long key = x[i];
    for (int offset = 1; offset < 32; offset *= 2) {
        long long other = __shfl_up_sync(FULL, key, offset);
        if (threadIdx.x % 32 >= offset && other > key) key = other;
    }
    y[i] = key;
}

// y[i] = x of the lane that index[i] % 8 names within i's group of eight lanes.
// x, y (n), index (n), n a multiple of 32. Launch: n threads in all, blocks of a multiple of 32.
extern "C" __global__ void gather_in_eights(const int* x, const int* index, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    y[i] = __shfl_sync(FULL, x[i], index[i], 8);
}
