// SPDX-License-Identifier: Apache-2.0
//
// See CSystem.h. Each function is one system call, or two, and the sign of its errno.
#define _GNU_SOURCE
#include "CSystem.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(sizeof(pid_t) == sizeof(int32_t), "a process id is 32 bits");
_Static_assert(sizeof(uid_t) == sizeof(uint32_t), "a user id is 32 bits");

static int32_t outcome(int result) { return result < 0 ? -errno : result; }

static int64_t length(ssize_t result) { return result < 0 ? -errno : result; }

int32_t cairn_forbid_dumps(void) {
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0) return -errno;
    return outcome(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
}

int32_t cairn_limit_heap(int32_t arenas, int32_t threshold) {
    // mallopt answers 1 for success, and sets no errno.
    const int done = mallopt(M_ARENA_MAX, arenas) && mallopt(M_MMAP_THRESHOLD, threshold) &&
                     mallopt(M_TRIM_THRESHOLD, threshold);
    return done ? 0 : -EINVAL;
}

int32_t cairn_close_from(int32_t first) { return outcome(close_range((unsigned)first, ~0U, 0)); }

int32_t cairn_peer(int32_t socket, int32_t *process, uint32_t *user) {
    struct ucred credentials = {0};
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -errno;
    *process = credentials.pid;
    *user = credentials.uid;
    return 0;
}

int32_t cairn_sync_filesystem(int32_t descriptor) { return outcome(syncfs(descriptor)); }

// A symlink's attributes can be reached by path only, and a path may be longer than PATH_MAX:
// so the directory is named by its descriptor. A name that does not fit is an error, never cut.
static int32_t entry_path(char *path, size_t size, int32_t directory, const char *name) {
    const int count = snprintf(path, size, "/proc/self/fd/%d/%s", directory, name);
    return count < 0 || (size_t)count >= size ? -ENAMETOOLONG : 0;
}

int64_t cairn_xattr_list(int32_t directory, const char *name, char *out, size_t size) {
    char path[PATH_MAX];
    const int32_t problem = entry_path(path, sizeof path, directory, name);
    return problem < 0 ? problem : length(llistxattr(path, out, size));
}

int64_t cairn_xattr_get(
    int32_t directory, const char *name, const char *attribute, void *out, size_t size) {
    char path[PATH_MAX];
    const int32_t problem = entry_path(path, sizeof path, directory, name);
    return problem < 0 ? problem : length(lgetxattr(path, attribute, out, size));
}

int64_t cairn_xattr_set(
    int32_t directory, const char *name, const char *attribute, const void *value, size_t size) {
    char path[PATH_MAX];
    const int32_t problem = entry_path(path, sizeof path, directory, name);
    return problem < 0 ? problem : length(lsetxattr(path, attribute, value, size, 0));
}
