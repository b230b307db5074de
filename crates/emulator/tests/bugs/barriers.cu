// Seeded bugs: barriers of a block. README.md says how to read the launches.

// A barrier in a branch that half of each warp takes.
// divergent_barrier: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void divergent_barrier_bad(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (value % 2 == 0) {
        y[threadIdx.x] = value;
        __syncthreads();  // BUG: DivergentBarrier
        y[threadIdx.x] = value * 3;
    } else {
        y[threadIdx.x] = value * 5;
    }
}

extern "C" __global__ void divergent_barrier_good(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (value % 2 == 0) y[threadIdx.x] = value;
    __syncthreads();
    if (value % 2 == 0) {
        y[threadIdx.x] = value * 3;
    } else {
        y[threadIdx.x] = value * 5;
    }
}

// Even and odd lanes each have a barrier of their own in the two sides of a branch.
// two_barriers: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void two_barriers_bad(const int* x, int* y) {
    __shared__ int cells[64];
    if (threadIdx.x % 2 == 0) {
        cells[threadIdx.x] = x[threadIdx.x];
        __syncthreads();  // BUG: DivergentBarrier
        y[threadIdx.x] = cells[63 - threadIdx.x] + 1;
    } else {
        cells[threadIdx.x] = x[threadIdx.x] * 2;
        __syncthreads();  // BUG: DivergentBarrier
        y[threadIdx.x] = cells[63 - threadIdx.x] + 2;
    }
}

extern "C" __global__ void two_barriers_good(const int* x, int* y) {
    __shared__ int cells[64];
    if (threadIdx.x % 2 == 0)
        cells[threadIdx.x] = x[threadIdx.x];
    else
        cells[threadIdx.x] = x[threadIdx.x] * 2;
    __syncthreads();
    y[threadIdx.x] = cells[63 - threadIdx.x] + (threadIdx.x % 2 == 0 ? 1 : 2);
}

// The first warp waits at one more barrier than the second, which waits at another for ever.
// one_barrier_more: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void one_barrier_more_bad(const int* x, int* y) {
    if (threadIdx.x < 32) {
        y[threadIdx.x] = x[threadIdx.x];
        asm volatile("bar.sync 1;" ::: "memory");  // BUG: Hang
    }
    __syncthreads();  // BUG: Hang
    y[threadIdx.x] = x[threadIdx.x] * 2;
}

extern "C" __global__ void one_barrier_more_good(const int* x, int* y) {
    if (threadIdx.x < 32) {
        y[threadIdx.x] = x[threadIdx.x];
        asm volatile("bar.sync 1, 32;" ::: "memory");
    }
    __syncthreads();
    y[threadIdx.x] = x[threadIdx.x] * 2;
}

// A barrier in a loop whose length differs within a warp.
// barrier_in_loop: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void barrier_in_loop_bad(const int* x, int* y) {
    int sum = 0;
    for (int i = 0; i < x[threadIdx.x] % 4; i++) {
        sum += i;
        __syncthreads();  // BUG: DivergentBarrier
    }
    y[threadIdx.x] = sum;
}

extern "C" __global__ void barrier_in_loop_good(const int* x, int* y) {
    int sum = 0;
    for (int i = 0; i < 4; i++) {
        if (i < x[threadIdx.x] % 4) sum += i;
        __syncthreads();
    }
    y[threadIdx.x] = sum;
}

// 96 threads are expected, 64 come.
// count_too_high: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void count_too_high_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, 96;" ::: "memory");  // BUG: Hang
    y[threadIdx.x] = cells[63 - threadIdx.x];
}

extern "C" __global__ void count_too_high_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, 64;" ::: "memory");
    y[threadIdx.x] = cells[63 - threadIdx.x];
}

// 32 threads are expected, 64 come: the barrier opens for each warp alone.
// count_too_low: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void count_too_low_bad(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];           // BUG: SharedRace
    asm volatile("bar.sync 1, 32;" ::: "memory");
    y[threadIdx.x] = cells[63 - threadIdx.x];      // BUG: SharedRace UninitializedRead
}

extern "C" __global__ void count_too_low_good(const int* x, int* y) {
    __shared__ int cells[64];
    cells[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, 64;" ::: "memory");
    y[threadIdx.x] = cells[63 - threadIdx.x];
}

// A count that is no multiple of the warp's size.
// count_not_of_warps: <<<1, 64>>> (x: i32[64] = i, y: i32[64], count: i32 = 48)
extern "C" __global__ void count_not_of_warps_bad(const int* x, int* y, int count) {
    y[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, %0;" ::"r"(count) : "memory");  // BUG: InvalidOperand
}

extern "C" __global__ void count_not_of_warps_good(const int* x, int* y, int count) {
    y[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, %0;" ::"r"((count + 31) / 32 * 32) : "memory");
}

// Two warps meet at one barrier with different counts.
// counts_differ: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void counts_differ_bad(const int* x, int* y) {
    int count = threadIdx.x < 32 ? 64 : 96;
    y[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, %0;" ::"r"(count) : "memory");  // BUG: BarrierMismatch
}

extern "C" __global__ void counts_differ_good(const int* x, int* y) {
    int count = 64;
    y[threadIdx.x] = x[threadIdx.x];
    asm volatile("bar.sync 1, %0;" ::"r"(count) : "memory");
}

// The producer says "full" at barrier 1, the consumer waits at barrier 2.
// wrong_barrier: <<<1, 64>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void wrong_barrier_bad(const int* x, int* y) {
    __shared__ int cells[32];
    if (threadIdx.x < 32) {
        cells[threadIdx.x] = x[threadIdx.x];
        asm volatile("bar.arrive 1, 64;" ::: "memory");
    } else {
        asm volatile("bar.sync 2, 64;" ::: "memory");  // BUG: Hang
        y[threadIdx.x - 32] = cells[63 - threadIdx.x];
    }
}

extern "C" __global__ void wrong_barrier_good(const int* x, int* y) {
    __shared__ int cells[32];
    if (threadIdx.x < 32) {
        cells[threadIdx.x] = x[threadIdx.x];
        asm volatile("bar.arrive 1, 64;" ::: "memory");
    } else {
        asm volatile("bar.sync 1, 64;" ::: "memory");
        y[threadIdx.x - 32] = cells[63 - threadIdx.x];
    }
}

// The producer fills the buffer again without waiting until it is empty.
// no_empty_barrier: <<<1, 64>>> (x: i32[64] = i, y: i32[64])
extern "C" __global__ void no_empty_barrier_bad(const int* x, int* y) {
    __shared__ int cells[32];
    for (int round = 0; round < 2; round++) {
        if (threadIdx.x < 32) {
            cells[threadIdx.x] = x[round * 32 + threadIdx.x];  // BUG: SharedRace
            asm volatile("bar.arrive 1, 64;" ::: "memory");
        } else {
            asm volatile("bar.sync 1, 64;" ::: "memory");                // BUG: Hang
            y[round * 32 + threadIdx.x - 32] = cells[63 - threadIdx.x];  // BUG: SharedRace
        }
    }
}

extern "C" __global__ void no_empty_barrier_good(const int* x, int* y) {
    __shared__ int cells[32];
    for (int round = 0; round < 2; round++) {
        if (threadIdx.x < 32) {
            if (round > 0) asm volatile("bar.sync 2, 64;" ::: "memory");
            cells[threadIdx.x] = x[round * 32 + threadIdx.x];
            asm volatile("bar.arrive 1, 64;" ::: "memory");
        } else {
            asm volatile("bar.sync 1, 64;" ::: "memory");
            y[round * 32 + threadIdx.x - 32] = cells[63 - threadIdx.x];
            if (round == 0) asm volatile("bar.arrive 2, 64;" ::: "memory");
        }
    }
}
