// The entries of linear layers in 16 bits with what follows them: linear.cuh behind the products of product_16.cuh.
// linear_bf16.cu and linear_f16.cu have them.
//
// Shapes    c (M, N), a (M, K), b (N, K) of T, bias (N) of float; for a norm c is its sum, and the rest as `Norm` says.
// Launch    as the product's.
// Traffic   the product's; of a norm 4 M N bytes more, x read and y written: C is read back from the second-level cache.
#pragma once

#include "linear.cuh"
#include "product_16.cuh"

#define ENTRY(NAME, TILE, GROUPS, T)                                                                                  \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, 2)                                                     \
        linear_relu_dropout_##NAME##_##T(T* c, const T* a, const T* b, void* bias, int m, int n, int k,               \
                                         Dropout dropout) {                                                           \
        product<T, false, true, TILE, GROUPS>(c, a, b, bias, m, n, k, false, false, BIAS_RELU, 1.0f,                  \
                                              Dropped{dropout});                                                      \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, 2)                                                     \
        linear_norm_##NAME##_##T(T* c, const T* a, const T* b, void* bias, int m, int n, int k, Norm<T> norm,         \
                                 u32* arrived) {                                                                      \
        product<T, false, true, TILE, GROUPS>(c, a, b, bias, m, n, k, false, false, BIAS, 1.0f,                       \
                                              Normalized<T, 4>{norm, arrived});                                       \
    }

#define ENTRIES(T)           \
    ENTRY(large, 128, 1, T)  \
    ENTRY(medium, 64, 2, T)
