// SPDX-License-Identifier: Apache-2.0
//
// See CLinux.h: what a process does to itself, who is at a socket, and extended attributes.

#define _GNU_SOURCE

#include "CLinux.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

_Static_assert(sizeof(pid_t) == sizeof(int32_t), "a process id has 32 bits");
_Static_assert(sizeof(uid_t) == sizeof(uint32_t), "a user id has 32 bits");

int32_t cairn_forbid_dumps(void) {
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0) return -1;
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int32_t cairn_name_thread(const char *name) {
    return prctl(PR_SET_NAME, name, 0, 0, 0);
}

void cairn_reset_scheduling(void) {
    const struct sched_param none = {0};
    cpu_set_t processors;
    // The main thread, whose number is the process's, has what the process was given.
    const int own = sched_getscheduler(getpid());
    if (sched_getscheduler(0) == SCHED_IDLE && own == SCHED_OTHER) {
        sched_setscheduler(0, own, &none);
    }
    if (sched_getaffinity(getpid(), sizeof processors, &processors) == 0) {
        sched_setaffinity(0, sizeof processors, &processors);
    }
}

int32_t cairn_processor_count(void) {
    cpu_set_t processors;
    if (sched_getaffinity(getpid(), sizeof processors, &processors) == 0) {
        return CPU_COUNT(&processors);
    }
    // The machine may have more than a set has room for.
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int32_t)online;
}

int32_t cairn_limit_heap(int32_t arenas, int32_t large, int32_t kept) {
    const int done = mallopt(M_ARENA_MAX, arenas) && mallopt(M_MMAP_THRESHOLD, large) &&
                     mallopt(M_TRIM_THRESHOLD, kept);
    return done ? 0 : -1;
}

void cairn_trim_heap(void) {
    malloc_trim(0);
}

int32_t cairn_close_from(int32_t first) {
    return close_range((unsigned)first, ~0U, 0);
}

int32_t cairn_peer(int32_t socket, int32_t *process, uint32_t *user) {
    struct ucred credentials = {0};
    socklen_t size = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0) return -1;
    *process = credentials.pid;
    *user = credentials.uid;
    return 0;
}

// A symlink's attributes can be reached by path only, and a path may be longer than PATH_MAX: so
// the directory is named by its descriptor. A name that does not fit is an error, never cut.
static int entry_path(char *path, size_t size, int32_t directory, const char *name) {
    const int count = snprintf(path, size, "/proc/self/fd/%d/%s", directory, name);
    if (count >= 0 && (size_t)count < size) return 0;
    errno = ENAMETOOLONG;
    return -1;
}

int64_t cairn_xattr_list(int32_t directory, const char *name, char *out, size_t size) {
    char path[PATH_MAX];
    if (entry_path(path, sizeof path, directory, name) < 0) return -1;
    return llistxattr(path, out, size);
}

int64_t cairn_xattr_get(
    int32_t directory, const char *name, const char *attribute, void *out, size_t size) {
    char path[PATH_MAX];
    if (entry_path(path, sizeof path, directory, name) < 0) return -1;
    return lgetxattr(path, attribute, out, size);
}

int64_t cairn_xattr_set(
    int32_t directory, const char *name, const char *attribute, const void *value, size_t size) {
    char path[PATH_MAX];
    if (entry_path(path, sizeof path, directory, name) < 0) return -1;
    return lsetxattr(path, attribute, value, size, 0);
}

int32_t cairn_set_turn(uint64_t nanoseconds) {
    // As in linux/sched/types.h, for which glibc 2.36 has no function.
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {.size = sizeof attributes};
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -1;
    attributes.runtime = nanoseconds;
    return (int32_t)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
