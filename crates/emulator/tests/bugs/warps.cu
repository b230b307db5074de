// Seeded bugs: shuffles, votes and barriers of a warp. README.md says how to read the launches.

constexpr unsigned FULL = 0xffffffffu;

// The mask leaves out the lanes that call.
// mask_without_caller: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void mask_without_caller_bad(const int* x, int* y) {
    y[threadIdx.x] = __shfl_xor_sync(0x0000ffffu, x[threadIdx.x], 1);  // BUG: InvalidMask
}

extern "C" __global__ void mask_without_caller_good(const int* x, int* y) {
    y[threadIdx.x] = __shfl_xor_sync(FULL, x[threadIdx.x], 1);
}

// All lanes are named, but half of them are in the other branch.
// shuffle_in_branch: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void shuffle_in_branch_bad(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (threadIdx.x < 16) {
        value = __shfl_down_sync(FULL, value, 1, 16);  // BUG: InvalidMask
        y[threadIdx.x] = value;
    }
    __syncwarp();
    y[threadIdx.x] = value + 1;
}

extern "C" __global__ void shuffle_in_branch_good(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (threadIdx.x < 16) {
        value = __shfl_down_sync(0x0000ffffu, value, 1, 16);
        y[threadIdx.x] = value;
    }
    __syncwarp();
    y[threadIdx.x] = value + 1;
}

// The mask is right, but the value comes from a lane outside of it.
// source_outside_mask: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void source_outside_mask_bad(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (threadIdx.x < 16) value = __shfl_sync(0x0000ffffu, value, 20);  // BUG: InvalidMask
    y[threadIdx.x] = value;
}

extern "C" __global__ void source_outside_mask_good(const int* x, int* y) {
    int value = x[threadIdx.x];
    if (threadIdx.x < 16) value = __shfl_sync(0x0000ffffu, value, 12);
    y[threadIdx.x] = value;
}

// Two lanes name different masks for one shuffle.
// masks_differ: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void masks_differ_bad(const int* x, int* y) {
    unsigned mask = threadIdx.x % 2 == 0 ? FULL : FULL >> 1 | 1u << threadIdx.x;
    y[threadIdx.x] = __shfl_xor_sync(mask, x[threadIdx.x], 1);  // BUG: InvalidMask
}

extern "C" __global__ void masks_differ_good(const int* x, int* y) {
    unsigned mask = threadIdx.x % 2 == 0 ? 0x55555555u : 0xaaaaaaaau;
    y[threadIdx.x] = __shfl_xor_sync(mask, x[threadIdx.x], 2);
}

// A vote of all lanes in a loop that some have left: those wait at the loop's end.
// vote_in_loop: <<<1, 32>>> (x: i32[32] = i, y: u32[32])
extern "C" __global__ void vote_in_loop_bad(const int* x, unsigned* y) {
    unsigned seen = 0;
    for (int i = 0; i < x[threadIdx.x]; i++) {
        seen |= __ballot_sync(FULL, i % 2);  // BUG: InvalidMask
    }
    __syncwarp();
    y[threadIdx.x] = seen;
}

extern "C" __global__ void vote_in_loop_good(const int* x, unsigned* y) {
    unsigned seen = 0;
    for (int i = 0; i < 32; i++) {
        seen |= __ballot_sync(FULL, i < x[threadIdx.x] && i % 2);
    }
    __syncwarp();
    y[threadIdx.x] = seen;
}

// A barrier of the warp that does not name its caller.
// syncwarp_without_caller: <<<1, 32>>> (x: i32[32] = i, y: i32[32])
extern "C" __global__ void syncwarp_without_caller_bad(const int* x, int* y) {
    __shared__ int cells[32];
    cells[threadIdx.x] = x[threadIdx.x];
    __syncwarp(0xfffffffeu);  // BUG: InvalidMask
    y[threadIdx.x] = threadIdx.x == 0 ? 0 : cells[threadIdx.x];
}

extern "C" __global__ void syncwarp_without_caller_good(const int* x, int* y) {
    __shared__ int cells[32];
    cells[threadIdx.x] = x[threadIdx.x];
    if (threadIdx.x > 0) __syncwarp(0xfffffffeu);
    y[threadIdx.x] = threadIdx.x == 0 ? 0 : cells[threadIdx.x];
}

// A block of 48 threads: the second warp has 16 lanes, and the mask names 32.
// half_a_warp: <<<1, 48>>> (x: i32[48] = i, y: i32[48])
extern "C" __global__ void half_a_warp_bad(const int* x, int* y) {
    y[threadIdx.x] = __shfl_xor_sync(FULL, x[threadIdx.x], 16);  // BUG: InvalidMask
}

extern "C" __global__ void half_a_warp_good(const int* x, int* y) {
    unsigned mask = threadIdx.x < 32 ? FULL : 0x0000ffffu;
    y[threadIdx.x] = __shfl_xor_sync(mask, x[threadIdx.x], 8);
}
