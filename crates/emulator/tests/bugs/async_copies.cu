// Seeded bugs: asynchronous copies into shared memory. README.md says how to read the launches.

__device__ __forceinline__ void copy_async(void* to, const void* from) {
    unsigned address = (unsigned)__cvta_generic_to_shared(to);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(from) : "memory");
}

__device__ __forceinline__ void commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

template <int PENDING>
__device__ __forceinline__ void wait() {
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
}

// A thread reads its own copy without waiting for it.
// not_waited: <<<1, 32>>> (x: f32[128] = i, y: f32[128])
extern "C" __global__ void not_waited_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    y[threadIdx.x] = tile[threadIdx.x];  // BUG: AsyncCopyNotWaited
}

extern "C" __global__ void not_waited_good(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

// A barrier does not wait for copies.
// barrier_only: <<<1, 64>>> (x: f32[256] = i, y: f32[256])
extern "C" __global__ void barrier_only_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[64];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];  // BUG: AsyncCopyNotWaited
}

extern "C" __global__ void barrier_only_good(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[64];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    wait<0>();
    __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

// Waiting makes a thread's own copies visible to it, and to others only after a barrier.
// wait_without_barrier: <<<1, 64>>> (x: f32[256] = i, y: f32[256])
extern "C" __global__ void wait_without_barrier_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[64];
    unsigned to = (unsigned)__cvta_generic_to_shared(&tile[threadIdx.x]);
    const float4* from = &x[threadIdx.x];
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");  // BUG: SharedRace
    commit();
    wait<0>();
    y[threadIdx.x] = tile[63 - threadIdx.x];  // BUG: SharedRace UninitializedRead
}

extern "C" __global__ void wait_without_barrier_good(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[64];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    wait<0>();
    __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

// Two stages in flight; the last round too waits until one is left.
// one_group_too_many: <<<1, 32>>> (x: f32[512] = i, y: f32[128], rounds: i32 = 4)
extern "C" __global__ void one_group_too_many_bad(const float4* x, float4* y, int rounds) {
    __shared__ __align__(16) float4 tile[2][32];
    float sum = 0.0f;
    copy_async(&tile[0][threadIdx.x], &x[threadIdx.x]);
    commit();
    for (int round = 0; round < rounds; round++) {
        if (round + 1 < rounds) {
            copy_async(&tile[(round + 1) % 2][threadIdx.x], &x[(round + 1) * 32 + threadIdx.x]);
            commit();
        }
        wait<1>();
        sum += tile[round % 2][threadIdx.x].x;  // BUG: AsyncCopyNotWaited
    }
    y[threadIdx.x].x = sum;
}

extern "C" __global__ void one_group_too_many_good(const float4* x, float4* y, int rounds) {
    __shared__ __align__(16) float4 tile[2][32];
    float sum = 0.0f;
    copy_async(&tile[0][threadIdx.x], &x[threadIdx.x]);
    commit();
    for (int round = 0; round < rounds; round++) {
        if (round + 1 < rounds) copy_async(&tile[(round + 1) % 2][threadIdx.x], &x[(round + 1) * 32 + threadIdx.x]);
        // A group a round, the last one empty.
        commit();
        wait<1>();
        sum += tile[round % 2][threadIdx.x].x;
    }
    y[threadIdx.x].x = sum;
}

// A copy that belongs to no group is not waited for.
// not_committed: <<<1, 32>>> (x: f32[128] = i, y: f32[128])
extern "C" __global__ void not_committed_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];  // BUG: AsyncCopyNotWaited
}

extern "C" __global__ void not_committed_good(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    asm volatile("cp.async.wait_all;" ::: "memory");
    y[threadIdx.x] = tile[threadIdx.x];
}

// Zeros stored into a place that a copy is still filling.
// store_under_copy: <<<1, 32>>> (x: f32[128] = i, y: f32[128])
extern "C" __global__ void store_under_copy_bad(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    tile[threadIdx.x] = float4{0, 0, 0, 0};  // BUG: AsyncCopyNotWaited
    wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

extern "C" __global__ void store_under_copy_good(const float4* x, float4* y) {
    __shared__ __align__(16) float4 tile[32];
    tile[threadIdx.x] = float4{0, 0, 0, 0};
    copy_async(&tile[threadIdx.x], &x[threadIdx.x]);
    commit();
    wait<0>();
    y[threadIdx.x] = tile[threadIdx.x];
}

// The next stage is fetched into a buffer that the other warp may still read.
// stage_reused: <<<1, 64>>> (x: f32[1024] = i, y: f32[256], rounds: i32 = 4)
extern "C" __global__ void stage_reused_bad(const float4* x, float4* y, int rounds) {
    __shared__ __align__(16) float4 tile[64];
    float sum = 0.0f;
    for (int round = 0; round < rounds; round++) {
        unsigned to = (unsigned)__cvta_generic_to_shared(&tile[threadIdx.x]);
        const float4* from = &x[round * 64 + threadIdx.x];
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(from) : "memory");  // BUG: SharedRace
        commit();
        wait<0>();
        __syncthreads();
        sum += tile[63 - threadIdx.x].x;  // BUG: SharedRace
    }
    y[threadIdx.x].x = sum;
}

extern "C" __global__ void stage_reused_good(const float4* x, float4* y, int rounds) {
    __shared__ __align__(16) float4 tile[64];
    float sum = 0.0f;
    for (int round = 0; round < rounds; round++) {
        copy_async(&tile[threadIdx.x], &x[round * 64 + threadIdx.x]);
        commit();
        wait<0>();
        __syncthreads();
        sum += tile[63 - threadIdx.x].x;
        __syncthreads();
    }
    y[threadIdx.x].x = sum;
}
