// SPDX-License-Identifier: Apache-2.0
//
// Writes the fixed-width, variable-width and length-prefixed values that our formats are made of.

/// Bytes being put together, value after value.
package struct ByteWriter: Sendable {
    /// What was written so far.
    package private(set) var bytes: [UInt8]

    /// An empty writer.
    package init() {
        bytes = []
    }

    /// An empty writer with memory for `capacity` bytes, so that growing copies nothing.
    package init(capacity: Int) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    /// How many bytes were written.
    package var count: Int { bytes.count }

    /// Writes one byte.
    package mutating func u8(_ value: UInt8) {
        bytes.append(value)
    }

    /// Writes two bytes, the low one first.
    package mutating func u16le(_ value: UInt16) {
        fixed(value.littleEndian)
    }

    /// Writes four bytes, the lowest first.
    package mutating func u32le(_ value: UInt32) {
        fixed(value.littleEndian)
    }

    /// Writes eight bytes, the lowest first.
    package mutating func u64le(_ value: UInt64) {
        fixed(value.littleEndian)
    }

    /// Writes eight bytes, the highest first.
    package mutating func u64be(_ value: UInt64) {
        fixed(value.bigEndian)
    }

    /// Writes eight bytes of two's complement, the lowest first.
    package mutating func i64le(_ value: Int64) {
        fixed(value.littleEndian)
    }

    /// Writes a number in as many bytes as it needs, 1 to 10: seven bits in each, the lowest
    /// first, the top bit set in all but the last (unsigned LEB128).
    package mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Writes the bytes as they are.
    package mutating func raw(_ value: [UInt8]) {
        bytes.append(contentsOf: value)
    }

    /// Writes the bytes as they are.
    package mutating func raw(_ value: Span<UInt8>) {
        // SAFETY: the span's memory outlives the closure, which copies its bytes.
        unsafe value.withUnsafeBufferPointer { buffer in
            unsafe bytes.append(contentsOf: buffer)
        }
    }

    /// Writes the 32 bytes of a digest, without its algorithm.
    package mutating func digest(_ value: Digest) {
        let words = value.words
        fixed((words.0.bigEndian, words.1.bigEndian, words.2.bigEndian, words.3.bigEndian))
    }

    /// Writes the number of bytes as a `varint`, then the bytes.
    package mutating func lengthPrefixed(_ value: [UInt8]) {
        varint(UInt64(value.count))
        raw(value)
    }

    /// Writes the bytes of a number, or of several without a gap, as they lie in memory.
    @inline(__always)
    private mutating func fixed<Word: BitwiseCopyable>(_ word: Word) {
        let size = MemoryLayout<Word>.size
        bytes.append(addingCapacity: size) { output in
            // SAFETY: there is room for `size` more bytes, all of which are written.
            unsafe output.withUnsafeMutableBufferPointer { buffer, written in
                unsafe UnsafeMutableRawBufferPointer(buffer).storeBytes(
                    of: word, toByteOffset: written, as: Word.self)
                written += size
            }
        }
    }
}
