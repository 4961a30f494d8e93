// SPDX-License-Identifier: Apache-2.0
//
// Who reads the device. docs/decisions/0026-one-reader.md says why it is one thread at a time.
//
// All threads of the session come here for their next request. One reads; it looks a moment for a
// request before it sleeps in the kernel. The others follow: they wait for the bell. Who has got a
// request stops reading before it serves it, and rings
// - if more requests wait already, and a program waits for this one,
// - if the request may take long: by its kind (`takes_long`), or because who serves it says that
//   the disk comes next (`cfuse_reader_expect_wait`) and somebody asked while it was last waited
//   for,
// - if nobody watches, or only in its sleep, because nothing was asked for a while.
// Otherwise it comes back by itself soon: waking another thread would cost as much as serving.
// If it does not, the watcher, one of those who follow, reads after `watch_time`.
//
// Invariants:
// 1. At most one thread is between taking `reading` and giving it back; nobody waits for a request
//    in the kernel without it.
// 2. While requests come, one thread watches, unless all serve requests: a request waits for a
//    reader no longer than two `watch_time`s, or until a thread is free.
// 3. `sem_wait`, `poll` and `read` are where libfuse cancels threads at the session's end. What a
//    cancelled thread had taken stays taken: nobody comes after it.

#define _GNU_SOURCE

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/// How long the reader looks for a request before it sleeps, in nanoseconds: some times what a
/// program needs between two calls, and what waking a sleeper costs.
enum { look_time = 60 * 1000 };
/// Looks in vain, one after the other, that are the price of those that are not.
enum { free_misses = 4 };
/// Further ones, after each of which fewer are made: one in 2, 4, … 2^this.
enum { most_misses = 6 };
/// How long a request may keep its thread before another reads, in milliseconds.
enum { watch_time = 1 };
/// Times without a request after which the watcher sleeps until the bell.
enum { quiet_times = 100 };
/// Waits for the disk in a row in which nobody asked for anything, after which nobody is woken for
/// the next ones: one program alone asks for nothing while it waits.
enum { most_idle_waits = 2 };

/// Whether this thread serves requests: others wait for the disk too, and hold up no reader.
static _Thread_local bool serves;
/// Whether its request waits for the disk, and how many had been read when it began to.
static _Thread_local bool waits;
static _Thread_local unsigned turn_before;

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void cfuse_reader_open(cfuse_reader *reader) {
    sem_init(&reader->bell, 0, 0);
}

void cfuse_reader_close(cfuse_reader *reader) {
    sem_destroy(&reader->bell);
}

/// Wakes one who follows.
static void ring(cfuse_reader *reader) {
    int unheard = 0;
    sem_getvalue(&reader->bell, &unheard);
    // One that nobody has heard yet says it all.
    if (unheard <= 0) {
        sem_post(&reader->bell);
    }
}

/// Waits for the bell, at most so many milliseconds, or for ever with -1.
static bool heard(cfuse_reader *reader, int limit) {
    if (limit < 0) {
        return sem_wait(&reader->bell) == 0;
    }
    const int64_t end = nanoseconds() + (int64_t)limit * 1000000;
    const struct timespec time = {.tv_sec = end / 1000000000, .tv_nsec = end % 1000000000};
    return sem_clockwait(&reader->bell, CLOCK_MONOTONIC, &time) == 0;
}

/// Returns when this thread may try to read.
static void follow(cfuse_reader *reader) {
    if (atomic_exchange(&reader->watching, true)) {
        heard(reader, -1);
        return;
    }
    unsigned turn = atomic_load(&reader->turn);
    int quiet = 0;
    for (;;) {
        if (heard(reader, quiet > quiet_times ? -1 : watch_time)) {
            break;
        }
        const unsigned now = atomic_load(&reader->turn);
        if (now != turn) {
            turn = now;
            quiet = 0;
        } else if (!atomic_load(&reader->reading)) {
            break;
        } else if (++quiet == quiet_times) {
            // Whoever reads from here on rings. What was read before is seen in the next round.
            atomic_store(&reader->asleep, true);
        }
    }
    atomic_store(&reader->asleep, false);
    atomic_store(&reader->watching, false);
}

static bool has_request(int device) {
    struct pollfd request = {.fd = device, .events = POLLIN};
    return poll(&request, 1, 0) != 0;
}

/// Looks for a request for a moment; the fewer come so, the seldomer. Only the reader calls it.
static void look(cfuse_reader *reader, int device) {
    if (atomic_load(&reader->is_aside)) {
        return;
    }
    if (reader->skips > 0) {
        reader->skips -= 1;
        return;
    }
    const int64_t end = nanoseconds() + look_time;
    do {
        if (has_request(device)) {
            reader->misses = 0;
            return;
        }
    } while (nanoseconds() < end);
    if (reader->misses < free_misses + most_misses) {
        reader->misses += 1;
    }
    if (reader->misses > free_misses) {
        reader->skips = (1u << (reader->misses - free_misses)) - 1;
    }
}

/// A request's kind; 0, which is none, for what is too short to have one.
static uint32_t opcode(const void *buffer, ssize_t count) {
    const struct fuse_in_header *header = buffer;
    return count < (ssize_t)sizeof *header ? 0 : header->opcode;
}

/// Requests that the disk may hold up, in the thread that has read them. Reads and syncs are not
/// among them: many reads are served from memory, much of a sync is done before the disk comes, and
/// of both we are told.
static bool takes_long(uint32_t opcode) {
    switch (opcode) {
    case FUSE_SYNCFS:
    case FUSE_COPY_FILE_RANGE:
    case FUSE_FALLOCATE:
    case FUSE_STATFS:
    case FUSE_DESTROY:
        return true;
    default:
        return false;
    }
}

/// Requests that no program waits for, and that are soon served: a thread that is woken to read the
/// next one meanwhile would come later than this one.
static bool is_aside(uint32_t opcode) {
    switch (opcode) {
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_FORGET:
        return true;
    default:
        return false;
    }
}

void cfuse_reader_expect_wait(cfuse_reader *reader) {
    if (!serves || waits) {
        return;
    }
    waits = true;
    turn_before = atomic_load(&reader->turn);
    if (!atomic_load(&reader->reading) && atomic_load(&reader->idle_waits) < most_idle_waits) {
        ring(reader);
    }
}

/// Looks back at a wait for the disk that is over: did anybody ask for anything meanwhile?
static void note_wait(cfuse_reader *reader, int device) {
    if (!waits) {
        return;
    }
    waits = false;
    if (atomic_load(&reader->turn) != turn_before || has_request(device)) {
        atomic_store(&reader->idle_waits, 0);
    } else if (atomic_load(&reader->idle_waits) < most_idle_waits) {
        atomic_fetch_add(&reader->idle_waits, 1);
    }
}

ssize_t cfuse_reader_read(cfuse_reader *reader, int device, void *buffer, size_t size) {
    serves = true;
    note_wait(reader, device);
    while (atomic_exchange(&reader->reading, true)) {
        follow(reader);
    }
    look(reader, device);
    const ssize_t count = read(device, buffer, size);
    const int failure = errno;
    atomic_fetch_add(&reader->turn, 1);
    atomic_store(&reader->reading, false);
    const uint32_t kind = opcode(buffer, count);
    if (count <= 0 || takes_long(kind) || !atomic_load(&reader->watching)
        || atomic_load(&reader->asleep) || (!is_aside(kind) && has_request(device))) {
        ring(reader);
    }
    errno = failure;
    return count;
}
