// SPDX-License-Identifier: Apache-2.0
//
// A pad of the older Autonomi network: its key, if there is one, and what its payload is.

internal import BLS12381
package import Cryptography
internal import Primitives

/// A scratchpad of the older Autonomi network, in the hands of somebody with or without its key.
///
/// The network's own library encrypts a pad's content to its owner's key; but some clients put
/// content there as it is, so that everybody can read it. Which of the two a pad has, its first
/// record tells: see `init(key:record:)`.
package struct AutonomiPad: PadCapability {
    /// Bytes of a secret key.
    package static let keySize = BLSSecretKey.byteCount
    /// The most bytes of a payload that the network's nodes take.
    ///
    /// - Source: 4 MiB for the whole scratchpad, of which 336 bytes are its other fields in the
    ///   memory of the network's own program.
    package static let maximumPayloadSize = PadRecord.maximumSize - 336
    /// The most bytes of content, encrypted.
    package static let maximumContentSize = maximumPayloadSize - overhead
    /// Bytes by which an encrypted payload is larger than the content.
    static let overhead = BLSPublicKey.encryptionOverhead
    /// - Source: docs/format.md §4.
    static let nonceContext = "cairn autonomi pad nonce v1"

    /// The pad.
    package let address: PadAddress
    /// Whether the content is encrypted to the pad's owner; false if the payload is the content.
    package let isEncrypted: Bool
    private let key: BLSSecretKey?

    /// A pad of which there is no key. Its content is its payload.
    ///
    /// - Parameter address: one of `SignatureSchemeID.autonomi`, or it traps.
    package init(address: PadAddress) {
        precondition(address.scheme == .autonomi, "a pad of another scheme")
        self.address = address
        isEncrypted = false
        key = nil
    }

    /// The pad of a secret key; nil if the bytes are none.
    ///
    /// - Parameters:
    ///   - key: `keySize` bytes, the highest first.
    ///   - isEncrypted: whether its content is encrypted.
    package init?(key: SecretBytes, isEncrypted: Bool) {
        guard let key = BLSSecretKey(key),
            let address = PadAddress(scheme: .autonomi, bytes: key.publicKey.bytes)
        else { return nil }
        self.address = address
        self.isEncrypted = isEncrypted
        self.key = key
    }

    /// The pad of a secret key and of a record of it: encrypted if the record's payload is.
    ///
    /// Nil if the bytes are no key, or the record is not this pad's.
    package init?(key: SecretBytes, record: PadRecord) {
        guard let pad = AutonomiPad(key: key, isEncrypted: true), pad.address == record.address
        else { return nil }
        if (try? pad.content(record.ciphertext)) != nil {
            self = pad
        } else {
            // What is no ciphertext of this key's is public content: there is no third form.
            guard let open = AutonomiPad(key: key, isEncrypted: false) else { return nil }
            self = open
        }
    }

    /// Whether there is a key.
    package var isWritable: Bool { key != nil }

    /// What the network takes as a payload, less what encryption adds.
    package var maximumPlaintextSize: Int {
        isEncrypted ? AutonomiPad.maximumContentSize : AutonomiPad.maximumPayloadSize
    }

    /// Lends the secret key to `body`; nil if there is none.
    package func withKey<Result>(_ body: (Span<UInt8>) -> Result) -> Result? {
        key?.withBytes(body)
    }

    /// The content of a record, after its signature was found to be the owner's.
    ///
    /// - Throws: `foreignPad`, `badSignature`, `cannotOpen`.
    package func open(_ record: PadRecord) throws(ScratchpadError) -> [UInt8] {
        guard record.address == address else { throw .foreignPad }
        try record.verify()
        return try content(record.ciphertext)
    }

    /// Seals and signs one state of the pad, as the network's own library does.
    ///
    /// No content gives no payload: that library cannot decrypt what it encrypts of nothing.
    ///
    /// - Throws: `tooLarge`, `noKey`.
    package func seal(
        _ plain: Span<UInt8>, encoding: UInt64, counter: UInt64
    ) throws(ScratchpadError) -> PadRecord {
        guard let key else { throw .noKey }
        guard plain.count <= maximumPlaintextSize else {
            throw .tooLarge(limit: maximumPlaintextSize)
        }
        let payload: [UInt8]
        if isEncrypted, !plain.isEmpty {
            let nonce = nonce(key, plain, encoding: encoding, counter: counter)
            payload = key.publicKey.encrypt(plain, nonce: nonce)
        } else {
            payload = plain.indices.map { plain[$0] }
        }
        let message = AutonomiScheme.signedBytes(
            address: address, encoding: encoding, counter: counter, ciphertext: payload)
        return try PadRecord(
            address: address, encoding: encoding, counter: counter, ciphertext: payload,
            signature: key.sign(message.span))
    }

    private func content(_ payload: [UInt8]) throws(ScratchpadError) -> [UInt8] {
        guard let key, isEncrypted, !payload.isEmpty else { return payload }
        do throws(CryptographyError) {
            return try key.decrypt(payload.span)
        } catch {
            throw .cannotOpen
        }
    }

    /// What an encryption is made from besides key and content. It depends on all of them, so that
    /// the same arguments give the same record, and no two contents share one.
    private func nonce(
        _ key: BLSSecretKey, _ plain: Span<UInt8>, encoding: UInt64, counter: UInt64
    ) -> SecretBytes {
        var hasher = Blake3Hasher(derivingFor: AutonomiPad.nonceContext)
        key.withBytes { hasher.update($0) }
        var rest = ByteWriter()
        rest.u64be(encoding)
        rest.u64be(counter)
        rest.raw(Blake3.hash(plain).bytes)
        hasher.update(rest.bytes.span)
        return SecretBytes(count: BLSPublicKey.nonceSize) { hasher.finalize(into: &$0) }
    }
}
