// Copies of n elements of 4, 8 and 16 bytes, whose traffic is known: thread i reads element i * stride + offset and
// writes element i. x (n * stride + offset), y (n). Launch: n threads in all or more.
// Coalesced (stride 1, offset 0) a warp's request is 4, 8 and 16 sectors of 32 bytes.

template <class T>
__device__ __forceinline__ void copy(const T* x, T* y, int n, int stride, int offset) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[(size_t)i * stride + offset];
}

extern "C" __global__ void copy_32(const float* x, float* y, int n, int stride, int offset) {
    copy(x, y, n, stride, offset);
}

extern "C" __global__ void copy_64(const float2* x, float2* y, int n, int stride, int offset) {
    copy(x, y, n, stride, offset);
}

extern "C" __global__ void copy_128(const float4* x, float4* y, int n, int stride, int offset) {
    copy(x, y, n, stride, offset);
}

// Bytes and 16-bit numbers: one sector and two a request.
extern "C" __global__ void copy_8(const unsigned char* x, unsigned char* y, int n, int stride, int offset) {
    copy(x, y, n, stride, offset);
}

extern "C" __global__ void copy_16(const unsigned short* x, unsigned short* y, int n, int stride, int offset) {
    copy(x, y, n, stride, offset);
}

// The same element for all lanes: one sector a request.
extern "C" __global__ void broadcast_32(const float* x, float* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = x[blockIdx.x];
}

// With cache hints: reads that stream past the first cache, writes that are evicted first.
extern "C" __global__ void copy_128_streaming(const float4* x, float4* y, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) __stcs(&y[i], __ldcs(&x[i]));
}

// Through shared memory with a stride of `stride` words between lanes; x, y (32 * blocks), one warp a block.
// stride 1: one wavefront a request; 2: two; 32: 32; odd: one.
extern "C" __global__ void copy_through_shared(const float* x, float* y, int stride) {
    __shared__ float buffer[32 * 33];
    int i = blockIdx.x * 32 + threadIdx.x;
    buffer[threadIdx.x * stride] = x[i];
    __syncwarp();
    y[i] = buffer[(31 - threadIdx.x) * stride];
}
