// SPDX-License-Identifier: Apache-2.0
//
// Which account a volume has on Aleph Cloud, if it is not the one its seed makes for Solana.
//
// Invariant: the file holds no secret that the volume's seed does not open.

package import AlephProtocol
package import Cryptography
import Glibc
import Primitives

/// The choice of a volume's account.
package enum AlephAccountFile: Sendable {
    /// The account that the volume's seed makes on a chain.
    case derived(AlephChain)
    /// An account whose key came from elsewhere.
    case imported(AlephChain, SecretBytes)

    private static let magic = Array("CALA".utf8)
    private static let version: UInt8 = 1
    private static let label = "cairn 2026 aleph account file v1"
    /// The most bytes of the file.
    package static let maximumSize = 512

    /// The account.
    ///
    /// - Parameter seed: the volume's.
    package func account(seed: SecretBytes) throws(CommandFailure) -> AlephAccount {
        do {
            switch self {
            case .derived(let chain):
                return try AlephAccount(derivingFrom: seed, chain: chain)
            case .imported(let chain, let secret):
                return try AlephAccount(secret: secret, chain: chain)
            }
        } catch {
            throw CommandFailure(error)
        }
    }

    /// The file's bytes.
    ///
    /// - Parameters:
    ///   - seed: the volume's, under which an imported key is sealed.
    ///   - nonce: 24 fresh random bytes.
    /// - Source: docs/aleph.md §1.
    package func encoded(seed: SecretBytes, nonce: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        writer.raw(AlephAccountFile.magic)
        writer.u8(AlephAccountFile.version)
        switch self {
        case .derived(let chain):
            writer.u8(0)
            AlephAccountFile.write(chain, to: &writer)
        case .imported(let chain, let secret):
            writer.u8(1)
            AlephAccountFile.write(chain, to: &writer)
            let head = writer.bytes
            let sealed = secret.withBytes { secret in
                XChaCha20Poly1305.seal(
                    secret, key: AlephAccountFile.key(seed), nonce24: nonce, aad: head.span)
            }
            writer.raw(nonce)
            writer.raw(sealed)
        }
        return writer.bytes
    }

    /// Reads the file's bytes.
    ///
    /// - Throws: a sentence fragment: what is wrong with them.
    package init(decoding bytes: [UInt8], seed: SecretBytes) throws(AlephAccountFileError) {
        do {
            var reader = ByteReader(bytes)
            guard try reader.raw(4) == AlephAccountFile.magic else { throw CodingError.truncated }
            guard try reader.u8() == AlephAccountFile.version else {
                throw AlephAccountFileError.unknownVersion
            }
            let kind = try reader.u8()
            let limit = AlephChain.maximumNameSize
            let name = String(decoding: try reader.lengthPrefixed(limit: limit), as: UTF8.self)
            let chain = AlephChain(name: name)
            guard chain.scheme != nil else { throw AlephAccountFileError.damaged }
            let head = Array(bytes.prefix(reader.offset))
            switch kind {
            case 0: self = .derived(chain)
            case 1:
                let nonce = try reader.raw(XChaCha20Poly1305.nonceSize)
                let sealed = try reader.raw(AlephAccount.secretSize + XChaCha20Poly1305.tagSize)
                var secret = try XChaCha20Poly1305.open(
                    sealed.span, key: AlephAccountFile.key(seed), nonce24: nonce, aad: head.span)
                defer { Wiping.wipe(&secret) }
                self = .imported(chain, SecretBytes(secret))
            default: throw AlephAccountFileError.damaged
            }
            try reader.expectEnd()
        } catch AlephAccountFileError.unknownVersion {
            throw .unknownVersion
        } catch {
            throw .damaged
        }
    }

    private static func write(_ chain: AlephChain, to writer: inout ByteWriter) {
        let name = Array(chain.name.utf8)
        writer.varint(UInt64(name.count))
        writer.raw(name)
    }

    private static func key(_ seed: SecretBytes) -> SecretBytes {
        Blake3.deriveSecret(context: label, material: seed, count: XChaCha20Poly1305.keySize)
    }
}

/// Why an account's file cannot be read.
package enum AlephAccountFileError: Error, Equatable, Sendable {
    /// It was changed, cut, or belongs to another volume.
    case damaged
    /// A later version of the program wrote it.
    case unknownVersion
}

extension AlephAccountFile {
    /// The choice of a volume; the account its seed makes for Solana if it made none.
    package static func read(
        from folder: VolumeFolder, seed: SecretBytes
    ) throws(CommandFailure) -> AlephAccountFile {
        let path = folder.alephAccount
        guard Files.exists(path) else { return .derived(.solana) }
        let bytes: [UInt8]
        do {
            bytes = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW).readAll(limit: maximumSize)
        } catch {
            throw CommandFailure(
                .invalidConfiguration, "the account's file “\(path)” cannot be read", error)
        }
        do {
            return try AlephAccountFile(decoding: bytes, seed: seed)
        } catch {
            switch error {
            case .unknownVersion:
                throw CommandFailure(
                    .invalidConfiguration,
                    "the account's file “\(path)” has a version this program does not know",
                    advice: "use a newer cairn")
            case .damaged:
                throw CommandFailure(
                    .invalidConfiguration,
                    "the account's file “\(path)” is damaged, or another volume's",
                    advice: "import the key again with “cairn aleph account import --replace”")
            }
        }
    }

    /// Keeps the choice, mode 0600, as one step.
    ///
    /// - Parameter replaces: whether a key that was imported before may be lost by it.
    package func write(
        to folder: VolumeFolder, seed: SecretBytes, replaces: Bool
    ) throws(CommandFailure) {
        if !replaces, Files.exists(folder.alephAccount),
            case .imported = try AlephAccountFile.read(from: folder, seed: seed)
        {
            throw CommandFailure(
                .failure, "the volume “\(folder.name)” has an imported account already",
                advice: "--replace forgets its key here; see that you have it elsewhere")
        }
        let nonce = SystemRandom.bytes(XChaCha20Poly1305.nonceSize)
        do {
            try Files.replace(
                folder.alephAccount, with: encoded(seed: seed, nonce: nonce), mode: 0o600)
        } catch {
            throw CommandFailure(
                .failure, "the account's file “\(folder.alephAccount)” cannot be written", error)
        }
    }
}

extension VolumeFolder {
    /// The choice of the volume's account on Aleph Cloud; missing unless one was made.
    package var alephAccount: String { path + "/aleph-account" }
}
