// SPDX-License-Identifier: Apache-2.0
//
// Debian's SQLite, as a module.

#pragma once
#include <sqlite3.h>
