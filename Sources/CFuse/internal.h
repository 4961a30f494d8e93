// SPDX-License-Identifier: Apache-2.0
//
// What the files of the shim share.

#pragma once

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "CFuse.h"

/// Which thread reads the device; see reader.c.
typedef struct {
    /// A thread reads, or is about to.
    atomic_bool reading;
    /// A thread watches; it sleeps until the bell.
    atomic_bool watching, asleep;
    /// Requests read so far.
    atomic_uint turn;
    /// Looks to skip, and looks in vain one after the other: the reader's own.
    unsigned skips, misses;
    /// What those who follow wait for.
    sem_t bell;
    /// Waits for the disk in a row in which nobody asked for anything.
    atomic_uint idle_waits;
} cfuse_reader;

/// Prepares a reader of zeros.
void cfuse_reader_open(cfuse_reader *reader);
/// Ends it; no thread uses it any more.
void cfuse_reader_close(cfuse_reader *reader);
/// The calling thread waits for the disk next; see `cfuse_session_expect_wait`.
void cfuse_reader_expect_wait(cfuse_reader *reader);
/// As read(2) of the device, when it is this thread's turn.
ssize_t cfuse_reader_read(cfuse_reader *reader, int device, void *buffer, size_t size);

struct cfuse_session {
    struct fuse_session *fuse;
    cfuse_callbacks callbacks;
    void *host;
    // The INIT request, between its arrival and its answer; see session.c.
    uint64_t init_unique;
    uint64_t init_kernel_flags;
    uint64_t init_extra_flags;
    uint32_t init_state;
    cfuse_reader reader;
};

/// A name with an end: libfuse measures names itself, or sends the end along.
static inline const char *terminated(
    char copy[CFUSE_NAME_LIMIT + 1], const uint8_t *name, size_t count) {
    memcpy(copy, name, count);
    copy[count] = 0;
    return copy;
}

/// libfuse's table, each entry of which calls the session's own.
extern const struct fuse_lowlevel_ops cfuse_operations;
