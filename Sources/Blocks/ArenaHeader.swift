// SPDX-License-Identifier: Apache-2.0
//
// The first page of the arena file. Pure; the bytes are described in docs/format.md §17.

internal import Cryptography

/// What the first page of an arena says, and the proof that it was written under the same key.
struct ArenaHeader: Equatable {
    /// Bytes the header takes at the start of the file.
    static let encodedSize = 4096
    /// The format version this program reads and writes.
    static let formatVersion: UInt32 = 1
    /// Bytes of an identifier.
    static let identifierSize = 16
    /// "cairn arena" and zeros, 16 bytes.
    private static let magic = Array("cairn arena".utf8) + [UInt8](repeating: 0, count: 5)

    /// Bytes in the clear, which are also what is sealed.
    private static let clearSize = 48
    private static let nonceRange = 48..<60
    private static let sealedRange = 60..<108
    private static let tagRange = 108..<124

    /// Tells this arena from any other.
    let identifier: [UInt8]

    /// The first page of a new arena: the fields, and the same fields sealed under `cipher`.
    ///
    /// - Parameter nonce: 12 fresh random bytes.
    func encoded(cipher: BlockCipher, nonce: [UInt8]) -> [UInt8] {
        precondition(identifier.count == Self.identifierSize, "an identifier has 16 bytes")
        precondition(nonce.count == Self.nonceRange.count, "a nonce has 12 bytes")
        var page = Self.magic
        append32(Self.formatVersion, to: &page)
        append32(UInt32(Arena.blockSize), to: &page)
        append32(UInt32(Arena.firstSlotOffset), to: &page)
        append32(0, to: &page)
        page += identifier
        let clear = page
        page += nonce
        page += [UInt8](repeating: 0, count: Self.encodedSize - page.count)
        var tag = [UInt8](repeating: 0, count: Self.tagRange.count)
        var tagSpan = tag.mutableSpan
        var all = page.mutableSpan
        var sealed = all._mutatingExtracting(Self.sealedRange)
        cipher.seal(clear.span, nonce: nonce.span, into: &sealed, tag: &tagSpan)
        page.replaceSubrange(Self.tagRange, with: tag)
        return page
    }

    /// Reads the fields without proving them: for finding the key of an arena.
    ///
    /// - Throws: `notAnArena` for other bytes, `unsupportedFormat` for a version not known here.
    init(unverified page: [UInt8]) throws(ArenaError) {
        guard page.count == Self.encodedSize, Array(page[0..<16]) == Self.magic else {
            throw .notAnArena
        }
        let version = word32(page, at: 16)
        guard version == Self.formatVersion else { throw .unsupportedFormat(version: version) }
        guard word32(page, at: 20) == UInt32(Arena.blockSize),
            word32(page, at: 24) == UInt32(Arena.firstSlotOffset), word32(page, at: 28) == 0
        else { throw .notAnArena }
        identifier = Array(page[32..<Self.clearSize])
    }

    /// Reads the fields and proves them with the key.
    ///
    /// - Throws: as `init(unverified:)`, and `wrongKey` when the sealed copy does not open.
    init(_ page: [UInt8], cipher: BlockCipher) throws(ArenaError) {
        try self.init(unverified: page)
        var copy = [UInt8](repeating: 0, count: Self.clearSize)
        var out = copy.mutableSpan
        let bytes = page.span
        do {
            try cipher.open(
                bytes.extracting(Self.sealedRange), nonce: bytes.extracting(Self.nonceRange),
                tag: bytes.extracting(Self.tagRange), into: &out)
        } catch {
            throw .wrongKey
        }
        guard copy == Array(page[0..<Self.clearSize]) else { throw .notAnArena }
    }

    /// A header for an arena named `identifier`.
    init(identifier: [UInt8]) { self.identifier = identifier }
}

private func append32(_ word: UInt32, to bytes: inout [UInt8]) {
    for shift in [0, 8, 16, 24] as [UInt32] {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
    }
}

private func word32(_ bytes: [UInt8], at offset: Int) -> UInt32 {
    UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
        | UInt32(bytes[offset + 3]) << 24
}
