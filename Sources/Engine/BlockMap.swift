// SPDX-License-Identifier: Apache-2.0
//
// Where the blocks of one file are on this machine: groups of entries, as the database keeps them.
// Pure values: nothing here touches the arena.

package import Blocks

/// One block's place.
package enum BlockEntry: Hashable, Sendable {
    /// Not on this machine: the base has it, or it is a hole.
    case absent
    /// Reads as zeros although the base has bytes there.
    case zero
    /// In the arena; the base holds the same bytes, so it may be evicted.
    case clean(BlockReference)
    /// In the arena, and nowhere else.
    case dirty(BlockReference)

    /// What it names of the arena, if anything.
    package var reference: BlockReference? {
        switch self {
        case .absent, .zero: nil
        case .clean(let reference), .dirty(let reference): reference
        }
    }

    /// The block with new pieces over it; nil if it is not in the arena.
    ///
    /// - Parameter pieces: among them all of the patch that it has.
    package func patched(_ pieces: BlockPatch.Pieces) -> PatchedBlock? {
        guard let reference else { return nil }
        return PatchedBlock(
            reference, pieces: pieces,
            isBelowStored: !differsFromBase || reference.patch?.isBelowStored == true)
    }

    /// True when these bytes are not what the base says.
    package var differsFromBase: Bool {
        switch self {
        case .absent, .clean: false
        case .zero, .dirty: true
        }
    }
}

extension Arena {
    /// The row of a block names `new` where it named `old`.
    ///
    /// - Parameter gone: called with each slot that it names no more.
    func note(
        _ owner: BlockOwner, names new: BlockEntry, after old: BlockEntry,
        gone: (UInt32) -> Void
    ) {
        old.reference?.forEachSlot { slot in
            if new.reference?.names(slot) != true {
                gone(slot)
            } else if new.differsFromBase && !old.differsFromBase {
                // Patched: what lies below is needed until the store has both.
                setDirty(slot, owner: owner)
            }
        }
    }
}

/// The entries of `BlockGroup.span` consecutive blocks: one row of the database.
package struct BlockGroup: Sendable {
    /// Blocks per group: 416 KiB of file, a row of at most 962 bytes without patches. A row of more
    /// than 981 has a database page of its own beside its leaf, and who changes it writes both.
    package static let span = 26

    /// One for each block, in their order.
    package private(set) var entries: [BlockEntry]

    /// A group of absent blocks.
    package init() {
        entries = Array(repeating: .absent, count: BlockGroup.span)
    }

    /// The entry of one block, counted within the group.
    package subscript(index: Int) -> BlockEntry {
        get { entries[index] }
        set { entries[index] = newValue }
    }

    /// True when every entry is absent: such a group has no row.
    package var isEmpty: Bool { entries.allSatisfy { $0 == .absent } }

    /// A byte of kind each, followed by the reference where there is one.
    ///
    /// - Source: docs/format.md, "Block maps".
    package func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(BlockGroup.span * (1 + BlockReference.encodedSize))
        for entry in entries {
            switch entry {
            case .absent: bytes.append(0)
            case .zero: bytes.append(1)
            case .clean(let reference):
                bytes.append(reference.patch == nil ? 2 : 4)
                reference.encode(into: &bytes)
            case .dirty(let reference):
                bytes.append(reference.patch == nil ? 3 : 5)
                reference.encode(into: &bytes)
            }
        }
        return bytes
    }

    /// Reads what `encoded` wrote; nil for anything else.
    package init?(decoding bytes: [UInt8]) {
        var entries: [BlockEntry] = []
        entries.reserveCapacity(BlockGroup.span)
        var offset = 0
        while entries.count < BlockGroup.span {
            guard offset < bytes.count else { return nil }
            let kind = bytes[offset]
            offset += 1
            if kind <= 1 {
                entries.append(kind == 0 ? .absent : .zero)
                continue
            }
            let end =
                offset + (kind <= 3 ? BlockReference.encodedSize : BlockReference.patchedSize)
            guard kind <= 5, end <= bytes.count,
                let reference = BlockReference(decoding: bytes.span.extracting(offset..<end))
            else { return nil }
            offset = end
            entries.append(kind % 2 == 0 ? .clean(reference) : .dirty(reference))
        }
        guard offset == bytes.count else { return nil }
        self.entries = entries
    }
}

/// A block number as group and index.
struct BlockPosition {
    let group: UInt64
    let index: Int

    init(_ block: UInt64) {
        group = block / UInt64(BlockGroup.span)
        index = Int(block % UInt64(BlockGroup.span))
    }
}
