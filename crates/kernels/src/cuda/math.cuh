// Elementary functions: math.rs, operation by operation. Compiled without contraction, so a plain `a * b + c` rounds twice
// and `__fmaf_rn` once, as written there.
#pragma once

constexpr float EXP_MIN = -87.33654f;
constexpr float EXP_MAX = 88.72283f;
constexpr float EXP_ROUND = 12582912.0f;

// x = n ln 2 + r: n in the low bits of `t`; returns e^r.
__device__ __forceinline__ float reduced_exp(float x, float& t) {
    t = __fmaf_rn(x, 1.44269504088896340736f, EXP_ROUND);
    float n = __fsub_rn(t, EXP_ROUND);
    float r = __fmaf_rn(n, 2.1219444e-4f, __fmaf_rn(n, -0.6933594f, x));
    float p = 1.984127e-4f;
    p = __fmaf_rn(p, r, 1.3888889e-3f);
    p = __fmaf_rn(p, r, 8.333334e-3f);
    p = __fmaf_rn(p, r, 4.1666668e-2f);
    p = __fmaf_rn(p, r, 0.16666667f);
    p = __fmaf_rn(p, r, 0.5f);
    p = __fmaf_rn(p, r, 1.0f);
    return __fmaf_rn(p, r, 1.0f);
}

__device__ __forceinline__ float exp_rn(float x) {
    float t;
    float p = reduced_exp(x, t);
    int n = __float_as_int(t) - __float_as_int(EXP_ROUND);
    int half = n >> 1;
    float y = __fmul_rn(p, __int_as_float((half + 127) << 23));
    y = __fmul_rn(y, __int_as_float((n - half + 127) << 23));
    y = x < EXP_MIN ? 0.0f : y;
    y = x > EXP_MAX ? __int_as_float(0x7f800000) : y;
    return x != x ? x : y;
}

// e^x for x <= 0 or NaN: the bits of exp_rn.
__device__ __forceinline__ float exp_nonpositive(float x) {
    float t;
    float p = reduced_exp(x, t);
    float y = __fmul_rn(p, __int_as_float((__float_as_int(t) << 23) + (127 << 23)));
    return x < EXP_MIN ? 0.0f : y;
}

// ln x in f64 for a positive normal x.
__device__ __forceinline__ double ln_f64(double x) {
    long long bits = __double_as_longlong(x);
    int k = (int)((bits >> 52) & 0x7ff) - 1023;
    double m = __longlong_as_double((bits & 0x000fffffffffffffll) | (1023ll << 52));
    if (m > 1.41421356237309504880) {
        m = __dmul_rn(m, 0.5);
        k += 1;
    }
    double s = __ddiv_rn(__dsub_rn(m, 1.0), __dadd_rn(m, 1.0));
    double z = __dmul_rn(s, s);
    double p = 0.0;
#pragma unroll
    for (int i = 21; i >= 1; i -= 2) p = __dadd_rn(__dmul_rn(p, z), 1.0 / i);
    return __dadd_rn(__dmul_rn(__dmul_rn(2.0, s), p), __dmul_rn((double)k, 0.693147180559945309417));
}

// The natural logarithm: NaN below zero, minus infinity for zero and subnormal numbers.
__device__ __forceinline__ float ln_rn(float x) {
    if (x != x || x < 0.0f) return __int_as_float(0x7fffffff);
    if (x < 1.17549435e-38f) return __int_as_float(0xff800000);
    if (x == __int_as_float(0x7f800000)) return x;
    return __double2float_rn(ln_f64((double)x));
}
