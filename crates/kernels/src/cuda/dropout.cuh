// Dropout: dropout.rs says which piece of which block an element has.
#pragma once

#include "philox.cuh"

// What a launch is given: DropoutWords of dropout.rs. The step lies in device memory.
struct Dropout {
    const unsigned* step;
    unsigned key0, key1, threshold;
    float scale;
    unsigned place, unused;
};

__device__ __forceinline__ bool active(const Dropout& dropout) { return dropout.threshold > 0; }

// The eight pieces of one block.
struct Pieces {
    uint4 words;
};

// The block with this row and lane number; `step` is `*dropout.step`, which a kernel reads once.
__device__ __forceinline__ Pieces pieces(const Dropout& dropout, unsigned step, unsigned row, unsigned lane) {
    return Pieces{philox(uint4{row, lane, dropout.place, step}, uint2{dropout.key0, dropout.key1})};
}

// The factor of piece k, 0 or the scale. k should be known when this is compiled.
__device__ __forceinline__ float factor(const Dropout& dropout, const Pieces& pieces, int k) {
    unsigned word = k < 2 ? pieces.words.x : k < 4 ? pieces.words.y : k < 6 ? pieces.words.z : pieces.words.w;
    unsigned piece = k % 2 ? word >> 16 : word & 0xffffu;
    return piece >= dropout.threshold ? dropout.scale : 0.0f;
}
