// A row in groups of 256 columns, eight to a lane: the columns that share a warp's 32 blocks of dropout.
//
// LEN neighbouring columns are one access. Element k (0 to 7) of lane l is column 32 LEN (k / LEN) + k % LEN + LEN l of
// its group. LEN = 1 is the order of lanes.rs, where lane l has columns l, l + 32, ...; LEN = 4 in f32 and LEN = 8 in
// 16 bits make accesses of 16 bytes. f32 beside 16-bit values has LEN = 8 too: 32 bytes a lane, of which pairs of lanes
// exchange halves. In each case a warp's access covers whole sectors in a row.
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

// Eight values of a lane in as few registers as they need, 16-bit ones in pairs.
template <typename T>
struct Words {
    static constexpr int COUNT = 2 * sizeof(T);
    u32 words[COUNT];
};

__device__ __forceinline__ float get(const Words<float>& words, int k) { return __uint_as_float(words.words[k]); }

template <typename T>
__device__ __forceinline__ float get(const Words<T>& words, int k) {
    return to_float(T{(unsigned short)(words.words[k / 2] >> 16 * (k % 2))});
}

__device__ __forceinline__ void set(Words<float>& words, int k, float x) { words.words[k] = __float_as_uint(x); }

// For k ascending: the lower of a pair comes first.
template <typename T>
__device__ __forceinline__ void set(Words<T>& words, int k, T x) {
    words.words[k / 2] = k % 2 == 0 ? x.bits : words.words[k / 2] | (u32)x.bits << 16;
}

// 32 bytes to a lane, as two accesses of 16: if each lane read its own, a warp's access would touch half of every
// sector. So lanes l and l + 16 share the work: the lower reads the first half of both lanes' bytes, the upper the
// second, and the first access has the lower lanes' bytes, the second the upper ones', 512 in a row each. This is the
// column where a lane's first access begins; the second is SECOND columns on.
constexpr int SECOND = 128;

__device__ __forceinline__ int shared_column(int lane) { return lane % 16 * 8 + lane / 16 * 4; }

// From what a lane reads to what it has, or back: a pair of lanes transposes its four halves. By all lanes of a warp.
__device__ __forceinline__ void exchange_halves(u32 (&words)[8], int lane) {
    bool upper = lane >= 16;
#pragma unroll
    for (int i = 0; i < 4; i++) {
        u32 other = __shfl_xor_sync(ALL_LANES, upper ? words[i] : words[4 + i], 16);
        words[i] = upper ? other : words[i];
        words[4 + i] = upper ? words[4 + i] : other;
    }
}

// Whether an access of 16 bytes is half of a lane's columns.
template <int LEN, typename T>
constexpr bool HALVES = LEN * sizeof(T) == 32;

// A lane's eight columns of the group that begins with column `first`, zero from column c on. `vectors`, the same in
// all lanes: `row` is aligned and c a multiple of LEN. Offsets, which are constants, are compared with what is left of
// the row: one register. By all lanes of a warp, also those without columns.
template <int LEN, typename T>
__device__ __forceinline__ void load_words(Words<T>& values, const T* row, int first, int c, int lane, bool vectors) {
    constexpr int ACCESS = 16 / sizeof(T);  // columns of 16 bytes
    constexpr bool EXCHANGE = HALVES<LEN, T>;
    if (LEN >= ACCESS && vectors) {
        int column = first + (EXCHANGE ? shared_column(lane) : LEN * lane), left = c - column;
#pragma unroll
        for (int k = 0; k < 8; k += ACCESS) {
            int on = EXCHANGE ? k / ACCESS * SECOND : offset<LEN>(k);
            uint4 access = on < left ? *(const uint4*)(row + column + on) : uint4{0, 0, 0, 0};
            u32* words = values.words + k / ACCESS * 4;
            words[0] = access.x;
            words[1] = access.y;
            words[2] = access.z;
            words[3] = access.w;
        }
        if constexpr (EXCHANGE) exchange_halves(values.words, lane);
    } else {
        const T* from = row + first + LEN * lane;
        int left = c - first - LEN * lane;
#pragma unroll
        for (int k = 0; k < 8; k++) set(values, k, offset<LEN>(k) < left ? from[offset<LEN>(k)] : T{});
    }
}

template <int LEN, typename T>
__device__ __forceinline__ void load_group(float (&values)[8], const T* row, int first, int c, int lane, bool vectors) {
    Words<T> words;
    load_words<LEN>(words, row, first, c, lane, vectors);
#pragma unroll
    for (int k = 0; k < 8; k++) values[k] = get(words, k);
}

// Writes what `load_group` reads, rounded to T; nothing from column c on. By all lanes of a warp.
template <int LEN, typename T>
__device__ __forceinline__ void store_group(const float (&values)[8], T* row, int first, int c, int lane,
                                            bool vectors) {
    constexpr int ACCESS = 16 / sizeof(T);
    constexpr bool EXCHANGE = HALVES<LEN, T>;
    if (LEN >= ACCESS && vectors) {
        Words<T> words;
#pragma unroll
        for (int k = 0; k < 8; k++) set(words, k, from_float<T>(values[k]));
        if constexpr (EXCHANGE) exchange_halves(words.words, lane);
        int column = first + (EXCHANGE ? shared_column(lane) : LEN * lane), left = c - column;
#pragma unroll
        for (int k = 0; k < 8; k += ACCESS) {
            int on = EXCHANGE ? k / ACCESS * SECOND : offset<LEN>(k);
            const u32* from = words.words + k / ACCESS * 4;
            if (on < left) *(uint4*)(row + column + on) = uint4{from[0], from[1], from[2], from[3]};
        }
    } else {
        T* to = row + first + LEN * lane;
        int left = c - first - LEN * lane;
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
