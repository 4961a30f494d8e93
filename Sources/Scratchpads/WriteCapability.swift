// SPDX-License-Identifier: Apache-2.0
//
// What the owner of a pad holds. Everything comes from one seed of 32 bytes.

package import Cryptography

/// The power to write one pad, and so to read it.
///
/// From the pad's seed two keys are derived that do not lead to each other: one signs, one reads.
/// Both depend on the scheme, so that one seed under two schemes is two unrelated pads.
package struct WriteCapability: PadCapability {
    /// Bytes of a pad's seed.
    package static let seedSize = 32

    /// The most bytes of content of an Ed25519 pad: what leaves the whole record within
    /// `PadRecord.maximumSize`.
    package static let maximumPlaintextSize =
        PadRecord.maximumCiphertextSize(Ed25519Scheme.self) - PadCipher.overhead

    /// - Source: docs/format.md §4.
    static let signingContext = "cairn scratchpad v1 signing seed"
    /// - Source: docs/format.md §4.
    static let readingContext = "cairn scratchpad v1 read key"

    /// The pad.
    package let address: PadAddress
    /// What can be given to a reader.
    package let reading: ReadCapability
    private let signer: any PadSigner

    /// True.
    package var isWritable: Bool { true }

    /// What leaves the whole record within `PadRecord.maximumSize`, in bytes.
    package var maximumPlaintextSize: Int {
        PadRecord.maximumCiphertextSize(address.scheme.scheme) - PadCipher.overhead
    }

    /// The pad of a seed.
    ///
    /// - Parameters:
    ///   - seed: `seedSize` bytes that nobody can guess.
    ///   - scheme: how the pad is signed; one whose keys are made from seeds, or it traps.
    package init(seed: SecretBytes, scheme: SignatureSchemeID = .ed25519) {
        precondition(seed.count == WriteCapability.seedSize, "a pad seed of another size")
        let signingSeed = WriteCapability.derive(
            WriteCapability.signingContext, from: seed, scheme: scheme)
        guard let seedScheme = scheme.scheme as? any SeedScheme.Type else {
            preconditionFailure("a scheme whose keys are made elsewhere")
        }
        let signer = seedScheme.signer(signingSeed: signingSeed)
        guard let address = PadAddress(scheme: scheme, bytes: signer.address) else {
            preconditionFailure("a scheme whose keys have not its own address size")
        }
        let readKey = WriteCapability.derive(
            WriteCapability.readingContext, from: seed, scheme: scheme)
        self.signer = signer
        self.address = address
        reading = ReadCapability(address: address, readKey: readKey)
    }

    /// Seals and signs one state of the pad.
    ///
    /// The same arguments always give the same record, so that a record whose fate is unknown can
    /// be made and offered again. Two records of different content must not have the same counter:
    /// see `CounterRule`.
    ///
    /// - Parameters:
    ///   - plain: the content; at most `maximumPlaintextSize` bytes, and none is fine.
    ///   - encoding: what kind of content it is; signed, and shown to everybody.
    ///   - counter: above that of every record this pad ever had.
    /// - Throws: `tooLarge`.
    package func seal(
        _ plain: Span<UInt8>, encoding: UInt64, counter: UInt64
    ) throws(ScratchpadError) -> PadRecord {
        let scheme = address.scheme.scheme
        guard plain.count <= maximumPlaintextSize else {
            throw .tooLarge(limit: maximumPlaintextSize)
        }
        let ciphertext = PadCipher(key: reading.readKey).seal(
            plain, address: address, encoding: encoding, counter: counter)
        let message = scheme.signedBytes(
            address: address, encoding: encoding, counter: counter, ciphertext: ciphertext)
        return try PadRecord(
            address: address, encoding: encoding, counter: counter, ciphertext: ciphertext,
            signature: signer.sign(message.span))
    }

    /// The content of a record; see `ReadCapability.open`.
    package func open(_ record: PadRecord) throws(ScratchpadError) -> [UInt8] {
        try reading.open(record)
    }

    private static func derive(
        _ context: String, from seed: SecretBytes, scheme: SignatureSchemeID
    ) -> SecretBytes {
        var hasher = Blake3Hasher(derivingFor: context)
        seed.withBytes { hasher.update($0) }
        hasher.update([scheme.rawValue].span)
        return SecretBytes(count: 32) { hasher.finalize(into: &$0) }
    }
}
