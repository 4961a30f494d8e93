// SPDX-License-Identifier: Apache-2.0
//
// What the files of this module share: the constants of the specification, byte order, and the
// shape of the functions that hash many equal inputs side by side.

#pragma once

#include "CBlake3.h"

#include <string.h>

/// For the steps of a round: only where all of them are in one function does the state stay in
/// registers. Twice the speed for one input, by measurement.
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/// Domain flags (specification, table 3).
enum {
    FLAG_CHUNK_START = 1u << 0,
    FLAG_CHUNK_END = 1u << 1,
    FLAG_PARENT = 1u << 2,
    FLAG_ROOT = 1u << 3,
    FLAG_KEYED_HASH = 1u << 4,
    FLAG_DERIVE_KEY_CONTEXT = 1u << 5,
    FLAG_DERIVE_KEY_MATERIAL = 1u << 6,
};

enum {
    BLOCKS_PER_CHUNK = CBLAKE3_CHUNK_SIZE / CBLAKE3_BLOCK_SIZE,
    ROUNDS = 7,
};

/// The initial chaining value: that of SHA-256 (specification, table 1).
static const uint32_t INITIAL_VALUE[8] = {
    0x6A09E667u, 0xBB67AE85u, 0x3C6EF372u, 0xA54FF53Au,
    0x510E527Fu, 0x9B05688Cu, 0x1F83D9ABu, 0x5BE0CD19u,
};

/// Which message word each round uses where: row r is the permutation of table 2 applied r times.
static const uint8_t SCHEDULE[ROUNDS][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8},
    {3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1},
    {10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6},
    {12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4},
    {9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7},
    {11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13},
};

/// Several inputs of equal length that lie one behind the other: the chunks of a file, or the
/// pairs of chaining values that become parents.
typedef struct {
    const uint8_t *input;
    /// How many inputs there are.
    size_t count;
    /// 64-byte blocks in each of them.
    size_t blocks;
    const uint32_t *key;
    /// The first input's counter.
    uint64_t counter;
    /// What the counter grows by from one input to the next: 1 for chunks, 0 for parents.
    uint64_t counter_step;
    /// Flags of every block, and those added for an input's first and last one.
    uint32_t flags, first_flags, last_flags;
} hash_batch;

/// Hashes every input of the batch to a chaining value of CBLAKE3_SIZE bytes in `output`, which
/// may be the batch's own input if `blocks` is 1: an output never passes the inputs still needed.
typedef void (*hash_many_function)(const hash_batch *batch, uint8_t *output);

void cblake3_hash_many_portable(const hash_batch *batch, uint8_t *output);
void cblake3_hash_many_wide4(const hash_batch *batch, uint8_t *output);
void cblake3_hash_many_wide8(const hash_batch *batch, uint8_t *output);
void cblake3_hash_many_wide16(const hash_batch *batch, uint8_t *output);

/// The function that stands behind an implementation the processor is known to have.
hash_many_function cblake3_hash_many(cblake3_implementation implementation);

/// The compression function, kept to its first eight words: replaces `cv` by the next one.
void cblake3_compress(
    uint32_t cv[8], const uint8_t block[CBLAKE3_BLOCK_SIZE], uint32_t block_length,
    uint64_t counter, uint32_t flags);

/// The compression function with all sixteen words of output: one block of extendable output.
void cblake3_compress_output(
    const uint32_t cv[8], const uint8_t block[CBLAKE3_BLOCK_SIZE], uint32_t block_length,
    uint64_t counter, uint32_t flags, uint8_t output[CBLAKE3_BLOCK_SIZE]);

static inline uint32_t load32(const uint8_t *bytes) {
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    return word;
}

static inline void store32(uint8_t *bytes, uint32_t word) {
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    word = __builtin_bswap32(word);
#endif
    memcpy(bytes, &word, sizeof word);
}

static inline void load_words(uint32_t words[8], const uint8_t bytes[CBLAKE3_SIZE]) {
    for (size_t i = 0; i < 8; i++) {
        words[i] = load32(bytes + 4 * i);
    }
}

static inline void store_words(uint8_t bytes[CBLAKE3_SIZE], const uint32_t words[8]) {
    for (size_t i = 0; i < 8; i++) {
        store32(bytes + 4 * i, words[i]);
    }
}
