// SPDX-License-Identifier: Apache-2.0
//
// Sixteen inputs side by side in 512-bit vectors.

#include "internal.h"

#if defined(__x86_64__)

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512vl"))), apply_to = function)

#define LANES 16
#define LANE_NUMBERS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define JOIN(quads) \
    __builtin_shufflevector( \
        __builtin_shufflevector((quads)[0], (quads)[1], 0, 1, 2, 3, 4, 5, 6, 7), \
        __builtin_shufflevector((quads)[2], (quads)[3], 0, 1, 2, 3, 4, 5, 6, 7), LANE_NUMBERS)
#define LOW32 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29
#define HIGH32 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31
#define LOW64 0, 8, 2, 10, 4, 12, 6, 14
#define HIGH64 1, 9, 3, 11, 5, 13, 7, 15
#define hash_many_wide cblake3_hash_many_wide16
#define hash_many_narrower cblake3_hash_many_wide8

#include "wide.h"

#pragma clang attribute pop

#endif
