// What compiles to less common PTX: local arrays with computed indices, constant data, device variables, dynamic shared
// memory, switches, 64-bit division, bit operations, structures as parameters, generic addresses, assertions.

// Sorts x (n, 8) row by row with insertion in a local array, into y. Launch: n threads or more.
extern "C" __global__ void sort_in_local(const int* x, int* y, int n) {
    int row = blockIdx.x * blockDim.x + threadIdx.x;
    if (row >= n) return;
    int sorted[8];
    for (int i = 0; i < 8; i++) {
        int value = x[row * 8 + i], at = i;
        while (at > 0 && sorted[at - 1] > value) {
            sorted[at] = sorted[at - 1];
            at--;
        }
        sorted[at] = value;
    }
    // The computed index keeps the array out of registers.
    for (int i = 0; i < 8; i++) y[row * 8 + i] = sorted[(i + (sorted[0] & 0)) & 7];
}

__constant__ float table[16] = {1, 0.5f, 0.25f, 0.125f, 2, 4, 8, 16, -1, -0.5f, 1e-30f, 1e30f, 3, 5, 7, 11};
__constant__ int settings[4];  // set by the host
__device__ unsigned counter = 41;
__device__ float device_table[4] = {10, 20, 30, 40};

// y[i] = table[i % 16] * settings[i % 4] + device_table[i % 4]; counter += 1 a thread. Launch: n threads or more.
extern "C" __global__ void constants(float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    y[i] = table[i % 16] * settings[i % 4] + device_table[i % 4];
    atomicAdd(&counter, 1u);
}

// y[i] = x of the block's mirror element, through dynamic shared memory used as two arrays of different type.
// x, y (threads). Launch: blocks of up to 1024 threads, 12 bytes of dynamic shared memory a thread.
extern "C" __global__ void dynamic_shared(const double* x, double* y) {
    extern __shared__ __align__(8) unsigned char bytes[];
    double* values = (double*)bytes;
    unsigned* order = (unsigned*)(values + blockDim.x);
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    values[threadIdx.x] = x[i];
    order[threadIdx.x] = blockDim.x - 1 - threadIdx.x;
    __syncthreads();
    y[i] = values[order[threadIdx.x]];
}

// A switch with one case that falls through: NVRTC makes a tree of comparisons of it. x, y (n). Launch: n or more.
extern "C" __global__ void jumps(const int* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int a = x[i], r;
    switch (a & 15) {
        case 0: r = a + 1; break;
        case 1: r = a * a; break;
        case 2: r = a ^ 0x5555; break;
        case 3: r = __popc(a); break;
        case 4: r = a << 3; break;
        case 5: r = a >> 2; break;
        case 6: r = -a;  // falls through
        case 7: r = __clz(a); break;
        case 8: r = y[i] + 5; break;
        case 9: r = a % 7; break;
        case 10: r = a / 3; break;
        case 11: r = a | 0xf0f; break;
        case 12: r = __brev(a); break;
        case 13: r = a & 0xff; break;
        default: r = 1000; break;
    }
    y[i] = r;
}

// y[i] = 10, 21, 32 or 43 + i by an indexed branch on x[i] % 4, which NVRTC does not make by itself. Launch: n or more.
extern "C" __global__ void jump_table(const unsigned* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int r;
    asm volatile(
        "{\n"
        "table: .branchtargets case0, case1, case2, case3;\n"
        "brx.idx %1, table;\n"
        "case0: add.s32 %0, %2, 10; bra done;\n"
        "case1: add.s32 %0, %2, 21; bra done;\n"
        "case2: add.s32 %0, %2, 32; bra done;\n"
        "case3: add.s32 %0, %2, 43;\n"
        "done:\n"
        "}"
        : "=r"(r)
        : "r"(x[i] % 4), "r"(i));
    y[i] = r;
}

// Quotients and remainders. a, b (n), b not 0; y (n, 4): signed 64-bit, unsigned 64-bit. Launch: n threads or more.
extern "C" __global__ void divide_64(const long long* a, const long long* b, long long* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned long long ua = a[i], ub = b[i];
    y[i * 4] = a[i] / b[i];
    y[i * 4 + 1] = a[i] % b[i];
    y[i * 4 + 2] = ua / ub;
    y[i * 4 + 3] = ua % ub;
}

// y (n, 4): signed and unsigned 32-bit quotient and remainder. Launch: n threads or more.
extern "C" __global__ void divide_32(const int* a, const int* b, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned ua = a[i], ub = b[i];
    y[i * 4] = a[i] / b[i];
    y[i * 4 + 1] = a[i] % b[i];
    y[i * 4 + 2] = ua / ub;
    y[i * 4 + 3] = ua % ub;
}

// Bit operations and wide products. a, b, c (n); y (n, 20) u32. Launch: n threads or more.
extern "C" __global__ void bits(const unsigned* a, const unsigned* b, const unsigned* c, unsigned* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned x = a[i], z = b[i], w = c[i], field, inserted, signed_field, dot;
    asm("bfe.u32 %0, %1, %2, %3;" : "=r"(field) : "r"(x), "r"(z & 63), "r"(w & 63));
    asm("bfe.s32 %0, %1, %2, %3;" : "=r"(signed_field) : "r"(x), "r"(z & 63), "r"(w & 63));
    asm("bfi.b32 %0, %1, %2, %3, %4;" : "=r"(inserted) : "r"(x), "r"(z), "r"(w & 31), "r"(w >> 8 & 31));
    asm("dp4a.s32.u32 %0, %1, %2, %3;" : "=r"(dot) : "r"(x), "r"(z), "r"(w));
    unsigned long long wide = (unsigned long long)x << 32 | z;
    unsigned values[20] = {
        __byte_perm(x, z, w),
        __funnelshift_l(x, z, w),
        __funnelshift_r(x, z, w),
        (unsigned)__popc(x),
        (unsigned)__clz(x),
        (unsigned)__ffs(x),
        __brev(x),
        __umulhi(x, z),
        (unsigned)__mulhi((int)x, (int)z),
        __umul24(x, z),
        (x & z) | (~x & w),
        x ^ z ^ w,
        field,
        signed_field,
        inserted,
        __sad((int)x, (int)z, w),
        __vaddus4(x, z),
        dot,
        (unsigned)__popcll(wide),
        (unsigned)(__brevll(wide) >> 7),
    };
    for (int e = 0; e < 20; e++) y[i * 20 + e] = values[e];
}

struct Settings {
    const float* from;
    float* to;
    int shape[3];
    double factor;
    unsigned char flags[5];
};

// to[i] = from[i] * factor + shape[i % 3] + flags[i % 5], i < n: a structure by value, also indexed by computed values.
extern "C" __global__ void by_value(Settings s, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) s.to[i] = (float)(s.from[i] * s.factor) + s.shape[i % 3] + s.flags[i % 5];
}

// One load through an address that is global, shared or local by the lane. x (threads), y (threads).
// Launch: one block of up to 64 threads.
extern "C" __global__ void generic(int* x, int* y) {
    __shared__ int shared[64];
    int local[2] = {(int)threadIdx.x * 100, (int)threadIdx.x * 200};
    shared[threadIdx.x] = threadIdx.x * 10;
    __syncthreads();
    int* from = threadIdx.x % 3 == 0 ? &x[threadIdx.x] : threadIdx.x % 3 == 1 ? &shared[threadIdx.x ^ 1] : local;
    y[threadIdx.x] = from[threadIdx.x % 3 == 2 ? threadIdx.x & 1 : 0];
}

// Traps where x[i] is negative. x (n), y (n). Launch: n threads or more.
extern "C" __global__ void trap_if_negative(const int* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (x[i] < 0) __trap();
    y[i] = x[i] * 2;
}

// Loops whose lengths differ from lane to lane: steps of the Collatz sequence until 1. x, y (n). Launch: n or more.
extern "C" __global__ void collatz(const unsigned* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    unsigned long long a = x[i];
    int steps = 0;
    while (a > 1) {
        a = a % 2 == 0 ? a / 2 : 3 * a + 1;
        steps++;
    }
    y[i] = steps;
}
