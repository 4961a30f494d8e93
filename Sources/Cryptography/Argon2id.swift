// SPDX-License-Identifier: Apache-2.0
//
// A key from a passphrase, slowly.

internal import CSodium

/// Argon2id, version 1.3, with one lane.
///
/// The limits are stored beside the salt, so that they can grow with machines. They come back from
/// a file, so that their ranges are checked here.
///
/// - Source: RFC 9106.
package enum Argon2id {
    /// Bytes of a salt.
    package static let saltSize = 16
    /// Passes over the memory for new keys: with `defaultMemLimit`, about a second.
    ///
    /// - Source: libsodium's `OPSLIMIT_MODERATE`.
    package static let defaultOpsLimit = 3
    /// Bytes of memory for new keys: 256 MiB, dear to a guesser and bearable for a small server.
    ///
    /// - Source: libsodium's `MEMLIMIT_MODERATE`.
    package static let defaultMemLimit = 256 << 20
    /// Passes that are accepted; more would be a file made to hang its reader.
    package static let opsLimits = 1...64
    /// Bytes of memory that are accepted; the lower end is argon2's own.
    package static let memLimits = 8192...(4 << 30)

    /// Key material from a password.
    ///
    /// - Parameters:
    ///   - salt: `saltSize` bytes, random and stored.
    ///   - count: bytes wanted, at least 16.
    ///   - opsLimit: passes over the memory, within `opsLimits`.
    ///   - memLimit: bytes of memory, within `memLimits`; what is below a kibibyte is cut off.
    /// - Throws: `outOfMemory` if the system does not have `memLimit` bytes; `libraryFailure` if a
    ///   limit or the salt is out of range.
    package static func derive(
        password: SecretBytes, salt: [UInt8], count: Int, opsLimit: Int = defaultOpsLimit,
        memLimit: Int = defaultMemLimit
    ) throws(CryptographyError) -> SecretBytes {
        precondition(count >= 16, "argon2id gives at least 16 bytes")
        guard salt.count == saltSize else { throw .libraryFailure("argon2id: salt size") }
        guard opsLimits.contains(opsLimit), memLimits.contains(memLimit) else {
            throw .libraryFailure("argon2id: limits out of range")
        }
        SodiumLibrary.start()
        let saltSpan = salt.span
        return try SecretBytes(count: count) { (output) throws(CryptographyError) in
            let outcome = password.withBytes { password in
                // SAFETY: every buffer is lent for the call, with its size; the salt's was checked.
                unsafe output.withMutablePointer { key in
                    unsafe password.withPointer { text in
                        unsafe saltSpan.withPointer { salt in
                            unsafe crypto_pwhash(
                                key, UInt64(count),
                                UnsafeRawPointer(text).assumingMemoryBound(to: CChar.self),
                                UInt64(password.count), salt, UInt64(opsLimit), memLimit,
                                crypto_pwhash_ALG_ARGON2ID13)
                        }
                    }
                }
            }
            // All else was checked before, so only memory can have been missing.
            guard outcome == 0 else { throw .outOfMemory }
        }
    }
}
