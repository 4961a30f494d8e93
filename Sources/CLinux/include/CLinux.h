// SPDX-License-Identifier: Apache-2.0
//
// System calls of Linux that glibc declares only under _GNU_SOURCE, which Swift's Glibc module is
// built without. Fixed-width integers in and out; decides nothing.

#ifndef CAIRN_CLINUX_H
#define CAIRN_CLINUX_H

#include <stddef.h>
#include <stdint.h>

/// fallocate(2), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE: 0, or -1 with errno.
int32_t cairn_punch_hole(int32_t descriptor, int64_t offset, int64_t length);

/// sync_file_range(2), SYNC_FILE_RANGE_WRITE: the system begins to write what is dirty there, up to
/// the file's end where `length` is 0, and waits for none of it. Makes nothing durable.
void cairn_start_writing(int32_t descriptor, int64_t offset, int64_t length);

/// fcntl(2), O_DIRECT of an open file: whether writes go from the caller's memory to the disk. 0,
/// or -1 with errno.
int32_t cairn_set_direct(int32_t descriptor, int32_t is_direct);

/// io_setup(2): a context for one write at a time. 0, or -1 with errno.
int32_t cairn_open_writes(uint64_t *context);

/// io_destroy(2): after the write that is under way, if there is one.
void cairn_close_writes(uint64_t context);

/// io_submit(2) of a write with RWF_DSYNC: when it is over the bytes are on the disk, and what
/// finds them there. `descriptor` is open with O_DIRECT: address, size and offset of the bytes are
/// multiples of a sector, and they stay as they are until `cairn_end_write`. 0, or -1 with errno.
int32_t cairn_begin_write(
    uint64_t context, int32_t descriptor, const void *bytes, size_t size, int64_t offset);

/// Looks, for `longest` nanoseconds at most, whether the write that was begun is over, and offers
/// the processor to others in between (sched_yield(2)): 1 if it is, 0 if it is not, -1 if somebody
/// else took the processor for more than `turn` nanoseconds.
int32_t cairn_look_for_write(uint64_t context, uint64_t longest, uint64_t turn);

/// io_getevents(2): sleeps until the write that was begun is over. Its bytes, or -1 with errno; or
/// INT64_MIN where nothing is known, which a context that was opened never gives.
int64_t cairn_end_write(uint64_t context);

/// preadv2(2), RWF_NOWAIT, of one buffer: what of it is in the system's memory. Bytes, fewer than
/// asked where the disk would have to be waited for; or -1 with errno, EAGAIN where that is so of
/// the first one.
int64_t cairn_read_cached(int32_t descriptor, void *out, size_t size, int64_t offset);

/// fallocate(2), FALLOC_FL_KEEP_SIZE: 0, or -1 with errno.
int32_t cairn_reserve(int32_t descriptor, int64_t offset, int64_t length);

/// lseek(2), SEEK_DATA: where data begins at or after `offset`, or -1 with errno.
int64_t cairn_seek_data(int32_t descriptor, int64_t offset);

/// lseek(2), SEEK_HOLE: where a hole begins at or after `offset`, or -1 with errno.
int64_t cairn_seek_hole(int32_t descriptor, int64_t offset);

/// syncfs(2) of the filesystem that `descriptor` is on: 0, or -1 with errno.
int32_t cairn_sync_filesystem(int32_t descriptor);

/// fstatfs(2), f_type: the kind of the filesystem that `descriptor` is on, a number of
/// linux/magic.h; or -1 with errno.
int64_t cairn_filesystem_kind(int32_t descriptor);

/// No core files, and no other process of the same user may attach or read the memory
/// (setrlimit(2), prctl(2) PR_SET_DUMPABLE): 0, or -1 with errno.
int32_t cairn_forbid_dumps(void);

/// prctl(2) PR_SET_NAME: what `ps` shows of the calling thread; of the main one, the process. 15
/// characters at most. 0, or -1 with errno.
int32_t cairn_name_thread(const char *name);

/// sched_setscheduler(2), sched_setaffinity(2): the calling thread is of SCHED_IDLE only if the
/// main thread is, and may use every processor that that one may. Where it is refused it is as
/// before.
void cairn_reset_scheduling(void);

/// sched_getaffinity(2) of the main thread: how many processors the process may use; 1 at least. On
/// a machine that may have more than 1,024 all that are there.
int32_t cairn_processor_count(void);

/// sched_setattr(2), `sched_runtime`: how long the calling thread may run in one turn, in
/// nanoseconds, of 100,000 to 100,000,000. Its policy and nice value stay. 0, or -1 with errno;
/// Linux before 6.12 takes no notice.
int32_t cairn_set_turn(uint64_t nanoseconds);

/// mallopt(3): at most `arenas` arenas; a block of `large` bytes or more is memory of its own, and
/// goes back to the system when freed; an arena keeps up to `kept` free bytes at its end. 0, or -1
/// when glibc refuses.
int32_t cairn_limit_heap(int32_t arenas, int32_t large, int32_t kept);

/// malloc_trim(3): gives every free page of the heap back to the system.
void cairn_trim_heap(void);

/// close_range(2) of every descriptor from `first` upwards: 0, or -1 with errno.
int32_t cairn_close_from(int32_t first);

/// getsockopt(2) SO_PEERCRED: who is at the other end of a Unix socket. 0, or -1 with errno.
int32_t cairn_peer(int32_t socket, int32_t *process, uint32_t *user);

/// llistxattr(2), lgetxattr(2), lsetxattr(2) of `name` in an open directory; symlinks are not
/// followed. The size, or 0; or -1 with errno.
int64_t cairn_xattr_list(int32_t directory, const char *name, char *out, size_t size);
int64_t cairn_xattr_get(
    int32_t directory, const char *name, const char *attribute, void *out, size_t size);
int64_t cairn_xattr_set(
    int32_t directory, const char *name, const char *attribute, const void *value, size_t size);

#endif
