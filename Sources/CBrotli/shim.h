// SPDX-License-Identifier: Apache-2.0
//
// Debian's brotli, as a module.

#pragma once
#include <brotli/decode.h>
#include <brotli/encode.h>
