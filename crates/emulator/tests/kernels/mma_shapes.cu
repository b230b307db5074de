// D = A B + C by one warp, for each shape and type of mma.sync; fragments are laid out as PTX ISA says, by hand.
// Launch: one block of 32 threads. Sub-word numbers are packed two to a u32, in the order of memory.
// a (16, K) row-major, b (8, K): column-major K x 8; c, d (16, 8) row-major.

#include "tensor.cuh"

// Registers of A and B for a K of 16-bit numbers: word w of row r holds columns 2 w and 2 w + 1.
template <int K>
__device__ __forceinline__ void fragments_16(const u32* a, const u32* b, u32 (&af)[K / 4], u32 (&bf)[K / 8]) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < K / 8; i++) {
        af[2 * i] = a[g * (K / 2) + i * 4 + t];
        af[2 * i + 1] = a[(g + 8) * (K / 2) + i * 4 + t];
        bf[i] = b[g * (K / 2) + i * 4 + t];
    }
}

template <int K>
__device__ __forceinline__ void fragments_32(const u32* a, const u32* b, u32 (&af)[K / 2], u32 (&bf)[K / 4]) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int i = 0; i < K / 4; i++) {
        af[2 * i] = a[g * K + i * 4 + t];
        af[2 * i + 1] = a[(g + 8) * K + i * 4 + t];
        bf[i] = b[g * K + i * 4 + t];
    }
}

__device__ __forceinline__ void read_c(const float* c, float (&d)[4]) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    for (int e = 0; e < 4; e++) d[e] = c[(g + e / 2 * 8) * 8 + t * 2 + e % 2];
}

__device__ __forceinline__ void write_d(float* to, const float (&d)[4]) {
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    for (int e = 0; e < 4; e++) to[(g + e / 2 * 8) * 8 + t * 2 + e % 2] = d[e];
}

#define M16N8K16_F32(NAME, TYPE)                                                                                     \
    extern "C" __global__ void NAME(const u32* a, const u32* b, const float* c, float* to) {                         \
        u32 af[4], bf[2];                                                                                            \
        float d[4];                                                                                                  \
        fragments_16<16>(a, b, af, bf);                                                                              \
        read_c(c, d);                                                                                                \
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE                                          \
                     ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                          \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                \
                     : "r"(af[0]), "r"(af[1]), "r"(af[2]), "r"(af[3]), "r"(bf[0]), "r"(bf[1]));                      \
        write_d(to, d);                                                                                              \
    }

#define M16N8K8_F32(NAME, TYPE)                                                                                      \
    extern "C" __global__ void NAME(const u32* a, const u32* b, const float* c, float* to) {                         \
        u32 af[2], bf[1];                                                                                            \
        float d[4];                                                                                                  \
        fragments_16<8>(a, b, af, bf);                                                                               \
        read_c(c, d);                                                                                                \
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32." TYPE "." TYPE                                           \
                     ".f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"                                      \
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                                \
                     : "r"(af[0]), "r"(af[1]), "r"(bf[0]));                                                          \
        write_d(to, d);                                                                                              \
    }

M16N8K16_F32(mma_16816_f16, "f16")
M16N8K16_F32(mma_16816_bf16, "bf16")
M16N8K8_F32(mma_1688_f16, "f16")
M16N8K8_F32(mma_1688_bf16, "bf16")

// C and D in f16: word w of row r holds columns 2 w and 2 w + 1.
extern "C" __global__ void mma_16816_f16_f16(const u32* a, const u32* b, const u32* c, u32* to) {
    u32 af[4], bf[2];
    fragments_16<16>(a, b, af, bf);
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    u32 d[2] = {c[g * 4 + t], c[(g + 8) * 4 + t]};
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
        : "+r"(d[0]), "+r"(d[1])
        : "r"(af[0]), "r"(af[1]), "r"(af[2]), "r"(af[3]), "r"(bf[0]), "r"(bf[1]));
    to[g * 4 + t] = d[0];
    to[(g + 8) * 4 + t] = d[1];
}

extern "C" __global__ void mma_1688_f16_f16(const u32* a, const u32* b, const u32* c, u32* to) {
    u32 af[2], bf[1];
    fragments_16<8>(a, b, af, bf);
    int g = threadIdx.x / 4, t = threadIdx.x % 4;
    u32 d[2] = {c[g * 4 + t], c[(g + 8) * 4 + t]};
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {%0, %1}, {%2, %3}, {%4}, {%0, %1};"
                 : "+r"(d[0]), "+r"(d[1])
                 : "r"(af[0]), "r"(af[1]), "r"(bf[0]));
    to[g * 4 + t] = d[0];
    to[(g + 8) * 4 + t] = d[1];
}

// tf32: f32 whose low 13 bits the product ignores.
extern "C" __global__ void mma_1688_tf32(const u32* a, const u32* b, const float* c, float* to) {
    u32 af[4], bf[2];
    float d[4];
    fragments_32<8>(a, b, af, bf);
    read_c(c, d);
    Tf32::multiply(d, af, bf[0], bf[1]);
    write_d(to, d);
}

extern "C" __global__ void mma_1684_tf32(const u32* a, const u32* b, const float* c, float* to) {
    u32 af[2], bf[1];
    float d[4];
    fragments_32<4>(a, b, af, bf);
    read_c(c, d);
    asm volatile(
        "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(af[0]), "r"(af[1]), "r"(bf[0]));
    write_d(to, d);
}

// What ldmatrix gives each lane, plain and transposed, for one, two and four matrices.
// x: 4 matrices of 8 x 8 16-bit numbers; y (6, 32, 4) words: rows x1, x2, x4, x1.trans, x2.trans, x4.trans; words that
// a row does not have stay 0. Launch: one block of 32 threads.
extern "C" __global__ void ldmatrix_all(const uint4* x, u32* y) {
    __shared__ __align__(16) u16 tile[4 * 64];
    ((uint4*)tile)[threadIdx.x] = x[threadIdx.x];
    __syncwarp();
    u32 from = shared_address(&tile[threadIdx.x * 8]);
    u32 r[6][4] = {};
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(r[0][0]) : "r"(from) : "memory");
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[1][0]), "=r"(r[1][1])
                 : "r"(from)
                 : "memory");
    load_matrices(r[2], &tile[threadIdx.x * 8]);
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];" : "=r"(r[3][0]) : "r"(from) : "memory");
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[4][0]), "=r"(r[4][1])
                 : "r"(from)
                 : "memory");
    load_matrices_transposed(r[5], &tile[threadIdx.x * 8]);
    for (int i = 0; i < 6; i++)
        for (int e = 0; e < 4; e++) y[(i * 32 + threadIdx.x) * 4 + e] = r[i][e];
}
