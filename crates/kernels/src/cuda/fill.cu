// Sets every value of x, (n), any alignment.
//
// Launch: any number of blocks of 256 threads. Traffic: writes 4 n bytes, the floor. From the first address that is a
// multiple of 16 bytes on, a thread's store is 16 bytes, a warp's 512 in a row; up to three values before and behind go
// one by one.

using u64 = unsigned long long;

extern "C" __global__ void __launch_bounds__(256) fill_f32(float* x, u64 n, float value) {
    u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x, stride = (u64)gridDim.x * blockDim.x;
    u64 before = (16 - (u64)x % 16) % 16 / 4;
    before = before < n ? before : n;
    u64 vectors = (n - before) / 4, behind = n - before - 4 * vectors;
    float4* aligned = (float4*)(x + before);
    for (u64 i = first; i < vectors; i += stride) aligned[i] = float4{value, value, value, value};
    if (first < before) x[first] = value;
    if (first < behind) x[before + 4 * vectors + first] = value;
}
