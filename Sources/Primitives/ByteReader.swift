// SPDX-License-Identifier: Apache-2.0
//
// Reads what ByteWriter writes, from bytes that nobody vouches for: every length is checked
// against what is left before anything is allocated, and every number has one encoding.

/// A place in some bytes, from which value after value is read.
///
/// A read that throws leaves the place where it was.
package struct ByteReader: Sendable {
    /// What is read.
    package let bytes: [UInt8]
    /// The index of the next byte.
    package private(set) var offset = 0

    /// Reads from the first of `bytes` on.
    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Bytes not read yet.
    package var remaining: Int { bytes.count - offset }

    /// Reads one byte.
    package mutating func u8() throws(CodingError) -> UInt8 {
        guard remaining >= 1 else { throw .truncated }
        defer { offset += 1 }
        return bytes[offset]
    }

    /// Reads two bytes, the low one first.
    package mutating func u16le() throws(CodingError) -> UInt16 {
        UInt16(littleEndian: try fixed(as: UInt16.self))
    }

    /// Reads four bytes, the lowest first.
    package mutating func u32le() throws(CodingError) -> UInt32 {
        UInt32(littleEndian: try fixed(as: UInt32.self))
    }

    /// Reads eight bytes, the lowest first.
    package mutating func u64le() throws(CodingError) -> UInt64 {
        UInt64(littleEndian: try fixed(as: UInt64.self))
    }

    /// Reads eight bytes, the highest first.
    package mutating func u64be() throws(CodingError) -> UInt64 {
        UInt64(bigEndian: try fixed(as: UInt64.self))
    }

    /// Reads eight bytes of two's complement, the lowest first.
    package mutating func i64le() throws(CodingError) -> Int64 {
        Int64(littleEndian: try fixed(as: Int64.self))
    }

    /// Reads a number of 1 to 10 bytes (unsigned LEB128).
    ///
    /// - Throws: `malformed` if it is longer than it needs to be, or above 64 bits: a number
    ///   with two encodings would give one value two digests.
    package mutating func varint() throws(CodingError) -> UInt64 {
        var value: UInt64 = 0
        var shift = 0
        var index = offset
        while true {
            guard index < bytes.count else { throw .truncated }
            let byte = bytes[index]
            index += 1
            // The tenth byte holds the one bit that is left of 64.
            guard shift < 63 || byte <= 1 else { throw .malformed("number above 64 bits") }
            value |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 {
                guard byte != 0 || shift == 0 else { throw .malformed("number longer than needed") }
                offset = index
                return value
            }
            shift += 7
        }
    }

    /// Reads the next `count` bytes.
    ///
    /// - Parameter count: at least 0, and from a trusted source or already limited; it is compared
    ///   with what is left before memory is taken.
    package mutating func raw(_ count: Int) throws(CodingError) -> [UInt8] {
        precondition(count >= 0, "a negative number of bytes")
        guard remaining >= count else { throw .truncated }
        defer { offset += count }
        return Array(bytes[offset..<offset + count])
    }

    /// Steps over the next `count` bytes.
    ///
    /// - Parameter count: at least 0.
    package mutating func skip(_ count: Int) throws(CodingError) {
        precondition(count >= 0, "a negative number of bytes")
        guard remaining >= count else { throw .truncated }
        offset += count
    }

    /// Reads a `varint` number of bytes, then the bytes.
    ///
    /// - Parameter limit: the most that is taken; more throws `tooLarge`.
    package mutating func lengthPrefixed(limit: Int) throws(CodingError) -> [UInt8] {
        let start = offset
        do {
            return try raw(try count(limit: limit))
        } catch {
            offset = start
            throw error
        }
    }

    /// Reads a `varint` that counts something.
    ///
    /// - Parameter limit: the most that is taken; more throws `tooLarge`.
    package mutating func count(limit: Int) throws(CodingError) -> Int {
        let start = offset
        let value = try varint()
        guard value <= UInt64(limit) else {
            offset = start
            throw .tooLarge(limit: limit)
        }
        return Int(value)
    }

    /// Reads the 32 bytes of a digest.
    package mutating func digest(
        algorithm: DigestAlgorithm = .blake3
    ) throws(CodingError) -> Digest {
        guard remaining >= Digest.byteCount else { throw .truncated }
        let range = offset..<offset + Digest.byteCount
        guard let digest = Digest(bytes.span.extracting(range), algorithm: algorithm) else {
            throw .truncated
        }
        offset = range.upperBound
        return digest
    }

    /// Throws `malformed` unless everything was read.
    package func expectEnd() throws(CodingError) {
        guard remaining == 0 else { throw .malformed("bytes after the end") }
    }

    /// Reads the bytes of a number as they lie in memory.
    @inline(__always)
    private mutating func fixed<Word: FixedWidthInteger & BitwiseCopyable>(
        as type: Word.Type
    ) throws(CodingError) -> Word {
        let size = MemoryLayout<Word>.size
        guard remaining >= size else { throw .truncated }
        defer { offset += size }
        // SAFETY: any bytes are a number, and there are enough of them left.
        return unsafe bytes.span.bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: type)
    }
}
