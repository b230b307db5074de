// y = x transposed, f32: x (rows, cols), y (cols, rows). Launch: (ceil(cols / 32), ceil(rows / 32)) blocks of (32, 8).

// Column reads of a tile of 32 x 32 words: all 32 lanes in one bank, 32 wavefronts instead of one.
extern "C" __global__ void transpose_conflicts(const float* x, float* y, int rows, int cols) {
    __shared__ float tile[32][32];
    int col = blockIdx.x * 32 + threadIdx.x, row0 = blockIdx.y * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (row0 + i < rows && col < cols) tile[i][threadIdx.x] = x[(size_t)(row0 + i) * cols + col];
    __syncthreads();
    int row = row0 + threadIdx.x, col0 = blockIdx.x * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (col0 + i < cols && row < rows) y[(size_t)(col0 + i) * rows + row] = tile[threadIdx.x][i];
}

// One word of padding a row: 32 lanes in 32 banks, both ways.
extern "C" __global__ void transpose_padded(const float* x, float* y, int rows, int cols) {
    __shared__ float tile[32][33];
    int col = blockIdx.x * 32 + threadIdx.x, row0 = blockIdx.y * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (row0 + i < rows && col < cols) tile[i][threadIdx.x] = x[(size_t)(row0 + i) * cols + col];
    __syncthreads();
    int row = row0 + threadIdx.x, col0 = blockIdx.x * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (col0 + i < cols && row < rows) y[(size_t)(col0 + i) * rows + row] = tile[threadIdx.x][i];
}

// No padding, but columns swizzled by the row.
extern "C" __global__ void transpose_swizzled(const float* x, float* y, int rows, int cols) {
    __shared__ float tile[32][32];
    int col = blockIdx.x * 32 + threadIdx.x, row0 = blockIdx.y * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (row0 + i < rows && col < cols) tile[i][threadIdx.x ^ i] = x[(size_t)(row0 + i) * cols + col];
    __syncthreads();
    int row = row0 + threadIdx.x, col0 = blockIdx.x * 32;
    for (int i = threadIdx.y; i < 32; i += 8)
        if (col0 + i < cols && row < rows) y[(size_t)(col0 + i) * rows + row] = tile[threadIdx.x][i ^ threadIdx.x];
}

// Without shared memory: reads coalesced, writes 4 * rows bytes apart.
extern "C" __global__ void transpose_plain(const float* x, float* y, int rows, int cols) {
    int col = blockIdx.x * 32 + threadIdx.x;
    for (int i = threadIdx.y; i < 32; i += 8) {
        int row = blockIdx.y * 32 + i;
        if (row < rows && col < cols) y[(size_t)col * rows + row] = x[(size_t)row * cols + col];
    }
}
