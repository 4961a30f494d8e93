// SPDX-License-Identifier: Apache-2.0
//
// Randomness from the system.

internal import CSodium

/// Bytes nobody can foresee, from the kernel's generator.
package enum SystemRandom {
    /// `count` fresh random bytes.
    package static func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var span = bytes.mutableSpan
        fill(&span)
        return bytes
    }

    /// Overwrites all of `output` with fresh random bytes.
    package static func fill(_ output: inout MutableSpan<UInt8>) {
        SodiumLibrary.start()
        // SAFETY: the span's own memory and size, for the time of the call.
        unsafe output.withUnsafeMutableBytes { buffer in
            guard let address = buffer.baseAddress else { return }
            unsafe randombytes_buf(address, buffer.count)
        }
    }
}
