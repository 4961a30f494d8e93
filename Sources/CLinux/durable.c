// SPDX-License-Identifier: Apache-2.0
//
// See CLinux.h: a write that is on the disk when it is over.

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "CLinux.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// What the kernel maps where a context's number points to. Only looked at: events are taken by
/// io_getevents(2). Source: fs/aio.c, `struct aio_ring` and AIO_RING_MAGIC.
typedef struct {
    uint32_t number;
    uint32_t count;
    uint32_t head;
    uint32_t tail;
    uint32_t magic;
    uint32_t compatible;
    uint32_t incompatible;
    uint32_t size;
} event_ring;

_Static_assert(sizeof(event_ring) == 32, "as the kernel's");

static const uint32_t ring_magic = 0xa10a10a1;

/// Looks between two offers of the processor: a microsecond or two.
enum { looks_in_a_row = 40 };

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int32_t cairn_open_writes(uint64_t *context) {
    aio_context_t made = 0;
    if (syscall(SYS_io_setup, 1, &made) != 0) return -1;
    *context = made;
    return 0;
}

void cairn_close_writes(uint64_t context) {
    (void)syscall(SYS_io_destroy, (aio_context_t)context);
}

int32_t cairn_begin_write(
    uint64_t context, int32_t descriptor, const void *bytes, size_t size, int64_t offset
) {
    struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_PWRITE,
        .aio_fildes = (uint32_t)descriptor,
        .aio_buf = (uint64_t)(uintptr_t)bytes,
        .aio_nbytes = size,
        .aio_offset = offset,
        .aio_rw_flags = RWF_DSYNC,
    };
    struct iocb *requests = &request;
    const long begun = syscall(SYS_io_submit, (aio_context_t)context, 1L, &requests);
    if (begun == 0) errno = EAGAIN;
    return begun == 1 ? 0 : -1;
}

int32_t cairn_look_for_write(uint64_t context, uint64_t longest, uint64_t turn) {
    const event_ring *ring = (const event_ring *)(uintptr_t)context;
    if (ring->magic != ring_magic || ring->incompatible != 0) return 0;
    uint64_t now = nanoseconds();
    const uint64_t end = now + longest;
    while (now < end) {
        const uint64_t before = now;
        bool is_over = false;
        for (int index = 0; index < looks_in_a_row && !is_over; index++) {
            is_over = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE) != ring->head;
            relax();
        }
        if (!is_over) sched_yield();
        now = nanoseconds();
        // Somebody may take it in the middle of a look, too.
        if (now - before > turn) return -1;
        if (is_over) return 1;
    }
    return 0;
}

int64_t cairn_end_write(uint64_t context) {
    struct io_event event;
    long count;
    do {
        count = syscall(SYS_io_getevents, (aio_context_t)context, 1L, 1L, &event, NULL);
    } while (count == 0 || (count < 0 && errno == EINTR));
    if (count < 0) return INT64_MIN;
    if (event.res < 0) {
        errno = (int)-event.res;
        return -1;
    }
    return event.res;
}
