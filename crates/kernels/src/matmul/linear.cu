// Linear layers in f32 with what follows them: linear.cuh behind the products of product_f32.cuh.
//
// Shapes    c (M, N), a (M, K), b (N, K), bias (N); for a norm c is its sum, and the rest as `Norm` says.
// Launch    as the product's.
// Traffic   the product's; of a norm 8 M N bytes more, x read and y written: C is read back from the second-level cache.

#include "linear.cuh"
#include "product_f32.cuh"

// Blocks a multiprocessor: as many as registers are there for.
#define ENTRIES(NAME, TILE, BLOCKS, NORM_BLOCKS)                                                                      \
    extern "C" __global__ void __launch_bounds__(TILE::THREADS, BLOCKS)                                               \
        linear_relu_dropout_##NAME##_f32(float* c, const float* a, const float* b, void* bias, int m, int n, int k,   \
                                         Dropout dropout) {                                                           \
        product<false, true, TILE>(c, a, b, bias, m, n, k, false, BIAS_RELU, 1.0f, Dropped{dropout});                 \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(TILE::THREADS, NORM_BLOCKS)                                          \
        linear_norm_##NAME##_f32(float* c, const float* a, const float* b, void* bias, int m, int n, int k,           \
                                 Norm<float> norm, u32* arrived) {                                                    \
        product<false, true, TILE>(c, a, b, bias, m, n, k, false, BIAS, 1.0f, Normalized<float, 2>{norm, arrived});   \
    }

ENTRIES(large, Large, 2, 2)
ENTRIES(medium, Medium, 7, 7)
ENTRIES(small, Small, 12, 10)
