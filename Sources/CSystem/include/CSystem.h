// SPDX-License-Identifier: Apache-2.0
//
// The few calls of the operating system that Swift's Glibc module does not offer: variadic ones and
// those behind _GNU_SOURCE. Fixed-width integers and plain buffers only; nothing is decided here.
// Every function gives a result of 0 or more, or a negated errno.
#pragma once

#include <stddef.h>
#include <stdint.h>

/// No core files, and no other process of the same user may attach or read the memory.
int32_t cairn_forbid_dumps(void);

/// Keeps glibc's heap small: at most `arenas` arenas, memory of `threshold` bytes and more by mmap.
int32_t cairn_limit_heap(int32_t arenas, int32_t threshold);

/// Closes every descriptor from `first` upwards.
int32_t cairn_close_from(int32_t first);

/// The process and user at the other end of a connected Unix socket.
int32_t cairn_peer(int32_t socket, int32_t *process, uint32_t *user);

/// syncfs(2): the kernel writes out what it holds of the filesystem that `descriptor` is on.
int32_t cairn_sync_filesystem(int32_t descriptor);

/// Lists, reads and writes extended attributes of `name` in `directory`; symlinks are not followed.
int64_t cairn_xattr_list(int32_t directory, const char *name, char *out, size_t size);
int64_t cairn_xattr_get(
    int32_t directory, const char *name, const char *attribute, void *out, size_t size);
int64_t cairn_xattr_set(
    int32_t directory, const char *name, const char *attribute, const void *value, size_t size);
