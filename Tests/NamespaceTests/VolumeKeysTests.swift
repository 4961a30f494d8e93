// SPDX-License-Identifier: Apache-2.0
//
// Every key of a volume, frozen. The values were computed by another implementation of BLAKE3 and
// Ed25519, from the labels in docs/format.md. A change here loses every volume.

import Cryptography
import Primitives
import Scratchpads
import Testing

@testable import Namespace

@Suite("Keys of a volume")
struct VolumeKeysTests {
    /// The keys of the seed 00 01 02 … 1f.
    static let keys = VolumeKeys(seed: SecretBytes((0..<32).map { UInt8($0) }))

    @Test("the derivations are those of the first format")
    func frozen() {
        let keys = Self.keys
        #expect(
            keys.rootPad.address.hex
                == "1c614aa958e5eb25e498a1549eb43b092df63efe3200928388d9558946c766f7")
        #expect(
            hex(keys.pageSecret.bytes)
                == "210bd391750eea3979f216ac230383bb7b4613e5cbbd1a7c3c168d059b850db4")
        #expect(Hex.encode(keys.volumeID) == "7a1f59d59ac8119ce5b866342c204c27")
        #expect(
            keys.pad(identity: [UInt8](repeating: 0x11, count: 32)).address.hex
                == "cc8141b8e23005e461a5e1c6b715943b07baf37d2f32d04a34679bc82a860911")
        #expect(
            hex(keys.localKey(salt: [UInt8](repeating: 0x22, count: 16)))
                == "7a420155fc38be55697e01f2aef4c6fe7bc41e0188226b849ffdd587aa304f01")
    }

    /// Made with other libraries from docs/format.md §2 for the secret key 1.
    @Test(
        "a foreign pad's key is masked as in the first format, and its identity gives it back",
        arguments: [
            (Bool?.none, "784db765cc4c45309050fa5c403378bc0350b9b3504f347de2a96c1192691908"),
            (true, "d6167d2c0916488e60506f45b6910d8c27b7be6f87f961501a595cae79092fef"),
            (false, "be76c40e0c869583ef8d5a8a3b93b51798fcee1a98e437ed3fbb8cccc06f22d5"),
        ])
    func foreignPads(isEncrypted: Bool?, identity: String) throws {
        let key = SecretBytes([UInt8](repeating: 0, count: 31) + [1])
        let owned = try #require(AutonomiPad(key: key, isEncrypted: isEncrypted ?? true))
        let pad = isEncrypted == nil ? AutonomiPad(address: owned.address) : owned
        let bytes = Self.keys.identity(of: pad)
        #expect(Hex.encode(bytes) == identity)
        let found = try #require(
            Self.keys.pad(identity: bytes, at: pad.address) as? AutonomiPad)
        #expect(found.address == pad.address && found.isWritable == (isEncrypted != nil))
        #expect(found.isEncrypted == pad.isEncrypted)
        // Of another pad, another volume, or with a changed bit it is nothing.
        var changed = bytes
        changed[5] ^= 1
        #expect(Self.keys.pad(identity: changed, at: pad.address) == nil)
        let other = VolumeKeys(seed: SecretBytes([UInt8](repeating: 1, count: 32)))
        #expect(other.pad(identity: bytes, at: pad.address) == nil)
    }

    @Test("an identity and an address that do not belong together are no pad of the volume")
    func mismatch() {
        let identity = [UInt8](repeating: 0x11, count: 32)
        let address = Self.keys.pad(identity: identity).address
        #expect(Self.keys.pad(identity: identity, at: address)?.isWritable == true)
        #expect(
            Self.keys.pad(identity: [UInt8](repeating: 0x12, count: 32), at: address) == nil)
    }

    @Test("seeds, identities and salts that differ in a bit have nothing in common")
    func separation() {
        var seed = (0..<32).map { UInt8($0) }
        seed[31] ^= 1
        let other = VolumeKeys(seed: SecretBytes(seed))
        #expect(other.volumeID != Self.keys.volumeID)
        #expect(other.rootPad.address != Self.keys.rootPad.address)
        #expect(other.pageSecret.bytes != Self.keys.pageSecret.bytes)
        var identity = [UInt8](repeating: 0, count: 32)
        let pad = Self.keys.pad(identity: identity).address
        #expect(pad == Self.keys.pad(identity: identity).address)
        #expect(pad != other.pad(identity: identity).address)
        identity[0] = 1
        #expect(pad != Self.keys.pad(identity: identity).address)
        let short = Self.keys.localKey(salt: [UInt8](repeating: 0, count: 16))
        #expect(short != Self.keys.localKey(salt: [UInt8](repeating: 0, count: 17)))
    }

    @Test("seeds, identities and salts of a wrong size trap")
    func sizes() async {
        await #expect(processExitsWith: .failure) {
            _ = VolumeKeys(seed: SecretBytes([1, 2, 3]))
        }
        await #expect(processExitsWith: .failure) {
            let keys = VolumeKeys(seed: SecretBytes([UInt8](repeating: 1, count: 32)))
            _ = keys.pad(identity: [])
        }
        await #expect(processExitsWith: .failure) {
            let keys = VolumeKeys(seed: SecretBytes([UInt8](repeating: 1, count: 32)))
            _ = keys.localKey(salt: [UInt8](repeating: 1, count: 15))
        }
    }

    private func hex(_ secret: SecretBytes) -> String {
        secret.withBytes { bytes in Hex.encode(bytes.indices.map { bytes[$0] }) }
    }
}
