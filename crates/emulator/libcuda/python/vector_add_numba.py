"""A vector addition by Numba."""

import numpy as np
from numba import cuda


@cuda.jit
def add(x, y, z):
    i = cuda.grid(1)
    if i < z.size:
        z[i] = x[i] + y[i]


n = 1000
generator = np.random.default_rng(2)
x, y = (generator.random(n, dtype=np.float32) for _ in range(2))
z = cuda.to_device(np.zeros(n, dtype=np.float32))
add[(n + 255) // 256, 256](cuda.to_device(x), cuda.to_device(y), z)
assert np.array_equal(z.copy_to_host(), x + y)
print("Numba: the sums are right")
