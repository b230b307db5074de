// What sm_90 adds: barriers in memory, bulk copies that complete on them, stmatrix, an elected lane.
// Target: compute_90a

#include "tensor.cuh"

using u64 = unsigned long long;

__device__ __forceinline__ void barrier_init(u64* barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

__device__ __forceinline__ void barrier_arrive(u64* barrier) {
    asm volatile("{.reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0];}" ::"r"(shared_address(barrier))
                 : "memory");
}

__device__ __forceinline__ void barrier_expect(u64* barrier, u32 bytes) {
    asm volatile("{.reg .b64 state; mbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1;}" ::"r"(
                     shared_address(barrier)),
                 "r"(bytes)
                 : "memory");
}

// Waits until the phase of this parity is over.
__device__ __forceinline__ void barrier_wait(u64* barrier, u32 parity) {
    u32 done;
    do {
        asm volatile(
            "{.reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p;}"
            : "=r"(done)
            : "r"(shared_address(barrier)), "r"(parity)
            : "memory");
    } while (!done);
}

// y[i] = x[31 - i] between two warps, by a barrier in memory instead of a named one.
// x, y (32 rounds). Launch: one block of 64 threads.
extern "C" __global__ void memory_barriers(const int* x, int* y, int rounds) {
    __shared__ u64 full, empty;
    __shared__ int buffer[32];
    int lane = threadIdx.x % 32;
    if (threadIdx.x == 0) {
        barrier_init(&full, 32);
        barrier_init(&empty, 32);
    }
    __syncthreads();
    for (int round = 0; round < rounds; round++) {
        if (threadIdx.x < 32) {
            if (round > 0) barrier_wait(&empty, (round - 1) % 2);
            buffer[lane] = x[round * 32 + lane];
            barrier_arrive(&full);
        } else {
            barrier_wait(&full, round % 2);
            y[round * 32 + lane] = buffer[31 - lane];
            barrier_arrive(&empty);
        }
    }
}

// y = 2 x through shared memory, by bulk copies in and out of 1024 bytes each. x, y (256 blocks).
// Launch: any number of blocks of 128 threads.
extern "C" __global__ void bulk_copies(const float* x, float* y) {
    __shared__ __align__(128) float tile[256];
    __shared__ u64 barrier;
    x += blockIdx.x * 256;
    y += blockIdx.x * 256;
    if (threadIdx.x == 0) {
        barrier_init(&barrier, 1);
        asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        barrier_expect(&barrier, sizeof tile);
        asm volatile(
            "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                shared_address(tile)),
            "l"(x), "r"((u32)sizeof tile), "r"(shared_address(&barrier))
            : "memory");
    }
    barrier_wait(&barrier, 0);
    for (int i = threadIdx.x; i < 256; i += 128) tile[i] *= 2.0f;
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
    if (threadIdx.x == 0) {
        asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(y), "r"(shared_address(tile)),
                     "r"((u32)sizeof tile)
                     : "memory");
        asm volatile("cp.async.bulk.commit_group;" ::: "memory");
        asm volatile("cp.async.bulk.wait_group 0;" ::: "memory");
    }
}

// What ldmatrix gives is what stmatrix takes: y is x, and z is each of its 8 x 8 matrices transposed.
// x, y, z: 4 matrices of 8 x 8 16-bit numbers. Launch: one block of 32 threads.
extern "C" __global__ void store_matrices(const uint4* x, uint4* y, uint4* z) {
    __shared__ __align__(16) u16 tile[4 * 64];
    uint4* rows = (uint4*)tile;
    rows[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    u32 r[4], at = shared_address(&rows[threadIdx.x]);
    load_matrices(r, &rows[threadIdx.x]);
    __syncwarp();
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(r[0]), "r"(r[1]),
                 "r"(r[2]), "r"(r[3])
                 : "memory");
    __syncwarp();
    y[threadIdx.x] = rows[threadIdx.x];
    __syncwarp();
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(at), "r"(r[0]),
                 "r"(r[1]), "r"(r[2]), "r"(r[3])
                 : "memory");
    __syncwarp();
    z[threadIdx.x] = rows[threadIdx.x];
}

// Conversions that sm_90 has and sm_80 has not, and one elected lane a warp. x (n) bf16, y (n), elected (n / 32).
// Launch: n threads, blocks of whole warps.
extern "C" __global__ void bf16_arithmetic(const u16* x, u16* y, u32* elected) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float wide;
    u16 sum, product;
    asm("cvt.f32.bf16 %0, %1;" : "=f"(wide) : "h"(x[i]));
    asm("add.rn.bf16 %0, %1, %2;" : "=h"(sum) : "h"(x[i]), "h"(bf16_of(wide * 0.5f)));
    asm("mul.rn.bf16 %0, %1, %2;" : "=h"(product) : "h"(sum), "h"(x[i]));
    y[i] = product;
    u32 leader, is_leader;
    asm volatile("{.reg .pred p; elect.sync %0|p, 0xffffffff; selp.u32 %1, 1, 0, p;}" : "=r"(leader), "=r"(is_leader));
    if (is_leader) elected[i / 32] = leader;
}
