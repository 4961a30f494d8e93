// SPDX-License-Identifier: Apache-2.0
//
// Overwriting secrets that passed through ordinary memory.

import Glibc

/// Overwrites bytes for good.
enum Wiping {
    /// Zeroes the array's storage, in a way the optimiser may not remove.
    ///
    /// Only this storage: copies made before are not reached, so none are made of secrets.
    static func wipe(_ bytes: inout [UInt8]) {
        // SAFETY: the buffer is the array's own, exclusively ours during the call.
        unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe explicit_bzero(base, buffer.count)
        }
    }
}
