// SPDX-License-Identifier: Apache-2.0
//
// BLAKE3: hash, keyed hash and key derivation with extendable output, from the published
// specification (O'Connor, Aumasson, Neves, Wilcox-O'Hearn: "BLAKE3, one function, fast
// everywhere", 2020). The instruction set is chosen once, at run time.
//
// A hasher is a plain value: copy it with `=` to fork a computation. No call allocates, fails or
// keeps a pointer. Distinct hashers may be used on distinct threads.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    /// Bytes of a key, and of a digest of the usual length.
    CBLAKE3_SIZE = 32,
    /// Bytes of one compression block.
    CBLAKE3_BLOCK_SIZE = 64,
    /// Bytes of one leaf of the tree.
    CBLAKE3_CHUNK_SIZE = 1024,
    /// Most chaining values that wait to be merged: one a tree level, for inputs below 2^64 bytes,
    /// and one more because merging is put off until the next chunk proves that there is one.
    CBLAKE3_STACK_DEPTH = 55,
};

/// The code that hashes many chunks side by side.
typedef enum {
    /// One chunk at a time, in standard C.
    CBLAKE3_PORTABLE = 0,
    /// Four chunks in 128-bit vectors: SSE4.1, or NEON on AArch64.
    CBLAKE3_WIDE_4 = 1,
    /// Eight chunks in 256-bit vectors: AVX2.
    CBLAKE3_WIDE_8 = 2,
    /// Sixteen chunks in 512-bit vectors: AVX-512 F and VL.
    CBLAKE3_WIDE_16 = 3,
} cblake3_implementation;

/// A hash being computed. Its fields belong to this module.
typedef struct {
    uint32_t key[8];
    uint32_t chunk_cv[8];
    uint64_t chunk_index;
    uint32_t flags;
    uint8_t implementation;
    uint8_t blocks_done;
    uint8_t block_length;
    uint8_t stack_count;
    uint8_t block[CBLAKE3_BLOCK_SIZE];
    uint8_t stack[CBLAKE3_STACK_DEPTH * CBLAKE3_SIZE];
} cblake3_hasher;

/// Whether this processor can run `implementation`.
bool cblake3_is_available(cblake3_implementation implementation);

/// The widest implementation this processor can run; what every new hasher uses.
cblake3_implementation cblake3_best(void);

/// Begins a plain hash.
void cblake3_init(cblake3_hasher *hasher);

/// Begins a keyed hash. `key` is CBLAKE3_SIZE bytes.
void cblake3_init_keyed(cblake3_hasher *hasher, const uint8_t *key);

/// Begins a key derivation. `context` is `length` bytes of a string that is unique to one use.
void cblake3_init_derive(cblake3_hasher *hasher, const uint8_t *context, size_t length);

/// Makes this hasher use `implementation`, for tests that compare them. False, and nothing is
/// changed, if the processor cannot run it.
bool cblake3_select(cblake3_hasher *hasher, cblake3_implementation implementation);

/// Takes in `length` more bytes. `input` may be null if `length` is 0.
void cblake3_update(cblake3_hasher *hasher, const uint8_t *input, size_t length);

/// Writes the first `length` bytes of the output. The hasher is not changed, so more input may
/// follow, and any length is a prefix of every longer one.
void cblake3_finish(const cblake3_hasher *hasher, uint8_t *output, size_t length);

/// Hashes `length` bytes at once into CBLAKE3_SIZE bytes of `output`.
void cblake3_hash(const uint8_t *input, size_t length, uint8_t *output);
