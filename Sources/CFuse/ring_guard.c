// SPDX-License-Identifier: Apache-2.0
//
// Keeps a caller and the thread that serves it on one processor. See ring.h.
//
// The kernel wakes a caller on an idle processor, if there is one, and takes the one it is on for
// idle if only a thread of SCHED_IDLE runs there. So the ring's threads are of that class (low)
// while requests follow each other. Else the caller would move to another processor with each
// answer, and be waited for there longer than a request takes.
//
// But a low thread does not run where anything else does. So all threads are as any other until
// they get requests, and the guard looks at the low ones in every `look_time`: who has got no
// request since is made as any other again. If it was kept from running, no thread of that queue
// becomes low for a while, and for a longer while each time.
//
// A low thread that wakes another one would have it run in its own place. So who waits for the
// disk, or has much to do, is as any other thread until it answers.
//
// Nor does a low thread run while its caller does. So after a large request, which the next ones of
// a file that is read through are prepared with, the threads of that queue are as any other.
//
// Invariants:
// 1. While a thread is low, the guard looks. It sleeps only when it has found none, and whoever
//    becomes low after that wakes it.
// 2. A thread is of the class only while `is_low` says so; both change together, under
//    `class_lock`. Who changes them may be kept from running meanwhile: the guard does not wait for
//    that lock.
// 3. The guard ends when no thread is low, nor can become so.

#define _GNU_SOURCE

#include "ring.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

/// How often the guard looks, in nanoseconds: the longest that a low thread is kept from running is
/// two of these.
enum { look_time = 2000000 };
/// For how long a queue has no low threads after a large request, in nanoseconds.
enum { stream_pause = 20000000 };
/// Looks at which no thread was low, after which the guard sleeps until one is.
enum { most_in_vain = 50 };
/// For how long a queue whose thread was kept from running has no low ones, in nanoseconds: the
/// first time, and at most.
static const int64_t first_pause = 250000000, longest_pause = 16000000000;

static int64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool set_class(pid_t task, int class) {
    const struct sched_param none = {0};
    return sched_setscheduler(task, class, &none) == 0;
}

/// Whether a thread of this process could run: it does, or waits for its processor.
static bool is_runnable(pid_t task) {
    char path[64], text[128];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", task);
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    const ssize_t count = read(file, text, sizeof text - 1);
    close(file);
    if (count <= 0) {
        return false;
    }
    text[count] = 0;
    // The state follows the name, which is in parentheses.
    const char *end = strrchr(text, ')');
    return end && end[1] == ' ' && end[2] == 'R';
}

/// Makes a low thread as any other. False if it is changing its class just now.
static bool raise_entry(ring_entry *entry) {
    const pid_t task = atomic_load(&entry->task);
    if (pthread_mutex_trylock(&entry->class_lock) != 0) {
        // It may be kept from going on.
        set_class(task, SCHED_OTHER);
        return false;
    }
    if (atomic_load(&entry->task) != 0) {
        set_class(task, SCHED_OTHER);
    }
    atomic_store(&entry->is_low, false);
    pthread_mutex_unlock(&entry->class_lock);
    return true;
}

/// No thread of the queue is low before then.
static void put_off(cfuse_ring *ring, unsigned queue, int64_t until) {
    atomic_store(&ring->guard.queues[queue].low_from, until);
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        ring_entry *entry = ring->entries[index];
        if (entry->queue == queue && atomic_load(&entry->is_low)) {
            raise_entry(entry);
        }
    }
}

/// No thread of the queue is low for a while, because one was kept from running.
static void put_off_longer(cfuse_ring *ring, unsigned queue) {
    guard_queue *own = &ring->guard.queues[queue];
    const int64_t now = nanoseconds();
    // What went well for longer than it was put off begins anew.
    const bool is_new = now - atomic_load(&own->low_from) > own->pause;
    own->pause = is_new || own->pause == 0 ? first_pause : 2 * own->pause;
    if (own->pause > longest_pause) {
        own->pause = longest_pause;
    }
    put_off(ring, queue, now + own->pause);
}

/// Looks at a thread. Whether it is low still.
static bool look_at(ring_entry *entry) {
    if (!atomic_load(&entry->is_low)) {
        return false;
    }
    const unsigned turn = atomic_load(&entry->turn);
    if (turn != entry->turn_seen) {
        entry->turn_seen = turn;
        return true;
    }
    // With a request it runs, or waits for what it needs; without one it sleeps, or should.
    const bool is_kept =
        atomic_load(&entry->unique) == 0 && is_runnable(atomic_load(&entry->task));
    if (!raise_entry(entry)) {
        return true;
    }
    if (is_kept) {
        put_off_longer(entry->ring, entry->queue);
    }
    return false;
}

/// Looks at all threads. Whether one is low still.
static bool look(cfuse_ring *ring) {
    bool is_one_low = false;
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        is_one_low |= look_at(ring->entries[index]);
    }
    return is_one_low;
}

static void *run(void *argument) {
    cfuse_ring *ring = argument;
    ring_guard *guard = &ring->guard;
    const struct timespec pause = {.tv_nsec = look_time};
    unsigned in_vain = 0;
    prctl(PR_SET_NAME, "cairn-guard", 0, 0, 0);
    while (!atomic_load(&guard->is_over)) {
        // Whoever becomes low from here on is seen below, or rings.
        const bool may_sleep = in_vain >= most_in_vain;
        atomic_store(&guard->is_asleep, may_sleep);
        const bool is_needed = look(ring);
        in_vain = is_needed ? 0 : in_vain + 1;
        if (may_sleep && !is_needed) {
            sem_wait(&guard->bell);
            in_vain = 0;
        } else {
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        }
    }
    for (unsigned queue = 0; queue < ring->queues; queue++) {
        put_off(ring, queue, INT64_MAX);
    }
    while (look(ring)) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return NULL;
}

static bool may_be_low(const ring_entry *entry) {
    const guard_queue *queue = &entry->ring->guard.queues[entry->queue];
    return nanoseconds() >= atomic_load(&queue->low_from);
}

/// The calling thread is low from now on.
static void lower(ring_entry *entry) {
    ring_guard *guard = &entry->ring->guard;
    pthread_mutex_lock(&entry->class_lock);
    atomic_store(&entry->is_low, true);
    // Awake first: it must not be kept from ringing.
    if (atomic_exchange(&guard->is_asleep, false)) {
        sem_post(&guard->bell);
    }
    set_class(0, SCHED_IDLE);
    pthread_mutex_unlock(&entry->class_lock);
}

/// The calling thread is as any other from now on.
static void raise_self(ring_entry *entry) {
    pthread_mutex_lock(&entry->class_lock);
    set_class(0, SCHED_OTHER);
    atomic_store(&entry->is_low, false);
    pthread_mutex_unlock(&entry->class_lock);
}

void ring_guard_note(ring_entry *entry) {
    atomic_fetch_add(&entry->turn, 1);
    if (!atomic_load(&entry->is_low) && may_be_low(entry)) {
        lower(entry);
    }
}

void ring_guard_raise(ring_entry *entry) {
    if (atomic_load(&entry->is_low)) {
        raise_self(entry);
        entry->is_raised = true;
    }
}

void ring_guard_lower(ring_entry *entry) {
    if (entry->is_raised) {
        entry->is_raised = false;
        if (may_be_low(entry)) {
            lower(entry);
        }
    }
}

void ring_guard_stream(ring_entry *entry) {
    if (atomic_load(&entry->is_low)) {
        raise_self(entry);
    }
    const int64_t until = nanoseconds() + stream_pause;
    if (atomic_load(&entry->ring->guard.queues[entry->queue].low_from) < until) {
        put_off(entry->ring, entry->queue, until);
    }
}

/// Whether a thread may become low and be as any other again: who is not root, and has no
/// RLIMIT_NICE for it, may not. In a thread that ends then.
static void *find_out(void *argument) {
    *(bool *)argument = set_class(0, SCHED_IDLE) && set_class(0, SCHED_OTHER);
    return NULL;
}

bool ring_guard_start(cfuse_ring *ring) {
    pthread_t trial;
    bool is_allowed = false;
    // Whoever gave the process another class shall have it.
    if (sched_getscheduler(getpid()) != SCHED_OTHER) {
        return false;
    }
    if (!ring_start(&trial, find_out, &is_allowed)) {
        return false;
    }
    pthread_join(trial, NULL);
    sem_init(&ring->guard.bell, 0, 0);
    ring->guard.is_running = is_allowed && ring_start(&ring->guard.thread, run, ring);
    return ring->guard.is_running;
}

void ring_guard_stop(cfuse_ring *ring) {
    if (ring->guard.is_running) {
        ring->guard.is_running = false;
        atomic_store(&ring->guard.is_over, true);
        sem_post(&ring->guard.bell);
        pthread_join(ring->guard.thread, NULL);
    }
}
