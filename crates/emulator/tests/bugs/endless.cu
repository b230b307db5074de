// Seeded bugs: kernels that never end, and ends that nobody planned. README.md says how to read the launches.

// A flag that nobody sets.
// flag_never_set: <<<1, 32>>> (flag: u32[1] = 0, y: u32[32])
extern "C" __global__ void flag_never_set_bad(unsigned* flag, unsigned* y) {
    while (atomicAdd(flag, 0u) == 0u) {  // BUG: StepBudget
    }
    y[threadIdx.x] = 1;
}

extern "C" __global__ void flag_never_set_good(unsigned* flag, unsigned* y) {
    if (threadIdx.x == 31) atomicExch(flag, 1u);
    while (atomicAdd(flag, 0u) == 0u) {
    }
    y[threadIdx.x] = 1;
}

// A barrier of all blocks that expects one block more than there are.
// grid_barrier: <<<2, 32>>> cooperative (arrived: u32[1] = 0, y: u32[64])
extern "C" __global__ void grid_barrier_bad(unsigned* arrived, unsigned* y) {
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1u);
        while (atomicAdd(arrived, 0u) < gridDim.x + 1) {  // BUG: StepBudget
        }
    }
    __syncthreads();
    y[blockIdx.x * 32 + threadIdx.x] = 1;
}

extern "C" __global__ void grid_barrier_good(unsigned* arrived, unsigned* y) {
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1u);
        while (atomicAdd(arrived, 0u) < gridDim.x) {
        }
    }
    __syncthreads();
    y[blockIdx.x * 32 + threadIdx.x] = 1;
}

// A loop whose step can be zero.
// no_progress: <<<1, 32>>> (y: i32[32], step: i32 = 0)
extern "C" __global__ void no_progress_bad(volatile int* y, int step) {
    for (int i = 0; i < 32; i += step) {  // BUG: StepBudget
        y[threadIdx.x] = i;               // BUG: StepBudget
    }
}

extern "C" __global__ void no_progress_good(volatile int* y, int step) {
    for (int i = 0; i < 32; i += step > 0 ? step : 1) {
        y[threadIdx.x] = i;
    }
}

// Recursion without an end.
// no_end_of_recursion: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
__device__ __noinline__ int depth_bad(const int* x, int at) {
    volatile int own[64];
    own[at & 63] = x[at & 31];
    return depth_bad(x, at + 1) + own[at & 63];  // BUG: StackOverflow
}

__device__ __noinline__ int depth_good(const int* x, int at) {
    volatile int own[64];
    own[at & 63] = x[at & 31];
    return at >= 3 ? own[at & 63] : depth_good(x, at + 1) + own[at & 63];
}

extern "C" __global__ void no_end_of_recursion_bad(const int* x, int* y) { y[threadIdx.x] = depth_bad(x, 0); }

extern "C" __global__ void no_end_of_recursion_good(const int* x, int* y) { y[threadIdx.x] = depth_good(x, 0); }

extern "C" __device__ void __assertfail(const char* message, const char* file, unsigned line, const char* function,
                                        size_t character_size);

// An assertion that does not hold for the last element.
// assertion: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void assertion_bad(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (!(value < 31)) __assertfail("value < 31", "endless.cu", __LINE__, "assertion_bad", 1);  // BUG: Assertion
    y[threadIdx.x] = value;
}

extern "C" __global__ void assertion_good(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (!(value < 32)) __assertfail("value < 32", "endless.cu", __LINE__, "assertion_good", 1);
    y[threadIdx.x] = value;
}

// A trap that bad input reaches.
// trap: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void trap_bad(const int* x, int* y) {
    if (x[threadIdx.x] > 30) __trap();  // BUG: Trap
    y[threadIdx.x] = x[threadIdx.x];
}

extern "C" __global__ void trap_good(const int* x, int* y) {
    if (x[threadIdx.x] > 31) __trap();
    y[threadIdx.x] = x[threadIdx.x];
}
