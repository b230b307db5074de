// Attention backward in 16 bits, on tensor cores, deterministic: no atomics.
//
// The formulas are those of attention_backward.cu. Scores are made again, a tile of keys by a strip of 32 queries at a
// time and transposed, so that weights and score gradients lie in registers as the left factors of dv and dk; for dq
// they go through shared memory. Products take ds and f a rounded to T; everything else is f32, and a gradient is
// rounded once.
//
// Where S <= 128 one launch does all: a block has a head's keys, 16 a warp, and walks its queries in ascending strips.
// Beyond, one launch has a block for every strip of queries, which walks the keys, for dq, and writes D; a second has a
// block for every tile of keys, which walks the queries, for dk and dv.
//
// Shapes    as attention_backward.cu. HS <= COLUMNS (32, 64 or 128); columns behind HS are zeros in shared memory.
// Launch    Queries' kernel: 128 threads, B NH ceil(T / 32) blocks. Keys' kernel: 32 to 256 threads, 16 keys a warp,
//           B NH ceil(S / (threads / 2)) blocks; with dq not null it is the one launch, a block has all keys and delta
//           is not used. Dynamic shared memory: 64 rows of COLUMNS values of T for queries; for each key of a tile (64
//           in the queries' kernel) two such rows, and 32 values.
// Requires  lengths at most S and T. Rows that are no whole chunks of 16 bytes are copied value by value.
// Traffic   one launch: (3 B T + 2 B S) C values read and (B T + 2 B S) C written, the floor. Two: as
//           attention_backward.cu.
// Order     every gradient has one owner, a warp, whose tensor cores add ascending strips or tiles. Of the four lanes
//           that need a word each of the same block of dropout's bits, each makes the blocks of one of four places and
//           they transpose.
// Products  of 16 x 16 squares of queries and keys, those with a visible pair: what tensor cores' instructions can
//           leave out, each of the five products does.
// NaN       pairs that are not visible weigh 0 in their square's products; so, unlike in f32, a NaN or an infinity in
//           a visible row reaches all gradients of its squares. Rows that nobody sees are not read.
#pragma once

#include "math.cuh"
#include "tensor_tile.cuh"

constexpr int KEYS = 64;  // of a tile, in the queries' kernel

// What is known of a strip's queries; zeros for those that see nothing.
struct Rows {
    float lse2[STRIP], delta[STRIP];
};

// What does not change from tile to tile.
template <typename T>
struct Operands {
    const T *q, *k, *v, *o, *d_o;
    const float* lse;
    float* delta;
    T *dq, *dk, *dv;
    int c, lane, warp;
    bool q_aligned, k_aligned, v_aligned, d_o_aligned;

    // Moved to a head's first row and column.
    __device__ __forceinline__ void enter(const Head& head, const Sizes& z) {
        c = z.nh * z.hs;
        lane = threadIdx.x % 32;
        warp = threadIdx.x / 32;
        size_t queries = (size_t)head.b * z.t, keys = (size_t)head.b * z.s;
        q += queries * z.q_row_stride + head.column;
        if (dq != nullptr) dq += queries * z.q_row_stride + head.column;
        o += queries * c + head.column;
        d_o += queries * c + head.column;
        k += keys * z.kv_row_stride + head.column;
        v += keys * z.kv_row_stride + head.column;
        dk += keys * z.kv_row_stride + head.column;
        dv += keys * z.kv_row_stride + head.column;
        lse += (size_t)head.number * z.t;
        delta += (size_t)head.number * z.t;
        q_aligned = in_chunks(q, z.q_row_stride, z.hs);
        k_aligned = in_chunks(k, z.kv_row_stride, z.hs);
        v_aligned = in_chunks(v, z.kv_row_stride, z.hs);
        d_o_aligned = in_chunks(d_o, c, z.hs);
    }
};

// Tiles in shared memory.
template <typename T, int COLUMNS>
struct Tiles {
    T *q, *d_o, *k, *v;
    T* ds;  // (keys, STRIP)
    Places<COLUMNS> at;
    Places<STRIP> at_ds;

    __device__ __forceinline__ Tiles(void* shared, int keys) : at(threadIdx.x % 32), at_ds(threadIdx.x % 32) {
        q = (T*)shared;
        d_o = q + STRIP * COLUMNS;
        k = d_o + STRIP * COLUMNS;
        v = k + keys * COLUMNS;
        ds = v + keys * COLUMNS;
    }
};

// rows.delta[i] = the dot product of rows i of `do`, in shared memory, and of o: eight columns a lane, then a
// butterfly.
template <typename T, int COLUMNS>
__device__ __forceinline__ void make_deltas(Rows& rows, const Tiles<T, COLUMNS>& tiles, const Operands<T>& x, int start,
                                            int seeing, int hs) {
    constexpr int CHUNKS = COLUMNS / 8;
    int chunk = threadIdx.x % CHUNKS;
#pragma unroll 1
    for (int row = threadIdx.x / CHUNKS; row < STRIP; row += blockDim.x / CHUNKS) {
        float sum = 0.0f;
        if (row < seeing) {
            const T* o = x.o + (size_t)(start + row) * x.c + 8 * chunk;
            const T* d_o = tiles.d_o + chunk_place<COLUMNS>(row, chunk);
            if (in_chunks(x.o, x.c, hs)) {
                struct alignas(16) Eight {
                    T value[8];
                };
                if (8 * chunk < hs) {
                    Eight a = *(const Eight*)d_o, b = *(const Eight*)o;
#pragma unroll
                    for (int e = 0; e < 8; e++) sum = __fmaf_rn(to_float(a.value[e]), to_float(b.value[e]), sum);
                }
            } else {
#pragma unroll 1
                for (int e = 0; e < min(8, hs - 8 * chunk); e++)
                    sum = __fmaf_rn(to_float(d_o[e]), to_float(o[e]), sum);
            }
        }
#pragma unroll
        for (int width = CHUNKS / 2; width > 0; width /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, width);
        if (chunk == 0) rows.delta[row] = sum;
    }
}

// Factors of a warp's 16 keys by 16 queries from a multiple of 8 on: f[n][e] is that of key lane / 4 + e / 2 * 8 and
// query 8 n + 2 (lane % 4) + e % 2. Lane 4 g + c needs word c of the blocks of keys g and g + 8 and of both groups of 8
// queries: it makes one of those four blocks, then the four lanes transpose.
__device__ __forceinline__ void factors(float (&f)[2][4], const Dropout& dropout, u32 step, u32 row, int key,
                                        int lane) {
    uint4 made = pieces(dropout, step, row + (lane >> 1 & 1), key + lane / 4 + (lane & 1) * 8).words;
    // Afterwards word i is this lane's of the block that lane i of the four made.
    bool odd = lane & 1, high = lane & 2;
    u32 x = __shfl_xor_sync(ALL_LANES, odd ? made.x : made.y, 1);
    u32 y = __shfl_xor_sync(ALL_LANES, odd ? made.z : made.w, 1);
    if (odd) {
        made.x = x;
        made.z = y;
    } else {
        made.y = x;
        made.w = y;
    }
    x = __shfl_xor_sync(ALL_LANES, high ? made.x : made.z, 2);
    y = __shfl_xor_sync(ALL_LANES, high ? made.y : made.w, 2);
    if (high) {
        made.x = x;
        made.y = y;
    } else {
        made.z = x;
        made.w = y;
    }
    Pieces words = {made};
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
        for (int e = 0; e < 4; e++) f[n][e] = factor(dropout, words, 4 * n + e);
}

// Which halves of a strip, 16 queries each, have a pair with the 16 keys from `key` on: what the others would add to
// any product is not made. The same in all lanes of a warp; at least one has.
struct Halves {
    int first;
    bool both;

    __device__ __forceinline__ Halves(const Head& head, int start, int key) {
        bool has_first = key < head.visible(start + 15), has_last = start + 16 < head.queries;
        first = has_first ? 0 : 1;
        both = has_first && has_last;
    }
};

// How many of the keys from `j0` on, of at most `keys`, some of 16 queries sees.
__device__ __forceinline__ int seen_by(const Head& head, int query, int j0, int keys) {
    return query < head.queries ? min(head.visible(query + 15) - j0, keys) : 0;
}

// Left factors of this warp's 16 keys by HALVES of the strip: weights times factors, and gradients of scores.
template <int HALVES>
struct Pairs {
    u32 weight[HALVES][4], ds[HALVES][4];
};

// `first`: the first of these halves.
template <int HALVES, typename T, int COLUMNS>
__device__ __forceinline__ void pair_gradients(Pairs<HALVES>& pairs, const Tiles<T, COLUMNS>& tiles, const Rows& rows,
                                               const Head& head, int first, const Sizes& z, int start, int j0,
                                               int lane, int warp, float scale2, const Dropout& dropout, u32 step) {
    float s[2 * HALVES][4] = {}, dp[2 * HALVES][4] = {};
#pragma unroll
    for (int i = 0; i < COLUMNS / 16; i++) {
        u32 a[4], b[4];
        load_left(a, tiles.k, 16 * warp, 2 * i, tiles.at);
#pragma unroll
        for (int n = 0; n < HALVES; n++) {
            load_right_transposed(b, tiles.q, 16 * (first + n), 2 * i, tiles.at);
            multiply_add<T>(s[2 * n], a, b[0], b[1]);
            multiply_add<T>(s[2 * n + 1], a, b[2], b[3]);
        }
        load_left(a, tiles.v, 16 * warp, 2 * i, tiles.at);
#pragma unroll
        for (int n = 0; n < HALVES; n++) {
            load_right_transposed(b, tiles.d_o, 16 * (first + n), 2 * i, tiles.at);
            multiply_add<T>(dp[2 * n], a, b[0], b[1]);
            multiply_add<T>(dp[2 * n + 1], a, b[2], b[3]);
        }
    }
    int key0 = j0 + 16 * warp;
    u32 dropout_row = (u32)head.number * (u32)((z.t + 7) / 8) + (u32)(start / 8);
    // Whether some pair of these is not visible.
    bool ragged = key0 + 16 > head.visible(start) || start + STRIP > head.queries;
#pragma unroll
    for (int n = 0; n < HALVES; n++) {
        float f[2][4] = {{1.0f, 1.0f, 1.0f, 1.0f}, {1.0f, 1.0f, 1.0f, 1.0f}};
        if (active(dropout)) factors(f, dropout, step, dropout_row + 2 * (first + n), key0, lane);
#pragma unroll
        for (int m = 0; m < 2; m++) {
            int column = 16 * (first + n) + 8 * m + lane % 4 * 2;
            float2 lse2 = *(const float2*)(rows.lse2 + column), delta = *(const float2*)(rows.delta + column);
            float weight[4], ds[4];
#pragma unroll
            for (int e = 0; e < 4; e++) {
                float a = exp2_approximate(__fmaf_rn(s[2 * n + m][e], scale2, -(e % 2 ? lse2.y : lse2.x)));
                weight[e] = f[m][e] * a;
                ds[e] = a * __fmaf_rn(f[m][e], dp[2 * n + m][e], -(e % 2 ? delta.y : delta.x));
                if (ragged) {
                    int i = start + column + e % 2, j = key0 + lane / 4 + e / 2 * 8;
                    bool seen = i < head.queries && j < head.visible(i);
                    weight[e] = seen ? weight[e] : 0.0f;
                    ds[e] = seen ? ds[e] : 0.0f;
                }
            }
            pairs.weight[n][2 * m] = packed<T>(weight[0], weight[1]);
            pairs.weight[n][2 * m + 1] = packed<T>(weight[2], weight[3]);
            pairs.ds[n][2 * m] = packed<T>(ds[0], ds[1]);
            pairs.ds[n][2 * m + 1] = packed<T>(ds[2], ds[3]);
        }
    }
}

// This warp's 16 keys by HALVES of the strip of score gradients to shared memory.
template <int HALVES, typename T, int COLUMNS>
__device__ __forceinline__ void write_pairs(const Tiles<T, COLUMNS>& tiles, const Pairs<HALVES>& pairs, int first,
                                            int warp) {
#pragma unroll
    for (int n = 0; n < 2 * HALVES; n++)
#pragma unroll
        for (int h = 0; h < 2; h++)
            *(u32*)(tiles.ds + tiles.at_ds.pair.from(16 * warp + 8 * h, 2 * first + n)) =
                pairs.ds[n / 2][n % 2 * 2 + h];
}

// A strip of dq is made in units of 16 rows (the first or the last of the strip) by 16 columns.
template <int COLUMNS>
constexpr int UNITS = 2 * (COLUMNS / 16);

// A unit of dq goes on: sum += the transpose of ds by k, over the first `keys` keys of the tile.
template <typename T, int COLUMNS>
__device__ __forceinline__ void add_unit(float (&sum)[2][4], const Tiles<T, COLUMNS>& tiles, int unit, int keys) {
#pragma unroll 2
    for (int i = 0; i < keys; i += 16) {
        u32 a[4], b[4];
        load_left_transposed(a, tiles.ds, i, unit % 2 * 2, tiles.at_ds);
        load_right(b, tiles.k, i, unit / 2 * 2, tiles.at);
        multiply_add<T>(sum[0], a, b[0], b[1]);
        multiply_add<T>(sum[1], a, b[2], b[3]);
    }
}

// To its place in the tile of q, which all threads have done with.
template <typename T, int COLUMNS>
__device__ __forceinline__ void place_unit(const float (&sum)[2][4], const Tiles<T, COLUMNS>& tiles, int unit,
                                           int seeing, float scale, int lane) {
#pragma unroll
    for (int n = 0; n < 2; n++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = unit % 2 * 16 + 8 * h;
            bool sees = row + lane / 4 < seeing;
            u32 pair = sees ? packed<T>(sum[n][2 * h] * scale, sum[n][2 * h + 1] * scale) : 0;
            *(u32*)(tiles.q + tiles.at.pair.from(row, unit / 2 * 2 + n)) = pair;
        }
}

// A strip of dq, all of whose units are in place, to memory.
template <typename T, int COLUMNS>
__device__ __forceinline__ void write_queries(const Tiles<T, COLUMNS>& tiles, const Operands<T>& x, const Sizes& z,
                                              int start) {
    __syncthreads();
    T* to = x.dq + (size_t)start * z.q_row_stride;
    store_rows<COLUMNS>(to, tiles.q, 0, z.q_row_stride, min(z.t - start, STRIP), z.hs,
                        in_chunks(to, z.q_row_stride, z.hs), threadIdx.x, blockDim.x);
    __syncthreads();
}

// This warp's 16 rows of dk or dv to memory, through its rows of a tile that nobody reads any more.
template <typename T, int COLUMNS>
__device__ __forceinline__ void write_keys(T* to, const float (&sum)[COLUMNS / 8][4], const Tiles<T, COLUMNS>& tiles,
                                           T* tile, int stride, int first, int keys, int s, int hs, float scale,
                                           int lane, int warp) {
#pragma unroll
    for (int n = 0; n < COLUMNS / 8; n++)
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int row = 16 * warp + lane / 4 + 8 * h;
            u32 pair = first + row < keys ? packed<T>(sum[n][2 * h] * scale, sum[n][2 * h + 1] * scale) : 0;
            *(u32*)(tile + tiles.at.pair.from(16 * warp + 8 * h, n)) = pair;
        }
    __syncwarp();
    to += (size_t)(first + 16 * warp) * stride;
    bool aligned = in_chunks(to, stride, hs);
    store_rows<COLUMNS>(to, tile, 16 * warp, stride, min(s - first - 16 * warp, 16), hs, aligned, lane, 32);
}

// This warp's rows of dk and dv go on by HALVES of a strip, and leave the score gradients, if dq needs them.
template <int HALVES, typename T, int COLUMNS>
__device__ __forceinline__ void add_strip(float (&dk)[COLUMNS / 8][4], float (&dv)[COLUMNS / 8][4],
                                          const Tiles<T, COLUMNS>& tiles, const Rows& rows, const Head& head, int first,
                                          bool with_dq, const Sizes& z, int start, int j0, int lane, int warp,
                                          float scale2, const Dropout& dropout, u32 step) {
    Pairs<HALVES> pairs;
    pair_gradients(pairs, tiles, rows, head, first, z, start, j0, lane, warp, scale2, dropout, step);
    if (with_dq) write_pairs(tiles, pairs, first, warp);
#pragma unroll
    for (int i = 0; i < HALVES; i++)
#pragma unroll
        for (int n = 0; n < COLUMNS / 16; n++) {
            u32 b[4];
            load_right(b, tiles.d_o, 16 * (first + i), 2 * n, tiles.at);
            multiply_add<T>(dv[2 * n], pairs.weight[i], b[0], b[1]);
            multiply_add<T>(dv[2 * n + 1], pairs.weight[i], b[2], b[3]);
            load_right(b, tiles.q, 16 * (first + i), 2 * n, tiles.at);
            multiply_add<T>(dk[2 * n], pairs.ds[i], b[0], b[1]);
            multiply_add<T>(dk[2 * n + 1], pairs.ds[i], b[2], b[3]);
        }
}

// dk and dv of a tile of keys; and dq of all queries, if dq is not null.
template <typename T, int COLUMNS>
__device__ __forceinline__ void backward_keys(Operands<T> x, const u32* key_lengths, const u32* query_lengths,
                                              const Sizes& z, const Dropout& dropout) {
    extern __shared__ __align__(128) u16 shared[];
    __shared__ __align__(8) Rows rows;
    int keys = blockDim.x / 2, tiles_of_keys = (z.s + keys - 1) / keys;
    Tiles<T, COLUMNS> tiles(shared, keys);
    Head head(blockIdx.x / tiles_of_keys, z, key_lengths, query_lengths);
    int j0 = blockIdx.x % tiles_of_keys * keys;
    x.enter(head, z);
    bool with_dq = x.dq != nullptr;
    float scale = 1.0f / __fsqrt_rn((float)z.hs), scale2 = LOG2_E * scale;
    u32 step = active(dropout) ? *dropout.step : 0;

    // With a causal mask nothing before these keys sees them.
    int first = head.causal ? j0 : 0, end = j0 < head.keys ? head.queries : 0;
    if (first < end) {
        size_t at = (size_t)j0 * z.kv_row_stride;
        fetch<COLUMNS>(tiles.k, keys, x.k + at, z.kv_row_stride, head.keys - j0, z.hs, x.k_aligned);
        fetch<COLUMNS>(tiles.v, keys, x.v + at, z.kv_row_stride, head.keys - j0, z.hs, x.v_aligned);
    }
    float dk[COLUMNS / 8][4] = {}, dv[COLUMNS / 8][4] = {};
    for (int start = first; start < end; start += STRIP) {
        int seeing = min(end - start, STRIP);
        fetch<COLUMNS>(tiles.q, STRIP, x.q + (size_t)start * z.q_row_stride, z.q_row_stride, seeing, z.hs, x.q_aligned);
        fetch<COLUMNS>(tiles.d_o, STRIP, x.d_o + (size_t)start * x.c, x.c, seeing, z.hs, x.d_o_aligned);
        copy_commit();
        if (threadIdx.x < STRIP) {
            bool sees = (int)threadIdx.x < seeing;
            rows.lse2[threadIdx.x] = sees ? x.lse[start + threadIdx.x] * LOG2_E : 0.0f;
            if (!with_dq) rows.delta[threadIdx.x] = sees ? x.delta[start + threadIdx.x] : 0.0f;
        }
        copy_wait<0>();
        __syncthreads();
        if (with_dq) {
            make_deltas(rows, tiles, x, start, seeing, z.hs);
            __syncthreads();
        }
        // Keys of the tile that some query of the strip sees.
        int seen = min(head.visible(start + STRIP - 1) - j0, keys);
        if (16 * x.warp < seen) {
            Halves halves(head, start, j0 + 16 * x.warp);
            if (halves.both) {
                add_strip<2>(dk, dv, tiles, rows, head, 0, with_dq, z, start, j0, x.lane, x.warp, scale2, dropout,
                             step);
            } else {
                add_strip<1>(dk, dv, tiles, rows, head, halves.first, with_dq, z, start, j0, x.lane, x.warp, scale2,
                             dropout, step);
            }
        }
        __syncthreads();
        if (with_dq) {
#pragma unroll 1
            for (int unit = x.warp; unit < UNITS<COLUMNS>; unit += blockDim.x / 32) {
                float dq[2][4] = {};
                add_unit(dq, tiles, unit, seen_by(head, start + unit % 2 * 16, j0, keys));
                place_unit(dq, tiles, unit, seeing, scale, x.lane);
            }
            write_queries(tiles, x, z, start);
        }
    }
    copy_wait<0>();
    __syncthreads();
    if (with_dq) {
        int done = min((end + STRIP - 1) / STRIP * STRIP, z.t);
        T* rest = x.dq + (size_t)done * z.q_row_stride;
        zero_rows<COLUMNS>(rest, z.q_row_stride, z.t - done, z.hs, in_chunks(rest, z.q_row_stride, z.hs));
    }
    write_keys(x.dk, dk, tiles, tiles.k, z.kv_row_stride, j0, head.keys, z.s, z.hs, scale, x.lane,
               x.warp);
    write_keys(x.dv, dv, tiles, tiles.v, z.kv_row_stride, j0, head.keys, z.s, z.hs, 1.0f, x.lane,
               x.warp);
}

// dq and D of a strip of queries.
template <typename T, int COLUMNS>
__device__ __forceinline__ void backward_queries(Operands<T> x, const u32* key_lengths, const u32* query_lengths,
                                                 const Sizes& z, const Dropout& dropout) {
    extern __shared__ __align__(128) u16 shared[];
    __shared__ __align__(8) Rows rows;
    Tiles<T, COLUMNS> tiles(shared, KEYS);
    int strips = (z.t + STRIP - 1) / STRIP;
    Head head(blockIdx.x / strips, z, key_lengths, query_lengths);
    int start = blockIdx.x % strips * STRIP;
    x.enter(head, z);
    float scale = 1.0f / __fsqrt_rn((float)z.hs), scale2 = LOG2_E * scale;
    u32 step = active(dropout) ? *dropout.step : 0;

    int seeing = min(head.queries - start, STRIP);
    int keys = seeing > 0 ? head.visible(start + STRIP - 1) : 0;
    if (keys > 0) {
        fetch<COLUMNS>(tiles.q, STRIP, x.q + (size_t)start * z.q_row_stride, z.q_row_stride, seeing, z.hs, x.q_aligned);
        fetch<COLUMNS>(tiles.d_o, STRIP, x.d_o + (size_t)start * x.c, x.c, seeing, z.hs, x.d_o_aligned);
        copy_commit();
        if (threadIdx.x < STRIP)
            rows.lse2[threadIdx.x] = (int)threadIdx.x < seeing ? x.lse[start + threadIdx.x] * LOG2_E : 0.0f;
        copy_wait<0>();
        __syncthreads();
        make_deltas(rows, tiles, x, start, seeing, z.hs);
        __syncthreads();
        if ((int)threadIdx.x < seeing) x.delta[start + threadIdx.x] = rows.delta[threadIdx.x];
    }
    constexpr int WARPS = THREADS / 32;
    float dq[UNITS<COLUMNS> / WARPS][2][4] = {};
    for (int j0 = 0; j0 < keys; j0 += KEYS) {
        size_t at = (size_t)j0 * z.kv_row_stride;
        fetch<COLUMNS>(tiles.k, KEYS, x.k + at, z.kv_row_stride, keys - j0, z.hs, x.k_aligned);
        fetch<COLUMNS>(tiles.v, KEYS, x.v + at, z.kv_row_stride, keys - j0, z.hs, x.v_aligned);
        copy_commit();
        copy_wait<0>();
        __syncthreads();
        if (j0 + 16 * x.warp < keys) {
            Halves halves(head, start, j0 + 16 * x.warp);
            if (halves.both) {
                Pairs<2> pairs;
                pair_gradients(pairs, tiles, rows, head, 0, z, start, j0, x.lane, x.warp, scale2, dropout, step);
                write_pairs(tiles, pairs, 0, x.warp);
            } else {
                Pairs<1> pairs;
                pair_gradients(pairs, tiles, rows, head, halves.first, z, start, j0, x.lane, x.warp, scale2, dropout,
                               step);
                write_pairs(tiles, pairs, halves.first, x.warp);
            }
        }
        __syncthreads();
        // All units of a warp are of the same half of the strip.
        int seen = seen_by(head, start + x.warp % 2 * 16, j0, KEYS);
#pragma unroll
        for (int n = 0; n < UNITS<COLUMNS> / WARPS; n++) add_unit(dq[n], tiles, x.warp + WARPS * n, seen);
        __syncthreads();
    }
#pragma unroll
    for (int n = 0; n < UNITS<COLUMNS> / WARPS; n++)
        place_unit(dq[n], tiles, x.warp + WARPS * n, seeing, scale, x.lane);
    write_queries(tiles, x, z, start);
}

#define BACKWARD(NAME, WHAT, THREADS_MOST, T, COLUMNS)                                                                \
    extern "C" __global__ void __launch_bounds__(THREADS_MOST)                                                        \
        NAME(T* dq, T* dk, T* dv, float* delta, const T* q, const T* k, const T* v, const T* o, const float* lse,     \
             const T* d_o, const u32* key_lengths, const u32* query_lengths, Sizes sizes, Dropout dropout) {          \
        WHAT<T, COLUMNS>(Operands<T>{q, k, v, o, d_o, lse, delta, dq, dk, dv}, key_lengths, query_lengths, sizes,     \
                         dropout);                                                                                    \
    }
