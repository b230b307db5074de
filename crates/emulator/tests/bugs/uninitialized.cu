// Seeded bugs: reading what nothing wrote. README.md says how to read the launches.

// An output added to instead of set.
// accumulate: <<<1, 32>>> (x: f32[32] = i, y: f32[32])
extern "C" __global__ void accumulate_bad(const float* x, float* y) {
    y[threadIdx.x] += x[threadIdx.x];  // BUG: UninitializedRead
}

extern "C" __global__ void accumulate_good(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

// A counter that nobody set to zero.
// counter_not_cleared: <<<1, 32>>> (counter: u32[2] = 0 below 1)
extern "C" __global__ void counter_not_cleared_bad(unsigned* counter) {
    atomicAdd(&counter[1], 1u);  // BUG: UninitializedRead
}

extern "C" __global__ void counter_not_cleared_good(unsigned* counter) { atomicAdd(&counter[0], 1u); }

// The host copied 60 of 64 elements.
// short_copy: <<<1, 64>>> (x: f32[64] = i below 60, y: f32[64])
extern "C" __global__ void short_copy_bad(const float* x, float* y) {
    y[threadIdx.x] = x[threadIdx.x] * 2.0f;  // BUG: UninitializedRead
}

extern "C" __global__ void short_copy_good(const float* x, float* y) {
    if (threadIdx.x < 60) y[threadIdx.x] = x[threadIdx.x] * 2.0f;
}

// Two arrays in one allocation, the first of 60 elements, the second at 64: reading 61 of the first meets the gap.
// sub_allocation: <<<1, 32>>> (arena: f32[128] = i below 60, first: i32 = 60)
extern "C" __global__ void sub_allocation_bad(float* arena, int first) {
    float* sums = arena + 64;
    float sum = 0.0f;
    for (int i = threadIdx.x; i <= first; i += 32) sum += arena[i];  // BUG: UninitializedRead
    sums[threadIdx.x] = sum;
}

extern "C" __global__ void sub_allocation_good(float* arena, int first) {
    float* sums = arena + 64;
    float sum = 0.0f;
    for (int i = threadIdx.x; i < first; i += 32) sum += arena[i];
    sums[threadIdx.x] = sum;
}

// Half of the cells are written, all are read.
// shared_hole: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void shared_hole_bad(const int* x, int* y) {
    __shared__ int cells[64];
    if (threadIdx.x % 2 == 0) cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cells[63 - threadIdx.x];  // BUG: UninitializedRead
}

extern "C" __global__ void shared_hole_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = threadIdx.x % 2 == 0 ? x[threadIdx.x] : 0;
    __syncthreads();
    y[threadIdx.x] = cells[63 - threadIdx.x];
}

// Two warps leave two sums; the last step reads as many as 1024 threads would have left.
// too_many_warps: <<<1, 64>>> (x: i32[64] = i, y: i32[1])
extern "C" __global__ void too_many_warps_bad(const int* x, int* y) {
    __shared__ int warps[32];
    int sum = __reduce_add_sync(0xffffffffu, x[threadIdx.x]);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        int all = __reduce_add_sync(0xffffffffu, warps[threadIdx.x]);  // BUG: UninitializedRead
        if (threadIdx.x == 0) y[0] = all;
    }
}

extern "C" __global__ void too_many_warps_good(const int* x, int* y) {
    __shared__ int warps[32];
    int sum = __reduce_add_sync(0xffffffffu, x[threadIdx.x]);
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x < 32) {
        int all = __reduce_add_sync(0xffffffffu, threadIdx.x < blockDim.x / 32 ? warps[threadIdx.x] : 0);
        if (threadIdx.x == 0) y[0] = all;
    }
}

// A local array of which only the first elements are set.
// local_hole: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void local_hole_bad(const int* x, int* y) {
    int own[16];
    for (int i = 0; i < x[threadIdx.x] % 16; i++) own[i] = i * i;
    y[threadIdx.x] = own[x[31 - threadIdx.x] % 16];  // BUG: UninitializedRead
}

extern "C" __global__ void local_hole_good(const int* x, int* y) {
    int own[16];
    for (int i = 0; i < 16; i++) own[i] = i * i + x[threadIdx.x];
    y[threadIdx.x] = own[x[31 - threadIdx.x] % 16];
}

// Threads beyond n leave before they have filled their part of the tile, which the others read: an early exit before a
// barrier.
// early_exit: <<<1, 64>>> (x: i32[48] = i, y: i32[48], n: i32 = 48)
extern "C" __global__ void early_exit_bad(const int* x, int* y, int n) {
    __shared__ int tile[64];
    if (threadIdx.x >= n) return;
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];  // BUG: UninitializedRead
}

extern "C" __global__ void early_exit_good(const int* x, int* y, int n) {
    __shared__ int tile[64];
    tile[threadIdx.x] = threadIdx.x < n ? x[threadIdx.x] : 0;
    __syncthreads();
    if (threadIdx.x >= n) return;
    y[threadIdx.x] = tile[63 - threadIdx.x];
}
