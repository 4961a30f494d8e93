// SPDX-License-Identifier: Apache-2.0
//
// The least a filesystem can do on libfuse: everything in memory, one lock, nothing encrypted,
// nothing kept. share.py measures Cairn beside it, to see what of a request's time is Cairn's own
// and what the kernel's, the library's and the machine's. It has the operations that are measured
// there, and no others: files are made, written, read and looked at, and go with the process.
//
//   memfs MOUNTPOINT [libfuse's options]
//
//   gcc -O2 -Wall -Wextra -Werror memfs.c -o memfs $(pkg-config --cflags --libs fuse3)

#define _GNU_SOURCE
#define FUSE_USE_VERSION 35

#include <errno.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/// Most files and directories, and the buckets they are found in.
#define NODE_LIMIT (1u << 20)
#define BUCKET_COUNT (1u << 20)
/// Most bytes of one file.
#define FILE_LIMIT (1ll << 30)
/// Bytes of the largest read and write: what Cairn asks the kernel for.
#define REQUEST_SIZE (1u << 20)
/// Seconds that the kernel may keep names and attributes: a day, as for Cairn.
#define TIMEOUT 86400.0

struct node {
    fuse_ino_t ino, parent;
    mode_t mode;
    char *name, *data;
    size_t size, capacity;
    struct timespec changed;
    struct node *next; // in its bucket
};

static struct node *nodes[NODE_LIMIT + 1]; // by inode number, from 1 on
static fuse_ino_t node_count;
static struct node *buckets[BUCKET_COUNT];
/// Over all of the above, and what nodes point to. Held while a reply is copied to the kernel.
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

/// FNV-1a, of the directory's number and the name.
static uint32_t bucket(fuse_ino_t parent, const char *name) {
    uint32_t hash = 2166136261u ^ (uint32_t)parent;
    for (const char *byte = name; *byte; byte++) hash = (hash ^ (uint8_t)*byte) * 16777619u;
    return hash & (BUCKET_COUNT - 1);
}

static struct node *node_of(fuse_ino_t ino) {
    return ino >= 1 && ino <= node_count ? nodes[ino] : NULL;
}

static struct node *find(fuse_ino_t parent, const char *name) {
    struct node *node = buckets[bucket(parent, name)];
    while (node && (node->parent != parent || strcmp(node->name, name) != 0)) node = node->next;
    return node;
}

/// A new node under a name that is free; NULL if there is no room. The lock is held for writing.
static struct node *add(fuse_ino_t parent, const char *name, mode_t mode) {
    if (node_count >= NODE_LIMIT) return NULL;
    struct node *node = calloc(1, sizeof *node);
    char *copy = strdup(name);
    if (!node || !copy) {
        free(node);
        free(copy);
        return NULL;
    }
    node->ino = ++node_count;
    node->parent = parent;
    node->mode = mode;
    node->name = copy;
    clock_gettime(CLOCK_REALTIME, &node->changed);
    nodes[node->ino] = node;
    struct node **head = &buckets[bucket(parent, name)];
    node->next = *head;
    *head = node;
    return node;
}

static struct stat status(const struct node *node) {
    struct stat status = {0};
    status.st_ino = node->ino;
    status.st_mode = node->mode;
    status.st_nlink = S_ISDIR(node->mode) ? 2 : 1;
    status.st_size = (off_t)node->size;
    status.st_blocks = (blkcnt_t)((node->size + 511) / 512);
    status.st_uid = getuid();
    status.st_gid = getgid();
    status.st_atim = status.st_mtim = status.st_ctim = node->changed;
    return status;
}

static struct fuse_entry_param entry(const struct node *node) {
    struct fuse_entry_param entry = {0};
    entry.ino = node->ino;
    entry.attr = status(node);
    entry.attr_timeout = entry.entry_timeout = TIMEOUT;
    return entry;
}

static void mem_init(void *user, struct fuse_conn_info *connection) {
    (void)user;
    connection->max_read = connection->max_write = connection->max_readahead = REQUEST_SIZE;
    connection->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE);
}

static void mem_lookup(fuse_req_t request, fuse_ino_t parent, const char *name) {
    pthread_rwlock_rdlock(&lock);
    const struct node *node = find(parent, name);
    struct fuse_entry_param found = {0};
    if (node) found = entry(node);
    pthread_rwlock_unlock(&lock);
    if (node) {
        fuse_reply_entry(request, &found);
    } else {
        fuse_reply_err(request, ENOENT);
    }
}

static void mem_getattr(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)file;
    pthread_rwlock_rdlock(&lock);
    const struct node *node = node_of(ino);
    struct stat found = {0};
    if (node) found = status(node);
    pthread_rwlock_unlock(&lock);
    if (node) {
        fuse_reply_attr(request, &found, TIMEOUT);
    } else {
        fuse_reply_err(request, ENOENT);
    }
}

/// Makes a node, or says why not; 0 and `made` if it is there now.
static int make(fuse_ino_t parent, const char *name, mode_t mode, struct fuse_entry_param *made) {
    int error = 0;
    pthread_rwlock_wrlock(&lock);
    if (find(parent, name)) {
        error = EEXIST;
    } else {
        const struct node *node = add(parent, name, mode);
        if (node) {
            *made = entry(node);
        } else {
            error = ENOSPC;
        }
    }
    pthread_rwlock_unlock(&lock);
    return error;
}

static void mem_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode) {
    struct fuse_entry_param made;
    int error = make(parent, name, S_IFDIR | (mode & 07777), &made);
    if (error) {
        fuse_reply_err(request, error);
    } else {
        fuse_reply_entry(request, &made);
    }
}

static void mem_create(
    fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
    struct fuse_file_info *file
) {
    struct fuse_entry_param made;
    int error = make(parent, name, S_IFREG | (mode & 07777), &made);
    if (error) {
        fuse_reply_err(request, error);
    } else {
        file->keep_cache = 1;
        fuse_reply_create(request, &made, file);
    }
}

static void mem_open(fuse_req_t request, fuse_ino_t ino, struct fuse_file_info *file) {
    (void)ino;
    file->keep_cache = 1;
    fuse_reply_open(request, file);
}

static void mem_read(
    fuse_req_t request, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *file
) {
    (void)file;
    pthread_rwlock_rdlock(&lock);
    const struct node *node = node_of(ino);
    if (!node || offset < 0 || (size_t)offset >= node->size) {
        fuse_reply_buf(request, NULL, 0);
    } else {
        size_t left = node->size - (size_t)offset;
        fuse_reply_buf(request, node->data + offset, size < left ? size : left);
    }
    pthread_rwlock_unlock(&lock);
}

/// Grows a file's memory by doubling; 0, or why not. The lock is held for writing.
static int grow(struct node *node, size_t size) {
    if (size <= node->capacity) return 0;
    size_t capacity = node->capacity ? node->capacity : 4096;
    while (capacity < size) capacity *= 2;
    char *data = realloc(node->data, capacity);
    if (!data) return ENOSPC;
    memset(data + node->capacity, 0, capacity - node->capacity);
    node->data = data;
    node->capacity = capacity;
    return 0;
}

static void mem_write(
    fuse_req_t request, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
    struct fuse_file_info *file
) {
    (void)file;
    int error = 0;
    pthread_rwlock_wrlock(&lock);
    struct node *node = node_of(ino);
    if (!node || !S_ISREG(node->mode)) {
        error = EBADF;
    } else if (offset < 0 || offset > FILE_LIMIT - (off_t)size) {
        error = EFBIG;
    } else if ((error = grow(node, (size_t)offset + size)) == 0) {
        memcpy(node->data + offset, bytes, size);
        if ((size_t)offset + size > node->size) node->size = (size_t)offset + size;
        clock_gettime(CLOCK_REALTIME, &node->changed);
    }
    pthread_rwlock_unlock(&lock);
    if (error) {
        fuse_reply_err(request, error);
    } else {
        fuse_reply_write(request, size);
    }
}

static void mem_fsync(fuse_req_t request, fuse_ino_t ino, int data, struct fuse_file_info *file) {
    (void)ino, (void)data, (void)file;
    fuse_reply_err(request, 0);
}

static const struct fuse_lowlevel_ops operations = {
    .init = mem_init,
    .lookup = mem_lookup,
    .getattr = mem_getattr,
    .mkdir = mem_mkdir,
    .create = mem_create,
    .open = mem_open,
    .read = mem_read,
    .write = mem_write,
    .fsync = mem_fsync,
};

int main(int count, char **words) {
    struct fuse_args arguments = FUSE_ARGS_INIT(count, words);
    struct fuse_cmdline_opts options;
    if (fuse_parse_cmdline(&arguments, &options) != 0 || !options.mountpoint) {
        fprintf(stderr, "usage: memfs MOUNTPOINT [options]\n");
        return 64;
    }
    char request_size[32];
    snprintf(request_size, sizeof request_size, "-omax_read=%u", REQUEST_SIZE);
    fuse_opt_add_arg(&arguments, request_size);
    pthread_rwlock_wrlock(&lock);
    const struct node *root = add(0, "/", S_IFDIR | 0755);
    pthread_rwlock_unlock(&lock);
    if (!root) return 1;
    struct fuse_session *session =
        fuse_session_new(&arguments, &operations, sizeof operations, NULL);
    if (!session) return 1;
    int status = 1;
    if (fuse_set_signal_handlers(session) == 0) {
        if (fuse_session_mount(session, options.mountpoint) == 0) {
            struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 10};
            fuse_daemonize(options.foreground);
            status = fuse_session_loop_mt(session, &config) == 0 ? 0 : 1;
            fuse_session_unmount(session);
        }
        fuse_remove_signal_handlers(session);
    }
    fuse_session_destroy(session);
    free(options.mountpoint);
    fuse_opt_free_args(&arguments);
    return status;
}
