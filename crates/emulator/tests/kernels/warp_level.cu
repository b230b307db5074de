// Votes, matches, active masks, integer reductions and lane masks, also in divergent code.

constexpr unsigned FULL = 0xffffffffu;

__device__ __forceinline__ unsigned active_mask() {
    unsigned mask;
    asm volatile("activemask.b32 %0;" : "=r"(mask));
    return mask;
}

// y (threads, 4): any, all, uniform, ballot of x[i] % 3 == 0 over the warp. Launch: blocks of whole warps.
extern "C" __global__ void votes(const int* x, unsigned* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool p = x[i] % 3 == 0;
    y[i * 4] = __any_sync(FULL, p);
    y[i * 4 + 1] = __all_sync(FULL, p);
    y[i * 4 + 2] = __all_sync(FULL, p) || !__any_sync(FULL, p);
    y[i * 4 + 3] = __ballot_sync(FULL, p);
}

// Votes within the two halves of a branch, each naming the lanes of its half. y (threads): a ballot of x[i] > 0.
extern "C" __global__ void votes_in_branches(const int* x, unsigned* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned odd = __ballot_sync(FULL, i % 2 == 1);
    if (i % 2 == 1)
        y[i] = __ballot_sync(odd, x[i] > 0);
    else
        y[i] = __ballot_sync(~odd, x[i] > 0) | 0x80000000u;
}

// y (threads, 4): lanes whose x is mine (32 and 64 bits), the mask if x is the same in all lanes, and whether it is.
extern "C" __global__ void matches(const int* x, unsigned* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int same;
    y[i * 4] = __match_any_sync(FULL, x[i]);
    y[i * 4 + 1] = __match_any_sync(FULL, (unsigned long long)x[i] << 32 | 7u);
    y[i * 4 + 2] = __match_all_sync(FULL, x[i], &same);
    y[i * 4 + 3] = same;
}

// y (threads, 8): redux.sync of x over the warp: add, min, max (signed), add, min, max (unsigned), and, or ^ xor.
extern "C" __global__ void reductions(const int* x, unsigned* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    y[i * 8] = __reduce_add_sync(FULL, x[i]);
    y[i * 8 + 1] = __reduce_min_sync(FULL, x[i]);
    y[i * 8 + 2] = __reduce_max_sync(FULL, x[i]);
    y[i * 8 + 3] = __reduce_add_sync(FULL, (unsigned)x[i]);
    y[i * 8 + 4] = __reduce_min_sync(FULL, (unsigned)x[i]);
    y[i * 8 + 5] = __reduce_max_sync(FULL, (unsigned)x[i]);
    y[i * 8 + 6] = __reduce_and_sync(FULL, (unsigned)x[i]);
    y[i * 8 + 7] = __reduce_or_sync(FULL, (unsigned)x[i]) ^ __reduce_xor_sync(FULL, (unsigned)x[i]);
}

// y (threads, 2): the lanes that are active in a branch on x[i] < 0 (a lane must see at least itself, and no lane that
// went the other way), and the number of lanes below it among them.
extern "C" __global__ void active_lanes(const int* x, unsigned* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned below;
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(below));
    if (x[i] < 0) {
        unsigned mask = active_mask();
        y[i * 2] = mask;
        y[i * 2 + 1] = __popc(mask & below);
    } else {
        unsigned mask = active_mask();
        y[i * 2] = mask;
        y[i * 2 + 1] = __popc(mask & below) | 0x100u;
    }
}

// Lanes leave one by one: lane l leaves after l rounds, and those that stay exchange values by naming each other.
// y (threads): the sum of what a lane has received. Launch: blocks of whole warps.
extern "C" __global__ void shrinking_warp(const int* x, int* y) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int lane = i % 32, sum = 0;
    for (int round = 0; round < 32; round++) {
        unsigned stay = FULL << round;
        if (lane < round) break;
        int from = round + (lane + 1) % (32 - round);
        sum += __shfl_sync(stay, x[i], from);
    }
    y[i] = sum;
}

// Compaction: the elements of x that are positive, in order within a warp; one atomic a warp. count (1) is zero.
extern "C" __global__ void compact(const int* x, int* y, int* count, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool keep = i < n && x[i] > 0;
    unsigned kept = __ballot_sync(FULL, keep);
    int lane = threadIdx.x % 32, base = 0;
    if (lane == 0 && kept != 0) base = atomicAdd(count, __popc(kept));
    base = __shfl_sync(FULL, base, 0);
    if (keep) y[base + __popc(kept & ((1u << lane) - 1))] = x[i];
}

// Special registers. y (threads, 12). Launch: any.
extern "C" __global__ void special(unsigned* y) {
    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned* to = y + (size_t)(block * blockDim.x * blockDim.y * blockDim.z + thread) * 12;
    unsigned lane, eq, le, lt, ge, gt;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    asm("mov.u32 %0, %%lanemask_eq;" : "=r"(eq));
    asm("mov.u32 %0, %%lanemask_le;" : "=r"(le));
    asm("mov.u32 %0, %%lanemask_lt;" : "=r"(lt));
    asm("mov.u32 %0, %%lanemask_ge;" : "=r"(ge));
    asm("mov.u32 %0, %%lanemask_gt;" : "=r"(gt));
    unsigned values[12] = {lane,        eq,          le,          lt,         ge,         gt,
                           threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x, blockIdx.y, blockIdx.z};
    for (int i = 0; i < 12; i++) to[i] = values[i];
}
