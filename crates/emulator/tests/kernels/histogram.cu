// counts[b] += how often byte b occurs in data (n bytes); counts has 256 entries that the caller has set.

// Atomics in global memory. Launch: any.
extern "C" __global__ void histogram_global(const unsigned char* data, unsigned* counts, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&counts[data[i]], 1u);
}

// Atomics in shared memory, then one in global memory for each bin of each block. Launch: any, blocks of 256 threads.
extern "C" __global__ void histogram_shared(const unsigned char* data, unsigned* counts, int n) {
    __shared__ unsigned local[256];
    local[threadIdx.x] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x)
        atomicAdd(&local[data[i]], 1u);
    __syncthreads();
    if (local[threadIdx.x] != 0) atomicAdd(&counts[threadIdx.x], local[threadIdx.x]);
}

// Every atomic operation on 32 and 64 bits and f32 and f64, each on an element of its own; `old` gets what was there.
// a (n): u32; b (n): u64; f (n): f32; d (n): f64; x (threads): operands. Slot i of `old` is thread i's.
// Launch: any; thread i works on element i % n, so threads collide where n is small.
extern "C" __global__ void atomics(unsigned* a, unsigned long long* b, float* f, double* d, const unsigned* x,
                                   unsigned* old, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned v = x[i];
    unsigned* at = a + i % n * 12;
    old[i] = atomicAdd(&at[0], v);
    atomicSub(&at[1], v);
    atomicMin(&at[2], v);
    atomicMax(&at[3], v);
    atomicMin((int*)&at[4], (int)v);
    atomicMax((int*)&at[5], (int)v);
    atomicAnd(&at[6], v);
    atomicOr(&at[7], v);
    atomicXor(&at[8], v);
    atomicInc(&at[9], 17u);
    atomicDec(&at[10], 17u);
    unsigned seen = atomicOr(&at[11], 0u), assumed;
    do {
        assumed = seen;
        seen = atomicCAS(&at[11], assumed, assumed * 3 + v % 2);
    } while (seen != assumed);
    unsigned long long* wide = b + i % n * 4;
    atomicAdd(&wide[0], (unsigned long long)v << 20);
    atomicMax(&wide[1], (unsigned long long)v * v);
    atomicXor(&wide[2], (unsigned long long)v << 31);
    atomicExch(&wide[3], 0x123456789abcdefull);
    atomicAdd(&f[i % n], (float)(v % 256));
    atomicAdd(&d[i % n], (double)v);
}
