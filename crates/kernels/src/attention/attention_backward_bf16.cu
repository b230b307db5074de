// Attention backward in bf16, for head sizes up to 32, 64 and 128: backward_tensor.cuh.

#include "backward_tensor.cuh"

BACKWARD(attention_backward_queries_32_bf16, backward_queries, 128, bf16, 32)
BACKWARD(attention_backward_queries_64_bf16, backward_queries, 128, bf16, 64)
BACKWARD(attention_backward_queries_128_bf16, backward_queries, 128, bf16, 128)
BACKWARD(attention_backward_keys_32_bf16, backward_keys, 256, bf16, 32)
BACKWARD(attention_backward_keys_64_bf16, backward_keys, 256, bf16, 64)
BACKWARD(attention_backward_keys_128_bf16, backward_keys, 256, bf16, 128)
