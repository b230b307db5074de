// Seeded bugs: races in shared memory. README.md says how to read the launches.

// A missing barrier between writing and reading.
// read_after_write: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void read_after_write_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];       // BUG: SharedRace
    y[threadIdx.x] = cells[63 - threadIdx.x];  // BUG: SharedRace UninitializedRead
}

extern "C" __global__ void read_after_write_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cells[63 - threadIdx.x];
}

// A missing barrier between reading and writing anew.
// write_after_read: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void write_after_read_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    int other = cells[63 - threadIdx.x];  // BUG: SharedRace
    cells[threadIdx.x] = other * 2;       // BUG: SharedRace
    __syncthreads();
    y[threadIdx.x] = cells[(threadIdx.x + 33) % 64];
}

extern "C" __global__ void write_after_read_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    int other = cells[63 - threadIdx.x];
    __syncthreads();
    cells[threadIdx.x] = other * 2;
    __syncthreads();
    y[threadIdx.x] = cells[(threadIdx.x + 33) % 64];
}

// Two warps write one cell.
// write_after_write: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void write_after_write_bad(const int* x, int* y) {
    __shared__ int cell;
    if (threadIdx.x % 32 == 0) cell = x[threadIdx.x];  // BUG: SharedRace
    __syncthreads();
    y[threadIdx.x] = cell;
}

extern "C" __global__ void write_after_write_good(const int* x, int* y) {
    __shared__ int cell;
    if (threadIdx.x == 0) cell = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cell;
}

// Lanes of one warp exchange values, without a barrier of the warp.
// no_syncwarp: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void no_syncwarp_bad(const int* x, int* y) {
    __shared__ int cells[32];
    cells[threadIdx.x] = x[threadIdx.x];      // BUG: SharedRace
    y[threadIdx.x] = cells[threadIdx.x ^ 1];  // BUG: SharedRace
}

extern "C" __global__ void no_syncwarp_good(const int* x, int* y) {
    __shared__ int cells[32];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    y[threadIdx.x] = cells[threadIdx.x ^ 1];
}

// The last five steps of a reduction "need no barrier within a warp": they do.
// warp_tail: <<<1, 32>>> (x: i32[32] = i, y: i32[1])
extern "C" __global__ void warp_tail_bad(const int* x, int* y) {
    __shared__ int sums[32];
    sums[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 16; half > 0; half /= 2)
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];  // BUG: SharedRace
    if (threadIdx.x == 0) y[0] = sums[0];
}

extern "C" __global__ void warp_tail_good(const int* x, int* y) {
    __shared__ int sums[32];
    sums[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 16; half > 0; half /= 2) {
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
        __syncwarp();
    }
    if (threadIdx.x == 0) y[0] = sums[0];
}

// A reduction over four warps whose barrier stands before the loop instead of in it.
// tree_without_barrier: <<<1, 128>>> (x: i32[128] = i, y: i32[1])
extern "C" __global__ void tree_without_barrier_bad(const int* x, int* y) {
    __shared__ int sums[128];
    sums[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 64; half > 0; half /= 2)
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];  // BUG: SharedRace
    if (threadIdx.x == 0) y[0] = sums[0];
}

extern "C" __global__ void tree_without_barrier_good(const int* x, int* y) {
    __shared__ int sums[128];
    sums[threadIdx.x] = x[threadIdx.x];
    for (int half = 64; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) y[0] = sums[0];
}

// A barrier of the warp where warps exchange values.
// syncwarp_between_warps: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void syncwarp_between_warps_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];  // BUG: SharedRace
    __syncwarp();
    y[threadIdx.x] = cells[threadIdx.x ^ 32];  // BUG: SharedRace UninitializedRead
}

extern "C" __global__ void syncwarp_between_warps_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = cells[threadIdx.x ^ 32];
}

// A histogram whose bins are counted into before another warp has cleared them.
// clear_and_count: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void clear_and_count_bad(const int* x, int* y) {
    __shared__ int bins[64];
    bins[threadIdx.x] = 0;                          // BUG: SharedRace
    atomicAdd(&bins[(x[threadIdx.x] + 7) % 64], 1);  // BUG: SharedRace UninitializedRead
    __syncthreads();
    y[threadIdx.x] = bins[threadIdx.x];
}

extern "C" __global__ void clear_and_count_good(const int* x, int* y) {
    __shared__ int bins[64];
    bins[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&bins[(x[threadIdx.x] + 7) % 64], 1);
    __syncthreads();
    y[threadIdx.x] = bins[threadIdx.x];
}

// A counter that all threads add to atomically, and one reads plainly without a barrier.
// atomic_and_plain: <<<1, 64>>> (y: i32[64])
extern "C" __global__ void atomic_and_plain_bad(int* y) {
    __shared__ int counter;
    if (threadIdx.x == 0) counter = 0;
    __syncthreads();
    atomicAdd(&counter, 1);    // BUG: SharedRace
    y[threadIdx.x] = counter;  // BUG: SharedRace
}

extern "C" __global__ void atomic_and_plain_good(int* y) {
    __shared__ int counter;
    if (threadIdx.x == 0) counter = 0;
    __syncthreads();
    atomicAdd(&counter, 1);
    __syncthreads();
    y[threadIdx.x] = counter;
}

// A tile in a loop: the next round's write needs a barrier after this round's read.
// loop_carried: <<<1, 64>>> (x: i32[256] = i, y: i32[64], rounds: i32 = 4)
extern "C" __global__ void loop_carried_bad(const int* x, int* y, int rounds) {
    __shared__ int tile[64];
    int sum = 0;
    for (int round = 0; round < rounds; round++) {
        tile[threadIdx.x] = x[round * 64 + threadIdx.x];  // BUG: SharedRace
        __syncthreads();
        sum += tile[63 - threadIdx.x];  // BUG: SharedRace
    }
    y[threadIdx.x] = sum;
}

extern "C" __global__ void loop_carried_good(const int* x, int* y, int rounds) {
    __shared__ int tile[64];
    int sum = 0;
    for (int round = 0; round < rounds; round++) {
        tile[threadIdx.x] = x[round * 64 + threadIdx.x];
        __syncthreads();
        sum += tile[63 - threadIdx.x];
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}

// Bytes of one word are places of their own; a 4-byte read overlaps another thread's byte.
// overlapping_widths: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void overlapping_widths_bad(const int* x, int* y) {
    __shared__ __align__(4) unsigned char bytes[64];
    bytes[threadIdx.x] = (unsigned char)x[threadIdx.x];  // BUG: SharedRace
    if (threadIdx.x < 16) y[threadIdx.x] = ((int*)bytes)[15 - threadIdx.x];  // BUG: SharedRace UninitializedRead
}

extern "C" __global__ void overlapping_widths_good(const int* x, int* y) {
    __shared__ __align__(4) unsigned char bytes[64];
    bytes[threadIdx.x] = (unsigned char)x[threadIdx.x];
    __syncthreads();
    if (threadIdx.x < 16) y[threadIdx.x] = ((int*)bytes)[15 - threadIdx.x];
}
