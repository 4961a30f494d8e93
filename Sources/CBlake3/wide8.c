// SPDX-License-Identifier: Apache-2.0
//
// Eight inputs side by side in 256-bit vectors.

#include "internal.h"

#if defined(__x86_64__)

#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)

#define LANES 8
#define LANE_NUMBERS 0, 1, 2, 3, 4, 5, 6, 7
#define JOIN(quads) __builtin_shufflevector((quads)[0], (quads)[1], LANE_NUMBERS)
#define LOW32 0, 8, 1, 9, 4, 12, 5, 13
#define HIGH32 2, 10, 3, 11, 6, 14, 7, 15
#define LOW64 0, 4, 2, 6
#define HIGH64 1, 5, 3, 7
#define hash_many_wide cblake3_hash_many_wide8
#define hash_many_narrower cblake3_hash_many_wide4

#include "wide.h"

#pragma clang attribute pop

#endif
