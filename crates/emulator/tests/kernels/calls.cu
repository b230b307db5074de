// Calls: functions that stay functions, recursion, structures by value, and calls through pointers.

struct Pair {
    double first;
    int second;
};

__device__ __noinline__ int square_plus(int x, int y) { return x * x + y; }

__device__ __noinline__ Pair make_pair(int x) {
    Pair p = {x * 0.5, -x};
    return p;
}

__device__ __noinline__ double use_pair(Pair p, float4 v) { return p.first + p.second + v.x + v.y + v.z + v.w; }

__device__ __noinline__ unsigned long long ackermann(unsigned long long m, unsigned long long n) {
    if (m == 0) return n + 1;
    if (n == 0) return ackermann(m - 1, 1);
    return ackermann(m - 1, ackermann(m, n - 1));
}

// Recursion with a local array in each frame: the frames must not share it.
__device__ __noinline__ int frames(int depth, int seed) {
    int own[4];
    for (int i = 0; i < 4; i++) own[i] = seed * 4 + i;
    int below = depth > 0 ? frames(depth - 1, seed + own[seed & 3]) : 0;
    return below + own[(seed + depth) & 3];
}

__device__ int add_one(int x) { return x + 1; }
__device__ int twice(int x) { return x * 2; }
__device__ int negate(int x) { return -x; }

using Function = int (*)(int);
__device__ Function functions[3] = {add_one, twice, negate};

// y (n) = x^2 + i by a call, in code that diverges. Launch: n threads in all or more.
extern "C" __global__ void call_functions(const int* x, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (x[i] % 2 == 0)
        y[i] = square_plus(x[i], i);
    else
        y[i] = square_plus(i, x[i]) * 3;
}

// y (n) = i / 2 - i + 10, by structures passed and returned. Launch: n threads in all or more.
extern "C" __global__ void call_structures(double* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = use_pair(make_pair(i), make_float4(1, 2, 3, 4));
}

// y (n): Ackermann's function of (i % 3, i / 3 % 4); depth differs from lane to lane. Launch: n threads or more.
extern "C" __global__ void recurse(unsigned long long* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = ackermann(i % 3, i / 3 % 4);
}

// y (n): `frames` of depth i % 5. Launch: n threads or more.
extern "C" __global__ void recurse_with_arrays(int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = frames(i % 5, i);
}

// y (n) = function[which[i] % 3](x[i]): x + 1, 2 x or -x. Launch: n threads or more.
extern "C" __global__ void call_pointers(const int* x, const int* which, int* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = functions[which[i] % 3](x[i]);
}
