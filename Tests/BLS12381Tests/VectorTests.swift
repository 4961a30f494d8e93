// SPDX-License-Identifier: Apache-2.0
//
// Keys, signatures, children and ciphertexts that another implementation made: py_ecc 8.0.0, from
// docs/format.md §4's description of Autonomi's pads.

import BLS12381
import Cryptography
import Foundation
import Primitives
import Testing

/// `Vectors/bls_scratchpad.json`.
struct BLSVectors: Decodable {
    struct Case: Decodable {
        struct Signing: Decodable {
            let msg_utf8: String
            let sig: String
        }
        struct Child: Decodable {
            let index: String
            let child_sk: String
            let child_pk: String
        }
        struct Encryption: Decodable {
            let r: String
            let plaintext: String
            let ciphertext: String
        }
        let sk: String
        let pk: String
        let sign: Signing
        let derive: [Child]
        let encrypt: [Encryption]
    }
    let cases: [Case]

    static func read() throws -> BLSVectors {
        let url = try #require(
            Bundle.module.url(
                forResource: "bls_scratchpad", withExtension: "json", subdirectory: "Vectors"))
        return try JSONDecoder().decode(BLSVectors.self, from: Data(contentsOf: url))
    }
}

func bytes(_ hex: String) throws -> [UInt8] { try #require(Hex.decode(hex)) }

func secretKey(_ hex: String) throws -> BLSSecretKey {
    try #require(BLSSecretKey(SecretBytes(try bytes(hex))))
}

@Suite("BLS against vectors")
struct VectorTests {
    @Test("keys, signatures and children are those of another implementation")
    func signatures() throws {
        for vector in try BLSVectors.read().cases {
            let key = try secretKey(vector.sk)
            #expect(Hex.encode(key.publicKey.bytes) == vector.pk)
            let message = Array(vector.sign.msg_utf8.utf8)
            #expect(Hex.encode(key.sign(message)) == vector.sign.sig)
            let publicKey = try #require(BLSPublicKey(try bytes(vector.pk)))
            #expect(publicKey.isValid(signature: try bytes(vector.sign.sig), message: message))
            for child in vector.derive {
                let index = try bytes(child.index)
                #expect(Hex.encode(key.child(index: index).publicKey.bytes) == child.child_pk)
                #expect(Hex.encode(publicKey.child(index: index).bytes) == child.child_pk)
                let signed = try secretKey(child.child_sk).sign(message)
                #expect(key.child(index: index).sign(message) == signed)
            }
        }
    }

    @Test("ciphertexts are those of another implementation, and open")
    func encryption() throws {
        for vector in try BLSVectors.read().cases {
            let key = try secretKey(vector.sk)
            for encryption in vector.encrypt {
                let plain = try bytes(encryption.plaintext)
                let sealed = key.publicKey.encrypt(
                    plain.span, nonce: SecretBytes(try bytes(encryption.r)))
                #expect(Hex.encode(sealed) == encryption.ciphertext)
                #expect(try key.decrypt(sealed) == plain)
            }
        }
    }
}
