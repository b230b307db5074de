// A row in groups of 256 columns, eight to a lane: the columns that share a warp's 32 blocks of dropout.
//
// LEN neighbouring columns are one access. Element k (0 to 7) of lane l is column 32 LEN (k / LEN) + k % LEN + LEN l of
// its group. LEN = 1 is the order of lanes.rs, where lane l has columns l, l + 32, ...; LEN = 4 in f32 and LEN = 8 in
// 16 bits make accesses of 16 bytes. Either way a warp's access covers whole sectors in a row.
#pragma once

#include "dropout.cuh"
#include "element.cuh"
#include "lanes.cuh"

constexpr int GROUP = 256;

// Columns that make an access of 16 bytes.
template <typename T>
constexpr int VECTOR = 16 / sizeof(T);

// Where element k lies behind a lane's first column of a group, which is LEN * lane.
template <int LEN>
__device__ constexpr int offset(int k) {
    return 32 * LEN * (k / LEN) + k % LEN;
}

// Whether accesses of 16 bytes may begin here.
__device__ __forceinline__ bool aligned(const void* address) { return ((u64)address & 15) == 0; }

// A lane's eight columns of the group that begins with column `first`, zero from column c on. `vectors`: `row` is aligned
// and c a multiple of LEN. Offsets, which are constants, are compared with what is left of the row: one register.
template <int LEN, typename T>
__device__ __forceinline__ void load_group(float (&values)[8], const T* row, int first, int c, int lane, bool vectors) {
    const T* from = row + first + LEN * lane;
    int left = c - first - LEN * lane;
    if (LEN > 1 && vectors) {
        constexpr int WORDS = LEN * sizeof(T) / 16;
#pragma unroll
        for (int k = 0; k < 8; k += LEN) {
            union {
                uint4 words[WORDS > 0 ? WORDS : 1];
                T elements[LEN];
            } access;
#pragma unroll
            for (int w = 0; w < WORDS; w++) {
                const uint4* words = (const uint4*)(from + offset<LEN>(k));
                access.words[w] = offset<LEN>(k) < left ? words[w] : uint4{0, 0, 0, 0};
            }
#pragma unroll
            for (int i = 0; i < LEN; i++) values[k + i] = to_float(access.elements[i]);
        }
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++) values[k] = offset<LEN>(k) < left ? to_float(from[offset<LEN>(k)]) : 0.0f;
    }
}

// Writes what `load_group` reads, rounded to T; nothing from column c on.
template <int LEN, typename T>
__device__ __forceinline__ void store_group(const float (&values)[8], T* row, int first, int c, int lane,
                                            bool vectors) {
    T* to = row + first + LEN * lane;
    int left = c - first - LEN * lane;
    if (LEN > 1 && vectors) {
        constexpr int WORDS = LEN * sizeof(T) / 16;
#pragma unroll
        for (int k = 0; k < 8; k += LEN) {
            union {
                uint4 words[WORDS > 0 ? WORDS : 1];
                T elements[LEN];
            } access;
#pragma unroll
            for (int i = 0; i < LEN; i++) access.elements[i] = from_float<T>(values[k + i]);
#pragma unroll
            for (int w = 0; w < WORDS; w++)
                if (offset<LEN>(k) < left) ((uint4*)(to + offset<LEN>(k)))[w] = access.words[w];
        }
    } else {
#pragma unroll
        for (int k = 0; k < 8; k++)
            if (offset<LEN>(k) < left) to[offset<LEN>(k)] = from_float<T>(values[k]);
    }
}

// Bit k tells whether a lane's element k stays. All lanes of a warp ask together: each makes one block of dropout,
// whose eight pieces belong to eight columns 32 apart; where a lane's columns are neighbours, a ballot over piece k
// tells every lane of the 32 columns from 32 k on.
template <int LEN>
__device__ __forceinline__ u32 kept(const Dropout& dropout, u32 step, u32 row, int group, int lane) {
    Pieces block = pieces(dropout, step, row, 32 * group + lane);
    u32 bits = 0;
#pragma unroll
    for (int k = 0; k < 8; k++) {
        bool stays = factor(dropout, block, k) > 0.0f;
        if (LEN == 1) {
            bits |= stays ? 1u << k : 0u;
        } else {
            u32 columns = __ballot_sync(ALL_LANES, stays);
            u32 mine = columns >> (LEN * lane % 32) & ((1u << LEN) - 1);
            if (LEN * lane / 32 == k % LEN) bits |= mine << (k / LEN * LEN);
        }
    }
    return bits;
}

// The factor of element k.
__device__ __forceinline__ float kept_factor(const Dropout& dropout, u32 bits, int k) {
    return bits >> k & 1 ? dropout.scale : 0.0f;
}
