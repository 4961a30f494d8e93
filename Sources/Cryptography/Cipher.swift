// SPDX-License-Identifier: Apache-2.0
//
// libcrypto's ciphers, looked up once, and the steps of running one. No pointer leaves this file.

internal import COpenSSL

/// One cipher of libcrypto, and contexts for calls that bring their own key.
///
/// `@unchecked Sendable` because the method is constant and libcrypto shares it among threads.
@safe
final class Cipher: @unchecked Sendable {
    /// The most bytes one call takes: libcrypto counts them in a C `int`.
    static let maximumSize = 1 << 30

    static let aes128CBC = Cipher("AES-128-CBC", keySize: 16, nonceSize: 16)
    static let aes256GCM = Cipher("AES-256-GCM", keySize: 32, nonceSize: 12)
    static let aes256GCMLongNonce = Cipher("AES-256-GCM", keySize: 32, nonceSize: 16)
    static let chaCha20Poly1305 = Cipher("ChaCha20-Poly1305", keySize: 32, nonceSize: 12)

    let keySize: Int
    let nonceSize: Int
    /// Whether nonces have another size than the library expects of this cipher.
    let hasUnusualNonce: Bool
    fileprivate let method: OpaquePointer
    private let contexts = Cipher.makePool()

    /// A cipher that libcrypto's default provider has, for the life of the process.
    private init(_ name: String, keySize: Int, nonceSize: Int) {
        // SAFETY: the name is lent for the call; the method is never freed.
        guard let method = unsafe EVP_CIPHER_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto lacks a cipher")
        }
        // SAFETY: as above.
        unsafe self.method = unsafe method
        self.keySize = keySize
        self.nonceSize = nonceSize
        // SAFETY: the method was just fetched.
        hasUnusualNonce = unsafe EVP_CIPHER_get_iv_length(method) != CInt(nonceSize)
    }

    /// Lends a context to `body`, and makes it forget the key afterwards.
    func lend<R>(_ body: (Context) -> R) -> R {
        contexts.lend { context in
            let result = body(context)
            context.forgetKey(of: self)
            return result
        }
    }

    /// A pool of contexts for ciphers, each of which `prepare` is shown once, when it is new.
    static func makePool(
        prepare: @escaping @Sendable (Context) -> Void = { _ in }
    ) -> ContextPool {
        ContextPool(
            make: {
                // SAFETY: the pool owns the context until it frees it, which also wipes it.
                guard let pointer = unsafe EVP_CIPHER_CTX_new() else {
                    preconditionFailure("out of memory for a cipher")
                }
                // SAFETY: as above.
                let context = unsafe Context(pointer: pointer)
                prepare(context)
                return context
            },
            free: { context in
                // SAFETY: the pool gave it up.
                unsafe EVP_CIPHER_CTX_free(context.pointer)
            })
    }
}

extension Context {
    /// Which way a cipher runs.
    enum Direction: CInt {
        case open = 0
        case seal = 1
        /// As in the call before.
        case unchanged = -1
    }

    /// Sets cipher, key and nonce for one message. False if libcrypto refused.
    func begin(
        _ direction: Direction, _ cipher: Cipher, key: Span<UInt8>, nonce: Span<UInt8>
    ) -> Bool {
        precondition(key.count == cipher.keySize, "a key of another size")
        precondition(nonce.count == cipher.nonceSize, "a nonce of another size")
        if cipher.hasUnusualNonce {
            // The size must be known before the nonce is.
            // SAFETY: the context is lent to this thread, and no buffer is passed.
            guard
                unsafe EVP_CipherInit_ex2(
                    pointer, cipher.method, nil, nil, direction.rawValue, nil) == 1,
                unsafe EVP_CIPHER_CTX_ctrl(
                    pointer, EVP_CTRL_AEAD_SET_IVLEN, CInt(cipher.nonceSize), nil) == 1
            else { return false }
        }
        let method = unsafe cipher.hasUnusualNonce ? nil : cipher.method
        // SAFETY: the context is lent to this thread; key and nonce have the sizes that are read.
        return unsafe key.withUnsafeBufferPointer { key in
            unsafe nonce.withUnsafeBufferPointer { nonce in
                unsafe EVP_CipherInit_ex2(
                    pointer, method, key.baseAddress, nonce.baseAddress, direction.rawValue, nil)
                    == 1
            }
        }
    }

    /// Sets cipher and key, for many messages with a nonce each. False if libcrypto refused.
    func key(_ direction: Direction, _ cipher: Cipher, key: Span<UInt8>) -> Bool {
        precondition(key.count == cipher.keySize, "a key of another size")
        // SAFETY: the context is in this thread's hands; the key has the size that is read.
        return unsafe key.withUnsafeBufferPointer { key in
            unsafe EVP_CipherInit_ex2(
                pointer, cipher.method, key.baseAddress, nil, direction.rawValue, nil) == 1
        }
    }

    /// Begins the next message under the key that is set. False if libcrypto refused.
    func begin(nonce: Span<UInt8>) -> Bool {
        // SAFETY: the context is lent to this thread; callers check the nonce's size.
        unsafe nonce.withUnsafeBufferPointer { nonce in
            unsafe EVP_CipherInit_ex2(
                pointer, nil, nil, nonce.baseAddress, Direction.unchanged.rawValue, nil) == 1
        }
    }

    /// Takes in associated data. False if libcrypto refused.
    func authenticate(_ data: Span<UInt8>) -> Bool {
        precondition(data.count <= Cipher.maximumSize, "too much associated data")
        guard data.count > 0 else { return true }
        // SAFETY: the context is lent to this thread, the data for the call.
        return unsafe data.withUnsafeBufferPointer { data in
            var count: CInt = 0
            return unsafe EVP_CipherUpdate(
                pointer, nil, &count, data.baseAddress, CInt(data.count)) == 1
        }
    }

    /// Runs the whole message through and ends it; `output` has its exact size. False if libcrypto
    /// refused, or the tag that was set is not the message's.
    func run(_ input: Span<UInt8>, into output: inout MutableSpan<UInt8>) -> Bool {
        precondition(input.count <= Cipher.maximumSize, "a message too large for one call")
        precondition(output.count == input.count, "an output of another size")
        // SAFETY: the context is lent to this thread; a stream cipher writes as many bytes as it
        // reads, and nothing at the end.
        return unsafe input.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                var count: CInt = 0
                var nothing: UInt8 = 0
                if input.count > 0 {
                    guard
                        unsafe EVP_CipherUpdate(
                            pointer, output.baseAddress, &count, input.baseAddress,
                            CInt(input.count)) == 1
                    else { return false }
                }
                return unsafe EVP_CipherFinal_ex(pointer, &nothing, &count) == 1
            }
        }
    }

    /// Runs the whole message through in the place where it is. False if libcrypto refused, or the
    /// tag that was set is not the message's.
    func run(inPlace message: inout MutableSpan<UInt8>) -> Bool {
        precondition(message.count <= Cipher.maximumSize, "a message too large for one call")
        // SAFETY: the context is lent to this thread; libcrypto's stream ciphers take the same
        // memory for both, and write as many bytes as they read, and nothing at the end.
        return unsafe message.withUnsafeMutableBufferPointer { bytes in
            var count: CInt = 0
            var nothing: UInt8 = 0
            if bytes.count > 0 {
                guard
                    unsafe EVP_CipherUpdate(
                        pointer, bytes.baseAddress, &count, bytes.baseAddress, CInt(bytes.count))
                        == 1
                else { return false }
            }
            return unsafe EVP_CipherFinal_ex(pointer, &nothing, &count) == 1
        }
    }

    /// Runs the whole message through a block cipher, with its padding. `output` has room for a
    /// block more than the message. False if libcrypto refused or the padding is wrong.
    @discardableResult
    func run(_ input: Span<UInt8>, appendingTo output: inout OutputSpan<UInt8>) -> Bool {
        precondition(input.count <= Cipher.maximumSize, "a message too large for one call")
        precondition(output.freeCapacity >= input.count + AES128CBC.blockSize, "no room to pad")
        // SAFETY: the context is lent to this thread; padding adds at most one block.
        return unsafe input.withUnsafeBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { buffer, written in
                guard let start = buffer.baseAddress else { return false }
                var count: CInt = 0
                var rest: CInt = 0
                if input.count > 0 {
                    guard
                        unsafe EVP_CipherUpdate(
                            pointer, start + written, &count, input.baseAddress,
                            CInt(input.count)) == 1
                    else { return false }
                }
                let isEnded =
                    unsafe EVP_CipherFinal_ex(pointer, start + written + Int(count), &rest) == 1
                written += Int(count) + Int(isEnded ? rest : 0)
                return isEnded
            }
        }
    }

    /// Writes the tag of the message that was sealed. False if libcrypto refused.
    func readTag(into tag: inout MutableSpan<UInt8>) -> Bool {
        // SAFETY: the context is lent to this thread, the tag for the call, with its size.
        unsafe tag.withUnsafeMutableBytes { tag in
            unsafe EVP_CIPHER_CTX_ctrl(
                pointer, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), tag.baseAddress) == 1
        }
    }

    /// Sets the tag that the message to be opened must have. False if libcrypto refused.
    func setTag(_ tag: Span<UInt8>) -> Bool {
        // SAFETY: as above; libcrypto only reads the tag, though its parameter does not say so.
        unsafe tag.withUnsafeBytes { tag in
            unsafe EVP_CIPHER_CTX_ctrl(
                pointer, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count),
                UnsafeMutableRawPointer(mutating: tag.baseAddress)) == 1
        }
    }

    /// Overwrites the key schedule.
    fileprivate func forgetKey(of cipher: Cipher) {
        let zeros = InlineArray<32, UInt8>(repeating: 0)
        // The outcome does not matter: a context that takes no key holds none either.
        _ = key(.seal, cipher, key: zeros.span.extracting(first: cipher.keySize))
    }
}
