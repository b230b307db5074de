// Matrix products in f32: product_f32.cuh says how.

#include "product_f32.cuh"

// nn: neither operand transposed, nt: B, tn: A, tt: both.
#define ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, NAME, TILE, BLOCKS)                                                 \
    extern "C" __global__ void __launch_bounds__(TILE::THREADS, BLOCKS)                                               \
        matmul_##LAYOUT##_##NAME##_f32(float* c, const float* a, const float* b, void* other, int m, int n,     \
                                       int k, int /* c is f32 */, int accumulate, int epilogue, float scale) {        \
        product<A_TRANSPOSED, B_TRANSPOSED, TILE>(c, a, b, other, m, n, k, accumulate != 0, epilogue, scale,          \
                                                  Nothing{});                                                         \
    }

// Blocks a multiprocessor: 128 registers a thread and more for the 8 x 8 sums and what goes with them.
#define ENTRIES(LAYOUT, A_TRANSPOSED, B_TRANSPOSED)               \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, Large, 2)    \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, Medium, 7)  \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, small, Small, 12)

ENTRIES(nn, false, false)
ENTRIES(nt, false, true)
ENTRIES(tn, true, false)
ENTRIES(tt, true, true)
