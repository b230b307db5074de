// Matrix products in tf32: product_tf32.cuh says how.

#include "product_tf32.cuh"

// nn: neither operand transposed, nt: B, tn: A, tt: both.
#define ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, NAME, TILE, GROUPS, BLOCKS)                                         \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, BLOCKS)                                                \
        matmul_##LAYOUT##_##NAME##_tf32(float* c, const float* a, const float* b, void* other, int m, int n, int k,   \
                                        int /* c is f32 */, int accumulate, int epilogue, float scale) {              \
        product<float, A_TRANSPOSED, B_TRANSPOSED, TILE, GROUPS>(c, a, b, other, m, n, k, true, accumulate != 0,      \
                                                                 epilogue, scale, Nothing{});                         \
    }

#define ENTRIES(LAYOUT, A_TRANSPOSED, B_TRANSPOSED)              \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 1, 2)  \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 2, 2)

ENTRIES(nn, false, false)
ENTRIES(nt, false, true)
ENTRIES(tn, true, false)
ENTRIES(tt, true, true)
