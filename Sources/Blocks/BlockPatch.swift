// SPDX-License-Identifier: Apache-2.0
//
// Pieces of a block that were written after it, and lie in another slot than the rest of it.
// docs/decisions/0046 says why, docs/format.md §17 what its bytes are.

/// One to three whole pieces of one block, sealed together.
///
/// A slot has the patches of up to four blocks, each at a multiple of a piece's size, so that what
/// a random write costs is what it wrote. An object, so that a reference without one, which nearly
/// all are, has but a word for it.
package final class BlockPatch: Hashable, Sendable {
    /// A bit for each piece of a block.
    package typealias Pieces = UInt8

    /// The slot, the bytes of all pieces together, and what opens them.
    package let sealed: BlockReference
    /// Where they begin in the slot, in pieces.
    package let place: Int
    /// Which pieces of the block they are; their bytes are in this order.
    package let pieces: Pieces
    /// The store has what the block's own slot has of the other pieces: where that is damaged, they
    /// can be had from there.
    package let isBelowStored: Bool
    /// The bit of the encoded pieces that says so.
    private static let storedBit: Pieces = 0x80

    /// Bytes of one encoded patch: place 1, pieces 1, reference 36.
    ///
    /// - Source: docs/format.md §17, "Patch".
    package static let encodedSize = 2 + BlockReference.encodedSize

    /// - Parameters:
    ///   - sealed: has as many bytes as the pieces have.
    ///   - place: where in the slot these begin, in pieces.
    ///   - pieces: one at least, and not all of a block.
    ///   - isBelowStored: the store has the others.
    package init(
        _ sealed: BlockReference, at place: Int, pieces: Pieces, isBelowStored: Bool = false
    ) {
        precondition(
            BlockPatch.isSound(sealed, at: place, pieces), "a patch that cannot be where it is")
        self.sealed = sealed
        self.place = place
        self.pieces = pieces
        self.isBelowStored = isBelowStored
    }

    /// The patch that `bytes` encode, or nil unless they are `encodedSize` bytes of one.
    package convenience init?(decoding bytes: Span<UInt8>) {
        guard bytes.count == Self.encodedSize,
            let sealed = BlockReference(unpatched: bytes.extracting(2..<Self.encodedSize)),
            BlockPatch.isSound(sealed, at: Int(bytes[0]), bytes[1] & ~BlockPatch.storedBit)
        else { return nil }
        self.init(
            sealed, at: Int(bytes[0]), pieces: bytes[1] & ~BlockPatch.storedBit,
            isBelowStored: bytes[1] & BlockPatch.storedBit != 0)
    }

    private static func isSound(
        _ sealed: BlockReference, at place: Int, _ pieces: Pieces
    ) -> Bool {
        let count = pieces.nonzeroBitCount
        return pieces & ~Arena.allPieces == 0 && count > 0 && count < Arena.pieceCount
            && place >= 0 && place + count <= Arena.pieceCount && sealed.patch == nil
            && Int(sealed.length) == count * Arena.pieceSize
    }

    /// Appends the `encodedSize` bytes of this patch.
    package func encode(into bytes: inout [UInt8]) {
        bytes.append(UInt8(place))
        bytes.append(isBelowStored ? pieces | BlockPatch.storedBit : pieces)
        sealed.encode(into: &bytes)
    }

    /// Where in the block the last piece ends.
    package var end: Int { Arena.end(of: pieces) }

    /// Calls `body` with the place of each piece: in the block, and among the sealed bytes.
    package func forEachPiece(_ body: (_ inBlock: Range<Int>, _ inPatch: Range<Int>) -> Void) {
        var start = 0
        Arena.forEachRange(of: pieces) { range in
            body(range, start..<start + Arena.pieceSize)
            start += Arena.pieceSize
        }
    }

    package static func == (left: BlockPatch, right: BlockPatch) -> Bool {
        left === right
            || left.place == right.place && left.pieces == right.pieces
                && left.isBelowStored == right.isBelowStored && left.sealed == right.sealed
    }

    package func hash(into hasher: inout Hasher) { sealed.hash(into: &hasher) }
}

extension Arena {
    /// Bytes of a piece: what the kernel writes of a file at the least.
    package static let pieceSize = 4096
    /// Pieces of a block.
    package static let pieceCount = blockSize / pieceSize
    /// All pieces of a block.
    package static let allPieces: BlockPatch.Pieces = (1 << pieceCount) - 1

    /// Calls `body` with the bytes that each of some pieces has in the block.
    package static func forEachRange(
        of pieces: BlockPatch.Pieces, _ body: (Range<Int>) -> Void
    ) {
        for piece in 0..<pieceCount where pieces & 1 << piece != 0 {
            body(piece * pieceSize..<(piece + 1) * pieceSize)
        }
    }

    /// Where in a block the last of some pieces ends.
    static func end(of pieces: BlockPatch.Pieces) -> Int {
        (BlockPatch.Pieces.bitWidth - pieces.leadingZeroBitCount) * pieceSize
    }

    /// The pieces of a block that a range of its bytes has any part of; none for an empty one.
    package static func pieces(touching range: Range<Int>) -> BlockPatch.Pieces {
        if range.isEmpty { return 0 }
        return pieces(range.lowerBound / pieceSize, (range.upperBound - 1) / pieceSize + 1)
    }

    /// The pieces of a block that a range of its bytes has whole.
    package static func pieces(within range: Range<Int>) -> BlockPatch.Pieces {
        pieces((range.lowerBound + pieceSize - 1) / pieceSize, range.upperBound / pieceSize)
    }

    private static func pieces(_ first: Int, _ end: Int) -> BlockPatch.Pieces {
        first < end ? allPieces & (1 << end &- 1) & ~(1 << first &- 1) : 0
    }
}
