// SPDX-License-Identifier: Apache-2.0
//
// Requests through io_uring, where the kernel offers it: what the files of it share.
// docs/decisions/0043-requests-by-ring.md says why it is so.
//
// The kernel keeps one queue for each processor, and puts a request into that of the processor its
// caller runs on. Each of our threads has a ring of its own with one entry of one queue in it, and
// stays on that queue's processor: the caller goes to sleep, the thread runs where it was, and
// nobody is woken on another processor. A thread gives its answer and takes its next request with
// one system call. The kernel takes the entry that came back last, so a thread that has just served
// serves again.
//
// - ring.c: the kernel's side: what is in an entry, requests, answers.
// - ring_threads.c: the threads, from the first to the last.
// - ring_guard.c: that a caller is not woken on another processor, and no thread kept from its own.
//
// FORGET, INTERRUPT and INIT, and everything we tell the kernel, go by the device as ever.
//
// Invariants:
// 1. A thread has one request at most. One thread at a time writes into its entry: itself, or who
//    answers the request later, once the thread has said that it is done with its bytes (`left`).
// 2. Entries are freed when no thread is left.
// 3. After INIT was answered with the ring, the kernel holds all requests back until each queue has
//    an entry. So all rings are made before the answer, and without them the device is used. The
//    device is used, too, where the setting was switched off before the kernel took the answer.

#pragma once

#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "internal.h"

enum {
    /// Most queues: a machine that may have more processors is served by the device.
    most_queues = 128,
    /// Most threads in all, which the queues share equally.
    most_threads = 2048,
    /// Threads of a queue that are there for what comes next, once it was used.
    spare_threads = 4,
    /// A thread's stack, in bytes, as the engine's own workers have it.
    ring_stack_size = 1 << 20,
};

_Static_assert(most_queues * spare_threads < most_threads, "a queue has more than its spare ones");

/// What the kernel writes and reads: fuse_uring_req_header of protocol 7.42, which the headers this
/// is built with do not have. Source: Linux 6.14, include/uapi/linux/fuse.h.
typedef struct {
    /// fuse_in_header on the way in, fuse_out_header on the way out.
    uint8_t in_out[128];
    /// The operation's own arguments.
    uint8_t arguments[128];
    uint64_t flags;
    /// Names the request when it is answered.
    uint64_t commit_id;
    /// Bytes in the payload.
    uint32_t payload_size;
    uint32_t padding;
    uint64_t reserved;
} ring_header;

_Static_assert(sizeof(ring_header) == 288, "fuse_uring_req_header of protocol 7.42");

/// A thread, its ring, and the one entry in it.
typedef struct {
    cfuse_ring *ring;
    struct io_uring uring;
    pthread_t thread;
    /// The thread's number; 0 before it runs.
    atomic_int task;
    unsigned queue;
    ring_header *header;
    /// The request's head and arguments are copied to right before it, so that it is in one piece.
    uint8_t *payload;
    struct iovec parts[2];
    /// The request it has; 0 with none.
    atomic_uint_fast64_t unique;
    /// The thread itself has answered it.
    bool is_answered;
    /// The session ends.
    bool is_over;
    /// The thread is done with its bytes; another one has answered it.
    sem_t left, answered;
    /// Requests it has had, and those of them that the guard knew of.
    atomic_uint turn;
    unsigned turn_seen;
    /// It lets others go first; see ring_guard.c.
    pthread_mutex_t class_lock;
    atomic_bool is_low;
    /// It was low when it got its request, and is not while it waits.
    bool is_raised;
} ring_entry;

/// What the guard keeps of a queue.
typedef struct {
    /// Not before then is a thread of it low again, in nanoseconds of the monotonic clock.
    atomic_int_fast64_t low_from;
    /// How long that was put off last, in nanoseconds.
    int64_t pause;
} guard_queue;

typedef struct {
    pthread_t thread;
    bool is_running;
    atomic_bool is_asleep, is_over;
    sem_t bell;
    guard_queue queues[most_queues];
} ring_guard;

struct cfuse_ring {
    cfuse_session *session;
    int device;
    /// Readable when all shall end.
    int stop;
    unsigned queues;
    /// Most threads of a queue.
    unsigned limit;
    size_t payload_size;
    /// What the first threads say when their rings are made, and wait for then.
    sem_t made, go;
    atomic_uint failures;
    atomic_bool is_open, is_abandoned;
    /// The machine had no further thread or ring: none is tried any more.
    atomic_bool is_exhausted;
    /// The end has come: none is made any more.
    atomic_bool is_stopping;
    /// Guards making threads.
    pthread_mutex_t lock;
    /// All entries, in the order they were made; those below `count` are there for good.
    ring_entry *entries[most_threads];
    atomic_uint count;
    /// By queue: its threads, and those of them that have no request.
    atomic_uint threads[most_queues], idle[most_queues];
    ring_guard guard;
};

/// Makes what an entry needs: 0 or a negative error number. In the thread it is for.
int ring_entry_open(ring_entry *entry);
/// The opposite of it.
void ring_entry_close(ring_entry *entry);
/// Serves until the connection or the session ends. In the same thread.
void ring_entry_serve(ring_entry *entry);

/// A queue's thread has got a request: makes others if few are left.
void ring_took(cfuse_ring *ring, unsigned queue);
/// Its request is answered.
void ring_gave(cfuse_ring *ring, unsigned queue);
/// A queue's thread could not begin. How many the queue has left.
unsigned ring_lost(cfuse_ring *ring, unsigned queue);
/// Starts a thread that takes no signals and is scheduled like any other.
bool ring_start(pthread_t *thread, void *(*body)(void *), void *argument);
/// The calling thread stays on a processor, if the process may use it.
void ring_stay(unsigned processor);
/// The calling thread leaves a processor for another one that the process may use, if there is one.
void ring_go_elsewhere(unsigned processor);

/// Starts the guard. False if the system does not allow what it needs.
bool ring_guard_start(cfuse_ring *ring);
void ring_guard_stop(cfuse_ring *ring);
/// The calling thread, the entry's, has got a request.
void ring_guard_note(ring_entry *entry);
/// It waits next, or wakes others that have work to do: it is as any other thread until
/// `ring_guard_lower`.
void ring_guard_raise(ring_entry *entry);
/// It answers next, if that was so.
void ring_guard_lower(ring_entry *entry);
/// It has got a large request: no thread of its queue is low for a while.
void ring_guard_stream(ring_entry *entry);
