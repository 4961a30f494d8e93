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
        static let localMaster = "cairn 2026 local master v1"
        static let localKey = "cairn 2026 local sealing key v1"
    }
}
