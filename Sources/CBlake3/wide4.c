// SPDX-License-Identifier: Apache-2.0
//
// Four inputs side by side in 128-bit vectors.

#include "internal.h"

#if defined(__x86_64__) || defined(__aarch64__)

#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("sse4.1"))), apply_to = function)
#endif

#define LANES 4
#define LANE_NUMBERS 0, 1, 2, 3
#define JOIN(quads) ((quads)[0])
#define LOW32 0, 4, 1, 5
#define HIGH32 2, 6, 3, 7
#define LOW64 0, 2
#define HIGH64 1, 3
#define hash_many_wide cblake3_hash_many_wide4
#define hash_many_narrower cblake3_hash_many_portable

#include "wide.h"

#if defined(__x86_64__)
#pragma clang attribute pop
#endif

#endif
