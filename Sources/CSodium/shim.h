// SPDX-License-Identifier: Apache-2.0
//
// Debian's libsodium, as a module.

#pragma once
#include <sodium.h>
