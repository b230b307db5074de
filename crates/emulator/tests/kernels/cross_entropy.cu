// Label-smoothed cross-entropy of rows and its gradient, in place of the logits.
//   p = softmax(x),  q = (1 - eps) [class = target] + eps / V
//   loss[r] = -sum over classes of q log p,  dx = scale (p - q)
// x (N, V), read and then overwritten by dx; target (N), negative where the row does not count: loss and gradient 0.
// Launch: N blocks of 256 threads.

constexpr unsigned FULL = 0xffffffffu;
constexpr int WARPS = 8;

struct Add {
    static __device__ float of(float a, float b) { return a + b; }
};
struct Max {
    static __device__ float of(float a, float b) { return fmaxf(a, b); }
};

// The same value in every thread; `warps` may be used again after the next barrier.
template <class Op>
__device__ __forceinline__ float block_reduce(float x, float* warps) {
    for (int offset = 16; offset > 0; offset /= 2) x = Op::of(x, __shfl_xor_sync(FULL, x, offset));
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = x;
    __syncthreads();
    float all = warps[0];
    for (int i = 1; i < WARPS; i++) all = Op::of(all, warps[i]);
    return all;
}

extern "C" __global__ void __launch_bounds__(256)
    cross_entropy(float* x, const int* target, float* loss, int v, float eps, float scale) {
    __shared__ float warps[3][WARPS];
    int t = target[blockIdx.x];
    x += (size_t)blockIdx.x * v;
    if (t < 0) {
        for (int i = threadIdx.x; i < v; i += 256) x[i] = 0.0f;
        if (threadIdx.x == 0) loss[blockIdx.x] = 0.0f;
        return;
    }
    float top = __uint_as_float(0xff800000u);
    for (int i = threadIdx.x; i < v; i += 256) top = fmaxf(top, x[i]);
    top = block_reduce<Max>(top, warps[0]);
    float exps = 0.0f, sum = 0.0f;
    for (int i = threadIdx.x; i < v; i += 256) {
        exps += __expf(x[i] - top);
        sum += x[i] - top;
    }
    exps = block_reduce<Add>(exps, warps[1]);
    sum = block_reduce<Add>(sum, warps[2]);
    float log_exps = logf(exps);
    float share = eps / v;
    if (threadIdx.x == 0) loss[blockIdx.x] = log_exps - (1.0f - eps) * (x[t] - top) - share * sum;
    // Thread 0 has read the target's logit before another thread overwrites it.
    __syncthreads();
    float inverse = 1.0f / exps;
    for (int i = threadIdx.x; i < v; i += 256) {
        float q = i == t ? 1.0f - eps + share : share;
        x[i] = scale * (__expf(x[i] - top) * inverse - q);
    }
}
