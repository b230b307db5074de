// Linear layers in bf16 with what follows them: linear_16.cuh says how.

#include "linear_16.cuh"

ENTRIES(bf16)
