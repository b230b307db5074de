// Dropout alone, in place: x[n,c] = factor[n,c] * x[n,c].
//
// mod.rs is the contract, and says which piece of which block an element has. In 16 bits the product is rounded to f32,
// then to 16 bits.
//
// Shapes: x (N, C) of T, any alignment.
//
// Launch: blocks of 8 warps, grid (ceil(N / 8), ceil(C / 256) at most); a warp takes a row's group of 256 columns and
// makes 32 blocks of Philox for it, and goes on to the group `gridDim.y` further. Only for a dropout that is active.
//
// Traffic: reads and writes x, 8 N C bytes in f32 and half of that in 16 bits, which is the floor. A lane has
// neighbouring columns, 16 bytes of them where alignment allows (group.cuh), though the pieces of its own block belong
// to columns 32 apart: a ballot hands them round.

#include "group.cuh"

constexpr int WARPS = 8;

template <typename T>
__device__ __forceinline__ void apply(T* x, int n, int c, const Dropout& dropout) {
    int row = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= n) return;
    T* values = x + (u64)row * c;
    bool vectors = aligned(x) && c % VECTOR<T> == 0;
    u32 step = *dropout.step;
    for (int group = blockIdx.y; GROUP * group < c; group += gridDim.y) {
        float v[8];
        load_group<VECTOR<T>>(v, values, GROUP * group, c, lane, vectors);
        u32 bits = kept<VECTOR<T>>(dropout, step, row, group, lane);
#pragma unroll
        for (int k = 0; k < 8; k++) v[k] = v[k] * kept_factor(dropout, bits, k);
        store_group<VECTOR<T>>(v, values, GROUP * group, c, lane, vectors);
    }
}

extern "C" __global__ void __launch_bounds__(32 * WARPS) dropout_f32(float* x, int n, int c, Dropout dropout) {
    apply(x, n, c, dropout);
}

extern "C" __global__ void __launch_bounds__(32 * WARPS) dropout_bf16(bf16* x, int n, int c, Dropout dropout) {
    apply(x, n, c, dropout);
}

extern "C" __global__ void __launch_bounds__(32 * WARPS) dropout_f16(f16* x, int n, int c, Dropout dropout) {
    apply(x, n, c, dropout);
}
