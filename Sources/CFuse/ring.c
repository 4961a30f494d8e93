// SPDX-License-Identifier: Apache-2.0
//
// The kernel's side of the ring: an entry, its requests, and their answers. See ring.h.

#define _GNU_SOURCE

#include "ring.h"

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

// Source of the two commands and of their argument: Linux 6.14, include/uapi/linux/fuse.h,
// fuse_uring_cmd and fuse_uring_cmd_req.
enum { command_register = 1, command_commit_and_fetch = 2 };

typedef struct {
    uint64_t flags;
    uint64_t commit_id;
    uint16_t queue;
    uint8_t padding[6];
} ring_command;

_Static_assert(sizeof(ring_command) == 24, "fuse_uring_cmd_req of protocol 7.42");

/// The bytes of a submission that a command's argument may have, with IORING_SETUP_SQE128.
enum { command_size = 80 };
/// Requests that read or bring so many bytes are served on another processor than their caller's:
/// going there and back costs a tenth of it.
enum { large_request = 256 << 10 };

/// What a ring's completions are of.
enum { of_request = 1, of_stop = 2 };

/// What the calling thread serves.
static _Thread_local ring_entry *serving;

// An entry

static size_t page_size(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/// Bytes of an entry's memory: a page for its header, one that ends in a request's head, payload.
static size_t memory_size(const ring_entry *entry) {
    return 2 * page_size() + entry->ring->payload_size;
}

int ring_entry_open(ring_entry *entry) {
    // Touched only as far as requests go.
    uint8_t *memory = mmap(
        NULL, memory_size(entry), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    entry->header = (ring_header *)memory;
    entry->payload = memory + 2 * page_size();
    entry->parts[0] = (struct iovec){entry->header, sizeof *entry->header};
    entry->parts[1] = (struct iovec){entry->payload, entry->ring->payload_size};
    // One thread submits and waits, and the kernel does its part of a request when it does.
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
    };
    // An entry of the device's, and one that waits for the end.
    const int result = io_uring_queue_init_params(2, &entry->uring, &parameters);
    if (result < 0) {
        munmap(memory, memory_size(entry));
    }
    return result;
}

void ring_entry_close(ring_entry *entry) {
    io_uring_queue_exit(&entry->uring);
    munmap(entry->header, memory_size(entry));
}

/// Hands the entry to the kernel: for the first time, or with an answer.
static void prepare(ring_entry *entry, uint32_t command, uint64_t commit_id) {
    struct io_uring_sqe *submission = io_uring_get_sqe(&entry->uring);
    io_uring_prep_rw(
        IORING_OP_URING_CMD, submission, entry->ring->device, entry->parts, 2, 0);
    submission->cmd_op = command;
    const ring_command own = {.commit_id = commit_id, .queue = (uint16_t)entry->queue};
    memset(submission->cmd, 0, command_size);
    memcpy(submission->cmd, &own, sizeof own);
    submission->user_data = of_request;
}

static void prepare_stop(ring_entry *entry) {
    struct io_uring_sqe *submission = io_uring_get_sqe(&entry->uring);
    io_uring_prep_poll_add(submission, entry->ring->stop, POLLIN);
    submission->user_data = of_stop;
}

/// Submits what was prepared, and waits. 1 with a request, 0 at the end, or a negative error
/// number.
static int next(ring_entry *entry) {
    while (!entry->is_over) {
        int result = io_uring_submit_and_wait(&entry->uring, 1);
        // What the system has no memory for now is submitted with the next call.
        if (result < 0 && result != -EINTR && result != -EAGAIN) {
            return result;
        }
        struct io_uring_cqe *completion;
        bool is_done = false;
        while (io_uring_peek_cqe(&entry->uring, &completion) == 0) {
            if (completion->user_data == of_stop) {
                entry->is_over = true;
            } else {
                is_done = true;
                result = completion->res < 0 ? completion->res : 1;
            }
            io_uring_cqe_seen(&entry->uring, completion);
        }
        // A request that came together with the end is answered yet.
        if (is_done) {
            return result;
        }
    }
    // The last answer may not have gone out.
    io_uring_submit(&entry->uring);
    return 0;
}

// Answers

/// Puts an answer into the entry: libfuse's head, and what follows it.
static void fill(ring_entry *entry, const struct iovec *parts, int count) {
    size_t used = 0;
    struct fuse_out_header head;
    memcpy(&head, parts[0].iov_base, sizeof head);
    for (int index = 1; index < count; index++) {
        if (parts[index].iov_len > entry->ring->payload_size - used) {
            head = (struct fuse_out_header){sizeof head, -EIO, head.unique};
            used = 0;
            break;
        }
        // What was made in the thread's own buffer is where it belongs.
        if (parts[index].iov_base != entry->payload + used) {
            memcpy(entry->payload + used, parts[index].iov_base, parts[index].iov_len);
        }
        used += parts[index].iov_len;
    }
    memcpy(entry->header->in_out, &head, sizeof head);
    entry->header->payload_size = (uint32_t)used;
}

/// The entry whose thread has this request; NULL if the device has brought it.
static ring_entry *holder(cfuse_ring *ring, uint64_t unique) {
    const unsigned count = atomic_load(&ring->count);
    for (unsigned index = 0; index < count; index++) {
        if (atomic_load(&ring->entries[index]->unique) == unique) {
            return ring->entries[index];
        }
    }
    return NULL;
}

bool cfuse_ring_answer(cfuse_ring *ring, uint64_t unique, const struct iovec *parts, int count) {
    if (serving && serving->ring == ring && atomic_load(&serving->unique) == unique) {
        fill(serving, parts, count);
        serving->is_answered = true;
        return true;
    }
    ring_entry *entry = holder(ring, unique);
    if (!entry) {
        return false;
    }
    while (sem_wait(&entry->left) != 0) {
    }
    fill(entry, parts, count);
    sem_post(&entry->answered);
    return true;
}

void cfuse_thread_waits(void) {
    if (serving) {
        ring_guard_raise(serving);
    }
}

uint8_t *cfuse_thread_buffer(size_t size) {
    return serving && size <= serving->ring->payload_size ? serving->payload : NULL;
}

// Requests

/// Puts the request together in front of the payload. False if it is none.
static bool assemble(
    ring_entry *entry, struct fuse_in_header *head, struct fuse_buf *request) {
    memcpy(head, entry->header->in_out, sizeof *head);
    const size_t payload = entry->header->payload_size;
    if (payload > entry->ring->payload_size || head->len < sizeof *head + payload
        || head->len - sizeof *head - payload > sizeof entry->header->arguments) {
        return false;
    }
    const size_t arguments = head->len - sizeof *head - payload;
    uint8_t *start = entry->payload - arguments - sizeof *head;
    memcpy(start, head, sizeof *head);
    memcpy(start + sizeof *head, entry->header->arguments, arguments);
    cfuse_name_temporary(start, head->len);
    *request = (struct fuse_buf){.size = head->len, .mem = start};
    return true;
}

/// Whether it is so much work that another processor should do it.
static bool is_large(const ring_entry *entry, const struct fuse_in_header *head) {
    struct fuse_read_in read;
    switch (head->opcode) {
    case FUSE_WRITE:
        return entry->header->payload_size >= large_request;
    case FUSE_READ:
        memcpy(&read, entry->header->arguments, sizeof read);
        return read.size >= large_request;
    default:
        return false;
    }
}

/// Gives the request to libfuse; returns when it is answered.
static void process(ring_entry *entry, uint64_t unique, const struct fuse_buf *request) {
    entry->is_answered = false;
    atomic_store(&entry->unique, unique);
    serving = entry;
    fuse_session_process_buf(entry->ring->session->fuse, request);
    serving = NULL;
    if (!entry->is_answered) {
        sem_post(&entry->left);
        while (sem_wait(&entry->answered) != 0) {
        }
    }
    atomic_store(&entry->unique, 0);
}

/// Serves the entry's request, and gives the answer to the kernel, at the latest with the next
/// submission. False if it has none.
static bool serve(ring_entry *entry) {
    struct fuse_in_header head;
    struct fuse_buf request;
    const uint64_t commit_id = entry->header->commit_id;
    if (!assemble(entry, &head, &request)) {
        return false;
    }
    if (is_large(entry, &head)) {
        ring_guard_stream(entry);
        ring_go_elsewhere(entry->queue);
        process(entry, head.unique, &request);
        prepare(entry, command_commit_and_fetch, commit_id);
        io_uring_submit(&entry->uring);
        ring_stay(entry->queue);
    } else {
        process(entry, head.unique, &request);
        ring_guard_lower(entry);
        prepare(entry, command_commit_and_fetch, commit_id);
    }
    return true;
}

/// Nobody takes what the kernel still puts into this entry's queue.
static void fail(ring_entry *entry) {
    cfuse_session *session = entry->ring->session;
    session->callbacks.failed(session->host);
}

/// The kernel has refused this entry.
static void was_refused(ring_entry *entry, int result) {
    const bool is_last_of_queue = ring_lost(entry->ring, entry->queue) == 0;
    // The setting was switched off before the kernel took the answer to INIT, and nobody is told of
    // that (fuse_uring_cmd of Linux 6.14). It serves by the device until each queue has an entry
    // (fuse_uring_do_register).
    if (result == -EOPNOTSUPP && is_last_of_queue) {
        cfuse_session_leave_ring(entry->ring->session);
        return;
    }
    fuse_log(FUSE_LOG_WARNING, "the kernel takes no entry: %s\n", strerror(-result));
    if (is_last_of_queue) {
        fail(entry);
    }
}

/// The end of the connection, which needs no words.
static bool is_end(int result) {
    return result == 0 || result == -ENOTCONN || result == -ECONNABORTED;
}

void ring_entry_serve(ring_entry *entry) {
    prepare_stop(entry);
    prepare(entry, command_register, 0);
    int result = next(entry);
    if (result < 0 && !is_end(result)) {
        was_refused(entry, result);
        return;
    }
    while (result > 0) {
        ring_took(entry->ring, entry->queue);
        ring_guard_note(entry);
        if (!serve(entry)) {
            result = -EPROTO;
            break;
        }
        ring_gave(entry->ring, entry->queue);
        result = next(entry);
    }
    if (!is_end(result)) {
        fuse_log(FUSE_LOG_ERR, "io_uring failed: %s\n", strerror(-result));
        fail(entry);
    }
}
