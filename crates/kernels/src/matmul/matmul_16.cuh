// The entries of matrix products in 16 bits: product_16.cuh says how they work, matmul_bf16.cu and matmul_f16.cu which
// there are.
#pragma once

#include "product_16.cuh"

// nn: neither operand transposed, nt: B, tn: A, tt: both.
#define ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, NAME, TILE, GROUPS, BLOCKS, T)                                      \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, BLOCKS)                                                \
        matmul_##LAYOUT##_##NAME##_##T(void* c, const T* a, const T* b, void* other, int m, int n, int k,       \
                                       int c_is_float, int accumulate, int epilogue, float scale) {                   \
        product<T, A_TRANSPOSED, B_TRANSPOSED, TILE, GROUPS>(c, a, b, other, m, n, k, c_is_float != 0,                \
                                                             accumulate != 0, epilogue, scale, Nothing{});            \
    }

#define TILES(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, T)                   \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 1, 2, T)     \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 2, 2, T)

#define ENTRIES(T)              \
    TILES(nn, false, false, T)  \
    TILES(nt, false, true, T)   \
    TILES(tn, true, false, T)   \
    TILES(tt, true, true, T)
