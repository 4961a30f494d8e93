// SPDX-License-Identifier: Apache-2.0
//
// A filesystem for tests: passes everything on to a folder, and writes down in a log what was
// done, in its order, with every byte. From the log a test builds what a power loss at any point
// could have left (Tests/CrashTests/PowerLossDisk.swift). Nothing is taken on trust here: a sync
// is a line of the log like any other, and it is the test that decides what it covered.
//
//   PowerLossLayer FOLDER LOG MOUNTPOINT
//
// Runs in the foreground with one thread, so that the log's order is the order of the calls, and
// ends when it is unmounted. A line is in the log before the call returns to whoever made it.
//
// One line: eight numbers of 8 bytes, little-endian (kind, inode, offset, length, first name's
// size, second name's size, 0, 0), the names, and for a write the bytes. Numbers of inodes are
// those of the folder below, which may give a number again after its file is gone: CREATE begins
// a new file.

#define _GNU_SOURCE
#define _FILE_OFFSET_BITS 64
#define FUSE_USE_VERSION 35

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind {
    KIND_CREATE = 1,
    KIND_FOLDER = 2,
    KIND_WRITE = 3,
    KIND_TRUNCATE = 4,
    KIND_PUNCH = 5,
    KIND_UNLINK = 6,
    KIND_RENAME = 7,
    KIND_SYNC = 8,
    KIND_SYNC_FOLDER = 9,
    KIND_LINK = 10,
};

static int below = -1;
static int log_file = -1;

/// Adds one line. A log with a hole in it is worse than none, so a failure ends the process, and
/// everybody who uses the mount sees errors.
static void add(enum kind kind, uint64_t inode, uint64_t offset, uint64_t length,
                const char *first, const char *second, const void *bytes) {
    uint64_t head[8] = {kind, inode, offset, length};
    head[4] = first ? strlen(first) : 0;
    head[5] = second ? strlen(second) : 0;
    struct iovec parts[4] = {
        {head, sizeof head},
        {(void *)first, head[4]},
        {(void *)second, head[5]},
        {(void *)bytes, kind == KIND_WRITE ? length : 0},
    };
    size_t whole = 0;
    for (int i = 0; i < 4; i++) whole += parts[i].iov_len;
    if (writev(log_file, parts, 4) != (ssize_t)whole) {
        fprintf(stderr, "PowerLossLayer: the log cannot be written\n");
        abort();
    }
}

/// A path of the mount as one below the folder.
static const char *relative(const char *path) { return path[1] ? path + 1 : "."; }

static int descriptor(const struct fuse_file_info *info) { return (int)info->fh; }

static int outcome(int result) { return result < 0 ? -errno : 0; }

static uint64_t inode_of(int file) {
    struct stat status;
    return fstat(file, &status) == 0 ? status.st_ino : 0;
}

static int layer_getattr(const char *path, struct stat *status, struct fuse_file_info *info) {
    if (info) return outcome(fstat(descriptor(info), status));
    return outcome(fstatat(below, relative(path), status, AT_SYMLINK_NOFOLLOW));
}

static int layer_mkdir(const char *path, mode_t mode) {
    if (mkdirat(below, relative(path), mode) < 0) return -errno;
    add(KIND_FOLDER, 0, mode, 0, path, NULL, NULL);
    return 0;
}

static int layer_unlink(const char *path) {
    if (unlinkat(below, relative(path), 0) < 0) return -errno;
    add(KIND_UNLINK, 0, 0, 0, path, NULL, NULL);
    return 0;
}

static int layer_rmdir(const char *path) {
    if (unlinkat(below, relative(path), AT_REMOVEDIR) < 0) return -errno;
    add(KIND_UNLINK, 0, 0, 0, path, NULL, NULL);
    return 0;
}

static int layer_rename(const char *from, const char *to, unsigned int flags) {
    if (flags & ~(unsigned)RENAME_NOREPLACE) return -EINVAL;
    if (renameat2(below, relative(from), below, relative(to), flags) < 0) return -errno;
    add(KIND_RENAME, 0, 0, 0, from, to, NULL);
    return 0;
}

static int layer_link(const char *from, const char *to) {
    if (linkat(below, relative(from), below, relative(to), 0) < 0) return -errno;
    add(KIND_LINK, 0, 0, 0, from, to, NULL);
    return 0;
}

static int layer_chmod(const char *path, mode_t mode, struct fuse_file_info *info) {
    if (info) return outcome(fchmod(descriptor(info), mode));
    return outcome(fchmodat(below, relative(path), mode, 0));
}

static int layer_chown(
    const char *path, uid_t user, gid_t group, struct fuse_file_info *info) {
    if (info) return outcome(fchown(descriptor(info), user, group));
    return outcome(fchownat(below, relative(path), user, group, AT_SYMLINK_NOFOLLOW));
}

static int layer_utimens(
    const char *path, const struct timespec times[2], struct fuse_file_info *info) {
    if (info) return outcome(futimens(descriptor(info), times));
    return outcome(utimensat(below, relative(path), times, AT_SYMLINK_NOFOLLOW));
}

static int layer_truncate(const char *path, off_t size, struct fuse_file_info *info) {
    int file = info ? descriptor(info) : openat(below, relative(path), O_WRONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    int result = outcome(ftruncate(file, size));
    if (result == 0) add(KIND_TRUNCATE, inode_of(file), (uint64_t)size, 0, NULL, NULL, NULL);
    if (!info) close(file);
    return result;
}

static int layer_create(const char *path, mode_t mode, struct fuse_file_info *info) {
    struct stat status;
    int is_there = fstatat(below, relative(path), &status, AT_SYMLINK_NOFOLLOW) == 0;
    int flags = (info->flags & ~(O_APPEND | O_WRONLY)) | O_RDWR | O_CLOEXEC;
    int file = openat(below, relative(path), flags, mode);
    if (file < 0) return -errno;
    if (!is_there) add(KIND_CREATE, inode_of(file), mode, 0, path, NULL, NULL);
    info->fh = (uint64_t)file;
    return 0;
}

static int layer_open(const char *path, struct fuse_file_info *info) {
    // The kernel strips O_CREAT, and truncates by itself. What may only be read still is.
    int file = openat(below, relative(path), O_RDWR | O_CLOEXEC);
    if (file < 0 && (errno == EACCES || errno == EROFS))
        file = openat(below, relative(path), O_RDONLY | O_CLOEXEC);
    if (file < 0) return -errno;
    info->fh = (uint64_t)file;
    return 0;
}

static int layer_read(
    const char *path, char *out, size_t size, off_t offset, struct fuse_file_info *info) {
    (void)path;
    ssize_t count = pread(descriptor(info), out, size, offset);
    return count < 0 ? -errno : (int)count;
}

static int layer_write(
    const char *path, const char *bytes, size_t size, off_t offset,
    struct fuse_file_info *info) {
    (void)path;
    ssize_t count = pwrite(descriptor(info), bytes, size, offset);
    if (count < 0) return -errno;
    uint64_t inode = inode_of(descriptor(info));
    add(KIND_WRITE, inode, (uint64_t)offset, (uint64_t)count, NULL, NULL, bytes);
    return (int)count;
}

static int layer_fallocate(
    const char *path, int mode, off_t offset, off_t length, struct fuse_file_info *info) {
    (void)path;
    int file = descriptor(info);
    if (fallocate(file, mode, offset, length) < 0) return -errno;
    if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) {
        add(KIND_PUNCH, inode_of(file), (uint64_t)offset, (uint64_t)length, NULL, NULL, NULL);
    } else if (mode != FALLOC_FL_KEEP_SIZE) {
        // Nobody under test does it; a log that does not tell of it would be wrong.
        return -EOPNOTSUPP;
    }
    return 0;
}

static int layer_fsync(const char *path, int only_data, struct fuse_file_info *info) {
    (void)path;
    (void)only_data;
    add(KIND_SYNC, inode_of(descriptor(info)), 0, 0, NULL, NULL, NULL);
    return 0;
}

static int layer_release(const char *path, struct fuse_file_info *info) {
    (void)path;
    close(descriptor(info));
    return 0;
}

static int layer_opendir(const char *path, struct fuse_file_info *info) {
    int folder = openat(below, relative(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return -errno;
    DIR *listing = fdopendir(folder);
    if (!listing) return -errno;
    info->fh = (uint64_t)(uintptr_t)listing;
    return 0;
}

static int layer_readdir(
    const char *path, void *out, fuse_fill_dir_t fill, off_t offset,
    struct fuse_file_info *info, enum fuse_readdir_flags flags) {
    (void)path;
    (void)offset;
    (void)flags;
    DIR *listing = (DIR *)(uintptr_t)info->fh;
    rewinddir(listing);
    struct dirent *entry;
    while ((entry = readdir(listing)) != NULL) {
        if (fill(out, entry->d_name, NULL, 0, 0)) break;
    }
    return 0;
}

static int layer_releasedir(const char *path, struct fuse_file_info *info) {
    (void)path;
    closedir((DIR *)(uintptr_t)info->fh);
    return 0;
}

static int layer_fsyncdir(const char *path, int only_data, struct fuse_file_info *info) {
    (void)only_data;
    (void)info;
    add(KIND_SYNC_FOLDER, 0, 0, 0, path, NULL, NULL);
    return 0;
}

static int layer_statfs(const char *path, struct statvfs *values) {
    (void)path;
    return outcome(fstatvfs(below, values));
}

static void *layer_init(struct fuse_conn_info *connection, struct fuse_config *settings) {
    // Every write comes at once and alone, and a file that is removed while it is open is removed.
    connection->want &= ~(unsigned)FUSE_CAP_WRITEBACK_CACHE;
    settings->hard_remove = 1;
    settings->use_ino = 1;
    settings->kernel_cache = 1;
    settings->entry_timeout = 60;
    settings->attr_timeout = 60;
    settings->negative_timeout = 0;
    return NULL;
}

static const struct fuse_operations operations = {
    .getattr = layer_getattr,
    .mkdir = layer_mkdir,
    .unlink = layer_unlink,
    .rmdir = layer_rmdir,
    .rename = layer_rename,
    .link = layer_link,
    .chmod = layer_chmod,
    .chown = layer_chown,
    .utimens = layer_utimens,
    .truncate = layer_truncate,
    .create = layer_create,
    .open = layer_open,
    .read = layer_read,
    .write = layer_write,
    .fallocate = layer_fallocate,
    .fsync = layer_fsync,
    .release = layer_release,
    .opendir = layer_opendir,
    .readdir = layer_readdir,
    .releasedir = layer_releasedir,
    .fsyncdir = layer_fsyncdir,
    .statfs = layer_statfs,
    .init = layer_init,
};

int main(int count, char *words[]) {
    if (count != 4) {
        fprintf(stderr, "usage: PowerLossLayer FOLDER LOG MOUNTPOINT\n");
        return 64;
    }
    below = open(words[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    log_file = open(words[2], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (below < 0 || log_file < 0) {
        perror("PowerLossLayer");
        return 1;
    }
    umask(0);
    char *arguments[] = {words[0], "-f", "-s", "-o", "fsname=power-loss-layer", words[3], NULL};
    return fuse_main(6, arguments, &operations, NULL);
}
