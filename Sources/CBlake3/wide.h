// SPDX-License-Identifier: Apache-2.0
//
// The compression function on LANES inputs side by side: word i of every input lies in vector i,
// one input a lane. Included once by each wide*.c, which defines before:
//
//   LANES                        inputs side by side
//   LANE_NUMBERS                 0, 1, … LANES - 1
//   JOIN(quads)                  one vector of LANES / 4 vectors of four words
//   LOW32, HIGH32, LOW64, HIGH64 shuffle indices: within each 128 bits, interleave the low or high
//                                halves of two vectors, word by word or pair by pair
//   hash_many_wide               the function this makes
//   hash_many_narrower           the one that takes the inputs that do not fill a vector
//
// The target attribute is set by the includer for everything here.

#include "internal.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "words are loaded as they lie in memory"
#endif

typedef uint32_t quad __attribute__((vector_size(16)));
typedef uint32_t lanes __attribute__((vector_size(4 * LANES)));
typedef uint64_t lane_pairs __attribute__((vector_size(4 * LANES)));

ALWAYS_INLINE quad load_quad(const uint8_t *bytes) {
    quad words;
    memcpy(&words, bytes, sizeof words);
    return words;
}

ALWAYS_INLINE lanes all_lanes(uint32_t word) {
    return (lanes){LANE_NUMBERS} * 0 + word;
}

/// Transposes the 4 by 4 words of each 128 bits: vector i gets word i of what were four vectors.
ALWAYS_INLINE void transpose_quads(lanes vectors[4]) {
    const lane_pairs low01 =
        (lane_pairs)__builtin_shufflevector(vectors[0], vectors[1], LOW32);
    const lane_pairs high01 =
        (lane_pairs)__builtin_shufflevector(vectors[0], vectors[1], HIGH32);
    const lane_pairs low23 =
        (lane_pairs)__builtin_shufflevector(vectors[2], vectors[3], LOW32);
    const lane_pairs high23 =
        (lane_pairs)__builtin_shufflevector(vectors[2], vectors[3], HIGH32);
    vectors[0] = (lanes)__builtin_shufflevector(low01, low23, LOW64);
    vectors[1] = (lanes)__builtin_shufflevector(low01, low23, HIGH64);
    vectors[2] = (lanes)__builtin_shufflevector(high01, high23, LOW64);
    vectors[3] = (lanes)__builtin_shufflevector(high01, high23, HIGH64);
}

/// Loads one block of every input; inputs lie `stride` bytes apart.
ALWAYS_INLINE void load_blocks(lanes message[16], const uint8_t *input, size_t stride) {
    for (size_t part = 0; part < 4; part++) {
        for (size_t row = 0; row < 4; row++) {
            quad quads[LANES / 4];
            for (size_t group = 0; group < LANES / 4; group++) {
                quads[group] = load_quad(input + (4 * group + row) * stride + 16 * part);
            }
            message[4 * part + row] = JOIN(quads);
        }
        transpose_quads(message + 4 * part);
    }
}

/// Stores the chaining values one behind the other.
ALWAYS_INLINE void store_cvs(uint8_t *output, lanes cv[8]) {
    for (size_t half = 0; half < 2; half++) {
        transpose_quads(cv + 4 * half);
        for (size_t row = 0; row < 4; row++) {
            uint8_t words[4 * LANES];
            memcpy(words, &cv[4 * half + row], sizeof words);
            for (size_t group = 0; group < LANES / 4; group++) {
                memcpy(
                    output + CBLAKE3_SIZE * (4 * group + row) + 16 * half, words + 16 * group, 16);
            }
        }
    }
}

ALWAYS_INLINE lanes rotate_right(lanes words, uint32_t count) {
    return (words >> count) | (words << (32 - count));
}

ALWAYS_INLINE void mix(
    lanes state[16], size_t a, size_t b, size_t c, size_t d, lanes x, lanes y) {
    state[a] += state[b] + x;
    state[d] = rotate_right(state[d] ^ state[a], 16);
    state[c] += state[d];
    state[b] = rotate_right(state[b] ^ state[c], 12);
    state[a] += state[b] + y;
    state[d] = rotate_right(state[d] ^ state[a], 8);
    state[c] += state[d];
    state[b] = rotate_right(state[b] ^ state[c], 7);
}

ALWAYS_INLINE void run_round(lanes state[16], const lanes message[16], size_t round) {
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

/// One block of every input into the chaining values.
ALWAYS_INLINE void compress_lanes(
    lanes cv[8], const lanes message[16], lanes counter_low, lanes counter_high, uint32_t flags) {
    lanes state[16];
    memcpy(state, cv, 8 * sizeof *state);
    for (size_t i = 0; i < 4; i++) {
        state[8 + i] = all_lanes(INITIAL_VALUE[i]);
    }
    state[12] = counter_low;
    state[13] = counter_high;
    state[14] = all_lanes(CBLAKE3_BLOCK_SIZE);
    state[15] = all_lanes(flags);
    // Written out: with constant rounds the schedule melts into the code.
    run_round(state, message, 0);
    run_round(state, message, 1);
    run_round(state, message, 2);
    run_round(state, message, 3);
    run_round(state, message, 4);
    run_round(state, message, 5);
    run_round(state, message, 6);
    for (size_t i = 0; i < 8; i++) {
        cv[i] = state[i] ^ state[8 + i];
    }
}

void hash_many_wide(const hash_batch *batch, uint8_t *output) {
    const size_t stride = batch->blocks * CBLAKE3_BLOCK_SIZE;
    hash_batch rest = *batch;
    for (; rest.count >= LANES; rest.count -= LANES) {
        const lanes base = all_lanes((uint32_t)rest.counter);
        const lanes low = base + (lanes){LANE_NUMBERS} * (uint32_t)rest.counter_step;
        // A comparison gives all ones where it holds, which is -1: the carry, subtracted.
        const lanes high = all_lanes((uint32_t)(rest.counter >> 32)) - (lanes)(low < base);
        lanes cv[8];
        for (size_t i = 0; i < 8; i++) {
            cv[i] = all_lanes(rest.key[i]);
        }
        for (size_t block = 0; block < rest.blocks; block++) {
            uint32_t flags = rest.flags;
            flags |= block == 0 ? rest.first_flags : 0;
            flags |= block + 1 == rest.blocks ? rest.last_flags : 0;
            lanes message[16];
            load_blocks(message, rest.input + block * CBLAKE3_BLOCK_SIZE, stride);
            compress_lanes(cv, message, low, high, flags);
        }
        store_cvs(output, cv);
        output += (size_t)LANES * CBLAKE3_SIZE;
        rest.input += LANES * stride;
        rest.counter += LANES * rest.counter_step;
    }
    if (rest.count > 0) {
        hash_many_narrower(&rest, output);
    }
}
