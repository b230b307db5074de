// Matrix products in bf16 and f16: product_16.cuh says how.

#include "product_16.cuh"

// nn: neither operand transposed, nt: B, tn: A, tt: both.
#define ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, NAME, TILE, GROUPS, BLOCKS, T)                                      \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, BLOCKS)                                                \
        matmul_##LAYOUT##_##NAME##_##T(void* c, const T* a, const T* b, void* other, int m, int n, int k,       \
                                       int c_is_float, int accumulate, int epilogue, float scale) {                   \
        product<T, A_TRANSPOSED, B_TRANSPOSED, TILE, GROUPS>(c, a, b, other, m, n, k, c_is_float != 0,                \
                                                             accumulate != 0, epilogue, scale, Nothing{});            \
    }

#define ENTRIES(LAYOUT, A_TRANSPOSED, B_TRANSPOSED)                       \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 1, 2, bf16)     \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 2, 2, bf16)     \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 1, 2, f16)      \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 2, 2, f16)

ENTRIES(nn, false, false)
ENTRIES(nt, false, true)
ENTRIES(tn, true, false)
ENTRIES(tt, true, true)
