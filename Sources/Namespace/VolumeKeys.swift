// SPDX-License-Identifier: Apache-2.0
//
// Everything a volume's one secret turns into. Each derivation has a label of its own, is frozen
// (docs/format.md §2), and has a vector in the tests: a changed byte here would lose
// every volume there is.

package import Cryptography
package import Scratchpads

/// The keys of one volume, all derived from its 32-byte seed.
///
/// The seed itself is not kept: who holds this can use the volume but not write down its phrase.
package struct VolumeKeys: Sendable {
    /// The pad that is the head of the volume.
    package let rootPad: WriteCapability
    /// What seals pages.
    package let pageSecret: PageSecret
    /// The volume's name for itself, `Root.volumeIDSize` bytes; it says nothing of the seed.
    package let volumeID: [UInt8]
    private let padMaster: SecretBytes
    private let localMaster: SecretBytes

    /// Bytes of a volume's seed.
    package static let seedSize = 32
    /// The least salt `localKey` takes.
    package static let minimumSaltSize = 16

    /// - Parameter seed: exactly `seedSize` bytes; anything else traps.
    package init(seed: SecretBytes) {
        precondition(seed.count == Self.seedSize, "a volume's seed has 32 bytes")
        func derive(_ context: String) -> SecretBytes {
            Blake3.deriveSecret(context: context, material: seed, count: 32)
        }
        rootPad = WriteCapability(seed: derive(Label.rootPad))
        pageSecret = PageSecret(derive(Label.pageSecret))
        volumeID = seed.withBytes {
            Blake3.deriveKey(context: Label.volumeID, material: $0, count: Root.volumeIDSize)
        }
        padMaster = derive(Label.padMaster)
        localMaster = derive(Label.localMaster)
    }

    /// The pad with this identity.
    ///
    /// - Parameter identity: `PadReference.identitySize` bytes; anything else traps.
    package func pad(identity: [UInt8]) -> WriteCapability {
        precondition(identity.count == PadReference.identitySize, "an identity has 32 bytes")
        return WriteCapability(seed: Self.derive(Label.padSeed, padMaster, identity))
    }

    /// What can be done with the pad of this identity and address; nil if the two do not belong
    /// together in this volume.
    ///
    /// - Parameter identity: `PadReference.identitySize` bytes; anything else traps.
    package func pad(identity: [UInt8], at address: PadAddress) -> (any PadCapability)? {
        guard address.scheme == .autonomi else {
            let capability = pad(identity: identity)
            return capability.address == address ? capability : nil
        }
        precondition(identity.count == PadReference.identitySize, "an identity has 32 bytes")
        if mask(Label.keylessPad, address).withBytes({ $0.isEqual(to: identity) }) {
            return AutonomiPad(address: address)
        }
        for isEncrypted in [true, false] {
            let mask = mask(isEncrypted ? Label.encryptedPad : Label.openPad, address)
            let key = mask.combined(with: identity)
            if let pad = AutonomiPad(key: key, isEncrypted: isEncrypted), pad.address == address {
                return pad
            }
        }
        return nil
    }

    /// The identity under which this volume keeps a pad of the older Autonomi network: its key,
    /// masked, so that whoever has a row or a page of it, but not the volume's secret, has no key.
    package func identity(of pad: AutonomiPad) -> [UInt8] {
        guard pad.isWritable else {
            return mask(Label.keylessPad, pad.address).withBytes { mask in
                mask.indices.map { mask[$0] }
            }
        }
        let mask = mask(pad.isEncrypted ? Label.encryptedPad : Label.openPad, pad.address)
        let masked = pad.withKey { key in
            mask.withBytes { mask in key.indices.map { key[$0] ^ mask[$0] } }
        }
        guard let masked else { preconditionFailure("a writable pad without a key") }
        return masked
    }

    private func mask(_ label: String, _ address: PadAddress) -> SecretBytes {
        Self.derive(label, padMaster, address.bytes)
    }

    /// The key that seals the blocks of one state folder.
    ///
    /// - Parameter salt: random, kept in the state folder, at least `minimumSaltSize` bytes or it
    ///   traps. Two machines, or a folder made anew, so never share a key and its nonces.
    package func localKey(salt: [UInt8]) -> SecretBytes {
        precondition(salt.count >= Self.minimumSaltSize, "the salt is too short")
        return Self.derive(Label.localKey, localMaster, salt)
    }

    /// A key of one master among many, told apart by `salt`, which is no secret.
    private static func derive(
        _ context: String, _ master: SecretBytes, _ salt: [UInt8]
    ) -> SecretBytes {
        let material = SecretBytes(count: master.count + salt.count) { memory in
            master.withBytes { secret in
                for index in secret.indices { memory[index] = secret[index] }
            }
            for (index, byte) in salt.enumerated() { memory[master.count + index] = byte }
        }
        return Blake3.deriveSecret(context: context, material: material, count: 32)
    }

    private enum Label {
        static let rootPad = "cairn 2026 root pad seed v1"
        static let pageSecret = "cairn 2026 page secret v1"
        static let volumeID = "cairn 2026 volume id v1"
        static let padMaster = "cairn 2026 pad master v1"
        static let padSeed = "cairn 2026 pad seed v1"
        static let keylessPad = "cairn 2026 autonomi pad without key v1"
        static let encryptedPad = "cairn 2026 autonomi pad encrypted v1"
        static let openPad = "cairn 2026 autonomi pad open v1"
        static let localMaster = "cairn 2026 local master v1"
        static let localKey = "cairn 2026 local sealing key v1"
    }
}

extension SecretBytes {
    /// These bytes, each combined with one of as many others by exclusive or.
    fileprivate func combined(with other: [UInt8]) -> SecretBytes {
        SecretBytes(count: count) { memory in
            withBytes { own in
                for index in own.indices { memory[index] = own[index] ^ other[index] }
            }
        }
    }
}

extension Span<UInt8> {
    /// Neither is a secret: it may stop at the first difference.
    fileprivate func isEqual(to other: [UInt8]) -> Bool {
        count == other.count && indices.allSatisfy { self[$0] == other[$0] }
    }
}
