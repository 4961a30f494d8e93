// SPDX-License-Identifier: Apache-2.0
//
// Seals the small content that lives in database rows, as the arena seals blocks: the state folder
// holds no file's bytes in the clear.

package import Cryptography

/// Seals and opens inline content with a key of this state folder.
///
/// Format: 12 bytes of random nonce, 16 of tag, then as many bytes as the plaintext has.
/// Source: docs/format.md, "Inline content at rest".
package struct LocalSealer: Sendable {
    private let cipher: BlockCipher
    /// Bytes a sealed value is longer than its plaintext.
    static let overhead = BlockCipher.nonceSize + BlockCipher.tagSize

    /// - Parameter key: `VolumeKeys.localKey` of the folder's `inline-salt`.
    package init(key: SecretBytes) throws(CryptographyError) {
        cipher = try BlockCipher(key: key)
    }

    /// The sealed form of `plain`.
    package func seal(_ plain: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: plain.count + LocalSealer.overhead)
        let nonce = SystemRandom.bytes(BlockCipher.nonceSize)
        var tag = [UInt8](repeating: 0, count: BlockCipher.tagSize)
        var whole = out.mutableSpan
        var tagSpan = tag.mutableSpan
        var body = whole._mutatingExtracting(
            LocalSealer.overhead..<(LocalSealer.overhead + plain.count))
        cipher.seal(plain.span, nonce: nonce.span, into: &body, tag: &tagSpan)
        for index in nonce.indices { out[index] = nonce[index] }
        for index in tag.indices { out[BlockCipher.nonceSize + index] = tag[index] }
        return out
    }

    /// The plaintext of what `seal` made.
    package func open(_ sealed: [UInt8]) throws(CryptographyError) -> [UInt8] {
        guard sealed.count >= LocalSealer.overhead else { throw .authenticationFailed }
        var plain = [UInt8](repeating: 0, count: sealed.count - LocalSealer.overhead)
        let span = sealed.span
        var out = plain.mutableSpan
        try cipher.open(
            span.extracting(LocalSealer.overhead..<sealed.count),
            nonce: span.extracting(0..<BlockCipher.nonceSize),
            tag: span.extracting(BlockCipher.nonceSize..<LocalSealer.overhead), into: &out)
        return plain
    }
}
