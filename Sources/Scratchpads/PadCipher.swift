// SPDX-License-Identifier: Apache-2.0
//
// How a pad's content is sealed, whatever scheme signs it. Pure: there is no randomness here.
//
//   payload = nonce 24 ‖ XChaCha20-Poly1305(content) ‖ tag 16

internal import Cryptography
internal import Primitives

/// Seals and opens the content of one pad.
///
/// The nonce is derived from the read key, from all that the record says, and from the content.
/// So the same content gives the same bytes, and no two contents of a pad share a nonce, even if
/// two machines that do not know of each other write under the same counter.
struct PadCipher: Sendable {
    static let keySize = XChaCha20Poly1305.keySize
    static let nonceSize = XChaCha20Poly1305.nonceSize
    /// Bytes by which a payload is larger than the content.
    static let overhead = nonceSize + XChaCha20Poly1305.tagSize
    /// - Source: docs/format.md §4.
    static let nonceContext = "cairn scratchpad v1 nonce"

    let key: SecretBytes

    func seal(
        _ plain: Span<UInt8>, address: PadAddress, encoding: UInt64, counter: UInt64
    ) -> [UInt8] {
        let data = PadCipher.associatedData(address, encoding: encoding, counter: counter)
        let nonce = nonce(of: plain, data: data)
        let sealed = XChaCha20Poly1305.seal(plain, key: key, nonce24: nonce, aad: data.span)
        var payload = ByteWriter(capacity: nonce.count + sealed.count)
        payload.raw(nonce)
        payload.raw(sealed)
        return payload.bytes
    }

    /// - Throws: `cannotOpen`.
    func open(_ record: PadRecord) throws(ScratchpadError) -> [UInt8] {
        let payload = record.ciphertext.span
        guard payload.count >= PadCipher.overhead else { throw .cannotOpen }
        let data = PadCipher.associatedData(
            record.address, encoding: record.encoding, counter: record.counter)
        let nonce = Array(record.ciphertext.prefix(PadCipher.nonceSize))
        let sealed = payload.extracting(PadCipher.nonceSize..<payload.count)
        do {
            return try XChaCha20Poly1305.open(sealed, key: key, nonce24: nonce, aad: data.span)
        } catch {
            throw .cannotOpen
        }
    }

    /// What the payload is bound to, besides its key: scheme ‖ address ‖ encoding ‖ counter.
    private static func associatedData(
        _ address: PadAddress, encoding: UInt64, counter: UInt64
    ) -> [UInt8] {
        var writer = ByteWriter(capacity: address.bytes.count + 17)
        writer.u8(address.scheme.rawValue)
        writer.raw(address.bytes)
        writer.u64be(encoding)
        writer.u64be(counter)
        return writer.bytes
    }

    private func nonce(of plain: Span<UInt8>, data: [UInt8]) -> [UInt8] {
        var hasher = Blake3Hasher(derivingFor: PadCipher.nonceContext)
        key.withBytes { hasher.update($0) }
        hasher.update(data.span)
        hasher.update(Blake3.hash(plain).bytes.span)
        return hasher.finalize(count: PadCipher.nonceSize)
    }
}
