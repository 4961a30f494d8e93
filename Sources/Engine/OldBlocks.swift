// SPDX-License-Identifier: Apache-2.0
//
// What blocks held before a write that covers them in part. It is read before the file's lock is
// taken, so that writers of one file open their blocks beside each other.

import Blocks

/// What a file's base has of a block.
struct BaseBlock {
    /// As long as they are valid there.
    let bytes: [UInt8]
    /// Which base: the inode's `baseChange` when it was asked for.
    let change: UInt64
}

/// The old bytes of some blocks of one file.
struct OldBlocks {
    /// Of blocks that only the base had when they were read, by number.
    private var base: [UInt64: BaseBlock] = [:]
    /// Whether blocks may be patched, as it was when the write began.
    let mayPatch: Bool
    /// `read` was called: what it did not find is read with the lock held.
    private(set) var isRead = false
    private var blocks: [Old] = []
    private var patches: [Old] = []

    private typealias Old = (reference: BlockReference, bytes: [UInt8])

    /// Nothing yet, for a write that begins now.
    init(_ arena: Arena) { mayPatch = arena.hasRoomForPatches }

    /// Keeps what the base has of a block.
    mutating func keep(_ block: UInt64, _ content: BaseBlock) { base[block] = content }

    /// What the base has of a block; nil if it was not read, or the base has changed since.
    func base(of block: UInt64, _ state: borrowing InodeState) -> [UInt8]? {
        guard let content = base[block], content.change == state.baseChange else { return nil }
        return content.bytes
    }

    /// Reads slots. One that was sealed anew meanwhile does not open, and is left out.
    ///
    /// - Parameters:
    ///   - references: blocks of which all is read.
    ///   - patched: blocks of which the patches alone are.
    ///   - willWait: called before the disk is waited for.
    mutating func read(
        _ references: [BlockReference], patches patched: [BlockReference], from arena: Arena,
        willWait: @escaping () -> Void
    ) {
        isRead = true
        blocks = OldBlocks.read(references) { (reference) throws(ArenaError) in
            try arena.content(of: reference, willWait: willWait)
        }
        patches = OldBlocks.read(patched) { (reference) throws(ArenaError) in
            try arena.patchContent(of: reference, willWait: willWait)
        }
    }

    private static func read(
        _ references: [BlockReference],
        _ content: (BlockReference) throws(ArenaError) -> [UInt8]
    ) -> [Old] {
        var read: [Old] = []
        for reference in references {
            do throws(ArenaError) {
                read.append((reference, try content(reference)))
            } catch {
                // Once more with the lock held, which is the authority, and has the error told.
            }
        }
        return read
    }

    /// What a block holds under this very reference: a nonce is used once, so an equal reference
    /// has equal bytes. Read now, with the lock held, if it was not read before.
    func bytes(of reference: BlockReference, _ volume: Volume) throws(FileError) -> [UInt8] {
        if let old = blocks.first(where: { $0.reference == reference }) { return old.bytes }
        do { return try volume.arena.content(of: reference) } catch { throw volume.failure(error) }
    }

    /// The same of a block's patch alone, as the arena's `patchContent` gives it.
    func patchBytes(of reference: BlockReference, _ volume: Volume) throws(FileError) -> [UInt8] {
        if let old = patches.first(where: { $0.reference == reference }) { return old.bytes }
        do {
            return try volume.arena.patchContent(of: reference)
        } catch {
            throw volume.failure(error)
        }
    }
}
