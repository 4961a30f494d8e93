// SPDX-License-Identifier: Apache-2.0
//
// What a metadata row keeps of one block: where its ciphertext lies and what opens it.
// Pure; the 36 bytes of its encoding are described in docs/format.md §17.

/// The slot of one sealed block, and the nonce and tag that authenticate what lies there.
///
/// A value of 40 bytes without heap storage: a file of 100 GiB has six million of them. The
/// nonce and tag are not secret, but they are what proves a slot's bytes, so they live in the
/// metadata row and never in the arena: a torn or swapped slot cannot pass for a good one.
package struct BlockReference: Hashable, Sendable {
    /// The slot that holds the ciphertext.
    package let slot: UInt32
    /// Plaintext bytes in the slot, at most `Arena.blockSize`. The rest of the block reads as zero.
    package let length: UInt32
    private let nonceWords: (UInt32, UInt32, UInt32)
    private let tagWords: (UInt64, UInt64)

    /// Bytes of one encoded reference: slot 4, length 4, nonce 12, tag 16.
    ///
    /// - Source: docs/format.md §17, "Reference".
    package static let encodedSize = 36

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
    }

    /// The reference that `bytes` encode, or nil unless they are `encodedSize` bytes that name a
    /// length a slot can hold.
    package init?(decoding bytes: Span<UInt8>) {
        guard bytes.count == Self.encodedSize else { return nil }
        let length = word32(bytes, at: 4)
        guard length <= UInt32(Arena.blockSize) else { return nil }
        slot = word32(bytes, at: 0)
        self.length = length
        nonceWords = (word32(bytes, at: 8), word32(bytes, at: 12), word32(bytes, at: 16))
        tagWords = (word64(bytes, at: 20), word64(bytes, at: 28))
    }

    /// Appends the `encodedSize` bytes of this reference.
    package func encode(into bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + Self.encodedSize)
        append(slot, to: &bytes)
        append(length, to: &bytes)
        append(nonceWords.0, to: &bytes)
        append(nonceWords.1, to: &bytes)
        append(nonceWords.2, to: &bytes)
        append(tagWords.0, to: &bytes)
        append(tagWords.1, to: &bytes)
    }

    /// Writes this reference over the first `encodedSize` bytes of `out`, which has room for them.
    package func encode(into out: inout MutableSpan<UInt8>) {
        precondition(out.count >= Self.encodedSize, "no room for a reference")
        store(slot, in: &out, at: 0)
        store(length, in: &out, at: 4)
        store(nonceWords.0, in: &out, at: 8)
        store(nonceWords.1, in: &out, at: 12)
        store(nonceWords.2, in: &out, at: 16)
        store(tagWords.0, in: &out, at: 20)
        store(tagWords.1, in: &out, at: 28)
    }

    /// The `encodedSize` bytes of this reference.
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
    }

    package func hash(into hasher: inout Hasher) {
        // The nonce is random and the tag depends on it: slot and nonce spread as well as all.
        hasher.combine(slot)
        hasher.combine(nonceWords.0)
        hasher.combine(nonceWords.1)
        hasher.combine(nonceWords.2)
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
