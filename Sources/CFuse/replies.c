// SPDX-License-Identifier: Apache-2.0
//
// Answers: the values Swift made, in the structures libfuse takes.

#include "internal.h"

static void fill_stat(struct stat *out, const cfuse_status *status) {
    *out = (struct stat){
        .st_ino = status->ino,
        .st_mode = status->mode,
        .st_nlink = status->links,
        .st_uid = status->user,
        .st_gid = status->group,
        .st_rdev = status->device,
        .st_size = (off_t)status->size,
        .st_blksize = status->block_size,
        .st_blocks = (blkcnt_t)status->blocks,
        .st_atim = {.tv_sec = status->accessed_seconds, .tv_nsec = status->accessed_nanoseconds},
        .st_mtim = {.tv_sec = status->modified_seconds, .tv_nsec = status->modified_nanoseconds},
        .st_ctim = {.tv_sec = status->changed_seconds, .tv_nsec = status->changed_nanoseconds},
    };
}

// Inode numbers are never used twice, so one generation serves them all.
static void fill_entry(
    struct fuse_entry_param *out, const cfuse_status *status, cfuse_timeouts timeouts) {
    out->ino = status->ino;
    out->generation = 0;
    out->attr_timeout = timeouts.attributes;
    out->entry_timeout = timeouts.entry;
    fill_stat(&out->attr, status);
}

static struct fuse_file_info opened(uint64_t handle, uint32_t flags) {
    return (struct fuse_file_info){
        .fh = handle,
        .direct_io = (flags & CFUSE_OPEN_DIRECT_IO) != 0,
        .keep_cache = (flags & CFUSE_OPEN_KEEP_CACHE) != 0,
        .cache_readdir = (flags & CFUSE_OPEN_CACHE_DIRECTORY) != 0,
    };
}

cfuse_caller cfuse_request_caller(cfuse_request request) {
    const struct fuse_ctx *context = fuse_req_ctx(request);
    return (cfuse_caller){context->uid, context->gid, context->umask};
}

static void interrupted(fuse_req_t request, void *data) {
    cfuse_session *session = fuse_req_userdata(request);
    session->callbacks.interrupted(session->host, data);
}

void cfuse_request_watch(cfuse_request request, void *data) {
    fuse_req_interrupt_func(request, data ? interrupted : NULL, data);
}

int32_t cfuse_reply_error(cfuse_request request, int32_t error) {
    return fuse_reply_err(request, error);
}

int32_t cfuse_reply_entry(
    cfuse_request request, const cfuse_status *status, cfuse_timeouts timeouts) {
    struct fuse_entry_param entry;
    fill_entry(&entry, status, timeouts);
    return fuse_reply_entry(request, &entry);
}

int32_t cfuse_reply_no_entry(cfuse_request request, double timeout) {
    struct fuse_entry_param entry = {.ino = 0, .entry_timeout = timeout};
    return fuse_reply_entry(request, &entry);
}

int32_t cfuse_reply_create(
    cfuse_request request, const cfuse_status *status, cfuse_timeouts timeouts, uint64_t handle,
    uint32_t flags) {
    struct fuse_entry_param entry;
    struct fuse_file_info file = opened(handle, flags);
    fill_entry(&entry, status, timeouts);
    return fuse_reply_create(request, &entry, &file);
}

int32_t cfuse_reply_attributes(
    cfuse_request request, const cfuse_status *status, double timeout) {
    struct stat attributes;
    fill_stat(&attributes, status);
    return fuse_reply_attr(request, &attributes, timeout);
}

int32_t cfuse_reply_link(cfuse_request request, const char *target) {
    return fuse_reply_readlink(request, target);
}

int32_t cfuse_reply_open(cfuse_request request, uint64_t handle, uint32_t flags) {
    struct fuse_file_info file = opened(handle, flags);
    return fuse_reply_open(request, &file);
}

int32_t cfuse_reply_count(cfuse_request request, size_t count) {
    return fuse_reply_write(request, count);
}

int32_t cfuse_reply_bytes(cfuse_request request, const uint8_t *bytes, size_t count) {
    return fuse_reply_buf(request, (const char *)bytes, count);
}

int32_t cfuse_reply_statistics(cfuse_request request, const cfuse_statistics *statistics) {
    struct statvfs out = {
        .f_bsize = statistics->block_size,
        .f_frsize = statistics->block_size,
        .f_blocks = statistics->blocks,
        .f_bfree = statistics->free_blocks,
        .f_bavail = statistics->free_blocks,
        .f_files = statistics->files,
        .f_ffree = statistics->free_files,
        .f_favail = statistics->free_files,
        .f_namemax = statistics->name_limit,
    };
    return fuse_reply_statfs(request, &out);
}

int32_t cfuse_reply_attribute_size(cfuse_request request, size_t count) {
    return fuse_reply_xattr(request, count);
}

int32_t cfuse_reply_offset(cfuse_request request, uint64_t offset) {
    return fuse_reply_lseek(request, (off_t)offset);
}

size_t cfuse_add_entry(
    uint8_t *buffer, size_t size, const uint8_t *name, size_t count, uint64_t ino,
    uint32_t mode, uint64_t next_offset) {
    char copy[CFUSE_NAME_LIMIT + 1];
    if (count > CFUSE_NAME_LIMIT) {
        return 0;
    }
    struct stat attributes = {.st_ino = ino, .st_mode = mode};
    // The request is not looked at by this function of libfuse.
    size_t used = fuse_add_direntry(
        NULL, (char *)buffer, size, terminated(copy, name, count), &attributes,
        (off_t)next_offset);
    return used <= size ? used : 0;
}

size_t cfuse_add_entry_with_status(
    uint8_t *buffer, size_t size, const uint8_t *name, size_t count,
    const cfuse_status *status, cfuse_timeouts timeouts, uint32_t is_linked,
    uint64_t next_offset) {
    char copy[CFUSE_NAME_LIMIT + 1];
    if (count > CFUSE_NAME_LIMIT) {
        return 0;
    }
    struct fuse_entry_param entry;
    fill_entry(&entry, status, timeouts);
    if (!is_linked) {
        entry.ino = 0;
    }
    size_t used = fuse_add_direntry_plus(
        NULL, (char *)buffer, size, terminated(copy, name, count), &entry, (off_t)next_offset);
    return used <= size ? used : 0;
}
