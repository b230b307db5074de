// Cross-entropy with its gradient, its evaluation, and log-softmax: one block a row. And the sum of the rows' losses.
//
//   m = max_v x[v];  z[v] = x[v] - m;  e[v] = exp(z[v]);  l = lane_sum(e);  zs = lane_sum(z)
//   loss = fma(-u, zs, fma(-c, z[t], ln l));  dlogits[v] = fma(e[v], a, -k), and less c * grad_scale at the target t
//   u = eps / V, c = 1 - eps, a = grad_scale / l, k = u * grad_scale;  log-softmax: z[v] - ln l
//
// mod.rs is the contract: every operation is rounded as IEEE 754 says and none is contracted, so the bits are the
// CPU's. 16-bit logits are widened first, and their gradient is rounded once, at the end.
//
// Shapes: logits (N, V), any alignment; targets, loss, nll, hit (N); grad_scale (1), in device memory.
// Types: T for the logits and their gradient; float for the rest, and for what log-softmax writes.
//
// Launch: grid (N), block (32 W), W from 4 to 16 by V; dynamic shared memory for the row (V + 3 floats), and for
// log-softmax and rows that are not kept a ring of 2 * CHUNK floats; set in cuda.rs. Requires N, V < 2^31, targets
// below V or `ignore`.
//
// Traffic: a row that fits is kept in shared memory, so its logits are read once and written once, the floor of 2 N V
// sizeof(T) bytes (half of it for evaluate). A thread asks for eight times four neighbouring logits before it looks at
// any: 64 KiB in flight for a block of 512 threads in f32, so one block a multiprocessor, as V = 32000 allows, still
// keeps the memory busy. Rows that do not fit (V above some 41,000 on sm_80, 57,000 on sm_90) are read three times,
// kernels `_reread`.
//
// Order: the contract's lane order makes a sum a warp's work: V / 32 dependent additions, 4000 cycles at V = 32000. A
// warp a row would also have the exponentials to do, four times as long, and with 1000 rows in flight the logits would
// have left the caches between the passes. So a block takes a row, and goes through it in chunks: while warp 0 adds z
// of chunk i, the other warps make e of chunk i - 1 and warp 1 adds e of chunk i - 2. All are ready at about the same
// time, and the whole takes less than the memory takes for a row of f32, about as long as for one of 16 bits.

#include "element.cuh"
#include "lanes.cuh"
#include "math.cuh"

// Values of a stage: four for each of 14 warps' lanes.
constexpr int CHUNK = 14 * 32 * 4;
constexpr int MAX_WARPS = 16;
constexpr int NO_TARGET = -1;

__device__ __forceinline__ float minus_infinity() { return __int_as_float(0xff800000); }

// Four neighbouring values in one access.
__device__ __forceinline__ float4 load4(const float* from) { return *(const float4*)from; }

__device__ __forceinline__ void store4(float* to, float4 x) { *(float4*)to = x; }

template <typename T>
__device__ __forceinline__ float4 load4(const T* from) {
    ushort4 x = *(const ushort4*)from;
    return float4{to_float(T{x.x}), to_float(T{x.y}), to_float(T{x.z}), to_float(T{x.w})};
}

template <typename T>
__device__ __forceinline__ void store4(T* to, float4 x) {
    *(ushort4*)to = ushort4{from_float<T>(x.x).bits, from_float<T>(x.y).bits, from_float<T>(x.z).bits,
                            from_float<T>(x.w).bits};
}

// A row's logits, and the exponentials made of them.
//
// KEPT: the logits lie in shared memory after `load`; else they are read from global memory each time.
// IN_PLACE: e[v] takes the place of the logit; else it is there from its stage to the next, in the ring.
template <typename T, bool KEPT, bool IN_PLACE>
struct Row {
    const T* global;
    float* kept;
    float* ring;
    int V;
    // Values head to head + 4 * fours are taken four at a time: their addresses are multiples of four values.
    int head, fours;

    // Of the block's row. Kept values lie as the logits do with respect to those addresses.
    __device__ __forceinline__ Row(const T* logits, int V, float* shared) : V(V) {
        global = logits + (u64)blockIdx.x * V;
        int past = (int)((u64)global / sizeof(T) & 3);
        head = min((4 - past) & 3, V);
        fours = (V - head) / 4;
        ring = shared;
        kept = shared + (IN_PLACE ? 0 : 2 * CHUNK) + past;
    }

    __device__ __forceinline__ float x(int v) const { return KEPT ? kept[v] : to_float(global[v]); }

    // e of a chunk: value v lies at [v].
    struct Exponentials {
        float* start;
        int less;
        __device__ __forceinline__ float& operator[](int v) const { return start[v - less]; }
    };

    __device__ __forceinline__ Exponentials e(int chunk) const {
        return IN_PLACE ? Exponentials{kept, 0} : Exponentials{ring, (chunk & ~1) * CHUNK};
    }

    // The value of head or tail that is this thread's, or V.
    __device__ __forceinline__ int single() const {
        int v = threadIdx.x;
        return min(v < head ? v : v + 4 * fours, V);
    }

    // Reads the row; returns its largest value, NaN passed over, to every thread. Of 0 and -0 it may be either: what is
    // made of them does not tell.
    __device__ __forceinline__ float load() const {
        constexpr int AT_ONCE = 8;
        __shared__ float largest[MAX_WARPS];
        float m = minus_infinity();
        auto take_in = [&](float x) { m = fmaxf(x, m); };
        for (int start = threadIdx.x; start < fours; start += AT_ONCE * blockDim.x) {
            float4 x[AT_ONCE];
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                int four = start + i * blockDim.x;
                if (four < fours) x[i] = load4(global + head + 4 * four);
            }
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) {
                int four = start + i * blockDim.x;
                if (four < fours) {
                    if (KEPT) *(float4*)(kept + head + 4 * four) = x[i];
                    take_in(x[i].x);
                    take_in(x[i].y);
                    take_in(x[i].z);
                    take_in(x[i].w);
                }
            }
        }
        int v = single();
        if (v < V) {
            float x = to_float(global[v]);
            if (KEPT) kept[v] = x;
            take_in(x);
        }
        m = lane_max(m);
        if (threadIdx.x % 32 == 0) largest[threadIdx.x / 32] = m;
        __syncthreads();
        int warps = blockDim.x / 32, lane = threadIdx.x % 32;
        return lane_max(lane < warps ? largest[lane] : minus_infinity());
    }

    // The lane sums (l, zs), to every thread; zs is 0 if it is not wanted.
    __device__ __forceinline__ float2 sums(float m, bool want_z) const {
        __shared__ float2 both;
        int warp = threadIdx.x / 32, lane = threadIdx.x % 32, chunks = (V + CHUNK - 1) / CHUNK;
        float sum = 0.0f;
        for (int stage = want_z ? 0 : 1; stage < chunks + 2; stage++) {
            int chunk = warp == 0 ? stage : warp == 1 ? stage - 2 : stage - 1;
            int start = chunk * CHUNK, end = min(start + CHUNK, V);
            if (chunk >= 0 && chunk < chunks) {
                if (warp == 0) {
                    if (want_z) {
#pragma unroll 8
                        for (int v = start + lane; v < end; v += 32) sum = __fadd_rn(sum, __fsub_rn(x(v), m));
                    }
                } else if (warp == 1) {
                    Exponentials made = e(chunk);
#pragma unroll 8
                    for (int v = start + lane; v < end; v += 32) sum = __fadd_rn(sum, made[v]);
                } else {
                    int each = 32 * AT_ONCE, stride = blockDim.x / 32 - 2;
                    Exponentials made = e(chunk);
                    for (start += (warp - 2) * each; start < end; start += stride * each) {
                        exponentials(made, m, start + lane, end, start + each <= end);
                    }
                }
            }
            __syncthreads();
        }
        if (warp < 2) sum = lane_sum(sum);
        if (threadIdx.x == 0) both.y = sum;
        if (threadIdx.x == 32) both.x = sum;
        __syncthreads();
        return both;
    }

    // e of this lane's values from v on, below `end`; all logits are read before any is replaced.
    static constexpr int AT_ONCE = 4;
    __device__ __forceinline__ void exponentials(Exponentials made, float m, int v, int end, bool all) const {
        float z[AT_ONCE];
        if (all) {
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) z[i] = __fsub_rn(x(v + 32 * i), m);
#pragma unroll
            for (int i = 0; i < AT_ONCE; i++) made[v + 32 * i] = exp_nonpositive(z[i]);
        } else {
#pragma unroll 1
            for (; v < end; v += 32) made[v] = exp_nonpositive(__fsub_rn(x(v), m));
        }
    }

    // Writes y(x(v)) for every v, less `off` for v = t; x(v) is e(v) once that has taken its place.
    template <typename Out, typename Y>
    __device__ __forceinline__ void store(Out* out, Y y, int t, float off) const {
        auto one = [&](int v) {
            float value = y(x(v));
            out[v] = from_float<Out>(v == t ? __fsub_rn(value, off) : value);
        };
        if (((u64)(out + head) & (4 * sizeof(Out) - 1)) != 0) {
            // `out` lies otherwise than the logits.
#pragma unroll 1
            for (int v = threadIdx.x; v < V; v += blockDim.x) one(v);
            return;
        }
#pragma unroll 2
        for (int four = threadIdx.x; four < fours; four += blockDim.x) {
            int v = head + 4 * four, at = t - v;
            float4 x = KEPT ? *(const float4*)(kept + v) : load4(global + v);
            x = float4{y(x.x), y(x.y), y(x.z), y(x.w)};
            if (at >= 0 && at < 4) {
                x.x = at == 0 ? __fsub_rn(x.x, off) : x.x;
                x.y = at == 1 ? __fsub_rn(x.y, off) : x.y;
                x.z = at == 2 ? __fsub_rn(x.z, off) : x.z;
                x.w = at == 3 ? __fsub_rn(x.w, off) : x.w;
            }
            store4(out + v, x);
        }
        if (single() < V) one(single());
    }
};

// A row's loss from z at the target, ln l and zs.
__device__ __forceinline__ float row_loss(float z_target, float log_l, float zs, float smoothing, int V) {
    // 0 times a -infinity in zs would be NaN.
    if (smoothing == 0.0f) return __fsub_rn(log_l, z_target);
    float u = __fdiv_rn(smoothing, (float)V), c = __fsub_rn(1.0f, smoothing);
    return __fmaf_rn(-u, zs, __fmaf_rn(-c, z_target, log_l));
}

template <typename T, bool KEPT>
__device__ __forceinline__ void forward_backward(T* logits, float* loss, const u32* targets, const float* grad_scale,
                                                 u32 ignore, float smoothing, int V, float* shared) {
    Row<T, KEPT, KEPT> row(logits, V, shared);
    T* dlogits = logits + (u64)blockIdx.x * V;
    u32 target = targets[blockIdx.x];
    if (target == ignore) {
#pragma unroll 1
        for (int v = threadIdx.x; v < V; v += blockDim.x) dlogits[v] = from_float<T>(0.0f);
        if (threadIdx.x == 0) loss[blockIdx.x] = 0.0f;
        return;
    }
    // The launcher has checked the targets. A replayed graph may find others, which must not lead out of the row.
    target = min(target, (u32)V - 1);
    float x_target = to_float(row.global[target]);
    float m = row.load();
    float2 sums = row.sums(m, smoothing != 0.0f);
    float l = sums.x, zs = sums.y, g = *grad_scale;
    float a = __fdiv_rn(g, l), k = __fmul_rn(__fdiv_rn(smoothing, (float)V), g);
    float off = __fmul_rn(__fsub_rn(1.0f, smoothing), g);
    auto gradient = [&](float x) { return __fmaf_rn(KEPT ? x : exp_nonpositive(__fsub_rn(x, m)), a, -k); };
    row.store(dlogits, gradient, target, off);
    if (threadIdx.x == 0) loss[blockIdx.x] = row_loss(__fsub_rn(x_target, m), ln_rn(l), zs, smoothing, V);
}

template <typename T, bool KEPT>
__device__ __forceinline__ void evaluate(const T* logits, float* loss, float* nll, u32* hit, const u32* targets,
                                         u32 ignore, float smoothing, int V, float* shared) {
    u32 target = targets[blockIdx.x];
    float row_nll = 0.0f, row_smoothed = 0.0f;
    u32 row_hit = 0;
    if (target != ignore) {
        Row<T, KEPT, KEPT> row(logits, V, shared);
        // As above.
        float x_target = to_float(row.global[min(target, (u32)V - 1)]);
        float m = row.load();
        float2 sums = row.sums(m, smoothing != 0.0f);
        if (threadIdx.x == 0) {
            float log_l = ln_rn(sums.x), z_target = __fsub_rn(x_target, m);
            row_smoothed = row_loss(z_target, log_l, sums.y, smoothing, V);
            row_nll = __fsub_rn(log_l, z_target);
            row_hit = z_target == 0.0f;
        }
    }
    if (threadIdx.x == 0) {
        loss[blockIdx.x] = row_smoothed;
        nll[blockIdx.x] = row_nll;
        hit[blockIdx.x] = row_hit;
    }
}

// `out` may be the logits' own memory, if both have one type.
template <typename T, bool KEPT>
__device__ __forceinline__ void log_softmax(float* out, const T* logits, int V, float* shared) {
    Row<T, KEPT, false> row(logits, V, shared);
    float m = row.load();
    float l = row.sums(m, false).x;
    // One logarithm for all: it is f64, of which some devices do few.
    __shared__ float log_l;
    if (threadIdx.x == 0) log_l = ln_rn(l);
    __syncthreads();
    float less = log_l;
    row.store(out + (u64)blockIdx.x * V, [&](float x) { return __fsub_rn(__fsub_rn(x, m), less); }, NO_TARGET, 0.0f);
}

extern __shared__ float4 shared_memory[];

#define BLOCK extern "C" __global__ void __launch_bounds__(32 * MAX_WARPS, 1)
#define ENTRIES(NAME, T, KEPT)                                                                                     \
    BLOCK cross_entropy_forward_backward_##NAME(T* logits, float* loss, const u32* targets,                        \
                                                const float* grad_scale, u32 ignore, float smoothing, int V) {     \
        float* shared = (float*)shared_memory;                                                                     \
        forward_backward<T, KEPT>(logits, loss, targets, grad_scale, ignore, smoothing, V, shared);                \
    }                                                                                                              \
    BLOCK cross_entropy_evaluate_##NAME(const T* logits, float* loss, float* nll, u32* hit, const u32* targets,    \
                                        u32 ignore, float smoothing, int V) {                                      \
        float* shared = (float*)shared_memory;                                                                     \
        evaluate<T, KEPT>(logits, loss, nll, hit, targets, ignore, smoothing, V, shared);                          \
    }                                                                                                              \
    BLOCK log_softmax_##NAME(float* out, const T* logits, int V) {                                                 \
        log_softmax<T, KEPT>(out, logits, V, (float*)shared_memory);                                               \
    }

ENTRIES(f32, float, true)
ENTRIES(f32_reread, float, false)
ENTRIES(bf16, bf16, true)
ENTRIES(bf16_reread, bf16, false)
ENTRIES(f16, f16, true)
ENTRIES(f16_reread, f16, false)

// The sum of the losses in f64, in ascending order of the rows: one warp. All lanes add the same values; what a lane
// does of its own is to fetch and to widen four of each 128, the next four while those are added. N additions, one
// after the other, are the time: some 20 microseconds for 4096 rows.
//
// Launch: one block of 32 threads.
extern "C" __global__ void __launch_bounds__(32) total_loss(double* total, const float* loss, int N) {
    constexpr int EACH = 4;
    int lane = threadIdx.x;
    double sum = 0.0;
    float next[EACH];
    auto fetch = [&](int start) {
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            int n = start + 32 * i + lane;
            next[i] = n < N ? loss[n] : 0.0f;
        }
    };
    fetch(0);
    for (int start = 0; start < N; start += 32 * EACH) {
        double mine[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) mine[i] = (double)next[i];
        fetch(start + 32 * EACH);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            // Behind the last row zeros are added, which change nothing: no partial sum is -0.
#pragma unroll 8
            for (int from = 0; from < 32; from++) sum = __dadd_rn(sum, __shfl_sync(ALL_LANES, mine[i], from));
        }
    }
    if (lane == 0) *total = sum;
}
