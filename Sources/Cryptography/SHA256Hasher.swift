// SPDX-License-Identifier: Apache-2.0
//
// SHA-256 of bytes that come in pieces.
//
// Invariant: the state is written only while this value alone refers to it.

internal import COpenSSL

/// A SHA-256 hash being computed.
///
/// A value: a copy goes its own way. The result depends on the bytes alone, not on how they
/// were cut.
package struct SHA256Hasher: Sendable {
    /// Bytes of the result.
    package static let digestSize = 32

    private var state = State()

    /// Begins a hash.
    package init() {}

    /// Takes in more bytes.
    package mutating func update(_ bytes: Span<UInt8>) {
        if !isKnownUniquelyReferenced(&state) {
            state = state.copy()
        }
        // SAFETY: only this value refers to the state; the bytes are lent for the call.
        let isTaken = unsafe bytes.withUnsafeBufferPointer { input in
            unsafe EVP_DigestUpdate(state.context, input.baseAddress, input.count)
        }
        precondition(isTaken == 1, "libcrypto could not hash")
    }

    /// The 32 bytes of the hash of everything taken in so far; more may follow.
    package func finalize() -> [UInt8] {
        let last = state.copy()
        var output = [UInt8](repeating: 0, count: SHA256Hasher.digestSize)
        var span = output.mutableSpan
        // SAFETY: the copy is ours alone; the output has the size that is written.
        let isHashed = unsafe span.withMutablePointer { output in
            unsafe EVP_DigestFinal_ex(last.context, output, nil)
        }
        precondition(isHashed == 1, "libcrypto could not hash")
        return output
    }
}

extension SHA256Hasher {
    /// The library's context of one hash.
    ///
    /// `@unchecked Sendable` because it is written only while one `SHA256Hasher` refers to it.
    @safe
    private final class State: @unchecked Sendable {
        let context: OpaquePointer

        init() {
            // SAFETY: owned by this object until `deinit`.
            guard let context = unsafe EVP_MD_CTX_new(),
                unsafe EVP_DigestInit_ex2(context, EVP_sha256(), nil) == 1
            else { preconditionFailure("out of memory for a hash") }
            unsafe self.context = unsafe context
        }

        deinit {
            // SAFETY: this was the last reference.
            unsafe EVP_MD_CTX_free(context)
        }

        func copy() -> State {
            let copy = State()
            // SAFETY: both contexts live during the call.
            let isCopied = unsafe EVP_MD_CTX_copy_ex(copy.context, context)
            precondition(isCopied == 1, "libcrypto could not copy a hash")
            return copy
        }
    }
}
