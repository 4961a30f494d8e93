// SPDX-License-Identifier: Apache-2.0
//
// libcrypto's hash functions, looked up once.

internal import COpenSSL

/// One hash function of libcrypto, and the contexts it computes in.
///
/// `@unchecked Sendable` because the method is constant and libcrypto shares it among threads.
@safe
final class HashFunction: @unchecked Sendable {
    static let sha3 = HashFunction("SHA3-256", size: 32)
    static let sha256 = HashFunction("SHA2-256", size: 32)
    static let md5 = HashFunction("MD5", size: 16)
    static let sha512 = HashFunction("SHA2-512", size: 64)

    /// Bytes of output.
    let size: Int
    private let method: OpaquePointer
    private let contexts = ContextPool(
        make: {
            // SAFETY: the pool owns the context until it frees it.
            guard let pointer = unsafe EVP_MD_CTX_new() else {
                preconditionFailure("out of memory for a hash")
            }
            // SAFETY: as above.
            return unsafe Context(pointer: pointer)
        },
        free: { context in
            // SAFETY: the pool gave it up.
            unsafe EVP_MD_CTX_free(context.pointer)
        })

    /// A function that libcrypto's default provider has, for the life of the process.
    private init(_ name: String, size: Int) {
        // SAFETY: the name is lent for the call; the method is never freed.
        guard let method = unsafe EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("libcrypto lacks a hash function")
        }
        // SAFETY: as above.
        unsafe self.method = unsafe method
        self.size = size
    }

    /// Writes the hash of `bytes` into `output`, which has the function's size.
    func hash(_ bytes: Span<UInt8>, into output: inout MutableSpan<UInt8>) {
        precondition(output.count == size, "a digest of another size")
        let isHashed = contexts.lend { context in
            // SAFETY: the context is ours for this call; both buffers are lent with their sizes.
            unsafe bytes.withUnsafeBytes { input in
                unsafe output.withUnsafeMutableBufferPointer { output in
                    let context = unsafe context.pointer
                    return unsafe EVP_DigestInit_ex2(context, method, nil) == 1
                        && EVP_DigestUpdate(context, input.baseAddress, input.count) == 1
                        && EVP_DigestFinal_ex(context, output.baseAddress, nil) == 1
                }
            }
        }
        precondition(isHashed, "libcrypto could not hash")
    }
}
