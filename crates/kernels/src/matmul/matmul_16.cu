// Matrix products in bf16 and f16 on tensor cores: a tile of C a block, sums in f32.
//
//   C[i,j] = epilogue( start[i,j] + sum_p A[i,p] B[p,j] )
//
// Shapes    c (M, N) of T or of float; a (M, K), or (K, M) if transposed; b (K, N), or (N, K) if transposed; of T;
//           all row-major. other: bias (N) of float or activations (M, N) of T, as `epilogue` says.
// Launch    one block of 128 threads a tile of C, in one dimension; cuda.rs picks the tile. STAGES tiles of both
//           operands in dynamic shared memory: 64 KiB for tiles of 128 x 128, 32 KiB for 64 x 64.
// Requires  M, N >= 1, K >= 0, each below 2^31 - 128; c apart from the others. Any alignment.
// Traffic   a block reads 2 TILE K values: of device memory the floor, (M K + K N) sizeof(T) + M N sizeof(C), as far
//           as what it shares with its neighbours stays in the second-level cache (`Place`).
//
// Both operands come in tiles of 32 terms, as they lie in global memory, four tiles in flight by cp.async and one
// barrier a tile. A tile is lines of values that are neighbours in global memory too: a row's 32 terms (64 bytes), or
// a term's TILE values. Lines are cut into chunks of 16 bytes, ldmatrix reads one chunk of each of eight lines, and
// `place` puts these into eight different groups of four banks; so neither the copies nor ldmatrix have bank
// conflicts. ldmatrix turns what mma wants with its terms in neighbouring values and finds with its rows so.
//
// A warp has a quarter of C's tile, 64 x 64 or 32 x 32. For 16 terms it loads 8 (4) times four matrices and
// multiplies 32 (8) times 16 x 8 sums: half (all) of the time that shared memory has meanwhile, at 1024 multiply-adds
// a cycle.
//
// Where base or pitch of an operand is not aligned to 16 bytes it is copied by single values through registers, 16
// bytes of shared memory at a time. C goes through shared memory as in matmul.cu, four values an access where
// aligned.
//
// Numerics  Products are exact in f32. Their sums' order is the hardware's, which may truncate instead of rounding:
//           |error| <= K 2^-23 sum |a b|. `start` is added to the finished sum; the epilogue is f32; then one
//           rounding.

#include "product.cuh"

constexpr int DEPTH = 32;
constexpr int STAGES = 4;
constexpr int THREADS = 128;
constexpr int CHUNK = 8;

extern __shared__ __align__(128) unsigned char shared[];

// Where a chunk of a line lies in a tile of lines of ALONG values. Chunk i of eight neighbouring lines lies in all
// eight places of 128 bytes: these are two lines of 32 values, or a part of one that is longer.
template <int ALONG>
__device__ __forceinline__ int place(int line, int chunk) {
    return line * ALONG + (chunk ^ (ALONG == 32 ? line / 2 % 4 : line % 8)) * CHUNK;
}

// An operand of (count, K), rows of A or columns of B, as one thread copies it, tile after tile. TERMS_INNER: a line
// is a row's terms, else a term's values.
template <typename T, bool TERMS_INNER, int SIZE>
struct Operand {
    static constexpr int LINES = TERMS_INNER ? SIZE : DEPTH, ALONG = TERMS_INNER ? DEPTH : SIZE;
    static constexpr int CHUNKS = ALONG / CHUNK, PASS = THREADS / CHUNKS;

    const T* from;     // the next chunk to copy
    int pitch;         // of the operand's lines
    int lines, along;  // how many lines and values of a line there are from there on; none if not positive
    int to;            // its place in a tile
    bool whole;        // chunks are aligned, and all there or not at all

    // From row `first` on.
    __device__ __forceinline__ Operand(const T* values, int count, int k, int first) {
        int line = threadIdx.x / CHUNKS, chunk = threadIdx.x % CHUNKS;
        pitch = TERMS_INNER ? k : count;
        from = values + (TERMS_INNER ? (size_t)(first + line) * k : (size_t)line * count + first) + chunk * CHUNK;
        lines = (TERMS_INNER ? count - first : k) - line;
        along = (TERMS_INNER ? k : count - first) - chunk * CHUNK;
        to = place<ALONG>(line, chunk);
        whole = aligned(values, 16) && pitch % CHUNK == 0;
    }

    // Copies the next terms; zeros for what is not there.
    __device__ __forceinline__ void fetch(T* tile) {
        const T* next = from;
        if (whole) {
#pragma unroll
            for (int line = 0; line < LINES; line += PASS) {
                // PASS is a multiple of 8: these lines' chunks lie as the first one's.
                copy_async<16>(&tile[to + line * ALONG], next, line < lines && along > 0);
                next += (size_t)pitch * PASS;
            }
        } else {
#pragma unroll 1
            for (int line = 0; line < LINES; line += PASS) {
                Pack<T, CHUNK> chunk;
#pragma unroll
                for (int i = 0; i < CHUNK; i++)
                    chunk.values[i] = line < lines && i < along ? next[i] : from_float<T>(0.0f);
                *(Pack<T, CHUNK>*)&tile[to + line * ALONG] = chunk;
                next += (size_t)pitch * PASS;
            }
        }
        if (TERMS_INNER) {
            from += DEPTH;
            along -= DEPTH;
        } else {
            from += (size_t)pitch * DEPTH;
            lines -= DEPTH;
        }
    }

    // Rows row .. row + 15 of terms term .. term + 15, as multiply_add wants A: 8 rows and the next, then 8 terms on.
    static __device__ __forceinline__ void load_a(u32 (&r)[4], const T* tile, int row, int term) {
        int lane = threadIdx.x % 32;
        if (TERMS_INNER) {
            load_matrices<false>(r, &tile[place<ALONG>(row + lane % 16, term / CHUNK + lane / 16)]);
        } else {
            load_matrices<true>(r, &tile[place<ALONG>(term + lane / 16 * 8 + lane % 8, row / CHUNK + lane / 8 % 2)]);
        }
    }

    // The same as it wants B, for two products: 8 terms and the next, then 8 rows (here columns of C) on.
    static __device__ __forceinline__ void load_b(u32 (&r)[4], const T* tile, int row, int term) {
        int lane = threadIdx.x % 32;
        if (TERMS_INNER) {
            load_matrices<false>(r, &tile[place<ALONG>(row + lane / 16 * 8 + lane % 8, term / CHUNK + lane / 8 % 2)]);
        } else {
            load_matrices<true>(r, &tile[place<ALONG>(term + lane % 16, row / CHUNK + lane / 16)]);
        }
    }
};

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

    template <int COUNT, typename C, typename T>
    __device__ __forceinline__ void write(C* c, bool accumulate, const Epilogue<T>& epilogue) {
#pragma unroll 1
        for (int at = COUNT * (threadIdx.x % 32); at < ROWS * WARP; at += COUNT * 32) {
            int r = row + at / WARP, column = col + at % WARP;
            if (r >= m || column >= n) continue;
            Pack<float, COUNT> sum = *(const Pack<float, COUNT>*)&values[at / WARP * PITCH + at % WARP];
            size_t place = (size_t)r * n + column;
            if (accumulate) {
                Pack<C, COUNT> start = *(const Pack<C, COUNT>*)(c + place);
#pragma unroll
                for (int j = 0; j < COUNT; j++) sum.values[j] = to_float(start.values[j]) + sum.values[j];
            }
            epilogue.apply(sum.values, place, column);
            Pack<C, COUNT> out;
#pragma unroll
            for (int j = 0; j < COUNT; j++) out.values[j] = from_float<C>(sum.values[j]);
            *(Pack<C, COUNT>*)(c + place) = out;
        }
    }

    template <typename C, typename T>
    __device__ __forceinline__ void write(void* c, bool accumulate, const Epilogue<T>& epilogue) {
        if (aligned(c, 4 * sizeof(C)) && n % 4 == 0 && epilogue.template takes<4>()) {
            write<4>((C*)c, accumulate, epilogue);
        } else {
            write<1>((C*)c, accumulate, epilogue);
        }
    }
};

template <typename T, bool A_TRANSPOSED, bool B_TRANSPOSED, int TILE>
__device__ __forceinline__ void product(void* c, const T* a, const T* b, const void* other, int m, int n, int k,
                                        bool c_is_float, bool accumulate, int epilogue, float scale) {
    constexpr int WARP = TILE / 2;
    using A = Operand<T, !A_TRANSPOSED, TILE>;
    using B = Operand<T, B_TRANSPOSED, TILE>;
    using Strip = Strip<WARP>;
    T* tiles = (T*)shared;
    static_assert(STAGES * 2 * TILE * DEPTH * sizeof(T) >= 4 * Strip::ROWS * Strip::PITCH * sizeof(float), "strips");

    Place place(m, n, TILE, TILE);
    A as(a, m, k, place.row);
    B bs(b, n, k, place.col);
    int warp = threadIdx.x / 32, row = warp / 2 * WARP, col = warp % 2 * WARP;

    float sum[WARP / 16][WARP / 8][4] = {};
    int count = k / DEPTH + (k % DEPTH != 0);
    // The first rounds only fetch.
#pragma unroll 1
    for (int fetched = 0; fetched < count + STAGES - 1; fetched++) {
        int tile = fetched - (STAGES - 1);
        if (tile >= 0) {
            copy_wait<STAGES - 2>();
            // All threads' copies of this tile have arrived, and all are done with the tile before it, whose place
            // the next copies take.
            __syncthreads();
        }
        if (fetched < count) {
            T* to = &tiles[fetched % STAGES * 2 * TILE * DEPTH];
            as.fetch(to);
            bs.fetch(to + TILE * DEPTH);
        }
        // A group for every round, if an empty one, so that their count says which tile has arrived.
        copy_commit();
        if (tile < 0) continue;

        const T* at = &tiles[tile % STAGES * 2 * TILE * DEPTH];
        const T* bt = at + TILE * DEPTH;
#pragma unroll
        for (int term = 0; term < DEPTH; term += 16) {
            u32 x[WARP / 16][4], y[WARP / 16][4];
#pragma unroll
            for (int i = 0; i < WARP / 16; i++) A::load_a(x[i], at, row + i * 16, term);
#pragma unroll
            for (int j = 0; j < WARP / 16; j++) B::load_b(y[j], bt, col + j * 16, term);
#pragma unroll
            for (int i = 0; i < WARP / 16; i++)
#pragma unroll
                for (int j = 0; j < WARP / 8; j++)
                    multiply_add<T>(sum[i][j], x[i], y[j / 2][j % 2 * 2], y[j / 2][j % 2 * 2 + 1]);
        }
    }

    // The strips lie where the tiles were.
    __syncthreads();
    Epilogue<T> finish = {other, epilogue, scale};
    float* strips = (float*)shared;
    // One loop body for all strips; which sums it takes is a branch, so that they stay in registers.
#pragma unroll 1
    for (int i = 0; i < WARP / 16; i++) {
        Strip strip = {strips + warp * Strip::ROWS * Strip::PITCH, place.row + row + i * 16, place.col + col, m, n};
        __syncwarp();
#pragma unroll
        for (int which = 0; which < WARP / 16; which++)
            if (which == i) strip.put(sum[which]);
        __syncwarp();
        if (c_is_float) {
            strip.template write<float>(c, accumulate, finish);
        } else {
            strip.template write<T>(c, accumulate, finish);
        }
    }
}

// nn: neither operand transposed, nt: B, tn: A, tt: both.
#define ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, NAME, TILE, BLOCKS, T)                                              \
    extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS)                                                     \
        matmul_##LAYOUT##_##NAME##_##T(void* c, const T* a, const T* b, const void* other, int m, int n, int k,       \
                                       int c_is_float, int accumulate, int epilogue, float scale) {                   \
        product<T, A_TRANSPOSED, B_TRANSPOSED, TILE>(c, a, b, other, m, n, k, c_is_float != 0, accumulate != 0,       \
                                                     epilogue, scale);                                                \
    }

#define ENTRIES(LAYOUT, A_TRANSPOSED, B_TRANSPOSED)                    \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 2, bf16)     \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 4, bf16)     \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, large, 128, 2, f16)      \
    ENTRY(LAYOUT, A_TRANSPOSED, B_TRANSPOSED, medium, 64, 4, f16)

ENTRIES(nn, false, false)
ENTRIES(nt, false, true)
ENTRIES(tn, true, false)
ENTRIES(tt, true, true)
