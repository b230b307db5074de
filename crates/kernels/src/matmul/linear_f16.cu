// Linear layers in f16 with what follows them: linear_16.cuh says how.

#include "linear_16.cuh"

ENTRIES(f16)
