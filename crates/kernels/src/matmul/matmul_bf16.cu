// Matrix products in bf16: product_16.cuh says how.

#include "matmul_16.cuh"

ENTRIES(bf16)
