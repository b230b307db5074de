// Attention backward, deterministic: one launch or two, without atomics.
//
//   a[i,j]  = exp(s[i,j] - lse[i])                       s made again as in attention_forward.cu
//   D[i]    = sum_d do[i,d] o[i,d]
//   ds[i,j] = a[i,j] (f[i,j] sum_d do[i,d] v[j,d] - D[i])
//   dq[i,d] = scale sum_j ds[i,j] k[j,d]
//   dk[j,d] = scale sum_i ds[i,j] q[i,d]
//   dv[j,d] = sum_i f[i,j] a[i,j] do[i,d]
//
// The queries' kernel walks the keys of a strip of queries in ascending order, for dq; on its way it writes D. The
// keys' kernel walks the queries of 32 keys in ascending order, for dk and dv; where those are all keys, it makes dq as
// well, and is the only one. So every gradient has one owner and one chain, whose order mod.rs fixes: the bits are the
// CPU's, whatever the order of blocks.
//
// Shapes    q, dq (B, T, C) with rows q_row_stride apart, k, v, dk, dv (B, S, C) with rows kv_row_stride apart; o, do
//           (B, T, C), rows C apart; lse, delta (B, NH, T); key_lengths, query_lengths (B); the latter may be null: T.
// Types     float; backward_tensor.cuh has bf16 and f16.
// Launch    128 threads; B NH ceil(T / 32) blocks for queries, then B NH ceil(S / 32) for keys on the same stream; with
//           dq not null the keys' kernel is the only one, S <= 32 and delta is not used. Dynamic shared memory: 128
//           rows of row_pitch(HS) floats, and 32 rows of 32 (queries) or 64 (keys), set in cuda/typed.rs.
// Requires  HS <= 64 GROUPS; lengths at most S and T. Every row of dq, dk and dv is written, with zeros where nobody
//           sees anything. delta needs no content.
// Traffic   one launch: (3 B T + 2 B S) C values read, (B T + 2 B S) C written, the floor. Of two, the second reads q,
//           k, v and do again. A head's rows come from DRAM once a launch while its blocks run side by side.
// Order     D in lane order, a warp a row; a piece of dropout's bits is made by one of the two lanes that need it,
//           which hands the other half over.

#include "attention.cuh"
#include "math.cuh"

constexpr int TILE = 32;
constexpr int PAIRS = TILE / 16;  // keys of a thread for each of its four rows

// Scores and products do . v of a strip with a tile of keys, to score gradients, and to weights times factors.
struct Gradients {
    float ds[4][PAIRS], weight[4][PAIRS];
};

// Factors of this thread's pairs. The eight queries of a block of dropout's bits are those of lanes 8 y and 8 (y ^ 1)
// with the same keys: each makes the block of one key and hands over the half that the other needs.
__device__ __forceinline__ void factors(float (&f)[4][PAIRS], const Dropout& dropout, u32 step, u32 row,
                                        const Part& part, int j0) {
    static_assert(PAIRS == 2, "one key for each of the two lanes");
    bool odd = part.lane & 8;
    uint4 mine = pieces(dropout, step, row, j0 + (odd ? part.key<TILE>(1) : part.key<TILE>(0))).words;
    uint2 keep = odd ? uint2{mine.z, mine.w} : uint2{mine.x, mine.y};
    uint2 give = odd ? uint2{mine.x, mine.y} : uint2{mine.z, mine.w};
    uint2 got = {__shfl_xor_sync(ALL_LANES, give.x, 8), __shfl_xor_sync(ALL_LANES, give.y, 8)};
#pragma unroll
    for (int n = 0; n < PAIRS; n++) {
        uint2 words = odd == (n == 1) ? keep : got;
        Pieces four = {uint4{words.x, words.y, 0, 0}};
#pragma unroll
        for (int i = 0; i < 4; i++) f[i][n] = factor(dropout, four, i);
    }
}

// What is known of a strip's queries, in shared memory; zeros for those that see nothing.
struct Rows {
    float lse[STRIP], delta[STRIP];
};

__device__ __forceinline__ void pair_gradients(Gradients& out, const float* qs, const float* dos, const float* ks,
                                               const float* vs, const Rows& rows, const int (&count)[4], int hs,
                                               float scale, int j0, const Dropout& dropout, u32 step, u32 dropout_row,
                                               const Part& part) {
    int pitch = row_pitch(hs), key = part.key<TILE>(0) * pitch, row = part.row * pitch;
    float s[4][PAIRS], dp[4][PAIRS], f[4][PAIRS];
    products(s, qs + row, ks + key, hs, pitch);
    products(dp, dos + row, vs + key, hs, pitch);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < PAIRS; n++) f[i][n] = 1.0f;
    if (active(dropout)) factors(f, dropout, step, dropout_row, part, j0);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < PAIRS; n++) {
            float a = exp_rn(s[i][n] * scale - rows.lse[part.row + i]);
            bool seen = j0 + part.key<TILE>(n) < count[i];
            out.ds[i][n] = seen ? a * (f[i][n] * dp[i][n] - rows.delta[part.row + i]) : 0.0f;
            out.weight[i][n] = seen ? f[i][n] * a : 0.0f;
        }
}

__device__ __forceinline__ void write_pairs(float* to, const float (&x)[4][PAIRS], const Part& part) {
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int n = 0; n < PAIRS; n++) to[place(part.row + i, part.key<TILE>(n), TILE)] = x[i][n];
}

// rows.delta[i] = the lane-order dot product of rows i of `dos`, in shared memory, and of o: a warp a row.
__device__ __forceinline__ void make_deltas(Rows& rows, const float* dos, const float* o, int c, int seeing, int hs,
                                            const Part& part) {
    int pitch = row_pitch(hs);
#pragma unroll 1
    for (int row = part.warp; row < STRIP; row += THREADS / 32) {
        float dot = 0.0f;
        if (row < seeing)
#pragma unroll 1
            for (int d = part.lane; d < hs; d += 32)
                dot = __fmaf_rn(dos[row * pitch + d], o[(size_t)row * c + d], dot);
        dot = lane_sum(dot);
        if (part.lane == 0) rows.delta[row] = dot;
    }
}

// A strip of dq, `dq` being its first row; `start` says which.
template <int GROUPS>
__device__ __forceinline__ void write_queries(float* dq, const float (&sum)[GROUPS][4][4], int start, int seeing,
                                              float scale, const Sizes& z, const Part& part) {
    bool vector = in_fours(dq, z.q_row_stride, z.hs);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = part.row + i;
        if (start + row >= z.t) break;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            int column = part.column(g);
            if (column >= z.hs) continue;
            float4 x = row < seeing ? scaled(sum[g][i], scale) : float4{0.0f, 0.0f, 0.0f, 0.0f};
            write_part(dq + (size_t)row * z.q_row_stride, x, column, z.hs, vector);
        }
    }
}

template <int GROUPS>
__device__ __forceinline__ void backward_queries(float* dq, float* delta, const float* q, const float* k,
                                                 const float* v, const float* o, const float* lse, const float* d_o,
                                                 const u32* key_lengths, const u32* query_lengths, const Sizes& z,
                                                 const Dropout& dropout) {
    extern __shared__ __align__(16) float shared[];
    __shared__ Rows rows;
    int pitch = row_pitch(z.hs);
    float* qs = shared;
    float* dos = qs + STRIP * pitch;
    float* ks = dos + STRIP * pitch;
    float* vs = ks + TILE * pitch;
    float* dss = vs + TILE * pitch;

    int strips = (z.t + STRIP - 1) / STRIP;
    Head head(blockIdx.x / strips, z, key_lengths, query_lengths);
    int start = blockIdx.x % strips * STRIP;
    int c = z.nh * z.hs;
    Part part;
    size_t row0 = (size_t)head.b * z.t + start;
    q += row0 * z.q_row_stride + head.column;
    dq += row0 * z.q_row_stride + head.column;
    o += row0 * c + head.column;
    d_o += row0 * c + head.column;
    k += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    v += (size_t)head.b * z.s * z.kv_row_stride + head.column;
    lse += (size_t)head.number * z.t + start;
    delta += (size_t)head.number * z.t + start;

    int seeing = min(head.queries - start, STRIP);
    int keys = seeing > 0 ? head.visible(start + STRIP - 1) : 0;
    float scale = 1.0f / __fsqrt_rn((float)z.hs);
    float sum[GROUPS][4][4] = {};
    if (seeing > 0) {
        load_rows<STRIP>(qs, q, z.q_row_stride, seeing, z.hs);
        load_rows<STRIP>(dos, d_o, c, seeing, z.hs);
        __syncthreads();
        make_deltas(rows, dos, o, c, seeing, z.hs, part);
        if (threadIdx.x < STRIP) rows.lse[threadIdx.x] = (int)threadIdx.x < seeing ? lse[threadIdx.x] : 0.0f;
        __syncthreads();
        if ((int)threadIdx.x < seeing) delta[threadIdx.x] = rows.delta[threadIdx.x];
    }
    int count[4];
#pragma unroll
    for (int i = 0; i < 4; i++) count[i] = head.visible(start + part.row + i);
    u32 step = active(dropout) ? *dropout.step : 0;
    u32 dropout_row = (u32)head.number * (u32)((z.t + 7) / 8) + (u32)((start + part.row) / 8);
    for (int j0 = 0; j0 < keys; j0 += TILE) {
        load_rows<TILE>(ks, k + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
        load_rows<TILE>(vs, v + (size_t)j0 * z.kv_row_stride, z.kv_row_stride, keys - j0, z.hs);
        __syncthreads();
        Gradients gradients;
        pair_gradients(gradients, qs, dos, ks, vs, rows, count, z.hs, scale, j0, dropout, step, dropout_row, part);
        write_pairs(dss, gradients.ds, part);
        __syncthreads();
        int left[4];
#pragma unroll
        for (int i = 0; i < 4; i++) left[i] = count[i] - j0;
        weigh<TILE>(sum, dss, TILE, 0, ks, left, z.hs, part);
        __syncthreads();
    }

    write_queries(dq, sum, start, seeing, scale, z, part);
}

// The chains over queries go on by a strip: dk[g][x] += the sum over its rows of ds[row][key x] q[row], and dv likewise
// of weight and do. This thread has the four keys from part.row on; key x is seen by the rows from `first + x` on.
template <int GROUPS>
__device__ __forceinline__ void weigh_queries(float (&dk)[GROUPS][4][4], float (&dv)[GROUPS][4][4], const float* dss,
                                              const float* weights, const float* qs, const float* dos, int first,
                                              int rows, int hs, const Part& part) {
    int pitch = row_pitch(hs);
    // Rows that see only some of the four keys, then those that see all.
#pragma unroll 1
    for (int i = max(first, 0); i < min(first + 3, rows); i++) {
        int at = place(i, part.row, TILE);
        float4 ds = *(const float4*)(dss + at), weight = *(const float4*)(weights + at);
        int seen = i - first;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (part.column(g) >= hs) continue;
            float4 q = *(const float4*)(qs + i * pitch + part.column(g));
            float4 d_o = *(const float4*)(dos + i * pitch + part.column(g));
            add_row(dk[g][0], ds.x, q);
            add_row(dv[g][0], weight.x, d_o);
            if (seen >= 1) add_row(dk[g][1], ds.y, q);
            if (seen >= 1) add_row(dv[g][1], weight.y, d_o);
            if (seen >= 2) add_row(dk[g][2], ds.z, q);
            if (seen >= 2) add_row(dv[g][2], weight.z, d_o);
        }
    }
#pragma unroll 1
    for (int i = max(first + 3, 0); i < rows; i++) {
        int at = place(i, part.row, TILE);
        float4 ds = *(const float4*)(dss + at), weight = *(const float4*)(weights + at);
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            if (part.column(g) >= hs) continue;
            float4 q = *(const float4*)(qs + i * pitch + part.column(g));
            float4 d_o = *(const float4*)(dos + i * pitch + part.column(g));
            add_row(dk[g][0], ds.x, q);
            add_row(dk[g][1], ds.y, q);
            add_row(dk[g][2], ds.z, q);
            add_row(dk[g][3], ds.w, q);
            add_row(dv[g][0], weight.x, d_o);
            add_row(dv[g][1], weight.y, d_o);
            add_row(dv[g][2], weight.z, d_o);
            add_row(dv[g][3], weight.w, d_o);
        }
    }
}

// A tile of dk or dv, `to` being its first row; `j0` says which.
template <int GROUPS>
__device__ __forceinline__ void write_keys(float* to, const float (&sum)[GROUPS][4][4], int j0, int keys, float scale,
                                           const Sizes& z, const Part& part) {
    bool vector = in_fours(to, z.kv_row_stride, z.hs);
#pragma unroll
    for (int i = 0; i < 4; i++) {
        int row = part.row + i;
        if (j0 + row >= z.s) break;
#pragma unroll
        for (int g = 0; g < GROUPS; g++) {
            int column = part.column(g);
            if (column >= z.hs) continue;
            float4 x = j0 + row < keys ? scaled(sum[g][i], scale) : float4{0.0f, 0.0f, 0.0f, 0.0f};
            write_part(to + (size_t)row * z.kv_row_stride, x, column, z.hs, vector);
        }
    }
}

template <int GROUPS>
__device__ __forceinline__ void backward_keys(float* dq, float* dk, float* dv, const float* delta, const float* q,
                                              const float* k, const float* v, const float* o, const float* lse,
                                              const float* d_o, const u32* key_lengths, const u32* query_lengths,
                                              const Sizes& z, const Dropout& dropout) {
    extern __shared__ __align__(16) float shared[];
    __shared__ Rows rows;
    int pitch = row_pitch(z.hs);
    float* qs = shared;
    float* dos = qs + STRIP * pitch;
    float* ks = dos + STRIP * pitch;
    float* vs = ks + TILE * pitch;
    float* dss = vs + TILE * pitch;
    float* weights = dss + STRIP * TILE;

    int tiles = (z.s + TILE - 1) / TILE;
    Head head(blockIdx.x / tiles, z, key_lengths, query_lengths);
    int j0 = blockIdx.x % tiles * TILE;
    int c = z.nh * z.hs;
    Part part;
    size_t key0 = (size_t)head.b * z.s + j0;
    k += key0 * z.kv_row_stride + head.column;
    v += key0 * z.kv_row_stride + head.column;
    dk += key0 * z.kv_row_stride + head.column;
    dv += key0 * z.kv_row_stride + head.column;
    bool with_dq = dq != nullptr;
    size_t query0 = (size_t)head.b * z.t;
    q += query0 * z.q_row_stride + head.column;
    if (with_dq) dq += query0 * z.q_row_stride + head.column;
    o += query0 * c + head.column;
    d_o += query0 * c + head.column;
    lse += (size_t)head.number * z.t;
    delta += (size_t)head.number * z.t;

    // With a causal mask nothing before these keys sees them.
    int first = head.causal ? j0 : 0, end = j0 < head.keys ? head.queries : 0;
    float scale = 1.0f / __fsqrt_rn((float)z.hs);
    float dk_sum[GROUPS][4][4] = {}, dv_sum[GROUPS][4][4] = {};
    u32 step = active(dropout) ? *dropout.step : 0;
    if (first < end) {
        load_rows<TILE>(ks, k, z.kv_row_stride, head.keys - j0, z.hs);
        load_rows<TILE>(vs, v, z.kv_row_stride, head.keys - j0, z.hs);
    }
    for (int start = first; start < end; start += STRIP) {
        int seeing = min(end - start, STRIP);
        load_rows<STRIP>(qs, q + (size_t)start * z.q_row_stride, z.q_row_stride, seeing, z.hs);
        load_rows<STRIP>(dos, d_o + (size_t)start * c, c, seeing, z.hs);
        if (threadIdx.x < STRIP) {
            bool sees = (int)threadIdx.x < seeing;
            rows.lse[threadIdx.x] = sees ? lse[start + threadIdx.x] : 0.0f;
            if (!with_dq) rows.delta[threadIdx.x] = sees ? delta[start + threadIdx.x] : 0.0f;
        }
        int count[4];
#pragma unroll
        for (int i = 0; i < 4; i++) count[i] = head.visible(start + part.row + i);
        u32 dropout_row = (u32)head.number * (u32)((z.t + 7) / 8) + (u32)((start + part.row) / 8);
        __syncthreads();
        if (with_dq) {
            make_deltas(rows, dos, o + (size_t)start * c, c, seeing, z.hs, part);
            __syncthreads();
        }
        Gradients gradients;
        pair_gradients(gradients, qs, dos, ks, vs, rows, count, z.hs, scale, j0, dropout, step, dropout_row, part);
        write_pairs(dss, gradients.ds, part);
        write_pairs(weights, gradients.weight, part);
        __syncthreads();
        if (with_dq) {
            float dq_sum[GROUPS][4][4] = {};
            weigh<TILE>(dq_sum, dss, TILE, 0, ks, count, z.hs, part);
            write_queries(dq + (size_t)start * z.q_row_stride, dq_sum, start, seeing, scale, z, part);
        }
        int from = head.causal ? j0 + part.row - start : -3;
        weigh_queries(dk_sum, dv_sum, dss, weights, qs, dos, from, seeing, z.hs, part);
        __syncthreads();
    }

    if (with_dq)
        for (int row = (end + STRIP - 1) / STRIP * STRIP + part.warp; row < z.t; row += THREADS / 32)
            for (int d = part.lane; d < z.hs; d += 32)
                dq[(size_t)row * z.q_row_stride + d] = 0.0f;
    write_keys(dk, dk_sum, j0, head.keys, scale, z, part);
    write_keys(dv, dv_sum, j0, head.keys, 1.0f, z, part);
}

// Both take what either needs: the first does not use dk and dv.
#define BACKWARD(QUERIES, KEYS, GROUPS)                                                                               \
    extern "C" __global__ void __launch_bounds__(THREADS, 3)                                                          \
        QUERIES(float* dq, float* dk, float* dv, float* delta, const float* q, const float* k, const float* v,        \
                const float* o, const float* lse, const float* d_o, const u32* key_lengths,                           \
                const u32* query_lengths, Sizes sizes, Dropout dropout) {                                             \
        backward_queries<GROUPS>(dq, delta, q, k, v, o, lse, d_o, key_lengths, query_lengths, sizes, dropout);        \
    }                                                                                                                 \
    extern "C" __global__ void __launch_bounds__(THREADS, 4 - GROUPS)                                                 \
        KEYS(float* dq, float* dk, float* dv, float* delta, const float* q, const float* k, const float* v,           \
             const float* o, const float* lse, const float* d_o, const u32* key_lengths, const u32* query_lengths,    \
             Sizes sizes, Dropout dropout) {                                                                          \
        backward_keys<GROUPS>(dq, dk, dv, delta, q, k, v, o, lse, d_o, key_lengths, query_lengths, sizes,             \
                              dropout);                                                                               \
    }

BACKWARD(attention_backward_queries_64_f32, attention_backward_keys_64_f32, 1)
BACKWARD(attention_backward_queries_128_f32, attention_backward_keys_128_f32, 2)
