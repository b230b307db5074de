// Seeded bugs: barriers in shared memory, and bulk copies. README.md says how to read the launches.
// Target: compute_90a

using u32 = unsigned;
using u64 = unsigned long long;

__device__ __forceinline__ u32 address_of(void* shared) { return (u32)__cvta_generic_to_shared(shared); }

__device__ __forceinline__ void make(u64* barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(address_of(barrier)), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void arrive(u64* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(address_of(barrier)) : "memory");
}

__device__ __forceinline__ void expect(u64* barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(address_of(barrier)), "r"(bytes)
                 : "memory");
}

// Macros, so that what they do belongs to the line of their use.
#define COPY(to, from, bytes, barrier)                                                                             \
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(  \
                     address_of(to)),                                                                              \
                 "l"(from), "r"((u32)(bytes)), "r"(address_of(barrier))                                            \
                 : "memory")

// Waits until the phase of this parity is over.
#define WAIT(barrier, parity)                                                                                      \
    asm volatile("{.reg .pred p; AGAIN: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1; @!p bra AGAIN;}" ::"r"( \
                     address_of(barrier)),                                                                         \
                 "r"((u32)(parity))                                                                                \
                 : "memory")

// A barrier of the block does not wait for a bulk copy.
// bulk_not_waited: <<<1, 64>>> (x: f32[64] = i, y: f32[64])
extern "C" __global__ void bulk_not_waited_bad(const float* x, float* y) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile);
        COPY(tile, x, sizeof tile, &full);
    }
    __syncthreads();
    y[threadIdx.x] = tile[63 - threadIdx.x];  // BUG: AsyncCopyNotWaited
}

extern "C" __global__ void bulk_not_waited_good(const float* x, float* y) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile);
        COPY(tile, x, sizeof tile, &full);
    }
    __syncthreads();
    WAIT(&full, 0);
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

// The second phase has parity 1. One of parity 0 comes only after it; or, where the copy is slow, has gone by before.
// wrong_parity: <<<1, 64>>> (x: f32[64] = i, y: f32[64])
extern "C" __global__ void wrong_parity_bad(const float* x, float* y) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile / 2);
        COPY(tile, x, sizeof tile / 2, &full);
    }
    __syncthreads();
    WAIT(&full, 0);
    if (threadIdx.x == 0) {
        expect(&full, sizeof tile / 2);
        COPY(tile + 32, x + 32, sizeof tile / 2, &full);
    }
    __syncthreads();
    WAIT(&full, 0);  // BUG: StepBudget
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

extern "C" __global__ void wrong_parity_good(const float* x, float* y) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile / 2);
        COPY(tile, x, sizeof tile / 2, &full);
    }
    __syncthreads();
    WAIT(&full, 0);
    if (threadIdx.x == 0) {
        expect(&full, sizeof tile / 2);
        COPY(tile + 32, x + 32, sizeof tile / 2, &full);
    }
    __syncthreads();
    WAIT(&full, 1);
    y[threadIdx.x] = tile[63 - threadIdx.x];
}

// More bytes are expected than are copied: the phase never ends.
// expects_too_much: <<<1, 32>>> (x: f32[32] = i, y: f32[32])
extern "C" __global__ void expects_too_much_bad(const float* x, float* y) {
    __shared__ __align__(16) float tile[32];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile * 2);
        COPY(tile, x, sizeof tile, &full);
    }
    __syncthreads();
    WAIT(&full, 0);  // BUG: StepBudget
    y[threadIdx.x] = tile[31 - threadIdx.x];
}

extern "C" __global__ void expects_too_much_good(const float* x, float* y) {
    __shared__ __align__(16) float tile[32];
    __shared__ u64 full;
    if (threadIdx.x == 0) {
        make(&full, 1);
        expect(&full, sizeof tile);
        COPY(tile, x, sizeof tile, &full);
    }
    __syncthreads();
    WAIT(&full, 0);
    y[threadIdx.x] = tile[31 - threadIdx.x];
}

// Thread 0 fetches the next tile while others may still read this one, or even wait for its phase.
// tile_reused: <<<1, 64>>> (x: f32[256] = i, y: f32[64], rounds: i32 = 4)
extern "C" __global__ void tile_reused_bad(const float* x, float* y, int rounds) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    float sum = 0.0f;
    if (threadIdx.x == 0) make(&full, 1);
    __syncthreads();
    for (int round = 0; round < rounds; round++) {
        if (threadIdx.x == 0) {
            expect(&full, sizeof tile);
            COPY(tile, x + round * 64, sizeof tile, &full);  // BUG: SharedRace
        }
        WAIT(&full, round % 2);         // BUG: StepBudget
        sum += tile[63 - threadIdx.x];  // BUG: SharedRace
    }
    y[threadIdx.x] = sum;
}

extern "C" __global__ void tile_reused_good(const float* x, float* y, int rounds) {
    __shared__ __align__(16) float tile[64];
    __shared__ u64 full;
    float sum = 0.0f;
    if (threadIdx.x == 0) make(&full, 1);
    __syncthreads();
    for (int round = 0; round < rounds; round++) {
        if (threadIdx.x == 0) {
            expect(&full, sizeof tile);
            COPY(tile, x + round * 64, sizeof tile, &full);
        }
        WAIT(&full, round % 2);
        sum += tile[63 - threadIdx.x];
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}

// The producer says "full" before it has filled the cells.
// arrives_too_early: <<<1, 64>>> (x: f32[32] = i, y: f32[32])
extern "C" __global__ void arrives_too_early_bad(const float* x, float* y) {
    __shared__ float cells[32];
    __shared__ u64 full;
    if (threadIdx.x == 0) make(&full, 32);
    __syncthreads();
    if (threadIdx.x < 32) {
        arrive(&full);
        cells[threadIdx.x] = x[threadIdx.x];  // BUG: SharedRace
    } else {
        WAIT(&full, 0);
        y[threadIdx.x - 32] = cells[63 - threadIdx.x];  // BUG: SharedRace UninitializedRead
    }
}

extern "C" __global__ void arrives_too_early_good(const float* x, float* y) {
    __shared__ float cells[32];
    __shared__ u64 full;
    if (threadIdx.x == 0) make(&full, 32);
    __syncthreads();
    if (threadIdx.x < 32) {
        cells[threadIdx.x] = x[threadIdx.x];
        arrive(&full);
    } else {
        WAIT(&full, 0);
        y[threadIdx.x - 32] = cells[63 - threadIdx.x];
    }
}

// Threads arrive, their copies do not.
// copies_do_not_arrive: <<<1, 64>>> (x: f32[256] = i, y: f32[64])
extern "C" __global__ void copies_do_not_arrive_bad(const float4* x, float* y) {
    __shared__ __align__(16) float4 tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) make(&full, 64);
    __syncthreads();
    u32 to = address_of(&tile[threadIdx.x]);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(x + threadIdx.x) : "memory");
    arrive(&full);
    WAIT(&full, 0);
    y[threadIdx.x] = tile[63 - threadIdx.x].x;  // BUG: AsyncCopyNotWaited
}

extern "C" __global__ void copies_do_not_arrive_good(const float4* x, float* y) {
    __shared__ __align__(16) float4 tile[64];
    __shared__ u64 full;
    if (threadIdx.x == 0) make(&full, 64);
    __syncthreads();
    u32 to = address_of(&tile[threadIdx.x]), on = address_of(&full);
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(to), "l"(x + threadIdx.x) : "memory");
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(on) : "memory");
    WAIT(&full, 0);
    y[threadIdx.x] = tile[63 - threadIdx.x].x;
}

// Lane 0 arrives for all of its warp, at a barrier that was made for the others only.
// arrivals_miscounted: <<<1, 32>>> (y: i32[32])
extern "C" __global__ void arrivals_miscounted_bad(int* y) {
    __shared__ u64 all;
    if (threadIdx.x == 0) {
        make(&all, 31);
        u32 on = address_of(&all);
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], 32;" ::"r"(on) : "memory");  // BUG: InvalidOperand
    }
    __syncthreads();
    WAIT(&all, 0);
    y[threadIdx.x] = 1;
}

extern "C" __global__ void arrivals_miscounted_good(int* y) {
    __shared__ u64 all;
    if (threadIdx.x == 0) {
        make(&all, 32);
        u32 on = address_of(&all);
        asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], 32;" ::"r"(on) : "memory");
    }
    __syncthreads();
    WAIT(&all, 0);
    y[threadIdx.x] = 1;
}
