// SPDX-License-Identifier: Apache-2.0
//
// Which of the implementations this processor can run.

#include "internal.h"

bool cblake3_is_available(cblake3_implementation implementation) {
    return implementation == CBLAKE3_PORTABLE;
}

cblake3_implementation cblake3_best(void) {
    return CBLAKE3_PORTABLE;
}

hash_many_function cblake3_hash_many(cblake3_implementation implementation) {
    (void)implementation;
    return cblake3_hash_many_portable;
}
