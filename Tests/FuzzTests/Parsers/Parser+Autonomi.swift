// SPDX-License-Identifier: Apache-2.0
//
// Scratchpads of the older Autonomi network, and the points of a curve that they are signed with.

import BLS12381
import Cryptography
import Primitives
import Scratchpads

extension Parser {
    static let autonomi: [Parser] = [
        Parser(
            name: "autonomi-pad",
            seeds: { try Samples.autonomiRecords().map { AutonomiPadFile.encode($0) } }
        ) { bytes in
            try checkCoding(bytes, isCanonical: false) {
                try AutonomiPadFile.decode($0)
            } encode: {
                AutonomiPadFile.encode($0)
            }
            guard let record = parsed({ try AutonomiPadFile.decode(bytes) }) else { return }
            let isVerified = parsed({ try record.verify() }) != nil
            if !isVerified, parsed({ try Samples.autonomiPad().open(record) }) != nil {
                throw BrokenProperty(description: "a pad without its owner's signature opens")
            }
        },
        Parser(name: "bls-key", seeds: { [try Samples.autonomiPad().address.bytes] }) { bytes in
            try checkCoding(bytes, isCanonical: true) {
                try required(BLSPublicKey($0))
            } encode: {
                $0.bytes
            }
        },
        Parser(
            name: "bls-ciphertext",
            seeds: { try Samples.autonomiRecords().map { $0.ciphertext } }
        ) { bytes in
            guard let plain = parsed({ try Samples.autonomiKey().decrypt(bytes.span) }) else {
                return
            }
            if plain.count + BLSPublicKey.encryptionOverhead != bytes.count {
                throw BrokenProperty(description: "a plaintext of another size")
            }
        },
    ]
}

extension Samples {
    private static let secret = SecretBytes([UInt8](repeating: 7, count: 32))

    static func autonomiKey() throws -> BLSSecretKey { try required(BLSSecretKey(secret)) }

    static func autonomiPad() throws -> AutonomiPad {
        try required(AutonomiPad(key: secret, isEncrypted: true))
    }

    static func autonomiRecords() throws -> [PadRecord] {
        try [[1, 2, 3], [UInt8](repeating: 5, count: 300)].map {
            try autonomiPad().seal($0.span, encoding: 42, counter: 7)
        }
    }
}
