// Seeded bugs: races between blocks in global memory. README.md says how to read the launches.

// Every block writes the one result.
// same_cell: <<<4, 32>>> (x: i32[128] = i, y: i32[4])
extern "C" __global__ void same_cell_bad(const int* x, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) y[0] = sum;  // BUG: GlobalRace
}

extern "C" __global__ void same_cell_good(const int* x, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// A sum over blocks without an atomic.
// lost_updates: <<<4, 32>>> (x: i32[128] = i, y: i32[1] = 0)
extern "C" __global__ void lost_updates_bad(const int* x, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) y[0] += sum;  // BUG: GlobalRace
}

extern "C" __global__ void lost_updates_good(const int* x, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) atomicAdd(&y[0], sum);
}

// A smoothing in place reads the next block's first cell while that block writes it.
// in_place: <<<4, 32>>> (x: f32[129] = i, y: f32[128])
extern "C" __global__ void in_place_bad(float* x, float* y) {
    int i = blockIdx.x * 32 + threadIdx.x;
    float mean = 0.5f * (x[i] + x[i + 1]);  // BUG: GlobalRace
    __syncthreads();
    x[i] = mean;  // BUG: GlobalRace
    y[i] = mean;
}

extern "C" __global__ void in_place_good(float* x, float* y) {
    int i = blockIdx.x * 32 + threadIdx.x;
    float mean = 0.5f * (x[i] + x[i + 1]);
    y[i] = mean;
}

// Some blocks add atomically, one resets plainly.
// reset_while_counting: <<<4, 32>>> (y: i32[2] = 0)
extern "C" __global__ void reset_while_counting_bad(int* y) {
    if (blockIdx.x == 0 && threadIdx.x == 0) y[0] = 0;  // BUG: GlobalRace
    if (threadIdx.x == 0) atomicAdd(&y[0], 1);          // BUG: GlobalRace
}

extern "C" __global__ void reset_while_counting_good(int* y) {
    if (blockIdx.x == 0 && threadIdx.x == 0) y[1] = 0;
    if (threadIdx.x == 0) atomicAdd(&y[0], 1);
}

// Blocks whose shares overlap by one element.
// shares_overlap: <<<4, 32>>> (y: i32[125], share: i32 = 31)
extern "C" __global__ void shares_overlap_bad(int* y, int share) {
    int i = blockIdx.x * share + threadIdx.x;
    y[i] = blockIdx.x;  // BUG: GlobalRace
}

extern "C" __global__ void shares_overlap_good(int* y, int share) {
    int i = blockIdx.x * share + threadIdx.x;
    if (threadIdx.x < share) y[i] = blockIdx.x;
}

// A result of another block read without waiting for it: blocks run in any order.
// read_of_neighbour: <<<4, 32>>> (x: i32[128] = i, partial: i32[4] = 0, y: i32[4])
extern "C" __global__ void read_of_neighbour_bad(const int* x, int* partial, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;                            // BUG: GlobalRace
        y[blockIdx.x] = partial[(blockIdx.x + 1) % 4] + sum;  // BUG: GlobalRace
    }
}

extern "C" __global__ void read_of_neighbour_good(const int* x, int* partial, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        y[blockIdx.x] = partial[blockIdx.x] + sum;
    }
}

// The last block adds the others' sums; the bug is a counter raised before the sum is stored.
// published_too_early: <<<4, 32>>> (x: i32[128] = i, partial: i32[4], finished: u32[1] = 0, y: i32[1])
extern "C" __global__ void published_too_early_bad(const int* x, int* partial, unsigned* finished, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) {
        bool last = atomicAdd(finished, 1u) == 3;
        partial[blockIdx.x] = sum;  // BUG: GlobalRace
        __threadfence();
        int all = 0;
        if (last)
            for (int b = 0; b < 4; b++) all += ((volatile int*)partial)[b];  // BUG: GlobalRace UninitializedRead
        if (last) y[0] = all;
    }
}

extern "C" __global__ void published_too_early_good(const int* x, int* partial, unsigned* finished, int* y) {
    int sum = __reduce_add_sync(0xffffffffu, x[blockIdx.x * 32 + threadIdx.x]);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        bool last = atomicAdd(finished, 1u) == 3;
        __threadfence();
        int all = 0;
        if (last)
            for (int b = 0; b < 4; b++) all += ((volatile int*)partial)[b];
        if (last) y[0] = all;
    }
}

// The last block to count itself resets the counter; the bug is to take the last but one for it.
// reset_too_early: <<<4, 64>>> (y: i32[256], finished: u32[1] = 0)
extern "C" __global__ void reset_too_early_bad(int* y, unsigned* finished) {
    y[blockIdx.x * 64 + threadIdx.x] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        bool last = atomicAdd(finished, 1u) == 2;  // BUG: GlobalRace
        __threadfence();
        if (last) finished[0] = 0;  // BUG: GlobalRace
    }
}

extern "C" __global__ void reset_too_early_good(int* y, unsigned* finished) {
    y[blockIdx.x * 64 + threadIdx.x] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        bool last = atomicAdd(finished, 1u) == 3;
        __threadfence();
        if (last) finished[0] = 0;
    }
}
