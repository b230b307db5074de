// What the matrix products in f32 and in 16 bits share: the order of tiles, and the epilogue.
#pragma once

#include "tensor.cuh"

// As cuda.rs numbers them.
enum EpilogueKind : int { NONE = 0, BIAS = 1, BIAS_RELU = 2, RELU_GRADIENT = 3 };

__device__ __forceinline__ bool aligned(const void* pointer, int bytes) { return (u64)pointer % bytes == 0; }

// Where a block's tile of C begins. Blocks run about in the order of their numbers: those of a group of eight rows of
// tiles go through it column by column, so that what runs at one time shares few rows of A and few columns of B, and
// finds them in the second-level cache.
struct Place {
    int row, col;

    __device__ __forceinline__ Place(int m, int n, int tile_m, int tile_n) {
        constexpr int GROUP = 8;
        int rows = (m - 1) / tile_m + 1, cols = (n - 1) / tile_n + 1;
        // Fits: the launcher has seen that rows * cols, padded to whole groups, does.
        int group = blockIdx.x / (GROUP * cols), within = blockIdx.x % (GROUP * cols);
        int height = min(rows - group * GROUP, GROUP);
        row = (group * GROUP + within % height) * tile_m;
        col = within / height * tile_n;
    }
};

// Neighbouring values by one access of up to 16 bytes.
template <typename T, int COUNT>
struct __align__(sizeof(T) * COUNT) Pack {
    T values[COUNT];
};

// What happens to finished sums. `other` is the bias (N) of f32, the activations (M, N) of T, or nothing.
template <typename T>
struct Epilogue {
    const void* other;
    int kind;
    float scale;

    // Whether packs of COUNT can be read, in rows that are whole packs.
    template <int COUNT>
    __device__ __forceinline__ bool takes() const {
        return kind == NONE || aligned(other, COUNT * (kind == RELU_GRADIENT ? sizeof(T) : sizeof(float)));
    }

    // To COUNT neighbours from column `col` on, `at` values behind C's first.
    template <int COUNT>
    __device__ __forceinline__ void apply(float (&sum)[COUNT], size_t at, int col) const {
        if (kind == BIAS || kind == BIAS_RELU) {
            Pack<float, COUNT> bias = *(const Pack<float, COUNT>*)((const float*)other + col);
#pragma unroll
            for (int j = 0; j < COUNT; j++) sum[j] = sum[j] + bias.values[j];
        }
        if (kind == BIAS_RELU) {
            // Not `max`, which would turn NaN into 0.
#pragma unroll
            for (int j = 0; j < COUNT; j++) sum[j] = sum[j] <= 0.0f ? 0.0f : sum[j];
        }
        if (kind == RELU_GRADIENT) {
            Pack<T, COUNT> h = *(const Pack<T, COUNT>*)((const T*)other + at);
#pragma unroll
            for (int j = 0; j < COUNT; j++) sum[j] = to_float(h.values[j]) <= 0.0f ? 0.0f : sum[j] * scale;
        }
    }
};
