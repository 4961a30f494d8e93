// SPDX-License-Identifier: Apache-2.0
//
// See CLinux.h.

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64

#include "CLinux.h"

#include <fcntl.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

_Static_assert(sizeof(off_t) == sizeof(int64_t), "offsets have 64 bits");

int32_t cairn_punch_hole(int32_t descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

void cairn_start_writing(int32_t descriptor, int64_t offset, int64_t length) {
    // Without the flags that wait, the kernel neither tells of errors here nor forgets them.
    (void)sync_file_range(descriptor, offset, length, SYNC_FILE_RANGE_WRITE);
}

int32_t cairn_set_direct(int32_t descriptor, int32_t is_direct) {
    const int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return -1;
    return fcntl(descriptor, F_SETFL, is_direct ? flags | O_DIRECT : flags & ~O_DIRECT);
}

int64_t cairn_read_cached(int32_t descriptor, void *out, size_t size, int64_t offset) {
    struct iovec room = {.iov_base = out, .iov_len = size};
    return preadv2(descriptor, &room, 1, offset, RWF_NOWAIT);
}

int32_t cairn_reserve(int32_t descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_KEEP_SIZE, offset, length);
}

int64_t cairn_seek_data(int32_t descriptor, int64_t offset) {
    return lseek(descriptor, offset, SEEK_DATA);
}

int64_t cairn_seek_hole(int32_t descriptor, int64_t offset) {
    return lseek(descriptor, offset, SEEK_HOLE);
}

int64_t cairn_filesystem_kind(int32_t descriptor) {
    struct statfs values;
    if (fstatfs(descriptor, &values) != 0) return -1;
    return (int64_t)(uint32_t)values.f_type;
}

int32_t cairn_sync_filesystem(int32_t descriptor) {
    return syncfs(descriptor);
}
