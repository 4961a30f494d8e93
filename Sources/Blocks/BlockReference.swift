// SPDX-License-Identifier: Apache-2.0
//
// What a metadata row keeps of one block: where its ciphertext lies and what opens it.
// Pure; the encoding is described in docs/format.md §17.

/// The slot of one sealed block, and the nonce and tag that authenticate what lies there; and the
/// patch over it, if it has one.
///
/// A value of 48 bytes, without heap storage unless it is patched: a file of 100 GiB has six
/// million of them. The nonce and tag are not secret, but they are what proves a slot's bytes, so
/// they live in the metadata row and never in the arena: a torn or swapped slot cannot pass for a
/// good one.
package struct BlockReference: Hashable, Sendable {
    /// The slot that holds the ciphertext.
    package let slot: UInt32
    /// Plaintext bytes in the slot, at most `Arena.blockSize`. The rest of the block reads as zero.
    package let length: UInt32
    private let nonceWords: (UInt32, UInt32, UInt32)
    private let tagWords: (UInt64, UInt64)
    /// Pieces that lie elsewhere because they were written later; nil for none.
    package let patch: BlockPatch?

    /// Bytes of one encoded reference: slot 4, length 4, nonce 12, tag 16.
    ///
    /// - Source: docs/format.md §17, "Reference".
    package static let encodedSize = 36
    /// Bytes of an encoded reference with its patch.
    ///
    /// - Source: docs/format.md §17, "Patch".
    package static let patchedSize = encodedSize + BlockPatch.encodedSize

    /// A reference to `length` bytes sealed into `slot`.
    ///
    /// - Parameters:
    ///   - slot: where the ciphertext lies.
    ///   - length: plaintext bytes, at most `Arena.blockSize`.
    ///   - nonce: the 12 bytes the block was sealed with.
    ///   - tag: the 16 bytes that sealing it gave.
    package init(
        slot: UInt32, length: Int, nonce: InlineArray<12, UInt8>, tag: InlineArray<16, UInt8>
    ) {
        precondition(length >= 0 && length <= Arena.blockSize, "a block is longer than a slot")
        self.slot = slot
        self.length = UInt32(length)
        let nonce = nonce.span
        let tag = tag.span
        nonceWords = (word32(nonce, at: 0), word32(nonce, at: 4), word32(nonce, at: 8))
        tagWords = (word64(tag, at: 0), word64(tag, at: 8))
        patch = nil
    }

    private init(_ block: BlockReference, _ patch: BlockPatch) {
        slot = block.slot
        length = block.length
        nonceWords = block.nonceWords
        tagWords = block.tagWords
        self.patch = patch
    }

    /// The same block with other pieces, in the place of those that it may have had.
    ///
    /// - Parameter patch: has every piece that a patch before it had; they lie within the length.
    package func patched(by patch: BlockPatch) -> BlockReference {
        precondition(patch.end <= Int(length), "a patch makes no block longer")
        return BlockReference(self, patch)
    }

    /// The same block as its own slot has it.
    package var unpatched: BlockReference {
        patch == nil
            ? self : BlockReference(slot: slot, length: Int(length), nonce: nonce, tag: tag)
    }

    /// The same bytes as the content of another block, of which the store has something else.
    package var ofAnotherBlock: BlockReference {
        guard let patch, patch.isBelowStored else { return self }
        return patched(by: BlockPatch(patch.sealed, at: patch.place, pieces: patch.pieces))
    }

    /// Calls `body` with each slot that the block lies in: one, or two if it is patched.
    package func forEachSlot(_ body: (UInt32) -> Void) {
        body(slot)
        if let patch { body(patch.sealed.slot) }
    }

    /// The slot that was written when this reference was made.
    package var writtenSlot: UInt32 { patch?.sealed.slot ?? slot }

    /// Whether the block, or a part of it, lies in a slot.
    package func names(_ slot: UInt32) -> Bool {
        self.slot == slot || patch?.sealed.slot == slot
    }

    /// The reference that `bytes` encode, or nil unless they are `encodedSize` bytes that name a
    /// length a slot can hold, or `patchedSize` with a patch that fits it.
    package init?(decoding bytes: Span<UInt8>) {
        if bytes.count == Self.encodedSize {
            self.init(unpatched: bytes)
            return
        }
        let size = Self.encodedSize
        guard bytes.count == Self.patchedSize,
            let block = BlockReference(unpatched: bytes.extracting(0..<size)),
            let patch = BlockPatch(decoding: bytes.extracting(size..<Self.patchedSize)),
            patch.end <= Int(block.length), patch.sealed.slot != block.slot
        else { return nil }
        self.init(block, patch)
    }

    /// The reference without a patch that `encodedSize` bytes encode.
    init?(unpatched bytes: Span<UInt8>) {
        let length = word32(bytes, at: 4)
        guard length <= UInt32(Arena.blockSize) else { return nil }
        slot = word32(bytes, at: 0)
        self.length = length
        nonceWords = (word32(bytes, at: 8), word32(bytes, at: 12), word32(bytes, at: 16))
        tagWords = (word64(bytes, at: 20), word64(bytes, at: 28))
        patch = nil
    }

    /// Appends the `encodedSize` bytes of this reference, or `patchedSize` if it has a patch.
    package func encode(into bytes: inout [UInt8]) {
        append(slot, to: &bytes)
        append(length, to: &bytes)
        append(nonceWords.0, to: &bytes)
        append(nonceWords.1, to: &bytes)
        append(nonceWords.2, to: &bytes)
        append(tagWords.0, to: &bytes)
        append(tagWords.1, to: &bytes)
        patch?.encode(into: &bytes)
    }

    /// The bytes of this reference.
    package var encoded: [UInt8] {
        var bytes: [UInt8] = []
        encode(into: &bytes)
        return bytes
    }

    /// The 12 bytes the block was sealed with.
    package var nonce: InlineArray<12, UInt8> {
        var bytes = InlineArray<12, UInt8>(repeating: 0)
        var span = bytes.mutableSpan
        store(nonceWords.0, in: &span, at: 0)
        store(nonceWords.1, in: &span, at: 4)
        store(nonceWords.2, in: &span, at: 8)
        return bytes
    }

    /// The 16 bytes that authenticate the block.
    package var tag: InlineArray<16, UInt8> {
        var bytes = InlineArray<16, UInt8>(repeating: 0)
        var span = bytes.mutableSpan
        store(tagWords.0, in: &span, at: 0)
        store(tagWords.1, in: &span, at: 8)
        return bytes
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.slot == right.slot && left.length == right.length
            && left.nonceWords == right.nonceWords && left.tagWords == right.tagWords
            && left.patch == right.patch
    }

    package func hash(into hasher: inout Hasher) {
        // The nonce is random and the tag depends on it: slot and nonce spread as well as all.
        hasher.combine(slot)
        hasher.combine(nonceWords.0)
        hasher.combine(nonceWords.1)
        hasher.combine(nonceWords.2)
    }
}

extension Sequence where Element == BlockReference {
    /// All slots that the blocks lie in, in their order.
    package var slots: [UInt32] {
        var slots: [UInt32] = []
        for reference in self { reference.forEachSlot { slots.append($0) } }
        return slots
    }
}

private func word32(_ bytes: Span<UInt8>, at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
        | UInt32(bytes[offset + 3]) << 24
}

private func word64(_ bytes: Span<UInt8>, at offset: Int) -> UInt64 {
    UInt64(word32(bytes, at: offset)) | UInt64(word32(bytes, at: offset + 4)) << 32
}

private func store<Word: FixedWidthInteger>(
    _ word: Word, in out: inout MutableSpan<UInt8>, at offset: Int
) {
    for index in 0..<MemoryLayout<Word>.size {
        out[offset + index] = UInt8(truncatingIfNeeded: word >> (index * 8))
    }
}

private func append<Word: FixedWidthInteger>(_ word: Word, to bytes: inout [UInt8]) {
    for index in 0..<MemoryLayout<Word>.size {
        bytes.append(UInt8(truncatingIfNeeded: word >> (index * 8)))
    }
}
