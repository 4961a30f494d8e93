// SPDX-License-Identifier: Apache-2.0
//
// What the files of the shim share.

#pragma once

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <string.h>

#include "CFuse.h"

struct cfuse_session {
    struct fuse_session *fuse;
    cfuse_callbacks callbacks;
    void *host;
    // The INIT request, between its arrival and its answer; see session.c.
    uint64_t init_unique;
    uint64_t init_kernel_flags;
    uint64_t init_extra_flags;
    uint32_t init_state;
};

/// A name with an end: libfuse measures names itself, or sends the end along.
static inline const char *terminated(
    char copy[CFUSE_NAME_LIMIT + 1], const uint8_t *name, size_t count) {
    memcpy(copy, name, count);
    copy[count] = 0;
    return copy;
}

/// libfuse's table, each entry of which calls the session's own.
extern const struct fuse_lowlevel_ops cfuse_operations;
