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
