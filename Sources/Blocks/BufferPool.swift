// SPDX-License-Identifier: Apache-2.0
//
// Scratch memory for ciphertext, kept between calls: a fresh megabyte would cost a page fault
// for every 4 KiB of it.

import Synchronization

/// Buffers of one size that callers take and give back. Any thread may.
final class BufferPool: Sendable {
    private let size: Int
    private let limit: Int
    private let idle = Mutex<[[UInt8]]>([])

    /// - Parameters:
    ///   - size: bytes of each buffer.
    ///   - limit: idle buffers kept at most; what comes back above it is let go.
    init(size: Int, limit: Int) {
        self.size = size
        self.limit = limit
    }

    /// Runs `body` on a buffer of `size` bytes that nobody else uses; what is in it is arbitrary.
    func withBuffer<Result, Failure: Error>(
        _ body: (inout [UInt8]) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var buffer = idle.withLock { $0.popLast() } ?? [UInt8](repeating: 0, count: size)
        defer {
            idle.withLock { idle in
                if idle.count < limit { idle.append(buffer) }
            }
        }
        return try body(&buffer)
    }
}
