// Products on tensor cores, whatever is multiplied: how sums come about and get to C. A header that includes this at its
// end says how operands lie in shared memory and come into registers: DEPTH, STEP, STAGES, CHUNK, `shared`, `Layout`,
// `Copies`, `Matrices`, and `multiply_add` of T.
#pragma once

#include "product.cuh"

// 16 rows of a warp's sums on their way to C, through shared memory. A pitch of 8 more than a multiple of 32 lays the
// pairs that four rows of lanes write into different banks.
template <int WARP>
struct Strip {
    static constexpr int ROWS = 16, PITCH = WARP + 8;

    float* values;  // (ROWS, PITCH)
    int row, col;   // of C, where they begin
    int m, n;

    __device__ __forceinline__ void put(const float (&sum)[WARP / 8][4]) {
        int lane = threadIdx.x % 32;
#pragma unroll
        for (int j = 0; j < WARP / 8; j++) {
            float* to = &values[lane / 4 * PITCH + j * 8 + lane % 4 * 2];
            *(float2*)to = float2{sum[j][0], sum[j][1]};
            *(float2*)(to + 8 * PITCH) = float2{sum[j][2], sum[j][3]};
        }
    }

    template <int COUNT, typename C, typename T, class Follows>
    __device__ __forceinline__ void write(C* c, bool accumulate, const Epilogue<T>& epilogue, const Follows& follows) {
#pragma unroll 1
        for (int at = COUNT * (threadIdx.x % 32); at < ROWS * WARP; at += COUNT * 32) {
            int r = row + at / WARP, column = col + at % WARP;
            u32 known = follows.at(at);
            if (r >= m || column >= n) continue;
            Pack<float, COUNT> sum = *(const Pack<float, COUNT>*)&values[at / WARP * PITCH + at % WARP];
            size_t place = (size_t)r * n + column;
            if (accumulate) {
                Pack<C, COUNT> start = *(const Pack<C, COUNT>*)(c + place);
#pragma unroll
                for (int j = 0; j < COUNT; j++) sum.values[j] = to_float(start.values[j]) + sum.values[j];
            }
            epilogue.apply(sum.values, place, column);
            follows.apply(sum.values, known);
            Pack<C, COUNT> out;
#pragma unroll
            for (int j = 0; j < COUNT; j++) out.values[j] = from_float<C>(sum.values[j]);
            *(Pack<C, COUNT>*)(c + place) = out;
        }
    }

    template <typename C, typename T, class Follows>
    __device__ __forceinline__ void write(void* c, bool accumulate, const Epilogue<T>& epilogue, const Follows& follows) {
        if (aligned(c, 4 * sizeof(C)) && n % 4 == 0 && epilogue.template takes<4>()) {
            write<4>((C*)c, accumulate, epilogue, follows);
        } else {
            write<1>((C*)c, accumulate, epilogue, follows);
        }
    }
};

// The sums of 16 rows, for the thread of the other group that has the same elements.
template <int COUNT>
__device__ __forceinline__ void give(const float (&sum)[COUNT][4], float4* values) {
#pragma unroll
    for (int j = 0; j < COUNT; j++) values[j * 128] = float4{sum[j][0], sum[j][1], sum[j][2], sum[j][3]};
}

// Adds what that thread gave.
template <int COUNT>
__device__ __forceinline__ void take(float (&sum)[COUNT][4], const float4* values) {
#pragma unroll
    for (int j = 0; j < COUNT; j++) {
        float4 given = values[j * 128];
        sum[j][0] += given.x, sum[j][1] += given.y, sum[j][2] += given.z, sum[j][3] += given.w;
    }
}

// Adds what two groups have for the same 32 rows: the first group the first 16 rows, the second the others. The
// branches keep the sums in registers.
template <int COUNT>
__device__ __forceinline__ void exchange(float (&sum)[2][COUNT][4], float4* values) {
    bool first = threadIdx.x < 128;
    float4 *upper = values + threadIdx.x % 128, *lower = upper + COUNT * 128;
    if (first) {
        give(sum[1], lower);
    } else {
        give(sum[0], upper);
    }
    __syncthreads();
    if (first) {
        take(sum[0], upper);
    } else {
        take(sum[1], lower);
    }
}

template <typename T, bool A_TRANSPOSED, bool B_TRANSPOSED, int TILE, int GROUPS, class After>
__device__ __forceinline__ void product(void* c, const T* a, const T* b, void* other, int m, int n, int k,
                                        bool c_is_float, bool accumulate, int epilogue, float scale,
                                        const After& after) {
    constexpr int WARP = TILE / 2, SIXTEENS = WARP / 16;
    // Bytes of a tile of one operand, and of a stage.
    constexpr u32 BYTES = TILE * GROUPS * DEPTH * sizeof(T), STAGE = 2 * BYTES;
    using A = Layout<!A_TRANSPOSED, TILE, GROUPS * DEPTH>;
    using B = Layout<B_TRANSPOSED, TILE, GROUPS * DEPTH>;
    using Strip = Strip<WARP>;
    constexpr int STRIPS = 4 * GROUPS * Strip::ROWS * Strip::PITCH, EXCHANGED = GROUPS == 1 ? 0 : TILE * TILE;
    static_assert(STAGES * STAGE >= (STRIPS + EXCHANGED) * sizeof(float), "they lie where tiles were");

    Place place(m, n, TILE, TILE);
    int warp = threadIdx.x / 32, group = warp / 4, row = warp / 2 % 2 * WARP, col = warp % 2 * WARP;
    u32 tiles = shared_address(shared);
    Copies<T, A, 128 * GROUPS> a_copies(a, m, k, place.row, tiles);
    Copies<T, B, 128 * GROUPS> b_copies(b, n, k, place.col, tiles + BYTES);
    Matrices<A, false, SIXTEENS> a_matrices(tiles, row, group * DEPTH);
    Matrices<B, true, SIXTEENS> b_matrices(tiles + BYTES, col, group * DEPTH);

    // Of a transposed A alone is a term's values what is stored side by side.
    constexpr bool SUMS = A_TRANSPOSED && !B_TRANSPOSED;
    using Columns = ColumnSums<TILE>;
    __shared__ float column_values[SUMS ? Columns::VALUES : 1];
    Columns columns = {column_values};
    if constexpr (SUMS) columns.begin(epilogue == COLUMN_SUMS, place, (const float*)other, m);

    float sum[SIXTEENS][2 * SIXTEENS][4] = {};
    int count = k / (GROUPS * DEPTH) + (k % (GROUPS * DEPTH) != 0);
    // The first rounds only fetch.
#pragma unroll 1
    for (int fetched = 0; fetched < count + STAGES - 1; fetched++) {
        bool multiply = fetched >= STAGES - 1;
        if (multiply) {
            copy_wait<STAGES - 2>();
            // All threads' copies of this tile have arrived, and all are done with the tile before it, whose place
            // the next copies take.
            __syncthreads();
        }
        if (fetched < count) {
            u32 stage = (u32)fetched % STAGES * STAGE;
            a_copies.fetch(stage);
            b_copies.fetch(stage);
        }
        // A group for every round, if an empty one, so that their count says which tile has arrived.
        copy_commit();
        if (!multiply) continue;

        u32 stage = (u32)(fetched + 1) % STAGES * STAGE;
#pragma unroll
        for (int step = 0; step < DEPTH / STEP; step++) {
            u32 x[SIXTEENS][4], y[SIXTEENS][4];
#pragma unroll
            for (int i = 0; i < SIXTEENS; i++) a_matrices.load(x[i], stage, i, step);
#pragma unroll
            for (int j = 0; j < SIXTEENS; j++) b_matrices.load(y[j], stage, j, step);
#pragma unroll
            for (int i = 0; i < SIXTEENS; i++)
#pragma unroll
                for (int j = 0; j < 2 * SIXTEENS; j++)
                    multiply_add<T>(sum[i][j], x[i], y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
        }
        if constexpr (SUMS) {
            constexpr int TERMS = GROUPS * DEPTH;
            int first = (fetched - (STAGES - 1)) * TERMS, column = threadIdx.x % TILE;
            const unsigned char* values = shared + stage + column % CHUNK * sizeof(T);
            columns.add(first, min(k - first, TERMS),
                        [&](int term) { return to_float(*(const T*)(values + A::place(term, column / CHUNK))); });
        }
    }

    // What follows lies where the tiles were.
    __syncthreads();
    if constexpr (SUMS) columns.write(place, (float*)other, m, k);
    float* strips = (float*)shared;
    if constexpr (GROUPS == 2) exchange(sum, (float4*)(strips + STRIPS));
    Epilogue<T> finish = {other, SUMS && epilogue == COLUMN_SUMS ? NONE : epilogue, scale};
    // One loop body for all strips; which sums it takes is a branch, so that they stay in registers.
#pragma unroll 1
    for (int i = GROUPS == 2 ? group : 0; i < (GROUPS == 2 ? group + 1 : SIXTEENS); i++) {
        Strip strip = {strips + warp * Strip::ROWS * Strip::PITCH, place.row + row + i * 16, place.col + col, m, n};
        __syncwarp();
#pragma unroll
        for (int which = 0; which < SIXTEENS; which++)
            if (which == i) strip.put(sum[which]);
        __syncwarp();
        auto follows = after.template strip<WARP>(strip.row, strip.col);
        if (c_is_float) {
            strip.template write<float>(c, accumulate, finish, follows);
        } else {
            strip.template write<T>(c, accumulate, finish, follows);
        }
    }
    after.finish(place, TILE, TILE);
}
