// SPDX-License-Identifier: Apache-2.0
//
// The ring's threads. Each queue has one from the start. Who serves may wait, for the disk or until
// a slow lane has answered, and others of the same queue take what comes meanwhile; when few of
// them are left, as at the first request, who gets a request makes others. See ring.h.
//
// Some, not one: what comes while a queue has no entry is not taken by an entry that is made after
// it, but by the next one that brings an answer (fuse_uring_do_register of Linux 6.18), and all
// others may be waiting for long.

#define _GNU_SOURCE

#include "ring.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// One more than the highest number a processor can have: the kernel has a queue for each. 0 if it
/// does not say.
static unsigned possible_processors(void) {
    FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
    char text[32], end;
    unsigned last;
    if (!file) {
        return 0;
    }
    const bool is_read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    // One range, from 0; what is written any other way is not understood.
    if (is_read && sscanf(text, "0-%u%c", &last, &end) == 2 && end == '\n') {
        return last + 1;
    }
    return is_read && strcmp(text, "0\n") == 0 ? 1 : 0;
}

/// The process's processors: the main thread, whose number it has, stays on none.
static bool own_processors(cpu_set_t *out) {
    return sched_getaffinity(getpid(), sizeof *out, out) == 0;
}

void ring_stay(unsigned processor) {
    cpu_set_t allowed, own;
    if (processor < CPU_SETSIZE && own_processors(&allowed) && CPU_ISSET(processor, &allowed)) {
        CPU_ZERO(&own);
        CPU_SET(processor, &own);
        // Where it is refused the thread is just slower.
        sched_setaffinity(0, sizeof own, &own);
    }
}

void ring_go_elsewhere(unsigned processor) {
    cpu_set_t allowed;
    if (processor < CPU_SETSIZE && own_processors(&allowed)) {
        CPU_CLR(processor, &allowed);
        // Without another one the set is empty, and refused.
        sched_setaffinity(0, sizeof allowed, &allowed);
    }
}

/// Asks the disk like any other thread, also while it is low: else the kernel lets it read only
/// when nobody else does.
static void set_disk_class(void) {
    const long own = syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, getpid());
    if (own >= 0 && IOPRIO_PRIO_CLASS(own) == IOPRIO_CLASS_IDLE) {
        return;
    }
    syscall(
        SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0,
        IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, IOPRIO_BE_NORM));
}

bool ring_start(pthread_t *thread, void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, ring_stack_size);
    // Not as low as the thread that makes it may be.
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int result = pthread_create(thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return result == 0;
}

/// A thread's life.
static void *run(void *argument) {
    ring_entry *entry = argument;
    cfuse_ring *ring = entry->ring;
    prctl(PR_SET_NAME, "cairn-ring", 0, 0, 0);
    ring_stay(entry->queue);
    set_disk_class();
    const bool is_made = ring_entry_open(entry) == 0;
    if (!atomic_load(&ring->is_open)) {
        atomic_fetch_add(&ring->failures, !is_made);
        sem_post(&ring->made);
        while (sem_wait(&ring->go) != 0) {
        }
    } else if (!is_made) {
        atomic_store(&ring->is_exhausted, true);
        ring_lost(ring, entry->queue);
    }
    if (!is_made) {
        return NULL;
    }
    // From here on others may look for what this one serves: who makes it has noted it by then.
    pthread_mutex_lock(&ring->lock);
    pthread_mutex_unlock(&ring->lock);
    if (!atomic_load(&ring->is_abandoned)) {
        atomic_store(&entry->task, gettid());
        ring_entry_serve(entry);
        // The system may give the number to another thread.
        pthread_mutex_lock(&entry->class_lock);
        atomic_store(&entry->task, 0);
        pthread_mutex_unlock(&entry->class_lock);
    }
    ring_entry_close(entry);
    return NULL;
}

static void free_entry(ring_entry *entry) {
    pthread_mutex_destroy(&entry->class_lock);
    sem_destroy(&entry->left);
    sem_destroy(&entry->answered);
    free(entry);
}

/// Whether a queue may have one more thread.
static bool has_room(cfuse_ring *ring, unsigned queue) {
    return !atomic_load(&ring->is_exhausted) && !atomic_load(&ring->is_stopping)
        && atomic_load(&ring->count) < most_threads
        && atomic_load(&ring->threads[queue]) < ring->limit;
}

/// Makes an entry and its thread. False if the system has none to give.
static bool start_entry(cfuse_ring *ring, unsigned queue) {
    ring_entry *entry = calloc(1, sizeof *entry);
    if (!entry) {
        return false;
    }
    entry->ring = ring;
    entry->queue = queue;
    pthread_mutex_init(&entry->class_lock, NULL);
    sem_init(&entry->left, 0, 0);
    sem_init(&entry->answered, 0, 0);
    atomic_fetch_add(&ring->threads[queue], 1);
    atomic_fetch_add(&ring->idle[queue], 1);
    if (!ring_start(&entry->thread, run, entry)) {
        ring_lost(ring, queue);
        free_entry(entry);
        return false;
    }
    const unsigned count = atomic_load(&ring->count);
    ring->entries[count] = entry;
    atomic_store(&ring->count, count + 1);
    return true;
}

/// Makes a thread, if the queue may have one more. False if it may not, or there is none to have.
static bool add_thread(cfuse_ring *ring, unsigned queue) {
    pthread_mutex_lock(&ring->lock);
    const bool is_allowed = has_room(ring, queue);
    const bool is_made = is_allowed && start_entry(ring, queue);
    if (is_allowed && !is_made) {
        atomic_store(&ring->is_exhausted, true);
    }
    pthread_mutex_unlock(&ring->lock);
    return is_made;
}

void ring_took(cfuse_ring *ring, unsigned queue) {
    atomic_fetch_sub(&ring->idle[queue], 1);
    // Where there are as many as may be, requests wait until others are answered.
    while (atomic_load(&ring->idle[queue]) < spare_threads && has_room(ring, queue)
           && add_thread(ring, queue)) {
    }
}

void ring_gave(cfuse_ring *ring, unsigned queue) { atomic_fetch_add(&ring->idle[queue], 1); }

unsigned ring_lost(cfuse_ring *ring, unsigned queue) {
    atomic_fetch_sub(&ring->idle[queue], 1);
    return atomic_fetch_sub(&ring->threads[queue], 1) - 1;
}

/// Makes the first thread of each queue. False if the machine does not allow it.
static bool fill_queues(cfuse_ring *ring) {
    bool is_whole = true;
    for (unsigned queue = 0; is_whole && queue < ring->queues; queue++) {
        is_whole = add_thread(ring, queue);
    }
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        while (sem_wait(&ring->made) != 0) {
        }
    }
    return is_whole && atomic_load(&ring->failures) == 0;
}

/// The kernel's queues; 0 where it has too many for us.
static unsigned possible_queues(void) {
    const unsigned count = possible_processors();
    return count > most_queues ? 0 : count;
}

uint32_t cfuse_ring_share(void) {
    const unsigned queues = possible_queues();
    return queues == 0 ? 0 : most_threads / queues;
}

cfuse_ring *cfuse_ring_new(cfuse_session *session, int device, size_t payload_size) {
    const unsigned queues = possible_queues();
    if (queues == 0) {
        return NULL;
    }
    cfuse_ring *ring = calloc(1, sizeof *ring);
    if (!ring) {
        return NULL;
    }
    ring->session = session;
    ring->device = device;
    ring->queues = queues;
    ring->limit = most_threads / queues;
    ring->payload_size = payload_size;
    ring->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&ring->lock, NULL);
    sem_init(&ring->made, 0, 0);
    sem_init(&ring->go, 0, 0);
    if (ring->stop < 0 || !ring_guard_start(ring) || !fill_queues(ring)) {
        cfuse_ring_abandon(ring);
        return NULL;
    }
    return ring;
}

/// Lets the first threads go on.
static void let_go(cfuse_ring *ring) {
    atomic_store(&ring->is_open, true);
    for (unsigned index = 0; index < ring->queues; index++) {
        sem_post(&ring->go);
    }
}

void cfuse_ring_open(cfuse_ring *ring) { let_go(ring); }

void cfuse_ring_abandon(cfuse_ring *ring) {
    atomic_store(&ring->is_abandoned, true);
    let_go(ring);
    cfuse_ring_join(ring);
    cfuse_ring_free(ring);
}

void cfuse_ring_stop(cfuse_ring *ring) {
    pthread_mutex_lock(&ring->lock);
    atomic_store(&ring->is_stopping, true);
    pthread_mutex_unlock(&ring->lock);
    eventfd_write(ring->stop, 1);
}

void cfuse_ring_join(cfuse_ring *ring) {
    // The guard first: when it ends, no thread is low, nor becomes so.
    ring_guard_stop(ring);
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        pthread_join(ring->entries[index]->thread, NULL);
    }
}

void cfuse_ring_free(cfuse_ring *ring) {
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        free_entry(ring->entries[index]);
    }
    if (ring->stop >= 0) {
        close(ring->stop);
    }
    sem_destroy(&ring->made);
    sem_destroy(&ring->go);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}
