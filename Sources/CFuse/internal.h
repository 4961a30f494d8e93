// SPDX-License-Identifier: Apache-2.0
//
// What the files of the shim share.

#pragma once

#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>

#include "CFuse.h"

struct cfuse_session {
    struct fuse_session *fuse;
    cfuse_callbacks callbacks;
    void *host;
    // The INIT request, between its arrival and its answer; see session.c.
    uint64_t init_unique;
    uint32_t init_kernel_flags;
    uint32_t init_extra_flags;
    uint32_t init_state;
};

/// libfuse's table, each entry of which calls the session's own.
extern const struct fuse_lowlevel_ops cfuse_operations;
