// SPDX-License-Identifier: Apache-2.0
//
// The bytes of a key file: a seed, plain or sealed with a passphrase. docs/format.md §21 is the
// authority. Pure but for the randomness a new file needs.

package import Cryptography
import Primitives

/// Why a key file gave no seed.
package enum KeyFileError: Error, Equatable, Sendable {
    /// It is no key file, or a damaged one; what was noticed.
    case malformed(String)
    /// A version this program does not know.
    case unknownVersion(UInt8)
    /// It is sealed, and no passphrase was given.
    case needsPassphrase
    /// The passphrase does not open it.
    case wrongPassphrase
    /// This machine has not the memory that opening asks for.
    case outOfMemory
}

/// A volume's seed as it is kept on the disk.
package struct KeyFile: Equatable, Sendable {
    /// The first bytes of the file.
    static let magic = Array("cairnkey".utf8)
    /// The only version so far.
    static let version: UInt8 = 1
    /// Bytes of a seed.
    package static let seedSize = 32
    /// No key file is larger.
    package static let maximumSize = 512

    /// How hard a passphrase is to guess: passes and memory of argon2id.
    ///
    /// 128 MiB and 3 passes: some tenths of a second here, and nothing a small machine lacks. The
    /// file says what it was made with, so a later default changes no old file.
    package struct Cost: Equatable, Sendable {
        package var passes: Int
        package var memory: Int

        package init(passes: Int = 3, memory: Int = 128 << 20) {
            self.passes = passes
            self.memory = memory
        }
    }

    /// What a file may ask for: a hostile one must not take all memory, or all day.
    static let passLimits: ClosedRange<UInt64> = 1...16
    static let memoryLimits: ClosedRange<UInt64> = 8192...(1 << 30)

    private enum Protection: Equatable {
        case plain(SecretBytes)
        case sealed(salt: [UInt8], cost: Cost, nonce: [UInt8], box: [UInt8])
    }

    private let protection: Protection

    /// True when a passphrase is needed.
    package var isSealed: Bool {
        if case .sealed = protection { true } else { false }
    }

    /// A file that anybody who can read it can use.
    package init(seed: SecretBytes) {
        precondition(seed.count == Self.seedSize, "a seed has 32 bytes")
        protection = .plain(seed)
    }

    /// A file that is useless without the passphrase.
    ///
    /// - Throws: `outOfMemory` when the machine has not the memory `cost` asks for.
    package init(
        seed: SecretBytes, passphrase: SecretBytes, cost: Cost = Cost()
    ) throws(KeyFileError) {
        precondition(seed.count == Self.seedSize, "a seed has 32 bytes")
        let salt = SystemRandom.bytes(Argon2id.saltSize)
        let nonce = SystemRandom.bytes(XChaCha20Poly1305.nonceSize)
        let key = try Self.key(passphrase, salt, cost)
        let head = Self.sealedHead(salt, cost, nonce)
        let box = seed.withBytes {
            XChaCha20Poly1305.seal($0, key: key, nonce24: nonce, aad: head.span)
        }
        protection = .sealed(salt: salt, cost: cost, nonce: nonce, box: box)
    }

    /// The seed.
    ///
    /// - Parameter passphrase: ignored when the file is not sealed.
    package func seed(passphrase: SecretBytes?) throws(KeyFileError) -> SecretBytes {
        switch protection {
        case .plain(let seed):
            return seed
        case .sealed(let salt, let cost, let nonce, let box):
            guard let passphrase else { throw .needsPassphrase }
            let key = try Self.key(passphrase, salt, cost)
            let head = Self.sealedHead(salt, cost, nonce)
            do {
                var plain = try XChaCha20Poly1305.open(
                    box.span, key: key, nonce24: nonce, aad: head.span)
                defer { Wiping.wipe(&plain) }
                return SecretBytes(plain)
            } catch {
                throw .wrongPassphrase
            }
        }
    }

    private static func key(
        _ passphrase: SecretBytes, _ salt: [UInt8], _ cost: Cost
    ) throws(KeyFileError) -> SecretBytes {
        do {
            return try Argon2id.derive(
                password: passphrase, salt: salt, count: XChaCha20Poly1305.keySize,
                opsLimit: cost.passes, memLimit: cost.memory)
        } catch {
            throw .outOfMemory
        }
    }

    // MARK: Bytes

    private enum Tag {
        static let plain: UInt8 = 0
        static let sealed: UInt8 = 1
    }

    /// Everything before the box; authenticated with it, so no part can be exchanged.
    private static func sealedHead(_ salt: [UInt8], _ cost: Cost, _ nonce: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(magic)
        writer.u8(version)
        writer.u8(Tag.sealed)
        writer.raw(salt)
        writer.u64le(UInt64(cost.passes))
        writer.u64le(UInt64(cost.memory))
        writer.raw(nonce)
        return writer.bytes
    }

    /// The file's bytes. Those of a plain file are the secret itself: to be wiped after use.
    package func encoded() -> [UInt8] {
        // One buffer of the final size: growing would leave copies of the seed behind.
        var writer = ByteWriter(capacity: Self.maximumSize)
        switch protection {
        case .plain(let seed):
            writer.raw(Self.magic)
            writer.u8(Self.version)
            writer.u8(Tag.plain)
            seed.withBytes { writer.raw($0) }
        case .sealed(let salt, let cost, let nonce, let box):
            writer.raw(Self.sealedHead(salt, cost, nonce))
            writer.raw(box)
        }
        writer.digest(Blake3.hash(writer.bytes))
        return writer.bytes
    }

    /// Reads a file's bytes.
    package init(decoding bytes: [UInt8]) throws(KeyFileError) {
        do {
            self = try Self.decode(bytes)
        } catch let error as KeyFileError {
            throw error
        } catch {
            throw .malformed("it is cut short")
        }
    }

    private static func decode(_ bytes: [UInt8]) throws -> KeyFile {
        guard bytes.count <= maximumSize else { throw KeyFileError.malformed("it is too long") }
        var reader = ByteReader(bytes)
        guard try reader.raw(magic.count) == magic else {
            throw KeyFileError.malformed("it does not begin like one")
        }
        let version = try reader.u8()
        guard version == Self.version else { throw KeyFileError.unknownVersion(version) }
        let bodySize = bytes.count - Digest.byteCount
        guard bodySize >= reader.offset + 1 else { throw CodingError.truncated }
        let body = bytes.span.extracting(0..<bodySize)
        var tail = ByteReader(Array(bytes[bodySize...]))
        guard try tail.digest() == Blake3.hash(body) else {
            throw KeyFileError.malformed("its checksum is wrong")
        }
        let protection: Protection
        switch try reader.u8() {
        case Tag.plain:
            var seed = try reader.raw(seedSize)
            defer { Wiping.wipe(&seed) }
            protection = .plain(SecretBytes(seed))
        case Tag.sealed:
            protection = try sealed(&reader)
        case let other:
            throw KeyFileError.malformed("its protection \(other) is not known")
        }
        guard reader.offset == bodySize else {
            throw KeyFileError.malformed("it is longer than its content")
        }
        return KeyFile(protection: protection)
    }

    private static func sealed(_ reader: inout ByteReader) throws -> Protection {
        let salt = try reader.raw(Argon2id.saltSize)
        let passes = try reader.u64le()
        let memory = try reader.u64le()
        guard passLimits.contains(passes), memoryLimits.contains(memory) else {
            throw KeyFileError.malformed("it asks for more work than a key file may")
        }
        let nonce = try reader.raw(XChaCha20Poly1305.nonceSize)
        let box = try reader.raw(seedSize + XChaCha20Poly1305.tagSize)
        let cost = Cost(passes: Int(passes), memory: Int(memory))
        return .sealed(salt: salt, cost: cost, nonce: nonce, box: box)
    }

    private init(protection: Protection) {
        self.protection = protection
    }
}
