// Named barriers with thread counts: a warp produces while another consumes.

__device__ __forceinline__ void barrier_wait(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

__device__ __forceinline__ void barrier_arrive(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// y[i] = 2 x[i] + 1 through two buffers in shared memory. Warp 0 fills a buffer when it is empty (barriers 3 and 4) and
// says so (barriers 1 and 2); warp 1 empties it. x, y (32 rounds). Launch: one block of 64 threads.
extern "C" __global__ void producer_consumer(const int* x, int* y, int rounds) {
    __shared__ int buffer[2][32];
    int lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        for (int round = 0; round < rounds; round++) {
            int half = round % 2;
            if (round >= 2) barrier_wait(3 + half, 64);
            buffer[half][lane] = 2 * x[round * 32 + lane];
            barrier_arrive(1 + half, 64);
        }
    } else {
        for (int round = 0; round < rounds; round++) {
            int half = round % 2;
            barrier_wait(1 + half, 64);
            // Another lane's element, so that the buffer is needed.
            y[round * 32 + (31 - lane)] = buffer[half][31 - lane] + 1;
            if (round + 2 < rounds) barrier_arrive(3 + half, 64);
        }
    }
}

// Two groups of 64 threads, each with a barrier of its own, reverse their halves of x; then all meet.
// x, y (128). Launch: one block of 128 threads.
extern "C" __global__ void groups(const int* x, int* y) {
    __shared__ int buffer[128];
    int group = threadIdx.x / 64, i = threadIdx.x % 64;
    buffer[threadIdx.x] = x[threadIdx.x];
    if (group == 0) {
        asm volatile("bar.sync 1, 64;" ::: "memory");
        y[i] = buffer[63 - i];
    } else {
        asm volatile("bar.sync 2, 64;" ::: "memory");
        y[64 + i] = buffer[64 + 63 - i];
    }
    __syncthreads();
    y[threadIdx.x] += buffer[127 - threadIdx.x];
}

// Barriers that reduce. y (3): how many, whether all, whether any of the x (threads) are positive. Launch: one block.
extern "C" __global__ void barrier_reductions(const int* x, int* y) {
    int p = x[threadIdx.x] > 0;
    int count = __syncthreads_count(p), all = __syncthreads_and(p), any = __syncthreads_or(p);
    if (threadIdx.x == 0) {
        y[0] = count;
        y[1] = all != 0;
        y[2] = any != 0;
    }
}
