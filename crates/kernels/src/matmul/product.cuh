// What the matrix products in f32 and in 16 bits share: the order of tiles, the epilogue, and what may follow it.
#pragma once

#include "tensor.cuh"

// As cuda.rs numbers them.
enum EpilogueKind : int { NONE = 0, BIAS = 1, BIAS_RELU = 2, RELU_GRADIENT = 3, COLUMN_SUMS = 4 };

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

// What follows the epilogue of a product, here nothing. `linear.cuh` has others.
struct Nothing {
    // What becomes of 16 rows, WIDTH wide, from this place of C on.
    template <int WIDTH>
    __device__ __forceinline__ Nothing strip(int, int) const {
        return {};
    }

    // Whatever `apply` needs to know of COUNT neighbours of a strip; all lanes of the warp ask.
    __device__ __forceinline__ u32 at(int) const { return 0; }

    template <int COUNT>
    __device__ __forceinline__ void apply(float (&)[COUNT], u32) const {}

    // After C's tile is written.
    __device__ __forceinline__ void finish(const Place&, int, int) const {}
};

// The sums of A's columns as it is stored, (K, M), added to `other` (M): of dy, beside dW = dy^T x, that is the gradient
// of the bias, for which dy is not read again. The order is column_sum's: 32 terms ascending from zero, then such sums
// ascending. One of the first SIZE threads has a column, in the blocks that have C's first columns.
// All that it keeps is in shared memory: the sums of C leave no register.
template <int SIZE>
struct ColumnSums {
    static constexpr int ROWS = 32, VALUES = 2 * SIZE + 1;

    float* shared;  // (2, SIZE), of the present 32 terms and of all before; and whether there are any

    __device__ __forceinline__ void begin(bool wanted, const Place& place, const float* other, int m) const {
        bool here = wanted && place.col == 0;
        if (threadIdx.x == 0) shared[2 * SIZE] = here ? 1.0f : 0.0f;
        if (!here || threadIdx.x >= SIZE) return;
        int column = place.row + (int)threadIdx.x;
        shared[threadIdx.x] = 0.0f;
        shared[SIZE + threadIdx.x] = column < m ? other[column] : 0.0f;
    }

    // Adds `count` terms, of which the first is number `first` of all. All threads have been at a barrier since `begin`.
    template <class Value>
    __device__ __forceinline__ void add(int first, int count, Value value) const {
        if (shared[2 * SIZE] == 0.0f || threadIdx.x >= SIZE) return;
        float sum = shared[threadIdx.x];
#pragma unroll 1
        for (int term = 0; term < count; term++) {
            sum = sum + value(term);
            if ((first + term) % ROWS == ROWS - 1) flush(sum);
        }
        shared[threadIdx.x] = sum;
    }

    // After the last of k terms.
    __device__ __forceinline__ void write(const Place& place, float* other, int m, int k) const {
        int column = place.row + (int)threadIdx.x;
        if (shared[2 * SIZE] == 0.0f || threadIdx.x >= SIZE || column >= m) return;
        float sum = shared[threadIdx.x];
        if (k % ROWS != 0) flush(sum);
        other[column] = shared[SIZE + threadIdx.x];
    }

    __device__ __forceinline__ void flush(float& sum) const {
        shared[SIZE + threadIdx.x] = shared[SIZE + threadIdx.x] + sum;
        sum = 0.0f;
    }
};
