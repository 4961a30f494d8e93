// SPDX-License-Identifier: Apache-2.0
//
// Everything a volume's one secret turns into. Each derivation has a label of its own, is frozen
// (docs/format-namespace.md §1), and has a vector in the tests: a changed byte here would lose
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
        func derive(_ context: String, _ count: Int) -> [UInt8] {
            seed.withBytes { Blake3.deriveKey(context: context, material: $0, count: count) }
        }
        rootPad = WriteCapability(seed: SecretBytes(derive(Label.rootPad, 32)))
        pageSecret = PageSecret(SecretBytes(derive(Label.pageSecret, PageSecret.size)))
        volumeID = derive(Label.volumeID, Root.volumeIDSize)
        padMaster = SecretBytes(derive(Label.padMaster, 32))
        localMaster = SecretBytes(derive(Label.localMaster, 32))
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

    private static func derive(
        _ context: String, _ master: SecretBytes, _ suffix: [UInt8]
    ) -> SecretBytes {
        master.withBytes { secret in
            var material = [UInt8]()
            material.reserveCapacity(secret.count + suffix.count)
            for index in secret.indices { material.append(secret[index]) }
            material.append(contentsOf: suffix)
            let key = Blake3.deriveKey(context: context, material: material.span, count: 32)
            for index in material.indices { material[index] = 0 }
            return SecretBytes(key)
        }
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
