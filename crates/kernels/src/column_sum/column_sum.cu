// Column sums, added to what is there: the gradient of a bias. Two launches.
//
//   partial[k,c] = sum of dy[n,c] over the rows n of chunk k, ascending, from zero
//   db[c]        = ((db[c] + partial[0,c]) + partial[1,c]) + ...
//
// Shapes    dy (N, C) row-major of T; partial (ceil(N / 32), C) and db (C) of float; chunk k is rows 32 k to 32 k +
//           31.
// Launch    column_sum_chunks: a block for each 256 columns of a chunk, a thread for each 16 bytes of dy's row, that
//           is 256 / (16 / sizeof(T)) threads. column_sum_add: a block of 256 threads for each 32 columns.
// Requires  N, C >= 1; any alignment.
// Traffic   reads N C sizeof(T) bytes and 4 C, writes 4 C: the floor; and the partial sums, 1 / 32 of dy's values,
//           once each way, mostly within the second-level cache.
//
// Chunks    A thread reads 16 bytes of a row where dy's base and rows and the partial sums' are aligned to that, else
//           single values, neighbours by neighbouring threads, as many columns in turn. Its rows' loads do not wait
//           for each other. In 16 bits the sums of a thread's eight columns are 32 bytes: lanes exchange halves, so
//           that a warp's stores are whole sectors (group.cuh).
// Add       The partial sums of a column are one chain of additions. So that it waits for nothing else, all eight
//           warps bring 128 of them for 32 columns into shared memory at a time, and one adds them.

#include "group.cuh"

constexpr int ROWS = 32;
constexpr int COLUMNS = 256;

template <typename T, int COUNT>
struct __align__(sizeof(T) * COUNT < 16 ? sizeof(T) * COUNT : 16) Pack {
    T values[COUNT];
};

// The sums of COUNT neighbouring columns of a chunk's rows.
template <typename T, int COUNT>
__device__ __forceinline__ Pack<float, COUNT> sum_chunk(const T* dy, int rows, int c) {
    Pack<float, COUNT> sum = {};
    auto add = [&](const Pack<T, COUNT>& row) {
#pragma unroll
        for (int j = 0; j < COUNT; j++) sum.values[j] = sum.values[j] + to_float(row.values[j]);
    };
    int n = 0;
    for (; n + 8 <= rows; n += 8) {
        Pack<T, COUNT> eight[8];
#pragma unroll
        for (int i = 0; i < 8; i++) eight[i] = *(const Pack<T, COUNT>*)(dy + (u64)(n + i) * c);
#pragma unroll
        for (int i = 0; i < 8; i++) add(eight[i]);
    }
    for (; n < rows; n++) {
        Pack<T, COUNT> row = *(const Pack<T, COUNT>*)(dy + (u64)n * c);
        add(row);
    }
    return sum;
}

template <typename T>
__device__ __forceinline__ void chunks(float* partial, const T* dy, int n, int c) {
    constexpr int COUNT = 16 / sizeof(T), THREADS = COLUMNS / COUNT;
    int across = (c - 1) / COLUMNS + 1;
    int chunk = blockIdx.x / across, first = blockIdx.x % across * COLUMNS;
    int rows = min(ROWS, n - chunk * ROWS);
    dy += (u64)chunk * ROWS * c;
    partial += (u64)chunk * c;
    bool packs = (((u64)dy | (u64)partial) & 15) == 0 && c % COUNT == 0;
    if (packs) {
        int col = first + threadIdx.x * COUNT;
        // Threads behind the last column have no rows, but may have halves to store.
        Pack<float, COUNT> sum = sum_chunk<T, COUNT>(dy + col, col < c ? rows : 0, c);
        if constexpr (COUNT == 8) {
            static_assert(COLUMNS == GROUP && THREADS == 32);
            store_group<COUNT>(sum.values, partial, first, c, threadIdx.x, true);
        } else if (col < c) {
            *(Pack<float, COUNT>*)(partial + col) = sum;
        }
    } else {
        int end = min(c, first + COLUMNS);
        for (int col = first + threadIdx.x; col < end; col += THREADS)
            partial[col] = sum_chunk<T, 1>(dy + col, rows, c).values[0];
    }
}

extern "C" __global__ void __launch_bounds__(64, 16)
    column_sum_chunks_f32(float* partial, const float* dy, int n, int c) {
    chunks(partial, dy, n, c);
}

extern "C" __global__ void __launch_bounds__(32, 32)
    column_sum_chunks_bf16(float* partial, const bf16* dy, int n, int c) {
    chunks(partial, dy, n, c);
}

extern "C" __global__ void __launch_bounds__(32, 32)
    column_sum_chunks_f16(float* partial, const f16* dy, int n, int c) {
    chunks(partial, dy, n, c);
}

extern "C" __global__ void __launch_bounds__(256)
    column_sum_add(float* db, const float* partial, int count, int c) {
    constexpr int BATCH = 128, WARPS = 8;
    __shared__ float batch[BATCH][32];
    int warp = threadIdx.x / 32, lane = threadIdx.x % 32, col = blockIdx.x * 32 + lane;
    bool adds = warp == 0 && col < c;
    float sum = adds ? db[col] : 0.0f;
    for (int first = 0; first < count; first += BATCH) {
        int end = min(BATCH, count - first);
#pragma unroll
        for (int i = 0; i < BATCH; i += WARPS) {
            int k = i + warp;
            if (k < end && col < c) batch[k][lane] = partial[(u64)(first + k) * c + col];
        }
        __syncthreads();
        if (adds) {
#pragma unroll 8
            for (int k = 0; k < end; k++) sum = sum + batch[k][lane];
        }
        // The next batch overwrites this one.
        __syncthreads();
    }
    if (adds) db[col] = sum;
}
