// SPDX-License-Identifier: Apache-2.0
//
// Between a page and the chunk that holds it: docs/format.md §8.
//
// Invariants:
// 1. Equal pages under equal secrets are equal chunks, as long as the compressor is the same.
// 2. No two different messages are ever sealed under one key: the key is a keyed hash of the very
//    bytes that are sealed, compression included, so that the nonce can be constant.
// 3. Nothing of a chunk is parsed before its address and its tag were verified.

import Compression
import Cryptography
import Primitives

/// Seals pages into chunks and opens them.
package enum PageCodec {
    /// Bytes of plaintext that no page of entries or links grows beyond, unless a single entry
    /// is larger: what a change of one name costs to store.
    package static let targetSize = 256 * 1024

    /// The nonce is constant because no key seals two messages (invariant 2).
    private static let nonce = [UInt8](repeating: 0, count: ChaCha20Poly1305.nonceSize)
    /// Names the way of sealing. A later way gets another label, and readers try both: what is
    /// stored shows no version, so that a page looks like any other chunk.
    private static let label = Array("cairn page v1".utf8)

    /// The first byte of what is sealed. Written: the values never change.
    private enum Form: UInt8 {
        case plain = 0
        case brotli = 1
    }

    /// The chunk that holds `page`, and the reference that opens it.
    ///
    /// - Throws: `invalid` if something in the page breaks a rule of the format, `tooLarge` if it
    ///   has more than `NamespaceLimits.maximumPagePlaintextSize` bytes.
    package static func seal(
        _ page: Page, secret: PageSecret
    ) throws(NamespaceError) -> SealedPage {
        let message = message(of: try page.encoded())
        let key = Blake3.keyed(secret.bytes, message.span)
        let chunk = ChaCha20Poly1305.seal(message.span, key: key, nonce: nonce, aad: label.span)
        let reference = PageReference(address: Blake3.hash(chunk), key: key)
        return SealedPage(reference: reference, bytes: chunk)
    }

    /// The page in a chunk from anywhere.
    ///
    /// - Throws: `wrongAddress` if the chunk is another one, `cannotOpen` if the key is not its
    ///   key, and otherwise what the format says of its plaintext.
    package static func open(
        _ chunk: [UInt8], reference: PageReference
    ) throws(NamespaceError) -> Page {
        guard chunk.count <= NamespaceLimits.maximumSealedPageSize else {
            throw .tooLarge(limit: NamespaceLimits.maximumSealedPageSize)
        }
        guard Blake3.hash(chunk) == reference.address else { throw .wrongAddress }
        let message: [UInt8]
        do {
            message = try ChaCha20Poly1305.open(
                chunk.span, key: reference.key, nonce: nonce, aad: label.span)
        } catch {
            throw .cannotOpen
        }
        return try Page(decoding: try plaintext(of: message))
    }

    /// What is sealed: the form, and the plaintext in it, whichever form is shorter.
    private static func message(of plaintext: [UInt8]) -> [UInt8] {
        let compressed = Brotli.compress(plaintext.span, quality: .fast)
        var writer = ByteWriter(capacity: plaintext.count + 1)
        if compressed.count + Varint.size(UInt64(plaintext.count)) < plaintext.count {
            writer.u8(Form.brotli.rawValue)
            writer.varint(UInt64(plaintext.count))
            writer.raw(compressed)
        } else {
            writer.u8(Form.plain.rawValue)
            writer.raw(plaintext)
        }
        return writer.bytes
    }

    /// The reverse of `message`. Never makes more bytes than the message says, nor than a page
    /// may have.
    private static func plaintext(of message: [UInt8]) throws(NamespaceError) -> [UInt8] {
        let limit = NamespaceLimits.maximumPagePlaintextSize
        var reader = ByteReader(message)
        let (form, size) = try NamespaceError.translating { () throws(CodingError) in
            guard let form = Form(rawValue: try reader.u8()) else {
                throw .malformed("a page in an unknown form")
            }
            guard form == .brotli else { return (form, reader.remaining) }
            return (form, try reader.count(limit: limit))
        }
        guard size <= limit else { throw .tooLarge(limit: limit) }
        guard form == .brotli else { return Array(message[reader.offset...]) }
        let rest = message.span.extracting(reader.offset..<message.count)
        let bytes: [UInt8]
        do {
            bytes = try Brotli.decompress(rest, limit: size)
        } catch {
            // Longer than it says, or no stream at all.
            throw .malformed("a page does not decompress")
        }
        guard bytes.count == size else { throw .malformed("a page is shorter than it says") }
        return bytes
    }
}
