// Linear layers in tf32 with what follows them: linear.cuh behind the products of product_tf32.cuh.
//
// Shapes    c (M, N), a (M, K), b (N, K), bias (N); for a norm c is its sum, and the rest as `Norm` says.
// Launch    as the product's.
// Traffic   the product's; of a norm 8 M N bytes more, x read and y written: C is read back from the second-level cache.

#include "linear.cuh"
#include "product_tf32.cuh"

#define ENTRIES(NAME, TILE, GROUPS)                                                                                   \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, 2)                                                     \
        linear_relu_dropout_##NAME##_tf32(float* c, const float* a, const float* b, void* bias, int m, int n, int k,  \
                                          Dropout dropout) {                                                          \
        product<float, false, true, TILE, GROUPS>(c, a, b, bias, m, n, k, true, false, BIAS_RELU, 1.0f,               \
                                                  Dropped{dropout});                                                  \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(128 * GROUPS, 2)                                                     \
        linear_norm_##NAME##_tf32(float* c, const float* a, const float* b, void* bias, int m, int n, int k,          \
                                  Norm<float> norm, u32* arrived) {                                                   \
        product<float, false, true, TILE, GROUPS>(c, a, b, bias, m, n, k, true, false, BIAS, 1.0f,                    \
                                                  Normalized<float, 2>{norm, arrived});                               \
    }

ENTRIES(large, 128, 1)
ENTRIES(medium, 64, 2)
