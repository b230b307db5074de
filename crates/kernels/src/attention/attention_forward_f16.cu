// Attention forward in f16, for head sizes up to 32, 64 and 128: forward_tensor.cuh.

#include "forward_tensor.cuh"

FORWARD(attention_forward_32_f16, f16, 32)
FORWARD(attention_forward_64_f16, f16, 64)
FORWARD(attention_forward_128_f16, f16, 128)
