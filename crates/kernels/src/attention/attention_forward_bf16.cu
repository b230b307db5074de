// Attention forward in bf16, for head sizes up to 32, 64 and 128: forward_tensor.cuh.

#include "forward_tensor.cuh"

FORWARD(attention_forward_32_bf16, bf16, 32)
FORWARD(attention_forward_64_bf16, bf16, 64)
FORWARD(attention_forward_128_bf16, bf16, 128)
