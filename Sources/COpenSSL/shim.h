// SPDX-License-Identifier: Apache-2.0
//
// Debian's libcrypto, as a module.

#pragma once
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/crypto.h>
