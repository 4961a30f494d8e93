// SPDX-License-Identifier: Apache-2.0
//
// What blocks held before a write that covers them in part. It is read before the file's lock is
// taken, so that writers of one file open their blocks beside each other.

import Blocks

/// The old bytes of some blocks of one file.
struct OldBlocks {
    /// Of blocks that only the base has, by number; as long as they are valid there.
    var base: [UInt64: [UInt8]] = [:]
    /// `read` was called: what it did not find is read with the lock held.
    private(set) var isRead = false
    private var slots: [(reference: BlockReference, bytes: [UInt8])] = []

    /// Reads slots. One that was sealed anew meanwhile does not open, and is left out.
    ///
    /// - Parameter willWait: called before the disk is waited for.
    mutating func read(
        _ references: [BlockReference], from arena: Arena, willWait: @escaping () -> Void
    ) {
        isRead = true
        for reference in references {
            do throws(ArenaError) {
                slots.append((reference, try arena.content(of: reference, willWait: willWait)))
            } catch {
                // Once more with the lock held, which is the authority, and has the error told.
            }
        }
    }

    /// What a slot held under this very reference; nil if that was not read. A nonce is used once:
    /// an equal reference has equal bytes.
    func bytes(of reference: BlockReference) -> [UInt8]? {
        slots.first { $0.reference == reference }?.bytes
    }
}
