// SPDX-License-Identifier: Apache-2.0
//
// A session's life, the kernel's notifications, libfuse's log, and the checks that the structures
// this shim was written for are the ones it is built with.
//
// libfuse 3.14 knows neither all flags of INIT nor all requests, nor that requests may come by a
// ring (ring.h). So the device is read and written through the two functions below, which pass
// everything on untouched but for three things:
//
// - The INIT answer gets the flags that Swift asked for and the kernel offered; with the ring among
//   them, the ring is made first.
// - The answer to a request that came by the ring goes there.
// - A request for a file without a name (TMPFILE) becomes one for a file named "/" (CREATE). Both
//   have the same arguments and the same answer, the kernel itself gives the name "/" to files
//   without one, and no other file can have it.

#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include "internal.h"

_Static_assert(sizeof(fuse_ino_t) == 8, "inode numbers have 64 bits");
_Static_assert(sizeof(off_t) == 8, "file offsets have 64 bits");
_Static_assert(sizeof(struct fuse_file_info) == 40, "fuse_file_info of 3.14");
_Static_assert(sizeof(struct fuse_conn_info) == 128, "fuse_conn_info of 3.14");
_Static_assert(sizeof(struct fuse_lowlevel_ops) == 44 * sizeof(void *), "operations of 3.14");
_Static_assert(sizeof(struct fuse_init_out) == 64, "INIT answer of protocol 7.23 and later");
_Static_assert(sizeof(cfuse_status) == 88, "no padding that Swift could see differently");
_Static_assert(sizeof(cfuse_change) == 64, "no padding that Swift could see differently");
_Static_assert(sizeof(cfuse_connection) == 48, "no padding that Swift could see differently");
_Static_assert(sizeof(cfuse_statistics) == 40, "no padding that Swift could see differently");

#define SAME(ours, theirs) _Static_assert((unsigned)(ours) == (unsigned)(theirs), #ours)
SAME(CFUSE_CAP_ASYNC_READ, FUSE_CAP_ASYNC_READ);
SAME(CFUSE_CAP_ATOMIC_O_TRUNC, FUSE_CAP_ATOMIC_O_TRUNC);
SAME(CFUSE_CAP_EXPORT_SUPPORT, FUSE_CAP_EXPORT_SUPPORT);
SAME(CFUSE_CAP_DONT_MASK, FUSE_CAP_DONT_MASK);
SAME(CFUSE_CAP_AUTO_INVAL_DATA, FUSE_CAP_AUTO_INVAL_DATA);
SAME(CFUSE_CAP_READDIRPLUS, FUSE_CAP_READDIRPLUS);
SAME(CFUSE_CAP_ASYNC_DIO, FUSE_CAP_ASYNC_DIO);
SAME(CFUSE_CAP_WRITEBACK_CACHE, FUSE_CAP_WRITEBACK_CACHE);
SAME(CFUSE_CAP_PARALLEL_DIROPS, FUSE_CAP_PARALLEL_DIROPS);
SAME(CFUSE_CAP_POSIX_ACL, FUSE_CAP_POSIX_ACL);
SAME(CFUSE_CAP_CACHE_SYMLINKS, FUSE_CAP_CACHE_SYMLINKS);
SAME(CFUSE_CAP_EXPLICIT_INVAL_DATA, FUSE_CAP_EXPLICIT_INVAL_DATA);
SAME(CFUSE_INIT_PARALLEL_DIROPS, FUSE_PARALLEL_DIROPS);
SAME(CFUSE_INIT_HANDLE_KILLPRIV_V2, FUSE_HANDLE_KILLPRIV_V2);
SAME(CFUSE_SET_MODE, FUSE_SET_ATTR_MODE);
SAME(CFUSE_SET_USER, FUSE_SET_ATTR_UID);
SAME(CFUSE_SET_GROUP, FUSE_SET_ATTR_GID);
SAME(CFUSE_SET_SIZE, FUSE_SET_ATTR_SIZE);
SAME(CFUSE_SET_ACCESSED, FUSE_SET_ATTR_ATIME);
SAME(CFUSE_SET_MODIFIED, FUSE_SET_ATTR_MTIME);
SAME(CFUSE_SET_ACCESSED_NOW, FUSE_SET_ATTR_ATIME_NOW);
SAME(CFUSE_SET_MODIFIED_NOW, FUSE_SET_ATTR_MTIME_NOW);
SAME(CFUSE_SET_CHANGED, FUSE_SET_ATTR_CTIME);
SAME(CFUSE_SET_KILL_USER_ID, FUSE_SET_ATTR_KILL_SUID);
SAME(CFUSE_SET_KILL_GROUP_ID, FUSE_SET_ATTR_KILL_SGID);

enum { init_expected = 0, init_received, init_answered };

void cfuse_name_temporary(void *buffer, size_t count) {
    struct fuse_in_header *header = buffer;
    const size_t name_at = sizeof *header + sizeof(struct fuse_create_in);
    if (header->opcode == FUSE_TMPFILE && count == name_at + sizeof "/"
        && memcmp((const char *)buffer + name_at, "/", sizeof "/") == 0) {
        header->opcode = FUSE_CREATE;
    }
}

static ssize_t read_device(int device, void *buffer, size_t size, void *data) {
    cfuse_session *session = data;
    ssize_t count = cfuse_reader_read(&session->reader, device, buffer, size);
    // INIT is the first request of a connection, and nothing follows it until it is answered.
    if (session->init_state == init_expected && count > 0) {
        const struct fuse_in_header *header = buffer;
        const struct fuse_init_in *init = (const void *)(header + 1);
        if ((size_t)count >= sizeof *header + offsetof(struct fuse_init_in, flags2)
            && header->opcode == FUSE_INIT) {
            session->init_unique = header->unique;
            session->init_kernel_flags = init->flags;
            if ((init->flags & FUSE_INIT_EXT) && (size_t)count >= sizeof *header + sizeof *init) {
                session->init_kernel_flags |= (uint64_t)init->flags2 << 32;
            }
            session->init_state = init_received;
        }
    }
    if (count > (ssize_t)sizeof(struct fuse_in_header)) {
        cfuse_name_temporary(buffer, (size_t)count);
    }
    return count;
}

/// The most bytes that come or go with a request but for its head and arguments.
/// Source: Linux 6.14, fs/fuse/dev_uring.c, fuse_uring_create.
static size_t most_payload(const struct fuse_init_out *answer) {
    // What the kernel takes where the answer does not say: FUSE_DEFAULT_MAX_PAGES_PER_REQ.
    const size_t pages = answer->flags & FUSE_MAX_PAGES ? answer->max_pages : 32;
    const size_t size = pages * (size_t)sysconf(_SC_PAGESIZE);
    const size_t most = size > answer->max_write ? size : answer->max_write;
    return most > FUSE_MIN_READ_BUFFER ? most : FUSE_MIN_READ_BUFFER;
}

/// Sends the answer to INIT, with the ring where Swift asked for it and the machine allows it.
static ssize_t begin(
    cfuse_session *session, int device, struct iovec *parts, int count,
    struct fuse_init_out *answer) {
    cfuse_ring *ring = NULL;
    if (session->init_extra_flags & CFUSE_INIT_OVER_IO_URING) {
        ring = cfuse_ring_new(session, device, most_payload(answer));
    }
    if (!ring) {
        session->init_extra_flags &= ~CFUSE_INIT_OVER_IO_URING;
    }
    answer->flags |= (uint32_t)session->init_extra_flags;
    if (session->init_extra_flags >> 32) {
        answer->flags |= FUSE_INIT_EXT;
        answer->flags2 |= (uint32_t)(session->init_extra_flags >> 32);
    }
    atomic_store(&session->ring, ring);
    atomic_store(&session->reader.is_aside, ring != NULL);
    const ssize_t result = writev(device, parts, count);
    if (ring && result >= 0) {
        cfuse_ring_open(ring);
    } else if (ring) {
        const int failure = errno;
        atomic_store(&session->ring, NULL);
        atomic_store(&session->reader.is_aside, false);
        cfuse_ring_abandon(ring);
        errno = failure;
    }
    return result;
}

/// What the parts have together.
static ssize_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int index = 0; index < count; index++) {
        sum += parts[index].iov_len;
    }
    return (ssize_t)sum;
}

static ssize_t write_device(int device, struct iovec *parts, int count, void *data) {
    cfuse_session *session = data;
    if (session->init_state == init_received && count == 2) {
        const struct fuse_out_header *header = parts[0].iov_base;
        struct fuse_init_out *answer = parts[1].iov_base;
        if (header->unique == session->init_unique && header->error == 0
            && parts[1].iov_len == sizeof *answer) {
            session->init_state = init_answered;
            return begin(session, device, parts, count, answer);
        }
    }
    uint64_t unique;
    memcpy(
        &unique, (const char *)parts[0].iov_base + offsetof(struct fuse_out_header, unique),
        sizeof unique);
    // Without a number it is no answer, but news for the kernel.
    cfuse_ring *ring = unique == 0 ? NULL : atomic_load(&session->ring);
    if (ring && cfuse_ring_answer(ring, unique, parts, count)) {
        return total(parts, count);
    }
    return writev(device, parts, count);
}

cfuse_session *cfuse_session_new(
    const cfuse_callbacks *callbacks, void *host, const char *options) {
    cfuse_session *session = calloc(1, sizeof *session);
    if (!session) {
        return NULL;
    }
    session->callbacks = *callbacks;
    session->host = host;
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);
    if (fuse_opt_add_arg(&arguments, "cairn") == 0 && fuse_opt_add_arg(&arguments, "-o") == 0
        && fuse_opt_add_arg(&arguments, options) == 0) {
        session->fuse =
            fuse_session_new(&arguments, &cfuse_operations, sizeof cfuse_operations, session);
    }
    fuse_opt_free_args(&arguments);
    if (!session->fuse) {
        free(session);
        return NULL;
    }
    cfuse_reader_open(&session->reader);
    return session;
}

int32_t cfuse_session_mount(cfuse_session *session, const char *mount_point) {
    static const struct fuse_custom_io device_io = {.read = read_device, .writev = write_device};
    if (fuse_session_mount(session->fuse, mount_point) != 0) {
        return -1;
    }
    if (fuse_session_custom_io(session->fuse, &device_io, fuse_session_fd(session->fuse)) != 0) {
        fuse_session_unmount(session->fuse);
        return -1;
    }
    return 0;
}

int32_t cfuse_session_loop(cfuse_session *session, uint32_t threads, uint32_t clones_device) {
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config) {
        return -1;
    }
    // Idle threads stay: making one costs more than keeping it.
    fuse_loop_cfg_set_max_threads(config, threads);
    fuse_loop_cfg_set_clone_fd(config, clones_device);
    int result = fuse_session_loop_mt(session->fuse, config);
    fuse_loop_cfg_destroy(config);
    cfuse_ring *ring = atomic_load(&session->ring);
    if (ring) {
        cfuse_ring_stop(ring);
    }
    return result;
}

void cfuse_session_finish(cfuse_session *session) {
    cfuse_ring *ring = atomic_load(&session->ring);
    if (ring) {
        cfuse_ring_join(ring);
        atomic_store(&session->reader.is_aside, false);
        atomic_store(&session->ring, NULL);
        cfuse_ring_free(ring);
    }
}

uint32_t cfuse_session_has_ring(cfuse_session *session) {
    return atomic_load(&session->reader.is_aside);
}

void cfuse_session_leave_ring(cfuse_session *session) {
    if (atomic_exchange(&session->reader.is_aside, false)) {
        fuse_log(
            FUSE_LOG_WARNING, "io_uring was switched off just now: requests come by the device\n");
    }
}

void cfuse_session_expect_wait(cfuse_session *session) {
    cfuse_thread_waits();
    cfuse_reader_expect_wait(&session->reader);
}

void cfuse_session_exit(cfuse_session *session) { fuse_session_exit(session->fuse); }

void cfuse_session_unmount(cfuse_session *session) { fuse_session_unmount(session->fuse); }

void cfuse_session_disconnect(cfuse_session *session) {
    int device = fuse_session_fd(session->fuse);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    // libfuse will close the descriptor's number once more: so it stays in use, for something else.
    if (device >= 0 && nothing >= 0) {
        dup3(nothing, device, O_CLOEXEC);
    }
    if (nothing >= 0) {
        close(nothing);
    }
}

void cfuse_session_destroy(cfuse_session *session) {
    fuse_session_destroy(session->fuse);
    cfuse_reader_close(&session->reader);
    free(session);
}

int32_t cfuse_invalidate_inode(cfuse_session *session, uint64_t ino) {
    return fuse_lowlevel_notify_inval_inode(session->fuse, ino, 0, 0);
}

int32_t cfuse_hand_over(cfuse_session *session, uint64_t ino, uint64_t offset, uint64_t count) {
    // A page that was written to is handed over before it is dropped (Linux, fs/fuse/file.c,
    // fuse_launder_folio).
    return fuse_lowlevel_notify_inval_inode(session->fuse, ino, (off_t)offset, (off_t)count);
}

int32_t cfuse_invalidate_attributes(cfuse_session *session, uint64_t ino) {
    // A negative offset names no page.
    return fuse_lowlevel_notify_inval_inode(session->fuse, ino, -1, 0);
}

int32_t cfuse_invalidate_entry(
    cfuse_session *session, uint64_t parent, const uint8_t *name, size_t count) {
    char copy[CFUSE_NAME_LIMIT + 1];
    if (count > CFUSE_NAME_LIMIT) {
        return -ENAMETOOLONG;
    }
    return fuse_lowlevel_notify_inval_entry(
        session->fuse, parent, terminated(copy, name, count), count);
}

static void (*log_function)(int32_t level, const char *message);

__attribute__((format(printf, 2, 0))) static void log_message(
    enum fuse_log_level level, const char *format, va_list arguments) {
    char message[512];
    vsnprintf(message, sizeof message, format, arguments);
    log_function((int32_t)level, message);
}

void cfuse_set_log(void (*log)(int32_t level, const char *message)) {
    log_function = log;
    fuse_set_log_func(log_message);
}

