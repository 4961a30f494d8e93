// SPDX-License-Identifier: Apache-2.0
//
// ChaCha20-Poly1305, which version 2 of the data map encrypts chunks with.

/// ChaCha20-Poly1305 with a nonce of 12 bytes, the tag behind the ciphertext.
///
/// A key and nonce must never seal two different messages. Chunks keep that by making both from
/// the digest of what they seal.
///
/// - Source: RFC 8439.
package enum ChaCha20Poly1305 {
    /// Bytes of a key.
    package static let keySize = 32
    /// Bytes of a nonce.
    package static let nonceSize = 12
    /// Bytes of the tag: what a sealed message is longer than its plaintext.
    package static let tagSize = 16

    /// The ciphertext of `plain`, then the tag.
    ///
    /// - Parameters:
    ///   - key: `keySize` bytes.
    ///   - nonce: `nonceSize` bytes.
    ///   - aad: data that is not sealed, but without which the message does not open.
    package static func seal(
        _ plain: Span<UInt8>, key: [UInt8], nonce: [UInt8], aad: Span<UInt8> = Span()
    ) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: plain.count + tagSize)
        let cipher = Cipher.chaCha20Poly1305
        let isSealed = cipher.lend { context in
            var span = output.mutableSpan
            guard context.begin(.seal, cipher, key: key.span, nonce: nonce.span),
                context.authenticate(aad)
            else { return false }
            var sealed = span._mutatingExtracting(first: plain.count)
            guard context.run(plain, into: &sealed) else { return false }
            var tag = span._mutatingExtracting(last: tagSize)
            return context.readTag(into: &tag)
        }
        precondition(isSealed, "libcrypto could not seal")
        return output
    }

    /// As `seal`, in the memory of the message: nothing is copied where it has room for the tag.
    package static func seal(inPlace message: inout [UInt8], key: [UInt8], nonce: [UInt8]) {
        let size = message.count
        message.append(contentsOf: repeatElement(0, count: tagSize))
        let cipher = Cipher.chaCha20Poly1305
        let isSealed = cipher.lend { context in
            guard context.begin(.seal, cipher, key: key.span, nonce: nonce.span) else {
                return false
            }
            var span = message.mutableSpan
            var sealed = span._mutatingExtracting(first: size)
            guard context.run(inPlace: &sealed) else { return false }
            var tag = span._mutatingExtracting(last: tagSize)
            return context.readTag(into: &tag)
        }
        precondition(isSealed, "libcrypto could not seal")
    }

    /// As `open`, in the memory of the message, which is empty when this throws.
    package static func open(
        inPlace message: inout [UInt8], key: [UInt8], nonce: [UInt8]
    ) throws(CryptographyError) {
        let size = message.count - tagSize
        guard size >= 0 else {
            message = []
            throw .authenticationFailed
        }
        let tag = InlineArray<16, UInt8> { message[size + $0] }
        message.removeLast(tagSize)
        let cipher = Cipher.chaCha20Poly1305
        let isOpened = cipher.lend { context in
            guard context.begin(.open, cipher, key: key.span, nonce: nonce.span),
                context.setTag(tag.span)
            else { return false }
            var span = message.mutableSpan
            return context.run(inPlace: &span)
        }
        guard isOpened else {
            // libcrypto decrypts before it compares tags; nobody may see what came of it.
            message = []
            throw .authenticationFailed
        }
    }

    /// The plaintext of what `seal` gave for the same key, nonce and data.
    ///
    /// - Throws: `authenticationFailed` if the message was not sealed so, or was changed since.
    package static func open(
        _ sealed: Span<UInt8>, key: [UInt8], nonce: [UInt8], aad: Span<UInt8> = Span()
    ) throws(CryptographyError) -> [UInt8] {
        guard sealed.count >= tagSize else { throw .authenticationFailed }
        let size = sealed.count - tagSize
        var output = [UInt8](repeating: 0, count: size)
        let cipher = Cipher.chaCha20Poly1305
        let isOpened = cipher.lend { context in
            var span = output.mutableSpan
            return context.begin(.open, cipher, key: key.span, nonce: nonce.span)
                && context.setTag(sealed.extracting(last: tagSize))
                && context.authenticate(aad)
                && context.run(sealed.extracting(first: size), into: &span)
        }
        guard isOpened else { throw .authenticationFailed }
        return output
    }
}
