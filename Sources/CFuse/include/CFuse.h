// SPDX-License-Identifier: Apache-2.0
//
// What Swift sees of libfuse 3.14's low-level interface: fixed-width integers, opaque pointers, and
// plain structures of those. No type of libfuse, no `struct stat`, no bit field comes through here.
// The shim decides nothing: every request goes to a function of the table it was given, and
// every answer comes from there.

#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#else
#define _Nullable
#endif

/// Capabilities of a connection, as libfuse numbers them; asserted equal to its own in session.c.
#define CFUSE_CAP_ASYNC_READ (1u << 0)
#define CFUSE_CAP_ATOMIC_O_TRUNC (1u << 3)
#define CFUSE_CAP_EXPORT_SUPPORT (1u << 4)
#define CFUSE_CAP_DONT_MASK (1u << 6)
#define CFUSE_CAP_AUTO_INVAL_DATA (1u << 12)
#define CFUSE_CAP_READDIRPLUS (1u << 13)
#define CFUSE_CAP_ASYNC_DIO (1u << 15)
#define CFUSE_CAP_WRITEBACK_CACHE (1u << 16)
#define CFUSE_CAP_PARALLEL_DIROPS (1u << 18)
#define CFUSE_CAP_POSIX_ACL (1u << 19)
#define CFUSE_CAP_CACHE_SYMLINKS (1u << 23)
#define CFUSE_CAP_EXPLICIT_INVAL_DATA (1u << 25)

/// Kernel flags of the INIT answer that libfuse 3.14 does not send: it has no capability for the
/// one, and forgets the other's. See `init_flags` below.
#define CFUSE_INIT_PARALLEL_DIROPS (1u << 18)
#define CFUSE_INIT_HANDLE_KILLPRIV_V2 (1u << 28)
/// FUSE_DIRECT_IO_ALLOW_MMAP of protocol 7.39; younger than the headers this is built with.
#define CFUSE_INIT_DIRECT_IO_ALLOW_MMAP (1ull << 36)

/// FUSE_OVER_IO_URING of protocol 7.42: requests come by a ring, if the machine allows it; else as
/// if this had not been asked for.
#define CFUSE_INIT_OVER_IO_URING (1ull << 41)

/// Which fields of a `cfuse_change` are meant; libfuse's FUSE_SET_ATTR_* values.
#define CFUSE_SET_MODE (1u << 0)
#define CFUSE_SET_USER (1u << 1)
#define CFUSE_SET_GROUP (1u << 2)
#define CFUSE_SET_SIZE (1u << 3)
#define CFUSE_SET_ACCESSED (1u << 4)
#define CFUSE_SET_MODIFIED (1u << 5)
#define CFUSE_SET_ACCESSED_NOW (1u << 7)
#define CFUSE_SET_MODIFIED_NOW (1u << 8)
#define CFUSE_SET_CHANGED (1u << 10)
#define CFUSE_SET_KILL_USER_ID (1u << 11)
#define CFUSE_SET_KILL_GROUP_ID (1u << 12)

/// What an answer to `open`, `create` or `opendir` asks of the kernel.
#define CFUSE_OPEN_DIRECT_IO (1u << 0)
#define CFUSE_OPEN_KEEP_CACHE (1u << 1)
#define CFUSE_OPEN_CACHE_DIRECTORY (1u << 2)

/// What `stat` shows. `blocks` counts 512 bytes; `mode` has the kind of file in it.
typedef struct cfuse_status {
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
    uint64_t device;
    int64_t accessed_seconds;
    int64_t modified_seconds;
    int64_t changed_seconds;
    uint32_t accessed_nanoseconds;
    uint32_t modified_nanoseconds;
    uint32_t changed_nanoseconds;
    uint32_t mode;
    uint32_t links;
    uint32_t user;
    uint32_t group;
    uint32_t block_size;
} cfuse_status;

/// A change of attributes; `valid` is a set of CFUSE_SET_*.
typedef struct cfuse_change {
    uint64_t size;
    int64_t accessed_seconds;
    int64_t modified_seconds;
    int64_t changed_seconds;
    uint32_t accessed_nanoseconds;
    uint32_t modified_nanoseconds;
    uint32_t changed_nanoseconds;
    uint32_t valid;
    uint32_t mode;
    uint32_t user;
    uint32_t group;
    /// It is of a file that the caller has open.
    uint32_t is_open;
} cfuse_change;

/// How long, in seconds, the kernel may believe a name and its attributes.
typedef struct cfuse_timeouts {
    double entry;
    double attributes;
} cfuse_timeouts;

/// Who asks.
typedef struct cfuse_caller {
    uint32_t user;
    uint32_t group;
    uint32_t umask;
} cfuse_caller;

/// What `statfs` shows.
typedef struct cfuse_statistics {
    uint64_t blocks;
    uint64_t free_blocks;
    uint64_t files;
    uint64_t free_files;
    uint32_t block_size;
    uint32_t name_limit;
} cfuse_statistics;

/// The terms of a connection: the kernel's on the way in, ours on the way out.
typedef struct cfuse_connection {
    uint32_t protocol_major;
    uint32_t protocol_minor;
    uint32_t capable;
    uint32_t wanted;
    uint32_t max_write;
    uint32_t max_read;
    uint32_t max_readahead;
    uint32_t max_background;
    uint32_t congestion_threshold;
    uint32_t time_granularity;
    /// In: the kernel's own INIT flags, both words. Out: those of them to add to what libfuse
    /// answers.
    uint64_t init_flags;
} cfuse_connection;

/// One request the kernel waits for; valid until one of the `cfuse_reply_*` functions was called.
typedef void *cfuse_request;

/// Where requests go. `host` is the pointer given to `cfuse_session_new`. Names and buffers are
/// borrowed until the function returns; a request may be answered then or later, by any thread.
typedef struct cfuse_callbacks {
    void (*init)(void *host, cfuse_connection *connection);
    void (*lookup)(void *host, cfuse_request request, uint64_t parent, const char *name);
    void (*forget)(void *host, uint64_t ino, uint64_t count);
    void (*getattr)(void *host, cfuse_request request, uint64_t ino);
    void (*setattr)(
        void *host, cfuse_request request, uint64_t ino, const cfuse_change *change);
    /// `mask` as access(2) has it.
    void (*access)(void *host, cfuse_request request, uint64_t ino, uint32_t mask);
    void (*readlink)(void *host, cfuse_request request, uint64_t ino);
    void (*mknod)(
        void *host, cfuse_request request, uint64_t parent, const char *name, uint32_t mode,
        uint64_t device);
    void (*mkdir)(
        void *host, cfuse_request request, uint64_t parent, const char *name, uint32_t mode);
    void (*unlink)(void *host, cfuse_request request, uint64_t parent, const char *name);
    void (*rmdir)(void *host, cfuse_request request, uint64_t parent, const char *name);
    void (*symlink)(
        void *host, cfuse_request request, const char *target, uint64_t parent,
        const char *name);
    void (*rename)(
        void *host, cfuse_request request, uint64_t parent, const char *name,
        uint64_t new_parent, const char *new_name, uint32_t flags);
    void (*link)(
        void *host, cfuse_request request, uint64_t ino, uint64_t new_parent,
        const char *new_name);
    void (*open)(void *host, cfuse_request request, uint64_t ino, uint32_t flags);
    void (*create)(
        void *host, cfuse_request request, uint64_t parent, const char *name, uint32_t mode,
        uint32_t flags);
    void (*read)(
        void *host, cfuse_request request, uint64_t ino, uint64_t handle, uint64_t offset,
        size_t size);
    void (*write)(
        void *host, cfuse_request request, uint64_t ino, uint64_t handle, uint64_t offset,
        const uint8_t *bytes, size_t size, uint32_t is_from_cache);
    void (*release)(void *host, cfuse_request request, uint64_t ino, uint64_t handle);
    void (*flush)(void *host, cfuse_request request, uint64_t handle);
    void (*fsync)(void *host, cfuse_request request, uint64_t ino, uint32_t is_data_only);
    void (*opendir)(void *host, cfuse_request request, uint64_t ino);
    void (*readdir)(
        void *host, cfuse_request request, uint64_t ino, uint64_t handle, uint64_t offset,
        size_t size, uint32_t wants_status);
    void (*releasedir)(void *host, cfuse_request request, uint64_t handle);
    void (*statfs)(void *host, cfuse_request request);
    void (*setxattr)(
        void *host, cfuse_request request, uint64_t ino, const char *name, const uint8_t *value,
        size_t size, uint32_t flags);
    void (*getxattr)(
        void *host, cfuse_request request, uint64_t ino, const char *name, size_t size);
    void (*listxattr)(void *host, cfuse_request request, uint64_t ino, size_t size);
    void (*removexattr)(void *host, cfuse_request request, uint64_t ino, const char *name);
    void (*fallocate)(
        void *host, cfuse_request request, uint64_t ino, uint64_t handle, uint32_t mode,
        uint64_t offset, uint64_t count);
    void (*lseek)(
        void *host, cfuse_request request, uint64_t ino, uint64_t offset, uint32_t whence);
    void (*copy_file_range)(
        void *host, cfuse_request request, uint64_t from_ino, uint64_t from_handle,
        uint64_t from_offset, uint64_t to_ino, uint64_t to_handle, uint64_t to_offset,
        uint64_t count, uint32_t flags);
    void (*ioctl)(void *host, cfuse_request request);
    /// A watched request's caller got a signal; `data` is what `cfuse_request_watch` was given.
    /// May not answer any request: libfuse holds this one's lock.
    void (*interrupted)(void *host, void *data);
    /// The ring takes requests no longer, for a reason of its own: the mount should end.
    void (*failed)(void *host);
} cfuse_callbacks;

/// One session: a table, its host, and libfuse's state.
typedef struct cfuse_session cfuse_session;

/// Makes a session, not yet mounted; NULL when libfuse refuses an option (its log says which).
/// `options` is one comma-separated `-o` value. The table is copied; `host` must outlive it all.
cfuse_session *_Nullable cfuse_session_new(
    const cfuse_callbacks *callbacks, void *host, const char *options);
/// Mounts. 0, or -1 (libfuse's log says why).
int32_t cfuse_session_mount(cfuse_session *session, const char *mount_point);
/// Serves requests with up to `threads` threads until the session ends. 0 or a negative error.
int32_t cfuse_session_loop(cfuse_session *session, uint32_t threads, uint32_t clones_device);
/// After the loop has ended, and every request that came was answered: frees what served them.
void cfuse_session_finish(cfuse_session *session);
/// Whether requests come by the kernel's ring. Any thread.
uint32_t cfuse_session_has_ring(cfuse_session *session);
/// Most requests that one queue of the kernel's ring takes on this machine before it waits for
/// answers; 0 where it has no ring for us.
uint32_t cfuse_ring_share(void);
/// A thread waits for the disk next: if it serves a request, and others asked when the disk was
/// last waited for, another one reads the device. Any thread; does not wait.
void cfuse_session_expect_wait(cfuse_session *session);
/// Tells the loop to end at its next opportunity. Any thread.
void cfuse_session_exit(cfuse_session *session);
/// Closes the device and detaches the mount, if it still stands.
void cfuse_session_unmount(cfuse_session *session);
/// Closes the device only, which ends the connection: for a mount that is no longer at its place.
void cfuse_session_disconnect(cfuse_session *session);
/// Frees everything.
void cfuse_session_destroy(cfuse_session *session);

/// Drops what the kernel keeps of an inode. 0 or a negative error number. Never from a callback.
int32_t cfuse_invalidate_inode(cfuse_session *session, uint64_t ino);
/// Has the kernel write what it gathered of a range of a file, and drop its pages of it; returns
/// when that is written. 0 or a negative error number. Never from a callback, and not where a
/// request may be waited for that reads the file: the kernel waits for both.
int32_t cfuse_hand_over(cfuse_session *session, uint64_t ino, uint64_t offset, uint64_t count);
/// Drops what the kernel keeps of an inode's attributes, and keeps its pages. 0 or a negative error
/// number. Any thread, also from a callback: the kernel waits for nobody.
int32_t cfuse_invalidate_attributes(cfuse_session *session, uint64_t ino);
/// Drops what the kernel keeps of a name. 0 or a negative error number. Never from a callback.
int32_t cfuse_invalidate_entry(
    cfuse_session *session, uint64_t parent, const uint8_t *name, size_t count);

/// 1 if an open's flags say that its reads and writes go past the kernel's pages (O_DIRECT), or 0.
uint32_t cfuse_is_direct(uint32_t flags);

/// Sends libfuse's messages to a function instead of standard error. Process-wide.
void cfuse_set_log(void (*log)(int32_t level, const char *message));

/// The calling thread has others work for its request next, and may wait for them.
void cfuse_thread_waits(void);
/// Where the calling thread's answers of up to `size` bytes are best made, from its first request
/// to its end; NULL if it has no such place. What a request brought may lie there: it is for
/// answers to requests that bring no bytes.
uint8_t *_Nullable cfuse_thread_buffer(size_t size);

/// Who made a request.
cfuse_caller cfuse_request_caller(cfuse_request request);
/// Calls the table's `interrupted` with `data` when the caller gets a signal, at once if it already
/// has. With NULL: never again, and when this returns no such call is still running.
void cfuse_request_watch(cfuse_request request, void *_Nullable data);

// Answers. Each ends its request. 0, or a negative error number: -ENOENT when the caller was
// interrupted and nobody has taken what the answer gave.
int32_t cfuse_reply_error(cfuse_request request, int32_t error);
int32_t cfuse_reply_entry(
    cfuse_request request, const cfuse_status *status, cfuse_timeouts timeouts);
int32_t cfuse_reply_no_entry(cfuse_request request, double timeout);
int32_t cfuse_reply_create(
    cfuse_request request, const cfuse_status *status, cfuse_timeouts timeouts, uint64_t handle,
    uint32_t flags);
int32_t cfuse_reply_attributes(
    cfuse_request request, const cfuse_status *status, double timeout);
int32_t cfuse_reply_link(cfuse_request request, const char *target);
int32_t cfuse_reply_open(cfuse_request request, uint64_t handle, uint32_t flags);
int32_t cfuse_reply_count(cfuse_request request, size_t count);
int32_t cfuse_reply_bytes(cfuse_request request, const uint8_t *_Nullable bytes, size_t count);
int32_t cfuse_reply_statistics(cfuse_request request, const cfuse_statistics *statistics);
int32_t cfuse_reply_attribute_size(cfuse_request request, size_t count);
int32_t cfuse_reply_offset(cfuse_request request, uint64_t offset);

/// Longest name a directory entry takes; longer ones are refused by the two functions below.
#define CFUSE_NAME_LIMIT 255u

/// Adds one name to a directory answer: the bytes used, or 0 when it does not fit.
size_t cfuse_add_entry(
    uint8_t *buffer, size_t size, const uint8_t *name, size_t count, uint64_t ino,
    uint32_t mode, uint64_t next_offset);
/// Adds one name with its status: the bytes used, or 0 when it does not fit. With `is_linked` 0
/// the kernel takes no reference and looks the name up when it needs it.
size_t cfuse_add_entry_with_status(
    uint8_t *buffer, size_t size, const uint8_t *name, size_t count,
    const cfuse_status *status, cfuse_timeouts timeouts, uint32_t is_linked,
    uint64_t next_offset);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif
