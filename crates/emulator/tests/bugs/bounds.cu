// Seeded bugs: accesses out of bounds or misaligned. README.md says how to read the launches.

// The condition admits one element too many.
// write_one_too_far: <<<2, 32>>> (x: f32[40] = i, y: f32[40], n: i32 = 40)
extern "C" __global__ void write_one_too_far_bad(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) y[i] = x[min(i, n - 1)];  // BUG: OutOfBounds
}

extern "C" __global__ void write_one_too_far_good(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[min(i, n - 1)];
}

// A difference of neighbours reads behind the last element.
// read_one_too_far: <<<2, 32>>> (x: f32[64] = i, y: f32[64], n: i32 = 64)
extern "C" __global__ void read_one_too_far_bad(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i + 1] - x[i];  // BUG: OutOfBounds
}

extern "C" __global__ void read_one_too_far_good(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[i + 1 < n ? i + 1 : i] - x[i];
}

// And before the first one.
// read_before_start: <<<1, 32>>> (x: f32[32] = i, y: f32[32])
extern "C" __global__ void read_before_start_bad(const float* x, float* y) {
    int i = threadIdx.x;
    y[i] = x[i - 1];  // BUG: OutOfBounds
}

extern "C" __global__ void read_before_start_good(const float* x, float* y) {
    int i = threadIdx.x;
    y[i] = i > 0 ? x[i - 1] : 0.0f;
}

// A product of 32-bit numbers overflows before it becomes an address.
// index_overflow: <<<1, 32>>> (x: f32[32] = i, y: f32[32], stride: i32 = 134217728)
extern "C" __global__ void index_overflow_bad(const float* x, float* y, int stride) {
    int i = (int)((unsigned)threadIdx.x * (unsigned)stride) / stride;
    y[threadIdx.x] = x[i];  // BUG: OutOfBounds
}

extern "C" __global__ void index_overflow_good(const float* x, float* y, int stride) {
    int i = (int)((long long)threadIdx.x * stride / stride);
    y[threadIdx.x] = x[i];
}

// A null pointer that should have been tested.
// null_pointer: <<<1, 32>>> (x: f32[32] = i, bias: u64 = 0, y: f32[32])
extern "C" __global__ void null_pointer_bad(const float* x, const float* bias, float* y) {
    int i = threadIdx.x;
    y[i] = x[i] + bias[i];  // BUG: OutOfBounds
}

extern "C" __global__ void null_pointer_good(const float* x, const float* bias, float* y) {
    int i = threadIdx.x;
    y[i] = bias != nullptr ? x[i] + bias[i] : x[i];
}

// 128-bit loads of a length that is no multiple of four: the last one passes the end.
// vector_past_end: <<<1, 32>>> (x: f32[126] = i, y: f32[32], n: i32 = 126)
extern "C" __global__ void vector_past_end_bad(const float* x, float* y, int n) {
    int i = threadIdx.x * 4;
    if (i >= n) return;
    float4 v = *(const float4*)(x + i);  // BUG: OutOfBounds
    y[threadIdx.x] = (v.x + v.y) + (v.z + v.w);
}

extern "C" __global__ void vector_past_end_good(const float* x, float* y, int n) {
    int i = threadIdx.x * 4;
    float sum = 0.0f;
    if (i + 4 <= n) {
        float4 v = *(const float4*)(x + i);
        sum = (v.x + v.y) + (v.z + v.w);
    } else {
        for (; i < n; i++) sum += x[i];
    }
    y[threadIdx.x] = sum;
}

// A bin for each of 0..=16 needs 17 of them.
// atomic_past_end: <<<1, 32>>> (x: i32[32] = i, bins: i32[16] = 0)
extern "C" __global__ void atomic_past_end_bad(const int* x, int* bins) {
    atomicAdd(&bins[x[threadIdx.x] % 17], 1);  // BUG: OutOfBounds
}

extern "C" __global__ void atomic_past_end_good(const int* x, int* bins) {
    atomicAdd(&bins[x[threadIdx.x] % 16], 1);
}

// An asynchronous copy reads behind its source.
// async_past_end: <<<1, 32>>> (x: f32[124] = i, y: f32[128], n: i32 = 124)
extern "C" __global__ void async_past_end_bad(const float* x, float* y, int n) {
    __shared__ __align__(16) float tile[128];
    unsigned to = (unsigned)__cvta_generic_to_shared(&tile[threadIdx.x * 4]);
    const float* from = x + threadIdx.x * 4;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");  // BUG: OutOfBounds
    asm volatile("cp.async.commit_group; cp.async.wait_group 0;" ::: "memory");
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += 32) y[i] = tile[i];
}

extern "C" __global__ void async_past_end_good(const float* x, float* y, int n) {
    __shared__ __align__(16) float tile[128];
    unsigned to = (unsigned)__cvta_generic_to_shared(&tile[threadIdx.x * 4]);
    bool inside = threadIdx.x * 4 + 4 <= n;
    const float* from = inside ? x + threadIdx.x * 4 : x;
    int bytes = inside ? 16 : 0;
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
    asm volatile("cp.async.commit_group; cp.async.wait_group 0;" ::: "memory");
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += 32) y[i] = tile[i];
}

// The last thread's neighbour has no cell.
// shared_one_too_far: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void shared_one_too_far_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cells[threadIdx.x + 1];  // BUG: OutOfBounds
}

extern "C" __global__ void shared_one_too_far_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cells[(threadIdx.x + 1) % 64];
}

// The launch gives 128 bytes of dynamic shared memory; the kernel takes two floats a thread, not one.
// dynamic_too_small: <<<1, 32, 128>>> (x: f32[32] = i, y: f32[32])
extern "C" __global__ void dynamic_too_small_bad(const float* x, float* y) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x * 2] = x[threadIdx.x];  // BUG: OutOfBounds
    __syncthreads();
    y[threadIdx.x] = dynamic[(31 - threadIdx.x) * 2];  // BUG: OutOfBounds
}

extern "C" __global__ void dynamic_too_small_good(const float* x, float* y) {
    extern __shared__ float dynamic[];
    dynamic[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = dynamic[31 - threadIdx.x];
}

// A local array of eight, an index of up to eight.
// local_one_too_far: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void local_one_too_far_bad(const int* x, int* y) {
    int own[8];
    for (int i = 0; i < 8; i++) own[i] = x[threadIdx.x] + i;
    y[threadIdx.x] = own[x[threadIdx.x] % 9];  // BUG: OutOfBounds
}

extern "C" __global__ void local_one_too_far_good(const int* x, int* y) {
    int own[8];
    for (int i = 0; i < 8; i++) own[i] = x[threadIdx.x] + i;
    y[threadIdx.x] = own[x[threadIdx.x] % 8];
}

__constant__ float weights[8] = {1, 2, 3, 4, 5, 6, 7, 8};

// Constant data of eight, an index of up to eight.
// constant_one_too_far: <<<1, 32>>> (x: i32[32] = i, y: f32[32])
extern "C" __global__ void constant_one_too_far_bad(const int* x, float* y) {
    y[threadIdx.x] = weights[x[threadIdx.x] % 9];  // BUG: OutOfBounds
}

extern "C" __global__ void constant_one_too_far_good(const int* x, float* y) {
    y[threadIdx.x] = weights[x[threadIdx.x] % 8];
}

// A 64-bit load at an odd element.
// misaligned_vector: <<<1, 32>>> (x: f32[66] = i, y: f32[32])
extern "C" __global__ void misaligned_vector_bad(const float* x, float* y) {
    float2 pair = *(const float2*)(x + 1 + threadIdx.x * 2);  // BUG: Misaligned
    y[threadIdx.x] = pair.x + pair.y;
}

extern "C" __global__ void misaligned_vector_good(const float* x, float* y) {
    float2 pair = *(const float2*)(x + 2 + threadIdx.x * 2);
    y[threadIdx.x] = pair.x + pair.y;
}

// A word stored at a byte's offset.
// misaligned_store: <<<1, 32>>> (y: u8[256] = 0, offset: i32 = 2)
extern "C" __global__ void misaligned_store_bad(unsigned char* y, int offset) {
    *(int*)(y + offset + threadIdx.x * 4) = threadIdx.x;  // BUG: Misaligned
}

extern "C" __global__ void misaligned_store_good(unsigned char* y, int offset) {
    *(int*)(y + offset * 4 + threadIdx.x * 4) = threadIdx.x;
}

// A row of padding that breaks the alignment of 128-bit accesses to shared memory.
// misaligned_shared: <<<1, 32>>> (x: f32[128] = i, y: f32[128])
extern "C" __global__ void misaligned_shared_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float rows[32][5];
    *(float4*)rows[threadIdx.x] = x[threadIdx.x];  // BUG: Misaligned
    __syncthreads();
    y[threadIdx.x] = *(float4*)rows[31 - threadIdx.x];  // BUG: Misaligned
}

extern "C" __global__ void misaligned_shared_good(const float4* x, float4* y) {
    __shared__ __align__(16) float rows[32][8];
    *(float4*)rows[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = *(float4*)rows[31 - threadIdx.x];
}
