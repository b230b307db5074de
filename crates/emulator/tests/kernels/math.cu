// Floating-point functions. Every kernel: n threads in all or more.

#include "tensor.cuh"

// The approximate instructions. x (n); y (n, 10): ex2, lg2, sin, cos, tanh, rsqrt, rcp, sqrt, division, all .approx,
// and ex2.approx.ftz.
extern "C" __global__ void approximate(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float r[10], a = x[i];
    asm("ex2.approx.f32 %0, %1;" : "=f"(r[0]) : "f"(a));
    asm("lg2.approx.f32 %0, %1;" : "=f"(r[1]) : "f"(a));
    asm("sin.approx.f32 %0, %1;" : "=f"(r[2]) : "f"(a));
    asm("cos.approx.f32 %0, %1;" : "=f"(r[3]) : "f"(a));
    asm("tanh.approx.f32 %0, %1;" : "=f"(r[4]) : "f"(a));
    asm("rsqrt.approx.f32 %0, %1;" : "=f"(r[5]) : "f"(a));
    asm("rcp.approx.f32 %0, %1;" : "=f"(r[6]) : "f"(a));
    asm("sqrt.approx.f32 %0, %1;" : "=f"(r[7]) : "f"(a));
    asm("div.approx.f32 %0, %1, %2;" : "=f"(r[8]) : "f"(1.5f), "f"(a));
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r[9]) : "f"(a));
    for (int e = 0; e < 10; e++) y[i * 10 + e] = r[e];
}

// Library functions in f32, which NVRTC builds from the instructions. x (n); y (n, 12).
extern "C" __global__ void library_f32(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = x[i], b = fabsf(a);
    float r[12] = {expf(a), logf(b),       sinf(a), cosf(a),   tanhf(a),         powf(b, 0.7f),
                   erff(a), log1pf(b),     fmodf(a, 0.3f),     rintf(a), copysignf(1.0f, a), hypotf(a, 2.0f)};
    for (int e = 0; e < 12; e++) y[i * 12 + e] = r[e];
}

// Double precision. x (n); y (n, 10).
extern "C" __global__ void library_f64(const double* x, double* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double a = x[i], b = fabs(a);
    double r[10] = {exp(a), log(b), sin(a), sqrt(b), 1.0 / a, fma(a, a, -b), floor(a), pow(b, 1.25), a / 3.0, tanh(a)};
    for (int e = 0; e < 10; e++) y[i * 10 + e] = r[e];
}

// Basic arithmetic in every rounding mode. a, b, c (n); y (n, 24) f32: add, mul, fma, div, sqrt, rcp of (a, b, c), each
// rounded to nearest, towards zero, down, up.
extern "C" __global__ void rounding_f32(const float* a, const float* b, const float* c, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float x = a[i], z = b[i], w = c[i];
    float r[24] = {__fadd_rn(x, z),    __fadd_rz(x, z),    __fadd_rd(x, z),    __fadd_ru(x, z),
                   __fmul_rn(x, z),    __fmul_rz(x, z),    __fmul_rd(x, z),    __fmul_ru(x, z),
                   __fmaf_rn(x, z, w), __fmaf_rz(x, z, w), __fmaf_rd(x, z, w), __fmaf_ru(x, z, w),
                   __fdiv_rn(x, z),    __fdiv_rz(x, z),    __fdiv_rd(x, z),    __fdiv_ru(x, z),
                   __fsqrt_rn(x),      __fsqrt_rz(x),      __fsqrt_rd(x),      __fsqrt_ru(x),
                   __frcp_rn(x),       __frcp_rz(x),       __frcp_rd(x),       __frcp_ru(x)};
    for (int e = 0; e < 24; e++) y[i * 24 + e] = r[e];
}

// The same in f64.
extern "C" __global__ void rounding_f64(const double* a, const double* b, const double* c, double* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double x = a[i], z = b[i], w = c[i];
    double r[24] = {__dadd_rn(x, z),   __dadd_rz(x, z),   __dadd_rd(x, z),   __dadd_ru(x, z),
                    __dmul_rn(x, z),   __dmul_rz(x, z),   __dmul_rd(x, z),   __dmul_ru(x, z),
                    __fma_rn(x, z, w), __fma_rz(x, z, w), __fma_rd(x, z, w), __fma_ru(x, z, w),
                    __ddiv_rn(x, z),   __ddiv_rz(x, z),   __ddiv_rd(x, z),   __ddiv_ru(x, z),
                    __dsqrt_rn(x),     __dsqrt_rz(x),     __dsqrt_rd(x),     __dsqrt_ru(x),
                    __drcp_rn(x),      __drcp_rz(x),      __drcp_rd(x),      __drcp_ru(x)};
    for (int e = 0; e < 24; e++) y[i * 24 + e] = r[e];
}

// Conversions. x (n) f32; y (n, 12) u32: to s32 rounded to nearest, to zero, down, up; to u32; to s64 (low word);
// to f16; to bf16; to tf32; f16 to f32; bf16 to f32; to f64 (high word).
extern "C" __global__ void conversions(const float* x, unsigned* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float a = x[i];
    unsigned r[12] = {(unsigned)__float2int_rn(a),
                      (unsigned)__float2int_rz(a),
                      (unsigned)__float2int_rd(a),
                      (unsigned)__float2int_ru(a),
                      __float2uint_rz(a),
                      (unsigned)__float2ll_rn(a),
                      f16_of(a),
                      bf16_of(a),
                      tf32_of(__float_as_uint(a)),
                      __float_as_uint(of_f16((u16)__float_as_uint(a))),
                      __float_as_uint(of_bf16((u16)__float_as_uint(a))),
                      (unsigned)__double2hiint((double)a)};
    for (int e = 0; e < 12; e++) y[i * 12 + e] = r[e];
}

// Integers to floats. x (n) s64; y (n, 4) f32 bits: from s32, u32, s64, u64; z (n, 2) f64: from s64, u64.
extern "C" __global__ void from_integers(const long long* x, float* y, double* z, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    y[i * 4] = (float)(int)x[i];
    y[i * 4 + 1] = (float)(unsigned)x[i];
    y[i * 4 + 2] = (float)x[i];
    y[i * 4 + 3] = (float)(unsigned long long)x[i];
    z[i * 2] = (double)x[i];
    z[i * 2 + 1] = (double)(unsigned long long)x[i];
}

// Packed f16 and bf16 arithmetic. a, b, c (n) two numbers each; y (n, 12): f16x2 add, sub, mul, fma, fma.relu, min, max,
// neg; bf16x2 fma, fma.relu, min, max.
extern "C" __global__ void packed(const u32* a, const u32* b, const u32* c, u32* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    u32 x = a[i], z = b[i], w = c[i], r[12];
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(r[0]) : "r"(x), "r"(z));
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(r[1]) : "r"(x), "r"(z));
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(r[2]) : "r"(x), "r"(z));
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r[3]) : "r"(x), "r"(z), "r"(w));
    asm("fma.rn.relu.f16x2 %0, %1, %2, %3;" : "=r"(r[4]) : "r"(x), "r"(z), "r"(w));
    asm("min.f16x2 %0, %1, %2;" : "=r"(r[5]) : "r"(x), "r"(z));
    asm("max.NaN.f16x2 %0, %1, %2;" : "=r"(r[6]) : "r"(x), "r"(z));
    asm("neg.f16x2 %0, %1;" : "=r"(r[7]) : "r"(x));
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(r[8]) : "r"(x), "r"(z), "r"(w));
    asm("fma.rn.relu.bf16x2 %0, %1, %2, %3;" : "=r"(r[9]) : "r"(x), "r"(z), "r"(w));
    asm("min.bf16x2 %0, %1, %2;" : "=r"(r[10]) : "r"(x), "r"(z));
    asm("max.NaN.bf16x2 %0, %1, %2;" : "=r"(r[11]) : "r"(x), "r"(z));
    for (int e = 0; e < 12; e++) y[i * 12 + e] = r[e];
}

// Scalar f16: arithmetic, comparison, conversion of pairs. a, b (n) f16; y (n, 6) u16 bits: add, mul, fma(a, b, a),
// a < b, ex2.approx, tanh.approx; p (n): the pair (a, b) through f32 and back, packed.
extern "C" __global__ void halves(const u16* a, const u16* b, u16* y, u32* p, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    u16 x = a[i], z = b[i], r[6];
    asm("add.rn.f16 %0, %1, %2;" : "=h"(r[0]) : "h"(x), "h"(z));
    asm("mul.rn.f16 %0, %1, %2;" : "=h"(r[1]) : "h"(x), "h"(z));
    asm("fma.rn.f16 %0, %1, %2, %3;" : "=h"(r[2]) : "h"(x), "h"(z), "h"(x));
    asm("{.reg .pred less; setp.lt.f16 less, %1, %2; selp.u16 %0, 1, 0, less;}" : "=h"(r[3]) : "h"(x), "h"(z));
    asm("ex2.approx.f16 %0, %1;" : "=h"(r[4]) : "h"(x));
    asm("tanh.approx.f16 %0, %1;" : "=h"(r[5]) : "h"(x));
    for (int e = 0; e < 6; e++) y[i * 6 + e] = r[e];
    p[i] = f16x2_of(of_f16(x), of_f16(z));
}
