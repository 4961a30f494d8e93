// SPDX-License-Identifier: Apache-2.0
//
// Pages as bytes and as chunks: round trips, hostile bytes, limits.

import Compression
import Cryptography
import Primitives
import TestSupport
import Testing

@testable import Namespace

@Suite("Pages")
struct PageCodecTests {
    @Test("what is sealed opens to the same page", arguments: 0..<60)
    func roundTrip(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let page = try random.page()
        let sealed = try PageCodec.seal(page, secret: testSecret())
        #expect(Blake3.hash(sealed.bytes) == sealed.reference.address, "seed \(seed)")
        #expect(
            try PageCodec.open(sealed.bytes, reference: sealed.reference) == page, "seed \(seed)")
    }

    @Test("an entry takes exactly the bytes that were counted for it", arguments: 0..<40)
    func countedSize(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for entry in try random.directory(20) {
            var writer = ByteWriter()
            entry.encode(into: &writer)
            #expect(writer.count == PageBuilder.encodedSize(of: entry), "seed \(seed)")
        }
    }

    @Test("equal pages are equal chunks; another page or secret shares nothing")
    func convergence() throws {
        var random = SeededGenerator(seed: 1)
        let entries = try random.directory(50)
        let one = try PageCodec.seal(.leaf(entries), secret: testSecret())
        let same = try PageCodec.seal(.leaf(entries), secret: testSecret())
        let other = try PageCodec.seal(.leaf(Array(entries.dropLast())), secret: testSecret())
        let foreign = try PageCodec.seal(.leaf(entries), secret: testSecret(8))
        #expect(one == same)
        #expect(one.reference.key != other.reference.key)
        #expect(one.reference.key != foreign.reference.key)
        #expect(one.reference.address != foreign.reference.address)
    }

    @Test("a chunk that is not the one referred to is refused before it is opened")
    func wrongAddress() throws {
        let sealed = try PageCodec.seal(.leaf([file("a")]), secret: testSecret())
        for index in sealed.bytes.indices {
            var bytes = sealed.bytes
            bytes[index] ^= 1
            #expect(throws: NamespaceError.wrongAddress) {
                try PageCodec.open(bytes, reference: sealed.reference)
            }
        }
        #expect(throws: NamespaceError.wrongAddress) {
            try PageCodec.open([], reference: sealed.reference)
        }
    }

    @Test("the right chunk with a wrong key does not open")
    func wrongKey() throws {
        let sealed = try PageCodec.seal(.leaf([file("a")]), secret: testSecret())
        let wrong = PageReference(
            address: sealed.reference.address, key: [UInt8](repeating: 0, count: 32))
        #expect(throws: NamespaceError.cannotOpen) {
            try PageCodec.open(sealed.bytes, reference: wrong)
        }
        let short = [UInt8](repeating: 0, count: 15)
        let reference = PageReference(address: Blake3.hash(short), key: wrong.key)
        #expect(throws: NamespaceError.cannotOpen) {
            try PageCodec.open(short, reference: reference)
        }
    }

    @Test("bytes that decode are the only bytes of their page", arguments: 0..<60)
    func mutations(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let plain = try random.page().encoded()
        for _ in 0..<150 {
            let bytes = mutate(plain, &random)
            guard let page = decoded(bytes) else { continue }
            #expect(try page.encoded() == bytes, "seed \(seed)")
        }
    }

    @Test("every shortened page is refused", arguments: 0..<12)
    func truncations(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let plain = try random.page().encoded()
        let step = max(1, plain.count / 400)
        for count in stride(from: 0, to: plain.count, by: step) {
            #expect(decoded(Array(plain.prefix(count))) == nil, "seed \(seed), \(count)")
        }
        #expect(decoded(plain + [0]) == nil)
    }

    @Test("random bytes under a right tag never trap", arguments: 0..<40)
    func hostileMessages(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            let message = [UInt8(random.below(3))] + random.bytes(random.below(300))
            let (chunk, reference) = seal(message: message)
            #expect(throws: NamespaceError.self) {
                try PageCodec.open(chunk, reference: reference)
            }
        }
    }

    @Test("a page that unpacks to more than it says, or than a page may have, is refused")
    func decompressionBomb() throws {
        let zeros = [UInt8](repeating: 0, count: 64 << 20)
        let stream = Brotli.compress(zeros.span, quality: .fast)
        for claim in [10, NamespaceLimits.maximumPagePlaintextSize, zeros.count] {
            var writer = ByteWriter()
            writer.u8(1)
            writer.varint(UInt64(claim))
            writer.raw(stream)
            let (chunk, reference) = seal(message: writer.bytes)
            #expect(throws: NamespaceError.self) {
                try PageCodec.open(chunk, reference: reference)
            }
        }
    }

    @Test("a count without items takes no memory and is refused")
    func emptyPromises() throws {
        for kind in UInt8(1)...6 {
            for count in [0, 1, 1 << 20, 1 << 40, UInt64.max] {
                var writer = ByteWriter()
                writer.u8(1)
                writer.u8(kind)
                writer.varint(count)
                #expect(throws: NamespaceError.self) { try Page(decoding: writer.bytes) }
            }
        }
    }

    @Test("a page of a later version is told apart from a broken one")
    func laterVersion() throws {
        var bytes = try Page.leaf([file("a")]).encoded()
        bytes[0] = 2
        #expect(throws: NamespaceError.unsupportedVersion(2)) { try Page(decoding: bytes) }
    }

    @Test("a page larger than any chunk is neither written nor read")
    func tooLarge() throws {
        let value = [UInt8](repeating: 1, count: NamespaceLimits.maximumInlineSize)
        let entries = (0..<70).map { index in
            var entry = file("f\(100 + index)")
            entry.body = .regular(size: UInt64(value.count), .inline(value))
            return entry
        }
        let limit = NamespaceLimits.maximumPagePlaintextSize
        #expect(throws: NamespaceError.tooLarge(limit: limit)) {
            try PageCodec.seal(.leaf(entries), secret: testSecret())
        }
        let chunk = [UInt8](repeating: 0, count: NamespaceLimits.maximumSealedPageSize + 1)
        let reference = PageReference(
            address: Blake3.hash(chunk), key: [UInt8](repeating: 0, count: 32))
        #expect(throws: NamespaceError.tooLarge(limit: NamespaceLimits.maximumSealedPageSize)) {
            try PageCodec.open(chunk, reference: reference)
        }
    }

    @Test("the largest page that may be written fits into a chunk and is read")
    func largest() throws {
        var random = SeededGenerator(seed: 3)
        let value = random.bytes(NamespaceLimits.maximumInlineSize - 90)
        let entries = (0..<64).map { index in
            var entry = file("f\(100 + index)")
            entry.body = .regular(size: UInt64(value.count), .inline(value))
            return entry
        }
        let sealed = try PageCodec.seal(.leaf(entries), secret: testSecret())
        #expect(sealed.bytes.count <= NamespaceLimits.maximumSealedPageSize)
        let page = try PageCodec.open(sealed.bytes, reference: sealed.reference)
        #expect(page == .leaf(entries))
    }

    private func decoded(_ bytes: [UInt8]) -> Page? {
        // Refusing is what is expected of most; the caller looks at those that were not.
        try? Page(decoding: bytes)
    }

    private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0...random.below(3) where !bytes.isEmpty {
            let index =
                random.chance(30) ? random.below(min(8, bytes.count)) : random.below(bytes.count)
            switch random.below(5) {
            case 0: bytes[index] ^= 1 << UInt8(random.below(8))
            case 1: bytes[index] = [0, 1, 0x7F, 0x80, 0xFF][random.below(5)]
            case 2: bytes.remove(at: index)
            case 3: bytes.insert(UInt8(random.below(256)), at: index)
            default:
                let end = min(bytes.count, index + random.below(40))
                bytes.replaceSubrange(index..<end, with: bytes[index..<end].reversed())
            }
        }
        return bytes
    }

    /// A chunk whose address and tag are right, whatever is in it.
    private func seal(message: [UInt8]) -> ([UInt8], PageReference) {
        let key = [UInt8](repeating: 9, count: 32)
        let label = Array("cairn page v1".utf8)
        let nonce = [UInt8](repeating: 0, count: 12)
        let chunk = ChaCha20Poly1305.seal(message.span, key: key, nonce: nonce, aad: label.span)
        return (chunk, PageReference(address: Blake3.hash(chunk), key: key))
    }
}
