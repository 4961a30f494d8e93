// SPDX-License-Identifier: Apache-2.0
//
// Which of the implementations this processor can run. Asking is a few loads from a table that
// the C runtime filled when the program started, and that takes the operating system's consent
// to wide registers into account.

#include "internal.h"

bool cblake3_is_available(cblake3_implementation implementation) {
    switch (implementation) {
    case CBLAKE3_PORTABLE:
        return true;
#if defined(__x86_64__)
    case CBLAKE3_WIDE_4:
        return __builtin_cpu_supports("sse4.1");
    case CBLAKE3_WIDE_8:
        return __builtin_cpu_supports("avx2");
    case CBLAKE3_WIDE_16:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
#elif defined(__aarch64__)
    case CBLAKE3_WIDE_4:
        return true;
#endif
    default:
        return false;
    }
}

cblake3_implementation cblake3_best(void) {
    if (cblake3_is_available(CBLAKE3_WIDE_16)) {
        return CBLAKE3_WIDE_16;
    }
    if (cblake3_is_available(CBLAKE3_WIDE_8)) {
        return CBLAKE3_WIDE_8;
    }
    return cblake3_is_available(CBLAKE3_WIDE_4) ? CBLAKE3_WIDE_4 : CBLAKE3_PORTABLE;
}

hash_many_function cblake3_hash_many(cblake3_implementation implementation) {
    switch (implementation) {
#if defined(__x86_64__)
    case CBLAKE3_WIDE_16:
        return cblake3_hash_many_wide16;
    case CBLAKE3_WIDE_8:
        return cblake3_hash_many_wide8;
#endif
#if defined(__x86_64__) || defined(__aarch64__)
    case CBLAKE3_WIDE_4:
        return cblake3_hash_many_wide4;
#endif
    default:
        return cblake3_hash_many_portable;
    }
}
