// SPDX-License-Identifier: Apache-2.0
//
// The compression function in standard C, one input at a time: for short inputs, for the few
// nodes at the top of a tree, and for processors without vectors we know.

#include "internal.h"

ALWAYS_INLINE uint32_t rotate_right(uint32_t word, unsigned count) {
    return (word >> count) | (word << (32 - count));
}

/// The quarter round, on the words of one column or diagonal.
ALWAYS_INLINE void mix(
    uint32_t state[16], size_t a, size_t b, size_t c, size_t d, uint32_t x, uint32_t y) {
    state[a] = state[a] + state[b] + x;
    state[d] = rotate_right(state[d] ^ state[a], 16);
    state[c] = state[c] + state[d];
    state[b] = rotate_right(state[b] ^ state[c], 12);
    state[a] = state[a] + state[b] + y;
    state[d] = rotate_right(state[d] ^ state[a], 8);
    state[c] = state[c] + state[d];
    state[b] = rotate_right(state[b] ^ state[c], 7);
}

ALWAYS_INLINE void run_round(uint32_t state[16], const uint32_t message[16], size_t round) {
    const uint8_t *order = SCHEDULE[round];
    mix(state, 0, 4, 8, 12, message[order[0]], message[order[1]]);
    mix(state, 1, 5, 9, 13, message[order[2]], message[order[3]]);
    mix(state, 2, 6, 10, 14, message[order[4]], message[order[5]]);
    mix(state, 3, 7, 11, 15, message[order[6]], message[order[7]]);
    mix(state, 0, 5, 10, 15, message[order[8]], message[order[9]]);
    mix(state, 1, 6, 11, 12, message[order[10]], message[order[11]]);
    mix(state, 2, 7, 8, 13, message[order[12]], message[order[13]]);
    mix(state, 3, 4, 9, 14, message[order[14]], message[order[15]]);
}

/// All rounds, before the feed-forward that differs between the two forms of output.
ALWAYS_INLINE void permute(
    uint32_t state[16], const uint32_t cv[8], const uint8_t block[CBLAKE3_BLOCK_SIZE],
    uint32_t block_length, uint64_t counter, uint32_t flags) {
    uint32_t message[16];
    load_words(message, block);
    load_words(message + 8, block + CBLAKE3_SIZE);
    memcpy(state, cv, 8 * sizeof *state);
    memcpy(state + 8, INITIAL_VALUE, 4 * sizeof *state);
    state[12] = (uint32_t)counter;
    state[13] = (uint32_t)(counter >> 32);
    state[14] = block_length;
    state[15] = flags;
    // Written out: with constant rounds the schedule melts into the code.
    run_round(state, message, 0);
    run_round(state, message, 1);
    run_round(state, message, 2);
    run_round(state, message, 3);
    run_round(state, message, 4);
    run_round(state, message, 5);
    run_round(state, message, 6);
}

void cblake3_compress(
    uint32_t cv[8], const uint8_t block[CBLAKE3_BLOCK_SIZE], uint32_t block_length,
    uint64_t counter, uint32_t flags) {
    uint32_t state[16];
    permute(state, cv, block, block_length, counter, flags);
    for (size_t i = 0; i < 8; i++) {
        cv[i] = state[i] ^ state[i + 8];
    }
}

void cblake3_compress_output(
    const uint32_t cv[8], const uint8_t block[CBLAKE3_BLOCK_SIZE], uint32_t block_length,
    uint64_t counter, uint32_t flags, uint8_t output[CBLAKE3_BLOCK_SIZE]) {
    uint32_t state[16];
    permute(state, cv, block, block_length, counter, flags);
    for (size_t i = 0; i < 8; i++) {
        state[i] ^= state[i + 8];
        state[i + 8] ^= cv[i];
    }
    store_words(output, state);
    store_words(output + CBLAKE3_SIZE, state + 8);
}

void cblake3_hash_many_portable(const hash_batch *batch, uint8_t *output) {
    const uint8_t *input = batch->input;
    uint64_t counter = batch->counter;
    for (size_t i = 0; i < batch->count; i++) {
        uint32_t cv[8];
        memcpy(cv, batch->key, sizeof cv);
        for (size_t block = 0; block < batch->blocks; block++) {
            uint32_t flags = batch->flags;
            flags |= block == 0 ? batch->first_flags : 0;
            flags |= block + 1 == batch->blocks ? batch->last_flags : 0;
            cblake3_compress(cv, input, CBLAKE3_BLOCK_SIZE, counter, flags);
            input += CBLAKE3_BLOCK_SIZE;
        }
        store_words(output + CBLAKE3_SIZE * i, cv);
        counter += batch->counter_step;
    }
}
