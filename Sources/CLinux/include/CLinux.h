// SPDX-License-Identifier: Apache-2.0
//
// System calls of Linux that glibc declares only under _GNU_SOURCE, which Swift's Glibc module is
// built without. Fixed-width integers in and out; decides nothing.

#ifndef CAIRN_CLINUX_H
#define CAIRN_CLINUX_H

#include <stdint.h>

/// fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE: 0, or -1 with errno.
int32_t cairn_punch_hole(int32_t descriptor, int64_t offset, int64_t length);

/// fallocate(2), FALLOC_FL_KEEP_SIZE: 0, or -1 with errno.
int32_t cairn_reserve(int32_t descriptor, int64_t offset, int64_t length);

/// lseek(2), SEEK_DATA: where data begins at or after `offset`, or -1 with errno.
int64_t cairn_seek_data(int32_t descriptor, int64_t offset);

/// lseek(2), SEEK_HOLE: where a hole begins at or after `offset`, or -1 with errno.
int64_t cairn_seek_hole(int32_t descriptor, int64_t offset);

/// syncfs(2) of the filesystem that `descriptor` is on: 0, or -1 with errno.
int32_t cairn_sync_filesystem(int32_t descriptor);

#endif
