// SPDX-License-Identifier: Apache-2.0
//
// Bytes of the network, or for it, that lie in a file here: how they are sent, and how shown.

import Aleph
import Engine

/// A file of the local disk, for several who read it.
protocol AlephLocalBytes: AnyObject, Sendable {
    /// How many bytes there are.
    var size: UInt64 { get }

    /// Reads `out.count` bytes from `offset`, or as many as there are.
    func read(at offset: UInt64, into out: inout MutableSpan<UInt8>) throws(SystemError) -> Int
}

extension AlephLocalBytes {
    /// The bytes for who sends or checks them.
    var source: AlephSource {
        AlephSource(size: Int(clamping: size)) { offset, limit in
            var bytes = [UInt8](repeating: 0, count: limit)
            var span = bytes.mutableSpan
            // Who asked says that the bytes could not be read.
            guard let count = try? self.read(at: UInt64(offset), into: &span), count > 0 else {
                return nil
            }
            return Array(bytes.prefix(count))
        }
    }

    /// As `read`, for a file in the mount.
    func shown(at offset: UInt64, into out: inout MutableSpan<UInt8>) throws(FileError) -> Int {
        do throws(SystemError) {
            return try read(at: offset, into: &out)
        } catch {
            throw .inputOutput
        }
    }
}
