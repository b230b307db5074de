// Matrix products in f16: product_16.cuh says how.

#include "matmul_16.cuh"

ENTRIES(f16)
