// Which block is the last to have done its part of something.
#pragma once

// Whether the block that calls is the last of `count` to say so, by a counter that is 0 before the first and is left 0.
// All its threads call, and what they wrote before, the last block's threads read behind the call: that is how blocks
// join their results without another launch. Nothing waits.
__device__ __forceinline__ bool last_to_arrive(unsigned* counter, unsigned count) {
    __shared__ bool last;
    // What a block has written is seen before its arrival is.
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(counter, count - 1) == count - 1;
    __syncthreads();
    // And what others wrote is read after their arrival was seen.
    if (last) __threadfence();
    return last;
}
