// Inclusive prefix sums of 32-bit integers: y[i] = x[0] + ... + x[i].

constexpr unsigned FULL = 0xffffffffu;
constexpr int THREADS = 256;

__device__ __forceinline__ unsigned warp_scan(unsigned x) {
    int lane = threadIdx.x % 32;
    for (int offset = 1; offset < 32; offset *= 2) {
        unsigned other = __shfl_up_sync(FULL, x, offset);
        if (lane >= offset) x += other;
    }
    return x;
}

// Inclusive over the block of 256 threads; `total` is the block's sum, the same in every thread.
__device__ __forceinline__ unsigned block_scan(unsigned x, unsigned& total) {
    __shared__ unsigned warps[THREADS / 32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    x = warp_scan(x);
    if (lane == 31) warps[warp] = x;
    __syncthreads();
    if (warp == 0) {
        unsigned sum = warp_scan(lane < THREADS / 32 ? warps[lane] : 0);
        if (lane < THREADS / 32) warps[lane] = sum;
    }
    __syncthreads();
    total = warps[THREADS / 32 - 1];
    return warp > 0 ? x + warps[warp - 1] : x;
}

// Three launches: scan_blocks, scan_blocks of the sums (one block, at most 256 sums), scan_add.
// y (n): prefix sums within each block of 256; sums (ceil(n / 256)): the blocks' sums, unless null.
// Launch: ceil(n / 256) blocks of 256 threads.
extern "C" __global__ void scan_blocks(const unsigned* x, unsigned* y, unsigned* sums, int n) {
    int i = blockIdx.x * THREADS + threadIdx.x;
    unsigned total;
    unsigned sum = block_scan(i < n ? x[i] : 0, total);
    if (i < n) y[i] = sum;
    if (sums != nullptr && threadIdx.x == 0) sums[blockIdx.x] = total;
}

// y[i] += before[block - 1], `before` being the scanned sums. Launch: ceil(n / 256) blocks of 256 threads.
extern "C" __global__ void scan_add(unsigned* y, const unsigned* before, int n) {
    int i = blockIdx.x * THREADS + threadIdx.x;
    if (blockIdx.x > 0 && i < n) y[i] += before[blockIdx.x - 1];
}

// In one launch, by decoupled look-back (Merrill & Garland 2016): a block publishes its own sum, then adds the sums of
// the blocks before it until it meets a published prefix.
// state (1 + ceil(n / 256)) 64-bit words, zero before the launch: [0] hands out block numbers in the order in which
// blocks start, so that a block waits only for blocks that run; [1 + b] holds status << 32 | sum, status 1 for the
// block's own sum and 2 for its prefix. One 64-bit word, so that both are seen together.
// Launch: ceil(n / 256) blocks of 256 threads.
extern "C" __global__ void scan_look_back(const unsigned* x, unsigned* y, unsigned long long* state, int n) {
    __shared__ unsigned shared_block, shared_before;
    if (threadIdx.x == 0) shared_block = (unsigned)atomicAdd(&state[0], 1ull);
    __syncthreads();
    unsigned block = shared_block;
    int i = block * THREADS + threadIdx.x;
    unsigned total;
    unsigned sum = block_scan(i < n ? x[i] : 0, total);
    unsigned long long* status = state + 1;
    if (threadIdx.x == 0) {
        unsigned before = 0;
        if (block > 0) {
            atomicExch(&status[block], 1ull << 32 | total);
            for (int b = block - 1;; b--) {
                unsigned long long word;
                do word = atomicAdd(&status[b], 0ull);
                while (word >> 32 == 0);
                before += (unsigned)word;
                if (word >> 32 == 2) break;
            }
        }
        atomicExch(&status[block], 2ull << 32 | (before + total));
        shared_before = before;
    }
    __syncthreads();
    if (i < n) y[i] = shared_before + sum;
}
