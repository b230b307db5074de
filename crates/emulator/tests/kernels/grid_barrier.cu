// A barrier of all blocks of a cooperative launch, by atomics.

// `arrived` counts up for ever: a block waits for the next multiple of the number of blocks.
__device__ __forceinline__ void grid_barrier(unsigned* arrived) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        unsigned mine = atomicAdd(arrived, 1u);
        unsigned target = (mine / gridDim.x + 1) * gridDim.x;
        while (atomicAdd(arrived, 0u) < target) {
        }
        __threadfence();
    }
    __syncthreads();
}

// `steps` steps of a ring of n cells: cell i becomes cell i - 1 + cell i + 1 (mod 2^32), between two buffers.
// a, b (n); the result is in a if steps is even, else in b; arrived (1) is zero. Launch: cooperative, any number of
// blocks that are resident together.
extern "C" __global__ void ring(unsigned* a, unsigned* b, unsigned* arrived, int n, int steps) {
    for (int step = 0; step < steps; step++) {
        volatile unsigned* from = step % 2 == 0 ? a : b;
        unsigned* to = step % 2 == 0 ? b : a;
        for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
            to[i] = from[(i + n - 1) % n] + from[(i + 1) % n];
        grid_barrier(arrived);
    }
}

// The sum of x in one ordinary launch: the last block to finish adds the blocks' sums, in order.
// x (n); partial (blocks); finished (1), zero before and after; y (1). Launch: any grid of blocks of 128 threads.
extern "C" __global__ void sum_last_block(const unsigned* x, unsigned* partial, unsigned* finished, unsigned* y, int n) {
    __shared__ unsigned sums[128];
    __shared__ bool last;
    unsigned sum = 0;
    for (int i = blockIdx.x * 128 + threadIdx.x; i < n; i += gridDim.x * 128) sum += x[i];
    sums[threadIdx.x] = sum;
    for (int half = 64; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sums[0];
        // The sum is seen before the count.
        __threadfence();
        last = atomicAdd(finished, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        __threadfence();
        unsigned all = 0;
        for (int b = 0; b < gridDim.x; b++) all += ((volatile unsigned*)partial)[b];
        y[0] = all;
        finished[0] = 0;
    }
}
