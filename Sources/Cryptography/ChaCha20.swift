// SPDX-License-Identifier: Apache-2.0
//
// The bare key stream of ChaCha20, for a format of others that masks with it. What is masked so is
// not authenticated: everything of our own is sealed with XChaCha20-Poly1305.

internal import CSodium

/// ChaCha20 with a counter of 64 bits and a nonce of 64 bits, all zero.
///
/// - Source: Bernstein, “ChaCha, a variant of Salsa20”, 2008.
package enum ChaCha20 {
    /// Bytes of a key.
    package static let keySize = 32
    /// Bytes of a block.
    package static let blockSize = 64
    /// Blocks that are worth one call: 16 KiB.
    package static let batch = 256

    /// Some blocks of the key stream.
    ///
    /// - Parameters:
    ///   - key: `keySize` bytes; used for one stream alone.
    ///   - first: the number of the first block.
    ///   - count: how many blocks; at most `batch`.
    package static func keyStream(
        key: SecretBytes, fromBlock first: UInt64, blocks count: Int
    ) -> [UInt8] {
        precondition(key.count == keySize, "a ChaCha20 key of another size")
        precondition((0...batch).contains(count), "more blocks than one call gives")
        SodiumLibrary.start()
        let nonce = [UInt8](repeating: 0, count: 8)
        var stream = [UInt8](repeating: 0, count: count * blockSize)
        var output = stream.mutableSpan
        key.withBytes { key in
            // SAFETY: all buffers are lent for the call, with the sizes that it takes; it writes
            // over the zeros that it reads, in place.
            unsafe output.withMutablePointer { output in
                unsafe key.withPointer { key in
                    unsafe nonce.span.withPointer { nonce in
                        _ = unsafe crypto_stream_chacha20_xor_ic(
                            output, output, UInt64(count * blockSize), nonce, first, key)
                    }
                }
            }
        }
        return stream
    }
}
