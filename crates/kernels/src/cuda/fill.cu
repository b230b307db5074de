// Sets every value of x, (n), any alignment, to the same bits of 4 or 2 bytes.
//
// Launch: any number of blocks of 256 threads. Traffic: writes x once, the floor. From the first address that is a
// multiple of 16 bytes on, a thread's store is 16 bytes, a warp's 512 in a row; the few values before and behind go one
// by one.

using u64 = unsigned long long;

template <typename T>
__device__ __forceinline__ void fill(T* x, u64 n, T value, unsigned word) {
    constexpr u64 VECTOR = 16 / sizeof(T);
    u64 first = (u64)blockIdx.x * blockDim.x + threadIdx.x, stride = (u64)gridDim.x * blockDim.x;
    u64 before = (16 - (u64)x % 16) % 16 / sizeof(T);
    before = before < n ? before : n;
    u64 vectors = (n - before) / VECTOR, behind = n - before - VECTOR * vectors;
    uint4* aligned = (uint4*)(x + before);
    for (u64 i = first; i < vectors; i += stride) aligned[i] = uint4{word, word, word, word};
    if (first < before) x[first] = value;
    if (first < behind) x[before + VECTOR * vectors + first] = value;
}

extern "C" __global__ void __launch_bounds__(256) fill_4(unsigned* x, u64 n, unsigned word) { fill(x, n, word, word); }

// The value in both halves of the word.
extern "C" __global__ void __launch_bounds__(256) fill_2(unsigned short* x, u64 n, unsigned word) {
    fill(x, n, (unsigned short)word, word);
}
