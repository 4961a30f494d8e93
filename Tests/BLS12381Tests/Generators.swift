// SPDX-License-Identifier: Apache-2.0
//
// Elements, scalars and points by chance, each from a seed that a failure names.

import Cryptography
import Primitives
import TestSupport

@testable import BLS12381

extension SeededGenerator {
    mutating func fp() -> Fp {
        Fp(reducing: [next(), next(), next(), next(), next(), next()])
    }

    mutating func fp2() -> Fp2 { Fp2(fp(), fp()) }
    mutating func fp6() -> Fp6 { Fp6(fp2(), fp2(), fp2()) }
    mutating func fp12() -> Fp12 { Fp12(fp6(), fp6()) }
    mutating func scalar() -> Scalar { Scalar(reducing: bytes(48).span) }
    mutating func g1() -> G1Point { G1Point.generator.times(scalar()) }
    mutating func g2() -> G2Point { G2Point.generator.times(scalar()) }

    mutating func secretKey() -> BLSSecretKey {
        while true {
            if let key = BLSSecretKey(SecretBytes(bytes(32))) { return key }
        }
    }
}

/// p as 48 bytes, plus a small number.
func modulus(plus number: UInt8) -> [UInt8] {
    var bytes: [UInt8] = []
    for index in (0..<6).reversed() {
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            bytes.append(UInt8(truncatingIfNeeded: Fp.modulus[index] >> shift))
        }
    }
    // p ends in ab: no carry for what is added here.
    bytes[47] += number
    return bytes
}

// What takes spans, for arrays: an expectation cannot hold a span.

func scalar(_ bytes: [UInt8]) -> Scalar { Scalar(reducing: bytes.span) }

extension Fp {
    init?(_ bytes: [UInt8]) { self.init(bytes.span) }
}

extension Scalar {
    init?(_ bytes: [UInt8]) { self.init(bytes.span) }
}

extension CurvePoint<Fp> {
    init?(_ bytes: [UInt8]) { self.init(bytes.span) }
}

extension CurvePoint<Fp2> {
    init?(_ bytes: [UInt8]) { self.init(bytes.span) }
}

extension BLSSecretKey {
    func sign(_ message: [UInt8]) -> [UInt8] { sign(message.span) }
    func decrypt(_ bytes: [UInt8]) throws -> [UInt8] { try decrypt(bytes.span) }
}

extension BLSPublicKey {
    func isValid(signature: [UInt8], message: [UInt8]) -> Bool {
        isValid(signature: signature, message: message.span)
    }
}
