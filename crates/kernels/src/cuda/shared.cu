// The headers' functions on values in memory, for the test that compares them with the CPU's bit by bit.
//
// Launch: any number of blocks; thread i does value i.

#include "dropout.cuh"
#include "element.cuh"
#include "lanes.cuh"
#include "math.cuh"

extern "C" __global__ void functions_f32(const float* x, float* exp, float* exp_minus, float* ln, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    exp[i] = exp_rn(x[i]);
    exp_minus[i] = exp_nonpositive(-fabsf(x[i]));
    ln[i] = ln_rn(x[i]);
}

// One warp a row of 32 values: its sum, its largest, and the factors of eight pieces of dropout's block (row, lane).
extern "C" __global__ void lanes_f32(const float* x, float* sum, float* largest, float* factors, Dropout dropout) {
    int row = blockIdx.x, lane = threadIdx.x;
    float value = x[32 * row + lane];
    sum[32 * row + lane] = lane_sum(value);
    largest[32 * row + lane] = lane_max(value);
    Pieces block = pieces(dropout, *dropout.step, row, lane);
#pragma unroll
    for (int k = 0; k < 8; k++) factors[(8 * row + k) * 32 + lane] = factor(dropout, block, k);
}

// f32 to 16 bits and back.
template <typename T>
__device__ __forceinline__ void round_trip(const float* x, T* rounded, float* back, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    rounded[i] = from_float<T>(x[i]);
    back[i] = to_float(rounded[i]);
}

extern "C" __global__ void round_trip_bf16(const float* x, bf16* rounded, float* back, int n) {
    round_trip(x, rounded, back, n);
}

extern "C" __global__ void round_trip_f16(const float* x, f16* rounded, float* back, int n) {
    round_trip(x, rounded, back, n);
}
