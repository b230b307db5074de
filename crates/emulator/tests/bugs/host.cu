// Seeded bugs of the host's side. README.md says how to read the launches.

// The input is freed before the launch; the good twin gets it alive.
// read_after_free: <<<1, 32>>> (x: f32[32] = i freed, y: f32[32])
extern "C" __global__ void read_after_free_bad(const float* x, float* y) {
    y[threadIdx.x] = x[threadIdx.x] + 1.0f;  // BUG: UseAfterFree
}

extern "C" __global__ void read_after_free_good(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1.0f; }

// The output is freed before the launch; the good twin gets it alive.
// write_after_free: <<<1, 32>>> (x: f32[32] = i, y: f32[32] freed)
extern "C" __global__ void write_after_free_bad(const float* x, float* y) {
    y[threadIdx.x] = x[threadIdx.x] + 1.0f;  // BUG: UseAfterFree
}

extern "C" __global__ void write_after_free_good(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1.0f; }

// An atomic on freed memory.
// atomic_after_free: <<<1, 32>>> (counter: u32[1] = 0 freed)
extern "C" __global__ void atomic_after_free_bad(unsigned* counter) {
    atomicAdd(counter, 1u);  // BUG: UseAfterFree
}

extern "C" __global__ void atomic_after_free_good(unsigned* counter) { atomicAdd(counter, 1u); }

// The output is never freed, which the end of the context shows: there is no line to name. The good twin's is freed.
// leak: <<<1, 32>>> (x: f32[32] = i, y: f32[32] leaked)
// BUG: Leak
extern "C" __global__ void leak_bad(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

extern "C" __global__ void leak_good(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }
