// SPDX-License-Identifier: Apache-2.0
//
// The tree: how chunks become chaining values, and these one root.
//
// Invariants of a hasher:
// - `chunk_index` counts the chunks whose chaining value is on the stack or below it; the chunk
//   in `block`, `blocks_done` and `chunk_cv` has that index. Its first byte may not have come.
// - The stack holds roots of complete subtrees, the largest lowest. Two of equal size may stand on
//   top of it: they are merged only when more input shows that their parent is not the root.
// - `block` holds at least one byte once its chunk has any: a full block is compressed only when
//   the next byte comes, for only then it is known not to be the last.

#include "internal.h"

enum {
    /// Chunks hashed in one go: enough that the widest code runs full for all but the top four
    /// levels of parents, with their chaining values (8 KiB) still in the first-level cache.
    SLAB_CHUNKS = 256,
};

/// The inputs of a compression that has not been done, because it may turn out to be the root.
typedef struct {
    uint32_t cv[8];
    uint8_t block[CBLAKE3_BLOCK_SIZE];
    uint32_t block_length;
    uint64_t counter;
    uint32_t flags;
} pending_node;

static void begin_chunk(cblake3_hasher *hasher) {
    memcpy(hasher->chunk_cv, hasher->key, sizeof hasher->chunk_cv);
    hasher->blocks_done = 0;
    hasher->block_length = 0;
}

static void begin(cblake3_hasher *hasher, const uint32_t key[8], uint32_t flags) {
    memcpy(hasher->key, key, sizeof hasher->key);
    hasher->chunk_index = 0;
    hasher->flags = flags;
    hasher->implementation = (uint8_t)cblake3_best();
    hasher->stack_count = 0;
    begin_chunk(hasher);
}

void cblake3_init(cblake3_hasher *hasher) {
    begin(hasher, INITIAL_VALUE, 0);
}

void cblake3_init_keyed(cblake3_hasher *hasher, const uint8_t *key) {
    uint32_t words[8];
    load_words(words, key);
    begin(hasher, words, FLAG_KEYED_HASH);
}

void cblake3_init_derive(cblake3_hasher *hasher, const uint8_t *context, size_t length) {
    uint8_t key[CBLAKE3_SIZE];
    begin(hasher, INITIAL_VALUE, FLAG_DERIVE_KEY_CONTEXT);
    cblake3_update(hasher, context, length);
    cblake3_finish(hasher, key, sizeof key);
    uint32_t words[8];
    load_words(words, key);
    begin(hasher, words, FLAG_DERIVE_KEY_MATERIAL);
}

bool cblake3_select(cblake3_hasher *hasher, cblake3_implementation implementation) {
    if (!cblake3_is_available(implementation)) {
        return false;
    }
    hasher->implementation = (uint8_t)implementation;
    return true;
}

static void compress_pending(const pending_node *node, uint8_t output[CBLAKE3_SIZE]) {
    uint32_t cv[8];
    memcpy(cv, node->cv, sizeof cv);
    cblake3_compress(cv, node->block, node->block_length, node->counter, node->flags);
    store_words(output, cv);
}

static pending_node parent_of(
    const cblake3_hasher *hasher, const uint8_t left[CBLAKE3_SIZE],
    const uint8_t right[CBLAKE3_SIZE]) {
    pending_node node;
    memcpy(node.cv, hasher->key, sizeof node.cv);
    memcpy(node.block, left, CBLAKE3_SIZE);
    memcpy(node.block + CBLAKE3_SIZE, right, CBLAKE3_SIZE);
    node.block_length = CBLAKE3_BLOCK_SIZE;
    node.counter = 0;
    node.flags = hasher->flags | FLAG_PARENT;
    return node;
}

static pending_node last_block_of_chunk(const cblake3_hasher *hasher) {
    pending_node node;
    memcpy(node.cv, hasher->chunk_cv, sizeof node.cv);
    memcpy(node.block, hasher->block, hasher->block_length);
    memset(node.block + hasher->block_length, 0, CBLAKE3_BLOCK_SIZE - hasher->block_length);
    node.block_length = hasher->block_length;
    node.counter = hasher->chunk_index;
    node.flags = hasher->flags | FLAG_CHUNK_END;
    node.flags |= hasher->blocks_done == 0 ? FLAG_CHUNK_START : 0;
    return node;
}

static size_t chunk_length(const cblake3_hasher *hasher) {
    return (size_t)CBLAKE3_BLOCK_SIZE * hasher->blocks_done + hasher->block_length;
}

/// Merges what is on the stack into one subtree for each bit of `chunk_index`. Called only when
/// another chunk is known to follow, so that no parent made here can be the root.
static void merge_stack(cblake3_hasher *hasher) {
    const int subtrees = __builtin_popcountll(hasher->chunk_index);
    while (hasher->stack_count > subtrees) {
        uint8_t *left = hasher->stack + CBLAKE3_SIZE * (size_t)(hasher->stack_count - 2);
        const pending_node parent = parent_of(hasher, left, left + CBLAKE3_SIZE);
        compress_pending(&parent, left);
        hasher->stack_count -= 1;
    }
}

static void push(cblake3_hasher *hasher, const uint8_t cv[CBLAKE3_SIZE], uint64_t chunks) {
    merge_stack(hasher);
    memcpy(hasher->stack + CBLAKE3_SIZE * (size_t)hasher->stack_count, cv, CBLAKE3_SIZE);
    hasher->stack_count += 1;
    hasher->chunk_index += chunks;
}

/// Takes at most the rest of the current chunk.
static void absorb(cblake3_hasher *hasher, const uint8_t *input, size_t length) {
    while (length > 0) {
        if (hasher->block_length == CBLAKE3_BLOCK_SIZE) {
            const uint32_t start = hasher->blocks_done == 0 ? FLAG_CHUNK_START : 0;
            cblake3_compress(
                hasher->chunk_cv, hasher->block, CBLAKE3_BLOCK_SIZE, hasher->chunk_index,
                hasher->flags | start);
            hasher->blocks_done += 1;
            hasher->block_length = 0;
        }
        const size_t room = CBLAKE3_BLOCK_SIZE - (size_t)hasher->block_length;
        const size_t taken = length < room ? length : room;
        memcpy(hasher->block + hasher->block_length, input, taken);
        hasher->block_length = (uint8_t)(hasher->block_length + taken);
        input += taken;
        length -= taken;
    }
}

/// The largest complete subtree that can begin at the next chunk and lies within `length` bytes.
static size_t next_subtree(const cblake3_hasher *hasher, size_t length) {
    size_t chunks = SLAB_CHUNKS;
    while (chunks * CBLAKE3_CHUNK_SIZE > length || (hasher->chunk_index & (chunks - 1)) != 0) {
        chunks /= 2;
    }
    return chunks;
}

/// Hashes a complete subtree of `chunks` chunks, a power of two, and pushes it: as its two halves
/// if it has any, because its own top may be the root.
static void push_subtree(cblake3_hasher *hasher, const uint8_t *input, size_t chunks) {
    uint8_t cvs[SLAB_CHUNKS * CBLAKE3_SIZE];
    const hash_many_function hash_many =
        cblake3_hash_many((cblake3_implementation)hasher->implementation);
    hash_batch batch = {
        .input = input,
        .count = chunks,
        .blocks = BLOCKS_PER_CHUNK,
        .key = hasher->key,
        .counter = hasher->chunk_index,
        .counter_step = 1,
        .flags = hasher->flags,
        .first_flags = FLAG_CHUNK_START,
        .last_flags = FLAG_CHUNK_END,
    };
    hash_many(&batch, cvs);
    if (chunks == 1) {
        push(hasher, cvs, 1);
        return;
    }
    batch = (hash_batch){
        .input = cvs, .blocks = 1, .key = hasher->key, .flags = hasher->flags | FLAG_PARENT};
    for (size_t count = chunks; count > 2; count /= 2) {
        batch.count = count / 2;
        hash_many(&batch, cvs);
    }
    push(hasher, cvs, chunks / 2);
    push(hasher, cvs + CBLAKE3_SIZE, chunks / 2);
}

void cblake3_update(cblake3_hasher *hasher, const uint8_t *input, size_t length) {
    if (length == 0) {
        return;
    }
    const size_t begun = chunk_length(hasher);
    if (begun > 0) {
        const size_t room = CBLAKE3_CHUNK_SIZE - begun;
        const size_t taken = length < room ? length : room;
        absorb(hasher, input, taken);
        input += taken;
        length -= taken;
        if (length == 0) {
            return;
        }
        uint8_t cv[CBLAKE3_SIZE];
        const pending_node chunk = last_block_of_chunk(hasher);
        compress_pending(&chunk, cv);
        push(hasher, cv, 1);
        begin_chunk(hasher);
    }
    while (length > CBLAKE3_CHUNK_SIZE) {
        const size_t chunks = next_subtree(hasher, length);
        push_subtree(hasher, input, chunks);
        input += chunks * CBLAKE3_CHUNK_SIZE;
        length -= chunks * CBLAKE3_CHUNK_SIZE;
    }
    if (length > 0) {
        merge_stack(hasher);
        absorb(hasher, input, length);
    }
}

void cblake3_finish(const cblake3_hasher *hasher, uint8_t *output, size_t length) {
    pending_node node;
    size_t waiting = hasher->stack_count;
    if (chunk_length(hasher) > 0 || waiting == 0) {
        node = last_block_of_chunk(hasher);
    } else {
        // The input ended with a subtree, whose two halves are on top.
        waiting -= 2;
        const uint8_t *left = hasher->stack + CBLAKE3_SIZE * waiting;
        node = parent_of(hasher, left, left + CBLAKE3_SIZE);
    }
    while (waiting > 0) {
        uint8_t right[CBLAKE3_SIZE];
        compress_pending(&node, right);
        waiting -= 1;
        node = parent_of(hasher, hasher->stack + CBLAKE3_SIZE * waiting, right);
    }
    for (uint64_t index = 0; length > 0; index++) {
        uint8_t block[CBLAKE3_BLOCK_SIZE];
        cblake3_compress_output(
            node.cv, node.block, node.block_length, index, node.flags | FLAG_ROOT, block);
        const size_t taken = length < sizeof block ? length : sizeof block;
        memcpy(output, block, taken);
        output += taken;
        length -= taken;
    }
}

void cblake3_hash(const uint8_t *input, size_t length, uint8_t *output) {
    cblake3_hasher hasher;
    cblake3_init(&hasher);
    cblake3_update(&hasher, input, length);
    cblake3_finish(&hasher, output, CBLAKE3_SIZE);
}
