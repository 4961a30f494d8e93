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
    /// Programs ask by the ring: nothing that comes by the device is worth looking for.
    atomic_bool is_aside;
} cfuse_reader;

/// Prepares a reader of zeros.
void cfuse_reader_open(cfuse_reader *reader);
/// Ends it; no thread uses it any more.
void cfuse_reader_close(cfuse_reader *reader);
/// The calling thread waits for the disk next; see `cfuse_session_expect_wait`.
void cfuse_reader_expect_wait(cfuse_reader *reader);
/// As read(2) of the device, when it is this thread's turn.
ssize_t cfuse_reader_read(cfuse_reader *reader, int device, void *buffer, size_t size);

/// The threads that serve requests through io_uring; see ring.h.
typedef struct cfuse_ring cfuse_ring;

/// Makes all that the kernel will ask for once it is told of the ring; NULL where the machine does
/// not allow it. `payload_size` is the most that comes or goes with one request, in bytes.
cfuse_ring *cfuse_ring_new(cfuse_session *session, int device, size_t payload_size);
/// Begins to serve: the kernel has been told.
void cfuse_ring_open(cfuse_ring *ring);
/// Ends and frees one that was not opened.
void cfuse_ring_abandon(cfuse_ring *ring);
/// Takes no more requests. Those that are being served are answered yet.
void cfuse_ring_stop(cfuse_ring *ring);
/// Returns when one that was stopped has answered all its requests, and its threads are gone.
void cfuse_ring_join(cfuse_ring *ring);
/// Frees one that has no thread any more.
void cfuse_ring_free(cfuse_ring *ring);
/// Answers a request, with libfuse's parts of an answer to the device. False if it is none of the
/// ring's.
bool cfuse_ring_answer(cfuse_ring *ring, uint64_t unique, const struct iovec *parts, int count);

/// Makes a request that libfuse 3.14 does not know into one that it does; see session.c.
void cfuse_name_temporary(void *buffer, size_t count);

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
    /// NULL where the kernel was told of none. Whether programs ask by it, the reader knows.
    _Atomic(cfuse_ring *) ring;
};

/// Requests come by the device, whatever INIT said. What there is of the ring stays until the end.
void cfuse_session_leave_ring(cfuse_session *session);

/// A name with an end: libfuse measures names itself, or sends the end along.
static inline const char *terminated(
    char copy[CFUSE_NAME_LIMIT + 1], const uint8_t *name, size_t count) {
    memcpy(copy, name, count);
    copy[count] = 0;
    return copy;
}

/// libfuse's table, each entry of which calls the session's own.
extern const struct fuse_lowlevel_ops cfuse_operations;
