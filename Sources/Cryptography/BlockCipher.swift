// SPDX-License-Identifier: Apache-2.0
//
// The cipher of local blocks: AES-256-GCM with the key schedule kept.
//
// Invariant: every context in `sealing` and `opening` is keyed for its direction, so that a message
// costs no more than its nonce and its bytes.

/// Seals and opens blocks under one key, from any number of threads.
///
/// A nonce must never be used twice with one key, or both plaintexts and the power to forge are
/// lost: draw it at random for every block, and change the key long before 2^32 of them.
///
/// - Source: NIST SP 800-38D; §8.3 has the bound on random nonces.
package final class BlockCipher: Sendable {
    /// Bytes of a key.
    package static let keySize = 32
    /// Bytes of a nonce.
    package static let nonceSize = 12
    /// Bytes of a tag.
    package static let tagSize = 16

    private let sealing: ContextPool
    private let opening: ContextPool

    /// A cipher under `key`.
    ///
    /// - Throws: `invalidKey` unless the key has `keySize` bytes.
    package init(key: SecretBytes) throws(CryptographyError) {
        guard key.count == BlockCipher.keySize else { throw .invalidKey }
        sealing = BlockCipher.pool(of: key, for: .seal)
        opening = BlockCipher.pool(of: key, for: .open)
    }

    /// Seals a block.
    ///
    /// - Parameters:
    ///   - plain: the block.
    ///   - nonce: `nonceSize` bytes never used before under this key.
    ///   - output: takes the sealed block, which is as large as the plain one.
    ///   - tag: takes the `tagSize` bytes without which it cannot be opened.
    package func seal(
        _ plain: Span<UInt8>, nonce: Span<UInt8>, into output: inout MutableSpan<UInt8>,
        tag: inout MutableSpan<UInt8>
    ) {
        precondition(nonce.count == BlockCipher.nonceSize, "a nonce of another size")
        precondition(tag.count == BlockCipher.tagSize, "a tag of another size")
        let isSealed = sealing.lend { context in
            context.begin(nonce: nonce) && context.run(plain, into: &output)
                && context.readTag(into: &tag)
        }
        precondition(isSealed, "libcrypto could not seal")
    }

    /// Opens a block.
    ///
    /// - Parameters:
    ///   - sealed: what `seal` gave.
    ///   - nonce: the nonce it was sealed with.
    ///   - tag: the tag `seal` gave.
    ///   - output: takes the plain block, of the same size. All zero when this throws.
    /// - Throws: `authenticationFailed` if any of the three is not what it was.
    package func open(
        _ sealed: Span<UInt8>, nonce: Span<UInt8>, tag: Span<UInt8>,
        into output: inout MutableSpan<UInt8>
    ) throws(CryptographyError) {
        precondition(nonce.count == BlockCipher.nonceSize, "a nonce of another size")
        precondition(tag.count == BlockCipher.tagSize, "a tag of another size")
        let isOpened = opening.lend { context in
            context.begin(nonce: nonce) && context.setTag(tag) && context.run(sealed, into: &output)
        }
        guard isOpened else {
            // libcrypto decrypts before it compares tags; nobody may see what came of it.
            output.update(repeating: 0)
            throw .authenticationFailed
        }
    }

    private static func pool(of key: SecretBytes, for direction: Context.Direction) -> ContextPool {
        let cipher = Cipher.aes256GCM
        return Cipher.makePool { context in
            let isKeyed = key.withBytes { context.key(direction, cipher, key: $0) }
            precondition(isKeyed, "libcrypto could not take a key")
        }
    }
}
