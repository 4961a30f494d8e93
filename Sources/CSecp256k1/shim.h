// SPDX-License-Identifier: Apache-2.0
//
// Debian's libsecp256k1, with its module for recoverable signatures, as a module.

#pragma once
#include <secp256k1.h>
#include <secp256k1_recovery.h>
