// Attention backward in f16, for head sizes up to 32, 64 and 128: backward_tensor.cuh.

#include "backward_tensor.cuh"

BACKWARD(attention_backward_queries_32_f16, backward_queries, 128, f16, 32)
BACKWARD(attention_backward_queries_64_f16, backward_queries, 128, f16, 64)
BACKWARD(attention_backward_queries_128_f16, backward_queries, 128, f16, 128)
BACKWARD(attention_backward_keys_32_f16, backward_keys, 256, f16, 32)
BACKWARD(attention_backward_keys_64_f16, backward_keys, 256, f16, 64)
BACKWARD(attention_backward_keys_128_f16, backward_keys, 256, f16, 128)
