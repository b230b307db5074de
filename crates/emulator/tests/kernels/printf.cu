// Formatted output from the device.

// One line a thread, with every kind of argument. Launch: any.
extern "C" __global__ void print_all(int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    printf("thread %d of %u: %5.2f %e %g %s %c %x %lld %llu %%\n", i, (unsigned)n, i * 0.25, 1.0 / (i + 1), 1e10 * i,
           i % 2 == 0 ? "even" : "odd", 'a' + i % 26, 0xff00u + i, -1234567890123ll * i, 0xffffffffffffffffull);
}

// No arguments, and a result: how many arguments vprintf says it wrote. y (1). Launch: one block of one thread.
extern "C" __global__ void print_plain(int* y) {
    printf("plain\n");
    y[0] = printf("%d %d %d\n", 1, 2, 3);
}
